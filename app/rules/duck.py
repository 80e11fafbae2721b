"""DuckDB, for whole provinces, previews, back-tests and the trial of fixtures: tables of the datasets, rows in, texts of a rule run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import duckdb

from detection.compiling import Queries
from detection.conditions import base_type
from detection.definitions import Dataset
from detection.evidence import EVIDENCE_COLUMNS, UNJUDGED_COLUMNS
from detection.tables import SCHEMA

_TYPES = {
    "string": "VARCHAR",
    "int64": "BIGINT",
    "int32": "INTEGER",
    "float64": "DOUBLE",
    "date": "DATE",
    "timestamp": "TIMESTAMPTZ",
    "boolean": "BOOLEAN",
    "uuid": "UUID",
}


def connect(path: str = ":memory:", *, read_only: bool = False) -> duckdb.DuckDBPyConnection:
    """A connection that counts days in China and reaches nothing outside the file."""
    connection = duckdb.connect(
        path,
        read_only=read_only,
        config={"autoinstall_known_extensions": False, "autoload_known_extensions": False, "enable_external_access": False},
    )
    connection.execute("SET TimeZone = 'Asia/Shanghai'")
    return connection


def make_tables(connection: duckdb.DuckDBPyConnection, datasets: Iterable[Dataset]) -> None:
    """Makes the empty table of each dataset."""
    connection.execute(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
    for dataset in datasets:
        columns = ", ".join(f'"{name}" {_TYPES[base_type(kind)]}' for name, kind in dataset.columns.items())
        connection.execute(f'CREATE TABLE {SCHEMA}."{dataset.code}" ({columns})')


def put_rows(connection: duckdb.DuckDBPyConnection, dataset: Dataset, rows: Sequence[Mapping[str, Any]]) -> None:
    """Adds rows that have every column of the dataset."""
    marks = ", ".join("?" for _ in dataset.columns)
    connection.executemany(
        f'INSERT INTO {SCHEMA}."{dataset.code}" VALUES ({marks})', [[row[c] for c in dataset.columns] for row in rows]
    )


def run(
    connection: duckdb.DuckDBPyConnection, queries: Queries, touched: list[str] | None = None
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The evidence and the unjudged records that a rule's texts give, each row by column name."""
    given = {"touched": touched} if queries.takes_touched else None
    evidence = connection.execute(queries.evidence, given).fetchall()
    unjudged = connection.execute(queries.unjudged, given).fetchall()
    return [dict(zip(EVIDENCE_COLUMNS, row, strict=True)) for row in evidence], [
        dict(zip(UNJUDGED_COLUMNS, row, strict=True)) for row in unjudged
    ]
