"""What the worker does about recusal: when the directory has changed, or somebody has withdrawn, every open case that this
touches is looked at anew, and leaves by itself whoever must withdraw from it."""

import logging
import time
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import delete, select, text
from sqlalchemy.exc import DBAPIError

from app import clock
from app.alerts.recusing import withdraw_from
from app.clues.sweep import leave_the_list
from app.database import SYSTEM, transaction
from app.errors import Unknown
from app.extensions import db
from app.petitions.models import OPEN_STATES, Petition
from app.recusal import service
from app.recusal.models import DirectoryChange
from app.supervision.sweeps import CASE_FAULTS, SweepReport
from app.transitions import lock, move, recompute
from workflows import recusal as rules
from workflows.petition import RESTS, TABLE, PetitionEvent, PetitionState
from workflows.recusal import MOST_STEPS

log = logging.getLogger("mingjian.sweeps")

PAGE = 2000
# A worker that has just started looks this far back for entries that came into force while none was running.
LOOK_BACK = timedelta(days=14)
# Nobody has to act in these; the office is only told of news, and another one can be told in its place.
WAITING = frozenset({*RESTS, *(PetitionState(s) for s in ("replied", "resolved", "reviewed", "merged", "external"))})

_TOUCHED = text(
    """
    WITH RECURSIVE
    changed AS (SELECT * FROM directory_changes WHERE id = ANY(:changes)),
    kin (id, depth) AS (
      SELECT id, 0 FROM (SELECT person_id AS id FROM changed
                          UNION SELECT person_id FROM staff_accounts WHERE id IN (SELECT account_id FROM changed)) first
       WHERE id IS NOT NULL
       UNION
      SELECT CASE WHEN k.person_id = kin.id THEN k.relative_id ELSE k.person_id END, kin.depth + 1
        FROM kin JOIN kinships k ON k.person_id = kin.id OR k.relative_id = kin.id
       WHERE kin.depth < :most),
    names AS (SELECT name FROM persons WHERE id IN (SELECT id FROM kin)
               UNION
              SELECT name FROM staff_accounts
               WHERE person_id IN (SELECT id FROM kin) OR id IN (SELECT account_id FROM changed)
               UNION
              SELECT name FROM organisations WHERE id IN (SELECT org_id FROM changed)),
    served AS (SELECT org_id AS id FROM changed WHERE org_id IS NOT NULL
                UNION SELECT org_id FROM appointments WHERE account_id IN (SELECT account_id FROM changed)),
    above (id, parent_id) AS (
      SELECT id, parent_id FROM organisations WHERE id IN (SELECT id FROM served)
       UNION
      SELECT o.id, o.parent_id FROM organisations o JOIN above ON o.id = above.parent_id)
    SELECT p.id FROM petitions p
     WHERE p.state = ANY(:open)
       AND (p.id IN (SELECT petition_id FROM changed)
            OR p.subject_names && ARRAY(SELECT name FROM names)
            OR p.accused_org_ids && ARRAY(SELECT id FROM above)
            OR p.excluded_org_ids && ARRAY(SELECT id FROM above)
            OR (cardinality(p.excluded_account_ids) > 0
                AND (p.main_org_id IN (SELECT id FROM served) OR p.owner_org_id IN (SELECT id FROM served))))
     ORDER BY p.id
    """
)
# Of what is under seal nothing is left to find by name: the ids of whom it names were kept, and the bodies.
_TOUCHED_UNDER_SEAL = text(
    _TOUCHED.text[: _TOUCHED.text.index("    SELECT p.id FROM petitions p")]
    + """
    SELECT p.id FROM petitions p
     WHERE p.state = 'sealed'
       AND (p.id IN (SELECT petition_id FROM changed)
            OR EXISTS (SELECT 1 FROM recusal_subjects s WHERE s.petition_id = p.id
                          AND s.subject_id IN (SELECT id FROM kin UNION SELECT account_id FROM changed))
            OR p.accused_org_ids && ARRAY(SELECT id FROM above)
            OR p.excluded_org_ids && ARRAY(SELECT id FROM above))
     ORDER BY p.id
    """
)
# Alerts keep the names of whom they are about, and hide from them as cases do.
_TOUCHED_ALERTS = text(
    _TOUCHED.text[: _TOUCHED.text.index("    SELECT p.id FROM petitions p")]
    + """
    SELECT a.id FROM alerts a
     WHERE a.closed_at IS NULL AND a.screened_at IS NOT NULL
       AND (a.subject_names && ARRAY(SELECT name FROM names)
            OR a.subject_org_ids && ARRAY(SELECT id FROM above)
            OR (cardinality(a.excluded_account_ids) > 0 AND a.org_id IN (SELECT id FROM served)))
     ORDER BY a.id
    """
)
# A case that went up past its last office: nothing in the directory need change for it to go on.
_UNLED = text(
    """
    SELECT id FROM petitions
     WHERE owner_org_id IS NULL AND level > 0 AND state = ANY(:moving)
       AND (cardinality(excluded_org_ids) > 0 OR cardinality(excluded_account_ids) > 0)
     ORDER BY id
    """
)
# Entries that come into force today have been written long before.
_COMES_INTO_FORCE = text(
    """
    INSERT INTO directory_changes (person_id, account_id, org_id)
    SELECT person_id, NULL::uuid, NULL::uuid FROM kinships WHERE valid_from > :since AND valid_from <= :today
    UNION SELECT person_id, NULL, org_id FROM posts WHERE valid_from > :since AND valid_from <= :today
    UNION SELECT NULL, account_id, org_id FROM appointments
           WHERE (valid_from > :since AND valid_from <= :today) OR (valid_to >= :since AND valid_to < :today)
    """
)
_looked_at: dict[int, date] = {}


def _never() -> bool:
    return False


def sweep_recusals(page: int = PAGE, *, stopping: Callable[[], bool] = _never) -> SweepReport:
    """Look anew at every open case that waiting changes touch; `done` are the cases. Safe to run twice: a change is taken
    away when each of its cases has been looked at."""
    started = time.perf_counter()
    report = SweepReport()
    with transaction(SYSTEM):
        today = clock.today()
        since = _looked_at.get(id(db.engine), today - LOOK_BACK)
        if since < today:
            db.session.execute(_COMES_INTO_FORCE, {"since": since, "today": today})
        changes = list(db.session.scalars(select(DirectoryChange.id).order_by(DirectoryChange.at).limit(page)))
        cases: list[UUID] = []
        sealed: list[UUID] = []
        alerts: list[UUID] = []
        if changes:
            wanted = {"changes": changes, "most": MOST_STEPS, "open": [*OPEN_STATES, *RESTS]}
            cases = list(db.session.scalars(_TOUCHED, wanted))
            sealed = list(db.session.scalars(_TOUCHED_UNDER_SEAL, wanted))
            alerts = list(db.session.scalars(_TOUCHED_ALERTS, wanted))
        moving = [state for state in OPEN_STATES if state not in WAITING and state != PetitionState.FILED]
        cases += [one for one in db.session.scalars(_UNLED, {"moving": moving}) if one not in cases]
    _looked_at[id(db.engine)] = today
    for treat, ids in ((_leave_case, (*cases, *sealed)), (withdraw_from, alerts)):
        for one in ids:
            if stopping():
                return report
            _treat(one, treat, report)
    if changes and not (report.skipped or report.failed):
        with transaction(SYSTEM):
            db.session.execute(delete(DirectoryChange).where(DirectoryChange.id.in_(changes)))
    report.seconds = time.perf_counter() - started
    return report


def _leave_case(petition_id: UUID) -> None:
    petition = lock(petition_id, skip_locked=True)
    if petition.state == PetitionState.SEALED:
        service.refresh_sealed(petition)
        leave_the_list(petition.id)
    else:
        settle(petition, service.refresh(petition, watch=petition.co_org_ids))
    db.session.flush()


def _treat(one: UUID, leave: Callable[[UUID], None], report: SweepReport) -> None:
    report.seen += 1
    try:
        with transaction(SYSTEM):
            leave(one)
    except Unknown:
        report.skipped += 1  # locked by somebody else
    except CASE_FAULTS as error:
        if isinstance(error, DBAPIError) and error.connection_invalidated:
            raise
        log.error("case %s failed in recusal: %s", one, type(error).__name__)
        report.failed += 1
    else:
        report.done += 1
    finally:
        db.session.expunge_all()


def settle(petition: Petition, finding: service.Finding) -> None:
    """Take a locked case away from whoever is excluded from it: handler, co-handlers, handling body, office in charge.

    `finding` is today's for this case, its co-handlers watched. State and deadlines change through the one door only.
    """
    people = petition.excluded_account_ids
    chain = finding.involvement.chain

    def is_out(body: UUID | None) -> bool:
        crew = finding.involvement.crews.get(body, ()) if body else ()
        return body in petition.excluded_org_ids or rules.is_spent(crew, people)

    if petition.state in TABLE.finals or not (petition.excluded_org_ids or people):
        return
    if petition.main_handler_id in people:
        petition.main_handler_id = None
        service.tell(petition, "recuse", {"handler": True})
    _leave_co_handlers(petition, is_out)
    while True:
        main_out = is_out(petition.main_org_id)
        office_out = petition.owner_org_id is None or is_out(petition.owner_org_id)
        level = petition.level
        if office_out:
            waiting = petition.state in WAITING
            near = [one for one in chain if one.level == level or (waiting and one.level < level)]
            beside = rules.seat(near, petition.excluded_org_ids, people)
            if beside is not None or waiting or petition.owner_org_id is not None:
                # Until the case goes up, or when it can not, nobody who is excluded stays in charge.
                petition.owner_org_id = beside.id if beside is not None else None  # type: ignore[assignment]
            office_out = beside is None
        facts: dict[str, Any] = {"main_excluded": main_out, "office_excluded": office_out}
        wanted = (main_out and petition.state not in WAITING) or (office_out and petition.state not in WAITING)
        if not wanted or not TABLE.may(petition, PetitionEvent.RECUSE_BODY, SYSTEM, **facts):
            return
        move(petition, PetitionEvent.RECUSE_BODY, SYSTEM, **facts)


def _leave_co_handlers(petition: Petition, is_out: Callable[[UUID | None], bool]) -> None:
    gone = [body for body in petition.co_org_ids if is_out(body)]
    if not gone:
        return
    petition.co_org_ids = [body for body in petition.co_org_ids if body not in gone]
    petition.co_waiting_org_ids = [body for body in petition.co_waiting_org_ids if body not in gone]
    for body in gone:
        service.tell(petition, "recuse_co_handler", {"co_org_id": body})
    # The time of a co-handler who had to withdraw runs no longer.
    recompute(petition)
