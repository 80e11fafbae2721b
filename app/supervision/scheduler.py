"""The worker: one leader that runs the sweeps by the clock and delivers messages as soon as they are written.

Any number of workers may run. PostgreSQL lets exactly one of them hold an advisory lock; it holds it on a connection of
its own and looks every second whether that still lives. When the leader dies another takes over within a second. For
that second two may overlap, which does no harm: every job claims its rows and may run twice.
"""

import logging
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, timedelta
from typing import Any, Protocol
from uuid import uuid4

import psycopg
from apscheduler.schedulers.background import BackgroundScheduler
from flask import Flask
from sqlalchemy import insert
from sqlalchemy.exc import SQLAlchemyError

from app import clock, housekeeping
from app.alerts.links import link_petitions
from app.alerts.sweep import sweep_alerts
from app.clues.succession import pass_on_clues
from app.clues.sweep import sweep_clues
from app.database import SYSTEM, require_bound_role, transaction
from app.extensions import db
from app.files import service as files
from app.ledger import sequencing
from app.ledger.keys import signer
from app.messages.service import deliver_due
from app.records.inbox import take_inbox
from app.records.loading import load_batches
from app.records.pulls import pull_due
from app.recusal.sweeps import sweep_recusals
from app.rules import running as rules
from app.statistics import publishing
from app.supervision import sweeps
from app.supervision.models import JobRun

log = logging.getLogger("mingjian.worker")

LEADER_LOCK = 7_305_808_869  # any number that nothing else in this database locks
CHECK_SECONDS = 1.0
# Without a notification, as for an attempt that was put off, messages are looked for this often.
DELIVERY_SECONDS = 2.0
LATE_SECONDS = 3600
# A silent network must not keep up the belief of leading: milliseconds after which unanswered data ends the connection.
LINE: dict[str, Any] = {"application_name": "mingjian worker", "connect_timeout": 5, "tcp_user_timeout": 5000}


class Report(Protocol):
    """What every job returns."""

    @property
    def done(self) -> int: ...

    @property
    def failed(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Job:
    """A sweep and how often it runs. `run` is given a question: has the worker been asked to stop?"""

    name: str
    seconds: float
    run: Callable[[Callable[[], bool]], Report]


JOBS: tuple[Job, ...] = (
    Job("deadlines", 5, lambda stopping: sweeps.sweep_due(stopping=stopping)),
    Job("recusals", 2, lambda stopping: sweep_recusals(stopping=stopping)),
    Job("clues", 10, lambda stopping: sweep_clues(stopping=stopping)),
    Job("alerts", 2, lambda stopping: sweep_alerts(stopping=stopping)),
    Job("alert_links", 60, lambda stopping: link_petitions(stopping=stopping)),
    Job("successions", 30, lambda stopping: pass_on_clues(stopping=stopping)),
    Job("merged", 5, lambda stopping: sweeps.sweep_merged(stopping=stopping)),
    Job("reminders", 10, lambda stopping: sweeps.send_reminders(stopping=stopping)),
    Job("orders", 10, lambda stopping: sweeps.sweep_orders(stopping=stopping)),
    Job("calendar", 30, lambda stopping: sweeps.recompute_provisional(stopping=stopping)),
    Job("quarantine", 10, lambda stopping: files.scan_quarantined(stopping=stopping)),
    Job("inbox", 10, lambda stopping: take_inbox(stopping=stopping)),
    Job("pulls", 30, lambda stopping: pull_due(stopping=stopping)),
    Job("records", 2, lambda stopping: load_batches(stopping=stopping)),
    Job("rules", 1, lambda stopping: rules.judge_changes(stopping=stopping)),
    Job("nightly rules", 300, lambda stopping: rules.sweep_due(stopping=stopping)),
    Job("ledger", 60, lambda stopping: sequencing.sequence(stopping=stopping)),
    Job("statistics", 60, lambda stopping: publishing.publish_due(stopping=stopping)),
    Job("uploads", 300, lambda stopping: files.tidy_uploads(stopping=stopping)),
    Job("housekeeping", 3600, lambda stopping: housekeeping.tidy(stopping=stopping)),
)
DELIVERY = Job("outbox", DELIVERY_SECONDS, lambda stopping: deliver_due(stopping=stopping))


def run_worker(app: Flask, jobs: tuple[Job, ...] = JOBS) -> None:
    """Work until SIGTERM or SIGINT; running jobs finish the case they are at.

    Raises UnsafeRole, NoAnswer, and SettingsError without the key of the ledger.
    """
    with app.app_context():
        signer()
        require_bound_role("worker")
        files.warn_without_scanner()
        url = db.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    worker = Worker(app, url, jobs)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: worker.stop())
    worker.run()


class Worker:
    """One process that leads or waits to lead. `url`: a libpq address that the lock may be held on."""

    def __init__(self, app: Flask, url: str, jobs: tuple[Job, ...] = JOBS):
        self.app = app
        self.url = url
        self.jobs = jobs
        self.leads = threading.Event()
        self._stop = threading.Event()

    def stop(self) -> None:
        """Ask the worker to end; returns at once."""
        self._stop.set()

    def run(self) -> None:
        """Lead whenever the lock can be had, until asked to stop."""
        while not self._stop.is_set():
            try:
                with psycopg.connect(self.url, autocommit=True, **LINE) as line:
                    if self._take_lock(line):
                        self._lead(line)
            except psycopg.OperationalError as error:
                log.warning("no connection to the database (%s), trying again", type(error).__name__)
                self._stop.wait(CHECK_SECONDS)
        log.info("worker stopped")

    def _take_lock(self, line: psycopg.Connection[Any]) -> bool:
        while not self._stop.is_set():
            row = line.execute("SELECT pg_try_advisory_lock(%s)", (LEADER_LOCK,)).fetchone()
            if row is not None and row[0]:
                return True
            self._stop.wait(CHECK_SECONDS)
        return False

    def _lead(self, line: psycopg.Connection[Any]) -> None:
        """Run the jobs as long as the connection lives. It also carries the notifications of new messages."""
        halt, wake = threading.Event(), threading.Event()
        scheduler = BackgroundScheduler(timezone=UTC)
        for job in self.jobs:
            scheduler.add_job(
                self._run,
                "interval",
                (job, halt),
                id=job.name,
                seconds=job.seconds,
                coalesce=True,
                max_instances=1,
                misfire_grace_time=LATE_SECONDS,
            )
        delivery = threading.Thread(target=self._deliver, args=(halt, wake), name="delivery")
        line.execute("LISTEN outbox")
        wake.set()
        scheduler.start()
        delivery.start()
        self.leads.set()
        log.info("leading with %d jobs", len(self.jobs) + 1)
        try:
            while not self._stop.is_set():
                for _ in line.notifies(timeout=CHECK_SECONDS, stop_after=1):
                    wake.set()
                line.execute("SELECT 1")
                if not delivery.is_alive():
                    # A fault in our own code: end, so that the supervisor starts the worker anew and says so.
                    raise RuntimeError("the delivery thread has died")
        finally:
            self.leads.clear()
            halt.set()
            wake.set()
            scheduler.shutdown(wait=True)
            delivery.join()
            log.info("no longer leading")

    def _deliver(self, halt: threading.Event, wake: threading.Event) -> None:
        """Deliver at every notification, and every two seconds without one."""
        while not halt.is_set():
            wake.wait(DELIVERY_SECONDS)
            # Cleared before the look, so that a message that comes during it starts another.
            wake.clear()
            if not halt.is_set():
                self._run(DELIVERY, halt)

    def _run(self, job: Job, halt: threading.Event) -> None:
        """Run one job once and note it, when it did something."""
        started = time.monotonic()
        with self.app.app_context():
            try:
                report = job.run(halt.is_set)
                if report.done or report.failed:
                    _note(job.name, time.monotonic() - started, report)
            except SQLAlchemyError as error:
                # The next round tries again; the text of a database error may quote personal content.
                db.session.rollback()
                log.error("job %s stopped by %s", job.name, type(error).__name__)


def _note(name: str, seconds: float, report: Report) -> None:
    with transaction(SYSTEM):
        finished = clock.now()
        db.session.execute(
            insert(JobRun.__table__).values(
                id=uuid4(),
                job=name,
                started_at=finished - timedelta(seconds=seconds),
                finished_at=finished,
                done=report.done,
                failed=report.failed,
            )
        )
    log.info("job %s: %d done, %d failed in %.2f s", name, report.done, report.failed, seconds)
