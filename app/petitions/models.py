"""A petition and what hangs on it. The columns that the chart reads are described in workflows.petition_record."""

from datetime import date, datetime
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    CheckConstraint,
    Date,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql import UUID as PgUUID
from sqlalchemy.orm import Mapped, mapped_column, query_expression

from app.columns import CODE, INSTANT
from app.extensions import db
from workflows.petition import PetitionState

UUIDS = ARRAY(PgUUID(as_uuid=True))
OPEN_STATES = tuple(
    s.value
    for s in PetitionState
    if s not in {"rated", "closed", "explained", "final", "withdrawn", "not_accepted", "redirected", "sealed", "ended"}
)
_STATES = ", ".join(f"'{s.value}'" for s in PetitionState)
IS_OPEN = "state IN ({})".format(", ".join(f"'{s}'" for s in OPEN_STATES))


class Petition(db.Model):
    __tablename__ = "petitions"
    __table_args__ = (
        CheckConstraint(f"state IN ({_STATES})", name="state"),
        CheckConstraint("way IN ('named', 'confidential', 'anonymous')", name="way"),
        Index("ix_petitions_newest", text("filed_at DESC"), text("id DESC")),
        Index("ix_petitions_open", text("filed_at DESC"), text("id DESC"), postgresql_where=text(IS_OPEN)),
        Index("ix_petitions_state", "state", text("filed_at DESC"), text("id DESC")),
        Index("ix_petitions_place", "division_code", text("filed_at DESC"), text("id DESC")),
        Index("ix_petitions_main_org", "main_org_id", text("filed_at DESC")),
        Index("ix_petitions_co_orgs", "co_org_ids", postgresql_using="gin"),
        Index("ix_petitions_villager", "villager_id", text("filed_at DESC")),
        Index("ix_petitions_due", "next_due_at", postgresql_where=text(IS_OPEN)),
        Index("ix_petitions_supervised", text("filed_at DESC"), text("id DESC"), postgresql_where=text("supervised")),
        Index("ix_petitions_unled", "id", postgresql_where=text("owner_org_id IS NULL AND level > 0")),
        Index("ix_petitions_filed_by", "filed_by_id", postgresql_where=text("filed_by_id IS NOT NULL")),
        Index("ix_petitions_parent", "parent_id", postgresql_where=text("parent_id IS NOT NULL")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    serial: Mapped[str] = mapped_column(Text, unique=True)  # random, so that it tells neither order nor number
    pin_mac: Mapped[str] = mapped_column(Text)
    version: Mapped[int] = mapped_column(Integer, default=1)
    filed_at: Mapped[datetime] = mapped_column(INSTANT)
    filed_on: Mapped[date] = mapped_column(Date)
    division_code: Mapped[str] = mapped_column(CODE, ForeignKey("divisions.code"))
    title: Mapped[str] = mapped_column(Text)
    body: Mapped[str] = mapped_column(Text)
    category: Mapped[str] = mapped_column(Text)
    channel: Mapped[str] = mapped_column(Text)  # web, letter, phone, fax, visit, helper
    item_type: Mapped[str] = mapped_column(Text)
    priority: Mapped[str] = mapped_column(Text, default="P2")
    simple: Mapped[bool] = mapped_column(Boolean, default=False)
    way: Mapped[str] = mapped_column(Text, default="named")  # named, confidential, anonymous; chosen once
    villager_id: Mapped[UUID | None] = mapped_column(ForeignKey("villagers.id"))
    accused: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, default=list)  # subjects named, as written
    accused_org_ids: Mapped[list[UUID]] = mapped_column(UUIDS, default=list)  # bodies named
    keep_from: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, default=list)  # whom it is to be kept from, as written
    subject_names: Mapped[list[str]] = mapped_column(ARRAY(Text), default=list)  # of both, to find the case by
    # Who must withdraw; the row policies read these. A trigger of `exclusions` adds to them; only a lifting takes away.
    excluded_org_ids: Mapped[list[UUID]] = mapped_column(UUIDS, default=list)
    excluded_account_ids: Mapped[list[UUID]] = mapped_column(UUIDS, default=list)
    cleared_ids: Mapped[list[UUID]] = mapped_column(UUIDS, default=list)  # namesakes who are not the ones named
    people_count: Mapped[int] = mapped_column(Integer, default=1)
    filed_by_id: Mapped[UUID | None] = mapped_column(ForeignKey("staff_accounts.id"))  # who filed or wrote it down
    erased_at: Mapped[datetime | None] = mapped_column(INSTANT)  # when key and content were destroyed
    confirmed_at: Mapped[datetime | None] = mapped_column(INSTANT)  # by the petitioner, where somebody else wrote
    claimed_fen: Mapped[int | None] = mapped_column(BigInteger)

    state: Mapped[str] = mapped_column(Text, default="filed")
    level: Mapped[int] = mapped_column(Integer, default=4)
    owner_org_id: Mapped[UUID | None] = mapped_column(ForeignKey("organisations.id"))
    main_org_id: Mapped[UUID | None] = mapped_column(ForeignKey("organisations.id"))
    main_handler_id: Mapped[UUID | None] = mapped_column(ForeignKey("staff_accounts.id"))
    co_org_ids: Mapped[list[UUID]] = mapped_column(UUIDS, default=list)
    co_waiting_org_ids: Mapped[list[UUID]] = mapped_column(UUIDS, default=list)
    past_org_ids: Mapped[list[UUID]] = mapped_column(UUIDS, default=list)
    past_handler_ids: Mapped[list[UUID]] = mapped_column(UUIDS, default=list)
    returned_org_ids: Mapped[list[UUID]] = mapped_column(UUIDS, default=list)
    reply_author_id: Mapped[UUID | None] = mapped_column(ForeignKey("staff_accounts.id"))
    round: Mapped[int] = mapped_column(Integer, default=1)
    designated: Mapped[bool] = mapped_column(Boolean, default=False)
    returns: Mapped[int] = mapped_column(Integer, default=0)
    dispatches: Mapped[int] = mapped_column(Integer, default=0)
    merges: Mapped[int] = mapped_column(Integer, default=0)
    parent_id: Mapped[UUID | None] = mapped_column(ForeignKey("petitions.id"))
    extension_days: Mapped[int] = mapped_column(Integer, default=0)
    extension_requests: Mapped[int] = mapped_column(Integer, default=0)
    extension_requested_by: Mapped[UUID | None] = mapped_column(ForeignKey("staff_accounts.id"))
    parked: Mapped[int] = mapped_column(Integer, default=0)
    suspension_days: Mapped[int] = mapped_column(Integer, default=0)
    suspended_requested_by: Mapped[UUID | None] = mapped_column(ForeignKey("staff_accounts.id"))
    reply_returns: Mapped[int] = mapped_column(Integer, default=0)
    answers: Mapped[int] = mapped_column(Integer, default=0)
    rating_changes: Mapped[int] = mapped_column(Integer, default=0)
    dissatisfied: Mapped[int] = mapped_column(Integer, default=0)
    reviews: Mapped[int] = mapped_column(Integer, default=0)
    rechecks: Mapped[int] = mapped_column(Integer, default=0)
    urgings: Mapped[int] = mapped_column(Integer, default=0)
    recusals: Mapped[int] = mapped_column(Integer, default=0)
    colour: Mapped[str | None] = mapped_column(Text)
    supervised: Mapped[bool] = mapped_column(Boolean, default=False)
    due_at: Mapped[datetime | None] = mapped_column(INSTANT)
    return_until: Mapped[datetime | None] = mapped_column(INSTANT)
    rating_until: Mapped[datetime | None] = mapped_column(INSTANT)
    review_until: Mapped[datetime | None] = mapped_column(INSTANT)
    # The next forced step, copied from the deadlines so that a list row needs no second look.
    next_due_at: Mapped[datetime | None] = mapped_column(INSTANT)
    next_policy: Mapped[str | None] = mapped_column(Text)
    next_event: Mapped[str | None] = mapped_column(Text)
    last_visible_at: Mapped[datetime] = mapped_column(INSTANT)  # last event that the petitioner could see

    # Comes with the lock alone (app.transitions) and is no column: the events at that instant, as `timeline.BROUGHT` gives them.
    brought_log: Mapped[list[list[Any]] | None] = query_expression()

    __mapper_args__ = {"version_id_col": version, "version_id_generator": False}


class NewPetition(SimpleNamespace):
    """A petition that is being filed: every column of Petition by its name, without the bookkeeping of the mapper."""


class ReceiptRow(db.Model):
    """What a receipt promised at filing: the dates, and the signed promise over them. Written once with the petition."""

    __tablename__ = "receipts"

    petition_id: Mapped[UUID] = mapped_column(ForeignKey("petitions.id"), primary_key=True)
    promises: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    promise: Mapped[dict[str, Any]] = mapped_column(JSONB)


class PetitionWords(db.Model):
    """Every two neighbouring characters of title and text, for `search_petitions` alone. A trigger of petitions writes them."""

    __tablename__ = "petition_words"
    __table_args__ = (Index("ix_petition_words", "words", postgresql_using="gin"),)

    petition_id: Mapped[UUID] = mapped_column(ForeignKey("petitions.id", ondelete="CASCADE"), primary_key=True)
    words: Mapped[list[str]] = mapped_column(ARRAY(Text))


class PetitionEventRow(db.Model):
    """The timeline: appended, never changed. The web and worker roles hold no right to update or delete it."""

    __tablename__ = "petition_events"
    __table_args__ = (
        Index("ix_petition_events_case", "petition_id", "seq", unique=True),
        Index("ix_petition_events_answers", "at", postgresql_where=text("event IN ('deliver', 'follow_parent')")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    petition_id: Mapped[UUID] = mapped_column(ForeignKey("petitions.id"))
    seq: Mapped[int] = mapped_column(Integer)
    at: Mapped[datetime] = mapped_column(INSTANT)
    clock_offset_seconds: Mapped[int] = mapped_column(Integer, default=0)
    event: Mapped[str] = mapped_column(Text)
    from_state: Mapped[str | None] = mapped_column(Text)
    to_state: Mapped[str] = mapped_column(Text)
    actor_kind: Mapped[str] = mapped_column(Text)
    actor_id: Mapped[UUID | None]
    actor_role: Mapped[str] = mapped_column(Text)
    org_id: Mapped[UUID | None]
    public: Mapped[bool] = mapped_column(Boolean, default=False)
    facts: Mapped[dict[str, Any]] = mapped_column(JSONB, default=dict)
    # What the ledger holds of this event, and the secret that opens it. Only the ledger reads them.
    salt: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)
    commitment: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)


class DeadlineRow(db.Model):
    """A deadline as computed from the timeline, stored so that the sweep finds what is due."""

    __tablename__ = "deadlines"
    __table_args__ = (
        Index("ix_deadlines_due", "due_at", "id", postgresql_where=text("live AND forces IS NOT NULL")),
        Index("ix_deadlines_remind", "remind_at", "id", postgresql_where=text("live AND remind_at IS NOT NULL")),
        Index("ix_deadlines_provisional", "petition_id", postgresql_where=text("live AND provisional")),
        Index("ix_deadlines_case", "petition_id", "key", unique=True),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    petition_id: Mapped[UUID] = mapped_column(ForeignKey("petitions.id"))
    key: Mapped[str] = mapped_column(Text)
    policy_id: Mapped[str] = mapped_column(Text)
    policy_version: Mapped[date] = mapped_column(Date)
    started_at: Mapped[datetime] = mapped_column(INSTANT)
    raw_on: Mapped[date | None] = mapped_column(Date)
    due_on: Mapped[date | None] = mapped_column(Date)
    due_at: Mapped[datetime] = mapped_column(INSTANT)
    provisional: Mapped[bool] = mapped_column(Boolean, default=False)
    paused_days: Mapped[int] = mapped_column(Integer, default=0)
    extended_days: Mapped[int] = mapped_column(Integer, default=0)
    live: Mapped[bool] = mapped_column(Boolean)
    breached: Mapped[bool] = mapped_column(Boolean, default=False)
    forces: Mapped[str | None] = mapped_column(Text)
    met_at: Mapped[datetime | None] = mapped_column(INSTANT)
    remind_at: Mapped[datetime | None] = mapped_column(INSTANT)


class Rating(db.Model):
    """One rating of one round: the petition office and the handling body apart."""

    __tablename__ = "ratings"
    __table_args__ = (
        Index("ix_ratings_office_dissatisfied", "at", postgresql_where=text("office_grade = 'dissatisfied'")),
        Index("ix_ratings_at", "at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    petition_id: Mapped[UUID] = mapped_column(ForeignKey("petitions.id"), index=True)
    round: Mapped[int] = mapped_column(Integer)
    at: Mapped[datetime] = mapped_column(INSTANT)
    office_grade: Mapped[str] = mapped_column(Text)
    body_grade: Mapped[str] = mapped_column(Text)
    reason: Mapped[str | None] = mapped_column(Text)


class CaseMessage(db.Model):
    """A word between petitioner and staff, or an internal note."""

    __tablename__ = "case_messages"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    petition_id: Mapped[UUID] = mapped_column(ForeignKey("petitions.id"), index=True)
    at: Mapped[datetime] = mapped_column(INSTANT)
    author_kind: Mapped[str] = mapped_column(Text)
    author_id: Mapped[UUID | None]
    org_id: Mapped[UUID | None]
    internal: Mapped[bool] = mapped_column(Boolean, default=False)
    body: Mapped[str] = mapped_column(Text)


class Meeting(db.Model):
    """A joint meeting on a case, with its minutes."""

    __tablename__ = "meetings"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    petition_id: Mapped[UUID] = mapped_column(ForeignKey("petitions.id"), index=True)
    held_at: Mapped[datetime] = mapped_column(INSTANT)
    org_ids: Mapped[list[UUID]] = mapped_column(UUIDS, default=list)
    minutes: Mapped[str] = mapped_column(Text)
    recorded_by: Mapped[UUID] = mapped_column(ForeignKey("staff_accounts.id"))


class MoneyEntry(db.Model):
    """Money of a case in fen: claimed, recovered, paid out. Instalments are several entries; none is ever changed."""

    __tablename__ = "money_entries"
    __table_args__ = (
        CheckConstraint("kind IN ('claimed', 'recovered', 'paid_out')", name="kind"),
        CheckConstraint("amount_fen <> 0", name="amount"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    petition_id: Mapped[UUID] = mapped_column(ForeignKey("petitions.id"), index=True)
    kind: Mapped[str] = mapped_column(Text)
    amount_fen: Mapped[int] = mapped_column(BigInteger)
    on: Mapped[date] = mapped_column(Date)
    note: Mapped[str] = mapped_column(Text, default="")
    recorded_at: Mapped[datetime] = mapped_column(INSTANT)
    recorded_by: Mapped[UUID | None]
