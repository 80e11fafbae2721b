"""The second factor of staff: time-based one-time codes (RFC 6238), enrolled by the person."""

import pyotp
from sqlalchemy import text

from app import clock
from app.auth import Identity
from app.errors import Conflict, Unauthorised
from app.extensions import db
from app.signin.credentials import require_password, sealed_totp_secret, use_code
from app.signin.service import end_sessions

ISSUER = "明鉴 Mingjian"


def enrol(who: Identity, password: str) -> dict[str, str]:
    """A new secret for the person signed in, to be scanned and then confirmed with a code.

    The password is asked for again, or a stolen token could lock the owner out for good. Raises Unauthorised
    `wrong-credentials` and Conflict `second-factor-enrolled`.
    """
    assert who.actor.person_id is not None
    require_password(who.actor.person_id, password)
    secret = pyotp.random_base32()
    username = db.session.execute(
        text(
            """
            UPDATE staff_accounts SET totp_secret = :secret, totp_last_step = NULL
             WHERE id = :id AND totp_confirmed_at IS NULL RETURNING username
            """
        ),
        {"secret": sealed_totp_secret(who.actor.person_id, secret), "id": who.actor.person_id},
    ).scalar()
    if username is None:
        raise Conflict("second-factor-enrolled")
    return {"secret": secret, "otpauth_uri": pyotp.TOTP(secret).provisioning_uri(name=username, issuer_name=ISSUER)}


def confirm(who: Identity, code: str) -> None:
    """The first code proves that the secret arrived; from now on signing in needs one. Other sessions end.

    Raises Conflict (`second-factor-enrolled`, `second-factor-not-started`) and Unauthorised `wrong-code`.
    """
    account = who.actor.person_id
    assert account is not None
    secret, confirmed = db.session.execute(
        text("SELECT totp_secret, totp_confirmed_at FROM staff_accounts WHERE id = :id FOR UPDATE"), {"id": account}
    ).one()
    if confirmed is not None:
        raise Conflict("second-factor-enrolled")
    if secret is None:
        raise Conflict("second-factor-not-started")
    if not use_code(account, secret, code):
        raise Unauthorised("wrong-code")
    db.session.execute(
        text("UPDATE staff_accounts SET totp_confirmed_at = :now WHERE id = :id"),
        {"now": clock.now(), "id": account},
    )
    end_sessions(account, "second-factor-enrolled", but=who.session_id)
