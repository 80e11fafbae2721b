"""Documents that somebody made to break the reader: whatever stands in them, they are used or refused with their problems."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from detection.checking import check
from detection.compiling import compile_rule
from detection.definitions import Dataset, read_module
from detection.documents import read_rule
from detection.fixtures import read_fixtures, world
from detection.problems import Invalid
from detection.tables import Tables
from tests.detection.conftest import MODULE, a_rule, name

# What json.loads can give, beside what is likely to be taken for something else.
_NUMBERS = st.sampled_from([0, -1, True, 2**31, 2**63, -(2**70), 10**400, 0.5, float("nan"), float("inf"), -0.0])
_TEXTS = st.sampled_from(
    ["", "a", "place", "row_id", "amount", "paid_on", "journal", "due", "post", "x" * 70, "%", "'", "\x00", "\x01touched", "\ud800", "9999-12-31", "0001-01-01", "2026-W01-1", "|", "sum", "or", "field"]
)
_SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | _NUMBERS | _TEXTS
_KEYS = st.text(max_size=6) | _TEXTS | st.sampled_from(
    ["field", "op", "value", "asof", "days", "percent", "threshold", "all", "any", "not", "of", "day", "zh", "en", "is", "rows", "sum", "when", "colour"]
)
JSON = st.recursive(
    _SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=3), max_leaves=8
)

RULES = [
    a_rule(
        "order", "project", {"first": "award_on", "then": "plan_start", "least_days": 3}, ["project_no"],
        where={"all": [{"field": "budget", "op": ">=", "value": {"threshold": "small"}}, {"not": {"field": "plan_start", "op": "<", "value": {"asof": -30}}}]},
        lookups={"award_on": {"dataset": "contract", "match": {"project": "project_no"}, "where": {"field": "award_on", "op": "present"}, "take": "min", "field": "award_on"}},
        derive={"late": {"op": "days_between", "of": ["award_on", "plan_start"]}, "twice": {"op": "times", "of": ["late", 2]}},
        colour=[{"when": {"field": "late", "op": ">", "value": 3}, "colour": "red"}, {"colour": "yellow"}], money="budget",
    ),
    a_rule(
        "threshold", "journal",
        {"when": {"any": [
            {"field": "amount", "op": ">", "value": {"field": "amount", "percent": 80}},
            {"field": "paid_on", "op": "<", "value": {"field": "event_on", "days": 3}},
            {"field": "direction", "op": "in", "value": ["in", "out"]},
            {"field": "amount", "op": "between", "value": [1, 5]},
            {"field": "purpose", "op": "like", "value": "饭"},
        ]}},
        ["place", "voucher_no"], money={"sum": "amount"},
    ),
    a_rule("split", "journal", {"amount": "amount", "day": "paid_on", "same": ["place", "counterpart"], "limit": {"threshold": "small"}, "within_days": 30}, ["place", "counterpart"]),
    a_rule("collision", "journal", {"keys": ["counterpart", "amount"], "day": "paid_on", "within_days": 3}, ["counterpart"]),
    a_rule("missing", "project", {"required": "contract", "match": {"project": "project_no"}, "after": "plan_start", "within_days": 30, "required_day": "award_on"}, ["project_no"]),
    a_rule("overdue", "due", {"mode": "settle", "due": "due_on", "amount": "amount", "paid": "receipt", "match": {"lease": "lease"}, "paid_amount": "amount", "debtor": ["lease"], "paid_where": {"field": "amount", "op": ">", "value": 0}}, ["lease", "no"]),
    a_rule("kin_match", "payroll", {"who": "worker", "on": "work_date", "scope": "near", "officials": "post", "officials_where": {"field": "post", "op": "!=", "value": "x"}}, ["no"]),
    a_rule("outlier", "journal", {"value": "amount", "peers": ["in_county"], "least_peers": 5, "method": "quartiles", "percent": 150}, ["voucher_no"]),
    a_rule("concentration", "journal", {"whose": "counterpart", "within": ["place"], "amount": "amount", "least_percent": 50, "least_count": 3}, ["place", "counterpart"]),
    a_rule("disagree", "project", {"ours": "budget", "other": "journal", "match": {"purpose": "project_no"}, "theirs": "amount"}, ["project_no"]),
    a_rule("list_match", "payroll", {"who": "worker", "on": "work_date", "list": "post", "list_who": "person"}, ["no"]),
    a_rule("composite", "journal", {"same": ["counterpart"], "day": "paid_on", "within_days": 9, "different": "direction"}, ["counterpart"]),
    a_rule("repeat", "journal", {"same": ["counterpart"], "day": "paid_on", "within_days": 9, "at_least": 2}, ["counterpart"]),
]
FIXTURES = {
    "asof": "2026-01-01",
    "cases": [
        {"is": kind, "name": name("例"), "rows": {"journal": [{"voucher_no": "1", "paid_on": "2025-01-01", "amount": 5, "counterpart": "~a"}]},
         "alerts": [{"key": "{place}|1", "colour": "red"}] if kind in {"hit", "boundary"} else [], "unjudged": int(kind == "unjudged")}
        for kind in ("hit", "hit", "near", "near", "near", "boundary", "unjudged")
    ],
}  # fmt: skip


def spots(document: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield at
    if isinstance(document, Mapping):
        for key, inner in document.items():
            yield from spots(inner, (*at, key))
    elif isinstance(document, list):
        for key, inner in enumerate(document):
            yield from spots(inner, (*at, key))


@st.composite
def spoilt(draw: Any, document: Any) -> Any:
    """The document with something else at one or two of its places."""
    made = copy.deepcopy(document)
    for _ in range(draw(st.integers(1, 2))):
        *way, last = draw(st.sampled_from([s for s in spots(made) if s] or [(None,)]))
        if last is None:
            return made
        inner = made
        for key in way:
            inner = inner[key]
        change = draw(st.sampled_from(["replace", "add", "remove"]))
        if change == "remove":
            del inner[last]
        elif change == "add" and isinstance(inner, dict):
            inner[draw(_KEYS)] = draw(JSON)
        else:
            inner[last] = draw(JSON)
    return made


def use_rule(document: Any, datasets: Mapping[str, Dataset]) -> None:
    rule = read_rule(document)
    check(rule, datasets)
    for touched in (False, True):
        for engine in ("postgresql", "duckdb"):
            compile_rule(rule, Tables(datasets, as_of=date(2026, 1, 1), touched=touched), engine)


def use_fixtures(document: Any, datasets: Mapping[str, Dataset]) -> None:
    world(read_fixtures(document, datasets), datasets)


def use_module(document: Any) -> None:
    for dataset in read_module(document).datasets:
        assert dataset.columns


@hypothesis.given(JSON)
def test_whatever_json_is_given_is_no_rule_no_module_and_no_fixtures_or_is_refused(datasets, document) -> None:
    for use in (lambda d: use_rule(d, datasets), use_module, lambda d: use_fixtures(d, datasets)):
        with pytest.raises(Invalid):
            use(document)


@pytest.mark.slow
@hypothesis.settings(max_examples=600, deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
@hypothesis.given(st.sampled_from(RULES).flatmap(spoilt))
def test_a_rule_that_is_spoilt_anywhere_still_runs_or_is_refused(datasets, document) -> None:
    try:
        use_rule(document, datasets)
    except Invalid as refused:
        assert refused.problems


@hypothesis.settings(max_examples=300, deadline=None)
@hypothesis.given(spoilt(MODULE))
def test_a_module_that_is_spoilt_anywhere_is_read_or_refused(document) -> None:
    try:
        use_module(document)
    except Invalid as refused:
        assert refused.problems


@hypothesis.settings(max_examples=300, deadline=None)
@hypothesis.given(spoilt(FIXTURES))
def test_fixtures_that_are_spoilt_anywhere_are_read_or_refused(datasets, document) -> None:
    try:
        use_fixtures(document, datasets)
    except Invalid as refused:
        assert refused.problems
