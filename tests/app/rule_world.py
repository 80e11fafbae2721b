"""What the tests of rules arrange: small worlds of records that came in from sources, rules in force, alerts as they stand."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import orjson
from sqlalchemy import text

from app import clock
from app.database import SYSTEM, transaction
from app.records import store
from detection.fixtures import read_fixtures, world
from detection.shipped import datasets, rule_documents

VILLAGE, OTHER_VILLAGE = "330213007213", "330213005201"


class Rules:
    """Loads rules as the owner would, lets records come in, and looks at what came of it behind the policies."""

    def __init__(self, worker_app, session):
        self.worker_app, self.session = worker_app, session

    def load(self, *codes):
        """Shipped rules of these codes in force, written as the owner."""
        for code in codes:
            self.put(rule_documents()[code])

    def put(self, document, *, state="live", scope="", author=None, live_at=None):
        version_id = uuid4()
        now = datetime.now(UTC)
        self.run(
            "INSERT INTO rules VALUES (:code, :module, :scope, :now, NULL) ON CONFLICT DO NOTHING",
            code=document["code"], module=document["module"], scope=scope, now=now,
        )  # fmt: skip
        self.run(
            "INSERT INTO rule_versions SELECT :id, :code, :scope, count(*) + 1, CAST(:document AS jsonb), :state, CAST(:author AS uuid), NULL, "
            ":now, :now, CAST(:live_at AS timestamptz), NULL FROM rule_versions WHERE code = :code",
            id=version_id, code=document["code"], scope=scope, document=orjson.dumps(document).decode(), state=state, author=author, now=now,
            live_at=live_at or (now if state == "live" else None),
        )  # fmt: skip
        return version_id

    def source(self, dataset, scope="33", watermark=None, arrived=True):
        """A source of a dataset that has delivered until `watermark`, today without one."""
        self.run(
            "INSERT INTO record_sources (id, dataset, code, name, scope, watermark, last_arrival_at, created_at) "
            "VALUES (gen_random_uuid(), :dataset, :code, '来源', :scope, :watermark, :at, now())",
            dataset=dataset, code=f"s{uuid4().hex[:10]}", scope=scope, watermark=watermark or clock.today() + timedelta(days=2),
            at=datetime.now(UTC) if arrived else None,
        )  # fmt: skip

    def arrive(self, code, *rows, source="test"):
        """Records come in as from a source, each with its place and fields; dates as texts."""
        dataset = datasets()[code]
        whole = []
        for row in rows:
            key = "|".join(str(row[name]) for name in dataset.key)
            event_on = row.get("event_on") or (str(row[dataset.event_date])[:10] if dataset.event_date and row.get(dataset.event_date) else None)
            whole.append({"source_key": key, "place": VILLAGE, "withdrawn": False, "unreadable": "", **row, "event_on": event_on})
        with self.worker(), transaction(SYSTEM):
            return store.fold(
                dataset, f'jsonb_populate_recordset(CAST(NULL AS records."{code}"), CAST(:rows AS jsonb))', source=source,
                at=clock.now(), today=clock.today(), rows=orjson.dumps(whole).decode(),
            )  # fmt: skip

    def arrive_fixtures(self, code):
        """The world of a shipped rule's own cases comes in, in counties that exist."""
        fixtures = read_fixtures(rule_documents()[code]["fixtures"], datasets())
        for index in range(1, len(fixtures.cases) + 1):
            self.run(
                "INSERT INTO divisions VALUES (:code, '县', 3, NULL, :code, '2000-01-01', NULL) ON CONFLICT DO NOTHING",
                code=f"33{index:02d}01000000",
            )
        made_here = {"row_id", "source", "version", "arrived_at", "superseded_at", "batch_id"}
        for dataset, rows in world(fixtures, datasets()).items():
            self.arrive(dataset, *({k: v for k, v in row.items() if k not in made_here} for row in rows), source=code)

    def worker(self):
        return self.worker_app.app_context()

    def rows(self, query="SELECT * FROM alerts ORDER BY alert_key", **values):
        found = self.session.execute(text(query), values).all()
        self.session.rollback()
        return found

    def keys(self):
        return [(one.rule_code, one.alert_key) for one in self.rows("SELECT rule_code, alert_key FROM alerts ORDER BY 1, 2")]

    def run(self, statement, **values):
        self.session.execute(text(statement), values)
        self.session.commit()


__all__ = ["OTHER_VILLAGE", "VILLAGE", "Rules"]
