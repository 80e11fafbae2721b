"""Filing petitions and acting on them."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple
from uuid import UUID, uuid4

import orjson
from sqlalchemy import bindparam, func, select

from app import clock, idempotency, outbox, timeline, transitions
from app.auth import Identity
from app.clues import service as clues
from app.clues.opening import seal_petition
from app.database import Rows, Target, insert_rows
from app.directory.codes import fault_of
from app.directory.models import Division, Organisation
from app.errors import Conflict, Forbidden, Invalid
from app.extensions import db
from app.identity import store
from app.ledger import service as ledger
from app.ledger.statements import event_document
from app.petitions import receipts
from app.petitions.models import (
    OPEN_STATES,
    CaseMessage,
    Meeting,
    MoneyEntry,
    NewPetition,
    Petition,
    Rating,
    ReceiptRow,
)
from app.petitions.reading import case_in_hand, message_view, promise_view, totals_of
from app.recusal import service as recusal
from workflows.deadlines import Deadline
from workflows.petition import PetitionState
from workflows.recusal import Exclusion

_DIVISIONS = Division.__table__.c
_PLACE = select(_DIVISIONS.level, transitions.LEADING_BODY.scalar_subquery().label("office")).where(
    _DIVISIONS.code == bindparam("place"), _DIVISIONS.withdrawn_on.is_(None)
)
_MESSAGES = Target(CaseMessage.__table__)
_RECEIPTS = Target(ReceiptRow.__table__)


def file_petition(draft: Mapping[str, Any], who: Identity, *, key: str) -> dict[str, Any]:
    """File a petition and return its receipt: number, PIN, the dates by which something must happen, and the signed promise
    that its commitment will stand in the ledger. Salt and opening let its owner show what the commitment means.

    The same `key` with the same draft returns the same receipt and files nothing; with another draft it raises
    Problem 422 `key-used-with-another-body`. Raises Invalid when the place is unknown or withdrawn.
    """
    body = idempotency.body_of(draft)
    pin = receipts.pin_for(key)
    if earlier := idempotency.claim(key, body):
        return {**earlier, "pin": pin}
    if fault_of(draft["division_code"]):
        raise Invalid({"division_code": ["not a village or township of the present list"]})
    seat = _seat(draft)
    now = clock.now()
    anonymous = draft["way"] == "anonymous"
    given = dict(
        id=uuid4(),
        serial=receipts.serial_for(key),
        pin_mac="",
        filed_at=now,
        filed_on=clock.today(),
        last_visible_at=now,
        villager_id=who.actor.person_id if who.kind == "villager" and not anonymous else None,
        filed_by_id=who.actor.person_id if who.kind == "staff" else None,
        confirmed_at=None if who.kind == "staff" and draft.get("channel") in ("phone", "visit", "helper") else now,
        channel=draft.get("channel", "web"),
        priority="P0" if draft.get("in_danger") else draft.get("priority", "P2"),
        simple=draft.get("simple", False),
        level=seat.level,
        owner_org_id=seat.office,
        subject_names=sorted({one["name"] for one in (*draft["accused"], *draft["keep_from"])}),
        excluded_org_ids=[one.body for one in seat.exclusions if one.body is not None],
        excluded_account_ids=[one.account for one in seat.exclusions if one.account is not None],
        **{name: draft[name] for name in ("division_code", "title", "body", "category", "item_type", "way")},
        **{name: draft[name] for name in ("accused", "accused_org_ids", "keep_from", "people_count", "claimed_fen")},
    )
    petition = NewPetition(**{**_defaults(), **given})
    petition.pin_mac = receipts.pin_mac(petition.serial, pin)
    receipt: dict[str, Any] = {}

    def besides(running: list[Deadline], filed: timeline.NewEvent) -> Rows:
        promises = [promise_view(one) for one in running]
        dates = {"id": petition.id, "serial": petition.serial, "state": petition.state, "filed_at": now}
        # As JSON values from the start: what is signed has to be what the reader gets, now and when the request is repeated.
        receipt.update(orjson.loads(orjson.dumps({**dates, "promises": promises})))
        receipt.update(
            commitment=filed.commitment.hex(),
            salt=filed.salt.hex(),
            opening=event_document(filed, transitions.text_digest_of(petition, filed.salt)),
            promise=ledger.promise(filed.commitment, petition.division_code, now, receipt),
        )
        return {
            **store.rows_of(petition.id, petition.way, _people(draft)),
            **recusal.rows_of(petition.id, seat.exclusions),
            _RECEIPTS: [{"petition_id": petition.id, **{name: receipt[name] for name in ("promises", "promise")}}],
            idempotency.KEYS: [idempotency.kept(key, body, receipt)],
        }

    facts = {
        "priority": petition.priority,
        "level": seat.level,
        "simple": petition.simple,
        "anonymous": anonymous,
        "unreachable": anonymous
        or not (draft["name"] and any(draft[name] for name in ("phone", "address", "guardian_phone"))),
        "channel": petition.channel,
    }
    # Of an anonymous filing nothing is kept, the account that it was sent from included.
    filer = replace(who.actor, person_id=None) if anonymous and who.kind == "villager" else who.actor
    transitions.open_case(petition, filer, facts, besides)
    return {**receipt, "pin": pin}


def act(
    petition_id: UUID, event: str, who: Identity, facts: Mapping[str, Any], version: int | None = None
) -> dict[str, Any]:
    """Do `event` to the case and return it as it is now.

    Raises Unknown (404), WrongState (409), NotAllowed (403), MissingFact or Invalid (422), Problem 412 when `version`
    is old.
    """
    petition = transitions.lock(petition_id, version)
    given = {name: value for name, value in facts.items() if value is not None}
    _check(petition, event, given, who)
    transitions.move(petition, event, who.actor, **given)
    if event == "merge":
        recusal.follow_leading_case(petition, given["parent_id"])
    if event == "register":
        # A limit that runs keeps the urgency it began with: nobody is rid of the clock of a danger by calling it a lesser one.
        petition.simple = given.get("simple", petition.simple)
        petition.priority = given.get("priority", petition.priority)
    if event in ("rate", "change_rating"):
        db.session.add(
            Rating(
                id=uuid4(), petition_id=petition.id, round=petition.round, at=clock.now(), reason=given.get("reason"),
                office_grade=given["office_grade"], body_grade=given["grade"],
            )
        )  # fmt: skip
    db.session.flush()
    if petition.state == PetitionState.SEALED:
        if recusal.has_subjects(petition):
            recusal.keep_subjects(petition, who)
        seal_petition(petition, who)
    return case_in_hand(petition, who)


def confirm(petition_id: UUID, who: Identity) -> dict[str, Any]:
    """The petitioner confirms what somebody else wrote down (信访工作条例 Art 19)."""
    petition = transitions.lock(petition_id)
    if petition.confirmed_at is None:
        petition.confirmed_at = clock.now()
        note(petition, "confirm_record", who, {})
    return case_in_hand(petition, who)


def dispute_record(petition_id: UUID, who: Identity, said: str) -> None:
    """The petitioner says that the record is not what they said, and what they did say: a message that staff see. The
    record stays as it was written and unconfirmed. Raises Conflict `already-confirmed`.
    """
    petition = transitions.lock(petition_id)
    if petition.confirmed_at is not None:
        raise Conflict("already-confirmed")
    add_message(petition_id, who, said)
    note(petition, "dispute_record", who, {})
    db.session.flush()


def renew_pin(petition_id: UUID, who: Identity) -> dict[str, Any]:
    """Give the case a new PIN and return its receipt without the promises. The earlier PIN stops working.

    It stands on the timeline: somebody whose receipt still worked a minute ago must be able to see why it does not.
    """
    petition = transitions.lock(petition_id)
    pin = receipts.new_pin()
    petition.pin_mac = receipts.pin_mac(petition.serial, pin)
    note(petition, "renew_pin", who, {})
    db.session.flush()
    return {"serial": petition.serial, "pin": pin, "filed_at": petition.filed_at}


def add_message(petition_id: UUID, who: Identity, body: str, *, internal: bool = False) -> dict[str, Any]:
    """Write a message on the case and return all of it but its text, so that no second copy is kept of that anywhere.

    Moves no deadline. A petitioner's message is never internal: raises Forbidden. On a petition that was sealed it goes to
    the readers of the clue and to nobody else.
    """
    if internal and who.actor.kind == "petitioner":
        raise Forbidden()
    petition = transitions.lock(petition_id)
    if petition.state == PetitionState.SEALED:
        return clues.message_of_petition(petition_id, body, who)
    message = {
        "id": uuid4(), "petition_id": petition_id, "at": clock.now(), "author_kind": who.actor.kind,
        "author_id": who.actor.person_id, "org_id": who.actor.org_id, "internal": internal, "body": body,
    }  # fmt: skip
    insert_rows({_MESSAGES: [message]})
    if not internal:
        event = "message_from_petitioner" if who.actor.kind == "petitioner" else "message_from_staff"
        note(petition, event, who, {})
        outbox.announce(event, petition)
    db.session.flush()
    return {name: value for name, value in message_view(message).items() if name != "body"}


def record_money(petition_id: UUID, who: Identity, entry: Mapping[str, Any]) -> dict[str, int]:
    """Record money claimed, recovered or paid out, in fen, and return the totals. A negative amount corrects an entry.

    Raises Invalid when more would be paid out than was recovered, or a total would fall below zero.
    """
    petition = _on_open_track(petition_id)
    totals = money_of(petition)
    kind = f"{entry['kind']}_fen"
    totals[kind] += entry["amount_fen"]
    if entry["amount_fen"] == 0 or totals[kind] < 0:
        raise Invalid({"amount_fen": ["zero, or more than there is to correct"]})
    if totals["paid_out_fen"] > totals["recovered_fen"]:
        raise Invalid({"amount_fen": ["more than was recovered"]})
    if entry["on"] > clock.today():
        raise Invalid({"on": ["in the future"]})
    db.session.add(
        MoneyEntry(
            id=uuid4(), petition_id=petition_id, recorded_at=clock.now(), recorded_by=who.actor.person_id, **entry
        )
    )
    note(petition, "record_money", who, {"kind": entry["kind"], "amount_fen": entry["amount_fen"]})
    db.session.flush()
    return totals


def record_meeting(petition_id: UUID, who: Identity, meeting: Mapping[str, Any]) -> None:
    """Record a joint meeting (联席会议) with its minutes."""
    petition = _on_open_track(petition_id)
    if meeting["held_at"] > clock.now():
        raise Invalid({"held_at": ["in the future"]})
    _require_bodies(meeting["org_ids"], "org_ids")
    db.session.add(Meeting(id=uuid4(), petition_id=petition_id, recorded_by=who.actor.person_id, **meeting))
    note(petition, "hold_meeting", who, {"org_ids": meeting["org_ids"]})
    db.session.flush()


def _on_open_track(petition_id: UUID) -> Petition:
    """The locked case, for something that is written on it. Raises Conflict `sealed` when only its stub is left here."""
    petition = transitions.lock(petition_id)
    if petition.state == PetitionState.SEALED:
        raise Conflict("sealed")
    return petition


def money_of(petition: Petition) -> dict[str, int]:
    """Totals in fen: claimed (at filing and later), recovered, paid out."""
    rows = db.session.execute(
        select(MoneyEntry.kind, func.sum(MoneyEntry.amount_fen))
        .where(MoneyEntry.petition_id == petition.id)
        .group_by(MoneyEntry.kind)
    )
    return totals_of(petition, {kind: int(amount) for kind, amount in rows})


def note(petition: Petition, event: str, who: Identity, facts: Mapping[str, Any]) -> None:
    """Put something on the timeline that is no transition: state and deadlines stay as they are."""
    petition.version += 1
    row = timeline.append(
        petition.id, petition.version, event, who.actor, from_state=petition.state, to_state=petition.state, facts=facts
    )
    if (row.public and who.actor.kind != "petitioner") or event == "message_from_staff":
        # What petitioners do themselves does not break the silence of an office.
        petition.last_visible_at = row.at


_DEFAULTS = {column.key: column.default and column.default.arg for column in Petition.__table__.columns}


def _defaults() -> dict[str, Any]:
    """Column defaults, spelt out because the chart reads the record before it is written. Each list is one of its own."""
    return {name: [] if callable(arg) else arg for name, arg in _DEFAULTS.items()}


class _Seat(NamedTuple):
    """Where a new petition goes: the level and office that answer for it, and who must withdraw from it."""

    level: int
    office: UUID | None
    exclusions: tuple[Exclusion, ...]


def _seat(draft: Mapping[str, Any]) -> _Seat:
    """Raises Invalid when the place is unknown or withdrawn. One statement."""
    place = draft["division_code"]
    if not (draft["accused"] or draft["keep_from"] or draft["accused_org_ids"]):
        row = db.session.execute(_PLACE, {"place": place, **transitions.place_at(place, 4)}).one_or_none()
        if row is not None and row.level >= 4:
            return _Seat(4, row.office, ())
        raise Invalid({"division_code": ["not a village or township of the present list"]})
    found = recusal.examine(
        (one["name"] for one in draft["accused"]),
        (one["name"] for one in draft["keep_from"]),
        draft["accused_org_ids"],
        place,
    )
    if (found.involvement.place_level or 0) < 4:
        raise Invalid({"division_code": ["not a village or township of the present list"]})
    # No petition goes to whoever must withdraw from it: the next level above answers for it from the first day.
    office = recusal.seat_of(found, 4)
    first = next(iter(found.involvement.chain), None)
    if office is None:
        return _Seat(1, None, found.exclusions)
    return _Seat(4 if office is first else office.level, office.id, found.exclusions)


def _people(draft: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Who files: the person, up to five representatives of a collective, a guardian. Of an anonymous filing nobody."""
    if draft["way"] == "anonymous":
        return []
    people = [{"part": "petitioner", "name": draft["name"], "phone": draft["phone"], "address": draft["address"]}]
    people += [{"part": "representative", "address": None, **one} for one in draft["representatives"]]
    if draft.get("guardian"):
        people.append(
            {"part": "guardian", "name": draft["guardian"], "phone": draft["guardian_phone"], "address": None}
        )
    return [one for one in people if one["name"] or one["phone"]]


# The case comes into new hands, or goes up: who must withdraw is computed anew before.
_CHANGES_HANDS = frozenset(
    "dispatch add_co_handler rehandle reopen give_review_opinion rate change_rating ask_review ask_recheck".split()
)


def _check(petition: Petition, event: str, facts: Mapping[str, Any], who: Identity) -> None:
    """What the chart can not know: that the ids in the facts name something, that a merge makes no circle, that a priority
    is corrected with a reason, and who must withdraw from the case as the directory stands today."""
    if event == "register" and facts.get("priority", petition.priority) != petition.priority and "reason" not in facts:
        raise Invalid({"reason": ["required when the priority is corrected"]})
    if event == "merge":
        parent = db.session.get(Petition, facts["parent_id"])
        if (
            parent is None
            or parent.id == petition.id
            or parent.state == PetitionState.MERGED
            or parent.state not in OPEN_STATES
        ):
            raise Invalid({"parent_id": ["not an open, unmerged case that you can see"]})
    wanted = {facts[name] for name in ("main_org_id", "co_org_id") if facts.get(name)} | set(
        facts.get("co_org_ids", ())
    )
    if event in _CHANGES_HANDS and recusal.has_subjects(petition):
        known = set(recusal.refresh(petition, watch=wanted).involvement.crews)
        recusal.require_not_excluded(petition, who)
        if wanted - known:
            raise Invalid({"main_org_id": ["no such body"]})
    elif wanted:
        _require_bodies(wanted, "main_org_id")


def _require_bodies(wanted: Iterable[UUID], field: str) -> None:
    known = set(db.session.scalars(select(Organisation.id).where(Organisation.id.in_(wanted), Organisation.active)))
    if set(wanted) - known:
        raise Invalid({field: ["no such body"]})
