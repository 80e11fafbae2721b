"""What operators see from outside: the state of the process, its counters, and what waits."""

import dataclasses
import os
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import text

from app import serve
from app.database import NoAnswer
from app.extensions import db
from app.files.models import Attachment
from app.supervision import scheduler
from tests.conftest import settings_for

PROJECT = Path(__file__).parent.parent.parent
GAUGE = "mingjian_files_quarantined"


def number_waiting(client):
    lines = client.get("/metrics").get_data(as_text=True).splitlines()
    return next((line.split()[1] for line in lines if line.startswith(GAUGE)), None)


def test_metrics_count_the_files_that_wait_for_the_scanner(client, db_session, new_key):
    assert number_waiting(client) == "0"
    draft = {
        "division_code": "330213007213",
        "title": "录音",
        "body": "附录音。",
        "name": "某人",
        "phone": "13800000001",
    }
    case = client.post("/api/v1/petitions", json=draft, headers=new_key()).json["id"]
    more = {"petition_id": case, "uploader_kind": "petitioner", "size": 1, "received": 1}
    for status in ("quarantined", "quarantined", "released"):
        created_at = db_session.scalar(text("SELECT now()"))
        db_session.add(Attachment(id=uuid4(), name="a.mp3", status=status, created_at=created_at, **more))
    db_session.commit()
    assert number_waiting(client) == "2"


def test_metrics_answer_without_a_database(client, db_session, monkeypatch):
    db_session.execute(text("REVOKE EXECUTE ON FUNCTION files_in_quarantine() FROM mj_web"))
    db_session.commit()
    answer = client.get("/metrics")
    assert answer.status_code == 200
    assert "mingjian_requests_total" in answer.get_data(as_text=True)
    assert number_waiting(client) is None


@pytest.fixture
def production(database, monkeypatch, key_files):
    """The environment of a production process without a scanner."""
    given = {**database, **key_files, "MINGJIAN_MODE": "production", "SECRET_KEY": "k" * 40}
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("CLAMD_ADDRESS", raising=False)


def start():
    started = serve()
    with started.app_context():
        db.engine.dispose()


def test_production_without_a_scanner_says_so_when_the_web_process_starts(production, caplog):
    start()
    assert "CLAMD_ADDRESS is not set" in caplog.text


def test_production_with_a_scanner_starts_without_that_word(production, caplog, monkeypatch):
    monkeypatch.setenv("CLAMD_ADDRESS", "127.0.0.1:3310")
    start()
    assert "CLAMD_ADDRESS" not in caplog.text


def test_production_without_a_scanner_says_so_when_the_worker_starts(
    worker_app, database, caplog, monkeypatch, key_files
):
    settings = dataclasses.replace(settings_for({**database, "LEDGER_KEY_FILE": key_files["LEDGER_KEY_FILE"]}), mode="production")
    monkeypatch.setitem(worker_app.config, "SETTINGS", settings)
    monkeypatch.setattr(scheduler.Worker, "run", lambda _worker: None)
    monkeypatch.setattr(scheduler.signal, "signal", lambda *_: None)
    scheduler.run_worker(worker_app)
    assert "CLAMD_ADDRESS is not set" in caplog.text


def test_a_web_process_without_a_database_names_the_setting_and_no_password(production, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgresql://mj_web:geheim@127.0.0.1:1/mingjian")
    with pytest.raises(NoAnswer, match="does not answer at DATABASE_URL") as caught:
        serve()
    assert "geheim" not in str(caught.value)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"MINGJIAN_MODE": "production"}, "DATABASE_URL is missing"),
        (
            {"SECRET_KEY": "k" * 40, "WORKER_DATABASE_URL": "postgresql://mj_worker:geheim@127.0.0.1:1/mingjian"},
            "does not answer at WORKER_DATABASE_URL",
        ),
    ],
)
def test_a_command_says_in_one_line_what_is_wrong_with_its_settings(changes, told, key_files):
    base = {name: value for name, value in os.environ.items() if not name.endswith(("DATABASE_URL", "SECRET_KEY"))}
    command = [sys.executable, "-m", "flask", "--app", "app", "worker"]
    done = subprocess.run(command, cwd=PROJECT, env=base | key_files | changes, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert told in done.stderr
    assert "Traceback" not in done.stderr
    assert "geheim" not in done.stderr
