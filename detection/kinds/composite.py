"""K13: alerts that already stand against the same person, company or place, from different sides, add up to one that is graver."""

from __future__ import annotations

from ibis.expr import types as ir

from detection.documents import Rule
from detection.kinds.base import Hits, Kind, Param, area_of, cannot_judge, of
from detection.tables import Tables, number

_PARAMS = (
    Param("same", "columns"),
    Param("day", "day"),
    Param("within_days", "days", least=1, most=3660),
    # What has to differ between the alerts, for instance the module; and from how many different ones on.
    Param("different", "column"),
    Param("at_least", "count", required=False, default=2, least=2, most=20),
)


def _find(rule: Rule, subject: ir.Table, tables: Tables) -> Hits:
    given = of(rule, COMPOSITE)
    rows = subject.filter(subject[given["day"]].notnull(), *(subject[c].notnull() for c in given["same"]))
    other = rows.select(
        *(rows[c].name(f"_s{i}") for i, c in enumerate(given["same"])),
        _different=rows[given["different"]],
        _day=rows[given["day"]],
    )
    met = rows.inner_join(other, [rows[c] == other[f"_s{i}"] for i, c in enumerate(given["same"])])
    apart = number(met._day) - number(met[given["day"]])
    met = met.filter(apart <= given["within_days"], apart >= -given["within_days"])
    sides = met.group_by(_hit=met.row_id).aggregate(sides=met._different.nunique().cast("int64"))
    sides = sides.filter(sides.sides >= given["at_least"])
    hits = rows.inner_join(sides, rows.row_id == sides._hit).drop("_hit")
    return Hits(
        hits,
        unjudged=(cannot_judge(subject.filter(subject[given["day"]].isnull()), f"missing:{given['day']}"),),
    )


COMPOSITE = Kind(
    "composite",
    _PARAMS,
    axis=lambda rule: area_of(rule.params["same"]),
    find=_find,
    adds=lambda rule: {"sides": "int64"},
)
