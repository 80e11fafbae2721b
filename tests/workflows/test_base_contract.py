"""What we rely on in python-statemachine, and what the house adds to it."""

from __future__ import annotations

import inspect

import pytest
from statemachine import State, StateMachine
from statemachine.exceptions import TransitionNotAllowed

from workflows import petition_guards
from workflows.actor import ROLE_LABELS, SYSTEM_ACTOR, Actor, Role
from workflows.base import (
    Guard,
    HouseChart,
    MissingFact,
    NotAllowed,
    StepTable,
    WrongState,
    effect,
    enabled,
    guard,
    needs,
    send,
)
from workflows.petition import TABLE, PetitionChart, PetitionState
from workflows.petition_proof import HUMAN_ROLES, PETITIONER, Sketch, staff


@guard("not-you", who={"petitioner"})
def is_villager(p, actor, facts):
    return actor is not None and actor.kind == "petitioner"


@guard("raises")
def raises(p, actor, facts):
    raise RuntimeError("a guard that is not total")


@guard("is-big")
def is_big(p, actor, facts):
    return facts.get("size") == "big"


@effect()
def count(p, actor, facts):
    p.count += 1


@effect()
def fail(p, actor, facts):
    raise RuntimeError("an action that fails")


class Door:
    def __init__(self, state="shut"):
        self.state = state
        self.count = 0


class DoorChart(HouseChart):
    shut = State(initial=True, value="shut")
    ajar = State(value="ajar")
    open = State(value="open")
    gone = State(value="gone", final=True)

    push = shut.to(open, cond=[is_villager, is_big], validators=needs("force"), on=count) | shut.to(
        ajar, cond=is_villager, validators=needs("force"), on=count
    )
    knock = shut.to(shut, cond=is_villager, on=count)
    tap = shut.to(shut, cond=is_villager, on=count, internal=True)
    jam = shut.to(open, cond=is_villager, on=fail)
    haunt = open.to(shut, cond=raises)
    slam = open.to(shut, cond=is_villager)
    close = open.to(shut, cond=is_villager) | ajar.to(shut, cond=is_villager)
    rot = shut.to(gone, cond=petition_guards.is_system)

    def __init__(self, model, **more):
        self.entered = []
        super().__init__(model, **more)

    def on_enter_state(self, target=None):
        self.entered.append(str(target.value))

    def after_slam(self):
        raise RuntimeError("too late")


DoorChart.table = StepTable.of(DoorChart)


def test_strict_flags_are_pinned_on_the_class_itself():
    flags = {name: value for name, value in vars(HouseChart).items() if isinstance(value, bool) and name[0] != "_"}
    assert flags == {
        "allow_event_without_transition": False,
        "catch_errors_as_events": False,
        "atomic_configuration_update": True,
        "enable_self_transition_entries": False,
    }


def test_the_library_has_the_same_flags_on_state_machine():
    assert StateMachine.allow_event_without_transition is False
    assert StateMachine.catch_errors_as_events is False
    assert StateMachine.atomic_configuration_update is True
    assert StateMachine.enable_self_transition_entries is False


@pytest.mark.parametrize("event", ["no_such_event", "close"])
def test_unknown_and_inapplicable_events_raise(event):
    door = Door()
    with pytest.raises(TransitionNotAllowed):
        DoorChart(door).send(event, actor=PETITIONER)
    assert door.state == "shut"


def test_exception_in_an_action_leaves_the_state():
    door = Door()
    with pytest.raises(RuntimeError, match="an action that fails"):
        DoorChart(door).send("jam", actor=PETITIONER)
    assert door.state == "shut"


def test_exception_after_the_transition_comes_too_late_for_the_object():
    door = Door("open")
    with pytest.raises(RuntimeError, match="too late"):
        DoorChart(door).send("slam", actor=PETITIONER)
    assert door.state == "shut"


def test_a_chart_over_a_stored_state_runs_no_entry_action():
    assert DoorChart(Door("open")).entered == []


@pytest.mark.parametrize(("event", "entered"), [("knock", ["shut"]), ("tap", [])])
def test_a_note_enters_its_state_again_unless_it_is_internal(event, entered):
    # The flag for self-transitions speaks of internal ones only: hang nothing on entering a state that takes notes.
    door = Door()
    chart = DoorChart(door)
    send(chart, event, PETITIONER)
    assert (door.count, chart.entered) == (1, entered)


def test_no_chart_of_ours_hangs_anything_on_entering_a_state():
    assert [spec for state in PetitionChart.states for spec in state._specs if not spec.is_convention] == []
    assert [name for name in dir(PetitionChart) if name.startswith(("on_", "before_", "after_"))] == []


def test_a_chart_over_an_unknown_stored_value_fails():
    with pytest.raises(KeyError):
        _ = DoorChart(Door("vanished")).enabled_events()


def test_the_record_keeps_plain_text():
    door = Door()
    send(DoorChart(door), "push", PETITIONER, force=1)
    assert type(door.state) is str
    assert door.state == "ajar"
    petition = Sketch()
    send(PetitionChart(petition), "auto_register", SYSTEM_ACTOR)
    assert type(petition.state) is str
    assert petition.state == "registered"


def test_a_guard_that_raises_counts_as_enabled_which_is_why_ours_must_not():
    assert "haunt" in enabled(DoorChart(Door("open")), PETITIONER)


def test_validators_do_not_hide_an_event_and_run_before_guards():
    chart = DoorChart(Door())
    assert "push" in enabled(chart, PETITIONER)
    with pytest.raises(MissingFact):
        chart.send("push", actor=SYSTEM_ACTOR)


def test_allowed_events_know_only_the_topology():
    chart = DoorChart(Door())
    assert {str(event.id) for event in chart.allowed_events} == {"push", "knock", "tap", "jam", "rot"}


def test_a_stranger_learns_that_he_may_not_before_he_learns_what_is_missing():
    door = Door()
    with pytest.raises(NotAllowed) as refused:
        send(DoorChart(door), "push", SYSTEM_ACTOR)
    assert (refused.value.event, refused.value.code) == ("push", "not-you")


def test_wrong_state_names_the_state_and_what_is_open():
    with pytest.raises(WrongState) as refused:
        send(DoorChart(Door("ajar")), "push", PETITIONER, force=1)
    assert (refused.value.state, refused.value.open_events) == ("ajar", ["close"])


@pytest.mark.parametrize("empty", [{}, {"force": None}, {"force": ""}, {"force": []}])
def test_missing_fact_names_the_field_and_changes_nothing(empty):
    door = Door()
    with pytest.raises(MissingFact) as refused:
        send(DoorChart(door), "push", PETITIONER, **empty)
    assert refused.value.field == "force"
    assert (door.state, door.count) == ("shut", 0)


def test_the_first_branch_that_agrees_is_taken_and_the_last_asks_nothing():
    big, small = Door(), Door()
    send(DoorChart(big), "push", PETITIONER, force=1, size="big")
    send(DoorChart(small), "push", PETITIONER, force=1)
    assert (big.state, small.state) == ("open", "ajar")


def test_facts_may_not_take_the_names_that_the_library_fills_in():
    with pytest.raises(TypeError, match="source"):
        send(DoorChart(Door()), "push", PETITIONER, force=1, source="a letter")


def test_system_events_are_not_public():
    assert "rot" not in DoorChart.table.public_events
    assert "rot" not in DoorChart.table.open_events(Door(), SYSTEM_ACTOR)
    assert DoorChart.table.may(Door(), "rot", SYSTEM_ACTOR)


def test_the_table_sends_as_the_machine_does():
    door = Door()
    step = DoorChart.table.send(door, "push", PETITIONER, force=1, size="big")
    assert (step.source, step.target, door.state, door.count) == ("shut", "open", "open", 1)
    assert type(door.state) is str


@pytest.mark.parametrize(
    ("event", "actor", "refusal"),
    [("push", SYSTEM_ACTOR, NotAllowed), ("close", PETITIONER, WrongState), ("push", PETITIONER, MissingFact)],
)
def test_an_event_that_the_table_refuses_changes_nothing(event, actor, refusal):
    door = Door()
    with pytest.raises(refusal):
        DoorChart.table.send(door, event, actor)
    assert (door.state, door.count) == ("shut", 0)


# --- the petition chart against the table made from it ---------------------------------------------------------------


OFFICER = staff(Role.PETITION_OFFICE, "office 3", 3)


def everybody():
    """Every role, ordinary and head, at the handling body and at an office of each level; the clock; the villager."""
    yield SYSTEM_ACTOR
    yield PETITIONER
    yield Actor("staff", None, "", None, None, False, "")
    for role in Role:
        for head in (False, True):
            for org, level in (("body", 4), ("co", 3), ("old", 3), ("office 3", 3), ("office 1", 1)):
                yield staff(role, org, level, head)


def records(state):
    """A first round without and with requests, and a later one near its limits."""
    body = {"state": state, "main_org_id": "body", "main_handler_id": "body staff"}
    yield Sketch(**body)
    yield Sketch(**body, level=3, extension_requested_by="body staff", extension_requests=2, answers=1, simple=True)
    yield Sketch(**body, level=1, suspended_requested_by="body head", parked=6, item_type="accusation", designated=True)
    later = {"round": 5, "answers": 2, "past_org_ids": ["old"], "past_handler_ids": ["body staff"], "urgings": 3}
    co = {"co_org_ids": ["co"], "co_waiting_org_ids": ["co"], "reply_author_id": "body head"}
    yield Sketch(**body, **later, **co, level=2, reviews=1, rechecks=1, returns=3, merges=2, rating_changes=2)


FACTS = (
    {},
    {"recused": True},
    {"now": 15, "grade": "dissatisfied", "outcome": "redo", "main_org_id": "old", "co_org_id": "co", "days": 31},
)


@pytest.mark.slow
@pytest.mark.parametrize("state", [state.value for state in PetitionState])
def test_the_table_says_what_the_machine_says(state):
    public = set(TABLE.public_events)
    for record in records(state):
        record.rating_until = record.review_until = record.return_until = record.due_at = 10
        chart = PetitionChart(record)
        for actor in everybody():
            for facts in FACTS:
                machine = [str(event.id) for event in chart.enabled_events(actor=actor, **facts)]
                events = dict.fromkeys(step.event for step in TABLE.steps_from(state))
                assert machine == [event for event in events if TABLE.may(record, event, actor, **facts)]
                assert TABLE.open_events(record, actor, **facts) == [event for event in machine if event in public]
        assert enabled(chart, OFFICER) == TABLE.open_events(record, OFFICER)


def all_guards():
    found = {id(each): each for step in TABLE.steps for each in step.guards}
    return sorted(found.values(), key=lambda each: each.__name__)


@pytest.mark.parametrize("question", all_guards(), ids=lambda each: each.__name__)
def test_guards_are_total_and_change_nothing(question):
    assert isinstance(question, Guard)
    for record in records("handling"):
        before = dict(record.__dict__)
        for actor in (None, *everybody()):
            for facts in FACTS:
                assert question(record, actor, **facts) in (True, False)
        assert record.__dict__ == before


@pytest.mark.parametrize("question", [g for g in all_guards() if g.who], ids=lambda each: each.__name__)
def test_a_role_guard_refuses_every_role_it_does_not_name(question):
    for record in records("handling"):
        for actor in everybody():
            if actor.role not in question.who:
                assert not question(record, actor)


def test_every_transition_asks_for_a_role():
    assert [step for step in TABLE.steps if not step.who] == []
    assert {role for step in TABLE.steps for role in step.who} <= HUMAN_ROLES | {"system"}


def test_every_refusal_has_words_and_every_word_is_used():
    assert {each.code for each in all_guards()} == set(petition_guards.REFUSALS)


def test_validators_of_an_earlier_branch_are_demanded_by_the_later_ones_too():
    # The library runs a branch's validators before its guards, so an earlier branch must not demand more.
    for state in TABLE.states:
        for event in {step.event for step in TABLE.steps_from(state)}:
            branches = TABLE.steps_from(state, event)
            for earlier, later in zip(branches, branches[1:], strict=False):
                assert {each.fields for each in earlier.demands} <= {each.fields for each in later.demands}


def test_the_table_reads_every_callback_of_the_chart():
    for state in PetitionChart.states:
        for transition in state.transitions:
            for spec in transition._specs:
                assert spec.is_convention or spec.func in {
                    part for s in TABLE.steps for part in (*s.guards, *s.demands, *s.effects)
                }


def test_every_role_has_words():
    assert set(ROLE_LABELS) == set(Role)


def test_guards_keep_their_names_and_words():
    assert inspect.getdoc(petition_guards.is_handler.ask) == petition_guards.is_handler.__doc__
    assert petition_guards.returns_left.__name__ == "returns_left"
