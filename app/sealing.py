"""Envelope encryption: content under a data key of its own, the data key under a master key that never enters the database.

Destroying the wrapped data key destroys the content, wherever a copy of the ciphertext may lie. The algorithm stands beside
each ciphertext, so that it can be changed at any time: what was sealed before still opens. Every box is bound to its
context (which case, what for): a box moved to another case does not open.
"""

import base64
import hashlib
import os
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, CipherAlgorithm, algorithms, modes
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from app.config import MASTER_KEY_LENGTH, Settings, SettingsError, read_master_keys

NONCE_LENGTH = 12
TAG_LENGTH = 16
_CIPHERS: dict[str, tuple[type[CipherAlgorithm], int]] = {
    "aes-256-gcm": (algorithms.AES, 32),
    "sm4-gcm": (algorithms.SM4, 16),  # GB/T 32907, in GCM as RFC 8998 has it
}


class SealError(Exception):
    """A box does not open. The text names no content and no key."""


@dataclass(frozen=True, slots=True)
class Box:
    """Something sealed: which algorithm, the nonce, and the ciphertext with its tag."""

    algorithm: str
    nonce: bytes
    ciphertext: bytes


@dataclass(frozen=True, slots=True)
class WrappedKey:
    """A data key, sealed under the master key `key_id`."""

    key_id: str
    box: Box


class Keyring:
    """The master keys of this process. The first one wraps new data keys; all of them unwrap."""

    def __init__(self, keys: Iterable[bytes], algorithm: str) -> None:
        self._keys = {_key_id(key): key for key in keys}
        if not self._keys:
            raise ValueError("a keyring needs a key")
        self.current_id = next(iter(self._keys))
        self.algorithm = algorithm

    def new_data_key(self, context: bytes) -> tuple["DataKey", WrappedKey]:
        """A fresh data key, and what may be stored of it."""
        algorithm = self.algorithm
        key = DataKey(algorithm, secrets.token_bytes(_CIPHERS[algorithm][1]))
        return key, self.wrap(key, context)

    def wrap(self, key: "DataKey", context: bytes) -> WrappedKey:
        """The data key sealed under the current master key: for a new one, or when the master key is changed."""
        algorithm = key.algorithm
        wrapping = _wrapping_key(self._keys[self.current_id], algorithm)
        return WrappedKey(self.current_id, _seal(algorithm, wrapping, key.secret, b"data-key\0" + context))

    def unwrap(self, wrapped: WrappedKey, context: bytes) -> "DataKey":
        """The data key again. Raises SealError: unknown master key, other context, or changed bytes."""
        master = self._keys.get(wrapped.key_id)
        if master is None:
            raise SealError(f"the master key {wrapped.key_id} is not on the keyring")
        wrapping = _wrapping_key(master, wrapped.box.algorithm)
        return DataKey(wrapped.box.algorithm, _open(wrapping, wrapped.box, b"data-key\0" + context))


@dataclass(frozen=True, slots=True)
class DataKey:
    """The key of one case, in memory only."""

    algorithm: str
    secret: bytes = field(repr=False)

    def seal(self, plain: bytes, context: bytes) -> Box:
        """`plain` under this key, with a nonce of its own."""
        return _seal(self.algorithm, self.secret, plain, b"content\0" + context)

    def open(self, box: Box, context: bytes) -> bytes:
        """What is in the box. Raises SealError when key or context is another one, or a byte was changed."""
        return _open(self.secret, box, b"content\0" + context)


def keyring_of(settings: Settings) -> Keyring:
    """The keyring that the settings refer to. A trial makes its key at the first use, in VAR_DIR, readable by its owner alone.

    Raises SettingsError when the file is missing (production), unreadable or holds no key.
    """
    keys = settings.master_keys
    if not keys:
        path = settings.master_key_file
        if path is None:
            raise SettingsError(
                [
                    "MASTER_KEY_FILE is missing: identities are sealed with it. Example: MASTER_KEY_FILE=/etc/mingjian/master_key"
                ]
            )
        if settings.mode != "production":
            _make_key_file(path)
        try:
            keys = read_master_keys(path.read_text(encoding="ascii"))
        except OSError as error:
            raise SettingsError([f"MASTER_KEY_FILE can not be read ({error.strerror})"]) from error
        except ValueError as error:
            raise SettingsError([f"MASTER_KEY_FILE {error}"]) from error
    return Keyring(keys, settings.seal_algorithm)


def _make_key_file(path: Path) -> None:
    """Two processes that start at once end up with one key: the file appears complete, and only the first one counts."""
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(base64.b64encode(secrets.token_bytes(MASTER_KEY_LENGTH)).decode() + "\n")
    try:
        os.link(fresh, path)
    except FileExistsError:
        pass
    finally:
        fresh.unlink()


def _key_id(key: bytes) -> str:
    return hashlib.sha256(b"mingjian master key\0" + key).hexdigest()[:16]


def _wrapping_key(master: bytes, algorithm: str) -> bytes:
    """A key of the length that the algorithm takes, and never the same for two algorithms."""
    _, length = _known(algorithm)
    return HKDF(SHA256(), length, salt=None, info=b"mingjian wrapping\0" + algorithm.encode()).derive(master)


def _known(algorithm: str) -> tuple[type[CipherAlgorithm], int]:
    try:
        return _CIPHERS[algorithm]
    except KeyError:
        raise SealError(f"unknown algorithm {algorithm!r}") from None


def _cipher(algorithm: str, key: bytes, mode: modes.GCM) -> Cipher[modes.GCM]:
    kind, _ = _known(algorithm)
    return Cipher(kind(key), mode)  # type: ignore[call-arg]


def _seal(algorithm: str, key: bytes, plain: bytes, context: bytes) -> Box:
    nonce = secrets.token_bytes(NONCE_LENGTH)
    work = _cipher(algorithm, key, modes.GCM(nonce)).encryptor()
    work.authenticate_additional_data(algorithm.encode() + b"\0" + context)
    return Box(algorithm, nonce, work.update(plain) + work.finalize() + work.tag)


def _open(key: bytes, box: Box, context: bytes) -> bytes:
    if len(box.nonce) != NONCE_LENGTH or len(box.ciphertext) < TAG_LENGTH:
        raise SealError("not a sealed box")
    content, tag = box.ciphertext[:-TAG_LENGTH], box.ciphertext[-TAG_LENGTH:]
    try:
        work = _cipher(box.algorithm, key, modes.GCM(box.nonce, tag)).decryptor()
        work.authenticate_additional_data(box.algorithm.encode() + b"\0" + context)
        return work.update(content) + work.finalize()
    except (InvalidTag, ValueError):
        raise SealError("the box does not open") from None
