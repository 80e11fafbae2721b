"""The proof that no alert can be left lying: over state, role and clock, and that what somebody may break here is found."""

from dataclasses import fields, replace

import pytest

from workflows import alert_effects, alert_guards, alert_record
from workflows.alert import RESTS, TABLE
from workflows.alert_proof import Sketch, describe, live_fields, prove, starts, timed_events
from workflows.base import Effect, Step, StepTable
from workflows.explorer import Finding, inspect

# Loops that lead back into the work, and notes beside it. All at once they only multiply; each kind is walked with the others still.
LOOPS = frozenset({"explanations", "take_backs", "proof_returns", "stages"})
NOTES = frozenset({"assignments", "extensions", "findings_returns"})
AFTER = frozenset({"freezes", "verdict_changes"})


@pytest.fixture
def bounds(monkeypatch):
    """Every counter bounded by one for those that are named, and by nothing for the others."""

    def set_bounds(*open_counters):
        for name in alert_record.LIMITS:
            monkeypatch.setitem(alert_record.LIMITS, name, int(name in {"clearances", "urgings", *open_counters}))

    return set_bounds


def test_the_alert_chart_has_no_finding_of_shape():
    assert inspect(describe()) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("colour", "counters"), [("orange", NOTES), ("blue", NOTES), ("red", AFTER), ("yellow", AFTER)]
)
def test_no_alert_is_ever_stuck_whatever_is_noted_beside_it(colour, counters, bounds):
    bounds(*counters)
    report = prove(begin=[sketch for sketch in starts() if sketch.colour == colour])
    assert report.findings == []
    assert report.by_state.keys() == TABLE.states - {"explaining"}


@pytest.mark.slow
@pytest.mark.parametrize("colour", ["red", "yellow", "blue"])
def test_no_alert_is_ever_stuck_however_often_it_comes_back(colour, bounds):
    bounds(*LOOPS)
    report = prove(begin=[sketch for sketch in starts() if sketch.colour == colour])
    assert report.findings == []
    assert report.by_state.keys() == TABLE.states
    assert report.edges > report.configurations > 3_000


@pytest.mark.slow
def test_no_alert_is_ever_stuck_after_it_was_opened_again(bounds):
    bounds(*LOOPS, "reopenings")
    report = prove(begin=[sketch for sketch in starts() if sketch.level == 1])
    assert report.findings == []
    assert report.configurations > 10_000


def changed(*, without=(), guard=None, effect=None, on=None, add=()):
    """The alert chart without some transitions, or with a guard or an effect taken off (on one event only)."""
    steps = []
    for step in TABLE.steps:
        if (step.event, step.source) in without:
            continue
        if on is None or step.event == on:
            step = replace(
                step,
                guards=tuple(each for each in step.guards if each is not guard),
                effects=tuple(each for each in step.effects if each is not effect),
            )
        steps.append(step)
    return StepTable([*steps, *add], TABLE.initial, TABLE.finals)


def walked(table, limit=4_000):
    """A walk that begins at the province only, where one step up is the authority outside."""
    return prove(table, limit=limit, begin=[sketch for sketch in starts() if sketch.level == 1])


@pytest.mark.parametrize("state", sorted(timed_events()))
def test_taking_the_clock_from_a_state_is_found(state):
    assert Finding("no-timed-exit", state) in inspect(describe(timed={**timed_events(), state: ()}))


@pytest.mark.parametrize(
    ("bound", "where"),
    [
        (alert_guards.explanations_left, "explaining"),
        (alert_guards.clearances_left, "clear_requested"),
        (alert_guards.take_backs_left, "investigated"),
        (alert_guards.proof_returns_left, "verifying"),
        (alert_guards.stages_left, "verifying"),
        (alert_guards.reopenings_left, "resolved"),
    ],
    ids=lambda each: getattr(each, "__name__", each),
)
def test_taking_the_bound_from_a_loop_is_found(bound, where):
    (found,) = [each for each in inspect(describe(changed(guard=bound))) if each.kind == "unbounded-cycle"]
    assert where in found.detail.split()


@pytest.mark.parametrize("bound", [alert_guards.freezes_left, alert_guards.verdict_changes_left, alert_guards.urgings_left])
def test_a_counter_without_a_bound_is_found_by_the_walk(bound, bounds):
    bounds()
    assert {"unbounded-counter", "endless-path"} & {each.kind for each in walked(changed(guard=bound)).findings}


@pytest.mark.parametrize("state", ["dispatched", "signed", "checking", "investigated", "verifying", "held"])
def test_an_expiry_that_leads_nowhere_is_found(state, bounds):
    bounds("reopenings")
    table = changed(without={("escalate", state), ("auto_dispatch", state)})
    assert Finding("no-timed-exit", state) in inspect(describe(table))
    assert Finding("no-timed-exit", state) in walked(table, limit=20_000).findings


def test_an_unassigned_alert_that_does_not_go_up_is_found():
    table = changed(effect=alert_effects.go_up)
    found = {each.where for each in inspect(describe(table)) if each.kind == "unassigned-never-escalated"}
    assert found == {"filed", "held", "muted", "dispatched", "escalated"}


def test_a_state_that_only_a_missing_role_can_leave_is_found():
    few = describe()
    few = replace(few, roles=few.roles - {"upper_discipline"})
    assert [each.where for each in inspect(few) if each.kind == "no-human-exit"] == ["external"]
    none_above = replace(few, roles=few.roles - {"county_discipline"})
    assert {"filed", "held", "muted"} <= {each.where for each in inspect(none_above) if each.kind == "no-human-exit"}


def test_unreachable_states_are_found():
    table = changed(without={("mute", "filed"), ("end_external", "external"), ("record_external_end", "external")})
    assert {Finding("unreachable-state", "muted"), Finding("unreachable-final", "ended")} <= set(inspect(describe(table)))


def test_a_red_alert_that_one_person_checks_is_found(bounds):
    bounds()
    table = changed(guard=alert_guards.checkers_are_enough, on="start_check")
    assert "one-checks-a-red-alert" in {each.kind for each in walked(table).findings}


def test_a_red_clearance_beyond_its_evidence_is_found(bounds):
    bounds()
    table = changed(guard=alert_guards.scope_fits_colour)
    assert "red-beyond-its-evidence" not in {each.kind for each in walked(table).findings}
    table = StepTable(
        [
            replace(step, guards=tuple(g for g in step.guards if g.code not in ("evidence-only", "expiry-too-long")))
            for step in TABLE.steps
        ],
        TABLE.initial,
        TABLE.finals,
    )
    assert "red-beyond-its-evidence" in {each.kind for each in walked(table).findings}


@pytest.mark.parametrize("event", ["approve_clearance", "rate", "confirm"])
def test_a_colour_that_steps_down_without_an_accepted_rectification_is_found(event, bounds):
    bounds()
    steps = [
        replace(step, effects=(*step.effects, alert_effects.step_down)) if step.event == event else step for step in TABLE.steps
    ]
    found = {each.kind for each in walked(StepTable(steps, TABLE.initial, TABLE.finals)).findings}
    assert "colour-stepped-down" in found


def test_a_level_that_goes_down_is_found(bounds):
    bounds()

    def sink(a, actor, facts):
        a.level = 4

    table = changed(add=[Step("sink", "signed", "checking", (alert_guards.is_in_charge,), (), (Effect(sink),))])
    assert "level-went-down" in {each.kind for each in walked(table).findings}


def test_a_check_that_wants_for_people_is_found(bounds):
    bounds("take_backs")
    table = changed(without={("assign_checkers", "checking")})
    steps = [replace(step, target="checking") if step.event == "re_examine" and step.target == "signed" else step for step in table.steps]
    assert Finding("no-human-exit", "checking") in walked(StepTable(steps, TABLE.initial, TABLE.finals), limit=20_000).findings


def test_the_world_knows_whatever_the_chart_reads():
    assert set(alert_record.AlertRecord.__annotations__) == {each.name for each in fields(Sketch)}
    assert live_fields()["ended"] == ()
    assert {"clearances", "colour", "checker_ids"} <= set(live_fields()["checking"])
    assert frozenset({"closed"}) == RESTS
