"""The explorer finds what other systems shipped and what somebody may break here; our own chart gives it nothing."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from workflows import petition_effects, petition_guards
from workflows.base import Effect, Step, StepTable
from workflows.explorer import ChartDescription, Edge, Finding, Move, inspect, walk
from workflows.petition import TABLE
from workflows.petition_proof import Sketch, describe, live_fields, prove, starts, timed_events

STAFF, BOSS, CITIZEN, CLOCK = frozenset({"staff"}), frozenset({"boss"}), frozenset({"citizen"}), frozenset({"system"})
BOTH = STAFF | BOSS
ROOT = Path(__file__).parents[2]
ROLES = frozenset({"staff", "boss", "citizen"})


def chart(name, initial, edges, **more):
    named = {state for edge in edges for state in (edge.source, edge.target)}
    more = {"timed": {}, "finals": frozenset(), "roles": ROLES, **more}
    return ChartDescription(name, initial, frozenset(named | more.pop("idle", frozenset())), tuple(edges), **more)


SOUND = chart(
    "a small chart without a fault",
    "new",
    [
        Edge("take", "new", "busy", STAFF),
        Edge("drop", "new", "gone", CITIZEN),
        Edge("late", "new", "up", CLOCK, raises=True, counter="level"),
        Edge("note", "busy", "busy", STAFF),
        Edge("answer", "busy", "done", STAFF),
        Edge("send_back", "busy", "new", BOSS, counter="returns"),
        Edge("late", "busy", "up", CLOCK, raises=True, counter="level"),
        Edge("praise", "done", "gone", CITIZEN),
        Edge("blame", "done", "up", CITIZEN, raises=True, counter="level", dissatisfied=True),
        Edge("fade", "done", "gone", CLOCK),
        Edge("give", "up", "busy", BOTH, new_body=True),
        Edge("late", "up", "end", CLOCK, raises=True, counter="level"),
    ],
    timed={"new": ("late",), "busy": ("late",), "done": ("fade",), "up": ("late",)},
    finals=frozenset({"gone", "end"}),
    work=frozenset({"busy"}),
    answered=frozenset({"done", "up"}),
    unassigned=frozenset({"new"}),
    statutory_ends=frozenset({"end"}),
)

# A municipal system: two states of the list are entered by nothing, one of them is left by nothing, nothing runs by
# the clock, and whoever is unhappy is handed back to the department that closed the case, which may close it again.
SIG = chart(
    "SIG",
    "REPORTED",
    [
        Edge("treat", "REPORTED", "IN_TREATMENT", STAFF),
        Edge("plan", "IN_TREATMENT", "PLANNED", STAFF),
        Edge("finish", "PLANNED", "DONE", STAFF),
        Edge("finish", "IN_TREATMENT", "DONE", STAFF),
        Edge("cancel", "IN_TREATMENT", "CANCELLED", STAFF),
        Edge("take_up", "ON_HOLD", "IN_TREATMENT", STAFF),
        Edge("rate_unsatisfied", "DONE", "REOPEN_REQUESTED", CITIZEN, dissatisfied=True),
        Edge("reopen", "REOPEN_REQUESTED", "IN_TREATMENT", STAFF),
        Edge("close_again", "REOPEN_REQUESTED", "DONE", STAFF),
    ],
    idle=frozenset({"GESPLITST"}),
    finals=frozenset({"CANCELLED"}),
    rests=frozenset({"DONE"}),
    work=frozenset({"IN_TREATMENT", "PLANNED"}),
    answered=frozenset({"DONE", "REOPEN_REQUESTED"}),
    unassigned=frozenset({"REPORTED"}),
)

# A complaint platform: the scheduler sends ESCALATE to cases that wait for an assignee, where the workflow has no such
# action, and passes over whatever has no assignee; two waiting states have no clock of their own; the supervisor at the
# top of the ladder can do one thing; one star ends a case as well as five; reopening returns it to the same desk.
DIG = chart(
    "DIG",
    "PENDINGFORASSIGNMENT",
    [
        Edge("ASSIGN", "PENDINGFORASSIGNMENT", "PENDINGATLME", STAFF),
        Edge("REJECT", "PENDINGFORASSIGNMENT", "REJECTED", STAFF),
        Edge("REASSIGN", "PENDINGATLME", "PENDINGFORREASSIGNMENT", BOTH),
        Edge("ASSIGN", "PENDINGFORREASSIGNMENT", "PENDINGATLME", STAFF),
        Edge("REJECT", "PENDINGFORREASSIGNMENT", "REJECTED", STAFF),
        Edge("RESOLVE", "PENDINGATLME", "RESOLVED", STAFF),
        Edge("ESCALATE", "PENDINGATLME", "PENDINGATSUPERVISOR", CLOCK, raises=True, counter="level"),
        Edge("RESOLVE", "PENDINGATSUPERVISOR", "RESOLVED", BOSS),
        Edge("REOPEN", "RESOLVED", "PENDINGFORASSIGNMENT", CITIZEN),
        Edge("RATE", "RESOLVED", "CLOSEDAFTERRESOLUTION", CITIZEN),
        Edge("RATE one star", "RESOLVED", "CLOSEDAFTERRESOLUTION", CITIZEN, dissatisfied=True),
        Edge("RATE", "REJECTED", "CLOSEDAFTERREJECTION", CITIZEN),
        Edge("REOPEN", "REJECTED", "PENDINGFORASSIGNMENT", CITIZEN),
    ],
    idle=frozenset({"RESOLVEDBYSUPERVISOR", "CANCELLED"}),
    timed={"PENDINGFORASSIGNMENT": ("ESCALATE",), "PENDINGATLME": ("ESCALATE",)},
    finals=frozenset({"CLOSEDAFTERRESOLUTION", "CLOSEDAFTERREJECTION", "CANCELLED"}),
    rests=frozenset({"RESOLVED", "REJECTED"}),
    work=frozenset({"PENDINGFORASSIGNMENT", "PENDINGATLME"}),
    answered=frozenset({"RESOLVED", "REJECTED"}),
    unassigned=frozenset({"PENDINGFORASSIGNMENT"}),
)


def test_a_sound_chart_has_no_findings():
    assert inspect(SOUND) == []


@pytest.mark.parametrize(
    ("broken", "expected"),
    [
        pytest.param(SIG, Finding("unreachable-state", "ON_HOLD"), id="SIG: on hold is entered by nothing"),
        pytest.param(SIG, Finding("unreachable-state", "GESPLITST"), id="SIG: split is entered by nothing"),
        pytest.param(SIG, Finding("no-human-exit", "GESPLITST"), id="SIG: split is left by nobody"),
        pytest.param(SIG, Finding("no-timed-exit", "REPORTED"), id="SIG: nothing happens by the clock"),
        pytest.param(
            SIG,
            Finding("rating-does-not-go-up", "DONE", "rate_unsatisfied → REOPEN_REQUESTED"),
            id="SIG: a bad rating stays with the department",
        ),
        pytest.param(
            SIG,
            Finding("rating-does-not-go-up", "REOPEN_REQUESTED", "close_again → DONE"),
            id="SIG: the same department closes it again",
        ),
        pytest.param(
            SIG,
            Finding("same-body-again", "REOPEN_REQUESTED", "reopen → IN_TREATMENT"),
            id="SIG: the same department handles it again",
        ),
        pytest.param(SIG, Finding("unassigned-never-escalated", "REPORTED"), id="SIG: nobody hears of a forgotten one"),
        pytest.param(
            DIG, Finding("unreachable-state", "RESOLVEDBYSUPERVISOR"), id="DIG: resolved by supervisor is unreachable"
        ),
        pytest.param(DIG, Finding("unreachable-final", "CANCELLED"), id="DIG: cancelled is unreachable"),
        pytest.param(DIG, Finding("no-timed-exit", "PENDINGFORREASSIGNMENT"), id="DIG: reassignment can wait for ever"),
        pytest.param(DIG, Finding("no-timed-exit", "PENDINGATSUPERVISOR"), id="DIG: the supervisor can wait for ever"),
        pytest.param(
            DIG,
            Finding("timed-event-not-offered", "PENDINGFORASSIGNMENT", "ESCALATE"),
            id="DIG: the clock sends what the state does not offer",
        ),
        pytest.param(
            DIG, Finding("unassigned-never-escalated", "PENDINGFORASSIGNMENT"), id="DIG: unassigned never escalates"
        ),
        pytest.param(
            DIG,
            Finding("rating-does-not-go-up", "RESOLVED", "RATE one star → CLOSEDAFTERRESOLUTION"),
            id="DIG: one star ends the case",
        ),
        pytest.param(
            DIG,
            Finding("trap", "PENDINGATSUPERVISOR", "only boss may act, and only RESOLVE"),
            id="DIG: the supervisor can only resolve",
        ),
        pytest.param(
            DIG,
            Finding("same-body-again", "RESOLVED", "REOPEN → PENDINGFORASSIGNMENT"),
            id="DIG: reopening returns to the same desk",
        ),
        pytest.param(
            DIG,
            Finding(
                "unbounded-cycle",
                "PENDINGATLME",
                "PENDINGATLME PENDINGFORASSIGNMENT PENDINGFORREASSIGNMENT REJECTED RESOLVED",
            ),
            id="DIG: round and round without a count",
        ),
    ],
)
def test_the_defects_of_other_systems_are_each_reported(broken, expected):
    assert expected in inspect(broken)


# --- our own chart -----------------------------------------------------------------------------------------------


def test_the_petition_chart_has_no_finding_of_shape():
    assert inspect(describe()) == []


@pytest.fixture
def small_limits(monkeypatch):
    """Every counter bounded by one or two: the same kinds of configuration, far fewer of them."""
    for name in petition_guards.LIMITS:
        monkeypatch.setitem(petition_guards.LIMITS, name, 1)
    monkeypatch.setitem(petition_guards.LIMITS, "reopened_rounds", 3)


@pytest.mark.slow
def test_no_petition_is_ever_stuck_within_smaller_limits(monkeypatch):
    monkeypatch.setitem(petition_guards.LIMITS, "parked", 1)
    monkeypatch.setitem(petition_guards.LIMITS, "reply_returns", 1)
    report = prove()
    assert report.findings == []
    assert set(report.by_state) == set(TABLE.states)
    assert report.configurations > 5_000
    assert report.edges > report.configurations


@pytest.mark.slow
def test_no_petition_is_ever_stuck():
    # In a process of its own: measuring coverage would make half a minute two and a half.
    program = "from workflows.petition_proof import findings; print(list(findings()))"
    run = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def changed(*, without=(), guard=None, effect=None, on=None, add=()):
    """The petition chart without some transitions, or with a guard or an effect taken off (on one event only)."""
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


@pytest.mark.parametrize("state", sorted(timed_events()))
def test_taking_the_clock_from_a_state_is_found(state):
    assert Finding("no-timed-exit", state) in inspect(describe(timed={**timed_events(), state: ()}))


def test_a_clock_that_sends_what_the_state_does_not_offer_is_found():
    found = inspect(describe(timed={**timed_events(), "filed": ("expire",)}))
    assert Finding("timed-event-not-offered", "filed", "expire") in found
    assert Finding("no-timed-exit", "filed") in found


@pytest.mark.parametrize(
    ("bound", "where"),
    [
        (petition_guards.returns_left, "accepted"),
        (petition_guards.merges_left, "merged"),
        (petition_guards.reply_returns_left, "handling"),
        (petition_guards.suspension_waits, "handling"),
        (petition_guards.rounds_left, "closed"),
    ],
    ids=lambda each: getattr(each, "__name__", each),
)
def test_taking_the_bound_from_a_loop_is_found(bound, where):
    (found,) = [each for each in inspect(describe(changed(guard=bound))) if each.kind == "unbounded-cycle"]
    assert where in found.detail.split()


def walked(table):
    """A walk that begins at the city only, where one step up is the province and two are the external authority."""
    return prove(table, limit=4_000, begin=[record for record in starts() if record.level == 2])


CLOSE = Step("hush", "dissatisfied", "closed", (petition_guards.is_supervisor,), (), ())
HUSH = Step("hush", "dissatisfied", "closed", (petition_guards.is_system,), (), ())
FORGET = Step("rate", "resolved", "rated", (petition_guards.is_petitioner, petition_guards.is_dissatisfied), (), ())


@pytest.mark.parametrize("step", [CLOSE, HUSH], ids=["by a person", "by the clock"])
def test_letting_a_dissatisfied_case_close_is_found(step):
    assert Finding("rating-does-not-go-up", "dissatisfied", "hush → closed") in inspect(describe(changed(add=[step])))


def test_a_bad_rating_that_closes_is_found():
    found = inspect(describe(changed(add=[FORGET])))
    assert Finding("rating-does-not-go-up", "resolved", "rate → rated") in found


@pytest.mark.parametrize("event", ["rate", "change_rating"])
def test_a_bad_rating_that_stays_at_its_level_is_found_both_ways(event, small_limits):
    table = changed(effect=petition_effects.go_up, on=event)
    source = {"rate": "resolved", "change_rating": "rated"}[event]
    expected = Finding("rating-does-not-go-up", source, f"{event} → dissatisfied")
    assert expected in inspect(describe(table))
    assert Finding("rating-does-not-go-up", source, f"{event} → dissatisfied") in walked(table).findings


@pytest.mark.slow
@pytest.mark.parametrize("event", ["rehandle", "reopen", "give_review_opinion"])
def test_giving_a_case_back_to_the_same_body_is_found_both_ways(event, small_limits):
    table = changed(guard=petition_guards.target_is_new, on=event)
    kinds = {(each.kind, each.detail.split()[0]) for each in inspect(describe(table)) if each.kind == "same-body-again"}
    assert kinds == {("same-body-again", event)}
    again = {each.detail.split()[0] for each in walked(table).findings if each.kind == "same-body-again"}
    assert event in again


def test_a_state_that_only_a_missing_role_can_leave_is_found():
    few = describe()
    few = replace(few, roles=few.roles - {"petition_office", "upper_discipline"})
    assert Finding("no-human-exit", "external") in inspect(few)
    fewer = replace(few, roles=few.roles - {"county_discipline"})
    assert {Finding("no-human-exit", state) for state in ("dissatisfied", "escalated", "rechecking")} <= set(
        inspect(fewer)
    )


def test_unreachable_states_and_ends_are_found():
    table = changed(without={("merge", "registered"), ("give_recheck_opinion", "rechecking")})
    found = inspect(describe(table))
    assert Finding("unreachable-state", "merged") in found
    assert Finding("unreachable-final", "final") in found


def test_an_unassigned_case_that_does_not_go_up_is_found():
    table = changed(without={("expire", "registered"), ("expire", "accepted")})
    found = {each.where for each in inspect(describe(table)) if each.kind == "unassigned-never-escalated"}
    assert found == {"filed", "registered", "accepted"}


@pytest.mark.slow
@pytest.mark.parametrize(
    "bound", [petition_guards.parkings_left, petition_guards.extension_requests_left, petition_guards.urgings_left]
)
def test_a_counter_without_a_bound_is_found_by_the_walk(bound, small_limits):
    assert [each.kind for each in walked(changed(guard=bound)).findings] == ["unbounded-counter"]


def test_the_walk_sees_that_the_clock_stops_after_the_last_urging(small_limits):
    table = changed(without={("end_external", "external")})
    assert "external" not in {each.where for each in inspect(describe(table)) if each.kind == "no-timed-exit"}
    assert walked(table).findings == [Finding("no-timed-exit", "external")]


def test_the_walk_sees_an_expiry_that_changes_nothing(small_limits):
    table = changed(
        without={("expire", "escalated")},
        add=[Step("expire", "escalated", "escalated", (petition_guards.is_system,), (), ())],
    )
    assert Finding("no-timed-exit", "escalated") in walked(table).findings


def test_the_walk_sees_a_case_from_which_no_end_can_be_reached(small_limits):
    table = changed(without={("end_external", "external"), ("record_external_end", "external")})
    assert {Finding("no-end-in-reach", "external"), Finding("no-human-exit", "external")} <= set(walked(table).findings)


def test_the_walk_sees_a_level_that_goes_down(small_limits):
    def sink(p, actor, facts):
        p.level = 2

    table = changed(add=[Step("sink", "escalated", "handling", (petition_guards.is_supervisor,), (), (Effect(sink),))])
    assert "level-went-down" in {each.kind for each in walked(table).findings}


def test_the_walk_finds_a_path_that_never_ends():
    def steps(number):
        yield Move("on", True, (number + 1) % 3)
        yield Move("tick", False, 3)

    def ahead(number):
        return steps(number) if number < 3 else ()

    report = walk([0], ahead, key=int, state=str, ends=frozenset("3"), rests=frozenset())
    assert report.findings == [Finding("endless-path", "0"), Finding("endless-path", "1"), Finding("endless-path", "2")]
    assert (report.configurations, report.edges) == (4, 6)


def test_fields_that_no_guard_reads_again_do_not_count():
    live = live_fields(TABLE)
    assert live["final"] == live["withdrawn"] == ()
    assert live["external"] == ("urgings",)
    assert {"parked", "reply_returns", "extension_days"} & set(live["closed"]) == set()
    assert {"parked", "reply_returns", "extension_days", "level", "round"} <= set(live["handling"])
    assert "colour" not in {name for names in live.values() for name in names}


def test_guards_read_nothing_but_the_record_the_world_knows():
    # A configuration must tell apart whatever a guard reads; a field missing from the sketch would be overlooked.
    from workflows.petition_record import PetitionRecord

    assert set(PetitionRecord.__annotations__) == set(Sketch().__dict__)
