"""What the columns of a source's files mean: proposed once from the headers, confirmed by a person, remembered."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.dialects.postgresql import insert

from app import clock
from app.auth import Identity
from app.errors import Invalid
from app.extensions import db
from app.records.mapping import propose_mapping, scale_of
from app.records.models import ColumnMapping
from app.records.rows import PLACE, Column, targets_of
from detection.definitions import Dataset

# The place of a row is no field of any dataset, but a column of most files.
_PLACE = {"code": PLACE, "name": {"zh": "村代码", "en": "village code"}, "type": "place"}
_LEARNT = text("SELECT header, target FROM column_mappings WHERE source_id = :source_id")


def propose(
    dataset: Dataset, headers: Sequence[str], titles: Iterable[str], learnt: Mapping[str, str | None]
) -> dict[str, str | None]:
    """For each header its target (one of `targets_of`) or None: what the source was taught, else what the header says. No target
    twice."""
    known = targets_of(dataset)
    found = {header: learnt[header] for header in headers if header in learnt and (learnt[header] is None or learnt[header] in known)}
    fields = [
        {"code": one.code, "name": {"zh": one.name.zh, "en": one.name.en}, "type": one.type, "role": one.role}
        for one in dataset.fields
    ]
    said = propose_mapping([one for one in headers if one not in found], [*fields, _PLACE], titles)
    taken = set(found.values())
    found |= {match.header: match.target for match in said.matches if match.target not in taken}
    return {header: found.get(header) for header in headers}


def columns_of(headers: Iterable[str], titles: Iterable[str], mapping: Mapping[str, str | None]) -> list[Column | None]:
    """How each column of a file is read under a confirmed mapping, and by what amounts in it are multiplied."""
    above = tuple(titles)
    return [Column(target, scale_of(header, above)) if (target := mapping.get(header)) else None for header in headers]


def learnt_by(source_id: UUID) -> dict[str, str | None]:
    """What the columns of a source have been taught to mean."""
    return {row.header: row.target for row in db.session.execute(_LEARNT, {"source_id": source_id})}


def learn(source_id: UUID, mapping: Mapping[str, str | None], who: Identity) -> None:
    """Remember a confirmed mapping for the next file of the source."""
    rows = [
        {"source_id": source_id, "header": header, "target": target, "learnt_at": clock.now(), "learnt_by": who.actor.person_id}
        for header, target in mapping.items()
    ]
    table: Any = ColumnMapping.__table__
    adding = insert(table)
    kept = {name: adding.excluded[name] for name in ("target", "learnt_at", "learnt_by")}
    db.session.execute(adding.on_conflict_do_update(index_elements=["source_id", "header"], set_=kept).values(rows))


def check(dataset: Dataset, headers: Sequence[str], mapping: Mapping[str, str | None], scope: str) -> None:
    """Raises Invalid when a mapping names a column or a field that is not there, a field twice, or leaves out the key or the
    place (a source of a single village needs no place)."""
    known = targets_of(dataset)
    given = [target for target in mapping.values() if target is not None]
    faults: dict[str, list[str]] = {}
    for header, target in mapping.items():
        if header not in headers:
            faults.setdefault(header, []).append("no such column")
        if target is not None and target not in known:
            faults.setdefault(header, []).append("no such field")
    for target in sorted({one for one in given if given.count(one) > 1}):
        faults.setdefault(target, []).append("more than one column")
    for needed in (*dataset.key, *(() if len(scope) == 12 else (PLACE,))):
        if needed not in given:
            faults.setdefault(needed, []).append("no column")
    if faults:
        raise Invalid({"mapping": faults})
