"""The main job over HTTP: file, handle, answer, rate, and up after a bad rating."""

import pytest
from sqlalchemy import text

from app.supervision import sweeps
from app.supervision.scheduler import JOBS


def draft(place, **more):
    return {
        "division_code": place, "title": "土地租金多年未收到", "body": "村里一百余亩土地租给企业,租金一直没有到账。",
        "category": "land", "name": "王某", "phone": "13800000001", **more,
    }  # fmt: skip


def a_village(db_session, prefix="330213007"):
    return db_session.execute(
        text("SELECT code FROM divisions WHERE level = 5 AND code LIKE :p ORDER BY code LIMIT 1"), {"p": prefix + "%"}
    ).scalar_one()


def org(db_session, username):
    return str(
        db_session.execute(
            text(
                "SELECT p.org_id FROM appointments p JOIN staff_accounts a ON a.id = p.account_id WHERE a.username = :u"
            ),
            {"u": username},
        ).scalar_one()
    )


class Case:
    """A case driven through the API."""

    def __init__(self, client, case_id):
        self.client, self.id = client, case_id

    def act(self, headers, event, expect=200, **facts):
        answer = self.client.post(f"/api/v1/petitions/{self.id}/actions/{event}", json=facts, headers=headers)
        assert answer.status_code == expect, (event, answer.status_code, answer.get_data(as_text=True))
        return answer.json

    def see(self, headers, expect=200):
        answer = self.client.get(f"/api/v1/petitions/{self.id}", headers=headers)
        assert answer.status_code == expect, answer.get_data(as_text=True)
        return answer.json


def answered(client, db_session, as_staff, new_key):
    """A case that was filed without an account and answered; returns (case, the petitioner's headers, receipt)."""
    filed = client.post("/api/v1/petitions", json=draft(a_village(db_session)), headers=new_key())
    assert filed.status_code == 201, filed.get_data(as_text=True)
    receipt = filed.json
    token = client.post("/api/v1/auth/receipt/sign-in", json={"serial": receipt["serial"], "pin": receipt["pin"]})
    assert token.status_code == 200, token.get_data(as_text=True)
    own = {"Authorization": f"Bearer {token.json['access_token']}"}
    case = Case(client, receipt["id"])
    office, discipline, head = (
        as_staff("shangtian.office"),
        as_staff("shangtian.discipline"),
        as_staff("shangtian.head"),
    )
    case.act(office, "register")
    case.act(office, "accept")
    case.act(office, "dispatch", main_org_id=org(db_session, "shangtian.discipline"))
    case.act(discipline, "sign")
    case.act(discipline, "start", note="已联系反映人")
    case.act(discipline, "submit-reply", findings="租金拖欠属实", legal_basis="民法典", outcome="supported")
    return case, own, receipt, head


def test_a_petition_is_filed_handled_answered_and_rated(client, db_session, as_staff, new_key):
    case, own, receipt, _head = answered(client, db_session, as_staff, new_key)
    assert receipt["serial"].startswith("MJ-") and len(receipt["pin"]) == 8 and receipt["promises"]
    approved = case.act(as_staff("shangtian.discipline.head"), "approve-reply")
    assert approved["state"] == "replied"
    assert case.act(as_staff("shangtian.office"), "deliver", proof="当面送达")["state"] == "resolved"
    view = case.see(own)
    assert {"rate", "ask_review"} <= {action["name"] for action in view["allowed_actions"]}
    rated = case.act(own, "rate", grade="satisfied", office_grade="basic")
    assert rated["state"] == "rated"
    assert [event["event"] for event in rated["timeline"]][-1] == "rate"


def test_a_dissatisfied_rating_goes_up_with_an_order_and_never_back(client, db_session, as_staff, new_key):
    case, own, _receipt, _head = answered(client, db_session, as_staff, new_key)
    case.act(as_staff("shangtian.discipline.head"), "approve-reply")
    case.act(as_staff("shangtian.office"), "deliver", proof="当面送达")
    case.act(own, "rate", expect=422, grade="dissatisfied", office_grade="basic")
    up = case.act(own, "rate", grade="dissatisfied", office_grade="basic", reason="钱没有到账")
    assert (up["state"], up["level"], up["supervised"]) == ("dissatisfied", 3, True)
    county = as_staff("fenghua.office")
    orders = client.get("/api/v1/supervision/orders", headers=county).json["items"]
    assert [order["reason"] for order in orders] == ["dissatisfied"]
    refused = case.act(county, "rehandle", expect=403, main_org_id=org(db_session, "shangtian.discipline"))
    assert refused["type"] == "/problems/not-allowed"
    again = case.act(county, "rehandle", main_org_id=org(db_session, "fenghua.agri"))
    assert (again["state"], again["round"]) == ("handling", 2)


def test_the_same_key_files_once_and_another_body_is_refused(client, db_session, new_key):
    key, place = new_key(), a_village(db_session)
    first = client.post("/api/v1/petitions", json=draft(place), headers=key).json
    again = client.post("/api/v1/petitions", json=draft(place), headers=key).json
    assert (first["id"], first["serial"], first["pin"]) == (again["id"], again["serial"], again["pin"])
    other = client.post("/api/v1/petitions", json=draft(place, title="另一件事"), headers=key)
    assert (other.status_code, other.json["type"]) == (422, "/problems/key-used-with-another-body")
    assert db_session.execute(text("SELECT count(*) FROM petitions")).scalar_one() == 1


def test_two_people_acting_at_once_one_wins(client, db_session, as_staff, new_key):
    receipt = client.post("/api/v1/petitions", json=draft(a_village(db_session)), headers=new_key()).json
    office = as_staff("shangtian.office")
    path = f"/api/v1/petitions/{receipt['id']}/actions/register"
    assert client.post(path, json={}, headers={**office, "If-Match": '"1"'}).status_code == 200
    late = client.post(path, json={}, headers={**office, "If-Match": '"1"'})
    assert (late.status_code, late.json["type"]) == (412, "/problems/precondition-failed")
    wrong = client.post(path, json={}, headers=office)
    assert (wrong.status_code, wrong.json["state"]) == (409, "registered")
    assert "accept" in wrong.json["allowed_actions"]


def test_a_neighbouring_township_and_the_administrator_see_nothing(client, db_session, as_staff, new_key):
    receipt = client.post("/api/v1/petitions", json=draft(a_village(db_session)), headers=new_key()).json
    case = Case(client, receipt["id"])
    for stranger in ("wuxing.office", "admin", "auditor", "fenghua.agri"):
        headers = as_staff(stranger)
        case.see(headers, expect=404)
        assert client.get("/api/v1/petitions", headers=headers).json["items"] == []
    assert case.see(as_staff("fenghua.office"))["state"] == "filed"


def test_a_two_character_word_is_found_and_one_character_refused(client, db_session, as_staff, new_key):
    client.post("/api/v1/petitions", json=draft(a_village(db_session)), headers=new_key())
    found = client.get("/api/v1/petitions/search?q=租金", headers=as_staff("fenghua.office"))
    assert [row["title"] for row in found.json["items"]] == ["土地租金多年未收到"]
    assert client.get("/api/v1/petitions/search?q=租金", headers=as_staff("wuxing.office")).json["items"] == []
    assert client.get("/api/v1/petitions/search?q=租", headers=as_staff("fenghua.office")).status_code == 422


def test_a_merged_case_is_answered_with_its_parent_and_rated_by_itself(
    client, db_session, as_staff, new_key, worker_app
):
    parent, _own, _receipt, _head = answered(client, db_session, as_staff, new_key)
    filed = client.post("/api/v1/petitions", json=draft(a_village(db_session)), headers=new_key()).json
    token = client.post("/api/v1/auth/receipt/sign-in", json={"serial": filed["serial"], "pin": filed["pin"]}).json
    child, own = Case(client, filed["id"]), {"Authorization": f"Bearer {token['access_token']}"}
    office = as_staff("shangtian.office")
    child.act(office, "register")
    assert child.act(office, "merge", parent_id=parent.id)["state"] == "merged"
    parent.act(as_staff("shangtian.discipline.head"), "approve-reply")
    parent.act(office, "deliver", proof="当面送达")
    with worker_app.app_context():
        sweeps.sweep_merged()
    view = child.see(own)
    assert view["state"] == "resolved"
    assert view["timeline"][-1]["facts"]["findings"] == "租金拖欠属实"
    assert child.act(own, "rate", grade="dissatisfied", office_grade="basic", reason="不服")["state"] == "dissatisfied"
    assert parent.see(office)["state"] == "resolved"


def test_money_is_claimed_recovered_and_paid_out_in_instalments(client, db_session, as_staff, new_key):
    case, _own, _receipt, _head = answered(client, db_session, as_staff, new_key)
    headers = as_staff("shangtian.discipline")

    def money(kind, fen, expect=201):
        answer = client.post(
            f"/api/v1/petitions/{case.id}/money", headers={**headers, **new_key()},
            json={"kind": kind, "amount_fen": fen, "on": "2026-01-05"},
        )  # fmt: skip
        assert answer.status_code == expect, answer.get_data(as_text=True)
        return answer.json

    money("claimed", 120_000_000)
    money("paid_out", 1, expect=422)
    money("recovered", 120_000_000)
    money("paid_out", 30_000_000)
    assert money("paid_out", 20_000_000) == {
        "claimed_fen": 120_000_000, "recovered_fen": 120_000_000, "paid_out_fen": 50_000_000,
    }  # fmt: skip


def test_internal_notes_stay_inside(client, db_session, as_staff, new_key):
    case, own, _receipt, _head = answered(client, db_session, as_staff, new_key)
    path = f"/api/v1/petitions/{case.id}/messages"
    for internal in (True, False):
        sent = client.post(
            path, json={"body": f"internal={internal}", "internal": internal},
            headers={**as_staff("shangtian.discipline"), **new_key()},
        )  # fmt: skip
        assert sent.status_code == 201, sent.get_data(as_text=True)
    assert [one["body"] for one in case.see(own)["messages"]] == ["internal=False"]


def test_an_order_ends_with_the_round_that_it_asked_for(client, db_session, as_staff, new_key):
    case, own, _receipt, _head = answered(client, db_session, as_staff, new_key)
    case.act(as_staff("shangtian.discipline.head"), "approve-reply")
    case.act(as_staff("shangtian.office"), "deliver", proof="当面送达")
    case.act(own, "rate", grade="dissatisfied", office_grade="basic", reason="钱没有到账")
    county = as_staff("fenghua.office")
    assert len(client.get("/api/v1/supervision/orders", headers=county).json["items"]) == 1
    case.act(county, "rehandle", main_org_id=org(db_session, "fenghua.agri"))
    assert client.get("/api/v1/supervision/orders", headers=county).json["items"] == []


def test_an_accusation_that_is_routed_to_discipline_leaves_only_a_stub_to_the_office(client, db_session, as_staff, new_key):
    filed = client.post(
        "/api/v1/petitions", json=draft(a_village(db_session), item_type="accusation"), headers=new_key()
    )
    case = Case(client, filed.json["id"])
    office = as_staff("shangtian.office")
    case.act(office, "register")
    answered = case.act(office, "route-to-discipline")
    assert answered["state"] == "sealed"
    for username in ("shangtian.office", "fenghua.office", "shangtian.discipline", "shangtian.discipline.head"):
        stub = case.see(as_staff(username))
        assert (stub["state"], stub["title"], stub["body"], stub["category"]) == ("sealed", "已转有关部门", "", "other")
        # The identity follows the clue: its first reader is the head of the discipline body.
        assert bool(stub["people"]) == (username == "shangtian.discipline.head")
    assert "租金" not in str(answered)


def test_the_time_for_a_second_handling_cannot_be_extended(client, db_session, as_staff, new_key):
    case, own, _receipt, _head = answered(client, db_session, as_staff, new_key)
    case.act(as_staff("shangtian.discipline.head"), "approve-reply")
    case.act(as_staff("shangtian.office"), "deliver", proof="当面送达")
    case.act(own, "rate", grade="dissatisfied", office_grade="basic", reason="钱没有到账")
    case.act(as_staff("fenghua.office"), "rehandle", main_org_id=org(db_session, "fenghua.agri"))
    bureau = as_staff("fenghua.agri")
    offered = {action["name"] for action in case.see(bureau)["allowed_actions"]}
    assert "request_suspension" in offered and "request_extension" not in offered
    refused = case.act(bureau, "request-extension", expect=403, days=5, reason="需核对账目")
    assert (refused["type"], refused["reason"]) == ("/problems/not-allowed", "extension-not-provided")


def test_the_petitioner_is_shown_the_statutory_limit_beside_the_local_one(client, db_session, as_staff, new_key):
    case, own, _receipt, _head = answered(client, db_session, as_staff, new_key)
    shown = {one["policy"]: one for one in case.see(own)["promises"]}
    assert (shown["PT-05"]["statutory"], shown["PT-12"]["statutory"]) == (True, False)
    assert shown["PT-12"]["due_on"] < shown["PT-05"]["due_on"]
    assert case.see(own)["next_policy"] == "PT-12"


def approved(client, db_session, as_staff, new_key, channel=None):
    """A case whose reply has just been approved; filed on line, or written down by the office."""
    office = as_staff("shangtian.office")
    if channel is None:
        receipt = client.post("/api/v1/petitions", json=draft(a_village(db_session)), headers=new_key()).json
    else:
        body = draft(a_village(db_session), channel=channel)
        receipt = client.post("/api/v1/intake/petitions", json=body, headers={**office, **new_key()}).json
    case, discipline = Case(client, receipt["id"]), as_staff("shangtian.discipline")
    case.act(office, "register")
    case.act(office, "accept")
    case.act(office, "dispatch", main_org_id=org(db_session, "shangtian.discipline"))
    case.act(discipline, "sign")
    case.act(discipline, "start", note="已联系反映人")
    case.act(discipline, "submit-reply", findings="租金拖欠属实", legal_basis="民法典", outcome="supported")
    assert case.act(as_staff("shangtian.discipline.head"), "approve-reply")["state"] == "replied"
    return case, receipt


def sweep(worker_app):
    with worker_app.app_context():
        return sweeps.sweep_due()


def test_a_reply_to_somebody_who_filed_on_line_arrives_at_the_next_sweep(
    client, db_session, as_staff, new_key, worker_app
):
    case, receipt = approved(client, db_session, as_staff, new_key)
    assert sweep(worker_app).by_event == {"deliver": 1}
    token = client.post("/api/v1/auth/receipt/sign-in", json={"serial": receipt["serial"], "pin": receipt["pin"]}).json
    view = case.see({"Authorization": f"Bearer {token['access_token']}"})
    assert (view["state"], view["colour"]) == ("resolved", None)
    delivered = view["timeline"][-1]
    assert (delivered["event"], delivered["facts"]["delivery"]) == ("deliver", "online")
    assert delivered["facts"]["findings"] == "租金拖欠属实"
    assert "rate" in {action["name"] for action in view["allowed_actions"]}
    by, breached = db_session.execute(
        text(
            "SELECT e.actor_kind, d.breached FROM petition_events e JOIN deadlines d USING (petition_id) "
            "WHERE e.event = 'deliver' AND d.policy_id = 'PT-26'"
        )
    ).one()
    assert (by, breached) == ("system", False)


@pytest.mark.parametrize("channel", ["letter", "phone", "visit"])
def test_a_reply_to_a_letter_a_call_or_a_visit_waits_for_whoever_brings_it(
    client, db_session, as_staff, new_key, worker_app, channel
):
    case, _receipt = approved(client, db_session, as_staff, new_key, channel)
    assert sweep(worker_app).seen == 0
    office = as_staff("shangtian.office")
    case.act(office, "deliver", expect=422)
    assert case.act(office, "deliver", proof="当面送达,本人签收")["state"] == "resolved"


def test_a_reply_that_nobody_brings_counts_as_delivered_after_a_working_day(
    client, db_session, as_staff, new_key, worker_app
):
    case, _receipt = approved(client, db_session, as_staff, new_key, "letter")
    db_session.execute(text("INSERT INTO clock_offset (singleton, seconds) VALUES (1, 86400 * 14)"))
    db_session.commit()
    assert sweep(worker_app).by_event == {"deliver": 1}
    facts = db_session.scalar(text("SELECT facts FROM petition_events WHERE event = 'deliver'"))
    assert (facts["policy"], "delivery" in facts) == ("PT-26", False)


def test_the_worker_looks_for_what_is_due_within_a_minute():
    assert next(job.seconds for job in JOBS if job.name == "deadlines") <= 60


def test_a_bad_grade_for_the_office_alone_closes_the_case_and_is_on_the_desk_above(
    client, db_session, as_staff, new_key
):
    case, own, _receipt, _head = answered(client, db_session, as_staff, new_key)
    case.act(as_staff("shangtian.discipline.head"), "approve-reply")
    case.act(as_staff("shangtian.office"), "deliver", proof="当面送达")
    assert case.act(own, "rate", grade="satisfied", office_grade="dissatisfied")["state"] == "rated"

    def desk(username):
        path = "/api/v1/supervision/desk?list=office_dissatisfied"
        return [row["id"] for row in client.get(path, headers=as_staff(username)).json["items"]]

    assert desk("fenghua.office") == desk("ningbo.office") == [case.id]
    assert desk("shangtian.discipline") == []
    case.act(own, "change-rating", grade="satisfied", office_grade="basic")
    assert desk("fenghua.office") == []


def test_a_message_sent_twice_is_one_message_and_its_text_is_kept_in_one_place(client, db_session, new_key):
    receipt = client.post("/api/v1/petitions", json=draft(a_village(db_session)), headers=new_key()).json
    token = client.post("/api/v1/auth/receipt/sign-in", json={"serial": receipt["serial"], "pin": receipt["pin"]}).json
    headers = {"Authorization": f"Bearer {token['access_token']}", **new_key()}
    path = f"/api/v1/petitions/{receipt['id']}/messages"
    answers = [client.post(path, json={"body": "只说给经办人听"}, headers=headers) for _ in range(2)]
    assert [one.status_code for one in answers] == [201, 201] and answers[0].json == answers[1].json
    assert answers[0].json["body"] == "只说给经办人听"
    assert db_session.execute(text("SELECT count(*) FROM case_messages")).scalar_one() == 1
    kept = db_session.execute(text("SELECT string_agg(answer::text, '') FROM idempotency_keys")).scalar_one()
    assert "只说给经办人听" not in kept
