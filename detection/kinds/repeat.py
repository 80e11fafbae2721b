"""K11: the same happens to the same person, house or place so many times within some days."""

from __future__ import annotations

import ibis
from ibis.expr import types as ir

from detection.documents import Rule
from detection.kinds.base import Hits, Kind, Param, area_of, cannot_judge, of
from detection.tables import Tables, number

_PARAMS = (
    Param("same", "columns"),
    Param("day", "day"),
    Param("within_days", "days", least=1, most=3660),
    Param("at_least", "count", least=2, most=1000),
)


def _find(rule: Rule, subject: ir.Table, tables: Tables) -> Hits:
    given = of(rule, REPEAT)
    rows = subject.filter(subject[given["day"]].notnull(), *(subject[column].notnull() for column in given["same"]))

    def window(preceding: int, following: int) -> ibis.expr.builders.WindowBuilder:
        return ibis.range_window(
            group_by=[rows[c] for c in given["same"]],
            order_by=number(rows[given["day"]]),
            preceding=preceding,
            following=following,
        )

    rows = rows.mutate(_count=rows.count().over(window(given["within_days"] - 1, 0)).cast("int64"))
    rows = rows.mutate(times=rows._count.max().over(window(0, given["within_days"] - 1)))
    return Hits(
        rows.filter(rows.times >= given["at_least"]).drop("_count"),
        unjudged=(cannot_judge(subject.filter(subject[given["day"]].isnull()), f"missing:{given['day']}"),),
    )


REPEAT = Kind("repeat", _PARAMS, axis=lambda rule: area_of(rule.params["same"]), find=_find, adds=lambda rule: {"times": "int64"})
