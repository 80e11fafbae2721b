"""Files of records: taken in, shown with what their columns seem to mean, started, reported. The worker loads them."""

import hashlib
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any
from uuid import UUID, uuid4

from sqlalchemy import insert, text
from sqlalchemy.exc import DBAPIError
from werkzeug.datastructures import FileStorage

from app import clock, idempotency
from app.auth import Identity
from app.errors import Conflict, Forbidden, Problem, Unknown
from app.extensions import db
from app.files.service import storage
from app.records import headers, store
from app.records.models import ImportBatch
from app.records.raw import shown
from app.records.service import source_of
from app.records.sheets import Sheet, SheetError, open_sheet
from app.text import catalogue
from app.web import cursor_of, read_cursor

_COLUMNS = (
    "id, source_id, dataset, scope, status, failed_because, file_name, sha256, size, noticed, headers, mapping, replaces, progress, "
    "counts, created_at, started_at, finished_at"
)
_LIST = text(
    f"""
    SELECT {_COLUMNS} FROM import_batches
     WHERE (CAST(:source_id AS uuid) IS NULL OR source_id = :source_id)
       AND (CAST(:at AS timestamptz) IS NULL OR (created_at, id) < (:at, CAST(:id AS uuid)))
     ORDER BY created_at DESC, id DESC LIMIT :most
    """
)
_ONE = text(
    f"""
    SELECT {_COLUMNS},
           (SELECT jsonb_agg(jsonb_build_object('reason', r.reason, 'field', r.field, 'rows', r.rows, 'first_line', r.line))
              FROM (SELECT reason, field, count(*) AS rows, min(line) AS line FROM import_rejects WHERE batch_id = b.id
                     GROUP BY reason, field ORDER BY count(*) DESC, reason) r) AS rejected
      FROM import_batches b WHERE id = :id
    """
)
_LOCK = text("SELECT id FROM import_batches WHERE id = :id FOR UPDATE")
_START = text("UPDATE import_batches SET status = 'queued', mapping = CAST(:mapping AS jsonb) WHERE id = :id")
_REPLACEABLE = text(
    "SELECT 1 FROM import_batches WHERE id = :id AND source_id = :source_id AND status = 'published' "
    "AND NOT EXISTS (SELECT 1 FROM import_batches n WHERE n.replaces = import_batches.id AND n.status <> 'failed')"
)
_REJECTS = text("SELECT line, reason, field FROM import_rejects WHERE batch_id = :id ORDER BY line")


def open_batch(batch_id: UUID, name: str) -> Sheet:
    """The stored file of a batch as a sheet. Raises SheetError."""
    with storage().open_kept(batch_id) as kept:
        path = Path(kept.name)
    return open_sheet(path, name)


def take_file_once(draft: Mapping[str, Any], file: FileStorage, who: Identity) -> dict[str, Any]:
    """What `take_file` makes, once for an Idempotency-Key. Raises what it raises, and what `app.idempotency.claim` raises."""
    digest = hashlib.file_digest(file.stream, "sha256").hexdigest()
    file.stream.seek(0)

    def create() -> dict[str, Any]:
        name = shown(Path(file.filename or "").name) or "file"
        return {"id": take_file(draft, file.stream, name, who)}

    return get_batch(UUID(str(idempotency.once(None, {**draft, "sha256": digest}, create)["id"])))


def take_file(draft: Mapping[str, Any], content: IO[bytes], name: str, who: Identity) -> UUID:
    """Keep a file of a source and what its columns seem to mean; nothing of it is a record yet. Returns the id of the batch.

    Raises Unknown (no such source), Forbidden (files of these places are not this actor's), Conflict `batch-not-replaceable`,
    and Problem `file-unreadable` (422) with the reason when it is no table at all.
    """
    source = source_of(draft["source_id"])
    batch_id = uuid4()
    try:
        with storage().keep(batch_id) as target:
            shutil.copyfileobj(content, target, 2**20)
            size = target.tell()
            target.seek(0)
            digest = hashlib.file_digest(target, "sha256").hexdigest()
        _record(batch_id, source, draft, name, size, digest, who)
    except BaseException:
        storage().forget(batch_id)
        raise
    return batch_id


def _record(
    batch_id: UUID, source: Mapping[str, Any], draft: Mapping[str, Any], name: str, size: int, digest: str, who: Identity
) -> None:
    replaces = draft.get("replaces")
    if replaces and db.session.execute(_REPLACEABLE, {"id": replaces, "source_id": source["id"]}).one_or_none() is None:
        raise Conflict("batch-not-replaceable")
    try:
        with open_batch(batch_id, name) as sheet:
            columns, titles, noticed = list(sheet.headers), list(sheet.titles), notices_of(sheet)
    except SheetError as error:
        raise unreadable(error) from error
    dataset = store.dataset_of(source["dataset"])
    row = {
        "id": batch_id,
        "source_id": source["id"],
        "dataset": dataset.code,
        "scope": source["scope"],
        "status": "uploaded",
        "file_name": name,
        "sha256": digest,
        "size": size,
        "noticed": noticed,
        "headers": columns,
        "titles": titles,
        "mapping": headers.propose(dataset, columns, titles, headers.learnt_by(source["id"])),
        "replaces": replaces,
        "progress": 0,
        "counts": {},
        "created_at": clock.now(),
        "created_by": who.actor.person_id,
    }
    try:
        db.session.execute(insert(ImportBatch.__table__).inline(), row)
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", "") == "42501":
            raise Forbidden("not-allowed") from error
        raise


def notices_of(sheet: Sheet) -> list[dict[str, Any]]:
    """What was noticed about a file so far, as it is stored: encoding first, then each notice with its line and count."""
    format_of = {"code": "format", "line": 0, "count": 1, "facts": {"format": sheet.format, "encoding": sheet.encoding}}
    return [format_of, *(asdict(one) for one in sheet.notices)]


def unreadable(error: SheetError) -> Problem:
    """The problem that a file which is no table is answered with."""
    words = catalogue("sheets")["errors"]
    return Problem("file-unreadable", status=422, reason=error.code, errors={"file": words[error.code]})


def start_batch(batch_id: UUID, given: Mapping[str, str | None] | None, who: Identity) -> dict[str, Any]:
    """Confirm what the columns mean (the proposal, with what is `given` instead), remember it for the source, and queue the file
    for the worker. Raises Unknown, Conflict `batch-started`, Invalid (see app.records.headers.check)."""
    if db.session.execute(_LOCK, {"id": batch_id}).one_or_none() is None:
        raise Unknown
    batch = get_batch(batch_id)
    if batch["status"] != "uploaded":
        raise Conflict("batch-started")
    confirmed: dict[str, str | None] = {**batch["mapping"], **(given or {})}
    headers.check(store.dataset_of(batch["dataset"]), batch["headers"], confirmed, batch["scope"])
    headers.learn(batch["source_id"], confirmed, who)
    db.session.execute(_START, {"id": batch_id, "mapping": store.as_json(confirmed)})
    return {**batch, "status": "queued", "mapping": confirmed}


def get_batch(batch_id: UUID) -> dict[str, Any]:
    """A batch with its progress and its quality report. Raises Unknown."""
    row = db.session.execute(_ONE, {"id": batch_id}).mappings().one_or_none()
    if row is None:
        raise Unknown
    return {**row, "rejected": row["rejected"] or []}


def list_batches(source_id: UUID | None, cursor: str | None, most: int) -> dict[str, Any]:
    """Batches of the actor's places, the newest first: `items` and `next`, the cursor of what follows. One statement."""
    at, last = read_cursor(cursor) if cursor else (None, None)
    values = {"source_id": source_id, "at": at, "id": last, "most": most + 1}
    rows = [dict(row) for row in db.session.execute(_LIST, values).mappings()]
    more = rows[most:] and cursor_of(rows[most - 1]["created_at"], rows[most - 1]["id"])
    return {"items": rows[:most], "next": more or None}


def rejected_lines(batch_id: UUID) -> Iterator[tuple[object, ...]]:
    """The rejected lines of a batch as a table with a heading: line, reason, its words in Chinese and English, field. What stood in
    the line stays in the file. Raises Unknown."""
    get_batch(batch_id)
    words = {**catalogue("records"), **catalogue("sheets")["rows"]}
    yield ("line", "reason", "原因", "meaning", "field")
    for row in db.session.execute(_REJECTS, {"id": batch_id}):
        yield (row.line, row.reason, *words.get(row.reason, [row.reason, row.reason]), row.field or "")
