"""The records that a rule looks at, with every column it may name: their own, looked up, derived, and the limits in force."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

import ibis
from ibis.expr import types as ir

from detection.conditions import condition, threshold_column, thresholds_of
from detection.documents import Derivation, Lookup, Rule
from detection.tables import TOUCHED, Tables, day_start, number

# Columns that every subject has beside those of its dataset.
AREA_COLUMNS = {"in_township": "string", "in_county": "string"}
# An axis groups the records so that no group's verdict depends on another group: what was touched is judged anew by whole groups.
_AREAS = {"place": 12, "in_township": 9, "in_county": 6}


_MIDNIGHT = date(1970, 1, 1)


def axis_value(table: ir.Table, axis: str) -> ir.StringValue:
    """The value of a record on an axis: `place`, `in_township`, `in_county`, or the name of a text column."""
    if axis in _AREAS:
        return table.place if axis == "place" else table.place.substr(0, _AREAS[axis])
    return table[axis]


def subject(rule: Rule, tables: Tables, axis: str) -> ir.Table:
    """The subject's records with all columns that the rule may name. Conditions of the rule are not yet applied."""
    records = tables.all(rule.subject)
    if tables.touched:
        records = records.filter(axis_value(records, axis).isin([TOUCHED]))
    table = records.mutate(in_township=records.place.substr(0, 9), in_county=records.place.substr(0, 6))
    for lookup in rule.lookups:
        table = _look_up(table, lookup, tables, axis)
    matters = (
        thresholds_of(rule.where) | thresholds_of(rule.params) | thresholds_of([step.when for step in rule.colour])
    )
    if matters:
        table = _limits(table, records, sorted(matters), tables)
    for derivation in rule.derive:
        table = table.mutate(**{derivation.name: _derive(table, derivation)})
    return table


def matching(lookup: Lookup, tables: Tables, axis: str) -> ir.Table:
    """The records of the other dataset that a lookup may find."""
    other = tables.all(lookup.dataset)
    if tables.touched and lookup.same_place and axis == "place":
        other = other.filter(other.place.isin([TOUCHED]))
    return other.filter(condition(lookup.where, other, tables.as_of)) if lookup.where else other


def _look_up(table: ir.Table, lookup: Lookup, tables: Tables, axis: str) -> ir.Table:
    other = matching(lookup, tables, axis)
    pairs = [*lookup.match, ("place", "place")] if lookup.same_place else list(lookup.match)
    if tables.touched and not (lookup.same_place and axis == "place"):
        other = other.semi_join(table, [other[theirs] == table[ours] for theirs, ours in pairs])
    found = other.count() if lookup.take == "count" else getattr(other[lookup.field], lookup.take)()
    group = {f"_{i}": other[theirs] for i, (theirs, _) in enumerate(pairs)}
    summary = other.group_by(**group).aggregate(
        **{lookup.name: found if lookup.take in {"min", "max"} or found.type().is_floating() else found.cast("int64")}
    )
    joined = table.left_join(summary, [table[ours] == summary[f"_{i}"] for i, (_, ours) in enumerate(pairs)])
    joined = joined.drop(*group)
    return joined.mutate(**{lookup.name: joined[lookup.name].fill_null(0)}) if lookup.take == "count" else joined


def _limits(table: ir.Table, records: ir.Table, matters: list[str], tables: Tables) -> ir.Table:
    """Adds the limits of matters in force on the event's date: the county's own, else its city's, else the province's.

    All matters and levels are found in one pass over the records themselves; what was looked up before does not matter here, and would
    only make the text longer.
    """
    levels = range(3)
    wanted = tables.all("threshold").filter(lambda t: t.matter.isin(matters))
    at = functools.reduce(
        lambda a, b: a.union(b),
        [
            records.select(
                _row=records.row_id,
                _area=records.place.substr(0, digits).concat("0" * (6 - digits)),
                _day=records.event_on,
                _level=ibis.literal(level, type="int64"),
            )
            for level, digits in zip(levels, (6, 4, 2), strict=True)
        ],
    )
    fits = at.inner_join(wanted, at._area == wanted.county)
    fits = fits.filter(fits.starts_on <= fits._day, fits.ends_on.isnull() | (fits.ends_on >= fits._day))
    found = fits.group_by("_row").aggregate(
        **{
            f"_limit{i}_{level}": fits.amount.min(where=(fits.matter == matter) & (fits._level == level))
            for i, matter in enumerate(matters)
            for level in levels
        }
    )
    own = {
        threshold_column(matter): ibis.coalesce(*(found[f"_limit{i}_{level}"] for level in levels))
        for i, matter in enumerate(matters)
    }
    found = found.select("_row", **own)
    return table.left_join(found, table.row_id == found._row).drop("_row")


def _derive(table: ir.Table, derivation: Derivation) -> ir.Value:
    operands = [_operand(table, each) for each in derivation.of]
    return _OPERATIONS[derivation.op](operands)


def _operand(table: ir.Table, given: Any) -> Any:
    if isinstance(given, str):
        return table[given]
    if isinstance(given, Mapping):
        return ibis.literal(date.fromisoformat(given["day"]), type="date")
    return ibis.literal(given, type="int64")


def _hours(instant: ir.TimestampValue) -> ir.IntegerValue:
    return (_seconds(instant) / 3600).floor().cast("int64")


def _seconds(instant: ir.TimestampValue) -> ir.FloatingValue:
    """Seconds since a midnight in China. Both ends go through the same conversion, so that no engine's own time zone counts."""
    return instant.epoch_seconds().cast("float64") - day_start(_MIDNIGHT).epoch_seconds().cast("float64")


def _sum(values: list[Any]) -> Any:
    return functools.reduce(lambda a, b: a + b, values)


_OPERATIONS: dict[str, Callable[[list[Any]], Any]] = {
    "days_between": lambda v: number(v[1]) - number(v[0]),
    # Unlike LEAST and GREATEST in some engines, a missing operand is passed over in all of them.
    "earliest": lambda v: functools.reduce(lambda a, b: ibis.coalesce(ibis.ifelse(a <= b, a, b), a, b), v),
    "latest": lambda v: functools.reduce(lambda a, b: ibis.coalesce(ibis.ifelse(a >= b, a, b), a, b), v),
    "sum": _sum,
    "difference": lambda v: v[0] - v[1],
    "times": lambda v: functools.reduce(lambda a, b: a * b, v),
    "percent": lambda v: (v[0] * 100) // v[1].nullif(0),
    "year": lambda v: v[0].year().cast("int64"),
    "month": lambda v: v[0].year().cast("int64") * 100 + v[0].month().cast("int64"),
    "month_end": lambda v: v[0].truncate("M") + ibis.interval(months=1) - ibis.interval(days=1),
    "first": lambda v: ibis.coalesce(*v),
    "hour": lambda v: _hours(v[0]) % 24,
    # The hours that have begun, so that eight hours and a minute are nine.
    "hours_between": lambda v: -(((_seconds(v[0]) - _seconds(v[1])) / 3600).floor().cast("int64")),
    "weekday": lambda v: (number(v[0]) + 3) % 7 + 1,
}
