"""Splitting, repetition, absence and delay."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import pytest

from detection.checking import check
from detection.definitions import Dataset
from detection.documents import read_rule
from detection.problems import Invalid
from tests.detection.conftest import a_rule, found

both = pytest.mark.parametrize("touched", [False, True])


def paid(no: str, on: str, amount: int, payee: str = "甲") -> dict[str, Any]:
    return {"voucher_no": no, "paid_on": on, "amount": amount, "counterpart": payee, "direction": "out"}


@both
def test_small_amounts_that_together_reach_the_limit_within_the_days_are_a_split(
    datasets: Mapping[str, Dataset], touched: bool
) -> None:
    params = {"amount": "amount", "day": "paid_on", "same": ["place", "counterpart"], "limit": 100, "within_days": 30}
    document = a_rule("split", "journal", params, ["place", "counterpart"], money="total")
    rows = [
        paid("1", "2021-01-01", 40),
        paid("2", "2021-01-20", 40),
        paid("3", "2021-01-31", 40),
        paid("4", "2021-03-15", 40),
        paid("big", "2021-01-15", 150),
        paid("5", "2021-01-01", 60, "乙"),
        paid("6", "2021-02-01", 60, "乙"),
        paid("7", "2021-01-01", 60, "丙"),
        paid("8", "2021-01-31", 40, "丙"),
        {"voucher_no": "9", "paid_on": "2021-01-01", "counterpart": "丁"},
    ]
    alerts, unjudged = found(datasets, document, {"journal": rows}, touched=touched)
    assert {key[13:]: value[1:] for key, value in alerts.items()} == {"甲": (120, [1, 2, 3]), "丙": (100, [8, 9])}
    assert unjudged == [10]


@both
def test_repetition_counts_within_the_days_only(datasets: Mapping[str, Dataset], touched: bool) -> None:
    params = {"same": ["counterpart"], "day": "paid_on", "within_days": 365, "at_least": 3}
    document = a_rule("repeat", "journal", params, ["counterpart"])
    days = {"a": ["2021-01-01", "2021-06-01", "2021-12-31"], "b": ["2021-01-01", "2021-06-01", "2022-01-01"]}
    rows = [paid(f"{who}{i}", day, 1, who) for who, listed in days.items() for i, day in enumerate(listed)]
    touched_axis = {"axis": ["a", "b"]} if touched else {}
    alerts, _ = found(datasets, document, {"journal": rows}, touched=touched, **touched_axis)
    assert {key: value[2] for key, value in alerts.items()} == {"a": [1, 2, 3]}


@both
def test_what_is_missing_is_missing_only_after_its_time_and_when_the_source_has_delivered(
    datasets: Mapping[str, Dataset], touched: bool
) -> None:
    params = {"required": "contract", "match": {"project": "project_no"}, "after": "plan_start", "within_days": 30}
    document = a_rule("missing", "project", params, ["project_no"])
    rows = {
        "project": [
            {"project_no": "long ago", "plan_start": "2021-01-01"},
            {"project_no": "has one", "plan_start": "2021-01-01"},
            {"project_no": "day 31", "plan_start": "2021-05-02"},
            {"project_no": "day 30", "plan_start": "2021-05-03"},
        ],
        "contract": [{"project": "has one", "award_on": "2021-06-30"}],
    }
    asked = {"as_of": date(2021, 6, 2), "touched": touched}
    assert sorted(found(datasets, document, rows, **asked)[0]) == ["day 31", "long ago"]
    alerts, waiting = found(datasets, document, rows, **asked, complete_until={"contract": date(2021, 3, 1)})
    assert sorted(alerts) == ["long ago"]
    assert waiting == [3]
    in_time = a_rule("missing", "project", params | {"required_day": "award_on"}, ["project_no"])
    assert sorted(found(datasets, in_time, rows, **asked)[0]) == ["day 31", "has one", "long ago"]


def test_three_different_quotations_are_asked_for_not_three_records(datasets: Mapping[str, Dataset]) -> None:
    params = {
        "required": "receipt",
        "match": {"lease": "project_no"},
        "after": "plan_start",
        "at_least": 3,
        "different": "amount",
    }
    document = a_rule("missing", "project", params, ["project_no"])
    quotes = [{"no": str(i), "lease": "p", "amount": amount} for i, amount in enumerate([7, 7, 8])]
    rows = {"project": [{"project_no": "p", "plan_start": "2021-01-01"}], "receipt": quotes}
    assert found(datasets, document, rows)[0]["p"][2] == [1, 2, 3, 4]
    quotes[0]["amount"] = 6
    assert found(datasets, document, rows)[0] == {}


SETTLE = {
    "due": "due_on",
    "amount": "amount",
    "paid": "receipt",
    "match": {"lease": "lease"},
    "paid_amount": "amount",
    "debtor": ["lease"],
}


def dues(*days: str, lease: str = "L") -> list[dict[str, Any]]:
    return [
        {"no": f"{lease}{day}", "lease": lease, "due_on": day, "amount": 100, "ends_on": "2024-12-31"} for day in days
    ]


@both
def test_payments_settle_the_oldest_dues_first(datasets: Mapping[str, Dataset], touched: bool) -> None:
    document = a_rule("overdue", "due", SETTLE | {"mode": "settle", "grace_days": 30}, ["no"], money="outstanding")
    rows = {
        "due": dues("2021-01-01", "2022-01-01", "2023-01-01", "2023-12-20"),
        "receipt": [{"no": "r", "lease": "L", "received_on": "2023-02-01", "amount": 130}],
    }
    alerts, _ = found(datasets, document, rows, as_of=date(2024, 1, 1), touched=touched)
    assert {key: value[1] for key, value in alerts.items()} == {"L2022-01-01": 70, "L2023-01-01": 100}
    never = a_rule("overdue", "due", SETTLE | {"mode": "settle", "nothing_at_all": True}, ["no"])
    assert found(datasets, never, rows, as_of=date(2024, 1, 1), touched=touched)[0] == {}
    rows["receipt"] = []
    assert len(found(datasets, never, rows, as_of=date(2024, 1, 1), touched=touched)[0]) == 4


def test_a_period_left_out_between_two_that_were_paid_is_a_gap(datasets: Mapping[str, Dataset]) -> None:
    document = a_rule("overdue", "due", SETTLE | {"mode": "gap", "match": {"no": "no"}}, ["no"], money="outstanding")
    rows = {
        "due": [*dues("2021-01-01", "2022-01-01", "2023-01-01"), *dues("2021-01-01", "2022-01-01", lease="M")],
        "receipt": [{"no": no, "lease": no[0], "amount": 100} for no in ("L2021-01-01", "L2023-01-01", "M2021-01-01")],
    }
    assert {key: value[1] for key, value in found(datasets, document, rows)[0].items()} == {"L2022-01-01": 100}


@both
def test_a_lease_without_a_plan_owes_its_rent_for_each_full_year(
    datasets: Mapping[str, Dataset], touched: bool
) -> None:
    params = {
        "mode": "accrual",
        "due": "due_on",
        "ends": "ends_on",
        "amount": "amount",
        "paid": "receipt",
        "match": {"lease": "lease"},
    }
    document = a_rule(
        "overdue", "due", params | {"paid_amount": "amount", "nothing_at_all": True}, ["lease"], money="outstanding"
    )
    rows = {
        "due": [
            *dues("2015-01-01", lease="nine years"),
            *dues("2023-06-01", lease="seven months"),
            *dues("2015-01-01", lease="paid"),
        ]
    }
    rows["receipt"] = [{"no": "r", "lease": "paid", "amount": 50}]
    alerts, _ = found(datasets, document, rows, as_of=date(2024, 1, 1), touched=touched)
    assert {key: value[1] for key, value in alerts.items()} == {"nine years": 900}


@pytest.mark.parametrize(("day", "owed"), [(date(2023, 12, 31), 800), (date(2024, 1, 1), 900)])
def test_a_year_is_full_on_its_day_and_leap_years_bring_it_no_nearer(datasets: Mapping[str, Dataset], day: date, owed: int) -> None:
    params = {"mode": "accrual", "due": "due_on", "amount": "amount", "paid": "receipt", "match": {"lease": "lease"}, "paid_amount": "amount"}
    document = a_rule("overdue", "due", params, ["lease"], money="outstanding")
    assert found(datasets, document, {"due": dues("2015-01-01")}, as_of=day)[0]["L"][1] == owed


@pytest.mark.parametrize(
    ("done_on", "hit"),
    [(None, True), ("2021-01-11", False), ("2021-01-12", True), ("2021-01-01", False)],
    ids=["never", "last day", "day after", "at once"],
)
def test_a_thing_to_do_is_overdue_when_it_was_done_too_late_or_not(
    datasets: Mapping[str, Dataset], done_on: str | None, hit: bool
) -> None:
    document = a_rule("overdue", "due", {"mode": "done", "due": "due_on", "done": "done_on", "grace_days": 10}, ["no"])
    rows = {"due": [{"no": "1", "due_on": "2021-01-01", "done_on": done_on}]}
    assert bool(found(datasets, document, rows)[0]) is hit
    assert found(datasets, document, rows, as_of=date(2021, 1, 11))[0].keys() == (
        {"1"} if done_on == "2021-01-12" else set()
    )


def test_a_mode_says_which_parameters_it_needs(datasets: Mapping[str, Dataset]) -> None:
    with pytest.raises(Invalid) as refused:
        check(read_rule(a_rule("overdue", "due", {"mode": "settle", "due": "due_on"}, ["no"])), datasets)
    assert {(p.where, p.code) for p in refused.value.problems} == {
        (f"params.{name}", "required") for name in ("amount", "paid", "match", "paid_amount", "debtor")
    }


def test_a_payment_in_another_village_settles_nothing_here(datasets: Mapping[str, Dataset]) -> None:
    document = a_rule("overdue", "due", SETTLE | {"mode": "settle"}, ["no"])
    rows = {
        "due": dues("2021-01-01"),
        "receipt": [{"no": "r", "lease": "L", "amount": 100, "place": "{township}202"}],
    }
    assert list(found(datasets, document, rows)[0]) == ["L2021-01-01"]
    rows["receipt"][0]["place"] = "{place}"
    assert found(datasets, document, rows)[0] == {}
