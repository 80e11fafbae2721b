"""Delivery of the outbox, the list of what could not be delivered, and the inbox.

Delivery is at least once for providers and exactly once for the inbox: a page of due rows is claimed and spread into the
inbox in one transaction, sent without any lock held, and marked in another. A claim is a lease: when the worker dies
half-way the rows come back by themselves.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

from flask import current_app
from sqlalchemy import func, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import load_only

from app import clock
from app.alerts.hearers import hearers_of_alerts
from app.clues.hearers import hearers_of
from app.config import Settings
from app.database import SYSTEM, transaction
from app.directory.service import staff_serving_at
from app.errors import Conflict, Unknown
from app.extensions import db
from app.messages.models import InboxMessage, OutboxMessage
from app.petitions.parties import parties_of
from app.web import cursor_of, read_cursor
from notifications.catalogue import ACCOUNT_SUBJECT, CATALOGUE, SECRET_TEMPLATES, SUBJECT, UNKNOWN, Words, notice_for
from notifications.channels.console import ConsoleChannel
from notifications.channels.smtp import SmtpChannel
from notifications.message import Channel, GiveUp, Message, Retry, Undelivered
from workflows.petition import STATE_LABELS, PetitionState

log = logging.getLogger("mingjian.outbox")

PAGE = 100
OF_A_CLUE = frozenset({"readers", "clue_heads"})
OF_AN_ALERT = frozenset({"alert_org", "alert_unit"})
MAX_ATTEMPTS = 8
FIRST_DELAY = timedelta(seconds=10)
LONGEST_DELAY = timedelta(hours=1)
# Longer than a page can take to be sent: one time-out of the mail server, after which the rest of the page is put off.
LEASE = timedelta(minutes=5)
# As long as the secret in it is good: afterwards a message would only tell people to try what does not work.
SECRET_LIVES = {"one_time_code": timedelta(minutes=5), "one_time_password": timedelta(days=3)}


@dataclass(slots=True)
class DeliveryReport:
    """What one round of delivery did: messages sent, put off, and given up."""

    sent: int = 0
    put_off: int = 0
    dead: int = 0

    @property
    def done(self) -> int:
        return self.sent

    @property
    def failed(self) -> int:
        return self.put_off + self.dead


@dataclass(slots=True)
class _Page:
    """A claimed page: what is left to send, and the fate of each row."""

    to_send: list[tuple[UUID, Channel, Message]] = field(default_factory=list)
    attempts: dict[UUID, int] = field(default_factory=dict)
    sent: list[UUID] = field(default_factory=list)
    failed: dict[UUID, Undelivered] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Channels:
    """Where messages to phones and to mailboxes go; None when there is no way."""

    phone: Channel | None
    mail: Channel | None


def channels_of(settings: Settings) -> Channels:
    """The channels that the settings name. Outside production the console stands in for phones."""
    mail = SmtpChannel(settings.smtp_url, settings.mail_from or "") if settings.smtp_url else None
    # A code and a phone number must not stand in a production log: until an SMS channel is configured they become dead
    # letters, which staff see, and the receipt number with its PIN remains the way in.
    console = None if settings.mode == "production" else ConsoleChannel()
    return Channels(phone=console, mail=mail)


def back_off(attempts: int) -> timedelta:
    """How long to wait after so many failed attempts: 10 s doubled each time, an hour at most."""
    return min(FIRST_DELAY * 2 ** (attempts - 1), LONGEST_DELAY)


def deliver_due(
    limit: int = 1000, *, channels: Channels | None = None, stopping: Callable[[], bool] = lambda: False
) -> DeliveryReport:
    """Deliver up to `limit` due messages, oldest first, page by page, and say what came of them."""
    channels = channels or channels_of(current_app.config["SETTINGS"])
    report = DeliveryReport()
    taken = 0
    while taken < limit and not stopping():
        with transaction(SYSTEM):
            page = _claim(min(PAGE, limit - taken), channels)
        if not page.attempts:
            break
        taken += len(page.attempts)
        _send(page)
        with transaction(SYSTEM):
            _record(page, report)
    return report


def _claim(size: int, channels: Channels) -> _Page:
    """Lease a page of due rows, fill the inboxes, and prepare what goes to providers."""
    now = clock.now()
    rows = db.session.scalars(
        select(OutboxMessage)
        .where(OutboxMessage.status == "pending", OutboxMessage.next_attempt_at <= now)
        .order_by(OutboxMessage.next_attempt_at)
        .limit(size)
        .with_for_update(skip_locked=True)
        .execution_options(populate_existing=True)
    ).all()
    page = _Page(attempts={row.id: row.attempts + 1 for row in rows})
    if not rows:
        return page
    db.session.execute(
        update(OutboxMessage)
        .where(OutboxMessage.id.in_(page.attempts))
        .values(attempts=OutboxMessage.attempts + 1, next_attempt_at=now + LEASE)
        .execution_options(synchronize_session=False)
    )
    cases = parties_of(row.petition_id for row in rows)
    hearers = hearers_of(row.params["clue"] for row in rows if row.audience in OF_A_CLUE and "clue" in row.params)
    told_of_alerts = hearers_of_alerts(
        row.params["alert"] for row in rows if row.audience in OF_AN_ALERT and "alert" in row.params
    )
    staff = staff_serving_at({org for row in rows for org in _orgs(row.audience, cases.get(row.petition_id))})
    inbox: list[dict[str, Any]] = []
    for row in rows:
        try:
            if row.audience in OF_A_CLUE and notice_for(row.template, row.audience) is not None:
                told = hearers.get((row.params["clue"], row.audience), [])
                _spread(row, [one for one in told if str(one.id) != row.params["by"]], channels, page, inbox, now)
            elif row.audience in OF_AN_ALERT and notice_for(row.template, row.audience) is not None:
                people = told_of_alerts.get((row.params["alert"], row.audience), [])
                _spread(row, [one for one in people if str(one.id) != row.params["by"]], channels, page, inbox, now)
            else:
                _address(row, cases.get(row.petition_id), staff, channels, page, inbox, now)
        except (LookupError, ValueError, TypeError, AttributeError):
            # One unreadable row must not hold up all the others behind it.
            page.failed[row.id] = GiveUp("unreadable")
    if inbox:
        db.session.execute(insert(InboxMessage.__table__).values(inbox).on_conflict_do_nothing())
    db.session.expunge_all()
    return page


def _orgs(audience: str, case: Any) -> list[UUID]:
    if case is None:
        return []
    listed = {"owner_org": [case.owner_org_id], "main_org": [case.main_org_id], "co_orgs": case.co_org_ids}
    # Whoever must withdraw hears of nothing, also of what was written before they had to.
    return [org for org in listed.get(audience, ()) if org is not None and org not in case.excluded_org_ids]


def _address(
    row: OutboxMessage,
    case: Any,
    staff: dict[UUID, list[Any]],
    channels: Channels,
    page: _Page,
    inbox: list[dict[str, Any]],
    now: datetime,
) -> None:
    """Decide for one row who gets it and by which way."""
    if notice_for(row.template, row.audience) is None:
        page.failed[row.id] = GiveUp("no-such-text")
    elif row.audience in ("phone", "mailbox"):
        channel = channels.phone if row.audience == "phone" else channels.mail
        if not row.address:
            page.failed[row.id] = GiveUp("no-address")
        elif row.template in SECRET_TEMPLATES and row.created_at + SECRET_LIVES[row.template] < now:
            page.failed[row.id] = GiveUp("out-of-date")
        elif channel is None:
            page.failed[row.id] = GiveUp("no-channel")
        else:
            page.to_send.append((row.id, channel, _message(row, (row.address,))))
    elif case is None:
        page.failed[row.id] = GiveUp("no-such-case")
    elif row.audience == "petitioner":
        inbox.append(_inbox_row(row, now, villager_id=case.villager_id))
        page.sent.append(row.id)
    else:
        people = {
            person.id: person
            for org in _orgs(row.audience, case)
            for person in staff.get(org, ())
            if person.id not in case.excluded_account_ids
        }
        _spread(row, people.values(), channels, page, inbox, now)


def _spread(
    row: OutboxMessage,
    people: Iterable[Any],
    channels: Channels,
    page: _Page,
    inbox: list[dict[str, Any]],
    now: datetime,
) -> None:
    """Put one row into the inbox of each of the people, and prepare it for their mailboxes."""
    people = list(people)
    inbox += [_inbox_row(row, now, account_id=person.id) for person in people]
    mailboxes = tuple(sorted({person.email for person in people if person.email}))
    if mailboxes and channels.mail is not None:
        page.to_send.append((row.id, channels.mail, _message(row, mailboxes)))
    else:
        page.sent.append(row.id)


def _inbox_row(
    row: OutboxMessage, now: datetime, *, account_id: UUID | None = None, villager_id: UUID | None = None
) -> dict[str, Any]:
    return {
        # The same on every attempt, so that a second one adds nothing.
        "id": uuid5(row.id, str(account_id or "petitioner")),
        "outbox_id": row.id,
        "account_id": account_id,
        "villager_id": villager_id,
        "petition_id": row.petition_id,
        "at": now,
        "template": f"{row.template}.{row.audience}",
        # Of a clue the inbox keeps nothing by which it could be told from another; of an alert no more than its limit.
        "params": {} if row.audience in OF_A_CLUE
        else {"due": row.params.get("due")} if row.audience in OF_AN_ALERT
        else row.params,
    }


def words_of(template: str, audience: str, params: dict[str, Any]) -> Words:
    """The text of a stored message; a template that no longer exists reads as a bare notice with the serial number."""
    notice = notice_for(template, audience)
    shown = {**params, "due": _last_day(params.get("due"))}
    if notice is None:
        return Words(f"信访事项{params.get('serial', '')}", f"Case {params.get('serial', '')}")
    state = params.get("state")
    label = STATE_LABELS[PetitionState(state)] if state in set(PetitionState) else UNKNOWN
    return notice.words(shown, (label[0], label[1]))


def _last_day(due: Any) -> str | None:
    """A stored limit as a day. An instant is the first one too late, so the last day in time is the one before it."""
    if not due:
        return None
    moment = datetime.fromisoformat(due)
    if moment.tzinfo is None:
        return moment.date().isoformat()
    return (moment - timedelta(microseconds=1)).astimezone(clock.SHANGHAI).date().isoformat()


def _message(row: OutboxMessage, to: tuple[str, ...]) -> Message:
    words = words_of(row.template, row.audience, row.params)
    subject = ACCOUNT_SUBJECT if row.audience == "mailbox" else SUBJECT
    return Message(id=row.id, to=to, subject=f"{subject.zh} {subject.en}", body=f"{words.zh}\n{words.en}")


def _send(page: _Page) -> None:
    """Hand the page to its providers. No transaction is open."""
    unreachable: dict[str, Retry] = {}
    for row_id, channel, message in page.to_send:
        if channel.name in unreachable:
            page.failed[row_id] = unreachable[channel.name]
            continue
        try:
            receipt = channel.send(message)
        except Undelivered as error:
            page.failed[row_id] = error
            if isinstance(error, Retry) and error.unreachable:
                unreachable[channel.name] = error
        else:
            if receipt.refused:
                log.warning("message %s: %d of %d addresses refused", row_id, len(receipt.refused), len(message.to))
            page.sent.append(row_id)


def _record(page: _Page, report: DeliveryReport) -> None:
    """Write down the fate of each row of the page."""
    now = clock.now()
    if page.sent:
        _set(page.sent, status="sent", sent_at=now, last_error=None)
        _wipe(page.sent)
    for row_id, error in page.failed.items():
        attempts = page.attempts[row_id]
        if isinstance(error, GiveUp) or attempts >= MAX_ATTEMPTS:
            _set([row_id], status="dead", last_error=error.code)
            _wipe([row_id])
            log.error("message %s given up after %d attempts: %s", row_id, attempts, error.code)
            report.dead += 1
        else:
            _set([row_id], next_attempt_at=now + back_off(attempts), last_error=error.code)
            report.put_off += 1
    report.sent += len(page.sent)


def _set(ids: Sequence[UUID], **values: Any) -> None:
    # Only what is still pending: a lease that ran out may have let another worker finish the row.
    db.session.execute(
        update(OutboxMessage)
        .where(OutboxMessage.id.in_(ids), OutboxMessage.status == "pending")
        .values(**values)
        .execution_options(synchronize_session=False)
    )


def _wipe(ids: Sequence[UUID]) -> None:
    """Forget codes, passwords and addresses that have done their service."""
    db.session.execute(
        update(OutboxMessage)
        .where(OutboxMessage.id.in_(ids), OutboxMessage.template.in_(SECRET_TEMPLATES))
        .values(params={}, address=None)
        .execution_options(synchronize_session=False)
    )


def dead_letters(cursor: str | None = None, limit: int = 50) -> dict[str, Any]:
    """Messages that were given up, newest first: what, for which case, why. Never an address or a code."""
    columns = ("id", "created_at", "audience", "template", "petition_id", "attempts", "last_error")
    query = (
        select(*(getattr(OutboxMessage, name) for name in columns))
        .where(OutboxMessage.status == "dead")
        .order_by(OutboxMessage.created_at.desc(), OutboxMessage.id.desc())
        .limit(limit + 1)
    )
    if cursor:
        query = query.where(tuple_(OutboxMessage.created_at, OutboxMessage.id) < read_cursor(cursor))
    rows = db.session.execute(query).all()
    items = [
        {**row._asdict(), "resendable": row.template in CATALOGUE and row.template not in SECRET_TEMPLATES}
        for row in rows[:limit]
    ]
    return {"items": items, "next": _next(rows, limit, "created_at")}


def resend(outbox_id: UUID) -> dict[str, Any]:
    """Put a dead message back in the queue with all its attempts. Raises Unknown, and Conflict when it is not dead."""
    row = db.session.scalars(
        select(OutboxMessage)
        .where(OutboxMessage.id == outbox_id)
        .options(load_only(OutboxMessage.status, OutboxMessage.template))
        .with_for_update()
    ).one_or_none()
    if row is None:
        raise Unknown()
    if row.status != "dead" or row.template in SECRET_TEMPLATES:
        raise Conflict("not-resendable")
    now = clock.now()
    db.session.execute(
        update(OutboxMessage)
        .where(OutboxMessage.id == outbox_id)
        .values(status="pending", attempts=0, next_attempt_at=now)
        .execution_options(synchronize_session=False)
    )
    # The trigger speaks on inserts only; this row was there before.
    db.session.execute(select(func.pg_notify("outbox", "")))
    return {"id": outbox_id, "status": "pending", "next_attempt_at": now}


def inbox(*, unread: bool = False, cursor: str | None = None, limit: int = 50) -> dict[str, Any]:
    """The reader's messages, newest first. Whose they are is the database's to decide."""
    query = select(InboxMessage).order_by(InboxMessage.at.desc(), InboxMessage.id.desc()).limit(limit + 1)
    if unread:
        query = query.where(InboxMessage.read_at.is_(None))
    if cursor:
        query = query.where(tuple_(InboxMessage.at, InboxMessage.id) < read_cursor(cursor))
    rows = db.session.scalars(query).all()
    return {"items": [_inbox_view(row) for row in rows[:limit]], "next": _next(rows, limit, "at")}


def mark_read(inbox_id: UUID) -> dict[str, Any]:
    """Note that the reader has read it, once; later calls change nothing. Raises Unknown."""
    row = db.session.scalars(select(InboxMessage).where(InboxMessage.id == inbox_id)).one_or_none()
    if row is None:
        raise Unknown()
    if row.read_at is None:
        row.read_at = clock.now()
    return _inbox_view(row)


def _inbox_view(row: InboxMessage) -> dict[str, Any]:
    template, _, audience = row.template.partition(".")
    words = words_of(template, audience, row.params)
    return {
        "id": row.id,
        "at": row.at,
        "event": template,
        "petition_id": row.petition_id,
        "serial": row.params.get("serial"),
        "text": words.zh,
        "text_en": words.en,
        "read_at": row.read_at,
    }


def _next(rows: Sequence[Any], limit: int, moment: str) -> str | None:
    return cursor_of(getattr(rows[limit - 1], moment), rows[limit - 1].id) if len(rows) > limit else None
