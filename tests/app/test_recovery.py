"""A lost receipt: found again with phone, code and name; never without all three, and no answer tells what exists."""

import hmac
from hashlib import sha256
from pathlib import Path

import pytest
from flask_migrate import downgrade, upgrade
from sqlalchemy import text

from app.extensions import db
from app.identity import store
from tests.app.cases import VILLAGE
from tests.conftest import SECRET

MIGRATIONS = str(Path(__file__).parent.parent.parent / "migrations")
PHONE, NAME = "13800000021", "毛小妹"
DRAFT = {"division_code": VILLAGE, "title": "路灯不亮", "body": "村口路灯坏了半年。", "category": "works"}


@pytest.fixture
def filed(client, new_key):
    """Two receipts of the same person, filed without an account."""
    made = []
    for _ in range(2):
        answer = client.post("/api/v1/petitions", json={**DRAFT, "name": NAME, "phone": PHONE}, headers=new_key())
        assert answer.status_code == 201
        made.append(answer.json)
    return made


@pytest.fixture
def code_for(client, db_session):
    """Asks for a code and reads it from the outbox as the owner."""

    def ask(phone):
        assert client.post("/api/v1/auth/phone/code", json={"phone": phone}).status_code == 202
        found = db_session.execute(
            text("SELECT params->>'code' FROM outbox WHERE address = :p ORDER BY created_at DESC LIMIT 1"), {"p": phone}
        ).scalar_one()
        db_session.rollback()
        return found

    return ask


def recover(client, code, phone=PHONE, name=NAME):
    return client.post("/api/v1/receipts/recovery", json={"phone": phone, "code": code, "name": name})


def opens(client, serial, pin):
    return client.post("/api/v1/auth/receipt/sign-in", json={"serial": serial, "pin": pin}).status_code == 200


def test_phone_code_and_name_give_back_every_receipt_with_a_new_pin(client, filed, code_for):
    answer = recover(client, code_for(PHONE))
    assert answer.status_code == 200, answer.get_data(as_text=True)
    found = {one["serial"]: one["pin"] for one in answer.json["items"]}
    assert set(found) == {one["serial"] for one in filed}
    for one in filed:
        assert opens(client, one["serial"], found[one["serial"]])
        assert not opens(client, one["serial"], one["pin"])


def test_whoever_was_signed_in_with_the_old_pin_is_signed_out_and_the_timeline_says_so(client, filed, code_for):
    sign_in = {"serial": filed[0]["serial"], "pin": filed[0]["pin"]}
    old = client.post("/api/v1/auth/receipt/sign-in", json=sign_in).json["access_token"]
    found = {one["serial"]: one["pin"] for one in recover(client, code_for(PHONE)).json["items"]}
    path = f"/api/v1/petitions/{filed[0]['id']}"
    assert client.get(path, headers={"Authorization": f"Bearer {old}"}).status_code == 401
    sign_in["pin"] = found[filed[0]["serial"]]
    new = client.post("/api/v1/auth/receipt/sign-in", json=sign_in).json["access_token"]
    events = client.get(path, headers={"Authorization": f"Bearer {new}"}).json["timeline"]
    assert [one["event"] for one in events] == ["file", "renew_pin"]


def test_a_wrong_code_another_name_and_an_unknown_phone_are_answered_alike(client, filed, code_for):
    code, other = code_for(PHONE), code_for("13900000099")
    wrong = "000000" if code != "000000" else "111111"
    answers = [
        recover(client, wrong),
        recover(client, code, name="毛小弟"),
        recover(client, other, phone="13900000099"),
    ]
    assert {(one.status_code, one.json["type"]) for one in answers} == {(401, "/problems/not-recovered")}
    assert len({one.get_data() for one in answers}) == 1


def test_the_new_owner_of_a_number_has_five_names_to_try(client, filed, code_for):
    code = code_for(PHONE)
    tried = [recover(client, code, name=f"猜{n}").status_code for n in range(6)]
    assert tried == [401] * 5 + [429]
    assert recover(client, code).status_code == 429


def test_a_code_recovers_once(client, filed, code_for):
    code = code_for(PHONE)
    assert recover(client, code).status_code == 200
    assert recover(client, code).status_code == 401


def test_an_anonymous_case_and_one_where_the_phone_is_a_representatives_are_never_given_back(client, code_for, new_key):
    people = {"people_count": 3, "representatives": [{"name": NAME, "phone": PHONE}]}
    for more in ({"way": "anonymous", "name": NAME, "phone": PHONE}, {"name": "另一人", "phone": "13800000055", **people}):
        assert client.post("/api/v1/petitions", json={**DRAFT, **more}, headers=new_key()).status_code == 201
    assert recover(client, code_for(PHONE)).status_code == 401


def test_the_page_of_a_lost_receipt_leads_from_phone_to_number_and_new_pin(client, filed, db_session):
    page = client.get("/p/case").get_data(as_text=True)
    assert 'href="/p/recover"' in page
    sent = client.post("/p/recover/code", data={"phone": "138 0000 0021"})
    assert sent.status_code == 200 and 'name="code"' in sent.get_data(as_text=True)
    unknown = client.post("/p/recover/code", data={"phone": "13900000099"})
    assert unknown.get_data(as_text=True).replace("13900000099", PHONE) == sent.get_data(as_text=True)
    code = db_session.execute(text("SELECT params->>'code' FROM outbox WHERE address = :p"), {"p": PHONE}).scalar_one()
    wrong = client.post("/p/recover", data={"phone": PHONE, "code": code, "name": "不是我"})
    assert wrong.status_code == 401 and filed[0]["serial"] not in wrong.get_data(as_text=True)
    found = client.post("/p/recover", data={"phone": PHONE, "code": code, "name": NAME})
    assert found.status_code == 200 and filed[0]["serial"] in found.get_data(as_text=True)
    assert found.headers["Cache-Control"] == "no-store"
    assert filed[0]["pin"] not in found.get_data(as_text=True)
    assert client.post("/p/recover/code", data={"phone": "12"}).status_code == 422


# --- what is kept for it -----------------------------------------------------------------------------------------------


def digests(session):
    session.rollback()
    return session.scalars(text("SELECT recovery_mac FROM sealed.identities ORDER BY petition_id")).all()


def test_a_confidential_case_is_given_back_without_a_word_of_who_filed(client, code_for, new_key):
    draft = {**DRAFT, "way": "confidential", "name": NAME, "phone": PHONE}
    filed = client.post("/api/v1/petitions", json=draft, headers=new_key()).json
    answer = recover(client, code_for(PHONE))
    assert answer.status_code == 200
    (found,) = answer.json["items"]
    assert found["serial"] == filed["serial"] and opens(client, found["serial"], found["pin"])
    assert NAME not in answer.get_data(as_text=True) and PHONE not in answer.get_data(as_text=True)


def test_one_phone_and_name_have_one_digest_and_neither_can_be_read_from_it(filed, db_session, app):
    first, second = digests(db_session)
    assert first == second and len(first) == 64
    plain = f"{PHONE}\0{NAME}".encode()
    secret = app.config["SETTINGS"].secret_key.encode()
    assert first not in (sha256(plain).hexdigest(), hmac.new(secret, plain, sha256).hexdigest())


@pytest.mark.parametrize("more", [{"name": NAME}, {"phone": PHONE}, {"name": NAME, "address": "村东头"}])
def test_without_both_phone_and_name_no_digest_is_kept(client, new_key, db_session, more):
    assert client.post("/api/v1/petitions", json={**DRAFT, **more}, headers=new_key()).status_code == 201
    assert digests(db_session) == [None]


def test_blanks_and_the_country_code_of_a_phone_do_not_change_its_digest(app):
    with app.app_context():
        ways = ("13800000021", " 138 0000-0021", "+8613800000021", "008613800000021")
        assert len({store.recovery_mac(phone, NAME) for phone in ways}) == 1
        assert store.recovery_mac("13800000022", NAME) != store.recovery_mac(PHONE, NAME)


def decide(client, as_staff, own, new_key, case, **wish):
    body = {"petition_id": case, "wish": "请更正或者删除。", **wish}
    asked = client.post("/api/v1/my-data/requests", json=body, headers={**own, **new_key()})
    assert asked.status_code == 201, asked.get_data(as_text=True)
    path = f"/api/v1/data-requests/{asked.json['id']}/actions/decide"
    done = client.post(path, json={"decision": "granted", "reason": "已核对。"}, headers=as_staff("shangtian.office"))
    assert done.status_code == 200, done.get_data(as_text=True)


@pytest.fixture
def own(client, filed):
    sign_in = {"serial": filed[0]["serial"], "pin": filed[0]["pin"]}
    token = client.post("/api/v1/auth/receipt/sign-in", json=sign_in).json["access_token"]
    return {"Authorization": f"Bearer {token}"}


@pytest.mark.parametrize(("name", "which"), [("毛晓梅", 0), (NAME, 1)])
def test_after_a_correction_the_new_name_finds_the_case_and_the_old_one_the_other_alone(
    client, filed, own, code_for, as_staff, new_key, name, which
):
    decide(client, as_staff, own, new_key, filed[0]["id"], kind="correct", corrected={"name": "毛晓梅"})
    found = recover(client, code_for(PHONE), name=name).json["items"]
    assert [one["serial"] for one in found] == [filed[which]["serial"]]


@pytest.mark.slow
def test_the_migration_fills_in_the_digests_of_what_was_sealed_before(
    client, filed, own, new_key, db_session, monkeypatch
):
    asked = {"petition_id": filed[0]["id"], "kind": "correct", "wish": "名字写错了。", "corrected": {"name": "毛晓梅"}}
    assert client.post("/api/v1/my-data/requests", json=asked, headers={**own, **new_key()}).status_code == 201
    waiting = text("SELECT recovery_mac FROM data_requests")
    before = (digests(db_session), db_session.scalars(waiting).all())
    assert None not in before[0] + before[1] and before[1][0] not in before[0]
    db_session.rollback()
    db.session.remove()
    db.engine.dispose()
    monkeypatch.setenv("SECRET_KEY", SECRET)
    downgrade(directory=MIGRATIONS, revision="0005")
    upgrade(directory=MIGRATIONS)
    assert (digests(db_session), db_session.scalars(waiting).all()) == before
    db_session.execute(text("DELETE FROM sealed.data_keys WHERE petition_id = :id"), {"id": filed[0]["id"]})
    db_session.commit()
    downgrade(directory=MIGRATIONS, revision="0005")
    upgrade(directory=MIGRATIONS)
    left = db_session.execute(text("SELECT petition_id::text FROM sealed.identities WHERE recovery_mac IS NOT NULL"))
    assert left.scalars().all() == [filed[1]["id"]], "what does not open gets no digest, and stops nothing"


def test_an_erased_case_keeps_no_digest_and_is_not_given_back(
    client, filed, own, code_for, as_staff, new_key, db_session
):
    case = filed[0]["id"]
    decide(client, as_staff, own, new_key, case, kind="correct", corrected={"address": "村东头"})
    assert client.post(f"/api/v1/petitions/{case}/actions/withdraw", json={}, headers=own).status_code == 200
    decide(client, as_staff, own, new_key, case, kind="delete")
    assert len(digests(db_session)) == 1
    assert db_session.scalars(text("SELECT recovery_mac FROM data_requests")).all() == [None, None]
    assert [one["serial"] for one in recover(client, code_for(PHONE)).json["items"]] == [filed[1]["serial"]]
