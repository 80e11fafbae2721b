"""What the worker does by the clock."""

import logging
import threading
from datetime import date, timedelta

import pytest
from sqlalchemy import delete, select, text, update

from app import calendar_store, clock
from app.database import SYSTEM, transaction
from app.extensions import db
from app.messages.models import OutboxMessage
from app.petitions.models import DeadlineRow, Petition
from app.supervision import sweeps
from app.supervision.models import Holiday, HolidayYear, PolicyOverride, SupervisionOrder
from app.supervision.orders import issue_order
from app.transitions import body_in_charge
from tests.app.cases import Cases
from workflows.policies import policies


@pytest.fixture
def cases(app, worker_app, db_session):
    return Cases(app, worker_app, db_session)


DAY = timedelta(days=1)


def run(app, sweep, **more):
    with app.app_context():
        return sweep(**more)


def told(session, case, template):
    session.rollback()
    found = select(OutboxMessage.audience).where(OutboxMessage.petition_id == case, OutboxMessage.template == template)
    return sorted(session.scalars(found))


def orders_of(session, case):
    session.rollback()
    return session.scalars(
        select(SupervisionOrder)
        .where(SupervisionOrder.petition_id == case)
        .order_by(SupervisionOrder.issued_at, SupervisionOrder.level.desc())
        .execution_options(populate_existing=True)
    ).all()


def test_nothing_happens_before_the_limit_has_passed(cases, worker_app, db_session):
    case = cases.file()
    assert run(worker_app, sweeps.sweep_due).seen == 0
    assert cases.row(case).state == "filed"


def test_a_case_nobody_registers_registers_itself(cases, worker_app, db_session):
    case = cases.file()
    cases.travel(12 * DAY)
    report = run(worker_app, sweeps.sweep_due)
    assert (report.seen, report.done, report.failed) == (1, 1, 0)
    assert report.by_event == {"auto_register": 1}
    assert report.rate > 0
    assert cases.row(case).state == "registered"
    assert cases.events(case) == ["file", "auto_register"]


def test_a_case_nobody_dispatches_goes_up_level_by_level_until_it_leaves_the_province(cases, worker_app, db_session):
    case = cases.file()
    levels = []
    for _ in range(8):
        cases.travel(20 * DAY)
        run(worker_app, sweeps.sweep_due)
        levels.append((cases.row(case).state, cases.row(case).level))
        if levels[-1][0] == "external":
            break
    assert levels == [
        ("registered", 4), ("escalated", 3), ("escalated", 2), ("escalated", 1), ("external", 0),
    ]  # fmt: skip
    assert cases.row(case).colour == "red"


def test_the_authority_above_is_urged_three_times_and_then_the_case_ends(cases, worker_app, db_session):
    case = cases.file()
    for _ in range(12):
        cases.travel(40 * DAY)
        run(worker_app, sweeps.sweep_due)
    assert cases.row(case).state == "ended"
    assert cases.events(case).count("urge_external") == 3
    assert cases.events(case)[-1] == "end_external"


def test_an_answer_nobody_rates_closes_and_does_not_count_as_satisfied(cases, worker_app, db_session):
    case = cases.resolved()
    cases.travel(45 * DAY)
    assert run(worker_app, sweeps.sweep_due).by_event == {"lapse_rating": 1}
    assert cases.row(case).state == "closed"


def test_a_second_sweep_finds_nothing_left_to_do(cases, worker_app, db_session):
    case = cases.file()
    cases.travel(12 * DAY)
    run(worker_app, sweeps.sweep_due)
    assert run(worker_app, sweeps.sweep_due).seen == 0
    assert cases.events(case) == ["file", "auto_register"]


def test_every_page_is_treated(cases, worker_app, db_session):
    filed = [cases.file() for _ in range(5)]
    cases.travel(12 * DAY)
    report = run(worker_app, sweeps.sweep_due, page=2)
    assert (report.seen, report.done) == (5, 5)
    assert {cases.row(case).state for case in filed} == {"registered"}


def test_two_sweeps_at_once_move_each_case_once(cases, worker_app, db_session):
    filed = [cases.file() for _ in range(12)]
    cases.travel(12 * DAY)
    reports = []
    threads = [threading.Thread(target=lambda: reports.append(run(worker_app, sweeps.sweep_due, page=3))) for _ in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(report.done for report in reports) == 12
    assert sum(report.failed for report in reports) == 0
    assert all(cases.events(case) == ["file", "auto_register"] for case in filed)


def test_a_case_in_somebodys_hands_is_left_for_the_next_round(cases, worker_app, db_session):
    case = cases.file()
    cases.travel(12 * DAY)
    db_session.execute(select(Petition.id).where(Petition.id == case).with_for_update())
    report = run(worker_app, sweeps.sweep_due)
    assert (report.done, report.skipped, report.failed) == (0, 1, 0)
    db_session.rollback()
    assert run(worker_app, sweeps.sweep_due).done == 1


def test_a_case_that_fails_is_logged_by_id_and_stops_no_other(cases, worker_app, db_session, caplog):
    broken, sound = cases.file(), cases.file()
    forcing = update(DeadlineRow).where(DeadlineRow.petition_id == broken, DeadlineRow.forces.is_not(None))
    db_session.execute(forcing.values(forces="sign"))
    db_session.commit()
    cases.travel(12 * DAY)
    with caplog.at_level(logging.ERROR, "mingjian.sweeps"):
        report = run(worker_app, sweeps.sweep_due)
    assert (report.done, report.failed) == (1, 1)
    assert cases.row(sound).state == "registered"
    assert cases.row(broken).state == "filed"
    assert [record.getMessage() for record in caplog.records] == [f"case {broken} failed in force: WrongState"]


def test_a_sweep_that_is_asked_to_stop_stops_between_two_cases(cases, worker_app, db_session):
    for _ in range(3):
        cases.file()
    cases.travel(12 * DAY)
    answers = iter([False, False, True, True])
    assert run(worker_app, sweeps.sweep_due, stopping=lambda: next(answers)).done == 1


def test_a_limit_that_comes_near_is_announced_once_and_gives_a_card(cases, worker_app, db_session):
    case = cases.handled()
    with worker_app.app_context(), transaction(SYSTEM):
        now = clock.now()
        main = db.session.scalar(
            select(DeadlineRow).where(DeadlineRow.petition_id == case, DeadlineRow.policy_id == "PT-12")
        )
        span, remind_at = main.due_at - now, main.remind_at - now
    cases.travel(remind_at + timedelta(hours=1))
    assert run(worker_app, sweeps.send_reminders).failed == 0
    first = told(db_session, case, "due_soon")
    assert "main_org" in first
    assert cases.row(case).colour in ("yellow", "red")
    run(worker_app, sweeps.send_reminders)
    assert told(db_session, case, "due_soon") == first
    assert remind_at < span


def test_the_local_limit_sends_a_case_up_and_the_statutory_one_speaks_when_it_passes(cases, worker_app, db_session):
    case = cases.handled()
    cases.travel(45 * DAY)
    assert run(worker_app, sweeps.sweep_due).by_event == {"expire": 1}
    expired = "SELECT facts->>'policy' FROM petition_events WHERE petition_id = :id AND event = 'expire'"
    assert db_session.scalar(text(expired), {"id": case}) == "PT-12"
    db_session.rollback()
    cases.act(case, "rehandle", cases.staff("fenghua.office"), main_org_id=cases.staff("fenghua.land").org_id)
    assert cases.row(case).next_policy == "PT-21"
    law = select(DeadlineRow).where(DeadlineRow.petition_id == case, DeadlineRow.policy_id == "PT-05")
    row = db_session.scalars(law).one()
    assert (row.live, row.forces) == (True, None)
    db_session.rollback()
    # The new body still has its own time when the sixty days are over.
    db_session.execute(update(DeadlineRow).where(DeadlineRow.id == row.id).values(due_at=row.started_at + 46 * DAY))
    db_session.commit()
    run(worker_app, sweeps.send_reminders)
    cases.travel(3 * DAY)
    before = len(told(db_session, case, "overdue"))
    run(worker_app, sweeps.send_reminders)
    assert len(told(db_session, case, "overdue")) == before + 2


def test_a_limit_that_only_warns_speaks_again_when_it_has_passed(cases, worker_app, db_session):
    case = cases.file()
    cases.act(case, "auto_register")
    cases.travel(timedelta(days=3))
    run(worker_app, sweeps.send_reminders)
    cases.travel(timedelta(days=5))
    run(worker_app, sweeps.send_reminders)
    assert "owner_org" in told(db_session, case, "overdue")
    assert cases.row(case).colour is not None


def test_a_simple_matter_out_of_time_gets_an_order_and_stays_where_it_is(cases, worker_app, db_session):
    case = cases.handled(simple=True)
    cases.travel(5 * DAY)
    run(worker_app, sweeps.send_reminders)
    assert orders_of(db_session, case) == []
    cases.travel(10 * DAY)
    for _ in range(3):
        run(worker_app, sweeps.send_reminders)
    assert [(order.reason, order.state) for order in orders_of(db_session, case)] == [("overdue", "issued")]
    row = cases.row(case)
    assert (row.state, row.supervised, row.colour) == ("handling", True, "red")


def test_the_end_of_the_rating_window_is_announced_to_the_petitioner_alone(cases, worker_app, db_session):
    case = cases.resolved()
    cases.travel(27 * DAY)
    run(worker_app, sweeps.send_reminders)
    assert set(told(db_session, case, "window_closes")) == {"petitioner"}
    assert told(db_session, case, "due_soon") == []


def test_an_order_nobody_answers_turns_red_and_goes_one_level_up_once(cases, worker_app, db_session):
    case = cases.handled()
    with worker_app.app_context(), transaction(SYSTEM):
        petition = db.session.get(Petition, case)
        issue_order(petition, "silent", level=3, issuer_org_id=body_in_charge(petition.division_code, 3))
    cases.travel(12 * DAY)
    run(worker_app, sweeps.sweep_orders)
    run(worker_app, sweeps.sweep_orders)
    orders = orders_of(db_session, case)
    assert [(order.level, order.overdue) for order in orders] == [(3, True), (2, False)]
    assert orders[0].issuer_org_id != orders[1].issuer_org_id
    assert cases.row(case).colour == "red"
    assert told(db_session, case, "order_overdue") == ["main_org", "owner_org"]


def test_an_overdue_order_of_a_case_under_supervision_brings_no_second_one(cases, worker_app, db_session):
    case = cases.file()
    cases.travel(20 * DAY)
    run(worker_app, sweeps.sweep_due)
    cases.travel(20 * DAY)
    run(worker_app, sweeps.sweep_due)
    before = len(orders_of(db_session, case))
    assert cases.row(case).state == "escalated"
    cases.travel(12 * DAY)
    run(worker_app, sweeps.sweep_orders)
    assert len(orders_of(db_session, case)) == before
    assert any(order.overdue for order in orders_of(db_session, case))


def test_a_merged_case_follows_the_answer_of_its_leading_case_and_keeps_its_own_rating(cases, worker_app, db_session):
    leading, other = cases.handled(), cases.file()
    cases.act(other, "auto_register")
    cases.act(other, "merge", cases.staff("shangtian.office"), parent_id=leading)
    assert run(worker_app, sweeps.sweep_merged).seen == 0
    cases.answer(leading)
    run(worker_app, sweeps.sweep_merged)
    row = cases.row(other)
    assert (row.state, row.main_org_id) == ("resolved", cases.staff("fenghua.agri").org_id)
    assert row.rating_until is not None


def test_a_merged_case_is_free_again_when_its_leading_case_is_gone(cases, worker_app, db_session):
    leading, other = cases.file(), cases.file()
    for case in (leading, other):
        cases.act(case, "auto_register")
    cases.act(other, "merge", cases.staff("shangtian.office"), parent_id=leading)
    cases.act(leading, "reject", cases.staff("shangtian.office"), reason_code="repeated")
    run(worker_app, sweeps.sweep_merged)
    assert cases.row(other).state == "registered"


def test_a_new_holiday_notice_moves_provisional_deadlines_once(cases, worker_app, db_session):
    this_year = clock.today().year
    db_session.execute(delete(HolidayYear).where(HolidayYear.year >= this_year))
    db_session.execute(delete(Holiday).where(Holiday.day >= date(this_year, 1, 1)))
    db_session.commit()
    calendar_store.forget()
    case = cases.handled()
    run(worker_app, sweeps.recompute_provisional)
    limit = select(DeadlineRow).where(DeadlineRow.petition_id == case, DeadlineRow.policy_id == "PT-12")
    deadline = db_session.scalars(limit).one()
    assert deadline.provisional
    before = deadline.due_on
    closed = [before + timedelta(days=n) for n in range(4)]
    db_session.add_all(HolidayYear(year=this_year + n, imported_at=clock.now()) for n in range(3))
    db_session.add_all(Holiday(day=day, is_off=True, source="test") for day in closed)
    db_session.commit()
    assert run(worker_app, sweeps.recompute_provisional).done > 0
    db_session.refresh(deadline)
    assert not deadline.provisional
    assert deadline.due_on > closed[-1]
    assert run(worker_app, sweeps.recompute_provisional).seen == 0


# --- danger to life ------------------------------------------------------------------------------------------------

HOUR = timedelta(hours=1)


def test_danger_to_life_that_nobody_takes_goes_up_within_two_hours_with_a_red_card_and_an_order(cases, worker_app, db_session):
    case = cases.file(priority="P0")
    cases.travel(HOUR)
    run(worker_app, sweeps.sweep_due)
    assert cases.events(case) == ["file", "auto_register"]
    cases.travel(HOUR)
    run(worker_app, sweeps.send_reminders)
    run(worker_app, sweeps.sweep_due)
    run(worker_app, sweeps.send_reminders)
    row = cases.row(case)
    assert (row.state, row.level, row.colour, row.supervised) == ("escalated", 3, "red", True)
    assert [one.level for one in orders_of(db_session, case) if one.state == "issued"] == [3]
    cases.travel(24 * HOUR)
    run(worker_app, sweeps.sweep_due)
    assert (cases.row(case).state, cases.row(case).level) == ("escalated", 2)


def test_danger_to_life_that_is_given_out_in_time_stays_where_it_is(cases, worker_app):
    case = cases.dispatched(priority="P0")
    cases.act(case, "sign", cases.staff("fenghua.agri"))
    cases.travel(3 * HOUR)
    run(worker_app, sweeps.sweep_due)
    assert (cases.row(case).state, cases.row(case).level) == ("signed", 4)


def test_an_urgent_matter_that_is_not_reported_up_gets_a_red_card_and_an_order_and_keeps_its_handler(
    cases, worker_app, db_session
):
    case = cases.handled()
    cases.act(case, "mark_urgent", cases.staff("fenghua.agri"), reason="大坝渗水")
    assert cases.row(case).priority == "P0"
    cases.travel(HOUR)
    run(worker_app, sweeps.send_reminders)
    assert (cases.row(case).colour, orders_of(db_session, case)) == ("yellow", [])
    cases.travel(HOUR)
    run(worker_app, sweeps.send_reminders)
    row = cases.row(case)
    assert (row.state, row.colour, row.supervised) == ("handling", "red", True)
    assert [one.level for one in orders_of(db_session, case)] == [3]


def test_an_urgent_matter_reported_up_in_time_has_no_card(cases, worker_app, db_session):
    case = cases.handled()
    handler, card = cases.staff("fenghua.agri"), cases.row(case).colour
    cases.act(case, "mark_urgent", handler, reason="大坝渗水")
    cases.act(case, "report_urgent", handler, note="已报区委、区政府和联席会议办公室")
    cases.travel(3 * HOUR)
    run(worker_app, sweeps.send_reminders)
    assert (cases.row(case).colour, orders_of(db_session, case)) == (card, [])


# --- limits that an operator set -----------------------------------------------------------------------------------


@pytest.mark.parametrize("amount", [0, -5, 2_000_000_000])
def test_an_amount_that_is_no_period_is_named_in_the_log_and_the_preset_goes_on_to_hold(
    cases, worker_app, db_session, caplog, amount
):
    changed = {"policy_id": "PT-05", "preset": "zhejiang", "valid_from": date(2022, 6, 1), "amount": amount}
    also = {"policy_id": "PT-21", "preset": "zhejiang", "valid_from": date(2022, 6, 1), "amount": 7}
    db_session.add_all(PolicyOverride(**one) for one in (changed, also))
    db_session.commit()
    calendar_store.forget()
    with worker_app.app_context():
        _calendar, versions = calendar_store.current()
    try:
        held = policies(versions, date(2026, 1, 1))
        assert (held["PT-05"].amount, held["PT-21"].amount) == (60, 7)
        assert f"PT-05 from 2022-06-01 with amount {amount} is no period" in caplog.text
        assert cases.row(cases.file()).state == "filed"
    finally:
        calendar_store.forget()
