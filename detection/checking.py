"""Whether a rule can be run: every dataset, column, value and parameter that it names exists and fits. Said when it is saved, not at night."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import ibis

from detection.conditions import base_type, check_condition, is_day, is_matter, threshold_column, thresholds_of
from detection.definitions import Dataset
from detection.documents import Derivation, Lookup, Rule
from detection.evidence import EVIDENCE_COLUMNS, verdicts
from detection.kinds import KINDS, Kind, Param
from detection.problems import Findings
from detection.subject import AREA_COLUMNS
from detection.tables import Tables

_NUMERIC = frozenset({"int64", "int32", "float64"})


def check(rule: Rule, datasets: Mapping[str, Dataset]) -> None:
    """Raises Invalid with every fault found, each with its path in the document."""
    found = Findings()
    kind = KINDS.get(rule.kind)
    if kind is None:
        found.add("kind", "unknown-kind", value=rule.kind)
    if rule.subject not in datasets:
        found.add("subject", "unknown-dataset", value=rule.subject)
    found.done()
    assert kind is not None
    columns = dict(datasets[rule.subject].columns) | AREA_COLUMNS
    for lookup in rule.lookups:
        columns |= _lookup(lookup, columns, datasets, found)
    matters = (
        thresholds_of(rule.where) | thresholds_of(rule.params) | thresholds_of([step.when for step in rule.colour])
    )
    if matters and "threshold" not in datasets:
        found.add("subject", "unknown-dataset", value="threshold")
    columns |= {threshold_column(matter): "int64" for matter in matters}
    for derivation in rule.derive:
        columns |= _derivation(derivation, columns, found)
    if rule.where is not None:
        check_condition(rule.where, columns, "where", found)
    _params(rule, kind, columns, datasets, found)
    found.done()
    for where, names in (("lookups", rule.lookups), ("derive", rule.derive)):
        for each in names:
            # Both would stand under one name, and the kind's would win without a word.
            if each.name in kind.adds(rule) or each.name in EVIDENCE_COLUMNS:
                found.add(f"{where}.{each.name}", "reserved", value=each.name)
    # All payments of a debtor are set against all that the debtor owes: both must be gathered by the same columns.
    settles = rule.kind == "overdue" and rule.params["mode"] == "settle"
    if settles and set(rule.params["debtor"]) - {"place"} != set(rule.params["match"].values()) - {"place"}:
        found.add("params.debtor", "not-the-matched-columns")
    axis = kind.axis(rule)
    if base_type((datasets[rule.subject].columns | AREA_COLUMNS).get(axis, "")) != "string":
        # Groups that are judged anew are named by texts, which the records themselves have to carry.
        found.add("params", "not-a-group", value=axis)
    found.done()
    columns |= kind.adds(rule)
    for i, key in enumerate(rule.key):
        if key not in columns:
            found.add(f"key.{i}", "unknown-column", value=key)
    for i, step in enumerate(rule.colour):
        if step.when is not None:
            check_condition(step.when, columns, f"colour.{i}.when", found)
    if rule.money and base_type(columns.get(rule.money.column, "")) != "int64":
        found.add("money", "not-a-column-of-money", value=rule.money.column)
    found.done()
    try:
        verdicts(rule, Tables(datasets, as_of=date(2026, 1, 1)))
    except (ibis.common.exceptions.IbisError, TypeError, ValueError) as wrong:
        found.add("params", "types-do-not-fit", detail=type(wrong).__name__)
        found.done()


def _lookup(
    lookup: Lookup, columns: Mapping[str, str], datasets: Mapping[str, Dataset], found: Findings
) -> dict[str, str]:
    at = f"lookups.{lookup.name}"
    if lookup.name in columns:
        found.add(at, "duplicate", value=lookup.name)
    other = datasets.get(lookup.dataset)
    if other is None:
        found.add(f"{at}.dataset", "unknown-dataset", value=lookup.dataset)
        return {lookup.name: "int64"}
    theirs_all = other.columns
    for theirs, ours in lookup.match:
        if theirs not in theirs_all or ours not in columns:
            found.add(f"{at}.match", "unknown-column", value=theirs if theirs not in theirs_all else ours)
        elif base_type(theirs_all[theirs]) != base_type(columns[ours]):
            found.add(f"{at}.match", "types-differ", left=theirs_all[theirs], right=columns[ours])
    if lookup.where is not None:
        check_condition(lookup.where, theirs_all, f"{at}.where", found)
    if lookup.take == "count":
        return {lookup.name: "int64"}
    kind = base_type(theirs_all.get(lookup.field or "", ""))
    if not kind:
        found.add(f"{at}.field", "unknown-column", value=lookup.field)
    elif lookup.take == "sum" and kind not in _NUMERIC:
        found.add(f"{at}.take", "sum-takes-numbers")
    return {lookup.name: kind or "int64"}


def _derivation(derivation: Derivation, columns: Mapping[str, str], found: Findings) -> dict[str, str]:
    at = f"derive.{derivation.name}"
    if derivation.name in columns:
        found.add(at, "duplicate", value=derivation.name)
    kinds = []
    for i, each in enumerate(derivation.of):
        if isinstance(each, str):
            kinds.append(base_type(columns.get(each, "")))
            if each not in columns:
                found.add(f"{at}.of.{i}", "unknown-column", value=each)
        elif isinstance(each, Mapping) and set(each) == {"day"} and is_day(each["day"]):
            kinds.append("date")
        elif isinstance(each, int) and not isinstance(each, bool):
            kinds.append("int64")
        else:
            found.add(f"{at}.of.{i}", "not-an-operand")
            kinds.append("")
    op, of = derivation.op, set(kinds)
    if op in {"days_between", "earliest", "latest", "year", "month", "month_end", "weekday"}:
        if of - {"date"}:
            found.add(at, "takes-dates")
        wanted = {"days_between": 2, "year": 1, "month": 1, "month_end": 1, "weekday": 1}.get(op)
        if wanted and len(kinds) != wanted:
            found.add(at, "operands", wanted=wanted)
        return {derivation.name: "date" if op in {"earliest", "latest", "month_end"} else "int64"}
    if op in {"hour", "hours_between"}:
        if of - {"timestamp"}:
            found.add(at, "takes-instants")
        if len(kinds) != (2 if op == "hours_between" else 1):
            found.add(at, "operands", wanted=2 if op == "hours_between" else 1)
        return {derivation.name: "int64"}
    if op == "first":
        if len(of) != 1:
            found.add(at, "types-differ", left=kinds[0], right=kinds[-1])
        return {derivation.name: kinds[0]}
    if of - {"int64", "int32"}:
        found.add(at, "takes-whole-numbers")
    if op in {"difference", "percent"} and len(kinds) != 2:
        found.add(at, "operands", wanted=2)
    return {derivation.name: "int64"}


def _params(
    rule: Rule, kind: Kind, columns: Mapping[str, str], datasets: Mapping[str, Dataset], found: Findings
) -> None:
    known, wanted = {p.name for p in kind.params}, kind.needs(rule)
    for extra in sorted(set(rule.params) - known):
        found.add(f"params.{extra}", "unknown-key")
    for param in kind.params:
        at = f"params.{param.name}"
        given = rule.params.get(param.name, param.default)
        if given is None:
            if param.required or param.name in wanted:
                found.add(at, "required")
            continue
        scope = columns
        if param.over is not None:
            over = datasets.get(str(rule.params.get(param.over, "")))
            if over is None:
                continue
            scope = over.columns
        _param(param, given, scope, columns, datasets, at, found)


def _param(
    param: Param,
    given: Any,
    scope: Mapping[str, str],
    columns: Mapping[str, str],
    datasets: Mapping[str, Dataset],
    at: str,
    found: Findings,
) -> None:
    match param.type:
        case "column" | "column-of":
            if not isinstance(given, str) or given not in scope:
                found.add(at, "unknown-column", value=given)
        case "columns":
            if not isinstance(given, list) or not given:
                found.add(at, "not-a-list")
            else:
                for i, each in enumerate(given):
                    if not isinstance(each, str) or each not in scope:
                        found.add(f"{at}.{i}", "unknown-column", value=each)
        case "day" | "day-of":
            if not isinstance(given, str) or base_type(scope.get(given, "")) != "date":
                found.add(at, "not-a-date-column", value=given)
        case "amount" | "amount-of":
            if not isinstance(given, str) or base_type(scope.get(given, "")) not in _NUMERIC:
                found.add(at, "not-an-amount-column", value=given)
        case "days" | "count" | "percent" | "money":
            if not isinstance(given, int) or isinstance(given, bool) or not param.least <= given <= param.most:
                found.add(at, "out-of-range", least=param.least, most=param.most)
        case "limit":
            matter = isinstance(given, Mapping) and set(given) == {"threshold"} and is_matter(given["threshold"])
            if not matter and (not isinstance(given, int) or isinstance(given, bool) or given <= 0):
                found.add(at, "not-a-limit")
        case "condition":
            check_condition(given, scope, at, found)
        case "dataset":
            if not isinstance(given, str) or given not in datasets:
                found.add(at, "unknown-dataset", value=given)
        case "match":
            if not isinstance(given, Mapping) or not given:
                found.add(at, "empty")
            else:
                for theirs, ours in given.items():
                    if theirs not in scope or not isinstance(ours, str) or ours not in columns:
                        found.add(at, "unknown-column", value=theirs if theirs not in scope else ours)
                    elif base_type(scope[theirs]) != base_type(columns[ours]):
                        found.add(at, "types-differ", left=scope[theirs], right=columns[ours])
        case "yes-no":
            if not isinstance(given, bool):
                found.add(at, "not-a-boolean")
        case "choice":
            if not isinstance(given, str) or given not in param.choices:
                found.add(at, "not-a-choice", choices=",".join(param.choices))
        case "choices":
            if not isinstance(given, list) or not given or set(map(str, given)) - set(param.choices):
                found.add(at, "not-a-choice", choices=",".join(param.choices))
        case _:
            raise AssertionError(param.type)
