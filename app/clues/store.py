"""Sealing and opening what a clue says. The database decides who may fetch the key; the master key opens it."""

import base64
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import orjson

from app.errors import Problem
from app.identity.store import keyring
from app.sealing import Box, DataKey, SealError, WrappedKey

# The wrapped key of a clue as one JSON value, for a statement that asks for more at once; NULL for who may not read it.
# Takes the clue as :id.
KEY = """
    (SELECT json_build_object('key_id', k.key_id, 'algorithm', k.algorithm, 'nonce', encode(k.nonce, 'base64'),
                              'wrapped', encode(k.wrapped, 'base64'))
       FROM sealed.data_keys k WHERE k.petition_id = :id)
"""


def new_key(clue_id: UUID) -> tuple[DataKey, dict[str, Any]]:
    """A key for a new clue, and its row of sealed.data_keys."""
    key, wrapped = keyring().new_data_key(clue_id.bytes)
    row = {
        "petition_id": clue_id, "key_id": wrapped.key_id, "algorithm": wrapped.box.algorithm,
        "nonce": wrapped.box.nonce, "wrapped": wrapped.box.ciphertext,
    }  # fmt: skip
    return key, row


def key_of(clue_id: UUID, stored: Mapping[str, str] | None) -> DataKey | None:
    """The key in a value of KEY; None for no value. Raises Problem `clue-unreadable` (503) when it does not open."""
    if stored is None:
        return None
    box = Box(stored["algorithm"], base64.b64decode(stored["nonce"]), base64.b64decode(stored["wrapped"]))
    try:
        return keyring().unwrap(WrappedKey(stored["key_id"], box), clue_id.bytes)
    except SealError as error:
        raise Problem("clue-unreadable", status=503) from error


def seal(key: DataKey, clue_id: UUID, part: str, words: Any) -> dict[str, Any]:
    """`words` as columns algorithm, nonce and ciphertext. part: what it is of the clue, so that no box passes for another."""
    box = key.seal(orjson.dumps(words, default=str), clue_id.bytes + part.encode())
    return {"algorithm": box.algorithm, "nonce": box.nonce, "ciphertext": box.ciphertext}


def unseal(key: DataKey, clue_id: UUID, part: str, row: Any) -> Any:
    """The words in the columns of a row. Raises Problem `clue-unreadable` (503)."""
    try:
        box = Box(row.algorithm, bytes(row.nonce), bytes(row.ciphertext))
        return orjson.loads(key.open(box, clue_id.bytes + part.encode()))
    except SealError as error:
        raise Problem("clue-unreadable", status=503) from error
