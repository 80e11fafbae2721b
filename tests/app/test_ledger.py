"""Events commit, commitments get their place, heads are signed and exchanged upwards, proofs are served."""

import hashlib
import json
import threading
from pathlib import Path
from uuid import UUID

import psycopg
import pytest
from flask_migrate import downgrade, upgrade
from psycopg import errors

from app import count_statements, create_app
from app.extensions import db
from app.ledger import keys, reading, sequencing, statements, tree
from app.ledger.verification import verify_all
from app.petitions.models import PetitionEventRow
from app.privacy import retention
from tests.app.ledger_world import LedgerWorld
from tests.conftest import settings_for

ROOT = Path(__file__).parents[2]


@pytest.fixture
def world(client, worker_app, db_session, new_key):
    return LedgerWorld(client, worker_app, db_session, new_key)


def public(world):
    return {one["key_id"]: bytes.fromhex(one["public"]) for one in world.get("keys")["items"]}


def signed(world, document):
    statement = {name: value for name, value in document.items() if name != "signature"}
    return keys.verify(public(world)[document["key_id"]], statement, document["signature"])


def holds(link, entry):
    head = link["head"]
    path = [bytes.fromhex(one) for one in link["path"]]
    return tree.includes(tree.leaf_hash(entry), link["index"], head["size"], path, bytes.fromhex(head["root"]))


def test_a_receipt_opens_to_the_event_and_to_the_text_that_were_filed(world):
    receipt = world.file(title="题目", body="正文若干字。")
    salt = bytes.fromhex(receipt["salt"])
    assert statements.commitment(salt, receipt["opening"]).hex() == receipt["commitment"]
    assert (receipt["opening"]["case"], receipt["opening"]["event"]) == (receipt["id"], "file")
    place = world.place("330213")
    assert receipt["opening"]["text"] == statements.text_digest(salt, receipt["serial"], place, "题目", "正文若干字。")
    assert receipt["opening"]["text"] != statements.text_digest(salt, receipt["serial"], place, "题目", "别的正文。")


def test_a_receipt_holds_a_signed_promise_over_its_number_and_dates(world):
    receipt = world.file()
    promise = receipt["promise"]
    assert signed(world, promise)
    assert (promise["log"], promise["max_delay"], promise["algorithm"]) == ("330213", 86_400, "ES256")
    assert promise["commitment"] == receipt["commitment"]
    assert promise["receipt"] == statements.receipt_digest(receipt)
    later = [{**receipt["promises"][0], "due_at": "2099-01-01T00:00:00+00:00"}, *receipt["promises"][1:]]
    assert promise["receipt"] != statements.receipt_digest({**receipt, "promises": later})


def test_a_repeated_filing_answers_the_same_receipt_to_the_letter(world):
    key = world.new_key()
    assert world.file(key=key) == world.file(key=key)


def test_nothing_of_the_ledger_shows_a_number_or_an_id(world):
    receipt = world.file()
    world.sequence()
    told = json.dumps([world.get("logs"), world.get("keys"), world.proof(receipt), world.get("logs/330213/head")])
    for secret in (receipt["serial"], receipt["id"], receipt["salt"], receipt["pin"], "王某"):
        assert secret not in told


def test_every_event_of_a_case_gets_a_commitment_of_its_own_that_can_be_made_again(world, as_staff):
    receipt = world.file("330213007")
    for action, facts in (("register", {}), ("accept", {})):
        path = f"/api/v1/petitions/{receipt['id']}/actions/{action}"
        assert world.client.post(path, json=facts, headers=as_staff("shangtian.office")).status_code == 200
    rows = world.session.query(PetitionEventRow).order_by(PetitionEventRow.seq).all()
    assert [row.event for row in rows] == ["file", "register", "accept"]
    assert len({row.salt for row in rows}) == 3 and {len(row.salt) for row in rows} == {32}
    for row in rows[1:]:
        assert statements.commitment(row.salt, statements.event_document(row, None)) == row.commitment
    assert world.sequence().done >= 3
    assert world.get("logs/330213/head")["size"] == 3


def test_the_proof_of_a_receipt_goes_from_its_county_up_to_the_province(world):
    receipts = [world.file(county) for county in ("330213", "330502", "330213")]
    world.sequence()
    assert [one["log"] for one in world.get("logs")["items"]] == ["33", "3302", "330213", "3305", "330502"]
    for receipt in receipts:
        links = world.proof(receipt)["links"]
        log = receipt["promise"]["log"]
        assert [link["head"]["log"] for link in links] == [log, log[:4], log[:2]]
        entry = bytes.fromhex(receipt["commitment"])
        for link in links:
            assert signed(world, link["head"])
            assert holds(link, entry)
            statement = {name: value for name, value in link["head"].items() if name != "signature"}
            entry = statements.head_entry(statement)


def test_an_earlier_head_is_proved_to_be_the_beginning_of_a_later_one(world):
    heads = []
    for count in (1, 2, 4):
        for _ in range(count):
            world.file()
        world.sequence()
        heads.append(world.get("logs/330213/head"))
    assert [head["size"] for head in heads] == [1, 3, 7]
    for old in heads:
        found = world.get(f"logs/330213/consistency?first={old['size']}&second=7")
        path = [bytes.fromhex(one) for one in found["path"]]
        assert tree.extends(old["size"], 7, path, bytes.fromhex(old["root"]), bytes.fromhex(heads[-1]["root"]))
        assert world.get(f"logs/330213/heads/{old['size']}") == old


def test_what_is_not_there_is_404_and_impossible_questions_are_422(world):
    receipt = world.file()
    assert world.get(f"proofs/{receipt['commitment']}", 404)["type"] == "/problems/not-found"
    world.sequence()
    for path in (
        f"proofs/{'0' * 64}", "proofs/xyz", "logs/99/head", "logs/x/head", "logs/330213/heads/5", "logs/330213/heads/0",
        f"logs/330213/heads/{10**30}", f"logs/330213/inclusion?commitment={'0' * 64}",
        "logs/330213/consistency?first=1&second=9", f"logs/3302/inclusion?commitment={receipt['commitment']}",
        f"logs/330213/inclusion?commitment={receipt['commitment']}&size=9",
    ):  # fmt: skip
        assert world.get(path, 404)["type"] == "/problems/not-found", path
    for path in (
        "logs/330213/consistency?first=2&second=1", "logs/330213/inclusion?commitment=xyz", "logs?limit=100000",
        f"logs/330213/consistency?first=1&second={10**30}", f"proofs/{receipt['commitment']}?since=5",
    ):  # fmt: skip
        assert world.get(path, 422), path


def test_a_run_without_anything_new_signs_nothing(world):
    world.file()
    assert world.sequence().done == 3
    before = world.get("logs")
    assert world.sequence().done == 0
    assert world.get("logs") == before


def test_a_quiet_log_is_signed_anew_after_a_day(world):
    world.file()
    world.sequence()
    before = {one["log"]: one for one in world.get("logs")["items"]}
    world.sql("INSERT INTO clock_offset (singleton, seconds) VALUES (1, 90000)")
    world.sequence()
    after = {one["log"]: one for one in world.get("logs")["items"]}
    assert after["330213"]["root"] == before["330213"]["root"]
    assert after["330213"]["at"] > before["330213"]["at"]


def test_a_large_queue_is_taken_in_pages_and_nothing_is_lost(world):
    wanted = {world.file()["commitment"] for _ in range(7)}
    world.sequence(page=3)
    there = {bytes(one).hex() for (one,) in world.sql("SELECT commitment FROM ledger_leaves WHERE log = '330213'")}
    assert there == wanted
    assert world.sql("SELECT * FROM ledger_queue") == []


def test_a_transaction_that_commits_after_the_sequencer_has_passed_is_not_lost(world, database):
    """Two filings: the one that began first commits last, behind a head that already holds the other."""
    first = world.file()
    late = hashlib.sha256(b"late").digest()
    with psycopg.connect(database["OWNER_DATABASE_URL"]) as slow:
        slow.execute("CREATE TEMP TABLE c ON COMMIT DROP AS SELECT * FROM petition_events LIMIT 1")
        slow.execute("UPDATE c SET id = gen_random_uuid(), seq = 99, at = at - interval '1 hour', commitment = %s", (late,))
        slow.execute("INSERT INTO petition_events SELECT * FROM c")
        second = world.file()
        world.sequence()
        assert world.get("logs/330213/head")["size"] == 2
        slow.commit()
    world.sequence()
    assert world.get("logs/330213/head")["size"] == 3
    for one in (first["commitment"], second["commitment"], late.hex()):
        assert world.get(f"proofs/{one}")["links"][0]["head"]["size"] >= 2


def test_two_sequencers_at_once_and_filings_between_them_lose_nothing_and_double_nothing(world):
    for _ in range(12):
        world.file()
    faults, stop = [], threading.Event()

    def work():
        while not stop.is_set():
            try:
                world.sequence(page=2)
            except Exception as error:  # noqa: BLE001
                faults.append(error)
                return

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for _ in range(8):
        world.file()
    stop.set()
    for thread in threads:
        thread.join()
    world.sequence()
    assert faults == []
    rows = world.sql("SELECT index, commitment FROM ledger_leaves WHERE log = '330213' ORDER BY index")
    assert [index for index, _ in rows] == list(range(20))
    events = {bytes(one) for (one,) in world.sql("SELECT commitment FROM petition_events")}
    assert {bytes(one) for _, one in rows} == events


def test_a_log_that_another_process_is_at_is_left_to_it(world, database):
    receipt = world.file()
    with psycopg.connect(database["WORKER_DATABASE_URL"]) as other:
        other.execute("SELECT pg_advisory_xact_lock(hashtextextended('ledger 330213', 0))")
        report = world.sequence()
        assert (report.done, report.skipped) == (0, 1)
    world.sequence()
    assert world.proof(receipt)["links"]


def test_a_failed_run_leaves_what_waits_in_the_queue(world, monkeypatch):
    receipt = world.file()
    monkeypatch.setattr(sequencing, "_sign", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        world.sequence()
    monkeypatch.undo()
    assert world.sql("SELECT * FROM ledger_leaves") == []
    world.sequence()
    assert world.proof(receipt)["links"]


def test_a_log_whose_tail_was_cut_is_not_signed_again(world):
    for _ in range(3):
        world.file()
    world.sequence()
    world.sql("DELETE FROM ledger_leaves WHERE log = '330213' AND index = 2")
    world.file()
    assert world.sequence().failed == 1
    assert world.get("logs/330213/head")["size"] == 3


def test_a_proof_over_leaves_that_were_cut_is_refused_and_no_fault_of_the_server(world):
    receipts = [world.file() for _ in range(3)]
    world.sequence()
    world.sql("DELETE FROM ledger_leaves WHERE log = '330213' AND index = 1")
    left = {bytes(c).hex(): i for i, c in world.sql("SELECT index, commitment FROM ledger_leaves WHERE log = '330213'")}
    beside = next(one for one in receipts if left.get(one["commitment"]) == 0)
    assert world.get(f"proofs/{beside['commitment']}", 503)["type"] == "/problems/ledger-damaged"


@pytest.mark.parametrize("table", ["ledger_leaves", "ledger_nodes", "ledger_heads", "ledger_keys"])
@pytest.mark.parametrize("role", ["DATABASE_URL", "WORKER_DATABASE_URL"])
def test_neither_web_nor_worker_can_change_or_delete_what_the_ledger_holds(world, database, table, role):
    with psycopg.connect(database[role]) as connection:
        for statement in (f"UPDATE {table} SET log = log", f"DELETE FROM {table}", f"TRUNCATE {table}"):
            with pytest.raises((errors.InsufficientPrivilege, errors.UndefinedColumn)):
                connection.execute(statement)
            connection.rollback()


def test_the_web_role_can_neither_put_into_the_queue_nor_take_out_of_it_nor_write_a_log(database):
    with psycopg.connect(database["DATABASE_URL"]) as connection:
        for statement in (
            "INSERT INTO ledger_queue VALUES ('x', '33')", "DELETE FROM ledger_queue", "SELECT * FROM ledger_queue",
            "INSERT INTO ledger_leaves VALUES ('33', 0, 'x')",
        ):  # fmt: skip
            with pytest.raises(errors.InsufficientPrivilege):
                connection.execute(statement)
            connection.rollback()


def test_a_proof_costs_the_same_statements_in_a_log_of_one_and_of_many(app, world):
    receipt = world.file()
    world.sequence()
    seen = count_statements(app)
    world.proof(receipt)
    small, costs = len(seen), []
    for _ in range(40):
        world.file()
    world.sequence()
    seen.clear()
    world.proof(receipt)
    costs.append(len(seen))
    assert max(costs) <= small + 3, "one more read a level at most"
    assert max(costs) <= 13


def test_a_log_of_a_thousand_entries_and_one_of_a_hundred_extend_with_the_same_statements(world, worker_app):
    def fill(count):
        world.sql(
            "INSERT INTO ledger_queue SELECT sha256(convert_to(gen_random_uuid()::text, 'UTF8')), '330702' "
            "FROM generate_series(1, :n)",
            n=count,
        )

    costs = []
    for count in (100, 900, 1):
        fill(count)
        seen = count_statements(worker_app)
        world.sequence()
        costs.append(len(seen))
    # Three logs; beside the first run each reads its frontier once and writes a node more.
    assert max(costs) <= costs[0] + 6, costs


def test_a_proof_of_a_large_log_scans_no_table(world):
    world.sql(
        "INSERT INTO ledger_queue SELECT sha256(convert_to(gen_random_uuid()::text, 'UTF8')), '330702' FROM generate_series(1, 6000)"
    )
    world.sequence()
    world.sql("ANALYZE ledger_leaves, ledger_nodes, ledger_heads")
    places = tree.places_of(tree.inclusion_ranges(3_333, 6_000))
    assert len(places) <= 2 * 13
    nodes = [place for place in places if place[0]]
    statements_and_values = (
        (reading._HASHES, {"levels": [a for a, _ in nodes], "indexes": [b for _, b in nodes], "leaves": [3_332], "log": "330702"}),
        (reading._EXCHANGED, {"log": "330702", "above": "3307", "index": 3_333}),
    )
    for statement, values in statements_and_values:
        plan = "\n".join(line for (line,) in world.sql(f"EXPLAIN {statement.text}", **values))
        assert "Seq Scan on ledger_leaves" not in plan and "Seq Scan on ledger_nodes" not in plan, plan


@pytest.mark.slow
def test_events_from_before_the_ledger_are_committed_to_by_the_migration(world, database):
    receipt = world.file()
    world.sequence()
    db.session.remove()
    db.engine.dispose()
    folder = str(ROOT / "migrations")
    owner = create_app(settings_for({"OWNER_DATABASE_URL": database["OWNER_DATABASE_URL"]}), role="owner")
    with owner.app_context():
        downgrade(directory=folder, revision="0005")
        upgrade(directory=folder)
        db.engine.dispose()
    world.sequence()
    ((commitment,),) = world.sql("SELECT commitment FROM petition_events WHERE petition_id = :p", p=receipt["id"])
    assert bytes(commitment).hex() != receipt["commitment"], "the salt is a new one"
    assert world.get(f"proofs/{bytes(commitment).hex()}")["links"][-1]["head"]["log"] == "33"
    assert verify_all(world.session).faults == []
    world.session.rollback()


def test_an_erased_case_stays_proven_and_nobody_can_guess_what_it_said(world, database):
    receipt = world.file()
    world.sequence()
    db.session.remove()
    db.engine.dispose()
    owner = create_app(settings_for({"OWNER_DATABASE_URL": database["OWNER_DATABASE_URL"]}), role="owner")
    with owner.app_context():
        retention.erase(UUID(receipt["id"]))
        db.session.remove()
        db.engine.dispose()
    world.sequence()
    salts = world.sql("SELECT event, length(salt) FROM petition_events WHERE petition_id = :p", p=receipt["id"])
    assert dict(tuple(one) for one in salts) == {"file": 0, "erase_content": 32}
    found = verify_all(world.session)
    assert (found.faults, found.erased) == ([], 1)
    assert world.get(f"proofs/{receipt['commitment']}")["links"][-1]["head"]["log"] == "33"
    world.sql("UPDATE petition_events SET salt = '' WHERE event = 'erase_content'")
    assert {one.split(":")[0] for one in verify_all(world.session).faults} == {"event-changed"}
    world.session.rollback()
