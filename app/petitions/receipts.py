"""Receipt numbers and PINs. A number tells neither order nor place; no PIN is ever stored."""

import hmac
import secrets

from flask import current_app

# No 0/O, 1/I/L: a number is read over the telephone and copied from paper.
ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"


def _mac(purpose: str, *parts: str) -> bytes:
    key = current_app.config["SECRET_KEY"].encode()
    return hmac.digest(key, "\0".join((purpose, *parts)).encode(), "sha256")


def pin_for(key: str) -> str:
    """Eight digits derived from the client's idempotency key, so that a repeated filing gives the same PIN."""
    return f"{int.from_bytes(_mac('pin', key)[:8]) % 10**8:08d}"


def serial_for(key: str) -> str:
    """The receipt number that belongs to an idempotency key: MJ-XXXX-XXXX-XXXX-XXXX, 79 bits, so that guessing one is
    hopeless."""
    number = int.from_bytes(_mac("serial", key)[:16])
    letters = []
    for _ in range(16):
        number, rest = divmod(number, len(ALPHABET))
        letters.append(ALPHABET[rest])
    text = "".join(letters)
    return "MJ-" + "-".join(text[i : i + 4] for i in range(0, 16, 4))


def new_pin() -> str:
    """Eight random digits, for a receipt whose first PIN was lost."""
    return f"{secrets.randbelow(10**8):08d}"


def pin_mac(serial: str, pin: str) -> str:
    """What is stored of a PIN: bound to its number and useless without the server's key."""
    return _mac("pin-check", serial, pin).hex()


def key_mac(key: str) -> str:
    """What is stored of an idempotency key."""
    return _mac("idempotency", key).hex()


def body_mac(body: bytes) -> str:
    """What is stored of a request body, to tell a repetition from a different request."""
    return _mac("body", body.hex()).hex()
