"""Keeping and opening the identity of a case. The database decides who may fetch it; the master key opens it."""

import base64
import hashlib
import hmac
import logging
import re
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import orjson
from flask import current_app

from app.database import Rows, Target
from app.errors import Problem
from app.identity.models import DataKeyRow, SealedIdentity
from app.sealing import Box, Keyring, SealError, WrappedKey, keyring_of

log = logging.getLogger("mingjian.identity")

_IDENTITIES = Target(SealedIdentity.__table__)
_DATA_KEYS = Target(DataKeyRow.__table__)


def sealed_of(case: str) -> str:
    """The query of a sealed identity with its key as one JSON value, for a statement that asks for more at once; NULL where
    the reader may not see it, or where the key was destroyed. `case`: how that statement names the id of the case.
    """
    return f"""
        SELECT json_build_object('algorithm', i.algorithm, 'nonce', encode(i.nonce, 'base64'),
                                 'ciphertext', encode(i.ciphertext, 'base64'), 'key_id', k.key_id,
                                 'key_algorithm', k.algorithm, 'key_nonce', encode(k.nonce, 'base64'),
                                 'wrapped', encode(k.wrapped, 'base64'))
          FROM sealed.identities i JOIN sealed.data_keys k ON k.petition_id = i.petition_id
         WHERE i.petition_id = {case}
    """


def keyring() -> Keyring:
    """The keyring of this process, read once. Raises SettingsError."""
    ring = current_app.extensions.get("keyring")
    if ring is None:
        ring = current_app.extensions["keyring"] = keyring_of(current_app.config["SETTINGS"])
    found: Keyring = ring
    return found


def rows_of(petition_id: UUID, way: str, people: Sequence[Mapping[str, Any]]) -> Rows:
    """Who files, sealed under a new data key of this case, as rows to be written with it; none for nobody.

    way: named or confidential.
    """
    if not people:
        return {}
    made = sealed_values(petition_id, people, keyring())
    identity = {name: made[name] for name in ("petition_id", "algorithm", "nonce", "ciphertext")}
    return {
        _IDENTITIES: [{**identity, "way": way, "recovery_mac": recovery_mac_of(people)}],
        _DATA_KEYS: [
            {
                "petition_id": petition_id, "key_id": made["key_id"], "algorithm": made["key_algorithm"],
                "nonce": made["key_nonce"], "wrapped": made["wrapped"],
            }
        ],
    }  # fmt: skip


def recovery_mac_of(people: Sequence[Mapping[str, Any]]) -> str | None:
    """What finds the case again when its receipt is lost; None unless the petitioner gave both phone and name."""
    first = next((one for one in people if one["part"] == "petitioner"), None)
    return recovery_mac(first["phone"], first["name"]) if first and first["phone"] and first["name"] else None


def recovery_mac(phone: str, name: str) -> str:
    """The digest of a phone and a name under a key that SECRET_KEY gives: without it nobody can try names and phones.

    Blanks, hyphens and a leading +86 of the phone do not matter; the name must be the very same.
    """
    secret = current_app.config["SETTINGS"].secret_key.encode()
    key = hmac.new(secret, b"lost receipt key", hashlib.sha256).digest()
    number = re.sub(r"[\s-]|^\s*(?:\+|00)86", "", phone)
    return hmac.new(key, f"{number}\0{name}".encode(), hashlib.sha256).hexdigest()


def sealed_values(petition_id: UUID, people: Sequence[Mapping[str, Any]], ring: Keyring) -> dict[str, Any]:
    """The columns of both tables for one case."""
    key, wrapped = ring.new_data_key(petition_id.bytes)
    box = key.seal(_canonical(people), petition_id.bytes)
    return {
        "petition_id": petition_id, "algorithm": box.algorithm, "nonce": box.nonce, "ciphertext": box.ciphertext,
        "key_id": wrapped.key_id, "key_algorithm": wrapped.box.algorithm, "key_nonce": wrapped.box.nonce,
        "wrapped": wrapped.box.ciphertext,
    }  # fmt: skip


def phone_mac(phone: str) -> str:
    """What an account is found by instead of its telephone number: useless without the key of the server."""
    secret = current_app.config["SECRET_KEY"].encode()
    return hmac.new(secret, f"villager\0{phone}".encode(), hashlib.sha256).hexdigest()


def seal_phone(villager_id: UUID, phone: str, ring: Keyring) -> dict[str, str]:
    """The number of an account, sealed as the identity of a case is, as one JSON value as `sealed_of` gives it."""
    values = sealed_values(villager_id, [{"part": "account", "phone": phone}], ring)
    return {
        name: base64.b64encode(value).decode() if isinstance(value, bytes) else str(value)
        for name, value in values.items()
        if name != "petition_id"
    }


def phone_of(villager_id: UUID, sealed: Mapping[str, str]) -> str:
    """The number of an account again. Raises Problem `identity-unreadable` (503) when it does not open."""
    people = open_sealed(villager_id, sealed)
    if not people:
        raise Problem("identity-unreadable", status=503)
    number: str = people[0]["phone"]
    return number


def open_sealed(petition_id: UUID, sealed: Mapping[str, str] | None) -> list[dict[str, Any]] | None:
    """The people in a value of `sealed_of`: [] for no value, None when it does not open (logged without any content)."""
    if sealed is None:
        return []
    try:
        return opened(petition_id, sealed, keyring())
    except SealError as error:
        log.error("the identity of a case does not open: %s", error)
        return None


def opened(petition_id: UUID, sealed: Mapping[str, str], ring: Keyring) -> list[dict[str, Any]]:
    """The people in a value of `sealed_of`. Raises SealError."""
    box = Box(sealed["algorithm"], base64.b64decode(sealed["nonce"]), base64.b64decode(sealed["ciphertext"]))
    key = ring.unwrap(_wrapped(sealed), petition_id.bytes)
    people: list[dict[str, Any]] = orjson.loads(key.open(box, petition_id.bytes))
    return people


def seal_again(petition_id: UUID, sealed: Mapping[str, str], people: Sequence[Mapping[str, Any]]) -> Box:
    """Other people in place of those in a value of `sealed_of`, under the same data key. Raises SealError."""
    key = keyring().unwrap(_wrapped(sealed), petition_id.bytes)
    return key.seal(_canonical(people), petition_id.bytes)


def _wrapped(sealed: Mapping[str, str]) -> WrappedKey:
    nonce, wrapped = base64.b64decode(sealed["key_nonce"]), base64.b64decode(sealed["wrapped"])
    return WrappedKey(sealed["key_id"], Box(sealed["key_algorithm"], nonce, wrapped))


def _canonical(people: Sequence[Mapping[str, Any]]) -> bytes:
    return orjson.dumps([dict(one) for one in people], option=orjson.OPT_SORT_KEYS)
