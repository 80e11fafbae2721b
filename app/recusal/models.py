"""Exclusions from a case with their reasons, their lifting for namesakes, and the changes of the directory that wait to be looked at."""

from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy import ARRAY, CheckConstraint, DateTime, ForeignKey, Index, Text, Uuid, func, text
from sqlalchemy.orm import Mapped, mapped_column

from app.extensions import db


class ExclusionRow(db.Model):
    """One account or body that must withdraw from a case. Written once; nothing takes it out of force while the case lives
    but the lifting that it then names.

    Inserting a row hides the case at once: a trigger copies the id into the arrays that the row policies read.
    """

    __tablename__ = "exclusions"
    __table_args__ = (
        CheckConstraint("(account_id IS NULL) <> (org_id IS NULL)", name="one"),
        Index(
            "ix_exclusions_once", "petition_id", "account_id", "org_id", unique=True, postgresql_nulls_not_distinct=True,
            postgresql_where=text("lifting_id IS NULL"),
        ),  # fmt: skip
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    petition_id: Mapped[UUID] = mapped_column(ForeignKey("petitions.id"))
    account_id: Mapped[UUID | None] = mapped_column(ForeignKey("staff_accounts.id"))
    org_id: Mapped[UUID | None] = mapped_column(ForeignKey("organisations.id"))
    reason: Mapped[str] = mapped_column(Text)
    rests_on: Mapped[UUID | None]
    kin_scope: Mapped[str | None] = mapped_column(Text)
    note: Mapped[str | None] = mapped_column(Text)
    since: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    lifting_id: Mapped[UUID | None] = mapped_column(ForeignKey("liftings.id"))


class Lifting(db.Model):
    """Somebody says, with a reason, that a bearer of a name is not the one whom the case names. Appended, never changed.
    `cleared_ids`: that human as person and as account."""

    __tablename__ = "liftings"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    petition_id: Mapped[UUID] = mapped_column(ForeignKey("petitions.id"), index=True)
    bearer_id: Mapped[UUID]
    cleared_ids: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid))
    account_id: Mapped[UUID] = mapped_column(ForeignKey("staff_accounts.id"))
    role: Mapped[str] = mapped_column(Text)
    org_id: Mapped[UUID] = mapped_column(ForeignKey("organisations.id"))
    at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    reason: Mapped[str] = mapped_column(Text)


class LiftingStep(db.Model):
    """A second person, of another body, confirms a lifting; or somebody puts the exclusion back. Appended, never changed."""

    __tablename__ = "lifting_steps"
    __table_args__ = (CheckConstraint("step IN ('confirm', 'revoke')", name="step"),)

    lifting_id: Mapped[UUID] = mapped_column(ForeignKey("liftings.id"), primary_key=True)
    step: Mapped[str] = mapped_column(Text, primary_key=True)
    petition_id: Mapped[UUID] = mapped_column(ForeignKey("petitions.id"), index=True)
    account_id: Mapped[UUID] = mapped_column(ForeignKey("staff_accounts.id"))
    role: Mapped[str] = mapped_column(Text)
    org_id: Mapped[UUID] = mapped_column(ForeignKey("organisations.id"))
    at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class RecusalSubject(db.Model):
    """A person or account of the directory whom a sealed petition names, by id alone: the web writes it, only the worker reads it."""

    __tablename__ = "recusal_subjects"
    __table_args__ = (
        CheckConstraint("kind IN ('person', 'account')", name="kind"),
        Index("ix_recusal_subjects_subject", "subject_id"),
    )

    petition_id: Mapped[UUID] = mapped_column(ForeignKey("petitions.id"), primary_key=True)
    kind: Mapped[str] = mapped_column(Text, primary_key=True)
    subject_id: Mapped[UUID] = mapped_column(primary_key=True)


class DirectoryChange(db.Model):
    """Something that may exclude somebody anew: written by triggers, taken away by the worker."""

    __tablename__ = "directory_changes"
    __table_args__ = (Index("ix_directory_changes_at", "at"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4, server_default=func.gen_random_uuid())
    at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    person_id: Mapped[UUID | None]
    account_id: Mapped[UUID | None]
    org_id: Mapped[UUID | None]
    petition_id: Mapped[UUID | None]
