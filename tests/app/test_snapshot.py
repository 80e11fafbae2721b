"""The copy of the records that many processes read: nobody else reads it, and nothing of a broken one stays."""

import os
import stat
from datetime import UTC, datetime, timedelta

import duckdb
import pytest

from app.rules import duck, snapshot
from detection.shipped import datasets

NOW = datetime(2026, 11, 24, 1, tzinfo=UTC)


@pytest.fixture
def publish(database, tmp_path):
    listed = [datasets()["post"]]
    return lambda at=NOW, of=listed: snapshot.publish(database["WORKER_DATABASE_URL"], of, tmp_path / "snapshots", at)


def test_a_snapshot_is_for_the_eyes_of_its_owner_alone(publish):
    path = publish()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_the_two_newest_stay(publish):
    paths = [publish(NOW + timedelta(days=day)) for day in range(3)]
    assert sorted(paths[0].parent.iterdir()) == paths[1:]
    assert snapshot.newest(paths[0].parent) == paths[2]


def test_nothing_stays_of_a_copy_that_broke_or_was_killed(publish, monkeypatch):
    folder = publish().parent
    dead, running = folder / "snapshot-1.making", folder / "snapshot-2.making"
    for file in (dead, running):
        file.touch()
    os.utime(dead, (0, 0))

    def breaks(*_):
        raise RuntimeError

    with monkeypatch.context() as broken:
        broken.setattr(snapshot, "_copy", breaks)
        with pytest.raises(RuntimeError):
            publish(NOW + timedelta(days=1))
    publish(NOW + timedelta(days=2))
    assert sorted(file.name for file in folder.glob("*.making")) == ["snapshot-2.making"]


def test_what_runs_on_a_snapshot_reaches_nothing_outside_it(publish, tmp_path):
    (tmp_path / "secret.csv").write_text("a\n1\n")
    with duck.connect(str(publish()), read_only=True) as connection:
        for statement in (f"SELECT * FROM '{tmp_path}/secret.csv'", f"ATTACH '{tmp_path}/other.duckdb'", "SET enable_external_access = true"):
            with pytest.raises(duckdb.Error):
                connection.execute(statement)
