"""Signing in: passwords, second factors, codes, receipts, tokens, and the doors that shut after too many tries."""

import dataclasses
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pyotp
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text
from sqlalchemy.orm import Session

from app import auth, clock
from app.auth import signed_in, visitor
from app.errors import Forbidden, Unauthorised
from app.extensions import db
from app.petitions.receipts import pin_mac, serial_for
from app.signin.limits import LIMITS
from app.supervision.models import ClockOffset

AUTH = "/api/v1/auth"
PASSWORD = "correct horse battery"
NEW_PASSWORD = "seven quiet rivers"
PHONE = "13800138000"
SETTINGS = ["kind", "person", "role", "org", "lo", "hi", "reach", "petition", "purpose"]

pytestmark = pytest.mark.usefixtures("province")


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


@pytest.fixture
def as_production(app: Flask) -> Iterator[None]:
    """The policy of production, where the second factor is required."""
    before = app.config["SETTINGS"]
    app.config["SETTINGS"] = dataclasses.replace(before, mode="production")
    yield
    app.config["SETTINGS"] = before


@pytest.fixture
def later(app: Flask, db_session: Session) -> Callable[[timedelta], None]:
    """Move the product's clock forward."""

    def move(by: timedelta) -> None:
        run(db_session, "DELETE FROM clock_offset")
        db_session.add(ClockOffset(seconds=int(by.total_seconds())))
        db_session.commit()
        db_session.expunge_all()

    return move


# --- staff -----------------------------------------------------------------------------------------------------------


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


# --- lock-out --------------------------------------------------------------------------------------------------------


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


# --- passwords -------------------------------------------------------------------------------------------------------


def change_password(client: FlaskClient, tokens: dict[str, Any], current: str, new: str) -> Any:
    body = {"current_password": current, "new_password": new}
    return client.post(f"{AUTH}/staff/password", json=body, headers=bearer(tokens))


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


def test_a_hash_with_old_costs_is_renewed_at_sign_in(client: FlaskClient, db_session: Session) -> None:
    query = "SELECT password_hash FROM staff_accounts WHERE username = 'fenghua.head'"
    signed_in_as(client, "fenghua.head")
    assert "m=19456,t=2,p=1" in run(db_session, query)[0][0]


# --- second factor ---------------------------------------------------------------------------------------------------


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


def ask_reset(client: FlaskClient, tokens: dict[str, Any], account: UUID) -> Any:
    return client.post(f"{AUTH}/staff/{account}/totp-reset", headers=bearer(tokens))


def test_a_second_factor_is_reset_by_two_administrators(client: FlaskClient, db_session: Session) -> None:
    theirs, _ = enrolled(client, "fenghua.head")
    account = account_id(db_session, "fenghua.head")
    admin, security = signed_in_as(client, "admin"), signed_in_as(client, "security")
    none = ask_reset(client, admin, account_id(db_session, "wuxing.head"))
    assert (none.status_code, slug(none)) == (409, "second-factor-not-enrolled")
    early = ask_reset(client, security, account)
    assert (early.status_code, slug(early)) == (409, "reset-not-asked")
    assert ask_reset(client, admin, account).json == {"status": "asked"}
    alone = ask_reset(client, admin, account)
    assert (alone.status_code, slug(alone)) == (409, "second-person-needed")
    assert slug(staff_sign_in(client, "fenghua.head")) == "second-factor-needed"
    assert ask_reset(client, security, account).json == {"status": "reset"}
    assert slug(client.get(f"{AUTH}/me", headers=bearer(theirs))) == "signed-out"
    assert staff_sign_in(client, "fenghua.head").status_code == 200


def test_a_second_system_administrator_may_confirm_but_nobody_their_own(
    client: FlaskClient, db_session: Session
) -> None:
    theirs, _ = enrolled(client, "admin2")
    admin2, fenghua = account_id(db_session, "admin2"), account_id(db_session, "fenghua.head")
    enrolled(client, "fenghua.head")
    admin = signed_in_as(client, "admin")
    assert ask_reset(client, admin, admin2).json == {"status": "asked"}
    assert ask_reset(client, theirs, admin2).status_code == 403
    ask_reset(client, admin, fenghua)
    assert ask_reset(client, theirs, fenghua).json == {"status": "reset"}


def test_no_one_else_may_reset_and_nobody_outside_their_area(client: FlaskClient, db_session: Session) -> None:
    enrolled(client, "fenghua.head")
    account = account_id(db_session, "fenghua.head")
    for username in ("fenghua.office", "auditor", "zhejiang.office.head"):
        assert ask_reset(client, signed_in_as(client, username), account).status_code == 403
    assert ask_reset(client, signed_in_as(client, "admin"), uuid4()).status_code == 404
    query = "UPDATE appointments SET org_id = (SELECT id FROM organisations WHERE name = :n) WHERE id = :id"
    elsewhere = run(db_session, "SELECT name FROM organisations WHERE division_code = '330502000000' LIMIT 1")[0][0]
    tokens = signed_in_as(client, "admin2")
    home = run(db_session, "SELECT o.name FROM organisations o JOIN appointments p ON p.org_id = o.id WHERE p.id = :id",
               id=tokens["appointment_id"])[0][0]  # fmt: skip
    run(db_session, query, n=elsewhere, id=tokens["appointment_id"])
    try:
        assert ask_reset(client, tokens, account).status_code == 404
    finally:
        run(db_session, query, n=home, id=tokens["appointment_id"])


# --- villagers and receipts ------------------------------------------------------------------------------------------


def ask_code(client: FlaskClient, phone: str = PHONE) -> Any:
    return client.post(f"{AUTH}/phone/code", json={"phone": phone})


def phone_sign_in(client: FlaskClient, code: str, phone: str = PHONE) -> Any:
    return client.post(f"{AUTH}/phone/sign-in", json={"phone": phone, "code": code})


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


@pytest.fixture
def receipt(app: Flask, db_session: Session) -> dict[str, Any]:
    """A petition as far as a receipt needs one: its number, PIN and id."""
    serial, pin, petition_id = new_serial_in(app), "12345678", uuid4()
    with app.app_context():
        mac = pin_mac(serial, pin)
    from app.petitions.models import Petition

    petition = Petition(
        id=petition_id, serial=serial, pin_mac=mac, filed_at=clock.now(), filed_on=clock.today(),
        division_code="330213007213", title="t", body="b", category="other", channel="web", item_type="appeal",
        state="filed", level=4, last_visible_at=clock.now(),
    )  # fmt: skip
    db_session.add(petition)
    db_session.commit()
    return {"serial": serial, "pin": pin, "id": petition_id}


def new_serial_in(app: Flask) -> str:
    with app.app_context():
        return serial_for(uuid4().hex)


def receipt_sign_in(client: FlaskClient, serial: str, pin: str) -> Any:
    return client.post(f"{AUTH}/receipt/sign-in", json={"serial": serial, "pin": pin})


def test_a_receipt_opens_its_one_case(app: Flask, client: FlaskClient, receipt: dict[str, Any]) -> None:
    tokens = receipt_sign_in(client, f" {receipt['serial'].lower()} ", receipt["pin"]).json
    assert (tokens["kind"], tokens["petition_id"]) == ("receipt", str(receipt["id"]))
    assert client.get(f"{AUTH}/me", headers=bearer(tokens)).json["petition_id"] == str(receipt["id"])
    with app.test_request_context(headers=bearer(tokens)), signed_in("petitioner") as who:
        assert (who.petition_id, who.actor.person_id) == (receipt["id"], None)
        settings = settings_of_transaction()
    assert (settings["reach"], settings["petition"]) == ("receipt", str(receipt["id"]))


def test_a_wrong_pin_and_an_unknown_number_get_the_same_answer_and_are_counted(
    app: Flask, client: FlaskClient, receipt: dict[str, Any]
) -> None:
    unknown = receipt_sign_in(client, new_serial_in(app), receipt["pin"])
    wrong = [receipt_sign_in(client, receipt["serial"], "00000000") for _ in range(5)]
    assert {(a.status_code, slug(a)) for a in (unknown, *wrong)} == {(401, "wrong-receipt")}
    assert receipt_sign_in(client, receipt["serial"], receipt["pin"]).status_code == 429
    assert receipt_sign_in(client, receipt["serial"].lower(), receipt["pin"]).status_code == 429


def test_the_cookie_counts_on_the_pages_only(app: Flask, client: FlaskClient, receipt: dict[str, Any]) -> None:
    from app.signin import service

    with app.app_context():
        with visitor():
            tokens = service.sign_in_by_receipt(receipt["serial"], receipt["pin"])
        cookie = {"Cookie": f"{auth.PAGE_COOKIE}={service.page_token(tokens)}"}
    with app.test_request_context("/p/case", headers=cookie), signed_in("receipt") as who:
        assert who.petition_id == receipt["id"]
    with app.test_request_context("/api/v1/auth/me", headers=cookie), pytest.raises(Unauthorised), signed_in():
        pass


# --- tokens ----------------------------------------------------------------------------------------------------------


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


# --- bad input -------------------------------------------------------------------------------------------------------


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
