"""Sessions, villagers' accounts, resets of staff accounts, one-time codes, failed attempts, rate limits and idempotency keys."""

from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import CheckConstraint, ForeignKey, Integer, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.columns import INSTANT
from app.extensions import db


class Villager(db.Model):
    """A petitioner's account: found by an HMAC of its telephone number, which itself is sealed."""

    __tablename__ = "villagers"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    phone_mac: Mapped[str] = mapped_column(Text, unique=True)
    sealed: Mapped[dict[str, str]] = mapped_column(JSONB)
    created_at: Mapped[datetime] = mapped_column(INSTANT)


class SignInSession(db.Model):
    """One signed-in device. `refresh_jti` names the only refresh token that is still good."""

    __tablename__ = "sessions"
    __table_args__ = (CheckConstraint("kind IN ('staff', 'villager', 'receipt')", name="kind"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    kind: Mapped[str] = mapped_column(Text)
    account_id: Mapped[UUID | None] = mapped_column(ForeignKey("staff_accounts.id"), index=True)
    appointment_id: Mapped[UUID | None] = mapped_column(ForeignKey("appointments.id"))
    villager_id: Mapped[UUID | None] = mapped_column(ForeignKey("villagers.id"), index=True)
    petition_id: Mapped[UUID | None]
    refresh_jti: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(INSTANT)
    expires_at: Mapped[datetime] = mapped_column(INSTANT, index=True)
    revoked_at: Mapped[datetime | None] = mapped_column(INSTANT)
    revoked_because: Mapped[str | None] = mapped_column(Text)


class AccountReset(db.Model):
    """A password or second factor that one administrator asked to reset and another one did; kept for good."""

    __tablename__ = "account_resets"
    __table_args__ = (
        CheckConstraint("what IN ('password', 'second_factor')", name="what"),
        CheckConstraint(
            "asked_by <> account_id AND granted_by <> account_id AND granted_by <> asked_by", name="two_people"
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    account_id: Mapped[UUID] = mapped_column(ForeignKey("staff_accounts.id"), index=True)
    what: Mapped[str] = mapped_column(Text)
    asked_by: Mapped[UUID] = mapped_column(ForeignKey("staff_accounts.id"))
    asked_at: Mapped[datetime] = mapped_column(INSTANT)
    expires_at: Mapped[datetime] = mapped_column(INSTANT)
    granted_by: Mapped[UUID | None] = mapped_column(ForeignKey("staff_accounts.id"))
    granted_at: Mapped[datetime | None] = mapped_column(INSTANT)


class OneTimeCode(db.Model):
    __tablename__ = "one_time_codes"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    phone: Mapped[str] = mapped_column(Text, index=True)
    code_mac: Mapped[str] = mapped_column(Text)
    expires_at: Mapped[datetime] = mapped_column(INSTANT, index=True)
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    used_at: Mapped[datetime | None] = mapped_column(INSTANT)


class Attempt(db.Model):
    """Failures and requests counted per key: an HMAC of account, phone, receipt number or address."""

    __tablename__ = "attempts"

    key: Mapped[str] = mapped_column(Text, primary_key=True)
    count: Mapped[int] = mapped_column(Integer)
    window_ends_at: Mapped[datetime] = mapped_column(INSTANT, index=True)
    locked_until: Mapped[datetime | None] = mapped_column(INSTANT)


class IdempotencyKey(db.Model):
    """A client's key for one creating request, kept as an HMAC for thirty days with what it created."""

    __tablename__ = "idempotency_keys"

    key_mac: Mapped[str] = mapped_column(Text, primary_key=True)
    body_mac: Mapped[str] = mapped_column(Text)
    status: Mapped[int] = mapped_column(Integer)
    answer: Mapped[dict[str, Any]] = mapped_column(JSONB)
    created_at: Mapped[datetime] = mapped_column(INSTANT, index=True)
