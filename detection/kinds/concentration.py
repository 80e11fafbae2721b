"""K9: one, or a few, get too large a share of what is given out in a place and period."""

from __future__ import annotations

import functools

import ibis
from ibis.expr import types as ir

from detection.documents import Rule
from detection.kinds.base import Hits, Kind, Param, area_of, cannot_judge, of
from detection.tables import Tables

_PARAMS = (
    Param("whose", "column"),
    Param("within", "columns"),
    # The share of an amount, or of the number of records when no amount is named.
    Param("amount", "amount", required=False),
    Param("least_percent", "percent", least=1, most=100),
    Param("least_count", "count", least=1),
    Param("top", "count", required=False, default=1, least=1, most=10),
)


def _find(rule: Rule, subject: ir.Table, tables: Tables) -> Hits:
    given = of(rule, CONCENTRATION)
    whose, within, amount = given["whose"], given["within"], given["amount"]
    known = [whose, *([amount] if amount else [])]
    rows = subject.filter(*(subject[c].notnull() for c in [*known, *within]))
    weight = rows[amount].sum() if amount else rows.count()
    each = rows.group_by(**{f"_g{i}": rows[c] for i, c in enumerate([*within, whose])}).aggregate(
        _own=weight.cast("int64"), _n=rows.count().cast("int64")
    )
    group = [each[f"_g{i}"] for i in range(len(within))]
    each = each.mutate(
        _all=each._own.sum().over(ibis.window(group_by=group)).cast("int64"),
        records=each._n.sum().over(ibis.window(group_by=group)).cast("int64"),
        # Whoever has as much as the last of the top is named too, and the share is that of so many: no order of names decides.
        _place=ibis.row_number().over(ibis.window(group_by=group, order_by=ibis.desc(each._own))),
        _rank=ibis.rank().over(ibis.window(group_by=group, order_by=ibis.desc(each._own))),
    )
    counted = ibis.ifelse(each._place < given["top"], each._own, 0)
    each = each.mutate(_top=counted.sum().over(ibis.window(group_by=group)).cast("int64"))
    top = each.filter(each._rank < given["top"])
    top = top.filter(top._top * 100 >= top._all * given["least_percent"], top.records >= given["least_count"])
    top = top.mutate(share_percent=(top._top * 100) // top._all.nullif(0), share_amount=top._top)
    top = top.select(*(f"_g{i}" for i in range(len(within) + 1)), "share_percent", "share_amount", "records")
    met = rows.inner_join(top, [rows[c] == top[f"_g{i}"] for i, c in enumerate([*within, whose])])
    missing = subject.filter(functools.reduce(lambda a, b: a | b, [subject[c].isnull() for c in known]))
    return Hits(
        met.drop(*(f"_g{i}" for i in range(len(within) + 1))),
        unjudged=(cannot_judge(missing, f"missing:{','.join(known)}"),),
    )


CONCENTRATION = Kind(
    "concentration",
    _PARAMS,
    axis=lambda rule: area_of(rule.params["within"]),
    find=_find,
    adds=lambda rule: {"share_percent": "int64", "share_amount": "int64", "records": "int64"},
)
