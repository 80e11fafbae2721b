"""The supervisor's desk and supervision orders over HTTP."""

from typing import Any
from uuid import UUID

from app import idempotency
from app.auth import signed_in
from app.supervision import service
from app.supervision.schemas import (
    DeskPage,
    DeskQuery,
    OrderAnswer,
    OrderDraft,
    OrderList,
    OrderQuery,
    OrderReason,
    OrderView,
)
from app.web import Blueprint, Schema

supervision = Blueprint("supervision", __name__, url_prefix="/api/v1", description="督办 supervision")


@supervision.get("/supervision/desk")
@supervision.arguments(DeskQuery, location="query")
@supervision.response(200, DeskPage)
def supervision_desk(query: dict[str, Any]) -> Any:
    """What is stuck in my area, with the body that has it, since when, and the next forced step."""
    with signed_in("staff") as who:
        return service.desk(query, who)


@supervision.get("/supervision/orders")
@supervision.arguments(OrderQuery, location="query")
@supervision.response(200, OrderList)
def list_orders(query: dict[str, Any]) -> Any:
    """Orders that are not yet released, of one case or of all; the most urgent first, 200 at most."""
    with signed_in("staff") as who:
        return {"items": service.orders(who, query["petition_id"])}


@supervision.post("/supervision/orders")
@supervision.arguments(OrderDraft)
@supervision.response(201, OrderView)
@supervision.doc(parameters=[idempotency.KEY_HEADER])
def issue_order(draft: dict[str, Any]) -> Any:
    """Issue a supervision order by hand."""
    with signed_in("staff") as who:
        return idempotency.once(
            draft["petition_id"], draft, lambda: service.issue_order(draft["petition_id"], draft["reason"], who)
        )


@supervision.post("/supervision/orders/<uuid:order_id>/actions/answer")
@supervision.arguments(OrderAnswer)
@supervision.response(200, OrderView)
def answer_order(facts: dict[str, Any], order_id: UUID) -> Any:
    """The supervised body answers."""
    with signed_in("staff") as who:
        return service.act_on_order(order_id, "answer", who, facts)


@supervision.post("/supervision/orders/<uuid:order_id>/actions/send-back")
@supervision.arguments(OrderReason)
@supervision.response(200, OrderView)
def send_back_order(facts: dict[str, Any], order_id: UUID) -> Any:
    """The answer does not suffice."""
    with signed_in("staff") as who:
        return service.act_on_order(order_id, "send_back", who, facts)


@supervision.post("/supervision/orders/<uuid:order_id>/actions/verify")
@supervision.arguments(Schema)
@supervision.response(200, OrderView)
def verify_order(facts: dict[str, Any], order_id: UUID) -> Any:
    """The answer was checked on the spot."""
    with signed_in("staff") as who:
        return service.act_on_order(order_id, "verify", who, facts)


@supervision.post("/supervision/orders/<uuid:order_id>/actions/release")
@supervision.arguments(OrderReason)
@supervision.response(200, OrderView)
def release_order(facts: dict[str, Any], order_id: UUID) -> Any:
    """End the supervision, with the reason."""
    with signed_in("staff") as who:
        return service.act_on_order(order_id, "release", who, facts)
