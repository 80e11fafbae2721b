"""The clocks of an alert, by colour; and that no way through the chart leads out of their sight."""

from datetime import UTC, date, datetime, timedelta

import pytest

from tests.workflows.alert_world import TODAY, Alert
from workflows.alert import ALERT_LIMITS, TABLE, clock_facts
from workflows.calendar import WorkCalendar, months_after
from workflows.deadlines import CaseEvent, deadlines, next_forced, remind_at
from workflows.policies import Policy

CALENDAR = WorkCalendar.from_notices({2026: {}, 2027: {}, 2028: {}})
MONDAY = datetime(2026, 3, 2, 2, tzinfo=UTC)  # ten in the morning in Shanghai


def log(*events, **facts):
    return [CaseEvent(event, MONDAY + timedelta(days=day), state, facts) for event, state, day in events]


def forced(events):
    step = next_forced(deadlines(events, ALERT_LIMITS, CALENDAR))
    return step and (step.policy_id, step.forces, step.due_at)


def end(day):
    return datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(hours=16)


COLOURS = ("red", "orange", "yellow", "blue")


@pytest.mark.parametrize(
    ("limit", "events", "days"),
    [
        ("AL-01", [("dispatch", "dispatched", 0)], (None, 1, 2, 3)),
        ("AL-02", [("sign", "signed", 0)], (5, 10, 10, 15)),
        ("AL-03", [("ask_explanation", "explaining", 0)], (3, 3, 5, 5)),
        ("AL-04", [("request_clearance", "clear_requested", 0)], (3, 3, 3, 3)),
        ("AL-05", [("dispatch", "dispatched", 0)], (15, 20, 20, 30)),
        ("AL-15", [("request_freeze", "signed", 0)], (5, 5, 5, 5)),
        ("RC-03", [("submit_proof", "verifying", 0)], (5, 5, 5, 5)),
    ],
)
def test_each_colour_has_its_own_time(limit, events, days):
    for colour, amount in zip(COLOURS, days, strict=True):
        runs = {one.policy_id: one for one in deadlines(log(*events, colour=colour), ALERT_LIMITS, CALENDAR)}
        if amount is None:
            assert runs[limit].due_at == MONDAY + timedelta(hours=24)
        else:
            assert runs[limit].due_day == CALENDAR.add_workdays(TODAY, amount).day


@pytest.mark.parametrize(
    ("events", "facts", "policy", "forces", "due"),
    [
        ([("file", "filed", 0)], {}, "AL-00", "auto_dispatch", MONDAY + timedelta(hours=1)),
        ([("hold", "held", 0)], {"flood": False}, "AL-07", "auto_dispatch", end(date(2026, 4, 1))),
        ([("hold", "held", 0)], {"flood": True}, "AL-07a", "escalate", end(date(2026, 3, 9))),
        ([("mute", "muted", 0)], {}, "AL-17", "auto_dispatch", end(date(2026, 5, 1))),
        ([("dispatch", "dispatched", 0), ("sign", "signed", 1), ("start_check", "checking", 2)],
         {"colour": "red"}, "AL-02", "escalate", end(date(2026, 3, 10))),
        ([("sign", "signed", 0), ("ask_explanation", "explaining", 1), ("explain", "checking", 2)],
         {"colour": "red"}, "AL-02a", "escalate", end(date(2026, 3, 11))),
        ([("confirm", "investigated", 0)], {}, "AL-08", "escalate", end(date(2026, 3, 9))),
        ([("order_rectification", "rectifying", 0), ("record_disposal", "disposed", 3)], {}, "RC-01", "escalate", end(date(2026, 4, 1))),
        ([("send_as_clue", "clue_filed", 0)], {}, "AL-11", "escalate", end(date(2026, 9, 2))),
        ([("send_as_clue", "clue_filed", 0), ("file_case", "case_filed", 30)], {}, "AL-11", "escalate", end(date(2026, 10, 5))),
        ([("strike_off", "resolved", 0)], {"disposed": True}, "AL-12", "escalate", end(date(2026, 3, 9))),
        ([("strike_off", "resolved", 0), ("rate", "rated", 3)], {"disposed": True}, "RC-04", "escalate", end(date(2026, 6, 1))),
        ([("rate", "rated", 0)], {"sampled": False}, "AL-13", "auto_close", end(date(2026, 4, 1))),
        ([("rate", "rated", 0)], {"sampled": True}, "AL-14", "escalate", end(date(2026, 3, 16))),
        ([("approve_clearance", "resolved", 0), ("rate", "rated", 1)], {"papers_due": True}, "AL-10", "reopen_unproved", end(date(2026, 3, 17))),
        ([("escalate", "external", 0)], {}, "AL-16", "urge_external", end(date(2026, 4, 1))),
        ([("escalate", "external", 0), *[("urge_external", "external", n) for n in (31, 62, 93)]], {},
         "AL-16", "end_external", end(date(2026, 7, 3))),
    ],
)  # fmt: skip
def test_what_the_clock_sends_next(events, facts, policy, forces, due):
    assert forced(log(*events, **facts)) == (policy, forces, due)


def test_every_step_into_an_open_state_leaves_the_alert_under_a_clock():
    without = []
    for step in TABLE.steps:
        if step.target in (*TABLE.finals, "closed"):
            continue
        for flags in ({}, {"disposed": True}, {"sampled": True}, {"flood": True}):
            facts = {"colour": "yellow", **flags}
            # What leads to `rated` with a disposal has passed the strike-off.
            before = [("strike_off", "resolved", 0)] if flags.get("disposed") else [("file", "filed", 0)]
            entered = [] if step.source in ("filed", "resolved") else [("entered", step.source, 1)]
            if entered and step.source in ("checking", "signed"):
                entered = [("sign", "signed", 1), *([("start_check", "checking", 1)] if step.source == "checking" else [])]
            events = log(*before, *entered, (step.event, step.target, 2), **facts)
            if forced(events) is None and not (flags.get("disposed") and step.source == "rated"):
                without.append((step.source, step.event, step.target, tuple(flags)))
    assert without == []


@pytest.mark.parametrize("state", ["dispatched", "signed", "checking", "escalated"])
def test_after_it_went_up_an_alert_has_time_again(state):
    for colour in COLOURS:
        start = [("sign", "signed", 0), ("start_check", "checking", 0)] if state == "checking" else [("sign", state, 0)]
        events = log(*start, ("escalate", "escalated", 60), colour=colour)
        step = next_forced(deadlines(events, ALERT_LIMITS, CALENDAR))
        assert step.policy_id == "AL-01" and step.due_at > MONDAY + timedelta(days=60)


def test_more_evidence_of_the_same_colour_moves_no_clock_and_graver_evidence_gives_new_time():
    events = log(("dispatch", "dispatched", 0), ("add_evidence", "dispatched", 1), colour="blue")
    assert forced(events) == forced(events[:1])
    again = [*events, CaseEvent("push_again", MONDAY + timedelta(days=1), "dispatched", {"colour": "red"})]
    assert forced(again) == ("AL-01", "escalate", MONDAY + timedelta(days=2))


@pytest.mark.parametrize(
    ("colour", "days", "last"),
    [
        ("yellow", 30, date(2026, 4, 1)),
        # However far the end that was asked for: six months for yellow, twelve for blue.
        ("yellow", 600, date(2026, 9, 2)),
        ("blue", 600, date(2027, 3, 2)),
        ("blue", 200, date(2026, 9, 18)),
    ],
)
def test_a_clearance_runs_out_on_its_day_and_is_announced_fifteen_days_before(colour, days, last):
    facts = {"colour": colour, "limited": True, "days": days}
    runs = {one.policy_id: one for one in deadlines(log(("approve_clearance", "resolved", 0), **facts), ALERT_LIMITS, CALENDAR)}
    clearance = runs["AL-09"]
    assert (clearance.due_day, clearance.forces) == (last, "expire_clearance")
    assert remind_at(clearance, CALENDAR) == end(last - timedelta(days=16))


def test_a_clearance_for_its_evidence_alone_never_runs_out_and_a_closed_one_still_does():
    assert not [one for one in deadlines(log(("approve_clearance", "resolved", 0)), ALERT_LIMITS, CALENDAR) if one.policy_id == "AL-09"]
    facts = {"colour": "blue", "limited": True, "days": 90}
    events = log(("approve_clearance", "resolved", 0), ("rate", "rated", 1), ("auto_close", "closed", 40), **facts)
    assert forced(events)[:2] == ("AL-09", "expire_clearance")


def test_the_minutes_stop_the_clock_that_would_reopen_the_alert():
    events = log(("approve_clearance", "resolved", 0), ("rate", "rated", 1), papers_due=True)
    assert forced(events)[0] == "AL-10"
    assert forced([*events, *log(("file_papers", "rated", 5), papers_due=False)])[0] == "AL-13"


@pytest.mark.parametrize(("days", "last"), [(5, date(2026, 3, 16)), (10, date(2026, 3, 23)), (90, date(2026, 3, 23))])
def test_an_extension_counts_in_working_days_and_never_adds_more_than_ten(days, last):
    events = log(("sign", "signed", 0), ("start_check", "checking", 0), colour="red")
    events += [CaseEvent("approve_extension", MONDAY + timedelta(days=1), "checking", {"days": days})]
    runs = {one.policy_id: one for one in deadlines(events, ALERT_LIMITS, CALENDAR)}
    assert (runs["AL-02"].due_day, runs["AL-02"].extended_days) == (last, min(days, 10))


def test_working_days_lengthen_only_what_counts_in_working_days():
    with pytest.raises(ValueError, match="working days"):
        Policy("X", "", "", 5, "C", "working", extension_cap=5, extension_unit="W")


@pytest.mark.parametrize("stop", ["confirm_freeze", "lift_freeze"])
def test_a_suspension_lapses_after_five_working_days_unless_somebody_decides(stop):
    events = log(("request_freeze", "investigated", 0))
    assert [one.forces for one in deadlines(events, ALERT_LIMITS, CALENDAR) if one.policy_id == "AL-15"] == ["lapse_freeze"]
    (run,) = [one for one in deadlines([*events, *log((stop, "investigated", 2))], ALERT_LIMITS, CALENDAR) if one.policy_id == "AL-15"]
    assert not run.live and not run.breached


def test_the_closing_target_runs_through_the_whole_work_and_moves_nothing():
    events = log(("dispatch", "dispatched", 0), ("sign", "signed", 1), ("confirm", "investigated", 2), ("order_rectification", "rectifying", 3), colour="red")
    (target,) = [one for one in deadlines(events, ALERT_LIMITS, CALENDAR) if one.policy_id == "AL-05"]
    assert target.live and target.forces is None
    assert target.overdue(MONDAY + timedelta(days=22))


def test_what_an_alert_shows_its_clocks():
    alert = Alert("resolved", clearance_until=months_after(TODAY, 3), clearance_live=True, resolution="cleared", sampled=True)
    shown = clock_facts(alert, "approve_clearance", TODAY)
    assert shown == {
        **{"colour": "red", "level": 4, "flood": False, "papers_due": False, "sampled": True, "disposed": False},
        **{"limited": True, "days": 92},
    }
    assert "days" not in clock_facts(alert, "rate", TODAY)
    alert.clearance_live = False
    assert clock_facts(alert, "expire_clearance", TODAY)["limited"] is False
    assert clock_facts(Alert("resolved", resolution="disposed"), "strike_off", TODAY)["disposed"]


def test_every_limit_is_unique_and_names_states_and_events_that_exist():
    ids = [row.id for row in ALERT_LIMITS]
    assert len(ids) == len(set(ids))
    events = {step.event for step in TABLE.steps}
    for row in ALERT_LIMITS:
        assert set(row.starts) | set(row.stops) <= events
        assert {*row.states, *row.through} <= TABLE.states
        offered = {(step.source, step.event) for step in TABLE.steps if "system" in step.who}
        for event in filter(None, (row.breach, row.last_breach)):
            assert {(state, event) for state in row.states} <= offered, row.id
