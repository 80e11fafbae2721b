"""With many rows, no list, search or detail query reads a large table from end to end."""

import json
import re
from datetime import timedelta

import psycopg
import pytest
from sqlalchemy import event, text

from app import clock
from app.extensions import db
from app.statistics.publishing import COUNTS
from app.supervision.schemas import DESK_LISTS
from workflows.calendar import start_of_day

LARGE = {"petitions", "petition_words", "petition_events", "deadlines", "identities", "data_keys", "case_messages", "ratings"}
ROWS = 20_000

FILL = """
    INSERT INTO petitions SELECT (jsonb_populate_record(p, jsonb_build_object(
        'id', gen_random_uuid(), 'serial', 'MJ-0T' || n, 'division_code', places.codes[1 + n % cardinality(places.codes)],
        'filed_at', now() - n * interval '7 minutes', 'filed_on', (now() - n * interval '7 minutes')::date,
        'title', '第' || n || '件' || (ARRAY['路灯', '低保', '水渠', '宅基'])[1 + n % 4],
        'state', (ARRAY['filed','registered','accepted','dispatched','signed','handling','investigated','resolved',
                        'dissatisfied','escalated','rated','rated','closed','closed','closed'])[1 + n % 15],
        'supervised', n % 40 = 0, 'colour', (ARRAY['blue','yellow','red',NULL])[1 + n % 4]))).*
      FROM generate_series(1, {rows}) n, petitions p,
           (SELECT array_agg(code ORDER BY md5(code)) AS codes FROM divisions WHERE level = 5) places
"""
EVENTS = """
    INSERT INTO petition_events SELECT (jsonb_populate_record(e, jsonb_build_object(
        'id', gen_random_uuid(), 'petition_id', p.id, 'seq', s))).*
      FROM petitions p, generate_series(1, 3) s, petition_events e
     WHERE p.serial LIKE 'MJ-0T%' AND e.id = (SELECT id FROM petition_events LIMIT 1)
"""
DEADLINES = """
    INSERT INTO deadlines SELECT (jsonb_populate_record(d, jsonb_build_object('id', gen_random_uuid(), 'petition_id', p.id))).*
      FROM petitions p, deadlines d WHERE p.serial LIKE 'MJ-0T%' AND d.id = (SELECT id FROM deadlines LIMIT 1)
"""
PEOPLE = """
    WITH k AS (INSERT INTO sealed.data_keys SELECT id, 'k', 'aes-256-gcm', '', '' FROM petitions ON CONFLICT DO NOTHING)
    INSERT INTO sealed.identities SELECT id, 'named', 'aes-256-gcm', '', '' FROM petitions ON CONFLICT DO NOTHING
"""
RATINGS = """
    INSERT INTO ratings (id, petition_id, round, at, office_grade, body_grade)
    SELECT gen_random_uuid(), id, 1, filed_at, (ARRAY['satisfied', 'basic', 'dissatisfied'])[1 + floor(random() * 3)::int], 'basic'
      FROM petitions
"""
MESSAGES = """
    INSERT INTO case_messages (id, petition_id, at, author_kind, internal, body)
    SELECT gen_random_uuid(), id, now(), 'staff', false, '已收到。' FROM petitions
"""


@pytest.fixture
def full(client, db_session, new_key):
    """Twenty thousand cases over all villages of the list and over open and closed states."""
    place = db_session.execute(text("SELECT min(code) FROM divisions WHERE level = 5 AND code LIKE '330213%'")).scalar_one()
    draft = {"division_code": place, "title": "一件事", "body": "正文若干。", "name": "王某"}
    receipt = client.post("/api/v1/petitions", json=draft, headers=new_key())
    assert receipt.status_code == 201, receipt.get_data(as_text=True)
    db_session.execute(text(FILL.format(rows=ROWS)))
    for statement in (EVENTS, DEADLINES, PEOPLE, MESSAGES, RATINGS):
        db_session.execute(text(statement))
    db_session.commit()
    db_session.execute(text("ANALYZE"))
    db_session.commit()
    return receipt.json["id"]


@pytest.fixture
def statements(app):
    """The statements of the following requests with their parameters, as they reach the driver."""
    seen = []
    event.listen(db.engine, "before_cursor_execute", lambda _c, _k, sql, values, *_: seen.append((sql, values)))
    return seen


def scans(plan):
    """Tables that a plan reads sequentially."""
    found = [plan["Relation Name"]] if plan["Node Type"] == "Seq Scan" else []
    for inner in plan.get("Plans", []):
        found += scans(inner)
    return found


def explain(database, seen):
    """[(statement, tables read sequentially)] of every SELECT, with the settings of the request's own first statement."""
    found = []
    with psycopg.connect(database["DATABASE_URL"]) as web:
        for sql, values in seen:
            if "set_config" in sql:
                web.execute(sql, values)
            elif sql.lstrip().upper().startswith(("SELECT", "WITH")):
                plan = web.execute("EXPLAIN (FORMAT JSON) " + sql, values).fetchone()[0]
                plan = json.loads(plan) if isinstance(plan, str) else plan
                found.append((re.sub(r"\s+", " ", sql)[:160], LARGE & set(scans(plan[0]["Plan"]))))
    return found


def plan_of_search(database, db_session):
    """The plan of the body of `search_petitions`, as the function's owner runs it for a county."""
    source = db_session.execute(text("SELECT prosrc FROM pg_proc WHERE proname = 'search_petitions'")).scalar_one()
    db_session.rollback()
    body = source.replace("bigrams(q)", "bigrams('路灯')").replace("lower(q)", "lower('路灯')")
    with psycopg.connect(database["OWNER_DATABASE_URL"]) as owner:
        for name, value in {"lo": "330213", "hi": "330213:", "reach": "area", "role": "petition_office"}.items():
            owner.execute("SELECT set_config(%s, %s, true)", (f"mj.{name}", value))
        return owner.execute("EXPLAIN (FORMAT JSON) " + body.replace("least(most, 200)", "50")).fetchone()[0][0]["Plan"]


READERS = ("fenghua.office", "shangtian.office", "shangtian.discipline")
LISTS = (
    "/api/v1/petitions", "/api/v1/petitions?open=true", "/api/v1/petitions?state=handling",
    "/api/v1/petitions?state=handling&state=escalated", "/api/v1/petitions?supervised=true",
    "/api/v1/petitions?mine=true", "/api/v1/petitions/search?q=路灯",
)
STATISTICS = tuple(f"/api/v1/statistics/petitions?until={{day}}&since={{{since}}}" for since in ("day", "month"))
DESKS = tuple(f"/api/v1/supervision/desk?list={name}" for name in DESK_LISTS)
SUPERVISORS = ("fenghua.office", "shangtian.discipline", "ningbo.discipline")  # fmt: skip


@pytest.mark.slow
def test_no_list_of_the_desk_reads_a_large_table_from_end_to_end(client, full, as_staff, statements, database):
    bad = []
    for username in SUPERVISORS:
        headers = as_staff(username)
        for path in DESKS:
            statements.clear()
            assert client.get(path, headers=headers).status_code == 200
            bad += [(username, path, sorted(tables), sql) for sql, tables in explain(database, list(statements)) if tables]
    assert bad == []


@pytest.mark.slow
def test_statistics_read_the_cases_of_their_area_and_days_alone(client, full, as_staff, statements, database, worker_app, db_session):
    today = clock.today()
    bad, days = [], {"day": today, "month": today - timedelta(days=30)}
    for username in (*READERS, "ningbo.office", "zhejiang.office"):
        headers = as_staff(username)
        for path in STATISTICS:
            statements.clear()
            answer = client.get(path.format(**days), headers=headers)
            assert answer.status_code == 200, answer.get_data(as_text=True)
            bad += [(username, path, sorted(tables), sql) for sql, tables in explain(database, list(statements)) if tables]
    assert bad == []
    # The worker counts one month of the whole province: by the days of filing, answering and rating.
    db_session.execute(text("UPDATE petition_events SET at = now() - seq * interval '40 days'"))
    db_session.execute(text("UPDATE ratings SET at = at - interval '60 days' * (random() * 10)"))
    db_session.commit()
    db_session.execute(text("ANALYZE"))
    db_session.commit()
    span = {"since": start_of_day(today - timedelta(days=1)), "until": start_of_day(today), "limits": ["PT-05"]}
    with psycopg.connect(database["WORKER_DATABASE_URL"]) as worker:
        worker.execute("SELECT set_config('mj.kind', 'system', true)")
        for name, counting in COUNTS.items():
            sql = re.sub(r"(?<!:):(since|until|limits)\b", r"%(\1)s", counting).replace("ANY (%(limits)s)", "ANY (%(limits)s::text[])")
            plan = worker.execute("EXPLAIN (FORMAT JSON) " + sql, span).fetchone()[0][0]["Plan"]
            assert LARGE & set(scans(plan)) == set(), (name, json.dumps(plan)[:1500])


@pytest.mark.slow
def test_no_list_search_or_detail_reads_a_large_table_from_end_to_end(app, client, full, as_staff, statements, database, db_session):
    province = db_session.execute(
        text(
            "SELECT a.username FROM staff_accounts a JOIN appointments p ON p.account_id = a.id "
            "JOIN organisations o ON o.id = p.org_id WHERE o.level = 1 AND p.role IN ('petition_office', 'upper_discipline') "
            "ORDER BY a.username LIMIT 1"
        )
    ).scalar_one()
    db_session.rollback()
    bad, checked = [], 0
    for username in (*READERS, province):
        headers = as_staff(username)
        for path in (*LISTS, f"/api/v1/petitions/{full}"):
            statements.clear()
            answer = client.get(path, headers=headers)
            assert answer.status_code == 200 or (path.endswith(full) and answer.status_code == 404), answer.get_data(as_text=True)
            seen = list(statements)
            for sql, tables in explain(database, seen):
                checked += 1
                if tables:
                    bad.append((username, path.replace(full, "…"), sorted(tables), sql))
    assert checked >= len(LISTS) * (len(READERS) + 1)
    assert bad == []
    # EXPLAIN does not look into a function: the body of the search is explained by itself.
    plan = plan_of_search(database, db_session)
    assert LARGE & set(scans(plan)) == set(), json.dumps(plan)[:800]


@pytest.mark.slow
@pytest.mark.parametrize("which", ["", "&mine=true"])
def test_a_department_reads_the_cases_it_has_a_part_in_and_not_those_of_its_county(client, full, as_staff, statements, database, db_session, which):
    handled = (
        "UPDATE petitions SET main_org_id = (SELECT p.org_id FROM appointments p JOIN staff_accounts a ON a.id = p.account_id "
        "WHERE a.username = 'fenghua.agri') WHERE id IN (SELECT id FROM petitions WHERE division_code LIKE '330213%' ORDER BY id LIMIT 30)"
    )
    db_session.execute(text(handled))
    db_session.commit()
    db_session.execute(text("ANALYZE petitions"))
    db_session.commit()
    headers = as_staff("fenghua.agri")
    statements.clear()
    assert client.get(f"/api/v1/petitions?open=true{which}", headers=headers).json["items"]
    with psycopg.connect(database["DATABASE_URL"]) as web:
        for sql, values in statements:
            if "set_config" in sql:
                web.execute(sql, values)
        (listing,) = [(sql, values) for sql, values in statements if "FROM petitions" in sql]
        plan = json.dumps(web.execute("EXPLAIN (FORMAT JSON) " + listing[0], listing[1]).fetchone()[0])
    assert "ix_petitions_main_org" in plan, plan[:1500]


def test_a_list_keeps_no_plan_made_for_an_actor_with_an_area_of_another_size(client, as_staff, statements):
    sent = {}
    for username in ("zhejiang.office", "fenghua.office", "wuxing.office", "shangtian.office", "fenghua.agri"):
        headers = as_staff(username)
        statements.clear()
        assert client.get("/api/v1/petitions", headers=headers).status_code == 200
        (sent[username],) = {sql for sql, _values in statements if "FROM petitions" in sql}
    assert sent["fenghua.office"] == sent["wuxing.office"], "actors of one kind share a prepared statement"
    assert len(set(sent.values())) == 4


def test_a_list_of_several_states_is_in_order_names_no_case_twice_and_goes_on(client, as_staff, db_session, new_key):
    place = db_session.execute(text("SELECT min(code) FROM divisions WHERE level = 5 AND code LIKE '330213007%'")).scalar_one()
    headers, made = as_staff("shangtian.office"), []
    for n in range(4):
        draft = {"division_code": place, "title": f"第 {n} 件", "body": "正文若干。"}
        made.insert(0, client.post("/api/v1/petitions", json=draft, headers=new_key()).json["id"])
    for case, action in ((made[1], "register"), (made[2], "register"), (made[2], "accept")):
        assert client.post(f"/api/v1/petitions/{case}/actions/{action}", json={}, headers=headers).status_code == 200
    path = "/api/v1/petitions?state=filed&state=registered&state=filed"
    wanted = [made[0], made[1], made[3]]
    assert [one["id"] for one in client.get(path, headers=headers).json["items"]] == wanted
    first = client.get(f"{path}&limit=2", headers=headers).json
    rest = client.get(f"{path}&limit=2&cursor={first['next']}", headers=headers).json
    assert [one["id"] for one in (*first["items"], *rest["items"])] == wanted
    assert rest["next"] is None
