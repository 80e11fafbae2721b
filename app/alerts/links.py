"""An alert and a petition that speak of the same thing (XY-03). For the worker; who sees a link, row-level security decides."""

from collections.abc import Callable

from sqlalchemy import text

from app import clock
from app.alerts.sweep import AlertReport
from app.database import SYSTEM, transaction
from app.extensions import db

DAYS = 180  # either way
# What petitions of a field speak of, by the module of the rule.
FIELDS = {
    "finance": "funds", "works": "works", "land": "assets", "assets": "assets", "procurement": "procurement",
    "labour_pay": "labour", "relief": "relief",
}  # fmt: skip
# By the name of a person in the same county; by the number of a contract that the text names; or by village and field. Of what is
# under seal nothing is left to compare. A contract number of three signs says too little.
_LINK = text(
    """
    WITH fields AS (SELECT * FROM unnest(CAST(:categories AS text[]), CAST(:modules AS text[])) AS f(category, module)),
    near AS (
      SELECT a.id AS alert_id, a.place, a.module, a.subject_names, a.contracts, p.id AS petition_id, p.division_code, p.category,
             p.subject_names AS named, p.title || ' ' || p.body AS said
        FROM alerts a
        JOIN petitions p ON p.division_code >= left(a.place, 6) AND p.division_code < left(a.place, 6) || ':'
       WHERE a.closed_at IS NULL AND a.screened_at IS NOT NULL AND p.state <> 'sealed'
         AND abs(p.filed_on - coalesce(a.happened_on, (a.raised_at AT TIME ZONE 'Asia/Shanghai')::date)) <= :days
         AND (a.subject_names && p.subject_names OR a.place = p.division_code OR a.contracts <> '{}')
    ), found AS (
      SELECT alert_id, petition_id, 'person' AS kind FROM near WHERE subject_names && named
      UNION ALL
      SELECT alert_id, petition_id, 'contract' FROM near
       WHERE EXISTS (SELECT 1 FROM unnest(contracts) c WHERE char_length(c) > 3 AND position(c IN said) > 0)
      UNION ALL
      SELECT alert_id, petition_id, 'place' FROM near
       WHERE place = division_code AND EXISTS (SELECT 1 FROM fields f WHERE f.category = near.category AND f.module = near.module)
    )
    INSERT INTO alert_links (alert_id, petition_id, kind, found_at) SELECT f.*, :now FROM found f
     WHERE NOT EXISTS (SELECT 1 FROM alert_links l WHERE l.alert_id = f.alert_id AND l.petition_id = f.petition_id AND l.kind = f.kind)
    ON CONFLICT DO NOTHING
    """
)


def link_petitions(*, stopping: Callable[[], bool] = lambda: False) -> AlertReport:
    """Link open alerts with petitions that share a person, a contract, or village and field within 180 days. Safe to run twice."""
    report = AlertReport()
    if not stopping():
        with transaction(SYSTEM):
            values = {"categories": list(FIELDS), "modules": list(FIELDS.values()), "days": DAYS, "now": clock.now()}
            report.done = db.session.execute(_LINK, values).rowcount  # type: ignore[attr-defined]
    return report
