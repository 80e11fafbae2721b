"""The logs of counties grow by the clock and not by what happens: their sizes tell nothing, and every entry is accounted for."""

from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from psycopg import errors

from app import clock
from app.ledger import sequencing, statements, tree
from app.ledger.sequencing import HOURLY, Rhythm
from app.ledger.verification import verify_all
from tests.app.ledger_world import LedgerWorld

# Every round signs the logs of all counties.
pytestmark = pytest.mark.slow

COUNTY = "330213"


@pytest.fixture
def world(client, worker_app, db_session, new_key):
    return LedgerWorld(client, worker_app, db_session, new_key)


def forward(world, hours):
    world.sql(
        "INSERT INTO clock_offset (singleton, seconds) VALUES (1, :s) "
        "ON CONFLICT (singleton) DO UPDATE SET seconds = clock_offset.seconds + excluded.seconds",
        s=int(hours * 3600),
    )


def play(world, rhythm=HOURLY):
    return world.sequence(rhythm=rhythm)


def quotas(world):
    """By how much each county's log is to grow in a round, from what everybody knows of it."""
    rows = world.sql("SELECT left(code, 6), count(*) FROM divisions WHERE level = 5 AND withdrawn_on IS NULL GROUP BY 1")
    return {log: max(4, -(-villages // 64)) for log, villages in rows}


def published(world):
    """Log and size of each newest head, as everybody is told."""
    return {one["log"]: one["size"] for one in world.get("logs?limit=200")["items"]}


def sound(world):
    found = verify_all(world.session)
    world.session.rollback()
    return found


@pytest.mark.parametrize("cases", [0, 1, 3])
def test_heads_have_the_same_sizes_whether_a_case_exists_or_not(world, cases):
    expected = quotas(world)
    cities = {log[:4] for log in expected}
    for number in (1, 2, 3):
        if number == 2:
            for _ in range(cases):
                world.file()
        assert play(world).padded == sum(expected.values()) - (cases if number == 2 else 0)
        sizes = published(world)
        assert {log: size for log, size in sizes.items() if len(log) == 6} == {log: number * n for log, n in expected.items()}
        assert {log: size for log, size in sizes.items() if len(log) == 4} == {
            city: number * sum(log.startswith(city) for log in expected) for city in cities
        }
        assert sizes["33"] == number * len(cities)
        forward(world, 1)


def test_within_an_hour_nothing_more_is_published(world):
    forward(world, _to_the_next_hour())
    play(world)
    before = world.get("logs?limit=200")
    receipt = world.file()
    forward(world, 0.9)
    assert play(world).done == 0
    assert world.get("logs?limit=200") == before
    world.get(f"proofs/{receipt['commitment']}", 404)
    forward(world, 0.1)
    play(world)
    assert world.proof(receipt)["links"][0]["head"]["log"] == COUNTY


def _to_the_next_hour():
    now = datetime.now(UTC)
    return 1 - (now - HOURLY.began(now)) / HOURLY.every + 1 / 3600


def test_a_receipt_is_proved_in_a_padded_log_up_to_the_province(world):
    receipt = world.file()
    play(world)
    links = world.proof(receipt)["links"]
    assert [link["head"]["log"] for link in links] == ["330213", "3302", "33"]
    entry = bytes.fromhex(receipt["commitment"])
    for link in links:
        head, path = link["head"], [bytes.fromhex(one) for one in link["path"]]
        assert tree.includes(tree.leaf_hash(entry), link["index"], head["size"], path, bytes.fromhex(head["root"]))
        entry = statements.head_entry({name: value for name, value in head.items() if name != "signature"})
    found = sound(world)
    assert (found.faults, found.padding) == ([], sum(quotas(world).values()) - 1)


def test_more_than_a_round_takes_waits_for_the_next_and_the_oldest_go_first(world):
    rhythm = Rhythm(every=timedelta(hours=1), least=4, villages=10_000, patience=timedelta(hours=12))
    receipts = [world.file() for _ in range(6)]
    for size, placed in ((4, 4), (8, 6)):
        play(world, rhythm)
        assert published(world)[COUNTY] == size
        there = {bytes(one).hex() for (one,) in world.sql("SELECT commitment FROM ledger_leaves")}
        assert [one["commitment"] in there for one in receipts] == [True] * placed + [False] * (6 - placed)
        forward(world, 1)


def test_what_has_waited_for_half_a_day_is_placed_in_any_case(world):
    rhythm = Rhythm(every=timedelta(hours=1), least=4, villages=10_000, patience=timedelta(hours=12))
    receipts = [world.file() for _ in range(6)]
    forward(world, 13)
    play(world, rhythm)
    assert published(world)[COUNTY] == 8
    assert all(world.proof(one)["links"] for one in receipts)
    delay = timedelta(seconds=receipts[0]["promise"]["max_delay"])
    assert HOURLY.patience + HOURLY.every < delay / 1.5


def test_a_round_that_two_processes_play_makes_a_log_grow_once(world, monkeypatch):
    due = []
    append = sequencing._append_padded

    def twice(log, quota, rhythm, now, report):
        due.append(append(log, quota, rhythm, now, report))
        return append(log, quota, rhythm, now, report)

    monkeypatch.setattr(sequencing, "_append_padded", twice)
    play(world)
    assert due and published(world)[COUNTY] == quotas(world)[COUNTY]


def test_an_event_that_was_removed_can_not_be_passed_off_as_padding(world):
    receipt = world.file()
    play(world)
    world.sql("DELETE FROM petition_events")
    assert sound(world).kinds["entry-without-meaning"] == 1
    world.sql("INSERT INTO ledger_padding VALUES (:c, :s)", c=bytes.fromhex(receipt["commitment"]), s=bytes.fromhex(receipt["salt"]))
    assert dict(sound(world).kinds) == {"padding-forged": 1}


def test_padding_that_stands_in_no_log_is_named(world):
    play(world)
    world.sql("INSERT INTO ledger_padding VALUES ('x', 'y')")
    assert dict(sound(world).kinds) == {"padding-gone": 1}


@pytest.mark.parametrize("role", ["DATABASE_URL", "WORKER_DATABASE_URL"])
def test_no_process_that_serves_can_tell_padding_from_a_case(database, role):
    with psycopg.connect(database[role]) as connection, pytest.raises(errors.InsufficientPrivilege):
        connection.execute("SELECT commitment FROM ledger_padding")


def test_a_round_begins_at_the_full_hour():
    assert HOURLY.began(datetime(2026, 11, 24, 9, 41, 7, tzinfo=UTC)) == datetime(2026, 11, 24, 9, tzinfo=UTC)
    assert HOURLY.began(clock.now()) <= clock.now()
