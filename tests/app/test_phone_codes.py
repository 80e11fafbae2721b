"""Villagers sign in with a code sent to their phone."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from app.auth import signed_in
from tests.app.signing_in import (
    AUTH,
    PHONE,
    ask_code,
    bearer,
    code_sent_to,
    phone_sign_in,
    run,
    settings_of_transaction,
    slug,
)

pytestmark = pytest.mark.usefixtures("province")


def test_a_villager_signs_in_with_the_code_and_gets_the_same_account_again(
    app: Flask, client: FlaskClient, db_session: Session, later: Callable[[timedelta], None]
) -> None:
    assert ask_code(client, "+86 138 0013 8000").status_code == 202
    tokens = phone_sign_in(client, code_sent_to(db_session, PHONE)).json
    assert tokens["kind"] == "villager"
    assert client.get(f"{AUTH}/me", headers=bearer(tokens)).json["phone"] == "138****8000"
    later(timedelta(minutes=2))
    ask_code(client)
    again = phone_sign_in(client, code_sent_to(db_session, PHONE)).json
    people = []
    for each in (tokens, again):
        with app.test_request_context(headers=bearer(each)), signed_in("petitioner") as who:
            people.append(who.actor.person_id)
            settings = settings_of_transaction()
            assert (settings["kind"], settings["reach"], settings["person"]) == ("petitioner", "own", str(people[0]))
    assert people[0] == people[1] is not None


def test_a_code_works_once_for_its_phone_and_for_five_minutes(
    client: FlaskClient, db_session: Session, later: Callable[[timedelta], None]
) -> None:
    ask_code(client)
    code = code_sent_to(db_session, PHONE)
    assert slug(phone_sign_in(client, code, "13900139000")) == "wrong-code"
    assert phone_sign_in(client, code).status_code == 200
    assert slug(phone_sign_in(client, code)) == "wrong-code"
    later(timedelta(minutes=2))
    ask_code(client)
    late = code_sent_to(db_session, PHONE)
    later(timedelta(minutes=7, seconds=1))
    assert slug(phone_sign_in(client, late)) == "wrong-code"


def test_a_new_code_makes_the_one_before_useless(
    client: FlaskClient, db_session: Session, later: Callable[[timedelta], None]
) -> None:
    ask_code(client)
    first = code_sent_to(db_session, PHONE)
    later(timedelta(seconds=61))
    ask_code(client)
    second = code_sent_to(db_session, PHONE)
    if first != second:
        assert slug(phone_sign_in(client, first)) == "wrong-code"
    assert phone_sign_in(client, second).status_code == 200


def test_asking_for_codes_sends_one_a_minute_and_five_an_hour_with_always_the_same_answer(
    client: FlaskClient, db_session: Session, later: Callable[[timedelta], None]
) -> None:
    def sent() -> int:
        return run(db_session, "SELECT count(*) FROM outbox WHERE template = 'one_time_code'")[0][0]

    answers = [ask_code(client), ask_code(client)]
    assert sent() == 1
    for minute in range(1, 8):
        later(timedelta(minutes=minute, seconds=1))
        answers.append(ask_code(client))
    assert sent() == 5
    later(timedelta(minutes=62))
    answers.append(ask_code(client))
    assert sent() == 6
    assert {(answer.status_code, str(answer.json)) for answer in answers} == {(202, str(answers[0].json))}


def test_codes_can_not_be_guessed(client: FlaskClient, db_session: Session) -> None:
    ask_code(client)
    code = code_sent_to(db_session, PHONE)
    wrong = f"{(int(code) + 1) % 10**6:06d}"
    assert [phone_sign_in(client, wrong).status_code for _ in range(6)] == [401] * 5 + [429]
    assert phone_sign_in(client, code).status_code == 429


def test_only_an_hmac_of_the_code_is_kept_with_the_phone(client: FlaskClient, db_session: Session) -> None:
    ask_code(client)
    code = code_sent_to(db_session, PHONE)
    stored = run(db_session, "SELECT code_mac FROM one_time_codes")[0][0]
    assert code not in stored
    assert len(stored) == 64
