"""Statutory papers and how each reached the petitioner. Both tables are appended to and never changed."""

from datetime import date, datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import CheckConstraint, Date, ForeignKey, Index, Integer, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.columns import INSTANT
from app.extensions import db
from app.papers.kinds import METHODS, NAMES


def _one_of(column: str, values: tuple[str, ...]) -> str:
    return "{} IN ({})".format(column, ", ".join(f"'{value}'" for value in values))


class Paper(db.Model):
    """One paper of a case, as it was when it was made first: `printed` holds every word on it, `sha256` is of its file.
    Of an erased case `printed` keeps number, body, basis and next step alone."""

    __tablename__ = "papers"
    __table_args__ = (
        CheckConstraint(_one_of("kind", NAMES), name="kind"),
        UniqueConstraint("petition_id", "seq"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    petition_id: Mapped[UUID] = mapped_column(ForeignKey("petitions.id"))
    seq: Mapped[int] = mapped_column(Integer)  # of the event that decided it
    kind: Mapped[str] = mapped_column(Text)
    number: Mapped[str] = mapped_column(Text, unique=True)
    code: Mapped[str] = mapped_column(Text)
    decided_at: Mapped[datetime] = mapped_column(INSTANT)
    made_at: Mapped[datetime] = mapped_column(INSTANT)
    last_on: Mapped[date | None] = mapped_column(Date)
    printed: Mapped[dict[str, Any]] = mapped_column(JSONB)
    maker: Mapped[str] = mapped_column(Text)
    sha256: Mapped[str] = mapped_column(Text)


class PaperDelivery(db.Model):
    """That a paper reached the petitioner, or was refused: how, on which day, recorded by whom."""

    __tablename__ = "paper_deliveries"
    __table_args__ = (
        CheckConstraint(_one_of("method", METHODS), name="method"),
        Index("ix_paper_deliveries_once", "paper_id", unique=True, postgresql_where=text("method = 'online'")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    petition_id: Mapped[UUID] = mapped_column(ForeignKey("petitions.id"), index=True)
    paper_id: Mapped[UUID] = mapped_column(ForeignKey("papers.id"), index=True)
    method: Mapped[str] = mapped_column(Text)
    on: Mapped[date] = mapped_column(Date)
    at: Mapped[datetime] = mapped_column(INSTANT)
    recorded_by: Mapped[UUID | None]
    org_id: Mapped[UUID | None]
    note: Mapped[str] = mapped_column(Text, default="")
