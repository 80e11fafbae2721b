"""The one door. Every change of a petition's state passes `move`, for people and for clocks alike.

In one transaction: the row is locked, the chart decides, the event is appended to the timeline, the deadlines are
computed anew from the timeline, messages go to the outbox, and a case that moves up gets its supervision order.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Select, and_, insert, or_, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from app import calendar_store, clock, outbox, timeline
from app.directory.codes import lineage_of
from app.directory.models import Organisation, StaffAccount
from app.directory.service import serving
from app.errors import Problem, Unknown
from app.extensions import db
from app.petitions.models import OPEN_STATES, DeadlineRow, Petition, PetitionEventRow
from app.supervision.models import SupervisionOrder
from workflows.actor import Actor
from workflows.base import Step
from workflows.deadlines import CaseEvent, Deadline, deadlines, ladder, limit, next_forced, remind_at
from workflows.order import TABLE as ORDERS
from workflows.petition import EVENT_LABELS, TABLE, PetitionEvent

_RISING = {"expire", "rate", "change_rating"}
LEADING_KINDS = ("petition_office", "office")


def _deadline_upsert() -> Any:
    statement = upsert(DeadlineRow.__table__)
    fixed = {"id", "petition_id", "key", "policy_id", "policy_version", "started_at"}
    changes = {c.name: statement.excluded[c.name] for c in DeadlineRow.__table__.columns if c.name not in fixed}
    return statement.on_conflict_do_update(index_elements=["petition_id", "key"], set_=changes)


# Built once, with the rows as parameters: written into the statement, each number of rows would be compiled anew.
_NEW_DEADLINES = insert(DeadlineRow.__table__).inline()
_CHANGED_DEADLINES = _deadline_upsert()


def lock(petition_id: UUID, version: int | None = None, *, skip_locked: bool = False) -> Petition:
    """The petition, locked until the transaction ends.

    Raises Unknown when there is none that the actor may see, and `precondition-failed` (412) when `version` is not the
    present one: somebody else acted meanwhile.
    """
    query = select(Petition).where(Petition.id == petition_id).with_for_update(skip_locked=skip_locked)
    petition = db.session.scalars(query.execution_options(populate_existing=True)).one_or_none()
    if petition is None:
        raise Unknown()
    if version is not None and petition.version != version:
        raise Problem("precondition-failed", status=412, current_version=petition.version)
    return petition


def move(petition: Petition, event: str, actor: Actor, **facts: Any) -> Step:
    """Send `event` to the chart of a locked petition and write down everything that follows from it.

    Raises WrongState (409), NotAllowed (403) or MissingFact (422) and then changes nothing.
    """
    before_state, before_level, before_round = petition.state, petition.level, petition.round
    log = timeline.as_case_events(timeline.log_of(petition.id))
    step = TABLE.send(petition, event, actor, **_guard_facts(petition, actor, facts))
    if event in ("dispatch", "rehandle"):
        petition.dispatches += 1
    if petition.level != before_level or petition.owner_org_id is None:
        _find_office(petition)
    petition.version += 1
    facts = _told(petition, event, log, {**facts, "co_org_id": actor.org_id} if event == "co_report" else facts)
    row = timeline.append(
        petition.id, petition.version, event, actor, from_state=before_state, to_state=petition.state, facts=facts
    )
    _settle(petition, log, row)
    if event in _RISING and petition.supervised and petition.level != before_level and petition.state != "external":
        _order(petition, "dissatisfied" if event != "expire" else "overdue")
    unseated = event == PetitionEvent.RECUSE_BODY and petition.main_org_id is None
    if petition.round != before_round or petition.state not in OPEN_STATES or unseated:
        _release_orders(petition)
    outbox.announce(event, petition)
    db.session.flush()
    return step


def open_case(
    petition: Petition, actor: Actor, facts: dict[str, Any], write_first: Callable[[], None]
) -> list[Deadline]:
    """Write the first event of a new petition, its deadlines and its messages. Returns the running deadlines.

    `write_first` stores the petition itself once its next forced step is known: somebody who files anonymously may not
    see the row afterwards, so it can not be changed a second time.
    """
    calendar, versions = calendar_store.current()
    first = CaseEvent("file", petition.filed_at, "filed", facts)
    running = deadlines([first], versions, calendar)
    _copy(petition, running, petition.filed_at)
    write_first()
    timeline.append(petition.id, 1, "file", actor, from_state=None, to_state="filed", facts=facts, at=petition.filed_at)
    _store(petition, running)
    outbox.announce("file", petition)
    return [one for one in running if one.live]


def actions_for(petition: Petition, actor: Actor) -> list[dict[str, str]]:
    """What the actor may do now, as name and labels: from the same table that `move` obeys."""
    names = TABLE.open_events(petition, actor, **_guard_facts(petition, actor, {}))
    return [
        {"name": name, "label": EVENT_LABELS[PetitionEvent(name)].zh, "label_en": EVENT_LABELS[PetitionEvent(name)].en}
        for name in names
    ]


def body_in_charge(division_code: str, level: int, excluded: Sequence[UUID] = ()) -> UUID | None:
    """The petition office that answers for a place at a level, or the next one above it: never nobody while one exists
    that is not `excluded`."""
    found: UUID | None = db.session.scalar(leading_body(division_code, level, excluded)) if level >= 1 else None
    return found


def leading_body(
    division_code: str, level: int, bodies: Sequence[UUID] = (), accounts: Sequence[UUID] = ()
) -> Select[Any]:
    """The query of `body_in_charge`, for a statement that asks for more at once.

    With excluded `bodies` or `accounts` it passes over those bodies and over offices where everybody is excluded, gives
    the level as well, and at the province falls back on the discipline commission.
    """
    places = Organisation.division_code.in_(lineage_of(division_code)[:level])
    leading: Any = Organisation.kind.in_(LEADING_KINDS)
    query = select(Organisation.id).where(places, Organisation.level <= level, Organisation.active).limit(1)
    if not (bodies or accounts):
        return query.where(leading).order_by(Organisation.level.desc(), Organisation.name)
    staff = serving(Organisation.id)
    return (
        query.add_columns(Organisation.level)
        .where(
            or_(leading, and_(Organisation.kind == "discipline", Organisation.level == 1)),
            Organisation.id.not_in(bodies),
            or_(~staff.exists(), staff.where(StaffAccount.id.not_in(accounts)).exists()),
        )
        .order_by(Organisation.level.desc(), leading.desc(), Organisation.name)
    )


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
    _store(petition, changed)
    _copy(petition, fresh, rows[-1].at)
    return len(changed)


def _find_office(petition: Petition) -> None:
    """Give a case that went up to the office of its level; where that must withdraw, the next one above takes it."""
    bodies, accounts = petition.excluded_org_ids, petition.excluded_account_ids
    if not (bodies or accounts):
        petition.owner_org_id = body_in_charge(petition.division_code, petition.level)
        return
    petition.owner_org_id = None
    if petition.level >= 1:
        found = db.session.execute(leading_body(petition.division_code, petition.level, bodies, accounts)).one_or_none()
        if found is not None:
            petition.owner_org_id = found.id
            petition.level = min(petition.level, found.level)


# The petitioner reads the public event and never the draft or the request before it: what the public one takes over.
_TAKES_OVER = {
    "deliver": ("submit_reply", ("outcome", "findings", "legal_basis")),
    "follow_parent": ("submit_reply", ("outcome", "findings", "legal_basis")),
    "approve_extension": ("request_extension", ("reason",)),
    "approve_suspension": ("request_suspension", ("reason_code", "plan")),
}


def _told(petition: Petition, event: str, log: list[CaseEvent], facts: dict[str, Any]) -> dict[str, Any]:
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


def _settle(petition: Petition, log: list[Any], row: PetitionEventRow) -> list[Deadline]:
    calendar, versions = calendar_store.current()
    before = {_key(one): one for one in deadlines(log, versions, calendar)} if log else {}
    after = deadlines([*log, *timeline.as_case_events([row])], versions, calendar)
    _store(petition, [one for one in after if before.get(_key(one)) != one])
    _copy(petition, after, row.at)
    if row.public:
        petition.last_visible_at = row.at
    return [one for one in after if one.live]


def _key(one: Deadline) -> str:
    return f"{one.policy_id}|{one.key}|{one.started_at.isoformat()}"


def _store(petition: Petition, changed: list[Deadline]) -> None:
    if not changed:
        return
    calendar, _versions = calendar_store.current()
    rows = [
        {
            "id": uuid4(),
            "petition_id": petition.id,
            "key": _key(one),
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
        for one in changed
    ]
    if petition.version == 1:
        db.session.execute(_NEW_DEADLINES, rows)
    else:
        db.session.execute(_CHANGED_DEADLINES, rows)


def _copy(petition: Petition, running: list[Deadline], at: datetime) -> None:
    """Copy onto the petition what its guards and its list row need."""
    live = {one.policy_id: one for one in running if one.live}
    step = next_forced(running)
    petition.next_due_at = step.due_at if step else None
    petition.next_policy = step.policy_id if step else None
    petition.next_event = step.forces if step else None

    def until(*ids: str) -> datetime | None:
        return next((live[one].due_at for one in ids if one in live), None)

    petition.due_at = until("PT-21", "PT-05", "PT-12")
    petition.return_until = until("PT-04") or petition.return_until
    petition.rating_until = until("PT-13") or petition.rating_until
    petition.review_until = until("PT-09", "PT-07") or petition.review_until
    calendar, _versions = calendar_store.current()
    rank = {None: 0, "blue": 1, "yellow": 2, "red": 3}
    cards = [petition.colour, *(ladder(one, at, calendar) for one in live.values())]
    # Colours only climb: what went wrong stays visible until the case has ended.
    petition.colour = max(cards, key=lambda card: rank[card])


def _release_orders(petition: Petition) -> None:
    """An order asked the body of one round to act; with a new round, or at the end of the case, it has done its work."""
    db.session.execute(
        update(SupervisionOrder)
        .where(SupervisionOrder.petition_id == petition.id, SupervisionOrder.state != "released")
        .values(state="released"),
        execution_options={"synchronize_session": False},
    )


def order_due_at() -> datetime:
    """When a supervision order issued now must be answered: PT-22 in the version in force today."""
    calendar, versions = calendar_store.current()
    day = clock.today()
    policy = max(
        (one for one in versions if one.id == "PT-22" and one.valid_from <= day), key=lambda one: one.valid_from
    )
    return limit(policy, clock.now(), calendar).at


def _order(petition: Petition, reason: str) -> None:
    red = petition.dissatisfied >= 2 or petition.colour == "red"
    db.session.execute(
        insert(SupervisionOrder.__table__).values(
            id=uuid4(),
            petition_id=petition.id,
            state="issued",
            level=petition.level,
            issuer_org_id=petition.owner_org_id,
            target_org_id=petition.main_org_id,
            reason=reason,
            colour="red" if red else "yellow",
            issued_at=clock.now(),
            due_at=order_due_at(),
            returns=0,
            overdue=False,
        )
    )


def move_order(order: SupervisionOrder, event: str, actor: Actor, **facts: Any) -> Step:
    """Send `event` to the chart of a locked supervision order. Raises WrongState, NotAllowed or MissingFact."""
    return ORDERS.send(order, event, actor, **facts)
