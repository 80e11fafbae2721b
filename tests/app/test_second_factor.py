"""The second factor of staff: enrolling, signing in with a code, reset by two."""

import time

import pyotp
import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.auth import signed_in
from app.errors import Forbidden
from tests.app.signing_in import (
    AUTH,
    PASSWORD,
    bearer,
    enrolled,
    signed_in_as,
    slug,
    staff_sign_in,
)

pytestmark = pytest.mark.usefixtures("province")


def test_an_enrolled_account_needs_its_code_and_each_code_works_once(client: FlaskClient) -> None:
    _, totp = enrolled(client, "fenghua.head")
    missing = staff_sign_in(client, "fenghua.head")
    assert (missing.status_code, slug(missing)) == (401, "second-factor-needed")
    code = totp.at(int(time.time()))
    wrong = f"{(int(code) + 1) % 10**6:06d}"
    assert slug(staff_sign_in(client, "fenghua.head", totp=wrong)) == "wrong-credentials"
    assert staff_sign_in(client, "fenghua.head", totp=code).status_code == 200
    assert slug(staff_sign_in(client, "fenghua.head", totp=code)) == "wrong-credentials"


def test_enrolling_needs_the_password_and_happens_once(client: FlaskClient) -> None:
    tokens = signed_in_as(client, "fenghua.head")
    answer = client.post(f"{AUTH}/staff/totp", json={"password": "nonsense"}, headers=bearer(tokens))
    assert slug(answer) == "wrong-credentials"
    answer = client.post(f"{AUTH}/staff/totp/confirm", json={"code": "000000"}, headers=bearer(tokens))
    assert (answer.status_code, slug(answer)) == (409, "second-factor-not-started")
    tokens, _ = enrolled(client, "wuxing.head")
    for path, body in (("totp", {"password": PASSWORD}), ("totp/confirm", {"code": "000000"})):
        answer = client.post(f"{AUTH}/staff/{path}", json=body, headers=bearer(tokens))
        assert (answer.status_code, slug(answer)) == (409, "second-factor-enrolled")


def test_an_unconfirmed_secret_asks_nobody_for_a_code(client: FlaskClient) -> None:
    tokens = signed_in_as(client, "fenghua.head")
    secret = client.post(f"{AUTH}/staff/totp", json={"password": PASSWORD}, headers=bearer(tokens)).json["secret"]
    near = {pyotp.TOTP(secret).at(int(time.time()) + 30 * step) for step in range(-2, 4)}
    wrong = next(code for code in ("111111", "222222", *map(str, range(333333, 333340))) if code not in near)
    answer = client.post(f"{AUTH}/staff/totp/confirm", json={"code": wrong}, headers=bearer(tokens))
    assert (answer.status_code, slug(answer)) == (401, "wrong-code")
    assert staff_sign_in(client, "fenghua.head").status_code == 200


@pytest.mark.usefixtures("as_production")
def test_in_production_the_role_decides_who_has_to_enrol(app: Flask, client: FlaskClient) -> None:
    for username, required in (
        ("fenghua.head", True),
        ("fenghua.discipline", True),
        ("zhejiang.discipline", True),
        ("admin", True),
        ("security", True),
        ("auditor", True),
        ("fenghua.agri", False),
        ("shangtian.office", False),
        ("dongqiao.grid", False),
    ):
        tokens = signed_in_as(client, username)
        assert tokens["must_enrol_second_factor"] is required, username
        assert client.get(f"{AUTH}/me", headers=bearer(tokens)).json["must_enrol_second_factor"] is required
        with app.test_request_context(headers=bearer(tokens)):
            if required:
                with pytest.raises(Forbidden, match="must-enrol-second-factor"), signed_in("staff"):
                    pass
            else:
                with signed_in("staff"):
                    pass


@pytest.mark.usefixtures("as_production")
def test_after_enrolling_the_same_session_goes_on(app: Flask, client: FlaskClient) -> None:
    tokens, _ = enrolled(client, "fenghua.head")
    with app.test_request_context(headers=bearer(tokens)), signed_in("staff") as who:
        assert who.actor.role == "petition_office"
