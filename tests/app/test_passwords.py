"""Passwords of staff: changing them, weak ones, first ones, old hashes."""

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from app.auth import signed_in
from app.errors import Forbidden
from app.signin import credentials
from tests.app.signing_in import (
    AUTH,
    NEW_PASSWORD,
    PASSWORD,
    bearer,
    change_password,
    run,
    signed_in_as,
    slug,
    staff_sign_in,
)
from tests.conftest import COSTLY

pytestmark = pytest.mark.usefixtures("province")


def test_a_changed_password_ends_the_other_sessions_and_keeps_this_one(client: FlaskClient) -> None:
    here, elsewhere = signed_in_as(client, "fenghua.head"), signed_in_as(client, "fenghua.head")
    assert change_password(client, here, PASSWORD, NEW_PASSWORD).status_code == 204
    assert client.get(f"{AUTH}/me", headers=bearer(here)).status_code == 200
    assert slug(client.get(f"{AUTH}/me", headers=bearer(elsewhere))) == "signed-out"
    assert staff_sign_in(client, "fenghua.head").status_code == 401
    assert staff_sign_in(client, "fenghua.head", NEW_PASSWORD).status_code == 200


def test_a_weak_password_is_refused_with_its_field_named_and_is_no_wrong_guess(client: FlaskClient) -> None:
    tokens = signed_in_as(client, "fenghua.head")
    for new in ("short", "elevenchars", PASSWORD, "fenghua.head 2026", "FENGHUA.HEAD 2026", "aaaabbbbaaaabbbb"):
        answer = change_password(client, tokens, PASSWORD, new)
        assert (answer.status_code, list(answer.json["errors"])) == (422, ["new_password"]), new
    assert change_password(client, tokens, PASSWORD, NEW_PASSWORD).status_code == 204


def test_guessing_the_current_password_with_a_stolen_token_is_counted(client: FlaskClient) -> None:
    tokens = signed_in_as(client, "fenghua.head")
    answers = [change_password(client, tokens, "nonsense", NEW_PASSWORD).status_code for _ in range(6)]
    assert answers == [401] * 5 + [429]


def test_a_first_password_has_to_be_changed_before_anything_else(
    app: Flask, client: FlaskClient, db_session: Session
) -> None:
    run(db_session, "UPDATE staff_accounts SET must_change_password = true WHERE username = 'fenghua.head'")
    tokens = signed_in_as(client, "fenghua.head")
    assert tokens["must_change_password"] is True
    with app.test_request_context(headers=bearer(tokens)), pytest.raises(Forbidden, match="must-change-password"):  # noqa: SIM117
        with signed_in("staff"):
            pass
    assert change_password(client, tokens, PASSWORD, NEW_PASSWORD).status_code == 204
    with app.test_request_context(headers=bearer(tokens)), signed_in("staff") as who:
        assert who.actor.head is True


def test_a_hash_with_old_costs_is_renewed_at_sign_in(
    client: FlaskClient, db_session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(credentials, "_HASHER", COSTLY)
    query = "SELECT password_hash FROM staff_accounts WHERE username = 'fenghua.head'"
    signed_in_as(client, "fenghua.head")
    assert "m=19456,t=2,p=1" in run(db_session, query)[0][0]
