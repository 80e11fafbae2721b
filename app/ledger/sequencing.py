"""Commitments get their place in a log, and logs get signed heads. Done by the worker; safe to run twice and at once.

What waits is told by the queue and by no instant: transactions do not commit in the order of their clocks, so a watermark
would lose the late ones. A batch takes rows out of the queue, appends leaves and nodes, and signs a head, in one
transaction: a log never grows without a head, and what fails stays queued.

The log of a county grows by a rhythm (docs/adr/0019-padded-logs.md): every hour by the same number of entries, whether something
happened there or not. Where too little waits, commitments to nothing stand in between.
"""

import logging
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import insert, text
from sqlalchemy.dialects.postgresql import insert as upsert

from app import clock
from app.database import SYSTEM, transaction
from app.extensions import db
from app.ledger import keys, statements, tree
from app.ledger.models import LedgerHead, LedgerKey, LedgerPadding, LedgerQueue
from app.ledger.reading import hashes_at

logger = logging.getLogger("mingjian.ledger")

PAGE = 5_000
# A log that does not grow is signed anew this often, so that silence can be told from a log that is kept back.
QUIET = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Rhythm:
    """When the logs of counties grow and by how much, whatever happens there.

    A round begins at each full multiple of `every`. It places `least` entries, or one for every `villages` of the county if
    that is more: a number that everybody knows. What has waited for `patience` is placed in any case, in a multiple of it.
    """

    every: timedelta
    least: int
    villages: int
    patience: timedelta

    def began(self, now: datetime) -> datetime:
        """When the round that is running at `now` began."""
        return now - (now - _EPOCH) % self.every


_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
# Half of the delay that a receipt promises: the other half is for an outage.
HOURLY = Rhythm(every=timedelta(hours=1), least=4, villages=64, patience=timedelta(hours=12))
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
# Each county with villages has a log from the start, so that no log comes into being with its first case.
_DUE = text(
    """
    WITH RECURSIVE logs(log) AS (
      SELECT min(log) FROM ledger_heads
      UNION ALL SELECT (SELECT min(h.log) FROM ledger_heads h WHERE h.log > logs.log) FROM logs WHERE logs.log IS NOT NULL
    ), counties(log, villages) AS (
      SELECT left(code, 6), count(*) FROM divisions WHERE level = 5 AND withdrawn_on IS NULL GROUP BY 1
      UNION ALL SELECT log, 0 FROM logs WHERE length(log) = :length
      UNION ALL SELECT log, 0 FROM ledger_queue WHERE length(log) = :length
    )
    SELECT log, max(villages) AS villages FROM counties c GROUP BY log
    HAVING coalesce((SELECT at FROM ledger_heads h WHERE h.log = c.log ORDER BY size DESC, at DESC LIMIT 1) < :began, true)
     ORDER BY log
    """
)
_LONG_WAITING = text("SELECT count(*) FROM ledger_queue WHERE log = :log AND queued_at <= :before")
# The longest waiting first; in the log they stand in the order of the commitments again.
_TAKE_OLDEST = text(
    """
    WITH taken AS (
      DELETE FROM ledger_queue WHERE commitment IN (
        SELECT commitment FROM ledger_queue WHERE log = :log ORDER BY queued_at, commitment LIMIT :number)
      RETURNING commitment)
    SELECT commitment FROM taken
     WHERE NOT EXISTS (SELECT 1 FROM ledger_leaves l WHERE l.commitment = taken.commitment)
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
    """One run: entries that got their place, padding beside them, logs left to somebody who is at them, logs found damaged."""

    done: int = 0
    padded: int = 0
    skipped: int = 0
    failed: int = 0
    seconds: float = 0.0


def sequence(
    *, stopping: Callable[[], bool] = lambda: False, page: int = PAGE, rhythm: Rhythm | None = HOURLY
) -> Sequenced:
    """Give what waits its place and sign the heads; the heads of one level are entries of the next above.

    Counties follow `rhythm`; without one, what waits there is placed at once and nothing is padded, as in the levels above,
    whose entries are the heads of those below.
    """
    started = time.perf_counter()
    report = Sequenced()
    for length in LENGTHS:
        if rhythm is not None and length == LENGTHS[0]:
            _play(rhythm, report, stopping)
            continue
        with transaction(SYSTEM):
            waiting = list(db.session.scalars(_WAITING, {"length": length, "quiet": clock.now() - QUIET}))
        for log in sorted(waiting):
            while not stopping():
                taken = _attempt(log, report, lambda log=log: _append(log, page))
                if taken is None or taken < page:
                    break
    report.seconds = time.perf_counter() - started
    return report


def _play(rhythm: Rhythm, report: Sequenced, stopping: Callable[[], bool]) -> None:
    """One round of the logs of the counties that had none yet since it began."""
    with transaction(SYSTEM):
        # Within: the clock of a demonstration is set by the transaction.
        now = clock.now()
        due = db.session.execute(_DUE, {"length": LENGTHS[0], "began": rhythm.began(now)}).all()
    for log, villages in due:
        if stopping():
            return
        quota = max(rhythm.least, -(-villages // rhythm.villages))
        _attempt(log, report, lambda log=log, quota=quota: _append_padded(log, quota, rhythm, now, report))


def _attempt(log: str, report: Sequenced, append: Callable[[], int | None]) -> int | None:
    """What `append` placed, in a transaction of its own; None when the log is left as it is."""
    try:
        with transaction(SYSTEM):
            taken = append()
    except Damaged:
        logger.error("log %s is not what its last head signed: run `flask ledger verify`", log)
        report.failed += 1
        return None
    if taken is None:
        report.skipped += 1
    report.done += taken or 0
    return taken


def parent_of(log: str) -> str | None:
    """The log of the level above, to which the heads of this one go: county → city → province."""
    return log[:-2] if len(log) > LENGTHS[-1] else None


def _append(log: str, page: int) -> int | None:
    """One batch of one log, with its head. None when another process is at this log."""
    if not db.session.scalar(_LOCK, {"log": log}):
        return None
    end, frontier = _end_of(log)
    entries = [bytes(one) for one in db.session.scalars(_TAKE, {"log": log, "page": page})]
    if not entries and end.at is not None and end.at > clock.now() - QUIET:
        return 0
    _grow(log, end.leaves, frontier, entries)
    return len(entries)


def _append_padded(log: str, quota: int, rhythm: Rhythm, now: datetime, report: Sequenced) -> int | None:
    """One round of the log of a county: a multiple of `quota` entries, whatever waits. None when another process is at it."""
    if not db.session.scalar(_LOCK, {"log": log}):
        return None
    end, frontier = _end_of(log)
    if end.at is not None and end.at >= rhythm.began(now):
        return 0  # Another process has played this round in between.
    overdue = db.session.scalar(_LONG_WAITING, {"log": log, "before": now - rhythm.patience}) or 0
    number = max(quota, -(-overdue // quota) * quota)
    entries = [bytes(one) for one in db.session.scalars(_TAKE_OLDEST, {"log": log, "number": number})]
    salts = [secrets.token_bytes(32) for _ in range(number - len(entries))]
    padding = {statements.commitment(salt, statements.padding_document(log)): salt for salt in salts}
    if padding:
        rows = [{"commitment": one, "salt": salt} for one, salt in padding.items()]
        db.session.execute(insert(LedgerPadding.__table__).inline(), rows)
    report.padded += len(padding)
    _grow(log, end.leaves, frontier, sorted([*entries, *padding]))
    return len(entries)


def _end_of(log: str) -> tuple[Any, list[bytes]]:
    """The stored end of a log and its frontier. Raises Damaged when that is not what the last head signed."""
    end = db.session.execute(_END, {"log": log}).one()
    known = hashes_at(log, tree.cover(0, end.leaves))
    frontier = [known[place] for place in tree.cover(0, end.leaves) if place in known]
    # Asked of the frontier alone, so that it costs nothing: a log that was cut or changed is not signed over.
    if end.leaves != (end.size or 0) or (end.leaves and tree.fold(frontier) != bytes(end.root)):
        raise Damaged(log)
    return end, frontier


def _grow(log: str, size: int, frontier: list[bytes], entries: list[bytes]) -> None:
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
        db.session.execute(insert(LedgerQueue.__table__), {"commitment": entry, "log": above, "queued_at": at})
