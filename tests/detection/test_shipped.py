"""The datasets and rules that ship: that every one of them can be used, and does what its own cases say."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from app.rules import duck
from detection import shipped
from detection.checking import check
from detection.compiling import compile_rule
from detection.documents import Rule, read_rule
from detection.fixtures import Fixtures, differences, read_fixtures, world
from detection.kinds import KINDS
from detection.tables import Tables


def test_every_shipped_module_reads_and_no_dataset_is_defined_twice() -> None:
    defined = [dataset.code for module in shipped.modules() for dataset in module.datasets]
    assert sorted(defined) == sorted(shipped.datasets())
    assert {module.code for module in shipped.modules()} == {
        "assets", "calls", "funds", "labour", "procurement", "reference", "relief", "seals", "works",
    }  # fmt: skip


def test_every_reference_names_a_shipped_dataset_that_one_text_identifies() -> None:
    datasets = shipped.datasets()
    for dataset in datasets.values():
        for field in dataset.fields:
            if field.ref is not None:
                other = datasets[field.ref]
                assert len(other.key) == 1, (dataset.code, field.code)
                assert other.field(other.key[0]).type == "text", (dataset.code, field.code)


def test_no_field_about_an_identity_is_open_to_everybody_and_every_key_is_required() -> None:
    for dataset in shipped.datasets().values():
        for field in dataset.fields:
            assert field.personal or field.type not in {"person", "account"}, (dataset.code, field.code)
            assert field.required or field.code not in dataset.key, (dataset.code, field.code)


RULES = shipped.rule_documents()


def prepared(code: str) -> tuple[Rule, Fixtures]:
    """A shipped rule and its cases, both found sound."""
    rule, datasets = read_rule(RULES[code]), shipped.datasets()
    check(rule, datasets)
    return rule, read_fixtures(RULES[code]["fixtures"], datasets)


def of_each_case(code: str) -> set[str]:
    """The values on the rule's axis of all records of its cases, so that a run over them has to give what a full run gives."""
    rule, fixtures = prepared(code)
    axis = KINDS[rule.kind].axis(rule)
    rows = [row for filled in world(fixtures, shipped.datasets()).values() for row in filled]
    digits = {"place": 12, "in_township": 9, "in_county": 6}.get(axis)
    return {row["place"][:digits] if digits else row[axis] for row in rows if digits or row.get(axis)}


@pytest.fixture(scope="module")
def tried() -> Iterator[Callable[[str, bool], Any]]:
    """Runs a rule over the world of its cases: all at once, or by everything touched. Gives evidence and unjudged, in an order of their own."""
    datasets = shipped.datasets()
    with duck.connect() as connection:
        duck.make_tables(connection, datasets.values())

        def run(code: str, touched: bool) -> Any:
            rule, fixtures = prepared(code)
            rows = world(fixtures, datasets)
            for name, filled in rows.items():
                connection.execute(f'DELETE FROM records."{name}"')
                duck.put_rows(connection, datasets[name], filled)
            queries = compile_rule(rule, Tables(datasets, as_of=fixtures.as_of, touched=touched), "duckdb")
            found = duck.run(connection, queries, sorted(of_each_case(code)) if touched else None)
            for name in rows:
                connection.execute(f'DELETE FROM records."{name}"')
            return [sorted(each, key=repr) for each in found]

        yield run


@pytest.mark.parametrize("code", sorted(RULES))
def test_a_shipped_rule_does_as_its_cases_say_all_at_once_and_by_what_was_touched(
    code: str, tried: Callable[[str, bool], Any]
) -> None:
    _, fixtures = prepared(code)
    evidence, unjudged = tried(code, False)
    assert differences(fixtures, evidence, unjudged) == []
    assert tried(code, True) == [evidence, unjudged]


@pytest.mark.parametrize("engine", ["postgresql", "spark"])
@pytest.mark.parametrize("code", sorted(RULES))
def test_a_shipped_rule_can_be_said_to_every_engine(code: str, engine: str) -> None:
    rule, fixtures = prepared(code)
    assert "SELECT" in compile_rule(rule, Tables(shipped.datasets(), as_of=fixtures.as_of), engine).evidence
