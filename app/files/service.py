"""Attachments of a case: received in pieces, inspected when complete, kept in quarantine until they are known harmless."""

import base64
import binascii
import errno
import hashlib
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, BinaryIO
from uuid import UUID

from flask import current_app
from sqlalchemy import func, select

from app import clock
from app.auth import Identity
from app.database import SYSTEM, transaction
from app.errors import Conflict, Invalid, Problem, Unknown
from app.extensions import db
from app.files import inspection, scanner
from app.files.models import Attachment
from app.files.storage import LocalFolder, Missing, Moved, Storage, TooLong
from app.text import catalogue
from app.transitions import lock
from workflows.petition import TABLE

FILES_PER_CASE = 20
# Refused files do not count towards the limit above; this one stops somebody who only ever sends refusable files.
ATTEMPTS_PER_CASE = 100
ABANDONED_AFTER = timedelta(days=2)
# After so many files without a verdict a sweep ends; each may have taken the scanner's whole time limit.
SCAN_FAILURES = 3

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Upload:
    """An upload that may be continued: `offset` bytes of `size` have arrived. `open` is false once it was inspected."""

    id: UUID
    name: str
    size: int
    offset: int
    open: bool


@dataclass(frozen=True, slots=True)
class Finding:
    """What the inspection made of a complete upload; `refused` is a reason code or None."""

    name: str
    size: int
    media_type: str | None = None
    sha256: str | None = None
    harmless: bool = False
    refused: str | None = None


@dataclass(slots=True)
class FilesReport:
    """One sweep over files: how many it settled, and how many it could not."""

    done: int = 0
    failed: int = 0


def _never() -> bool:
    return False


def storage() -> Storage:
    """Where this application keeps files."""
    return LocalFolder(current_app.config["SETTINGS"].files_dir)


def max_bytes() -> int:
    """The largest file that is taken."""
    limit: int = current_app.config["SETTINGS"].max_upload_mb
    return limit * 1024 * 1024


def read_metadata(header: str) -> str:
    """The file name in a tus `Upload-Metadata` header; other keys are allowed and ignored. Raises Invalid."""
    for pair in header.split(","):
        key, _, value = pair.strip().partition(" ")
        if key == "filename":
            try:
                return base64.b64decode(value.strip(), validate=True).decode()
            except (binascii.Error, ValueError) as error:
                raise Invalid({"Upload-Metadata": ["filename is not UTF-8 in base64"]}) from error
    raise Invalid({"Upload-Metadata": ["filename is missing"]})


def start_upload(petition_id: UUID, who: Identity, name: str, size: int) -> Upload:
    """Announce a file of `size` bytes for a case that `who` sees.

    Raises Unknown (no such case for this person), Conflict `case-closed` (nothing can be added any more) or
    `too-many-files`, and Problem `too-large` or `file-refused` (a name whose type is not taken).
    """
    if size > max_bytes():
        raise Problem("too-large", status=413)
    if size < 1:
        raise refusal("empty")
    try:
        name = inspection.clean_name(name)
    except inspection.Refused as error:
        raise refusal(error.reason) from error
    # The row lock makes two uploads that start at once count one after the other.
    if lock(petition_id).state in TABLE.finals:
        raise Conflict("case-closed")
    attempts, files = db.session.execute(
        select(func.count(), func.count().filter(Attachment.status != "refused")).where(
            Attachment.petition_id == petition_id
        )
    ).one()
    if files >= FILES_PER_CASE or attempts >= ATTEMPTS_PER_CASE:
        raise Conflict("too-many-files")
    row = Attachment(
        petition_id=petition_id,
        uploader_kind=who.actor.kind,
        uploader_id=who.actor.person_id,
        name=name,
        size=size,
        created_at=clock.now(),
    )
    db.session.add(row)
    db.session.flush()
    return Upload(id=row.id, name=name, size=size, offset=0, open=True)


def find_upload(upload_id: UUID, who: Identity) -> Upload:
    """The upload as it stands, counted in bytes that are really there.

    Raises Unknown when it belongs to somebody else (a petitioner may change between account and receipt), and Problem
    `upload-gone` (410) when it was refused.
    """
    row = db.session.get(Attachment, upload_id)
    if row is None or row.uploader_kind != who.actor.kind:
        raise Unknown
    if row.uploader_kind == "staff" and row.uploader_id != who.actor.person_id:
        raise Unknown
    if row.status == "refused":
        raise Problem("upload-gone", status=410, reason=row.refused_because or "")
    return _upload_of(row)


def receive(upload: Upload, offset: int, stream: BinaryIO, announced: int | None) -> int:
    """Add `stream` to the upload and return the new offset. Touches only the storage: no transaction should be open,
    because a slow phone would hold its connection for minutes.

    Raises Conflict `wrong-offset` or `upload-finished`, and Problem `too-large` beyond the announced size.
    """
    if not upload.open:
        raise Conflict("upload-finished")
    if offset != upload.offset:
        raise Conflict("wrong-offset")
    if announced is not None and offset + announced > upload.size:
        raise Problem("too-large", status=413)
    try:
        return storage().append(upload.id, offset, stream, upload.size)
    except Moved as error:
        raise Conflict("wrong-offset") from error
    except TooLong as error:
        raise Problem("too-large", status=413) from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            log.error("the storage for files is full")
            raise Problem("storage-full", status=507) from error
        raise


def inspect(upload: Upload) -> Finding:
    """Judge a complete upload and keep what may be kept. Touches only the storage; may be repeated.

    Raises Conflict `upload-finished` when another request was quicker.
    """
    place = storage()
    try:
        with place.open_received(upload.id) as source:
            verdict = inspection.inspect(upload.name, source)
            if verdict.harmless:
                with place.keep(upload.id) as target:
                    inspection.rewrite_picture(source, target, verdict.media_type)
            else:
                place.keep_received(upload.id)
        with place.open_kept(upload.id) as kept:
            digest = hashlib.file_digest(kept, "sha256").hexdigest()
            return Finding(
                name=verdict.name,
                size=kept.seek(0, 2),
                media_type=verdict.media_type,
                sha256=digest,
                harmless=verdict.harmless,
            )
    except inspection.Refused as error:
        return Finding(name=upload.name, size=upload.size, refused=error.reason)
    except Missing as error:
        raise Conflict("upload-finished") from error


def record(upload_id: UUID, offset: int, finding: Finding | None) -> str:
    """Write down how far an upload has come and, when it is complete, what it turned out to be. Returns the status that
    now stands: an upload that somebody else settled meanwhile stays as it is."""
    row = db.session.get(Attachment, upload_id, with_for_update=True, populate_existing=True)
    if row is None:
        raise Unknown
    if row.status != "uploading":
        return row.status
    row.received = offset
    if finding is not None:
        row.name, row.size, row.media_type, row.sha256 = finding.name, finding.size, finding.media_type, finding.sha256
        row.refused_because = finding.refused
        row.status = "refused" if finding.refused else "released" if finding.harmless else "quarantined"
    db.session.flush()
    return row.status


def attach_whole(petition_id: UUID, who: Identity, filename: str, stream: BinaryIO) -> dict[str, Any]:
    """Attach a file that came with a plain HTML form, inside the caller's transaction; returns it as `list_for` does.

    Raises what `start_upload` raises, and Problem `file-refused` for content that is not taken; nothing is left behind.
    """
    upload = start_upload(petition_id, who, filename, _length(stream))
    try:
        offset = receive(upload, 0, stream, None)
        finding = inspect(upload)
        if finding.refused:
            raise refusal(finding.refused)
        record(upload.id, offset, finding)
    except BaseException:
        storage().forget(upload.id)
        raise
    # The row may still be rolled back with the caller's transaction: what was received goes later, with `tidy_uploads`,
    # or now, because the kept file is already complete.
    storage().forget_received(upload.id)
    row = db.session.get_one(Attachment, upload.id)
    return _view(row)


def list_for(petition_id: UUID) -> list[dict[str, Any]]:
    """The files of a case, oldest first: id, name, size, received, media_type, sha256, status, refused_because (a reason
    code), uploader_kind, created_at. One statement."""
    rows = db.session.scalars(
        select(Attachment)
        .where(Attachment.petition_id == petition_id)
        .order_by(Attachment.created_at, Attachment.id)
        .limit(ATTEMPTS_PER_CASE)
    )
    return [_view(row) for row in rows]


def destroy(ids: Iterable[UUID]) -> None:
    """Delete the content of these files from the storage, for good. The rows are the caller's. May be repeated."""
    for file_id in ids:
        storage().forget(file_id)


def scan_quarantined(limit: int = 20, *, stopping: Callable[[], bool] = _never) -> FilesReport:
    """Have up to `limit` quarantined files scanned, oldest first; `done` have left the quarantine. For the worker: opens
    one transaction for each file, safe to run twice at once.

    With a scanner configured only its clear answer releases a file. Without one, production keeps everything in
    quarantine; the demonstration and the tests release it and say so in the log.
    """
    report = FilesReport()
    settings = current_app.config["SETTINGS"]
    if settings.clamd_address is None and settings.mode == "production":
        return report
    seen: set[UUID] = set()
    while len(seen) < limit and report.failed < SCAN_FAILURES and not stopping():
        with transaction(SYSTEM):
            row = db.session.scalars(
                select(Attachment)
                .where(Attachment.status == "quarantined", Attachment.id.not_in(seen))
                # Those that gave the scanner trouble wait behind the others, so that they do not block them.
                .order_by(Attachment.refused_because.is_not(None), Attachment.created_at)
                .limit(1)
                .with_for_update(skip_locked=True)
            ).first()
            if row is None:
                break
            seen.add(row.id)
            try:
                _scan(row, settings.clamd_address)
            except scanner.ScannerDown as error:
                log.error("the virus scanner does not answer (%s): files stay in quarantine", error)
                report.failed += 1
                break
            except scanner.NotScanned as error:
                log.error("attachment %s stays in quarantine, the scanner gave no verdict: %s", row.id, error)
                row.refused_because = "not-scanned"
                report.failed += 1
            else:
                report.done += 1
            db.session.flush()
    return report


def warn_without_scanner() -> None:
    """Say in the log of a starting process of production that nobody will be able to open most kinds of files."""
    settings = current_app.config["SETTINGS"]
    if settings.mode == "production" and settings.clamd_address is None:
        log.warning(
            "CLAMD_ADDRESS is not set: audio, video and PDF stay in quarantine, where nobody can open them. Set it to the "
            "address of clamd, as in CLAMD_ADDRESS=127.0.0.1:3310"
        )


def tidy_uploads(limit: int = 1000, *, stopping: Callable[[], bool] = _never) -> FilesReport:
    """Inspect complete uploads whose process died before it could, and give up those abandoned for two days; `done`
    were settled. For the worker: opens its own transactions, safe to run twice at once."""
    with transaction(SYSTEM):
        now = clock.now()
        rows = db.session.scalars(
            select(Attachment).where(Attachment.status == "uploading").order_by(Attachment.created_at).limit(limit)
        ).all()
        open_uploads = [(_upload_of(row), row.created_at) for row in rows]
    report = FilesReport()
    for upload, created_at in open_uploads:
        if stopping():
            break
        finding = None
        if upload.offset == upload.size and created_at < now - timedelta(minutes=1):
            finding = _inspect_unless_finished(upload)
        elif created_at < now - ABANDONED_AFTER:
            finding = Finding(name=upload.name, size=upload.size, refused="abandoned")
        if finding is not None:
            with transaction(SYSTEM):
                record(upload.id, upload.offset, finding)
            storage().forget_received(upload.id)
            report.done += 1
    return report


def refusal(reason: str) -> Problem:
    """The problem `file-refused` (422) with a reason code and its text, Chinese and English."""
    return Problem("file-refused", status=422, reason=reason, errors={"file": catalogue("files")[reason]})


def _scan(row: Attachment, address: str | None) -> None:
    if address is None:
        log.warning("no virus scanner is configured: attachment %s is released unscanned", row.id)
        found = None
    else:
        try:
            with storage().open_kept(row.id) as content:
                found = scanner.scan(address, content)
        except Missing as error:
            raise scanner.NotScanned("the content is missing") from error
    row.status = "refused" if found else "released"
    row.refused_because = "virus" if found else None
    if found:
        log.warning("attachment %s is refused: the scanner found %s", row.id, found)


def _inspect_unless_finished(upload: Upload) -> Finding | None:
    try:
        return inspect(upload)
    except Conflict:
        return None


def _upload_of(row: Attachment) -> Upload:
    if row.status != "uploading":
        return Upload(id=row.id, name=row.name, size=row.received, offset=row.received, open=False)
    return Upload(id=row.id, name=row.name, size=row.size, offset=storage().received(row.id), open=True)


def _view(row: Attachment) -> dict[str, Any]:
    return {
        "id": row.id,
        "name": row.name,
        "size": row.size,
        "received": row.received,
        "media_type": row.media_type,
        "sha256": row.sha256,
        "status": row.status,
        "refused_because": row.refused_because,
        "uploader_kind": row.uploader_kind,
        "created_at": row.created_at,
    }


def _length(stream: BinaryIO) -> int:
    length = stream.seek(0, 2)
    stream.seek(0)
    return length
