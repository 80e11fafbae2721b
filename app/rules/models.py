"""Rules, their versions, what happened to them, their runs, and the villages whose records changed."""

from datetime import date, datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    Date,
    ForeignKey,
    Identity,
    Index,
    Integer,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.columns import CODE, INSTANT
from app.extensions import db
from workflows.rule import RuleState

_STATES = ", ".join(f"'{state.value}'" for state in RuleState)


class RuleHead(db.Model):
    """A rule, whatever its versions. `scope`: whose it is, digits of a place, empty for what is shipped."""

    __tablename__ = "rules"

    code: Mapped[str] = mapped_column(CODE, primary_key=True)
    module: Mapped[str] = mapped_column(Text)
    scope: Mapped[str] = mapped_column(CODE)
    created_at: Mapped[datetime] = mapped_column(INSTANT)
    created_by: Mapped[UUID | None]


class RuleVersion(db.Model):
    """One document of a rule; it never changes. No author and no approver: shipped with the product."""

    __tablename__ = "rule_versions"
    __table_args__ = (
        UniqueConstraint("code", "version"),
        CheckConstraint(f"state IN ({_STATES})", name="state"),
        CheckConstraint("approver_id <> author_id", name="two_people"),
        Index("ix_rule_versions_live", "code", unique=True, postgresql_where=text("state = 'live'")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    code: Mapped[str] = mapped_column(ForeignKey("rules.code"), type_=CODE)
    scope: Mapped[str] = mapped_column(CODE)
    version: Mapped[int] = mapped_column(Integer)
    document: Mapped[dict[str, Any]] = mapped_column(JSONB)
    state: Mapped[str] = mapped_column(Text)
    author_id: Mapped[UUID | None]
    approver_id: Mapped[UUID | None]
    created_at: Mapped[datetime] = mapped_column(INSTANT)
    changed_at: Mapped[datetime] = mapped_column(INSTANT)
    live_at: Mapped[datetime | None] = mapped_column(INSTANT)
    retired_at: Mapped[datetime | None] = mapped_column(INSTANT)


class RuleEventRow(db.Model):
    """A step in the life of a version, with what it found (`facts`). Only added."""

    __tablename__ = "rule_events"
    __table_args__ = (Index("ix_rule_events_version_id", "version_id", "at"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    version_id: Mapped[UUID] = mapped_column(ForeignKey("rule_versions.id"))
    at: Mapped[datetime] = mapped_column(INSTANT)
    event: Mapped[str] = mapped_column(Text)
    from_state: Mapped[str] = mapped_column(Text)
    to_state: Mapped[str] = mapped_column(Text)
    actor_id: Mapped[UUID | None]
    actor_role: Mapped[str] = mapped_column(Text)
    org_id: Mapped[UUID | None]
    facts: Mapped[dict[str, Any]] = mapped_column(JSONB)


class RuleRun(db.Model):
    """What an engine did with a version. `unjudged`: records by reason. `degraded`: datasets whose sources are silent. `error`: the kind
    of fault that stopped it, never its text."""

    __tablename__ = "rule_runs"
    __table_args__ = (
        CheckConstraint("mode IN ('full', 'touched', 'shadow')", name="mode"),
        Index("ix_rule_runs_version_id", "version_id", "started_at"),
        Index("ix_rule_runs_as_of", "as_of", postgresql_where=text("mode <> 'touched'")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    version_id: Mapped[UUID] = mapped_column(ForeignKey("rule_versions.id"))
    mode: Mapped[str] = mapped_column(Text)
    engine: Mapped[str] = mapped_column(Text)
    as_of: Mapped[date] = mapped_column(Date)
    known_on: Mapped[date | None] = mapped_column(Date)
    watermarks: Mapped[dict[str, str]] = mapped_column(JSONB)
    degraded: Mapped[list[str]] = mapped_column(ARRAY(Text))
    alerts: Mapped[int] = mapped_column(Integer)
    evidence: Mapped[int] = mapped_column(Integer)
    unjudged: Mapped[dict[str, int]] = mapped_column(JSONB)
    outcomes: Mapped[dict[str, int]] = mapped_column(JSONB)
    error: Mapped[str | None] = mapped_column(Text)
    started_at: Mapped[datetime] = mapped_column(INSTANT)
    milliseconds: Mapped[int] = mapped_column(Integer)


class TouchedGroup(db.Model):
    """A village whose records of a dataset changed and were not yet judged anew."""

    __tablename__ = "touched_groups"

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=False), primary_key=True)
    dataset: Mapped[str] = mapped_column(CODE)
    place: Mapped[str] = mapped_column(CODE)
    at: Mapped[datetime] = mapped_column(INSTANT)
