"""K2: one thing had to come before another and did not."""

from __future__ import annotations

from ibis.expr import types as ir

from detection.conditions import is_unreadable
from detection.documents import Rule
from detection.kinds.base import Hits, Kind, Param, cannot_judge, of
from detection.tables import Tables, number

_PARAMS = (
    Param("first", "day"),
    Param("then", "day"),
    Param("least_days", "days", required=False, default=0, least=-3660, most=3660),
    Param(
        "first_missing", "choice", required=False, default="cannot-judge", choices=("violation", "wait", "cannot-judge")
    ),
)


def _find(rule: Rule, subject: ir.Table, tables: Tables) -> Hits:
    given = of(rule, ORDER)
    first, then = subject[given["first"]], subject[given["then"]]
    too_early = number(then) < number(first) + given["least_days"]
    # A day that stands there and can not be read is not missing.
    unread = is_unreadable(subject, given["first"])
    hit = then.notnull() & first.isnull() & ~unread if given["first_missing"] == "violation" else None
    rows = subject.filter(too_early | hit if hit is not None else too_early)
    rows = rows.mutate(days_early=number(rows[given["first"]]) + given["least_days"] - number(rows[given["then"]]))
    doubtful = first.isnull() if given["first_missing"] == "cannot-judge" else unread
    unjudged = (cannot_judge(subject.filter(doubtful & then.notnull()), f"missing:{given['first']}"),)
    return Hits(rows, unjudged=unjudged)


ORDER = Kind("order", _PARAMS, axis=lambda rule: "place", find=_find, adds=lambda rule: {"days_early": "int64"})
