"""Who asked the records about whom."""

from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy import Boolean, CheckConstraint, ForeignKey, Index, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.columns import CODE, INSTANT
from app.extensions import db


class Inquiry(db.Model):
    """One use of the records. Appended, never changed. `division_code` is the area of the asker;
    `subject` the keyed hash of a person or company, or the code of a village; `counts` rows found by dataset."""

    __tablename__ = "inquiries"
    __table_args__ = (
        CheckConstraint("subject_kind IN ('person', 'company', 'place')", name="subject_kind"),
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
    subject_kind: Mapped[str] = mapped_column(Text)
    subject: Mapped[str] = mapped_column(Text)
    revealed: Mapped[bool] = mapped_column(Boolean)  # whether names were shown
    purpose: Mapped[str] = mapped_column(Text)
    petition_id: Mapped[UUID | None] = mapped_column(ForeignKey("petitions.id"))
    alert_id: Mapped[UUID | None]
    counts: Mapped[dict[str, int]] = mapped_column(JSONB)
