"""Supervision orders (督办): issued in one place on three ways, and their life over HTTP."""

from datetime import UTC, date, datetime, timedelta
from uuid import uuid4

import pytest
from sqlalchemy import select

from app import calendar_store
from app.messages.models import OutboxMessage
from app.supervision import service, sweeps
from app.supervision.models import PolicyOverride, SupervisionOrder
from tests.app.cases import STRANGER, Cases
from tests.conftest import PASSWORD
from workflows.calendar import shanghai_day

DAY = timedelta(days=1)


@pytest.fixture
def cases(app, worker_app, db_session):
    return Cases(app, worker_app, db_session)


def run(app, sweep):
    with app.app_context():
        return sweep()


def orders_of(session, case):
    session.rollback()
    found = select(SupervisionOrder).where(SupervisionOrder.petition_id == case).order_by(SupervisionOrder.issued_at)
    return session.scalars(found.execution_options(populate_existing=True)).all()


def told(session, case):
    session.rollback()
    found = select(OutboxMessage.audience, OutboxMessage.params).where(
        OutboxMessage.petition_id == case, OutboxMessage.template == "supervision_order"
    )
    return sorted((row.audience, row.params["due"]) for row in session.execute(found))


class Desk:
    """Staff at their desks: everybody signs in anew after the clock has moved."""

    def __init__(self, client, new_key):
        self.client, self.new_key, self.tokens = client, new_key, {}

    def headers(self, username):
        if username not in self.tokens:
            body = {"username": username, "password": PASSWORD}
            self.tokens[username] = self.client.post("/api/v1/auth/staff/sign-in", json=body).json["access_token"]
        return {"Authorization": f"Bearer {self.tokens[username]}"}

    def issue(self, username, case, reason="久拖不办", expect=201):
        answer = self.client.post(
            "/api/v1/supervision/orders",
            json={"petition_id": str(case), "reason": reason},
            headers={**self.headers(username), **self.new_key()},
        )
        assert answer.status_code == expect, answer.get_data(as_text=True)
        return answer.json

    def act(self, username, order, action, expect=200, **facts):
        answer = self.client.post(
            f"/api/v1/supervision/orders/{order}/actions/{action}", json=facts, headers=self.headers(username)
        )
        assert answer.status_code == expect, (action, answer.status_code, answer.get_data(as_text=True))
        return answer.json

    def list(self, username, case=None):
        query = {"petition_id": case} if case else None
        path = "/api/v1/supervision/orders"
        return self.client.get(path, query_string=query, headers=self.headers(username)).json["items"]

    def sees(self, username, order):
        return next(one for one in self.list(username) if one["id"] == str(order))


@pytest.fixture
def desk(client, new_key):
    return Desk(client, new_key)


# --- one place, three ways ---------------------------------------------------------------------------------------


def by_the_door(cases, desk):
    case = cases.resolved()
    cases.rate(case, "dissatisfied")
    return case


def by_the_clock(cases, desk):
    case = cases.handled(simple=True)
    for _ in range(2):
        cases.travel(10 * DAY)
        run(cases.worker_app, sweeps.send_reminders)
    return case


def by_hand(cases, desk):
    case = cases.handled()
    desk.issue("fenghua.office", case)
    return case


@pytest.fixture
def three_days(db_session):
    """An operator has set the answer to an order (PT-22) to three working days, and long ago to eight."""
    today = shanghai_day(datetime.now(UTC))
    for valid_from, amount in ((date(2022, 5, 1), 8), (today, 3), (today + 400 * DAY, 1)):
        changed = {"policy_id": "PT-22", "preset": "zhejiang", "valid_from": valid_from, "amount": amount}
        db_session.add(PolicyOverride(id=uuid4(), **changed))
    db_session.commit()
    calendar_store.forget()
    yield
    calendar_store.forget()


@pytest.mark.parametrize("way", [by_the_door, by_the_clock, by_hand])
def test_an_order_is_answered_within_the_limit_in_force_today_on_every_way(way, cases, desk, db_session, three_days):
    case = way(cases, desk)
    (order,) = orders_of(db_session, case)
    with cases.worker_app.app_context():
        calendar, _versions = calendar_store.current()
    issued = shanghai_day(order.issued_at)
    last = shanghai_day(order.due_at - timedelta(seconds=1))
    assert calendar.workdays_between(issued, last) == 3


@pytest.mark.parametrize("way", [by_the_door, by_the_clock, by_hand])
def test_every_order_tells_the_body_supervised_and_the_body_in_charge(way, cases, desk, db_session):
    case = way(cases, desk)
    (order,) = orders_of(db_session, case)
    due = order.due_at
    assert told(db_session, case) == [("main_org", due.isoformat()), ("owner_org", due.isoformat())]
    assert cases.row(case).supervised
    assert order.target_org_id == cases.staff("fenghua.agri").org_id


def test_an_order_about_a_case_that_nobody_handles_waits_for_its_issuer(cases, desk, db_session):
    case = cases.file()
    for _ in range(2):
        cases.travel(20 * DAY)
        run(cases.worker_app, sweeps.sweep_due)
    (order,) = orders_of(db_session, case)
    assert (order.issuer_org_id, order.target_org_id) == (cases.staff("fenghua.office").org_id, None)
    assert desk.sees("fenghua.office", order.id)["allowed_actions"] == ["answer"]
    assert desk.sees("shangtian.office", order.id)["allowed_actions"] == []


# --- issued by hand ----------------------------------------------------------------------------------------------


def test_an_order_by_hand_says_who_to_whom_why_and_until_when(cases, desk, db_session):
    case = cases.handled()
    order = desk.issue("fenghua.office", case, "村民多次反映,请尽快办理")
    issuer, target = cases.staff("fenghua.office").org_id, cases.staff("fenghua.agri").org_id
    assert (order["issuer_org_id"], order["target_org_id"]) == (str(issuer), str(target))
    assert (order["state"], order["level"], order["colour"], order["overdue"]) == ("issued", 3, "yellow", False)
    assert order["reason"] == "村民多次反映,请尽快办理"
    assert desk.sees("fenghua.agri", order["id"])["allowed_actions"] == ["answer"]
    assert cases.events(case)[-1] == "issue_order"


def test_an_order_on_a_case_with_a_red_card_is_red(cases, desk):
    case = cases.handled(colour="red")
    assert desk.issue("ningbo.office", case)["colour"] == "red"


@pytest.mark.parametrize(
    ("username", "status"),
    [
        ("fenghua.office", 201), ("fenghua.discipline", 201), ("ningbo.office", 201), ("ningbo.discipline", 201),
        ("zhejiang.office", 201),
        # Not a supervisor, or the body that handles it.
        ("shangtian.office", 403), ("shangtian.discipline", 403), ("fenghua.agri", 403),
        # Another county sees nothing.
        ("wuxing.office", 404), ("admin", 404),
    ],
)  # fmt: skip
def test_only_a_supervisor_at_or_above_the_level_in_charge_issues_an_order(cases, desk, db_session, username, status):
    case = cases.handled()
    desk.issue(username, case, expect=status)
    assert len(orders_of(db_session, case)) == (status == 201)


def test_the_order_of_one_case_is_found_where_the_list_of_all_has_ended(cases, desk, monkeypatch):
    monkeypatch.setattr(service, "ORDERS_SHOWN", 1)
    orders = {str(case): desk.issue("fenghua.office", case)["id"] for case in (cases.handled(), cases.handled())}
    assert len(desk.list("fenghua.office")) == 1
    for case, order in orders.items():
        assert [one["id"] for one in desk.list("fenghua.office", case)] == [order]


def test_a_county_does_not_supervise_a_case_that_the_city_has(cases, desk):
    desk.issue("fenghua.office", cases.handled(level=2), expect=403)


def test_a_body_does_not_supervise_itself(cases, desk):
    case = cases.file()
    cases.act(case, "auto_register")
    clerk = cases.staff("shangtian.office")
    cases.act(case, "accept", clerk)
    cases.act(case, "dispatch", clerk, main_org_id=cases.staff("fenghua.discipline").org_id)
    desk.issue("fenghua.discipline", case, expect=403)
    desk.issue("fenghua.office", case)


def test_a_case_that_has_ended_gets_no_order(cases, desk):
    case = cases.file()
    cases.act(case, "auto_register")
    cases.act(case, "redirect", cases.staff("shangtian.office"), route_code="litigation")
    refused = desk.issue("fenghua.office", case, expect=409)
    assert (refused["type"], refused["state"]) == ("/problems/wrong-state", "redirected")


# --- its life ----------------------------------------------------------------------------------------------------


def test_an_order_is_answered_sent_back_answered_again_verified_and_released(cases, desk, db_session):
    case = cases.handled()
    order = desk.issue("fenghua.office", case)["id"]
    assert desk.act("fenghua.agri", order, "answer", answer="正在核查")["state"] == "answered"
    assert desk.sees("fenghua.office", order)["allowed_actions"] == ["send_back", "verify"]
    assert desk.act("fenghua.office", order, "send-back", reason="没有说明进展")["state"] == "issued"
    again = desk.act("fenghua.agri", order, "answer", answer="已查明,三日内答复")
    assert (again["state"], again["answer"]) == ("answered", "已查明,三日内答复")
    assert desk.act("fenghua.office", order, "verify")["state"] == "verified"
    assert desk.act("fenghua.office", order, "release", reason="已整改")["state"] == "released"
    assert desk.list("fenghua.office") == []
    steps = ["issue_order", "order_answer", "order_send_back", "order_answer", "order_verify", "order_release"]
    assert cases.events(case)[-6:] == steps
    (row,) = orders_of(db_session, case)
    assert (row.answered_by, row.verified_by) == (
        cases.staff("fenghua.agri").person_id, cases.staff("fenghua.office").person_id,
    )  # fmt: skip


def test_only_the_body_supervised_answers(cases, desk):
    order = desk.issue("fenghua.office", cases.handled())["id"]
    for stranger in ("fenghua.office", "shangtian.office"):
        refused = desk.act(stranger, order, "answer", expect=403, answer="代为答复")
        assert refused["reason"] == "not-the-body-supervised"
    # Who sees no order learns nothing of it.
    for stranger in ("wuxing.office", "fenghua.land", "admin"):
        desk.act(stranger, order, "answer", expect=404, answer="代为答复")
    desk.act("fenghua.agri", order, "answer", expect=422)
    desk.act("fenghua.agri", order, "answer", answer="已办")


@pytest.mark.parametrize(("action", "facts"), [("send-back", {"reason": "不实"}), ("verify", {})])
def test_only_a_supervisor_at_or_above_the_issuer_judges_the_answer(cases, desk, action, facts):
    order = desk.issue("ningbo.office", cases.handled())["id"]
    desk.act("fenghua.agri", order, "answer", answer="已办")
    assert desk.act("fenghua.agri", order, action, expect=403, **facts)["reason"] == "wrong-role"
    assert desk.act("shangtian.discipline", order, action, expect=403, **facts)["reason"] == "wrong-role"
    assert desk.act("fenghua.office", order, action, expect=403, **facts)["reason"] == "below-the-level-in-charge"
    desk.act("ningbo.discipline", order, action, **facts)


def test_whoever_answers_does_not_judge_the_answer(cases, desk, db_session):
    case = cases.file()
    for _ in range(2):
        cases.travel(20 * DAY)
        run(cases.worker_app, sweeps.sweep_due)
    (order,) = orders_of(db_session, case)
    desk.act("fenghua.office", order.id, "answer", answer="本局直接办理")
    assert desk.act("fenghua.office", order.id, "verify", expect=403)["reason"] == "separation-of-duties"
    refused = desk.act("fenghua.office", order.id, "send-back", expect=403, reason="不实")
    assert refused["reason"] == "separation-of-duties"
    desk.act("fenghua.head", order.id, "verify")


def test_an_answer_is_sent_back_three_times_at_most(cases, desk):
    order = desk.issue("fenghua.office", cases.handled())["id"]
    for _ in range(3):
        desk.act("fenghua.agri", order, "answer", answer="已办")
        desk.act("fenghua.office", order, "send-back", reason="不实")
    desk.act("fenghua.agri", order, "answer", answer="已办")
    assert desk.act("fenghua.office", order, "send-back", expect=403, reason="不实")["reason"] == "returns-spent"
    assert desk.sees("fenghua.office", order)["allowed_actions"] == ["verify"]


def test_an_order_moves_in_its_order_only(cases, desk):
    order = desk.issue("fenghua.office", cases.handled())["id"]
    for action, facts in (("verify", {}), ("release", {"reason": "已办"}), ("send-back", {"reason": "不实"})):
        refused = desk.act("fenghua.office", order, action, expect=409, **facts)
        assert (refused["type"], refused["state"]) == ("/problems/wrong-state", "issued")
    desk.act("fenghua.agri", order, "answer", answer="已办")
    desk.act("fenghua.agri", order, "answer", expect=409, answer="再答")
    desk.act("fenghua.office", order, "release", expect=409, reason="已办")
    desk.act("fenghua.office", order, "verify")
    assert desk.act("fenghua.agri", order, "release", expect=403, reason="已办")["reason"] == "wrong-role"
    desk.act("fenghua.office", order, "release", expect=422)
    desk.act("fenghua.office", order, "release", reason="已办")
    desk.act("fenghua.office", order, "release", expect=409, reason="再办")


def test_an_order_nobody_knows_is_not_found(desk):
    desk.act("fenghua.office", uuid4(), "verify", expect=404)


# --- its own clock -----------------------------------------------------------------------------------------------


def test_an_order_shows_that_it_is_overdue_before_and_after_the_worker_has_seen_it(cases, desk, db_session):
    case = cases.handled()
    desk.issue("fenghua.office", case)
    desk.tokens.clear()
    cases.travel(12 * DAY)
    (order,) = orders_of(db_session, case)
    assert (order.overdue, desk.sees("fenghua.agri", order.id)["overdue"]) == (False, True)
    run(cases.worker_app, sweeps.sweep_orders)
    late, higher = orders_of(db_session, case)
    assert (late.overdue, higher.level, higher.colour) == (True, 2, "red")
    assert desk.sees("ningbo.office", higher.id)["issuer_org_id"] == str(cases.staff("ningbo.office").org_id)


def test_an_answer_in_time_is_never_overdue(cases, desk, db_session):
    case = cases.handled()
    order = desk.issue("fenghua.office", case)["id"]
    desk.act("fenghua.agri", order, "answer", answer="已办")
    cases.travel(12 * DAY)
    assert run(cases.worker_app, sweeps.sweep_orders).seen == 0
    desk.tokens.clear()
    assert desk.sees("fenghua.office", order)["overdue"] is False


def test_an_answer_sent_back_has_a_new_limit_that_can_pass_again(cases, desk, db_session):
    case = cases.handled()
    order = desk.issue("ningbo.office", case)["id"]
    cases.travel(12 * DAY)
    run(cases.worker_app, sweeps.sweep_orders)
    desk.tokens.clear()
    desk.act("fenghua.agri", order, "answer", answer="迟到的答复")
    before = len(told(db_session, case))
    sent_back = desk.act("ningbo.office", order, "send-back", reason="不实")
    assert (sent_back["overdue"], len(told(db_session, case))) == (False, before + 2)
    cases.travel(12 * DAY)
    run(cases.worker_app, sweeps.sweep_orders)
    assert next(one for one in orders_of(db_session, case) if str(one.id) == order).overdue


def test_an_order_ends_with_the_case(cases, desk, db_session):
    case = cases.handled()
    desk.issue("fenghua.office", case)
    cases.act(case, "withdraw", STRANGER, reason="已解决")
    assert [order.state for order in orders_of(db_session, case)] == ["released"]
