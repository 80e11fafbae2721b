"""Three ways to file, identities that nobody finds in clear, and break-glass: every way in that must stay shut."""

import dataclasses
from datetime import timedelta
from uuid import uuid4

import psycopg
import pytest
from psycopg import errors
from sqlalchemy import text

from app.identity import store
from app.supervision.models import ClockOffset

PLACE = "330213007213"
NAME, PHONE, ADDRESS = "陈保密", "13877770001", "尚一村九组"
REASON = "需要当面核对土地承包合同上的签名,已无其他办法。"


@pytest.fixture
def file(client, new_key):
    """Files one petition and returns its receipt."""

    def post(way, headers=None, **more):
        draft = {"division_code": PLACE, "title": "账目不清", "body": "请查一查账。", "way": way, **more}
        answer = client.post("/api/v1/petitions", json=draft, headers={**new_key(), **(headers or {})})
        assert answer.status_code == 201, answer.get_data(as_text=True)
        return answer.json

    return post


@pytest.fixture
def confidential(file):
    return file("confidential", name=NAME, phone=PHONE, address=ADDRESS)


@pytest.fixture
def petitioner(client):
    def headers(receipt):
        given = {"serial": receipt["serial"], "pin": receipt["pin"]}
        answer = client.post("/api/v1/auth/receipt/sign-in", json=given)
        return {"Authorization": f"Bearer {answer.json['access_token']}"}

    return headers


@pytest.fixture
def see(client, as_staff):
    def get(username, receipt):
        answer = client.get(f"/api/v1/petitions/{receipt['id']}", headers=as_staff(username))
        assert answer.status_code == 200, answer.get_data(as_text=True)
        return answer.json

    return get


@pytest.fixture
def ask(client, as_staff, new_key):
    def post(username, receipt, reason=REASON):
        headers = {**as_staff(username), **new_key()}
        return client.post(
            f"/api/v1/petitions/{receipt['id']}/identity-openings", json={"reason": reason}, headers=headers
        )

    return post


@pytest.fixture
def do(client, as_staff):
    def post(username, opening_id, action):
        return client.post(f"/api/v1/identity-openings/{opening_id}/actions/{action}", headers=as_staff(username))

    return post


def slug(answer, status):
    assert answer.status_code == status, answer.get_data(as_text=True)
    return answer.json["type"].rpartition("/")[2]


def everything(session):
    """Every row of every table as text, as somebody with a stolen dump reads it."""
    tables = session.execute(
        text("SELECT schemaname, tablename FROM pg_tables WHERE schemaname IN ('public', 'sealed')")
    )
    for schema, table in tables.all():
        for (row,) in session.execute(text(f'SELECT row_to_json(t)::text FROM "{schema}"."{table}" t')):
            yield f"{schema}.{table}", row


# --- three ways ------------------------------------------------------------------------------------------------------


def test_a_named_petitioner_is_shown_to_the_body_that_handles_and_to_the_petitioner(client, file, see, petitioner):
    receipt = file("named", name=NAME, phone=PHONE, address=ADDRESS)
    shown = see("shangtian.office", receipt)
    assert (shown["way"], shown["identity"]) == ("named", "shown")
    assert shown["people"] == [{"part": "petitioner", "name": NAME, "phone": PHONE, "address": ADDRESS}]
    own = client.get(f"/api/v1/petitions/{receipt['id']}", headers=petitioner(receipt)).json
    assert own["people"] == shown["people"]


@pytest.mark.parametrize(
    "username", ["shangtian.office", "shangtian.head", "fenghua.office", "fenghua.discipline", "zhejiang.discipline"]
)
def test_a_confidential_petitioner_is_shown_to_nobody_but_the_petitioner(
    client, confidential, see, petitioner, username
):
    shown = see(username, confidential)
    assert (shown["way"], shown["identity"], shown["people"]) == ("confidential", "sealed", [])
    own = client.get(f"/api/v1/petitions/{confidential['id']}", headers=petitioner(confidential)).json
    assert [one["name"] for one in own["people"]] == [NAME]


@pytest.mark.parametrize("way", ["named", "confidential"])
def test_no_name_phone_or_address_stands_in_clear_in_any_table(db_session, file, way):
    file(
        way,
        name=NAME,
        phone=PHONE,
        address=ADDRESS,
        representatives=[{"name": "竺代表", "phone": "13877770002"}],
        people_count=7,
    )
    words = (NAME, PHONE, ADDRESS, "竺代表", "13877770002")
    found = [(table, word) for table, row in everything(db_session) for word in words if word in row]
    assert found == []


def test_an_anonymous_filing_by_somebody_signed_in_keeps_nothing_of_the_account(db_session, file, as_villager):
    headers = as_villager(PHONE)
    receipt = file("anonymous", headers, name=NAME, phone=PHONE, address=ADDRESS)
    villager = str(db_session.execute(text("SELECT id FROM villagers")).scalar_one())
    beside = [
        (table, row)
        for table, row in everything(db_session)
        if (receipt["id"] in row or receipt["serial"] in row) and (villager in row or PHONE in row or NAME in row)
    ]
    assert beside == []
    assert db_session.execute(text("SELECT count(*) FROM sealed.identities")).scalar() == 0


def test_a_confidential_filing_from_an_account_leads_to_no_number_in_any_table(db_session, client, file, as_villager):
    headers = as_villager(PHONE)
    file("confidential", headers, name=NAME, phone=PHONE, address=ADDRESS)
    assert client.get("/api/v1/auth/me", headers=headers).json["phone"] == "138****0001"
    # A code that was sent is forgotten with its number after a day; until then the number stands with no case.
    brief = {"public.one_time_codes", "public.outbox"}
    assert {table for table, row in everything(db_session) if PHONE in row} <= brief


def test_a_confidential_filing_needs_somebody_to_be_sealed(client, new_key):
    draft = {"division_code": PLACE, "title": "账目", "body": "请查。", "way": "confidential", "name": NAME}
    answer = client.post("/api/v1/petitions", json=draft, headers=new_key())
    assert slug(answer, 422) == "invalid-input"
    assert list(answer.json["errors"]) == ["name"]


def test_identities_are_sealed_with_sm4_when_the_settings_ask_for_it_and_older_ones_still_open(
    app, db_session, file, see
):
    first = file("named", name=NAME, phone=PHONE)
    app.extensions.pop("keyring")
    app.config["SETTINGS"] = dataclasses.replace(app.config["SETTINGS"], seal_algorithm="sm4-gcm")
    second = file("named", name="沈国密", phone=PHONE)
    used = dict(db_session.execute(text("SELECT petition_id::text, algorithm FROM sealed.identities")).all())
    assert (used[first["id"]], used[second["id"]]) == ("aes-256-gcm", "sm4-gcm")
    assert see("shangtian.office", first)["people"][0]["name"] == NAME
    assert see("shangtian.office", second)["people"][0]["name"] == "沈国密"


def test_a_case_whose_data_key_is_gone_is_still_shown_without_its_identity(db_session, file, see):
    receipt = file("named", name=NAME, phone=PHONE)
    db_session.execute(text("DELETE FROM sealed.data_keys"))
    db_session.commit()
    assert see("shangtian.office", receipt)["people"] == []


def test_an_identity_that_does_not_open_is_said_to_be_unreadable_and_hides_no_case(db_session, file, see):
    receipt = file("named", name=NAME, phone=PHONE)
    db_session.execute(text("UPDATE sealed.data_keys SET key_id = 'lost'"))
    db_session.commit()
    shown = see("shangtian.office", receipt)
    assert (shown["identity"], shown["people"]) == ("unreadable", [])


# --- break-glass -----------------------------------------------------------------------------------------------------


@pytest.fixture
def granted(confidential, ask, do):
    """An opening asked for by the township's discipline committee and granted by the county's petition office."""
    asked = ask("shangtian.discipline", confidential)
    assert asked.status_code == 201, asked.get_data(as_text=True)
    answer = do("fenghua.office", asked.json["id"], "grant")
    assert answer.status_code == 200, answer.get_data(as_text=True)
    assert answer.json["status"] == "granted"
    return asked.json["id"]


def test_two_people_of_two_bodies_open_a_confidential_identity(granted, confidential, do, see):
    opened = do("shangtian.discipline", granted, "open")
    assert opened.status_code == 200, opened.get_data(as_text=True)
    assert [(one["name"], one["phone"]) for one in opened.json["people"]] == [(NAME, PHONE)]
    events = [one["event"] for one in see("shangtian.discipline", confidential)["timeline"]]
    assert events[-3:] == ["request_opening", "grant_opening", "open_identity"]


def test_opening_an_identity_is_on_record_with_its_reason(client, granted, confidential, do, as_staff):
    do("shangtian.discipline", granted, "open")
    address = f"/api/v1/petitions/{confidential['id']}/reads"
    (read,) = client.get(address, headers=as_staff("auditor")).json["items"]
    assert (read["what"], read["purpose"], read["reader"]) == ("identity", REASON, "董立军")


def test_an_opening_shows_nothing_in_the_view_of_the_case(granted, confidential, see):
    """Each look is asked for on purpose and written down; the ordinary view stays as it was."""
    assert see("shangtian.discipline", confidential)["people"] == []


def test_the_petitioner_is_told_of_a_grant_without_content_and_does_not_see_the_internal_events(
    client, granted, confidential, petitioner, worker_app
):
    from app.messages.service import deliver_due

    with worker_app.app_context():
        deliver_due()
    own = petitioner(confidential)
    told = client.get("/api/v1/inbox", headers=own).json["items"]
    (notice,) = [one for one in told if one["event"] == "grant_opening"]
    assert "保密身份" in notice["text"] and NAME not in notice["text"] and REASON not in notice["text"]
    events = {
        one["event"] for one in client.get(f"/api/v1/petitions/{confidential['id']}", headers=own).json["timeline"]
    }
    assert not events & {"request_opening", "grant_opening", "open_identity"}


def test_the_same_person_does_not_grant_what_it_asked_for(confidential, ask, do):
    opening = ask("fenghua.office", confidential).json["id"]
    assert slug(do("fenghua.office", opening, "grant"), 403) == "second-body-needed"


def test_another_person_of_the_same_body_does_not_grant(confidential, ask, do):
    opening = ask("fenghua.office", confidential).json["id"]
    assert slug(do("fenghua.head", opening, "grant"), 403) == "second-body-needed"


def test_the_same_human_being_with_an_account_at_another_body_does_not_grant(db_session, confidential, ask, do):
    human = db_session.execute(text("SELECT id FROM persons LIMIT 1")).scalar_one()
    change = text(
        "UPDATE staff_accounts SET person_id = :id WHERE username IN ('fenghua.office', 'fenghua.discipline')"
    )
    db_session.execute(change, {"id": human})
    db_session.commit()
    opening = ask("fenghua.office", confidential).json["id"]
    assert slug(do("fenghua.discipline", opening, "grant"), 403) == "second-body-needed"


@pytest.mark.parametrize("username", ["admin", "security", "auditor", "wuxing.office", "shangyi.grid"])
def test_who_does_not_see_the_case_neither_asks_nor_grants_nor_opens(confidential, ask, do, username):
    opening = ask("fenghua.office", confidential).json["id"]
    assert slug(ask(username, confidential), 404) == "not-found"
    assert slug(do(username, opening, "grant"), 404) == "not-found"
    assert slug(do(username, opening, "open"), 404) == "not-found"


def test_a_role_that_may_ask_may_not_therefore_grant(confidential, ask, do):
    opening = ask("fenghua.office", confidential).json["id"]
    assert slug(do("shangtian.discipline", opening, "grant"), 403) == "may-not-open"


def test_an_operator_can_take_the_right_from_a_role(db_session, confidential, ask):
    db_session.execute(text("UPDATE opening_roles SET may_request = false WHERE role = 'petition_office'"))
    db_session.commit()
    assert slug(ask("fenghua.office", confidential), 403) == "may-not-open"


def test_a_body_that_the_petition_names_can_not_be_the_second_one(db_session, confidential, ask, do):
    opening = ask("shangtian.discipline", confidential).json["id"]
    accuse = text(
        "UPDATE petitions SET excluded_org_ids = ARRAY(SELECT p.org_id FROM appointments p JOIN staff_accounts a "
        "ON a.id = p.account_id WHERE a.username = 'fenghua.office')"
    )
    db_session.execute(accuse)
    db_session.commit()
    assert slug(do("fenghua.office", opening, "grant"), 404) == "not-found"


def test_nothing_opens_without_a_grant_nor_for_the_one_who_granted(granted, confidential, ask, do):
    assert slug(do("fenghua.office", granted, "open"), 403) == "no-opening-in-force"
    assert slug(do("fenghua.discipline", granted, "open"), 403) == "no-opening-in-force"
    asked = ask("fenghua.discipline", confidential).json["id"]
    assert slug(do("fenghua.discipline", asked, "open"), 403) == "no-opening-in-force"


def test_an_opening_ends_after_a_day_and_is_not_granted_twice(db_session, granted, do):
    assert slug(do("fenghua.discipline", granted, "grant"), 409) == "already-granted"
    db_session.add(ClockOffset(singleton=1, seconds=int(timedelta(hours=24, minutes=1).total_seconds())))
    db_session.commit()
    assert slug(do("shangtian.discipline", granted, "open"), 403) == "no-opening-in-force"


@pytest.mark.parametrize("reason", ["", "太短", "想知道是谁" + " " * 30])
def test_a_reason_of_fewer_than_twenty_characters_is_refused(confidential, ask, reason):
    assert slug(ask("fenghua.office", confidential, reason), 422) == "invalid-input"


def test_only_a_confidential_case_is_opened(file, ask):
    assert slug(ask("fenghua.office", file("named", name=NAME, phone=PHONE)), 409) == "not-confidential"
    assert slug(ask("fenghua.office", file("anonymous")), 409) == "not-confidential"


def test_the_second_body_finds_what_waits_for_it(client, as_staff, confidential, ask):
    ask("shangtian.discipline", confidential)
    (item,) = client.get("/api/v1/identity-openings", headers=as_staff("fenghua.office")).json["items"]
    assert (item["status"], item["reason"], item["mine"]) == ("asked", REASON, False)
    assert client.get("/api/v1/identity-openings", headers=as_staff("wuxing.office")).json["items"] == []


# --- SQL as the web role, around the application -----------------------------------------------------------------------


@pytest.fixture
def web(database):
    with psycopg.connect(database["DATABASE_URL"]) as connection:
        yield connection


@pytest.fixture
def be(db_session, web):
    """Sets the actor as the application does for a real account; `more` replaces single settings."""

    def settings(username, **more):
        row = db_session.execute(
            text(
                "SELECT a.id, p.role, p.org_id, o.division_code, o.level FROM staff_accounts a JOIN appointments p "
                "ON p.account_id = a.id JOIN organisations o ON o.id = p.org_id WHERE a.username = :u"
            ),
            {"u": username},
        ).one()
        scope = row.division_code[: {1: 2, 2: 4, 3: 6, 4: 9, 5: 12}[row.level]]
        values = {
            "kind": "staff", "person": str(row.id), "role": row.role, "org": str(row.org_id), "lo": scope, "hi": f"{scope}:",
            "reach": "area", "petition": "", "purpose": "open_identity", **more,
        }  # fmt: skip
        for name, value in values.items():
            web.execute("SELECT set_config(%s, %s, true)", (f"mj.{name}", value))
        return values

    return settings


ASK = "INSERT INTO identity_openings VALUES (%s, %s, %s, %s, %s, now(), %s)"
GRANT = "INSERT INTO identity_grants VALUES (%s, %s, %s, %s, %s, now(), now() + interval '1 hour')"


def identities(connection):
    return connection.execute("SELECT count(*) FROM sealed.identities").fetchone()[0]


def refused(connection, statement, values, kind=errors.InsufficientPrivilege):
    connection.execute("SAVEPOINT attempt")
    with pytest.raises(kind):
        connection.execute(statement, values)
    connection.execute("ROLLBACK TO SAVEPOINT attempt")


def test_the_purpose_alone_opens_nothing_and_neither_does_a_request(web, be, confidential, ask):
    ask("fenghua.office", confidential)
    be("fenghua.office")
    assert identities(web) == 0
    assert web.execute("SELECT count(*) FROM sealed.data_keys").fetchone()[0] == 0


def test_a_grant_in_force_shows_the_row_to_the_one_who_asked_only_and_only_for_that_purpose(web, be, granted):
    be("shangtian.discipline")
    assert identities(web) == 1
    be("shangtian.discipline", purpose="")
    assert identities(web) == 0
    for username in ("fenghua.office", "shangtian.discipline.head", "shangtian.office", "fenghua.discipline"):
        be(username)
        assert identities(web) == 0, username


def test_no_single_account_grants_to_itself_by_sql(web, be, confidential, db_session):
    me = be("fenghua.office")
    opening = uuid4()
    mine = (me["person"], me["role"], me["org"])
    web.execute(ASK, (opening, confidential["id"], *mine, REASON))
    refused(web, GRANT, (opening, confidential["id"], *mine))
    # Neither under the name of a colleague elsewhere, nor by claiming to serve at another body.
    other = db_session.execute(
        text(
            "SELECT p.account_id, p.role, p.org_id FROM appointments p JOIN staff_accounts a ON a.id = p.account_id "
            "WHERE a.username = 'fenghua.discipline'"
        )
    ).one()
    refused(web, GRANT, (opening, confidential["id"], *other))
    refused(web, GRANT, (opening, confidential["id"], me["person"], other.role, other.org_id))
    colleague = be("fenghua.head")
    refused(web, GRANT, (opening, confidential["id"], colleague["person"], colleague["role"], colleague["org"]))
    be("fenghua.office", org=str(other.org_id), role=other.role)
    refused(web, GRANT, (opening, confidential["id"], me["person"], other.role, other.org_id))
    assert identities(web) == 0


def test_a_grant_of_more_than_a_day_or_of_the_future_is_refused_by_the_database(web, be, confidential, ask):
    opening = ask("shangtian.discipline", confidential).json["id"]
    me = be("fenghua.office")
    values = (opening, confidential["id"], me["person"], me["role"], me["org"])
    refused(web, GRANT.replace("1 hour", "25 hours"), values, errors.CheckViolation)
    later = GRANT.replace("now(), now() +", "now() + interval '30 days', now() + interval '30 days' +")
    refused(web, later, values)


@pytest.mark.parametrize("role", ["system_admin", "security_admin", "auditor"])
def test_an_administrator_asks_for_nothing_by_sql_even_with_a_reach_it_does_not_have(web, be, confidential, role):
    me = be("admin", role=role)
    refused(web, ASK, (uuid4(), confidential["id"], me["person"], role, me["org"], REASON))
    assert identities(web) == 0


@pytest.mark.parametrize("table", ["identity_openings", "identity_grants", "sealed.identities", "sealed.data_keys"])
@pytest.mark.parametrize("change", ["DELETE FROM {}", "UPDATE {} SET petition_id = petition_id", "TRUNCATE {}"])
def test_the_web_role_changes_and_deletes_nothing_of_an_identity_or_its_openings(web, be, granted, table, change):
    be("fenghua.office")
    refused(web, change.format(table), ())


def test_a_confidential_case_is_not_made_a_named_one_by_sql(web, be, confidential):
    be("fenghua.office")
    refused(web, "UPDATE petitions SET way = 'named' WHERE id = %s", (confidential["id"],))
    refused(
        web,
        "INSERT INTO sealed.identities VALUES (%s, 'named', 'aes-256-gcm', '', '')",
        (confidential["id"],),
        errors.UniqueViolation,
    )


def test_staff_never_read_the_telephone_of_an_account(web, be, file, as_villager, db_session):
    file("confidential", as_villager(PHONE), name=NAME, phone=PHONE)
    be("fenghua.office")
    assert web.execute("SELECT count(*) FROM villagers").fetchone()[0] == 0
    be("fenghua.office", kind="petitioner", reach="receipt", person="")
    assert web.execute("SELECT count(*) FROM villagers").fetchone()[0] == 0


def test_the_worker_has_no_right_to_identities_and_telephones(database, confidential):
    with psycopg.connect(database["WORKER_DATABASE_URL"]) as worker:
        worker.execute("SELECT set_config('mj.kind', 'system', true)")
        for table in ("sealed.identities", "sealed.data_keys", "villagers", "identity_openings"):
            refused(worker, f"SELECT * FROM {table}", ())


# --- the migration -----------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_migration_seals_what_stood_in_clear_and_gives_it_back_when_taken_back(
    app, db_session, confidential, database, as_villager
):
    from pathlib import Path

    from flask_migrate import downgrade, upgrade

    from app.extensions import db

    folder = str(Path(__file__).parent.parent.parent / "migrations")
    as_villager(PHONE)
    db_session.rollback()
    db.session.remove()
    db.engine.dispose()
    downgrade(directory=folder, revision="0001")
    people = text("SELECT petition_id::text, part, name, phone, address FROM petitioners")
    assert db_session.execute(people).all() == [(confidential["id"], "petitioner", NAME, PHONE, ADDRESS)]
    assert db_session.execute(text("SELECT phone FROM villagers")).scalar_one() == PHONE
    db_session.rollback()
    upgrade(directory=folder)
    account = db_session.execute(text("SELECT id, phone_mac, sealed FROM villagers")).one()
    assert account.phone_mac == store.phone_mac(PHONE) and PHONE not in str(account.sealed)
    assert store.phone_of(account.id, account.sealed) == PHONE
    sealed = db_session.execute(text(store.sealed_of(":id")), {"id": confidential["id"]}).scalar_one()
    assert NAME not in str(sealed)
    db_session.rollback()
