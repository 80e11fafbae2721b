"""The whole province's records as one file that many processes read: copied from PostgreSQL, sorted by village, then never changed.

DuckDB lets one process write or many read, and a process that has a file open keeps seeing the old one. So each snapshot has a file name
of its own, is written under another name and appears complete or not at all.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

import adbc_driver_postgresql.dbapi as adbc
from sqlalchemy.engine import make_url

from app.rules import duck
from detection.definitions import Dataset
from detection.tables import SCHEMA

# The batch says which upload brought a record; no rule asks for it.
_LEFT_OUT = frozenset({"batch_id"})
KEPT = 2
# Seconds after which a file in the making was left by a process that was killed.
LEFT_AFTER = 6 * 3600


def publish(url: str, datasets: Iterable[Dataset], folder: Path, taken_at: datetime) -> Path:
    """Copies every version of every record that the role in `url` may read. Returns the new file; older ones but one are removed."""
    # The names of people stand in it: the folder and the file are for nobody else.
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    done = folder / f"snapshot-{taken_at:%Y%m%dT%H%M%S%f}.duckdb"
    making = done.with_suffix(".making")
    try:
        _make(url, list(datasets), making)
        making.chmod(0o600)
        making.rename(done)
    finally:
        making.unlink(missing_ok=True)
    for old in sorted(folder.glob("snapshot-*.duckdb"))[:-KEPT]:
        old.unlink(missing_ok=True)
    for left in folder.glob("snapshot-*.making*"):
        if time.time() - left.stat().st_mtime > LEFT_AFTER:
            left.unlink(missing_ok=True)
    return done


def _make(url: str, datasets: list[Dataset], path: Path) -> None:
    with adbc.connect(_plain(url)) as source, duck.connect(str(path)) as target:
        duck.make_tables(target, datasets)
        for dataset in datasets:
            _copy(source, target, dataset)
        target.execute("CHECKPOINT")


def newest(folder: Path) -> Path | None:
    """The snapshot to read, or None before the first one."""
    return max(folder.glob("snapshot-*.duckdb"), default=None)


def _copy(source: adbc.Connection, target: duck.duckdb.DuckDBPyConnection, dataset: Dataset) -> None:
    columns = ", ".join(f'"{name}"' for name in dataset.columns if name not in _LEFT_OUT)
    with source.cursor() as cursor:
        cursor.execute(f'SELECT {columns} FROM {SCHEMA}."{dataset.code}"')
        batches = cursor.fetch_record_batch()
        target.register("arriving", batches)
        target.execute(f'INSERT INTO {SCHEMA}."{dataset.code}" ({columns}) SELECT * FROM arriving ORDER BY place')
        target.unregister("arriving")


# Policies let only the system actor read every record, and all tables are read as of one instant.
_OPTIONS = r"-c mj.kind=system -c default_transaction_isolation=repeatable\ read -c default_transaction_read_only=on"


def _plain(url: str) -> str:
    """The address in the form that libpq knows, for a session that acts as the system."""
    plain = make_url(url).set(drivername="postgresql").update_query_dict({"options": _OPTIONS})
    return plain.render_as_string(hide_password=False).replace("+", "%20")
