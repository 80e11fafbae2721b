"""What the clock does to clues: a limit that has passed moves the clue one level up, without anybody reading it."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.exc import SQLAlchemyError

from app import clock
from app.clues import door
from app.clues.models import Clue
from app.database import SYSTEM, transaction
from app.errors import Problem, Unknown
from app.extensions import db
from workflows.base import MissingFact, NotAllowed, WrongState
from workflows.clue import TABLE, ClueEvent

log = logging.getLogger("mingjian.clues")

PAGE = 200
_FAULTS = (WrongState, NotAllowed, MissingFact, Problem, LookupError, ValueError, TypeError)


@dataclass(slots=True)
class ClueReport:
    """One sweep: clues moved on and failed, and by which event."""

    done: int = 0
    failed: int = 0
    by_event: dict[str, int] = field(default_factory=dict)


def sweep_clues(*, stopping: Callable[[], bool] = lambda: False) -> ClueReport:
    """Force the next step of every clue whose time has passed, each in a transaction of its own. Safe to run twice."""
    report = ClueReport()
    after: UUID | None = None
    while not stopping():
        with transaction(SYSTEM):
            due = select(Clue.id).where(Clue.next_event.is_not(None), Clue.next_due_at <= clock.now())
            due = due.where(Clue.id > after) if after else due
            ids = list(db.session.scalars(due.order_by(Clue.id).limit(PAGE)))
        for clue_id in ids:
            if stopping():
                break
            _treat(clue_id, report)
        if len(ids) < PAGE:
            break
        after = ids[-1]
    return report


_LEAVE = text("SELECT leave_the_list(:id)")


def leave_the_list(petition_id: UUID) -> None:
    """Take whoever must withdraw from the clue of a petition off its list, in the open transaction of the worker. When nobody
    is left to go on with it, it goes up to the next body whose head may know; above the last one it leaves the system.
    Raises Unknown when somebody else holds the clue."""
    clue = door.lock(db.session.scalars(select(Clue.id).where(Clue.petition_id == petition_id)).one(), skip_locked=True)
    if clue.handler_id in clue.excluded_ids:
        clue.handler_id = None
    if db.session.scalar(_LEAVE, {"id": clue.id}) and clue.state not in TABLE.finals:
        door.move(clue, ClueEvent.RECUSE, SYSTEM, door.look_around(clue, SYSTEM), {})
    db.session.flush()


def _treat(clue_id: UUID, report: ClueReport) -> None:
    try:
        with transaction(SYSTEM):
            event = _force(clue_id)
    except Unknown:
        return  # locked by somebody else
    except (*_FAULTS, SQLAlchemyError) as error:
        # The text of an error may quote what a person wrote: the kind must do.
        log.error("clue %s failed: %s", clue_id, type(error).__name__)
        report.failed += 1
        return
    finally:
        db.session.expunge_all()
    if event is not None:
        report.done += 1
        report.by_event[event] = report.by_event.get(event, 0) + 1


def _force(clue_id: UUID) -> str | None:
    clue = door.lock(clue_id, skip_locked=True)
    around = door.look_around(clue, SYSTEM)
    # A holiday notice may have moved the end since the copy was made.
    door.settle(clue, around.log)
    event, due = clue.next_event, clue.next_due_at
    if event is None or due is None or due > clock.now():
        return None
    door.move(clue, event, SYSTEM, around, {"policy": clue.next_policy})
    return event
