"""Who is kin to whom on a day, along the steps that a scope allows (民法典 1045 for the near ones; scopes are data, `kin_scopes.json`).

A relation that an authority or a person has denied is remembered: it never leads anywhere again, whatever another source says.
"""

from __future__ import annotations

import functools
import json
from importlib import resources

import ibis
from ibis.expr import types as ir

from detection.tables import Tables

_INVERSE = {"spouse": "spouse", "parent": "child", "child": "parent"}
# How sure a relation is, the surest first. A rule names the least it accepts.
CONFIDENCES = ("official", "declared", "derived")


@functools.cache
def scopes() -> dict[str, tuple[tuple[str, ...], ...]]:
    """Scope -> the chains of steps that lead from a person to kin within it."""
    raw = json.loads(resources.files("detection").joinpath("kin_scopes.json").read_text(encoding="utf-8"))
    return {name: tuple(tuple(path) for path in paths) for name, paths in raw.items()}


def steps(tables: Tables, confidence: str) -> ir.Table:
    """The single steps of kinship that are at least so sure and that nobody has denied, in both directions: `person`, `kin` (who is the
    `step` of person), from and to which day, and `relation_row`, the record that says so.
    """
    relations = tables.all("relation")
    accepted = CONFIDENCES[: CONFIDENCES.index(confidence) + 1]
    denied = relations.filter(relations.confidence == "denied")
    sure = relations.filter(
        relations.confidence.isin(accepted), relations.person_a.notnull(), relations.person_b.notnull()
    )
    for one, other in (("person_a", "person_b"), ("person_b", "person_a")):
        no = denied.select(_one=denied.person_a, _other=denied.person_b)
        sure = sure.anti_join(no, [(one, "_one"), (other, "_other")])
    forward = sure.select(
        person=sure.person_b,
        kin=sure.person_a,
        step=sure.relation,
        starts_on=sure.starts_on,
        ends_on=sure.ends_on,
        relation_row=sure.row_id,
    )
    turned = ibis.cases(*((sure.relation == step, inverse) for step, inverse in _INVERSE.items()), else_=None)
    back = sure.select(
        person=sure.person_a,
        kin=sure.person_b,
        step=turned,
        starts_on=sure.starts_on,
        ends_on=sure.ends_on,
        relation_row=sure.row_id,
    )
    return forward.union(back)


def kin_of(start: ir.Table, known: ir.Table, scope: str) -> ir.Table:
    """Kin of the persons in `start` (columns row_id, who, day): row_id, day, kin, kinship (the chain of steps), and step_0 … step_3, the
    relation records along the chain, NULL beyond its end. Nobody is their own kin.
    """
    found = [_along(start, known, path) for path in scopes()[scope]]
    return functools.reduce(lambda a, b: a.union(b), found)


def _along(start: ir.Table, known: ir.Table, path: tuple[str, ...]) -> ir.Table:
    at = start.select(row_id=start.row_id, day=start.day, first=start.who, kin=start.who)
    for i, step in enumerate(path):
        edges = known.filter(known.step == step)
        edges = edges.select(
            _from=edges.person,
            _to=edges.kin,
            _starts=edges.starts_on,
            _ends=edges.ends_on,
            **{f"step_{i}": edges.relation_row},
        )
        met = at.inner_join(edges, [("kin", "_from")])
        met = met.filter(met._starts.isnull() | (met._starts <= met.day), met._ends.isnull() | (met._ends >= met.day))
        at = met.select("row_id", "day", "first", *(f"step_{j}" for j in range(i + 1)), kin=met._to)
    at = at.filter(at.kin != at.first)
    missing = {f"step_{i}": ibis.null("int64") for i in range(len(path), 4)}
    return at.mutate(kinship=ibis.literal("-".join(path), type="string"), **missing).select(
        "row_id", "day", "kin", "kinship", "step_0", "step_1", "step_2", "step_3"
    )
