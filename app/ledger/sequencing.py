"""Commitments get their place in a log, and logs get signed heads. Done by the worker; safe to run twice and at once.

What waits is told by the queue and by no instant: transactions do not commit in the order of their clocks, so a watermark
would lose the late ones. A batch takes rows out of the queue, appends leaves and nodes, and signs a head, in one
transaction: a log never grows without a head, and what fails stays queued.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import insert, text
from sqlalchemy.dialects.postgresql import insert as upsert

from app import clock
from app.database import SYSTEM, transaction
from app.extensions import db
from app.ledger import keys, statements, tree
from app.ledger.models import LedgerHead, LedgerKey, LedgerQueue
from app.ledger.reading import hashes_at

logger = logging.getLogger("mingjian.ledger")

PAGE = 5_000
# A log that does not grow is signed anew this often, so that silence can be told from a log that is kept back.
QUIET = timedelta(days=1)
# How the names of logs tell their level, and what the exchange goes through: counties, then cities, then the province.
LENGTHS = (6, 4, 2)

_WAITING = text(
    """
    WITH RECURSIVE logs(log) AS (
      SELECT min(log) FROM ledger_heads
      UNION ALL SELECT (SELECT min(h.log) FROM ledger_heads h WHERE h.log > logs.log) FROM logs WHERE logs.log IS NOT NULL
    ), queued(log) AS (
      SELECT min(log) FROM ledger_queue
      UNION ALL SELECT (SELECT min(q.log) FROM ledger_queue q WHERE q.log > queued.log) FROM queued WHERE queued.log IS NOT NULL
    )
    SELECT log FROM queued WHERE length(log) = :length
    UNION
    SELECT log FROM logs WHERE length(log) = :length
       AND (SELECT at FROM ledger_heads h WHERE h.log = logs.log ORDER BY size DESC, at DESC LIMIT 1) <= :quiet
    """
)
# Taken in the order of the commitments, which are random: the place in the log tells nothing of who was first.
_TAKE = text(
    """
    WITH taken AS (
      DELETE FROM ledger_queue WHERE commitment IN (
        SELECT commitment FROM ledger_queue WHERE log = :log ORDER BY commitment LIMIT :page)
      RETURNING commitment)
    SELECT commitment FROM taken
     WHERE NOT EXISTS (SELECT 1 FROM ledger_leaves l WHERE l.commitment = taken.commitment) ORDER BY commitment
    """
)
_END = text(
    "SELECT (SELECT coalesce(max(index) + 1, 0) FROM ledger_leaves WHERE log = :log) AS leaves, h.size, h.root, h.at "
    "FROM (SELECT 1) one LEFT JOIN LATERAL "
    "(SELECT * FROM ledger_heads WHERE log = :log ORDER BY size DESC, at DESC LIMIT 1) h ON true"
)
_NEW_LEAVES = text(
    "INSERT INTO ledger_leaves (log, index, commitment) "
    "SELECT :log, :first + n - 1, c FROM unnest(CAST(:commitments AS bytea[])) WITH ORDINALITY AS u(c, n)"
)
_NEW_NODES = text(
    "INSERT INTO ledger_nodes (log, level, index, hash) SELECT :log, * FROM "
    "unnest(CAST(:levels AS integer[]), CAST(:indexes AS bigint[]), CAST(:hashes AS bytea[]))"
)
_LOCK = text("SELECT pg_try_advisory_xact_lock(hashtextextended('ledger ' || :log, 0))")


class Damaged(Exception):
    """The stored log is not the one that its last head signed: it is never signed again before somebody has looked."""


@dataclass(slots=True)
class Sequenced:
    """One run: entries that got their place, logs left to somebody who is at them, logs found damaged."""

    done: int = 0
    skipped: int = 0
    failed: int = 0
    seconds: float = 0.0


def sequence(*, stopping: Callable[[], bool] = lambda: False, page: int = PAGE) -> Sequenced:
    """Give every waiting commitment its place and sign the heads; the heads of one level are entries of the next above."""
    started = time.perf_counter()
    report = Sequenced()
    for length in LENGTHS:
        with transaction(SYSTEM):
            waiting = list(db.session.scalars(_WAITING, {"length": length, "quiet": clock.now() - QUIET}))
        for log in sorted(waiting):
            while not stopping():
                try:
                    with transaction(SYSTEM):
                        taken = _append(log, page)
                except Damaged:
                    logger.error("log %s is not what its last head signed: run `flask ledger verify`", log)
                    report.failed += 1
                    break
                if taken is None:
                    report.skipped += 1
                    break
                report.done += taken
                if taken < page:
                    break
    report.seconds = time.perf_counter() - started
    return report


def parent_of(log: str) -> str | None:
    """The log of the level above, to which the heads of this one go: county → city → province."""
    return log[:-2] if len(log) > LENGTHS[-1] else None


def _append(log: str, page: int) -> int | None:
    """One batch of one log, with its head. None when another process is at this log."""
    if not db.session.scalar(_LOCK, {"log": log}):
        return None
    end = db.session.execute(_END, {"log": log}).one()
    size = end.leaves
    known = hashes_at(log, tree.cover(0, size))
    frontier = [known[place] for place in tree.cover(0, size) if place in known]
    # Asked of the frontier alone, so that it costs nothing: a log that was cut or changed is not signed over.
    if size != (end.size or 0) or (size and tree.fold(frontier) != bytes(end.root)):
        raise Damaged(log)
    entries = [bytes(one) for one in db.session.scalars(_TAKE, {"log": log, "page": page})]
    if not entries and end.at is not None and end.at > clock.now() - QUIET:
        return 0
    finished, frontier = tree.extend(size, frontier, entries)
    if entries:
        db.session.execute(_NEW_LEAVES, {"log": log, "first": size, "commitments": entries})
        nodes = [(level, index, node) for (level, index), node in finished if level]
        if nodes:
            levels, indexes, hashes = zip(*nodes, strict=True)
            db.session.execute(
                _NEW_NODES, {"log": log, "levels": list(levels), "indexes": list(indexes), "hashes": list(hashes)}
            )
    _sign(log, size + len(entries), tree.fold(frontier))
    return len(entries)


def _sign(log: str, size: int, root: bytes) -> None:
    signer, at = keys.signer(), clock.now()
    statement = statements.head_statement(log, size, root, at, signer.key_id, signer.algorithm)
    entry = statements.head_entry(statement)
    key = {"key_id": signer.key_id, "algorithm": signer.algorithm, "public": signer.public, "first_used_at": at}
    db.session.execute(upsert(LedgerKey.__table__).on_conflict_do_nothing(), key)
    head: dict[str, Any] = {
        "log": log, "size": size, "at": at, "root": root, "key_id": signer.key_id, "algorithm": signer.algorithm,
        "signature": signer.sign(statement), "entry": entry,
    }  # fmt: skip
    db.session.execute(insert(LedgerHead.__table__), head)
    if above := parent_of(log):
        db.session.execute(insert(LedgerQueue.__table__), {"commitment": entry, "log": above})
