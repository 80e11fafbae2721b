"""From what a source wrote to a row of the dataset: typed values, the key, the place, and what could not be read."""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from app.clock import SHANGHAI
from app.records.hashing import Hasher
from app.records.raw import Unreadable
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
class Arrival:
    """A row ready to be stored: values of ARRIVING and own_columns by name, and the fields that could not be read."""

    values: dict[str, Any]
    unreadable: tuple[str, ...]


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
        self.places = places
        self.place = place
        known = targets_of(dataset)
        targets = [column and column.target for column in columns]
        self._read_place = value_reader("place")
        self._place_at = targets.index(PLACE) if PLACE in targets else None
        # Position, column, reader: looked up once and not for each of a million values.
        self._columns = [
            (at, column.target, *_reader(field, column.target, column.scale))
            for at, column in enumerate(columns)
            if column is not None and (field := known[column.target]) is not None
        ]
        self._blank = dict.fromkeys(name for one in dataset.fields for name in one.columns)
        self._required = [one for one in dataset.fields if one.required and one.code not in dataset.key]

    def read(self, raw: Sequence[object]) -> Arrival | Reject:
        """The row, or why it is not taken: no key, no place or one that is not the source's, or nothing where something is
        required. What can not be read is noted, and the row stays."""
        values: dict[str, Any] = dict(self._blank)
        unreadable: dict[str, str] = {}
        for at, column, read, hidden in self._columns:
            value = raw[at]
            if value is None or value == "":
                continue
            value = read(value)
            if type(value) is Unreadable and value.reason == "name-only" and f"{column}_name" in values:
                values[f"{column}_name"] = values[f"{column}_name"] or value.raw
            elif type(value) is Unreadable:
                unreadable[column] = HIDDEN if hidden else value.raw[:SHOWN].replace(";", ";")
            elif value is not None:
                values[column] = value
        place = self._place_of(raw)
        if isinstance(place, Reject):
            return place
        if (key := self._key_of(values, unreadable)) and isinstance(key, Reject):
            return key
        for field in self._required:
            if not any(name in unreadable or values[name] is not None for name in field.columns):
                return Reject("required-missing", field.code)
        event = values.get(self.dataset.event_date) if self.dataset.event_date else None
        values |= {
            "source_key": key,
            "place": place,
            "event_on": event.astimezone(SHANGHAI).date() if isinstance(event, datetime) else event,
            "withdrawn": False,
            "unreadable": "".join(f";{name}={text}" for name, text in unreadable.items()) + ";" if unreadable else "",
        }
        return Arrival(values, tuple(unreadable))

    def _place_of(self, raw: Sequence[object]) -> str | Reject:
        given = raw[self._place_at] if self._place_at is not None else None
        if given is None or given == "":
            return self.place or Reject("place-missing")
        place = self._read_place(given)
        if place is None:
            return self.place or Reject("place-missing")
        if type(place) is Unreadable or place not in self.places:
            return Reject("place-not-of-the-source")
        return str(place)

    def _key_of(self, values: Mapping[str, Any], unreadable: Container[str]) -> str | Reject:
        parts = []
        for code in self.dataset.key:
            if code in unreadable:
                return Reject("key-unreadable", code)
            if values[code] is None:
                return Reject("key-missing", code)
            parts.append(_key_text(values[code]))
        return "|".join(parts) if len(parts) > 1 else parts[0]


def _key_text(value: Any) -> str:
    text = value.isoformat() if isinstance(value, date) else str(value)
    return text.replace("\\", "\\\\").replace("|", "\\|")


def _reader(field: Field, target: str, scale: int) -> tuple[Reader, bool]:
    """How the values of a column are read, and whether what can not be read is hidden."""
    if target != field.code:
        return value_reader("name"), True
    labels = {code: {"zh": name.zh, "en": name.en} for code, name in field.values.items()} or None
    read = value_reader(field.type, labels, scale=scale)
    if field.type not in HASHED:
        return read, field.personal
    hashed = Hasher(field.type)
    seen: dict[object, Any] = {}

    def read_hashed(raw: object) -> Any:
        # The same people are paid month after month: what was read before is not read and hashed again.
        if type(raw) is not str:
            return _hashed(read(raw), hashed)
        if raw not in seen:
            if len(seen) >= REMEMBERED:
                seen.clear()
            seen[raw] = _hashed(read(raw), hashed)
        return seen[raw]

    return read_hashed, True


def _hashed(value: Any, hashed: Hasher) -> Any:
    return value if value is None or isinstance(value, Unreadable) else hashed(str(value))
