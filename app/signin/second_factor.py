"""The second factor of staff: time-based one-time codes (RFC 6238), enrolled by the person, reset by two others."""

from typing import Any
from uuid import UUID

import pyotp
from flask import current_app
from sqlalchemy import text

from app import clock
from app.auth import Identity
from app.errors import Conflict, Forbidden, Unauthorised, Unknown
from app.extensions import db
from app.signin.credentials import require_password, sealed_totp_secret, use_code
from app.signin.service import end_sessions
from workflows.actor import Role

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
        text("UPDATE staff_accounts SET totp_confirmed_at = :now, totp_reset_asked_by = NULL WHERE id = :id"),
        {"now": clock.now(), "id": account},
    )
    end_sessions(account, "second-factor-enrolled", but=who.session_id)


_TARGET = text(
    """
    SELECT a.totp_secret, a.totp_reset_asked_by AS asked_by
      FROM staff_accounts a
     WHERE a.id = :id
       AND NOT EXISTS (SELECT 1 FROM appointments p JOIN organisations o ON o.id = p.org_id
                        WHERE p.account_id = a.id
                          AND NOT (o.division_code >= :lo AND o.division_code < :hi))
       FOR UPDATE OF a
    """
)


def reset(who: Identity, account_id: UUID) -> dict[str, Any]:
    """Take the second factor off an account: a system administrator asks, somebody else confirms.

    The second person is another system or security administrator; neither may be the person concerned, and all
    organisations of the account lie within the area of both. Answers {"status": "asked" | "reset"}. A reset ends the
    sessions of the account. Raises Forbidden, Unknown, Conflict (`second-factor-not-enrolled`, `reset-not-asked`,
    `second-person-needed`).
    """
    me = who.actor
    if me.role not in (Role.SYSTEM_ADMIN, Role.SECURITY_ADMIN) or me.person_id == account_id:
        raise Forbidden()
    account = db.session.execute(
        _TARGET, {"id": account_id, "lo": me.scope, "hi": f"{me.scope}:" if me.scope else ""}
    ).one_or_none()
    if account is None:
        raise Unknown()
    if account.totp_secret is None:
        raise Conflict("second-factor-not-enrolled")
    if account.asked_by is None:
        if me.role != Role.SYSTEM_ADMIN:
            raise Conflict("reset-not-asked")
        db.session.execute(
            text("UPDATE staff_accounts SET totp_reset_asked_by = :me WHERE id = :id"),
            {"me": me.person_id, "id": account_id},
        )
        return {"status": "asked"}
    if account.asked_by == me.person_id:
        raise Conflict("second-person-needed")
    db.session.execute(
        text(
            """
            UPDATE staff_accounts
               SET totp_secret = NULL, totp_confirmed_at = NULL, totp_last_step = NULL, totp_reset_asked_by = NULL
             WHERE id = :id
            """
        ),
        {"id": account_id},
    )
    end_sessions(account_id, "second-factor-reset")
    current_app.logger.warning(
        "second factor of account %s reset by %s after %s asked", account_id, me.person_id, account.asked_by
    )
    return {"status": "reset"}
