"""The logs: one for each county, city and province. Web and worker can append (the worker) and read, never change or delete."""

from datetime import datetime

from sqlalchemy import BigInteger, DateTime, Index, Integer, LargeBinary, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from app.columns import CODE
from app.extensions import db


class LedgerQueue(db.Model):
    """Commitments that wait for their place in a log: written by the transaction that made them, taken by the sequencer."""

    __tablename__ = "ledger_queue"
    __table_args__ = (Index("ix_ledger_queue_log", "log", "commitment"),)

    commitment: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    log: Mapped[str] = mapped_column(CODE)
    queued_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=text("now()"))


class LedgerPadding(db.Model):
    """An entry that stands for nothing, with the salt that opens it. The worker writes it; nobody but the owner reads it."""

    __tablename__ = "ledger_padding"

    commitment: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    salt: Mapped[bytes] = mapped_column(LargeBinary)


class LedgerLeaf(db.Model):
    """An entry of a log. `log`: the first six, four or two digits of the division code of a county, city or province."""

    __tablename__ = "ledger_leaves"
    __table_args__ = (Index("ix_ledger_leaves_commitment", "commitment", unique=True),)

    log: Mapped[str] = mapped_column(CODE, primary_key=True)
    index: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    commitment: Mapped[bytes] = mapped_column(LargeBinary)


class LedgerNode(db.Model):
    """The hash of a perfect subtree of two leaves or more; that of a leaf follows from its entry."""

    __tablename__ = "ledger_nodes"

    log: Mapped[str] = mapped_column(CODE, primary_key=True)
    level: Mapped[int] = mapped_column(Integer, primary_key=True)
    index: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    hash: Mapped[bytes] = mapped_column(LargeBinary)


class LedgerHead(db.Model):
    """A signed head. `entry`: by what it stands in the log of the level above."""

    __tablename__ = "ledger_heads"
    __table_args__ = (Index("ix_ledger_heads_entry", "entry", unique=True),)

    log: Mapped[str] = mapped_column(CODE, primary_key=True)
    size: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    at: Mapped[datetime] = mapped_column(DateTime(timezone=True), primary_key=True)
    root: Mapped[bytes] = mapped_column(LargeBinary)
    key_id: Mapped[str] = mapped_column(Text)
    algorithm: Mapped[str] = mapped_column(Text)
    signature: Mapped[str] = mapped_column(Text)
    entry: Mapped[bytes] = mapped_column(LargeBinary)


class LedgerKey(db.Model):
    """The public half of a key that signed here (SubjectPublicKeyInfo, DER), and from when it may no longer be believed."""

    __tablename__ = "ledger_keys"

    key_id: Mapped[str] = mapped_column(Text, primary_key=True)
    algorithm: Mapped[str] = mapped_column(Text)
    public: Mapped[bytes] = mapped_column(LargeBinary)
    first_used_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    revoked_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
