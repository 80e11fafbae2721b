"""What the worker does with alerts: asks who must withdraw, sends them out, notes new evidence, and moves on what is overdue."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.exc import SQLAlchemyError

from app import clock
from app.alerts import door, screening
from app.alerts.models import Alert
from app.database import SYSTEM, transaction
from app.errors import Problem, Unknown
from app.extensions import db
from workflows.alert import COLOURS, TABLE, AlertEvent
from workflows.base import MissingFact, NotAllowed, WrongState

log = logging.getLogger("mingjian.alerts")

PAGE = 200
_FAULTS = (WrongState, NotAllowed, MissingFact, Problem, LookupError, ValueError, TypeError)
# Weaker rules give way to a stronger one that found the same: the gravest and oldest of those that mute this alert.
_STRONGER = text(
    """
    SELECT a.id FROM alerts a
     WHERE a.alert_key = :key AND a.place = :place AND a.current AND a.closed_at IS NULL AND a.id <> :id AND :rule = ANY (a.mutes)
     ORDER BY colour_rank(a.colour) DESC, a.raised_at LIMIT 1
    """
)
_DONE_PARENTS = text(
    """
    SELECT a.id FROM alerts a JOIN alerts p ON p.id = a.parent_id
     WHERE a.state = 'muted' AND p.closed_at IS NOT NULL AND p.resolution IS NOT NULL ORDER BY a.id LIMIT :page
    """
)


@dataclass(slots=True)
class AlertReport:
    """One sweep: alerts moved on and failed, and by which event."""

    done: int = 0
    failed: int = 0
    by_event: dict[str, int] = field(default_factory=dict)


def sweep_alerts(*, stopping: Callable[[], bool] = lambda: False) -> AlertReport:
    """Do what waits, each alert in a transaction of its own: send out the new ones, note new evidence, let muted ones follow, take
    overdue ones a level up. Safe to run twice."""
    report = AlertReport()
    new = select(Alert.id).where(Alert.screened_at.is_(None)).order_by(Alert.raised_at, Alert.id).limit(PAGE)
    fresh = select(Alert.id).where(Alert.fresh_rows > 0, Alert.screened_at.is_not(None)).order_by(Alert.id).limit(PAGE)
    for query, step in ((new, _send_out), (fresh, _note_evidence), (_DONE_PARENTS, _follow)):
        _all_of(query, step, report, stopping)
    due = select(Alert.id).where(Alert.next_event.is_not(None), Alert.next_due_at <= clock.now()).limit(PAGE)
    _all_of(due.order_by(Alert.next_due_at, Alert.id), _force, report, stopping)
    return report


def _all_of(
    query: object, step: Callable[[UUID], str | None], report: AlertReport, stopping: Callable[[], bool]
) -> None:
    """Page by page, as long as a page still brings something that was not yet tried."""
    tried: set[UUID] = set()
    while not stopping():
        with transaction(SYSTEM):
            values = {"page": PAGE} if query is _DONE_PARENTS else {}
            ids = [one for one in db.session.scalars(query, values) if one not in tried]  # type: ignore[call-overload]
        for alert_id in ids:
            if stopping():
                return
            tried.add(alert_id)
            _treat(alert_id, step, report)
        if not ids:
            return


def _treat(alert_id: UUID, step: Callable[[UUID], str | None], report: AlertReport) -> None:
    try:
        with transaction(SYSTEM):
            event = step(alert_id)
    except Unknown:
        return  # locked by somebody else
    except (*_FAULTS, SQLAlchemyError) as error:
        # The text of an error may quote what a person wrote: the kind must do.
        log.error("alert %s failed: %s", alert_id, type(error).__name__)
        report.failed += 1
        return
    finally:
        db.session.expunge_all()
    if event is not None:
        report.done += 1
        report.by_event[event] = report.by_event.get(event, 0) + 1


def _send_out(alert_id: UUID) -> str | None:
    """The first look at an alert: who must withdraw, who receives it; then held, muted or sent out."""
    alert = door.lock(alert_id, skip_locked=True)
    if alert.screened_at is not None:
        return None
    screening.screen(alert)
    around = door.look_around(alert)
    door.write(alert, door.FIRST, SYSTEM, around, None, screening.first_facts(alert))
    around = door.look_around(alert)
    if alert.hold_reason is not None:
        door.move(alert, AlertEvent.HOLD, SYSTEM, around, {"reason_code": alert.hold_reason})
        return AlertEvent.HOLD.value
    stronger = db.session.scalar(
        _STRONGER, {"key": alert.alert_key, "place": alert.place, "id": alert.id, "rule": alert.rule_code}
    )
    if stronger is not None:
        door.move(alert, AlertEvent.MUTE, SYSTEM, around, {"parent_id": stronger})
        return AlertEvent.MUTE.value
    door.move(alert, AlertEvent.AUTO_DISPATCH, SYSTEM, around, {})
    return AlertEvent.AUTO_DISPATCH.value


def _note_evidence(alert_id: UUID) -> str | None:
    """New rows of an open alert go on its timeline; what became graver by them goes to whoever takes that colour."""
    alert = door.lock(alert_id, skip_locked=True)
    rows, alert.fresh_rows = alert.fresh_rows, 0
    around = door.look_around(alert)
    facts = {"rows": rows, "evidence_hash": alert.evidence_hash, "colour": alert.found_colour}
    if COLOURS.index(alert.found_colour) < COLOURS.index(alert.colour):
        receiver = screening.receiver_of(alert, alert.found_colour)
        if receiver is not None:
            facts |= {"org_id": receiver.org_id, "level": receiver.level}
    for event in (AlertEvent.PUSH_AGAIN, AlertEvent.ADD_EVIDENCE):
        if rows and TABLE.refusal(alert, event, SYSTEM, **{**facts, **around.facts(alert, SYSTEM)}) is None:
            door.move(alert, event, SYSTEM, around, facts)
            return event.value
    db.session.flush()
    return None


def _follow(alert_id: UUID) -> str | None:
    """What was muted is done with its stronger alert; where that one was a false alarm it goes out by itself."""
    alert = door.lock(alert_id, skip_locked=True)
    parent = db.session.get(Alert, alert.parent_id)
    if alert.state != "muted" or parent is None or parent.resolution is None:
        return None
    event = AlertEvent.FOLLOW_PARENT if parent.resolution == "disposed" else AlertEvent.AUTO_DISPATCH
    door.move(alert, event, SYSTEM, door.look_around(alert), {})
    return event.value


def _force(alert_id: UUID) -> str | None:
    alert = door.lock(alert_id, skip_locked=True)
    around = door.look_around(alert)
    # A holiday notice may have moved the end since the copy was made.
    door.settle(alert, around.log)
    event, due = alert.next_event, alert.next_due_at
    if event is None or due is None or due > clock.now():
        db.session.flush()
        return None
    door.move(alert, event, SYSTEM, around, {"policy": alert.next_policy})
    return event
