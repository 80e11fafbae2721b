"""What the tests of alerts arrange: rules, hits, a source outside, and the worker that folds and moves them."""

from contextlib import contextmanager
from uuid import uuid4

from sqlalchemy import text

from app.alerts.folding import Hit, Raised, Subjects, fold_alerts, source_mac
from app.database import SYSTEM, transaction

VILLAGE, NEXT_VILLAGE, OTHER_TOWN = "330213007213", "330213007214", "330213005201"
RULE = Raised("GC-01", 1, "works", {"name": {"zh": "先建后批", "en": "Built before approval"}, "params": {"days": 0}})


def hit(key="P-1", row_id=1, **more):
    given = {"place": VILLAGE, "dataset": "gc_project", "colour": "yellow", "money_fen": 100_00}
    return Hit(key, row_id=row_id, **{**given, **more})


class Alerts:
    """Folds as the worker, looks behind the policies as the owner."""

    def __init__(self, worker_app, session):
        self.worker_app, self.session = worker_app, session

    def fold(self, *hits, rule=RULE, run_id=None, **more):
        with self.worker(), transaction(SYSTEM):
            return fold_alerts(rule, hits, run_id=run_id or uuid4(), **more)

    @contextmanager
    def worker(self):
        with self.worker_app.app_context():
            yield

    def rows(self, query="SELECT * FROM alerts ORDER BY raised_at, id", **values):
        found = self.session.execute(text(query), values).all()
        self.session.rollback()
        return found

    def run(self, statement, **values):
        self.session.execute(text(statement), values)
        self.session.commit()

    def source(self, key="k" * 40, rules=("EXT-1",), place="330213"):
        with self.worker():
            mac = source_mac(key)
        self.run(
            "INSERT INTO alert_sources VALUES (gen_random_uuid(), '市审计平台', :mac, :rules, :place, NULL)",
            mac=mac, rules=list(rules), place=place,
        )  # fmt: skip
        return {"X-Source-Key": key}


__all__ = ["NEXT_VILLAGE", "OTHER_TOWN", "RULE", "VILLAGE", "Alerts", "Hit", "Raised", "Subjects", "hit"]
