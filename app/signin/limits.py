"""How often a secret may be tried, counted in PostgreSQL so that all workers agree and a restart forgets nothing.

A try is counted, and committed, before the secret is looked at. So a try that fails stays counted although its request is
rolled back, and a hundred guesses sent at the same moment count as a hundred. A success takes its own try back.
"""

import hmac
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from ipaddress import IPv6Address, ip_address, ip_network
from math import ceil

from flask import current_app, request
from sqlalchemy import text

from app import clock
from app.auth import Identity, visitor
from app.errors import TooMany
from app.extensions import db


@dataclass(frozen=True, slots=True)
class Limit:
    """After `tries` within `window` the door is shut: for a minute, doubling with every further try up to an hour, and the
    window starts again with each try; or, without `backing_off`, until the window that the first try opened is over."""

    tries: int
    window: timedelta
    backing_off: bool


LIMITS = {
    "staff": Limit(tries=5, window=timedelta(days=1), backing_off=True),  # by user name
    "own-password": Limit(tries=5, window=timedelta(days=1), backing_off=True),  # by account, when already signed in
    "phone": Limit(tries=5, window=timedelta(days=1), backing_off=True),
    "receipt": Limit(tries=5, window=timedelta(days=1), backing_off=True),
    "address": Limit(tries=30, window=timedelta(minutes=15), backing_off=False),
    "recovery": Limit(tries=5, window=timedelta(days=1), backing_off=True),  # names tried with one phone
    "paper": Limit(tries=60, window=timedelta(minutes=15), backing_off=False),  # papers checked from one address
    "inquiry": Limit(tries=60, window=timedelta(hours=1), backing_off=False),  # questions to the records by one account
    "code": Limit(tries=5, window=timedelta(hours=1), backing_off=False),  # codes sent to one phone
    "code-address": Limit(
        tries=30, window=timedelta(minutes=15), backing_off=False
    ),  # codes asked for from one address
}

# Counted by network address: the key of their HMAC is another one each day.
BY_ADDRESS = frozenset({"address", "code-address", "paper"})
_BACK_OFF_MINUTES = 60

# The row is locked while it is counted. Where the door is shut nothing is updated and no row comes back: knocking at a shut
# door does not keep it shut longer.
_COUNT = text(
    """
    INSERT INTO attempts AS a (key, count, window_ends_at, locked_until)
    VALUES (:key, 1, :window_end, NULL)
    ON CONFLICT (key) DO UPDATE
       SET count = CASE WHEN a.window_ends_at <= :now THEN 1 ELSE a.count + 1 END,
           window_ends_at = CASE WHEN :backing_off OR a.window_ends_at <= :now THEN :window_end ELSE a.window_ends_at END,
           locked_until = CASE
               WHEN a.window_ends_at <= :now OR a.count + 1 < :tries THEN NULL
               WHEN :backing_off THEN :now + least(:most, 2 ^ least(a.count + 1 - :tries, 10)) * interval '1 minute'
               ELSE a.window_ends_at END
     WHERE a.locked_until IS NULL OR a.locked_until <= :now
    RETURNING count
    """
)


def count(kind: str, value: str) -> None:
    """Count one try at `value` (a user name, phone, receipt number or address) in the open transaction.

    The transaction must be committed before the secret is checked. Raises TooMany with `Retry-After` when the door is
    shut. Only an HMAC of the value is stored.
    """
    limit, key, now = LIMITS[kind], attempt_key(kind, value), clock.now()
    counted = db.session.execute(
        _COUNT,
        {
            "key": key,
            "now": now,
            "window_end": now + limit.window,
            "tries": limit.tries,
            "backing_off": limit.backing_off,
            "most": _BACK_OFF_MINUTES,
        },
    ).scalar()
    if counted is None:
        until = db.session.execute(
            text("SELECT locked_until FROM attempts WHERE key = :key"), {"key": key}
        ).scalar_one()
        seconds = max(1, ceil((until - now).total_seconds()))
        raise TooMany("too-many-attempts", headers={"Retry-After": str(seconds)}, retry_after_seconds=seconds)


def forget(kind: str, value: str) -> None:
    """The secret was right: the next mistake is a first one again."""
    db.session.execute(text("DELETE FROM attempts WHERE key = :key"), {"key": attempt_key(kind, value)})


def take_back(kind: str, value: str) -> None:
    """Take one counted try back and leave the others counted. An office behind one address signs in all morning; its
    successes must not use up the tries of the address, and must not wipe out the failures of a guesser beside it."""
    db.session.execute(
        text("UPDATE attempts SET count = greatest(count - 1, 0), locked_until = NULL WHERE key = :key"),
        {"key": attempt_key(kind, value)},
    )


@contextmanager
def one_try(kind: str, value: str) -> Iterator[Identity]:
    """A visitor's transaction for one try at a secret. The try is counted in a transaction of its own before the block, and
    forgiven when the block ends without an exception. Raises TooMany before the block is entered."""
    address = client_address()
    with visitor():
        count(kind, value)
        count("address", address)
    with visitor() as who:
        yield who
        forget(kind, value)
        take_back("address", address)


def client_address() -> str:
    """The address that the request came from; of IPv6 the /64 network, which is what one customer is given."""
    try:
        address = ip_address(request.remote_addr or "")
    except ValueError:
        return "unknown"
    if isinstance(address, IPv6Address):
        return str(ip_network((address, 64), strict=False))
    return str(address)


def attempt_key(kind: str, value: str) -> str:
    """What the table stores instead of the value: an HMAC, so that a stolen table tells no phone and no user name."""
    secret = _daily_key() if kind in BY_ADDRESS else current_app.config["SETTINGS"].secret_key.encode()
    return hmac.new(secret, f"attempts\0{kind}\0{value}".encode(), sha256).hexdigest()


def address_mac(purpose: str) -> str:
    """The address of this request as an HMAC under the key of today: enough to count with, and of another day no two of
    them belong together."""
    return hmac.new(_daily_key(), f"{purpose}\0{client_address()}".encode(), sha256).hexdigest()


def _daily_key() -> bytes:
    """All processes agree on it without storing it."""
    secret = current_app.config["SETTINGS"].secret_key.encode()
    return hmac.new(secret, f"daily address key\0{clock.today().isoformat()}".encode(), sha256).digest()
