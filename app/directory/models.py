"""Divisions, organisations, persons with posts and kin, and staff accounts with a role at an organisation."""

from datetime import date, datetime
from uuid import UUID, uuid4

from sqlalchemy import Boolean, CheckConstraint, Date, ForeignKey, Index, Integer, Text
from sqlalchemy.orm import Mapped, mapped_column

from app.columns import CODE, INSTANT
from app.extensions import db


class Division(db.Model):
    __tablename__ = "divisions"

    code: Mapped[str] = mapped_column(CODE, primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    level: Mapped[int] = mapped_column(Integer)  # 1 province, 2 city, 3 county, 4 township, 5 village
    parent_code: Mapped[str | None] = mapped_column(CODE, ForeignKey("divisions.code"), index=True)
    path: Mapped[str] = mapped_column(Text)
    valid_from: Mapped[date] = mapped_column(Date)
    withdrawn_on: Mapped[date | None] = mapped_column(Date)


class Organisation(db.Model):
    __tablename__ = "organisations"
    __table_args__ = (Index("ix_organisations_place", "division_code", "kind"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    name: Mapped[str] = mapped_column(Text)
    kind: Mapped[str] = mapped_column(Text)  # petition_office, discipline, office, department, dispatched_group, …
    division_code: Mapped[str] = mapped_column(CODE, ForeignKey("divisions.code"))
    level: Mapped[int] = mapped_column(Integer)
    parent_id: Mapped[UUID | None] = mapped_column(ForeignKey("organisations.id"), index=True)
    active: Mapped[bool] = mapped_column(Boolean, default=True)


class Person(db.Model):
    """A natural person known to the directory: a cadre, or somebody's kin."""

    __tablename__ = "persons"
    __table_args__ = (Index("ix_persons_name", "name"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    name: Mapped[str] = mapped_column(Text)
    division_code: Mapped[str | None] = mapped_column(CODE, ForeignKey("divisions.code"), index=True)


class Post(db.Model):
    __tablename__ = "posts"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    person_id: Mapped[UUID] = mapped_column(ForeignKey("persons.id"), index=True)
    org_id: Mapped[UUID] = mapped_column(ForeignKey("organisations.id"), index=True)
    title: Mapped[str] = mapped_column(Text)
    valid_from: Mapped[date] = mapped_column(Date)
    valid_to: Mapped[date | None] = mapped_column(Date)


class Kinship(db.Model):
    __tablename__ = "kinships"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    person_id: Mapped[UUID] = mapped_column(ForeignKey("persons.id"), index=True)
    relative_id: Mapped[UUID] = mapped_column(ForeignKey("persons.id"), index=True)
    relation: Mapped[str] = mapped_column(Text)
    valid_from: Mapped[date] = mapped_column(Date)
    valid_to: Mapped[date | None] = mapped_column(Date)


class StaffAccount(db.Model):
    __tablename__ = "staff_accounts"
    __table_args__ = (
        Index("ix_staff_accounts_name", "name"),
        # A secret in clear has no colon: nothing that forgets to seal it can store one.
        CheckConstraint("totp_secret LIKE '%:%'", name="totp_sealed"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    username: Mapped[str] = mapped_column(Text, unique=True)
    name: Mapped[str] = mapped_column(Text)
    person_id: Mapped[UUID | None] = mapped_column(ForeignKey("persons.id"), index=True)
    email: Mapped[str | None] = mapped_column(Text)
    password_hash: Mapped[str] = mapped_column(Text)
    must_change_password: Mapped[bool] = mapped_column(Boolean, default=True)
    password_set_at: Mapped[datetime | None] = mapped_column(INSTANT)  # None: as imported
    totp_secret: Mapped[str | None] = mapped_column(Text)  # sealed for this account (app.signin.sealed)
    totp_confirmed_at: Mapped[datetime | None] = mapped_column(INSTANT)
    totp_last_step: Mapped[int | None] = mapped_column(Integer)  # a code is good once
    left_on: Mapped[date | None] = mapped_column(Date)


class Appointment(db.Model):
    """A role of an account at an organisation, for a time."""

    __tablename__ = "appointments"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    account_id: Mapped[UUID] = mapped_column(ForeignKey("staff_accounts.id"), index=True)
    role: Mapped[str] = mapped_column(Text)
    org_id: Mapped[UUID] = mapped_column(ForeignKey("organisations.id"), index=True)
    head: Mapped[bool] = mapped_column(Boolean, default=False)
    valid_from: Mapped[date] = mapped_column(Date)
    valid_to: Mapped[date | None] = mapped_column(Date)

    __table_args__ = (CheckConstraint("valid_to IS NULL OR valid_to >= valid_from", name="order"),)
