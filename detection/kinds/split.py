"""K6: amounts that each stay below a limit and together, within some days, reach it."""

from __future__ import annotations

import ibis
from ibis.expr import types as ir

from detection.conditions import threshold_column
from detection.documents import Rule
from detection.kinds.base import Hits, Kind, Param, area_of, cannot_judge, of
from detection.tables import Tables, number

_PARAMS = (
    Param("amount", "amount"),
    Param("day", "day"),
    Param("same", "columns"),
    Param("limit", "limit"),
    Param("within_days", "days", least=1, most=3660),
    Param("at_least", "count", required=False, default=2, least=2, most=1000),
)


def _find(rule: Rule, subject: ir.Table, tables: Tables) -> Hits:
    given = of(rule, SPLIT)
    limit = given["limit"]
    rows = subject.mutate(
        limit=subject[threshold_column(limit["threshold"])]
        if isinstance(limit, dict)
        else ibis.literal(limit, type="int64")
    )
    lacking = rows[given["amount"]].isnull() | rows[given["day"]].isnull() | rows["limit"].isnull()
    same = [rows[column] for column in given["same"]]
    small = rows.filter(~lacking, rows[given["amount"]] < rows["limit"], *(column.notnull() for column in same))

    def window(preceding: int, following: int) -> ibis.expr.builders.WindowBuilder:
        return ibis.range_window(
            group_by=[small[c] for c in given["same"]],
            order_by=number(small[given["day"]]),
            preceding=preceding,
            following=following,
        )

    back = window(given["within_days"], 0)
    small = small.mutate(
        _sum=small[given["amount"]].sum().over(back).cast("int64"), _count=small.count().over(back).cast("int64")
    )
    small = small.mutate(
        _reached=ibis.ifelse(
            (small._sum >= small["limit"]) & (small._count >= given["at_least"]), small._sum, ibis.null("int64")
        )
    )
    small = small.mutate(total=small._reached.max().over(window(0, given["within_days"])))
    hits = small.filter(small.total.notnull()).drop("_sum", "_count", "_reached")
    return Hits(hits, unjudged=(cannot_judge(rows.filter(lacking), f"missing:{given['amount']},{given['day']}"),))


SPLIT = Kind(
    "split", _PARAMS, axis=lambda rule: area_of(rule.params["same"]), find=_find, adds=lambda rule: {"total": "int64", "limit": "int64"}
)
