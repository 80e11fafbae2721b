"""Uploaded files: resumable while uploading, quarantined until checked, then part of a case."""

from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from app.columns import INSTANT
from app.extensions import db


class Attachment(db.Model):
    __tablename__ = "attachments"
    __table_args__ = (
        CheckConstraint("status IN ('uploading', 'quarantined', 'released', 'refused')", name="status"),
        Index("ix_attachments_quarantined", "created_at", postgresql_where=text("status = 'quarantined'")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    petition_id: Mapped[UUID] = mapped_column(ForeignKey("petitions.id"), index=True)
    uploader_kind: Mapped[str] = mapped_column(Text)
    uploader_id: Mapped[UUID | None]
    name: Mapped[str] = mapped_column(Text)
    size: Mapped[int] = mapped_column(BigInteger)
    received: Mapped[int] = mapped_column(BigInteger, default=0)
    media_type: Mapped[str | None] = mapped_column(Text)
    sha256: Mapped[str | None] = mapped_column(Text)
    status: Mapped[str] = mapped_column(Text, default="uploading")
    refused_because: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(INSTANT)
