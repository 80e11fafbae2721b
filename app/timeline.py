"""The append-only timeline of a case: the single source of its deadlines."""

import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Protocol
from uuid import UUID, uuid4

from sqlalchemy import bindparam, select

from app import clock
from app.database import Target, insert_rows
from app.extensions import db
from app.ledger.statements import commitment, event_document
from app.petitions.models import PetitionEventRow
from workflows.actor import Actor
from workflows.deadlines import CaseEvent

# What the petitioner sees on the timeline (信访事项网上办理工作规程: dates of registration, routing, notices and opinions),
# and every pause, extension and step upwards with its reason.
PUBLIC_EVENTS = frozenset(
    "file register auto_register merge redirect reject accept dispatch sign auto_sign start approve_extension "
    "approve_suspension resume resume_expired hold_hearing mediate deliver rate change_rating lapse_rating rehandle "
    "explain reopen ask_review give_review_opinion ask_recheck give_recheck_opinion lapse_review withdraw expire "
    "acknowledge_external urge_external record_external_end end_external follow_parent route_to_discipline "
    "approve_return expire_return split_from_parent unmerge record_money hold_meeting confirm_record dispute_record "
    "renew_pin recuse_body lift_exclusion restore_exclusion mark_urgent report_urgent record_delivery".split()
)


SALT_BYTES = 32

EVENTS = Target(PetitionEventRow.__table__)
_COLUMNS = tuple(column.key for column in PetitionEventRow.__table__.columns)
# Built once, and read as plain rows: nobody changes an event. What the ledger needs of it is of no use to a reader.
_LOG = (
    select(*(each for each in PetitionEventRow.__table__.columns if each.key not in ("salt", "commitment")))
    .where(PetitionEventRow.petition_id == bindparam("petition_id"))
    .order_by(PetitionEventRow.seq)
)
# The same of `petitions.id` in one value, for the statement that locks a case.
BROUGHT = """
    SELECT json_agg(json_build_array(e.seq, e.event, e.at, e.to_state, e.facts) ORDER BY e.seq)
      FROM petition_events e WHERE e.petition_id = petitions.id
"""


class Entry(Protocol):
    """What readers of a timeline take from one event, stored or just written."""

    event: str
    at: datetime
    to_state: str
    org_id: UUID | None
    public: bool
    facts: dict[str, Any]


class Locked(Protocol):
    """What `log_of_locked` takes of a case."""

    id: UUID
    version: int
    brought_log: list[list[Any]] | None


def log_of(petition_id: UUID) -> list[Entry]:
    """The events of a case that the reader may see, oldest first."""
    found: Any = db.session.execute(_LOG, {"petition_id": petition_id}).all()
    return list(found)


def as_case_events(rows: Iterable[Entry]) -> list[CaseEvent]:
    """The rows as the pure deadline engine reads them."""
    return [CaseEvent(row.event, row.at, row.to_state, row.facts) for row in rows]


def log_of_locked(petition: Locked) -> list[CaseEvent]:
    """The events of a locked case as the pure deadline engine reads them.

    Those that came with the lock are read anew when one was written since, or by whom the lock waited for: PostgreSQL then gives
    the row as it has become, and the rest of the statement as it was. The last event has the version of the case for its number.
    """
    brought = petition.brought_log
    if brought and brought[-1][0] == petition.version:
        return [CaseEvent(event, datetime.fromisoformat(at), state, facts) for _, event, at, state, facts in brought]
    return as_case_events(log_of(petition.id))


@dataclass(slots=True)
class NewEvent:
    """An event that is yet to be written: the columns of PetitionEventRow, without the bookkeeping of the mapper."""

    id: UUID
    petition_id: UUID
    seq: int
    at: datetime
    clock_offset_seconds: int
    event: str
    from_state: str | None
    to_state: str
    actor_kind: str
    actor_id: UUID | None
    actor_role: str
    org_id: UUID | None
    public: bool
    facts: dict[str, Any]
    salt: bytes
    commitment: bytes = b""


def append(petition_id: UUID, seq: int, event: str, actor: Actor, **more: Any) -> NewEvent:
    """Write one event and return it; what it takes stands at `event_of`."""
    row = event_of(petition_id, seq, event, actor, **more)
    insert_rows({EVENTS: [values_of(row)]})
    return row


def event_of(
    petition_id: UUID,
    seq: int,
    event: str,
    actor: Actor,
    *,
    from_state: str | None,
    to_state: str,
    facts: Mapping[str, Any],
    at: datetime | None = None,
    text_digest: Callable[[bytes], str] | None = None,
) -> NewEvent:
    """One event of the current instant, yet to be written. `seq` is the case's version after the event.

    The event carries its commitment, which the database queues for the ledger in the statement that writes it. For a
    filing, `text_digest` gives the digest of the text under the salt of the event.
    """
    row = NewEvent(
        id=uuid4(),
        petition_id=petition_id,
        seq=seq,
        at=at or clock.now(),
        clock_offset_seconds=clock.offset_seconds.get(),
        event=event,
        from_state=from_state,
        to_state=to_state,
        actor_kind=actor.kind,
        actor_id=actor.person_id,
        actor_role=str(actor.role),
        org_id=actor.org_id,
        public=event in PUBLIC_EVENTS,
        facts=plain(facts),
        salt=secrets.token_bytes(SALT_BYTES),
    )
    row.commitment = commitment(row.salt, event_document(row, text_digest(row.salt) if text_digest else None))
    return row


def values_of(row: NewEvent) -> dict[str, Any]:
    """An event as a row of EVENTS."""
    return {name: getattr(row, name) for name in _COLUMNS}


def plain(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Facts as JSON values: identifiers and dates become text."""

    def value(item: Any) -> Any:
        if isinstance(item, UUID | date | datetime):
            return item.isoformat() if isinstance(item, date) else str(item)
        if isinstance(item, list | tuple):
            return [value(each) for each in item]
        if isinstance(item, Mapping):
            return {name: value(each) for name, each in item.items()}
        return item

    return {name: value(item) for name, item in facts.items() if item is not None}
