"""Break-glass over HTTP: ask, grant, open, list."""

from typing import Any
from uuid import UUID

from app import idempotency
from app.auth import signed_in
from app.identity import service
from app.identity.schemas import Asked, OpenedIdentity, OpeningDraft, OpeningList, OpeningView
from app.web import Blueprint

identity = Blueprint("identity", __name__, url_prefix="/api/v1", description="保密身份 confidential identities")


@identity.post("/petitions/<uuid:petition_id>/identity-openings")
@identity.arguments(OpeningDraft)
@identity.response(201, Asked)
@identity.doc(parameters=[idempotency.KEY_HEADER])
def request_opening(draft: dict[str, Any], petition_id: UUID) -> Any:
    """Ask for a confidential identity to be opened; a second person of another body grants it."""
    with signed_in("staff") as who:
        return idempotency.once(
            petition_id, draft, lambda: service.request_opening(petition_id, draft["reason"], who)
        )


@identity.get("/identity-openings")
@identity.response(200, OpeningList)
def list_openings() -> Any:
    """What was asked for and granted in the cases that I may see, with its reason."""
    with signed_in("staff") as who:
        return {"items": service.list_openings(who)}


@identity.post("/identity-openings/<uuid:opening_id>/actions/grant")
@identity.response(200, OpeningView)
def grant_opening(opening_id: UUID) -> Any:
    """Grant it, for 24 hours; the petitioner is told."""
    with signed_in("staff") as who:
        return service.grant_opening(opening_id, who)


@identity.post("/identity-openings/<uuid:opening_id>/actions/open")
@identity.response(200, OpenedIdentity)
def open_identity(opening_id: UUID) -> Any:
    """Look, as the person who asked, while the grant lasts; every look is on record."""
    with signed_in("staff", purpose=service.PURPOSE) as who:
        return service.open_identity(opening_id, who)
