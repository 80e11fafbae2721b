"""Somebody must withdraw from an alert that is under way (监察法 Art 67): it leaves them by itself, and never to nobody."""

from uuid import UUID

from sqlalchemy import text

from app.alerts import door, screening
from app.database import SYSTEM
from app.extensions import db
from workflows.alert import TABLE, AlertEvent

_CREW = text(
    """
    SELECT EXISTS (SELECT 1 FROM appointments a JOIN staff_accounts s ON s.id = a.account_id
                    CROSS JOIN (SELECT (mj_now() AT TIME ZONE 'Asia/Shanghai')::date AS day) today
                    WHERE a.org_id = :org AND a.account_id <> ALL(CAST(:accounts AS uuid[])) AND a.valid_from <= today.day
                      AND (a.valid_to IS NULL OR a.valid_to >= today.day) AND (s.left_on IS NULL OR s.left_on > today.day))
    """
)
# Bodies can be excluded one after another on the way up.
_LEVELS = 6


def withdraw_from(alert_id: UUID) -> None:
    """Compute anew who must withdraw from an open alert, in the open transaction of the worker. What is new holds at once: checkers
    leave it, and a body in charge that must withdraw, or has nobody left, hands it one level up. Raises Unknown when somebody
    else holds it."""
    alert = door.lock(alert_id, skip_locked=True)
    if not screening.exclude(alert, [alert.unit_org_id] if alert.unit_org_id else []):
        return
    alert.copy_org_ids = [one for one in alert.copy_org_ids if one not in alert.excluded_org_ids]
    left = [one for one in alert.checker_ids if one not in alert.excluded_account_ids]
    db.session.flush()
    if left != alert.checker_ids:
        alert.checker_ids = left
        door.write(alert, "recuse_checker", SYSTEM, door.look_around(alert), alert.state, {"left": len(left)})
    for _ in range(_LEVELS):
        around = door.look_around(alert)
        told = around.facts(alert, SYSTEM)
        if alert.org_id is None or not _is_out(alert.org_id, alert.excluded_org_ids, alert.excluded_account_ids):
            return
        if TABLE.refusal(alert, AlertEvent.RECUSE, SYSTEM, **told) is not None:
            return
        door.move(alert, AlertEvent.RECUSE, SYSTEM, around, {})


def _is_out(org_id: UUID, bodies: list[UUID], accounts: list[UUID]) -> bool:
    return org_id in bodies or not db.session.scalar(_CREW, {"org": org_id, "accounts": accounts})
