"""The tables of the datasets: which columns they have, how arriving rows fold onto what is there, what was known on a day.

The database function `define_dataset` makes the tables. Their names and columns are those of definitions that it has accepted,
hence safe to write into a statement.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import TextClause, text

from app.errors import Unknown
from app.extensions import db
from detection.definitions import SYSTEM_COLUMNS, Dataset, read_module
from workflows.calendar import start_of_day

_DATASET = text("SELECT module, definition FROM datasets WHERE code = :code")
_LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended('records ' || :dataset || ' ' || :source, 0))")
_ARRIVED = """
    UPDATE record_sources SET last_arrival_at = :at, watermark = greatest(watermark, (SELECT max(event_on) FROM {origin} s WHERE event_on <= :today))
     WHERE dataset = :dataset AND code = :source
"""
# Villages whose records are other ones now: those of the rows that arrived, and those that a corrected row stood in before.
_TOUCHED = """
    INSERT INTO touched_groups (dataset, place, at)
    SELECT :dataset, place, :at FROM (
      SELECT place FROM {origin} s UNION SELECT place FROM records."{dataset}" WHERE source = :source AND superseded_at = :at) places
"""
# What an arriving row says beside its own fields; the rest is the table's own.
ARRIVING = ("source_key", "place", "event_on", "withdrawn", "unreadable")


@dataclass(frozen=True, slots=True)
class Folded:
    """What became of rows that arrived: `added` are new, `corrected` have an older version now, `duplicates` said nothing new."""

    added: int
    corrected: int
    duplicates: int


def dataset_of(code: str) -> Dataset:
    """The dataset type of that code. Raises Unknown when there is none, or none that the actor may know of."""
    row = db.session.execute(_DATASET, {"code": code}).one_or_none()
    if row is None:
        raise Unknown
    return parse(row.module, row.definition)


def parse(module: str, definition: dict[str, Any]) -> Dataset:
    """The dataset type of a stored definition."""
    return _parsed(module, orjson.dumps(definition))


@lru_cache(maxsize=512)
def _parsed(module: str, definition: bytes) -> Dataset:
    document = orjson.loads(definition)
    return read_module({"code": module, "name": document["name"], "datasets": [document]}).datasets[0]


def as_json(value: Any) -> str:
    """A value as a parameter that the statement casts to jsonb."""
    return orjson.dumps(value, default=str).decode()


def own_columns(dataset: Dataset) -> tuple[str, ...]:
    """The columns of the dataset's own fields, in the order of the definition."""
    return tuple(name for name in dataset.columns if name not in SYSTEM_COLUMNS)


def fold(
    dataset: Dataset, origin: str, *, source: str, at: datetime, today: date, batch_id: UUID | None = None, **values: Any
) -> Folded:
    """Fold rows onto the current ones of `source`: the same content is left alone, another content becomes a new version and
    the old one ends at `at`; nothing is deleted. `origin` is SQL that gives the rows (ARRIVING and own_columns), each key once;
    `values` are its parameters. The arrival of the source is noted, and so are the villages that the rules have to judge anew.

    Two that fold rows of the same source at once wait for each other.
    """
    close, insert, count = _folding(dataset.code, own_columns(dataset), origin)
    given = {"source": source, "at": at, **values}
    db.session.execute(_LOCK, {"dataset": dataset.code, "source": source})
    corrected = int(db.session.execute(close, given).rowcount)  # type: ignore[attr-defined]
    written = int(db.session.execute(insert, {**given, "batch_id": batch_id}).rowcount)  # type: ignore[attr-defined]
    total = int(db.session.scalar(count, values) or 0)
    arrived = {"at": at, "today": today, "dataset": dataset.code, "source": source, **values}
    db.session.execute(text(_ARRIVED.format(origin=origin)), arrived)
    if written:
        db.session.execute(text(_TOUCHED.format(origin=origin, dataset=dataset.code)), arrived)
    return Folded(written - corrected, corrected, total - written)


@lru_cache(maxsize=512)
def _folding(code: str, own: tuple[str, ...], origin: str) -> tuple[TextClause, TextClause, TextClause]:
    content = [f'"{name}"' for name in (*ARRIVING[1:], *own)]
    current = 't.source = :source AND t.source_key = s.source_key AND t.superseded_at IS NULL'
    stored, arriving = (", ".join(f"{side}.{name}" for name in content) for side in "ts")
    close = f"""
        UPDATE records."{code}" t SET superseded_at = :at FROM {origin} s
         WHERE {current} AND ROW({stored}) IS DISTINCT FROM ROW({arriving})
    """
    insert = f"""
        INSERT INTO records."{code}" (source, source_key, version, arrived_at, batch_id, {", ".join(content)})
        SELECT :source, s.source_key, coalesce(o.version, 0) + 1, :at, :batch_id, {arriving}
          FROM {origin} s
          LEFT JOIN records."{code}" t ON {current}
          LEFT JOIN (SELECT source_key, max(version) AS version FROM records."{code}"
                      WHERE source = :source AND superseded_at = :at GROUP BY source_key) o ON o.source_key = s.source_key
         WHERE t.row_id IS NULL
    """
    return text(close), text(insert), text(f"SELECT count(*) FROM {origin} s")


def known_on(day: date | None) -> tuple[str, dict[str, Any]]:
    """The SQL condition, and its parameters, for the rows that were known at the end of `day` (Asia/Shanghai) and were not
    withdrawn then; those known now without a day."""
    if day is None:
        return "superseded_at IS NULL AND NOT withdrawn", {}
    condition = "arrived_at < :known AND (superseded_at IS NULL OR superseded_at >= :known) AND NOT withdrawn"
    return condition, {"known": start_of_day(day + timedelta(days=1))}
