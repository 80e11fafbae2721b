"""The whole ledger, computed anew from the stored events: what is wrong, and where.

It trusts nothing that it can compute: commitments from the events, roots from the entries, signatures from the keys. What a
remembered head says (one that was printed, exchanged, or kept by a petitioner) is held against the log as well: only that finds a log
that somebody rewrote from end to end with a stolen key.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from app import clock
from app.ledger import keys, statements, tree
from app.ledger.reading import statement_of
from app.ledger.sequencing import LENGTHS, parent_of
from app.ledger.service import MAX_DELAY

PAGE = 2_000
SHOWN = 50


@dataclass(slots=True)
class Findings:
    """What was looked at, and every fault as one sentence with its place.

    `erased`: events whose content was destroyed after its years. Their commitments stand in the log; a later event of the case,
    which does open, says so.
    """

    events: int = 0
    erased: int = 0
    entries: int = 0
    heads: int = 0
    waiting: int = 0
    faults: list[str] = field(default_factory=list)
    kinds: Counter[str] = field(default_factory=Counter)

    def add(self, kind: str, sentence: str) -> None:
        """Note a fault; of each kind the first fifty are kept in words."""
        self.kinds[kind] += 1
        if self.kinds[kind] <= SHOWN:
            self.faults.append(f"{kind}: {sentence}")


def verify_all(session: Session, remembered: Iterable[Mapping[str, Any]] = ()) -> Findings:
    """Compute the whole ledger anew as the owner of the tables. `remembered`: signed heads kept from before."""
    found = Findings()
    public = {row.key_id: row for row in session.execute(text("SELECT * FROM ledger_keys"))}
    _verify_events(session, found)
    _verify_places(session, found)
    kept: dict[str, list[Mapping[str, Any]]] = {}
    for head in remembered:
        kept.setdefault(str(head.get("log")), []).append(head)
    logs = set(session.scalars(text("SELECT DISTINCT log FROM ledger_heads UNION SELECT DISTINCT log FROM ledger_leaves")))
    for log in sorted(logs | set(kept), key=lambda name: (-len(name), name)):
        _verify_log(session, log, public, kept.get(log, []), found)
    return found


_EVENTS = text(
    """
    SELECT e.*, p.serial, p.division_code, p.title, p.body, p.id AS case_id,
           lag(e.seq) OVER (PARTITION BY e.petition_id ORDER BY e.seq) AS before,
           EXISTS (SELECT 1 FROM petition_events x WHERE x.petition_id = e.petition_id AND x.event = 'erase_content'
                     AND length(x.salt) > 0) OR EXISTS (SELECT 1 FROM clues c WHERE c.petition_id = e.petition_id) AS erased,
           EXISTS (SELECT 1 FROM ledger_leaves l WHERE l.commitment = e.commitment AND l.log = left(p.division_code, 6)) AS placed,
           EXISTS (SELECT 1 FROM ledger_queue q WHERE q.commitment = e.commitment) AS queued
      FROM petition_events e LEFT JOIN petitions p ON p.id = e.petition_id ORDER BY e.petition_id, e.seq
    """
)


def _verify_events(session: Session, found: Findings) -> None:
    late = clock.now() - timedelta(seconds=MAX_DELAY)
    for row in _rows(session, _EVENTS):
        found.events += 1
        where = f"case {row.petition_id}, event {row.seq} ({row.event})"
        if row.seq != (row.before or 0) + 1:
            found.add("event-missing", f"{where}: the event before it is gone (the last one known is {row.before or 0})")
        if not row.salt and row.erased:
            found.erased += 1
        elif _commitment_of(row) != bytes(row.commitment):
            found.add("event-changed", f"{where}: its content, or the text filed, is not what was committed to")
        if row.queued:
            found.waiting += 1
        if not row.placed and (not row.queued or row.at < late):
            found.add("event-not-in-log", f"{where}: its commitment is not in log {(row.division_code or '')[:6]}")


def _commitment_of(row: Any) -> bytes:
    digest = None
    if row.event == "file" and row.seq == 1 and row.serial is not None:
        digest = statements.text_digest(row.salt, row.serial, row.division_code, row.title, row.body)
    return statements.commitment(row.salt, statements.event_document(row, digest))


_STRAYS = text(
    """
    SELECT l.log, l.index FROM ledger_leaves l
     WHERE NOT EXISTS (SELECT 1 FROM petition_events e WHERE e.commitment = l.commitment)
       AND NOT EXISTS (SELECT 1 FROM clue_events e WHERE e.commitment = l.commitment)
       AND NOT EXISTS (SELECT 1 FROM alert_events e WHERE e.commitment = l.commitment)
       AND NOT EXISTS (SELECT 1 FROM ledger_heads h WHERE h.entry = l.commitment)
     ORDER BY l.log, l.index
    """
)
_UNEXCHANGED = text(
    """
    SELECT h.log, h.size, h.at, h.entry FROM ledger_heads h
     WHERE length(h.log) > :top
       AND NOT EXISTS (SELECT 1 FROM ledger_queue q WHERE q.commitment = h.entry)
       AND NOT EXISTS (SELECT 1 FROM ledger_leaves l WHERE l.commitment = h.entry AND l.log = left(h.log, length(h.log) - 2))
     ORDER BY h.log, h.size, h.at
    """
)


def _verify_places(session: Session, found: Findings) -> None:
    """Every entry means an event or a head of the level below, and every head stands in the level above."""
    for log, index in session.execute(_STRAYS):
        what = "the event behind it is gone" if len(log) == LENGTHS[0] else "the head that it records is gone or was replaced"
        found.add("entry-without-meaning", f"log {log}, entry {index}: {what}")
    for row in session.execute(_UNEXCHANGED, {"top": LENGTHS[-1]}):
        where = f"log {row.log}, head of size {row.size} signed at {statements.instant(row.at)}"
        found.add("head-not-exchanged", f"{where}: log {parent_of(row.log)} above does not record it")


def _verify_log(
    session: Session, log: str, public: Mapping[str, Any], kept: Sequence[Mapping[str, Any]], found: Findings
) -> None:
    heads = list(session.execute(text("SELECT * FROM ledger_heads WHERE log = :log ORDER BY size, at"), {"log": log}))
    for head in heads:
        found.heads += 1
        _verify_signature(log, head, public, found)
    wanted = {head.size for head in heads} | {int(head["size"]) for head in kept}
    roots, size = _roots(session, log, wanted, found)
    found.entries += size
    sound, broken = 0, False
    for head in heads:
        if head.size > size:
            found.add("log-cut", f"log {log}: a head of {head.size} entries is signed, and only {size} are there")
        elif roots[head.size] != bytes(head.root) and not broken:
            # Every later root differs as well: the first one tells where.
            broken = True
            place = f"among the entries {sound} to {head.size - 1}"
            found.add("log-changed", f"log {log}: {place} something was changed, removed or put in another order")
        elif roots[head.size] == bytes(head.root):
            sound = head.size
    if heads and size > heads[-1].size:
        found.add("log-unsigned", f"log {log}: {size} entries, and the last head signs only {heads[-1].size}")
    for one in kept:
        there = roots.get(int(one["size"]))
        if there is None:
            found.add("log-cut", f"log {log}: a remembered head has {one['size']} entries, and only {size} are there")
        elif there.hex() != one["root"]:
            sentence = f"log {log}: the first {one['size']} entries are not those of the head signed at {one.get('at')}"
            found.add("history-rewritten", sentence)


def _verify_signature(log: str, head: Any, public: Mapping[str, Any], found: Findings) -> None:
    key = public.get(head.key_id)
    where = f"log {log}, head of size {head.size} signed at {statements.instant(head.at)}"
    if key is None or not keys.verify(bytes(key.public), statement_of(head), head.signature):
        found.add("signature-wrong", f"{where}: the signature does not fit")
    elif key.revoked_at and head.at >= key.revoked_at:
        found.add("key-revoked", f"{where}: signed with a key that was withdrawn before")


def _roots(session: Session, log: str, wanted: set[int], found: Findings) -> tuple[dict[int, bytes], int]:
    """The roots at the wanted sizes, computed from the entries alone, and the size of the log."""
    roots = {0: tree.EMPTY_ROOT}
    size, frontier, missing = 0, [], False
    entries = text("SELECT index, commitment FROM ledger_leaves WHERE log = :log ORDER BY index")
    stored = _stored_nodes(session, log)
    ahead = next(stored, None)
    for row in _rows(session, entries, log=log):
        if row.index != size and not missing:
            missing = True
            found.add("entry-missing", f"log {log}: entry {size} is gone")
        finished, frontier = tree.extend(size, frontier, [bytes(row.commitment)])
        for place, node in finished[1:]:
            # Stored nodes come in the order in which they were finished, so the two can be read side by side.
            if ahead != (place, node):
                found.add("node-wrong", f"log {log}: the stored hash at level {place[0]}, index {place[1]} is wrong or gone")
            if ahead is not None and _finished(ahead[0]) <= _finished(place):
                ahead = next(stored, None)
        size += 1
        if size in wanted:
            roots[size] = tree.fold(frontier)
    if left := (ahead is not None) + sum(1 for _ in stored):
        found.add("node-wrong", f"log {log}: {left} stored hashes belong to no entry")
    return roots, size


def _finished(place: tree.Place) -> tuple[int, int]:
    """When a node is finished: with its last leaf, lower levels first."""
    level, index = place
    return (index + 1) << level, level


def _stored_nodes(session: Session, log: str) -> Iterator[tuple[tree.Place, bytes]]:
    nodes = text("SELECT level, index, hash FROM ledger_nodes WHERE log = :log ORDER BY ((index + 1) << level), level")
    for row in _rows(session, nodes, log=log):
        yield (row.level, row.index), bytes(row.hash)


def _rows(session: Session, statement: Any, **values: Any) -> Iterator[Any]:
    yield from session.execute(statement, values, execution_options={"yield_per": PAGE})
