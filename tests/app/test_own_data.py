"""My data: see and copy, ask for correction or deletion, a clock of fifteen working days, and a reasoned decision."""

from datetime import date

import psycopg
import pytest
from psycopg import errors
from sqlalchemy import text

from app import calendar_store, clock

PLACE = "330213007213"
NAME, PHONE = "陈小妹", "13877770001"
OTHER = {"name": "陈晓梅", "phone": "13877770009"}


def draft(**more):
    return {"division_code": PLACE, "title": "账目不清", "body": "请查一查账。", "name": NAME, "phone": PHONE, **more}


@pytest.fixture
def mine(client, new_key):
    """(receipt, headers of the petitioner) of a case filed in confidence."""
    body = draft(way="confidential", keep_from=[{"name": "毛定国"}])
    receipt = client.post("/api/v1/petitions", json=body, headers=new_key()).json
    given = {"serial": receipt["serial"], "pin": receipt["pin"]}
    token = client.post("/api/v1/auth/receipt/sign-in", json=given).json["access_token"]
    return receipt, {"Authorization": f"Bearer {token}"}


@pytest.fixture
def ask(client, mine, new_key):
    def post(kind="correct", expect=201, **more):
        receipt, headers = mine
        body = {"petition_id": receipt["id"], "kind": kind, "wish": "姓名写错了,请更正。", **more}
        answer = client.post("/api/v1/my-data/requests", json=body, headers={**headers, **new_key()})
        assert answer.status_code == expect, answer.get_data(as_text=True)
        return answer.json

    return post


@pytest.fixture
def decide(client, as_staff):
    def post(request_id, username="shangtian.office", expect=200, **decision):
        path = f"/api/v1/data-requests/{request_id}/actions/decide"
        answer = client.post(path, json={"reason": "已核对。", **decision}, headers=as_staff(username))
        assert answer.status_code == expect, answer.get_data(as_text=True)
        return answer.json

    return post


def kept(client, headers):
    answer = client.get("/api/v1/my-data", headers=headers)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return answer


def slug(answer):
    return answer["type"].rpartition("/")[2]


def test_a_receipt_shows_and_copies_everything_kept_of_that_one_case(client, mine, new_key):
    receipt, headers = mine
    client.post("/api/v1/petitions", json=draft(title="别人的事"), headers=new_key())
    sent = {"body": "还有一张收据。"}
    client.post(f"/api/v1/petitions/{receipt['id']}/messages", json=sent, headers={**headers, **new_key()})
    answer = kept(client, headers)
    assert answer.headers["Content-Disposition"] == 'attachment; filename="my-data.json"'
    (case,) = answer.json["cases"]
    assert (case["serial"], case["way"], case["body"]) == (receipt["serial"], "confidential", "请查一查账。")
    assert [(one["name"], one["phone"]) for one in case["people"]] == [(NAME, PHONE)]
    assert [one["name"] for one in case["keep_from"]] == ["毛定国"]
    assert [(one["from_me"], one["body"]) for one in case["messages"]] == [(True, "还有一张收据。")]
    assert answer.json["account"] is None


def test_an_account_shows_its_telephone_and_all_its_cases_and_nobody_elses(client, as_villager, new_key):
    headers, neighbour = as_villager(PHONE), as_villager("13877770002")
    for title in ("第一件", "第二件"):
        assert (
            client.post("/api/v1/petitions", json=draft(title=title), headers={**headers, **new_key()}).status_code
            == 201
        )
    client.post("/api/v1/petitions", json=draft(title="邻居的"), headers={**neighbour, **new_key()})
    data = kept(client, headers).json
    assert data["account"]["phone"] == PHONE
    assert {one["title"] for one in data["cases"]} == {"第一件", "第二件"}


def test_internal_notes_are_no_part_of_my_data(client, mine, as_staff, new_key):
    receipt, headers = mine
    note = {"body": "内部意见", "internal": True}
    staff = {**as_staff("shangtian.office"), **new_key()}
    assert client.post(f"/api/v1/petitions/{receipt['id']}/messages", json=note, headers=staff).status_code == 201
    assert "内部意见" not in kept(client, headers).get_data(as_text=True)


def test_staff_have_no_my_data(client, as_staff):
    assert client.get("/api/v1/my-data", headers=as_staff("fenghua.office")).status_code == 403


def test_a_request_is_due_after_fifteen_working_days_of_the_calendar(ask, app):
    asked = ask()
    with app.app_context():
        expected = calendar_store.current()[0].add_workdays(clock.today(), 15).day
    assert date.fromisoformat(asked["due_on"]) == expected
    assert (expected - clock.today()).days >= 19, "weekends do not count"


def test_a_granted_correction_changes_the_identity_and_nobody_had_to_see_it(
    client, mine, ask, decide, as_staff, db_session
):
    receipt, headers = mine
    asked = ask(corrected=OTHER)
    (waiting,) = client.get("/api/v1/data-requests", headers=as_staff("shangtian.office")).json["items"]
    assert (waiting["id"], waiting["has_corrected"], waiting["overdue"]) == (asked["id"], True, False)
    assert OTHER["name"] not in str(waiting)
    row = db_session.execute(text("SELECT row_to_json(d)::text FROM data_requests d")).scalar_one()
    assert OTHER["name"] not in row and OTHER["phone"] not in row
    assert kept(client, headers).json["cases"][0]["people"][0]["name"] == NAME, "not before it is granted"
    decide(asked["id"], decision="granted")
    (case,) = kept(client, headers).json["cases"]
    assert [(one["name"], one["phone"]) for one in case["people"]] == [(OTHER["name"], OTHER["phone"])]
    assert case["requests"][0]["decision"] == "granted"
    assert client.get(f"/api/v1/petitions/{receipt['id']}", headers=as_staff("shangtian.office")).json["people"] == []


def test_a_refusal_needs_a_ground_of_the_closed_list_and_the_petitioner_reads_it(client, mine, ask, decide, worker_app):
    from app.messages.service import deliver_due

    asked = ask("delete")
    for wrong in ({}, {"ground": "no_time"}):
        assert slug(decide(asked["id"], expect=422, decision="refused", **wrong)) == "invalid-input"
    decide(asked["id"], decision="refused", ground="statutory_duty", reason="仍在办理中。")
    _receipt, headers = mine
    (request,) = kept(client, headers).json["cases"][0]["requests"]
    assert (request["decision"], request["ground"], request["reason"]) == ("refused", "statutory_duty", "仍在办理中。")
    with worker_app.app_context():
        deliver_due()
    told = [one["event"] for one in client.get("/api/v1/inbox", headers=headers).json["items"]]
    assert "decide_data_request" in told
    assert slug(decide(asked["id"], expect=409, decision="granted")) == "already-decided"


def test_a_case_that_runs_is_not_deleted_and_a_closed_one_is(client, mine, ask, decide, as_staff, db_session):
    receipt, headers = mine
    asked = ask("delete")
    assert slug(decide(asked["id"], expect=409, decision="granted")) == "case-open"
    withdrawn = client.post(f"/api/v1/petitions/{receipt['id']}/actions/withdraw", json={}, headers=headers)
    assert withdrawn.json["state"] == "withdrawn"
    decide(asked["id"], decision="granted")
    (case,) = kept(client, headers).json["cases"]
    assert (case["title"], case["body"], case["people"], case["state"]) == ("", "", [], "withdrawn")
    assert case["erased_at"]
    view = client.get(f"/api/v1/petitions/{receipt['id']}", headers=as_staff("shangtian.office")).json
    assert view["identity"] == "erased"
    assert [one["event"] for one in view["timeline"]][-1] == "erase_content"
    assert db_session.execute(text("SELECT count(*) FROM sealed.data_keys")).scalar() == 0
    salted = text("SELECT event FROM petition_events WHERE length(salt) > 0")
    assert list(db_session.scalars(salted)) == ["erase_content"], "no commitment can be found out by trying"
    assert slug(ask("delete", expect=409)) == "already-erased"


def test_one_request_of_a_kind_waits_at_a_time_and_an_anonymous_case_has_nothing_to_correct(client, ask, new_key):
    ask()
    assert slug(ask(expect=409)) == "request-pending"
    receipt = client.post("/api/v1/petitions", json=draft(way="anonymous"), headers=new_key()).json
    given = {"serial": receipt["serial"], "pin": receipt["pin"]}
    token = client.post("/api/v1/auth/receipt/sign-in", json=given).json["access_token"]
    body = {"petition_id": receipt["id"], "kind": "correct", "wish": "补上姓名", "corrected": OTHER}
    headers = {"Authorization": f"Bearer {token}", **new_key()}
    answer = client.post("/api/v1/my-data/requests", json=body, headers=headers)
    assert (answer.status_code, slug(answer.json)) == (409, "nothing-sealed")


def test_a_petitioner_asks_nothing_about_the_case_of_another(client, mine, new_key):
    other = client.post("/api/v1/petitions", json=draft(), headers=new_key()).json
    _receipt, headers = mine
    body = {"petition_id": other["id"], "kind": "delete", "wish": "请删除"}
    answer = client.post("/api/v1/my-data/requests", json=body, headers={**headers, **new_key()})
    assert answer.status_code == 404


@pytest.mark.parametrize(
    ("username", "status"),
    [("shangtian.discipline", 403), ("fenghua.agri", 403), ("wuxing.office", 404), ("admin", 403)],
)
def test_only_the_petition_office_of_the_area_decides(ask, decide, username, status):
    decide(ask()["id"], username, expect=status, decision="granted")


def test_the_web_role_changes_no_identity_without_a_granted_request(database, mine, ask, db_session):
    asked = ask(corrected=OTHER)
    before = db_session.execute(text("SELECT ciphertext FROM sealed.identities")).scalar_one()
    db_session.rollback()
    with psycopg.connect(database["DATABASE_URL"], autocommit=True) as web:
        web.execute("SELECT apply_data_request(%s)", (asked["id"],))
        for statement in ("SELECT erase_content(%s)", "UPDATE data_requests SET wish = '' WHERE id = %s"):
            with pytest.raises(errors.InsufficientPrivilege):
                web.execute(statement, (asked["id"],))
    assert db_session.execute(text("SELECT ciphertext FROM sealed.identities")).scalar_one() == before
