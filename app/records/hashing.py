"""Persons and accounts join by a keyed hash: equal numbers are found, and no number is stored."""

import hmac

from flask import current_app


class Hasher:
    """Hashes numbers of one kind under a key of its own. The key comes from SECRET_KEY: with another one nothing would join."""

    def __init__(self, kind: str) -> None:
        secret = current_app.config["SETTINGS"].secret_key.encode()
        self._key = hmac.digest(secret, b"records\0" + kind.encode(), "sha256")

    def __call__(self, number: str) -> str:
        """32 hexadecimal digits of HMAC-SHA256: 128 bits, so that no two of a billion numbers meet by chance."""
        return hmac.digest(self._key, number.encode(), "sha256")[:16].hex()


def key_hash(key: str) -> str:
    """What is stored of the key of a source."""
    return Hasher("source key")(key)
