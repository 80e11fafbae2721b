"""The datasets and rules that ship: that every one of them can be used, and does what its own cases say."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from app.rules import duck
from detection import shipped
from detection.checking import check
from detection.compiling import compile_rule
from detection.conditions import base_type
from detection.documents import Rule, read_rule
from detection.evidence import EVIDENCE_COLUMNS, UNJUDGED_COLUMNS
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


@functools.cache
def prepared(code: str) -> tuple[Rule, Fixtures]:
    """A shipped rule and its cases, both found sound."""
    rule, datasets = read_rule(RULES[code]), shipped.datasets()
    check(rule, datasets)
    return rule, read_fixtures(RULES[code]["fixtures"], datasets)


def groups(code: str) -> tuple[set[str], set[int]]:
    """The values on the rule's axis of all records of its cases, and the records that have none: what was touched can not name those, so
    that only a full run counts them.
    """
    rule, fixtures = prepared(code)
    axis = KINDS[rule.kind].axis(rule)
    digits = {"place": 12, "in_township": 9, "in_county": 6}.get(axis)
    rows = world(fixtures, shipped.datasets())[rule.subject]
    values = {row["row_id"]: row["place"][:digits] if digits else row[axis] for row in rows}
    return {v for v in values.values() if v}, {row_id for row_id, v in values.items() if not v}


def by_groups(code: str, found: list[list[dict[str, Any]]]) -> list[list[dict[str, Any]]]:
    """What of the outcome of a full run a run by what was touched has to give too."""
    evidence, unjudged = found
    return [evidence, [row for row in unjudged if row["row_id"] not in groups(code)[1]]]


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
            found = duck.run(connection, queries, sorted(groups(code)[0]) if touched else None)
            for name in rows:
                connection.execute(f'DELETE FROM records."{name}"')
            return [sorted(each, key=repr) for each in found]

        yield run


@pytest.mark.parametrize("code", sorted(RULES))
def test_a_shipped_rule_does_as_its_cases_say(code: str, tried: Callable[[str, bool], Any]) -> None:
    assert differences(prepared(code)[1], *tried(code, False)) == []


# What follows says each rule anew to an engine, which takes longer than running it.
@pytest.mark.slow
@pytest.mark.parametrize("code", sorted(RULES))
def test_a_shipped_rule_finds_by_what_was_touched_what_it_finds_all_at_once(
    code: str, tried: Callable[[str, bool], Any]
) -> None:
    assert tried(code, True) == by_groups(code, tried(code, False))


@pytest.mark.slow
@pytest.mark.parametrize("code", sorted(RULES))
def test_a_shipped_rule_can_be_said_to_spark(code: str) -> None:
    rule, fixtures = prepared(code)
    assert "SELECT" in compile_rule(rule, Tables(shipped.datasets(), as_of=fixtures.as_of), "spark").evidence


def test_every_rule_belongs_to_a_module_and_goes_to_a_body_that_handles_alerts() -> None:
    modules = {module.code for module in shipped.modules()}
    for code, document in RULES.items():
        assert document["module"] in modules, code
        assert document["to"] in {"township_discipline", "township_office", "village_liaison", "civil_affairs"}, code
        red_alone = [step["colour"] for step in document["colour"]] == ["red"]
        assert not red_alone or document["to"] == "township_discipline", code
    assert len(RULES) >= 60


class OnPostgres:
    """Runs rules on tables of a database of its own, as the owner of everything: this is about what the texts mean, not about who sees what."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self.connection = connection
        connection.execute("CREATE SCHEMA records")
        for dataset in shipped.datasets().values():
            columns = ", ".join(f'"{name}" {POSTGRES[base_type(kind)]}' for name, kind in dataset.columns.items())
            connection.execute(f'CREATE TABLE records."{dataset.code}" ({columns})')

    def run(self, code: str, touched: bool) -> Any:
        rule, fixtures = prepared(code)
        datasets = shipped.datasets()
        queries = compile_rule(rule, Tables(datasets, as_of=fixtures.as_of, touched=touched), "postgresql")
        given = {"touched": sorted(groups(code)[0])} if touched else None
        with self.connection.transaction(force_rollback=True):
            for name, filled in world(fixtures, datasets).items():
                columns = list(datasets[name].columns)
                marks = ", ".join(["%s"] * len(columns))
                text = f'INSERT INTO records."{name}" VALUES ({marks})'
                self.connection.cursor().executemany(text, [[row[c] for c in columns] for row in filled])
            found = []
            for text, names in ((queries.evidence, EVIDENCE_COLUMNS), (queries.unjudged, UNJUDGED_COLUMNS)):
                rows = self.connection.execute(text, given).fetchall()
                found.append(sorted((dict(zip(names, row, strict=True)) for row in rows), key=repr))
            return found


POSTGRES = {
    "string": "text",
    "int64": "bigint",
    "int32": "integer",
    "float64": "double precision",
    "date": "date",
    "timestamp": "timestamptz",
    "boolean": "boolean",
    "uuid": "uuid",
}


@pytest.fixture(scope="module")
def on_postgres(cluster: Any) -> Iterator[OnPostgres]:
    server, _ = cluster
    with psycopg.connect(server.url("postgres", "postgres"), autocommit=True) as admin:
        admin.execute("CREATE DATABASE shipped_rules")
        try:
            with psycopg.connect(server.url("postgres", "shipped_rules"), autocommit=True) as connection:
                yield OnPostgres(connection)
        finally:
            admin.execute("DROP DATABASE shipped_rules WITH (FORCE)")


@pytest.mark.slow
@pytest.mark.parametrize("code", sorted(RULES))
def test_a_shipped_rule_means_the_same_to_postgresql_row_for_row(
    code: str, tried: Callable[[str, bool], Any], on_postgres: OnPostgres
) -> None:
    expected = tried(code, False)
    assert on_postgres.run(code, False) == expected
    assert on_postgres.run(code, True) == by_groups(code, expected)
