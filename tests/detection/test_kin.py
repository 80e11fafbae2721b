"""Kinship: who counts as kin on a day, along which steps, and what makes a relation no relation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from detection.definitions import Dataset
from tests.detection.conftest import a_rule, found

KIN = {"who": "worker", "on": "work_date", "scope": "near", "officials": "post", "confidence": "declared"}


def kin_rule(**params: Any) -> dict[str, Any]:
    return a_rule("kin_match", "payroll", KIN | params, ["no"])


def related(a: str, relation: str, b: str, **more: Any) -> dict[str, Any]:
    """A is the <relation> of B."""
    return {"person_a": a, "relation": relation, "person_b": b, "confidence": "official"} | more


PAY = {"no": "1", "worker": "worker", "work_date": "2021-03-31", "amount": 5}
POST = {"person": "cadre", "post": "secretary", "starts_on": "2019-01-01"}


@pytest.mark.parametrize(
    ("relations", "near", "filing"),
    [
        ([related("cadre", "spouse", "worker")], True, True),
        ([related("worker", "spouse", "cadre")], True, True),
        ([related("worker", "child", "cadre")], True, True),
        ([related("mother", "parent", "worker"), related("mother", "parent", "cadre")], True, True),
        ([related("mother", "parent", "worker"), related("cadre", "parent", "mother")], True, True),
        ([related("wife", "spouse", "worker"), related("cadre", "parent", "wife")], False, True),
        (
            [
                related("mother", "parent", "worker"),
                related("old", "parent", "mother"),
                related("cadre", "child", "old"),
            ],
            False,
            True,
        ),
        ([related("friend", "spouse", "cadre")], False, False),
        ([], False, False),
    ],
    ids=[
        "spouse",
        "spouse turned",
        "child",
        "sibling",
        "grandparent",
        "father-in-law",
        "uncle",
        "somebody else",
        "nobody",
    ],
)
@pytest.mark.parametrize("touched", [False, True])
def test_a_scope_says_how_far_kinship_reaches(
    datasets: Mapping[str, Dataset], relations: list[dict[str, Any]], near: bool, filing: bool, touched: bool
) -> None:
    rows = {"payroll": [PAY], "post": [POST], "relation": relations}
    for scope, expected in (("near", near), ("filing", filing)):
        assert bool(found(datasets, kin_rule(scope=scope), rows, touched=touched)[0]) is expected


@pytest.mark.parametrize(
    ("change", "hit"),
    [
        ({}, True),
        ({"ends_on": "2021-03-31"}, True),
        ({"ends_on": "2021-03-30"}, False),
        ({"starts_on": "2021-04-01"}, False),
        ({"confidence": "declared"}, True),
        ({"confidence": "derived"}, False),
    ],
)
def test_a_relation_counts_only_on_its_days_and_when_sure_enough(
    datasets: Mapping[str, Dataset], change: dict[str, Any], hit: bool
) -> None:
    rows = {"payroll": [PAY], "post": [POST], "relation": [related("cadre", "spouse", "worker", **change)]}
    assert bool(found(datasets, kin_rule(), rows)[0]) is hit


def test_a_denied_relation_does_not_return_whatever_another_source_says(datasets: Mapping[str, Dataset]) -> None:
    relations = [related("cadre", "spouse", "worker"), related("worker", "spouse", "cadre", confidence="denied")]
    assert found(datasets, kin_rule(), {"payroll": [PAY], "post": [POST], "relation": relations})[0] == {}


def test_the_path_and_the_post_are_the_evidence(datasets: Mapping[str, Dataset]) -> None:
    relations = [related("mother", "parent", "worker"), related("mother", "parent", "cadre")]
    alerts, _ = found(datasets, kin_rule(), {"payroll": [PAY], "post": [POST], "relation": relations})
    assert alerts["1"][2] == [1, 2, 3, 4]


def test_a_name_without_a_number_is_never_kin(datasets: Mapping[str, Dataset]) -> None:
    pay = {"no": "1", "worker_name": "陈某", "work_date": "2021-03-31"}
    rows = {
        "payroll": [pay],
        "post": [POST | {"person_name": "陈某"}],
        "relation": [related("cadre", "spouse", "worker")],
    }
    assert found(datasets, kin_rule(self_too=True), rows) == ({}, [1])


def test_an_official_of_another_village_is_no_official_here(datasets: Mapping[str, Dataset]) -> None:
    rows = {
        "payroll": [PAY],
        "post": [POST | {"place": "{township}202"}],
        "relation": [related("cadre", "spouse", "worker")],
    }
    assert found(datasets, kin_rule(), rows)[0] == {}
    assert list(found(datasets, kin_rule(same_place=False), rows)[0]) == ["1"]


def test_the_people_behind_a_company_stand_for_it(datasets: Mapping[str, Dataset]) -> None:
    document = kin_rule(is_company=True, company_roles=["legal_rep"], self_too=True)
    rows = {
        "payroll": [PAY | {"worker": "company"}],
        "post": [POST],
        "relation": [],
        "company_role": [
            {"company": "company", "person": "cadre", "company_role": "legal_rep", "starts_on": "2018-01-01"}
        ],
    }
    assert list(found(datasets, document, rows)[0]) == ["1"]
    rows["company_role"][0]["company_role"] = "insured"
    assert found(datasets, document, rows)[0] == {}
