"""The record of reads, and what a petitioner may ask of their own data."""

from typing import Any
from uuid import UUID

from app.auth import signed_in
from app.errors import Forbidden
from app.privacy import reads
from app.privacy.schemas import ReaderQuery, ReadPage, ReadQuery
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
