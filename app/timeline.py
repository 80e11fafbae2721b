"""The append-only timeline of a case: the single source of its deadlines."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import insert, select

from app import clock
from app.extensions import db
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
    "approve_return expire_return split_from_parent unmerge record_money recuse_body".split()
)


_NEW_EVENT = insert(PetitionEventRow.__table__).inline()


def log_of(petition_id: UUID) -> list[PetitionEventRow]:
    """The events of a case that the reader may see, oldest first."""
    return list(
        db.session.scalars(
            select(PetitionEventRow).where(PetitionEventRow.petition_id == petition_id).order_by(PetitionEventRow.seq)
        )
    )


def as_case_events(rows: Iterable[PetitionEventRow]) -> list[CaseEvent]:
    """The rows as the pure deadline engine reads them."""
    return [CaseEvent(row.event, row.at, row.to_state, row.facts) for row in rows]


def append(
    petition_id: UUID,
    seq: int,
    event: str,
    actor: Actor,
    *,
    from_state: str | None,
    to_state: str,
    facts: Mapping[str, Any],
    at: datetime | None = None,
) -> PetitionEventRow:
    """Write one event at the current instant and return it. `seq` is the case's version after the event."""
    row = PetitionEventRow(
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
    )
    values = {column.key: getattr(row, column.key) for column in PetitionEventRow.__table__.columns}
    # An inline insert: nothing is read back, so that a writer who may not see the case (an anonymous filing) can write.
    db.session.execute(_NEW_EVENT, values)
    return row


def plain(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Facts as JSON values: identifiers and dates become text."""

    def value(item: Any) -> Any:
        if isinstance(item, UUID | date | datetime):
            return item.isoformat() if isinstance(item, date) else str(item)
        if isinstance(item, list | tuple):
            return [value(each) for each in item]
        return item

    return {name: value(item) for name, item in facts.items() if item is not None}
