"""Who may do what to an alert: each refusal by its code, and each rule of two people."""

from dataclasses import replace

import pytest

from tests.workflows.alert_world import (
    CHECKER,
    CITY_HEAD,
    CLERK,
    COUNTY_CLERK,
    COUNTY_HEAD,
    HEAD,
    OFFICE,
    PETITION_OFFICE,
    PROVINCE_HEAD,
    SECOND,
    SUPERVISOR,
    TWO,
    UNIT,
    UNIT_CLERK,
    VILLAGE,
    WORDS,
    Alert,
    checking,
    send,
    staff,
)  # fmt: skip
from workflows.actor import SYSTEM_ACTOR, Role
from workflows.alert import TABLE, AlertChart
from workflows.base import MissingFact, NotAllowed, WrongState, enabled
from workflows.base import send as send_machine

RECUSED = {"recused": True}
ONE = {"checker_ids": [CHECKER.person_id]}
OF_UNIT = staff(Role.TOWNSHIP_DISCIPLINE, UNIT, 4, 91, head=True)
REPORTED = {"checker_ids": list(TWO), "findings_by": CHECKER.person_id}
FORM_4 = {"persons": [{"person": "p", "form": "FORM_4"}]}
REFUSED = [
    # Before it is dispatched.
    ("dispatch", Alert(), HEAD, {}, "not-model-owner"),
    ("dispatch", Alert(), COUNTY_CLERK, {}, None),
    ("dispatch", Alert("held", level=2), COUNTY_CLERK, {}, "not-model-owner"),
    ("dispatch", Alert(), COUNTY_CLERK, {"org_id": UNIT}, "subject-body"),
    ("dispatch", Alert(level=5), COUNTY_CLERK, {}, "colour-too-serious"),
    ("dispatch", Alert(level=5, colour="blue"), COUNTY_CLERK, {}, None),
    ("dispatch", Alert(), COUNTY_CLERK, {"excluded_org_ids": [Alert().org_id]}, "subject-body"),
    ("auto_dispatch", Alert(), COUNTY_CLERK, {}, "wrong-role"),
    ("auto_dispatch", Alert("held", flood=True), SYSTEM_ACTOR, {}, "other-branch"),
    ("withdraw", Alert("held"), COUNTY_CLERK, {}, "head-needed"),
    ("withdraw", Alert("held"), COUNTY_HEAD, {"rule_author_id": COUNTY_HEAD.person_id}, "separation-of-duties"),
    ("withdraw", Alert("held"), COUNTY_HEAD, RECUSED, "recused"),
    ("withdraw", Alert("dispatched"), COUNTY_HEAD, {}, "wrong-state"),
    # Sign-in and check.
    ("sign", Alert("dispatched"), PETITION_OFFICE, {}, "not-in-charge"),
    ("sign", Alert("dispatched"), COUNTY_HEAD, {}, "not-in-charge"),
    ("sign", Alert("dispatched"), None, {}, "not-in-charge"),
    ("sign", Alert("dispatched"), CLERK, RECUSED, "recused"),
    ("sign", Alert("dispatched", org_id=UNIT), OF_UNIT, {}, "subject-may-not-decide"),
    ("sign", Alert("dispatched", subject_org_ids=[Alert().org_id]), CLERK, {}, "subject-may-not-decide"),
    ("sign", Alert("dispatched", org_id=OFFICE.org_id), OFFICE, {}, "colour-too-serious"),
    ("sign", Alert("dispatched", org_id=OFFICE.org_id, colour="yellow"), OFFICE, {}, None),
    ("sign", Alert("dispatched", org_id=VILLAGE, colour="yellow"), SUPERVISOR, {}, "colour-too-serious"),
    ("sign", Alert("dispatched", org_id=VILLAGE, colour="blue"), SUPERVISOR, {}, None),
    ("start_check", Alert("signed"), CLERK, ONE, "two-people-needed"),
    ("start_check", Alert("signed"), CLERK, {"checker_ids": [CHECKER.person_id] * 2}, "two-people-needed"),
    ("start_check", Alert("signed", colour="yellow"), CLERK, ONE, None),
    ("start_check", Alert("signed"), CLERK, {"excluded_person_ids": [SECOND.person_id]}, "recused-checkers"),
    ("assign_checkers", checking(), CLERK, ONE, "two-people-needed"),
    ("assign_checkers", checking(assignments=5), CLERK, {}, "assignments-spent"),
    ("ask_explanation", checking(), CLERK, {}, "not-the-checker"),
    ("ask_explanation", checking(**ONE), CHECKER, {}, "two-people-needed"),
    ("report_findings", checking(**ONE), CHECKER, {}, "two-people-needed"),
    ("confirm", Alert("checking", **{**REPORTED, **ONE}), HEAD, {}, "two-people-needed"),
    ("ask_explanation", checking(explanations=3), CHECKER, {}, "explanations-spent"),
    ("explain", Alert("explaining"), CHECKER, {}, "not-the-unit"),
    ("explain", Alert("explaining"), staff(Role.VILLAGE_CLERK, VILLAGE, 5, 92), {}, "not-the-unit"),
    # Suspension.
    ("request_freeze", Alert("dispatched", freeze="requested"), CLERK, {}, "frozen"),
    ("request_freeze", Alert("dispatched", freezes=2), CLERK, {}, "freezes-spent"),
    ("confirm_freeze", Alert("signed", freeze="requested", freeze_by=HEAD.person_id), HEAD, {}, "separation-of-duties"),
    ("confirm_freeze", Alert("signed"), HEAD, {}, "nothing-frozen"),
    ("lift_freeze", Alert("signed", freeze="lapsed"), HEAD, {}, "nothing-frozen"),
    # Extension: red by the county, yellow by the township, never by whoever asked.
    ("request_extension", checking(extensions=1), CHECKER, {}, "extensions-spent"),
    ("approve_extension", checking(extension_by=CHECKER.person_id), HEAD, {}, "county-needed"),
    ("approve_extension", checking(extension_by=CHECKER.person_id), COUNTY_HEAD, {}, None),
    ("approve_extension", checking(extension_by=COUNTY_HEAD.person_id), COUNTY_HEAD, {}, "separation-of-duties"),
    ("approve_extension", checking(colour="yellow", extension_by=CHECKER.person_id), HEAD, {}, None),
    ("approve_extension", checking(), COUNTY_HEAD, {}, "nothing-requested"),
    ("refuse_extension", checking(extension_by=CHECKER.person_id), COUNTY_CLERK, {}, "not-the-decider"),
    # Confirmation by two.
    ("report_findings", Alert("checking", **REPORTED), SECOND, {}, "findings-wait"),
    ("confirm", checking(), HEAD, {}, "nothing-reported"),
    ("confirm", Alert("checking", **REPORTED), CLERK, {}, "not-the-decider"),
    ("confirm", Alert("checking", findings_by=HEAD.person_id), HEAD, {}, "separation-of-duties"),
    ("confirm", Alert("checking", **{**REPORTED, "checker_ids": [HEAD.person_id]}), HEAD, {}, "separation-of-duties"),
    ("confirm", Alert("checking", **REPORTED), HEAD, {}, None),
    ("confirm", Alert("checking", **REPORTED), COUNTY_HEAD, {}, None),
    ("return_findings", Alert("checking", **REPORTED, findings_returns=3), HEAD, {}, "findings_returns-spent"),
    # What follows.
    ("order_rectification", Alert("investigated"), CLERK, {}, "not-the-decider"),
    ("order_rectification", Alert("investigated", org_id=OFFICE.org_id), OFFICE, {}, "colour-too-serious"),
    ("order_rectification", Alert("investigated", colour="yellow", org_id=OFFICE.org_id), OFFICE, {}, None),
    ("send_as_clue", Alert("investigated", colour="yellow", org_id=OFFICE.org_id), OFFICE, {}, "wrong-role"),
    ("file_case", Alert("investigated"), HEAD, {}, "cadre-authority"),
    ("file_case", Alert("investigated", cadre_level=None), HEAD, {}, "cadre-authority"),
    ("file_case", Alert("investigated", cadre_level=2), COUNTY_HEAD, {}, "cadre-authority"),
    ("file_case", Alert("investigated", cadre_level=2), CITY_HEAD, {}, None),
    ("file_case", Alert("investigated", checker_ids=[COUNTY_HEAD.person_id]), COUNTY_HEAD, {}, "separation-of-duties"),
    ("record_disposal", Alert("rectifying"), OFFICE, {}, "wrong-role"),
    ("record_disposal", Alert("rectifying"), CLERK, FORM_4, "form-4-needs-case"),
    ("record_disposal", Alert("clue_filed"), CLERK, FORM_4, "form-4-needs-case"),
    ("record_disposal", Alert("case_filed"), CLERK, FORM_4, None),
    ("record_money", Alert("closed"), OFFICE, {}, "wrong-role"),
    ("submit_proof", Alert("rectifying"), UNIT_CLERK, {}, "not-disposed"),
    ("submit_proof", Alert("disposed", disposed=True), CLERK, {}, "not-the-unit"),
    ("strike_off", Alert("verifying", proof_by=HEAD.person_id), HEAD, {}, "separation-of-duties"),
    ("strike_off", Alert("verifying", org_id=UNIT), OF_UNIT, {}, "subject-may-not-decide"),
    ("strike_off", Alert("verifying", stages=3), HEAD, {"items_left": 1}, "stages-spent"),
    ("strike_off", Alert("verifying", stages=3), HEAD, {"items_left": 0}, None),
    ("return_proof", Alert("verifying", proof_returns=3), HEAD, {}, "proof_returns-spent"),
    # Afterwards.
    ("rate", Alert("resolved", resolution="cleared", clearance_by=CLERK.person_id), CLERK, {"verdict": "C"}, "separation-of-duties"),
    ("rate", Alert("resolved", resolution="cleared"), UNIT_CLERK, {"verdict": "C"}, "not-in-charge"),
    ("revise_verdict", Alert("rated", resolution="cleared", verdict_by=CLERK.person_id), CLERK, {"verdict": "D"}, "separation-of-duties"),
    ("revise_verdict", Alert("closed", resolution="cleared", verdict_changes=2), CLERK, {"verdict": "D"}, "verdict_changes-spent"),
    ("pass_look_back", Alert("rated", resolution="cleared", sampled=True), CLERK, {}, "sampled"),
    ("pass_look_back", Alert("rated", resolution="disposed", decided_by=CLERK.person_id), CLERK, {}, "separation-of-duties"),
    ("auto_close", Alert("rated", resolution="disposed"), SYSTEM_ACTOR, {}, "other-branch"),
    ("auto_close", Alert("rated", resolution="cleared", sampled=True), SYSTEM_ACTOR, {}, "sampled"),
    ("reopen", Alert("closed"), HEAD, {}, "county-needed"),
    ("reopen", Alert("closed"), COUNTY_CLERK, {}, "county-needed"),
    ("reopen", Alert("closed", level=2), COUNTY_HEAD, {}, "county-needed"),
    ("reopen", Alert("closed", reopenings=3), COUNTY_HEAD, {}, "reopenings-spent"),
    ("reopen", Alert("closed"), COUNTY_HEAD, ONE, "two-people-needed"),
    ("record_external_end", Alert("external", level=1), CITY_HEAD, {}, "wrong-role"),
    ("record_external_end", Alert("external", level=1), PROVINCE_HEAD, {}, None),
    ("end_external", Alert("external", level=1), SYSTEM_ACTOR, {}, "urgings-left"),
    ("escalate", Alert("dispatched"), HEAD, {}, "wrong-role"),
]  # fmt: skip


@pytest.mark.parametrize(("event", "alert", "actor", "facts", "code"), REFUSED)
def test_each_refusal_has_its_own_code(event, alert, actor, facts, code):
    before = replace(alert)
    if code is None:
        send(replace(alert), event, actor, **facts)
        return
    expected = WrongState if code == "wrong-state" else NotAllowed
    with pytest.raises(expected) as refused:
        send(alert, event, actor, **facts)
    assert code == "wrong-state" or refused.value.code == code
    assert alert == before


@pytest.mark.parametrize(("event", "alert", "actor", "facts"), [row[:4] for row in REFUSED if row[4] is None])
def test_the_machine_takes_the_same_step_as_the_table(event, alert, actor, facts):
    by_table, by_machine = replace(alert), replace(alert)
    send(by_table, event, actor, **facts)
    chart = AlertChart(by_machine)
    assert (event in enabled(chart, actor, **facts)) == (event in TABLE.public_events)
    send_machine(chart, event, actor, **{**WORDS, **facts})
    assert by_machine == by_table


@pytest.mark.parametrize(
    ("event", "alert", "actor", "facts", "field"),
    [
        ("hold", Alert(), SYSTEM_ACTOR, {"reason_code": "later"}, "reason_code"),
        ("mute", Alert(), SYSTEM_ACTOR, {"parent_id": None}, "parent_id"),
        ("withdraw", Alert("held"), COUNTY_HEAD, {"reason_code": "awkward"}, "reason_code"),
        ("start_check", Alert("signed"), CLERK, {"checker_ids": []}, "checker_ids"),
        ("ask_explanation", checking(), CHECKER, {"shown": []}, "shown"),
        ("report_findings", checking(), CHECKER, {"findings": ""}, "findings"),
        ("report_findings", checking(), CHECKER, {"persons": None}, "persons"),
        ("report_findings", checking(), CHECKER, {"amount": 1.5}, "amount"),
        ("order_rectification", Alert("investigated"), HEAD, {"items": []}, "items"),
        ("order_rectification", Alert("investigated"), HEAD, {"items": [{"task": "t", "owner": "o"}]}, "items"),
        ("record_disposal", Alert("rectifying"), CLERK, {"persons": None}, "persons"),
        ("record_disposal", Alert("rectifying"), CLERK, {"persons": [{"person": "p", "form": "FORM_5"}]}, "persons"),
        ("record_disposal", Alert("rectifying"), CLERK, {"recovered": -1}, "recovered"),
        ("record_disposal", Alert("rectifying"), CLERK, {"returned": True}, "returned"),
        ("record_money", Alert("closed"), CLERK, {"kind": "lost"}, "kind"),
        ("record_money", Alert("closed"), CLERK, {"fen": "100"}, "fen"),
        ("strike_off", Alert("verifying"), HEAD, {"items_left": None}, "items_left"),
        ("rate", Alert("resolved", resolution="cleared"), CLERK, {"verdict": "E"}, "source_field"),
        ("rate", Alert("resolved", resolution="cleared"), CLERK, {}, "verdict"),
        ("reopen", Alert("closed"), COUNTY_HEAD, {"reason_code": "mood"}, "reason_code"),
    ],
)
def test_a_step_without_its_facts_is_refused_and_changes_nothing(event, alert, actor, facts, field):
    before = replace(alert)
    with pytest.raises(MissingFact) as missing:
        send(alert, event, actor, **facts)
    assert missing.value.field == field
    assert alert == before


@pytest.mark.parametrize(
    ("resolution", "fitting"),
    [("disposed", "ABF"), ("cleared", "BCDEF"), ("withdrawn", "DEF"), ("followed", "ABCDEF"), (None, "")],
)
def test_a_verdict_contradicts_no_ending(resolution, fitting):
    for verdict in "ABCDEF":
        alert = Alert("resolved", resolution=resolution)
        code = TABLE.refusal(alert, "rate", CLERK, verdict=verdict)
        assert code == (None if verdict in fitting else "verdict-contradicts")


def test_steps_are_offered_before_their_facts_are_known():
    assert TABLE.open_events(checking(), CHECKER) == [
        *("assign_checkers", "ask_explanation", "request_freeze", "request_extension", "request_clearance", "report_findings")
    ]
    assert TABLE.open_events(Alert("explaining"), UNIT_CLERK) == ["explain"]
    assert TABLE.open_events(Alert("resolved", resolution="cleared"), CLERK) == ["record_money", "rate"]
    assert TABLE.open_events(Alert("dispatched"), UNIT_CLERK) == []
