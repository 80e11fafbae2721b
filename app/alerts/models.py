"""An alert, its evidence, and what hangs on it. The columns that the chart reads are described in workflows.alert."""

from datetime import date, datetime
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
from sqlalchemy.orm import Mapped, mapped_column

from app.columns import CODE, INSTANT
from app.extensions import db
from workflows.alert_record import COLOURS, SCOPES, AlertState

_STATES = ", ".join(f"'{state.value}'" for state in AlertState)


class AlertSource(db.Model):
    """Somebody outside who may push alerts: of these rules, below this place (a prefix of a division code), until a day."""

    __tablename__ = "alert_sources"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    name: Mapped[str] = mapped_column(Text)
    key_mac: Mapped[str] = mapped_column(Text, unique=True)
    rules: Mapped[list[str]] = mapped_column(ARRAY(Text))
    place: Mapped[str] = mapped_column(CODE)
    valid_to: Mapped[date | None] = mapped_column(Date)


class AlertRule(db.Model):
    """The document of a rule version that raised an alert, kept whatever becomes of the rule."""

    __tablename__ = "alert_rules"

    code: Mapped[str] = mapped_column(Text, primary_key=True)
    version: Mapped[int] = mapped_column(Integer, primary_key=True)
    document: Mapped[dict[str, Any]] = mapped_column(JSONB)


class AlertPacket(db.Model):
    """What one run of one rule found in one township (its code): sent out together, decided item by item."""

    __tablename__ = "alert_packets"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    rule_code: Mapped[str] = mapped_column(Text)
    rule_version: Mapped[int] = mapped_column(Integer)
    township: Mapped[str] = mapped_column(CODE)
    run_id: Mapped[UUID]
    made_at: Mapped[datetime] = mapped_column(INSTANT)


class Alert(db.Model):
    """One item. It is written by `fold_alerts` alone, and moved by `app.alerts.door` alone."""

    __tablename__ = "alerts"
    __table_args__ = (
        CheckConstraint(f"colour IN ({', '.join(repr(one) for one in COLOURS)})", name="colour"),
        CheckConstraint(f"state IN ({_STATES})", name="state"),
        Index("ix_alerts_current", "fingerprint", unique=True, postgresql_where=text("current")),
        Index("ix_alerts_place", "place", "raised_at"),
        Index("ix_alerts_rule", "rule_code", "rule_version"),
        Index("ix_alerts_run", "run_id", "rule_code"),
        Index("ix_alerts_key", "alert_key", postgresql_where=text("current")),
        Index("ix_alerts_unscreened", "raised_at", postgresql_where=text("screened_at IS NULL")),
        Index("ix_alerts_fresh", "id", postgresql_where=text("fresh_rows > 0")),
        Index("ix_alerts_names", "subject_names", postgresql_using="gin"),
        Index("ix_alerts_due", "next_due_at", "id", postgresql_where=text("next_event IS NOT NULL")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    serial: Mapped[str] = mapped_column(Text, unique=True)
    rule_code: Mapped[str] = mapped_column(Text)
    rule_version: Mapped[int] = mapped_column(Integer)
    module: Mapped[str] = mapped_column(Text)
    fingerprint: Mapped[str] = mapped_column(CODE)  # of the rule and what its key names, whatever version and time
    evidence_hash: Mapped[str] = mapped_column(CODE)  # of the rows of the last hit
    alert_key: Mapped[str] = mapped_column(CODE)
    mutes: Mapped[list[str]] = mapped_column(ARRAY(Text))  # codes of weaker rules
    place: Mapped[str] = mapped_column(CODE)
    colour: Mapped[str] = mapped_column(Text)
    money_fen: Mapped[int | None] = mapped_column(BigInteger)
    happened_on: Mapped[date | None] = mapped_column(Date)
    raised_at: Mapped[datetime] = mapped_column(INSTANT)
    run_id: Mapped[UUID | None]
    packet_id: Mapped[UUID | None] = mapped_column(ForeignKey("alert_packets.id"), index=True)
    source_id: Mapped[UUID | None] = mapped_column(ForeignKey("alert_sources.id"))
    earlier_id: Mapped[UUID | None] = mapped_column(ForeignKey("alerts.id"), index=True)  # closed, of the same fingerprint
    current: Mapped[bool] = mapped_column(Boolean)  # the last of its fingerprint
    seen_rows: Mapped[list[int]] = mapped_column(ARRAY(BigInteger))
    fresh_rows: Mapped[int] = mapped_column(Integer)  # evidence that is not yet on the timeline
    found_colour: Mapped[str] = mapped_column(Text)  # the gravest that was found; the chart decides what follows
    # Whom and what it is about: keyed hashes, unified codes, numbers of contracts, and the names by which people withdraw.
    persons: Mapped[list[str]] = mapped_column(ARRAY(Text))
    companies: Mapped[list[str]] = mapped_column(ARRAY(Text))
    contracts: Mapped[list[str]] = mapped_column(ARRAY(Text))
    subject_names: Mapped[list[str]] = mapped_column(ARRAY(Text))
    excluded_org_ids: Mapped[list[UUID]] = mapped_column(ARRAY(PgUUID(as_uuid=True)))
    excluded_account_ids: Mapped[list[UUID]] = mapped_column(ARRAY(PgUUID(as_uuid=True)))
    screened_at: Mapped[datetime | None] = mapped_column(INSTANT)  # before it nobody sees the alert
    hold_reason: Mapped[str | None] = mapped_column(Text)
    closed_at: Mapped[datetime | None] = mapped_column(INSTANT)
    version: Mapped[int] = mapped_column(Integer)
    state: Mapped[str] = mapped_column(Text)
    level: Mapped[int] = mapped_column(Integer)
    org_id: Mapped[UUID | None] = mapped_column(ForeignKey("organisations.id"), index=True)
    copy_org_ids: Mapped[list[UUID]] = mapped_column(ARRAY(PgUUID(as_uuid=True)))  # who also sees it
    unit_org_id: Mapped[UUID | None] = mapped_column(ForeignKey("organisations.id"))
    subject_org_ids: Mapped[list[UUID]] = mapped_column(ARRAY(PgUUID(as_uuid=True)))
    cadre_level: Mapped[int | None] = mapped_column(Integer)
    parent_id: Mapped[UUID | None] = mapped_column(ForeignKey("alerts.id"), index=True)
    flood: Mapped[bool] = mapped_column(Boolean)
    checker_ids: Mapped[list[UUID]] = mapped_column(ARRAY(PgUUID(as_uuid=True)))
    assignments: Mapped[int] = mapped_column(Integer)
    explanations: Mapped[int] = mapped_column(Integer)
    unexplained: Mapped[bool] = mapped_column(Boolean)
    freeze: Mapped[str | None] = mapped_column(Text)
    freeze_by: Mapped[UUID | None]
    freezes: Mapped[int] = mapped_column(Integer)
    extensions: Mapped[int] = mapped_column(Integer)
    extension_by: Mapped[UUID | None]
    findings_by: Mapped[UUID | None]
    findings_returns: Mapped[int] = mapped_column(Integer)
    clearance_by: Mapped[UUID | None]
    clearance_reason: Mapped[str | None] = mapped_column(Text)
    clearance_scope: Mapped[str | None] = mapped_column(Text)
    clearance_until: Mapped[date | None] = mapped_column(Date)
    clearances: Mapped[int] = mapped_column(Integer)
    clearance_live: Mapped[bool] = mapped_column(Boolean)
    papers_due: Mapped[bool] = mapped_column(Boolean)
    sampled: Mapped[bool] = mapped_column(Boolean)
    decided_by: Mapped[UUID | None]
    disposed: Mapped[bool] = mapped_column(Boolean)
    proof_by: Mapped[UUID | None]
    proof_returns: Mapped[int] = mapped_column(Integer)
    stages: Mapped[int] = mapped_column(Integer)
    take_backs: Mapped[int] = mapped_column(Integer)
    resolution: Mapped[str | None] = mapped_column(Text)
    verdict: Mapped[str | None] = mapped_column(Text)
    verdict_by: Mapped[UUID | None]
    verdict_changes: Mapped[int] = mapped_column(Integer)
    reopenings: Mapped[int] = mapped_column(Integer)
    urgings: Mapped[int] = mapped_column(Integer)
    overdue: Mapped[bool] = mapped_column(Boolean)
    # Running limits, copied from the events so that a list needs no second look.
    limits: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    next_due_at: Mapped[datetime | None] = mapped_column(INSTANT)
    next_policy: Mapped[str | None] = mapped_column(Text)
    next_event: Mapped[str | None] = mapped_column(Text)

    __mapper_args__ = {"version_id_col": version, "version_id_generator": False}


class AlertEvidence(db.Model):
    """One row of a dataset that an alert rests on; a number below zero is that of content which a source outside sent."""

    __tablename__ = "alert_evidence"

    alert_id: Mapped[UUID] = mapped_column(ForeignKey("alerts.id"), primary_key=True)
    row_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    dataset: Mapped[str] = mapped_column(Text)
    part: Mapped[str] = mapped_column(Text)
    money_fen: Mapped[int | None] = mapped_column(BigInteger)
    content: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    added_at: Mapped[datetime] = mapped_column(INSTANT)


class AlertClearance(db.Model):
    """An application to clear an alert, and what became of it. Granted, it covers later hits within its scope until it ends."""

    __tablename__ = "alert_clearances"
    __table_args__ = (
        CheckConstraint(f"scope IN ({', '.join(repr(one) for one in SCOPES)})", name="scope"),
        CheckConstraint("decision IN ('granted', 'refused', 'lapsed')", name="decision"),
        CheckConstraint("scope = 'evidence' OR (subject IS NOT NULL AND until IS NOT NULL)", name="bounds"),
        Index(
            "ix_alert_clearances_subject", "rule_code", "subject",
            postgresql_where=text("decision = 'granted' AND scope <> 'evidence'"),
        ),
    )  # fmt: skip

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    alert_id: Mapped[UUID] = mapped_column(ForeignKey("alerts.id"), index=True)
    rule_code: Mapped[str] = mapped_column(Text)
    reason: Mapped[str] = mapped_column(Text)
    basis: Mapped[str] = mapped_column(Text)
    papers: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    scope: Mapped[str] = mapped_column(Text)
    subject: Mapped[str | None] = mapped_column(Text)  # the contract or the hash of the person that it is bound to
    amount_fen: Mapped[int | None] = mapped_column(BigInteger)
    until: Mapped[date | None] = mapped_column(Date)
    papers_due_on: Mapped[date | None] = mapped_column(Date)
    asked_by: Mapped[UUID] = mapped_column(ForeignKey("staff_accounts.id"))
    asked_org_id: Mapped[UUID] = mapped_column(ForeignKey("organisations.id"))
    asked_at: Mapped[datetime] = mapped_column(INSTANT)
    decision: Mapped[str | None] = mapped_column(Text)
    decided_by: Mapped[UUID | None] = mapped_column(ForeignKey("staff_accounts.id"))
    decided_org_id: Mapped[UUID | None] = mapped_column(ForeignKey("organisations.id"))
    decided_at: Mapped[datetime | None] = mapped_column(INSTANT)


class AlertSuppression(db.Model):
    """A hit that a clearance covered: it raised nothing, and is counted."""

    __tablename__ = "alert_suppressions"

    clearance_id: Mapped[UUID] = mapped_column(ForeignKey("alert_clearances.id"), primary_key=True)
    fingerprint: Mapped[str] = mapped_column(CODE, primary_key=True)
    evidence_hash: Mapped[str] = mapped_column(CODE, primary_key=True)
    at: Mapped[datetime] = mapped_column(INSTANT)


class AlertEventRow(db.Model):
    """The timeline of an alert, appended and never changed."""

    __tablename__ = "alert_events"
    __table_args__ = (Index("ix_alert_events_alert", "alert_id", "seq", unique=True),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    alert_id: Mapped[UUID] = mapped_column(ForeignKey("alerts.id"))
    seq: Mapped[int] = mapped_column(Integer)
    at: Mapped[datetime] = mapped_column(INSTANT)
    clock_offset_seconds: Mapped[int] = mapped_column(Integer)
    event: Mapped[str] = mapped_column(Text)
    from_state: Mapped[str | None] = mapped_column(Text)
    to_state: Mapped[str] = mapped_column(Text)
    actor_kind: Mapped[str] = mapped_column(Text)
    actor_id: Mapped[UUID | None]
    actor_role: Mapped[str] = mapped_column(Text)
    org_id: Mapped[UUID | None]
    facts: Mapped[dict[str, Any]] = mapped_column(JSONB)
    salt: Mapped[bytes] = mapped_column(LargeBinary)
    commitment: Mapped[bytes] = mapped_column(LargeBinary)


class AlertQuestion(db.Model):
    """What a unit is asked and what it answers: all that it sees of the alert."""

    __tablename__ = "alert_questions"
    __table_args__ = (Index("ix_alert_questions_org_id", "org_id", "asked_at"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    alert_id: Mapped[UUID] = mapped_column(ForeignKey("alerts.id"), index=True)
    org_id: Mapped[UUID] = mapped_column(ForeignKey("organisations.id"))
    question: Mapped[str] = mapped_column(Text)
    asked_by: Mapped[UUID] = mapped_column(ForeignKey("staff_accounts.id"))
    asked_at: Mapped[datetime] = mapped_column(INSTANT)
    answer: Mapped[str | None] = mapped_column(Text)
    answered_by: Mapped[UUID | None] = mapped_column(ForeignKey("staff_accounts.id"))
    answered_at: Mapped[datetime | None] = mapped_column(INSTANT)


class AlertTask(db.Model):
    """What the unit has to set right, by whom and when, and its proof."""

    __tablename__ = "alert_tasks"
    __table_args__ = (Index("ix_alert_tasks_org_id", "org_id", "ordered_at"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    alert_id: Mapped[UUID] = mapped_column(ForeignKey("alerts.id"), index=True)
    org_id: Mapped[UUID] = mapped_column(ForeignKey("organisations.id"))
    task: Mapped[str] = mapped_column(Text)
    owner: Mapped[str] = mapped_column(Text)
    due_on: Mapped[date] = mapped_column(Date)
    ordered_at: Mapped[datetime] = mapped_column(INSTANT)
    proof: Mapped[str | None] = mapped_column(Text)
    proved_by: Mapped[UUID | None] = mapped_column(ForeignKey("staff_accounts.id"))
    proved_at: Mapped[datetime | None] = mapped_column(INSTANT)


class AlertVerdict(db.Model):
    """A verdict on one item. The last one that is not `blind` counts; the earlier ones stay. `dataset` and `field`: where the
    data was wrong. blind: of the re-examination of a sampled clearance, made without knowledge of the first."""

    __tablename__ = "alert_verdicts"
    __table_args__ = (
        CheckConstraint("verdict IN ('A', 'B', 'C', 'D', 'E', 'F')", name="verdict"),
        Index("ix_alert_verdicts_alert_id", "alert_id", "at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    alert_id: Mapped[UUID] = mapped_column(ForeignKey("alerts.id"))
    at: Mapped[datetime] = mapped_column(INSTANT)
    verdict: Mapped[str] = mapped_column(Text)
    reason: Mapped[str] = mapped_column(Text)
    dataset: Mapped[str | None] = mapped_column(Text)
    field: Mapped[str | None] = mapped_column(Text)
    account_id: Mapped[UUID] = mapped_column(ForeignKey("staff_accounts.id"))
    org_id: Mapped[UUID] = mapped_column(ForeignKey("organisations.id"))
    blind: Mapped[bool] = mapped_column(Boolean)


class AlertDisposal(db.Model):
    """One person that was dealt with, by one of the four forms (四种形态)."""

    __tablename__ = "alert_disposals"
    __table_args__ = (CheckConstraint("form IN ('FORM_1', 'FORM_2', 'FORM_3', 'FORM_4')", name="form"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    alert_id: Mapped[UUID] = mapped_column(ForeignKey("alerts.id"), index=True)
    at: Mapped[datetime] = mapped_column(INSTANT)
    person: Mapped[str] = mapped_column(Text)
    form: Mapped[str] = mapped_column(Text)
    account_id: Mapped[UUID] = mapped_column(ForeignKey("staff_accounts.id"))


class AlertMoney(db.Model):
    """Money of an alert: involved, recovered for the public, or returned to those it belongs to, in fen."""

    __tablename__ = "alert_money"
    __table_args__ = (
        CheckConstraint("kind IN ('amount', 'recovered', 'returned')", name="kind"),
        CheckConstraint("fen > 0", name="fen"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    alert_id: Mapped[UUID] = mapped_column(ForeignKey("alerts.id"), index=True)
    at: Mapped[datetime] = mapped_column(INSTANT)
    kind: Mapped[str] = mapped_column(Text)
    fen: Mapped[int] = mapped_column(BigInteger)
    account_id: Mapped[UUID] = mapped_column(ForeignKey("staff_accounts.id"))


class AlertLink(db.Model):
    """An alert and a petition that share a person, a contract or the place; for whoever may see both."""

    __tablename__ = "alert_links"
    __table_args__ = (CheckConstraint("kind IN ('person', 'contract', 'place')", name="kind"),)

    alert_id: Mapped[UUID] = mapped_column(ForeignKey("alerts.id"), primary_key=True)
    petition_id: Mapped[UUID] = mapped_column(ForeignKey("petitions.id"), primary_key=True, index=True)
    kind: Mapped[str] = mapped_column(Text, primary_key=True)
    found_at: Mapped[datetime] = mapped_column(INSTANT)
