"""Messages written in the transaction of the change they tell of. The worker delivers them after the commit.

For what somebody waits for, a code to a phone or a mailbox, a database trigger sends NOTIFY "outbox", and PostgreSQL passes
that on at commit: a change that is rolled back wakes nobody and tells nobody. Everything else is found by the next look of the
delivery, two seconds later at most: transactions that notify can only commit one after the other.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID, uuid4, uuid5

from app import clock
from app.database import Target, insert_rows
from app.messages.models import OutboxMessage
from notifications.catalogue import audiences

MESSAGES = Target(OutboxMessage.__table__, "ON CONFLICT DO NOTHING")
_NAMED = UUID("6f5d7e0a-3c1b-4e0e-9d58-0d5f3c7a4b21")


class Announced(Protocol):
    """What an announcement takes from a case."""

    id: UUID
    serial: str
    state: str
    next_due_at: datetime | None


def put(
    audience: str,
    template: str,
    petition_id: UUID | None,
    params: Mapping[str, Any] | None = None,
    address: str | None = None,
    *,
    once: str | None = None,
) -> None:
    """Store one message with the open transaction.

    params: `serial`, `state` (its code) and `due` (a day, or the instant a limit passes). address: a phone or
    mailbox, for one-time codes and passwords only. once: a name of this very message; a second one of the same name is not stored.
    """
    row = prepared(audience, template, petition_id, dict(params or {}), address)
    if once is not None:
        row["id"] = uuid5(_NAMED, once)
    insert_rows({MESSAGES: [row]})


def announce(template: str, petition: Announced, due_at: datetime | None = None, *, once: str | None = None) -> None:
    """Store what the catalogue says of this event or template, to everybody who hears of it."""
    insert_rows({MESSAGES: messages_about(template, petition, due_at, once=once)})


def messages_about(
    template: str, petition: Announced, due_at: datetime | None = None, *, once: str | None = None
) -> list[dict[str, Any]]:
    """What `announce` stores, as rows of MESSAGES, for who writes more with the same statement.

    due_at: the limit shown in the messages, the next forced step of the case when not given. once: as for `put`.
    """
    due = due_at or petition.next_due_at
    params = {
        "serial": petition.serial,
        "state": str(petition.state),
        "due": due.isoformat() if due else None,
    }
    rows = []
    for audience in audiences(template):
        row = prepared(audience, template, petition.id, params, None)
        if once is not None:
            row["id"] = uuid5(_NAMED, f"{once}|{template}|{audience}")
        rows.append(row)
    return rows


def prepared(
    audience: str, template: str, petition_id: UUID | None, params: dict[str, Any], address: str | None = None
) -> dict[str, Any]:
    """One message as a row of MESSAGES, for who writes it with other rows."""
    now = clock.now()
    return {
        "id": uuid4(),
        "created_at": now,
        "audience": audience,
        "template": template,
        "petition_id": petition_id,
        "address": address,
        "params": params,
        "status": "pending",
        "attempts": 0,
        "next_attempt_at": now,
    }
