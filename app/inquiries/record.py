"""Uses of the records on record: who asked about whom, when, why, and how many rows of which dataset came back."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import text

from app import clock
from app.auth import Identity
from app.errors import Forbidden, Unknown
from app.extensions import db
from app.inquiries import models  # noqa: F401 - what is written here in SQL has its table there
from app.inquiries.subjects import Subject
from app.records.store import as_json
from app.web import cursor_of, read_cursor
from workflows.actor import Role

# Who may look at the record; which rows of it, the policy says. The same as with reads of cases.
REVIEWERS = frozenset({Role.TOWNSHIP_DISCIPLINE, Role.COUNTY_DISCIPLINE, Role.UPPER_DISCIPLINE, Role.AUDITOR})
# A petition or an alert that the asker does not see is one that does not exist.
_PUT = text(
    """
    INSERT INTO inquiries (id, at, account_id, role, org_id, division_code, subject_kind, subject, revealed, purpose,
                           petition_id, alert_id, counts)
    SELECT :id, :at, :account_id, :role, :org_id, :area, :kind, :subject, :revealed, :purpose,
           CAST(:petition_id AS uuid), CAST(:alert_id AS uuid), CAST(:counts AS jsonb)
     WHERE (CAST(:petition_id AS uuid) IS NULL OR EXISTS (SELECT 1 FROM petitions WHERE id = CAST(:petition_id AS uuid)))
       AND (CAST(:alert_id AS uuid) IS NULL OR EXISTS (SELECT 1 FROM alerts WHERE id = CAST(:alert_id AS uuid)))
    """
)
_LIST = """
    SELECT i.id, i.at, i.subject_kind, i.subject, i.revealed, i.purpose, i.petition_id, i.alert_id, i.counts,
           i.role, i.account_id, a.name AS reader, o.name AS body
      FROM inquiries i JOIN staff_accounts a ON a.id = i.account_id JOIN organisations o ON o.id = i.org_id
     WHERE true {where} ORDER BY i.at DESC, i.id DESC LIMIT :most
"""


@dataclass(frozen=True)
class Use:
    """One use of the records: about whom, why, and how much was found."""

    subject: Subject
    purpose: str
    petition_id: UUID | None
    alert_id: UUID | None
    revealed: bool
    counts: Mapping[str, int]
    id: UUID = field(default_factory=uuid4)
    at: datetime = field(default_factory=clock.now)


def put_on_record(use: Use, who: Identity) -> None:
    """Write the use down in the transaction that reads. Raises Unknown when it names a petition or an alert that the actor does not see."""
    row = {
        "id": use.id, "at": use.at, "account_id": who.actor.person_id, "role": who.actor.role, "org_id": who.actor.org_id,
        "area": who.actor.scope.ljust(12, "0"), "kind": use.subject.kind, "subject": use.subject.on_record,
        "revealed": use.revealed, "purpose": use.purpose, "petition_id": use.petition_id, "alert_id": use.alert_id,
        "counts": as_json(use.counts),
    }  # fmt: skip
    if not db.session.execute(_PUT, row).rowcount:  # type: ignore[attr-defined]
        raise Unknown()


def list_uses(query: Mapping[str, Any], who: Identity) -> dict[str, Any]:
    """Uses of the records in the reviewer's area, newest first: of everybody or of one account, for any case or for one. Raises Forbidden
    for who reviews nothing."""
    if who.actor.role not in REVIEWERS:
        raise Forbidden()
    where, values = "", {"most": query["limit"] + 1}
    for name in ("petition_id", "account_id"):
        if query[name] is not None:
            where += f" AND i.{name} = :{name}"
            values[name] = query[name]
    if query["cursor"]:
        values["at"], values["last"] = read_cursor(query["cursor"])
        where += " AND (i.at, i.id) < (:at, :last)"
    found = [row._mapping for row in db.session.execute(text(_LIST.format(where=where)), values)]
    items = found[: query["limit"]]
    more = len(found) > query["limit"]
    return {"items": items, "next": cursor_of(items[-1]["at"], items[-1]["id"]) if more else None}
