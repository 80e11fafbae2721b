"""A clue and what hangs on it. The columns that the chart reads are described in workflows.clue."""

from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import ARRAY, Boolean, CheckConstraint, ForeignKey, Index, Integer, LargeBinary, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql import UUID as PgUUID
from sqlalchemy.orm import Mapped, mapped_column

from app.columns import CODE, INSTANT
from app.extensions import db
from workflows.clue import ClueState

_STATES = ", ".join(f"'{state.value}'" for state in ClueState)


class Clue(db.Model):
    """One clue of one petition. Holds no word of what was reported."""

    __tablename__ = "clues"
    __table_args__ = (
        CheckConstraint(f"state IN ({_STATES})", name="state"),
        CheckConstraint("org_id IS NOT NULL OR state = 'outside'", name="in_charge"),
        Index("ix_clues_due", "next_due_at", "id", postgresql_where=text("next_event IS NOT NULL")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    petition_id: Mapped[UUID] = mapped_column(ForeignKey("petitions.id"), unique=True)
    serial: Mapped[str] = mapped_column(Text)
    division_code: Mapped[str] = mapped_column(CODE)
    version: Mapped[int] = mapped_column(Integer, default=1)
    opened_at: Mapped[datetime] = mapped_column(INSTANT)
    state: Mapped[str] = mapped_column(Text)
    level: Mapped[int] = mapped_column(Integer)
    org_id: Mapped[UUID | None] = mapped_column(ForeignKey("organisations.id"), index=True)
    excluded_ids: Mapped[list[UUID]] = mapped_column(ARRAY(PgUUID(as_uuid=True)))  # accused bodies and all below them, bodies and accounts that withdrew
    named: Mapped[bool] = mapped_column(Boolean)
    real_name: Mapped[bool] = mapped_column(Boolean, default=False)
    handler_id: Mapped[UUID | None] = mapped_column(ForeignKey("staff_accounts.id"))
    proposer_id: Mapped[UUID | None] = mapped_column(ForeignKey("staff_accounts.id"))
    disposal: Mapped[str | None] = mapped_column(Text)
    outcome: Mapped[str | None] = mapped_column(Text)
    false_accusation: Mapped[str | None] = mapped_column(Text)
    false_proposer_id: Mapped[UUID | None] = mapped_column(ForeignKey("staff_accounts.id"))
    clarification: Mapped[str | None] = mapped_column(Text)
    clarification_proposer_id: Mapped[UUID | None] = mapped_column(ForeignKey("staff_accounts.id"))
    result_reported: Mapped[bool] = mapped_column(Boolean, default=False)
    transfers: Mapped[int] = mapped_column(Integer, default=0)
    returns: Mapped[int] = mapped_column(Integer, default=0)
    takes: Mapped[int] = mapped_column(Integer, default=0)
    assignments: Mapped[int] = mapped_column(Integer, default=0)
    reports: Mapped[int] = mapped_column(Integer, default=0)
    answers: Mapped[int] = mapped_column(Integer, default=0)
    urgings: Mapped[int] = mapped_column(Integer, default=0)
    overdue: Mapped[bool] = mapped_column(Boolean, default=False)
    # Running limits, copied from the events so that a list needs no second look.
    limits: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, default=list)
    next_due_at: Mapped[datetime | None] = mapped_column(INSTANT)
    next_policy: Mapped[str | None] = mapped_column(Text)
    next_event: Mapped[str | None] = mapped_column(Text)

    __mapper_args__ = {"version_id_col": version, "version_id_generator": False}


class ClueReader(db.Model):
    """Somebody on the need-to-know list, from `since` on and until `until`. `granted_by` is None for the first ones."""

    __tablename__ = "clue_readers"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    clue_id: Mapped[UUID] = mapped_column(ForeignKey("clues.id"), index=True)
    account_id: Mapped[UUID] = mapped_column(ForeignKey("staff_accounts.id"), index=True)
    granted_by: Mapped[UUID | None] = mapped_column(ForeignKey("staff_accounts.id"))
    since: Mapped[datetime] = mapped_column(INSTANT)
    until: Mapped[datetime | None] = mapped_column(INSTANT)


class ClueEventRow(db.Model):
    """The timeline of a clue, appended and never changed. `facts` holds codes; what people wrote is in the box."""

    __tablename__ = "clue_events"
    __table_args__ = (Index("ix_clue_events_clue", "clue_id", "seq", unique=True),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    clue_id: Mapped[UUID] = mapped_column(ForeignKey("clues.id"))
    seq: Mapped[int] = mapped_column(Integer)
    at: Mapped[datetime] = mapped_column(INSTANT)
    clock_offset_seconds: Mapped[int] = mapped_column(Integer)
    event: Mapped[str] = mapped_column(Text)
    from_state: Mapped[str | None] = mapped_column(Text)
    to_state: Mapped[str] = mapped_column(Text)
    actor_kind: Mapped[str] = mapped_column(Text)
    actor_id: Mapped[UUID | None]
    actor_role: Mapped[str] = mapped_column(Text)
    org_id: Mapped[UUID | None]
    public: Mapped[bool] = mapped_column(Boolean)
    facts: Mapped[dict[str, Any]] = mapped_column(JSONB)
    algorithm: Mapped[str | None] = mapped_column(Text)
    nonce: Mapped[bytes | None] = mapped_column(LargeBinary)
    ciphertext: Mapped[bytes | None] = mapped_column(LargeBinary)
    salt: Mapped[bytes] = mapped_column(LargeBinary)
    commitment: Mapped[bytes] = mapped_column(LargeBinary)


class ClueMessage(db.Model):
    """A word between the petitioner and the readers of the clue, sealed."""

    __tablename__ = "clue_messages"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    clue_id: Mapped[UUID] = mapped_column(ForeignKey("clues.id"), index=True)
    at: Mapped[datetime] = mapped_column(INSTANT)
    author_kind: Mapped[str] = mapped_column(Text)
    author_id: Mapped[UUID | None]
    algorithm: Mapped[str] = mapped_column(Text)
    nonce: Mapped[bytes] = mapped_column(LargeBinary)
    ciphertext: Mapped[bytes] = mapped_column(LargeBinary)


class ClueRead(db.Model):
    """One opening of the text: who, when, why. Appended, never changed."""

    __tablename__ = "clue_reads"
    __table_args__ = (CheckConstraint("char_length(purpose) >= 4", name="purpose"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    clue_id: Mapped[UUID] = mapped_column(ForeignKey("clues.id"), index=True)
    at: Mapped[datetime] = mapped_column(INSTANT)
    account_id: Mapped[UUID] = mapped_column(ForeignKey("staff_accounts.id"))
    role: Mapped[str] = mapped_column(Text)
    org_id: Mapped[UUID] = mapped_column(ForeignKey("organisations.id"))
    purpose: Mapped[str] = mapped_column(Text)


class ClueContent(db.Model):
    """What was reported, sealed under the key of the clue: title, text, people named, and all that was written before."""

    __tablename__ = "clue_contents"
    __table_args__ = ({"schema": "sealed"},)

    clue_id: Mapped[UUID] = mapped_column(ForeignKey("clues.id"), primary_key=True)
    algorithm: Mapped[str] = mapped_column(Text)
    nonce: Mapped[bytes] = mapped_column(LargeBinary)
    ciphertext: Mapped[bytes] = mapped_column(LargeBinary)
