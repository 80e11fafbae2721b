"""What the logs keep of a request, and how much less of a filing."""

import io
import logging
import re
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from app import access_log, clock
from app.config import Settings
from app.petitions import limits
from app.postgres import Urls
from app.run import standard_plan
from app.signin.limits import address_mac, attempt_key

ROOT = Path(__file__).parent.parent.parent
DRAFT = {"division_code": "330213007213", "title": "账目不清", "body": "请查一查。", "way": "anonymous"}
ADDRESS = "203.0.113.77"
NOON = 1_795_608_000
EXACT = re.compile(r"\d\d:\d\d:\d\d|\d\d:[0-5][1-9]|\d\d:[1-5]0")


@pytest.fixture
def lines():
    """What the product would write, line by line, with the time that journald or a container puts before each."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter(access_log.FORMAT))
    root, level = logging.getLogger(), logging.getLogger().level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    yield lambda: stream.getvalue().splitlines()
    root.removeHandler(handler)
    root.setLevel(level)


@pytest.fixture
def at(monkeypatch):
    """Set the clock of the log to so many minutes after noon."""

    def set_to(minutes):
        monkeypatch.setattr(access_log, "time", SimpleNamespace(**vars(time) | {"time": lambda: NOON + 60 * minutes}))

    set_to(0)
    access_log.write_counted(ending=True)
    yield set_to
    access_log.write_counted(ending=True)


@pytest.mark.slow
def test_a_filing_is_not_in_the_log_before_its_hour_is_over(client, new_key, lines, at):
    headers = {**new_key(), "X-Request-Id": "request-of-the-proxy"}
    at(17)
    answer = client.post("/api/v1/petitions", json=DRAFT, headers=headers, environ_base={"REMOTE_ADDR": ADDRESS})
    assert answer.status_code == 201
    at(59)
    client.get("/healthz")
    assert not [one for one in lines() if "file_petition" in one]
    at(61)
    client.get("/healthz")
    (line,) = [one for one in lines() if "file_petition" in one]
    _, _, told = line.partition("in the hour from ")
    hour = time.strftime("%Y-%m-%d %H:00", time.localtime(NOON))
    assert told == f"{hour}: POST petitions.file_petition 201, 1 times"
    assert not [one for one in lines() if ADDRESS in one or "request-of-the-proxy" in one]


@pytest.mark.slow
def test_filings_by_the_form_are_counted_with_the_pages_around_them_and_in_no_order(client, lines, at):
    for path in ("/p/receipt", "/p/file"):
        client.get(path, environ_base={"REMOTE_ADDR": ADDRESS})
    for _ in range(2):
        client.post("/p/file", data={"key": "k" * 43}, environ_base={"REMOTE_ADDR": ADDRESS})
    assert not lines()
    access_log.write_counted(ending=True)
    told = [one.partition(":00: ")[2] for one in lines()]
    assert told == ["GET pages.file 200, 1 times", "GET pages.receipt 303, 1 times", "POST pages.send_file 422, 2 times"]
    assert ADDRESS not in "".join(lines())


def test_other_requests_are_logged_with_their_time_and_without_an_address(client, lines):
    client.get("/p/privacy", environ_base={"REMOTE_ADDR": ADDRESS})
    (line,) = [one for one in lines() if "pages.privacy" in one]
    assert EXACT.search(line) and line.count("ms") == 1
    assert ADDRESS not in line


def test_addresses_are_counted_under_a_key_of_the_day(app, monkeypatch):
    def macs(address, day):
        monkeypatch.setattr(clock, "today", lambda: clock.date(2026, 11, day))
        with app.test_request_context(environ_base={"REMOTE_ADDR": address}):
            return address_mac("filing"), attempt_key("address", address), attempt_key("receipt", "MJ-1")

    today, again, tomorrow, other = macs(ADDRESS, 24), macs(ADDRESS, 24), macs(ADDRESS, 25), macs("203.0.113.78", 24)
    assert today == again
    assert today[0] != tomorrow[0] and today[1] != tomorrow[1]
    assert today[0] != other[0]
    assert today[2] == tomorrow[2], "a wrong PIN of yesterday still counts"
    assert ADDRESS not in "".join(today)


def test_an_address_that_files_too_often_is_refused_for_the_hour(app, client, new_key, monkeypatch, key_files):
    import dataclasses

    monkeypatch.setattr(limits, "PER_HOUR", 2)
    monkeypatch.setattr(limits, "_filed", {})
    production = dataclasses.replace(
        app.config["SETTINGS"], mode="production", ledger_key_file=Path(key_files["LEDGER_KEY_FILE"])
    )
    monkeypatch.setitem(app.config, "SETTINGS", production)

    def file(address):
        return client.post("/api/v1/petitions", json=DRAFT, headers=new_key(), environ_base={"REMOTE_ADDR": address})

    assert [file(ADDRESS).status_code for _ in range(3)] == [201, 201, 429]
    assert file("203.0.113.78").status_code == 201
    assert ADDRESS not in repr(limits._filed)


def test_the_web_server_of_the_product_writes_no_access_log_of_its_own():
    settings = Settings.from_environment({"MINGJIAN_MODE": "demo"})
    web = standard_plan(settings, Urls(owner="", web="w", worker="k"), {}).children[0]
    texts = [
        " ".join(web.arguments),
        *((ROOT / "deploy" / name).read_text() for name in ("mingjian-web.service", "Containerfile")),
    ]
    assert all("gunicorn" in one and "access" not in one for one in texts)


def test_the_proxy_logs_filings_by_the_hour_without_an_address_and_nothing_else():
    text = (ROOT / "deploy" / "nginx.conf").read_text()
    (format_,) = re.findall(r"log_format mingjian_filing '([^']*)'", text)
    assert format_.split() == ["$mingjian_hour", "$request_method", "$uri", "$status"]
    assert re.findall(r"^\s*access_log (.*);", text, re.MULTILINE) == [
        "/var/log/nginx/mingjian-filing.log mingjian_filing buffer=64k flush=1h if=$mingjian_filing",
        "off",  # the server that sends http on to https
    ]
    assert re.findall(r"^\s*error_log .* (\w+);", text, re.MULTILINE) == ["crit", "crit"]
    (hour,) = re.findall(r'"~\^\(\?<hour>(.*)\)" \$hour:00', text)
    assert re.match(hour, "2026-11-24T09:41:07+08:00")[0] == "2026-11-24T09"
    routes = set(re.findall(r'"POST (\S+)" 1;', text))
    assert routes == {"/api/v1/petitions", "/p/file"}
