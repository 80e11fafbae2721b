"""K12: two books that should say the same do not, or one of them is silent."""

from __future__ import annotations

import ibis
from ibis.expr import types as ir

from detection.conditions import condition
from detection.documents import Rule
from detection.kinds.base import Hits, Kind, Param, cannot_judge, later, of, part
from detection.tables import TOUCHED, Tables, on

_PARAMS = (
    Param("ours", "amount"),
    Param("other", "dataset"),
    Param("match", "match", over="other"),
    Param("other_where", "condition", required=False, over="other"),
    Param("theirs", "amount-of", over="other"),
    Param("same_place", "yes-no", required=False, default=True),
    Param("direction", "choice", required=False, default="either", choices=("either", "more", "less")),
    Param("tolerance", "money", required=False, default=0),
    Param("tolerance_percent", "percent", required=False, default=0, most=1000),
    # A record without its counterpart counts only when its time is over; without a day it is left alone.
    Param("day", "day", required=False),
    Param("unmatched_after_days", "days", required=False, most=3660),
)


def _find(rule: Rule, subject: ir.Table, tables: Tables) -> Hits:
    given = of(rule, DISAGREE)
    ours = given["ours"]
    other = tables.all(given["other"])
    if tables.touched and given["same_place"]:
        other = other.filter(other.place.isin([TOUCHED]))
    if given["other_where"]:
        other = other.filter(condition(given["other_where"], other, tables.as_of))
    pairs = [*given["match"].items(), *([("place", "place")] if given["same_place"] else [])]
    other = other.select(
        **{f"_m{i}": other[theirs] for i, (theirs, _) in enumerate(pairs)},
        _theirs=other[given["theirs"]],
        _row=other.row_id,
    )
    met = subject.inner_join(other, [subject[mine] == other[f"_m{i}"] for i, (_, mine) in enumerate(pairs)])
    total = met.group_by(_hit=met.row_id).aggregate(
        theirs=met._theirs.sum().cast("int64"), _n=met.count(), _unread=met._theirs.isnull().sum()
    )
    rows = subject.filter(subject[ours].notnull()).left_join(total, subject.row_id == total._hit)
    # A sum from which one amount is missing says nothing.
    unread = rows.filter(rows._unread > 0)
    rows = rows.filter(rows._unread.fill_null(0) == 0)
    rows = rows.mutate(difference=rows[ours].cast("int64") - rows.theirs)
    allowed = rows.theirs * given["tolerance_percent"] + given["tolerance"] * 100
    more, less = rows["difference"] * 100 > allowed, rows["difference"] * -100 > allowed
    differs = {"either": more | less, "more": more, "less": less}[given["direction"]]
    if given["day"] and given["unmatched_after_days"] is not None:
        silent = rows._n.isnull() & (
            later(rows[given["day"]], given["unmatched_after_days"]) < on(tables.judged_on(given["other"]))
        )
        differs = differs.fill_null(False) | silent
    hits = rows.filter(differs).drop("_hit", "_n", "_unread")
    return Hits(
        hits.mutate(difference=ibis.coalesce(hits["difference"], hits[ours].cast("int64"))),
        parts=((given["other"], part(met, "row_id", given["other"], "_row")),),
        unjudged=(
            cannot_judge(subject.filter(subject[ours].isnull()), f"missing:{ours}"),
            cannot_judge(unread, f"missing:{given['other']}.{given['theirs']}"),
        ),
    )


DISAGREE = Kind(
    "disagree",
    _PARAMS,
    axis=lambda rule: "place",
    find=_find,
    adds=lambda rule: {"difference": "int64", "theirs": "int64"},
)
