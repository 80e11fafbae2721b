"""Who hears of a step of an alert, at the moment of delivery."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from sqlalchemy import Row, text

from app.extensions import db

AUDIENCES = frozenset({"alert_body", "alert_above", "alert_checkers", "alert_unit", "alert_department", "rule_owner"})

# The body above and the department are among those that see the alert too; a rule is kept by the county's discipline body.
_HEARERS = text(
    """
    SELECT DISTINCT a.id AS alert_id, told.audience, s.id, s.email
      FROM alerts a
     CROSS JOIN (SELECT (mj_now() AT TIME ZONE 'Asia/Shanghai')::date AS day) today
     CROSS JOIN LATERAL (
            SELECT 'alert_body' AS audience, o.id AS org_id FROM organisations o WHERE o.id = a.org_id
            UNION ALL SELECT CASE o.kind WHEN 'discipline' THEN 'alert_above' ELSE 'alert_department' END, o.id
                        FROM organisations o WHERE o.id = ANY (a.copy_org_ids) AND o.id IS DISTINCT FROM a.org_id
            UNION ALL SELECT 'alert_checkers', a.org_id
            UNION ALL SELECT 'alert_unit', a.unit_org_id
            UNION ALL SELECT 'rule_owner', o.id FROM organisations o
                       WHERE o.kind = 'discipline' AND o.division_code = rpad(left(a.place, 6), 12, '0')) AS told
      JOIN appointments p ON p.org_id = told.org_id JOIN staff_accounts s ON s.id = p.account_id
     WHERE a.id = ANY(CAST(:ids AS uuid[])) AND p.valid_from <= today.day AND (p.valid_to IS NULL OR p.valid_to >= today.day)
       AND (s.left_on IS NULL OR s.left_on > today.day)
       AND CASE told.audience
             WHEN 'alert_unit' THEN p.role IN ('village_clerk', 'village_supervisor', 'township_office', 'department_handler')
             WHEN 'alert_checkers' THEN s.id = ANY (a.checker_ids) AND s.id <> ALL (a.excluded_account_ids)
             ELSE s.id <> ALL (a.excluded_account_ids) AND told.org_id <> ALL (a.excluded_org_ids) END
    """
)


def hearers_of_alerts(alert_ids: Iterable[str]) -> dict[tuple[str, str], list[Row[Any]]]:
    """(alert, audience) → accounts (id, email), with one query. Whoever must withdraw by now is not among them, but a unit that answers hears of its questions and tasks whoever it is to the alert."""
    ids = sorted(set(alert_ids))
    found: dict[tuple[str, str], list[Row[Any]]] = defaultdict(list)
    for row in db.session.execute(_HEARERS, {"ids": ids}) if ids else ():
        found[str(row.alert_id), row.audience].append(row)
    return found
