"""What rules and sources outside have found becomes alerts: one statement, whoever writes at the same time.

A fingerprint says what an alert is about: the rule and the values of its key, whatever its version and the time. Of one
fingerprint one alert is current. Found again with the same rows, it says nothing new; with more rows, they are added while
it is open, and raise a child of it once it is closed, unless a clearance in force covers them.
"""

import hashlib
import hmac
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from uuid import UUID, uuid4, uuid5

import orjson
from flask import current_app
from sqlalchemy import Boolean, Integer, text

from app import clock
from app.alerts.models import Alert
from app.directory.codes import pad
from app.errors import Problem, Unauthorised
from app.extensions import db
from app.petitions.receipts import ALPHABET
from workflows.alert_record import COLOURS

FLOOD_LIMIT = 500  # alerts of one rule in one run; beyond it the whole packet is held for the owner of the rule
PAGE = 500
_PACKETS = UUID("0d3c1f5e-6a55-4f0a-9a0e-6f5f6a1f7d21")
_FOLD = text("SELECT print, outcome FROM fold_alerts(CAST(:given AS jsonb))")
_PUSH = text("SELECT print, outcome FROM push_alert(:mac, CAST(:given AS jsonb))")


@dataclass(frozen=True, slots=True)
class Hit:
    """One row of evidence of one alert, as a rule returns it. money_fen: at stake, in fen; happened_on: a day in Asia/Shanghai."""

    alert_key: str
    place: str
    dataset: str
    row_id: int
    colour: str
    part: str = ""
    happened_on: date | None = None
    money_fen: int | None = None
    content: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Subjects:
    """Whom and what an alert is about: keyed hashes of persons, unified codes of companies, numbers of contracts, and the
    names of people, by which those who must withdraw are found."""

    persons: Sequence[str] = ()
    companies: Sequence[str] = ()
    contracts: Sequence[str] = ()
    names: Sequence[str] = ()


NOBODY = Subjects()


@dataclass(frozen=True, slots=True)
class Raised:
    """By what alerts are raised: a version of a rule and its document. `mutes`: codes of weaker rules that it makes
    superfluous for the same key. `new`: the rule is still on trial, so that its owner lets each packet go."""

    code: str
    version: int
    module: str
    document: Mapping[str, Any]
    mutes: Sequence[str] = ()
    new: bool = False
    flood_limit: int = FLOOD_LIMIT


@dataclass(frozen=True, slots=True)
class Folded:
    """What came of the hits, by outcome: new, known, evidence_added, child, suppressed; and why the new ones are held."""

    outcomes: Mapping[str, int] = field(default_factory=dict)
    held: str | None = None


def fingerprint_of(rule_code: str, alert_key: str) -> str:
    """What an alert is about, as 64 hexadecimal digits."""
    return hashlib.sha256(f"{rule_code}\0{alert_key}".encode()).hexdigest()


def evidence_hash_of(rows: Iterable[tuple[str, int]]) -> str:
    """The rows (dataset, row_id) that an alert rests on, in whatever order, as 64 hexadecimal digits."""
    return hashlib.sha256("\n".join(f"{dataset}:{row_id}" for dataset, row_id in sorted(set(rows))).encode()).hexdigest()


def fold_alerts(
    rule: Raised, hits: Iterable[Hit], *, run_id: UUID | None = None, subjects: Mapping[str, Subjects] | None = None
) -> Folded:
    """Fold everything that one run of one rule has found into alerts, in the open transaction of the worker.

    run_id: the run; its alerts of a township make one packet. subjects: by alert key. All hits of a run come with one call:
    more alerts than `flood_limit` are held, all of them. Safe to repeat.
    """
    grouped = _grouped(hits)
    held = "new_rule" if rule.new else "flood" if len(grouped) > rule.flood_limit else None
    counts: Counter[str] = Counter()
    rows = sorted(_alerts(rule, grouped, run_id, subjects or {}, held), key=lambda pair: pair[0]["fingerprint"])
    for start in range(0, len(rows), PAGE):
        page = rows[start : start + PAGE]
        for row in db.session.execute(_FOLD, {"given": _given(rule, page, run_id)}):
            counts[row.outcome] += 1
    return Folded(dict(counts), held)


def push_alert(
    key: str, rule: Raised, hits: Sequence[Hit], subjects: Subjects, money_fen: int | None = None
) -> dict[str, str]:
    """Fold one alert that a source outside sends, named by its key. money_fen: at stake in all. What came of it: see `Folded`.

    Raises Unauthorised `unknown-source` and Problem `outside-source` (403) for a rule or a place that it may not speak of.
    """
    grouped = _grouped(hits)
    page = list(_alerts(rule, grouped, None, {hits[0].alert_key: subjects}, None))
    if money_fen is not None:
        page[0][0]["money_fen"] = money_fen
    found = db.session.execute(_PUSH, {"mac": source_mac(key), "given": _given(rule, page, None)}).one()
    if found.outcome == "unknown-source":
        raise Unauthorised("unknown-source")
    if found.outcome == "outside-source":
        raise Problem("outside-source", status=403)
    return {"fingerprint": found.print, "outcome": found.outcome}


def source_mac(key: str) -> str:
    """What is stored of the key of a source."""
    secret = current_app.config["SECRET_KEY"].encode()
    return hmac.digest(secret, f"alert source\0{key}".encode(), "sha256").hex()


def outside_row(source_reference: str) -> int:
    """The number, below zero, of a row that stands with a source outside."""
    return -1 - int.from_bytes(hashlib.sha256(source_reference.encode()).digest()[:8]) // 2


# What stands on an alert before anybody has done anything with it; what may be missing is.
_AS_NEW: Mapping[str, Any] = {
    column.key: False if isinstance(column.type, Boolean) else 0 if isinstance(column.type, Integer) else []
    for column in Alert.__table__.columns
    if not column.nullable
} | {"state": "filed", "current": True}


def _grouped(hits: Iterable[Hit]) -> dict[str, list[Hit]]:
    grouped: dict[str, list[Hit]] = defaultdict(list)
    for hit in hits:
        grouped[hit.alert_key].append(hit)
    return grouped


def _alerts(
    rule: Raised, grouped: Mapping[str, Sequence[Hit]], run_id: UUID | None, subjects: Mapping[str, Subjects], held: str | None
) -> Iterator[tuple[dict[str, Any], list[dict[str, Any]]]]:
    """Each alert as a row, with its evidence as rows."""
    now = clock.now()
    for key, hits in grouped.items():
        about, first = subjects.get(key, NOBODY), hits[0]
        alert_id = uuid4()
        money = [hit.money_fen for hit in hits if hit.money_fen is not None]
        days = [hit.happened_on for hit in hits if hit.happened_on is not None]
        rows = sorted({hit.row_id for hit in hits})
        colour = min((hit.colour for hit in hits), key=COLOURS.index)
        alert = _AS_NEW | {
            "id": alert_id, "serial": _serial_of(alert_id), "rule_code": rule.code, "rule_version": rule.version,
            "module": rule.module, "fingerprint": fingerprint_of(rule.code, key), "alert_key": key, "mutes": list(rule.mutes),
            "evidence_hash": evidence_hash_of((hit.dataset, hit.row_id) for hit in hits), "place": first.place,
            "colour": colour, "found_colour": colour, "money_fen": max(money, default=None),
            "happened_on": max(days, default=None), "raised_at": now, "run_id": run_id,
            "packet_id": packet_id_of(rule.code, first.place, run_id), "seen_rows": rows, "persons": list(about.persons),
            "companies": list(about.companies), "contracts": list(about.contracts), "subject_names": list(about.names),
            "hold_reason": held, "flood": held == "flood",
        }  # fmt: skip
        yield alert, [_evidence(alert_id, hit, now) for hit in hits]


def _evidence(alert_id: UUID, hit: Hit, now: datetime) -> dict[str, Any]:
    return {
        "alert_id": alert_id, "row_id": hit.row_id, "dataset": hit.dataset, "part": hit.part, "money_fen": hit.money_fen,
        "content": hit.content, "added_at": now,
    }  # fmt: skip


def packet_id_of(rule_code: str, place: str, run_id: UUID | None) -> UUID | None:
    """The packet that a hit of a run belongs to: one for each rule, township and run."""
    return uuid5(_PACKETS, f"{rule_code}\0{place[:9]}\0{run_id}") if run_id is not None else None


def _given(rule: Raised, page: Sequence[tuple[dict[str, Any], list[dict[str, Any]]]], run_id: UUID | None) -> str:
    packets = {
        alert["packet_id"]: {
            "id": alert["packet_id"], "rule_code": rule.code, "rule_version": rule.version, "township": pad(alert["place"][:9]),
            "run_id": run_id, "made_at": alert["raised_at"],
        }
        for alert, _ in page
        if alert["packet_id"] is not None
    }  # fmt: skip
    given = {
        "rules": [{"code": rule.code, "version": rule.version, "document": rule.document}],
        "packets": list(packets.values()),
        "alerts": [alert for alert, _ in page],
        "evidence": [row for _, evidence in page for row in evidence],
    }
    return orjson.dumps(given).decode()


def _serial_of(alert_id: UUID) -> str:
    """A number for people, YJ-XXXX-XXXX-XXXX: 59 bits of the id, which tell neither order nor place."""
    number, letters = alert_id.int, []
    for _ in range(12):
        number, rest = divmod(number, len(ALPHABET))
        letters.append(ALPHABET[rest])
    return "YJ-" + "-".join("".join(letters[i : i + 4]) for i in range(0, 12, 4))
