"""Finding a lost receipt again: for people who filed without an account, gave a phone, and still have it."""

from typing import Any
from uuid import UUID

from sqlalchemy import text

from app.auth import Identity
from app.database import set_actor
from app.errors import Unauthorised
from app.extensions import db
from app.identity import store
from app.petitions import service as petitions
from app.signin import service as signin


def recover_receipts(phone: str, code: str, name: str, who: Identity) -> list[dict[str, Any]]:
    """The receipts filed with this phone under this name, newest first, each with a new PIN; earlier PINs stop working.

    A phone number is given to somebody else after a while, so the code alone opens nothing: the name must be the one
    written at filing. A wrong code, another name and a phone that filed nothing are refused alike: Unauthorised
    `not-recovered`. Call it within `one_try`, so that names can not be tried out.
    """
    try:
        signin.use_phone_code(phone, code)
    except Unauthorised as error:
        raise Unauthorised("not-recovered") from error
    found = list(db.session.scalars(_FOUND, {"mac": store.recovery_mac(phone, name)}))
    if not found:
        raise Unauthorised("not-recovered")
    # Each case is opened with no more rights than its own receipt has.
    return [_renew(petition_id, who) for petition_id in found]


_FOUND = text("SELECT id FROM recoverable_petitions(:mac)")


def _renew(petition_id: UUID, who: Identity) -> dict[str, Any]:
    set_actor(who.actor, petition_id=petition_id)
    signin.end_receipt_sessions(petition_id, "receipt-recovered")
    return petitions.renew_pin(petition_id, who)
