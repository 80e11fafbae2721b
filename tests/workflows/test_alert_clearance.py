"""Clearance of an alert (预警消除申请): reason, papers, scope, end, who decides; the sample that is examined again."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from tests.workflows.alert_world import (
    CHECKER,
    CITY_HEAD,
    CLEAR,
    CLERK,
    COUNTY,
    COUNTY_CLERK,
    COUNTY_HEAD,
    HEAD,
    OFFICE,
    PROVINCE,
    PROVINCE_HEAD,
    SECOND,
    SUPERVISOR,
    TODAY,
    UNIT,
    UNIT_CLERK,
    VILLAGE,
    Alert,
    checking,
    send,
    staff,
)  # fmt: skip
from workflows.actor import SYSTEM_ACTOR, Role
from workflows.alert import CLEARANCE_PAPERS, CLEARANCE_REASONS
from workflows.base import MissingFact, NotAllowed

EMERGENCY = {"reason_code": "emergency_works", "papers": ["emergency_report"]}


def asked(**given):
    return Alert(
        "clear_requested",
        **{"clearance_by": UNIT_CLERK.person_id, "clearance_scope": "evidence", "checker_ids": [CHECKER.person_id], **given},
    )


def refused(alert, event, actor, **facts):
    before = replace(alert)
    with pytest.raises((NotAllowed, MissingFact)) as error:
        send(alert, event, actor, **facts)
    assert alert == before
    return error.value.code if isinstance(error.value, NotAllowed) else error.value.field


@pytest.mark.parametrize("actor", [UNIT_CLERK, CHECKER])
def test_unit_and_checker_may_ask_and_nobody_else(actor):
    alert = checking()
    send(alert, "request_clearance", actor, **CLEAR)
    assert (alert.state, alert.clearance_by, alert.clearance_reason) == ("clear_requested", actor.person_id, "lawful_exception")
    assert refused(checking(), "request_clearance", CLERK, **CLEAR) == "not-the-unit"


@pytest.mark.parametrize("field", ["basis", "papers", "scope", "reason_code"])
def test_an_application_is_complete_or_none(field):
    assert refused(checking(), "request_clearance", UNIT_CLERK, **{**CLEAR, field: None}) == field
    assert refused(checking(), "request_clearance", UNIT_CLERK, **{**CLEAR, "reason_code": "because"}) == "reason_code"
    assert refused(checking(), "request_clearance", UNIT_CLERK, **{**CLEAR, "scope": "everything"}) == "scope"


@pytest.mark.parametrize("reason", CLEARANCE_REASONS)
def test_each_reason_has_papers_without_which_it_is_not_heard(reason):
    assert CLEARANCE_PAPERS[reason]
    assert refused(checking(), "request_clearance", UNIT_CLERK, reason_code=reason, papers=["photo"]) == "papers-missing"
    alert = checking()
    send(alert, "request_clearance", UNIT_CLERK, reason_code=reason, papers=sorted(CLEARANCE_PAPERS[reason]))
    assert alert.papers_due is False


@pytest.mark.parametrize("colour", ["red", "orange"])
def test_a_red_alert_is_cleared_for_its_evidence_alone(colour):
    for facts in ({"scope": "contract", "until": TODAY + timedelta(days=1)}, {"until": TODAY + timedelta(days=1)}):
        assert refused(checking(colour=colour), "request_clearance", UNIT_CLERK, **CLEAR, **facts) == "evidence-only"
    # It rose while the application waited.
    assert refused(asked(colour=colour, clearance_scope="contract"), "approve_clearance", COUNTY_HEAD) == "evidence-only"


@pytest.mark.parametrize(
    ("colour", "until", "fits"),
    [
        ("yellow", date(2026, 9, 2), True),
        ("yellow", date(2026, 9, 3), False),
        ("blue", date(2027, 3, 2), True),
        ("blue", date(2027, 3, 3), False),
        ("blue", TODAY, False),
    ],
)
def test_a_yellow_clearance_lasts_six_months_at_most_and_a_blue_one_twelve(colour, until, fits):
    facts = {**CLEAR, "scope": "person_rule", "until": until}
    if fits:
        alert = checking(colour=colour)
        send(alert, "request_clearance", UNIT_CLERK, **facts)
        assert (alert.clearance_scope, alert.clearance_until) == ("person_rule", until)
    else:
        assert refused(checking(colour=colour), "request_clearance", UNIT_CLERK, **facts) == "expiry-too-long"
    assert refused(checking(colour=colour), "request_clearance", UNIT_CLERK, **{**facts, "today": None}) == "expiry-too-long"
    assert refused(checking(colour=colour), "request_clearance", UNIT_CLERK, **{**facts, "until": None}) == "until"


def test_an_application_whose_end_has_passed_is_not_approved():
    assert refused(asked(colour="yellow", clearance_until=TODAY), "approve_clearance", HEAD) == "clearance-over"


OF_UNIT = staff(Role.COUNTY_DISCIPLINE, UNIT, 3, 91, head=True)


@pytest.mark.parametrize(
    ("given", "actor", "code"),
    [
        # Yellow and blue: the discipline body of the township or above.
        ({"colour": "yellow"}, HEAD, None),
        ({"colour": "yellow"}, COUNTY_HEAD, None),
        ({"colour": "yellow", "org_id": OFFICE.org_id}, OFFICE, "discipline-needed"),
        ({"colour": "yellow"}, CLERK, "discipline-needed"),
        ({"colour": "blue", "level": 5, "org_id": VILLAGE}, SUPERVISOR, "discipline-needed"),
        ({"colour": "blue", "level": 5, "org_id": VILLAGE}, HEAD, None),
        ({"colour": "blue", "level": 3, "org_id": COUNTY}, HEAD, "discipline-needed"),
        # Red: one level up, and at the county or above.
        ({}, HEAD, "one-level-up-needed"),
        ({"level": 5, "org_id": VILLAGE}, HEAD, "one-level-up-needed"),
        ({}, COUNTY_HEAD, None),
        ({"colour": "orange"}, HEAD, "one-level-up-needed"),
        ({"level": 3, "org_id": COUNTY}, COUNTY_HEAD, "one-level-up-needed"),
        ({"level": 3, "org_id": COUNTY}, CITY_HEAD, None),
        ({"level": 1, "org_id": PROVINCE}, PROVINCE_HEAD, None),
        # Another person of another body.
        ({"clearance_by": COUNTY_HEAD.person_id}, COUNTY_HEAD, "separation-of-duties"),
        ({"checker_ids": [COUNTY_HEAD.person_id]}, COUNTY_HEAD, "separation-of-duties"),
        ({}, OF_UNIT, "subject-may-not-decide"),
        ({"subject_org_ids": [COUNTY]}, COUNTY_HEAD, "subject-may-not-decide"),
    ],
)
def test_who_approves_a_clearance(given, actor, code):
    if code is None:
        alert = asked(**given)
        send(alert, "approve_clearance", actor)
        assert (alert.state, alert.resolution, alert.decided_by) == ("resolved", "cleared", actor.person_id)
        assert alert.clearance_live
    else:
        assert refused(asked(**given), "approve_clearance", actor) == code
        assert refused(asked(**given), "refuse_clearance", actor) == code


def test_a_recused_head_neither_approves_nor_refuses():
    assert refused(asked(), "approve_clearance", COUNTY_HEAD, recused=True) == "recused"


def test_emergency_works_are_cleared_before_the_minutes_and_reopened_when_they_never_come():
    alert = checking()
    send(alert, "request_clearance", UNIT_CLERK, **EMERGENCY)
    send(alert, "approve_clearance", COUNTY_HEAD)
    send(alert, "rate", CLERK, verdict="C")
    assert alert.papers_due
    late = replace(alert)
    send(late, "reopen_unproved", SYSTEM_ACTOR)
    assert (late.state, late.verdict, late.resolution, late.clearance_live) == ("checking", None, None, False)
    assert (late.clearances, late.checker_ids) == (1, alert.checker_ids)
    send(alert, "file_papers", UNIT_CLERK)
    assert refused(alert, "reopen_unproved", SYSTEM_ACTOR) == "nothing-owed"
    assert refused(alert, "file_papers", UNIT_CLERK) == "nothing-owed"
    assert refused(checking(), "request_clearance", UNIT_CLERK, **{**EMERGENCY, "papers": ["minutes"]}) == "papers-missing"


def test_a_clearance_is_asked_for_three_times_and_anew_by_the_body_above():
    assert refused(checking(clearances=3), "request_clearance", UNIT_CLERK, **CLEAR) == "clearances-spent"
    alert = checking(clearances=3)
    send(alert, "escalate", SYSTEM_ACTOR)
    assert alert.clearances == 0


@pytest.mark.parametrize("state", ["resolved", "rated", "closed"])
def test_when_a_clearance_runs_out_what_was_cleared_stays_so(state):
    alert = Alert(state, colour="yellow", resolution="cleared", clearance_live=True, clearance_until=TODAY)
    send(alert, "expire_clearance", SYSTEM_ACTOR)
    assert (alert.state, alert.clearance_live, alert.resolution) == (state, False, "cleared")
    assert refused(alert, "expire_clearance", SYSTEM_ACTOR) == "other-branch"


def sampled(**given):
    return Alert("rated", **{"resolution": "cleared", "verdict": "C", "sampled": True, "decided_by": COUNTY_HEAD.person_id, **given})


def test_a_sampled_clearance_is_examined_one_level_up_by_somebody_who_had_no_part_in_it():
    alert = asked()
    send(alert, "approve_clearance", COUNTY_HEAD, sampled=True)
    assert alert.sampled
    assert refused(sampled(), "re_examine", CLERK, verdict="C") == "wrong-level"
    assert refused(sampled(), "re_examine", COUNTY_HEAD, verdict="C") == "separation-of-duties"
    assert refused(sampled(checker_ids=[COUNTY_CLERK.person_id]), "re_examine", COUNTY_CLERK, verdict="C") == "separation-of-duties"
    assert refused(sampled(sampled=False), "re_examine", COUNTY_CLERK, verdict="C") == "not-sampled"
    assert refused(sampled(), "re_examine", COUNTY_CLERK, verdict="Z") == "verdict"


def test_an_equal_verdict_closes_the_sample_and_another_one_opens_the_alert_at_the_upper_body():
    same, other = sampled(), sampled(checker_ids=[SECOND.person_id], clearances=1)
    send(same, "re_examine", COUNTY_CLERK, verdict="C")
    assert (same.state, same.sampled, same.verdict) == ("closed", False, "C")
    send(other, "re_examine", COUNTY_CLERK, verdict="A")
    assert (other.state, other.org_id, other.level, other.verdict, other.sampled) == ("signed", COUNTY, 3, None, False)
    assert (other.checker_ids, other.clearances) == ([], 1)


def test_a_sample_that_nobody_examines_goes_up_and_closes_at_the_top():
    alert = sampled(level=2)
    send(alert, "escalate", SYSTEM_ACTOR)
    assert (alert.state, alert.level, alert.sampled) == ("rated", 1, True)
    send(alert, "escalate", SYSTEM_ACTOR)
    assert (alert.state, alert.sampled) == ("closed", False)
