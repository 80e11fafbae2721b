"""A connection of the pool never carries an actor into the next transaction, whatever ended the one before.

The pool holds one connection, so that the next checkout is the very connection that the last transaction used; and two for
many threads. What the database would show is asked before any actor is set.
"""

import contextlib
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import psycopg
import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError

from app import calendar_store, create_app
from app.database import set_actor, transaction
from app.errors import Unauthorised
from app.extensions import db
from tests.app.signing_in import SETTINGS
from tests.conftest import PASSWORD, settings_for
from workflows.actor import Actor

# Threads, streams and killed servers: half of it is waiting.
pytestmark = pytest.mark.slow

COUNTY = Actor("staff", None, "petition_office", None, 3, False, "330213")
OTHER = replace(COUNTY, scope="330502")
CITIES = ("330213", "330502")


@pytest.fixture
def pool_of(database):
    """The web application on a pool of so many connections and not one more."""
    made = []

    def build(size):
        calendar_store.forget()
        app = create_app(settings_for(database))
        app.config.update(TESTING=True)
        context = app.app_context()
        context.push()
        db.engines[None].dispose()
        address = app.config["SQLALCHEMY_DATABASE_URI"]
        db.engines[None] = create_engine(address, pool_size=size, max_overflow=0, pool_timeout=60, hide_parameters=True)
        made.append((app, context))
        return app

    yield build
    for _app, context in made:
        db.session.remove()
        db.engine.dispose()
        context.pop()


@pytest.fixture
def app(pool_of):
    return pool_of(1)


@pytest.fixture
def cases(app, client, db_session, new_key):
    """One case in Fenghua and one in Wuxing; their ids by the code of the county."""
    made = {}
    for county in CITIES:
        place = db_session.scalar(text("SELECT min(code) FROM divisions WHERE level = 5 AND code LIKE :p"), {"p": f"{county}%"})
        draft = {"division_code": place, "title": "某事", "body": "各归各管。", "name": "某人"}
        answer = client.post("/api/v1/petitions", json=draft, headers=new_key())
        assert answer.status_code == 201, answer.get_data(as_text=True)
        made[county] = answer.json["id"]
    db_session.rollback()
    return made


def visible():
    return {str(one) for one in db.session.scalars(text("SELECT id FROM petitions"))}


def backend():
    return db.session.scalar(text("SELECT pg_backend_pid()"))


def nothing_left(same=None):
    """The next checkout: no setting of an actor, and no row of a case. `same`: the connection that it has to be."""
    db.session.remove()
    columns = ", ".join(f"current_setting('mj.{name}', true)" for name in SETTINGS)
    left = db.session.execute(text(f"SELECT {columns}")).one()
    assert not any(left), dict(zip(SETTINGS, left, strict=True))
    assert visible() == set()
    for table in ("petition_events", "sealed.identities", "deadlines", "outbox", "inbox", "clues"):
        assert db.session.scalar(text(f"SELECT count(*) FROM {table}")) == 0, table
    assert same is None or backend() == same, "this must be the connection that was used before"
    db.session.remove()


def only(county, cases):
    assert visible() == {cases[county]}


class Boom(Exception):
    """Something that nobody expected."""


class Stop(BaseException):
    """What ends a process rather than a request, as KeyboardInterrupt does."""


@pytest.mark.parametrize("fault", [Boom, Stop, GeneratorExit])
def test_an_exception_in_a_transaction_leaves_no_actor(cases, fault):
    with pytest.raises(fault), transaction(COUNTY):
        only("330213", cases)
        pid = backend()
        raise fault
    nothing_left(pid)


def test_a_commit_leaves_no_actor(cases):
    with transaction(COUNTY):
        only("330213", cases)
        pid = backend()
    nothing_left(pid)


@pytest.mark.parametrize("word", ["SELEC 1", "SELECT 1/0", "SELECT 'x'::int", "INSERT INTO divisions DEFAULT VALUES"])
def test_a_statement_that_fails_leaves_no_actor(cases, word):
    with pytest.raises(DBAPIError), transaction(COUNTY):
        pid = backend()
        db.session.execute(text(word))
    nothing_left(pid)


def test_a_commit_that_fails_leaves_no_actor(cases):
    """The error comes with the COMMIT itself, after everything was done."""
    with pytest.raises(DBAPIError), transaction(COUNTY):
        pid = backend()
        db.session.execute(text("CREATE TEMP TABLE late (n int UNIQUE DEFERRABLE INITIALLY DEFERRED) ON COMMIT DROP"))
        db.session.execute(text("INSERT INTO late VALUES (1), (1)"))
    nothing_left(pid)


def test_a_statement_timeout_leaves_no_actor(cases):
    with pytest.raises(DBAPIError, match="statement timeout"), transaction(COUNTY):
        pid = backend()
        db.session.execute(text("SET LOCAL statement_timeout = '30ms'"))
        only("330213", cases)
        db.session.execute(text("SELECT pg_sleep(30)"))
    nothing_left(pid)


def test_a_lock_timeout_leaves_no_actor(cases, database):
    with psycopg.connect(database["OWNER_DATABASE_URL"]) as owner:
        owner.execute("SELECT 1 FROM petitions WHERE id = %s FOR UPDATE", (cases["330213"],))
        with pytest.raises(DBAPIError, match="lock timeout"), transaction(COUNTY):
            pid = backend()
            db.session.execute(text("SET LOCAL lock_timeout = '30ms'"))
            db.session.execute(text("SELECT 1 FROM petitions FOR UPDATE"))
        nothing_left(pid)


def test_a_timeout_that_somebody_goes_on_after_leaves_no_actor(cases):
    """The savepoint saves the transaction, and with it the actor, up to its end and no further."""
    with transaction(COUNTY):
        pid = backend()
        with pytest.raises(DBAPIError, match="statement timeout"), db.session.begin_nested():
            db.session.execute(text("SET LOCAL statement_timeout = '30ms'"))
            db.session.execute(text("SELECT pg_sleep(30)"))
        only("330213", cases)
    nothing_left(pid)


@pytest.mark.parametrize("how", ["pg_terminate_backend", "pg_cancel_backend"])
def test_a_backend_that_is_killed_or_cancelled_leaves_no_actor(cases, cluster, how):
    server, _ = cluster
    ended = threading.Event()

    def kill(pid):
        with psycopg.connect(server.url("postgres", "postgres"), autocommit=True) as admin:
            while not ended.wait(0.05):
                busy = admin.execute("SELECT wait_event FROM pg_stat_activity WHERE pid = %s", (pid,)).fetchone()
                if busy == ("PgSleep",):
                    admin.execute(f"SELECT {how}(%s)", (pid,))
                    return

    with ThreadPoolExecutor(1) as pool:
        with pytest.raises(DBAPIError), transaction(COUNTY):
            only("330213", cases)
            pid = backend()
            killer = pool.submit(kill, pid)
            try:
                db.session.execute(text("SELECT pg_sleep(30)"))
            finally:
                ended.set()
        killer.result()
    nothing_left(pid if how == "pg_cancel_backend" else None)
    with transaction(OTHER):
        only("330502", cases)
    nothing_left()


def test_a_backend_killed_while_it_lay_in_the_pool_gives_nobody_an_identity(cases, cluster):
    server, _ = cluster
    with transaction(COUNTY):
        pid = backend()
    db.session.remove()
    with psycopg.connect(server.url("postgres", "postgres"), autocommit=True) as admin:
        admin.execute("SELECT pg_terminate_backend(%s, 5000)", (pid,))
    with contextlib.suppress(DBAPIError), transaction(OTHER):
        only("330502", cases)
    nothing_left()
    with transaction(OTHER):
        only("330502", cases)
    nothing_left()


@pytest.mark.parametrize("end", ["rolled back", "released", "interrupted"])
def test_the_actor_of_a_savepoint_lives_no_longer_than_its_transaction(cases, end):
    expected = {"rolled back": "330213", "interrupted": "330213", "released": "330502"}[end]
    with transaction(COUNTY):
        pid = backend()
        savepoint = db.session.begin_nested()
        set_actor(OTHER)
        only("330502", cases)
        if end == "released":
            savepoint.commit()
        elif end == "rolled back":
            savepoint.rollback()
        else:
            with pytest.raises(DBAPIError):
                db.session.execute(text("SELECT 1/0"))
            savepoint.rollback()
        only(expected, cases)
    nothing_left(pid)


def test_an_exception_between_two_savepoints_leaves_no_actor(cases):
    with pytest.raises(Boom), transaction(COUNTY):
        pid = backend()
        with db.session.begin_nested():
            set_actor(OTHER)
        with db.session.begin_nested():
            set_actor(replace(COUNTY, scope="33"))
            assert len(visible()) == 2
        raise Boom
    nothing_left(pid)


def test_a_transaction_inside_another_takes_its_actor_with_it(cases):
    """There is one session a thread, so the inner end is the end of both: the outer one goes on as nobody."""
    with transaction(COUNTY):
        pid = backend()
        with transaction(OTHER):
            only("330502", cases)
        assert visible() == set()
    nothing_left(pid)
    with pytest.raises(Boom), transaction(COUNTY):
        with contextlib.suppress(Boom), transaction(OTHER):
            raise Boom
        assert visible() == set()
        raise Boom
    nothing_left(pid)


def test_a_task_that_forgets_its_transaction_leaves_no_actor(app, cases):
    """A request that set the actor by hand and neither committed nor rolled back: the end of its context does it."""
    with app.app_context():
        set_actor(COUNTY)
        only("330213", cases)
        pid = backend()
    nothing_left(pid)


def test_a_connection_given_back_in_mid_transaction_leaves_no_actor(cases):
    with db.engine.connect() as connection:
        pid = connection.scalar(text("SELECT pg_backend_pid()"))
        connection.execute(text("SELECT set_config('mj.reach', 'area', true), set_config('mj.lo', '33', true), set_config('mj.hi', '33:', true)"))
        assert connection.scalar(text("SELECT count(*) FROM petitions")) == 2
    nothing_left(pid)


# Requests


@pytest.fixture
def signed(client):
    """Signs an account in and answers its headers."""

    def sign_in(username):
        answer = client.post("/api/v1/auth/staff/sign-in", json={"username": username, "password": PASSWORD})
        assert answer.status_code == 200, answer.get_data(as_text=True)
        return {"Authorization": f"Bearer {answer.json['access_token']}"}

    return sign_in


@pytest.fixture
def short_pages(monkeypatch):
    """An export of a row a page, each sent on its own: two cases are a stream that can be cut in the middle."""
    monkeypatch.setattr("app.petitions.export.PAGE", 1)
    monkeypatch.setattr("app.petitions.routes.CHUNK", 1)


def test_a_stream_that_the_reader_closes_half_way_leaves_no_actor(app, cases, signed, short_pages):
    answer = app.test_client().get("/api/v1/petitions/export.csv", headers=signed("zhejiang.office"), buffered=False)
    pages = answer.iter_encoded()
    assert next(pages).startswith(b"id,")
    next(pages)
    answer.close()
    nothing_left()


def test_between_two_pages_of_a_stream_the_connection_belongs_to_nobody(app, cases, signed, short_pages):
    """A reader who is slow holds no transaction; with a pool of one anybody else would wait for ever."""
    office = signed("zhejiang.office")
    township = signed("shangtian.office")
    answer = app.test_client().get("/api/v1/petitions/export.csv", headers=office, buffered=False)
    pages = answer.iter_encoded()
    assert next(pages).startswith(b"id,")
    nothing_left()
    meanwhile = app.test_client().get("/api/v1/petitions", headers=township)
    rest = b"".join(pages).decode()
    assert {row["id"] for row in meanwhile.json["items"]} <= {cases["330213"]}
    assert set(cases.values()) <= {line.split(",")[0] for line in rest.splitlines()}
    nothing_left()


def test_an_exception_while_the_answer_is_streamed_leaves_no_actor(app, cases, signed, short_pages, monkeypatch):
    from app.petitions import reading

    office, calls, true_list = signed("zhejiang.office"), [], reading.list_cases

    def fails_at_the_second(query, who):
        found = true_list(query, who)
        calls.append(found)
        if len(calls) == 2:
            raise Boom
        return found

    monkeypatch.setattr(reading, "list_cases", fails_at_the_second)
    answer = app.test_client().get("/api/v1/petitions/export.csv", headers=office, buffered=False)
    with pytest.raises(Boom):
        list(answer.iter_encoded())
    assert len(calls) == 2
    nothing_left()


def test_an_export_ends_when_the_right_of_its_reader_ends(app, cases, signed, short_pages):
    """The session is asked again with every page: who signs out, or loses the appointment, gets no further row."""
    office = signed("zhejiang.office")
    answer = app.test_client().get("/api/v1/petitions/export.csv", headers=office, buffered=False)
    pages = answer.iter_encoded()
    assert next(pages).startswith(b"id,")
    assert app.test_client().post("/api/v1/auth/sign-out", headers=office).status_code == 204
    with pytest.raises(Unauthorised, match="signed-out"):
        list(pages)
    nothing_left()


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/api/v1/petitions", {}, 401),
        ("/api/v1/petitions", {"Authorization": "Bearer x"}, 401),
        ("/api/v1/petitions?limit=many", None, 422),
        ("/api/v1/petitions/nonsense", None, 404),
        ("/api/v1/intake/petitions", None, 405),
    ],
)
def test_a_request_refused_before_its_transaction_acts_as_nobody(app, cases, signed, path, headers, status):
    known = signed("zhejiang.office")
    assert app.test_client().get("/api/v1/petitions", headers=known).status_code == 200
    assert app.test_client().get(path, headers=known if headers is None else headers).status_code == status
    nothing_left()


@pytest.mark.parametrize("refusal", ["wrong kind", "another case", "an unexpected fault"])
def test_a_request_refused_within_its_transaction_leaves_no_actor(app, cases, signed, monkeypatch, refusal):
    from app.petitions import reading

    headers = signed("shangtian.office")
    path = {"wrong kind": "/api/v1/my-data", "another case": f"/api/v1/petitions/{cases['330502']}"}.get(refusal, "/api/v1/petitions")
    if refusal == "an unexpected fault":
        monkeypatch.setattr(reading, "list_cases", lambda *_: 1 / 0)
    assert app.test_client().get(path, headers=headers).status_code in {"an unexpected fault": (500,)}.get(refusal, (403, 404))
    nothing_left()


@pytest.mark.slow
@pytest.mark.parametrize("size", [1, 2])
def test_many_threads_on_a_small_pool_each_see_what_their_own_actor_sees_alone(pool_of, database, db_session, new_key, size):
    app = pool_of(size)
    places = db_session.scalars(
        text(
            "SELECT min(d.code) FROM divisions d WHERE d.level = 5 AND EXISTS (SELECT 1 FROM organisations o "
            "WHERE o.level = 4 AND left(o.division_code, 9) = left(d.code, 9)) GROUP BY left(d.code, 9) ORDER BY 1"
        )
    ).all()
    db_session.rollback()
    ids = []
    for n, place in enumerate(places):
        draft = {"division_code": place, "title": f"第 {n} 件", "body": "各归各管。", "name": "某人"}
        ids.append(app.test_client().post("/api/v1/petitions", json=draft, headers=new_key()).json["id"])
    who = ["zhejiang.office", "ningbo.office", "huzhou.office", "fenghua.office", "wuxing.office", "shangtian.office", "xiaowangmiao.office", "gaoxin.office",
           "fenghua.land", "auditor", "admin"]  # fmt: skip
    tokens = {}
    for one in who:
        answer = app.test_client().post("/api/v1/auth/staff/sign-in", json={"username": one, "password": PASSWORD})
        tokens[one] = {"Authorization": f"Bearer {answer.json['access_token']}"}

    def look(client, one, case):
        listed = client.get("/api/v1/petitions?limit=100", headers=tokens[one])
        detail = client.get(f"/api/v1/petitions/{case}", headers=tokens[one])
        me = client.get("/api/v1/auth/me", headers=tokens[one]).json["username"]
        assert me == one
        return [row["id"] for row in listed.json["items"]], detail.status_code, detail.json.get("id")

    alone = {(one, case): look(app.test_client(), one, case) for one in who for case in ids}
    assert len({tuple(listed) for listed, *_ in alone.values()}) >= 6, "actors who all see the same would prove nothing"

    def hammer(one):
        client = app.test_client()
        return [(one, case, look(client, one, case)) for _round in range(2) for case in ids]

    with ThreadPoolExecutor(len(who)) as pool:
        seen = [entry for found in pool.map(hammer, who) for entry in found]
    wrong = [(one, case) for one, case, found in seen if found != alone[one, case]]
    assert wrong == [] and len(seen) == len(who) * len(ids) * 2
    for _ in range(size * 2):
        nothing_left()
