"""K3: several records that should not be alike are alike: the same keys, equal amounts, the same day or close to it."""

from __future__ import annotations

from typing import Any

import ibis
from ibis.expr import types as ir

from detection.documents import Rule
from detection.kinds.base import Hits, Kind, Param, area_of, of
from detection.tables import Tables, number

_PARAMS = (
    Param("keys", "columns"),
    Param("day", "day", required=False),
    Param("within_days", "days", required=False, default=0, most=3660),
    Param("at_least", "count", required=False, default=2, least=2, most=1000),
    Param("differ_in", "column", required=False),
    # A pay batch: many payees, one purpose, one amount. It is alike by nature.
    Param("batch_by", "columns", required=False),
    Param("batch_payees", "column", required=False),
    Param("batch_from", "count", required=False, default=3, least=2, most=1000),
)


def _find(rule: Rule, subject: ir.Table, tables: Tables) -> Hits:
    given = of(rule, COLLISION)
    keys = given["keys"]
    rows = subject.filter(*(subject[k].notnull() for k in keys))
    if given["batch_by"]:
        batch = rows.group_by(**{f"_b{i}": rows[k] for i, k in enumerate([*keys, *given["batch_by"]])})
        wide = batch.aggregate(_payees=rows[given["batch_payees"]].nunique())
        wide = wide.filter(wide._payees >= given["batch_from"])
        rows = rows.anti_join(wide, [rows[k] == wide[f"_b{i}"] for i, k in enumerate([*keys, *given["batch_by"]])])
    if given["within_days"]:
        return Hits(_near(rows, given))
    alike = rows.group_by(**{f"_k{i}": rows[k] for i, k in enumerate(keys)})
    counted = rows[given["differ_in"]].nunique() if given["differ_in"] else rows.count()
    alike = alike.aggregate(alike=counted.cast("int64"))
    alike = alike.filter(alike.alike >= given["at_least"])
    return Hits(
        rows.inner_join(alike, [rows[k] == alike[f"_k{i}"] for i, k in enumerate(keys)]).drop(
            *(f"_k{i}" for i in range(len(keys)))
        )
    )


def _near(rows: ir.Table, given: dict[str, Any]) -> ir.Table:
    """Records with at least the wanted number of alike ones within so many days before or after."""
    rows = rows.filter(rows[given["day"]].notnull())
    day = number(rows[given["day"]])
    window = ibis.range_window(
        group_by=[rows[k] for k in given["keys"]],
        order_by=day,
        preceding=given["within_days"],
        following=given["within_days"],
    )
    rows = rows.mutate(alike=rows.count().over(window).cast("int64"))
    return rows.filter(rows.alike >= given["at_least"])


COLLISION = Kind("collision", _PARAMS, axis=lambda rule: area_of(rule.params["keys"]), find=_find, adds=lambda rule: {"alike": "int64"})
