"""A password or a second factor that is lost: reset by two people, so that nobody opens somebody else's account alone.

A system administrator asks, another system or security administrator grants. Neither is the person concerned, and every body
of the account lies within the area of both. The database holds the rule as well (check `two_people`), and keeps who asked
and who granted.
"""

from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID, uuid4

from flask import current_app
from sqlalchemy import Row, text

from app import clock, outbox
from app.auth import Identity
from app.errors import Conflict, Forbidden, Unknown
from app.extensions import db
from app.signin import limits
from app.signin.credentials import ONE_TIME_PASSWORD_LIFE, one_time_password, store_password
from app.signin.service import end_sessions
from workflows.actor import Role

What = Literal["password", "second_factor"]

# Time to find the second person, on the next day if need be. One that nobody remembers must not lie about to be granted.
REQUEST_LIFE = timedelta(days=1)

_ACCOUNT = text(
    """
    SELECT a.id, a.username, a.email, a.left_on, a.password_set_at, a.totp_confirmed_at,
           a.totp_secret IS NOT NULL AS second_factor
      FROM staff_accounts a
     WHERE a.id = :id
       AND NOT EXISTS (SELECT 1 FROM appointments p JOIN organisations o ON o.id = p.org_id
                        WHERE p.account_id = a.id
                          AND NOT (o.division_code >= :lo AND o.division_code < :hi))
       FOR UPDATE OF a
    """
)


def reset_second_factor(who: Identity, account_id: UUID) -> dict[str, Any]:
    """Ask for the second factor of an account to be taken off, or, as the second person, take it off.

    Answers `status` asked, with the end of the request, or reset. Raises Forbidden, Unknown and Conflict
    (`already-left`, `second-factor-not-enrolled`, `reset-not-asked`, `second-person-needed`).
    """
    account = _account(who, account_id)
    if not account.second_factor:
        raise Conflict("second-factor-not-enrolled")
    if expires_at := _asked(who, account, "second_factor", account.totp_confirmed_at):
        return {"status": "asked", "expires_at": expires_at}
    db.session.execute(
        text(
            """
            UPDATE staff_accounts SET totp_secret = NULL, totp_confirmed_at = NULL, totp_last_step = NULL WHERE id = :id
            """
        ),
        {"id": account_id},
    )
    _open_doors(account, "second-factor-reset")
    return {"status": "reset", "expires_at": None}


def reset_password(who: Identity, account_id: UUID) -> dict[str, Any]:
    """Ask for a new password of an account, or, as the second person, make one.

    The new one is good once and for three days. It is sent to the mailbox of the account, or, where there is no mailbox or no
    way to it, shown here, this one time. Answers `status`, `expires_at` (of the request or of the password),
    `sent_to_mailbox` and `one_time_password`. Raises Forbidden, Unknown and Conflict (`already-left`, `reset-not-asked`,
    `second-person-needed`).
    """
    account = _account(who, account_id)
    if expires_at := _asked(who, account, "password", account.password_set_at):
        return {"status": "asked", "expires_at": expires_at, "sent_to_mailbox": False, "one_time_password": None}
    password = one_time_password()
    store_password(account_id, password, must_change=True)
    _open_doors(account, "password-reset")
    mailed = bool(account.email and current_app.config["SETTINGS"].smtp_url)
    if mailed:
        outbox.put("mailbox", "one_time_password", None, {"password": password}, address=account.email)
    return {
        "status": "reset",
        "expires_at": clock.now() + ONE_TIME_PASSWORD_LIFE,
        "sent_to_mailbox": mailed,
        "one_time_password": None if mailed else password,
    }


def _account(who: Identity, account_id: UUID) -> Row[Any]:
    """The account, locked, when the person signed in may have a hand in resetting it."""
    me = who.actor
    if me.role not in (Role.SYSTEM_ADMIN, Role.SECURITY_ADMIN) or me.person_id == account_id:
        raise Forbidden()
    account = db.session.execute(
        _ACCOUNT, {"id": account_id, "lo": me.scope, "hi": f"{me.scope}:" if me.scope else ""}
    ).one_or_none()
    if account is None:
        raise Unknown()
    if account.left_on is not None and account.left_on <= clock.today():
        raise Conflict("already-left")
    return account


def _asked(who: Identity, account: Row[Any], what: What, set_at: datetime | None) -> datetime | None:
    """Write down a first request and return when it ends; or, as the second person, grant the open one: None.

    A request is overtaken when what was lost has been set anew since (`set_at`): the person has found it again.
    """
    now, me = clock.now(), who.actor
    request = db.session.execute(
        text(
            """
            SELECT id, asked_by, asked_at FROM account_resets
             WHERE account_id = :account AND what = :what AND granted_at IS NULL AND expires_at > :now
             ORDER BY asked_at DESC LIMIT 1
            """
        ),
        {"account": account.id, "what": what, "now": now},
    ).one_or_none()
    if request is None or (set_at is not None and set_at > request.asked_at):
        if me.role != Role.SYSTEM_ADMIN:
            raise Conflict("reset-not-asked")
        db.session.execute(
            text(
                """
                INSERT INTO account_resets (id, account_id, what, asked_by, asked_at, expires_at)
                VALUES (:id, :account, :what, :me, :now, :end)
                """
            ),
            {
                "id": uuid4(),
                "account": account.id,
                "what": what,
                "me": me.person_id,
                "now": now,
                "end": now + REQUEST_LIFE,
            },
        )
        current_app.logger.warning("reset of %s of account %s asked by %s", what, account.id, me.person_id)
        return now + REQUEST_LIFE
    if request.asked_by == me.person_id:
        raise Conflict("second-person-needed")
    db.session.execute(
        text("UPDATE account_resets SET granted_by = :me, granted_at = :now WHERE id = :id"),
        {"me": me.person_id, "now": now, "id": request.id},
    )
    current_app.logger.warning(
        "reset of %s of account %s granted by %s after %s asked", what, account.id, me.person_id, request.asked_by
    )
    return None


def _open_doors(account: Row[Any], because: str) -> None:
    """Whoever was signed in is out, and the person need not wait for what wrong tries have shut."""
    end_sessions(account.id, because)
    limits.forget("staff", account.username)
    limits.forget("own-password", str(account.id))
