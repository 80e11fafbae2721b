"""Which column of a file is which field: proposed from the headers, confirmed once by a person, remembered for the source."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.dialects.postgresql import insert

from app import clock
from app.auth import Identity
from app.errors import Invalid
from app.extensions import db
from app.records.models import ColumnMapping
from app.records.rows import PLACE, Column, targets_of
from app.records.words import plain
from detection.definitions import NAMED, Dataset

_PLACE_NAMES = (
    PLACE, "place", "division_code", "division code", "village code", "村代码", "村编码", "村级代码", "区划代码", "行政区划代码",
    "所属村代码", "村(社区)代码", "单位代码",
)  # fmt: skip
_NUMBERS = ("身份证号", "身份证号码", "身份证", "证件号码", "统一社会信用代码", "信用代码", "_id", " id", " number")
_NAMES = ("姓名", "名称", "_name", " name")
# What explains a column behind its name. Any other unit makes it another number, which nobody may guess away.
_HARMLESS = re.compile(r"[((](万?元|日期|天|个|人|必填|选填|yuan|cny)[))]\Z", re.IGNORECASE)
_TEN_THOUSANDS = re.compile(r"[((]万元[))]\Z")
_LEARNT = text("SELECT header, target FROM column_mappings WHERE source_id = :source_id")


def propose(dataset: Dataset, headers: Iterable[str], learnt: Mapping[str, str | None]) -> dict[str, str | None]:
    """For each header its target (a column of `targets_of`) or None: what the source has been taught, else what the Chinese or
    English name says. No target twice: the first column that claims it has it."""
    said = _names_of(dataset, [_bare(one) for one in headers])
    known, taken, found = targets_of(dataset), set(), {}
    for header in headers:
        target = learnt[header] if header in learnt else said.get(_bare(header))
        if target not in known or target in taken:
            target = None
        else:
            taken.add(target)
        found[header] = target
    return found


def _bare(header: str) -> str:
    return plain(_HARMLESS.sub("", header.strip()))


def _names_of(dataset: Dataset, bare_headers: Sequence[str]) -> dict[str, str]:
    """What each plain header says: the names of the fields, with the usual endings for numbers and names of somebody."""
    said = {plain(name): PLACE for name in _PLACE_NAMES}
    for field in dataset.fields:
        names = (field.code, field.name.zh, field.name.en)
        if field.type in NAMED:
            numbers = {plain(name + ending) for name in names for ending in _NUMBERS}
            said |= dict.fromkeys(numbers, field.code)
            said |= dict.fromkeys((plain(name + ending) for name in names for ending in _NAMES), f"{field.code}_name")
            # Beside a column of numbers the bare name is the name; alone it may hold either.
            bare = f"{field.code}_name" if numbers & set(bare_headers) else field.code
            said |= dict.fromkeys((plain(name) for name in names), bare)
    for field in dataset.fields:
        if field.type not in NAMED:
            said |= dict.fromkeys((plain(name) for name in (field.code, field.name.zh, field.name.en)), field.code)
    return said


def columns_of(headers: Iterable[str], mapping: Mapping[str, str | None]) -> list[Column | None]:
    """How each column of a file is read, under a confirmed mapping."""
    return [
        Column(target, 10_000 if _TEN_THOUSANDS.search(header.strip()) else 1) if (target := mapping.get(header)) else None
        for header in headers
    ]


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
