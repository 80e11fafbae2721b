"""Who read what of a case, what petitioners ask of their own data, and how long a case is kept."""

from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import CheckConstraint, DateTime, ForeignKey, Index, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.directory.models import CODE
from app.extensions import db

INSTANT = DateTime(timezone=True)


class CaseRead(db.Model):
    """One look at the content of a case by a member of staff. Appended, never changed. An export has no one case."""

    __tablename__ = "case_reads"
    __table_args__ = (
        CheckConstraint("what IN ('detail', 'file', 'identity', 'export')", name="what"),
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
