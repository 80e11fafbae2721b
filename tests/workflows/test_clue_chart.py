"""The life of a clue, asked of the chart and its limits alone."""

from collections.abc import Iterator
from dataclasses import astuple, dataclass, replace
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import pytest

from workflows.actor import SYSTEM_ACTOR, Actor, Role
from workflows.base import MissingFact, NotAllowed, WrongState
from workflows.calendar import WorkCalendar
from workflows.clue import (
    CLUE_EVENT_LABELS,
    CLUE_LABELS,
    CLUE_LIMITS,
    CLUE_REFUSALS,
    DISPOSALS,
    MAY_KNOW,
    METHODS,
    OPEN_STATES,
    RESTS,
    TABLE,
    TIMED,
    ClueChart,
    ClueEvent,
    ClueState,
)
from workflows.deadlines import CaseEvent, deadlines, next_forced
from workflows.explorer import ChartDescription, Move, edges_of, inspect, walk

TOWN, COUNTY, CITY, PROVINCE = (UUID(int=n) for n in (4, 3, 2, 1))
ABOVE = {4: (COUNTY, 3), 3: (CITY, 2), 2: (PROVINCE, 1), 1: (None, None)}
BELOW = {4: (None, None), 3: (TOWN, 4), 2: (COUNTY, 3), 1: (CITY, 2)}


@dataclass
class Clue:
    """A clue of the township."""

    state: str = "sealed"
    level: int = 4
    org_id: UUID | None = TOWN
    named: bool = True
    real_name: bool = False
    handler_id: UUID | None = None
    proposer_id: UUID | None = None
    disposal: str | None = None
    outcome: str | None = None
    false_accusation: str | None = None
    false_proposer_id: UUID | None = None
    clarification: str | None = None
    clarification_proposer_id: UUID | None = None
    result_reported: bool = False
    transfers: int = 0
    returns: int = 0
    takes: int = 0
    assignments: int = 0
    reports: int = 0
    answers: int = 0
    urgings: int = 0
    overdue: bool = False


def staff(role: Role, org: UUID, level: int, person: int, *, head: bool = False) -> Actor:
    return Actor("staff", UUID(int=person), role.value, org, level, head, "")


HEAD = staff(Role.TOWNSHIP_DISCIPLINE, TOWN, 4, 40, head=True)
CLERK = staff(Role.TOWNSHIP_DISCIPLINE, TOWN, 4, 41)
GROUP = staff(Role.DISPATCHED_GROUP, UUID(int=6), 3, 60)
COUNTY_HEAD = staff(Role.COUNTY_DISCIPLINE, COUNTY, 3, 30, head=True)
CITY_HEAD = staff(Role.UPPER_DISCIPLINE, CITY, 2, 20, head=True)
CITY_CLERK = staff(Role.UPPER_DISCIPLINE, CITY, 2, 21)
PROVINCE_HEAD = staff(Role.UPPER_DISCIPLINE, PROVINCE, 1, 10, head=True)
OFFICE = staff(Role.PETITION_OFFICE, COUNTY, 3, 33, head=True)
HANDLER = UUID(int=60)
WORDS = dict.fromkeys("note reason opinion study answer report findings feedback text".split(), "x")  # fmt: skip


def send(clue: Clue, event: str, actor: Actor, **facts: Any) -> None:
    above, level = ABOVE[clue.level]
    below, lower = BELOW[clue.level]
    around = {"above_org_id": above, "above_level": level, "below_org_id": below, "below_level": lower}
    TABLE.send(clue, event, actor, **{**WORDS, **around, **facts})


def test_a_real_name_report_goes_from_the_seal_to_the_archive():
    clue = Clue()
    for event, actor, facts in (
        ("verify_realname", CLERK, {}),
        ("accept", CLERK, {}),
        ("assign", HEAD, {"handler_id": HANDLER}),
        ("propose_disposal", GROUP, {"disposal": "preliminary_verification"}),
        ("approve_disposal", HEAD, {}),
        ("report", GROUP, {}),
        ("file_case", HEAD, {}),
        ("conclude", HEAD, {"outcome": "founded"}),
        ("give_feedback", GROUP, {}),
        ("archive", HEAD, {}),
    ):
        send(clue, event, actor, **facts)
    assert (clue.state, clue.handler_id, clue.outcome, clue.real_name) == ("archived", HANDLER, "founded", True)


@pytest.mark.parametrize("disposal", DISPOSALS)
def test_each_of_the_four_disposals_leads_where_it_says(disposal):
    clue = Clue("disposal_proposed", handler_id=HANDLER, proposer_id=HANDLER, disposal=disposal)
    send(clue, "approve_disposal", HEAD)
    assert clue.state == disposal


PROPOSED = {"handler_id": HANDLER, "proposer_id": HANDLER, "disposal": "kept"}
DONE = {"handler_id": HANDLER, "outcome": "unfounded", "real_name": True}
FALSE = {**DONE, "false_accusation": "proposed", "false_proposer_id": HANDLER}
CLEARING = {**DONE, "clarification": "proposed", "clarification_proposer_id": HANDLER}
REFUSED = [
    ("accept", Clue("anonymous"), OFFICE, {}, "not-on-the-list"),
    ("accept", Clue("anonymous"), None, {}, "not-on-the-list"),
    ("accept", Clue("anonymous"), CLERK, {"on_list": False}, "not-on-the-list"),
    ("accept", Clue("anonymous"), CLERK, {"recused": True}, "recused"),
    ("accept", Clue("anonymous"), CLERK, {}, None),
    ("verify_realname", Clue(named=False), CLERK, {}, "not-named"),
    ("assign", Clue("accepted"), CLERK, {}, "not-head-in-charge"),
    ("assign", Clue("accepted"), COUNTY_HEAD, {}, "not-head-in-charge"),
    ("assign", Clue("accepted"), HEAD, {"handler_id": HEAD.person_id}, "separation-of-duties"),
    ("propose_clarification", Clue("concluded", **DONE), HEAD, {}, "separation-of-duties"),
    ("propose_false_accusation", Clue("concluded", **DONE), CITY_HEAD, {}, "separation-of-duties"),
    ("assign", Clue("assigned", assignments=5), HEAD, {}, "assignments-spent"),
    ("propose_disposal", Clue("assigned", handler_id=HANDLER), CLERK, {}, "not-the-handler"),
    ("approve_disposal", Clue("disposal_proposed", **{**PROPOSED, "proposer_id": HEAD.person_id}), HEAD, {}, "separation-of-duties"),
    ("return_disposal", Clue("disposal_proposed", **PROPOSED, returns=3), HEAD, {}, "returns-spent"),
    ("conclude", Clue("case_filed", handler_id=HEAD.person_id), HEAD, {}, "separation-of-duties"),
    ("record_answer", Clue("talk_inquiry", handler_id=HANDLER, answers=3), GROUP, {}, "answers-spent"),
    ("report", Clue("case_filed", handler_id=HANDLER, reports=6), GROUP, {}, "reports-spent"),
    ("take_up", Clue("kept", takes=3), HEAD, {}, "takes-spent"),
    ("send_up", Clue("sealed", level=1, org_id=PROVINCE), PROVINCE_HEAD, {"above_org_id": None}, "nobody-above"),
    ("hand_outside", Clue(), HEAD, {}, "other-branch"),
    ("send_down", Clue(), HEAD, {"below_org_id": None}, "nobody-below"),
    ("send_down", Clue(), HEAD, {}, "nobody-below"),
    ("send_down", Clue(level=3, org_id=COUNTY, transfers=3), COUNTY_HEAD, {"below_org_id": TOWN}, "transfers-spent"),
    ("send_down", Clue(level=3, org_id=COUNTY), HEAD, {"below_org_id": TOWN}, "not-head-in-charge"),
    ("report_result", Clue("archived", result_reported=True), CLERK, {}, "result-reported"),
    ("report_result", Clue("archived"), CLERK, {"on_list": False}, "not-on-the-list"),
    ("report_result", Clue("assigned"), CLERK, {}, "wrong-state"),
    ("give_feedback", Clue("concluded", outcome="founded"), CLERK, {}, "no-real-name"),
    ("archive", Clue("concluded", **DONE), HEAD, {}, "feedback-is-due"),
    ("archive", Clue("fed_back", **FALSE), HEAD, {}, "decision-waits"),
    ("propose_false_accusation", Clue("concluded", **{**DONE, "outcome": "mistaken"}), CLERK, {}, "mistaken-report"),
    ("propose_false_accusation", Clue("concluded", **{**DONE, "outcome": "founded"}), CLERK, {}, "mistaken-report"),
    ("propose_false_accusation", Clue("fed_back", **FALSE), CLERK, {}, "already-proposed"),
    # Nobody below the city finds a false accusation, whoever is head there.
    ("approve_false_accusation", Clue("concluded", **FALSE), HEAD, {}, "city-level-needed"),
    ("approve_false_accusation", Clue("concluded", **FALSE), COUNTY_HEAD, {}, "city-level-needed"),
    ("approve_false_accusation", Clue("concluded", **FALSE), CITY_CLERK, {}, "city-level-needed"),
    ("approve_false_accusation", Clue("concluded", **FALSE), CITY_HEAD, {"on_list": False}, "not-on-the-list"),
    ("approve_false_accusation", Clue("concluded", **{**FALSE, "false_proposer_id": CITY_HEAD.person_id}), CITY_HEAD, {}, "separation-of-duties"),
    ("approve_false_accusation", Clue("concluded", **DONE), CITY_HEAD, {}, "nothing-proposed"),
    ("approve_false_accusation", Clue("fed_back", **FALSE), CITY_HEAD, {}, None),
    ("refuse_false_accusation", Clue("fed_back", **FALSE), HEAD, {}, "city-level-needed"),
    ("propose_clarification", Clue("concluded", **{**DONE, "outcome": "founded"}), CLERK, {}, "not-unfounded"),
    ("approve_clarification", Clue("concluded", **CLEARING), CLERK, {}, "not-head-in-charge"),
    ("approve_clarification", Clue("concluded", **{**CLEARING, "clarification_proposer_id": HEAD.person_id}), HEAD, {}, "separation-of-duties"),
    ("approve_clarification", Clue("concluded", **DONE), HEAD, {}, "nothing-proposed"),
    ("approve_clarification", Clue("fed_back", **CLEARING), HEAD, {}, None),
    ("rise", Clue(), HEAD, {}, "wrong-role"),
    ("accept", Clue("archived"), CLERK, {}, "wrong-state"),
]  # fmt: skip


@pytest.mark.parametrize(("event", "clue", "actor", "facts", "code"), REFUSED)
def test_each_refusal_has_its_own_code(event, clue, actor, facts, code):
    assert TABLE.refusal(clue, event, actor, **facts) == code
    before = replace(clue)
    if code == "wrong-state":
        with pytest.raises(WrongState):
            send(clue, event, actor, **facts)
    elif code:
        with pytest.raises(NotAllowed) as refused:
            send(clue, event, actor, **facts)
        assert refused.value.code == code
    assert code is None or clue == before


@pytest.mark.parametrize(
    ("event", "clue", "actor", "facts", "field"),
    [
        ("verify_realname", Clue(), CLERK, {"note": ""}, "note"),
        ("propose_disposal", Clue("assigned", handler_id=HANDLER), GROUP, {"disposal": "burn"}, "disposal"),
        ("propose_disposal", Clue("assigned", handler_id=HANDLER), GROUP, {"disposal": "kept", "opinion": ""}, "opinion"),
        ("approve_disposal", Clue("disposal_proposed", **PROPOSED), HEAD, {"study": ""}, "study"),
        ("conclude", Clue("case_filed"), HEAD, {"outcome": "perhaps"}, "outcome"),
        ("propose_clarification", Clue("concluded", **DONE), CLERK, {"method": "gossip"}, "method"),
    ],
)
def test_a_step_without_its_words_is_refused(event, clue, actor, facts, field):
    with pytest.raises(MissingFact) as missing:
        send(clue, event, actor, **facts)
    assert missing.value.field == field


@pytest.mark.parametrize("method", METHODS)
def test_a_name_is_cleared_by_one_of_three_methods_and_by_two_people(method):
    clue = Clue("fed_back", **DONE)
    send(clue, "propose_clarification", GROUP, method=method)
    assert TABLE.refusal(clue, "archive", HEAD) == "decision-waits"
    send(clue, "approve_clarification", HEAD)
    assert clue.clarification == "approved"
    send(clue, "archive", HEAD)


def test_decisions_may_also_be_refused_and_one_that_nobody_takes_is_not_taken_against_anybody():
    clue = Clue("concluded", **DONE)
    send(clue, "propose_false_accusation", GROUP)
    send(clue, "refuse_false_accusation", CITY_HEAD)
    send(clue, "propose_clarification", GROUP, method="letter_or_talk")
    send(clue, "refuse_clarification", HEAD)
    assert (clue.false_accusation, clue.clarification) == ("refused", "refused")
    other = Clue("fed_back", **FALSE)
    send(other, "auto_archive", SYSTEM_ACTOR)
    assert (other.state, other.false_accusation) == ("archived", "lapsed")
    third = Clue("fed_back", **FALSE)
    send(third, "approve_false_accusation", CITY_HEAD)
    assert third.false_accusation == "found"


def test_a_limit_that_passes_takes_the_clue_up_and_at_the_top_out_after_three_urgings():
    clue, way = Clue("assigned"), []
    while clue.state != "outside":
        send(clue, "rise", SYSTEM_ACTOR)
        way.append((clue.state, clue.level, clue.org_id))
    assert way == [
        ("assigned", 3, COUNTY), ("assigned", 2, CITY), ("assigned", 1, PROVINCE),
        *[("assigned", 1, PROVINCE)] * 3, ("outside", 1, None),
    ]  # fmt: skip
    assert clue.overdue


def test_a_superiors_matter_is_sent_up_and_received_there():
    clue = Clue()
    send(clue, "send_up", HEAD)
    assert (clue.state, clue.level, clue.org_id) == ("sent_up", 3, COUNTY)
    send(clue, "receive", COUNTY_HEAD)
    assert clue.state == "sealed"
    outside = Clue("anonymous", level=1, org_id=PROVINCE)
    send(outside, "hand_outside", PROVINCE_HEAD)
    assert (outside.state, outside.org_id) == ("outside", None)


def test_what_belongs_to_a_body_below_is_sent_down_and_on_and_comes_back_up_when_nobody_receives_it():
    clue = Clue(level=2, org_id=CITY)
    send(clue, "send_down", CITY_HEAD)
    assert (clue.state, clue.level, clue.org_id, clue.transfers) == ("sent_down", 3, COUNTY, 1)
    send(clue, "send_down", COUNTY_HEAD)
    assert (clue.state, clue.level, clue.org_id, clue.transfers) == ("sent_down", 4, TOWN, 2)
    send(clue, "rise", SYSTEM_ACTOR)
    assert (clue.state, clue.level, clue.org_id, clue.overdue) == ("sent_down", 3, COUNTY, True)
    send(clue, "receive", COUNTY_HEAD)
    assert clue.state == "sealed"


def test_the_result_is_reported_once_before_or_after_the_archive():
    clue = Clue("fed_back", **DONE)
    send(clue, "archive", HEAD)
    send(clue, "report_result", CLERK)
    assert (clue.state, clue.result_reported) == ("archived", True)
    assert TABLE.refusal(clue, "report_result", CLERK) == "result-reported"


@pytest.mark.parametrize("state", ["fed_back", "archived", "kept"])
def test_new_evidence_takes_a_clue_up_again_and_everything_is_found_anew(state):
    clue = Clue(state, **{**FALSE, **CLEARING}, result_reported=True, disposal="kept", proposer_id=HANDLER)
    send(clue, "take_up", HEAD)
    found = (clue.outcome, clue.false_accusation, clue.clarification, clue.disposal, clue.proposer_id, clue.result_reported)
    assert (clue.state, clue.takes, clue.handler_id, found) == ("assigned", 1, HANDLER, (None, None, None, None, None, False))


# The proof that no clue can be left lying.


def description() -> ChartDescription:
    return ChartDescription(
        "clue", TABLE.initial, frozenset(ClueState), edges_of(TABLE),
        {state: tuple(event for _limit, event in sent if event) for state, sent in TIMED.items()},
        TABLE.finals, frozenset(MAY_KNOW), statutory_ends=frozenset({"outside"}), rests=RESTS,
    )  # fmt: skip


def test_every_open_state_has_an_exit_for_a_person_and_for_the_clock_and_no_loop_is_unbounded():
    assert inspect(description()) == []


# Bounds of counters are walked one below their end, so that the walk stays small; each is met at its end all the same.
START = Clue(transfers=2, returns=2, takes=2, assignments=4, reports=5, answers=2, urgings=2)
FACTS: dict[str, tuple[dict[str, Any], ...]] = {
    "propose_disposal": tuple({"disposal": one} for one in DISPOSALS),
    "conclude": tuple({"outcome": one} for one in ("founded", "unfounded")),
    "assign": ({"handler_id": HANDLER},),
    "propose_clarification": ({"method": METHODS[0]},),
}


def moves(clue: Clue) -> Iterator[Move[Clue]]:
    heads = {4: HEAD, 3: COUNTY_HEAD, 2: CITY_HEAD, 1: PROVINCE_HEAD}
    for actor in (heads[clue.level], GROUP, PROVINCE_HEAD, SYSTEM_ACTOR):
        sent = {event for _limit, event in TIMED.get(clue.state, ())} if actor is SYSTEM_ACTOR else None
        for event in dict.fromkeys(step.event for step in TABLE.steps_from(clue.state)):
            if sent is not None and event not in sent:
                continue
            for facts in FACTS.get(event, ({},)):
                after = replace(clue)
                try:
                    send(after, event, actor, **facts)
                except (NotAllowed, WrongState):
                    continue
                yield Move(event=event, human=actor is not SYSTEM_ACTOR, after=after)


@pytest.mark.slow
def test_from_every_configuration_that_can_be_reached_a_person_and_the_clock_lead_to_an_end():
    starts = [START, replace(START, named=False), replace(START, state="sent_up", level=3, org_id=COUNTY)]
    report = walk(
        starts, moves, state=lambda clue: clue.state, key=astuple, ends=frozenset(TABLE.finals), rests=RESTS
    )
    assert report.findings == []
    assert set(report.by_state) == set(ClueState)
    assert report.configurations > 1000


def test_every_state_event_and_refusal_has_its_words():
    assert TABLE.states == set(ClueState) == set(CLUE_LABELS)
    assert {step.event for step in TABLE.steps} == set(ClueEvent) == set(CLUE_EVENT_LABELS)
    assert {guard.code for step in TABLE.steps for guard in step.guards} == set(CLUE_REFUSALS)
    assert set(TIMED) == set(OPEN_STATES) and ClueChart.table is TABLE


# The limits.

CALENDAR = WorkCalendar.from_notices({2026: {}, 2027: {}})


def log(*events: tuple[str, str, int], **facts: Any) -> list[CaseEvent]:
    return [CaseEvent(event, datetime(2026, 3, day, 2, tzinfo=UTC), state, facts) for event, state, day in events]


@pytest.mark.parametrize(
    ("events", "facts", "policy", "forces", "day"),
    [
        ([("open", "sealed", 2)], {"named": True}, "AC-01", "rise", date(2026, 3, 23)),
        ([("open", "sealed", 2)], {"named": False}, "AC-01a", "rise", date(2026, 3, 23)),
        ([("open", "sent_up", 2)], {"named": True}, "AC-03", "rise", date(2026, 3, 9)),
        ([("open", "sealed", 2), ("send_down", "sent_down", 3)], {"named": True}, "AC-04", "rise", date(2026, 3, 10)),
        # Sent on by the body below: that one has five days of its own.
        ([("send_down", "sent_down", 3), ("send_down", "sent_down", 5)], {"named": True}, "AC-04", "rise", date(2026, 3, 12)),
        ([("send_down", "sent_down", 3), ("receive", "sealed", 5)], {"named": True}, "AC-01", "rise", date(2026, 3, 26)),
        ([("open", "sealed", 2), ("accept", "accepted", 3)], {}, "AC-05", "rise", date(2026, 4, 3)),
        # Given to somebody later, the opinion is still due a month after the clue was received.
        ([("accept", "accepted", 3), ("assign", "assigned", 9)], {}, "AC-05", "rise", date(2026, 4, 3)),
        ([("approve_disposal", "talk_inquiry", 2)], {}, "AC-06", "lapse_answer", date(2026, 3, 23)),
        ([("approve_disposal", "talk_inquiry", 2), ("record_answer", "talk_inquiry", 4)], {}, "AC-07", "rise", date(2026, 4, 6)),
        ([("conclude", "concluded", 2)], {"real_name": True}, "AC-02", "rise", date(2026, 3, 23)),
        ([("conclude", "concluded", 2)], {"real_name": False}, "AC-02a", "auto_archive", date(2026, 3, 23)),
        ([("give_feedback", "fed_back", 2)], {}, "AC-15", "auto_archive", date(2026, 4, 2)),
    ],
)
def test_a_clue_has_its_own_clocks(events, facts, policy, forces, day):
    step = next_forced(deadlines(log(*events, **facts), CLUE_LIMITS, CALENDAR))
    assert (step.policy_id, step.forces, step.due_day) == (policy, forces, day)


@pytest.mark.parametrize(
    ("day", "due"),
    [
        (datetime(2026, 3, 2, tzinfo=UTC), date(2026, 6, 30)),
        # 31 March, 23:59 in Shanghai still belongs to the first quarter, and a minute later to the second: 30 September.
        (datetime(2026, 3, 31, 15, 59, tzinfo=UTC), date(2026, 6, 30)),
        (datetime(2026, 3, 31, 16, 0, tzinfo=UTC), date(2026, 9, 30)),
        # The last day of the year, and an end on a Saturday, which moves to Monday.
        (datetime(2026, 9, 30, 2, tzinfo=UTC), date(2026, 12, 31)),
        (datetime(2026, 10, 8, 2, tzinfo=UTC), date(2027, 3, 31)),
        (datetime(2027, 4, 1, 2, tzinfo=UTC), date(2027, 9, 30)),
        (datetime(2027, 8, 2, 2, tzinfo=UTC), date(2027, 12, 31)),
        (datetime(2028, 4, 5, 2, tzinfo=UTC), date(2028, 10, 7)),
    ],
)
def test_the_result_of_a_quarter_is_reported_by_the_end_of_the_next(day, due):
    calendar = WorkCalendar.from_notices(
        {2026: {}, 2027: {}, 2028: {date(2028, 9, 30): True, **{date(2028, 10, n): True for n in range(1, 7)}, date(2028, 10, 7): False}}
    )
    concluded = CaseEvent("conclude", day, "concluded", {"real_name": True})
    runs = {one.policy_id: one for one in deadlines([concluded], CLUE_LIMITS, calendar)}
    quarter = runs["AC-08"]
    assert (quarter.due_day, quarter.forces, quarter.policy.statutory) == (due, None, True)


@pytest.mark.parametrize("archived_first", [True, False])
def test_the_quarterly_report_is_owed_in_the_archive_too_and_ends_with_the_report(archived_first):
    events = log(("conclude", "concluded", 2), ("give_feedback", "fed_back", 3), real_name=True)
    archive, report = [("archive", "archived"), ("report_result", "archived" if archived_first else "fed_back")]
    for n, (event, state) in enumerate([archive, report] if archived_first else [report, archive]):
        live = [one.policy_id for one in deadlines(events, CLUE_LIMITS, CALENDAR) if one.live]
        assert "AC-08" in live if n == 0 or archived_first else "AC-08" not in live
        events += log((event, state, 4 + n), real_name=True)
    assert [one.policy_id for one in deadlines(events, CLUE_LIMITS, CALENDAR) if one.live] == []


@pytest.mark.parametrize("state", OPEN_STATES)
def test_after_it_rose_a_clue_has_time_again_and_is_forced_again(state):
    for named in (True, False):
        facts = {"named": named, "real_name": named}
        if (state, named) in (("verified_realname", False), ("anonymous", True), ("concluded", False)):
            continue
        if state == "fed_back":
            continue
        events = log(("open", state, 2), **facts)
        events += log(("record_answer", state, 3), **facts) if state == "talk_inquiry" else []
        rises = [*events, CaseEvent("rise", datetime(2027, 6, 1, tzinfo=UTC), state, facts)]
        step = next_forced(deadlines(rises, CLUE_LIMITS, CALENDAR))
        assert step is not None and step.due_at > datetime(2027, 6, 1, tzinfo=UTC)
