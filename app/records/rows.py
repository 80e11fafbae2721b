"""From what a source wrote to a row of the dataset: typed values, the key, the place, and what could not be read."""

from collections.abc import Container, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from app.clock import SHANGHAI
from app.records.hashing import Hasher
from app.records.raw import Unreadable
from app.records.store import ARRIVING, own_columns
from app.records.values import Reader, value_reader
from detection.definitions import Dataset, Field

PLACE = "place_code"
HASHED = frozenset({"person", "account"})
# What stands in `unreadable` in the place of a number or a name that could not be read.
HIDDEN = "…"
SHOWN = 80
REMEMBERED = 50_000


@dataclass(frozen=True, slots=True)
class Reject:
    """Why a row is not taken: a slug with words in app/text/records.json, and the field that it is about."""

    reason: str
    field: str | None = None


@dataclass(frozen=True, slots=True)
class Arrivals:
    """What became of rows that were read together. `taken` holds, by the position of the row, its values in the order of
    `RowReader.names`; `rejected` the reason of each other one; `unreadable` counts the values of each column that could not be read.
    """

    taken: dict[int, tuple[Any, ...]]
    rejected: dict[int, Reject]
    unreadable: dict[str, int]


@dataclass(frozen=True, slots=True)
class Column:
    """What a column is read as (see `targets_of`), and by what its amounts are multiplied: 10,000 under a header in 万元."""

    target: str
    scale: int = 1


def targets_of(dataset: Dataset) -> dict[str, Field | None]:
    """What a column of a file may be read as: a field, the name beside a person or company, or the place of the row (None)."""
    found: dict[str, Field | None] = {PLACE: None}
    for field in dataset.fields:
        found |= dict.fromkeys(field.columns, field)
    return found


class RowReader:
    """Reads rows of one dataset from one source.

    `columns` says for each value of a row what it is read as, None for columns that are left out. `places` holds the codes that
    the source may write about; `place` is the one of every row when the source has only one.
    """

    def __init__(
        self, dataset: Dataset, columns: Sequence["Column | None"], places: Container[str], place: str | None = None
    ) -> None:
        self.dataset = dataset
        self.names = (*ARRIVING, *own_columns(dataset))
        self._places = places
        self._place = place
        known = targets_of(dataset)
        targets = [column and column.target for column in columns]
        self._place_at = targets.index(PLACE) if PLACE in targets else None
        self._read_place = _Remembered(value_reader("place"))
        # Position, column, reader, whether what can not be read is hidden.
        self._columns = [
            (at, column.target, *_reader(field, column.target, column.scale))
            for at, column in enumerate(columns)
            if column is not None and (field := known[column.target]) is not None
        ]
        self._required = [one for one in dataset.fields if one.required and one.code not in dataset.key]

    def read(self, rows: Sequence[Sequence[object]]) -> Arrivals:
        """The rows, each ready to be stored or with the reason why it is not taken: no key, no place or one that is not the
        source's, or nothing where something is required. What can not be read is noted, and the row stays.

        Columns are read one after the other: that takes a third of the time that row after row does.
        """
        nothing = [None] * len(rows)
        found: dict[str, list[Any]] = dict.fromkeys(self.names, nothing)
        notes: dict[int, list[str]] = {}
        rejected: dict[int, Reject] = {}
        faulty: dict[str, set[int]] = {}
        for at, name, read, hidden in self._columns:
            values = found[name] = read.all([row[at] for row in rows])
            if Unreadable in set(map(type, values)):
                faulty[name] = self._note(found, name, hidden, notes)
        self._find_places(rows, found, rejected)
        self._make_keys(found, faulty, rejected)
        for field in self._required:
            given = [name for name in field.columns if found[name] is not nothing]
            for at in range(len(rows)):
                if all(found[name][at] is None and at not in faulty.get(name, ()) for name in given):
                    rejected.setdefault(at, Reject("required-missing", field.code))
        if self.dataset.event_date:
            found["event_on"] = [
                one.astimezone(SHANGHAI).date() if isinstance(one, datetime) else one for one in found[self.dataset.event_date]
            ]
        found["withdrawn"] = [False] * len(rows)
        found["unreadable"] = [f";{';'.join(notes[at])};" if at in notes else "" for at in range(len(rows))]
        taken = dict(enumerate(zip(*(found[name] for name in self.names), strict=True)))
        for at in rejected:
            del taken[at]
        unreadable = {name: len(lines - rejected.keys()) for name, lines in faulty.items()}
        return Arrivals(taken, rejected, {name: count for name, count in unreadable.items() if count})

    def _note(self, found: dict[str, list[Any]], name: str, hidden: bool, notes: dict[int, list[str]]) -> set[int]:
        """Take what could not be read out of a column and note it; a name in the column of a number goes beside it."""
        beside = f"{name}_name"
        faulty = set()
        values = found[name] = list(found[name])
        for at, value in enumerate(values):
            if type(value) is not Unreadable:
                continue
            values[at] = None
            if value.reason == "name-only" and beside in found:
                names = found[beside] = list(found[beside])
                names[at] = names[at] or value.raw
            else:
                faulty.add(at)
                notes.setdefault(at, []).append(f"{name}={HIDDEN if hidden else value.raw[:SHOWN].replace(';', ';')}")
        return faulty

    def _find_places(self, rows: Sequence[Sequence[object]], found: dict[str, list[Any]], rejected: dict[int, Reject]) -> None:
        given = [self._place] * len(rows) if self._place_at is None else self._read_place.all([row[self._place_at] for row in rows])
        places = found["place"] = [self._place if one is None else one for one in given]
        for at, place in enumerate(places):
            if place is None:
                rejected[at] = Reject("place-missing")
            elif type(place) is Unreadable or place not in self._places:
                rejected[at] = Reject("place-not-of-the-source")

    def _make_keys(self, found: dict[str, list[Any]], faulty: dict[str, set[int]], rejected: dict[int, Reject]) -> None:
        parts = []
        for code in self.dataset.key:
            unread = faulty.get(code, ())
            for at, value in enumerate(found[code]):
                if value is None:
                    rejected[at] = Reject("key-unreadable" if at in unread else "key-missing", code)
            parts.append(list(map(_key_text, found[code])))
        found["source_key"] = parts[0] if len(parts) == 1 else list(map("|".join, zip(*parts, strict=True)))


def _key_text(value: Any) -> str:
    text = value if type(value) is str else value.isoformat() if isinstance(value, date) else str(value)
    return text.replace("\\", "\\\\").replace("|", "\\|")


class _Remembered(dict[str | None, Any]):
    """A reader that reads a text once: villages, kinds, people and days come again and again. Only texts are remembered, because
    1, 1.0 and True would be one key."""

    def __init__(self, read: Reader) -> None:
        super().__init__()
        self._read = read

    def __missing__(self, raw: str | None) -> Any:
        if len(self) >= REMEMBERED:
            self.clear()
        value = self[raw] = self._read(raw)
        return value

    def all(self, column: Sequence[object]) -> list[Any]:
        """Every value of a column."""
        if set(map(type, column)) <= {str, type(None)}:
            return list(map(self.__getitem__, column))  # type: ignore[arg-type]
        return list(map(self._read, column))


def _reader(field: Field, target: str, scale: int) -> tuple[_Remembered, bool]:
    """How the values of a column are read, and whether what can not be read is hidden."""
    if target != field.code:
        return _Remembered(value_reader("name")), True
    labels = {code: {"zh": name.zh, "en": name.en} for code, name in field.values.items()} or None
    read = value_reader(field.type, labels, scale=scale)
    if field.type not in HASHED:
        return _Remembered(read), field.personal
    hashed = Hasher(field.type)

    def read_hashed(raw: object) -> Any:
        value = read(raw)
        return value if value is None or isinstance(value, Unreadable) else hashed(str(value))

    return _Remembered(read_hashed), True
