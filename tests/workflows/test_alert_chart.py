"""The life of an alert, asked of the chart alone: the ways through it."""

import pytest

from tests.workflows.alert_world import (
    CHECKER,
    CITY,
    CITY_HEAD,
    CLEAR,
    CLERK,
    COUNTY,
    COUNTY_CLERK,
    COUNTY_HEAD,
    HEAD,
    PROVINCE,
    PROVINCE_HEAD,
    SECOND,
    TOWN,
    TWO,
    UNIT_CLERK,
    Alert,
    checking,
    send,
)  # fmt: skip
from workflows.actor import SYSTEM_ACTOR
from workflows.alert import (
    ALERT_EVENT_LABELS,
    ALERT_LABELS,
    ALERT_REFUSALS,
    OPEN_STATES,
    TABLE,
    TIMED,
    VOCABULARY,
    AlertChart,
    AlertEvent,
    AlertState,
)  # fmt: skip


def play(alert, *steps):
    for event, actor, facts in steps:
        send(alert, event, actor, **facts)
    return alert


def test_a_red_alert_goes_from_the_rule_to_the_look_back():
    alert = play(
        Alert(),
        ("auto_dispatch", SYSTEM_ACTOR, {}),
        ("sign", CLERK, {}),
        ("start_check", CLERK, {"checker_ids": TWO}),
        ("ask_explanation", CHECKER, {}),
        ("explain", UNIT_CLERK, {}),
        ("report_findings", SECOND, {"amount": 28_900_000, "persons": ["p"]}),
        ("confirm", HEAD, {}),
        ("order_rectification", HEAD, {}),
        ("record_disposal", CLERK, {"persons": [{"person": "p", "form": "FORM_1"}], "recovered": 100}),
        ("submit_proof", UNIT_CLERK, {}),
        ("strike_off", CLERK, {}),
        ("rate", CLERK, {"verdict": "A"}),
        ("pass_look_back", COUNTY_CLERK, {}),
    )
    assert (alert.state, alert.colour, alert.resolution, alert.verdict) == ("closed", "yellow", "disposed", "A")


def test_a_confirmed_alert_goes_as_a_clue_to_a_case_and_to_the_fourth_form():
    alert = play(
        Alert("investigated"),
        ("send_as_clue", HEAD, {}),
        ("file_case", COUNTY_HEAD, {}),
        ("record_disposal", COUNTY_CLERK, {"persons": [{"person": "p", "form": "FORM_4"}]}),
    )
    assert (alert.state, alert.disposed) == ("disposed", True)


def test_an_alert_is_cleared_by_another_and_rated_and_closed_by_the_clock():
    alert = play(
        checking(),
        ("request_clearance", UNIT_CLERK, CLEAR),
        ("approve_clearance", COUNTY_HEAD, {}),
        ("rate", CLERK, {"verdict": "C"}),
        ("auto_close", SYSTEM_ACTOR, {}),
    )
    assert (alert.state, alert.resolution, alert.verdict, alert.colour) == ("closed", "cleared", "C", "red")


def test_a_refused_or_undecided_clearance_leaves_colour_and_check_as_they_were():
    for event, actor in (("refuse_clearance", COUNTY_HEAD), ("lapse_clearance", SYSTEM_ACTOR)):
        alert = play(checking(), ("request_clearance", UNIT_CLERK, CLEAR), (event, actor, {}))
        assert (alert.state, alert.colour, alert.clearance_by, alert.clearances) == ("checking", "red", None, 1)
        assert alert.checker_ids == TWO


def test_a_limit_that_passes_takes_an_unconfirmed_alert_up_to_begin_anew_and_at_the_top_out():
    alert, way = checking(clearances=3, findings_by=CHECKER.person_id), []
    while alert.state != "external":
        send(alert, "escalate", SYSTEM_ACTOR)
        way.append((alert.state, alert.level, alert.org_id))
    assert way == [
        *(("escalated", 3, COUNTY), ("escalated", 2, CITY), ("escalated", 1, PROVINCE)),
        ("external", 1, None),
    ]
    assert (alert.clearances, alert.findings_by, alert.checker_ids, alert.overdue) == (0, None, [], True)


@pytest.mark.parametrize("state", ["investigated", "rectifying", "clue_filed", "case_filed", "disposed", "verifying"])
def test_a_confirmed_alert_keeps_its_state_when_it_goes_up(state):
    alert = Alert(state, disposed=True, freeze="confirmed")
    send(alert, "escalate", SYSTEM_ACTOR)
    assert (alert.state, alert.level, alert.org_id, alert.disposed) == (state, 3, COUNTY, True)
    while alert.state != "external":
        send(alert, "escalate", SYSTEM_ACTOR)
    assert (alert.level, alert.org_id, alert.freeze) == (1, None, "lapsed")


def test_the_authority_above_is_urged_three_times_and_then_the_alert_ends_or_comes_back():
    alert = Alert("external", level=1, org_id=None)
    for _ in range(3):
        send(alert, "urge_external", SYSTEM_ACTOR)
    assert TABLE.refusal(alert, "urge_external", SYSTEM_ACTOR) == "urgings-spent"
    send(alert, "end_external", SYSTEM_ACTOR)
    assert alert.state == "ended"
    back = Alert("external", level=1, org_id=None)
    send(back, "return_external", PROVINCE_HEAD)
    assert (back.state, back.level, back.org_id) == ("escalated", 1, PROVINCE)


def test_a_county_without_townships_is_reached_in_one_step():
    alert = Alert("dispatched", level=5)
    send(alert, "escalate", SYSTEM_ACTOR, above_org_id=COUNTY, above_level=3)
    assert (alert.level, alert.org_id) == (3, COUNTY)


def test_an_alert_that_becomes_graver_is_dispatched_again_and_checked_anew():
    alert = checking(colour="yellow", level=5)
    assert TABLE.refusal(alert, "add_evidence", SYSTEM_ACTOR, colour="red") == "graver-now"
    send(alert, "push_again", SYSTEM_ACTOR, colour="red", org_id=TOWN, level=4)
    assert (alert.state, alert.colour, alert.level, alert.org_id, alert.checker_ids) == ("dispatched", "red", 4, TOWN, [])
    assert TABLE.refusal(alert, "push_again", SYSTEM_ACTOR, colour="blue") == "other-branch"
    send(alert, "add_evidence", SYSTEM_ACTOR, colour="red")
    late = Alert("rectifying", colour="yellow")
    send(late, "add_evidence", SYSTEM_ACTOR, colour="red")
    assert (late.state, late.colour) == ("rectifying", "red")


def test_a_flood_waits_for_the_owner_of_the_rule_and_goes_up_and_is_never_sent_by_the_clock():
    alert = Alert()
    send(alert, "hold", SYSTEM_ACTOR, reason_code="flood")
    assert TABLE.refusal(alert, "auto_dispatch", SYSTEM_ACTOR) == "other-branch"
    send(alert, "escalate", SYSTEM_ACTOR)
    assert (alert.state, alert.level) == ("held", 3)
    send(alert, "dispatch", COUNTY_CLERK, org_id=TOWN, level=4)
    assert (alert.state, alert.level, alert.org_id, alert.flood) == ("dispatched", 4, TOWN, False)


def test_the_alert_of_a_new_rule_is_held_and_sent_by_the_clock_when_nobody_looked():
    alert = Alert()
    send(alert, "hold", COUNTY_CLERK, reason_code="new_rule")
    send(alert, "auto_dispatch", SYSTEM_ACTOR)
    assert alert.state == "dispatched"


def test_a_held_false_alert_is_withdrawn_and_counts_against_its_rule():
    alert = play(Alert("held"), ("withdraw", COUNTY_HEAD, {"reason_code": "rule_fault"}), ("rate", COUNTY_CLERK, {"verdict": "D"}))
    assert (alert.state, alert.resolution, alert.verdict) == ("rated", "withdrawn", "D")


def test_a_muted_alert_follows_the_stronger_one_or_is_sent_by_itself():
    alert = Alert()
    send(alert, "mute", SYSTEM_ACTOR)
    assert alert.parent_id is not None
    own = Alert("muted")
    send(own, "auto_dispatch", SYSTEM_ACTOR)
    send(alert, "follow_parent", SYSTEM_ACTOR)
    assert (alert.state, own.state) == ("resolved", "dispatched")


def test_the_colour_steps_down_with_each_accepted_part_and_nowhere_else():
    alert = Alert("verifying", disposed=True)
    send(alert, "strike_off", HEAD, items_left=2)
    assert (alert.state, alert.colour, alert.stages) == ("rectifying", "yellow", 1)
    send(alert, "submit_proof", UNIT_CLERK)
    send(alert, "strike_off", HEAD, items_left=0)
    assert (alert.state, alert.colour, alert.resolution) == ("resolved", "blue", "disposed")
    four = Alert("verifying")
    send(four, "strike_off", HEAD, palette=("red", "orange", "yellow", "blue"))
    assert four.colour == "orange"
    others = {step.event for step in TABLE.steps if any(effect.__name__ == "step_down" for effect in step.effects)}
    assert others == {"strike_off"}


def test_an_alert_without_a_verdict_goes_up_and_at_the_top_counts_for_nobody():
    alert = Alert("resolved", resolution="cleared", level=2)
    send(alert, "escalate", SYSTEM_ACTOR)
    assert (alert.state, alert.level) == ("resolved", 1)
    send(alert, "escalate", SYSTEM_ACTOR)
    assert (alert.state, alert.verdict, alert.verdict_by) == ("rated", "F", None)


def test_a_look_back_that_nobody_made_opens_the_alert_one_level_up():
    alert = Alert("rated", resolution="disposed", disposed=True, verdict="A")
    send(alert, "escalate", SYSTEM_ACTOR)
    assert (alert.state, alert.level, alert.resolution, alert.disposed, alert.verdict) == ("escalated", 3, None, False, None)


@pytest.mark.parametrize("state", ["resolved", "rated", "closed"])
def test_new_evidence_opens_an_alert_at_the_county(state):
    alert = Alert(state, resolution="cleared", verdict="C", clearance_live=True)
    send(alert, "reopen", COUNTY_HEAD, reason_code="new_evidence")
    assert (alert.state, alert.level, alert.org_id, alert.reopenings) == ("checking", 3, COUNTY, 1)
    assert (alert.verdict, alert.clearance_live, alert.checker_ids) == (None, False, TWO)


def test_a_body_that_must_withdraw_loses_the_alert_to_the_one_above():
    alert = checking()
    send(alert, "recuse", SYSTEM_ACTOR)
    assert (alert.state, alert.org_id, alert.overdue) == ("escalated", COUNTY, False)
    late = Alert("verifying")
    send(late, "recuse", SYSTEM_ACTOR)
    assert (late.state, late.org_id) == ("verifying", COUNTY)
    top = Alert("disposed", level=1)
    send(top, "recuse", SYSTEM_ACTOR)
    assert top.state == "external"


def test_a_suspension_ends_with_the_alert_and_lapses_unless_a_second_person_confirms():
    alert = Alert("dispatched")
    send(alert, "request_freeze", CLERK)
    assert (alert.freeze, TABLE.refusal(alert, "confirm_freeze", CLERK)) == ("requested", "not-the-decider")
    send(alert, "lapse_freeze", SYSTEM_ACTOR)
    assert alert.freeze == "lapsed"
    send(alert, "request_freeze", CLERK)
    send(alert, "confirm_freeze", HEAD)
    assert (alert.freeze, TABLE.refusal(alert, "lapse_freeze", SYSTEM_ACTOR)) == ("confirmed", "nothing-frozen")
    alert.state = "verifying"
    send(alert, "strike_off", HEAD)
    assert alert.freeze == "lifted"


def test_a_clue_that_came_to_nothing_is_taken_back_and_the_check_begins_again():
    alert = Alert("clue_filed", checker_ids=list(TWO), findings_by=CHECKER.person_id)
    send(alert, "take_back", HEAD)
    send(alert, "take_back", HEAD)
    assert (alert.state, alert.findings_by) == ("checking", None)
    assert TABLE.refusal(Alert("case_filed", take_backs=2), "take_back", CITY_HEAD) == "take_backs-spent"


def test_every_state_event_and_refusal_has_its_words():
    assert TABLE.states == set(AlertState) == set(ALERT_LABELS)
    assert {step.event for step in TABLE.steps} == set(AlertEvent) == set(ALERT_EVENT_LABELS)
    assert {guard.code for step in TABLE.steps for guard in step.guards} == set(ALERT_REFUSALS)
    assert set(TIMED) == set(OPEN_STATES) and AlertChart.table is TABLE
    named = {word.strip(" ,") for _, _, states in VOCABULARY for word in states.split()}
    assert {state for state in AlertState if state not in named} == {"external", "ended"}


def test_the_body_that_received_it_stands_on_the_record():
    alert = Alert()
    send(alert, "auto_dispatch", SYSTEM_ACTOR)
    assert (alert.org_id, alert.level) == (TOWN, 4)
