"""Rows that arrive in handfuls, pushed or pulled: read, and folded at once."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from app import clock
from app.records import store
from app.records.places import known_places
from app.records.rows import PLACE, Column, Reject, RowReader
from detection.definitions import Dataset


def take_rows(
    dataset: Dataset,
    columns: Sequence[Column | None],
    rows: Sequence[Sequence[object]],
    *,
    source: str,
    scope: str,
    refused: Mapping[int, Reject] | None = None,
) -> dict[str, Any]:
    """Fold rows, whose values are read as `columns` say, onto what `source` has sent before. What can not be taken, or is in
    `refused` already, is told by its position, and the rest is taken; of rows with one key the last counts.

    Returns counts `received`, `added`, `corrected`, `duplicates`, the `rejected` with reasons, and the fields `unreadable`.
    """
    given = refused or {}
    places_at = [at for at, column in enumerate(columns) if column is not None and column.target == PLACE]
    places = known_places(scope, dataset, {str(row[at] or "") for row in rows for at in places_at})
    reader = RowReader(dataset, columns, places, scope if len(scope) == 12 else None)
    made = reader.read(rows)
    rejected = {**made.rejected, **given}
    key_at = reader.names.index("source_key")
    last = {values[key_at]: at for at, values in made.taken.items() if at not in given}
    repeated = 0
    for at, values in made.taken.items():
        if at in given or last[values[key_at]] == at:
            continue
        if values == made.taken[last[values[key_at]]]:
            repeated += 1
        else:
            rejected[at] = Reject("key-repeated", dataset.key[0])
    folded = store.fold(
        dataset,
        f'jsonb_populate_recordset(CAST(NULL AS records."{dataset.code}"), CAST(:rows AS jsonb))',
        source=source,
        at=clock.now(),
        today=clock.today(),
        rows=store.as_json([dict(zip(reader.names, made.taken[at], strict=True)) for at in last.values()]),
    )
    return {
        "received": len(rows),
        "added": folded.added,
        "corrected": folded.corrected,
        "duplicates": folded.duplicates + repeated,
        "rejected": [{"position": at, "reason": one.reason, "field": one.field} for at, one in sorted(rejected.items())],
        "unreadable": made.unreadable,
    }


def summed(reports: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Reports of several handfuls as one, with rejected rows counted by reason."""
    total: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    unreadable: Counter[str] = Counter()
    for report in reports:
        total.update({name: report[name] for name in ("received", "added", "corrected", "duplicates")})
        reasons.update(one["reason"] for one in report["rejected"])
        unreadable.update(report["unreadable"])
    return {**total, "rejected": dict(reasons), "unreadable": dict(unreadable)}
