"""Dataset types as data: fields, roles, keys and promises, read from a document and checked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from detection.bounds import require_bounded
from detection.problems import Findings

# Type of a field -> type of its column, in the words of Ibis.
COLUMN_TYPES = {
    "text": "string",
    "code": "string",
    "int": "int64",
    "money": "int64",
    "num": "float64",
    "date": "date",
    "ts": "timestamp('UTC')",
    "bool": "boolean",
    "person": "string",
    "company": "string",
    "account": "string",
    "place": "string",
    "ref": "string",
}
# A source often gives a name and no number; the name is kept beside the key, and never joins anything.
NAMED = frozenset({"person", "company"})
# Every dataset's table has these, in this order, before its own fields.
SYSTEM_COLUMNS = {
    "row_id": "int64",
    "source": "string",
    "source_key": "string",
    "version": "int32",
    "place": "string",
    "event_on": "date",
    "arrived_at": "timestamp('UTC')",
    "superseded_at": "timestamp('UTC')",
    "withdrawn": "boolean",
    "batch_id": "uuid",
    "unreadable": "string",
}
# Names a rule can use for every dataset; no field may take them.
RESERVED = frozenset(SYSTEM_COLUMNS) | {"in_township", "in_county"}
_CODE = re.compile(r"[a-z][a-z0-9_]{0,39}\Z")
MOST_FIELDS = 120


@dataclass(frozen=True)
class Name:
    """What a thing is called, Chinese first."""

    zh: str
    en: str


@dataclass(frozen=True)
class Field:
    """One field of a dataset. `personal` ones are shown only by right; only `public` ones may be published."""

    code: str
    name: Name
    type: str
    role: str | None = None
    required: bool = False
    personal: bool = False
    public: bool = False
    values: Mapping[str, Name] = field(default_factory=dict)
    ref: str | None = None

    @property
    def columns(self) -> dict[str, str]:
        """Column name to Ibis type: the field's own column, and the name beside the key of a person or company."""
        own = {self.code: COLUMN_TYPES[self.type]}
        return own | {f"{self.code}_name": "string"} if self.type in NAMED else own


@dataclass(frozen=True)
class Dataset:
    """A dataset type. `freshness_days`: a source that stays silent for longer makes the rules that need it degraded."""

    code: str
    name: Name
    module: str
    owner: str
    freshness_days: int
    key: tuple[str, ...]
    event_date: str | None
    fields: tuple[Field, ...]

    def field(self, code: str) -> Field:
        """The field of that code; KeyError when the dataset has none."""
        return next((f for f in self.fields if f.code == code), None) or _missing(code)

    @property
    def columns(self) -> dict[str, str]:
        """Every column of the dataset's table with its Ibis type, system columns first."""
        return SYSTEM_COLUMNS | {name: kind for f in self.fields for name, kind in f.columns.items()}


@dataclass(frozen=True)
class Module:
    """A group of datasets that one department answers for, as one document."""

    code: str
    name: Name
    datasets: tuple[Dataset, ...]


def _missing(code: str) -> Field:
    raise KeyError(code)


def read_module(document: object) -> Module:
    """The module that a document defines. Raises Invalid with every problem found in it."""
    require_bounded(document)
    found = Findings()
    if not isinstance(document, Mapping):
        found.add("", "not-an-object")
        found.done()
    assert isinstance(document, Mapping)
    _only(document, {"code", "name", "datasets"}, "", found)
    code, name = _code(document, "code", "", found), _name(document.get("name"), "name", found)
    listed = document.get("datasets")
    if not isinstance(listed, list) or not listed:
        found.add("datasets", "empty")
        listed = []
    datasets = tuple(_dataset(each, f"datasets.{i}", code, found) for i, each in enumerate(listed))
    for at, twice in _twice([d.code for d in datasets]):
        found.add(f"datasets.{at}.code", "duplicate", value=twice)
    found.done()
    return Module(code, name, datasets)


def _dataset(raw: object, at: str, module: str, found: Findings) -> Dataset:
    if not isinstance(raw, Mapping):
        found.add(at, "not-an-object")
        raw = {}
    _only(raw, {"code", "name", "owner", "freshness_days", "key", "event_date", "fields"}, at, found)
    listed = raw.get("fields")
    if not isinstance(listed, list) or not 1 <= len(listed) <= MOST_FIELDS:
        found.add(f"{at}.fields", "count", most=MOST_FIELDS)
        listed = []
    fields = tuple(_field(each, f"{at}.fields.{i}", found) for i, each in enumerate(listed))
    columns = [c for f in fields for c in f.columns]
    for _, twice in _twice(columns):
        found.add(f"{at}.fields", "duplicate", value=twice)
    known = {f.code: f for f in fields}
    key = raw.get("key")
    if not isinstance(key, list) or not key or not all(isinstance(k, str) and k in known for k in key):
        found.add(f"{at}.key", "unknown-field")
        key = []
    event_date = raw.get("event_date")
    if event_date is not None and not (
        isinstance(event_date, str) and event_date in known and known[event_date].type in {"date", "ts"}
    ):
        found.add(f"{at}.event_date", "not-a-date-field")
        event_date = None
    days = raw.get("freshness_days")
    if not isinstance(days, int) or isinstance(days, bool) or not 1 <= days <= 3660:
        found.add(f"{at}.freshness_days", "out-of-range", least=1, most=3660)
        days = 1
    return Dataset(
        code=_code(raw, "code", at, found),
        name=_name(raw.get("name"), f"{at}.name", found),
        module=module,
        owner=_text(raw, "owner", at, found),
        freshness_days=days,
        key=tuple(key),
        event_date=event_date,
        fields=fields,
    )


def _field(raw: object, at: str, found: Findings) -> Field:
    if not isinstance(raw, Mapping):
        found.add(at, "not-an-object")
        raw = {}
    _only(raw, {"code", "name", "type", "role", "required", "personal", "public", "values", "ref"}, at, found)
    code = _code(raw, "code", at, found)
    if code in RESERVED:
        found.add(f"{at}.code", "reserved", value=code)
    kind = raw.get("type")
    if not isinstance(kind, str) or kind not in COLUMN_TYPES:
        found.add(f"{at}.type", "unknown-type", value=kind)
        kind = "text"
    flags = {}
    for flag in ("required", "personal", "public"):
        value = raw.get(flag, False)
        if not isinstance(value, bool):
            found.add(f"{at}.{flag}", "not-a-boolean")
            value = False
        flags[flag] = value
    if flags["personal"] and flags["public"]:
        found.add(f"{at}.public", "personal-is-never-public")
    role, ref, values = raw.get("role"), raw.get("ref"), raw.get("values", {})
    if role is not None and not (isinstance(role, str) and _CODE.match(role)):
        found.add(f"{at}.role", "not-a-code")
        role = None
    if (kind == "ref") != (isinstance(ref, str) and bool(_CODE.match(ref))):
        found.add(f"{at}.ref", "ref-names-a-dataset")
        ref = None
    if not isinstance(values, Mapping) or (values and kind != "code"):
        found.add(f"{at}.values", "only-of-a-code")
        values = {}
    names = {str(k): _name(v, f"{at}.values.{k}", found) for k, v in values.items()}
    return Field(code, _name(raw.get("name"), f"{at}.name", found), kind, role, ref=ref, values=names, **flags)


def _name(raw: object, at: str, found: Findings) -> Name:
    if (
        isinstance(raw, Mapping)
        and set(raw) == {"zh", "en"}
        and all(isinstance(v, str) and 0 < len(v) <= 200 for v in raw.values())
    ):
        return Name(raw["zh"], raw["en"])
    found.add(at, "name-in-both-languages")
    return Name("", "")


def _code(raw: Mapping[Any, Any], key: str, at: str, found: Findings) -> str:
    value = raw.get(key)
    if isinstance(value, str) and _CODE.match(value):
        return value
    found.add(f"{at}.{key}".lstrip("."), "not-a-code")
    return ""


def _text(raw: Mapping[Any, Any], key: str, at: str, found: Findings) -> str:
    value = raw.get(key)
    if isinstance(value, str) and 0 < len(value) <= 100:
        return value
    found.add(f"{at}.{key}", "empty")
    return ""


def _only(raw: Mapping[Any, Any], known: set[str], at: str, found: Findings) -> None:
    for extra in sorted(set(map(str, raw)) - known):
        found.add(f"{at}.{extra}".lstrip("."), "unknown-key")


def _twice(values: list[str]) -> list[tuple[int, str]]:
    return [(i, v) for i, v in enumerate(values) if v in values[:i]]
