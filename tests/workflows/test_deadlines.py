"""The deadlines of a case are a function of its event log."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import chinese_calendar.constants as published
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workflows.calendar import SHANGHAI, WorkCalendar
from workflows.deadlines import (
    CaseEvent,
    Deadline,
    PolicyIndex,
    deadlines,
    deadlines_around,
    ladder,
    limit,
    next_forced,
    remind_at,
)
from workflows.petition_record import PetitionEvent, PetitionState
from workflows.policies import NATIONAL, PRESETS, ZHEJIANG, Policy, all_versions, policies


def notice(year: int) -> dict[date, bool]:
    listed = {day: True for day in published.holidays if day.year == year}
    return listed | {day: False for day in published.workdays if day.year == year}


KNOWN = {year: notice(year) for year in (2024, 2025, 2026)}
CALENDAR = WorkCalendar.from_notices(KNOWN)
RULES = policies(NATIONAL, date(2026, 1, 1))
CO_A, CO_B = UUID(int=1), UUID(int=2)


def moment(text: str) -> datetime:
    """An instant from Shanghai wall time, "03-02" (of 2026, at nine) or "2026-03-02 14:30"."""
    if len(text) == 5:
        text = f"2026-{text} 09:00"
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI).astimezone(UTC)


def log(*lines: str | tuple[str, dict[str, object]]) -> list[CaseEvent]:
    """Events from lines "when | event | state", each perhaps with its facts."""
    events = []
    for line in lines:
        text, facts = line if isinstance(line, tuple) else (line, {})
        when, event, state = (part.strip() for part in text.split("|"))
        events.append(CaseEvent(event, moment(when), state, facts))
    return events


def read(events: Iterable[CaseEvent], preset: tuple[Policy, ...] = NATIONAL) -> list[Deadline]:
    return deadlines(events, preset, CALENDAR)


def runs(found: list[Deadline], policy_id: str) -> list[Deadline]:
    return [item for item in found if item.policy_id == policy_id]


def only(found: list[Deadline], policy_id: str) -> Deadline:
    (item,) = runs(found, policy_id)
    return item


def live(found: list[Deadline]) -> set[str]:
    return {item.policy_id for item in found if item.live}


# Monday 2 March 2026: an ordinary stretch without holidays until 4 April.
FILED = ["03-02 | file | filed", "03-02 | register | registered"]
ACCEPTED = [*FILED, "03-03 | accept | accepted"]
DISPATCHED = [*ACCEPTED, "03-04 | dispatch | dispatched"]
SIGNED = [*DISPATCHED, "03-05 | sign | signed"]
HANDLING = [*SIGNED, "03-05 | start | handling"]
REPLIED = [*HANDLING, "03-16 | submit_reply | investigated", "03-17 | approve_reply | replied"]
RESOLVED = [*REPLIED, "03-17 | deliver | resolved"]
DISSATISFIED = [*RESOLVED, "03-18 | rate | dissatisfied"]


# --- the table ---------------------------------------------------------------------------------------------------


TIMED = {
    "filed": {("PT-00", "auto_register")},
    "registered": {("PT-01", "expire"), ("PT-16a", "expire")},
    "accepted": {("PT-01", "expire"), ("PT-16a", "expire")},
    "dispatched": {("PT-15", "auto_sign")},
    "return_requested": {("PT-04a", "expire_return")},
    "signed": {("PT-05", "expire")},
    "handling": {("PT-05", "expire"), ("PT-21", "expire")},
    "suspended": {("PT-05", "expire"), ("PT-24", "resume_expired")},
    "investigated": {("PT-05", "expire"), ("PT-21", "expire")},
    "replied": {("PT-26", "deliver")},
    "resolved": {("PT-13", "lapse_rating")},
    "dissatisfied": {("PT-20", "expire")},
    "escalated": {("PT-22", "expire"), ("PT-16b", "expire")},
    "external": {("PT-27", "urge_external")},
    "reviewing": {("PT-08", "expire")},
    "reviewed": {("PT-09", "lapse_review")},
    "rechecking": {("PT-10", "expire")},
    "merged": {("PT-05m", "split_from_parent")},
}


@pytest.mark.parametrize("preset", ["national", "zhejiang"])
def test_each_state_has_exactly_the_expiry_the_design_names(preset: str) -> None:
    found: dict[str, set[tuple[str, str]]] = {}
    for row in PRESETS[preset]:
        for state in row.states if row.breach else ():
            found.setdefault(state, set()).add((row.id.replace("PT-12", "PT-05"), str(row.breach)))
    assert found == TIMED


@pytest.mark.parametrize("preset", [NATIONAL, ZHEJIANG])
def test_every_state_and_event_of_the_table_is_one_of_the_chart(preset: tuple[Policy, ...]) -> None:
    # Noted on the timeline and no transition: a filing, and a co-handler that had to withdraw.
    events = {*PetitionEvent, "file", "recuse_co_handler"}
    for row in preset:
        assert {*row.states, *row.through} <= {*PetitionState}
        assert {*row.starts, *row.stops, *row.counted_from} <= events
        assert {row.breach, row.last_breach} <= {*PetitionEvent, None}


def test_every_row_of_the_reference_table_is_present() -> None:
    numbers = {f"PT-{n:02}" for n in range(29)} | {"PT-01a", "PT-04a", "PT-05m", "PT-16a", "PT-16b"}
    assert {row.id for row in NATIONAL} == numbers - {"PT-11", "PT-12"}
    assert {row.id for row in ZHEJIANG} == numbers
    assert {row.preset for row in ZHEJIANG} == {"zhejiang"}


STATUTORY = {"PT-01": 15, "PT-02": 15, "PT-03": 15, "PT-05": 60, "PT-06": 30, "PT-07": 30, "PT-08": 30, "PT-09": 30}


def test_only_limits_of_the_regulation_are_statutory() -> None:
    statutory = {row.id: row.amount for row in NATIONAL if row.statutory}
    assert statutory == STATUTORY | {"PT-10": 30, "PT-04": 5}
    assert {row.unit for row in NATIONAL if row.statutory and row.id != "PT-04"} == {"C"}
    assert all(row.basis and "信访工作条例" in row.basis for row in NATIONAL if row.statutory)
    assert not any(row.statutory for row in ZHEJIANG if row.id in ("PT-11", "PT-12"))


def test_statutory_clocks_pause_for_nothing_but_a_hearing_in_re_review() -> None:
    assert {row.id: row.pauses_on for row in NATIONAL if row.statutory and row.pausable} == {"PT-10": "hearing"}
    assert {row.id for row in NATIONAL if row.pauses_on == "suspension"} == {"PT-17", "PT-18", "PT-21"}


def test_row_that_claims_too_much_is_refused() -> None:
    with pytest.raises(ValueError, match="article"):
        replace(RULES["PT-21"], kind="statutory")
    with pytest.raises(ValueError, match="does not pause"):
        replace(RULES["PT-05"], pauses_on="suspension")
    for amount in (0, -1, 4000):
        with pytest.raises(ValueError, match="no period"):
            replace(RULES["PT-05"], amount=amount)


def test_override_holds_from_its_day_and_for_its_preset_only() -> None:
    tighter = replace(RULES["PT-21"], amount=7, valid_from=date(2026, 5, 1))
    foreign = replace(tighter, amount=1, preset="zhejiang")
    assert policies(NATIONAL, date(2026, 4, 30), [tighter, foreign])["PT-21"].amount == 10
    assert policies(NATIONAL, date(2026, 5, 1), [tighter, foreign])["PT-21"].amount == 7
    assert policies(ZHEJIANG, date(2026, 5, 1), [tighter, foreign])["PT-21"].amount == 1
    assert policies(NATIONAL, date(1999, 1, 1))["PT-21"].amount == 10


# --- a case on its way -------------------------------------------------------------------------------------------


def test_conclusion_runs_sixty_days_from_acceptance() -> None:
    item = only(read(log(*HANDLING)), "PT-05")
    assert item.started_at == moment("03-03")
    assert (item.raw, item.due_day) == (date(2026, 5, 2), date(2026, 5, 6))
    assert item.due_at == datetime(2026, 5, 6, 16, tzinfo=UTC)
    assert (item.live, item.forces, item.policy_version) == (True, "expire", date(2022, 5, 1))


def test_routing_term_counts_from_receipt_however_late_the_registration() -> None:
    found = read(log("03-02 | file | filed", "03-10 | register | registered"))
    assert only(found, "PT-01").due_day == date(2026, 3, 17)
    assert only(found, "PT-16").due_day == date(2026, 3, 13)


def test_case_that_begins_registered_has_its_clocks_too() -> None:
    found = read(log("03-02 | register | registered"))
    assert {"PT-01", "PT-16"} <= live(found)


@pytest.mark.parametrize("fact", ["anonymous", "unreachable"])
def test_notice_is_not_due_to_someone_without_an_address(fact: str) -> None:
    assert {"PT-02", "PT-11"} <= live(read(log(*FILED), ZHEJIANG))
    unknown = read(log(("03-02 | file | filed", {fact: True}), "03-02 | register | registered"), ZHEJIANG)
    assert not {"PT-02", "PT-11"} & live(unknown)


@pytest.mark.parametrize(("level", "days"), [(0, 5), (1, 3), (2, 3), (3, 4)])
def test_share_of_the_routing_term_depends_on_the_level(level: int, days: int) -> None:
    item = only(read(log(("03-02 | file | filed", {"level": level}))), "PT-01a")
    assert item.raw == date(2026, 3, 2) + timedelta(days=days)


@pytest.mark.parametrize(
    ("priority", "sign", "contact"),
    [
        ("P0", "2026-03-04 11:00", "2026-03-04 11:00"),
        ("P1", "2026-03-04 13:00", "2026-03-05 09:00"),
        ("P2", "2026-03-06 00:00", "2026-03-06 00:00"),
    ],
)
def test_sign_in_and_first_contact_depend_on_the_priority(priority: str, sign: str, contact: str) -> None:
    found = read(log(*ACCEPTED, ("03-04 | dispatch | dispatched", {"priority": priority})))
    assert only(found, "PT-15").due_at == moment(sign)
    assert only(found, "PT-14").due_at == moment(contact)
    assert (only(found, "PT-15").due_day is None) == (priority != "P2")


# --- danger to life ----------------------------------------------------------------------------------------------

DANGER: tuple[str, dict[str, object]] = ("2026-03-06 18:00 | file | filed", {"priority": "P0", "level": 4})


def forced(found: list[Deadline]) -> tuple[str, str | None, datetime]:
    item = next_forced(found)
    assert item is not None
    return item.policy_id, item.forces, item.due_at


def test_danger_to_life_is_under_a_clock_of_hours_from_the_filing_on() -> None:
    # A Friday evening: hours run through the weekend.
    found = read(log(DANGER))
    assert forced(found) == ("PT-00", "auto_register", moment("2026-03-06 19:00"))
    for policy_id in ("PT-16a", "PT-25"):
        item = only(found, policy_id)
        assert (item.started_at, item.due_at) == (moment("2026-03-06 18:00"), moment("2026-03-06 20:00"))
    assert forced(read(log(DANGER, "2026-03-06 19:00 | auto_register | registered"))) == (
        "PT-16a", "expire", moment("2026-03-06 20:00"),
    )  # fmt: skip
    accepted = read(log(DANGER, "2026-03-06 18:30 | register | registered", "2026-03-06 19:30 | accept | accepted"))
    assert forced(accepted) == ("PT-16a", "expire", moment("2026-03-06 20:00"))


@pytest.mark.parametrize("priority", ["P1", "P2", "P3", None])
def test_no_other_case_has_the_limits_of_danger_to_life(priority: str | None) -> None:
    facts: dict[str, object] = {"priority": priority} if priority else {}
    found = read(log(("03-02 | file | filed", facts), *ACCEPTED[1:]))
    assert not {"PT-16a", "PT-16b", "PT-25"} & {item.policy_id for item in found}


def test_a_dispatch_ends_the_clock_of_the_office_and_the_sign_in_takes_over() -> None:
    found = read(log(DANGER, *(f"2026-03-06 18:{n} | {step}" for n, step in (
        (10, "register | registered"), (20, "accept | accepted"), (30, "dispatch | dispatched")))))  # fmt: skip
    assert (only(found, "PT-16a").live, only(found, "PT-16a").breached) == (False, False)
    assert forced(found) == ("PT-15", "auto_sign", moment("2026-03-06 20:30"))


UP = [
    DANGER,
    "2026-03-06 19:00 | auto_register | registered",
    ("2026-03-06 20:00 | expire | escalated", {"policy": "PT-16a", "level": 3}),
]


def test_danger_that_nobody_takes_goes_up_and_has_a_day_at_each_level() -> None:
    found = read(log(*UP))
    assert (only(found, "PT-16a").breached, only(found, "PT-25").breached) == (True, True)
    assert forced(found) == ("PT-16b", "expire", moment("2026-03-07 20:00"))
    city: tuple[str, dict[str, object]] = (
        "2026-03-07 20:00 | expire | escalated", {"policy": "PT-16b", "level": 2},
    )  # fmt: skip
    assert forced(read(log(*UP, city))) == ("PT-16b", "expire", moment("2026-03-08 20:00"))
    province: tuple[str, dict[str, object]] = (
        "2026-03-08 20:00 | expire | escalated", {"policy": "PT-16b", "level": 1},
    )  # fmt: skip
    # The province has the time of a supervision order: nobody but the external authority is above it.
    found = read(log(*UP, city, province))
    assert runs(found, "PT-16b")[-1].due_day == date(2026, 3, 13)
    taken = read(log(*UP, "2026-03-07 08:00 | rehandle | handling"))
    assert forced(taken)[0] == "PT-21"
    assert not runs(taken, "PT-16b")[-1].live


def test_a_case_under_supervision_for_another_reason_has_the_time_of_the_order() -> None:
    rated = [("03-02 | file | filed", {"priority": "P0"}), *RESOLVED[1:], "03-18 | rate | escalated"]
    assert forced(read(log(*rated)))[0] == "PT-22"
    late = [("03-02 | file | filed", {"priority": "P0"}), *DISPATCHED[1:], "03-04 | sign | signed"]
    found = read(log(*late, ("05-07 | expire | escalated", {"policy": "PT-05"})))
    assert forced(found)[0] == "PT-22"


def test_the_report_of_an_urgent_matter_counts_from_discovery_and_ends_with_the_report() -> None:
    later = ("03-10 | mark_urgent | handling", {"priority": "P0"})
    item = only(read(log(*HANDLING, later)), "PT-25")
    assert (item.started_at, item.due_at, item.forces) == (moment("03-10"), moment("2026-03-10 11:00"), None)
    assert item.policy.opens_order and item.policy.reminders.breach == "red"
    done = only(read(log(*HANDLING, later, "2026-03-10 10:00 | report_urgent | handling")), "PT-25")
    assert (done.live, done.met_at, done.breached) == (False, moment("2026-03-10 10:00"), False)
    late = only(read(log(*HANDLING, later, "2026-03-10 12:00 | report_urgent | handling")), "PT-25")
    assert (late.met_at, late.breached) == (moment("2026-03-10 12:00"), True)
    raised = read(log("03-02 | file | filed", ("03-03 | register | registered", {"priority": "P0"})))
    assert only(raised, "PT-25").due_at == only(raised, "PT-16a").due_at == moment("2026-03-03 11:00")


def test_the_duty_to_report_stays_when_the_case_is_dispatched_merged_or_called_less_urgent() -> None:
    lower = ("2026-03-06 18:10 | register | registered", {"priority": "P2"})
    for more in ("2026-03-06 18:20 | merge | merged", "2026-03-06 18:20 | accept | accepted"):
        assert only(read(log(DANGER, lower, more)), "PT-25").live
    assert forced(read(log(DANGER, lower))) == ("PT-16a", "expire", moment("2026-03-06 20:00"))


def test_marking_a_matter_as_urgent_again_does_not_move_the_report_that_is_due() -> None:
    first, again = (
        (f"2026-03-10 {hour}:00 | mark_urgent | handling", {"priority": "P0"}) for hour in ("09", "10")
    )
    assert only(read(log(*HANDLING, first, again)), "PT-25").due_at == moment("2026-03-10 11:00")


def test_a_return_of_danger_to_life_is_decided_within_two_hours_and_starts_the_clock_anew() -> None:
    sent = [DANGER, "2026-03-06 18:10 | register | registered", "2026-03-06 18:20 | accept | accepted"]
    asked = [*sent, "2026-03-06 18:30 | dispatch | dispatched", "2026-03-06 19:00 | request_return | return_requested"]
    assert forced(read(log(*asked))) == ("PT-04a", "expire_return", moment("2026-03-06 21:00"))
    back = read(log(*asked, "2026-03-06 20:30 | approve_return | registered"))
    assert forced(back) == ("PT-16a", "expire", moment("2026-03-06 22:30"))


def test_priority_set_at_filing_still_counts_at_dispatch() -> None:
    found = read(log(("03-02 | file | filed", {"priority": "P1"}), *DISPATCHED[1:]))
    assert only(found, "PT-15").due_at == moment("2026-03-04 13:00")


def test_met_in_time_is_told_from_met_late() -> None:
    on_time = only(read(log(*SIGNED)), "PT-15")
    assert (on_time.live, on_time.met_at, on_time.breached) == (False, moment("03-05"), False)
    late = only(read(log(*SIGNED, "03-09 | start | handling")), "PT-14")
    assert (late.live, late.met_at, late.breached) == (False, moment("03-09"), True)


def test_automatic_sign_in_is_a_breach_of_the_sign_in_limit_only() -> None:
    found = read(log(*DISPATCHED, "2026-03-06 00:00 | auto_sign | signed"))
    item = only(found, "PT-15")
    assert (item.live, item.met_at, item.breached) == (False, None, True)
    assert only(found, "PT-05").live


def test_return_and_refusal_leave_the_handling_limit_running() -> None:
    events = [
        *SIGNED,
        "03-06 | request_return | return_requested",
        "03-10 | expire_return | dispatched",
        "03-12 | auto_sign | signed",
    ]
    found = read(log(*events))
    assert only(found, "PT-05").raw == date(2026, 5, 2)
    assert len(runs(found, "PT-15")) == 2
    assert only(found, "PT-04a").breached
    assert "PT-04" not in live(found)


def test_returned_and_accepted_again_does_not_restart_the_sixty_days() -> None:
    found = read(
        log(
            *SIGNED,
            "03-06 | request_return | return_requested",
            "03-06 | approve_return | registered",
            "03-20 | accept | accepted",
            "03-23 | dispatch | dispatched",
        )
    )
    assert only(found, "PT-05").started_at == moment("03-03")
    first, second = runs(found, "PT-01")
    assert (first.live, second.started_at, second.live) == (False, moment("03-06"), False)


def test_overdue_handling_waits_for_the_sign_in_before_it_forces_anything() -> None:
    returned = [*SIGNED, "03-06 | request_return | return_requested", "03-06 | approve_return | registered"]
    found = read(log(*returned, "03-12 | accept | accepted", "05-05 | dispatch | dispatched"))
    assert only(found, "PT-05").forces is None
    first = next_forced(found)
    assert first is not None
    assert first.policy_id == "PT-15"


def test_next_forced_step_is_the_earliest_expiry() -> None:
    found = read(log(*HANDLING))
    item = next_forced(found)
    assert item is not None
    assert (item.policy_id, item.forces) == ("PT-05", "expire")
    assert next_forced(read(log(*FILED, "03-04 | redirect | redirected"))) is None
    assert next_forced([]) is None


@pytest.mark.parametrize("preset", [NATIONAL, ZHEJIANG], ids=["national", "zhejiang"])
@pytest.mark.parametrize("state", sorted(TIMED))
def test_no_state_entered_unexpectedly_is_without_a_forced_step(state: str, preset: tuple[Policy, ...]) -> None:
    if state in ("signed", "handling", "investigated"):
        events = [*ACCEPTED, f"03-04 | surprise | {state}"]
    else:
        events = [f"03-04 | surprise | {state}"]
    assert next_forced(read(log(*events), preset)) is not None


# --- the local limit beside the statutory one --------------------------------------------------------------------


def zhejiang(events: Iterable[CaseEvent], **amounts: int) -> list[Deadline]:
    """Deadlines in Zhejiang, where an operator has set other amounts from May 2022 on, as PT_12=70."""
    rules = policies(ZHEJIANG, date(2026, 1, 1))
    changed = [replace(rules[name.replace("_", "-")], amount=amount) for name, amount in amounts.items()]
    return deadlines(events, all_versions(ZHEJIANG, changed), CALENDAR)


def test_zhejiang_shows_the_statutory_sixty_days_beside_its_thirty() -> None:
    found = zhejiang(log(*HANDLING))
    local, law = only(found, "PT-12"), only(found, "PT-05")
    assert (local.due_day, local.policy.statutory) == (date(2026, 4, 2), False)
    assert (law.due_day, law.policy.statutory, law.policy.name_zh) == (date(2026, 5, 6), True, "办结(法定上限)")
    assert {"PT-05", "PT-06", "PT-12"} <= {row.id for row in ZHEJIANG}
    assert "PT-12" not in {row.id for row in NATIONAL}


def test_the_local_limit_forces_the_step_and_the_statutory_one_runs_on_visibly() -> None:
    first = next_forced(zhejiang(log(*HANDLING)))
    assert first is not None
    assert (first.policy_id, first.forces) == ("PT-12", "expire")
    found = zhejiang(log(*HANDLING, ("04-03 | expire | escalated", {"policy": "PT-12"})))
    assert only(found, "PT-12").breached
    law = only(found, "PT-05")
    assert (law.live, law.breached, law.forces) == (True, False, None)
    # Above it waits for the supervising body, whose own limit forces.
    waiting = next_forced(found)
    assert waiting is not None
    assert waiting.policy_id == "PT-22"
    again = next_forced(
        zhejiang(log(*HANDLING, "04-03 | expire | escalated", "04-07 | rehandle | handling")),
    )
    assert again is not None
    assert again.policy_id == "PT-21"


def test_a_local_limit_set_longer_than_the_law_does_not_hold_the_statutory_one_back() -> None:
    first = next_forced(zhejiang(log(*HANDLING), PT_12=70))
    assert first is not None
    assert (first.policy_id, first.due_day) == ("PT-05", date(2026, 5, 6))
    both = zhejiang(log(*HANDLING, ("05-07 | expire | escalated", {"policy": "PT-05"})), PT_12=70)
    assert only(both, "PT-05").breached
    assert not only(both, "PT-12").breached


def test_limits_that_pass_together_are_both_breached_by_the_one_step() -> None:
    found = zhejiang(log(*HANDLING, ("05-07 | expire | escalated", {"policy": "PT-12"})))
    assert [only(found, policy).breached for policy in ("PT-12", "PT-05")] == [True, True]
    assert not any(item.live and item.policy.main for item in found)


def test_an_extension_lengthens_both_and_none_passes_ninety_days() -> None:
    def due(days: int) -> list[date | None]:
        grant = ("03-20 | approve_extension | handling", {"days": days})
        found = zhejiang(log(*HANDLING, grant))
        return [only(found, policy).due_day for policy in ("PT-12", "PT-05")]

    start = date(2026, 3, 3)
    ends = [CALENDAR.add_days(start, n).day for n in (45, 75, 90)]
    assert due(15) == [ends[0], ends[1]]
    assert due(60) == [ends[2], ends[2]]


def test_a_co_handler_in_zhejiang_is_bound_by_the_earlier_of_both() -> None:
    shared = [*ACCEPTED, ("03-04 | dispatch | dispatched", {"co_org_ids": [CO_A]})]
    bound = zhejiang(log(*shared), PT_18=80)
    assert only(bound, "PT-18").due_at == only(bound, "PT-12").due_at
    bound = zhejiang(log(*shared), PT_18=80, PT_12=70)
    assert only(bound, "PT-18").due_at == only(bound, "PT-05").due_at


def test_simple_matter_has_a_working_week_and_opens_an_order() -> None:
    simple = log(*ACCEPTED, ("03-04 | dispatch | dispatched", {"simple": True}), "03-05 | sign | signed")
    item = only(read(simple), "PT-17")
    assert (item.due_day, item.forces, item.policy.opens_order) == (date(2026, 3, 11), None, True)
    assert not runs(read(log(*SIGNED)), "PT-17")


def test_co_handlers_have_half_the_period_each_and_never_more_than_the_main_handler() -> None:
    events = log(
        *ACCEPTED,
        ("03-04 | dispatch | dispatched", {"co_org_ids": [CO_A]}),
        *SIGNED[4:],
        *HANDLING[5:],
        ("04-20 | add_co_handler | handling", {"co_org_id": CO_B}),
        ("04-21 | co_report | handling", {"co_org_id": CO_A}),
        ("04-21 | co_report | handling", {}),
    )
    first, second = runs(read(events), "PT-18")
    assert (first.key, first.raw, first.live) == (str(CO_A), date(2026, 4, 3), False)
    assert first.breached
    assert (second.key, second.due_day, second.live) == (str(CO_B), date(2026, 5, 6), True)
    local = log(*ACCEPTED, ("03-04 | dispatch | dispatched", {"co_org_ids": [CO_A]}))
    assert only(read(local, ZHEJIANG), "PT-18").raw == date(2026, 3, 19)


def test_co_handler_of_a_new_round_is_bound_by_that_rounds_limit() -> None:
    events = log(*DISSATISFIED, ("03-19 | rehandle | handling", {"co_org_ids": [CO_A]}))
    found = read(events)
    assert only(found, "PT-18").due_at == only(found, "PT-21").due_at


# --- delivery ----------------------------------------------------------------------------------------------------


def channelled(channel: str | None, *later: str) -> list[CaseEvent]:
    facts: dict[str, object] = {"channel": channel} if channel else {}
    return log(("03-02 | file | filed", facts), *REPLIED[1:], *later)


def test_a_reply_on_line_is_delivered_at_once_and_nobody_is_late_with_it() -> None:
    item = only(read(channelled("web")), "PT-26")
    assert (item.due_at, item.forces, item.live) == (moment("03-17"), "deliver", True)
    assert (remind_at(item, CALENDAR), ladder(item, moment("03-20"), CALENDAR)) == (None, None)
    assert not item.overdue(moment("03-20"))
    first = next_forced(read(channelled("web")))
    assert first is not None
    assert first.policy_id == "PT-26"
    late = log(("2026-03-20 09:00 | deliver | resolved", {"policy": "PT-26"}))
    sent = only(read([*channelled("web"), *late]), "PT-26")
    assert (sent.live, sent.breached, sent.met_at) == (False, False, moment("03-20"))


@pytest.mark.parametrize("channel", ["letter", "phone", "fax", "visit", "helper", None])
def test_any_other_reply_has_a_working_day_to_be_brought(channel: str | None) -> None:
    item = only(read(channelled(channel)), "PT-26")
    assert (item.due_day, item.forces) == (date(2026, 3, 18), "deliver")
    assert ladder(item, moment("03-19"), CALENDAR) == "blue"


def test_a_reply_of_a_second_round_on_line_is_delivered_at_once_too() -> None:
    again = ["03-19 | rehandle | handling", "03-20 | submit_reply | investigated", "03-23 | approve_reply | replied"]
    found = read(channelled("web", "03-17 | deliver | resolved", "03-18 | rate | dissatisfied", *again))
    assert runs(found, "PT-26")[-1].due_at == moment("03-23")


# --- receipt of the paper ----------------------------------------------------------------------------------------


def receipt(when: str, on: str, made: str = "03-17", state: str = "resolved") -> CaseEvent:
    """A delivery record: when it was written, the day on which it says the paper came, when the paper was made."""
    facts = {"on": f"2026-{on}", "decided_at": moment(made).isoformat(), "method": "post"}
    return CaseEvent("record_delivery", moment(when), state, facts)


BROUGHT_BY_THE_CLOCK = channelled("letter", "03-17 | deliver | resolved")


def windows(events: list[CaseEvent]) -> list[date | None]:
    found = read(events)
    return [only(found, policy_id).due_day for policy_id in ("PT-07", "PT-13")]


def test_the_right_to_review_counts_from_the_day_on_which_the_paper_came() -> None:
    assert windows(BROUGHT_BY_THE_CLOCK) == [date(2026, 4, 16)] * 2
    found = read([*BROUGHT_BY_THE_CLOCK, receipt("03-27", "03-25")])
    item = only(found, "PT-07")
    assert (item.raw, item.due_day, item.started_at) == (date(2026, 4, 24), date(2026, 4, 24), moment("03-17"))
    assert only(found, "PT-13").due_day == date(2026, 4, 24)
    # Sunday 26 April 2026: the last day moves to Monday, as every statutory one does.
    assert only(read([*BROUGHT_BY_THE_CLOCK, receipt("03-30", "03-27")]), "PT-07").due_day == date(2026, 4, 27)


def test_only_the_first_delivery_of_a_paper_counts() -> None:
    first = receipt("03-27", "03-25")
    once = windows([*BROUGHT_BY_THE_CLOCK, first])
    again = [receipt(f"04-{n:02}", f"04-{n:02}") for n in range(1, 25)]
    assert windows([*BROUGHT_BY_THE_CLOCK, first, *again]) == once


def test_nothing_lengthens_a_window_whose_paper_had_come_with_the_event() -> None:
    late = receipt("04-10", "04-10")
    online = channelled("web", "03-17 | deliver | resolved")
    assert windows([*online, late]) == windows(online)
    proved = [*channelled("letter"), *log(("03-17 | deliver | resolved", {"proof": "signed"}))]
    assert windows([*proved, late]) == windows(proved)


@pytest.mark.parametrize(
    "facts",
    [{}, {"on": "soon"}, {"on": None}, {"decided_at": "yesterday"}, {"decided_at": None}, {"decided_at": "2026-03-17"}],
    ids=str,
)
def test_a_record_that_names_no_day_or_no_paper_moves_nothing(facts: dict[str, object]) -> None:
    whole = receipt("03-27", "03-25")
    broken = replace(whole, facts={**whole.facts, **facts} if facts else {})
    assert windows([*BROUGHT_BY_THE_CLOCK, broken]) == windows(BROUGHT_BY_THE_CLOCK)


def test_a_record_of_an_earlier_paper_or_of_a_day_to_come_gives_no_more_time() -> None:
    again = log(
        "03-18 | rate | dissatisfied", "03-19 | rehandle | handling", "03-20 | submit_reply | investigated",
        "03-23 | approve_reply | replied", "03-24 | deliver | resolved",
    )  # fmt: skip
    second = [*BROUGHT_BY_THE_CLOCK, *again]
    before = runs(read(second), "PT-07")[-1].due_day
    assert runs(read([*second, receipt("04-01", "03-30")]), "PT-07")[-1].due_day == before
    own = receipt("04-01", "03-30", made="03-24")
    assert runs(read([*second, own]), "PT-07")[-1].due_day == date(2026, 4, 29)
    ahead = receipt("03-27", "12-31")
    assert only(read([*BROUGHT_BY_THE_CLOCK, ahead]), "PT-07").raw == date(2026, 4, 26)


def test_the_right_to_re_review_counts_from_the_review_opinion_that_came_later() -> None:
    review = log("03-20 | ask_review | reviewing", "04-10 | give_review_opinion | reviewed")
    plain = [*BROUGHT_BY_THE_CLOCK, *review]
    assert only(read(plain), "PT-09").due_day == date(2026, 5, 11)
    found = read([*plain, receipt("04-20", "04-20", made="04-10", state="reviewed")])
    assert (only(found, "PT-09").due_day, only(found, "PT-09").forces) == (date(2026, 5, 20), "lapse_review")


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 90), st.integers(-400, 400)), max_size=6),
    st.sampled_from(["letter", "web", "visit", None]),
)
def test_no_delivery_record_makes_a_period_shorter_or_moves_any_other(
    records: list[tuple[int, int]], channel: str | None
) -> None:
    case = channelled(channel, "03-17 | deliver | resolved")
    more = [
        CaseEvent(
            "record_delivery",
            moment("03-18") + timedelta(days=wait),
            "resolved",
            {"on": (date(2026, 3, 17) + timedelta(days=on)).isoformat(), "decided_at": moment("03-17").isoformat()},
        )
        for wait, on in records
    ]
    before, after = read(case), read([*case, *sorted(more, key=lambda event: event.at)])
    assert len(before) == len(after)
    for old, new in zip(before, after, strict=True):
        if old.policy_id in ("PT-07", "PT-13") and old.live:
            assert old.due_at <= new.due_at <= limit(old.policy, moment("03-18") + timedelta(days=90), CALENDAR).at
        else:
            assert old == new


# --- extension ---------------------------------------------------------------------------------------------------


def test_extension_counts_from_the_raw_end_and_not_from_the_moved_one() -> None:
    # Accepted 4 August 2025: sixty days end on 3 October, in the holiday, so the term ends on 9 October.
    start = ["2025-08-01 09:00 | file | filed", "2025-08-01 09:00 | register | registered"]
    accepted = [*start, "2025-08-04 09:00 | accept | accepted", "2025-08-04 09:00 | dispatch | dispatched"]
    plain = log(*accepted, "2025-08-05 09:00 | sign | signed", "2025-08-05 10:00 | start | handling")
    assert only(read(plain), "PT-05").due_day == date(2025, 10, 9)
    item = only(read([*plain, *log(("2025-09-20 09:00 | approve_extension | handling", {"days": 10}))]), "PT-05")
    assert (item.raw, item.due_day, item.extended_days) == (date(2025, 10, 3), date(2025, 10, 13), 10)


@pytest.mark.parametrize(("preset", "policy_id", "cap"), [(NATIONAL, "PT-05", 30), (ZHEJIANG, "PT-12", 60)])
def test_extensions_never_pass_their_cap(preset: tuple[Policy, ...], policy_id: str, cap: int) -> None:
    grant = {"days": 40}
    events = log(
        *HANDLING, ("03-20 | approve_extension | handling", grant), ("03-23 | approve_extension | handling", grant)
    )
    item = only(read(events, preset), policy_id)
    assert item.extended_days == cap
    assert item.raw == date(2026, 3, 3) + timedelta(days=item.policy.amount)
    assert item.due_day == CALENDAR.add_days(item.raw, cap).day == CALENDAR.add_days(date(2026, 3, 3), 90).day


def test_extension_after_the_limit_or_without_days_changes_nothing() -> None:
    late = log(*HANDLING, ("05-07 | approve_extension | handling", {"days": 10}))
    empty = log(*HANDLING, ("03-20 | approve_extension | handling", {"days": "10"}))
    assert only(read(late), "PT-05").extended_days == 0
    assert only(read(empty), "PT-05").extended_days == 0


def test_extension_is_decided_within_a_working_day_and_before_the_limit() -> None:
    early = only(read(log(*HANDLING, "03-10 | request_extension | handling")), "PT-19")
    assert early.due_day == date(2026, 3, 11)
    late = read(log(*HANDLING, "05-06 | request_extension | handling"))
    assert only(late, "PT-19").due_at == only(late, "PT-05").due_at
    decided = read(log(*HANDLING, "03-10 | request_extension | handling", "03-10 | refuse_extension | handling"))
    assert only(decided, "PT-19").met_at == moment("03-10")


# --- pauses ------------------------------------------------------------------------------------------------------

SIMPLE = [
    *ACCEPTED,
    ("03-04 | dispatch | dispatched", {"simple": True}),
    "03-05 | sign | signed",
    "03-05 | start | handling",
]


def test_working_clock_pauses_while_suspended_and_statutory_clock_does_not() -> None:
    events = log(*SIMPLE, "03-06 | approve_suspension | suspended", "03-13 | resume | handling")
    found = read(events)
    # 6 to 13 March are five working days: 11 March becomes 18 March.
    assert (only(found, "PT-17").due_day, only(found, "PT-17").paused_days) == (date(2026, 3, 18), 5)
    assert (only(found, "PT-05").raw, only(found, "PT-05").paused_days) == (date(2026, 5, 2), 0)
    assert not only(found, "PT-17").paused


def test_open_pause_lasts_at_most_until_the_suspension_ends() -> None:
    events = log(*SIMPLE, ("03-06 | approve_suspension | suspended", {"days": 10}))
    found = read(events)
    assert only(found, "PT-24").raw == date(2026, 3, 16)
    item = only(found, "PT-17")
    assert (item.paused, item.paused_days, item.due_day) == (True, 6, date(2026, 3, 19))
    forced = next_forced(found)
    assert forced is not None
    assert (forced.policy_id, forced.forces) == ("PT-24", "resume_expired")


def test_pause_begun_after_the_limit_does_not_make_the_case_punctual() -> None:
    found = read(log(*SIMPLE, "03-12 | approve_suspension | suspended", "03-20 | resume | handling"))
    assert only(found, "PT-17").due_day == date(2026, 3, 11)
    assert only(found, "PT-17").overdue(moment("03-20"))


def test_suspension_runs_thirty_days_a_time_and_never_past_its_cap() -> None:
    base = [*RESOLVED, "03-18 | rate | dissatisfied", "03-19 | rehandle | handling"]
    events = log(*base)
    start = moment("03-20")
    for n in range(7):
        begin = start + timedelta(days=31 * n)
        found = read([*events, CaseEvent("approve_suspension", begin, "suspended", {"days": 90})])
        assert (runs(found, "PT-24")[-1].raw - begin.date()).days == (30 if n < 6 else 0)
        events += [
            CaseEvent("approve_suspension", begin, "suspended", {"days": 90}),
            CaseEvent("resume_expired", begin + timedelta(days=30), "handling", {"policy": "PT-24"}),
        ]
    item = only(read(events), "PT-21")
    assert item.policy.pause_cap == 180
    assert item.paused_days == sum(
        CALENDAR.workdays_between(
            date(2026, 3, 20) + timedelta(days=31 * n), date(2026, 3, 20) + timedelta(days=31 * n + 30)
        )
        for n in range(6)
    )


def test_hearing_time_is_excluded_in_re_review_only() -> None:
    review = [*RESOLVED, "03-18 | ask_review | reviewing"]
    recheck = [*review, "03-25 | give_review_opinion | reviewed", "03-30 | ask_recheck | rechecking"]
    plain = only(read(log(*recheck)), "PT-10")
    heard = only(read(log(*recheck, ("04-10 | hold_hearing | rechecking", {"days": 7}))), "PT-10")
    assert (plain.raw, plain.due_day) == (date(2026, 4, 29), date(2026, 4, 29))
    assert (heard.raw, heard.due_day, heard.paused_days) == (date(2026, 4, 29), date(2026, 5, 6), 7)
    handling = only(read(log(*HANDLING, ("03-10 | hold_hearing | handling", {"days": 7}))), "PT-05")
    assert (handling.due_day, handling.paused_days) == (date(2026, 5, 6), 0)
    too_long = only(read(log(*recheck, ("04-10 | hold_hearing | rechecking", {"days": 700}))), "PT-10")
    assert too_long.paused_days == too_long.policy.pause_cap


def test_new_body_has_the_whole_time_of_suspension_again() -> None:
    versions = all_versions(NATIONAL, [replace(RULES["PT-24"], total_cap=30, valid_from=date(2022, 6, 1))])
    first = [*HANDLING, "03-06 | approve_suspension | suspended", "04-07 | resume_expired | handling"]
    again = [*first, "04-08 | approve_suspension | suspended"]
    assert runs(deadlines(log(*again), versions, CALENDAR), "PT-24")[-1].raw == date(2026, 4, 8)
    moved = [
        *first,
        "05-07 | expire | escalated",
        "05-08 | rehandle | handling",
        "05-11 | approve_suspension | suspended",
    ]
    assert runs(deadlines(log(*moved), versions, CALENDAR), "PT-24")[-1].raw == date(2026, 6, 10)


# --- after the answer --------------------------------------------------------------------------------------------


def test_answer_starts_the_rating_window_and_the_right_to_review() -> None:
    found = read(log(*RESOLVED))
    assert only(found, "PT-13").raw == only(found, "PT-07").raw == date(2026, 4, 16)
    assert only(found, "PT-05").met_at == moment("03-17")
    assert next_forced(found) == only(found, "PT-13")
    assert live(found) == {"PT-13", "PT-07"}


def test_delivery_and_registration_by_the_system_in_time_fulfil_their_limit() -> None:
    found = read(log("03-02 | file | filed", "03-02 | auto_register | registered", *RESOLVED[2:]))
    for policy_id in ("PT-00", "PT-26"):
        item = only(found, policy_id)
        assert (item.live, item.met_at, item.breached) == (False, item.started_at, False)
    late = only(read(log("03-02 | file | filed", "03-04 | auto_register | registered")), "PT-00")
    assert (late.met_at, late.breached) == (None, True)


def test_unrated_case_keeps_its_right_to_review() -> None:
    found = read(log(*RESOLVED, "04-17 | lapse_rating | closed"))
    assert (only(found, "PT-13").breached, only(found, "PT-13").met_at) == (True, None)
    assert live(found) == {"PT-07"}


def test_merged_case_that_shares_an_answer_may_be_reviewed_and_rated() -> None:
    found = read(log(*FILED, "03-03 | merge | merged", "03-20 | follow_parent | resolved"))
    assert live(found) == {"PT-07", "PT-13"}


def test_explanation_is_a_new_answer_with_a_new_right_to_review() -> None:
    found = read(log(*DISSATISFIED, "03-20 | explain | explained"))
    first, second = runs(found, "PT-07")
    assert (first.live, second.live, second.raw) == (False, True, date(2026, 4, 19))


def test_dissatisfied_rating_goes_up_and_the_new_body_gets_ten_working_days() -> None:
    found = read(log(*DISSATISFIED))
    assert (only(found, "PT-20").due_day, only(found, "PT-20").forces) == (date(2026, 3, 23), "expire")
    found = read(log(*DISSATISFIED, "03-19 | rehandle | handling"))
    item = next_forced(found)
    assert item is not None
    assert (item.policy_id, item.due_day, item.forces) == ("PT-21", date(2026, 4, 2), "expire")


def test_supervision_climbs_with_a_fresh_order_at_each_level() -> None:
    events = [*DISSATISFIED, "03-24 | expire | escalated"]
    assert only(read(log(*events)), "PT-22").due_day == date(2026, 3, 31)
    found = read(log(*events, "04-01 | expire | escalated"))
    first, second = runs(found, "PT-22")
    assert (first.breached, first.live, second.due_day) == (True, False, date(2026, 4, 9))


def test_handling_limit_that_passed_in_the_old_hands_does_not_expire_the_new_body() -> None:
    # Routing expires in "accepted"; the sixty days run on under supervision and pass there.
    events = [*ACCEPTED, "03-18 | expire | escalated", "03-26 | expire | escalated", "05-06 | rehandle | handling"]
    found = read(log(*events))
    assert only(found, "PT-05").live
    assert only(found, "PT-05").overdue(moment("05-08"))
    item = next_forced(found)
    assert item is not None
    assert item.policy_id == "PT-21"
    answered = read(log(*events, "05-10 | submit_reply | investigated", "05-11 | approve_reply | replied"))
    assert only(answered, "PT-05").breached
    assert not only(answered, "PT-21").breached


def test_expired_handling_limit_is_over_and_does_not_fire_twice() -> None:
    found = read(log(*HANDLING, "05-07 | expire | escalated", "05-08 | rehandle | handling"))
    assert (only(found, "PT-05").live, only(found, "PT-05").breached) == (False, True)
    assert {item.policy_id for item in found if item.forces} == {"PT-21"}


def test_redo_after_review_and_reopening_are_second_handlings() -> None:
    redo = read(log(*RESOLVED, "03-18 | ask_review | reviewing", "03-25 | give_review_opinion | handling"))
    reopened = read(log(*RESOLVED, "03-18 | rate | rated", "03-25 | reopen | handling"))
    upheld = read(log(*RESOLVED, "03-18 | ask_review | reviewing", "03-25 | give_review_opinion | reviewed"))
    assert only(redo, "PT-21").due_day == only(reopened, "PT-21").due_day == date(2026, 4, 9)
    assert (runs(upheld, "PT-21"), only(upheld, "PT-09").raw) == ([], date(2026, 4, 24))


@pytest.mark.parametrize(
    ("asked", "policy_id", "state"), [("ask_review", "PT-08", "reviewing"), ("ask_recheck", "PT-10", "rechecking")]
)
def test_late_review_goes_one_level_up_with_a_term_of_its_own(asked: str, policy_id: str, state: str) -> None:
    found = read(log(*RESOLVED, f"03-18 | {asked} | {state}", f"04-18 | expire | {state}"))
    first, second = runs(found, policy_id)
    assert (first.breached, second.live, second.raw) == (True, True, date(2026, 5, 18))


def test_external_authority_is_urged_three_times_and_then_the_case_ends() -> None:
    events = log(*DISSATISFIED, "03-24 | expire | external")
    forced = []
    for _ in range(4):
        item = next_forced(read(events))
        assert item is not None
        assert item.policy_id == "PT-27"
        forced.append(item.forces)
        events.append(CaseEvent("acknowledge_external", item.due_at - timedelta(days=1), "external"))
        assert next_forced(read(events)) == item
        events.append(CaseEvent(str(item.forces), item.due_at, "ended" if len(forced) == 4 else "external"))
    assert forced == ["urge_external"] * 3 + ["end_external"]
    assert not live(read(events))


def test_merged_case_splits_sixty_days_after_its_registration() -> None:
    found = read(log(*FILED, "03-10 | merge | merged"))
    item = next_forced(found)
    assert item is not None
    assert (item.policy_id, item.forces, item.raw) == ("PT-05m", "split_from_parent", date(2026, 5, 1))
    split = [*FILED, "03-10 | merge | merged", "05-07 | split_from_parent | registered"]
    assert next_forced(read(log(*split))).policy_id == "PT-01"
    again = read(log(*split, "05-08 | merge | merged"))
    assert runs(again, "PT-05m")[-1].raw == date(2026, 7, 6)


def test_silence_is_broken_by_what_the_petitioner_sees_and_by_nothing_else() -> None:
    quiet = runs(read(log(*HANDLING, "03-16 | mediate | handling")), "PT-28")[-1]
    assert (quiet.started_at, quiet.due_day, quiet.forces) == (moment("03-05"), date(2026, 3, 19), None)
    told = log(*HANDLING, ("03-16 | approve_extension | handling", {"days": 5}))
    assert runs(read(told), "PT-28")[-1].started_at == moment("03-16")
    assert "PT-28" in live(read(log(*DISSATISFIED)))


# --- what may move a deadline ------------------------------------------------------------------------------------


def test_running_clock_keeps_the_version_it_started_with() -> None:
    shorter = replace(RULES["PT-05"], amount=45, valid_from=date(2026, 3, 4))
    versions = all_versions(NATIONAL, [shorter])
    before = only(deadlines(log(*HANDLING), versions, CALENDAR), "PT-05")
    assert (before.policy.amount, before.raw) == (60, date(2026, 5, 2))
    later = log("03-04 | file | filed", "03-04 | register | registered", "03-04 | accept | accepted")
    after = only(deadlines(later, versions, CALENDAR), "PT-05")
    assert (after.policy_version, after.raw) == (date(2026, 3, 4), date(2026, 4, 18))


def accepted_on(day: str) -> list[CaseEvent]:
    return log(
        f"{day} 09:00 | file | filed", f"{day} 09:00 | register | registered", f"{day} 09:00 | accept | accepted"
    )


def test_new_holiday_notice_moves_the_provisional_term_and_only_that() -> None:
    notice_2027 = {date(2027, 1, 1) + timedelta(days=n): True for n in range(3)}
    notice_2027 |= {date(2027, 1, 22): True, date(2027, 1, 23): False}
    informed = WorkCalendar.from_notices({**KNOWN, 2027: notice_2027})

    open_term = only(read(accepted_on("2026-11-23")), "PT-05")
    assert (open_term.due_day, open_term.provisional) == (date(2027, 1, 22), True)
    settled = only(deadlines(accepted_on("2026-11-23"), NATIONAL, informed), "PT-05")
    assert (settled.due_day, settled.provisional, settled.raw) == (date(2027, 1, 23), False, open_term.raw)

    fixed_term = only(read(accepted_on("2026-09-01")), "PT-05")
    assert not fixed_term.provisional
    assert only(deadlines(accepted_on("2026-09-01"), NATIONAL, informed), "PT-05") == fixed_term


def test_expiry_once_sent_stays_sent_when_a_notice_moves_the_day() -> None:
    events = accepted_on("2026-11-01")[:2] + log(
        "2026-11-23 09:00 | accept | accepted",
        "2026-11-23 09:00 | dispatch | dispatched",
        "2026-11-24 09:00 | sign | signed",
        "2027-01-23 00:00 | expire | escalated",
    )
    assert only(read(events), "PT-05").breached
    informed = WorkCalendar.from_notices({**KNOWN, 2027: {date(2027, 1, 22): True}})
    item = only(deadlines(events, NATIONAL, informed), "PT-05")
    assert (item.due_day, item.live, item.breached) == (date(2027, 1, 25), False, True)


NOISE = ["comment", "message", "edit", "reassign", "attach", "view", "mediate", "print_receipt", "change_phone"]
WHOLE_LIFE = log(
    *SIMPLE,
    ("03-06 | approve_suspension | suspended", {"days": 10}),
    "03-13 | resume | handling",
    ("03-16 | approve_extension | handling", {"days": 10}),
    ("03-17 | add_co_handler | handling", {"co_org_id": CO_A}),
    "03-18 | submit_reply | investigated",
    "03-19 | approve_reply | replied",
    "03-19 | deliver | resolved",
    "03-20 | rate | dissatisfied",
    "03-23 | rehandle | handling",
    "04-08 | expire | escalated",
    "04-16 | expire | external",
)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_comments_edits_and_reassignments_never_move_a_deadline(data: st.DataObject) -> None:
    length = data.draw(st.integers(1, len(WHOLE_LIFE)))
    case = WHOLE_LIFE[:length]
    noisy: list[CaseEvent] = []
    for event in case:
        noisy.append(event)
        for name in data.draw(st.lists(st.sampled_from(NOISE), max_size=3)):
            facts = data.draw(
                st.dictionaries(
                    st.sampled_from(["priority", "simple", "days", "anonymous", "level", "policy", "co_org_id"]),
                    st.sampled_from(["P0", True, 30, 0, "PT-05"]),
                )
            )
            noisy.append(CaseEvent(name, event.at + timedelta(minutes=1), event.to_state, facts))
    assert read(noisy) == read(case)
    assert read(noisy) == read(noisy)


@pytest.mark.parametrize("preset", [NATIONAL, ZHEJIANG], ids=["national", "zhejiang"])
@pytest.mark.parametrize("amounts", [{}, {"PT-12": 1}, {"PT-12": 400}, {"PT-05": 1}, {"PT-21": 400}], ids=str)
def test_no_case_is_ever_without_a_forced_step(preset: tuple[Policy, ...], amounts: dict[str, int]) -> None:
    rules = policies(preset, date(2026, 1, 1))
    changed = [replace(rules[name], amount=amount) for name, amount in amounts.items() if name in rules]
    for length in range(1, len(WHOLE_LIFE) + 1):
        found = deadlines(WHOLE_LIFE[:length], all_versions(preset, changed), CALENDAR)
        assert next_forced(found) is not None, WHOLE_LIFE[length - 1]


@settings(max_examples=40, deadline=None)
@given(st.integers(1, len(WHOLE_LIFE)))
def test_reading_a_case_gives_each_policy_at_most_one_live_clock(length: int) -> None:
    found = [item for item in read(WHOLE_LIFE[:length]) if item.live]
    assert len({(item.policy_id, item.key) for item in found}) == len(found)
    assert all(item.met_at is None and not item.breached for item in found)


@pytest.mark.parametrize("length", range(1, len(WHOLE_LIFE)))
def test_reading_one_event_on_gives_what_reading_twice_gives(length: int) -> None:
    index = PolicyIndex(NATIONAL)
    before, after = deadlines_around(WHOLE_LIFE[:length], WHOLE_LIFE[length], index, CALENDAR)
    assert (before, after) == (read(WHOLE_LIFE[:length]), read(WHOLE_LIFE[: length + 1]))


# --- cards and reminders -----------------------------------------------------------------------------------------


def card(item: Deadline, when: str) -> str | None:
    return ladder(item, moment(when), CALENDAR)


def test_long_limit_turns_yellow_half_way_and_red_when_passed() -> None:
    item = only(read(log(*HANDLING)), "PT-05")
    assert [card(item, day) for day in ("03-20", "04-05", "05-06", "2026-05-07 00:00")] == [
        None,
        "yellow",
        "yellow",
        "red",
    ]


def test_short_limit_turns_yellow_with_three_working_days_left() -> None:
    item = only(read(log(*DISSATISFIED, "03-24 | expire | escalated")), "PT-22")
    assert item.due_day == date(2026, 3, 31)
    assert remind_at(item, CALENDAR) == moment("2026-03-26 00:00")
    assert [card(item, day) for day in ("03-25", "03-26", "03-31", "04-01")] == [None, "yellow", "yellow", "red"]


def test_late_sign_in_and_dispatch_give_a_blue_card() -> None:
    sign = only(read(log(*DISPATCHED)), "PT-15")
    assert [card(sign, day) for day in ("03-05", "03-06")] == [None, "blue"]
    dispatch = only(read(log(*FILED)), "PT-16")
    assert [card(dispatch, day) for day in ("03-05", "03-06")] == [None, "blue"]
    assert card(only(read(log(*SIGNED)), "PT-14"), "03-06") == "yellow"


def test_card_of_a_late_case_stays_and_a_punctual_one_has_none() -> None:
    late = only(read(log(*DISPATCHED, "03-09 | sign | signed")), "PT-15")
    assert card(late, "03-20") == "blue"
    assert card(only(read(log(*SIGNED)), "PT-15"), "03-20") is None


def test_window_of_the_petitioner_is_announced_but_gives_no_card() -> None:
    item = only(read(log(*RESOLVED)), "PT-13")
    assert remind_at(item, CALENDAR) == moment("2026-04-13 00:00")
    assert [card(item, day) for day in ("04-15", "04-20")] == [None, None]


def test_hour_limit_is_announced_half_way_and_silent_ones_never() -> None:
    urgent = read(log(*ACCEPTED, ("03-04 | dispatch | dispatched", {"priority": "P1"})))
    assert remind_at(only(urgent, "PT-15"), CALENDAR) == moment("2026-03-04 11:00")
    assert remind_at(runs(urgent, "PT-28")[-1], CALENDAR) is None


# --- limits outside the log --------------------------------------------------------------------------------------


def test_limit_of_a_supervision_order_starts_with_its_issue() -> None:
    assert limit(RULES["PT-22"], moment("03-02"), CALENDAR).day == date(2026, 3, 9)
    assert limit(RULES["PT-23"], moment("03-02"), CALENDAR).day == date(2026, 4, 1)
    assert limit(RULES["PT-25"], moment("03-02"), CALENDAR).at == moment("2026-03-02 11:00")
    assert limit(RULES["PT-15"], moment("03-02"), CALENDAR, {"priority": "P1"}).at == moment("2026-03-02 13:00")


def test_month_limit_with_an_extension_counts_from_its_raw_end() -> None:
    monthly = replace(RULES["PT-05"], amount=1, unit="M", kind="working")
    events = log(*HANDLING, ("03-20 | approve_extension | handling", {"days": 5}))
    item = only(deadlines(events, [monthly], CALENDAR), "PT-05")
    assert (item.raw, item.due_day) == (date(2026, 4, 3), date(2026, 4, 8))


def test_pause_without_a_suspension_clock_is_bounded_by_its_own_cap() -> None:
    policy = replace(RULES["PT-21"], starts=("start",), pause_cap=14)
    events = log(*HANDLING, "03-06 | approve_suspension | suspended")
    (item,) = deadlines(events, [policy], CALENDAR)
    assert (item.paused_days, item.due_day) == (10, date(2026, 4, 2))


def test_naive_instant_in_a_log_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        read([CaseEvent("file", datetime(2026, 3, 2), "filed")])  # noqa: DTZ001
