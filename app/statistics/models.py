"""What was published: each closed month once and for good. The worker may add to these tables, nobody may change them."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Integer, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.columns import CODE, INSTANT
from app.extensions import db


class Publication(db.Model):
    """A month whose figures are published, with the threshold that held for them."""

    __tablename__ = "publications"
    __table_args__ = (CheckConstraint("period ~ '^[0-9]{4}-(0[1-9]|1[0-2])$'", name="month"),)

    period: Mapped[str] = mapped_column(Text, primary_key=True)  # 2026-10
    published_at: Mapped[datetime] = mapped_column(INSTANT)
    least: Mapped[int] = mapped_column(Integer)


class PublishedFigure(db.Model):
    """The figures of a place in a month: {"filed": {"total": 38, "land": 12, "works": null, …}, …}; null is hidden."""

    __tablename__ = "published_figures"

    period: Mapped[str] = mapped_column(Text, ForeignKey("publications.period"), primary_key=True)
    division_code: Mapped[str] = mapped_column(CODE, ForeignKey("divisions.code"), primary_key=True)
    figures: Mapped[dict[str, Any]] = mapped_column(JSONB)
