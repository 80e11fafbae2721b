"""What each kind of rule finds, tried on DuckDB with worlds of a few records."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import pytest

from detection.checking import check
from detection.definitions import Dataset, read_module
from detection.documents import read_rule
from detection.problems import Invalid
from tests.detection.conftest import PLACE, a_rule, found

PAID_TWICE = a_rule(
    "collision",
    "journal",
    {
        "keys": ["place", "paid_on", "amount"],
        "differ_in": "voucher_no",
        "batch_by": ["purpose"],
        "batch_payees": "counterpart",
    },
    ["place", "paid_on", "amount"],
    where={
        "all": [{"field": "direction", "op": "=", "value": "out"}, {"field": "amount", "op": ">=", "value": 100_000}]
    },
    money="amount",
)


def payment(no: str, amount: int, purpose: str, payee: str = "甲", on: str = "2020-08-11") -> dict[str, Any]:
    return {
        "voucher_no": no,
        "paid_on": on,
        "amount": amount,
        "direction": "out",
        "purpose": purpose,
        "counterpart": payee,
    }


@pytest.mark.parametrize("touched", [False, True])
def test_two_equal_payments_of_one_day_collide_and_equal_wages_do_not(
    datasets: Mapping[str, Dataset], touched: bool
) -> None:
    wages = [payment(f"w{i}", 200_000, "工资", f"工人{i}") for i in range(12)]
    alerts, _ = found(
        datasets,
        PAID_TWICE,
        {"journal": [payment("1", 3_363_000, "罚款"), payment("2", 3_363_000, "滞纳金"), *wages]},
        touched=touched,
    )
    assert alerts == {f"{PLACE}|2020-08-11|3363000": ("red", 3_363_000, [1, 2])}


@pytest.mark.parametrize("touched", [False, True])
def test_work_planned_before_its_contract_is_found_with_the_contract_beside_it(
    datasets: Mapping[str, Dataset], touched: bool
) -> None:
    document = a_rule(
        "order",
        "project",
        {"first": "award_on", "then": "plan_start", "first_missing": "violation"},
        ["project_no"],
        lookups={
            "award_on": {"dataset": "contract", "match": {"project": "project_no"}, "take": "min", "field": "award_on"}
        },
        where={"field": "budget", "op": "<", "value": {"threshold": "works"}},
        money="budget",
    )
    rows = {
        "threshold": [{"county": "330000", "matter": "works", "amount": 40_000_000_000, "starts_on": "2019-01-01"}],
        "project": [
            {"project_no": "early", "plan_start": "2021-03-02", "budget": 289_000_000},
            {"project_no": "same day", "plan_start": "2021-03-10", "budget": 289_000_000},
            {"project_no": "no contract", "plan_start": "2021-03-10", "budget": 289_000_000},
            {"project_no": "no date", "budget": 289_000_000, "unreadable": ";plan_start=2021-02-30;"},
        ],
        "contract": [{"project": "early", "award_on": "2021-03-10"}, {"project": "same day", "award_on": "2021-03-10"}],
    }
    alerts, unjudged = found(datasets, document, rows, touched=touched)
    assert alerts == {"early": ("red", 289_000_000, [2, 6]), "no contract": ("red", 289_000_000, [4])}
    assert unjudged == [5]


def test_the_limit_of_the_county_comes_before_that_of_the_province_and_is_read_on_the_day(
    datasets: Mapping[str, Dataset],
) -> None:
    document = a_rule(
        "threshold",
        "project",
        {"when": {"field": "budget", "op": ">", "value": {"threshold": "works"}}},
        ["project_no"],
    )
    rows = {
        "threshold": [
            {"county": "330000", "matter": "works", "amount": 100, "starts_on": "2019-01-01"},
            {"county": "{county}", "matter": "works", "amount": 50, "starts_on": "2021-01-01", "ends_on": "2021-12-31"},
        ],
        "project": [
            {"project_no": day, "plan_start": day, "budget": 70}
            for day in ("2020-12-31", "2021-01-01", "2021-12-31", "2022-01-01")
        ],
    }
    assert sorted(found(datasets, document, rows)[0]) == ["2021-01-01", "2021-12-31"]


def test_a_post_counts_to_its_last_day_and_a_name_alone_is_never_a_hit(datasets: Mapping[str, Dataset]) -> None:
    document = a_rule(
        "list_match",
        "payroll",
        {"who": "worker", "on": "work_date", "list": "post", "list_who": "person", "same_place": True},
        ["no"],
        money={"sum": "amount"},
    )
    rows = {
        "payroll": [
            {"no": "last day", "worker": "c", "work_date": "2021-03-31", "amount": 5},
            {"no": "day after", "worker": "c", "work_date": "2021-04-01", "amount": 5},
            {"no": "name only", "worker_name": "陈某", "work_date": "2021-03-31", "amount": 5},
        ],
        "post": [
            {
                "person": "c",
                "post": "secretary",
                "starts_on": "2019-01-01",
                "ends_on": "2021-03-31",
                "person_name": "陈某",
            }
        ],
    }
    alerts, unjudged = found(datasets, document, rows)
    assert alerts == {"last day": ("red", 5, [1, 4])}
    assert unjudged == [3]


def test_a_date_that_does_not_exist_can_be_asked_for(datasets: Mapping[str, Dataset]) -> None:
    document = a_rule("threshold", "payroll", {"when": {"field": "work_date", "op": "unreadable"}}, ["no"])
    rows = {"payroll": [{"no": "1", "unreadable": ";work_date=2019-02-29;"}, {"no": "2", "work_date": "2019-02-28"}]}
    assert list(found(datasets, document, rows)[0]) == ["1"]


def test_an_alert_whose_key_is_empty_is_not_raised_but_counted(datasets: Mapping[str, Dataset]) -> None:
    document = a_rule("threshold", "payroll", {"when": {"field": "amount", "op": ">", "value": 1}}, ["worker"])
    alerts, unjudged = found(
        datasets, document, {"payroll": [{"no": "1", "amount": 5}, {"no": "2", "worker": "c", "amount": 5}]}
    )
    assert list(alerts) == ["c"]
    assert unjudged == [1]


def test_a_run_as_known_on_a_day_sees_what_had_arrived_in_its_version_of_then(datasets: Mapping[str, Dataset]) -> None:
    document = a_rule("threshold", "payroll", {"when": {"field": "amount", "op": ">", "value": 10}}, ["no"])
    rows = {
        "payroll": [
            {
                "no": "corrected",
                "amount": 20,
                "arrived_at": "2021-01-05 10:00:00+08",
                "superseded_at": "2021-02-01 09:00:00+08",
            },
            {"no": "corrected", "amount": 5, "arrived_at": "2021-02-01 09:00:00+08"},
            {"no": "late", "amount": 20, "arrived_at": "2021-02-01 00:30:00+08"},
        ]
    }
    assert list(found(datasets, document, rows)[0]) == ["late"]
    assert list(found(datasets, document, rows, known_on=date(2021, 1, 31))[0]) == ["corrected"]
    assert list(found(datasets, document, rows, known_on=date(2021, 2, 1))[0]) == ["late"]


@pytest.mark.parametrize(
    ("change", "where", "code"),
    [
        ({"subject": "nothing"}, "subject", "unknown-dataset"),
        ({"kind": "sql"}, "kind", "unknown-kind"),
        ({"key": ["nothing"]}, "key.0", "unknown-column"),
        ({"where": {"field": "amount", "op": ">", "value": "1; DROP TABLE post"}}, "where.value", "value-does-not-fit"),
        ({"where": {"all": [{"field": "amount", "op": "~", "value": 1}]}}, "where.all.0.op", "unknown-operator"),
        ({"where": {"field": "amount", "op": "=", "value": {"field": "paid_on"}}}, "where.value", "types-differ"),
        ({"money": "purpose"}, "money", "not-a-column-of-money"),
        ({"params": {"keys": ["place"], "at_least": 1}}, "params.at_least", "out-of-range"),
        ({"params": {}}, "params.keys", "required"),
        ({"params": {"keys": ["place"], "sql": "1"}}, "params.sql", "unknown-key"),
        (
            {"lookups": {"n": {"dataset": "post", "match": {"person": "amount"}, "take": "count"}}},
            "lookups.n.match",
            "types-differ",
        ),
    ],
)
def test_a_rule_that_cannot_run_is_refused_with_the_place_of_the_fault(
    datasets: Mapping[str, Dataset], change: dict[str, Any], where: str, code: str
) -> None:
    with pytest.raises(Invalid) as refused:
        check(read_rule(PAID_TWICE | change), datasets)
    assert [(p.where, p.code) for p in refused.value.problems] == [(where, code)]


def test_a_value_in_a_document_stays_a_value(datasets: Mapping[str, Dataset]) -> None:
    nasty = "'; DROP TABLE records.journal; --"
    document = a_rule("threshold", "journal", {"when": {"field": "purpose", "op": "=", "value": nasty}}, ["voucher_no"])
    assert list(found(datasets, document, {"journal": [payment("1", 5, nasty), payment("2", 5, "x")]})[0]) == ["1"]


@pytest.mark.parametrize(
    ("instant", "hour", "weekday"),
    [
        ("2021-03-31 15:59:59.900+00", 23, 3),
        ("2021-03-31 16:00:00+00", 0, 3),
        ("2021-04-04 21:30:00+08", 21, 7),
        ("2021-04-05 07:59:59+08", 7, 1),
    ],
)
def test_hours_and_days_of_the_week_are_those_of_china(
    datasets: Mapping[str, Dataset], instant: str, hour: int, weekday: int
) -> None:
    document = a_rule(
        "threshold",
        "journal",
        {
            "when": {
                "all": [{"field": "hour", "op": "=", "value": hour}, {"field": "weekday", "op": "=", "value": weekday}]
            }
        },
        ["voucher_no"],
        derive={"hour": {"op": "hour", "of": ["arrived_at"]}, "weekday": {"op": "weekday", "of": ["paid_on"]}},
    )
    row = payment("1", 5, "x", on=instant[:10]) | {"arrived_at": instant}
    assert list(found(datasets, document, {"journal": [row]})[0]) == ["1"]


@pytest.mark.parametrize(("back", "hours"), [("16:00:00", 8), ("16:00:01", 9), ("08:00:00", 0)])
def test_an_hour_that_has_begun_counts(datasets: Mapping[str, Dataset], back: str, hours: int) -> None:
    document = a_rule(
        "threshold",
        "journal",
        {"when": {"field": "hours", "op": "=", "value": hours}},
        ["voucher_no"],
        lookups={"back": {"dataset": "receipt", "match": {"no": "voucher_no"}, "take": "min", "field": "arrived_at"}},
        derive={"hours": {"op": "hours_between", "of": ["arrived_at", "back"]}},
    )
    rows = {
        "journal": [payment("1", 5, "x") | {"arrived_at": "2021-03-31 08:00:00+08"}],
        "receipt": [{"no": "1", "arrived_at": f"2021-03-31 {back}+08"}],
    }
    assert list(found(datasets, document, rows)[0]) == ["1"]


def test_a_share_and_a_sum_of_measures_keep_their_fractions(datasets: Mapping[str, Dataset]) -> None:
    measured = {
        "code": "field",
        "name": {"zh": "地", "en": "field"},
        "owner": "county",
        "freshness_days": 7,
        "key": ["no"],
        "event_date": None,
        "fields": [
            {"code": "no", "name": {"zh": "号", "en": "no"}, "type": "text"},
            {"code": "area", "name": {"zh": "面积", "en": "area"}, "type": "num"},
            {"code": "mapped", "name": {"zh": "图上", "en": "mapped"}, "type": "num"},
        ],
    }
    module = {"code": "land", "name": {"zh": "地", "en": "land"}, "datasets": [measured]}
    known = {dataset.code: dataset for dataset in read_module(module).datasets}
    document = a_rule(
        "threshold",
        "field",
        {
            "when": {
                "all": [
                    {"field": "all_areas", "op": "=", "value": 22.875},
                    {"field": "area", "op": ">", "value": {"field": "mapped", "percent": 110}},
                ]
            }
        },
        ["no"],
        lookups={"all_areas": {"dataset": "field", "match": {"place": "place"}, "take": "sum", "field": "area"}},
    )
    rows = {
        "field": [{"no": "within", "area": 11.25, "mapped": 10.5}, {"no": "beyond", "area": 11.625, "mapped": 10.5}]
    }
    assert list(found(known, document, rows)[0]) == ["beyond"]


def test_a_thing_given_to_two_at_a_time_is_found_and_one_given_once_is_not(datasets: Mapping[str, Dataset]) -> None:
    document = a_rule(
        "list_match",
        "due",
        {
            "who": "lease",
            "on": "due_on",
            "list": "due",
            "list_who": "lease",
            "starts": "due_on",
            "ends": "ends_on",
            "others_only": True,
        },
        ["no"],
    )
    rows = {
        "due": [
            {"no": "first", "lease": "shop", "due_on": "2020-01-01", "ends_on": "2020-12-31"},
            {"no": "meanwhile", "lease": "shop", "due_on": "2020-12-31", "ends_on": "2021-12-31"},
            {"no": "after", "lease": "shop", "due_on": "2022-01-01", "ends_on": "2022-12-31"},
            {"no": "alone", "lease": "pond", "due_on": "2020-01-01", "ends_on": "2020-12-31"},
        ]
    }
    assert {key: value[2] for key, value in found(datasets, document, rows)[0].items()} == {"meanwhile": [1, 2]}


@pytest.mark.parametrize(
    ("tree", "hits", "unjudged"),
    [
        ({"not": {"field": "purpose", "op": "=", "value": "x"}}, ["y"], [3]),
        ({"field": "purpose", "op": "not_in", "value": ["x"]}, ["y"], [3]),
        ({"not": {"any": [{"field": "purpose", "op": "in", "value": ["x"]}, {"field": "amount", "op": ">", "value": 9}]}}, ["y"], [3]),
        ({"not": {"field": "purpose", "op": "missing"}}, ["x", "y"], []),
    ],
)
def test_a_negation_of_what_is_unknown_is_unknown_and_of_what_is_known_is_not(
    datasets: Mapping[str, Dataset], tree: dict[str, Any], hits: list[str], unjudged: list[int]
) -> None:
    rows = {"journal": [payment("x", 5, "x"), payment("y", 5, "y"), payment("?", 5, None)]}  # type: ignore[arg-type]
    for document in (a_rule("threshold", "journal", {"when": tree}, ["voucher_no"]), PAID_TWICE | {"where": tree}):
        alerts, cannot = found(datasets, document, rows)
        assert cannot == unjudged
        assert document["kind"] == "collision" or sorted(alerts) == hits


@pytest.mark.parametrize("touched", [False, True])
def test_alike_records_collide_within_the_days_and_not_beyond(datasets: Mapping[str, Dataset], touched: bool) -> None:
    document = a_rule(
        "collision",
        "journal",
        {"keys": ["place", "counterpart", "amount"], "day": "paid_on", "within_days": 30},
        ["counterpart"],
    )
    rows = [
        payment("1", 5, "x", "near", "2021-01-01"),
        payment("2", 5, "x", "near", "2021-01-31"),
        payment("3", 5, "x", "far", "2021-01-01"),
        payment("4", 5, "x", "far", "2021-02-01"),
        payment("5", 5, "x", "near", "2021-06-01"),
    ]
    alerts, _ = found(datasets, document, {"journal": rows}, touched=touched)
    assert {key: value[2] for key, value in alerts.items()} == {"near": [1, 2]}


def test_columns_are_made_in_the_order_of_their_needs_whatever_the_order_of_the_keys(datasets: Mapping[str, Dataset]) -> None:
    derive = {"a": {"op": "times", "of": ["z", 2]}, "z": {"op": "times", "of": ["amount", 3]}}
    document = a_rule("threshold", "journal", {"when": {"field": "a", "op": ">", "value": 5}}, ["voucher_no"], derive=derive, money="a")
    assert found(datasets, document, {"journal": [payment("1", 1, "x")]})[0] == {"1": ("red", 6, [1])}
    circle = {"a": {"op": "times", "of": ["z", 2]}, "z": {"op": "times", "of": ["a", 3]}}
    with pytest.raises(Invalid) as refused:
        read_rule(document | {"derive": circle})
    assert [(p.where, p.code) for p in refused.value.problems] == [("derive", "made-of-each-other")]
