"""What every kind of rule has: a sentence, parameters of declared types, an axis, and a function from a rule to hits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import ibis
from ibis.expr import types as ir

from detection.documents import Rule
from detection.tables import Tables


@dataclass(frozen=True)
class Param:
    """One parameter. `type`: column, columns, day (a date column), days, count, percent, money (fen), condition (over the subject, or over
    the dataset that the parameter named by `over` gives), dataset, column-of (a column of the dataset named by `over`), match (columns of
    that dataset to columns of the subject), yes-no, choice, choices.
    """

    name: str
    type: str
    required: bool = True
    default: Any = None
    over: str | None = None
    choices: tuple[str, ...] = ()
    least: int = 0
    most: int = 10**15


@dataclass(frozen=True)
class Hits:
    """`rows`: the subject's records that hit, with every column they had and what the kind computed. `parts`: further evidence, each a
    table of row_of (row_id of the hit), dataset, row_id. `unjudged`: records that could not be judged, as tables with place, row_id,
    reason.
    """

    rows: ir.Table
    parts: tuple[tuple[str, ir.Table], ...] = ()
    unjudged: tuple[ir.Table, ...] = ()


@dataclass(frozen=True)
class Kind:
    """A kind of rule. `axis`: by which groups a touched record is judged anew. `adds`: columns it computes, with their Ibis types, which a
    rule's key, colours and money may name.
    """

    code: str
    params: tuple[Param, ...]
    axis: Callable[[Rule], str]
    find: Callable[[Rule, ir.Table, Tables], Hits]
    adds: Callable[[Rule], dict[str, str]] = lambda rule: {}
    # The parameters that are optional in general and wanted by what this rule's other parameters say.
    needs: Callable[[Rule], tuple[str, ...]] = lambda rule: ()


def of(rule: Rule, kind: Kind) -> dict[str, Any]:
    """The rule's parameters with defaults filled in."""
    return {p.name: rule.params.get(p.name, p.default) for p in kind.params}


def cannot_judge(rows: ir.Table, reason: str) -> ir.Table:
    """Records that lack what the rule asks about."""
    return rows.select(place=rows.place, row_id=rows.row_id, reason=ibis.literal(reason, type="string"))


def part(met: ir.Table, row_of: str, dataset: str, row_id: str) -> ir.Table:
    """Evidence beside the hit itself: in each row of `met`, the record in column `row_id` of that dataset speaks about the hit in `row_of`."""
    return met.select(row_of=met[row_of], dataset=ibis.literal(dataset, type="string"), row_id=met[row_id])


def later(day: ir.DateValue, days: int) -> ir.DateValue:
    """The day so many days on."""
    return (day + ibis.interval(days=days)).cast("date") if days else day


def area_of(columns: Sequence[str]) -> str:
    """The axis of a kind that compares records which are alike in these columns: the narrowest area among them, else the first of them."""
    return next((area for area in ("place", "in_township", "in_county") if area in columns), columns[0])
