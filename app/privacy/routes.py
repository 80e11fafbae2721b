"""The record of reads, and what a petitioner may ask of their own data."""

from typing import Any
from uuid import UUID

from app import idempotency
from app.auth import signed_in
from app.errors import Forbidden
from app.privacy import own_data as service
from app.privacy import reads
from app.privacy.schemas import (
    DataDecided,
    DataDecision,
    DataRequestAsked,
    DataRequestDraft,
    DataRequestList,
    DataRequestQuery,
    OwnData,
    ReaderQuery,
    ReadPage,
    ReadQuery,
)
from app.web import Blueprint
from workflows.actor import Role

privacy = Blueprint("privacy", __name__, url_prefix="/api/v1", description="个人信息 privacy")

# Who may look at the record; which rows of it, the policy says.
REVIEWERS = frozenset({Role.TOWNSHIP_DISCIPLINE, Role.COUNTY_DISCIPLINE, Role.UPPER_DISCIPLINE, Role.AUDITOR})


@privacy.get("/petitions/<uuid:petition_id>/reads")
@privacy.arguments(ReadQuery, location="query")
@privacy.response(200, ReadPage)
def list_case_reads(query: dict[str, Any], petition_id: UUID) -> Any:
    """Who of the staff has read this case, when and why. For discipline bodies and auditors."""
    with signed_in("staff") as who:
        _require_reviewer(who.actor.role)
        return reads.list_reads(query, petition_id)


@privacy.get("/reads")
@privacy.arguments(ReaderQuery, location="query")
@privacy.response(200, ReadPage)
def list_reads(query: dict[str, Any]) -> Any:
    """Reads and exports in my area, of everybody or of one account."""
    with signed_in("staff") as who:
        _require_reviewer(who.actor.role)
        return reads.list_reads(query)


def _require_reviewer(role: str) -> None:
    if role not in REVIEWERS:
        raise Forbidden()


@privacy.get("/my-data")
@privacy.response(200, OwnData)
def own_data() -> Any:
    """Everything that is kept about me, to see and to copy (个人信息保护法 Art 45)."""
    with signed_in("petitioner") as who:
        return service.own_data(who), 200, {"Content-Disposition": 'attachment; filename="my-data.json"'}


@privacy.post("/my-data/requests")
@privacy.arguments(DataRequestDraft)
@privacy.response(201, DataRequestAsked)
@privacy.doc(parameters=[idempotency.KEY_HEADER])
def request_change(draft: dict[str, Any]) -> Any:
    """Ask for my data to be corrected or deleted; decided within fifteen working days."""
    with signed_in("petitioner") as who:
        return idempotency.once(draft["petition_id"], draft, lambda: service.request_change(draft, who))


@privacy.get("/data-requests")
@privacy.arguments(DataRequestQuery, location="query")
@privacy.response(200, DataRequestList)
def list_data_requests(query: dict[str, Any]) -> Any:
    """What petitioners of my area ask of their data, the most urgent first."""
    with signed_in("staff"):
        return {"items": service.list_requests(open_only=query["open"])}


@privacy.post("/data-requests/<uuid:request_id>/actions/decide")
@privacy.arguments(DataDecision)
@privacy.response(200, DataDecided)
def decide_data_request(decision: dict[str, Any], request_id: UUID) -> Any:
    """Grant or refuse with a reason; a refusal names its legal ground."""
    with signed_in("staff") as who:
        return service.decide_request(request_id, decision, who)
