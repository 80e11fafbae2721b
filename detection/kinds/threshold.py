"""K1: a value beyond a limit, outside a list, or impossible."""

from __future__ import annotations

from ibis.expr import types as ir

from detection.conditions import columns_of, condition, unknown
from detection.documents import Rule
from detection.kinds.base import Hits, Kind, Param, cannot_judge
from detection.tables import Tables


def _find(rule: Rule, subject: ir.Table, tables: Tables) -> Hits:
    met = condition(rule.params["when"], subject, tables.as_of)
    return Hits(
        rows=subject.filter(met),
        unjudged=(
            cannot_judge(subject.filter(unknown(met)), "missing:" + ",".join(sorted(columns_of(rule.params["when"])))),
        ),
    )


THRESHOLD = Kind("threshold", (Param("when", "condition"),), axis=lambda rule: "place", find=_find)
