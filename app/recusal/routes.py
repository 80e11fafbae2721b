"""Recusal over HTTP."""

from typing import Any
from uuid import UUID

from app import idempotency
from app.auth import signed_in
from app.recusal import lifting, service
from app.recusal.schemas import ExclusionList, LiftingAsked, LiftingDraft, LiftingView, RecusalDraft
from app.web import Blueprint

recusal = Blueprint("recusal", __name__, url_prefix="/api/v1", description="回避 recusal")


@recusal.post("/petitions/<uuid:petition_id>/recusal")
@recusal.arguments(RecusalDraft)
@recusal.response(204)
def recuse_self(draft: dict[str, Any], petition_id: UUID) -> None:
    """Withdraw from a case; from then on it is hidden from me."""
    with signed_in("staff") as who:
        service.recuse_self(petition_id, who, draft["reason_code"], draft["note"])


@recusal.get("/petitions/<uuid:petition_id>/exclusions")
@recusal.response(200, ExclusionList)
def list_exclusions(petition_id: UUID) -> Any:
    """Who must withdraw from a case and why; for the office in charge and those who supervise it."""
    with signed_in("staff"):
        return {"items": service.list_exclusions(petition_id), "liftings": lifting.list_liftings(petition_id)}


@recusal.post("/petitions/<uuid:petition_id>/liftings")
@recusal.arguments(LiftingDraft)
@recusal.response(201, LiftingAsked)
@recusal.doc(parameters=[idempotency.KEY_HEADER])
def ask_lifting(draft: dict[str, Any], petition_id: UUID) -> Any:
    """Say that somebody merely bears a name of the case; nothing changes before a second body confirms it."""
    with signed_in("staff") as who:
        return idempotency.once(petition_id, draft, lambda: lifting.ask_lifting(petition_id, who, **draft))


@recusal.post("/liftings/<uuid:lifting_id>/actions/confirm")
@recusal.response(200, LiftingView)
def confirm_lifting(lifting_id: UUID) -> Any:
    """Confirm it as a second person of another body: what followed from the name alone is lifted."""
    with signed_in("staff") as who:
        return lifting.confirm_lifting(lifting_id, who)


@recusal.post("/liftings/<uuid:lifting_id>/actions/revoke")
@recusal.response(200, LiftingView)
def revoke_lifting(lifting_id: UUID) -> Any:
    """Put the exclusion back, or refuse what was asked; one person is enough."""
    with signed_in("staff") as who:
        return lifting.revoke_lifting(lifting_id, who)
