"""Rows and files sealed under the key of a case, and the keys of a back-up.

A row is a line of PostgreSQL's own COPY text, taken apart at its tabs and otherwise untouched: what goes in comes out, whatever
types the columns have.
"""

import base64
import binascii
import hashlib
import secrets
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import BinaryIO
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEY_LENGTH = 32
_ID_LENGTH = 16
_RECORD = _ID_LENGTH + KEY_LENGTH
_NONCE = 12
_TAG = 16

_FILE_MARK = b"mjfile1\0"
_SALT = 16
_PIECE = 256 * 1024


class BoxError(Exception):
    """A box does not open: another key, or a byte of it or of the row around it was changed."""


def fingerprint(key: bytes) -> str:
    """By which a key is known without being told."""
    return hashlib.sha256(b"mingjian content key\0" + key).hexdigest()[:16]


class ContentKeys:
    """The content keys of a back-up, sorted by case: 48 bytes for each, so that a million cases fit anywhere."""

    def __init__(self, records: bytes) -> None:
        if len(records) % _RECORD:
            raise ValueError("not a list of content keys")
        self._records = records

    def __len__(self) -> int:
        return len(self._records) // _RECORD

    def of(self, case: UUID | bytes) -> bytes | None:
        """The key of a case, by its id or by the text of it; None for a case that has none (any more)."""
        wanted = case.bytes if isinstance(case, UUID) else bytes.fromhex(case.replace(b"-", b"").decode())
        at = bisect_left(range(len(self)), wanted, key=self._id)
        if at == len(self) or self._id(at) != wanted:
            return None
        return self._records[at * _RECORD + _ID_LENGTH : (at + 1) * _RECORD]

    def all(self) -> Iterator[tuple[UUID, bytes]]:
        """Every case with its key."""
        for at in range(len(self)):
            yield UUID(bytes=self._id(at)), self._records[at * _RECORD + _ID_LENGTH : (at + 1) * _RECORD]

    def _id(self, at: int) -> bytes:
        return self._records[at * _RECORD : at * _RECORD + _ID_LENGTH]


def seal_row(key: bytes, place: bytes, clear: bytes, content: Sequence[bytes]) -> bytes:
    """The content of a row as a box in base64. It opens at this place and beside this clear part alone."""
    nonce = secrets.token_bytes(_NONCE)
    sealed = AESGCM(key).encrypt(nonce, b"\t".join(content), place + b"\0" + clear)
    return base64.b64encode(nonce + sealed)


def open_row(key: bytes, place: bytes, clear: bytes, box: bytes) -> list[bytes]:
    """The content again, field by field. Raises BoxError."""
    try:
        raw = base64.b64decode(box, validate=True)
        return AESGCM(key).decrypt(raw[:_NONCE], raw[_NONCE:], place + b"\0" + clear).split(b"\t")
    except (InvalidTag, ValueError, binascii.Error):
        raise BoxError from None


def seal_file(key: bytes, name: UUID, source: BinaryIO, target: BinaryIO) -> None:
    """Seal a file piece by piece, bound to its name; cutting it short or changing the order of its pieces is found."""
    salt = secrets.token_bytes(_SALT)
    cipher = _file_cipher(key, name, salt)
    target.write(_FILE_MARK + fingerprint(key).encode() + salt)
    piece, number = source.read(_PIECE), 0
    while True:
        following = source.read(_PIECE)
        target.write(cipher.encrypt(_piece_nonce(number, last=not following), piece, None))
        if not following:
            return
        piece, number = following, number + 1


def open_file(key: bytes, name: UUID, source: BinaryIO, target: BinaryIO) -> None:
    """The file again. Raises BoxError, at the latest when its last piece is missing: write into a draft."""
    if not sealed_under(key, source):
        raise BoxError
    cipher = _file_cipher(key, name, source.read(_SALT))
    size = _PIECE + _TAG
    piece, number = source.read(size), 0
    while True:
        following = source.read(size)
        try:
            target.write(cipher.decrypt(_piece_nonce(number, last=not following), piece, None))
        except (InvalidTag, ValueError):
            raise BoxError from None
        if not following:
            return
        piece, number = following, number + 1


def sealed_under(key: bytes, source: BinaryIO) -> bool:
    """Whether a sealed file, read from its start, is one of this key."""
    head = _FILE_MARK + fingerprint(key).encode()
    return source.read(len(head)) == head


def _file_cipher(key: bytes, name: UUID, salt: bytes) -> AESGCM:
    """A key for this one file, so that the numbers of its pieces can be the nonces."""
    return AESGCM(HKDF(SHA256(), KEY_LENGTH, salt=salt, info=b"mingjian file\0" + name.bytes).derive(key))


def _piece_nonce(number: int, *, last: bool) -> bytes:
    return number.to_bytes(_NONCE - 1, "big") + bytes([last])
