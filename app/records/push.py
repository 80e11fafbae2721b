"""Records sent over HTTP by a source, which shows a key of its own instead of an account."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from flask import request
from sqlalchemy import text

from app import clock
from app.errors import Unauthorised
from app.extensions import db
from app.records import store
from app.records.hashing import key_hash
from app.records.places import known_places
from app.records.raw import shown
from app.records.rows import PLACE, Column, Reject, RowReader, targets_of

# The settings of an actor that is a source: it is nobody's account and has no reach over cases.
_OPEN = text(
    """
    SELECT set_config('mj.kind', 'source', true), set_config('mj.person', '', true), set_config('mj.role', '', true),
           set_config('mj.org', '', true), set_config('mj.lo', s.scope, true), set_config('mj.hi', s.scope || ':', true),
           set_config('mj.reach', '', true), set_config('mj.petition', '', true), set_config('mj.purpose', '', true),
           set_config('mj.key_hash', :key_hash, true),
           s.id, s.code, s.scope, coalesce((SELECT seconds FROM clock_offset), 0) AS seconds
      FROM source_of_key(:key_hash, :dataset) s
    """
)


@dataclass(frozen=True, slots=True)
class Sender:
    """The source that sends, and for which places."""

    id: UUID
    code: str
    scope: str


@contextmanager
def sending(dataset: str) -> Iterator[Sender]:
    """The transaction of the source whose key came as bearer token: committed at the end, rolled back on any exception.
    Raises Unauthorised for a key that is not that of an open source of `dataset`."""
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    try:
        if scheme.lower() != "bearer":
            raise _unauthorised()
        row = db.session.execute(_OPEN, {"key_hash": key_hash(key.strip()), "dataset": dataset}).one_or_none()
        if row is None:
            raise _unauthorised()
        clock.offset_seconds.set(row.seconds)
        yield Sender(row.id, row.code, row.scope)
        db.session.commit()
    except BaseException:
        db.session.rollback()
        raise


def _unauthorised() -> Unauthorised:
    return Unauthorised("unknown-source-key", headers={"WWW-Authenticate": "Bearer"})


def receive_records(code: str, records: Sequence[Mapping[str, object]], sender: Sender) -> dict[str, Any]:
    """Fold up to 1,000 records, each an object of field codes (`place_code` is the place), onto what the source has sent before.
    What can not be taken is told by its position, and the rest is taken.

    Returns counts `received`, `added`, `corrected`, `duplicates`, the `rejected` and the fields that were `unreadable`.
    """
    dataset = store.dataset_of(code)
    targets = list(targets_of(dataset))
    places = known_places(sender.scope, dataset, {str(one.get(PLACE) or "") for one in records})
    reader = RowReader(dataset, [Column(one) for one in targets], places, sender.scope if len(sender.scope) == 12 else None)
    known = frozenset(targets)
    unknown = {at: sorted(extra)[0] for at, one in enumerate(records) if (extra := one.keys() - known)}
    made = reader.read([[one.get(target) for target in targets] for one in records])
    refused = {**made.rejected, **{at: Reject("unknown-field", shown(name)[:40]) for at, name in unknown.items()}}
    # Of records with the same key the last one counts.
    key_at = reader.names.index("source_key")
    last: dict[str, int] = {values[key_at]: at for at, values in made.taken.items() if at not in unknown}
    repeated = 0
    for at, values in made.taken.items():
        if at in unknown or last[values[key_at]] == at:
            continue
        if values == made.taken[last[values[key_at]]]:
            repeated += 1
        else:
            refused[at] = Reject("key-repeated", dataset.key[0])
    rows = store.as_json([dict(zip(reader.names, made.taken[at], strict=True)) for at in last.values()])
    folded = store.fold(
        dataset,
        f'jsonb_populate_recordset(CAST(NULL AS records."{dataset.code}"), CAST(:rows AS jsonb))',
        source=sender.code,
        at=clock.now(),
        today=clock.today(),
        rows=rows,
    )
    return {
        "received": len(records),
        "added": folded.added,
        "corrected": folded.corrected,
        "duplicates": folded.duplicates + repeated,
        "rejected": [
            {"position": at, "reason": one.reason, "field": one.field} for at, one in sorted(refused.items())
        ],
        "unreadable": made.unreadable,
    }
