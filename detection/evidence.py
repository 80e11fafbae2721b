"""From a rule and its tables to what a run stores: alerts with the records that speak for them, and the records nobody can judge."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import ibis
from ibis.expr import types as ir

from detection.conditions import columns_of, condition, unknown
from detection.documents import Rule
from detection.kinds import KINDS
from detection.kinds.base import cannot_judge
from detection.subject import looked_up_late, matching, pairs_of, subject
from detection.tables import Tables

EVIDENCE_COLUMNS = ("alert_key", "place", "happened_on", "part", "dataset", "row_id", "money", "colour")
UNJUDGED_COLUMNS = ("place", "dataset", "row_id", "reason")


@dataclass(frozen=True)
class Verdicts:
    """`named`: tables that the other two read by name, each made from those before it; so a subject that a rule looks at in five ways is
    found once. `evidence`: one row for each alert and record that speaks for it, in the order of EVIDENCE_COLUMNS; money in fen, of the alert, the
    greatest of its rows. `unjudged`: records that lack what the rule asks, in the order of UNJUDGED_COLUMNS.
    """

    named: tuple[tuple[str, ir.Table], ...]
    evidence: ir.Table
    unjudged: ir.Table


def verdicts(rule: Rule, tables: Tables) -> Verdicts:
    """The expressions of a rule that `checking.check` found sound."""
    kind = KINDS[rule.kind]
    axis, tables = kind.axis(rule), tables.with_names()
    records = tables.once("rule_subject", subject(rule, tables, axis))
    looked_at = records
    unjudged: list[ir.Table] = []
    if rule.where:
        met = condition(rule.where, looked_at, tables.as_of)
        unjudged.append(
            cannot_judge(looked_at.filter(unknown(met)), "missing:" + ",".join(sorted(columns_of(rule.where))))
        )
        looked_at = looked_at.filter(met)
    hits = kind.find(rule, looked_at, tables)
    found = hits.rows.mutate(alert_key=_key(rule, hits.rows))
    unjudged += [*hits.unjudged, cannot_judge(found.filter(found.alert_key.isnull()), "empty-key")]
    found = tables.once("rule_found", found.filter(found.alert_key.notnull()))
    found = looked_up_late(found, rule, tables, axis)
    found = found.mutate(colour=_colour(rule, found, tables), money=_money(rule, found))
    rows = tables.once("rule_hits", found)
    alerts = rows.select("alert_key", "place", "money", "colour", happened_on=rows.event_on, _hit=rows.row_id)
    parts = [_shaped(alerts, "subject", rule.subject, alerts._hit)]
    for name, part in hits.parts:
        with_part = alerts.inner_join(part, alerts._hit == part.row_of)
        parts.append(_shaped(with_part, name, with_part.dataset, with_part.row_id))
    for lookup in rule.lookups:
        other = matching(lookup, tables, axis)
        pairs = pairs_of(lookup)
        with_other = rows.inner_join(
            other.select(_row=other.row_id, **{f"_{i}": other[theirs] for i, (theirs, _) in enumerate(pairs)}),
            [(ours, f"_{i}") for i, (_, ours) in enumerate(pairs)],
        )
        with_other = with_other.mutate(happened_on=with_other.event_on)
        parts.append(_shaped(with_other, lookup.name, lookup.dataset, with_other._row))
    evidence = functools.reduce(lambda a, b: a.union(b), parts)
    doubts = functools.reduce(lambda a, b: a.union(b), unjudged).mutate(dataset=_text(rule.subject))
    return Verdicts(tuple(tables.named.items()), evidence, doubts.select(*UNJUDGED_COLUMNS))


def _shaped(rows: ir.Table, part: str, dataset: str | ir.StringValue, row_id: ir.IntegerValue) -> ir.Table:
    return rows.select(
        alert_key=rows.alert_key,
        place=rows.place,
        happened_on=rows.happened_on,
        part=_text(part),
        dataset=_text(dataset) if isinstance(dataset, str) else dataset,
        row_id=row_id,
        money=rows.money,
        colour=rows.colour,
    ).distinct()


def _key(rule: Rule, rows: ir.Table) -> ir.StringValue:
    """The values that make the alert's identity. NULL when one of them is empty: an alert without an identity would swallow all others."""
    # As in a JSON Pointer: a bar inside a value would make one alert of two.
    values = [rows[k].cast("string").nullif("").replace("~", "~0").replace("|", "~1") for k in rule.key]
    return functools.reduce(lambda a, b: a.concat("|").concat(b), values)


def _colour(rule: Rule, rows: ir.Table, tables: Tables) -> ir.StringValue:
    steps = [(condition(step.when, rows, tables.as_of), step.colour) for step in rule.colour if step.when is not None]
    return ibis.cases(*steps, else_=rule.colour[-1].colour) if steps else _text(rule.colour[-1].colour)


def _money(rule: Rule, rows: ir.Table) -> ir.IntegerValue:
    if rule.money is None:
        return ibis.null("int64")
    column = rows[rule.money.column].cast("int64")
    return column.sum().over(ibis.window(group_by=rows.alert_key)).cast("int64") if rule.money.summed else column


def _text(value: str) -> ir.StringScalar:
    return ibis.literal(value, type="string")
