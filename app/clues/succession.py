"""Somebody leaves, or may not know any more: their clues are given to the heads in charge, or go up, and never to nobody.

Who orders a hand-over, or ends an appointment, need not know that there are clues. So the clock looks for those that somebody
dropped out of, whatever the way, and works without their text.
"""

import logging
from collections.abc import Callable
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from app import clock
from app.clues import door
from app.clues.sweep import ClueReport
from app.database import SYSTEM, transaction
from app.directory.codes import lineage_of
from app.errors import Unknown
from app.extensions import db
from workflows.clue_record import LIMITS

log = logging.getLogger("mingjian.clues")

_FORSAKEN = text("SELECT id, headless FROM clues_forsaken()")
_TAKING = text(door.BODY.format(level=":level", excluded="CAST(:excluded AS uuid[])"))
_CITY = text(door.CITY_BODY)
_MAY_KNOW = text("SELECT may_know(:account, CAST(:excluded AS uuid[]))")
_PASS_ON = text("SELECT gone, came FROM pass_on_clue(:id, CAST(:finders AS uuid[]), :at)")


class NobodyLeft(LookupError):
    """No discipline body of the place, up to the province, has a head who may know of the clue."""


def pass_on_clues(*, stopping: Callable[[], bool] = lambda: False) -> ClueReport:
    """Give on every clue that somebody dropped out of, each in a transaction of its own. Safe to run twice.

    One that nobody here may take stays as it is, is counted as failed, and is tried again.
    """
    report = ClueReport()
    with transaction(SYSTEM):
        found = db.session.execute(_FORSAKEN).all()
    for row in found:
        if stopping():
            break
        try:
            with transaction(SYSTEM):
                _pass_on(row.id, row.headless)
        except Unknown:
            continue  # locked by somebody else
        except (NobodyLeft, SQLAlchemyError) as error:
            log.error("clue %s has nobody in charge: %s", row.id, type(error).__name__)
            report.failed += 1
            continue
        finally:
            db.session.expunge_all()
        report.done += 1
    report.by_event = {"pass_on": report.done} if report.done else {}
    return report


def _pass_on(clue_id: UUID, headless: bool) -> None:
    clue = door.lock(clue_id, skip_locked=True)
    around = door.look_around(clue, SYSTEM)
    about = {"lineage": list(lineage_of(clue.division_code)), "excluded": clue.excluded_ids}
    if headless:
        taking = db.session.execute(_TAKING, {**about, "level": clue.level}).one_or_none()
        if taking is None:
            raise NobodyLeft()
        clue.org_id, clue.level = taking.org_id, taking.level
    if clue.handler_id and not db.session.scalar(_MAY_KNOW, {"account": clue.handler_id, "excluded": clue.excluded_ids}):
        clue.handler_id = None
        # Who leaves does not use up what the head in charge may still assign.
        clue.assignments = min(clue.assignments, LIMITS["assignments"] - 1)
    finders = None
    if clue.false_accusation == "proposed":
        finders = db.session.execute(_CITY, about).one_or_none()
    db.session.flush()
    passed = db.session.execute(
        _PASS_ON, {"id": clue.id, "finders": finders.heads if finders else [], "at": clock.now()}
    ).one()
    facts = {"gone": passed.gone, "came": passed.came, "level": clue.level}
    door.write(clue, "pass_on", SYSTEM, around, clue.state, facts)
