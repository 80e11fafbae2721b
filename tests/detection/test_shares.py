"""Shares, outliers, books that disagree, and alerts that add up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from detection.definitions import Dataset
from tests.detection.conftest import a_rule, found

both = pytest.mark.parametrize("touched", [False, True])


def paid(payee: str, amount: int | None, no: str = "1", **more: Any) -> dict[str, Any]:
    return {"voucher_no": no, "paid_on": "2021-01-01", "amount": amount, "counterpart": payee} | more


@both
def test_the_largest_share_hits_from_the_named_percent_and_number_on(
    datasets: Mapping[str, Dataset], touched: bool
) -> None:
    params = {"whose": "counterpart", "within": ["place"], "amount": "amount", "least_percent": 60, "least_count": 4}
    document = a_rule("concentration", "journal", params, ["place", "counterpart"], money="share_amount")
    rows = [paid("a", 60), paid("b", 20), paid("c", 10), paid("d", 10)]
    alerts, _ = found(datasets, document, {"journal": rows}, touched=touched)
    assert {key[13:]: value[1] for key, value in alerts.items()} == {"a": 60}
    assert found(datasets, document, {"journal": [paid("a", 59), *rows[1:], paid("e", 1)]}, touched=touched)[0] == {}
    assert found(datasets, document, {"journal": rows[:3]}, touched=touched)[0] == {}


def test_the_share_of_the_top_three_is_that_of_all_three(datasets: Mapping[str, Dataset]) -> None:
    params = {"whose": "counterpart", "within": ["place"], "least_percent": 60, "least_count": 10, "top": 3}
    document = a_rule("concentration", "journal", params, ["place"])
    rows = [paid(payee, 1) for payee in "aabbccdefg"]
    assert found(datasets, document, {"journal": rows})[0] == {"330101100201": ("red", None, [1, 2, 3, 4, 5, 6])}
    assert found(datasets, document, {"journal": [*rows, paid("h", 1)]})[0] == {}


@both
@pytest.mark.parametrize(
    ("params", "hits"),
    [
        ({"method": "quartiles", "percent": 150}, {"100"}),
        ({"method": "quartiles", "percent": 150, "side": "low"}, set()),
        ({"method": "rank", "percent": 80}, {"9", "100"}),
        ({"method": "rank", "percent": 85}, {"100"}),
        ({"method": "rank", "percent": 10, "side": "low"}, set()),
        ({"method": "median", "percent": 180}, {"100"}),
        ({"method": "median", "percent": 100, "side": "low"}, {"1", "2", "3", "4"}),
        ({"method": "quartiles", "percent": 150, "least_peers": 11}, set()),
    ],
)
def test_an_outlier_stands_out_among_enough_peers(
    datasets: Mapping[str, Dataset], params: dict[str, Any], hits: set[str], touched: bool
) -> None:
    document = a_rule(
        "outlier", "journal", {"value": "amount", "peers": ["place"], "least_peers": 10} | params, ["voucher_no"]
    )
    rows = [paid("x", amount, str(amount)) for amount in [1, 2, 3, 4, 5, 6, 7, 8, 9, 100]]
    alerts, unjudged = found(datasets, document, {"journal": [*rows, paid("x", None, "none")]}, touched=touched)
    assert set(alerts) == hits
    assert unjudged == [11]


def test_peers_who_are_all_alike_make_nobody_an_outlier(datasets: Mapping[str, Dataset]) -> None:
    document = a_rule(
        "outlier",
        "journal",
        {"value": "amount", "peers": ["place"], "least_peers": 4, "method": "quartiles", "percent": 150},
        ["voucher_no"],
    )
    assert (
        found(datasets, document, {"journal": [paid("x", 5, str(i)) for i in range(9)] + [paid("x", 6, "9")]})[0] == {}
    )


@both
def test_two_books_disagree_beyond_the_tolerance_and_one_that_is_silent_after_its_time(
    datasets: Mapping[str, Dataset], touched: bool
) -> None:
    params = {
        "ours": "budget",
        "other": "receipt",
        "match": {"lease": "project_no"},
        "theirs": "amount",
        "tolerance_percent": 10,
    }
    document = a_rule("disagree", "project", params, ["project_no"], money="difference")
    rows = {
        "project": [
            {"project_no": no, "budget": budget, "plan_start": "2021-01-01"}
            for no, budget in {"same": 110, "more": 111, "less": 89, "alone": 5}.items()
        ],
        "receipt": [{"no": f"{no}{i}", "lease": no, "amount": 50} for no in ("same", "more", "less") for i in range(2)],
    }
    alerts, _ = found(datasets, document, rows, touched=touched)
    assert {key: value[1] for key, value in alerts.items()} == {"more": 11, "less": -11}
    assert sorted(found(datasets, document | {"params": params | {"direction": "more"}}, rows, touched=touched)[0]) == [
        "more"
    ]
    silent = document | {"params": params | {"day": "plan_start", "unmatched_after_days": 15}}
    assert sorted(found(datasets, silent, rows, touched=touched)[0]) == ["alone", "less", "more"]


@both
def test_alerts_of_different_modules_against_one_person_add_up(datasets: Mapping[str, Dataset], touched: bool) -> None:
    params = {"same": ["counterpart"], "day": "paid_on", "within_days": 180, "different": "purpose"}
    document = a_rule("composite", "journal", params, ["counterpart"])
    rows = [
        paid("twice", 1, "1", purpose="works"),
        paid("twice", 1, "2", purpose="labour", paid_on="2021-06-30"),
        paid("same module", 1, "3", purpose="works"),
        paid("same module", 1, "4", purpose="works"),
        paid("long apart", 1, "5", purpose="works"),
        paid("long apart", 1, "6", purpose="labour", paid_on="2021-07-01"),
    ]
    axis = {"axis": ["twice", "same module", "long apart"]} if touched else {}
    assert {
        key: value[2] for key, value in found(datasets, document, {"journal": rows}, touched=touched, **axis)[0].items()
    } == {"twice": [1, 2]}
