"""The worker process: one leader, woken by messages, stopped in good order."""

import os
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import select, text

from app.database import UnsafeRole
from app.extensions import db
from app.messages.models import OutboxMessage
from app.supervision import scheduler
from app.supervision.models import JobRun
from app.supervision.scheduler import JOBS, Job, Worker, run_worker
from tests.app.cases import Cases

ROOT = Path(__file__).parents[2]


@pytest.fixture
def cases(app, worker_app, db_session):
    return Cases(app, worker_app, db_session)


@dataclass
class Done:
    done: int = 1
    failed: int = 0


def wait_for(condition, seconds=10.0):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return False


@pytest.fixture
def url(worker_app):
    with worker_app.app_context():
        return db.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)


@pytest.fixture
def start(worker_app, url):
    running = []

    def begin(*jobs):
        worker = Worker(worker_app, url, jobs)
        thread = threading.Thread(target=worker.run)
        thread.start()
        running.append((worker, thread))
        return worker, thread

    yield begin
    for worker, _ in running:
        worker.stop()
    for _, thread in running:
        thread.join(15)
        assert not thread.is_alive()


def sent(session):
    session.rollback()
    return session.scalars(select(OutboxMessage.status)).all() == ["sent"]


@pytest.mark.slow
def test_a_message_is_delivered_within_two_seconds_of_its_commit(cases, start, db_session, monkeypatch):
    # Without the regular look only the notification can wake the delivery.
    monkeypatch.setattr(scheduler, "DELIVERY_SECONDS", 60)
    worker, _ = start()
    assert worker.leads.wait(10)
    time.sleep(0.3)
    cases.put("phone", "one_time_code", None, {"code": "123456"}, address="13800000001")
    assert wait_for(lambda: sent(db_session), 2)


def test_a_due_case_moves_by_itself_and_the_run_is_noted(cases, start, db_session):
    case = cases.file()
    cases.travel(timedelta(days=12))
    start(*(Job(job.name, 0.2, job.run) for job in JOBS if job.name == "deadlines"))
    assert wait_for(lambda: cases.row(case).state == "registered")
    assert wait_for(lambda: db_session.rollback() or db_session.scalar(select(JobRun.done).filter_by(job="deadlines")))


def test_a_run_that_did_nothing_is_not_noted(start, db_session):
    ran = threading.Event()
    worker, thread = start(Job("idle", 0.1, lambda _stopping: ran.set() or Done(done=0)))
    assert ran.wait(10)
    worker.stop()
    thread.join(10)
    db_session.rollback()
    assert db_session.scalars(select(JobRun.job).filter_by(job="idle")).all() == []


@pytest.mark.slow
def test_only_one_of_two_workers_leads_and_the_other_takes_over(start):
    first, first_thread = start()
    assert first.leads.wait(10)
    second, _ = start()
    assert not second.leads.wait(1.5)
    first.stop()
    first_thread.join(15)
    assert second.leads.wait(5)


@pytest.mark.slow
def test_a_leader_that_loses_its_connection_stops_its_jobs_and_leads_anew(start, url):
    worker, thread = start(Job("tick", 0.1, lambda _stopping: Done(done=0)))
    assert worker.leads.wait(10)
    with psycopg.connect(url, autocommit=True) as other:
        assert not other.execute("SELECT pg_try_advisory_lock(%s)", (scheduler.LEADER_LOCK,)).fetchone()[0]
        killed = other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted"
        ).fetchall()
        assert killed
    assert wait_for(lambda: not worker.leads.is_set(), 5)
    assert worker.leads.wait(10)
    assert thread.is_alive()


def test_a_running_job_is_told_to_stop_and_finishes_before_the_worker_ends(start):
    begun, ended = threading.Event(), threading.Event()

    def long(stopping):
        begun.set()
        while not stopping():
            time.sleep(0.02)
        ended.set()
        return Done()

    worker, thread = start(Job("long", 0.1, long))
    assert begun.wait(10)
    worker.stop()
    thread.join(10)
    assert ended.is_set()
    assert not thread.is_alive()


def test_a_database_error_in_one_job_ends_neither_it_nor_the_worker(start, db_session):
    runs = []

    def failing(_stopping):
        runs.append(1)
        if len(runs) == 1:
            db.session.execute(text("SELECT no_such_column"))
        return Done(done=0)

    _, thread = start(Job("failing", 0.1, failing))
    assert wait_for(lambda: len(runs) >= 2)
    assert thread.is_alive()


@pytest.mark.slow
def test_the_worker_process_delivers_and_ends_on_sigterm(cases, database, db_session):
    cases.put("phone", "one_time_code", None, {"code": "123456"}, address="13800000001")
    environment = {**os.environ, "MINGJIAN_MODE": "test", "SECRET_KEY": "k" * 40, "PYTHONPATH": str(ROOT)}
    environment |= {"WORKER_DATABASE_URL": database["WORKER_DATABASE_URL"], "FILES_DIR": database["FILES_DIR"]}
    command = [sys.executable, "-m", "flask", "--app", "app", "worker"]
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert wait_for(lambda: sent(db_session), 20)
        finally:
            process.terminate()
        printed, _ = process.communicate(timeout=20)
    assert process.returncode == 0
    assert "13800000001" in printed


def test_the_worker_refuses_to_run_as_the_owner(database, cluster):
    from app import create_app
    from tests.conftest import settings_for

    owner = create_app(settings_for({"OWNER_DATABASE_URL": database["OWNER_DATABASE_URL"]}), role="owner")
    with pytest.raises(UnsafeRole):
        run_worker(owner)
    with owner.app_context():
        db.engine.dispose()
