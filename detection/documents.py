"""A rule as a document: what it looks at, in which way (`kind`), with which values, and what a hit is worth.

Trees of conditions are kept as they stand in the document; `conditions` checks them against the columns they name and turns them into
expressions. Nothing in a document is code.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from detection.bounds import require_bounded
from detection.definitions import Name
from detection.problems import Findings

COLOURS = ("red", "yellow", "blue")
TAKES = frozenset({"min", "max", "sum", "count"})
DERIVATIONS = frozenset(
    {
        "days_between",
        "earliest",
        "latest",
        "sum",
        "difference",
        "times",
        "percent",
        "year",
        "month",
        "month_end",
        "first",
        "hour",
        "hours_between",
        "weekday",
    }
)
MOST_COLUMNS, MOST_STEPS, MOST_TEXTS = 30, 10, 50
_RULE = re.compile(r"[A-Z][A-Z0-9]{1,9}-[0-9A-Z]{2,6}\Z")
_CODE = re.compile(r"[a-z][a-z0-9_]{0,39}\Z")
_KEYS = {
    "code", "name", "module", "kind", "subject", "where", "lookups", "derive", "params", "key", "colour", "money", "basis", "innocent", "to",
    "fixtures", "enabled",
}  # fmt: skip


@dataclass(frozen=True)
class Lookup:
    """A column that the subject takes from the matching records of another dataset: their least, greatest, sum or number.

    `same_place`: only records of the subject's own village are matched, which is the rule unless the document says otherwise.
    """

    name: str
    dataset: str
    match: tuple[tuple[str, str], ...]  # (column of the other dataset, column of the subject)
    where: Mapping[str, Any] | None
    take: str
    field: str | None
    same_place: bool

    @property
    def made_of(self) -> set[str]:
        """The columns of the subject that it needs."""
        return {ours for _, ours in self.match}


@dataclass(frozen=True)
class Derivation:
    """A column computed from others of the subject."""

    name: str
    op: str
    of: tuple[Any, ...]

    @property
    def made_of(self) -> set[str]:
        """The columns of the subject that it needs."""
        return {each for each in self.of if isinstance(each, str)}


_Made = TypeVar("_Made", Lookup, Derivation)


@dataclass(frozen=True)
class Step:
    """One step of the ladder of colours; the first whose condition holds gives the colour, the last has none."""

    when: Mapping[str, Any] | None
    colour: str


@dataclass(frozen=True)
class Money:
    """Where the fen at stake stand: a column of the subject, or its sum over the records of one alert."""

    column: str
    summed: bool


@dataclass(frozen=True)
class Rule:
    """A rule that was read and has the right shape; `kinds.check` says whether its columns and parameters exist and fit."""

    code: str
    name: Name
    module: str
    kind: str
    subject: str
    where: Mapping[str, Any] | None
    lookups: tuple[Lookup, ...]
    derive: tuple[Derivation, ...]
    params: Mapping[str, Any]
    key: tuple[str, ...]
    colour: tuple[Step, ...]
    money: Money | None
    basis: tuple[str, ...]
    innocent: tuple[Name, ...]
    to: str
    enabled: bool


def read_rule(document: object) -> Rule:
    """The rule that a document describes. Raises Invalid with every fault of its shape and the path of each."""
    require_bounded(document)
    found = Findings()
    if not isinstance(document, Mapping):
        found.add("", "not-an-object")
        found.done()
    assert isinstance(document, Mapping)
    for extra in sorted(set(map(str, document)) - _KEYS):
        found.add(extra, "unknown-key")
    code = document.get("code")
    if not (isinstance(code, str) and _RULE.match(code)):
        found.add("code", "not-a-rule-code")
    for key in ("module", "kind", "subject", "to"):
        if not (isinstance(document.get(key), str) and _CODE.match(document[key])):
            found.add(key, "not-a-code")
    identity = document.get("key")
    if not (isinstance(identity, list) and 0 < len(identity) <= MOST_STEPS and all(isinstance(k, str) for k in identity)):
        found.add("key", "empty")
        identity = []
    params, where = document.get("params", {}), document.get("where")
    if not isinstance(params, Mapping):
        found.add("params", "not-an-object")
        params = {}
    if where is not None and not isinstance(where, Mapping):
        found.add("where", "not-a-condition")
        where = None
    basis = document.get("basis", [])
    if not (isinstance(basis, list) and 0 < len(basis) <= MOST_TEXTS and all(isinstance(b, str) and b for b in basis)):
        found.add("basis", "empty")
        basis = []
    rule = Rule(
        code=str(code),
        name=_name(document.get("name"), "name", found),
        module=str(document.get("module")),
        kind=str(document.get("kind")),
        subject=str(document.get("subject")),
        where=where,
        lookups=_in_order(_lookups(document.get("lookups", {}), found), "lookups", found),
        derive=_in_order(_derivations(document.get("derive", {}), found), "derive", found),
        params=params,
        key=tuple(identity),
        colour=_colours(document.get("colour"), found),
        money=_money(document.get("money"), found),
        basis=tuple(basis),
        innocent=_innocent(document.get("innocent", []), found),
        to=str(document.get("to")),
        enabled=document.get("enabled", True) is True,
    )
    found.done()
    return rule


def _in_order(columns: tuple[_Made, ...], at: str, found: Findings) -> tuple[_Made, ...]:
    """Each column after those that it is made of: a document that was stored keeps no order of its keys."""
    ordered: dict[str, _Made] = {}
    waiting = {each.name: each for each in columns}
    while waiting:
        ready = [name for name, each in waiting.items() if not (each.made_of - {name}) & waiting.keys()]
        if not ready:
            found.add(at, "made-of-each-other", value=",".join(sorted(waiting)))
            return columns
        ordered |= {name: waiting.pop(name) for name in sorted(ready)}
    return tuple(ordered.values())


def _lookups(raw: object, found: Findings) -> tuple[Lookup, ...]:
    if not isinstance(raw, Mapping):
        found.add("lookups", "not-an-object")
        return ()
    if len(raw) > MOST_COLUMNS:
        found.add("lookups", "count", most=MOST_COLUMNS)
        return ()
    lookups = []
    for name, each in raw.items():
        at = f"lookups.{name}"
        if not (isinstance(name, str) and _CODE.match(name) and isinstance(each, Mapping)):
            found.add(at, "not-a-lookup")
            continue
        match, take, field = each.get("match"), each.get("take"), each.get("field")
        if set(each) - {"dataset", "match", "where", "take", "field", "same_place"}:
            found.add(at, "unknown-key")
        if not (isinstance(match, Mapping) and match and all(isinstance(v, str) for v in match.values())):
            found.add(f"{at}.match", "empty")
            match = {}
        if not isinstance(each.get("dataset"), str):
            found.add(f"{at}.dataset", "not-a-code")
        if not isinstance(take, str) or take not in TAKES:
            found.add(f"{at}.take", "unknown-take", value=take)
        if (take == "count") != (field is None) or not isinstance(field, str | None):
            found.add(f"{at}.field", "count-takes-no-field")
        where = each.get("where")
        if where is not None and not isinstance(where, Mapping):
            found.add(f"{at}.where", "not-a-condition")
            where = None
        lookups.append(
            Lookup(
                name,
                str(each.get("dataset")),
                tuple((str(k), v) for k, v in match.items()),
                where,
                str(take),
                field,
                each.get("same_place", True) is not False,
            )
        )
    return tuple(lookups)


def _derivations(raw: object, found: Findings) -> tuple[Derivation, ...]:
    if not isinstance(raw, Mapping):
        found.add("derive", "not-an-object")
        return ()
    if len(raw) > MOST_COLUMNS:
        found.add("derive", "count", most=MOST_COLUMNS)
        return ()
    derived = []
    for name, each in raw.items():
        fits = isinstance(each, Mapping) and set(each) == {"op", "of"} and isinstance(each["of"], list) and each["of"]
        if not (isinstance(name, str) and _CODE.match(name) and fits):
            found.add(f"derive.{name}", "not-a-derivation")
        elif len(each["of"]) > MOST_STEPS:
            found.add(f"derive.{name}.of", "count", most=MOST_STEPS)
        elif not isinstance(each["op"], str) or each["op"] not in DERIVATIONS:
            found.add(f"derive.{name}.op", "unknown-derivation", value=each["op"])
        else:
            derived.append(Derivation(name, each["op"], tuple(each["of"])))
    return tuple(derived)


def _colours(raw: object, found: Findings) -> tuple[Step, ...]:
    if not (isinstance(raw, list) and 0 < len(raw) <= MOST_STEPS):
        found.add("colour", "empty")
        return ()
    steps = []
    for i, each in enumerate(raw):
        if not (isinstance(each, Mapping) and each.get("colour") in COLOURS and not set(each) - {"when", "colour"}):
            found.add(f"colour.{i}", "not-a-colour")
            continue
        if ("when" in each) != (i < len(raw) - 1):
            found.add(f"colour.{i}.when", "only-the-last-has-no-condition")
            continue
        if "when" in each and not isinstance(each["when"], Mapping):
            # Taken for a step without a condition, it would be passed over and never give its colour.
            found.add(f"colour.{i}.when", "not-a-condition")
            continue
        steps.append(Step(each.get("when"), each["colour"]))
    return tuple(steps)


def _money(raw: object, found: Findings) -> Money | None:
    if raw is None or isinstance(raw, str):
        return Money(raw, summed=False) if raw else None
    if isinstance(raw, Mapping) and set(raw) == {"sum"} and isinstance(raw["sum"], str):
        return Money(raw["sum"], summed=True)
    found.add("money", "not-a-column")
    return None


def _innocent(raw: object, found: Findings) -> tuple[Name, ...]:
    if not (isinstance(raw, list) and 0 < len(raw) <= MOST_TEXTS):
        found.add("innocent", "empty")
        return ()
    return tuple(_name(each, f"innocent.{i}", found) for i, each in enumerate(raw))


def _name(raw: object, at: str, found: Findings) -> Name:
    if (
        isinstance(raw, Mapping)
        and set(raw) == {"zh", "en"}
        and all(isinstance(v, str) and 0 < len(v) <= 300 for v in raw.values())
    ):
        return Name(raw["zh"], raw["en"])
    found.add(at, "name-in-both-languages")
    return Name("", "")
