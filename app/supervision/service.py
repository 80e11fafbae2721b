"""The supervisor's desk, and supervision orders: issue, answer, verify, release."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, case, exists, func, select, text, true
from sqlalchemy.orm import aliased

from app import calendar_store, clock
from app.auth import Identity
from app.directory.models import Organisation
from app.errors import Forbidden, Unknown
from app.extensions import db
from app.petitions.models import OPEN_STATES, Petition, Rating
from app.petitions.service import note
from app.supervision import orders as supervision_orders
from app.supervision.models import SupervisionOrder
from app.transitions import lock, move_order
from app.web import cursor_of, read_cursor
from workflows.actor import Role
from workflows.base import WrongState
from workflows.calendar import shanghai_day, start_of_day
from workflows.order import SUPERVISORS
from workflows.order import TABLE as ORDERS
from workflows.petition_record import IN_CHARGE
from workflows.policies import policies

DESK_ROLES = SUPERVISORS | {Role.TOWNSHIP_DISCIPLINE, Role.DISPATCHED_GROUP}
ORDERS_SHOWN = 200
OFFICE_RATING_SHOWN = timedelta(days=30)
_OPEN = text("petitions.state IN ({})".format(", ".join(f"'{state}'" for state in OPEN_STATES)))


def desk(query: Mapping[str, Any], who: Identity) -> dict[str, Any]:
    """One list of the desk: what is stuck, which body has it, since when, and what is forced next.

    Lists: overdue (a limit has passed, or an order because of it still stands), dissatisfied, office_dissatisfied (of the
    last 30 days, see `_rated_office_alone`), reopened (handled anew twice or more), silent (nothing that the petitioner
    could see for the working days of PT-28, while somebody else has to act), circling (sent back, or given out again,
    three times or more), supervised. Raises Forbidden for a role that supervises nothing.
    """
    if who.actor.role not in DESK_ROLES:
        raise Forbidden()
    now = clock.now()
    wanted = and_(_OPEN, _belongs(query["list"], now))
    if query["list"] == "office_dissatisfied":
        wanted = _rated_office_alone(now, who)
    since = case((Petition.next_due_at < now, Petition.next_due_at), else_=Petition.last_visible_at).label("since")
    rows = (
        select(
            Petition.id, Petition.serial, Petition.title, Petition.division_code, Petition.state, Petition.level,
            Petition.round, Petition.colour, Petition.filed_at, Petition.next_due_at, Petition.next_policy,
            Petition.next_event, since, Organisation.name.label("body"),
        )
        .outerjoin(Organisation, Organisation.id == _HAS_IT)
        .where(wanted)
        .order_by(Petition.filed_at.desc(), Petition.id.desc())
        .limit(query["limit"] + 1)
    )  # fmt: skip
    if query["cursor"]:
        at, last = read_cursor(query["cursor"])
        rows = rows.where(text("(petitions.filed_at, petitions.id) < (:at, :last)").bindparams(at=at, last=last))
    found = [row._mapping for row in db.session.execute(rows)]
    items = found[: query["limit"]]
    more = len(found) > query["limit"]
    return {"items": items, "next": cursor_of(items[-1]["filed_at"], items[-1]["id"]) if more else None}


# Who has to act now: the body in charge, or else the one that handles the case or will have answered it.
_HAS_IT = case(
    (Petition.state.in_(sorted(IN_CHARGE)), Petition.owner_org_id),
    else_=func.coalesce(Petition.main_org_id, Petition.owner_org_id),
)


def _belongs(name: str, now: datetime) -> ColumnElement[bool]:
    """The condition of a list of open cases."""
    if name == "silent":
        return _silent(now)
    of_case = (SupervisionOrder.petition_id == Petition.id) & (SupervisionOrder.state != "released")
    late = exists().where(of_case, SupervisionOrder.overdue | (SupervisionOrder.reason == "overdue"))
    conditions: dict[str, ColumnElement[bool]] = {
        "overdue": (Petition.next_due_at < now) | (Petition.supervised & late),
        "dissatisfied": Petition.dissatisfied > 0,
        # The first handling is round 1.
        "reopened": Petition.round >= 3,
        # The first dispatch is none again.
        "circling": (Petition.returns >= 3) | (Petition.dispatches >= 4),
        "supervised": Petition.supervised == true(),
    }
    return conditions.get(name, true())


def _silent(now: datetime) -> ColumnElement[bool]:
    """Nothing visible since the working days of PT-28 have passed, in a state in which it is not the petitioner's turn."""
    calendar, versions = calendar_store.current()
    policy = policies(versions, clock.today())["PT-28"]
    yesterday = shanghai_day(now) - timedelta(days=1)
    # The earliest of the last working days: whatever was seen on it or later was seen recently enough.
    first = calendar.next_workday(calendar.workday_before(yesterday, policy.amount) + timedelta(days=1))
    return Petition.state.in_(policy.states) & (Petition.last_visible_at < start_of_day(first))


def _rated_office_alone(now: datetime, who: Identity) -> ColumnElement[bool]:
    """The petition office was rated dissatisfied in the last 30 days, and the body was not (docs/adr/0011-second-bad-rating.md).

    Such a case closes like any other, so it is shown to the levels above the office instead of being sent there. A rating
    that was changed since does not count.
    """
    later = aliased(Rating)
    changed = exists().where(later.petition_id == Rating.petition_id, later.at > Rating.at)
    rated = select(Rating.petition_id).where(
        Rating.office_grade == "dissatisfied",
        Rating.body_grade != "dissatisfied",
        Rating.at > now - OFFICE_RATING_SHOWN,
        ~changed,
    )
    return Petition.id.in_(rated) & (Petition.level > (who.actor.org_level or 0))


def issue_order(petition_id: UUID, reason: str, who: Identity) -> dict[str, Any]:
    """Issue an order by hand to the body that handles the case, with a message to it, and return the order.

    Raises Forbidden for who may not supervise the case, and WrongState for one that has ended: nobody could act on it.
    """
    petition = lock(petition_id)
    level = who.actor.org_level or 9
    if who.actor.role not in SUPERVISORS or level > petition.level or petition.main_org_id == who.actor.org_id:
        raise Forbidden()
    if petition.state not in OPEN_STATES:
        raise WrongState(petition.state, [])
    order = supervision_orders.issue_order(petition, reason, level=level, issuer_org_id=who.actor.org_id)
    note(petition, "issue_order", who, {"reason": reason})
    db.session.flush()
    return _view(order, petition.serial, who)


def orders(who: Identity, petition_id: UUID | None = None) -> list[dict[str, Any]]:
    """The orders not yet released that concern my body or my area, of one case or of all, the most urgent first; 200 at most."""
    rows = (
        select(SupervisionOrder, Petition.serial)
        .join(Petition, Petition.id == SupervisionOrder.petition_id)
        .where(SupervisionOrder.state != "released")
        .order_by(SupervisionOrder.due_at)
        .limit(ORDERS_SHOWN)
    )
    if petition_id is not None:
        rows = rows.where(SupervisionOrder.petition_id == petition_id)
    return [_view(order, serial, who) for order, serial in db.session.execute(rows)]


def act_on_order(order_id: UUID, event: str, who: Identity, facts: Mapping[str, Any]) -> dict[str, Any]:
    """Answer, send back, verify or release. Raises Unknown, WrongState, NotAllowed, MissingFact."""
    petition_id = db.session.scalar(select(SupervisionOrder.petition_id).where(SupervisionOrder.id == order_id))
    if petition_id is None:
        raise Unknown()
    # The case first and then the order, as the clock does: the other way round the two would wait for each other.
    petition = lock(petition_id)
    order = db.session.scalars(
        select(SupervisionOrder)
        .where(SupervisionOrder.id == order_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one()
    move_order(order, event, who.actor, **facts)
    if event == "answer":
        order.answer, order.answered_at = facts["answer"], clock.now()
    if event == "send_back":
        # A new limit begins; left marked as overdue, the order would be passed over when that passes too.
        order.due_at, order.overdue = supervision_orders.order_due_at(), False
        supervision_orders.announce_order(petition, order.due_at)
    note(petition, f"order_{event}", who, {"reason": facts.get("reason")})
    db.session.flush()
    return _view(order, petition.serial, who)


def _view(order: SupervisionOrder, serial: str, who: Identity) -> dict[str, Any]:
    return {
        **{column.key: getattr(order, column.key) for column in SupervisionOrder.__table__.columns},
        "serial": serial,
        "overdue": order.overdue or (order.state == "issued" and order.due_at <= clock.now()),
        "allowed_actions": ORDERS.open_events(order, who.actor),
    }
