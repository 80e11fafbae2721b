"""What the worker does by the clock: forced steps, reminders and cards, overdue orders, merged cases,
new holiday notices.

Every sweep reads what is due page by page, and treats each case in a transaction of its own, as the system actor and
through the one door. A case that somebody else holds is left for the next round, and one that fails stops no other: so
a sweep may run twice, be cut short, or run beside another.
"""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, func, select, tuple_
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.orm import aliased

from app import calendar_store, clock, outbox
from app.database import SYSTEM, transaction
from app.errors import Problem, Unknown
from app.extensions import db
from app.petitions.models import OPEN_STATES, DeadlineRow, Petition
from app.recusal import service as recusal
from app.supervision.models import HolidayYear, SupervisionOrder
from app.supervision.orders import issue_order
from app.transitions import body_in_charge, lock, move, recompute
from workflows.base import MissingFact, NotAllowed, WrongState
from workflows.petition import PetitionEvent, PetitionState
from workflows.policies import Policy

log = logging.getLogger("mingjian.sweeps")

# What one broken case can raise. A lost connection is none of these: it would meet every case, so it ends the sweep.
CASE_FAULTS = (
    WrongState, NotAllowed, MissingFact, Problem, SQLAlchemyError,
    LookupError, ValueError, TypeError, AttributeError, AssertionError,
)  # fmt: skip

PAGE = 200
CARDS = (None, "blue", "yellow", "red")
# Windows of the petitioner: they are announced to the petitioner, and nobody failed when they close.
PETITIONER_WINDOWS = frozenset({"PT-07", "PT-09", "PT-13"})
ANSWERED = (
    PetitionState.RESOLVED, PetitionState.RATED, PetitionState.CLOSED, PetitionState.EXPLAINED,
    PetitionState.DISSATISFIED, PetitionState.REVIEWING, PetitionState.REVIEWED, PetitionState.RECHECKING,
    PetitionState.FINAL,
)  # fmt: skip
GONE = (
    PetitionState.WITHDRAWN, PetitionState.NOT_ACCEPTED, PetitionState.REDIRECTED, PetitionState.SEALED,
    PetitionState.ENDED,
)  # fmt: skip

Stopping = Callable[[], bool]
Due = tuple[datetime, UUID, UUID]  # when, id of the row that is due, id of its petition


def _never() -> bool:
    return False


@dataclass(slots=True)
class SweepReport:
    """One sweep: rows found due, treated, left to somebody else or no longer due, failed; and how long it took."""

    seen: int = 0
    done: int = 0
    skipped: int = 0
    failed: int = 0
    seconds: float = 0.0
    by_event: dict[str, int] = field(default_factory=dict)

    @property
    def rate(self) -> float:
        """Cases treated in a second."""
        return self.done / self.seconds if self.seconds else 0.0


def sweep_due(page: int = PAGE, *, stopping: Stopping = _never) -> SweepReport:
    """Force the next step of every case whose time has passed, and say how many moved by which event."""
    query = select(DeadlineRow.due_at, DeadlineRow.id, DeadlineRow.petition_id).where(
        DeadlineRow.live, DeadlineRow.forces.is_not(None)
    )
    return _sweep(query, DeadlineRow.due_at, DeadlineRow.id, _force, page, stopping)


def _force(_deadline_id: UUID, petition_id: UUID) -> str | None:
    petition = lock(petition_id, skip_locked=True)
    # Asked again under the lock: a person or another worker may just have done what was due.
    due = db.session.execute(
        select(DeadlineRow.policy_id, DeadlineRow.forces)
        .where(
            DeadlineRow.petition_id == petition_id,
            DeadlineRow.live,
            DeadlineRow.forces.is_not(None),
            DeadlineRow.due_at <= clock.now(),
        )
        .order_by(DeadlineRow.due_at, DeadlineRow.policy_id)
        .limit(1)
    ).one_or_none()
    if due is None or due.forces is None:
        return None
    if due.forces == PetitionEvent.EXPIRE and recusal.has_subjects(petition):
        # The office above must be one that nobody is kept from today.
        recusal.refresh(petition)
    # On line the reply lies where the petitioner filed: that it could be read there is what stands for a proof.
    online = due.forces == PetitionEvent.DELIVER and petition.channel == "web"
    move(petition, due.forces, SYSTEM, policy=due.policy_id, **({"delivery": "online"} if online else {}))
    return due.forces


def send_reminders(page: int = PAGE, *, stopping: Stopping = _never) -> SweepReport:
    """Announce limits that come near and give their cards; for limits that force nothing, also when they have passed."""
    query = select(DeadlineRow.remind_at, DeadlineRow.id, DeadlineRow.petition_id).where(
        DeadlineRow.live, DeadlineRow.remind_at.is_not(None)
    )
    return _sweep(query, DeadlineRow.remind_at, DeadlineRow.id, _remind, page, stopping)


def _remind(deadline_id: UUID, petition_id: UUID) -> str | None:
    petition = lock(petition_id, skip_locked=True)
    now = clock.now()
    row = db.session.scalars(
        select(DeadlineRow)
        .where(DeadlineRow.id == deadline_id, DeadlineRow.live, DeadlineRow.remind_at <= now)
        .execution_options(populate_existing=True)
    ).one_or_none()
    if row is None:
        return None
    policy = _policy(row.policy_id, row)
    passed = now >= row.due_at
    # A limit that forces a step tells its own story when it passes; the others speak once more at their end.
    speaks_at_end = row.forces is None and (policy.reminders.breach is not None or policy.opens_order)
    row.remind_at = None if passed or not speaks_at_end else row.due_at
    if not passed:
        _give_card(petition, policy.reminders.before)
        _tell(petition, row, "window_closes" if policy.id in PETITIONER_WINDOWS else "due_soon")
        return "announced"
    if not speaks_at_end:
        return "outrun"
    _give_card(petition, policy.reminders.breach)
    _tell(petition, row, "overdue")
    if policy.opens_order and not _goes_up(petition, now) and not _has_order_since(petition.id, row.due_at):
        _issue_from(petition, max(petition.level - 1, 1))
    return "overdue"


def _goes_up(petition: Petition, now: datetime) -> bool:
    """Whether another sweep is just about to send the case up, which brings an order of its own."""
    return petition.next_event == PetitionEvent.EXPIRE and petition.next_due_at is not None and petition.next_due_at <= now


def _policy(policy_id: str, row: DeadlineRow) -> Policy:
    """The version of the limit that the clock runs by; the latest one should the preset have been exchanged."""
    _calendar, versions = calendar_store.current()
    own = [policy for policy in versions if policy.id == policy_id]
    if not own:
        raise LookupError(f"no policy {policy_id}")
    return next((policy for policy in own if policy.valid_from == row.policy_version), own[-1])


def _give_card(petition: Petition, card: str | None) -> None:
    """A card is only ever replaced by a graver one, and a case that has ended gets none."""
    if petition.state in OPEN_STATES and CARDS.index(card) > CARDS.index(petition.colour):
        petition.colour = card


def _tell(petition: Petition, row: DeadlineRow, template: str) -> None:
    # A limit that comes back with the same end, because the case changed hands or state, is announced once.
    outbox.announce(template, petition, row.due_at, once=f"{row.id}|{row.due_at.isoformat()}")


def sweep_orders(page: int = PAGE, *, stopping: Stopping = _never) -> SweepReport:
    """Mark supervision orders that were not answered in time, with a red card and an order one level higher.

    A case that is itself under supervision gets no second order: its own limit lifts it (PT-22).
    """
    query = select(SupervisionOrder.due_at, SupervisionOrder.id, SupervisionOrder.petition_id).where(
        SupervisionOrder.state == "issued", SupervisionOrder.overdue.is_(False)
    )
    return _sweep(query, SupervisionOrder.due_at, SupervisionOrder.id, _lapse_order, page, stopping)


def _lapse_order(order_id: UUID, petition_id: UUID) -> str | None:
    petition = lock(petition_id, skip_locked=True)
    order = db.session.scalars(
        select(SupervisionOrder)
        .where(
            SupervisionOrder.id == order_id,
            SupervisionOrder.state == "issued",
            SupervisionOrder.overdue.is_(False),
            SupervisionOrder.due_at <= clock.now(),
        )
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one_or_none()
    if order is None:
        return None
    order.overdue = True
    if petition.state not in OPEN_STATES:
        return "ended"
    petition.supervised = True
    _give_card(petition, "red")
    outbox.announce("order_overdue", petition, order.due_at, once=f"{order.id}|overdue")
    if petition.state != PetitionState.ESCALATED and order.level > 1:
        _issue_from(petition, order.level - 1)
    return "overdue"


def _issue_from(petition: Petition, level: int) -> None:
    issuer = body_in_charge(petition.division_code, level, petition.excluded_org_ids)
    issue_order(petition, "overdue", level=level, issuer_org_id=issuer)


def _has_order_since(petition_id: UUID, moment: datetime) -> bool:
    found = db.session.scalar(
        select(SupervisionOrder.id)
        .where(SupervisionOrder.petition_id == petition_id, SupervisionOrder.issued_at >= moment)
        .limit(1)
    )
    return found is not None


def sweep_merged(page: int = PAGE, *, stopping: Stopping = _never) -> SweepReport:
    """Let merged cases follow a leading case that has been answered, and free those whose leading case is gone."""
    parent = aliased(Petition)
    query = (
        select(Petition.filed_at, Petition.id, Petition.id)
        .join(parent, parent.id == Petition.parent_id)
        .where(Petition.state == PetitionState.MERGED, parent.state.in_((*ANSWERED, *GONE)))
    )
    return _sweep(query, Petition.filed_at, Petition.id, _follow, page, stopping)


def _follow(petition_id: UUID, _same: UUID) -> str | None:
    petition = lock(petition_id, skip_locked=True)
    if petition.state != PetitionState.MERGED or petition.parent_id is None:
        return None
    parent = db.session.execute(
        select(Petition.state, Petition.main_org_id, Petition.main_handler_id, Petition.reply_author_id).where(
            Petition.id == petition.parent_id
        )
    ).one()
    if parent.state in GONE:
        move(petition, PetitionEvent.SPLIT_FROM_PARENT, SYSTEM)
        return "split_from_parent"
    if parent.state not in ANSWERED:
        return None
    move(
        petition,
        PetitionEvent.FOLLOW_PARENT,
        SYSTEM,
        main_org_id=parent.main_org_id,
        main_handler_id=parent.main_handler_id,
        reply_author_id=parent.reply_author_id,
    )
    return "follow_parent"


# The notices with which this process last computed the provisional deadlines.
_computed_with: dict[str, Any] = {}


def recompute_provisional(page: int = PAGE, *, stopping: Stopping = _never) -> SweepReport:
    """Compute provisional deadlines anew when a holiday notice has been imported since this process last did."""
    with transaction(SYSTEM):
        notices = tuple(db.session.execute(select(func.count(), func.max(HolidayYear.imported_at))).one())
    if _computed_with.get("notices") == (id(db.engine), *notices):
        return SweepReport()
    calendar_store.forget()
    query = select(DeadlineRow.started_at, DeadlineRow.id, DeadlineRow.petition_id).where(
        DeadlineRow.live, DeadlineRow.provisional
    )
    report = _sweep(query, DeadlineRow.started_at, DeadlineRow.id, _recompute, page, stopping)
    if not (report.failed or report.skipped or stopping()):
        _computed_with["notices"] = (id(db.engine), *notices)
    return report


def _recompute(deadline_id: UUID, petition_id: UUID) -> str | None:
    recompute(lock(petition_id, skip_locked=True))
    return "recomputed"


def _sweep(
    query: Select[Any],
    moment: Any,
    row_id: Any,
    treat: Callable[[UUID, UUID], str | None],
    page: int,
    stopping: Stopping,
) -> SweepReport:
    """Treat every row of `query` whose `moment` has come. Only one page of ids is ever held in memory."""
    started = time.perf_counter()
    report = SweepReport()
    after: tuple[datetime, UUID] | None = None
    while not stopping():
        rows = _page(query, moment, row_id, after, page)
        for _when, due_id, petition_id in rows:
            if stopping():
                break
            _treat(due_id, petition_id, treat, report)
        if len(rows) < page:
            break
        after = (rows[-1][0], rows[-1][1])
    report.seconds = time.perf_counter() - started
    return report


def _page(
    query: Select[Any], moment: Any, row_id: Any, after: tuple[datetime, UUID] | None, page: int
) -> Sequence[Due]:
    with transaction(SYSTEM):
        due = query.where(moment <= clock.now()).order_by(moment, row_id).limit(page)
        if after is not None:
            due = due.where(tuple_(moment, row_id) > after)
        return [(row[0], row[1], row[2]) for row in db.session.execute(due)]


def _treat(due_id: UUID, petition_id: UUID, treat: Callable[[UUID, UUID], str | None], report: SweepReport) -> None:
    report.seen += 1
    try:
        with transaction(SYSTEM):
            outcome = treat(due_id, petition_id)
    except Unknown:
        # Locked by somebody else, or gone.
        report.skipped += 1
    except CASE_FAULTS as error:
        if isinstance(error, DBAPIError) and error.connection_invalidated:
            raise
        # The text of an error may quote what a person wrote: the kind must do.
        log.error("case %s failed in %s: %s", petition_id, treat.__name__.strip("_"), type(error).__name__)
        report.failed += 1
    else:
        if outcome is None:
            report.skipped += 1
        else:
            report.done += 1
            report.by_event[outcome] = report.by_event.get(outcome, 0) + 1
    finally:
        db.session.expunge_all()
