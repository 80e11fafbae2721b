"""The signed promise that a receipt carries, and what is told of the logs."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from app import clock
from app.ledger import keys, reading, statements

# How long a commitment may at most wait for its place, in seconds. It takes about a minute; a day leaves room for an outage.
MAX_DELAY = 86_400
LOG_DIGITS = 6


def promise(commitment: bytes, division_code: str, filed_at: datetime, receipt: Mapping[str, Any]) -> dict[str, Any]:
    """The signed promise to put a commitment into the log of its county within MAX_DELAY seconds. Reads and writes nothing.

    It covers number, instant and dates of the receipt, so that neither can be changed or moved to another receipt.
    """
    signer = keys.signer()
    statement = {
        "kind": statements.PROMISE_KIND,
        "log": division_code[:LOG_DIGITS],
        "commitment": commitment.hex(),
        "filed_at": statements.instant(filed_at),
        "max_delay": MAX_DELAY,
        "receipt": statements.receipt_digest(receipt),
        "key_id": signer.key_id,
        "algorithm": signer.algorithm,
    }
    return {**statement, "signature": signer.sign(statement)}


def list_logs(after: str, limit: int) -> dict[str, Any]:
    """A page of logs with their newest heads, and behind which one the next page begins."""
    heads = reading.latest_heads(after, limit + 1)
    return {"items": heads[:limit], "next": heads[limit - 1]["log"] if len(heads) > limit else None}


def list_keys() -> dict[str, Any]:
    """Every public key that signed here, that of this process included, newest first."""
    known, own = reading.public_keys(), keys.signer()
    if own.key_id not in {one["key_id"] for one in known}:
        # Promises may have been signed with a key that has not signed any head yet.
        fresh = {"key_id": own.key_id, "algorithm": own.algorithm, "public": own.public.hex(), "revoked_at": None}
        known.insert(0, {**fresh, "first_used_at": statements.instant(clock.now())})
    return {"items": known}


def prove(commitment: bytes, since: int | None) -> dict[str, Any]:
    """All that a reader without connection needs to check an entry: the chain upwards and the public keys.

    With `since`, also that the log of its first head begins with the log of that size. Raises Unknown and Invalid.
    """
    links = reading.chain(commitment)
    first = links[0]["head"]
    grown = [reading.consistency(first["log"], since, first["size"])] if since is not None else []
    return {"commitment": commitment.hex(), "links": links, "consistency": grown, "keys": list_keys()["items"]}
