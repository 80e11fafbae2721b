"""Identities of petitioners, sealed and apart from the cases, and the record of every opening of a confidential one."""

from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy import Boolean, CheckConstraint, DateTime, ForeignKey, LargeBinary, Text
from sqlalchemy.orm import Mapped, mapped_column

from app.extensions import db

INSTANT = DateTime(timezone=True)


class SealedIdentity(db.Model):
    """Who filed a case: canonical JSON of the people, sealed under the data key of the case. Never changed by the way."""

    __tablename__ = "identities"
    __table_args__ = (CheckConstraint("way IN ('named', 'confidential')", name="way"), {"schema": "sealed"})

    petition_id: Mapped[UUID] = mapped_column(ForeignKey("petitions.id"), primary_key=True)
    way: Mapped[str] = mapped_column(Text)
    algorithm: Mapped[str] = mapped_column(Text)
    nonce: Mapped[bytes] = mapped_column(LargeBinary)
    ciphertext: Mapped[bytes] = mapped_column(LargeBinary)


class DataKeyRow(db.Model):
    """The wrapped data key of a case. Without this row its identity is lost for good, in every copy of the database."""

    __tablename__ = "data_keys"
    __table_args__ = ({"schema": "sealed"},)

    petition_id: Mapped[UUID] = mapped_column(primary_key=True)
    key_id: Mapped[str] = mapped_column(Text)
    algorithm: Mapped[str] = mapped_column(Text)
    nonce: Mapped[bytes] = mapped_column(LargeBinary)
    wrapped: Mapped[bytes] = mapped_column(LargeBinary)


class OpeningRole(db.Model):
    """Which roles may ask for an opening, and which may grant it."""

    __tablename__ = "opening_roles"

    role: Mapped[str] = mapped_column(Text, primary_key=True)
    may_request: Mapped[bool] = mapped_column(Boolean)
    may_grant: Mapped[bool] = mapped_column(Boolean)


class IdentityOpening(db.Model):
    """Somebody asks to see a confidential identity, with a written reason. Appended, never changed."""

    __tablename__ = "identity_openings"
    __table_args__ = (CheckConstraint("char_length(reason) >= 20", name="reason"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    petition_id: Mapped[UUID] = mapped_column(ForeignKey("petitions.id"), index=True)
    account_id: Mapped[UUID] = mapped_column(ForeignKey("staff_accounts.id"))
    role: Mapped[str] = mapped_column(Text)
    org_id: Mapped[UUID] = mapped_column(ForeignKey("organisations.id"))
    at: Mapped[datetime] = mapped_column(INSTANT)
    reason: Mapped[str] = mapped_column(Text)


class IdentityGrant(db.Model):
    """A second person, of another body, grants an opening for a short time. Appended, never changed."""

    __tablename__ = "identity_grants"
    __table_args__ = (CheckConstraint("until > at AND until <= at + interval '24 hours'", name="short"),)

    opening_id: Mapped[UUID] = mapped_column(ForeignKey("identity_openings.id"), primary_key=True)
    petition_id: Mapped[UUID] = mapped_column(ForeignKey("petitions.id"), index=True)
    account_id: Mapped[UUID] = mapped_column(ForeignKey("staff_accounts.id"))
    role: Mapped[str] = mapped_column(Text)
    org_id: Mapped[UUID] = mapped_column(ForeignKey("organisations.id"))
    at: Mapped[datetime] = mapped_column(INSTANT)
    until: Mapped[datetime] = mapped_column(INSTANT)
