"""Stories of petitions, the refusals, the matrix of rights, and random walks."""

from __future__ import annotations

import os
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workflows.actor import SYSTEM_ACTOR, Label, Role
from workflows.base import MissingFact, NotAllowed, WrongState, send
from workflows.diagrams import workflow_page
from workflows.petition import (
    EVENT_LABELS,
    RESTS,
    STATE_LABELS,
    TABLE,
    TIMED,
    PetitionChart,
    PetitionEvent,
    PetitionState,
)
from workflows.petition_guards import EXTENSION_CAP_DAYS, LIMITS, REFUSALS
from workflows.petition_proof import COMPLETE, PETITIONER, Sketch, cast, facts_for, staff, starts

CLOCK, VILLAGER = SYSTEM_ACTOR, PETITIONER
OFFICE = staff(Role.PETITION_OFFICE, "county office", 3)
OFFICE_HEAD = staff(Role.PETITION_OFFICE, "county office", 3, head=True)
TOWN = staff(Role.TOWNSHIP_OFFICE, "town", 4)
TOWN_HEAD = staff(Role.TOWNSHIP_OFFICE, "town", 4, head=True)
WATER = staff(Role.DEPARTMENT_HANDLER, "water bureau", 3)
WATER_HEAD = staff(Role.DEPARTMENT_HANDLER, "water bureau", 3, head=True)
ROADS = staff(Role.DEPARTMENT_HANDLER, "roads bureau", 3)
CITY = staff(Role.PETITION_OFFICE, "city office", 2)
PROVINCE = staff(Role.PETITION_OFFICE, "province office", 1)
COUNTY_DISCIPLINE = staff(Role.COUNTY_DISCIPLINE, "county discipline", 3)

REPLY = {"findings": "rent unpaid", "outcome": "supported", "legal_basis": "contract"}
DAYS = {"days": 15, "reason": "survey"}
PARK = {"days": 30, "reason_code": "season", "plan": "after the harvest"}


def to_town(**more):
    return {"main_org_id": "town", **more}


INTAKE = [
    (OFFICE, "register", {}, "registered"),
    (OFFICE, "accept", {}, "accepted"),
    (OFFICE, "dispatch", to_town(), "dispatched"),
]
FIRST_REPLY = [
    *INTAKE,
    (TOWN, "sign", {}, "signed"),
    (TOWN, "start", {"note": "called"}, "handling"),
    (TOWN, "submit_reply", REPLY, "investigated"),
    (TOWN_HEAD, "approve_reply", {}, "replied"),
    (CLOCK, "deliver", {}, "resolved"),
]
BAD = {"grade": "dissatisfied", "reason": "nothing done"}
SECOND_REPLY = [
    (OFFICE, "rehandle", {"main_org_id": "water bureau"}, "handling"),
    (WATER, "submit_reply", REPLY, "investigated"),
    (WATER_HEAD, "approve_reply", {}, "replied"),
    (CLOCK, "deliver", {}, "resolved"),
]
RED = [*FIRST_REPLY, (VILLAGER, "rate", BAD, "dissatisfied"), *SECOND_REPLY, (VILLAGER, "rate", BAD, "escalated")]

STORIES = {
    "filed, handled, rated satisfied": ([*FIRST_REPLY, (VILLAGER, "rate", {"grade": "satisfied"}, "rated")], {}),
    "basically satisfied closes too": ([*FIRST_REPLY, (VILLAGER, "rate", {"grade": "basic"}, "rated")], {}),
    "handed over on paper": (
        [*FIRST_REPLY[:-1], (OFFICE, "deliver", {"proof": "signature"}, "resolved")],
        {"answers": 1},
    ),
    "nobody rates": ([*FIRST_REPLY, (CLOCK, "lapse_rating", {}, "closed")], {"dissatisfied": 0}),
    "the clock registers and signs": (
        [
            (CLOCK, "auto_register", {"owner_org_id": "county office"}, "registered"),
            *INTAKE[1:],
            (CLOCK, "auto_sign", {}, "signed"),
        ],
        {"colour": "blue", "owner_org_id": "county office", "main_handler_id": None},
    ),
    "a bad rating goes one level up": (
        [*FIRST_REPLY, (VILLAGER, "rate", {**BAD, "owner_org_id": "county office"}, "dissatisfied")],
        {"level": 3, "dissatisfied": 1, "supervised": True, "owner_org_id": "county office", "colour": None},
    ),
    "a new body handles the second round": (
        [*FIRST_REPLY, (VILLAGER, "rate", BAD, "dissatisfied"), SECOND_REPLY[0]],
        {
            "round": 2,
            "main_org_id": "water bureau",
            "past_org_ids": ["town"],
            "past_handler_ids": ["town staff"],
            "main_handler_id": None,
            "reply_author_id": None,
            "owner_org_id": "county office",
        },
    ),
    "the second bad rating is red and goes above the county": (
        RED,
        {"level": 2, "colour": "red", "dissatisfied": 2, "answers": 2},
    ),
    "a bad rating explained one level up may still be reviewed": (
        [
            *FIRST_REPLY,
            (VILLAGER, "rate", BAD, "dissatisfied"),
            (OFFICE_HEAD, "explain", {"reason": "supported in full", "legal_basis": "Art 32"}, "explained"),
            (VILLAGER, "ask_review", {"reason": "no"}, "reviewing"),
        ],
        {"level": 2},
    ),
    "a changed mind goes up as well": (
        [
            *FIRST_REPLY,
            (VILLAGER, "rate", {"grade": "satisfied"}, "rated"),
            (VILLAGER, "change_rating", {"grade": "basic"}, "rated"),
            (VILLAGER, "change_rating", BAD, "dissatisfied"),
        ],
        {"level": 3, "rating_changes": 2, "dissatisfied": 1},
    ),
    "a changed mind in the second round is red": (
        [*RED[:-1], (VILLAGER, "rate", {"grade": "basic"}, "rated"), (VILLAGER, "change_rating", BAD, "escalated")],
        {"level": 2, "colour": "red"},
    ),
    "silence at every level ends with the external authority": (
        [
            *RED,
            (CLOCK, "expire", {}, "escalated"),
            (CLOCK, "expire", {}, "external"),
            (CLOCK, "urge_external", {}, "external"),
            (PROVINCE, "acknowledge_external", {"note": "received"}, "external"),
            (CLOCK, "urge_external", {}, "external"),
            (CLOCK, "urge_external", {}, "external"),
            (CLOCK, "end_external", {}, "ended"),
        ],
        {"level": 0, "urgings": 3, "colour": "red", "owner_org_id": None},
    ),
    "the external authority ends it": (
        [
            *RED,
            (CLOCK, "expire", {}, "escalated"),
            (CLOCK, "expire", {}, "external"),
            (PROVINCE, "record_external_end", {"note": "decided"}, "ended"),
        ],
        {"urgings": 0},
    ),
    "nobody takes it up": (
        [
            (CLOCK, "auto_register", {}, "registered"),
            (CLOCK, "expire", {"owner_org_id": "county office"}, "escalated"),
            (OFFICE, "rehandle", to_town(), "handling"),
            (TOWN, "submit_reply", REPLY, "investigated"),
        ],
        {"level": 3, "round": 2, "past_org_ids": [], "supervised": True, "colour": "red"},
    ),
    "overdue while parked": (
        [
            *INTAKE,
            (TOWN, "sign", {}, "signed"),
            (TOWN, "start", {"note": "called"}, "handling"),
            (TOWN, "request_suspension", PARK, "handling"),
            (TOWN_HEAD, "approve_suspension", PARK, "suspended"),
            (CLOCK, "expire", {}, "escalated"),
            (CITY, "rehandle", {"main_org_id": "water bureau"}, "handling"),
        ],
        {"parked": 0, "suspension_days": 0, "past_org_ids": ["town"], "owner_org_id": "city office"},
    ),
    "parked and resumed": (
        [
            *INTAKE,
            (TOWN, "sign", {}, "signed"),
            (TOWN, "start", {"note": "called"}, "handling"),
            (TOWN, "request_suspension", PARK, "handling"),
            (OFFICE, "refuse_suspension", {"reason": "no season"}, "handling"),
            (TOWN, "request_suspension", PARK, "handling"),
            (OFFICE, "approve_suspension", PARK, "suspended"),
            (TOWN, "resume", {}, "handling"),
            (TOWN, "request_suspension", PARK, "handling"),
            (OFFICE, "approve_suspension", {"days": 10}, "suspended"),
            (CLOCK, "resume_expired", {}, "handling"),
        ],
        {"parked": 3, "suspension_days": 40, "suspended_requested_by": None},
    ),
    "two extensions, the second by the county": (
        [
            *INTAKE,
            (TOWN, "sign", {}, "signed"),
            (TOWN, "start", {"note": "called"}, "handling"),
            (TOWN, "request_extension", DAYS, "handling"),
            (TOWN_HEAD, "approve_extension", {"days": 15}, "handling"),
            (TOWN, "request_extension", DAYS, "handling"),
            (OFFICE, "approve_extension", {"days": 15}, "handling"),
        ],
        {"extension_days": EXTENSION_CAP_DAYS, "extension_requests": 2, "extension_requested_by": None},
    ),
    "an extension refused": (
        [
            *INTAKE,
            (TOWN, "sign", {}, "signed"),
            (TOWN, "start", {"note": "called"}, "handling"),
            (TOWN, "request_extension", DAYS, "handling"),
            (TOWN_HEAD, "refuse_extension", {"reason": "enough time"}, "handling"),
        ],
        {"extension_days": 0, "extension_requests": 1, "extension_requested_by": None},
    ),
    "a reply drops what was still asked": (
        [
            *INTAKE,
            (TOWN, "sign", {}, "signed"),
            (TOWN, "start", {"note": "called"}, "handling"),
            (TOWN, "request_extension", DAYS, "handling"),
            (TOWN, "submit_reply", REPLY, "investigated"),
            (OFFICE, "return_reply", {"reason": "thin"}, "handling"),
        ],
        {"extension_requested_by": None, "reply_returns": 1, "reply_author_id": None},
    ),
    "an urgent matter is marked and reported without moving the case": (
        [
            (OFFICE, "register", {}, "registered"),
            (OFFICE, "mark_urgent", {"reason": "a child is ill"}, "registered"),
            *INTAKE[1:],
            (TOWN, "report_urgent", {"note": "to the committee and the government"}, "dispatched"),
        ],
        {"priority": "P0", "main_org_id": "town", "owner_org_id": "county office"},
    ),
    "hearing and mediation are notes": (
        [
            *INTAKE,
            (TOWN, "sign", {}, "signed"),
            (TOWN, "start", {"note": "called"}, "handling"),
            (TOWN, "hold_hearing", {"minutes": "file 1"}, "handling"),
            (TOWN, "mediate", {"agreement": "file 2"}, "handling"),
        ],
        {"main_handler_id": "town staff"},
    ),
    "co-handlers report before the reply is approved": (
        [
            *INTAKE[:2],
            (OFFICE, "dispatch", to_town(co_org_ids=["water bureau", "town"]), "dispatched"),
            (OFFICE, "add_co_handler", {"co_org_id": "roads bureau"}, "dispatched"),
            (TOWN, "sign", {}, "signed"),
            (WATER, "co_report", {"report": "checked"}, "signed"),
            (TOWN, "start", {"note": "called"}, "handling"),
            (TOWN, "submit_reply", REPLY, "investigated"),
            (ROADS, "co_report", {"report": "checked"}, "investigated"),
            (TOWN_HEAD, "approve_reply", {}, "replied"),
        ],
        {"co_org_ids": ["water bureau", "roads bureau"], "co_waiting_org_ids": []},
    ),
    "returned, and given to another": (
        [
            *INTAKE,
            (TOWN, "request_return", {"reason": "not ours", "suggested_org": "water bureau"}, "return_requested"),
            (OFFICE, "approve_return", {}, "registered"),
            (OFFICE, "accept", {}, "accepted"),
            (OFFICE, "dispatch", {"main_org_id": "water bureau"}, "dispatched"),
        ],
        {"returns": 1, "returned_org_ids": ["town"], "designated": False, "past_org_ids": []},
    ),
    "returned, and designated when it gets it again": (
        [
            *INTAKE,
            (TOWN, "sign", {}, "signed"),
            (TOWN, "request_return", {"reason": "not ours", "suggested_org": "water bureau"}, "return_requested"),
            (OFFICE, "approve_return", {}, "registered"),
            *INTAKE[1:],
        ],
        {"designated": True, "main_handler_id": None},
    ),
    "a return refused designates": (
        [
            *INTAKE,
            (TOWN, "request_return", {"reason": "not ours", "suggested_org": "water bureau"}, "return_requested"),
            (OFFICE, "refuse_return", {"reason": "it is yours"}, "signed"),
        ],
        {"designated": True, "main_org_id": "town"},
    ),
    "a return nobody decides designates": (
        [
            *INTAKE,
            (TOWN, "request_return", {"reason": "not ours", "suggested_org": "water bureau"}, "return_requested"),
            (CLOCK, "expire_return", {}, "dispatched"),
            (CLOCK, "auto_sign", {}, "signed"),
        ],
        {"designated": True},
    ),
    "merged, answered with its parent, rated by itself": (
        [
            *INTAKE[:1],
            (OFFICE, "merge", {"parent_id": "parent"}, "merged"),
            (CLOCK, "follow_parent", {"main_org_id": "town", "main_handler_id": "town staff"}, "resolved"),
            (VILLAGER, "rate", BAD, "dissatisfied"),
            (OFFICE, "rehandle", {"main_org_id": "water bureau"}, "handling"),
        ],
        {"parent_id": "parent", "past_org_ids": ["town"], "past_handler_ids": ["town staff"], "round": 2},
    ),
    "merged and split": (
        [
            *INTAKE[:1],
            (OFFICE, "merge", {"parent_id": "parent"}, "merged"),
            (CLOCK, "split_from_parent", {}, "registered"),
            (OFFICE, "merge", {"parent_id": "other"}, "merged"),
            (TOWN, "unmerge", {"reason": "another matter"}, "registered"),
        ],
        {"merges": 2, "parent_id": None},
    ),
    "redirected": ([*INTAKE[:1], (TOWN, "redirect", {"route_code": "court"}, "redirected")], {}),
    "not accepted": ([*INTAKE[:1], (OFFICE, "reject", {"reason_code": "final-same-facts"}, "not_accepted")], {}),
    "withdrawn before an answer": ([*INTAKE, (VILLAGER, "withdraw", {}, "withdrawn")], {}),
    "review upheld, re-review final": (
        [
            *FIRST_REPLY,
            (VILLAGER, "ask_review", {"reason": "no"}, "reviewing"),
            (OFFICE, "give_review_opinion", {"outcome": "uphold", "opinion": "file"}, "reviewed"),
            (VILLAGER, "ask_recheck", {"reason": "no"}, "rechecking"),
            (CITY, "hold_hearing", {"minutes": "file"}, "rechecking"),
            (CITY, "give_recheck_opinion", {"outcome": "uphold", "opinion": "file"}, "final"),
        ],
        {"level": 2, "reviews": 1, "rechecks": 1, "owner_org_id": "city office"},
    ),
    "review upheld and left": (
        [
            *FIRST_REPLY,
            (VILLAGER, "ask_review", {"reason": "no"}, "reviewing"),
            (OFFICE, "give_review_opinion", {"outcome": "change", "opinion": "file"}, "reviewed"),
            (CLOCK, "lapse_review", {}, "closed"),
            (COUNTY_DISCIPLINE, "reopen", {"main_org_id": "roads bureau", "reason": "new evidence"}, "handling"),
        ],
        {"round": 2, "reviews": 0, "past_org_ids": ["town"]},
    ),
    "review orders a redo by a new body": (
        [
            *FIRST_REPLY,
            (CLOCK, "lapse_rating", {}, "closed"),
            (VILLAGER, "ask_review", {"reason": "no"}, "reviewing"),
            (
                OFFICE,
                "give_review_opinion",
                {"outcome": "redo", "opinion": "file", "main_org_id": "roads bureau"},
                "handling",
            ),
        ],
        {"round": 2, "main_org_id": "roads bureau", "past_org_ids": ["town"]},
    ),
    "a review opinion may still lead to a redo": (
        [
            *FIRST_REPLY,
            (VILLAGER, "ask_review", {"reason": "no"}, "reviewing"),
            (OFFICE, "give_review_opinion", {"outcome": "change", "opinion": "file"}, "reviewed"),
            (OFFICE, "rehandle", {"main_org_id": "roads bureau", "co_org_ids": ["water bureau"]}, "handling"),
        ],
        {"round": 2, "co_waiting_org_ids": ["water bureau"]},
    ),
    "a body that must withdraw gives way to another one of the level, the second time one level up": (
        [
            *INTAKE,
            (CLOCK, "recuse_body", {"main_excluded": True, "office_excluded": False}, "accepted"),
            (OFFICE, "dispatch", {"main_org_id": "water bureau"}, "dispatched"),
            (WATER, "sign", {}, "signed"),
            (CLOCK, "recuse_body", {"main_excluded": True, "office_excluded": False}, "accepted"),
        ],
        {"level": 3, "recusals": 1, "main_org_id": None, "main_handler_id": None, "colour": None},
    ),
    "from a level where nobody is left the case goes up, and from the province beyond it": (
        [
            *INTAKE,
            (CLOCK, "recuse_body", {"main_excluded": False, "office_excluded": True}, "dispatched"),
            (CLOCK, "recuse_body", {"main_excluded": True, "office_excluded": True}, "accepted"),
            (CLOCK, "recuse_body", {"main_excluded": False, "office_excluded": True}, "accepted"),
            (CLOCK, "recuse_body", {"main_excluded": False, "office_excluded": True}, "external"),
        ],
        {"level": 0, "main_org_id": None},
    ),
    "a body that had begun leaves the case to the level above, which gives it to a new one": (
        [
            *INTAKE,
            (TOWN, "sign", {}, "signed"),
            (TOWN, "start", {"note": "called"}, "handling"),
            (CLOCK, "recuse_body", {"main_excluded": True, "office_excluded": False}, "escalated"),
            (OFFICE, "rehandle", {"main_org_id": "roads bureau"}, "handling"),
        ],
        {"level": 3, "recusals": 0, "round": 2, "main_org_id": "roads bureau", "past_org_ids": [], "colour": None},
    ),
    "review and re-review overdue climb to the top": (
        [
            *FIRST_REPLY,
            (VILLAGER, "ask_review", {"reason": "no"}, "reviewing"),
            (CLOCK, "expire", {}, "reviewing"),
            (CITY, "give_review_opinion", {"outcome": "uphold", "opinion": "file"}, "reviewed"),
            (VILLAGER, "ask_recheck", {"reason": "no"}, "rechecking"),
            (CLOCK, "expire", {}, "external"),
        ],
        {"level": 0},
    ),
}


@pytest.mark.parametrize("name", STORIES)
def test_story(name):
    steps, expected = STORIES[name]
    record = Sketch()
    for number, (actor, event, facts, state) in enumerate(steps, start=1):
        send(PetitionChart(record), event, actor, **facts)
        assert record.state == state, f"step {number}, {event}"
    assert {field: getattr(record, field) for field in expected} == expected


def test_the_stories_use_every_event():
    told = {event for steps, _ in STORIES.values() for _, event, _, _ in steps}
    assert told | {"route_to_discipline"} == {event.value for event in PetitionEvent}


def test_an_accusation_is_sealed():
    record = Sketch(item_type="accusation", state="registered")
    send(PetitionChart(record), "route_to_discipline", OFFICE)
    assert record.state == "sealed"


def test_at_the_province_a_bad_rating_goes_to_the_external_authority():
    for round_number in (1, 2):
        record = Sketch(state="resolved", level=1, round=round_number, main_org_id="town", answers=1)
        send(PetitionChart(record), "rate", VILLAGER, **BAD)
        assert (record.state, record.level, record.colour) == ("external", 0, "red")


def test_at_the_province_review_and_recheck_go_to_the_external_authority():
    for state, event in (("resolved", "ask_review"), ("closed", "ask_review"), ("reviewed", "ask_recheck")):
        record = Sketch(state=state, level=1, main_org_id="town", answers=1)
        send(PetitionChart(record), event, VILLAGER, reason="no")
        assert (record.state, record.level) == ("external", 0)


# --- refusals ------------------------------------------------------------------------------------------------------

AT_WORK = {"state": "handling", "main_org_id": "town", "main_handler_id": "town staff"}
REVIEWED = {
    "state": "investigated",
    "main_org_id": "town",
    "reply_author_id": "town staff",
    "main_handler_id": "town staff",
}
UNHAPPY = {"state": "dissatisfied", "level": 3, "main_org_id": "town", "main_handler_id": "town staff", "answers": 1}
ANSWERED = {"state": "resolved", "main_org_id": "town", "answers": 1, "rating_until": 10, "review_until": 10}
PAST = {"past_org_ids": ["town"], "past_handler_ids": ["town staff"], "round": 2, "main_org_id": "water bureau"}
MOVED = staff(Role.DEPARTMENT_HANDLER, "water bureau", 3, person="town staff")
VILLAGE = staff(Role.VILLAGE_SUPERVISOR, "town", 5)

REFUSED = [
    ("an auditor registers", {}, staff(Role.AUDITOR, "county", 3), "register", {}, "wrong-role"),
    ("a villager registers", {}, VILLAGER, "register", {}, "wrong-role"),
    ("staff send what the clock sends", {}, OFFICE, "auto_register", {}, "wrong-role"),
    ("whoever must withdraw registers", {}, OFFICE, "register", {"recused": True}, "recused"),
    (
        "refused for want of jurisdiction",
        {"state": "registered"},
        OFFICE,
        "reject",
        {"reason_code": "no-jurisdiction"},
        "must-be-routed",
    ),
    ("an appeal sealed", {"state": "registered"}, OFFICE, "route_to_discipline", {}, "not-an-accusation"),
    ("merged for ever", {"state": "registered", "merges": 2}, OFFICE, "merge", {"parent_id": "p"}, "merge-limit"),
    (
        "given to the accused",
        {"state": "accepted"},
        OFFICE,
        "dispatch",
        to_town(excluded_org_ids=["town"]),
        "accused-body",
    ),
    (
        "given to an earlier body",
        {"state": "accepted", "past_org_ids": ["town"]},
        OFFICE,
        "dispatch",
        to_town(),
        "first-handler-excluded",
    ),
    (
        "an accused co-handler",
        AT_WORK,
        OFFICE,
        "add_co_handler",
        {"co_org_id": "roads", "excluded_org_ids": ["roads"]},
        "accused-body",
    ),
    ("the main body as co-handler", AT_WORK, OFFICE, "add_co_handler", {"co_org_id": "town"}, "co-limit"),
    (
        "a sixth co-handler",
        {**AT_WORK, "co_org_ids": list("abcde")},
        OFFICE,
        "add_co_handler",
        {"co_org_id": "f"},
        "co-limit",
    ),
    ("another body signs", {"state": "dispatched", "main_org_id": "town"}, WATER, "sign", {}, "not-your-case"),
    ("an earlier handler signs", {**PAST, "state": "dispatched"}, MOVED, "sign", {}, "first-handler-excluded"),
    (
        "an earlier handler replies",
        {**PAST, "state": "handling"},
        MOVED,
        "submit_reply",
        REPLY,
        "first-handler-excluded",
    ),
    (
        "a village committee takes a large item",
        {"state": "dispatched", "main_org_id": "town"},
        VILLAGE,
        "sign",
        {},
        "wrong-role",
    ),
    (
        "a designated body returns",
        {"state": "signed", "main_org_id": "town", "designated": True},
        TOWN,
        "request_return",
        {},
        "designated-may-not-return",
    ),
    (
        "returned too often",
        {"state": "signed", "main_org_id": "town", "returns": 3},
        TOWN,
        "request_return",
        {},
        "return-limit",
    ),
    (
        "returned too late",
        {"state": "signed", "main_org_id": "town", "return_until": 10},
        TOWN,
        "request_return",
        {"now": 11},
        "outside-window",
    ),
    (
        "the body decides on its own return",
        {"state": "return_requested", "main_org_id": "town"},
        TOWN,
        "approve_return",
        {},
        "separation-of-duties",
    ),
    (
        "two requests at once",
        {**AT_WORK, "suspended_requested_by": "x"},
        TOWN,
        "request_extension",
        DAYS,
        "already-requested",
    ),
    (
        "an extension of a second handling",
        {**AT_WORK, "round": 2},
        TOWN,
        "request_extension",
        DAYS,
        "extension-not-provided",
    ),
    (
        "an extension when no day is left",
        {**AT_WORK, "extension_days": 30},
        TOWN,
        "request_extension",
        {},
        "extension-too-long",
    ),
    ("a third extension", {**AT_WORK, "extension_requests": 2}, TOWN, "request_extension", DAYS, "extension-limit"),
    ("an extension too long", {**AT_WORK, "extension_days": 20}, TOWN, "request_extension", DAYS, "extension-too-long"),
    (
        "an extension too late",
        {**AT_WORK, "due_at": 10},
        TOWN,
        "request_extension",
        {**DAYS, "now": 11},
        "outside-window",
    ),
    ("nothing to extend", AT_WORK, TOWN_HEAD, "approve_extension", {"days": 1}, "nothing-requested"),
    (
        "extending one's own request",
        {**AT_WORK, "extension_requested_by": "town head"},
        TOWN_HEAD,
        "approve_extension",
        {},
        "separation-of-duties",
    ),
    (
        "refusing one's own request",
        {**AT_WORK, "extension_requested_by": "town head"},
        TOWN_HEAD,
        "refuse_extension",
        {},
        "separation-of-duties",
    ),
    (
        "the township grants a second extension",
        {**AT_WORK, "extension_requested_by": "town staff", "extension_requests": 2},
        TOWN_HEAD,
        "approve_extension",
        {"days": 1},
        "county-needed",
    ),
    (
        "no head approves",
        {**AT_WORK, "extension_requested_by": "town staff"},
        TOWN,
        "approve_extension",
        {"days": 1},
        "wrong-role",
    ),
    ("a seventh parking", {**AT_WORK, "parked": 6}, TOWN, "request_suspension", PARK, "suspension-limit"),
    ("parked for a quarter", AT_WORK, TOWN, "request_suspension", {**PARK, "days": 90}, "suspension-too-long"),
    (
        "parking one's own request",
        {**AT_WORK, "suspended_requested_by": "town head"},
        TOWN_HEAD,
        "approve_suspension",
        {},
        "separation-of-duties",
    ),
    ("nothing to park", AT_WORK, TOWN_HEAD, "approve_suspension", {"days": 1}, "nothing-requested"),
    (
        "reporting twice",
        {**AT_WORK, "co_org_ids": ["water bureau"]},
        WATER,
        "co_report",
        {"report": "x"},
        "not-your-case",
    ),
    (
        "approving one's own reply",
        {**REVIEWED, "reply_author_id": "town head"},
        TOWN_HEAD,
        "approve_reply",
        {},
        "separation-of-duties",
    ),
    (
        "sending back one's own reply",
        {**REVIEWED, "reply_author_id": "town head"},
        TOWN_HEAD,
        "return_reply",
        {},
        "separation-of-duties",
    ),
    (
        "the village head approves",
        {**REVIEWED, "simple": True},
        staff(Role.VILLAGE_SUPERVISOR, "town", 5, head=True),
        "approve_reply",
        {},
        "wrong-role",
    ),
    (
        "a discipline officer approves for his own body",
        {**REVIEWED, "main_org_id": "county discipline"},
        COUNTY_DISCIPLINE,
        "approve_reply",
        {},
        "wrong-role",
    ),
    ("another body's head approves", REVIEWED, WATER_HEAD, "approve_reply", {}, "wrong-role"),
    ("an office below the level approves", {**REVIEWED, "level": 2}, OFFICE_HEAD, "approve_reply", {}, "wrong-role"),
    (
        "a co-handler has not reported",
        {**REVIEWED, "co_waiting_org_ids": ["water bureau"]},
        TOWN_HEAD,
        "approve_reply",
        {},
        "co-reports-missing",
    ),
    ("sent back for ever", {**REVIEWED, "reply_returns": 3}, TOWN_HEAD, "return_reply", {}, "reply-return-limit"),
    (
        "a bystander hands the reply over",
        {"state": "replied", "main_org_id": "town"},
        WATER,
        "deliver",
        {"proof": "x"},
        "wrong-role",
    ),
    ("staff rate", ANSWERED, OFFICE, "rate", {"grade": "satisfied"}, "wrong-role"),
    ("rated too late", ANSWERED, VILLAGER, "rate", {"grade": "satisfied", "now": 11}, "outside-window"),
    (
        "a rating changed for ever",
        {**ANSWERED, "state": "rated", "rating_changes": 2},
        VILLAGER,
        "change_rating",
        BAD,
        "rating-change-limit",
    ),
    ("the same body again", UNHAPPY, OFFICE, "rehandle", to_town(), "first-handler-excluded"),
    (
        "the same body beside another",
        UNHAPPY,
        OFFICE,
        "rehandle",
        {"main_org_id": "roads", "co_org_ids": ["town"]},
        "first-handler-excluded",
    ),
    ("the body of the round before", {**UNHAPPY, **PAST}, OFFICE, "rehandle", to_town(), "first-handler-excluded"),
    (
        "given anew to the accused",
        UNHAPPY,
        OFFICE,
        "rehandle",
        {"main_org_id": "roads", "excluded_org_ids": ["roads"]},
        "accused-body",
    ),
    ("supervised from below", {**UNHAPPY, "level": 2}, OFFICE, "rehandle", {"main_org_id": "roads"}, "wrong-level"),
    (
        "a body supervises itself",
        {**UNHAPPY, "main_org_id": "county discipline"},
        COUNTY_DISCIPLINE,
        "rehandle",
        {"main_org_id": "roads"},
        "first-handler-excluded",
    ),
    (
        "a co-handler supervises",
        {**UNHAPPY, "co_org_ids": ["county discipline"]},
        COUNTY_DISCIPLINE,
        "rehandle",
        {"main_org_id": "roads"},
        "first-handler-excluded",
    ),
    (
        "the author supervises from a new post",
        {**UNHAPPY, "reply_author_id": "county office staff"},
        OFFICE,
        "rehandle",
        {"main_org_id": "roads"},
        "first-handler-excluded",
    ),
    ("explained by no head", UNHAPPY, OFFICE, "explain", {}, "head-needed"),
    (
        "explained without an answer",
        {**UNHAPPY, "state": "escalated", "answers": 0},
        OFFICE_HEAD,
        "explain",
        {},
        "not-answered-yet",
    ),
    ("reopened for ever", {**UNHAPPY, "state": "closed", "round": 5}, OFFICE, "reopen", {}, "round-limit"),
    (
        "reopened for the same body",
        {**UNHAPPY, "state": "closed"},
        OFFICE,
        "reopen",
        to_town(reason="x"),
        "first-handler-excluded",
    ),
    (
        "redo by the same body",
        {**UNHAPPY, "state": "reviewing"},
        OFFICE,
        "give_review_opinion",
        to_town(outcome="redo", opinion="x"),
        "first-handler-excluded",
    ),
    (
        "reviewed by who handled",
        {**UNHAPPY, "state": "reviewing", "main_org_id": "county discipline"},
        COUNTY_DISCIPLINE,
        "give_review_opinion",
        {"outcome": "uphold"},
        "first-handler-excluded",
    ),
    (
        "re-reviewed by who reviewed below",
        {**UNHAPPY, "state": "rechecking", "level": 2},
        OFFICE,
        "give_recheck_opinion",
        {},
        "wrong-level",
    ),
    (
        "the province gives the county's opinion",
        {**UNHAPPY, "state": "reviewing"},
        PROVINCE,
        "give_review_opinion",
        {},
        "wrong-level",
    ),
    ("reviewed twice", {**ANSWERED, "reviews": 1}, VILLAGER, "ask_review", {"reason": "x"}, "review-used"),
    ("reviewed too late", ANSWERED, VILLAGER, "ask_review", {"reason": "x", "now": 11}, "outside-window"),
    (
        "re-reviewed twice",
        {**ANSWERED, "state": "reviewed", "rechecks": 1},
        VILLAGER,
        "ask_recheck",
        {"reason": "x"},
        "recheck-used",
    ),
    ("withdrawn after an answer", {**AT_WORK, "answers": 1}, VILLAGER, "withdraw", {}, "already-answered"),
    (
        "a county desk writes for the authority",
        {"state": "external", "level": 0},
        OFFICE,
        "record_external_end",
        {},
        "wrong-role",
    ),
    ("urged a fourth time", {"state": "external", "urgings": 3}, CLOCK, "urge_external", {}, "urging-limit"),
    ("ended before the last urging", {"state": "external", "urgings": 2}, CLOCK, "end_external", {}, "urgings-left"),
]


@pytest.mark.parametrize(
    ("record", "actor", "event", "facts", "code"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED]
)
def test_refused(record, actor, event, facts, code):
    sketch = Sketch(**record)
    before = dict(sketch.__dict__)
    with pytest.raises(NotAllowed) as refused:
        send(PetitionChart(sketch), event, actor, **facts)
    assert refused.value.code == code
    assert sketch.__dict__ == before


def test_every_reason_of_refusal_is_met():
    assert {row[-1] for row in REFUSED} | {"other-branch"} == set(REFUSALS)


def test_a_simple_item_may_be_handled_by_the_village_committee():
    record = Sketch(state="dispatched", main_org_id="town", simple=True)
    send(PetitionChart(record), "sign", VILLAGE)
    assert (record.state, record.main_handler_id) == ("signed", "town staff")


def test_windows_are_open_to_their_last_instant_and_without_a_clock():
    record = Sketch(**ANSWERED)
    assert TABLE.may(record, "rate", VILLAGER, now=10)
    assert TABLE.may(record, "rate", VILLAGER)
    assert "rate" not in TABLE.open_events(record, VILLAGER, now=11)


def test_a_provincial_preset_may_allow_a_longer_extension():
    record = Sketch(**AT_WORK, extension_days=30)
    assert TABLE.may(record, "request_extension", TOWN, days=30, extension_cap=60)
    assert not TABLE.may(record, "request_extension", TOWN, days=31, extension_cap=60)


@pytest.mark.parametrize(
    ("record", "actor", "event", "facts", "field"),
    [
        (ANSWERED, VILLAGER, "rate", {}, "grade"),
        (ANSWERED, VILLAGER, "rate", {"grade": "excellent"}, "grade"),
        (ANSWERED, VILLAGER, "rate", {"grade": "dissatisfied"}, "reason"),
        ({"state": "registered"}, OFFICE, "reject", {}, "reason_code"),
        ({"state": "dispatched", "main_org_id": "town"}, TOWN, "request_return", {"reason": "x"}, "suggested_org"),
        ({"state": "accepted"}, OFFICE, "dispatch", {}, "main_org_id"),
        (AT_WORK, TOWN, "submit_reply", {**REPLY, "outcome": "fine"}, "outcome"),
        (UNHAPPY, OFFICE, "rehandle", {}, "main_org_id"),
        ({**UNHAPPY, "state": "reviewing"}, OFFICE, "give_review_opinion", {"outcome": "redo"}, "main_org_id"),
        ({**UNHAPPY, "state": "rechecking"}, OFFICE, "give_recheck_opinion", {"outcome": "redo"}, "outcome"),
        ({"state": "replied", "main_org_id": "town"}, TOWN, "deliver", {}, "proof"),
    ],
)
def test_missing_facts_are_named(record, actor, event, facts, field):
    sketch = Sketch(**record)
    before = dict(sketch.__dict__)
    with pytest.raises(MissingFact) as missing:
        send(PetitionChart(sketch), event, actor, **facts)
    assert missing.value.field == field
    assert sketch.__dict__ == before


def test_wrong_state_tells_what_is_open():
    with pytest.raises(WrongState) as refused:
        send(PetitionChart(Sketch(**ANSWERED)), "register", VILLAGER)
    assert refused.value.state == "resolved"
    assert refused.value.open_events == ["rate", "ask_review"]


def test_a_graver_card_is_not_replaced_by_a_lighter_one():
    record = Sketch(state="dispatched", main_org_id="town", colour="red")
    send(PetitionChart(record), "auto_sign", CLOCK)
    assert record.colour == "red"


# --- tables --------------------------------------------------------------------------------------------------------


def test_every_state_and_event_has_a_place_and_words():
    assert TABLE.states == {state.value for state in PetitionState} == set(STATE_LABELS)
    assert {step.event for step in TABLE.steps} == {event.value for event in PetitionEvent} == set(EVENT_LABELS)
    assert all(label.zh and label.en for table in (STATE_LABELS, EVENT_LABELS, REFUSALS) for label in table.values())


def test_the_system_events_are_those_the_clock_and_the_worker_send():
    system = {event.value for event in PetitionEvent} - set(TABLE.public_events)
    assert system == {
        *("auto_register", "auto_sign", "expire_return", "lapse_rating", "lapse_review", "expire"),
        *("resume_expired", "urge_external", "end_external", "follow_parent", "split_from_parent"),
        "recuse_body",
    }


def test_every_state_that_must_move_has_a_clock():
    assert set(TIMED) == TABLE.states - TABLE.finals - RESTS


def test_every_timed_event_is_offered_to_the_system():
    for state, entries in TIMED.items():
        for _, event in entries:
            assert event is None or any("system" in step.who for step in TABLE.steps_from(state, event))


def test_limits_are_the_ones_of_the_rules():
    assert LIMITS["urgings"] == 3
    assert LIMITS["reviews"] == LIMITS["rechecks"] == 1
    assert EXTENSION_CAP_DAYS == 30


def test_the_page_of_the_chart_shows_every_state_event_and_limit():
    page = workflow_page(
        PetitionChart,
        TIMED,
        title=Label("信访件", "Petition"),
        states=STATE_LABELS,
        events=EVENT_LABELS,
        refusals=REFUSALS,
        rests=RESTS,
        deadlines=(("id", "名称"), [("PT-05", "办结|Conclusion")]),
        messages=(("event", "to"), [("rate", "petitioner")]),
    )
    assert all(f"`{state}`" in page for state in TABLE.states)
    assert all(f"`{event}`" in page for event in EVENT_LABELS)
    assert all(policy in page for entries in TIMED.values() for policy, _ in entries)
    assert "    escalated --> escalated: 逾期上报" in page
    assert "    handling --> handling: 转由其他单位办理\n" in page, "what only notes something is no arrow"
    assert "| PT-05 | 办结\\|Conclusion |" in page
    assert page.endswith("| rate | petitioner |\n")
    rows = [line for line in page.splitlines() if line.startswith("| 已送达,待评价 | `rate`")]
    assert len(rows) == 4


def test_the_page_needs_neither_deadlines_nor_messages():
    page = workflow_page(
        PetitionChart,
        TIMED,
        title=Label("信访件", "Petition"),
        states=STATE_LABELS,
        events=EVENT_LABELS,
        refusals=REFUSALS,
    )
    assert "Time limits" not in page
    assert "Messages" not in page


# --- the matrix of rights ------------------------------------------------------------------------------------------

MATRIX = Path(__file__).with_name("petition_matrix.txt")
CO = {"co_org_ids": ["co"], "co_waiting_org_ids": ["co"]}
# Suffix → (states it is tried in, none for all; what differs).
VARIANTS: dict[str, tuple[tuple[str, ...], dict[str, object]]] = {
    "": ((), {"simple": True, "item_type": "accusation"}),
    " with an extension asked": (("handling",), {"extension_requested_by": "asker", "extension_requests": 1}),
    " with parking asked": (("handling",), {"suspended_requested_by": "asker", "parked": 1}),
    " with all reports in": (("investigated",), {"co_waiting_org_ids": [], "simple": True}),
    " answered before": (("handling", "dissatisfied", "escalated"), {"answers": 1}),
    " designated": (("dispatched", "signed"), {"designated": True}),
    " after three urgings": (("external",), {"urgings": 3}),
}


PLACES = ("body", "co", "own", "province")


def matrix() -> str:
    """One line for each state and event: who may, and where if not everywhere.

    `body` is the handling body, `co` a co-handler, `own` another office of the role's level, `province` one at the top;
    `+head` means that only a head may. The case is with the county.
    """
    natural = dict.fromkeys((Role.TOWNSHIP_OFFICE, Role.TOWNSHIP_DISCIPLINE), 4)
    natural |= {Role.VILLAGE_SUPERVISOR: 5, Role.UPPER_DISCIPLINE: 2}
    lines = []
    for state in PetitionState:
        for suffix, (states, fields) in VARIANTS.items():
            if states and state not in states:
                continue
            record = Sketch(state=state.value, main_org_id="body", level=3, **{**CO, **fields})
            for event in dict.fromkeys(step.event for step in TABLE.steps_from(state)):
                who = [actor.role for actor in (CLOCK, VILLAGER) if TABLE.may(record, event, actor)]
                for role in Role:
                    places = {}
                    for place in PLACES:
                        level = 1 if place == "province" else natural.get(role, 3)
                        asked = [TABLE.may(record, event, staff(role, place, level, head)) for head in (False, True)]
                        if any(asked):
                            places[place] = "" if all(asked) else "+head"
                    if len(places) == len(PLACES) and not any(places.values()):
                        who.append(role)
                    else:
                        who += [f"{role}@{place}{head}" for place, head in places.items()]
                lines.append(f"{state}{suffix} / {event}: {' '.join(who) or '-'}")
    return "\n".join(lines) + "\n"


def test_the_matrix_of_rights_is_the_committed_one():
    found = matrix()
    if os.environ.get("UPDATE_SNAPSHOT"):
        MATRIX.write_text(found, encoding="utf-8")
    assert found == MATRIX.read_text(encoding="utf-8"), "rights have changed; UPDATE_SNAPSHOT=1 writes the new matrix"


# --- random walks --------------------------------------------------------------------------------------------------

EVENTS = [event.value for event in PetitionEvent]


def any_step(data, record):
    """An event that the state is likely to offer, somebody who is likely to be allowed it, and facts that may do."""
    likely = list(dict.fromkeys(step.event for step in TABLE.steps_from(record.state)))
    event = data.draw(st.sampled_from(likely * 5 + EVENTS if likely else EVENTS))
    past = record.past_org_ids[-1] if record.past_org_ids else None
    people = [each for group in cast(record.main_org_id, past).values() for each in group]
    fitting = [each for each in people if TABLE.may(record, event, each)]
    actor = data.draw(st.sampled_from(fitting * 3 + people))
    facts = data.draw(st.sampled_from([*facts_for(record, event), {}, COMPLETE]))
    return event, actor, {**facts, "now": data.draw(st.sampled_from([None, 5, 15]))}


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(st.data())
def test_on_any_walk_a_refusal_changes_nothing_and_an_end_is_an_end(data):
    record = data.draw(st.sampled_from(list(starts()))).copy()
    levels = [record.level]
    for _ in range(40):
        event, actor, facts = any_step(data, record)
        before = dict(record.__dict__)
        lists = {name: list(value) for name, value in before.items() if isinstance(value, list)}
        try:
            TABLE.send(record, event, actor, **facts)
        except (WrongState, NotAllowed, MissingFact):
            assert record.__dict__ == before
        else:
            assert before["state"] not in TABLE.finals
            assert record.main_org_id is None or record.main_org_id not in record.past_org_ids
        assert {name: before[name] for name in lists} == lists, "a list was edited in place"
        levels.append(record.level)
    assert all(later <= earlier for earlier, later in pairwise(levels))


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(st.data())
def test_on_any_walk_table_and_machine_agree(data):
    record = data.draw(st.sampled_from(list(starts()))).copy()
    for _ in range(25):
        event, actor, facts = any_step(data, record)
        twin = record.copy()
        outcomes = []
        for move in (
            lambda event=event, actor=actor, facts=facts: send(PetitionChart(record), event, actor, **facts),
            lambda event=event, actor=actor, facts=facts, twin=twin: TABLE.send(twin, event, actor, **facts),
        ):
            try:
                move()
                outcomes.append("moved")
            except (WrongState, NotAllowed, MissingFact) as refusal:
                outcomes.append(repr(refusal))
        assert outcomes[0] == outcomes[1]
        assert twin.__dict__ == record.__dict__
