"""The database itself keeps cases apart: checked as the web role, without any of our Python in between."""

import psycopg
import pytest
from psycopg import errors
from sqlalchemy import text

from app import create_app
from app.database import UnsafeRole, require_bound_role
from app.extensions import db
from tests.conftest import settings_for

CASE_TABLES = (
    "petitions", "petition_events", "deadlines", "supervision_orders", "ratings", "case_messages", "meetings",
    "money_entries", "attachments", "sealed.identities", "sealed.data_keys", "outbox", "inbox", "exclusions", "receipts",
    "liftings", "lifting_steps",
)  # fmt: skip
COUNTY = {
    "mj.kind": "staff", "mj.role": "petition_office", "mj.reach": "area", "mj.lo": "330213", "mj.hi": "330213:",
    "mj.person": "", "mj.org": "", "mj.petition": "", "mj.purpose": "",
}  # fmt: skip
NOBODY_LEFT = "the settings of the last transaction must not reach the next one"


@pytest.fixture
def web(database):
    with psycopg.connect(database["DATABASE_URL"]) as connection:
        yield connection


@pytest.fixture
def two_cases(client, db_session, new_key):
    """One case in Fenghua (330213) and one in Wuxing (330502), each with a message; returns their ids."""
    made = []
    for prefix in ("330213", "330502"):
        place = db_session.execute(
            text("SELECT min(code) FROM divisions WHERE level = 5 AND code LIKE :p"), {"p": prefix + "%"}
        ).scalar_one()
        draft = {"division_code": place, "title": "两地之事", "body": "各归各管。", "name": "某人", "phone": "13800000001"}
        receipt = client.post("/api/v1/petitions", json=draft, headers=new_key())
        assert receipt.status_code == 201, receipt.get_data(as_text=True)
        case = receipt.json["id"]
        db_session.execute(
            text(
                "INSERT INTO case_messages (id, petition_id, at, author_kind, internal, body) "
                "VALUES (gen_random_uuid(), :p, now(), 'staff', true, '内部')"
            ),
            {"p": case},
        )
        db_session.execute(
            text(
                "INSERT INTO attachments (id, petition_id, uploader_kind, name, size, received, status, created_at) "
                "VALUES (gen_random_uuid(), :p, 'petitioner', 'a.jpg', 1, 1, 'released', now())"
            ),
            {"p": case},
        )
        db_session.commit()
        made.append(case)
    return made


def be(connection, **more):
    settings = {**COUNTY, **{f"mj.{name}": value for name, value in more.items()}}
    for name, value in settings.items():
        connection.execute("SELECT set_config(%s, %s, true)", (name, value))


def count(connection, table="petitions"):
    return connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]


@pytest.mark.parametrize("table", CASE_TABLES)
def test_without_an_actor_nothing_of_a_case_is_visible(web, two_cases, table):
    assert count(web, table) == 0


def test_every_table_that_hangs_on_a_petition_has_row_level_security(db_session):
    open_tables = db_session.execute(
        text(
            """
            SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
             WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace AND a.attname = 'petition_id'
               AND NOT c.relrowsecurity AND c.relname <> 'sessions'
            """
        )
    ).scalars()
    assert list(open_tables) == []


def test_a_county_sees_its_own_cases_and_what_hangs_on_them(web, two_cases):
    be(web)
    assert [str(one) for (one,) in web.execute("SELECT id FROM petitions")] == [two_cases[0]]
    for table in ("petition_events", "deadlines", "case_messages", "attachments", "sealed.identities", "sealed.data_keys"):
        owners = {str(one) for (one,) in web.execute(f"SELECT DISTINCT petition_id FROM {table}")}
        assert owners == {two_cases[0]}, table


def test_a_petitioner_by_receipt_sees_one_case_without_the_internal_notes(web, two_cases):
    be(web, kind="petitioner", role="petitioner", reach="receipt", lo="", hi=":", petition=two_cases[1])
    assert [str(one) for (one,) in web.execute("SELECT id FROM petitions")] == [two_cases[1]]
    assert count(web, "case_messages") == 0
    assert count(web, "petition_events") > 0


def test_the_administrator_and_the_auditor_see_no_case(web, two_cases):
    for role in ("system_admin", "auditor", "security_admin"):
        be(web, role=role, reach="", lo="33", hi="33:")
        assert count(web) == 0
        assert count(web, "case_messages") == 0


@pytest.mark.parametrize("end", ["commit", "rollback"])
def test_the_actor_vanishes_with_the_transaction(web, two_cases, end):
    be(web)
    assert count(web) == 1
    getattr(web, end)()
    assert count(web) == 0, NOBODY_LEFT


def test_the_actor_of_a_savepoint_vanishes_when_it_is_rolled_back(web, two_cases):
    be(web)
    web.execute("SAVEPOINT inner_one")
    be(web, lo="33", hi="33:")
    assert count(web) == 2
    web.execute("ROLLBACK TO SAVEPOINT inner_one")
    assert count(web) == 1
    web.commit()
    assert count(web) == 0, NOBODY_LEFT


def test_the_actor_vanishes_after_a_statement_that_ran_out_of_time(web, two_cases):
    web.execute("SET LOCAL statement_timeout = '50ms'")
    be(web)
    with pytest.raises(errors.QueryCanceled):
        web.execute("SELECT pg_sleep(5)")
    web.rollback()
    assert count(web) == 0, NOBODY_LEFT


@pytest.mark.parametrize("role", ["mj_owner", "mj_worker", "postgres"])
def test_the_web_role_can_not_become_another_role(web, role):
    with pytest.raises(errors.InsufficientPrivilege):
        web.execute(f"SET ROLE {role}")
    web.rollback()
    with pytest.raises(errors.InsufficientPrivilege):
        web.execute(f"SET SESSION AUTHORIZATION {role}")


@pytest.mark.parametrize("table", ["petition_events", "ratings", "case_messages", "meetings", "money_entries"])
@pytest.mark.parametrize("change", ["DELETE FROM {}", "UPDATE {} SET petition_id = petition_id", "TRUNCATE {}"])
def test_the_web_role_can_not_change_or_delete_what_has_happened(web, two_cases, table, change):
    be(web)
    with pytest.raises(errors.InsufficientPrivilege):
        web.execute(change.format(table))


def test_the_web_role_can_not_switch_row_level_security_off(web, two_cases):
    be(web)
    for statement in ("ALTER TABLE petitions DISABLE ROW LEVEL SECURITY", "DROP POLICY seen ON petitions"):
        with pytest.raises(errors.InsufficientPrivilege):
            web.execute(statement)
        web.rollback()
    web.execute("SET row_security = off")
    with pytest.raises(errors.InsufficientPrivilege):
        web.execute("SELECT count(*) FROM petitions")


def test_a_county_can_not_write_on_another_countys_case(web, two_cases):
    be(web)
    other = two_cases[1]
    assert web.execute("UPDATE petitions SET colour = 'red' WHERE id = %s", (other,)).rowcount == 0
    with pytest.raises(errors.InsufficientPrivilege):
        web.execute(
            "INSERT INTO case_messages (id, petition_id, at, author_kind, internal, body) "
            "VALUES (gen_random_uuid(), %s, now(), 'staff', false, 'x')",
            (other,),
        )


def test_a_search_does_not_leave_the_actors_area(web, two_cases):
    assert web.execute("SELECT count(*) FROM search_petitions('两地', 50)").fetchone()[0] == 0
    be(web)
    assert [str(one) for (one,) in web.execute("SELECT id FROM search_petitions('两地', 50)")] == [two_cases[0]]


def test_a_search_finds_a_case_by_what_its_title_and_text_say_now(web, two_cases, db_session):
    be(web)
    new = {"id": two_cases[0], "title": "水渠之事", "body": "渠道堵塞。"}
    db_session.execute(text("UPDATE petitions SET title = :title, body = :body WHERE id = :id"), new)
    db_session.commit()
    found = web.execute("SELECT (SELECT count(*) FROM search_petitions('两地', 50)), (SELECT count(*) FROM search_petitions('堵塞', 50))")
    assert found.fetchone() == (0, 1)


@pytest.mark.parametrize("role", ["DATABASE_URL", "WORKER_DATABASE_URL"])
def test_no_serving_process_reads_or_writes_the_words_themselves(database, two_cases, role):
    for statement in ("SELECT words FROM petition_words", "DELETE FROM petition_words", "UPDATE petition_words SET words = '{}'"):
        with psycopg.connect(database[role]) as connection, pytest.raises(errors.InsufficientPrivilege):
            be(connection, kind="system")
            connection.execute(statement)


def test_the_worker_sees_nothing_until_it_says_that_it_is_the_system(database, two_cases):
    with psycopg.connect(database["WORKER_DATABASE_URL"]) as worker:
        assert count(worker) == 0
        worker.execute("SELECT set_config('mj.kind', 'system', true)")
        assert count(worker) == 2
        worker.commit()
        assert count(worker) == 0, NOBODY_LEFT


def bound_as(settings, role):
    application = create_app(settings, role=role)
    with application.app_context():
        try:
            require_bound_role("web")
        finally:
            db.session.remove()
            db.engine.dispose()


@pytest.mark.parametrize("role", ["web", "worker"])
def test_a_process_accepts_a_role_that_owns_nothing(database, role):
    bound_as(settings_for(database), role)


def test_a_process_refuses_to_serve_as_owner(database):
    with pytest.raises(UnsafeRole, match="owner"):
        bound_as(settings_for(database), "owner")


def test_a_process_refuses_to_serve_as_superuser(database):
    with pytest.raises(UnsafeRole, match="superuser"):
        bound_as(settings_for({**database, "DATABASE_URL": database["DATABASE_URL"].replace("mj_web@", "postgres@")}), "web")
