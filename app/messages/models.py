"""The outbox, written with the change and sent after commit, and the inbox that it fills."""

from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import CheckConstraint, Index, Integer, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.columns import INSTANT
from app.extensions import db


class OutboxMessage(db.Model):
    """A message to an audience. `params` hold serial number, state and dates: never what a person wrote."""

    __tablename__ = "outbox"
    __table_args__ = (
        CheckConstraint("status IN ('pending', 'sent', 'dead')", name="status"),
        Index("ix_outbox_pending", "next_attempt_at", postgresql_where=text("status = 'pending'")),
        Index("ix_outbox_dead", "created_at", postgresql_where=text("status = 'dead'")),
        Index("ix_outbox_sent", "sent_at", postgresql_where=text("status = 'sent'")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    created_at: Mapped[datetime] = mapped_column(INSTANT)
    audience: Mapped[str] = mapped_column(Text)  # petitioner, owner_org, main_org, co_orgs, phone, mailbox
    template: Mapped[str] = mapped_column(Text)
    petition_id: Mapped[UUID | None]
    address: Mapped[str | None] = mapped_column(Text)  # a phone or mailbox, for one-time codes and passwords only
    params: Mapped[dict[str, Any]] = mapped_column(JSONB, default=dict)
    status: Mapped[str] = mapped_column(Text, default="pending")
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    next_attempt_at: Mapped[datetime] = mapped_column(INSTANT)
    last_error: Mapped[str | None] = mapped_column(Text)
    sent_at: Mapped[datetime | None] = mapped_column(INSTANT)


class InboxMessage(db.Model):
    """What a staff account or a petitioner finds in the application."""

    __tablename__ = "inbox"
    __table_args__ = (
        Index("ix_inbox_account", "account_id", text("at DESC")),
        Index("ix_inbox_villager", "villager_id", text("at DESC")),
        Index("ix_inbox_petition", "petition_id", text("at DESC")),
        Index("ix_inbox_once", "outbox_id", "account_id", unique=True),
        Index("ix_inbox_read", "read_at", postgresql_where=text("read_at IS NOT NULL")),
        Index("ix_inbox_unread", "at", postgresql_where=text("read_at IS NULL")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    outbox_id: Mapped[UUID]
    account_id: Mapped[UUID | None]
    villager_id: Mapped[UUID | None]
    petition_id: Mapped[UUID | None]
    at: Mapped[datetime] = mapped_column(INSTANT)
    template: Mapped[str] = mapped_column(Text)
    params: Mapped[dict[str, Any]] = mapped_column(JSONB, default=dict)
    read_at: Mapped[datetime | None] = mapped_column(INSTANT)
