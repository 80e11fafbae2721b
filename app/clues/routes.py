"""Clues over HTTP: schema in, transaction, one call, schema out. Whoever may not know of a clue gets 404."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from app import idempotency
from app.auth import signed_in
from app.clues import service
from app.clues.schemas import (
    ACTIONS,
    CandidateList,
    ClueDone,
    ClueMessageDone,
    ClueMessageDraft,
    CluePage,
    ClueQuery,
    ClueText,
    ClueView,
    PurposeDraft,
    ReaderDone,
    ReaderDraft,
)
from app.web import MATCH_HEADER, Blueprint, Schema, version_of_request
from workflows.clue import CLUE_EVENT_LABELS, ClueEvent

clues = Blueprint("clues", __name__, url_prefix="/api/v1", description="密封线索 sealed clues")


@clues.get("/clues")
@clues.arguments(ClueQuery, location="query")
@clues.response(200, CluePage)
def list_clues(query: dict[str, Any]) -> Any:
    """The clues that I may know of: state and limits, nothing of what they say."""
    with signed_in("staff"):
        return service.list_clues(query)


@clues.get("/clues/<uuid:clue_id>")
@clues.response(200, ClueView)
def get_clue(clue_id: UUID) -> Any:
    """One clue: steps, limits, who may know, what I may do. The text is opened apart."""
    with signed_in("staff") as who:
        view = service.clue_view(clue_id, who)
        return view, 200, {"ETag": f'"{view["version"]}"'}


@clues.post("/clues/<uuid:clue_id>/actions/open-text")
@clues.arguments(PurposeDraft)
@clues.response(200, ClueText)
def open_clue_text(draft: dict[str, Any], clue_id: UUID) -> Any:
    """Open the text, as somebody on the list; who, when and why go on record."""
    with signed_in("staff") as who:
        return service.open_text(clue_id, draft["purpose"], who)


@clues.get("/clues/<uuid:clue_id>/candidates")
@clues.response(200, CandidateList)
def list_clue_candidates(clue_id: UUID) -> Any:
    """Whom the head in charge may put on the list or give the clue to."""
    with signed_in("staff") as who:
        return {"items": service.list_candidates(clue_id, who)}


@clues.post("/clues/<uuid:clue_id>/readers")
@clues.arguments(ReaderDraft)
@clues.response(201, ReaderDone)
@clues.doc(parameters=[idempotency.KEY_HEADER])
def add_clue_reader(draft: dict[str, Any], clue_id: UUID) -> Any:
    """Put somebody on the need-to-know list, as the head in charge."""
    with signed_in("staff") as who:
        return idempotency.once(clue_id, draft, lambda: service.add_reader(clue_id, draft["account_id"], who))


@clues.post("/clues/<uuid:clue_id>/readers/<uuid:account_id>/actions/remove")
@clues.response(200, ReaderDone)
def remove_clue_reader(clue_id: UUID, account_id: UUID) -> Any:
    """Take somebody off the list, as the head in charge."""
    with signed_in("staff") as who:
        return service.remove_reader(clue_id, account_id, who)


@clues.post("/clues/<uuid:clue_id>/messages")
@clues.arguments(ClueMessageDraft)
@clues.response(201, ClueMessageDone)
@clues.doc(parameters=[idempotency.KEY_HEADER])
def send_clue_message(draft: dict[str, Any], clue_id: UUID) -> Any:
    """Write to the petitioner, as somebody on the list; moves no limit."""
    with signed_in("staff") as who:
        return idempotency.once(clue_id, draft, lambda: service.send_message(clue_id, draft["body"], who))


def _action_route(event: str, shape: type[Schema]) -> Callable[..., Any]:
    def perform(facts: dict[str, Any], clue_id: UUID) -> Any:
        with signed_in("staff") as who:
            done = service.act(clue_id, event, who, facts, version_of_request())
            return done, 200, {"ETag": f'"{done["version"]}"'}

    perform.__name__ = f"clue_{event}"
    perform.__doc__ = f"{CLUE_EVENT_LABELS[ClueEvent(event)].zh} {event.replace('_', ' ')}."
    view = clues.doc(parameters=[MATCH_HEADER])(perform)
    view = clues.response(200, ClueDone)(view)
    return clues.arguments(shape)(view)


for _event, _shape in ACTIONS.items():
    clues.post(f"/clues/<uuid:clue_id>/actions/{_event.replace('_', '-')}")(_action_route(_event, _shape))
