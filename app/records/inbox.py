"""The watched folder: files that lie in `<dataset>/<source>/` become batches of that source."""

import hashlib
import logging
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from flask import current_app
from sqlalchemy import text

from app.database import SYSTEM, transaction
from app.errors import Invalid, Problem
from app.extensions import db
from app.records import headers, store
from app.records.batches import get_batch, queue, take_file
from app.records.loading import LoadingReport
from app.records.raw import shown

# A file that was written to just now may not be complete.
SETTLED_SECONDS = 10
REFUSED = ".refused"
log = logging.getLogger("mingjian.worker")

_SOURCE = text("SELECT id FROM record_sources WHERE dataset = :dataset AND code = :code AND closed_at IS NULL")
_KNOWN = text("SELECT 1 FROM import_batches WHERE source_id = :source_id AND sha256 = :sha256 AND status <> 'failed' LIMIT 1")


def take_inbox(*, stopping: Callable[[], bool] = lambda: False) -> LoadingReport:
    """Take every settled file of the watched folder as a batch, and start it when its columns are known. For the worker: a
    transaction for each file; safe to cut short and to run twice, because a file that was taken before is only removed."""
    report = LoadingReport()
    folder: Path | None = current_app.config["SETTINGS"].records_inbox
    for file in _settled(folder) if folder is not None else ():
        if stopping():
            break
        try:
            with transaction(SYSTEM):
                taken = _take(file)
        except Problem as error:
            # Names of files may be those of people: the log says where and why, not what.
            log.warning("a file in the inbox of %s is refused: %s", file.parent.name, error.more.get("reason", error.slug))
            file.rename(file.with_name(file.name + REFUSED))
            report.failed += 1
        else:
            if taken:
                file.unlink(missing_ok=True)
                report.done += 1
    return report


def _settled(folder: Path) -> Iterator[Path]:
    before = time.time() - SETTLED_SECONDS
    for file in sorted(folder.glob("*/*/*")):
        if file.name.startswith(".") or file.name.endswith(REFUSED) or file.is_symlink() or not file.is_file():
            continue
        if file.stat().st_mtime <= before:
            yield file


def _take(file: Path) -> bool:
    """False when the folder names no source: the file stays where it is."""
    source: Any = db.session.scalar(_SOURCE, {"dataset": file.parent.parent.name, "code": file.parent.name})
    if source is None:
        return False
    with file.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
        if db.session.scalar(_KNOWN, {"source_id": source, "sha256": digest}):
            return True
        content.seek(0)
        batch_id = take_file({"source_id": source}, content, shown(file.name), None)
    batch = get_batch(batch_id)
    try:
        headers.check(store.dataset_of(batch["dataset"]), batch["headers"], batch["mapping"], batch["scope"])
    except Invalid:
        # It waits for somebody to say what its columns are.
        return True
    queue(batch_id, batch["mapping"])
    return True
