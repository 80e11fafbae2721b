"""Scheduled pulls fetch what is new from a database or an interface, once, and say what went wrong."""

import dataclasses
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest
from sqlalchemy import text

from app.extensions import db
from app.records.pulls import pull_due
from tests.app.test_datasets import BOOK, define

VILLAGE = "330213007213"


@pytest.fixture
def source(database, client, as_staff, new_key):
    """The source `ledger` of pay_book."""
    with psycopg.connect(database["OWNER_DATABASE_URL"]) as owner:
        define(owner, BOOK)
    draft = {"dataset": "pay_book", "code": "ledger", "name": "三资平台", "scope": "330213"}
    client.post("/api/v1/record-sources", json=draft, headers={**as_staff("fenghua.discipline"), **new_key()})

    def show():
        (one,) = client.get("/api/v1/record-sources", headers=as_staff("fenghua.discipline")).json["items"]
        return one

    return show


@pytest.fixture
def pull(worker_app, tmp_path):
    """Runs the pulls of a file with this one entry."""

    def pulled(**entry):
        told = {"dataset": "pay_book", "source": "ledger", "watermark": "changed", "begin": "2000-01-01", "every_minutes": 1, **entry}
        file = tmp_path / "pulls.json"
        file.write_text(json.dumps([told]))
        worker_app.config["SETTINGS"] = dataclasses.replace(worker_app.config["SETTINGS"], records_pulls=file)
        with worker_app.app_context():
            try:
                return pull_due()
            finally:
                db.session.remove()

    return pulled


@pytest.fixture
def later(db_session):
    """Lets the clock go on by an hour."""

    def moved():
        add = "INSERT INTO clock_offset (singleton, seconds) VALUES (1, 3600) ON CONFLICT (singleton) DO UPDATE SET seconds = clock_offset.seconds + 3600"
        db_session.execute(text(add))
        db_session.commit()

    return moved


@pytest.fixture
def rows(database):
    def stored():
        with psycopg.connect(database["OWNER_DATABASE_URL"]) as owner:
            return owner.execute("SELECT source_key, version, amount FROM records.pay_book ORDER BY row_id").fetchall()

    return stored


@pytest.fixture
def theirs(database):
    """Somebody else's table, and the entry that pulls from it."""
    with psycopg.connect(database["OWNER_DATABASE_URL"], autocommit=True) as owner:
        owner.execute("CREATE SCHEMA theirs")
        owner.execute("CREATE TABLE theirs.pay (no text, village text, sum numeric, paid date, changed timestamp)")
        entry = {
            "kind": "sql",
            "url": database["OWNER_DATABASE_URL"].replace("postgresql://", "postgresql+psycopg://", 1),
            "query": "SELECT no AS entry_no, village AS place_code, sum AS amount, paid AS paid_on, changed FROM theirs.pay "
            "WHERE changed >= CAST(:watermark AS timestamp) ORDER BY changed",
        }

        def add(number, amount, changed):
            owner.execute("INSERT INTO theirs.pay VALUES (%s, %s, %s, '2026-09-30', %s)", (number, VILLAGE, amount, changed))

        yield entry, add


def test_a_database_is_pulled_from_its_watermark_on(source, pull, later, rows, theirs):
    entry, add = theirs
    add("1", "100.50", "2026-10-01 08:00")
    add("2", "7", "2026-10-02 08:00")
    assert pull(**entry).done == 1
    assert rows() == [("1", 1, 10050), ("2", 1, 700)]
    assert pull(**entry).done == 0, "its time has not come"
    later()
    add("1", "999", "2026-09-01 08:00")
    add("2", "8", "2026-10-03 08:00")
    assert pull(**entry).done == 1
    assert rows() == [("1", 1, 10050), ("2", 1, 700), ("2", 2, 800)]
    assert (source()["report"]["received"], source()["report"]["corrected"], source()["degraded"]) == (2, 1, False)


def test_a_pull_can_not_write(source, pull, rows, theirs):
    entry, add = theirs
    add("1", "1", "2026-10-01 08:00")
    report = pull(**{**entry, "query": "SELECT nextval('record_row_ids') AS entry_no, :watermark AS place_code"})
    assert (report.failed, source()["failed_because"], rows()) == (1, "database-25006", [])


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"url": "postgresql+psycopg://nobody:secret@127.0.0.1:1/none"}, "database-no-answer"),
        ({"url": "nothing"}, "url-not-usable"),
        ({"query": "SELECT 1 AS one, :watermark AS changed"}, "columns-not-known"),
        ({"query": "SELEKT :watermark"}, "database-42601"),
    ],
)
def test_a_pull_that_fails_says_why_and_is_tried_again_later(source, pull, later, theirs, rows, more, reason):
    entry, add = theirs
    add("1", "1", "2026-10-01 08:00")
    assert pull(**{**entry, **more}).failed == 1
    assert source()["failed_because"] == reason
    later()
    assert pull(**entry).done == 1
    assert (source()["failed_because"], len(rows())) == (None, 1)


@pytest.fixture
def interface():
    """A server whose answers are those of the given function (path and query), and its address."""
    answers = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):  # noqa: N802
            parts = urlsplit(self.path)
            status, body = answers["of"](parts.path, {name: value[0] for name, value in parse_qs(parts.query).items()})
            content = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}", answers
    server.shutdown()
    thread.join()
    server.server_close()


def row(number, changed="2026-10-01"):
    return {"entry_no": str(number), "place_code": VILLAGE, "amount": 5, "changed": changed}


def test_an_interface_is_read_page_by_page(source, pull, later, rows, interface):
    address, answers = interface
    asked = []

    def pages(path, query):
        asked.append(query)
        return 200, {"data": {"rows": [row(n) for n in range(int(query["page"]) * 2, 6)][:2]}}

    answers["of"] = pages
    assert pull(kind="http", url=f"{address}/x?since={{watermark}}", items="data.rows", page="page", first_page=0).done == 1
    assert [key for key, _, _ in rows()] == ["0", "1", "2", "3", "4", "5"]
    later()
    pull(kind="http", url=f"{address}/x?since={{watermark}}", items="data.rows", page="page", first_page=0)
    assert {query["since"] for query in asked} == {"2000-01-01", "2026-10-01"}
    assert len(rows()) == 6


def test_an_interface_is_read_by_its_links_but_not_to_another_host(source, pull, later, rows, interface):
    address, answers = interface
    answers["of"] = lambda path, query: (200, {"items": [row(path)], "next": "/b" if path == "/a" else None})
    assert pull(kind="http", url=f"{address}/a", next="next").done == 1
    assert [key for key, _, _ in rows()] == ["/a", "/b"]
    later()
    answers["of"] = lambda path, query: (200, {"items": [], "next": "http://127.0.0.2:1/steal"})
    assert pull(kind="http", url=f"{address}/a", next="next").failed == 1
    assert source()["failed_because"] == "next-page-elsewhere"


@pytest.mark.parametrize(
    ("answer", "reason"),
    [((500, {}), "http-500"), ((302, {}), "http-302"), ((200, b"<html>"), "not-json"), ((200, {"items": 5}), "no-list-of-objects"),
     ((200, [1]), "no-list-of-objects"), ((200, {"items": [1]}), "no-list-of-objects")],
)  # fmt: skip
def test_an_answer_that_is_none_is_told(source, pull, interface, answer, reason):
    address, answers = interface
    answers["of"] = lambda *_: answer
    assert pull(kind="http", url=address).failed == 1
    assert source()["failed_because"] == reason


@pytest.mark.parametrize("content", ["", "{}", "[{}]", "[1]", '[{"kind": "ftp"}]'])
def test_a_file_of_pulls_that_is_none_stops_nothing(worker_app, tmp_path, content, caplog):
    file = tmp_path / "pulls.json"
    file.write_text(content)
    worker_app.config["SETTINGS"] = dataclasses.replace(worker_app.config["SETTINGS"], records_pulls=file)
    with worker_app.app_context():
        assert (pull_due().done, pull_due().failed) == (0, 0)
        db.session.remove()
    assert "RECORDS_PULLS" in caplog.text
