"""Creating requests carry a key of the client's making; sent twice, they create once."""

import re
from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

import orjson
from flask import request
from sqlalchemy import column, text

from app import clock
from app.database import Target, insert_rows
from app.errors import Invalid, Problem, Unknown
from app.extensions import db
from app.petitions import receipts
from app.signin.models import IdempotencyKey

# 128 random bits are 22 characters of base64 or 32 of hexadecimal; a shorter key could be guessed.
_KEY = re.compile(r"^[A-Za-z0-9_-]{22,128}$")
# The header as the contract describes it, for routes that create.
KEY_HEADER = {
    "in": "header",
    "name": "Idempotency-Key",
    "required": True,
    "schema": {"type": "string", "pattern": _KEY.pattern},
    "description": "made at random by the client; the same key with the same body creates once",
}

KEYS = Target(IdempotencyKey.__table__)
_CLAIM = text(
    """
    WITH held AS MATERIALIZED (SELECT pg_advisory_xact_lock(hashtextextended(:mac, 0)))
    SELECT k.body_mac, k.answer,
           CAST(:about AS uuid) IS NULL OR EXISTS (SELECT 1 FROM petitions WHERE id = CAST(:about AS uuid))
             OR EXISTS (SELECT 1 FROM clues WHERE id = CAST(:about AS uuid)) AS seen
      FROM held LEFT JOIN idempotency_keys k ON k.key_mac = :mac
    """
).columns(column("body_mac"), column("answer"), column("seen"))


def key_of_request() -> str:
    """The request's Idempotency-Key. Raises Problem 400 when missing, Invalid when too short to be random."""
    key = request.headers.get("Idempotency-Key")
    if key is None:
        raise Problem("key-required", status=400)
    if not _KEY.match(key):
        raise Invalid({"Idempotency-Key": ["22 to 128 characters of A-Z a-z 0-9 _ -, made at random"]})
    return key


def body_of(draft: Mapping[str, Any]) -> str:
    """What is kept of a draft, to tell a repetition from a different request."""
    return receipts.body_mac(orjson.dumps(draft, default=str, option=orjson.OPT_SORT_KEYS))


def claim(key: str, body: str, about: UUID | None = None) -> dict[str, Any] | None:
    """The answer kept for this key, or None when it is new. Of two at once the second waits for the first.

    Raises Problem 422 `key-used-with-another-body`, and Unknown when the petition or clue that the request is about is one that the
    actor does not see, or no longer: a repeated key may tell no more than a new one.
    """
    row = db.session.execute(_CLAIM, {"mac": receipts.key_mac(key), "about": about}).one()
    if not row.seen:
        raise Unknown()
    if row.body_mac is None:
        return None
    if row.body_mac != body:
        raise Problem("key-used-with-another-body", status=422)
    answer: dict[str, Any] = row.answer
    return answer


def kept(key: str, body: str, answer: Mapping[str, Any]) -> dict[str, Any]:
    """The answer as a row of KEYS, to be kept for thirty days; the key itself is not stored."""
    return {
        "key_mac": receipts.key_mac(key),
        "body_mac": body,
        "status": 201,
        "created_at": clock.now(),
        "answer": orjson.loads(orjson.dumps(dict(answer), default=str)),
    }


def once(about: UUID | None, draft: Mapping[str, Any], create: Callable[[], Mapping[str, Any]]) -> Mapping[str, Any]:
    """What `create` returns, or returned when this request (about a petition or a clue, or None) was sent before. For requests whose
    answer holds no text. Raises what `claim` raises."""
    key, body = key_of_request(), body_of({**draft, "path": request.path})
    if earlier := claim(key, body, about):
        return earlier
    answer = create()
    insert_rows({KEYS: [kept(key, body, answer)]})
    return answer
