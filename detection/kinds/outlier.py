"""K10: a value far above or below those of its peers, by quartiles, by a rank among them, or by their median.

All ranks are exact (nearest rank), so that every engine names the same records.
"""

from __future__ import annotations

import ibis
from ibis.expr import types as ir

from detection.documents import Rule
from detection.kinds.base import Hits, Kind, Param, area_of, cannot_judge, of
from detection.tables import Tables

_PARAMS = (
    Param("value", "amount"),
    Param("peers", "columns"),
    Param("least_peers", "count", least=4, most=100_000),
    Param("method", "choice", choices=("quartiles", "rank", "median")),
    # quartiles: so many hundredths of the quartile range beyond the quartile; rank: the percent rank; median: hundredths of the median.
    Param("percent", "percent", least=1, most=10_000),
    Param("side", "choice", required=False, default="high", choices=("high", "low")),
)


def _find(rule: Rule, subject: ir.Table, tables: Tables) -> Hits:
    given = of(rule, OUTLIER)
    rows = subject.filter(subject[given["value"]].notnull(), *(subject[c].notnull() for c in given["peers"]))
    value = rows[given["value"]]
    # Measures with a fraction are compared as they are: rounded, a share of 0.4 and one of 1.4 would be alike.
    rows = rows.mutate(_value=value if value.type().is_floating() else value.cast("int64"))
    peers = [rows[c] for c in given["peers"]]
    ranked = rows.select(
        *(rows[c].name(f"_g{i}") for i, c in enumerate(given["peers"])),
        "_value",
        _rank=ibis.row_number().over(ibis.window(group_by=peers, order_by=[rows._value, rows.row_id])) + 1,
        _peers=rows.count().over(ibis.window(group_by=peers)).cast("int64"),
    )

    def at(percent: int) -> ir.IntegerValue:
        """The value at the nearest rank of so many percent."""
        return ranked._value.max(where=ranked._rank == (ranked._peers * percent + 99) // 100)

    wanted = {"_low": at(25), "_middle": at(50), "_high": at(75)}
    if given["method"] == "rank":
        wanted["_ranked"] = at(given["percent"])
    groups = ranked.group_by(*(f"_g{i}" for i in range(len(given["peers"])))).aggregate(
        peers=ranked._peers.max(), **wanted
    )
    met = rows.inner_join(groups, [rows[c] == groups[f"_g{i}"] for i, c in enumerate(given["peers"])])
    met = met.filter(met.peers >= given["least_peers"])
    met = met.mutate(middle=met._middle.cast("int64"))
    high = given["side"] == "high"
    if given["method"] == "quartiles":
        width = met._high - met._low
        fence = met._high * 100 + width * given["percent"] if high else met._low * 100 - width * given["percent"]
        far = (width > 0) & (met._value * 100 > fence if high else met._value * 100 < fence)
    elif given["method"] == "rank":
        far = met._value > met._ranked if high else met._value < met._ranked
    else:
        fence = met._middle * given["percent"]
        far = met._value * 100 > fence if high else met._value * 100 < fence
    hits = met.filter(far).drop("_value", *wanted, *(f"_g{i}" for i in range(len(given["peers"]))))
    return Hits(
        hits, unjudged=(cannot_judge(subject.filter(subject[given["value"]].isnull()), f"missing:{given['value']}"),)
    )


OUTLIER = Kind(
    "outlier",
    _PARAMS,
    axis=lambda rule: area_of(rule.params["peers"]),
    find=_find,
    adds=lambda rule: {"peers": "int64", "middle": "int64"},
)
