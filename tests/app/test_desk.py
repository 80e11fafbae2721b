"""The supervisor's desk over HTTP: what belongs in each list, with who has it, since when and what is forced next."""

from datetime import datetime, timedelta
from uuid import uuid4

import pytest
from sqlalchemy import insert, update

from app import calendar_store, clock
from app.directory.models import Organisation
from app.petitions.models import Petition, Rating
from app.supervision import sweeps
from app.supervision.models import PolicyOverride
from tests.app.cases import STRANGER, Cases
from tests.conftest import PASSWORD
from workflows.calendar import shanghai_day

DAY = timedelta(days=1)
AGRICULTURE, OFFICE, TOWN = "奉化区农业农村局", "奉化区信访局", "尚田街道办事处"


@pytest.fixture
def cases(app, worker_app, db_session):
    return Cases(app, worker_app, db_session)


def signed_in(client, username):
    body = {"username": username, "password": PASSWORD}
    token = client.post("/api/v1/auth/staff/sign-in", json=body).json["access_token"]
    return {"Authorization": f"Bearer {token}"}


@pytest.fixture
def desk(client):
    """The rows of a list as an account sees them now; everybody signs in anew, because the clock may have moved."""

    def look(name, username="fenghua.office", **query):
        question = {"list": name, **query}
        answer = client.get("/api/v1/supervision/desk", query_string=question, headers=signed_in(client, username))
        assert answer.status_code == 200, answer.get_data(as_text=True)
        return answer.json if "limit" in query else {row["id"]: row for row in answer.json["items"]}

    return look


def sweep(cases, *jobs):
    with cases.worker_app.app_context():
        for job in jobs or (sweeps.sweep_due,):
            assert job().failed == 0


def rehandle(cases, case, by, to):
    cases.act(case, "rehandle", cases.staff(by), main_org_id=cases.staff(to).org_id)


def at(moment):
    return datetime.fromisoformat(moment)


def name_of(cases, username):
    return cases.session.get(Organisation, cases.staff(username).org_id).name


# --- overdue -----------------------------------------------------------------------------------------------------


def test_overdue_is_a_case_whose_limit_has_passed_with_who_has_it_since_when_and_what_comes(cases, desk):
    late = cases.handled()
    cases.travel(45 * DAY)
    near = cases.handled()
    found = desk("overdue")
    assert (str(late) in found, str(near) in found) == (True, False)
    row = found[str(late)]
    assert (row["state"], row["body"], row["level"]) == ("handling", AGRICULTURE, 4)
    assert (row["next_policy"], row["next_event"]) == ("PT-12", "expire")
    assert row["since"] == row["next_due_at"]
    assert at(row["since"]) == cases.row(late).next_due_at


def test_overdue_stays_a_case_that_went_up_until_it_is_given_to_a_new_body(cases, desk):
    case = cases.handled()
    cases.travel(45 * DAY)
    sweep(cases)
    row = desk("overdue")[str(case)]
    assert (row["state"], row["body"], row["next_policy"], row["next_event"]) == (
        "escalated", OFFICE, "PT-22", "expire",
    )  # fmt: skip
    assert at(row["since"]) == cases.row(case).last_visible_at
    rehandle(cases, case, "fenghua.office", "fenghua.land")
    assert desk("overdue") == {}


def test_overdue_is_not_a_case_that_is_red_because_of_its_ratings(cases, desk):
    case = cases.resolved()
    cases.rate(case, "dissatisfied")
    rehandle(cases, case, "fenghua.office", "fenghua.land")
    cases.answer(case, "fenghua.land")
    assert cases.rate(case, "dissatisfied") == "escalated"
    assert cases.row(case).colour == "red"
    assert desk("overdue") == {}


def test_overdue_is_a_simple_matter_out_of_time_though_its_limit_moves_nothing(cases, desk):
    simple = cases.handled(simple=True)
    for _ in range(2):
        cases.travel(8 * DAY)
        sweep(cases, sweeps.send_reminders)
    assert cases.row(simple).next_due_at > clock.now()
    assert set(desk("overdue")) == {str(simple)}


def test_overdue_is_a_case_with_an_order_that_nobody_answered(cases, desk, client, new_key):
    case, other = cases.handled(), cases.handled()
    for each in (case, other):
        issue(client, new_key, each)
    order = client.get("/api/v1/supervision/orders", headers=signed_in(client, "fenghua.agri")).json["items"]
    answered = next(one["id"] for one in order if one["petition_id"] == str(other))
    path = f"/api/v1/supervision/orders/{answered}/actions/answer"
    assert client.post(path, json={"answer": "已办"}, headers=signed_in(client, "fenghua.agri")).status_code == 200
    cases.travel(12 * DAY)
    sweep(cases, sweeps.sweep_orders)
    assert set(desk("overdue")) == {str(case)}


def test_overdue_is_no_case_that_has_ended(cases, desk):
    case = cases.resolved()
    cases.rate(case, "satisfied")
    cases.travel(60 * DAY)
    assert desk("overdue") == {}


# --- dissatisfied, reopened, supervised --------------------------------------------------------------------------


def test_dissatisfied_is_an_open_case_with_a_bad_rating(cases, desk):
    bad, good, unrated = cases.resolved(), cases.resolved(), cases.resolved()
    cases.rate(bad, "dissatisfied")
    cases.rate(good, "basic")
    found = desk("dissatisfied")
    assert set(found) == {str(bad)}
    row = found[str(bad)]
    assert (row["state"], row["body"], row["next_policy"], row["next_event"]) == (
        "dissatisfied", OFFICE, "PT-20", "expire",
    )  # fmt: skip
    assert cases.row(unrated).state == "resolved"
    cases.act(bad, "explain", cases.staff("fenghua.head"), reason="已全部支持", legal_basis="条例")
    assert desk("dissatisfied") == {}


def test_reopened_is_a_case_handled_anew_twice_and_not_once(cases, desk):
    once, twice = cases.resolved(), cases.resolved()
    for case in (once, twice):
        cases.rate(case, "dissatisfied")
        rehandle(cases, case, "fenghua.office", "fenghua.land")
    assert desk("reopened") == {}
    cases.answer(twice, "fenghua.land")
    cases.rate(twice, "dissatisfied")
    rehandle(cases, twice, "ningbo.office", "fenghua.group")
    found = desk("reopened")
    assert set(found) == {str(twice)}
    row = found[str(twice)]
    assert (row["round"], row["state"], row["next_policy"]) == (3, "handling", "PT-21")
    assert row["body"] == name_of(cases, "fenghua.group")


def issue(client, new_key, case):
    sent = client.post(
        "/api/v1/supervision/orders",
        json={"petition_id": str(case), "reason": "请尽快办理"},
        headers={**signed_in(client, "fenghua.office"), **new_key()},
    )
    assert sent.status_code == 201, sent.get_data(as_text=True)


def test_supervised_is_a_case_under_an_order_and_not_its_neighbour(cases, desk, client, new_key):
    watched, other = cases.handled(), cases.handled()
    issue(client, new_key, watched)
    found = desk("supervised")
    assert (str(watched) in found, str(other) in found) == (True, False)
    assert found[str(watched)]["body"] == AGRICULTURE


# --- silent ------------------------------------------------------------------------------------------------------


def quiet_for(cases, case, workdays):
    """Let the last thing that the petitioner could see be so many working days ago; today does not count."""
    with cases.worker_app.app_context():
        calendar, _versions = calendar_store.current()
    day = shanghai_day(clock.now())
    left = workdays
    while left:
        day -= DAY
        left -= calendar.is_workday(day)
    day -= DAY
    while not calendar.is_workday(day):
        day -= DAY
    seen = datetime.combine(day, datetime.min.time(), clock.SHANGHAI) + timedelta(hours=23, minutes=59)
    cases.session.execute(update(Petition).where(Petition.id == case).values(last_visible_at=seen))
    cases.session.commit()
    return seen


@pytest.fixture
def still(db_session):
    """The product's clock as it is, whatever an earlier test did to it in this process."""
    clock.offset_seconds.set(0)


def test_silent_is_a_case_without_a_visible_event_for_ten_working_days(cases, desk, still):
    silent, nine = cases.handled(), cases.handled()
    seen = quiet_for(cases, silent, 10)
    quiet_for(cases, nine, 9)
    found = desk("silent")
    assert set(found) == {str(silent)}
    row = found[str(silent)]
    assert (row["body"], row["next_policy"], row["next_event"]) == (AGRICULTURE, "PT-12", "expire")
    assert at(row["since"]) == seen


def test_silent_is_no_case_in_which_it_is_the_petitioners_turn(cases, desk, still):
    waiting, ended = cases.resolved(), cases.resolved()
    cases.rate(ended, "satisfied")
    for case in (waiting, ended):
        quiet_for(cases, case, 15)
    assert desk("silent") == {}


def test_a_word_to_the_petitioner_ends_the_silence_and_an_internal_note_does_not(cases, desk, client, new_key, still):
    case = cases.handled()
    quiet_for(cases, case, 12)

    def write(internal):
        sent = client.post(
            f"/api/v1/petitions/{case}/messages",
            json={"body": "正在核查", "internal": internal},
            headers={**signed_in(client, "fenghua.agri"), **new_key()},
        )
        assert sent.status_code == 201, sent.get_data(as_text=True)

    write(internal=True)
    assert set(desk("silent")) == {str(case)}
    write(internal=False)
    assert desk("silent") == {}


def test_silent_follows_the_limit_that_an_operator_set(cases, desk, db_session, still):
    case = cases.handled()
    quiet_for(cases, case, 5)
    assert desk("silent") == {}
    today = shanghai_day(clock.now())
    db_session.add(PolicyOverride(id=uuid4(), policy_id="PT-28", preset="zhejiang", valid_from=today, amount=5))
    db_session.commit()
    calendar_store.forget()
    assert set(desk("silent")) == {str(case)}
    calendar_store.forget()


# --- circling ----------------------------------------------------------------------------------------------------


def test_circling_is_a_case_given_out_again_three_times_and_a_first_dispatch_is_none_again(cases, desk):
    case, once = cases.dispatched(), cases.dispatched()
    clerk = cases.staff("shangtian.office")
    bodies = ["fenghua.agri", "fenghua.land", "fenghua.agri", "fenghua.land"]
    for number, (holder, following) in enumerate(zip(bodies, bodies[1:], strict=False), start=1):
        assert desk("circling") == {}, number
        if number == 3:
            # A designated body may not return it: it comes back to hand by a bad rating instead.
            break
        asked = {"reason": "不属于本单位职责", "suggested_org": "奉化区自然资源局"}
        cases.act(case, "request_return", cases.staff(holder), **asked)
        cases.act(case, "approve_return", clerk)
        cases.act(case, "accept", clerk)
        cases.act(case, "dispatch", clerk, main_org_id=cases.staff(following).org_id)
    cases.act(case, "auto_sign")
    cases.act(case, "start", cases.staff("fenghua.agri"), note="已联系信访人")
    cases.answer(case)
    assert desk("circling") == {}
    cases.rate(case, "dissatisfied")
    rehandle(cases, case, "fenghua.office", "fenghua.group")
    row = cases.row(case)
    assert (row.returns, row.dispatches) == (2, 4)
    found = desk("circling")
    assert set(found) == {str(case)}
    assert (found[str(case)]["state"], found[str(case)]["next_policy"]) == ("handling", "PT-21")
    assert str(once) not in found


def test_circling_is_a_case_that_three_times_somebody_asked_to_give_back(cases, desk):
    case, twice = cases.dispatched(), cases.dispatched()
    clerk = cases.staff("shangtian.office")
    bodies = ["fenghua.agri", "fenghua.land", "fenghua.group"]
    asked = {"reason": "不属于本单位职责", "suggested_org": "其他单位"}
    for number, holder in enumerate(bodies):
        for each in (case, twice) if number < 2 else (case,):
            cases.act(each, "request_return", cases.staff(holder), **asked)
            if number < 2:
                cases.act(each, "approve_return", clerk)
                cases.act(each, "accept", clerk)
                cases.act(each, "dispatch", clerk, main_org_id=cases.staff(bodies[number + 1]).org_id)
    found = desk("circling")
    assert set(found) == {str(case)}
    row = found[str(case)]
    assert (row["state"], row["body"], row["next_policy"], row["next_event"]) == (
        "return_requested", TOWN, "PT-04a", "expire_return",
    )  # fmt: skip


# --- the office alone --------------------------------------------------------------------------------------------


def office_rated(cases, case, office, body, ago=timedelta(0)):
    row = {"petition_id": case, "round": 1, "at": clock.now() - ago, "reason": None}
    cases.session.execute(insert(Rating.__table__).values(id=uuid4(), office_grade=office, body_grade=body, **row))
    cases.session.commit()


def test_a_bad_grade_for_the_office_alone_is_seen_by_the_levels_above_it(cases, desk, still):
    case, fine, both = cases.resolved(), cases.resolved(), cases.resolved()
    for each in (case, fine, both):
        cases.act(each, "rate", STRANGER, grade="satisfied", office_grade="basic")
    office_rated(cases, case, "dissatisfied", "satisfied")
    office_rated(cases, fine, "basic", "satisfied")
    office_rated(cases, both, "dissatisfied", "dissatisfied")
    for above in ("fenghua.office", "fenghua.discipline", "ningbo.office"):
        assert set(desk("office_dissatisfied", above)) == {str(case)}
    assert desk("office_dissatisfied", "shangtian.discipline") == {}
    assert desk("office_dissatisfied", "wuxing.office") == {}
    assert desk("office_dissatisfied")[str(case)]["state"] == "rated"
    assert desk("dissatisfied") == {}


def test_a_bad_grade_for_the_office_that_was_changed_or_is_old_is_not_shown(cases, desk, still):
    changed, old = cases.resolved(), cases.resolved()
    office_rated(cases, changed, "dissatisfied", "basic", ago=DAY)
    office_rated(cases, changed, "basic", "basic")
    office_rated(cases, old, "dissatisfied", "basic", ago=31 * DAY)
    assert desk("office_dissatisfied") == {}


# --- paging and rights -------------------------------------------------------------------------------------------


def test_a_list_comes_page_by_page_newest_first_without_gap_or_repetition(cases, desk):
    filed = [cases.resolved() for _ in range(5)]
    for case in filed:
        cases.rate(case, "dissatisfied")
    seen, cursor = [], None
    for size in (2, 2, 1):
        page = desk("dissatisfied", limit=2, **({"cursor": cursor} if cursor else {}))
        assert len(page["items"]) == size
        seen += [row["id"] for row in page["items"]]
        cursor = page["next"]
    assert cursor is None
    assert seen == [str(case) for case in reversed(filed)]


@pytest.mark.parametrize("username", ["shangtian.office", "fenghua.agri", "shangyi.supervisor", "admin", "auditor"])
def test_who_supervises_nothing_has_no_desk(client, as_staff, username):
    refused = client.get("/api/v1/supervision/desk", headers=as_staff(username))
    assert (refused.status_code, refused.json["type"]) == (403, "/problems/forbidden")


def test_a_desk_is_for_staff_only(client, as_villager):
    assert client.get("/api/v1/supervision/desk").status_code == 401
    assert client.get("/api/v1/supervision/desk", headers=as_villager("13800000001")).status_code in (401, 403)


def test_a_desk_shows_the_own_area_and_a_dispatched_group_its_own_cases(cases, desk):
    case = cases.resolved()
    cases.rate(case, "dissatisfied")
    for above in ("fenghua.discipline", "shangtian.discipline", "ningbo.discipline", "zhejiang.office"):
        assert set(desk("dissatisfied", above)) == {str(case)}
    for elsewhere in ("wuxing.office", "huzhou.office", "fenghua.group"):
        assert desk("dissatisfied", elsewhere) == {}
    rehandle(cases, case, "fenghua.office", "fenghua.group")
    assert set(desk("dissatisfied", "fenghua.group")) == {str(case)}


@pytest.mark.parametrize("query", [{"list": "everything"}, {"limit": 0}, {"limit": 101}, {"cursor": "nonsense"}])
def test_a_question_that_makes_no_sense_is_refused(client, as_staff, query):
    refused = client.get("/api/v1/supervision/desk", query_string=query, headers=as_staff("fenghua.office"))
    assert refused.status_code in (400, 422)


def test_every_list_works_on_an_empty_desk(desk):
    for name in ("overdue", "dissatisfied", "office_dissatisfied", "reopened", "silent", "circling", "supervised"):
        assert desk(name) == {}
