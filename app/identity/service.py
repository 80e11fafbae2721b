"""Break-glass: a confidential identity is opened by two people of two bodies, for a written reason, and the petitioner hears of it.

The rules stand in the policies of the tables (migrations/sql/0004_identity.sql). What is asked here again is asked only to
answer with words instead of a database error.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import insert, text

from app import clock, outbox, transitions
from app.auth import Identity
from app.errors import Conflict, Forbidden, Problem, Unknown
from app.extensions import db
from app.identity import store
from app.identity.models import IdentityGrant, IdentityOpening
from app.petitions.service import note
from app.privacy import reads

# How long who asked may look: long enough for one day's work, too short to forget that it is open.
LIFE = timedelta(hours=24)
PURPOSE = "open_identity"

_NEW_OPENING = insert(IdentityOpening.__table__).inline()
_NEW_GRANT = insert(IdentityGrant.__table__).inline()
_OPENINGS = """
    SELECT o.id, o.petition_id, p.serial, o.at, o.reason, o.account_id, o.org_id, asker.name AS asked_by, a.person_id,
           granter.name AS granted_by, g.until
      FROM identity_openings o
      JOIN petitions p ON p.id = o.petition_id
      JOIN organisations asker ON asker.id = o.org_id
      JOIN staff_accounts a ON a.id = o.account_id
      LEFT JOIN identity_grants g ON g.opening_id = o.id
      LEFT JOIN organisations granter ON granter.id = g.org_id
"""
_ONE = text(f"{_OPENINGS} WHERE o.id = :id")
_NEWEST = text(f"{_OPENINGS} ORDER BY o.at DESC, o.id LIMIT 200")
_SEALED = text(store.sealed_of(":id"))
_LETS = text("SELECT clue_lets(:id)")
_MAY = text(
    """
    SELECT coalesce((SELECT may_request FROM opening_roles WHERE role = :role), false) AS request,
           coalesce((SELECT may_grant FROM opening_roles WHERE role = :role), false) AS grant,
           (SELECT person_id FROM staff_accounts WHERE id = :account) AS person_id
    """
)


def request_opening(petition_id: UUID, reason: str, who: Identity) -> dict[str, Any]:
    """Ask for the identity of a confidential case to be opened. Opens nothing yet.

    Raises Unknown (no such case for this person), Forbidden `may-not-open`, Conflict `not-confidential`.
    """
    petition = transitions.lock(petition_id)
    # Of a petition that was sealed only the readers of its clue may ask.
    if not _rights(who).request or not db.session.scalar(_LETS, {"id": petition_id}):
        raise Forbidden("may-not-open")
    if petition.way != "confidential":
        raise Conflict("not-confidential")
    opening_id = uuid4()
    db.session.execute(
        _NEW_OPENING,
        {
            "id": opening_id, "petition_id": petition_id, "account_id": who.actor.person_id, "role": who.actor.role,
            "org_id": who.actor.org_id, "at": clock.now(), "reason": reason,
        },
    )  # fmt: skip
    note(petition, "request_opening", who, {"opening_id": opening_id, "reason": reason})
    outbox.announce("request_opening", petition)
    db.session.flush()
    return {"id": opening_id, "petition_id": petition_id, "status": "asked"}


def grant_opening(opening_id: UUID, who: Identity) -> dict[str, Any]:
    """Grant what a person of another body asked for. The petitioner is told at once.

    Raises Unknown, Forbidden `may-not-open` or `second-body-needed`, Conflict `already-granted`.
    """
    opening = _opening(opening_id)
    petition = transitions.lock(opening.petition_id)
    rights = _rights(who)
    if not rights.grant:
        raise Forbidden("may-not-open")
    same_human = rights.person_id is not None and rights.person_id == opening.person_id
    if opening.account_id == who.actor.person_id or opening.org_id == who.actor.org_id or same_human:
        raise Forbidden("second-body-needed")
    # Read again behind the lock: of two that grant at once the second is told so.
    if _opening(opening_id).until is not None:
        raise Conflict("already-granted")
    now = clock.now()
    db.session.execute(
        _NEW_GRANT,
        {
            "opening_id": opening_id, "petition_id": petition.id, "account_id": who.actor.person_id,
            "role": who.actor.role, "org_id": who.actor.org_id, "at": now, "until": now + LIFE,
        },
    )  # fmt: skip
    note(petition, "grant_opening", who, {"opening_id": opening_id, "until": now + LIFE})
    outbox.announce("grant_opening", petition)
    db.session.flush()
    return _view(_opening(opening_id), who, now)


def open_identity(opening_id: UUID, who: Identity) -> dict[str, Any]:
    """Who filed, for the person who asked and while the grant lasts. Each look is written on the timeline.

    The transaction must have been opened for PURPOSE. Raises Unknown, Forbidden `no-opening-in-force`, and Problem
    `identity-unreadable` (503) when the master key does not open it.
    """
    opening = _opening(opening_id)
    petition = transitions.lock(opening.petition_id)
    now = clock.now()
    sealed = db.session.execute(_SEALED, {"id": petition.id}).scalar()
    if sealed is None or opening.account_id != who.actor.person_id or opening.until is None or opening.until <= now:
        raise Forbidden("no-opening-in-force")
    people = store.open_sealed(petition.id, sealed)
    if people is None:
        raise Problem("identity-unreadable", status=503)
    note(petition, "open_identity", who, {"opening_id": opening_id})
    reads.record(petition.id, "identity", who, purpose=opening.reason, details={"opening_id": opening_id})
    db.session.flush()
    return {"people": people, "until": opening.until}


def list_openings(who: Identity) -> list[dict[str, Any]]:
    """The openings of cases that I may see, newest first; 200 at most."""
    now = clock.now()
    return [_view(row, who, now) for row in db.session.execute(_NEWEST)]


def _opening(opening_id: UUID) -> Any:
    row = db.session.execute(_ONE, {"id": opening_id}).one_or_none()
    if row is None:
        raise Unknown()
    return row


def _rights(who: Identity) -> Any:
    return db.session.execute(_MAY, {"role": who.actor.role, "account": who.actor.person_id}).one()


def _view(row: Any, who: Identity, now: datetime) -> dict[str, Any]:
    shown: Mapping[str, Any] = row._mapping
    status = "asked" if row.until is None else "granted" if now < row.until else "over"
    return {**shown, "status": status, "mine": row.account_id == who.actor.person_id}
