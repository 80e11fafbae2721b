"""A lost receipt: found again with phone, code and name; never without all three, and no answer tells what exists."""

import pytest
from sqlalchemy import text

from tests.app.cases import VILLAGE

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
