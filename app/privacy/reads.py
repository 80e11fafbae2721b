"""Reads of case content on record: who, what, when, why. Written in the transaction that reads, one statement each."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID, uuid4

import orjson
from sqlalchemy import insert, text

from app import clock, timeline
from app.auth import Identity
from app.extensions import db
from app.privacy.models import CaseRead
from app.web import cursor_of, read_cursor

# The reader sees the case (its policy holds here as well), and the part that the reader's body has in it is the reason.
_OF_A_CASE = """
    INSERT INTO case_reads (id, at, account_id, role, org_id, petition_id, division_code, what, purpose, details)
    SELECT :id, :at, :account_id, :role, :org_id, p.id, p.division_code, :what,
           coalesce(:purpose, CASE WHEN p.main_org_id = :org_id THEN 'handles'
                                   WHEN p.co_org_ids @> ARRAY[CAST(:org_id AS uuid)] THEN 'co_handles'
                                   WHEN p.owner_org_id = :org_id THEN 'in_charge' ELSE 'oversees' END),
           CAST(:details AS jsonb)
      FROM petitions p WHERE p.id = :petition_id
"""
_RECORD = text(_OF_A_CASE)
# The same as a part of a statement that reads the case, with the values that `look` gives.
LOOK = text(_OF_A_CASE).columns().cte("look")
_EXPORT = insert(CaseRead.__table__).inline()
_LIST = """
    SELECT r.id, r.at, r.petition_id, r.what, r.purpose, r.details, r.role, r.account_id, a.name AS reader, o.name AS body
      FROM case_reads r JOIN staff_accounts a ON a.id = r.account_id JOIN organisations o ON o.id = r.org_id
     WHERE true {where} ORDER BY r.at DESC, r.id DESC LIMIT :most
"""


def record(
    petition_id: UUID, what: str, who: Identity, *, purpose: str | None = None, details: Mapping[str, Any] | None = None
) -> None:
    """Put a look at a case on record. A petitioner's look at their own case is nobody's business and is not recorded.

    `purpose`: the written reason where there is one; otherwise the part that the reader's body has in the case.
    """
    if who.kind == "staff":
        db.session.execute(_RECORD, look(petition_id, what, who, purpose=purpose, details=details))


def look(
    petition_id: UUID, what: str, who: Identity, *, purpose: str | None = None, details: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The values of a look of staff at a case, for LOOK."""
    text_of = orjson.dumps(dict(details or {}), default=str).decode()
    return {**_reader(who), "petition_id": petition_id, "what": what, "purpose": purpose, "details": text_of}


def record_export(who: Identity, query: Mapping[str, Any]) -> None:
    """Put an export on record, with its filter."""
    area = who.actor.scope.ljust(12, "0")
    kept = {name: value for name, value in query.items() if value not in (None, [], False) and name != "limit"}
    values = {"petition_id": None, "division_code": area, "what": "export", "purpose": "export", "details": timeline.plain(kept)}
    db.session.execute(_EXPORT, {**_reader(who), **values})


def list_reads(query: Mapping[str, Any], petition_id: UUID | None = None) -> dict[str, Any]:
    """Who has read, newest first, as far as the policy shows it: discipline bodies for the cases that they see, auditors
    for their area. Says who read which case when and why, and nothing of what stands in it."""
    where, values = "", {"most": query["limit"] + 1}
    for name, value in (("petition_id", petition_id), ("account_id", query.get("account_id"))):
        if value is not None:
            where += f" AND r.{name} = :{name}"
            values[name] = value
    if query["cursor"]:
        values["at"], values["last"] = read_cursor(query["cursor"])
        where += " AND (r.at, r.id) < (:at, :last)"
    found = [row._mapping for row in db.session.execute(text(_LIST.format(where=where)), values)]
    items = found[: query["limit"]]
    more = len(found) > query["limit"]
    return {"items": items, "next": cursor_of(items[-1]["at"], items[-1]["id"]) if more else None}


def _reader(who: Identity) -> dict[str, Any]:
    return {
        "id": uuid4(), "at": clock.now(), "account_id": who.actor.person_id, "role": who.actor.role,
        "org_id": who.actor.org_id,
    }  # fmt: skip
