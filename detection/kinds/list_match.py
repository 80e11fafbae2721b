"""K4: a person or company stands on a list, in a post or in a state at the moment the record speaks of."""

from __future__ import annotations

from ibis.expr import types as ir

from detection.conditions import condition
from detection.documents import Rule
from detection.kinds.base import Hits, Kind, Param, cannot_judge, later, of, part
from detection.tables import Tables

_PARAMS = (
    Param("who", "column"),
    Param("on", "day"),
    Param("list", "dataset"),
    Param("list_who", "column-of", over="list"),
    Param("list_where", "condition", required=False, over="list"),
    Param("starts", "column-of", required=False, default="starts_on", over="list"),
    Param("ends", "column-of", required=False, default="ends_on", over="list"),
    Param("same_place", "yes-no", required=False, default=False),
    # When the list is the subject itself: records of one person or thing whose times overlap.
    Param("others_only", "yes-no", required=False, default=False),
    # Days that the state is still tolerated after it began, and before it is looked for: a grace, or a look-back.
    Param("grace_days", "days", required=False, default=0, most=3660),
    Param("look_back_days", "days", required=False, default=0, most=3660),
)


def _find(rule: Rule, subject: ir.Table, tables: Tables) -> Hits:
    given = of(rule, LIST_MATCH)
    listed = tables.all(given["list"])
    if given["list_where"]:
        listed = listed.filter(condition(given["list_where"], listed, tables.as_of))
    columns = {"_who": listed[given["list_who"]], "_starts": listed[given["starts"]], "_ends": listed[given["ends"]]}
    listed = listed.select(**columns, _place=listed.place, _listed=listed.row_id)
    pairs = [subject[given["who"]] == listed._who] + ([subject.place == listed._place] if given["same_place"] else [])
    met = subject.inner_join(listed, pairs)
    day = met[given["on"]]
    met = met.filter(
        met._starts.isnull() | (later(met._starts, given["grace_days"]) <= day),
        met._ends.isnull() | (later(met._ends, given["look_back_days"]) >= day),
    )
    if given["others_only"]:
        met = met.filter(met._listed != met.row_id)
    rows = subject.semi_join(met, subject.row_id == met.row_id)
    return Hits(
        rows,
        parts=((given["list"], part(met, "row_id", given["list"], "_listed")),),
        unjudged=(
            cannot_judge(
                subject.filter(subject[given["who"]].isnull() | subject[given["on"]].isnull()),
                f"missing:{given['who']},{given['on']}",
            ),
        ),
    )


# A list that changed makes the villages of the people on it touched.
LIST_MATCH = Kind("list_match", _PARAMS, axis=lambda rule: "place", find=_find)
