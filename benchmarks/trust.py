"""What trust costs: policies and recusal on reads, ledger, recusal and sealing on a filing, policies on a search.

Usage: python benchmarks/trust.py [--petitions 100000] [--rounds 9] [--each 100] [--only list,detail,filing,search] [--explain]

Starts its own PostgreSQL with durable writes, fills it, and does the same work with and without, in turn, in one process:
each round of so many of both gives one ratio of their medians, and the ratio of a line is the median of the rounds. The
product has no switch for any of it: what is switched off is switched off here, in this process and in a database of its own.
Nothing here runs in continuous integration. Proofs and the placing of commitments are measured by benchmarks/ledger.py.
"""

import argparse
import re
import secrets
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager, nullcontext
from itertools import cycle
from os import environ
from pathlib import Path
from unittest.mock import patch
from uuid import uuid4

import psutil
import psycopg
from sqlalchemy import create_engine, event

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

from fill import fill_product, say  # noqa: E402
from measure import PASSWORD  # noqa: E402

from app import count_statements, create_app, timeline, transitions  # noqa: E402
from app.config import Settings  # noqa: E402
from app.database import insert_rows  # noqa: E402
from app.directory import demonstration  # noqa: E402
from app.extensions import db  # noqa: E402
from app.identity import store  # noqa: E402
from app.ledger import service as ledger  # noqa: E402
from app.petitions import reading, service  # noqa: E402
from app.postgres import EmbeddedPostgres, prepare_cluster  # noqa: E402

READERS = {"province office": "zhejiang.office", "county office": "fenghua.office", "township office": "shangtian.office",
           "department handler": "fenghua.agri"}  # fmt: skip
# How many of the petitions hold the word: all, one in a hundred, one in two thousand.
WORDS = {"in every case": "路灯", "in 1 %": "水渠", "in 0.05 %": "溶洞"}
READS_GOAL, FILING_GOAL, SEARCH_GOAL = 1.20, 1.25, 5.0
MORE_STATEMENTS, MORE_TO_READ = 3, 1
WARM = 15  # After five times the driver prepares a statement, and after five more the server may keep its plan.
BLOCK = 10  # So many of one side follow each other: what a change of sides costs is not in the times.
LIST = "/api/v1/petitions?open=true&limit=50"
# The desk of a department asks for what it handles itself; without that word a list is every case of the area that it has a part in.
MINE = f"{LIST}&mine=true"
VILLAGE = "330213007213"

# A township and a department with more than a page of open cases, and words that fewer cases hold.
ARRANGE = """
CREATE TEMP TABLE numbered AS SELECT id, substr(serial, 3)::int AS n, state FROM petitions WHERE serial LIKE 'B-%';
CREATE TEMP TABLE busy AS
SELECT c.id, c.n, c.state IN ('dispatched', 'handling') AS handled, v.codes[1 + c.n % cardinality(v.codes)] AS place
  FROM numbered c, (SELECT array_agg(code) AS codes FROM divisions WHERE level = 5 AND code LIKE '330213007%') v
 WHERE c.n BETWEEN 6001 AND 6600;
UPDATE petitions p SET division_code = b.place,
       owner_org_id = (SELECT org_id FROM appointments JOIN staff_accounts a ON a.id = account_id WHERE username = 'shangtian.office'),
       main_org_id = CASE WHEN b.handled THEN
                     (SELECT org_id FROM appointments JOIN staff_accounts a ON a.id = account_id WHERE username = 'fenghua.agri') END
  FROM busy b WHERE b.id = p.id;
UPDATE petitions p SET title = CASE WHEN c.n % 100 = 13 THEN '水渠堵塞 ' ELSE '溶洞塌方 ' END || c.n
  FROM numbered c WHERE c.id = p.id AND (c.n % 100 = 13 OR c.n % 2000 = 7);
UPDATE petition_words w SET words = bigrams(p.title || ' ' || p.body)
  FROM petitions p JOIN numbered c ON c.id = p.id WHERE w.petition_id = p.id AND (c.n % 100 = 13 OR c.n % 2000 = 7);
INSERT INTO case_messages (id, petition_id, at, author_kind, internal, body)
SELECT gen_random_uuid(), id, now(), kind, false, '已收到。' FROM numbered, unnest(ARRAY['petitioner', 'staff']) kind
"""
# No policy applies to this role. It has the rights of the web role, and may read the words that only a function reads.
PLAIN_ROLE = "CREATE ROLE bench_plain LOGIN BYPASSRLS; GRANT mj_web TO bench_plain; GRANT SELECT ON petition_words TO bench_plain"
# Of the database without ledger and recusal: nothing queues a commitment, and nobody is hidden from.
BARE = """
DROP TRIGGER events_are_committed ON petition_events; DROP TRIGGER exclusion_hides ON exclusions; DROP POLICY withheld ON petitions
"""
PLAIN_SEARCH = """
SELECT {columns} FROM petitions JOIN petition_words w ON w.petition_id = petitions.id
 WHERE {scope} AND w.words @> bigrams(%(q)s) AND position(lower(%(q)s) IN lower(petitions.title || ' ' || petitions.body)) > 0
 ORDER BY petitions.filed_at DESC, petitions.id DESC LIMIT %(most)s
"""
SEALING = 400  # So many cases of each reader get a sealed identity, and are the details that are read.


class Reader:
    """Somebody of the demonstration: headers, the area as plain SQL, and the ids of open cases that they see."""

    def __init__(self, bench, username):
        answer = bench.client.post("/api/v1/auth/staff/sign-in", json={"username": username, "password": PASSWORD})
        self.headers = {"Authorization": f"Bearer {answer.json['access_token']}"}
        with psycopg.connect(bench.superuser) as c:
            role, org, code, level = c.execute(
                "SELECT p.role, o.id, o.division_code, o.level FROM appointments p JOIN organisations o ON o.id = p.org_id "
                "JOIN staff_accounts a ON a.id = p.account_id WHERE a.username = %s",
                (username,),
            ).fetchone()
            area = code[: (0, 2, 4, 6, 9, 12)[level]]
            self.scope = f"petitions.division_code >= '{area}' AND petitions.division_code < '{area}:'"
            if role == "department_handler":
                self.scope += f" AND (petitions.main_org_id = '{org}' OR petitions.co_org_ids @> ARRAY['{org}'::uuid])"
            self.ids = [
                one
                for (one,) in c.execute(
                    f"SELECT id FROM petitions WHERE {self.scope} AND state IN ('registered', 'accepted', 'dispatched', 'handling') "
                    f"AND serial LIKE 'B-%' ORDER BY md5(id::text) LIMIT {SEALING}"
                )
            ]


class Bench:
    """One web application, and the engines that it may be given: as it is served, and each way that lacks something."""

    def __init__(self, settings, urls, server):
        self.superuser = server.url("postgres", "mingjian")
        self.web, self.plain = urls.web, server.url("bench_plain", "mingjian")
        self.app = create_app(settings)
        self.client = self.app.test_client()
        with self.app.app_context():
            self._engines = db.engines
        options = self.app.config["SQLALCHEMY_ENGINE_OPTIONS"]

        def engine(url):
            return create_engine(url.replace("postgresql://", "postgresql+psycopg://"), **options)

        self.sides = {
            "with": self._engines[None], "plain": engine(self.plain), "bare": engine(server.url("mj_web", "bare"))
        }  # fmt: skip
        self.scope, self.sent = "", {}
        event.listen(self.sides["plain"], "before_cursor_execute", self._scoped, retval=True)
        event.listen(self.sides["with"], "before_cursor_execute", self._note)
        self.counted = {}
        for name in self.sides:
            with self.side(name):
                self.counted[name] = count_statements(self.app)

    def _scoped(self, _connection, _cursor, sql, values, *_more):
        return scoped(sql, self.scope), values

    def _note(self, _connection, _cursor, sql, values, *_more):
        self.sent["actor" if "set_config" in sql else "query"] = (sql, values)

    @contextmanager
    def side(self, name):
        """The application works over this engine."""
        self._engines[None] = self.sides[name]
        try:
            yield
        finally:
            self._engines[None] = self.sides["with"]

    def get(self, path, reader, side="with"):
        """The answer to one request over this engine, as JSON."""
        self.scope = reader.scope
        with self.side(side):
            answer = self.client.get(path, headers=reader.headers)
        assert answer.status_code == 200, answer.get_data(as_text=True)
        return answer.json

    def statements(self, path, reader):
        """What the product sends for a request: the statement that opens the transaction, and the query, each with values."""
        # Twice: the first request of a process reads the calendar as well.
        self.get(path, reader), self.get(path, reader)
        return self.sent["actor"], self.sent["query"]


def scoped(sql, scope):
    """The query with the area of its reader written into it."""
    return re.sub(r"(FROM petitions\s+WHERE )", lambda found: f"{found[1]}{scope} AND ", sql, count=1)


def alternate(rounds, each, ours, theirs, refresh=lambda: None):
    """Medians in ms of both sides in each round of `each` calls of both, in turn by blocks."""
    found = []
    for _ in range(rounds):
        refresh()
        times = ([], [])
        for _ in range(max(1, each // BLOCK)):
            for call, kept in ((ours, times[0]), (theirs, times[1])):
                for _ in range(BLOCK):
                    begin = time.perf_counter()
                    call()
                    kept.append((time.perf_counter() - begin) * 1000)
        found.append((statistics.median(times[0]), statistics.median(times[1])))
    return found


def report(what, found, goal):
    """One line: what, both medians, the ratio, its least and greatest, and whether the goal is kept."""
    ratios = [ours / theirs for ours, theirs in found]
    ratio = statistics.median(ratios)
    ours, theirs = (statistics.median(column) for column in zip(*found, strict=True))
    print(f"{what:58} {ours:8.3f} {theirs:8.3f} {ratio:6.2f} ({min(ratios):.2f}–{max(ratios):.2f})  ≤ {goal:.2f} "
          f"{'ok' if ratio <= goal else 'missed'}", flush=True)  # fmt: skip


def compare_sql(bench, a, what, goal, actor, ours, theirs):
    """Two queries over a connection each, prepared, in the name of the actor: under the policies and by the role without."""
    with psycopg.connect(bench.web) as web, psycopg.connect(bench.plain) as plain:

        def begin():
            for one in (web, plain):
                one.rollback()
                one.execute(*actor)

        def run(connection, sql, values):
            # Each look at a case goes on record under an id of its own.
            return connection.execute(sql, {**values(), "id": uuid4()}).fetchall()

        begin()
        for number in range(WARM):
            rows, others = run(web, *ours), run(plain, *theirs)
            # The times of two queries that answer differently would say nothing. A detail is one row of another case each time.
            assert len(rows) == len(others) and (number or {row[0] for row in rows} == {row[0] for row in others}), what
        if a.explain:
            for connection, (sql, values) in ((web, ours), (plain, theirs)):
                print("\n".join(row[0] for row in connection.execute(f"EXPLAIN (ANALYZE, BUFFERS) {sql}", {**values(), "id": uuid4()})))
        report(f"{what}, {len(rows)} rows" if len(rows) != 1 else what, alternate(a.rounds, a.each, lambda: run(web, *ours),
               lambda: run(plain, *theirs), begin), goal)  # fmt: skip


def reads(bench, a, kind, name, reader):
    """Lists or details of one reader, as SQL and as whole requests."""
    turn, other = cycle(reader.ids), cycle(reader.ids)

    def path(ids):
        return {"list": LIST, "list of mine": MINE}.get(kind) or f"/api/v1/petitions/{next(ids)}"

    one = path(cycle(reader.ids))
    actor, (sql, values) = bench.statements(one, reader)

    def given(ids):
        return {**values, "petition_id": next(ids)} if kind == "detail" else values

    theirs = (scoped(sql, reader.scope), lambda: given(other))
    compare_sql(bench, a, f"{kind}, {name}: SQL", READS_GOAL, actor, (sql, lambda: given(turn)), theirs)
    answers, costs = [], []
    for side in ("with", "plain"):
        bench.get(one, reader, side)
        bench.counted[side].clear()
        answers.append(bench.get(one, reader, side))
        costs.append(len(bench.counted[side]))
    assert answers[0] == answers[1], "both sides answer alike"
    found = alternate(a.rounds, a.each, lambda: bench.get(path(turn), reader), lambda: bench.get(path(other), reader, "plain"))
    report(f"{kind}, {name}: request", found, READS_GOAL)
    counts(f"{kind}, {name}", *costs, MORE_TO_READ)


def counts(what, ours, theirs, more):
    """One line of statements."""
    print(f"{what + ': statements':58} {ours:8} {theirs:8} {ours - theirs:+6} {'':14}≤ +{more} {'ok' if ours - theirs <= more else 'missed'}",
          flush=True)  # fmt: skip


@contextmanager
def switched_off():
    """The product without ledger, recusal and sealing: nothing is committed to, signed, looked up or encrypted.

    Who files is then kept nowhere, so that the whole of keeping it counts as the cost of sealing.
    """
    seat = service._seat
    instead = (
        (timeline, "commitment", lambda salt, _document: salt),
        (timeline, "event_document", lambda _row, _text: {}),
        (service, "event_document", lambda _row, _text: {}),
        (transitions, "text_digest_of", lambda _petition, _salt: ""),
        (ledger, "promise", lambda *_: {}),
        (service, "_seat", lambda draft: seat({**draft, "accused": [], "keep_from": [], "accused_org_ids": []})),
        (store, "rows_of", lambda *_: {}),
    )
    with ExitStack() as off:
        for where, name, value in instead:
            off.enter_context(patch.object(where, name, value))
        yield


def filings(bench, a, what, more):
    """A named filing over both sides: whole requests, and their statements."""
    draft = {
        "division_code": VILLAGE, "title": "村道路灯损坏", "body": "村委会旁边的路灯已经坏了两个星期,晚上出门不方便。" * 3, "category": "works",
        "name": "王某", "phone": "13800000001", **more,
    }  # fmt: skip

    def file(side):
        headers = {"Idempotency-Key": secrets.token_urlsafe(24)}
        with bench.side(side), switched_off() if side == "bare" else nullcontext():
            answer = bench.client.post("/api/v1/petitions", json=draft, headers=headers)
        assert answer.status_code == 201, answer.get_data(as_text=True)

    for _ in range(WARM):
        file("with"), file("bare")
    costs = []
    for side in ("with", "bare"):
        bench.counted[side].clear()
        file(side)
        costs.append(len(bench.counted[side]))
    report(f"filing, {what}: request", alternate(a.rounds, a.each, lambda: file("with"), lambda: file("bare")), FILING_GOAL)
    counts(f"filing, {what}", *costs, MORE_STATEMENTS)


def searches(bench, a, readers):
    """Words of two characters: the product's search, and the same index asked for the same rows without any policy."""
    columns = ", ".join(str(one) for one in reading.ROW).replace("Petition.", "petitions.")
    for how_often, word in WORDS.items():
        for name in ("province office", "county office", "township office"):
            actor, (sql, values) = bench.statements(f"/api/v1/petitions/search?q={word}&limit=50", readers[name])
            plain = PLAIN_SEARCH.format(columns=columns, scope=readers[name].scope)
            theirs = {"q": word, "most": 50}
            compare_sql(bench, a, f"search, word {how_often}, {name}", SEARCH_GOAL, actor, (sql, lambda values=values: values),
                        (plain, lambda theirs=theirs: theirs))  # fmt: skip


def seal(owner, ids):
    """A sealed identity for these cases, as a filing keeps it."""
    with owner.app_context():
        people = [{"part": "petitioner", "name": "王某", "phone": "13800000001", "address": None}]
        gathered = {}
        for one in ids:
            for target, rows in store.rows_of(one, "named", people).items():
                gathered.setdefault(target, []).extend(rows)
        insert_rows(gathered)
        db.session.commit()
        db.session.remove()
        db.engine.dispose()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--petitions", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--each", type=int, default=100, help="calls of each side in a round")
    parser.add_argument("--only", default="list,detail,filing,search")
    parser.add_argument("--explain", action="store_true", help="print the plans of both queries")
    a = parser.parse_args()
    base = Path(tempfile.mkdtemp(prefix="mj-trust-", dir="/tmp"))
    base.chmod(0o755)
    try:
        with EmbeddedPostgres(base / "pg", settings={"shared_buffers": "1GB"}) as server:
            run(a, *prepare(a, base, server))
    finally:
        shutil.rmtree(base, ignore_errors=True)


def prepare(a, base, server):
    """Both databases filled, and the readers signed in: (bench, readers)."""
    urls = prepare_cluster(server, "mingjian")
    env = {"MINGJIAN_MODE": "demo", "SECRET_KEY": "b" * 40, "LOG_LEVEL": "ERROR", "FILES_DIR": str(base / "files"),
           "VAR_DIR": str(base / "var"), "OWNER_DATABASE_URL": urls.owner}  # fmt: skip
    say("migrating, loading the province")
    flask = [sys.executable, "-m", "flask", "--app", "app", "db", "upgrade"]
    subprocess.run(flask, check=True, cwd=ROOT, env={**environ, **env}, stderr=subprocess.DEVNULL)
    owner = create_app(Settings.from_environment(env), role="owner")
    superuser = server.url("postgres", "mingjian")
    with owner.app_context():
        demonstration.load(db.session)
        db.session.commit()
        fill_product(superuser, a.petitions)
        db.session.remove()
        db.engine.dispose()
    with psycopg.connect(superuser, autocommit=True) as c:
        c.execute("SET session_replication_role = replica")
        for statement in (*ARRANGE.split(";\n"), *PLAIN_ROLE.split("; ")):
            c.execute(statement)
    settings = Settings.from_environment({**env, "DATABASE_URL": urls.web})
    say("cloning it for the filings without")
    with psycopg.connect(server.url("postgres", "postgres"), autocommit=True) as c:
        c.execute("CREATE DATABASE bare TEMPLATE mingjian OWNER mj_owner STRATEGY file_copy")
    with psycopg.connect(server.url("postgres", "bare"), autocommit=True) as c:
        c.execute(BARE)
    bench = Bench(settings, urls, server)
    readers = {name: Reader(bench, username) for name, username in READERS.items()}
    seal(owner, sorted({one for reader in readers.values() for one in reader.ids}))
    for name in ("mingjian", "bare"):
        with psycopg.connect(server.url("postgres", name), autocommit=True) as c:
            c.execute("VACUUM ANALYZE")
    return bench, readers


def run(a, bench, readers):
    """Every line of the report."""
    say(f"{a.petitions} petitions, {a.rounds} rounds of {a.each}, load of the machine {psutil.getloadavg()[0]:.1f} on {psutil.cpu_count()} processors")
    print(f"{'what':58} {'with ms':>8} {'without':>8} {'ratio':>6} (least–greatest)  goal")
    wanted = a.only.split(",")
    for kind in ("list", "detail"):
        for name in ("province office", "township office", "department handler"):
            if kind in wanted:
                reads(bench, a, kind, name, readers[name])
    if "list" in wanted:
        reads(bench, a, "list of mine", "department handler", readers["department handler"])
    if "search" in wanted:
        searches(bench, a, readers)
    # Last: from the petitions that accuse somebody the township must withdraw, so that the two sides see other rows afterwards.
    if "filing" in wanted:
        filings(bench, a, "naming nobody", {})
        filings(bench, a, "accusing somebody", {"accused": [{"name": "毛定国"}]})
    for engine in bench.sides.values():
        engine.dispose()
    say(f"load of the machine at the end {psutil.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
