"""Before anybody sees an alert: who must withdraw from it, which body receives it, and which unit explains."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text

from app import clock
from app.alerts import door
from app.alerts.models import Alert
from app.extensions import db
from app.recusal import service as recusal

# Who receives an alert of a colour, best first: (kind, level) of a body. Discipline bodies above stand in for everybody.
_UPWARD = [("discipline", level) for level in (4, 3, 2, 1)]
RECEIVERS: dict[str, Sequence[tuple[str, int]]] = {
    "red": _UPWARD,
    "orange": _UPWARD,
    "yellow": [("office", 4), *_UPWARD],
    "blue": [("village_supervision", 5), ("office", 4), *_UPWARD],
}
# Who is told of it beside the discipline bodies of the place, which see it anyway.
COPIES = {"blue": ("office",), "yellow": ("village_supervision",)}
_UNIT = text("SELECT id FROM organisations WHERE kind = 'village_committee' AND division_code = :place AND active ORDER BY name LIMIT 1")
_RECEIVER = text(door.BODY)
_COPIED = text(
    "SELECT id FROM organisations WHERE active AND kind = ANY(:kinds) AND division_code = ANY(:lineage) AND level >= 4"
)


def screen(alert: Alert) -> None:
    """Find out who must withdraw (监察法 Art 67: subjects, their kin, and bodies that either serves at), the receiver by colour and
    the unit that explains, which never decides. From here on the alert is seen. Raises LookupError when nobody here may receive it."""
    unit = db.session.scalar(_UNIT, {"place": alert.place})
    exclude(alert, [unit] if unit is not None else [])
    alert.unit_org_id = unit
    found = receiver_of(alert, alert.colour)
    if found is None:
        raise LookupError("nobody may receive it")
    alert.org_id, alert.level = found.org_id, found.level
    kinds = list(COPIES.get(alert.colour, ()))
    copied = db.session.scalars(_COPIED, {"kinds": kinds, "lineage": door.around(alert)["lineage"]}) if kinds else ()
    alert.copy_org_ids = [one for one in copied if one not in alert.excluded_org_ids and one != alert.org_id]
    alert.screened_at = clock.now()
    db.session.flush()


def exclude(alert: Alert, bodies: Sequence[UUID]) -> bool:
    """Compute who must withdraw as the directory stands now, and add those who are new; whether there are any."""
    finding = recusal.examine(alert.subject_names, [], [*bodies, *alert.subject_org_ids], alert.place)
    orgs = [one for one in finding.bodies if one not in alert.excluded_org_ids]
    accounts = [one for one in finding.accounts if one not in alert.excluded_account_ids]
    alert.excluded_org_ids = [*alert.excluded_org_ids, *orgs]
    alert.excluded_account_ids = [*alert.excluded_account_ids, *accounts]
    alert.subject_org_ids = list(alert.excluded_org_ids)
    return bool(orgs or accounts)


def receiver_of(alert: Alert, colour: str) -> Row[Any] | None:
    """The body (org_id, level) that receives an alert of a colour: the first that may know of it; None when there is none."""
    kinds, levels = zip(*RECEIVERS[colour], strict=True)
    values = {"kinds": list(kinds), "levels": list(levels), **door.around(alert)}
    return db.session.execute(_RECEIVER, values).one_or_none()


def first_facts(alert: Alert) -> dict[str, Any]:
    """What the first event says: by which rule and version, of what, on how many rows."""
    return {
        "rule": alert.rule_code, "rule_version": alert.rule_version, "fingerprint": alert.fingerprint,
        "evidence_hash": alert.evidence_hash, "rows": len(alert.seen_rows), "run_id": alert.run_id,
        "earlier_id": alert.earlier_id,
    }  # fmt: skip
