"""Signing in and out. Every function works in the open transaction of its caller (see app.signin.limits.one_try).

Three ways in: staff with a password and, by policy, a second factor; villagers with a code sent to their phone; anybody
with a receipt number and its PIN. Each makes a row in `sessions`, an access token of some minutes and a refresh token that
is good once.
"""

import hmac
import json
import secrets
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID, uuid4

from flask import current_app
from flask_jwt_extended import create_access_token, create_refresh_token
from sqlalchemy import Row, text

from app import clock, outbox
from app.auth import Identity, Kind, second_factor_required, token_claims
from app.errors import Forbidden, Invalid, TooMany, Unauthorised
from app.extensions import db
from app.identity import store
from app.petitions.receipts import pin_mac
from app.signin import limits
from app.signin.credentials import hash_password as hash_password  # other features take these two from here
from app.signin.credentials import (
    needs_rehash,
    nobodys_hash,
    out_of_date,
    password_matches,
    require_password,
    store_password,
    use_code,
)
from app.signin.credentials import one_time_password as one_time_password
from workflows.actor import ROLE_LABELS, Role

CODE_LIFE = timedelta(minutes=5)
CODE_PAUSE = timedelta(seconds=60)
# A receipt is typed in on somebody else's phone more often than not: two hours, however active.
RECEIPT_LIFE = timedelta(hours=2)
PASSWORD_LENGTH = 12


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a client gets for signing in or refreshing. The last three fields are told at sign-in, not when refreshing."""

    access_token: str
    refresh_token: str
    expires_in: int
    kind: Kind
    petition_id: UUID | None = None
    appointment_id: UUID | None = None
    appointments: list[dict[str, Any]] | None = None
    must_change_password: bool = False
    must_enrol_second_factor: bool = False


# --- staff -----------------------------------------------------------------------------------------------------------

_ACCOUNT = text(
    """
    SELECT id, password_hash, must_change_password, password_set_at, totp_secret, totp_confirmed_at IS NOT NULL AS enrolled
      FROM staff_accounts WHERE username = :username AND (left_on IS NULL OR left_on > :today)
    """
)

_APPOINTMENTS = text(
    """
    SELECT p.id, p.role, p.head, o.id AS org_id, o.name AS org, o.division_code
      FROM appointments p JOIN organisations o ON o.id = p.org_id
     WHERE p.account_id = :account AND p.valid_from <= :today AND (p.valid_to IS NULL OR p.valid_to >= :today)
     ORDER BY p.valid_from, p.id
    """
)


def sign_in_staff(username: str, password: str, totp: str | None, appointment_id: UUID | None) -> Tokens:
    """Tokens for a staff account in one of its appointments: the one asked for, else the first.

    Raises Unauthorised (`wrong-credentials` for an unknown name, a person who has left, a wrong password or code alike;
    `second-factor-needed` when only the code is missing, `one-time-password-expired`) and Forbidden `no-appointment`.
    """
    account = db.session.execute(_ACCOUNT, {"username": username, "today": clock.today()}).one_or_none()
    # An unknown name costs as much time as a known one.
    if not password_matches(account.password_hash if account else nobodys_hash(), password) or account is None:
        raise Unauthorised("wrong-credentials")
    if account.enrolled:
        if not totp:
            raise Unauthorised("second-factor-needed")
        if not use_code(account.id, account.totp_secret, totp):
            raise Unauthorised("wrong-credentials")
    if out_of_date(account.must_change_password, account.password_set_at):
        raise Unauthorised("one-time-password-expired")
    if needs_rehash(account.password_hash):
        store_password(account.id, password, must_change=account.must_change_password)
    return _appointed(account, appointment_id)


def _appointed(account: Row[Any], appointment_id: UUID | None) -> Tokens:
    appointments = appointments_of(account.id)
    chosen = next((a for a in appointments if appointment_id in (None, a["id"])), None)
    if chosen is None:
        raise Forbidden("no-appointment")
    life = timedelta(days=current_app.config["SETTINGS"].refresh_token_days)
    return _new_session(
        "staff",
        life,
        account_id=account.id,
        appointment_id=chosen["id"],
        more={
            "appointments": appointments,
            "must_change_password": account.must_change_password,
            "must_enrol_second_factor": not account.enrolled and second_factor_required(chosen["role"]),
        },
    )


def appointments_of(account_id: UUID) -> list[dict[str, Any]]:
    """The appointments that are valid today, oldest first, with role labels and the name of the organisation."""
    rows = db.session.execute(_APPOINTMENTS, {"account": account_id, "today": clock.today()})
    return [
        {**row._asdict(), "label": ROLE_LABELS[Role(row.role)].zh, "label_en": ROLE_LABELS[Role(row.role)].en}
        for row in rows
    ]


def require_strong_password(who: Identity, current: str, new: str) -> None:
    """Raise Invalid when the new password is short, the one before, or easy to guess."""
    username = db.session.execute(
        text("SELECT username FROM staff_accounts WHERE id = :id"), {"id": who.actor.person_id}
    ).scalar_one()
    if len(new) < PASSWORD_LENGTH:
        raise Invalid({"new_password": [f"shorter than {PASSWORD_LENGTH} characters"]})
    if new == current:
        raise Invalid({"new_password": ["the same as before"]})
    if username.lower() in new.lower() or len(set(new)) < 5:
        raise Invalid({"new_password": ["too easy to guess"]})


def change_password(who: Identity, current: str, new: str) -> None:
    """Replace the password of the person signed in and end their other sessions.

    Raises Unauthorised `wrong-credentials`. Whether the new one is good enough was asked before: a weak one must not be
    counted as a wrong guess at the old one.
    """
    assert who.actor.person_id is not None
    require_password(who.actor.person_id, current)
    store_password(who.actor.person_id, new, must_change=False)
    end_sessions(who.actor.person_id, "password-changed", but=who.session_id)


def end_sessions(account_id: UUID, because: str, *, but: UUID | None = None) -> None:
    """Revoke the sessions of a staff account, all or all but one. Access tokens stop working with the next request."""
    db.session.execute(
        text(
            """
            UPDATE sessions SET revoked_at = now(), revoked_because = :because
             WHERE account_id = :account AND revoked_at IS NULL AND id IS DISTINCT FROM :but
            """
        ),
        {"account": account_id, "because": because, "but": but},
    )


# --- villagers -------------------------------------------------------------------------------------------------------


def send_code(phone: str) -> None:
    """Write a one-time code to the outbox, unless the phone got one within the minute or five within the hour.

    The caller can not tell the difference, and an answer never tells whether the phone is known. A new code makes earlier
    ones useless. Delivery wipes `params` once the message is sent, so that no code stays readable.
    """
    now = clock.now()
    recent = db.session.execute(
        text("SELECT 1 FROM one_time_codes WHERE phone = :phone AND expires_at > :after LIMIT 1"),
        {"phone": phone, "after": now + CODE_LIFE - CODE_PAUSE},
    ).scalar()
    if recent:
        return
    try:
        limits.count("code", phone)
    except TooMany:
        return
    code = f"{secrets.randbelow(10**6):06d}"
    db.session.execute(
        text("UPDATE one_time_codes SET used_at = :now WHERE phone = :phone AND used_at IS NULL"),
        {"now": now, "phone": phone},
    )
    db.session.execute(
        text(
            """
            INSERT INTO one_time_codes (id, phone, code_mac, expires_at, attempts)
            VALUES (:id, :phone, :mac, :expires_at, 0)
            """
        ),
        {"id": uuid4(), "phone": phone, "mac": _code_mac(phone, code), "expires_at": now + CODE_LIFE},
    )
    outbox.put("phone", "one_time_code", None, {"code": code}, address=phone)


def sign_in_by_code(phone: str, code: str) -> Tokens:
    """Tokens for the villager with this phone; the account is made with the first sign-in. Raises Unauthorised."""
    use_phone_code(phone, code)
    life = timedelta(days=current_app.config["SETTINGS"].refresh_token_days)
    return _new_session("villager", life, villager_id=villager_of(phone))


def use_phone_code(phone: str, code: str) -> None:
    """Use up the code sent to a phone. Raises Unauthorised `wrong-code` unless it is the latest, unused and in time."""
    used = db.session.execute(
        text(
            """
            UPDATE one_time_codes SET used_at = :now
             WHERE phone = :phone AND code_mac = :mac AND used_at IS NULL AND expires_at > :now
            RETURNING id
            """
        ),
        {"now": clock.now(), "phone": phone, "mac": _code_mac(phone, code)},
    ).scalar()
    if used is None:
        raise Unauthorised("wrong-code")


def villager_of(phone: str) -> UUID:
    """The id of the villager's account with this phone, made if there was none. The number itself is stored sealed."""
    mac, villager_id = store.phone_mac(phone), uuid4()
    sealed = store.seal_phone(villager_id, phone, store.keyring())
    db.session.execute(
        text(
            """
            INSERT INTO villagers (id, phone_mac, sealed, created_at) VALUES (:id, :mac, CAST(:sealed AS jsonb), :now)
            ON CONFLICT DO NOTHING
            """
        ),
        {"id": villager_id, "mac": mac, "sealed": json.dumps(sealed), "now": clock.now()},
    )
    # A visitor sees no account, not even the one just made: the database compares.
    found: UUID = db.session.execute(text("SELECT villager_of_phone(:mac)"), {"mac": mac}).scalar_one()
    return found


def _code_mac(phone: str, code: str) -> str:
    secret = current_app.config["SETTINGS"].secret_key.encode()
    return hmac.new(secret, f"one-time-code\0{phone}\0{code}".encode(), sha256).hexdigest()


# --- receipts --------------------------------------------------------------------------------------------------------


def sign_in_by_receipt(serial: str, pin: str) -> Tokens:
    """Tokens that open the one case of a receipt for two hours. Raises Unauthorised `wrong-receipt`.

    """
    return _new_session("receipt", RECEIPT_LIFE, petition_id=petition_of_receipt(serial, pin))


def petition_of_receipt(serial: str, pin: str) -> UUID:
    """The case that number and PIN open. Raises Unauthorised `wrong-receipt`.

    The visitor sees no case, so the database compares number and PIN itself (function `receipt_petition`).
    """
    petition_id: UUID | None = db.session.execute(
        text("SELECT receipt_petition(:serial, :mac)"), {"serial": serial, "mac": pin_mac(serial, pin)}
    ).scalar()
    if petition_id is None:
        raise Unauthorised("wrong-receipt")
    return petition_id


def end_receipt_sessions(petition_id: UUID, because: str) -> None:
    """Revoke every session that a receipt of this case has opened."""
    db.session.execute(
        text(
            """
            UPDATE sessions SET revoked_at = now(), revoked_because = :because
             WHERE petition_id = :petition AND kind = 'receipt' AND revoked_at IS NULL
            """
        ),
        {"petition": petition_id, "because": because},
    )


# --- sessions --------------------------------------------------------------------------------------------------------


def refresh(token: str) -> Tokens | None:
    """New tokens for a refresh token, which is thereby used up. Raises Unauthorised for a token that is none.

    None means that the session is over. A token that was used before has been copied by somebody, and nobody can tell
    which of the two is the owner: the session is revoked, which the caller must commit before refusing.
    """
    claims = token_claims(token, "refresh")
    session_id, used = UUID(claims["sub"]), claims["jti"]
    row = db.session.execute(
        text(
            """
            SELECT kind, refresh_jti, petition_id, appointment_id, expires_at - now() AS rest FROM sessions
             WHERE id = :id AND revoked_at IS NULL AND expires_at > now() FOR UPDATE
            """
        ),
        {"id": session_id},
    ).one_or_none()
    if row is None or row.kind != claims["kind"]:
        return None
    if row.refresh_jti != used:
        revoke(session_id, "refresh-token-reused")
        current_app.logger.warning("a refresh token was used twice; its session is revoked")
        return None
    jti = uuid4().hex
    db.session.execute(text("UPDATE sessions SET refresh_jti = :jti WHERE id = :id"), {"jti": jti, "id": session_id})
    return _tokens(
        session_id, row.kind, jti, row.rest, {"petition_id": row.petition_id, "appointment_id": row.appointment_id}
    )


def revoke(session_id: UUID, because: str) -> None:
    """End a session. Its access token stops working with the next request."""
    db.session.execute(
        text(
            """
            UPDATE sessions SET revoked_at = now(), revoked_because = :because WHERE id = :id AND revoked_at IS NULL
            """
        ),
        {"id": session_id, "because": because},
    )


def page_token(tokens: Tokens) -> str:
    """An access token for the cookie of the server-rendered pages, which can not refresh: good as long as a receipt's
    session. The session behind it is still checked with every request."""
    claims = token_claims(tokens.access_token, "access")
    return create_access_token(
        identity=claims["sub"], additional_claims={"kind": claims["kind"]}, expires_delta=RECEIPT_LIFE
    )


def _new_session(
    kind: Kind,
    life: timedelta,
    *,
    account_id: UUID | None = None,
    appointment_id: UUID | None = None,
    villager_id: UUID | None = None,
    petition_id: UUID | None = None,
    more: dict[str, Any] | None = None,
) -> Tokens:
    session_id, jti = uuid4(), uuid4().hex
    # Sessions run on the clock of the database server: see app.auth.
    db.session.execute(
        text(
            """
            INSERT INTO sessions (id, kind, account_id, appointment_id, villager_id, petition_id, refresh_jti,
                                  created_at, expires_at)
            VALUES (:id, :kind, :account, :appointment, :villager, :petition, :jti, now(), now() + :life)
            """
        ),
        {
            "id": session_id,
            "kind": kind,
            "account": account_id,
            "appointment": appointment_id,
            "villager": villager_id,
            "petition": petition_id,
            "jti": jti,
            "life": life,
        },
    )
    more = {"petition_id": petition_id, "appointment_id": appointment_id, **(more or {})}
    return _tokens(session_id, kind, jti, life, more)


def _tokens(session_id: UUID, kind: Kind, jti: str, rest: timedelta, more: dict[str, Any]) -> Tokens:
    access_life = min(timedelta(minutes=current_app.config["SETTINGS"].access_token_minutes), rest)
    return Tokens(
        access_token=create_access_token(
            identity=str(session_id), additional_claims={"kind": kind}, expires_delta=access_life
        ),
        refresh_token=create_refresh_token(
            identity=str(session_id), additional_claims={"kind": kind, "jti": jti}, expires_delta=rest
        ),
        expires_in=int(access_life.total_seconds()),
        kind=kind,
        **more,
    )


def me(who: Identity) -> dict[str, Any]:
    """Who is signed in, and what they have to do before anything else. A phone is shown in part only."""
    actor = who.actor
    about: dict[str, Any] = {"kind": who.kind, "petition_id": who.petition_id}
    if who.kind == "villager":
        account = db.session.execute(
            text("SELECT id, sealed FROM villagers WHERE id = :id"), {"id": actor.person_id}
        ).one()
        phone = store.phone_of(account.id, account.sealed)
        about["phone"] = f"{phone[:3]}****{phone[-4:]}"
    if who.kind != "staff":
        return about
    account = db.session.execute(
        text(
            """
            SELECT username, name, must_change_password, totp_confirmed_at IS NOT NULL AS enrolled,
                   (SELECT s.appointment_id FROM sessions s WHERE s.id = :session) AS appointment_id
              FROM staff_accounts WHERE id = :id
            """
        ),
        {"id": actor.person_id, "session": who.session_id},
    ).one()
    assert actor.person_id is not None
    return about | {
        "account_id": actor.person_id,
        "username": account.username,
        "name": account.name,
        "appointment_id": account.appointment_id,
        "appointments": appointments_of(actor.person_id),
        "second_factor": account.enrolled,
        "must_change_password": account.must_change_password,
        "must_enrol_second_factor": not account.enrolled and second_factor_required(actor.role),
    }
