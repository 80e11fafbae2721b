"""What is deleted when it has served its time, and why it is kept so long. Cases and their timelines never are.

These are not settings: an office that kept messages longer would keep personal data that nobody looks at, and one that kept
them shorter would delete what a villager has not read yet.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, delete, or_, select

from app import clock
from app.database import SYSTEM, transaction
from app.extensions import db
from app.messages.models import InboxMessage, OutboxMessage
from app.signin.models import Attempt, IdempotencyKey, OneTimeCode, SignInSession
from app.supervision.models import JobRun

# Rows of one transaction. Deleting holds locks and makes work for replicas and vacuum: a year's backlog goes in many steps.
BATCH = 1000


@dataclass(frozen=True, slots=True)
class Rule:
    """Rows of `model` go when `over(now)` says so."""

    model: Any
    over: Callable[[datetime], ColumnElement[bool]]


def _read_and_old(now: datetime) -> ColumnElement[bool]:
    return InboxMessage.read_at < now - timedelta(days=180)


def _never_read_and_old(now: datetime) -> ColumnElement[bool]:
    return InboxMessage.read_at.is_(None) & (InboxMessage.at < now - timedelta(days=365))


def _sent_and_old(now: datetime) -> ColumnElement[bool]:
    return (OutboxMessage.status == "sent") & (OutboxMessage.sent_at < now - timedelta(days=90))


def _calmed_down(now: datetime) -> ColumnElement[bool]:
    return (Attempt.window_ends_at < now) & or_(Attempt.locked_until.is_(None), Attempt.locked_until < now)


RULES = (
    # Good for five minutes; a day for whoever asks why a code did not work.
    Rule(OneTimeCode, lambda now: OneTimeCode.expires_at < now - timedelta(days=1)),
    # Promised to clients: the same key within thirty days files nothing twice.
    Rule(IdempotencyKey, lambda now: IdempotencyKey.created_at < now - timedelta(days=30)),
    Rule(Attempt, _calmed_down),
    # A week for whoever asks which device it was and why it was signed out.
    Rule(SignInSession, lambda now: SignInSession.expires_at < now - timedelta(days=7)),
    # What was sent stands in the timeline as well; a quarter is as long as "I never heard of it" is settled with the provider.
    # Pending messages and dead letters stay until they are sent: the database refuses to delete them.
    Rule(OutboxMessage, _sent_and_old),
    # Half a year after it was read: longer than any limit of the case that it may have announced.
    Rule(InboxMessage, _read_and_old),
    # A villager may come home once a year; afterwards the case itself says all that the message did.
    Rule(InboxMessage, _never_read_and_old),
    # For looking back at a bad night and at the month's load; the runbook asks for the last runs only.
    Rule(JobRun, lambda now: JobRun.finished_at < now - timedelta(days=30)),
)


@dataclass(slots=True)
class HousekeepingReport:
    """One round: rows deleted in all and by table, and how long it took."""

    done: int = 0
    failed: int = 0
    seconds: float = 0.0
    by_table: dict[str, int] = field(default_factory=dict)


def tidy(batch: int = BATCH, *, stopping: Callable[[], bool] = lambda: False) -> HousekeepingReport:
    """Delete what has served its time, `batch` rows in each transaction. Safe to cut short and to run twice at once."""
    started = time.perf_counter()
    report = HousekeepingReport()
    for rule in RULES:
        deleted = batch
        while deleted == batch and not stopping():
            with transaction(SYSTEM):
                deleted = _delete(rule, batch)
            report.done += deleted
            table = rule.model.__tablename__
            report.by_table[table] = report.by_table.get(table, 0) + deleted
    report.seconds = time.perf_counter() - started
    return report


def _delete(rule: Rule, batch: int) -> int:
    (key,) = rule.model.__table__.primary_key
    old = select(key).where(rule.over(clock.now())).limit(batch)
    result: Any = db.session.execute(
        delete(rule.model).where(key.in_(old)).execution_options(synchronize_session=False)
    )
    return int(result.rowcount)
