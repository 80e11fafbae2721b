"""Recusal over HTTP."""

from typing import Any
from uuid import UUID

from app.auth import signed_in
from app.recusal import service
from app.recusal.schemas import ExclusionList, RecusalDraft
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
        return {"items": service.list_exclusions(petition_id)}
