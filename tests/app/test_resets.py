"""A lost password or second factor is reset by two people, and by nobody else."""

import time
from collections.abc import Callable
from datetime import timedelta
from uuid import UUID, uuid4

import psycopg
import pytest
from flask import Flask
from flask.testing import FlaskClient
from psycopg import errors
from sqlalchemy.orm import Session

from app.messages.service import Channels, deliver_due
from notifications.message import Message, Receipt
from tests.app.signing_in import (
    AUTH,
    NEW_PASSWORD,
    PASSWORD,
    account_id,
    ask_reset,
    bearer,
    change_password,
    enrolled,
    run,
    signed_in_as,
    slug,
    staff_sign_in,
)
from tests.conftest import settings_for

pytestmark = pytest.mark.usefixtures("province")

BOTH = pytest.mark.parametrize("what", ["totp", "password"])


@pytest.fixture
def fenghua(client: FlaskClient, db_session: Session) -> UUID:
    """The account of a petition office, with a second factor."""
    enrolled(client, "fenghua.head")
    return account_id(db_session, "fenghua.head")


@pytest.fixture
def by_mail(app: Flask, database: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A way to mailboxes."""
    mail = {"SMTP_URL": "smtp://mail.example:25", "MAIL_FROM": "petitions@example.gov.cn"}
    monkeypatch.setitem(app.config, "SETTINGS", settings_for({**database, **mail}))


class Mailbox:
    """A mail channel that keeps what it is given."""

    name = "mailbox"

    def __init__(self) -> None:
        self.messages: list[Message] = []

    def send(self, message: Message) -> Receipt:
        self.messages.append(message)
        return Receipt()


def password_of(client: FlaskClient, account: UUID, *, second: str = "security") -> str:
    """The one-time password that two people made for the account."""
    assert ask_reset(client, signed_in_as(client, "admin"), account, "password").json["status"] == "asked"
    answer = ask_reset(client, signed_in_as(client, second), account, "password")
    assert answer.status_code == 200, answer.json
    return answer.json["one_time_password"]


def test_a_second_factor_is_reset_by_two_administrators(client: FlaskClient, db_session: Session) -> None:
    theirs, _ = enrolled(client, "fenghua.head")
    account = account_id(db_session, "fenghua.head")
    admin, security = signed_in_as(client, "admin"), signed_in_as(client, "security")
    none = ask_reset(client, admin, account_id(db_session, "wuxing.head"))
    assert (none.status_code, slug(none)) == (409, "second-factor-not-enrolled")
    early = ask_reset(client, security, account)
    assert (early.status_code, slug(early)) == (409, "reset-not-asked")
    assert ask_reset(client, admin, account).json["status"] == "asked"
    alone = ask_reset(client, admin, account)
    assert (alone.status_code, slug(alone)) == (409, "second-person-needed")
    assert slug(staff_sign_in(client, "fenghua.head")) == "second-factor-needed"
    assert ask_reset(client, security, account).json["status"] == "reset"
    assert slug(client.get(f"{AUTH}/me", headers=bearer(theirs))) == "signed-out"
    assert staff_sign_in(client, "fenghua.head").status_code == 200


def test_a_second_system_administrator_may_confirm_but_nobody_their_own(
    client: FlaskClient, db_session: Session
) -> None:
    theirs, _ = enrolled(client, "admin2")
    admin2, fenghua = account_id(db_session, "admin2"), account_id(db_session, "fenghua.head")
    enrolled(client, "fenghua.head")
    admin = signed_in_as(client, "admin")
    assert ask_reset(client, admin, admin2).json["status"] == "asked"
    assert ask_reset(client, theirs, admin2).status_code == 403
    ask_reset(client, admin, fenghua)
    assert ask_reset(client, theirs, fenghua).json["status"] == "reset"


# --- the rule, for either -------------------------------------------------------------------------------------------


@BOTH
def test_one_administrator_alone_changes_nothing(client: FlaskClient, fenghua: UUID, what: str) -> None:
    admin = signed_in_as(client, "admin")
    asked = ask_reset(client, admin, fenghua, what)
    assert asked.json["status"] == "asked"
    assert asked.json["expires_at"]
    again = ask_reset(client, admin, fenghua, what)
    assert (again.status_code, slug(again)) == (409, "second-person-needed")
    assert slug(staff_sign_in(client, "fenghua.head")) == "second-factor-needed"


@BOTH
def test_a_security_administrator_grants_and_does_not_ask(client: FlaskClient, fenghua: UUID, what: str) -> None:
    security = signed_in_as(client, "security")
    early = ask_reset(client, security, fenghua, what)
    assert (early.status_code, slug(early)) == (409, "reset-not-asked")
    ask_reset(client, signed_in_as(client, "admin"), fenghua, what)
    assert ask_reset(client, security, fenghua, what).json["status"] == "reset"


@BOTH
def test_nobody_has_a_hand_in_their_own_reset(client: FlaskClient, db_session: Session, what: str) -> None:
    theirs, _ = enrolled(client, "admin2")
    own = account_id(db_session, "admin2")
    assert ask_reset(client, theirs, own, what).status_code == 403
    ask_reset(client, signed_in_as(client, "admin"), own, what)
    assert ask_reset(client, theirs, own, what).status_code == 403


@BOTH
def test_other_roles_and_other_areas_have_no_hand_in_it(
    client: FlaskClient, db_session: Session, fenghua: UUID, what: str
) -> None:
    for username in ("fenghua.office", "auditor", "zhejiang.office.head"):
        assert ask_reset(client, signed_in_as(client, username), fenghua, what).status_code == 403
    admin, admin2 = signed_in_as(client, "admin"), signed_in_as(client, "admin2")
    assert ask_reset(client, admin, uuid4(), what).status_code == 404
    ask_reset(client, admin, fenghua, what)
    elsewhere = "(SELECT id FROM organisations WHERE division_code = '330502000000' LIMIT 1)"
    run(db_session, f"UPDATE appointments SET org_id = {elsewhere} WHERE id = :id", id=admin2["appointment_id"])
    assert ask_reset(client, admin2, fenghua, what).status_code == 404


@BOTH
def test_a_request_ends_after_a_day(
    client: FlaskClient, fenghua: UUID, later: Callable[[timedelta], None], what: str
) -> None:
    ask_reset(client, signed_in_as(client, "admin"), fenghua, what)
    later(timedelta(days=1, seconds=1))
    late = ask_reset(client, signed_in_as(client, "security"), fenghua, what)
    assert (late.status_code, slug(late)) == (409, "reset-not-asked")
    assert ask_reset(client, signed_in_as(client, "admin2"), fenghua, what).json["status"] == "asked"


@BOTH
def test_somebody_who_has_left_gets_nothing_back(
    client: FlaskClient, db_session: Session, fenghua: UUID, what: str
) -> None:
    run(db_session, "UPDATE staff_accounts SET left_on = '2020-01-01' WHERE id = :id", id=fenghua)
    answer = ask_reset(client, signed_in_as(client, "admin"), fenghua, what)
    assert (answer.status_code, slug(answer)) == (409, "already-left")


@BOTH
def test_who_asked_and_who_granted_stays_on_record(
    client: FlaskClient, db_session: Session, fenghua: UUID, caplog: pytest.LogCaptureFixture, what: str
) -> None:
    ask_reset(client, signed_in_as(client, "admin"), fenghua, what)
    secret = ask_reset(client, signed_in_as(client, "admin2"), fenghua, what).json.get("one_time_password")
    ((asked, granted, at),) = run(db_session, "SELECT asked_by, granted_by, granted_at FROM account_resets")
    assert (asked, granted) == (account_id(db_session, "admin"), account_id(db_session, "admin2"))
    assert at is not None
    assert f"granted by {granted} after {asked} asked" in caplog.text
    assert secret is None or secret not in caplog.text


@BOTH
def test_a_grant_is_good_for_one_reset(client: FlaskClient, fenghua: UUID, what: str) -> None:
    admin, security = signed_in_as(client, "admin"), signed_in_as(client, "security")
    ask_reset(client, admin, fenghua, what)
    ask_reset(client, security, fenghua, what)
    if what == "totp":
        enrolled(client, "fenghua.head")
    again = ask_reset(client, security, fenghua, what)
    assert (again.status_code, slug(again)) == (409, "reset-not-asked")


def test_a_request_for_one_thing_does_not_grant_the_other(client: FlaskClient, fenghua: UUID) -> None:
    ask_reset(client, signed_in_as(client, "admin"), fenghua, "totp")
    other = ask_reset(client, signed_in_as(client, "security"), fenghua, "password")
    assert (other.status_code, slug(other)) == (409, "reset-not-asked")


def test_a_request_is_overtaken_when_the_person_finds_the_password_again(
    client: FlaskClient, db_session: Session
) -> None:
    account = account_id(db_session, "fenghua.agri")
    ask_reset(client, signed_in_as(client, "admin"), account, "password")
    assert change_password(client, signed_in_as(client, "fenghua.agri"), PASSWORD, NEW_PASSWORD).status_code == 204
    late = ask_reset(client, signed_in_as(client, "security"), account, "password")
    assert (late.status_code, slug(late)) == (409, "reset-not-asked")


def test_the_database_itself_refuses_a_reset_by_one_person(
    client: FlaskClient, db_session: Session, database: dict[str, str], fenghua: UUID
) -> None:
    ask_reset(client, signed_in_as(client, "admin"), fenghua, "password")
    admin, security = account_id(db_session, "admin"), account_id(db_session, "security")
    with psycopg.connect(database["DATABASE_URL"], autocommit=True) as web:

        def grant(person: UUID, by: UUID, role: str) -> int:
            with web.transaction():
                for name, value in (("kind", "staff"), ("person", str(person)), ("role", role)):
                    web.execute("SELECT set_config(%s, %s, true)", (f"mj.{name}", value))
                return web.execute("UPDATE account_resets SET granted_by = %s, granted_at = now()", (by,)).rowcount

        with pytest.raises(errors.CheckViolation, match="two_people"):
            grant(admin, admin, "system_admin")
        with pytest.raises(errors.InsufficientPrivilege):
            grant(admin, security, "system_admin")
        assert grant(security, security, "auditor") == 0
        with pytest.raises(errors.InsufficientPrivilege):
            web.execute("UPDATE account_resets SET asked_by = %s", (security,))
        with pytest.raises(errors.InsufficientPrivilege):
            web.execute("DELETE FROM account_resets")


# --- the new password -----------------------------------------------------------------------------------------------


def test_the_new_password_signs_in_and_has_to_be_changed_before_anything_else(
    client: FlaskClient, db_session: Session
) -> None:
    before = signed_in_as(client, "fenghua.agri")
    password = password_of(client, account_id(db_session, "fenghua.agri"))
    assert slug(client.get(f"{AUTH}/me", headers=bearer(before))) == "signed-out"
    assert slug(staff_sign_in(client, "fenghua.agri")) == "wrong-credentials"
    tokens = signed_in_as(client, "fenghua.agri", password=password)
    assert tokens["must_change_password"] is True
    refused = client.get("/api/v1/petitions", headers=bearer(tokens))
    assert (refused.status_code, slug(refused)) == (403, "must-change-password")
    assert change_password(client, tokens, password, NEW_PASSWORD).status_code == 204
    assert client.get("/api/v1/petitions", headers=bearer(tokens)).status_code == 200
    assert slug(staff_sign_in(client, "fenghua.agri", password)) == "wrong-credentials"


def test_the_second_factor_is_still_asked_for_with_the_new_password(client: FlaskClient, db_session: Session) -> None:
    _, totp = enrolled(client, "fenghua.head")
    password = password_of(client, account_id(db_session, "fenghua.head"), second="admin2")
    assert slug(staff_sign_in(client, "fenghua.head", password)) == "second-factor-needed"
    code = totp.at(int(time.time()))
    assert staff_sign_in(client, "fenghua.head", password, totp=code).status_code == 200


def test_the_new_password_is_good_for_three_days(
    client: FlaskClient, db_session: Session, later: Callable[[timedelta], None]
) -> None:
    password = password_of(client, account_id(db_session, "fenghua.agri"))
    later(timedelta(days=3, seconds=1))
    answer = staff_sign_in(client, "fenghua.agri", password)
    assert (answer.status_code, slug(answer)) == (401, "one-time-password-expired")
    assert slug(staff_sign_in(client, "fenghua.agri", "nonsense")) == "wrong-credentials"


def test_a_password_that_was_changed_does_not_run_out(
    client: FlaskClient, db_session: Session, later: Callable[[timedelta], None]
) -> None:
    password = password_of(client, account_id(db_session, "fenghua.agri"))
    change_password(client, signed_in_as(client, "fenghua.agri", password=password), password, NEW_PASSWORD)
    later(timedelta(days=400))
    assert staff_sign_in(client, "fenghua.agri", NEW_PASSWORD).status_code == 200


def test_a_reset_opens_the_door_that_wrong_tries_have_shut(client: FlaskClient, db_session: Session) -> None:
    for _ in range(5):
        staff_sign_in(client, "fenghua.agri", "nonsense")
    assert staff_sign_in(client, "fenghua.agri").status_code == 429
    password = password_of(client, account_id(db_session, "fenghua.agri"))
    assert staff_sign_in(client, "fenghua.agri", password).status_code == 200


@pytest.mark.usefixtures("by_mail")
def test_with_a_mailbox_the_password_goes_there_and_the_second_person_does_not_see_it(
    client: FlaskClient, db_session: Session, worker_app: Flask
) -> None:
    account = account_id(db_session, "fenghua.agri")
    ask_reset(client, signed_in_as(client, "admin"), account, "password")
    answer = ask_reset(client, signed_in_as(client, "security"), account, "password").json
    assert (answer["sent_to_mailbox"], answer["one_time_password"]) == (True, None)
    mailbox = Mailbox()
    with worker_app.app_context():
        deliver_due(channels=Channels(phone=None, mail=mailbox))
    (message,) = mailbox.messages
    assert message.to == ("fenghua.agri@mingjian.example",)
    password = message.body.partition("密码:")[2].partition(",")[0]
    assert staff_sign_in(client, "fenghua.agri", password).status_code == 200
    stored = run(db_session, "SELECT status, params, address FROM outbox WHERE template = 'one_time_password'")
    assert stored == [("sent", {}, None)]


@pytest.mark.usefixtures("by_mail")
def test_without_a_mailbox_the_password_is_shown(client: FlaskClient, db_session: Session) -> None:
    run(db_session, "UPDATE staff_accounts SET email = NULL WHERE username = 'fenghua.agri'")
    password = password_of(client, account_id(db_session, "fenghua.agri"))
    assert staff_sign_in(client, "fenghua.agri", password).status_code == 200
    assert run(db_session, "SELECT count(*) FROM outbox")[0][0] == 0


@pytest.mark.usefixtures("by_mail")
def test_a_password_on_its_way_is_in_no_list_of_messages(client: FlaskClient, db_session: Session) -> None:
    account = account_id(db_session, "fenghua.agri")
    admin = signed_in_as(client, "admin")
    ask_reset(client, admin, account, "password")
    ask_reset(client, signed_in_as(client, "security"), account, "password")
    run(db_session, "UPDATE outbox SET status = 'dead' WHERE template = 'one_time_password'")
    assert client.get("/api/v1/outbox/dead", headers=bearer(admin)).json["items"] == []
