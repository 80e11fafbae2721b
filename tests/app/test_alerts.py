"""Alerts over HTTP: who sees one, what each may do, and what is left behind by every step."""

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest

from app.alerts import service
from app.alerts.sweep import sweep_alerts
from app.recusal.sweeps import sweep_recusals
from tests.app.alert_world import NEXT_VILLAGE, RULE, VILLAGE, Alerts, Subjects, hit

ABOUT = Subjects(persons=["ab12"], contracts=["HT-7"], names=["周建国"])


class Walk(Alerts):
    """Alerts that are sent out, and people who act on them."""

    def __init__(self, worker_app, session, client, as_staff):
        super().__init__(worker_app, session)
        self.client, self.as_staff = client, as_staff

    def raised(self, *hits, **more):
        hits = hits or (hit(colour="red"),)
        self.fold(*hits, subjects={one.alert_key: ABOUT for one in hits}, **more)
        self.sweep()
        return self.rows("SELECT id FROM alerts ORDER BY raised_at DESC, alert_key LIMIT 1")[0].id

    def sweep(self):
        with self.worker():
            report = sweep_alerts()
        assert report.failed == 0
        return report.by_event

    def get(self, username, path, status=200):
        answer = self.client.get(f"/api/v1{path}", headers=self.as_staff(username))
        assert answer.status_code == status, answer.get_data(as_text=True)
        return answer.json

    def post(self, username, path, facts=None, status=200, **headers):
        answer = self.client.post(f"/api/v1{path}", json=facts or {}, headers={**self.as_staff(username), **headers})
        assert answer.status_code == status, answer.get_data(as_text=True)
        return answer.json

    def act(self, username, alert, action, facts=None, status=200):
        return self.post(username, f"/alerts/{alert}/actions/{action}", facts, status)

    def account(self, username):
        return str(self.rows("SELECT id FROM staff_accounts WHERE username = :u", u=username)[0].id)

    def checking(self, *hits, by="shangtian.discipline"):
        """An alert that two people check, one of them of the body that received it."""
        alert = self.raised(*hits)
        self.act(by, alert, "sign")
        self.act(by, alert, "start-check", {"checker_ids": [self.account(by), self.account("fenghua.discipline")]})
        return alert

    def confirmed(self):
        alert = self.checking()
        self.act("shangtian.discipline", alert, "report-findings", {"findings": "属实", "persons": ["周建国"], "amount": 100_00})
        self.act("shangtian.discipline.head", alert, "confirm", {"opinion": "同意"})
        return alert

    def struck_off(self):
        alert = self.confirmed()
        items = [{"task": "退回资金", "owner": "村主任", "due": "2027-03-01"}]
        self.act("shangtian.discipline.head", alert, "order-rectification", {"items": items})
        disposal = {"persons": [{"person": "周建国", "form": "FORM_1"}], "amount": 100_00, "recovered": 90_00, "returned": 0}
        self.act("shangtian.discipline", alert, "record-disposal", disposal)
        (task,) = self.get("shangyi.clerk", "/alert-tasks?open=true")["items"]
        self.post("shangyi.clerk", f"/alert-tasks/{task['id']}/actions/submit-proof", {"proof": "已退回"})
        self.act("fenghua.discipline", alert, "strike-off", {"items_left": 0, "note": "验收"})
        return alert


@pytest.fixture
def walk(worker_app, db_session, client, as_staff, monkeypatch):
    monkeypatch.setattr(service, "drawn", lambda: False)
    return Walk(worker_app, db_session, client, as_staff)


# Who sees what


def seen_by(walk, username):
    return [one["id"] for one in walk.get(username, "/alerts")["items"]]


@pytest.mark.parametrize(
    ("username", "red", "blue"),
    [
        ("shangtian.discipline", True, True), ("fenghua.discipline", True, True), ("ningbo.discipline", True, True),
        ("xiaowangmiao.discipline", False, False), ("wuxing.discipline", False, False), ("shangtian.colleague", False, True),
        ("shangyi.supervisor", False, True), ("shangyi.clerk", False, False), ("shangyi.grid", False, False),
        ("fenghua.agri", False, False), ("fenghua.group", False, False), ("fenghua.office", False, False), ("auditor", False, False), ("admin", False, False),
    ],
)  # fmt: skip
def test_an_alert_is_seen_by_those_of_its_area_whose_it_is(walk, username, red, blue):
    if username == "shangtian.colleague":
        username = "shangtian.head"
    ids = {"red": str(walk.raised()), "blue": str(walk.raised(hit("B", 2, colour="blue")))}
    seen = seen_by(walk, username)
    assert {name: one in seen for name, one in ids.items()} == {"red": red, "blue": blue}
    for name, one in ids.items():
        walk.get(username, f"/alerts/{one}", 200 if {"red": red, "blue": blue}[name] else 404)


def test_nobody_sees_an_alert_before_it_was_asked_who_must_withdraw(walk):
    walk.fold(hit(colour="red"))
    assert seen_by(walk, "fenghua.discipline") == seen_by(walk, "ningbo.discipline.head") == []
    walk.sweep()
    assert len(seen_by(walk, "fenghua.discipline")) == 1


def test_kin_of_the_subject_can_not_tell_that_the_alert_exists(walk):
    """毛定国 of the village committee has a brother at the township office, which would receive a yellow alert."""
    walk.fold(hit(colour="yellow"), subjects={"P-1": Subjects(names=["毛定国"])})
    walk.sweep()
    alert = walk.rows()[0]
    assert walk.rows("SELECT username FROM staff_accounts WHERE id = ANY(:ids)", ids=alert.excluded_account_ids)
    walk.get("shangtian.office", f"/alerts/{alert.id}", 404)
    walk.act("shangtian.office", alert.id, "sign", status=404)
    # A colleague who is himself no kin.
    walk.run("UPDATE alerts SET excluded_account_ids = array_append(excluded_account_ids, :a)", a=walk.account("fenghua.discipline"))
    assert seen_by(walk, "fenghua.discipline") == []
    walk.get("fenghua.discipline", f"/alerts/{alert.id}", 404)
    assert len(seen_by(walk, "fenghua.discipline.head")) == 1


def test_what_is_held_is_for_the_owners_of_rules_and_goes_out_as_a_packet(walk):
    walk.fold(hit("A", 1), hit("B", 2, place=NEXT_VILLAGE), rule=replace(RULE, new=True), run_id=uuid4())
    walk.sweep()
    assert seen_by(walk, "shangtian.discipline") == []
    (packet,) = walk.get("fenghua.discipline", "/alert-packets?held=true")["items"]
    assert (packet["items"], packet["held"], packet["states"]) == (2, 2, {"held": 2})
    walk.post("shangtian.discipline", f"/alert-packets/{packet['id']}/actions/dispatch", status=404)
    moved = walk.post("fenghua.discipline", f"/alert-packets/{packet['id']}/actions/dispatch")
    assert (moved["moved"], moved["left"]) == (2, 0)
    assert walk.get("fenghua.discipline", "/alert-packets?held=true")["items"] == []
    items = walk.get("shangtian.discipline", f"/alerts?packet_id={packet['id']}")["items"]
    assert {one["state"] for one in items} == {"dispatched"} and len(items) == 2


def test_a_flood_is_withdrawn_as_a_whole_by_the_head_of_the_owner(walk):
    walk.fold(hit("A", 1), hit("B", 2), rule=replace(RULE, flood_limit=1), run_id=uuid4())
    walk.sweep()
    (packet,) = walk.get("fenghua.discipline.head", "/alert-packets?held=true")["items"]
    path, why = f"/alert-packets/{packet['id']}/actions/withdraw", {"reason_code": "rule_fault", "reason": "条件写反"}
    assert walk.post("fenghua.discipline", path, why, 403)["reason"] == "head-needed"
    assert walk.post("fenghua.discipline.head", path, why)["moved"] == 2
    assert {(one.state, one.resolution) for one in walk.rows()} == {("resolved", "withdrawn")}


# The way through


def test_a_confirmed_alert_goes_by_question_order_disposal_proof_and_verdict(walk):
    alert = walk.struck_off()
    view = walk.get("fenghua.discipline", f"/alerts/{alert}")
    assert (view["state"], view["resolution"], view["colour"]) == ("resolved", "disposed", "yellow")
    assert view["rule"]["name"] == RULE.document["name"] and view["rule"]["params"] == {"days": 0}
    assert [(one["person"], one["form"]) for one in view["disposals"]] == [("周建国", "FORM_1")]
    assert {(one["kind"], one["fen"]) for one in view["money"]} == {("amount", 100_00), ("recovered", 90_00)}
    assert view["tasks"][0]["proof"] == "已退回"
    walk.act("fenghua.discipline", alert, "rate", {"verdict": "A"})
    walk.act("fenghua.discipline.head", alert, "record-money", {"kind": "returned", "fen": 10_00})
    view = walk.get("fenghua.discipline", f"/alerts/{alert}")
    assert (view["state"], view["verdict"], [one["verdict"] for one in view["verdicts"]]) == ("rated", "A", ["A"])
    assert walk.rows("SELECT count(*) AS n FROM ledger_queue")[0].n == len(view["timeline"])


def test_the_unit_sees_its_question_and_nothing_of_the_alert(walk):
    alert = walk.checking()
    asked = {"question": "请说明开工时间。", "shown": ["项目:尚一村道路", "开工:2026-03-01"]}
    walk.act("shangtian.discipline", alert, "ask-explanation", asked)
    (question,) = walk.get("shangyi.clerk", "/alert-questions?open=true")["items"]
    assert {question["question"], *question["shown"]} == {asked["question"], *asked["shown"]} and question["due_at"]
    assert set(question) == {"id", "question", "shown", "asked_at", "due_at", "answer", "answered_at"}
    walk.get("shangyi.clerk", f"/alerts/{alert}", 404)
    assert walk.get("dongqiao.clerk", "/alert-questions")["items"] == []
    walk.post("dongqiao.clerk", f"/alert-questions/{question['id']}/actions/explain", {"explanation": "不是我们"}, 404)
    path = f"/alert-questions/{question['id']}/actions/explain"
    assert walk.post("shangyi.clerk", path, {"explanation": "抢修"}) == {"state": "checking"}
    walk.post("shangyi.clerk", path, {"explanation": "抢修"}, 409)
    assert walk.get("shangtian.discipline", f"/alerts/{alert}")["questions"][0]["answer"] == "抢修"


def test_a_red_alert_is_checked_by_two_and_by_nobody_from_elsewhere(walk):
    alert = walk.raised()
    walk.act("shangtian.discipline", alert, "sign")
    one = [walk.account("shangtian.discipline")]
    assert walk.act("shangtian.discipline", alert, "start-check", {"checker_ids": one}, 403)["reason"] == "two-people-needed"
    elsewhere = [*one, walk.account("wuxing.discipline")]
    assert "checker_ids" in walk.act("shangtian.discipline", alert, "start-check", {"checker_ids": elsewhere}, 422)["errors"]


def test_an_answer_in_hand_is_asked_for_its_version(walk):
    alert = walk.raised()
    walk.post("shangtian.discipline", f"/alerts/{alert}/actions/sign", {}, 412, **{"If-Match": '"1"'})
    walk.post("shangtian.discipline", f"/alerts/{alert}/actions/sign", {}, 200, **{"If-Match": '"2"'})


def test_whoever_asked_for_a_clearance_does_not_grant_it_and_a_red_one_goes_a_level_up(walk):
    alert = walk.checking()
    clearance = {"reason_code": "lawful_exception", "scope": "evidence", "basis": "有批复", "papers": []}
    assert walk.act("shangtian.discipline", alert, "request-clearance", clearance, 403)["reason"] == "papers-missing"
    clearance["papers"] = [{"kind": "approval", "title": "批复"}]
    walk.act("shangtian.discipline", alert, "request-clearance", clearance)
    assert walk.act("shangtian.discipline.head", alert, "approve-clearance", {"opinion": "同意"}, 403)["reason"] == "one-level-up-needed"
    walk.act("fenghua.discipline.head", alert, "approve-clearance", {"opinion": "同意"})
    (found,) = walk.get("fenghua.discipline.head", f"/alerts/{alert}")["clearances"]
    assert (found["decision"], found["scope"], found["suppressed"]) == ("granted", "evidence", 0)


def test_a_clearance_bound_to_a_contract_counts_later_hits_and_is_void_when_the_alert_is_opened_again(walk):
    alert = walk.checking(hit(colour="yellow"), by="shangtian.head")
    given = {"reason_code": "lawful_exception", "scope": "contract", "subject": "HT-7", "amount_fen": 500_00, "basis": "有批复", "papers": [{"kind": "approval", "title": "批复"}]}
    until = (walk.rows("SELECT CAST(mj_now() AS date) + 60 AS day")[0].day).isoformat()
    walk.act("shangtian.head", alert, "request-clearance", {**given, "until": until, "subject": "HT-8"}, 422)
    walk.act("shangtian.head", alert, "request-clearance", {**given, "until": until})
    walk.act("fenghua.discipline.head", alert, "approve-clearance", {"opinion": "同意"})
    about = {"P-1": ABOUT}
    assert walk.fold(hit(row_id=9), subjects=about).outcomes == {"suppressed": 1}
    assert walk.get("fenghua.discipline", f"/alerts/{alert}")["clearances"][0]["suppressed"] == 1
    both = [walk.account("fenghua.discipline"), walk.account("shangtian.discipline")]
    walk.act("fenghua.discipline.head", alert, "reopen", {"reason_code": "new_evidence", "reason": "新线索", "checker_ids": both})
    assert walk.get("fenghua.discipline", f"/alerts/{alert}")["clearances"][0]["decision"] == "void"
    assert walk.fold(hit(row_id=9), subjects=about).outcomes == {"evidence_added": 1}


def test_a_sampled_clearance_is_examined_again_without_sight_of_the_first_verdict(walk, monkeypatch):
    monkeypatch.setattr(service, "drawn", lambda: True)
    alert = walk.checking()
    clearance = {"reason_code": "lawful_exception", "scope": "evidence", "basis": "有批复", "papers": [{"kind": "approval", "title": "批复"}]}
    walk.act("shangtian.discipline", alert, "request-clearance", clearance)
    walk.act("fenghua.discipline.head", alert, "approve-clearance", {"opinion": "同意"})
    walk.act("shangtian.discipline.head", alert, "rate", {"verdict": "C"})
    blind = walk.get("ningbo.discipline", f"/alerts/{alert}")
    assert "re_examine" in [one["name"] for one in blind["allowed_actions"]]
    assert (blind["verdict"], blind["verdicts"], blind["clearances"]) == (None, [], [])
    assert [one["facts"] for one in blind["timeline"] if one["event"] in ("rate", "approve_clearance")] == [{}, {}]
    walk.act("ningbo.discipline", alert, "re-examine", {"verdict": "A", "opinion": "批复无效"})
    after = walk.get("ningbo.discipline", f"/alerts/{alert}")
    assert after["state"] == "signed" and [(one["verdict"], one["blind"]) for one in after["verdicts"]] == [("C", False), ("A", True)]


def test_emergency_works_without_minutes_open_again_by_themselves(walk, later):
    """G1: cleared before the minutes came, which are owed within fifteen days."""
    alert = walk.checking(hit(colour="yellow"), by="shangtian.head")
    clearance = {"reason_code": "emergency_works", "scope": "evidence", "basis": "抢修", "papers": [{"kind": "emergency_report", "title": "抢险报告"}]}
    walk.act("shangtian.head", alert, "request-clearance", clearance)
    walk.act("fenghua.discipline.head", alert, "approve-clearance", {"opinion": "同意"})
    walk.act("fenghua.discipline", alert, "rate", {"verdict": "C"})
    later(timedelta(days=16))
    assert "reopen_unproved" in walk.sweep()
    assert walk.get("fenghua.discipline", f"/alerts/{alert}")["state"] == "checking"


def test_a_department_asked_to_suspend_payment_sees_the_alert_from_then_on(walk):
    alert = walk.checking()
    department = walk.rows("SELECT org_id FROM appointments p JOIN staff_accounts a ON a.id = p.account_id WHERE a.username = 'fenghua.agri'")[0].org_id
    walk.get("fenghua.agri", f"/alerts/{alert}", 404)
    walk.act("shangtian.discipline", alert, "request-freeze", {"department_org_id": str(department), "reason": "尾款将付"})
    assert walk.get("fenghua.agri", f"/alerts/{alert}")["freeze"] == "requested"
    walk.act("shangtian.discipline.head", alert, "confirm-freeze", {"reason": "同意"})


def test_earlier_verdicts_stay_when_one_is_revised(walk):
    alert = walk.struck_off()
    walk.act("fenghua.discipline", alert, "rate", {"verdict": "A"})
    walk.act("fenghua.discipline.head", alert, "revise-verdict", {"verdict": "B", "reason": "已整改"})
    view = walk.get("fenghua.discipline", f"/alerts/{alert}")
    assert (view["verdict"], [one["verdict"] for one in view["verdicts"]]) == ("B", ["A", "B"])


def test_a_child_shows_the_alert_that_was_closed_before_it(walk):
    alert = walk.struck_off()
    walk.fold(hit(row_id=77), subjects={"P-1": ABOUT})
    walk.sweep()
    child = next(one for one in walk.get("fenghua.discipline", "/alerts?open=true")["items"] if one["id"] != str(alert))
    related = walk.get("fenghua.discipline", f"/alerts/{child['id']}")["related"]
    assert [(one["id"], one["how"]) for one in related] == [(str(alert), "earlier")]


def test_a_list_goes_on_where_a_page_ended_and_keeps_to_its_filters(walk):
    walk.fold(*[hit(f"P-{n}", n, colour="red" if n % 2 else "blue") for n in range(5)])
    walk.sweep()
    first = walk.get("fenghua.discipline", "/alerts?limit=3")
    second = walk.get("fenghua.discipline", f"/alerts?limit=3&cursor={first['next']}")
    assert (len(first["items"]), len(second["items"]), second["next"]) == (3, 2, None)
    assert len({one["id"] for one in first["items"] + second["items"]}) == 5
    assert len(walk.get("fenghua.discipline", f"/alerts?colour=red&place={VILLAGE[:9]}&rule_code=GC-01&state=dispatched")["items"]) == 2


# Somebody must withdraw while it is under way


def marry(walk, name, relative):
    """Enter the two as spouses, each bound to an account or a person of that name."""
    walk.run("INSERT INTO persons (id, name, division_code) SELECT gen_random_uuid(), :n, :v WHERE NOT EXISTS (SELECT 1 FROM persons WHERE name = :n)", n=name, v=VILLAGE)
    walk.run(
        "WITH kin AS (INSERT INTO persons (id, name) VALUES (gen_random_uuid(), '新亲') RETURNING id), "
        "bound AS (UPDATE staff_accounts SET person_id = (SELECT id FROM kin) WHERE username = :u) "
        "INSERT INTO kinships (id, person_id, relative_id, relation, valid_from) "
        "SELECT gen_random_uuid(), p.id, kin.id, 'spouse', '2020-01-01' FROM persons p, kin WHERE p.name = :n",
        n=name, u=relative,
    )  # fmt: skip
    with walk.worker():
        assert sweep_recusals().failed == 0


def test_a_checker_who_turns_out_to_be_kin_leaves_the_alert_and_sees_it_no_more(walk):
    alert = walk.checking()
    marry(walk, "周建国", "fenghua.discipline")
    walk.get("fenghua.discipline", f"/alerts/{alert}", 404)
    view = walk.get("shangtian.discipline", f"/alerts/{alert}")
    assert view["checkers"] == [walk.account("shangtian.discipline")] and view["timeline"][-1]["event"] == "recuse_checker"


def test_an_alert_goes_a_level_up_when_everybody_in_charge_must_withdraw(walk):
    alert = walk.raised()
    marry(walk, "周建国", "shangtian.discipline.head")
    marry(walk, "周建国", "shangtian.discipline")
    view = walk.get("ningbo.discipline", f"/alerts/{alert}")
    assert (view["state"], view["body"], view["level"]) == ("escalated", "奉化区纪委监委", 3)
    walk.get("shangtian.discipline", f"/alerts/{alert}", 404)
