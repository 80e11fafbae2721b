"""Secrets that the product must be able to read again, sealed before they are stored.

Row-level security does not bind the owner of the tables, and a back-up holds every row: what would open an account may stand
in neither in clear. Passwords and PINs are not sealed but hashed, because nobody ever has to read them again.

A sealed secret is text, `algorithm:base64`. The name of the algorithm goes with it, so that another one can follow while
secrets of the old one are still there.
"""

import os
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error
from functools import lru_cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from flask import current_app

ALGORITHM = "aes256gcm-hkdf"
_NONCE_BYTES = 12


class Unreadable(Exception):
    """The sealed text is damaged, belongs to something else, or was sealed with another SECRET_KEY."""


def seal(secret: str, purpose: str, owner: object) -> str:
    """The secret as it may be stored. It opens only for the same `purpose` and the same `owner` (an id)."""
    nonce = os.urandom(_NONCE_BYTES)
    sealed = _cipher(_secret_key(), purpose).encrypt(nonce, secret.encode(), _bound_to(purpose, owner))
    return f"{ALGORITHM}:{urlsafe_b64encode(nonce + sealed).decode()}"


def unseal(text: str, purpose: str, owner: object) -> str:
    """The secret that was sealed for this purpose and owner. Raises Unreadable."""
    algorithm, _, body = text.partition(":")
    if algorithm != ALGORITHM:
        raise Unreadable("no algorithm of that name")
    try:
        raw = urlsafe_b64decode(body)
        opened = _cipher(_secret_key(), purpose).decrypt(
            raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], _bound_to(purpose, owner)
        )
    except (InvalidTag, Error, ValueError) as error:
        raise Unreadable("not sealed for this purpose and owner with this SECRET_KEY") from error
    return opened.decode()


def _bound_to(purpose: str, owner: object) -> bytes:
    return f"{ALGORITHM}\0{purpose}\0{owner}".encode()


def _secret_key() -> str:
    secret: str = current_app.config["SETTINGS"].secret_key
    return secret


@lru_cache(maxsize=16)
def _cipher(secret_key: str, purpose: str) -> AESGCM:
    # A key of its own for each purpose, none of them the key that signs tokens.
    derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=f"mingjian sealing\0{purpose}".encode())
    return AESGCM(derived.derive(secret_key.encode()))
