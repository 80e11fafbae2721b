"""Trying a rule on its own fixtures before it may see live records."""

from __future__ import annotations

from collections.abc import Mapping

from app.rules import duck
from detection.compiling import compile_rule
from detection.definitions import Dataset
from detection.documents import Rule
from detection.fixtures import Fixtures, differences, world
from detection.tables import Tables


def try_fixtures(rule: Rule, fixtures: Fixtures, datasets: Mapping[str, Dataset]) -> list[str]:
    """What the rule does otherwise than its fixtures say, a line each; empty when it does as they say."""
    with duck.connect() as connection:
        duck.make_tables(connection, datasets.values())
        for code, rows in world(fixtures, datasets).items():
            duck.put_rows(connection, datasets[code], rows)
        evidence, unjudged = duck.run(connection, compile_rule(rule, Tables(datasets, as_of=fixtures.as_of), "duckdb"))
    return differences(fixtures, evidence, unjudged)
