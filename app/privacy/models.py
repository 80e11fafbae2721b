"""Who read what of a case, what petitioners ask of their own data, and how long a case is kept."""

from datetime import date, datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Boolean, CheckConstraint, Date, ForeignKey, Index, Integer, LargeBinary, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.columns import CODE, INSTANT
from app.extensions import db


class CaseRead(db.Model):
    """One look at the content of a case by a member of staff. Appended, never changed. An export has no one case."""

    __tablename__ = "case_reads"
    __table_args__ = (
        CheckConstraint("what IN ('detail', 'file', 'paper', 'identity', 'export')", name="what"),
        Index("ix_case_reads_case", "petition_id", text("at DESC"), text("id DESC")),
        Index("ix_case_reads_account", "account_id", text("at DESC"), text("id DESC")),
        Index("ix_case_reads_place", "division_code", text("at DESC"), text("id DESC")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    at: Mapped[datetime] = mapped_column(INSTANT)
    account_id: Mapped[UUID] = mapped_column(ForeignKey("staff_accounts.id"))
    role: Mapped[str] = mapped_column(Text)
    org_id: Mapped[UUID] = mapped_column(ForeignKey("organisations.id"))
    petition_id: Mapped[UUID | None] = mapped_column(ForeignKey("petitions.id"))
    division_code: Mapped[str] = mapped_column(CODE)
    what: Mapped[str] = mapped_column(Text)
    purpose: Mapped[str] = mapped_column(Text)  # the body's part in the case, or the written reason of an opening
    details: Mapped[dict[str, Any]] = mapped_column(JSONB)  # which file, which filter of an export: codes and ids only


class DataRequest(db.Model):
    """A petitioner asks for their data to be corrected or deleted; the office decides with a reason. `ciphertext` is the
    corrected identity, sealed under the data key of the case."""

    __tablename__ = "data_requests"
    __table_args__ = (
        CheckConstraint("kind IN ('correct', 'delete')", name="kind"),
        CheckConstraint("decision IN ('granted', 'refused')", name="decision"),
        CheckConstraint("decision IS DISTINCT FROM 'refused' OR ground IS NOT NULL", name="reasoned"),
        Index("ix_data_requests_open", "due_on", "id", postgresql_where=text("decision IS NULL")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    petition_id: Mapped[UUID] = mapped_column(ForeignKey("petitions.id"), index=True)
    kind: Mapped[str] = mapped_column(Text)
    wish: Mapped[str] = mapped_column(Text)
    asked_at: Mapped[datetime] = mapped_column(INSTANT)
    due_on: Mapped[date] = mapped_column(Date)
    provisional: Mapped[bool] = mapped_column(Boolean)
    algorithm: Mapped[str | None] = mapped_column(Text)
    nonce: Mapped[bytes | None] = mapped_column(LargeBinary)
    ciphertext: Mapped[bytes | None] = mapped_column(LargeBinary)
    decision: Mapped[str | None] = mapped_column(Text)
    ground: Mapped[str | None] = mapped_column(Text)
    reason: Mapped[str | None] = mapped_column(Text)
    decided_at: Mapped[datetime | None] = mapped_column(INSTANT)
    decided_by: Mapped[UUID | None] = mapped_column(ForeignKey("staff_accounts.id"))
    decided_org_id: Mapped[UUID | None] = mapped_column(ForeignKey("organisations.id"))
    recovery_mac: Mapped[str | None] = mapped_column(Text)  # of the corrected identity


class RetentionRule(db.Model):
    """For how many years a case is kept after it has ended in this state; without a rule, for good."""

    __tablename__ = "retention_rules"
    __table_args__ = (CheckConstraint("years > 0", name="years"),)

    state: Mapped[str] = mapped_column(Text, primary_key=True)
    years: Mapped[int] = mapped_column(Integer)


class ContentKey(db.Model):
    """The key under which back-ups seal what a case says; 32 bytes. Of an erased case there is none. The nil id holds the key for rows
    of no case."""

    __tablename__ = "content_keys"
    __table_args__ = (CheckConstraint("length(key) = 32", name="length"), {"schema": "sealed"})

    petition_id: Mapped[UUID] = mapped_column(primary_key=True)
    key: Mapped[bytes] = mapped_column(LargeBinary)
