"""Trying rules on their own fixtures before they may see live records."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from app.rules import duck
from detection.compiling import compile_rule
from detection.definitions import Dataset
from detection.documents import Rule
from detection.fixtures import Fixtures, differences, world
from detection.tables import SCHEMA, Tables


class Trials:
    """A small world of empty tables, in which one rule after the other is tried."""

    def __init__(self, connection: duck.duckdb.DuckDBPyConnection, datasets: Mapping[str, Dataset]):
        self._connection, self._datasets = connection, datasets

    def differences(self, rule: Rule, fixtures: Fixtures) -> list[str]:
        """What the rule does otherwise than its fixtures say, a line each; empty when it does as they say."""
        filled = world(fixtures, self._datasets)
        for code, rows in filled.items():
            duck.put_rows(self._connection, self._datasets[code], rows)
        try:
            tables = Tables(self._datasets, as_of=fixtures.as_of)
            evidence, unjudged = duck.run(self._connection, compile_rule(rule, tables, "duckdb"))
        finally:
            for code in filled:
                self._connection.execute(f'DELETE FROM {SCHEMA}."{code}"')
        return differences(fixtures, evidence, unjudged)


@contextmanager
def trials(datasets: Mapping[str, Dataset]) -> Iterator[Trials]:
    """A world to try rules in, gone at the end."""
    with duck.connect() as connection:
        duck.make_tables(connection, datasets.values())
        yield Trials(connection, datasets)
