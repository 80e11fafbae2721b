"""The inbox of whoever is signed in, and the messages that could not be delivered."""

from typing import Any
from uuid import UUID

from app.auth import signed_in
from app.errors import Forbidden
from app.messages import service
from app.messages.schemas import DeadLetterPage, InboxItem, InboxPage, InboxQuery, PageQuery, Resent
from app.web import Blueprint
from workflows.actor import Actor, Role

messages = Blueprint("messages", __name__, url_prefix="/api/v1")


@messages.get("/inbox")
@messages.arguments(InboxQuery, location="query")
@messages.response(200, InboxPage)
def list_inbox(query: dict[str, Any]) -> Any:
    """Messages to the reader, newest first."""
    with signed_in():
        return service.inbox(**query)


@messages.post("/inbox/<uuid:message_id>/actions/read")
@messages.response(200, InboxItem)
def mark_message_read(message_id: UUID) -> Any:
    """Note that a message has been read."""
    with signed_in():
        return service.mark_read(message_id)


@messages.get("/outbox/dead")
@messages.arguments(PageQuery, location="query")
@messages.response(200, DeadLetterPage)
def list_dead_letters(query: dict[str, Any]) -> Any:
    """Messages that were given up, newest first."""
    with signed_in("staff") as who:
        _require_keeper(who.actor)
        return service.dead_letters(**query)


@messages.post("/outbox/<uuid:message_id>/actions/resend")
@messages.response(200, Resent)
def resend_message(message_id: UUID) -> Any:
    """Put a message that was given up back in the queue."""
    with signed_in("staff") as who:
        _require_keeper(who.actor)
        return service.resend(message_id)


def _require_keeper(actor: Actor) -> None:
    if not (actor.head or actor.role in (Role.PETITION_OFFICE, Role.SYSTEM_ADMIN)):
        raise Forbidden()
