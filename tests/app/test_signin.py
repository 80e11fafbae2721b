"""Staff sign in: appointments, the opening statement of a transaction, and input that is refused."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from app import clock
from app.auth import signed_in
from app.extensions import db
from tests.app.signing_in import (
    AUTH,
    PHONE,
    account_id,
    bearer,
    run,
    settings_of_transaction,
    signed_in_as,
    slug,
    staff_sign_in,
)

pytestmark = pytest.mark.usefixtures("province")


def test_staff_sign_in_names_the_appointment_and_opens_me(client: FlaskClient) -> None:
    tokens = signed_in_as(client, "fenghua.head")
    assert tokens["kind"] == "staff"
    assert tokens["expires_in"] == 15 * 60
    assert [a["role"] for a in tokens["appointments"]] == ["petition_office"]
    me = client.get(f"{AUTH}/me", headers=bearer(tokens)).json
    assert me["username"] == "fenghua.head"
    assert me["appointment_id"] == tokens["appointment_id"] == me["appointments"][0]["id"]
    assert me["second_factor"] is False


def test_wrong_password_and_unknown_name_get_the_same_answer(client: FlaskClient) -> None:
    wrong, unknown = staff_sign_in(client, "fenghua.head", "nonsense"), staff_sign_in(client, "nobody.here")
    assert wrong.status_code == unknown.status_code == 401
    assert wrong.json == unknown.json
    assert slug(wrong) == "wrong-credentials"


def test_an_unknown_name_costs_a_password_check_too(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    from app.signin import service

    checked: list[str] = []
    monkeypatch.setattr(service, "password_matches", lambda stored, _password: checked.append(stored))
    staff_sign_in(client, "nobody.here")
    assert len(checked) == 1
    assert checked[0].startswith("$argon2id$")


def test_the_opening_statement_sets_the_same_settings_as_the_database_module(app: Flask, client: FlaskClient) -> None:
    from app.database import transaction

    for username in (
        "fenghua.head",
        "fenghua.agri",
        "shangtian.office",
        "zhejiang.discipline",
        "auditor",
        "dongqiao.grid",
    ):
        headers = bearer(signed_in_as(client, username))
        with app.test_request_context(headers=headers):
            with signed_in("staff") as who:
                in_one_statement = settings_of_transaction()
            with transaction(who.actor):
                assert settings_of_transaction() == in_one_statement, username
            with signed_in("staff", purpose="urgent") as who:
                assert settings_of_transaction()["purpose"] == "urgent"


def test_scope_and_reach_follow_role_and_level(app: Flask, client: FlaskClient) -> None:
    for username, scope, level, reach in (
        ("zhejiang.office", "33", 1, "area"),
        ("ningbo.office", "3302", 2, "area"),
        ("fenghua.head", "330213", 3, "area"),
        ("fenghua.agri", "330213", 3, "assigned"),
        ("shangtian.office", "330213007", 4, "area"),
        ("shangyi.supervisor", "330213007213", 5, "assigned"),
        ("admin", "33", 1, ""),
    ):
        with app.test_request_context(headers=bearer(signed_in_as(client, username))), signed_in("staff") as who:
            assert (who.actor.scope, who.actor.org_level) == (scope, level)
            settings = settings_of_transaction()
        assert (settings["lo"], settings["hi"], settings["reach"]) == (scope, f"{scope}:", reach)


def test_the_opening_is_one_statement(app: Flask, client: FlaskClient) -> None:
    from sqlalchemy import event

    headers = bearer(signed_in_as(client, "fenghua.head"))
    with app.test_request_context(headers=headers):
        seen: list[str] = []

        def note(_connection: Any, _cursor: Any, statement: str, *_more: Any) -> None:
            seen.append(statement)

        event.listen(db.engine, "before_cursor_execute", note)
        try:
            with signed_in("staff"):
                assert len(seen) == 1
        finally:
            event.remove(db.engine, "before_cursor_execute", note)


def test_settings_are_gone_after_the_transaction(app: Flask, client: FlaskClient) -> None:
    with app.test_request_context(headers=bearer(signed_in_as(client, "fenghua.head"))):
        with signed_in():
            pass
        assert set(settings_of_transaction().values()) <= {"", None}
        db.session.rollback()


def test_a_person_who_left_is_out_with_the_next_request(client: FlaskClient, db_session: Session) -> None:
    tokens = signed_in_as(client, "fenghua.head")
    run(db_session, "UPDATE staff_accounts SET left_on = '2020-01-01' WHERE username = 'fenghua.head'")
    answer = client.get(f"{AUTH}/me", headers=bearer(tokens))
    assert (answer.status_code, slug(answer)) == (401, "signed-out")
    assert slug(staff_sign_in(client, "fenghua.head")) == "wrong-credentials"


def test_an_appointment_ends_with_its_last_day_on_the_clock_of_the_product(
    client: FlaskClient, db_session: Session, later: Callable[[timedelta], None]
) -> None:
    tokens = signed_in_as(client, "fenghua.head")
    run(
        db_session,
        "UPDATE appointments SET valid_to = :day WHERE id = :id",
        day=clock.today() + timedelta(days=1),
        id=tokens["appointment_id"],
    )
    assert client.get(f"{AUTH}/me", headers=bearer(tokens)).status_code == 200
    later(timedelta(days=2))
    assert slug(client.get(f"{AUTH}/me", headers=bearer(tokens))) == "signed-out"
    answer = staff_sign_in(client, "fenghua.head")
    assert (answer.status_code, slug(answer)) == (403, "no-appointment")


def test_moving_the_clock_of_the_demonstration_signs_nobody_out(
    client: FlaskClient, later: Callable[[timedelta], None]
) -> None:
    tokens = signed_in_as(client, "fenghua.head")
    later(timedelta(days=60))
    assert client.get(f"{AUTH}/me", headers=bearer(tokens)).status_code == 200


def test_one_of_several_appointments_can_be_chosen(client: FlaskClient, db_session: Session) -> None:
    account = account_id(db_session, "fenghua.head")
    second = uuid4()
    run(
        db_session,
        """
        INSERT INTO appointments (id, account_id, role, org_id, head, valid_from)
        SELECT :id, :account, 'township_office', o.id, false, '2026-01-01' FROM organisations o
         WHERE o.division_code = '330213007000' AND o.kind = 'office'
        """,
        id=second,
        account=account,
    )
    try:
        tokens = signed_in_as(client, "fenghua.head", appointment_id=str(second))
        assert tokens["appointment_id"] == str(second)
        assert len(tokens["appointments"]) == 2
        other = signed_in_as(client, "wuxing.head")["appointment_id"]
        answer = staff_sign_in(client, "fenghua.head", appointment_id=other)
        assert (answer.status_code, slug(answer)) == (403, "no-appointment")
    finally:
        run(db_session, "DELETE FROM sessions WHERE appointment_id = :id", id=second)
        run(db_session, "DELETE FROM appointments WHERE id = :id", id=second)


def test_bad_input_is_a_422_that_names_the_field(client: FlaskClient) -> None:
    cases: list[tuple[str, dict[str, Any], str]] = [
        ("staff/sign-in", {"username": "a", "password": "b", "role": "system_admin"}, "role"),
        ("staff/sign-in", {"username": "a"}, "password"),
        ("staff/sign-in", {"username": "a\0b", "password": "b"}, "username"),
        ("staff/sign-in", {"username": "a", "password": "b\0"}, "password"),
        ("staff/sign-in", {"username": "a" * 65, "password": "b"}, "username"),
        ("staff/sign-in", {"username": "a", "password": "b" * 201}, "password"),
        ("staff/sign-in", {"username": "a", "password": "b", "totp": "12345٦"}, "totp"),
        ("staff/sign-in", {"username": "a", "password": "b", "appointment_id": "1"}, "appointment_id"),
        ("phone/code", {"phone": "0571-8888888"}, "phone"),
        ("phone/code", {"phone": "1380013800٠"}, "phone"),
        ("phone/sign-in", {"phone": PHONE, "code": "12345"}, "code"),
        ("phone/sign-in", {"phone": PHONE, "code": "123456\n"}, "code"),
        ("receipt/sign-in", {"serial": "", "pin": "1"}, "serial"),
        ("refresh", {"refresh_token": 7}, "refresh_token"),
    ]
    for path, body, field in cases:
        answer = client.post(f"{AUTH}/{path}", json=body)
        assert answer.status_code == 422, (path, body)
        assert list(answer.json["errors"]) == [field]
