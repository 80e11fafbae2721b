"""Loading a file: the worker reads it in chunks into a staging table of the batch, then publishes all of it in one transaction.

A chunk and the progress of its batch are written together, so that a worker which is killed leaves either both or neither, and the
next one goes on behind the last line that is safe. Until the last transaction nothing of the file is a record.
"""

import itertools
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from app import clock
from app.database import SYSTEM, transaction
from app.extensions import db
from app.records import store
from app.records.batches import notices_of, open_batch
from app.records.headers import columns_of
from app.records.places import known_places
from app.records.rows import RowReader
from app.records.sheets import RejectedRow, Row, SheetError
from app.records.store import ARRIVING, own_columns
from detection.definitions import Dataset

CHUNK = 5000
log = logging.getLogger("mingjian.worker")

_NEXT = text(
    """
    SELECT b.id, b.dataset, b.scope, b.status, b.file_name, b.headers, b.titles, b.mapping, b.noticed, b.replaces, b.progress, b.counts,
           s.code AS source
      FROM import_batches b JOIN record_sources s ON s.id = b.source_id
     WHERE b.status IN ('queued', 'loading') ORDER BY b.created_at, b.id LIMIT 1
    """
)
_BEGIN = text("UPDATE import_batches SET status = 'loading', progress = 0, counts = '{}', started_at = :at WHERE id = :id")
# Of two workers that load the same batch one waits here and then finds that the other has moved on.
_ADVANCE = text(
    """
    UPDATE import_batches SET progress = :line, counts = CAST(:counts AS jsonb)
     WHERE id = :id AND status = 'loading' AND progress = :before
    """
)
_REJECT = text(
    "INSERT INTO import_rejects (batch_id, line, reason, field) SELECT :id, line, reason, field "
    "FROM jsonb_to_recordset(CAST(:rejects AS jsonb)) AS r(line integer, reason text, field text)"
)
_PUBLISHING = text("SELECT id FROM import_batches WHERE id = :id AND status = 'loading' AND progress = :before FOR UPDATE")
_FINISH = text(
    """
    UPDATE import_batches SET status = :status, failed_because = :reason, counts = CAST(:counts AS jsonb),
           noticed = CAST(:noticed AS jsonb), finished_at = :at
     WHERE id = :id
    """
)
_REPLACED = text("UPDATE import_batches SET status = 'replaced' WHERE id = :id")
# A batch that replaces stands for all that went before it: rows that none of them changed still name the oldest.
_REPLACES = text(
    """
    WITH RECURSIVE chain AS (
      SELECT id, replaces FROM import_batches WHERE id = :id
      UNION SELECT b.id, b.replaces FROM import_batches b JOIN chain c ON b.id = c.replaces)
    SELECT array_agg(id) FROM chain WHERE id <> :id
    """
)


@dataclass(slots=True)
class LoadingReport:
    """One round: batches that were published, and those that could not be."""

    done: int = 0
    failed: int = 0


@dataclass(slots=True)
class _Batch:
    """A batch in the hands of this worker."""

    row: Any
    dataset: Dataset
    reader: RowReader
    progress: int
    counts: dict[str, Any]

    @property
    def table(self) -> str:
        return staging_table(self.row.id)


def staging_table(batch_id: UUID) -> str:
    """The table that holds the rows of a batch until it is published."""
    return f'staging."b_{batch_id.hex}"'


def load_batches(chunk: int = CHUNK, *, stopping: Callable[[], bool] = lambda: False) -> LoadingReport:
    """Load the files that wait, the oldest first. For the worker: opens its own transactions, safe to cut short anywhere and to
    run twice at once."""
    report = LoadingReport()
    while not stopping() and (batch := _begin_next()) is not None:
        try:
            published = _load(batch, chunk, stopping)
        except SheetError as error:
            _fail(batch, error.code)
            report.failed += 1
        except (DBAPIError, psycopg.DataError) as error:
            # What the database can not store would not be storable at the next attempt either.
            if not isinstance(getattr(error, "orig", error), psycopg.DataError):
                raise
            _fail(batch, "not-storable")
            report.failed += 1
        else:
            if not published:
                break
            report.done += 1
    return report


def _begin_next() -> _Batch | None:
    with transaction(SYSTEM):
        row = db.session.execute(_NEXT).one_or_none()
        if row is None:
            return None
        dataset = store.dataset_of(row.dataset)
        columns = columns_of(row.headers, row.titles, row.mapping)
        place = row.scope if len(row.scope) == 12 else None
        batch = _Batch(row, dataset, RowReader(dataset, columns, known_places(row.scope, dataset), place), row.progress, row.counts)
        if row.status == "queued" or not _is_whole(batch):
            _begin(batch)
    return batch


def _is_whole(batch: _Batch) -> bool:
    """Whether the staging table holds all that the batch says it does. It is not written to the log of the database, which keeps
    loading quick, and so is empty after a crash of the server."""
    if db.session.scalar(text("SELECT to_regclass(:name)"), {"name": batch.table}) is None:
        return False
    staged = db.session.scalar(text(f"SELECT count(*) FROM {batch.table}"))
    return bool(staged == batch.counts.get("read", 0) - batch.counts.get("rejected", 0))


def _begin(batch: _Batch) -> None:
    columns = ", ".join(f'"{name}"' for name in (*ARRIVING, *own_columns(batch.dataset)))
    db.session.execute(text(f"DROP TABLE IF EXISTS {batch.table}"))
    db.session.execute(
        text(f'CREATE UNLOGGED TABLE {batch.table} AS SELECT 0 AS line, {columns} FROM records."{batch.dataset.code}" WITH NO DATA')
    )
    db.session.execute(text("DELETE FROM import_rejects WHERE batch_id = :id"), {"id": batch.row.id})
    db.session.execute(_BEGIN, {"id": batch.row.id, "at": clock.now()})
    batch.progress, batch.counts = 0, {}


def _load(batch: _Batch, chunk: int, stopping: Callable[[], bool]) -> bool:
    """True when the batch was published; False when it was left to somebody else or to later."""
    with open_batch(batch.row.id, batch.row.file_name) as sheet:
        rows = sheet.rows(after=batch.progress)
        while read := list(itertools.islice(rows, chunk)):
            if stopping() or not _store_chunk(batch, read):
                return False
        noticed = notices_of(sheet)
    return not stopping() and _publish(batch, noticed)


def _store_chunk(batch: _Batch, read: Sequence[Row | RejectedRow]) -> bool:
    rows = [row for row in read if isinstance(row, Row)]
    rejects = [{"line": row.line, "reason": row.reason, "field": None} for row in read if isinstance(row, RejectedRow)]
    made = batch.reader.read([row.values for row in rows])
    taken = [(rows[at].line, *values) for at, values in made.taken.items()]
    rejects += [{"line": rows[at].line, "reason": one.reason, "field": one.field} for at, one in made.rejected.items()]
    unreadable = Counter(batch.counts.get("unreadable", {}))
    unreadable.update(made.unreadable)
    counts = {
        "read": batch.counts.get("read", 0) + len(read),
        "rejected": batch.counts.get("rejected", 0) + len(rejects),
        "unreadable": unreadable,
    }
    values = {"id": batch.row.id, "before": batch.progress, "line": read[-1].line, "counts": store.as_json(counts)}
    with transaction(SYSTEM):
        if not db.session.execute(_ADVANCE, values).rowcount:  # type: ignore[attr-defined]
            return False
        _copy(batch.table, ("line", *batch.reader.names), taken)
        if rejects:
            db.session.execute(_REJECT, {"id": batch.row.id, "rejects": store.as_json(rejects)})
    batch.progress, batch.counts = read[-1].line, counts
    return True


def _copy(table: str, names: Iterable[str], rows: Iterable[Sequence[Any]]) -> None:
    driver: Any = db.session.connection().connection.driver_connection
    columns = ", ".join(f'"{name}"' for name in names)
    with driver.cursor() as cursor, cursor.copy(f"COPY {table} ({columns}) FROM STDIN") as into:
        for row in rows:
            into.write_row(row)


def _publish(batch: _Batch, noticed: list[dict[str, Any]]) -> bool:
    """Make records of all rows of the batch at once."""
    table, dataset = batch.table, batch.dataset
    with transaction(SYSTEM):
        if db.session.execute(_PUBLISHING, {"id": batch.row.id, "before": batch.progress}).one_or_none() is None:
            return False
        db.session.execute(text(f"ANALYZE {table}"))
        repeated, overruled = _drop_repeated(batch)
        withdrawn = _withdraw_replaced(batch) if batch.row.replaces else 0
        folded = store.fold(
            dataset, table, source=batch.row.source, at=clock.now(), today=clock.today(), batch_id=batch.row.id
        )
        counts = {
            **batch.counts,
            "rejected": batch.counts.get("rejected", 0) + overruled,
            "added": folded.added,
            "corrected": folded.corrected - withdrawn,
            "duplicates": folded.duplicates + repeated,
            "withdrawn": withdrawn,
        }
        if batch.row.replaces:
            db.session.execute(_REPLACED, {"id": batch.row.replaces})
        _finish(batch, "published", None, counts, noticed)
    log.info("batch %s published: %d new, %d corrected", batch.row.id, folded.added, folded.corrected)
    return True


def _drop_repeated(batch: _Batch) -> tuple[int, int]:
    """Of lines with the same key the last one counts. Those that say the same as it are dropped, the others are rejected and
    listed; returns how many of each."""
    content = ", ".join(f's."{name}"' for name in (*ARRIVING, *own_columns(batch.dataset)))
    last = content.replace('s."', 'l."')
    found = db.session.execute(
        text(
            f"""
            WITH keys AS (SELECT source_key, max(line) AS line FROM {batch.table} GROUP BY source_key HAVING count(*) > 1),
                 gone AS (DELETE FROM {batch.table} s USING keys k JOIN {batch.table} l ON l.line = k.line
                           WHERE s.source_key = k.source_key AND s.line < k.line
                       RETURNING s.line, ROW({content}) IS DISTINCT FROM ROW({last}) AS differs),
                 told AS (INSERT INTO import_rejects (batch_id, line, reason, field)
                          SELECT :id, line, 'key-repeated', :field FROM gone WHERE differs)
            SELECT count(*) FILTER (WHERE NOT differs), count(*) FILTER (WHERE differs) FROM gone
            """
        ),
        {"id": batch.row.id, "field": batch.dataset.key[0]},
    ).one()
    return found[0], found[1]


def _withdraw_replaced(batch: _Batch) -> int:
    """Rows of the replaced batches that the new file does not have come once more, as withdrawn."""
    chain = db.session.scalar(_REPLACES, {"id": batch.row.id})
    kept = [name for name in (*ARRIVING, *own_columns(batch.dataset)) if name != "withdrawn"]
    columns = ", ".join(f'"{name}"' for name in kept)
    result: Any = db.session.execute(
        text(
            f"""
            INSERT INTO {batch.table} (line, withdrawn, {columns})
            SELECT 0, true, {columns} FROM records."{batch.dataset.code}" r
             WHERE source = :source AND superseded_at IS NULL AND NOT withdrawn AND batch_id = ANY (:chain)
               AND NOT EXISTS (SELECT 1 FROM {batch.table} s WHERE s.source_key = r.source_key)
            """
        ),
        {"source": batch.row.source, "chain": chain},
    )
    return int(result.rowcount)


def _fail(batch: _Batch, reason: str) -> None:
    """Give a batch up: nothing of it became a record."""
    db.session.rollback()
    with transaction(SYSTEM):
        _finish(batch, "failed", reason, batch.counts, batch.row.noticed)
    log.warning("batch %s failed: %s", batch.row.id, reason)


def _finish(batch: _Batch, status: str, reason: str | None, counts: dict[str, Any], noticed: list[dict[str, Any]]) -> None:
    db.session.execute(text(f"DROP TABLE IF EXISTS {batch.table}"))
    values = {"id": batch.row.id, "status": status, "reason": reason, "at": clock.now()}
    db.session.execute(_FINISH, {**values, "counts": store.as_json(counts), "noticed": store.as_json(noticed)})
