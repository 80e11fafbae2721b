"""Fills both databases. The product's open cases have the events and deadlines that the product itself would compute."""

import json
import random
import secrets
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import psycopg

from app import calendar_store, timeline, transitions
from app.petitions.models import Petition
from workflows.deadlines import CaseEvent, deadlines, next_forced

HERE = Path(__file__).parent
WAY = (
    ("file", "filed"), ("register", "registered"), ("accept", "accepted"), ("dispatch", "dispatched"),
    ("sign", "signed"), ("start", "handling"),
)  # fmt: skip
# Of a hundred open cases: most are registered, because each measured change of state uses one up.
MIX = (("filed", 5), ("registered", 65), ("accepted", 10), ("dispatched", 10), ("handling", 10))
OPEN = 25_000
EVENTS = 6
PER_CASE = timedelta(minutes=2.6)

_DRAFTS = """
CREATE TEMP TABLE drafts (
  n integer, id uuid, state text, filed_at timestamptz, due_at timestamptz, next_due_at timestamptz, next_policy text,
  next_event text, colour text, supervised boolean, handled boolean)
"""
# Closed ones: rated, closed and explained, from today backwards, one every 2.6 minutes.
_CLOSED = """
INSERT INTO drafts SELECT n, gen_random_uuid(), (ARRAY['rated', 'rated', 'closed', 'rated', 'explained'])[1 + n %% 5],
       now() - (n - %(first)s + 1) * interval '2.6 min', NULL, NULL, NULL, NULL, NULL, false, true
  FROM generate_series(%(first)s::int, %(last)s::int) n
"""
# The place of a case is that of its number; the body in charge is the nearest office above it, as at a filing.
_PLACES = """
CREATE TEMP TABLE places AS
SELECT row_number() OVER (ORDER BY md5(v.code)) - 1 AS n, v.code, office.id AS owner, department.id AS department
  FROM divisions v
 CROSS JOIN LATERAL (SELECT o.id FROM organisations o WHERE o.kind IN ('petition_office', 'office')
    AND o.division_code IN (left(v.code, 9) || '000', left(v.code, 6) || '000000', left(v.code, 4) || '00000000', left(v.code, 2) || '0000000000')
    ORDER BY o.level DESC, o.name LIMIT 1) office
 CROSS JOIN LATERAL (SELECT o.id FROM organisations o WHERE o.kind = 'department'
    ORDER BY left(o.division_code, 6) = left(v.code, 6) DESC, o.name LIMIT 1) department
 WHERE v.level = 5 AND v.withdrawn_on IS NULL
"""
_CLOSED_EVENTS = """
INSERT INTO petition_events (id, petition_id, seq, at, clock_offset_seconds, event, from_state, to_state, actor_kind, actor_role, public, facts, salt, commitment)
SELECT gen_random_uuid(), d.id, k, d.filed_at + k * interval '1 minute', 0, (%(events)s::text[])[k], (%(states)s::text[])[greatest(k - 1, 1)],
       CASE WHEN k = 6 THEN d.state ELSE (%(states)s::text[])[k] END, 'staff', 'petition_office', true, '{"level": 4}'::jsonb,
       sha256('salt'), sha256(convert_to(d.id::text || k, 'UTF8'))
  FROM drafts d, generate_series(1, 6) k WHERE d.n BETWEEN %(first)s AND %(last)s
"""


def say(text):
    """A line of progress with the time."""
    print(f"{datetime.now().astimezone():%H:%M:%S} {text}", flush=True)


def fill_product(url, petitions, due=0, first=1):
    """Cases `first` to `petitions`: the first OPEN of all are open, `due` of them with a forced step that has passed."""
    started = time.perf_counter()
    with psycopg.connect(url, autocommit=True) as c:
        # A bulk load by the superuser: no foreign key is checked and no trigger runs row by row, and the words come at the end.
        c.execute("SET session_replication_role = replica")
        c.execute("SET maintenance_work_mem = '512MB'")
        words = c.execute("SELECT pg_get_indexdef('ix_petition_words'::regclass)").fetchone()[0]
        c.execute("DROP INDEX ix_petition_words")
        c.execute(_DRAFTS)
        c.execute(_PLACES)
        opened = min(OPEN, petitions // 2) if first == 1 else 0
        if opened:
            say(f"computing the deadlines of {opened} open cases")
            cases = [_open_case(n, due_now=n <= due) for n in range(1, opened + 1)]
            _copy(c, "drafts", [one for one, _events, _limits in cases])
            _insert_petitions(c, 1, opened)
            say("copying their events and deadlines")
            columns = "id petition_id seq at clock_offset_seconds event from_state to_state actor_kind actor_role public facts salt commitment"
            _copy(
                c,
                f"petition_events ({', '.join(columns.split())})",
                [e for _one, events, _limits in cases for e in events],
            )
            rows = [row for _one, _events, limits in cases for row in limits]
            _copy(c, f"deadlines ({', '.join(rows[0])})", [list(row.values()) for row in rows])
        block = 100_000
        for low in range(max(first, opened + 1), petitions + 1, block):
            span = {"first": low, "last": min(low + block - 1, petitions)}
            c.execute(_CLOSED, span)
            _insert_petitions(c, **span)
            c.execute(
                _CLOSED_EVENTS, {**span, "events": [event for event, _ in WAY], "states": [state for _, state in WAY]}
            )
            say(f"{span['last']} of {petitions} cases, {time.perf_counter() - started:.0f} s")
        say("taking the words, building their index")
        c.execute(
            "INSERT INTO petition_words SELECT id, bigrams(title || ' ' || body) FROM petitions ON CONFLICT DO NOTHING"
        )
        c.execute(words)
        c.execute("VACUUM ANALYZE")


def fill_floor(url):
    """The floor's schema with 100,000 petitions and six history rows each."""
    with psycopg.connect(url, autocommit=True) as c:
        for name in ("floor_schema.sql", "floor_seed.sql"):
            lines = (HERE / name).read_text().splitlines()
            for statement in "\n".join(line for line in lines if not line.startswith("--")).split(";\n"):
                if statement.strip():
                    c.execute(statement)


def _insert_petitions(c, first, last):
    values = {name: psycopg.sql.Literal(value) for name, value in _defaults().items()}
    values |= {
        name: psycopg.sql.SQL(text)
        for name, text in {
            "id": "d.id", "serial": "'B-' || d.n", "pin_mac": "md5(d.n::text)", "version": str(EVENTS), "filed_at": "d.filed_at",
            "filed_on": "(d.filed_at AT TIME ZONE 'Asia/Shanghai')::date", "division_code": "p.code", "title": "'村道路灯损坏 ' || d.n",
            "body": "repeat('村委会旁边的路灯已经坏了两个星期。', 10)", "category": "'works'", "channel": "'web'", "item_type": "'appeal'",
            "priority": "CASE WHEN d.n % 50 = 0 THEN 'P1' ELSE 'P2' END", "state": "d.state", "owner_org_id": "p.owner",
            "main_org_id": "CASE WHEN d.handled THEN p.department END", "colour": "d.colour", "supervised": "d.supervised",
            "due_at": "d.due_at", "next_due_at": "d.next_due_at", "next_policy": "d.next_policy", "next_event": "d.next_event",
            "last_visible_at": "d.filed_at",
        }.items()
    }  # fmt: skip
    c.execute(
        psycopg.sql.SQL("INSERT INTO petitions ({}) SELECT {} FROM drafts d JOIN places p ON p.n = d.n % (SELECT count(*) FROM places) WHERE d.n BETWEEN {} AND {}").format(
            psycopg.sql.SQL(", ").join(map(psycopg.sql.Identifier, values)), psycopg.sql.SQL(", ").join(values.values()), first, last
        )
    )  # fmt: skip


def _defaults():
    """The value that a new case has in each column that can not be empty and that the fill does not set."""
    found = {}
    for column in Petition.__table__.columns:
        if not column.nullable and column.default is not None:
            found[column.key] = (
                column.default.arg if column.default.is_scalar else "[]" if column.key == "accused" else "{}"
            )
    return found


def _open_case(n, due_now):
    state = random.Random(n).choices([name for name, _ in MIX], [share for _, share in MIX])[0]
    if due_now:
        # Sign-in is due after one working day: a week later it has passed, whatever holidays there are.
        state = "dispatched"
    steps = next(k for k, (_event, reached) in enumerate(WAY, 1) if reached == state)
    age = timedelta(days=14) if due_now else timedelta(minutes=5 + n % 600)
    filed_at = datetime.now(UTC) - age - steps * timedelta(minutes=1) - n * timedelta(milliseconds=1)
    log = [
        CaseEvent(event, filed_at + k * timedelta(minutes=1), reached, {})
        for k, (event, reached) in enumerate(WAY[:steps])
    ]
    log[0].facts.update(level=4, priority="P2", simple=False, anonymous=False, unreachable=True, channel="web")
    # Notes move no deadline: they bring the timeline to its six events.
    log += [CaseEvent("message_from_staff", log[-1].at, state, {}) for _ in range(EVENTS - steps)]
    calendar, versions = calendar_store.current()
    running = deadlines(log, versions, calendar)
    step, petition_id = next_forced(running), uuid4()
    main = next((one.due_at for one in running if one.live and one.policy.main), None)
    draft = [n, petition_id, state, filed_at, main, step and step.due_at, step and step.policy_id, step and step.forces,
             "yellow" if n % 20 == 0 else None, n % 20 == 0, steps > 3]  # fmt: skip
    events = [
        [uuid4(), petition_id, k, one.at, 0, one.event, log[k - 2].to_state if k > 1 else None, one.to_state,
         "petitioner" if k == 1 else "staff", "petitioner" if k == 1 else "petition_office", one.event in timeline.PUBLIC_EVENTS, json.dumps(one.facts),
         secrets.token_bytes(timeline.SALT_BYTES), secrets.token_bytes(32)]
        for k, one in enumerate(log, 1)
    ]  # fmt: skip
    return draft, events, transitions.deadline_rows(petition_id, running, calendar)


def _copy(c, target, rows):
    with c.cursor().copy(f"COPY {target} FROM STDIN") as out:
        for row in rows:
            out.write_row(row)
