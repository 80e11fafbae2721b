"""Reads of the logs: hashes of subtrees, heads, proofs. A proof reads as many hashes as the log's size has binary digits, twice."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import select, text

from app.errors import Invalid, Problem, Unknown
from app.extensions import db
from app.ledger import statements, tree
from app.ledger.models import LedgerHead, LedgerKey, LedgerLeaf
from app.ledger.tree import Place

_HASHES = text(
    """
    SELECT n.level, n.index, n.hash FROM unnest(CAST(:levels AS integer[]), CAST(:indexes AS bigint[])) AS w(level, index)
      JOIN ledger_nodes n ON n.log = :log AND n.level = w.level AND n.index = w.index
    UNION ALL
    SELECT 0, l.index, l.commitment FROM unnest(CAST(:leaves AS bigint[])) AS w(index)
      JOIN ledger_leaves l ON l.log = :log AND l.index = w.index
    """
)
_LATEST = text(
    """
    WITH RECURSIVE logs(log) AS (
      SELECT min(log) FROM ledger_heads WHERE log > :after
      UNION ALL SELECT (SELECT min(h.log) FROM ledger_heads h WHERE h.log > logs.log) FROM logs WHERE logs.log IS NOT NULL
    )
    SELECT h.* FROM (SELECT log FROM logs WHERE log IS NOT NULL LIMIT :most) l
     CROSS JOIN LATERAL (SELECT * FROM ledger_heads h WHERE h.log = l.log ORDER BY size DESC, at DESC LIMIT 1) h
     ORDER BY h.log
    """
)
# The newest head that holds an entry and that the level above has itself in a head: that chain can be shown to the end.
_EXCHANGED = text(
    """
    SELECT h.*, l.index AS above_index FROM ledger_heads h JOIN ledger_leaves l ON l.commitment = h.entry AND l.log = :above
     WHERE h.log = :log AND h.size > :index
       AND l.index < (SELECT size FROM ledger_heads WHERE log = :above ORDER BY size DESC, at DESC LIMIT 1)
     ORDER BY h.size DESC, h.at DESC LIMIT 1
    """
)


def hashes_at(log: str, places: Iterable[Place]) -> dict[Place, bytes]:
    """The hashes of perfect subtrees, leaves included, in one statement. A place that the log does not have is left out."""
    wanted = set(places)
    if not wanted:
        return {}
    nodes = [place for place in wanted if place[0]]
    rows = db.session.execute(
        _HASHES,
        {
            "log": log,
            "levels": [level for level, _ in nodes],
            "indexes": [index for _, index in nodes],
            "leaves": [index for level, index in wanted if not level],
        },
    )
    return {(level, index): bytes(one) if level else tree.leaf_hash(bytes(one)) for level, index, one in rows}


def latest_heads(after: str, most: int) -> list[dict[str, Any]]:
    """The newest signed head of each log, in the order of their names, from behind `after` on."""
    return [head_view(row) for row in db.session.execute(_LATEST, {"after": after, "most": most})]


def head_of(log: str, size: int | None = None) -> dict[str, Any]:
    """The newest signed head of a log, or of the log at a size. Raises Unknown."""
    return head_view(_head(log, size))


def inclusion(log: str, commitment: bytes, size: int | None = None) -> dict[str, Any]:
    """Where an entry stands below the newest head, or the head of a size, with the proof. Raises Unknown."""
    index = db.session.scalar(select(LedgerLeaf.index).where(LedgerLeaf.commitment == commitment, LedgerLeaf.log == log))
    if index is None:
        raise Unknown()
    head = _head(log, size)
    if index >= head.size:
        raise Unknown()
    return _included(log, index, head)


def consistency(log: str, first: int, second: int) -> dict[str, Any]:
    """The proof that the log of `second` entries begins with that of `first`. Raises Unknown, and Invalid for sizes out of order.

    `second` must be the size of a signed head, so that the answer can be held against one.
    """
    if not 0 < first <= second:
        raise Invalid({"first": ["1 to the second size"]})
    _head(log, second)
    return {"log": log, "first": first, "second": second, "path": _path(log, tree.consistency_ranges(first, second))}


def chain(commitment: bytes) -> list[dict[str, Any]]:
    """From an entry up: its inclusion in a head, that head's inclusion in the log above, up to the province.

    Raises Unknown for an entry that no log has yet.
    """
    links: list[dict[str, Any]] = []
    found = db.session.execute(
        select(LedgerLeaf.log, LedgerLeaf.index).where(LedgerLeaf.commitment == commitment)
    ).one_or_none()
    if found is None:
        raise Unknown()
    log, index = found
    while True:
        head = None
        if len(log) > 2:
            head = db.session.execute(_EXCHANGED, {"log": log, "above": log[:-2], "index": index}).one_or_none()
        links.append(_included(log, index, head or _head(log)))
        if head is None:
            return links
        log, index = log[:-2], head.above_index


def public_keys() -> list[dict[str, Any]]:
    """Every key that signed here, newest first."""
    rows = db.session.scalars(select(LedgerKey).order_by(LedgerKey.first_used_at.desc()).limit(100))
    return [
        {
            "key_id": row.key_id, "algorithm": row.algorithm, "public": row.public.hex(),
            "first_used_at": statements.instant(row.first_used_at),
            "revoked_at": statements.instant(row.revoked_at) if row.revoked_at else None,
        }
        for row in rows
    ]  # fmt: skip


def statement_of(row: Any) -> dict[str, Any]:
    """The statement that a stored head signs."""
    return statements.head_statement(row.log, row.size, bytes(row.root), row.at, row.key_id, row.algorithm)


def head_view(row: Any) -> dict[str, Any]:
    """A stored head with its signature, as the verifiers read it."""
    return {**statement_of(row), "signature": row.signature}


def _head(log: str, size: int | None = None) -> LedgerHead:
    heads = select(LedgerHead).where(LedgerHead.log == log)
    if size is not None:
        heads = heads.where(LedgerHead.size == size)
    found = db.session.scalars(heads.order_by(LedgerHead.size.desc(), LedgerHead.at.desc()).limit(1)).first()
    if found is None:
        raise Unknown()
    return found


def _included(log: str, index: int, head: Any) -> dict[str, Any]:
    return {"index": index, "path": _path(log, tree.inclusion_ranges(index, head.size)), "head": head_view(head)}


def _path(log: str, ranges: Sequence[tuple[int, int]]) -> list[str]:
    known = hashes_at(log, tree.places_of(ranges))
    try:
        return [one.hex() for one in tree.proof(ranges, known.__getitem__)]
    except KeyError as error:
        # A signed size whose leaves are gone: somebody cut the log behind the product.
        raise Problem("ledger-damaged", status=503) from error
