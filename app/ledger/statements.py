"""What is committed to and what is signed, as bytes that anybody can make again.

A document is JSON in one canonical form: UTF-8, keys in order, no spaces, whole numbers only. A commitment is
SHA-256 over a random salt and a document: without the salt it tells nothing of what it commits to.
"""

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Protocol
from uuid import UUID

EVENT_KIND = "mingjian-event-v1"
TEXT_KIND = "mingjian-text-v1"
PADDING_KIND = "mingjian-padding-v1"
HEAD_KIND = "mingjian-head-v1"
PROMISE_KIND = "mingjian-promise-v1"
# What of a receipt the promise covers; the PIN is for its owner alone and stays outside.
RECEIPT_FIELDS = ("id", "serial", "state", "filed_at", "promises")


class Event(Protocol):
    """An event of a timeline, as far as its commitment covers it."""

    petition_id: Any
    seq: Any
    at: Any
    clock_offset_seconds: Any
    event: Any
    from_state: Any
    to_state: Any
    actor_kind: Any
    actor_id: Any
    actor_role: Any
    org_id: Any
    facts: Any


def canonical(document: Mapping[str, Any]) -> bytes:
    """The one byte form of a document. Raises TypeError for a number with a fraction: languages write those differently."""
    _refuse_fractions(document)
    return json.dumps(document, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()


def instant(at: datetime) -> str:
    """An instant in UTC with six digits of a second, always of the same length."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def text_digest(salt: bytes, serial: str, division_code: str, title: str, body: str) -> str:
    """The digest by which the first event of a case commits to the text that was filed, in hexadecimal."""
    document = {
        "kind": TEXT_KIND, "serial": serial, "division_code": division_code, "title": title, "body": body,
    }  # fmt: skip
    return hashlib.sha256(salt + canonical(document)).hexdigest()


def event_document(row: Event, text: str | None) -> dict[str, Any]:
    """The document of an event. `text` is the `text_digest` of a filing and None for every other event."""
    return {
        "kind": EVENT_KIND,
        "case": str(row.petition_id),
        "seq": row.seq,
        "at": instant(row.at),
        "clock_offset": row.clock_offset_seconds,
        "event": row.event,
        "from": row.from_state,
        "to": row.to_state,
        "actor": {
            "kind": row.actor_kind,
            "person": _text(row.actor_id),
            "role": row.actor_role,
            "body": _text(row.org_id),
        },
        "facts": row.facts,
        "text": text,
    }


def commitment(salt: bytes, document: Mapping[str, Any]) -> bytes:
    """The 32 bytes that stand in the log for a document."""
    return hashlib.sha256(salt + canonical(document)).digest()


def padding_document(log: str) -> dict[str, Any]:
    """The document of an entry that stands for nothing: its commitment looks like any other until its salt is known."""
    return {"kind": PADDING_KIND, "log": log}


def head_statement(log: str, size: int, root: bytes, at: datetime, key_id: str, algorithm: str) -> dict[str, Any]:
    """What a signed head says: at this instant the log had this many entries and this root."""
    return {
        "kind": HEAD_KIND, "log": log, "size": size, "root": root.hex(), "at": instant(at), "key_id": key_id,
        "algorithm": algorithm,
    }  # fmt: skip


def head_entry(statement: Mapping[str, Any]) -> bytes:
    """The 32 bytes by which a head stands in the log of the level above."""
    return hashlib.sha256(canonical(statement)).digest()


def receipt_digest(receipt: Mapping[str, Any]) -> str:
    """The digest of number, instant and dates of a receipt, as its reader has them in JSON."""
    return hashlib.sha256(canonical({name: receipt[name] for name in RECEIPT_FIELDS})).hexdigest()


def _text(identity: UUID | None) -> str | None:
    return None if identity is None else str(identity)


def _refuse_fractions(value: Any) -> None:
    if isinstance(value, float):
        raise TypeError("a committed document holds whole numbers only")
    if isinstance(value, dict):
        for one in value.values():
            _refuse_fractions(one)
    elif isinstance(value, list | tuple):
        for one in value:
            _refuse_fractions(one)
