"""K5: somebody in the record, or behind the company in it, is an official of that place, or kin to one, on the day.

A name alone never matches: without a number there is no person, and the record counts as one that cannot be judged.
"""

from __future__ import annotations

import functools

import ibis
from ibis.expr import types as ir

from detection.conditions import condition
from detection.documents import Rule
from detection.kinds.base import Hits, Kind, Param, cannot_judge, later, of, part
from detection.kinship import CONFIDENCES, kin_of, scopes, steps
from detection.tables import Tables

_PARAMS = (
    Param("who", "column"),
    Param("on", "day"),
    # A company stands for the people with a role in it on the day.
    Param("is_company", "yes-no", required=False, default=False),
    Param(
        "company_roles",
        "choices",
        required=False,
        choices=("legal_rep", "shareholder", "supervisor", "manager", "insured"),
    ),
    Param("scope", "choice", choices=tuple(scopes())),
    Param("self_too", "yes-no", required=False, default=False),
    Param("confidence", "choice", required=False, default="declared", choices=CONFIDENCES),
    # Against whom: the people in post, or the person in another column of the same record.
    Param("official", "column", required=False),
    Param("officials", "dataset", required=False),
    Param("officials_where", "condition", required=False, over="officials"),
    Param("same_place", "yes-no", required=False, default=True),
    Param("look_back_days", "days", required=False, default=0, most=3660),
)


def _find(rule: Rule, subject: ir.Table, tables: Tables) -> Hits:
    given = of(rule, KIN_MATCH)
    start = subject.select(
        row_id=subject.row_id, who=subject[given["who"]], day=subject[given["on"]], _role=ibis.null("int64")
    )
    start = start.filter(start.who.notnull(), start.day.notnull())
    if given["is_company"]:
        start = _people_behind(start, given["company_roles"], tables)
    start = tables.once("rule_start", start)
    known = steps(tables, given["confidence"])
    # One village's people are looked for by index; those of a whole province need every step, and need it once.
    known = known if tables.touched else tables.once("rule_steps", known)
    reached = kin_of(start, known, given["scope"])
    if given["self_too"]:
        own = start.select("row_id", "day", kin=start.who).mutate(kinship=ibis.literal("self", type="string"))
        own = own.mutate(**{f"step_{i}": ibis.null("int64") for i in range(4)})
        reached = own.union(reached)
    met = tables.once("rule_met", _officials(rule, subject, reached, tables))
    named = met.group_by(_hit=met.row_id).aggregate(kinship=met.kinship.min())
    rows = subject.inner_join(named, [("row_id", "_hit")]).drop("_hit")
    along = [part(met.filter(met[f"step_{i}"].notnull()), "row_id", "relation", f"step_{i}") for i in range(4)]
    parts = [("kinship", functools.reduce(lambda a, b: a.union(b), along).distinct())]
    if not given["official"]:
        parts.append((given["officials"], part(met, "row_id", given["officials"], "_post").distinct()))
    if given["is_company"]:
        parts.append(
            ("company_role", part(start.semi_join(met, [("row_id", "row_id")]), "row_id", "company_role", "_role"))
        )
    missing = subject.filter(subject[given["who"]].isnull() | subject[given["on"]].isnull())
    return Hits(rows, tuple(parts), (cannot_judge(missing, f"missing:{given['who']},{given['on']}"),))


def _people_behind(start: ir.Table, wanted: list[str] | None, tables: Tables) -> ir.Table:
    roles = tables.all("company_role")
    if wanted:
        roles = roles.filter(roles.company_role.isin(wanted))
    roles = roles.select(
        _company=roles.company, _person=roles.person, _starts=roles.starts_on, _ends=roles.ends_on, _row=roles.row_id
    )
    met = start.inner_join(roles, [("who", "_company")])
    met = met.filter(
        met._starts.isnull() | (met._starts <= met.day),
        met._ends.isnull() | (met._ends >= met.day),
        met._person.notnull(),
    )
    return met.select("row_id", "day", who=met._person, _role=met._row)


def _officials(rule: Rule, subject: ir.Table, reached: ir.Table, tables: Tables) -> ir.Table:
    """Those reached who are the official in question, with the post they hold unless the record itself names them."""
    given = of(rule, KIN_MATCH)
    if given["official"]:
        named = subject.select(_hit=subject.row_id, _official=subject[given["official"]])
        return reached.inner_join(named, [("row_id", "_hit"), ("kin", "_official")])
    posts = tables.all(given["officials"])
    if given["officials_where"]:
        posts = posts.filter(condition(given["officials_where"], posts, tables.as_of))
    posts = posts.select(
        _person=posts.person, _place=posts.place, _starts=posts.starts_on, _ends=posts.ends_on, _post=posts.row_id
    )
    met = reached.inner_join(posts, [("kin", "_person")])
    met = met.filter(
        met._starts.isnull() | (met._starts <= met.day),
        met._ends.isnull() | (later(met._ends, given["look_back_days"]) >= met.day),
    )
    if given["same_place"]:
        places = subject.select(_hit=subject.row_id, _at=subject.place)
        met = met.inner_join(places, [("row_id", "_hit"), ("_place", "_at")])
    return met


def needs(rule: Rule) -> tuple[str, ...]:
    """A rule compares with the officials of a dataset, or with the one person in a column."""
    return () if rule.params.get("official") else ("officials",)


KIN_MATCH = Kind(
    "kin_match", _PARAMS, axis=lambda rule: "place", find=_find, adds=lambda rule: {"kinship": "string"}, needs=needs
)
