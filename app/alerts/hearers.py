"""Who hears of a step of an alert: the staff of the body in charge and of the unit, at the moment of delivery."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from sqlalchemy import Row, text

from app.extensions import db

_HEARERS = text(
    """
    SELECT DISTINCT a.id AS alert_id, told.audience, s.id, s.email
      FROM alerts a
     CROSS JOIN LATERAL (VALUES ('alert_org', a.org_id), ('alert_unit', a.unit_org_id)) AS told(audience, org_id)
      JOIN appointments p ON p.org_id = told.org_id JOIN staff_accounts s ON s.id = p.account_id
     CROSS JOIN (SELECT (mj_now() AT TIME ZONE 'Asia/Shanghai')::date AS day) today
     WHERE a.id = ANY(CAST(:ids AS uuid[])) AND p.valid_from <= today.day AND (p.valid_to IS NULL OR p.valid_to >= today.day)
       AND (s.left_on IS NULL OR s.left_on > today.day)
       AND CASE told.audience
             WHEN 'alert_org' THEN s.id <> ALL (a.excluded_account_ids) AND told.org_id <> ALL (a.excluded_org_ids)
             ELSE p.role IN ('village_clerk', 'village_supervisor', 'township_office', 'department_handler') END
    """
)


def hearers_of_alerts(alert_ids: Iterable[str]) -> dict[tuple[str, str], list[Row[Any]]]:
    """(alert, audience `alert_org` or `alert_unit`) → accounts (id, email), with one query. Whoever must withdraw by now is not
    among the body in charge; a unit that answers hears of its questions and tasks whoever it is to the alert."""
    ids = sorted(set(alert_ids))
    found: dict[tuple[str, str], list[Row[Any]]] = defaultdict(list)
    for row in db.session.execute(_HEARERS, {"ids": ids}) if ids else ():
        found[str(row.alert_id), row.audience].append(row)
    return found
