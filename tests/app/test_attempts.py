"""The doors that shut after too many tries."""

import dataclasses
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from app.signin.limits import LIMITS
from tests.app.signing_in import (
    AUTH,
    PASSWORD,
    run,
    slug,
    staff_sign_in,
)

pytestmark = pytest.mark.usefixtures("province")


def test_five_wrong_passwords_shut_the_door_even_for_the_right_one(client: FlaskClient) -> None:
    for _ in range(5):
        assert staff_sign_in(client, "fenghua.head", "nonsense").status_code == 401
    answer = staff_sign_in(client, "fenghua.head")
    assert (answer.status_code, slug(answer)) == (429, "too-many-attempts")
    assert 0 < int(answer.headers["Retry-After"]) <= 60
    assert staff_sign_in(client, "wuxing.head").status_code == 200


def test_guesses_sent_at_the_same_moment_are_all_counted(app: Flask) -> None:
    def guess(_: int) -> int:
        return int(staff_sign_in(app.test_client(), "fenghua.head", "nonsense").status_code)

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(guess, range(16)))
    assert sorted(answers) == [401] * 5 + [429] * 11


def test_the_door_stays_shut_twice_as_long_with_every_further_failure_up_to_an_hour(
    client: FlaskClient, later: Callable[[timedelta], None]
) -> None:
    for _ in range(5):
        staff_sign_in(client, "fenghua.head", "nonsense")
    passed, waits = timedelta(), []
    for _ in range(8):
        wait = int(staff_sign_in(client, "fenghua.head").headers["Retry-After"])
        waits.append(round(wait / 60))
        passed += timedelta(seconds=wait + 1)
        later(passed)
        assert staff_sign_in(client, "fenghua.head", "nonsense").status_code == 401
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60]


def test_a_success_makes_the_next_mistake_a_first_one(client: FlaskClient) -> None:
    for _ in range(3):
        for _ in range(4):
            assert staff_sign_in(client, "fenghua.head", "nonsense").status_code == 401
        assert staff_sign_in(client, "fenghua.head").status_code == 200


def test_one_address_has_thirty_tries_over_all_names(client: FlaskClient) -> None:
    answers = [staff_sign_in(client, f"name{number}", "nonsense").status_code for number in range(31)]
    assert answers == [401] * 30 + [429]
    elsewhere = {"REMOTE_ADDR": "192.0.2.7"}
    body = {"username": "fenghua.head", "password": PASSWORD}
    assert client.post(f"{AUTH}/staff/sign-in", json=body, environ_base=elsewhere).status_code == 200


def test_good_sign_ins_from_one_office_do_not_use_up_the_tries_of_its_address(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(LIMITS, "address", dataclasses.replace(LIMITS["address"], tries=3))
    assert {staff_sign_in(client, "fenghua.head").status_code for _ in range(6)} == {200}
    assert [staff_sign_in(client, f"name{n}", "nonsense").status_code for n in range(4)] == [401, 401, 401, 429]


def test_the_addresses_of_one_ipv6_network_share_their_tries(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(LIMITS, "address", dataclasses.replace(LIMITS["address"], tries=3))
    answers = []
    for number, address in enumerate(
        ("2001:db8::1", "2001:db8::2", "2001:db8::ffff", "2001:db8::4", "2001:db8:0:1::1", "")
    ):
        body = {"username": f"name{number}", "password": "nonsense"}
        answers.append(
            client.post(f"{AUTH}/staff/sign-in", json=body, environ_base={"REMOTE_ADDR": address}).status_code
        )
    assert answers == [401, 401, 401, 429, 401, 401]


def test_the_table_of_attempts_tells_no_name(client: FlaskClient, db_session: Session) -> None:
    staff_sign_in(client, "fenghua.head", "nonsense")
    keys = [row[0] for row in run(db_session, "SELECT key FROM attempts")]
    assert len(keys) == 2
    assert all(len(key) == 64 and set(key) <= set("0123456789abcdef") for key in keys)
