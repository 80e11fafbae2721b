"""Passwords and codes of staff: how they are stored and compared."""

import hmac
import logging
import secrets
import time
from datetime import datetime, timedelta
from functools import cache
from uuid import UUID

import pyotp
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import text

from app import clock
from app.errors import Unauthorised
from app.extensions import db
from app.signin.sealed import Unreadable, seal, unseal

log = logging.getLogger(__name__)

# 19 MiB and two passes (the least that OWASP recommends), not the library's 64 MiB: sixteen threads may hash at once.
_HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)

STEP_SECONDS = 30
# Over a weekend, and no longer: until then somebody else knows it, or a mailbox holds it.
ONE_TIME_PASSWORD_LIFE = timedelta(days=3)
_TOTP = "totp"


def hash_password(password: str) -> str:
    """The argon2id hash to store."""
    return _HASHER.hash(password)


def password_matches(stored: str, password: str) -> bool:
    """Whether `password` is the one behind the hash; False as well for a hash that is none."""
    try:
        return _HASHER.verify(stored, password)
    except (VerificationError, InvalidHashError):
        return False


def needs_rehash(stored: str) -> bool:
    """Whether the hash was made with other costs than those of today."""
    return _HASHER.check_needs_rehash(stored)


@cache
def nobodys_hash() -> str:
    """A hash that no password fits: checking against it makes an unknown name cost as much time as a known one."""
    return hash_password(secrets.token_urlsafe())


def require_password(account_id: UUID, password: str) -> None:
    """Raise Unauthorised `wrong-credentials` unless it is the password of the account."""
    stored = db.session.execute(
        text("SELECT password_hash FROM staff_accounts WHERE id = :id"), {"id": account_id}
    ).scalar_one()
    if not password_matches(stored, password):
        raise Unauthorised("wrong-credentials")


def store_password(account_id: UUID, password: str, *, must_change: bool) -> None:
    """Store the hash of a password; `must_change` makes it a one-time password, which allows nothing but changing it."""
    db.session.execute(
        text(
            """
            UPDATE staff_accounts SET password_hash = :hash, must_change_password = :must, password_set_at = :now
             WHERE id = :id
            """
        ),
        {"hash": hash_password(password), "must": must_change, "now": clock.now(), "id": account_id},
    )


def one_time_password() -> str:
    """A random password to hand out, of sixteen characters that can be copied from a screen."""
    return secrets.token_urlsafe(12)


def out_of_date(must_change: bool, set_at: datetime | None) -> bool:
    """Whether a one-time password was made too long ago to sign in with. One from an import (`set_at` None) never is: the
    file waits until somebody has handed it out."""
    return must_change and set_at is not None and set_at + ONE_TIME_PASSWORD_LIFE <= clock.now()


def sealed_totp_secret(account_id: UUID, secret: str) -> str:
    """What `staff_accounts.totp_secret` holds: the secret of an authenticator, sealed for its account."""
    return seal(secret, _TOTP, account_id)


def use_code(account_id: UUID, sealed: str, code: str) -> bool:
    """Whether the time-based code is right now, one step earlier or one step later. It is used up by this: good once.

    `sealed` is the stored secret; no code is right for one that can not be read. The telephone that shows the code knows
    nothing of a demonstration's clock, so the real time counts.
    """
    try:
        secret = unseal(sealed, _TOTP, account_id)
    except Unreadable as error:
        log.error("the second factor of account %s can not be read (%s): it has to be reset", account_id, error)
        return False
    totp, present = pyotp.TOTP(secret), int(time.time()) // STEP_SECONDS
    given = code.encode()
    near = (present - 1, present, present + 1)
    matching = [step for step in near if hmac.compare_digest(totp.at(step * STEP_SECONDS).encode(), given)]
    if not matching:
        return False
    used = db.session.execute(
        text(
            """
            UPDATE staff_accounts SET totp_last_step = :step
             WHERE id = :id AND (totp_last_step IS NULL OR totp_last_step < :step)
            RETURNING id
            """
        ),
        {"step": matching[-1], "id": account_id},
    ).scalar()
    return used is not None
