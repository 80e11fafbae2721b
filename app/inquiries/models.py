"""Who asked the records about whom, and the sheets that were made of the answers."""

from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Boolean, CheckConstraint, ForeignKey, Index, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.columns import CODE, INSTANT
from app.extensions import db


class ExculpationSheet(db.Model):
    """What was compared with what, and what came of it. `content` names persons by their keyed hashes and holds no name."""

    __tablename__ = "exculpation_sheets"
    __table_args__ = (
        UniqueConstraint("number"),
        CheckConstraint("result IN ('nothing_found', 'found', 'cannot_exclude')", name="result"),
        Index("ix_exculpation_sheets_place", "division_code", text("made_at DESC"), text("id DESC")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    number: Mapped[str] = mapped_column(Text)
    made_at: Mapped[datetime] = mapped_column(INSTANT)
    account_id: Mapped[UUID] = mapped_column(ForeignKey("staff_accounts.id"))
    org_id: Mapped[UUID] = mapped_column(ForeignKey("organisations.id"))
    division_code: Mapped[str] = mapped_column(CODE)
    petition_id: Mapped[UUID | None] = mapped_column(ForeignKey("petitions.id"))
    result: Mapped[str] = mapped_column(Text)
    content: Mapped[dict[str, Any]] = mapped_column(JSONB)


class Inquiry(db.Model):
    """One use of the records, or one reading of a sheet. Appended, never changed. `division_code` is the area of the asker;
    `subject` the keyed hash of a person or company, or the code of a village; `counts` rows found by dataset."""

    __tablename__ = "inquiries"
    __table_args__ = (
        CheckConstraint("what IN ('query', 'sheet', 'reading')", name="what"),
        CheckConstraint("subject_kind IN ('person', 'company', 'place')", name="subject_kind"),
        CheckConstraint("(what = 'query') = (sheet_id IS NULL)", name="sheet"),
        Index("ix_inquiries_place", "division_code", text("at DESC"), text("id DESC")),
        Index("ix_inquiries_account", "account_id", text("at DESC"), text("id DESC")),
        Index("ix_inquiries_petition_id", "petition_id", postgresql_where=text("petition_id IS NOT NULL")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    at: Mapped[datetime] = mapped_column(INSTANT)
    account_id: Mapped[UUID] = mapped_column(ForeignKey("staff_accounts.id"))
    role: Mapped[str] = mapped_column(Text)
    org_id: Mapped[UUID] = mapped_column(ForeignKey("organisations.id"))
    division_code: Mapped[str] = mapped_column(CODE)
    what: Mapped[str] = mapped_column(Text)
    subject_kind: Mapped[str] = mapped_column(Text)
    subject: Mapped[str] = mapped_column(Text)
    revealed: Mapped[bool] = mapped_column(Boolean)  # whether names were shown
    purpose: Mapped[str] = mapped_column(Text)
    petition_id: Mapped[UUID | None] = mapped_column(ForeignKey("petitions.id"))
    alert_id: Mapped[UUID | None]
    sheet_id: Mapped[UUID | None] = mapped_column(ForeignKey("exculpation_sheets.id"))
    counts: Mapped[dict[str, int]] = mapped_column(JSONB)
