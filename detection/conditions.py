"""Trees of conditions over the columns of a table: checked by path, then turned into an expression that is true, false or unknown.

Unknown (a missing or unreadable value) is not false: it says that this record cannot be judged, and it is counted as such.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from typing import Any

import ibis
from ibis.expr import types as ir

from detection.problems import Findings

_COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "=": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}
_ALONE = frozenset({"missing", "present", "unreadable"})
OPERATORS = frozenset(_COMPARE) | _ALONE | {"in", "not_in", "between", "like"}
DEEPEST, MOST_NODES, MOST_LISTED = 6, 60, 500
FARTHEST_DAYS, MOST_PERCENT = 36_600, 10_000
_MATTER = re.compile(r"[a-z][a-z0-9_]{0,39}\Z")


def check_condition(tree: object, columns: Mapping[str, str], at: str, found: Findings) -> None:
    """Adds to `found` what is wrong with a tree over columns of these types (Ibis names): unknown columns, operators, values that do not fit."""
    nodes = _check(tree, columns, at, found, 1)
    if nodes > MOST_NODES:
        found.add(at, "too-large", most=MOST_NODES)


def _check(tree: object, columns: Mapping[str, str], at: str, found: Findings, depth: int) -> int:
    if depth > DEEPEST:
        found.add(at, "too-deep", most=DEEPEST)
        return 1
    if not isinstance(tree, Mapping) or not tree:
        found.add(at, "not-a-condition")
        return 1
    if "field" in tree:
        _check_leaf(tree, columns, at, found)
        return 1
    if len(tree) != 1 or next(iter(tree)) not in {"all", "any", "not"}:
        found.add(at, "not-a-condition")
        return 1
    word, inner = next(iter(tree.items()))
    if word == "not":
        return 1 + _check(inner, columns, f"{at}.not", found, depth + 1)
    if not isinstance(inner, list) or not inner:
        found.add(f"{at}.{word}", "empty")
        return 1
    return 1 + sum(_check(each, columns, f"{at}.{word}.{i}", found, depth + 1) for i, each in enumerate(inner))


def _check_leaf(leaf: Mapping[str, Any], columns: Mapping[str, str], at: str, found: Findings) -> None:
    name, op = leaf["field"], leaf.get("op")
    if not isinstance(name, str) or name not in columns:
        found.add(f"{at}.field", "unknown-column", value=name)
        return
    if not isinstance(op, str) or op not in OPERATORS:
        found.add(f"{at}.op", "unknown-operator", value=op)
        return
    if set(leaf) - {"field", "op", "value"}:
        found.add(at, "unknown-key")
    if (op in _ALONE) != ("value" not in leaf):
        found.add(f"{at}.value", "value-or-none", op=op)
        return
    if op in _ALONE:
        return
    kind, value = base_type(columns[name]), leaf["value"]
    if op in {"in", "not_in", "between"}:
        if not isinstance(value, list) or not 0 < len(value) <= MOST_LISTED or (op == "between" and len(value) != 2):
            found.add(f"{at}.value", "not-a-list", most=MOST_LISTED)
            return
        for i, each in enumerate(value):
            _check_value(each, kind, columns, f"{at}.value.{i}", found)
    elif op == "like":
        if kind != "string" or not isinstance(value, str) or not value:
            found.add(f"{at}.value", "like-takes-text")
    else:
        _check_value(value, kind, columns, f"{at}.value", found)


def _check_value(value: object, kind: str, columns: Mapping[str, str], at: str, found: Findings) -> None:
    if isinstance(value, Mapping):
        word = next(iter(value), None)
        if len(value) == 1 and word == "field":
            other = columns.get(str(value["field"]))
            if other is None:
                found.add(at, "unknown-column", value=value["field"])
            elif base_type(other) != kind and {base_type(other), kind} - {"int64", "float64", "int32"}:
                found.add(at, "types-differ", left=kind, right=base_type(other))
            return
        if len(value) == 1 and word == "asof" and _within(value["asof"], FARTHEST_DAYS) and kind in {"date", "timestamp"}:
            return
        if len(value) == 1 and word == "threshold" and is_matter(value["threshold"]) and kind == "int64":
            return
        if set(value) == {"field", "days"} and kind == "date" and _within(value["days"], FARTHEST_DAYS):
            if base_type(columns.get(str(value["field"]), "")) != "date":
                found.add(at, "unknown-column", value=value["field"])
            return
        if set(value) == {"field", "percent"} and kind in {"int64", "float64"} and _within(value["percent"], MOST_PERCENT):
            if base_type(columns.get(str(value["field"]), "")) not in {"int64", "float64"}:
                found.add(at, "unknown-column", value=value["field"])
            return
        of_limit = set(value) == {"threshold", "percent"} and is_matter(value["threshold"])
        if of_limit and kind == "int64" and _within(value["percent"], MOST_PERCENT):
            return
        found.add(at, "not-a-value")
        return
    fits = {
        "string": isinstance(value, str),
        "boolean": isinstance(value, bool),
        "int64": isinstance(value, int) and not isinstance(value, bool),
        "float64": isinstance(value, (int, float)) and not isinstance(value, bool),
        "date": is_day(value),
    }
    if not fits.get(kind, False):
        found.add(at, "value-does-not-fit", type=kind)


def base_type(kind: str) -> str:
    """The type without its time zone."""
    return kind.split("(")[0]


def _within(value: object, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and -most <= value <= most


def is_matter(value: object) -> bool:
    """True for the code of a matter that has a limit: it becomes part of a column's name."""
    return isinstance(value, str) and _MATTER.match(value) is not None


def is_day(value: object) -> bool:
    """True for a text that is a calendar day, written as all engines read it."""
    if not isinstance(value, str):
        return False
    try:
        return date.fromisoformat(value).isoformat() == value
    except ValueError:
        return False


def thresholds_of(tree: object) -> set[str]:
    """The matters whose limit, by county and date, a tree compares with."""
    if isinstance(tree, Mapping):
        own = {tree["threshold"]} if isinstance(tree.get("threshold"), str) else set()
        return own.union(*(thresholds_of(each) for each in tree.values()))
    if isinstance(tree, list):
        return set[str]().union(*(thresholds_of(each) for each in tree))
    return set()


def columns_of(tree: object) -> set[str]:
    """The columns that a tree names."""
    if isinstance(tree, Mapping):
        own = {tree["field"]} if isinstance(tree.get("field"), str) else set()
        return own.union(*(columns_of(each) for each in tree.values()))
    if isinstance(tree, list):
        return set[str]().union(*(columns_of(each) for each in tree))
    return set()


def threshold_column(matter: str) -> str:
    """The column in which the subject carries the limit of a matter."""
    return f"limit_of_{matter}"


def condition(tree: Mapping[str, Any], table: ir.Table, as_of: date) -> ir.BooleanValue:
    """The expression of a checked tree over the table's columns."""
    if "all" in tree:
        return functools.reduce(lambda a, b: a & b, [condition(each, table, as_of) for each in tree["all"]])
    if "any" in tree:
        return functools.reduce(lambda a, b: a | b, [condition(each, table, as_of) for each in tree["any"]])
    if "not" in tree:
        return ~condition(tree["not"], table, as_of)
    name, op = tree["field"], tree["op"]
    column = table[name]
    if op in _ALONE:
        bad = is_unreadable(table, name)
        if op == "unreadable":
            return bad
        absent = column.isnull() if op == "missing" else column.notnull()
        return ibis.ifelse(bad, ibis.null("boolean"), absent)
    given = tree["value"]
    if op in {"in", "not_in"}:
        values = [value(each, table, column, as_of) for each in given]
        return column.isin(values) if op == "in" else column.notin(values)
    if op == "between":
        low, high = (value(each, table, column, as_of) for each in given)
        return (column >= low) & (column <= high)
    if op == "like":
        return column.contains(given)
    return _COMPARE[op](column, value(given, table, column, as_of))


def unknown(met: ir.BooleanValue) -> ir.BooleanValue:
    """True where a condition is neither true nor false.

    The call around it keeps the printed text together: `NOT (a) IS NULL`, as the printer writes it otherwise, means `NOT ((a) IS NULL)`.
    """
    return ibis.coalesce(met, ibis.null("boolean")).isnull()


def is_unreadable(table: ir.Table, name: str) -> ir.BooleanValue:
    """True where the source gave something in this field that could not be read. Columns made by lookups never are."""
    return table.unreadable.contains(f";{name}=") if "unreadable" in table.columns else ibis.literal(value=False)


def value(given: object, table: ir.Table, column: ir.Value, as_of: date) -> Any:
    """What a condition compares with: a constant of the column's type, another column, a day counted from the day of judgement, a limit."""
    if isinstance(given, Mapping):
        if "asof" in given:
            return ibis.literal(as_of + timedelta(days=given["asof"]), type="date")
        amount = table[threshold_column(given["threshold"])] if "threshold" in given else table[given["field"]]
        if "percent" in given:
            part = amount * given["percent"]
            return part / 100 if amount.type().is_floating() else part // 100
        if "days" in given:
            return (amount + ibis.interval(days=given["days"])).cast("date")
        return amount
    if column.type().is_date():
        return ibis.literal(date.fromisoformat(str(given)), type="date")
    return given
