"""The one door. Every change of a petition's state passes `move`, for people and for clocks alike.

In one transaction: the row is locked, the chart decides, the event is appended to the timeline, the deadlines are
computed anew from the timeline, messages go to the outbox, and a case that moves up gets its supervision order.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import ARRAY, Date, Row, Text, Uuid, all_, and_, any_, bindparam, literal_column, or_, select
from sqlalchemy.orm import with_expression

from app import calendar_store, clock, outbox, timeline
from app.database import Rows, Target, insert_rows, write_with_rows
from app.directory.codes import lineage_of
from app.directory.models import Organisation, StaffAccount
from app.directory.service import serving
from app.errors import Problem, Unknown
from app.extensions import db
from app.ledger.statements import text_digest
from app.petitions.models import OPEN_STATES, DeadlineRow, NewPetition, Petition
from app.supervision.models import SupervisionOrder
from app.supervision.orders import issue_order, release_orders
from workflows.actor import Actor
from workflows.base import Step
from workflows.calendar import WorkCalendar
from workflows.deadlines import CaseEvent, Deadline, deadlines, deadlines_around, ladder, next_forced, remind_at
from workflows.order import TABLE as ORDERS
from workflows.petition import EVENT_LABELS, TABLE, PetitionEvent

_RISING = {"expire", "rate", "change_rating"}
LEADING_KINDS = ("petition_office", "office")


CASES = Target(Petition.__table__)
_COLUMNS = tuple(column.key for column in Petition.__table__.columns)
_NEW_DEADLINES = Target(DeadlineRow.__table__)
_FIXED = {"id", "petition_id", "key", "policy_id", "policy_version", "started_at"}
_CHANGED_DEADLINES = Target(
    DeadlineRow.__table__,
    "ON CONFLICT (petition_id, key) DO UPDATE SET "
    + ", ".join(
        f"{each.key} = excluded.{each.key}" for each in DeadlineRow.__table__.columns if each.key not in _FIXED
    ),
)
# Built once: making the same query anew for each case costs more than sending it.
_CASE = (
    select(Petition)
    .where(Petition.id == bindparam("petition_id"))
    .options(with_expression(Petition.brought_log, literal_column(f"({timeline.BROUGHT})")))
    .execution_options(populate_existing=True)
)
_LOCKED = {skip: _CASE.with_for_update(of=Petition, skip_locked=skip) for skip in (False, True)}


def lock(petition_id: UUID, version: int | None = None, *, skip_locked: bool = False) -> Petition:
    """The petition, locked until the transaction ends.

    Raises Unknown when there is none that the actor may see, and `precondition-failed` (412) when `version` is not the
    present one: somebody else acted meanwhile.
    """
    petition: Petition | None = db.session.scalars(_LOCKED[skip_locked], {"petition_id": petition_id}).one_or_none()
    if petition is None:
        raise Unknown()
    if version is not None and petition.version != version:
        raise Problem("precondition-failed", status=412, current_version=petition.version)
    return petition


def move(petition: Petition, event: str, actor: Actor, **facts: Any) -> None:
    """Send `event` to the chart of a locked petition and write down everything that follows from it.

    Raises WrongState (409), NotAllowed (403) or MissingFact (422) and then changes nothing.
    """
    before_state, before_level, before_round = petition.state, petition.level, petition.round
    log = timeline.log_of_locked(petition)
    TABLE.send(petition, event, actor, **_guard_facts(petition, actor, facts))
    if event in ("dispatch", "rehandle"):
        petition.dispatches += 1
    if petition.level != before_level or petition.owner_org_id is None:
        _find_office(petition)
    petition.version += 1
    facts = _told(petition, event, log, {**facts, "co_org_id": actor.org_id} if event == "co_report" else facts)
    row = timeline.event_of(
        petition.id, petition.version, event, actor, from_state=before_state, to_state=petition.state, facts=facts
    )
    changed = _settle(petition, log, row)
    if event in _RISING and petition.supervised and petition.level != before_level and petition.state != "external":
        reason = "dissatisfied" if event != "expire" else "overdue"
        issue_order(petition, reason, level=petition.level, issuer_org_id=petition.owner_org_id)
    unseated = event == PetitionEvent.RECUSE_BODY and petition.main_org_id is None
    if petition.round != before_round or petition.state not in OPEN_STATES or unseated:
        release_orders(petition)
    write_with_rows(
        petition,
        {
            timeline.EVENTS: [timeline.values_of(row)],
            _CHANGED_DEADLINES: changed,
            outbox.MESSAGES: outbox.messages_about(event, petition),
        },
    )


def record(petition: Petition, event: str, actor: Actor, facts: dict[str, Any]) -> None:
    """Write down on a locked petition something that is no transition but that deadlines are counted from. What petitioners
    do themselves does not break the silence of an office."""
    log, seen = timeline.log_of_locked(petition), petition.last_visible_at
    petition.version += 1
    row = timeline.event_of(
        petition.id, petition.version, event, actor, from_state=petition.state, to_state=petition.state, facts=facts
    )
    changed = _settle(petition, log, row)
    if actor.kind == "petitioner":
        petition.last_visible_at = seen
    write_with_rows(petition, {timeline.EVENTS: [timeline.values_of(row)], _CHANGED_DEADLINES: changed})


def open_case(
    petition: NewPetition,
    actor: Actor,
    facts: dict[str, Any],
    besides: Callable[[list[Deadline], timeline.NewEvent], Rows] = lambda _running, _filed: {},
) -> None:
    """Write a new petition, its first event, its deadlines and its messages, with one statement.

    All at once because somebody who files anonymously may not see the row afterwards: it can not be changed a second
    time. `besides`: given the running deadlines and the first event, the rows that the filing brings along.
    """
    calendar, versions = calendar_store.current()
    running = deadlines([CaseEvent("file", petition.filed_at, "filed", facts)], versions, calendar)
    _copy(petition, running, petition.filed_at)
    first = timeline.event_of(
        petition.id, 1, "file", actor, from_state=None, to_state="filed", facts=facts, at=petition.filed_at,
        text_digest=lambda salt: text_digest_of(petition, salt),
    )  # fmt: skip
    insert_rows(
        {
            CASES: [{name: getattr(petition, name) for name in _COLUMNS}],
            timeline.EVENTS: [timeline.values_of(first)],
            _NEW_DEADLINES: deadline_rows(petition.id, running, calendar),
            outbox.MESSAGES: outbox.messages_about("file", petition),
            **besides([one for one in running if one.live], first),
        }
    )


def text_digest_of(petition: Petition | NewPetition, salt: bytes) -> str:
    """The digest by which the first event commits to what was filed: number, place, title and text never change after it."""
    return text_digest(salt, petition.serial, petition.division_code, petition.title, petition.body)


def actions_for(petition: Petition, actor: Actor) -> list[dict[str, str]]:
    """What the actor may do now, as name and labels: from the same table that `move` obeys."""
    names = TABLE.open_events(petition, actor, **_guard_facts(petition, actor, {}))
    return [
        {"name": name, "label": EVENT_LABELS[PetitionEvent(name)].zh, "label_en": EVENT_LABELS[PetitionEvent(name)].en}
        for name in names
    ]


_BODIES = Organisation.__table__.c
_LEADS = _BODIES.kind.in_(LEADING_KINDS)
_ANSWERS = (
    select(_BODIES.id)
    .where(
        _BODIES.division_code == any_(bindparam("lineage", type_=ARRAY(Text))),
        _BODIES.level <= bindparam("level"),
        _BODIES.active,
    )
    .order_by(_BODIES.level.desc())
    .limit(1)
)
# The query of `body_in_charge`, for a statement that asks for more at once; `place_at` makes its parameters.
LEADING_BODY = _ANSWERS.where(_LEADS).order_by(_BODIES.name)
_STAFF = serving(_BODIES.id, bindparam("day", type_=Date))
# The same with the level, for a case that somebody must withdraw from: it passes over excluded bodies and over offices
# where everybody is excluded, and at the province falls back on the discipline commission.
_LEADING_BODY_LEFT = (
    _ANSWERS.add_columns(_BODIES.level)
    .where(
        or_(_LEADS, and_(_BODIES.kind == "discipline", _BODIES.level == 1)),
        _BODIES.id != all_(bindparam("bodies", type_=ARRAY(Uuid))),
        or_(~_STAFF.exists(), _STAFF.where(StaffAccount.id != all_(bindparam("accounts", type_=ARRAY(Uuid)))).exists()),
    )
    .order_by(_LEADS.desc(), _BODIES.name)
)


def body_in_charge(division_code: str, level: int, excluded: Sequence[UUID] = ()) -> UUID | None:
    """The petition office that answers for a place at a level, or the next one above it: never nobody while one exists
    that is not `excluded`."""
    found = _leading(division_code, level, excluded, ())
    return found.id if found is not None else None


def _leading(division_code: str, level: int, bodies: Sequence[UUID], accounts: Sequence[UUID]) -> Row[Any] | None:
    if level < 1:
        return None
    place = place_at(division_code, level)
    if not (bodies or accounts):
        return db.session.execute(LEADING_BODY, place).one_or_none()
    left = {"bodies": list(bodies), "accounts": list(accounts), "day": clock.today()}
    return db.session.execute(_LEADING_BODY_LEFT, {**place, **left}).one_or_none()


def place_at(division_code: str, level: int) -> dict[str, Any]:
    """The parameters of LEADING_BODY."""
    return {"lineage": list(lineage_of(division_code)[:level]), "level": level}


def recompute(petition: Petition) -> int:
    """Compute the deadlines anew, after a holiday notice or when a part of the case falls away. Returns how many changed."""
    rows = timeline.log_of(petition.id)
    calendar, versions = calendar_store.current()
    fresh = deadlines(timeline.as_case_events(rows), versions, calendar)
    kept = {
        row.key: (row.due_at, row.provisional, row.live)
        for row in db.session.scalars(select(DeadlineRow).where(DeadlineRow.petition_id == petition.id))
    }
    changed = [one for one in fresh if kept.get(_key(one)) != (one.due_at, one.provisional, one.live)]
    insert_rows({_CHANGED_DEADLINES: deadline_rows(petition.id, changed, calendar)})
    _copy(petition, fresh, rows[-1].at)
    return len(changed)


def _find_office(petition: Petition) -> None:
    """Give a case that went up to the office of its level; where that must withdraw, the next one above takes it."""
    bodies, accounts = petition.excluded_org_ids, petition.excluded_account_ids
    found = _leading(petition.division_code, petition.level, bodies, accounts)
    petition.owner_org_id = found.id if found is not None else None
    if found is not None and (bodies or accounts):
        petition.level = min(petition.level, found.level)


# The petitioner reads the public event and never the draft or the request before it: what the public one takes over.
_TAKES_OVER = {
    "deliver": ("submit_reply", ("outcome", "findings", "legal_basis")),
    "follow_parent": ("submit_reply", ("outcome", "findings", "legal_basis")),
    "approve_extension": ("request_extension", ("reason",)),
    "approve_suspension": ("request_suspension", ("reason_code", "plan")),
}


def _told(petition: Petition, event: str, log: list[CaseEvent], facts: dict[str, Any]) -> dict[str, Any]:
    if event == PetitionEvent.MARK_URGENT:
        return {**facts, "priority": petition.priority}
    if event == PetitionEvent.EXPIRE:
        # How long an office has for danger to life depends on whether anybody stands above it.
        return {**facts, "level": petition.level}
    if event == "follow_parent" and petition.parent_id:
        log = timeline.as_case_events(timeline.log_of(petition.parent_id))
    if event not in _TAKES_OVER:
        return facts
    source, names = _TAKES_OVER[event]
    written = next((one.facts for one in reversed(log) if one.event == source), {})
    return {**{name: written[name] for name in names if name in written}, **facts}


def _guard_facts(petition: Petition, actor: Actor, facts: dict[str, Any]) -> dict[str, Any]:
    from flask import current_app

    preset = current_app.config["SETTINGS"].policy_preset
    return {
        **facts,
        "now": clock.now(),
        # 信访工作条例 Art 28: whoever has an interest withdraws.
        "recused": actor.kind == "staff"
        and (actor.org_id in petition.excluded_org_ids or actor.person_id in petition.excluded_account_ids),
        "excluded_org_ids": petition.excluded_org_ids,
        # 信访工作条例 Art 34 allows 30 days; the Zhejiang ordinance 30 + up to 60.
        "extension_cap": 60 if preset == "zhejiang" else 30,
    }


def _settle(petition: Petition, log: list[CaseEvent], row: timeline.NewEvent) -> list[dict[str, Any]]:
    """The deadlines that the event changes, as rows; the petition gets its copies."""
    calendar, versions = calendar_store.current()
    (event,) = timeline.as_case_events([row])
    earlier, after = deadlines_around(log, event, versions, calendar)
    before = {_key(one): one for one in earlier}
    _copy(petition, after, row.at)
    if row.public:
        petition.last_visible_at = row.at
    return deadline_rows(petition.id, [one for one in after if before.get(_key(one)) != one], calendar)


def _key(one: Deadline) -> str:
    return f"{one.policy_id}|{one.key}|{one.started_at.isoformat()}"


def deadline_rows(petition_id: UUID, computed: Iterable[Deadline], calendar: WorkCalendar) -> list[dict[str, Any]]:
    """Computed deadlines as rows of the table `deadlines`. Of two runs begun at the same instant the later one counts."""
    return [
        {
            "id": uuid4(),
            "petition_id": petition_id,
            "key": key,
            "policy_id": one.policy_id,
            "policy_version": one.policy_version,
            "started_at": one.started_at,
            "raw_on": one.raw,
            "due_on": one.due_day,
            "due_at": one.due_at,
            "provisional": one.provisional,
            "paused_days": one.paused_days,
            "extended_days": one.extended_days,
            "live": one.live,
            "breached": one.breached,
            "forces": one.forces,
            "met_at": one.met_at,
            "remind_at": remind_at(one, calendar) if one.live else None,
        }
        for key, one in {_key(one): one for one in computed}.items()
    ]


def _copy(petition: Petition | NewPetition, running: list[Deadline], at: datetime) -> None:
    """Copy onto the petition what its guards and its list row need."""
    live = {one.policy_id: one for one in running if one.live}
    step = next_forced(running)
    petition.next_due_at = step.due_at if step else None
    petition.next_policy = step.policy_id if step else None
    petition.next_event = step.forces if step else None

    def until(*ids: str) -> datetime | None:
        return next((live[one].due_at for one in ids if one in live), None)

    # A new body has its own time; before, the local limit (PT-12) runs beside the statutory one, and the earlier counts.
    first_round = (live[one].due_at for one in ("PT-12", "PT-05") if one in live)
    petition.due_at = until("PT-21") or min(first_round, default=None)
    petition.return_until = until("PT-04") or petition.return_until
    petition.rating_until = until("PT-13") or petition.rating_until
    petition.review_until = until("PT-09", "PT-07") or petition.review_until
    calendar, _versions = calendar_store.current()
    rank = {None: 0, "blue": 1, "yellow": 2, "red": 3}
    cards = [petition.colour, *(ladder(one, at, calendar) for one in live.values())]
    # Colours only climb: what went wrong stays visible until the case has ended.
    petition.colour = max(cards, key=lambda card: rank[card])


def move_order(order: SupervisionOrder, event: str, actor: Actor, **facts: Any) -> Step:
    """Send `event` to the chart of a locked supervision order. Raises WrongState, NotAllowed or MissingFact."""
    return ORDERS.send(order, event, actor, **facts)
