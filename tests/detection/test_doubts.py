"""What nobody can know names nobody: it is counted as not judged. And what looks alike is not taken for one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from detection.checking import check
from detection.definitions import Dataset
from detection.documents import read_rule
from detection.problems import Invalid
from tests.detection.conftest import PLACE, a_rule, found

NEXT_VILLAGE = "330101100202"
SETTLE = {
    "mode": "settle", "due": "due_on", "amount": "amount", "paid": "receipt", "match": {"lease": "lease"},
    "paid_amount": "amount", "debtor": ["lease"],
}  # fmt: skip
SETTLED = a_rule("overdue", "due", SETTLE, ["place", "lease", "no"])
BOOKS = a_rule("disagree", "project", {"ours": "budget", "other": "journal", "match": {"purpose": "project_no"}, "theirs": "amount"}, ["project_no"])
SHARES = {"whose": "counterpart", "within": ["place"], "amount": "amount", "least_percent": 50, "least_count": 2}
FOLLOWS = {"required": "contract", "match": {"project": "project_no"}, "after": "plan_start", "within_days": 30}
AFTER_2024 = {"field": "award_on", "op": ">", "value": "2024-01-01"}
DONE = a_rule("overdue", "due", {"mode": "done", "due": "due_on", "done": "done_on"}, ["no"])
FIRST = a_rule("order", "due", {"first": "done_on", "then": "due_on", "first_missing": "violation"}, ["no"])


def due(no: str, lease: str | None, amount: int | None, **more: Any) -> dict[str, Any]:
    return {"no": no, "lease": lease, "due_on": f"2025-0{no}-01", "amount": amount} | more


def books(*amounts: int | None) -> dict[str, Any]:
    return {
        "project": [{"project_no": "P", "budget": 10}],
        "journal": [{"voucher_no": str(i), "purpose": "P", "amount": each} for i, each in enumerate(amounts)],
    }


UNDATED = {
    "project": [{"project_no": "P", "plan_start": "2025-01-01"}],
    "contract": [{"project": "P", "award_on": None, "unreadable": ";award_on=?;"}],
}


@pytest.mark.parametrize(
    ("document", "rows", "unjudged"),
    [
        (SETTLED, {"due": [due("1", "L", None)]}, [1]),
        (SETTLED, {"due": [due("1", None, 100), due("2", None, 100)]}, [1, 2]),
        (SETTLED, {"due": [due("1", "L", 100)], "receipt": [{"no": "r", "lease": "L", "amount": None}]}, [1]),
        (BOOKS, books(5, None), [1]),
        (BOOKS, books(None), [1]),
        (a_rule("missing", "project", FOLLOWS | {"required_day": "award_on"}, ["project_no"]), UNDATED, [1]),
        (a_rule("missing", "project", FOLLOWS | {"required_where": AFTER_2024}, ["project_no"]), UNDATED, [1]),
        (DONE, {"due": [due("1", "L", 1, unreadable=";done_on=?;")]}, [1]),
        (FIRST, {"due": [due("1", "L", 1, unreadable=";done_on=?;")]}, [1]),
        (
            a_rule("concentration", "journal", SHARES, ["counterpart"]),
            {"journal": [{"counterpart": "a", "amount": 5}, {"counterpart": "b", "amount": None}]},
            [2],
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_read_names_nobody(
    datasets: Mapping[str, Dataset], document: dict[str, Any], rows: dict[str, Any], unjudged: list[int]
) -> None:
    assert found(datasets, document, rows) == ({}, unjudged)


def test_what_is_plainly_missing_is_still_named(datasets: Mapping[str, Dataset]) -> None:
    for document in (DONE, FIRST):
        assert found(datasets, document, {"due": [due("1", "L", 1)]}) == ({"1": ("red", None, [1])}, [])
    unmet = {**UNDATED, "contract": [{"project": "P", "award_on": "2023-01-01"}]}
    document = a_rule("missing", "project", FOLLOWS | {"required_where": AFTER_2024}, ["project_no"])
    assert found(datasets, document, unmet) == ({"P": ("red", None, [1])}, [])


def test_a_lease_of_the_same_number_in_the_next_village_is_another_debt(datasets: Mapping[str, Dataset]) -> None:
    paid = [{"no": place, "lease": "L", "amount": 100, "place": place} for place in (PLACE, NEXT_VILLAGE)]
    owed = [due("1", "L", 100), due("2", "L", 100, place=NEXT_VILLAGE)]
    assert found(datasets, SETTLED, {"due": owed, "receipt": paid}) == ({}, [])
    alerts, _ = found(datasets, SETTLED, {"due": owed, "receipt": paid[:1]})
    assert {key: value[2] for key, value in alerts.items()} == {f"{NEXT_VILLAGE}|L|2": [2]}


@pytest.mark.parametrize(
    "document",
    [
        # Payments gathered by lease would be set against the dues of all leases of the village.
        a_rule("overdue", "due", SETTLE | {"debtor": ["place"]}, ["no"]),
        # The number of alike records would stand in the place of the derived amount.
        a_rule("collision", "journal", {"keys": ["counterpart"]}, ["counterpart"], derive={"alike": {"op": "times", "of": ["amount", 1]}}),
        # An amount names no group that can be judged anew.
        a_rule("collision", "journal", {"keys": ["amount", "counterpart"]}, ["counterpart"]),
    ],
)  # fmt: skip
def test_a_rule_that_would_find_something_else_than_it_says_is_refused(
    datasets: Mapping[str, Dataset], document: dict[str, Any]
) -> None:
    with pytest.raises(Invalid):
        check(read_rule(document), datasets)


def test_a_step_of_colour_whose_condition_is_nothing_is_refused() -> None:
    with pytest.raises(Invalid):
        read_rule(DONE | {"colour": [{"when": None, "colour": "red"}, {"colour": "blue"}]})


def test_a_bar_inside_a_value_makes_no_one_alert_of_two(datasets: Mapping[str, Dataset]) -> None:
    document = a_rule("threshold", "journal", {"when": {"field": "amount", "op": ">", "value": 1}}, ["voucher_no", "purpose"])
    pairs = [("a|b", "c"), ("a", "b|c"), ("a~1b", "c")]
    rows = [{"voucher_no": one, "purpose": two, "amount": 5} for one, two in pairs]
    # Fixtures put the county in the place of a tilde.
    alerts, _ = found(datasets, document, {"journal": rows})
    assert sorted(value[2] for value in alerts.values()) == [[1], [2], [3]]


def test_two_with_the_same_share_are_both_named(datasets: Mapping[str, Dataset]) -> None:
    document = a_rule("concentration", "journal", SHARES, ["counterpart"])
    rows = [{"counterpart": payee, "amount": 5} for payee in "ba"]
    assert sorted(found(datasets, document, {"journal": rows})[0]) == ["a", "b"]
