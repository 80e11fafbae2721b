"""Secrets are sealed: unreadable in the database, and good for one purpose and one owner only."""

import base64
import time
from pathlib import Path
from uuid import uuid4

import pyotp
import pytest
from flask_migrate import downgrade, upgrade
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from app.extensions import db
from app.signin.sealed import ALGORITHM, Unreadable, seal, unseal
from tests.app.signing_in import account_id, enrolled, run, slug, staff_sign_in
from tests.conftest import SECRET, settings_for

MIGRATIONS = str(Path(__file__).parent.parent.parent / "migrations")


def test_a_sealed_secret_opens_for_its_purpose_and_owner_only(app):
    owner = uuid4()
    sealed = seal("JBSWY3DPEHPK3PXP", "totp", owner)
    assert unseal(sealed, "totp", owner) == "JBSWY3DPEHPK3PXP"
    for purpose, other in (("totp", uuid4()), ("identity", owner)):
        with pytest.raises(Unreadable):
            unseal(sealed, purpose, other)


def test_the_same_secret_is_sealed_differently_each_time(app):
    assert seal("secret", "totp", 1) != seal("secret", "totp", 1)


def test_a_changed_byte_another_algorithm_or_nonsense_is_unreadable(app):
    sealed = seal("secret", "totp", 1)
    raw = bytearray(base64.urlsafe_b64decode(sealed.partition(":")[2]))
    raw[-1] ^= 1
    forged = f"{ALGORITHM}:{base64.urlsafe_b64encode(bytes(raw)).decode()}"
    for text_ in (
        forged,
        sealed.replace(ALGORITHM, "rot13"),
        f"{ALGORITHM}:",
        f"{ALGORITHM}:é",
        f"{ALGORITHM}:AAA",
        "",
    ):
        with pytest.raises(Unreadable):
            unseal(text_, "totp", 1)


def test_another_secret_key_opens_nothing(app, database, monkeypatch):
    sealed = seal("secret", "totp", 1)
    monkeypatch.setitem(app.config, "SETTINGS", settings_for({**database, "SECRET_KEY": "another" * 8}))
    with pytest.raises(Unreadable):
        unseal(sealed, "totp", 1)


def test_the_owner_of_the_tables_reads_no_secret_of_a_second_factor(client, db_session):
    _, totp = enrolled(client, "fenghua.head")
    stored = run(db_session, "SELECT totp_secret FROM staff_accounts WHERE username = 'fenghua.head'")[0][0]
    row = str(run(db_session, "SELECT staff_accounts::text FROM staff_accounts WHERE username = 'fenghua.head'"))
    assert stored.startswith(f"{ALGORITHM}:")
    assert totp.secret not in row
    assert base64.b32decode(totp.secret) not in base64.urlsafe_b64decode(stored.partition(":")[2])


def test_a_secret_in_clear_can_not_be_stored(db_session):
    with pytest.raises(IntegrityError, match="totp_sealed"):
        db_session.execute(text("UPDATE staff_accounts SET totp_secret = 'JBSWY3DPEHPK3PXP'"))


def test_a_second_factor_moved_to_another_account_opens_nothing(client, db_session):
    _, totp = enrolled(client, "fenghua.head")
    run(
        db_session,
        """
        UPDATE staff_accounts a SET totp_secret = b.totp_secret, totp_confirmed_at = b.totp_confirmed_at
          FROM staff_accounts b WHERE a.username = 'wuxing.head' AND b.username = 'fenghua.head'
        """,
    )
    answer = staff_sign_in(client, "wuxing.head", totp=totp.at(int(time.time())))
    assert (answer.status_code, slug(answer)) == (401, "wrong-credentials")


def test_with_another_secret_key_a_second_factor_is_refused_and_the_log_says_why(
    client, app, database, caplog, monkeypatch
):
    _, totp = enrolled(client, "fenghua.head")
    monkeypatch.setitem(app.config, "SETTINGS", settings_for({**database, "SECRET_KEY": "another" * 8}))
    answer = staff_sign_in(client, "fenghua.head", totp=totp.at(int(time.time())))
    assert (answer.status_code, slug(answer)) == (401, "wrong-credentials")
    assert "has to be reset" in caplog.text
    assert totp.secret not in caplog.text


def test_the_migration_seals_secrets_that_are_there_and_opens_them_again(
    app, client, db_session, database, monkeypatch, caplog
):
    account = account_id(db_session, "fenghua.head")
    monkeypatch.setitem(app.config, "SQLALCHEMY_DATABASE_URI", database["OWNER_DATABASE_URL"])
    db.session.remove()
    db.engine.dispose()
    monkeypatch.setenv("SECRET_KEY", SECRET)
    downgrade(directory=MIGRATIONS, revision="0001")
    secret = pyotp.random_base32()
    sealed = "UPDATE staff_accounts SET totp_secret = :s, totp_confirmed_at = now() WHERE id = :id"
    run(db_session, sealed, s=secret, id=account)
    monkeypatch.delenv("SECRET_KEY")
    with pytest.raises(SystemExit):
        upgrade(directory=MIGRATIONS)
    assert "Set SECRET_KEY" in caplog.text
    monkeypatch.setenv("SECRET_KEY", SECRET)
    upgrade(directory=MIGRATIONS)
    stored = run(db_session, "SELECT totp_secret FROM staff_accounts WHERE id = :id", id=account)[0][0]
    assert unseal(stored, "totp", account) == secret
    assert staff_sign_in(client, "fenghua.head", totp=pyotp.TOTP(secret).now()).status_code == 200
    db.session.remove()
    downgrade(directory=MIGRATIONS, revision="0001")
    assert run(db_session, "SELECT totp_secret FROM staff_accounts WHERE id = :id", id=account)[0][0] == secret
