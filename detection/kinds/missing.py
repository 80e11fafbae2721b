"""K7: something that had to follow, or to be there, is not: a step, a paper, a meeting, a third quotation.

Absence is judged only when its time is over and the source that would show it has delivered; until then the record is waited for.
"""

from __future__ import annotations

import ibis
from ibis.expr import types as ir

from detection.conditions import condition, unknown
from detection.documents import Rule
from detection.kinds.base import Hits, Kind, Param, cannot_judge, later, of, part
from detection.tables import TOUCHED, Tables, on

_PARAMS = (
    Param("required", "dataset"),
    Param("match", "match", over="required"),
    Param("required_where", "condition", required=False, over="required"),
    Param("same_place", "yes-no", required=False, default=True),
    Param("at_least", "count", required=False, default=1, least=1, most=100),
    Param("different", "column-of", required=False, over="required"),
    Param("after", "day"),
    Param("within_days", "days", required=False, default=0, most=3660),
    # The day of the required record, when one that comes too late is as good as none.
    Param("required_day", "day-of", required=False, over="required"),
)


def _find(rule: Rule, subject: ir.Table, tables: Tables) -> Hits:
    given = of(rule, MISSING)
    judged_on = tables.judged_on(given["required"])
    day = subject[given["after"]]
    rows = subject.mutate(_until=later(day, given["within_days"]))
    other = tables.all(given["required"])
    # A record of which nobody knows whether it is the required one, or when it was made, may be what is asked for.
    other = other.mutate(_unsure=ibis.literal(value=False))
    if given["required_where"]:
        met_by = condition(given["required_where"], other, tables.as_of)
        other = other.mutate(_met=met_by, _unsure=unknown(met_by))
        other = other.filter(other._met | other._unsure)
    if given["required_day"]:
        other = other.mutate(_unsure=other._unsure | other[given["required_day"]].isnull())
    if tables.touched and given["same_place"]:
        other = other.filter(other.place.isin([TOUCHED]))
    pairs = [*given["match"].items(), *([("place", "place")] if given["same_place"] else [])]
    columns = {f"_m{i}": other[theirs] for i, (theirs, _) in enumerate(pairs)}
    different = other[given["different"]] if given["different"] else other.row_id
    other = other.select(
        **columns,
        _row=other.row_id,
        _different=different,
        _unsure=other._unsure,
        _on=other[given["required_day"]] if given["required_day"] else on(judged_on),
    )
    met = rows.inner_join(other, [rows[ours] == other[f"_m{i}"] for i, (_, ours) in enumerate(pairs)])
    if given["required_day"]:
        met = met.filter(met._unsure | (met._on <= met._until))
    counted = met.group_by(_hit=met.row_id).aggregate(
        _there=met._different.nunique(where=~met._unsure), _perhaps=met._unsure.sum()
    )
    rows = rows.left_join(counted, rows.row_id == counted._hit)
    rows = rows.mutate(there=rows._there.fill_null(0).cast("int64"))
    lacking = rows.filter(rows.there < given["at_least"])
    perhaps = lacking._perhaps.fill_null(0) > 0
    unsure = lacking.filter(perhaps, lacking._until < on(tables.as_of))
    lacking = lacking.filter(~perhaps)
    late = lacking.filter(lacking._until < on(judged_on))
    waited_for = lacking.filter(lacking._until >= on(judged_on), lacking._until < on(tables.as_of))
    hits = late.drop("_until", "_hit", "_there", "_perhaps")
    return Hits(
        hits,
        parts=((given["required"], part(met, "row_id", given["required"], "_row")),),
        unjudged=(
            cannot_judge(rows.filter(rows[given["after"]].isnull()), f"missing:{given['after']}"),
            cannot_judge(waited_for, f"waiting:{given['required']}"),
            cannot_judge(unsure, f"unsure:{given['required']}"),
        ),
    )


MISSING = Kind("missing", _PARAMS, axis=lambda rule: "place", find=_find, adds=lambda rule: {"there": "int64"})
