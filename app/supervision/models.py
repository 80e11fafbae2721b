"""Supervision orders, the calendar of rest days, limits that an operator changed, the demonstration clock, the job log."""

from datetime import date, datetime
from uuid import UUID, uuid4

from sqlalchemy import Boolean, CheckConstraint, Date, ForeignKey, Index, Integer, SmallInteger, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from app.columns import INSTANT
from app.extensions import db


class SupervisionOrder(db.Model):
    """督办: what a higher body demands of the body that answers for a case."""

    __tablename__ = "supervision_orders"
    __table_args__ = (
        CheckConstraint("state IN ('issued', 'answered', 'verified', 'released')", name="state"),
        Index("ix_supervision_orders_due", "due_at", postgresql_where=text("state = 'issued'")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    petition_id: Mapped[UUID] = mapped_column(ForeignKey("petitions.id"), index=True)
    state: Mapped[str] = mapped_column(Text, default="issued")
    level: Mapped[int] = mapped_column(Integer)
    issuer_org_id: Mapped[UUID | None] = mapped_column(ForeignKey("organisations.id"))
    target_org_id: Mapped[UUID | None] = mapped_column(ForeignKey("organisations.id"))
    reason: Mapped[str] = mapped_column(Text)  # overdue, dissatisfied, silent, circling, or the words of who issued it
    colour: Mapped[str] = mapped_column(Text)
    issued_at: Mapped[datetime] = mapped_column(INSTANT)
    due_at: Mapped[datetime] = mapped_column(INSTANT)
    answer: Mapped[str | None] = mapped_column(Text)
    answered_by: Mapped[UUID | None]
    answered_at: Mapped[datetime | None] = mapped_column(INSTANT)
    verified_by: Mapped[UUID | None]
    returns: Mapped[int] = mapped_column(Integer, default=0)
    overdue: Mapped[bool] = mapped_column(Boolean, default=False)


class Holiday(db.Model):
    __tablename__ = "holidays"

    day: Mapped[date] = mapped_column(Date, primary_key=True)
    is_off: Mapped[bool] = mapped_column(Boolean)  # false: a weekend that is worked
    source: Mapped[str] = mapped_column(Text)


class HolidayYear(db.Model):
    """A year whose notice is known; all others are provisional."""

    __tablename__ = "holiday_years"

    year: Mapped[int] = mapped_column(Integer, primary_key=True)
    imported_at: Mapped[datetime] = mapped_column(INSTANT)


class PolicyOverride(db.Model):
    """A limit that an operator set, from a day on. Running deadlines keep the version they began with."""

    __tablename__ = "policy_overrides"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    policy_id: Mapped[str] = mapped_column(Text)
    preset: Mapped[str] = mapped_column(Text)
    valid_from: Mapped[date] = mapped_column(Date)
    amount: Mapped[int] = mapped_column(Integer)


class ClockOffset(db.Model):
    """At most one row, and only in demonstration mode."""

    __tablename__ = "clock_offset"
    __table_args__ = (CheckConstraint("singleton = 1", name="one_row"),)

    singleton: Mapped[int] = mapped_column(SmallInteger, primary_key=True, default=1)
    seconds: Mapped[int] = mapped_column(Integer)


class JobRun(db.Model):
    __tablename__ = "job_runs"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    job: Mapped[str] = mapped_column(Text, index=True)
    started_at: Mapped[datetime] = mapped_column(INSTANT)
    finished_at: Mapped[datetime] = mapped_column(INSTANT, index=True)
    done: Mapped[int] = mapped_column(Integer)
    failed: Mapped[int] = mapped_column(Integer)
