"""Compare a list of divisions with what is stored, and write the difference.

A list is the whole truth about the provinces whose own row it holds: what it no longer names there is withdrawn, never
deleted, because old cases keep pointing at it. A list with damaged rows withdraws nothing, since a row that could not
be read may be one of those that seem to be missing.
"""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import islice
from typing import TypeVar

from sqlalchemy import Table, and_, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app import clock
from app.directory.codes import Level, full_path, level_of, parent_of, scope_range
from app.directory.division_lists import DivisionList, DivisionRow, ListError, read_list

__all__ = ["Changes", "DivisionList", "DivisionRow", "ListError", "Renamed", "compare", "import_divisions", "read_list"]

BATCH = 5_000

# A cut-off file looks like a mass withdrawal. Beyond this share, and beyond a number that small trial lists never reach,
# a person has to say that it is meant.
MASS_SHARE = 0.1
MASS_COUNT = 100

T = TypeVar("T")

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Renamed:
    """A division that keeps its code under another name."""

    code: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Changes:
    """What a list changes, each part sorted by code.

    `withheld` would have been withdrawn, had the list been free of damaged and orphaned rows. `orphans` are rows left
    out because the division above them is unknown.
    """

    added: tuple[DivisionRow, ...]
    renamed: tuple[Renamed, ...]
    withdrawn: tuple[str, ...]
    returned: tuple[DivisionRow, ...]
    unchanged: int
    orphans: tuple[DivisionRow, ...] = ()
    withheld: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        """Whether anything is added, renamed, withdrawn or returned."""
        return bool(self.added or self.renamed or self.withdrawn or self.returned)


def compare(
    existing: Mapping[str, tuple[str, bool]], incoming: Iterable[DivisionRow], *, complete: bool = True
) -> Changes:
    """What the list changes in `existing` (code → name, whether withdrawn). Nothing is written.

    `complete=False` says that rows of the list were lost in reading: then nothing is withdrawn.
    """
    listed = {row.code: row for row in incoming}
    covered = _covered_provinces(listed)
    added, renamed, returned, orphans = [], [], [], []
    accepted = set()
    # A code sorts behind the code of its parent, so a parent is always judged before its children.
    for code in sorted(listed):
        row = listed[code]
        if not _has_parent(row, accepted, existing, covered):
            orphans.append(row)
            continue
        accepted.add(code)
        if code not in existing:
            added.append(row)
            continue
        name, withdrawn = existing[code]
        if withdrawn:
            returned.append(row)
        elif name != row.name:
            renamed.append(Renamed(code, name, row.name))
    missing = tuple(
        sorted(
            code
            for code, (_, withdrawn) in existing.items()
            if not withdrawn and code not in listed and code[:2] in covered
        )
    )
    certain = complete and not orphans
    return Changes(
        added=tuple(added),
        renamed=tuple(renamed),
        withdrawn=missing if certain else (),
        returned=tuple(returned),
        unchanged=len(accepted) - len(added) - len(renamed) - len(returned),
        orphans=tuple(orphans),
        withheld=() if certain else missing,
    )


def import_divisions(
    session: Session,
    rows: Iterable[DivisionRow],
    source: str,
    *,
    on: date | None = None,
    allow_mass_withdrawal: bool = False,
) -> Changes:
    """Bring the table `divisions` in line with a list, and say what changed. The caller commits.

    `on` is the Shanghai day from which additions are valid and withdrawals count, today unless given. `source` is named
    in the log. A repeated import changes nothing. Raises ListError when the list can not be used, or when it would
    withdraw more than a tenth of its provinces and `allow_mass_withdrawal` was not given.
    """
    day = on or clock.today()
    # Two imports at once would each compare with a state that the other is about to change; readers are not held up.
    session.execute(text("LOCK TABLE divisions IN SHARE ROW EXCLUSIVE MODE"))
    listed = {row.code: row for row in rows}
    complete = not (isinstance(rows, DivisionList) and rows.rejected)
    stored = _stored(session, {code[:2] for code in listed})
    existing = {code: (name, withdrawn) for code, (name, _, withdrawn) in stored.items()}
    changes = compare(existing, listed.values(), complete=complete)
    if not allow_mass_withdrawal:
        _refuse_mass_withdrawal(changes, existing, _covered_provinces(listed))
    for orphan in changes.orphans:
        del listed[orphan.code]

    _withdraw(session, changes.withdrawn, day)
    gone = frozenset(changes.withdrawn)
    _write(session, (row for row in _desired(listed, stored) if row["code"] not in gone), day)
    log.info(
        "divisions imported from %s: %d added, %d renamed, %d withdrawn, %d returned, %d unchanged, %d without parent, "
        "%d withdrawals withheld",
        source,
        len(changes.added),
        len(changes.renamed),
        len(changes.withdrawn),
        len(changes.returned),
        changes.unchanged,
        len(changes.orphans),
        len(changes.withheld),
    )
    return changes


def _covered_provinces(listed: Mapping[str, DivisionRow]) -> frozenset[str]:
    """The two-digit prefixes of the provinces whose own row is in the list."""
    return frozenset(code[:2] for code, row in listed.items() if row.level == Level.PROVINCE)


def _has_parent(
    row: DivisionRow, accepted: set[str], existing: Mapping[str, tuple[str, bool]], covered: frozenset[str]
) -> bool:
    """Whether the division above is in the list, or, for a part of a province, stored and not withdrawn."""
    parent = row.parent_code
    if parent is None or parent in accepted:
        return True
    return parent[:2] not in covered and parent in existing and not existing[parent][1]


def _refuse_mass_withdrawal(
    changes: Changes, existing: Mapping[str, tuple[str, bool]], covered: frozenset[str]
) -> None:
    live = sum(not withdrawn and code[:2] in covered for code, (_, withdrawn) in existing.items())
    if len(changes.withdrawn) > max(MASS_COUNT, live * MASS_SHARE):
        raise ListError(f"the list would withdraw {len(changes.withdrawn)} of {live} divisions; is it complete?")


def _stored(session: Session, provinces: Iterable[str]) -> dict[str, tuple[str, str, bool]]:
    """Code → (name, path, whether withdrawn) of everything stored under the given two-digit prefixes."""
    table = _table()
    ranges = [scope_range(province) for province in sorted(provinces)]
    if not ranges:
        return {}
    within = or_(*(and_(table.c.code >= lo, table.c.code < hi) for lo, hi in ranges))
    found = session.execute(select(table.c.code, table.c.name, table.c.path, table.c.withdrawn_on).where(within))
    return {code: (name, path, withdrawn_on is not None) for code, name, path, withdrawn_on in found}


def _desired(
    listed: Mapping[str, DivisionRow], stored: Mapping[str, tuple[str, str, bool]]
) -> Iterator[dict[str, object]]:
    """The rows that have to be written: new, renamed, returned, or under a division whose name changed."""
    lines: dict[str, tuple[str, ...]] = {}
    for code in sorted({*listed, *stored}):
        name = listed[code].name if code in listed else stored[code][0]
        parent = parent_of(code)
        lines[code] = (*lines[parent], name) if parent else (name,)
        path = full_path(lines[code])
        if code in stored:
            _, stored_path, withdrawn = stored[code]
            # A division that stays withdrawn keeps the path under which old cases knew it.
            if (withdrawn and code not in listed) or (stored[code] == (name, path, False)):
                continue
        yield {
            "code": code,
            "name": name,
            "level": level_of(code).value,
            "parent_code": parent,
            "path": path,
        }


def _write(session: Session, rows: Iterable[dict[str, object]], day: date) -> None:
    table = _table()
    statement = insert(table)
    statement = statement.on_conflict_do_update(
        index_elements=[table.c.code],
        set_={"name": statement.excluded.name, "path": statement.excluded.path, "withdrawn_on": None},
    )
    for batch in _batches(rows):
        session.execute(statement, [{**row, "valid_from": day, "withdrawn_on": None} for row in batch])


def _withdraw(session: Session, codes: Sequence[str], day: date) -> None:
    table = _table()
    for batch in _batches(codes):
        session.execute(update(table).where(table.c.code.in_(batch)).values(withdrawn_on=day))


def _table() -> Table:
    # Imported here so that a list can be read and compared without the database models.
    from app.directory.models import Division

    return Division.__table__


def _batches(items: Iterable[T]) -> Iterator[list[T]]:
    remaining = iter(items)
    while batch := list(islice(remaining, BATCH)):
        yield batch
