"""Petitions over HTTP: schema in, transaction, one call, schema out."""

import csv
import io
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

from flask import Response, request, stream_with_context

from app import idempotency
from app.auth import signed_in, visitor
from app.errors import Forbidden, Invalid
from app.petitions import export, reading, service
from app.petitions.limits import allow_filing
from app.petitions.schemas import (
    ACTIONS,
    DisputeDraft,
    IntakeDraft,
    MeetingDraft,
    MessageDraft,
    MessageView,
    MoneyDraft,
    MoneyView,
    PetitionDraft,
    PetitionPage,
    PetitionQuery,
    PetitionView,
    Receipt,
    SearchQuery,
)
from app.privacy import reads
from app.web import MATCH_HEADER, Blueprint, Schema, version_of_request
from workflows.actor import Role
from workflows.petition import EVENT_LABELS, PetitionEvent

petitions = Blueprint("petitions", __name__, url_prefix="/api/v1", description="信访事项 petitions")
CHUNK = 64_000  # characters of an export that are sent at once
# Who writes down letters, calls and visits, and who files for somebody else (domain rules of role and channel).
INTAKE_ROLES = frozenset(
    {
        Role.PETITION_OFFICE, Role.TOWNSHIP_OFFICE, Role.TOWNSHIP_DISCIPLINE, Role.COUNTY_DISCIPLINE,
        Role.UPPER_DISCIPLINE, Role.VILLAGE_SUPERVISOR, Role.GRID_WORKER, Role.WOMENS_FEDERATION,
    }
)  # fmt: skip
# Who may record money and meetings: whoever can handle a case, but nobody who only writes one down.
RECORDING_ROLES = (INTAKE_ROLES - {Role.GRID_WORKER, Role.WOMENS_FEDERATION}) | {
    Role.DEPARTMENT_HANDLER, Role.DISPATCHED_GROUP,
}  # fmt: skip


@petitions.post("/petitions")
@petitions.arguments(PetitionDraft)
@petitions.response(201, Receipt)
@petitions.doc(security=[{}, {"bearer": []}], parameters=[idempotency.KEY_HEADER])
def file_petition(draft: dict[str, Any]) -> Any:
    """File a petition: signed in by phone, or without any account."""
    key = idempotency.key_of_request()
    allow_filing()
    with signed_in("villager") if "Authorization" in request.headers else visitor() as who:
        return service.file_petition(draft, who, key=key)


@petitions.post("/intake/petitions")
@petitions.arguments(IntakeDraft)
@petitions.response(201, Receipt)
@petitions.doc(parameters=[idempotency.KEY_HEADER])
def register_intake(draft: dict[str, Any]) -> Any:
    """Write down a letter, call, fax or visit, or file for a person who can not (the person confirms)."""
    key = idempotency.key_of_request()
    with signed_in("staff") as who:
        _require(who.actor.role, INTAKE_ROLES)
        if not draft["division_code"].startswith(who.actor.scope):
            raise Invalid({"division_code": ["outside your area"]})
        return service.file_petition(draft, who, key=key)


@petitions.get("/petitions")
@petitions.arguments(PetitionQuery, location="query")
@petitions.response(200, PetitionPage)
def list_petitions(query: dict[str, Any]) -> Any:
    """The cases that I may see, newest first, with their next forced step."""
    with signed_in() as who:
        return reading.list_cases(query, who)


@petitions.get("/petitions/search")
@petitions.arguments(SearchQuery, location="query")
@petitions.response(200, PetitionPage)
def search_petitions(query: dict[str, Any]) -> Any:
    """Cases whose title or text holds the words; two characters at least."""
    with signed_in("staff"):
        return reading.search(query["q"], query["limit"])


@petitions.get("/petitions/export.csv")
@petitions.arguments(PetitionQuery, location="query")
@petitions.doc(responses={"200": {"description": "CSV", "content": {"text/csv": {"schema": {"type": "string"}}}}})
def export_petitions(query: dict[str, Any]) -> Response:
    """The list as CSV, streamed; no text and no names. The export goes on record."""
    with signed_in("staff") as who:
        reads.record_export(who, query)

    def lines() -> Iterator[str]:
        buffer = io.StringIO()
        writer = csv.writer(buffer)
        for row in export.rows(who, query):
            writer.writerow(row)
            if buffer.tell() > CHUNK:
                yield buffer.getvalue()
                buffer.seek(0)
                buffer.truncate()
        yield buffer.getvalue()

    return Response(stream_with_context(lines()), mimetype="text/csv")


@petitions.get("/petitions/<uuid:petition_id>")
@petitions.response(200, PetitionView)
def get_petition(petition_id: UUID) -> Any:
    """One case with timeline, messages, deadlines and what I may do."""
    with signed_in() as who:
        return _with_etag(reading.case_view(petition_id, who))


@petitions.post("/petitions/<uuid:petition_id>/messages")
@petitions.arguments(MessageDraft)
@petitions.response(201, MessageView)
@petitions.doc(parameters=[idempotency.KEY_HEADER])
def send_message(draft: dict[str, Any], petition_id: UUID) -> Any:
    """Write on the case; moves no deadline."""
    with signed_in() as who:
        sent = idempotency.once(petition_id, draft, lambda: service.add_message(petition_id, who, **draft))
        return {**sent, "body": draft["body"]}


@petitions.post("/petitions/<uuid:petition_id>/confirmation")
@petitions.response(200, PetitionView)
def confirm_record(petition_id: UUID) -> Any:
    """The petitioner confirms what somebody else wrote down."""
    with signed_in("villager", "receipt") as who:
        return service.confirm(petition_id, who)


@petitions.post("/petitions/<uuid:petition_id>/disputes")
@petitions.arguments(DisputeDraft)
@petitions.response(201, Schema)
@petitions.doc(parameters=[idempotency.KEY_HEADER])
def dispute_record(draft: dict[str, Any], petition_id: UUID) -> Any:
    """The petitioner says that the record is not what they said; it stays unconfirmed."""
    with signed_in("petitioner") as who:
        said = draft["body"]
        return idempotency.once(petition_id, draft, lambda: service.dispute_record(petition_id, who, said) or {"done": True})


@petitions.post("/petitions/<uuid:petition_id>/money")
@petitions.arguments(MoneyDraft)
@petitions.response(201, MoneyView)
@petitions.doc(parameters=[idempotency.KEY_HEADER])
def record_money(draft: dict[str, Any], petition_id: UUID) -> Any:
    """Record money claimed, recovered or paid out; answers the totals in fen."""
    with signed_in("staff") as who:
        _require(who.actor.role, RECORDING_ROLES)
        return idempotency.once(petition_id, draft, lambda: service.record_money(petition_id, who, draft))


@petitions.post("/petitions/<uuid:petition_id>/meetings")
@petitions.arguments(MeetingDraft)
@petitions.response(201, Schema)
@petitions.doc(parameters=[idempotency.KEY_HEADER])
def record_meeting(draft: dict[str, Any], petition_id: UUID) -> Any:
    """Record a joint meeting with its minutes."""
    with signed_in("staff") as who:
        _require(who.actor.role, RECORDING_ROLES)
        return idempotency.once(petition_id, draft, lambda: service.record_meeting(petition_id, who, draft) or {"done": True})


def _require(role: str, allowed: frozenset[Role]) -> None:
    if role not in allowed:
        raise Forbidden()


def _with_etag(view: dict[str, Any]) -> Any:
    return view, 200, {"ETag": f'"{view["version"]}"'}


def _action_route(event: str, shape: type[Schema]) -> Callable[..., Any]:
    """The route of one action. All are alike, so that an action can not forget its lock, its version or its door."""

    def perform(facts: dict[str, Any], petition_id: UUID) -> Any:
        with signed_in() as who:
            return _with_etag(service.act(petition_id, event, who, facts, version_of_request()))

    perform.__name__ = event
    perform.__doc__ = f"{EVENT_LABELS[PetitionEvent(event)].zh} {event.replace('_', ' ')}."
    view = petitions.doc(parameters=[MATCH_HEADER])(perform)
    view = petitions.response(200, PetitionView)(view)
    return petitions.arguments(shape)(view)


for _event, _shape in ACTIONS.items():
    _path = f"/petitions/<uuid:petition_id>/actions/{_event.replace('_', '-')}"
    petitions.post(_path)(_action_route(_event, _shape))
