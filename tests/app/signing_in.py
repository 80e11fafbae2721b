"""Signing in over HTTP, and what stands behind it in the database: for the tests of app/signin."""

import time
from typing import Any
from uuid import UUID

import pyotp
from flask.testing import FlaskClient
from sqlalchemy import text
from sqlalchemy.orm import Session

from app.extensions import db

AUTH = "/api/v1/auth"
PASSWORD = "correct horse battery"
NEW_PASSWORD = "seven quiet rivers"
PHONE = "13800138000"
SETTINGS = ["kind", "person", "role", "org", "lo", "hi", "reach", "petition", "purpose"]


def staff_sign_in(client: FlaskClient, username: str, password: str = PASSWORD, **more: Any) -> Any:
    return client.post(f"{AUTH}/staff/sign-in", json={"username": username, "password": password, **more})


def signed_in_as(client: FlaskClient, username: str, **more: Any) -> dict[str, Any]:
    answer = staff_sign_in(client, username, **more)
    assert answer.status_code == 200, answer.json
    return answer.json


def bearer(tokens: dict[str, Any]) -> dict[str, str]:
    return {"Authorization": f"Bearer {tokens['access_token']}"}


def slug(answer: Any) -> str:
    return answer.json["type"].removeprefix("/problems/")


def run(session: Session, sql: str, **values: Any) -> Any:
    result = session.execute(text(sql), values)
    rows = result.all() if result.returns_rows else None
    session.commit()
    return rows


def account_id(session: Session, username: str) -> UUID:
    return run(session, "SELECT id FROM staff_accounts WHERE username = :u", u=username)[0][0]


def settings_of_transaction() -> dict[str, str]:
    columns = ", ".join(f"current_setting('mj.{name}', true)" for name in SETTINGS)
    return dict(zip(SETTINGS, db.session.execute(text(f"SELECT {columns}")).one(), strict=True))


def code_sent_to(session: Session, phone: str) -> str:
    rows = run(
        session,
        "SELECT params->>'code' FROM outbox WHERE template = 'one_time_code' AND address = :p ORDER BY created_at DESC",
        p=phone,
    )
    return rows[0][0]


def ask_reset(client: FlaskClient, tokens: dict[str, Any], account: UUID, what: str = "totp") -> Any:
    return client.post(f"{AUTH}/staff/{account}/{what}-reset", headers=bearer(tokens))


def change_password(client: FlaskClient, tokens: dict[str, Any], current: str, new: str) -> Any:
    body = {"current_password": current, "new_password": new}
    return client.post(f"{AUTH}/staff/password", json=body, headers=bearer(tokens))


def enrolled(client: FlaskClient, username: str) -> tuple[dict[str, Any], pyotp.TOTP]:
    """Tokens, and the authenticator, of an account that has just enrolled one (with the code of the step before)."""
    tokens = signed_in_as(client, username)
    answer = client.post(f"{AUTH}/staff/totp", json={"password": PASSWORD}, headers=bearer(tokens))
    assert answer.status_code == 200, answer.json
    totp = pyotp.TOTP(answer.json["secret"])
    assert answer.json["otpauth_uri"].startswith("otpauth://totp/")
    confirmed = client.post(
        f"{AUTH}/staff/totp/confirm", json={"code": totp.at(int(time.time()) - 30)}, headers=bearer(tokens)
    )
    assert confirmed.status_code == 204, confirmed.json
    return tokens, totp


def ask_code(client: FlaskClient, phone: str = PHONE) -> Any:
    return client.post(f"{AUTH}/phone/code", json={"phone": phone})


def phone_sign_in(client: FlaskClient, code: str, phone: str = PHONE) -> Any:
    return client.post(f"{AUTH}/phone/sign-in", json={"phone": phone, "code": code})
