"""Papers over HTTP: receipt, code, recovery slip, statutory papers, their delivery and their check."""

from typing import Any
from uuid import UUID

from flask import Response, request

from app import idempotency
from app.auth import signed_in, visitor
from app.papers import receipts, recovery, service
from app.papers.printing import pdf_answer
from app.papers.schemas import (
    DeliveryDraft,
    DeliveryView,
    PaperCheck,
    PaperCheckView,
    PaperList,
    ReceiptView,
    RecoveredReceipts,
    Recovery,
)
from app.signin import limits
from app.signin import service as signin
from app.signin.limits import one_try
from app.signin.schemas import ReceiptSignIn
from app.web import Blueprint

papers = Blueprint("papers", __name__, url_prefix="/api/v1", description="文书 papers: receipts and statutory papers")

PDF: dict[str, Any] = {"schema": {"type": "string", "format": "binary"}, "content_type": "application/pdf"}
SVG = {**PDF, "content_type": "image/svg+xml"}
PNG = {**PDF, "content_type": "image/png"}


@papers.get("/petitions/<uuid:petition_id>/receipt")
@papers.response(200, ReceiptView)
def get_receipt(petition_id: UUID) -> Any:
    """The receipt as it was given at filing, its signed promise included, without the PIN, which nobody keeps."""
    with signed_in() as who:
        receipt = receipts.receipt_of(petition_id, who)
        return {**receipt, "code": receipts.code_text(receipt)}


@papers.get("/petitions/<uuid:petition_id>/receipt.pdf")
@papers.response(200, **PDF)
def print_receipt(petition_id: UUID) -> Any:
    """The receipt on one page."""
    with signed_in() as who:
        return pdf_answer(receipts.receipt_pdf(receipts.receipt_of(petition_id, who)), "receipt")


@papers.get("/petitions/<uuid:petition_id>/receipt.svg")
@papers.response(200, **SVG)
def draw_receipt_code(petition_id: UUID) -> Any:
    """The QR code of the receipt: number, commitment and promise; no content, no PIN."""
    with signed_in() as who:
        code = receipts.code_text(receipts.receipt_of(petition_id, who))
    return Response(receipts.code_picture(code, "svg"), mimetype="image/svg+xml")


@papers.get("/petitions/<uuid:petition_id>/receipt.png")
@papers.response(200, **PNG)
def paint_receipt_code(petition_id: UUID) -> Any:
    """The same QR code as PNG."""
    with signed_in() as who:
        code = receipts.code_text(receipts.receipt_of(petition_id, who))
    return Response(receipts.code_picture(code, "png"), mimetype="image/png")


@papers.post("/receipts/slip")
@papers.doc(security=[])
@papers.arguments(ReceiptSignIn)
@papers.response(200, **PDF)
def print_slip(body: dict[str, Any]) -> Any:
    """Number and PIN on a slip to put away, for whoever knows both. Neither stands in an address or a log."""
    with one_try("receipt", body["serial"]):
        signin.petition_of_receipt(**body)
        return pdf_answer(receipts.slip_pdf(**body), "slip")


@papers.post("/receipts/recovery")
@papers.doc(security=[])
@papers.arguments(Recovery)
@papers.response(200, RecoveredReceipts)
def recover_receipts(body: dict[str, Any]) -> Any:
    """Lost receipts of a phone, for who holds it and names the person as filed; each gets a new PIN."""
    with one_try("recovery", body["phone"]) as who:
        return {"items": recovery.recover_receipts(**body, who=who)}


@papers.get("/petitions/<uuid:petition_id>/papers")
@papers.response(200, PaperList)
def list_papers(petition_id: UUID) -> Any:
    """The statutory papers of a case with numbers, last days and delivery records."""
    with signed_in() as who:
        return {"items": service.list_papers(petition_id, who)}


@papers.get("/petitions/<uuid:petition_id>/papers/<int:seq>.pdf")
@papers.response(200, **PDF)
def print_paper(petition_id: UUID, seq: int) -> Any:
    """One paper. When the petitioner opens it, that is recorded as its delivery online; HEAD opens nothing."""
    with signed_in() as who:
        return pdf_answer(*service.print_paper(petition_id, seq, who, opened=request.method != "HEAD"))


@papers.post("/petitions/<uuid:petition_id>/papers/<int:seq>/deliveries")
@papers.arguments(DeliveryDraft)
@papers.response(201, DeliveryView)
@papers.doc(parameters=[idempotency.KEY_HEADER])
def record_delivery(draft: dict[str, Any], petition_id: UUID, seq: int) -> Any:
    """Record that a paper was posted, handed over, or refused and left."""
    with signed_in("staff") as who:
        return idempotency.once(petition_id, draft, lambda: service.record_delivery(petition_id, seq, who, draft))


@papers.get("/papers/verify")
@papers.doc(security=[])
@papers.arguments(PaperCheck, location="query")
@papers.response(200, PaperCheckView)
def verify_paper(query: dict[str, str]) -> Any:
    """Whether a paper with this number and code was issued here. Tells nothing of its content."""
    with visitor():
        limits.count("paper", limits.client_address())
    with visitor():
        return service.verify_paper(**query)
