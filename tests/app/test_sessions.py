"""Tokens and sessions: refreshing, signing out, and what is refused."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text
from sqlalchemy.orm import Session

from app.auth import signed_in, visitor
from app.extensions import db
from tests.app.signing_in import (
    AUTH,
    PHONE,
    ask_code,
    bearer,
    code_sent_to,
    phone_sign_in,
    run,
    settings_of_transaction,
    signed_in_as,
    slug,
)

pytestmark = pytest.mark.usefixtures("province")


def refresh(client: FlaskClient, tokens: dict[str, Any]) -> Any:
    return client.post(f"{AUTH}/refresh", json={"refresh_token": tokens["refresh_token"]})


def test_a_refresh_token_gives_new_tokens_once(client: FlaskClient) -> None:
    first = signed_in_as(client, "fenghua.head")
    second = refresh(client, first).json
    assert second["refresh_token"] != first["refresh_token"]
    assert client.get(f"{AUTH}/me", headers=bearer(second)).status_code == 200
    assert refresh(client, second).status_code == 200


def test_a_refresh_token_used_twice_ends_the_whole_session(client: FlaskClient, db_session: Session) -> None:
    first = signed_in_as(client, "fenghua.head")
    second = refresh(client, first).json
    copied = refresh(client, first)
    assert (copied.status_code, slug(copied)) == (401, "signed-out")
    assert refresh(client, second).status_code == 401
    assert slug(client.get(f"{AUTH}/me", headers=bearer(second))) == "signed-out"
    assert run(db_session, "SELECT revoked_because FROM sessions")[-1][0] == "refresh-token-reused"


def test_one_refresh_token_sent_many_times_at_once_gives_new_tokens_once(app: Flask, client: FlaskClient) -> None:
    tokens = signed_in_as(client, "fenghua.head")
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: refresh(app.test_client(), tokens), range(4)))
    assert sorted(answer.status_code for answer in answers) == [200, 401, 401, 401]
    won = next(answer.json for answer in answers if answer.status_code == 200)
    assert slug(client.get(f"{AUTH}/me", headers=bearer(won))) == "signed-out"


def test_signing_out_ends_the_session_at_once_and_only_that_one(client: FlaskClient) -> None:
    here, elsewhere = signed_in_as(client, "fenghua.head"), signed_in_as(client, "fenghua.head")
    assert client.post(f"{AUTH}/sign-out", headers=bearer(here)).status_code == 204
    assert slug(client.get(f"{AUTH}/me", headers=bearer(here))) == "signed-out"
    assert refresh(client, here).status_code == 401
    assert client.get(f"{AUTH}/me", headers=bearer(elsewhere)).status_code == 200


def test_an_expired_session_is_over(client: FlaskClient, db_session: Session) -> None:
    tokens = signed_in_as(client, "fenghua.head")
    run(db_session, "UPDATE sessions SET expires_at = now()")
    assert slug(client.get(f"{AUTH}/me", headers=bearer(tokens))) == "signed-out"
    assert refresh(client, tokens).status_code == 401


def test_bad_tokens_are_refused_with_the_exact_problem(app: Flask, client: FlaskClient) -> None:
    import jwt
    from flask_jwt_extended import create_access_token

    tokens = signed_in_as(client, "fenghua.head")
    with app.app_context():
        old = create_access_token("x", expires_delta=timedelta(seconds=-1), additional_claims={"kind": "staff"})
        nameless = create_access_token("no session", additional_claims={"kind": "staff"})
    claims = {"sub": str(uuid4()), "kind": "staff", "type": "access"}
    cases = {
        None: "not-signed-in",
        "Basic YTpi": "invalid-token",
        "Bearer": "invalid-token",
        "Bearer nonsense": "invalid-token",
        f"Bearer {old}": "token-expired",
        f"Bearer {nameless}": "invalid-token",
        f"Bearer {tokens['refresh_token']}": "invalid-token",
        f"Bearer {jwt.encode(claims, 'f' * 40, algorithm='HS256')}": "invalid-token",
        f"Bearer {jwt.encode(claims, None, algorithm='none')}": "invalid-token",
    }
    for header, expected in cases.items():
        answer = client.get(f"{AUTH}/me", headers={"Authorization": header} if header else {})
        assert (answer.status_code, slug(answer)) == (401, expected), header
        assert answer.headers["WWW-Authenticate"] == "Bearer"
    swapped = client.post(f"{AUTH}/refresh", json={"refresh_token": tokens["access_token"]})
    assert (swapped.status_code, slug(swapped)) == (401, "invalid-token")


def test_a_villager_is_refused_where_staff_are_wanted(client: FlaskClient, db_session: Session) -> None:
    ask_code(client)
    tokens = phone_sign_in(client, code_sent_to(db_session, PHONE)).json
    answer = client.post(f"{AUTH}/staff/{uuid4()}/totp-reset", headers=bearer(tokens))
    assert (answer.status_code, slug(answer)) == (403, "wrong-account")


def test_a_visitor_is_a_petitioner_without_a_person(app: Flask) -> None:
    with app.test_request_context(), visitor() as who:
        assert (who.kind, who.actor.kind, who.actor.person_id, who.session_id) == ("visitor", "petitioner", None, None)
        settings = settings_of_transaction()
    assert (settings["person"], settings["reach"], settings["petition"]) == ("", "own", "")


def test_an_exception_rolls_the_transaction_back(app: Flask, client: FlaskClient, db_session: Session) -> None:
    tokens = signed_in_as(client, "fenghua.head")
    with app.test_request_context(headers=bearer(tokens)), pytest.raises(ZeroDivisionError), signed_in("staff"):
        db.session.execute(text("UPDATE sessions SET revoked_because = 'half'"))
        raise ZeroDivisionError
    assert run(db_session, "SELECT DISTINCT revoked_because FROM sessions") == [(None,)]
