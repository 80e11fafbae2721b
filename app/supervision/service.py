"""The supervisor's desk, and supervision orders: issue, answer, verify, release."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import and_, case, select, text

from app import calendar_store, clock
from app.auth import Identity
from app.directory.models import Organisation
from app.errors import Forbidden, Unknown
from app.extensions import db
from app.petitions.models import OPEN_STATES, Petition
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

DESK_ROLES = SUPERVISORS | {Role.TOWNSHIP_DISCIPLINE, Role.DISPATCHED_GROUP}
_OPEN = text("petitions.state IN ({})".format(", ".join(f"'{state}'" for state in OPEN_STATES)))


def desk(query: Mapping[str, Any], who: Identity) -> dict[str, Any]:
    """One list of the desk: what is stuck, which body has it, since when, and what is forced next.

    Lists: overdue, dissatisfied, reopened (twice or more), silent (nothing visible to the petitioner for 10 working
    days), circling (returned or dispatched again three times or more), supervised.
    """
    if who.actor.role not in DESK_ROLES:
        raise Forbidden()
    now = clock.now()
    calendar, _versions = calendar_store.current()
    quiet_since = start_of_day(calendar.workday_before(shanghai_day(now), 10))
    wanted = {
        "overdue": and_(_OPEN, (Petition.next_due_at < now) | (Petition.supervised & (Petition.colour == "red"))),
        "dissatisfied": and_(_OPEN, Petition.dissatisfied > 0),
        "reopened": and_(_OPEN, Petition.round >= 3),
        "silent": and_(_OPEN, Petition.last_visible_at < quiet_since),
        "circling": and_(_OPEN, (Petition.returns + Petition.dispatches) >= 3),
        "supervised": and_(_OPEN, Petition.supervised),
    }[query["list"]]
    since = case((Petition.next_due_at < now, Petition.next_due_at), else_=Petition.last_visible_at).label("since")
    rows = (
        select(
            Petition.id, Petition.serial, Petition.title, Petition.division_code, Petition.state, Petition.level,
            Petition.round, Petition.colour, Petition.filed_at, Petition.next_due_at, Petition.next_policy,
            Petition.next_event, since, Organisation.name.label("body"),
        )
        .outerjoin(Organisation, Organisation.id == Petition.main_org_id)
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


def orders(who: Identity) -> list[dict[str, Any]]:
    """The orders not yet released that concern my body or my area, the most urgent first; 200 at most."""
    rows = db.session.execute(
        select(SupervisionOrder, Petition.serial)
        .join(Petition, Petition.id == SupervisionOrder.petition_id)
        .where(SupervisionOrder.state != "released")
        .order_by(SupervisionOrder.due_at)
        .limit(200)
    )
    return [_view(order, serial, who) for order, serial in rows]


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
