"""Short-lived links: a file opens for whoever holds the link, for five minutes, without a sign-in."""

import hashlib
import logging
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, BinaryIO
from uuid import UUID

from flask import current_app
from itsdangerous import BadData, URLSafeSerializer

from app import clock
from app.auth import VISITOR, Identity
from app.database import transaction
from app.errors import Conflict, Problem, Unknown
from app.extensions import db
from app.files import service
from app.files.models import Attachment
from app.files.storage import Missing
from app.privacy import reads
from app.recusal.service import is_excluded

LINK_LIFETIME = timedelta(minutes=5)

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Download:
    """A released file, open for reading; whoever takes it closes it."""

    content: BinaryIO
    name: str
    size: int
    media_type: str
    sha256: str


def link(attachment_id: UUID, who: Identity) -> dict[str, Any]:
    """A link {url, expires_at} to a released file that the reader of this transaction sees; it opens for five minutes,
    without a sign-in. A link for staff goes on record as a read. Raises Unknown, and Conflict `file-not-released`."""
    row = db.session.get(Attachment, attachment_id)
    if row is None:
        raise Unknown
    if row.status != "released":
        raise Conflict("file-not-released", reason=row.status)
    reads.record(row.petition_id, "file", who, details={"attachment_id": row.id})
    expires_at = (clock.now() + LINK_LIFETIME).replace(microsecond=0)
    staff = who.actor if who.actor.kind == "staff" else None
    reader = [staff.person_id.hex, staff.org_id.hex] if staff and staff.person_id and staff.org_id else []
    token = _signer().dumps([row.id.hex, row.petition_id.hex, int(expires_at.timestamp()), *reader])
    return {"url": f"/files/{token}", "expires_at": expires_at}


def open_link(token: str) -> Download:
    """The file behind a token of `link`; opens and closes its own transaction, so that none is held while bytes flow.

    Raises Unknown (forged, or the file is gone) and Problem `link-expired` (410).
    """
    try:
        file_id, petition_id, expires, *reader = _signer().loads(token)
    except BadData as error:
        raise Unknown from error
    # The link carries no more rights than a receipt of that one case.
    with transaction(VISITOR, petition_id=UUID(petition_id)):
        if clock.now().timestamp() >= expires:
            raise Problem("link-expired", status=410)
        # A link given to staff ends when they must withdraw. Asked before anything is refused, so that both ways of finding
        # nothing cost the same statements.
        barred = bool(reader) and is_excluded(UUID(petition_id), *map(UUID, reader))
        row = db.session.get(Attachment, UUID(file_id))
        if barred or row is None or row.status != "released" or row.media_type is None or row.sha256 is None:
            raise Unknown
        try:
            content = service.storage().open_kept(row.id)
        except Missing as error:
            log.error("the content of attachment %s is missing", row.id)
            raise Unknown from error
        return Download(content=content, name=row.name, size=row.size, media_type=row.media_type, sha256=row.sha256)


def _signer() -> URLSafeSerializer:
    key = current_app.config["SETTINGS"].secret_key
    return URLSafeSerializer(key, salt="attachment-link", signer_kwargs={"digest_method": hashlib.sha256})
