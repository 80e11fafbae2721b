"""Who hears of a step of an alert: bodies, checkers and unit, as they are at the moment of delivery."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from sqlalchemy import Row, text

from app.extensions import db

_HEARERS = text(
    """
    WITH told AS (
      SELECT a.id AS alert_id, t.audience, t.org_id, NULL::uuid AS account_id
        FROM alerts a CROSS JOIN LATERAL (
          VALUES ('alert_body', a.org_id), ('alert_unit', a.unit_org_id)) AS t(audience, org_id)
       WHERE a.id = ANY(CAST(:ids AS uuid[]))
      UNION ALL
      SELECT a.id, CASE WHEN o.kind = 'discipline' THEN r.audience ELSE 'alert_department' END, o.id, NULL
        FROM alerts a JOIN organisations o ON o.active
         AND (o.id = ANY (a.copy_org_ids) AND o.kind = 'department'
              OR o.kind = 'discipline' AND o.level < 4 AND starts_with(a.place, left(o.division_code, 2 * o.level)))
        CROSS JOIN LATERAL (VALUES ('alert_above', a.level - 1), ('rule_owner', 3)) AS r(audience, level)
       WHERE a.id = ANY(CAST(:ids AS uuid[])) AND (o.kind = 'department' OR o.level = r.level)
      UNION ALL
      SELECT a.id, 'alert_checkers', NULL, unnest(a.checker_ids) FROM alerts a WHERE a.id = ANY(CAST(:ids AS uuid[]))
    )
    SELECT DISTINCT a.id AS alert_id, told.audience, s.id, s.email
      FROM told JOIN alerts a ON a.id = told.alert_id
      JOIN appointments p ON p.org_id = told.org_id OR p.account_id = told.account_id
      JOIN staff_accounts s ON s.id = p.account_id
     CROSS JOIN (SELECT (mj_now() AT TIME ZONE 'Asia/Shanghai')::date AS day) today
     WHERE p.valid_from <= today.day AND (p.valid_to IS NULL OR p.valid_to >= today.day)
       AND (s.left_on IS NULL OR s.left_on > today.day)
       AND CASE told.audience
             WHEN 'alert_unit' THEN p.role IN ('village_clerk', 'village_supervisor', 'township_office', 'department_handler')
             ELSE s.id <> ALL (a.excluded_account_ids) AND p.org_id <> ALL (a.excluded_org_ids) END
    """
)


def hearers_of_alerts(alert_ids: Iterable[str]) -> dict[tuple[str, str], list[Row[Any]]]:
    """(alert, audience of an alert) → accounts (id, email), with one query. Whoever must withdraw by now is not
    among them; a unit that answers hears of its questions and tasks whoever it is to the alert."""
    ids = sorted(set(alert_ids))
    found: dict[tuple[str, str], list[Row[Any]]] = defaultdict(list)
    for row in db.session.execute(_HEARERS, {"ids": ids}) if ids else ():
        found[str(row.alert_id), row.audience].append(row)
    return found
