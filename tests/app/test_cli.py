"""The administration commands, as an operator types them."""

import dataclasses

import pytest
from sqlalchemy import select, text

from app import clock
from app.directory.models import Appointment, Division, StaffAccount
from app.directory.staff_list import COLUMNS
from app.signin.service import password_matches
from app.supervision.models import HolidayYear
from tests.app.ledger_world import LedgerWorld, write


@pytest.fixture
def owner_url(db_session, province):
    return db_session.get_bind().engine.url.render_as_string(hide_password=False)


@pytest.fixture
def run(app, owner_url, monkeypatch):
    """Runs `flask …`; `mode` as in MINGJIAN_MODE."""

    def command(*words, mode="test", url=owner_url, **more):
        settings = dataclasses.replace(app.config["SETTINGS"], mode=mode, owner_database_url=url)
        monkeypatch.setitem(app.config, "SETTINGS", settings)
        return app.test_cli_runner().invoke(args=[str(word) for word in words], **more)

    yield command
    clock.offset_seconds.set(0)


def test_divisions_are_imported_and_reported(run, db_session, tmp_path):
    path = tmp_path / "more.csv"
    path.write_text("code,name,level\n330300000000,温州市,2\n330213007213,尚一新村,5\n", encoding="utf-8")
    done = run("divisions", "import", path)
    assert done.exit_code == 0, done.output
    assert "1 added, 1 renamed, 0 withdrawn" in done.output
    assert "330213007213 尚一村委会 → 尚一新村" in done.output
    assert db_session.get(Division, "330300000000").path == "浙江省/温州市"


def test_a_cut_off_list_of_divisions_needs_a_word_from_a_person(run, db_session, tmp_path):
    path = tmp_path / "short.csv"
    path.write_text("code,name,level\n330000000000,浙江省,1\n", encoding="utf-8")
    refused = run("divisions", "import", path)
    assert refused.exit_code == 1
    assert "would withdraw" in refused.output
    assert run("divisions", "import", path, "--allow-mass-withdrawal").exit_code == 0
    assert db_session.get(Division, "330213000000").withdrawn_on is not None


def test_staff_are_imported_and_passwords_go_to_a_private_file(run, db_session, tmp_path):
    path = tmp_path / "staff.csv"
    row = "li.na,李娜,department_handler,奉化区民政局,330213000000,yes,"
    path.write_text("\n".join([",".join(COLUMNS), row]), encoding="utf-8")
    done = run("staff", "import", path)
    assert done.exit_code == 0, done.output
    assert "1 added" in done.output
    passwords = tmp_path / "staff.csv.passwords"
    assert passwords.stat().st_mode & 0o777 == 0o600
    username, password = passwords.read_text().splitlines()[1].split(",")
    assert password not in done.output
    stored = db_session.scalar(select(StaffAccount.password_hash).where(StaffAccount.username == username))
    assert password_matches(stored, password)


def test_an_import_that_can_not_write_the_passwords_makes_no_account(run, db_session, tmp_path):
    path = tmp_path / "staff.csv"
    path.write_text(
        "\n".join([",".join(COLUMNS), "li.na,李娜,department_handler,奉化区民政局,330213000000,yes,"]), encoding="utf-8"
    )
    (tmp_path / "staff.csv.passwords").write_text("older")
    done = run("staff", "import", path)
    assert done.exit_code == 1
    assert "exists already" in done.output
    assert db_session.scalar(select(StaffAccount.id).where(StaffAccount.username == "li.na")) is None


def without_administrators(session):
    session.execute(text("UPDATE appointments SET valid_to = valid_from WHERE role = 'system_admin'"))
    session.commit()


def test_the_first_administrator_is_made_once_and_can_sign_in(run, client, db_session, monkeypatch):
    without_administrators(db_session)
    monkeypatch.setenv("MINGJIAN_ADMIN_PASSWORD", "four plain little words")
    done = run("staff", "bootstrap", "--username", "first")
    assert done.exit_code == 0, done.output
    assert "four plain" not in done.output
    body = {"username": "first", "password": "four plain little words"}
    assert client.post("/api/v1/auth/staff/sign-in", json=body).status_code == 200
    again = run("staff", "bootstrap", "--username", "second")
    assert again.exit_code == 1
    assert "there is a system administrator already" in again.output


def test_the_first_administrator_has_no_default_password(run, db_session, monkeypatch):
    without_administrators(db_session)
    monkeypatch.delenv("MINGJIAN_ADMIN_PASSWORD", raising=False)
    assert run("staff", "bootstrap", "--username", "first", input="").exit_code == 1
    short = run("staff", "bootstrap", "--username", "first", input="short\nshort\n")
    assert short.exit_code == 1
    assert "needs 12 characters" in short.output
    assert (
        db_session.scalar(
            select(Appointment.id).where(Appointment.valid_to.is_(None), Appointment.role == "system_admin")
        )
        is None
    )
    asked = run("staff", "bootstrap", "--username", "first", input="a long enough phrase\na long enough phrase\n")
    assert asked.exit_code == 0, asked.output


def test_a_holiday_notice_is_imported(run, db_session, tmp_path):
    path = tmp_path / "2027.json"
    path.write_text(
        '{"year": 2027, "days": [{"name": "元旦", "date": "2027-01-01", "isOffDay": true}]}', encoding="utf-8"
    )
    done = run("calendar", "import", path)
    assert done.exit_code == 0, done.output
    assert "2027: 1 days added" in done.output
    assert db_session.get(HolidayYear, 2027) is not None
    path.write_text("{}")
    assert run("calendar", "import", path).exit_code == 1


def test_the_clock_of_a_demonstration_only_goes_forward_and_adds_up(run, db_session):
    assert run("clock", "forward", "3d", mode="demo").exit_code == 0
    done = run("clock", "forward", "12h", mode="demo")
    assert "3.50 days ahead" in done.output
    assert db_session.scalar(text("SELECT seconds FROM clock_offset")) == 3 * 86_400 + 12 * 3_600
    for wrong in ("-3d", "0d", "3", "3w", "99999d"):
        assert run("clock", "forward", "--", wrong, mode="demo").exit_code == 1


@pytest.mark.parametrize("mode", ["test", "production"])
def test_no_other_clock_can_be_moved(run, db_session, mode):
    done = run("clock", "forward", "3d", mode=mode)
    assert done.exit_code == 1
    assert db_session.scalar(text("SELECT count(*) FROM clock_offset")) == 0


def test_the_demonstration_is_loaded_again_without_effect_and_never_in_production(run):
    done = run("demo", "load", "--some")
    assert "0 divisions, 0 holiday years, 0 bodies, 0 persons, 0 accounts added" in done.output
    refused = run("demo", "load", mode="production")
    assert refused.exit_code == 1
    assert "never loaded in production" in refused.output


def test_demonstration_accounts_are_listed_with_the_password(run):
    done = run("demo", "accounts")
    assert "correct horse battery" in done.output
    assert "fenghua.head" in done.output
    assert run("demo", "accounts", mode="production").exit_code == 1


def test_a_missing_owner_address_is_a_plain_error(run):
    done = run("demo", "load", url=None)
    assert done.exit_code == 1
    assert "OWNER_DATABASE_URL is missing" in done.output
    assert "Traceback" not in done.output


def test_a_database_that_does_not_answer_is_a_plain_error(run):
    done = run("demo", "load", url="postgresql+psycopg://nobody:secret@127.0.0.1:1/none")
    assert done.exit_code == 1
    assert "does not answer" in done.output
    assert "secret" not in done.output


def test_a_key_of_the_ledger_is_made_once_and_never_written_over(run, tmp_path):
    path = tmp_path / "ledger_key.pem"
    assert run("ledger", "new-key", path).exit_code == 0
    assert path.stat().st_mode & 0o777 == 0o600
    before = path.read_text()
    assert run("ledger", "new-key", path).exit_code == 1
    assert path.read_text() == before


def test_the_ledger_is_verified_and_a_fault_ends_with_status_one(run, client, db_session, worker_app, new_key, tmp_path):
    world = LedgerWorld(client, worker_app, db_session, new_key)
    world.file()
    world.sequence()
    kept = write(tmp_path, "heads.json", world.get("logs"))
    sound = run("ledger", "verify", "--remembered", kept)
    assert sound.exit_code == 0, sound.output
    assert "1 events, 3 entries, 3 heads; 0 entries are padding, 0 events are waiting, 0 are erased." in sound.output
    world.sql("DELETE FROM petition_events")
    broken = run("ledger", "verify")
    assert broken.exit_code == 1
    assert "entry-without-meaning: log 330213, entry 0: the event behind it is gone" in broken.output
    junk = tmp_path / "junk.json"
    for text_ in ("[1]", "{", '{"items": 3}', '[{"size": "x"}]'):
        junk.write_text(text_)
        assert run("ledger", "verify", "--remembered", junk).exit_code == 1


def test_the_ledger_is_sequenced_by_hand(run, client, db_session, worker_app, new_key, database, monkeypatch):
    world = LedgerWorld(client, worker_app, db_session, new_key)
    receipt = world.file()
    for name, value in {"MINGJIAN_MODE": "test", "WORKER_DATABASE_URL": database["WORKER_DATABASE_URL"]}.items():
        monkeypatch.setenv(name, value)
    done = run("ledger", "sequence")
    assert done.exit_code == 0, done.output
    # The filing, two heads of counties and two of cities; each of the two counties gets six.
    assert "5 entries placed, 11 of padding" in done.output
    assert [link["head"]["log"] for link in world.proof(receipt)["links"]] == ["330213", "3302", "33"]


def test_a_lost_key_is_withdrawn_once(run, client, db_session, worker_app, new_key):
    world = LedgerWorld(client, worker_app, db_session, new_key)
    world.file()
    world.sequence()
    (key,) = world.get("keys")["items"]
    assert run("ledger", "revoke-key", key["key_id"]).exit_code == 0
    assert world.get("keys")["items"][0]["revoked_at"] is not None
    assert run("ledger", "revoke-key", key["key_id"]).exit_code == 1
    assert run("ledger", "revoke-key", "nothing").exit_code == 1
