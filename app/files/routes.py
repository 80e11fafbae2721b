"""Resumable uploads (tus 1.0: core and creation) and downloads by short-lived links."""

from typing import Any
from uuid import UUID

from flask import Response, request, send_file
from werkzeug.exceptions import RequestedRangeNotSatisfiable

from app import idempotency
from app.auth import signed_in
from app.database import transaction
from app.errors import Problem
from app.files import links, service
from app.files.schemas import TUS_VERSION, FileLink, NewUpload, UploadPiece, UploadState
from app.web import Blueprint, ProblemSchema

files = Blueprint("files", __name__, description="Files of a case: resumable uploads (tus 1.0) and downloads")

PROBLEM: dict[str, Any] = {"schema": ProblemSchema, "content_type": "application/problem+json", "success": False}
KEY_HEADER = {
    "in": "header",
    "name": "Idempotency-Key",
    "required": False,
    "schema": {"type": "string", "pattern": "^[A-Za-z0-9_-]{22,128}$"},
    "description": "made at random by the client; the same key announces the same file once",
}
PIECE_TYPE = "application/offset+octet-stream"


@files.before_request
def check_version() -> None:
    """Another protocol version is answered before anything is done, as tus demands."""
    if _speaks_tus() and request.method != "OPTIONS" and request.headers.get("Tus-Resumable") != TUS_VERSION:
        raise Problem("tus-version", status=412, headers={"Tus-Version": TUS_VERSION})


@files.after_request
def name_version(response: Response) -> Response:
    """Every answer of the protocol, errors included, names its version."""
    if _speaks_tus():
        response.headers["Tus-Resumable"] = TUS_VERSION
    return response


def _speaks_tus() -> bool:
    return request.url_rule is not None and "/uploads" in request.url_rule.rule


def _describe() -> Response:
    limit = str(service.max_bytes())
    return Response(
        status=204, headers={"Tus-Version": TUS_VERSION, "Tus-Extension": "creation", "Tus-Max-Size": limit}
    )


@files.route("/api/v1/petitions/<uuid:petition_id>/uploads", methods=["OPTIONS"])
@files.doc(security=[])
@files.response(204)
def describe_uploads(petition_id: UUID) -> Any:
    """What this upload server speaks and how large a file may be."""
    return _describe()


@files.post("/api/v1/petitions/<uuid:petition_id>/uploads", provide_automatic_options=False)
@files.doc(parameters=[KEY_HEADER])
@files.arguments(NewUpload, location="headers")
@files.response(201)
def start_upload(headers: dict[str, str], petition_id: UUID) -> Any:
    """Announce a file; `Location` names the upload to send pieces to."""
    name = service.read_metadata(headers["metadata"])
    size = int(headers["length"])
    with signed_in() as who:

        def start() -> dict[str, str]:
            return {"id": str(service.start_upload(petition_id, who, name, size).id)}

        # Optional here, unlike elsewhere: a tus client that knows nothing of keys must still be able to upload.
        repeatable = "Idempotency-Key" in request.headers
        upload = idempotency.once(petition_id, {"name": name, "size": size}, start) if repeatable else start()
    return Response(status=201, headers={"Location": f"/api/v1/uploads/{upload['id']}"})


@files.route("/api/v1/uploads/<uuid:upload_id>", methods=["OPTIONS"])
@files.doc(security=[])
@files.response(204)
def describe_upload(upload_id: UUID) -> Any:
    """What this upload server speaks and how large a file may be."""
    return _describe()


@files.route("/api/v1/uploads/<uuid:upload_id>", methods=["HEAD"], provide_automatic_options=False)
@files.arguments(UploadState, location="headers")
@files.response(200)
@files.alt_response(410, **PROBLEM)
def show_upload(headers: dict[str, str], upload_id: UUID) -> Any:
    """How many bytes have arrived: where to go on after a broken connection."""
    with signed_in() as who:
        upload = service.find_upload(upload_id, who)
    return Response(headers={"Upload-Offset": str(upload.offset), "Upload-Length": str(upload.size)})


@files.route("/api/v1/uploads/<uuid:upload_id>", methods=["PATCH"], provide_automatic_options=False)
@files.doc(requestBody={"content": {PIECE_TYPE: {"schema": {"type": "string", "format": "binary"}}}})
@files.arguments(UploadPiece, location="headers")
@files.response(204)
@files.alt_response(410, **PROBLEM)
@files.alt_response(507, **PROBLEM)
def continue_upload(headers: dict[str, str], upload_id: UUID) -> Any:
    """Send the next piece. The last one has the file inspected: `file-refused` (422) names what is wrong with it."""
    if request.mimetype != PIECE_TYPE:
        raise Problem("unsupported-media-type", status=415)
    with signed_in() as who:
        upload = service.find_upload(upload_id, who)
    offset = service.receive(upload, int(headers["offset"]), request.stream, request.content_length)
    finding = service.inspect(upload) if offset == upload.size else None
    # In the name of the person who began the request: a token that ran out during a long piece must not lose it.
    with transaction(who.actor, petition_id=who.petition_id):
        status = service.record(upload.id, offset, finding)
    if finding:
        service.storage().forget_received(upload.id)
    if finding and finding.refused:
        raise service.refusal(finding.refused)
    if status == "refused":
        raise Problem("upload-gone", status=410)
    return Response(status=204, headers={"Upload-Offset": str(offset)})


@files.get("/api/v1/attachments/<uuid:attachment_id>/link")
@files.response(200, FileLink)
def link_attachment(attachment_id: UUID) -> Any:
    """A link to the file that opens without sign-in for five minutes."""
    with signed_in() as who:
        return links.link(attachment_id, who)


@files.get("/files/<token>")
@files.doc(security=[])
@files.response(200, {"type": "string", "format": "binary"}, content_type="*/*")
@files.alt_response(206, schema={"type": "string", "format": "binary"}, content_type="*/*")
@files.alt_response(410, **PROBLEM)
@files.alt_response(416, **PROBLEM)
def download_attachment(token: str) -> Any:
    """The file behind a link, always as a download: nothing that people sent is shown under our own address."""
    file = links.open_link(token)
    response = send_file(file.content, mimetype=file.media_type, as_attachment=True, download_name=file.name)
    response.content_length = file.size
    response.set_etag(file.sha256)
    response.headers["Cache-Control"] = "private, no-store"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
    response.headers["Referrer-Policy"] = "no-referrer"
    try:
        return response.make_conditional(request.environ, accept_ranges=True, complete_length=file.size)
    except RequestedRangeNotSatisfiable:
        response.close()
        raise
