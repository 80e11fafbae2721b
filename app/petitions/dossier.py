"""The file of a case that has left the province (上报卷宗): all that the authority above is given to read."""

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import and_, or_, select, text

from app import calendar_store, clock, timeline, transitions
from app.auth import Identity
from app.errors import Conflict, Forbidden
from app.extensions import db
from app.petitions import reading, service
from app.petitions.models import DeadlineRow, PetitionEventRow
from workflows.petition import PetitionState
from workflows.petition_guards import is_provincial_desk

_OPINIONS = ("mediate", "explain", "give_review_opinion", "give_recheck_opinion")
# Events whose actor, or whose new handler, had the case in hand.
_HANDLING = ("sign", "start", "submit_reply", "hand_over")


def external_dossier(petition_id: UUID, who: Identity) -> dict[str, Any]:
    """Everything about a case that lies with the external authority, for a provincial desk to print.

    Holds `case` (the view of app.petitions.reading), `timeline` (its events, each with the kind of its actor),
    `accused`, `rounds`, `opinions`, `passed` (deadlines that were missed), `external` and `printed_at`. The reading itself is noted on the timeline, out of the petitioner's sight.
    Raises Unknown, Forbidden (no provincial desk) and Conflict `not-with-external`.
    """
    petition = transitions.lock(petition_id)
    if not is_provincial_desk.ask(petition, who.actor, {}):
        raise Forbidden()
    if petition.state != PetitionState.EXTERNAL:
        raise Conflict("not-with-external", state=petition.state)
    view = reading.case_view(petition_id, who)
    rows = timeline.log_of(petition_id)
    told = list(zip(view["timeline"], rows, strict=True))
    names = _names_of(_person(row) for row in rows)
    found = {
        "case": view,
        "timeline": [{**one, "by": row.actor_kind} for one, row in told],
        "accused": petition.accused,
        "rounds": _rounds(told, names),
        "opinions": [one for one in view["timeline"] if one["event"] in _OPINIONS],
        "passed": _passed(petition_id),
        "external": {
            "since": max((row.at for row in rows if _arrives(row)), default=None),
            "urged": [row.at for row in rows if row.event == "urge_external"],
            "acknowledged": [one for one in view["timeline"] if one["event"] == "acknowledge_external"],
        },
        "printed_at": clock.now(),
    }
    service.note(petition, "print_dossier", who, {})
    return found


def _arrives(row: PetitionEventRow) -> bool:
    return row.to_state == PetitionState.EXTERNAL != row.from_state


def _person(row: PetitionEventRow) -> UUID | None:
    """Who had the case in hand, or approved the reply, by this event; None for every other event and for clocks."""
    if row.event == "hand_over":
        return UUID(row.facts["to_id"])
    return row.actor_id if row.event in _HANDLING or row.event == "approve_reply" else None


def _names_of(ids: Iterable[UUID | None]) -> dict[UUID, str]:
    found = text("SELECT id, name FROM staff_accounts WHERE id = ANY(:ids)")
    rows = db.session.execute(found, {"ids": list({one for one in ids if one})})
    return {row.id: row.name for row in rows}


def _rounds(told: list[tuple[dict[str, Any], PetitionEventRow]], names: Mapping[UUID, str]) -> list[dict[str, Any]]:
    """Each handling from its first body to its rating; what the petitioner got is the reply as delivered."""
    rounds: list[dict[str, Any]] = []
    for one, row in told:
        redo = row.event == "give_review_opinion" and one["to_body"]
        if row.event in ("rehandle", "reopen") or redo or (row.event in ("dispatch", "follow_parent") and not rounds):
            rounds.append({"bodies": [], "handlers": [], "approvers": [], "replies": [], "ratings": []})
        if not rounds:
            continue
        this = rounds[-1]
        if one["to_body"]:
            this["bodies"].append({"at": row.at, "name": one["to_body"]})
        if (person := _person(row)) in names:
            part = this["approvers" if row.event == "approve_reply" else "handlers"]
            if names[person] not in part:
                part.append(names[person])
        if row.event in ("deliver", "follow_parent"):
            this["replies"].append(one)
        if row.event in ("rate", "change_rating"):
            this["ratings"].append(one)
    return rounds


def _passed(petition_id: UUID) -> list[dict[str, Any]]:
    late = or_(DeadlineRow.breached, and_(DeadlineRow.live, DeadlineRow.due_at <= clock.now()))
    rows = db.session.scalars(
        select(DeadlineRow).where(DeadlineRow.petition_id == petition_id, late).order_by(DeadlineRow.due_at)
    )
    _calendar, versions = calendar_store.current()
    policies = {policy.id: policy for policy in versions}
    return [
        {"name": limit.name_zh, "name_en": limit.name_en, "statutory": limit.statutory, "due_on": row.due_on,
         "due_at": row.due_at}
        for row in rows
        # A right that lapsed and a reminder of our own are nobody's failing.
        if (limit := policies[row.policy_id]).reminders.breach
    ]  # fmt: skip
