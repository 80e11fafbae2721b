"""The registry of datasets, their sources, and the batches that came in. The records themselves lie in the schema `records`, a
table for each dataset, which only the database function `define_dataset` makes."""

from datetime import date, datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import BigInteger, CheckConstraint, Date, ForeignKey, Index, Integer, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.columns import CODE, INSTANT
from app.extensions import db


class DatasetRow(db.Model):
    """A dataset type in force. `scope`: digits of the place that owns it, "" for those that are shipped."""

    __tablename__ = "datasets"

    code: Mapped[str] = mapped_column(CODE, primary_key=True)
    module: Mapped[str] = mapped_column(Text)
    version: Mapped[int] = mapped_column(Integer)
    definition: Mapped[dict[str, Any]] = mapped_column(JSONB)
    owner: Mapped[str] = mapped_column(Text)
    freshness_days: Mapped[int] = mapped_column(Integer)
    scope: Mapped[str] = mapped_column(CODE)
    changed_at: Mapped[datetime] = mapped_column(INSTANT)
    changed_by: Mapped[UUID | None]


class DatasetVersion(db.Model):
    """Every definition that a dataset has had."""

    __tablename__ = "dataset_versions"

    code: Mapped[str] = mapped_column(CODE, ForeignKey("datasets.code"), primary_key=True)
    version: Mapped[int] = mapped_column(Integer, primary_key=True)
    definition: Mapped[dict[str, Any]] = mapped_column(JSONB)
    at: Mapped[datetime] = mapped_column(INSTANT)
    by: Mapped[UUID | None]


class RecordSource(db.Model):
    """Somebody who sends records of one dataset, for the places that begin with `scope`. `watermark`: the newest event day."""

    __tablename__ = "record_sources"
    __table_args__ = (UniqueConstraint("dataset", "code"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    dataset: Mapped[str] = mapped_column(CODE, ForeignKey("datasets.code"))
    code: Mapped[str] = mapped_column(CODE)
    name: Mapped[str] = mapped_column(Text)
    scope: Mapped[str] = mapped_column(CODE)
    key_hash: Mapped[str | None] = mapped_column(Text, index=True, unique=True)
    watermark: Mapped[date | None] = mapped_column(Date)
    last_arrival_at: Mapped[datetime | None] = mapped_column(INSTANT)
    created_at: Mapped[datetime] = mapped_column(INSTANT)
    created_by: Mapped[UUID | None]
    closed_at: Mapped[datetime | None] = mapped_column(INSTANT)


class ColumnMapping(db.Model):
    """What a column of a source's files means: a field, or nothing (None)."""

    __tablename__ = "column_mappings"

    source_id: Mapped[UUID] = mapped_column(ForeignKey("record_sources.id"), primary_key=True)
    header: Mapped[str] = mapped_column(Text, primary_key=True)
    target: Mapped[str | None] = mapped_column(Text)
    learnt_at: Mapped[datetime] = mapped_column(INSTANT)
    learnt_by: Mapped[UUID | None]


class ImportBatch(db.Model):
    """A file that came in. `progress`: the last line that is safe in the staging table."""

    __tablename__ = "import_batches"
    __table_args__ = (
        CheckConstraint("status IN ('uploaded', 'queued', 'loading', 'published', 'replaced', 'failed')", name="status"),
        Index("ix_import_batches_waiting", "created_at", postgresql_where=text("status IN ('queued', 'loading')")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    source_id: Mapped[UUID] = mapped_column(ForeignKey("record_sources.id"), index=True)
    dataset: Mapped[str] = mapped_column(CODE)
    scope: Mapped[str] = mapped_column(CODE)
    status: Mapped[str] = mapped_column(Text)
    failed_because: Mapped[str | None] = mapped_column(Text)
    file_name: Mapped[str] = mapped_column(Text)
    sha256: Mapped[str] = mapped_column(Text)
    size: Mapped[int] = mapped_column(BigInteger)
    noticed: Mapped[list[Any]] = mapped_column(JSONB)
    headers: Mapped[list[str]] = mapped_column(JSONB)
    titles: Mapped[list[str]] = mapped_column(JSONB)
    mapping: Mapped[dict[str, str | None]] = mapped_column(JSONB)
    replaces: Mapped[UUID | None] = mapped_column(ForeignKey("import_batches.id"))
    progress: Mapped[int] = mapped_column(Integer)
    counts: Mapped[dict[str, Any]] = mapped_column(JSONB)
    created_at: Mapped[datetime] = mapped_column(INSTANT, index=True)
    created_by: Mapped[UUID | None]
    started_at: Mapped[datetime | None] = mapped_column(INSTANT)
    finished_at: Mapped[datetime | None] = mapped_column(INSTANT)


class ImportReject(db.Model):
    """A line that was not taken, and why. What stood in it stays in the file."""

    __tablename__ = "import_rejects"

    batch_id: Mapped[UUID] = mapped_column(ForeignKey("import_batches.id"), primary_key=True)
    line: Mapped[int] = mapped_column(Integer, primary_key=True)
    reason: Mapped[str] = mapped_column(Text)
    field: Mapped[str | None] = mapped_column(Text)
