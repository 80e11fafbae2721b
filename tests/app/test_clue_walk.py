"""The routes of the clue track that are easily got wrong, each tried as the accounts of those who might."""

from uuid import UUID

import pytest
from marshmallow import fields
from sqlalchemy import text

from app import count_statements
from app.clues.schemas import ACTIONS
from tests.app.test_clues import HANDLER, HEAD, WORDS, World, members

COUNTY, CITY, OTHER_COUNTY = "fenghua.discipline.head", "ningbo.discipline.head", "wuxing.discipline.head"


@pytest.fixture
def world(client, db_session, as_staff, new_key):
    return World(client, db_session, as_staff, new_key)


@pytest.fixture
def clue(world):
    world.file()
    world.route()
    return world


def seen(world, username):
    """What an account is told of clues: its list, its messages and the one clue itself."""
    headers = world.as_staff(username)
    return {
        "list": world.client.get("/api/v1/clues", headers=headers).json["items"],
        "one": world.client.get(f"/api/v1/clues/{world.id}", headers=headers).status_code,
        "candidates": world.client.get(f"/api/v1/clues/{world.id}/candidates", headers=headers).status_code,
    }


NOTHING = {"list": [], "one": 404, "candidates": 404}


# A superior's matter.


def test_a_superiors_matter_goes_up_step_by_step_and_each_body_below_is_left_with_the_stub(clue):
    clue.give(HANDLER)
    for below, readers, above, level in ((HEAD, (HEAD, HANDLER), COUNTY, 3), (COUNTY, (COUNTY,), CITY, 2)):
        assert clue.act(below, "send-up", reason="属上级管辖")["level"] == level
        for username in readers:
            assert seen(clue, username) == NOTHING
            clue.act(username, "verify-realname", expect=404, note="x")
            clue.send(username, "POST", f"/{clue.id}/messages", 404, {"body": "x"})
        stub = clue.case.see(clue.as_staff(below))
        assert (stub["title"], stub["body"]) == ("已转有关部门", "")
        assert [one["event"] for one in stub["timeline"]].count("send_up") == 0
        clue.act(above, "receive")
        assert clue.read(above)["body"] == WORDS
    # Nobody further up, and nobody beside it, has learnt of it.
    assert seen(clue, OTHER_COUNTY) == NOTHING


def test_only_the_head_above_receives_and_the_city_does_not_reach_down(clue):
    clue.act(HEAD, "send-up", reason="属上级管辖")
    for username in (CITY, OTHER_COUNTY, "fenghua.discipline", "fenghua.office"):
        clue.act(username, "receive", expect=404)
    clue.act(COUNTY, "receive")


def test_at_the_province_it_is_handed_over_on_paper_and_nobody_here_sees_it_any_more(world):
    world.file(accused_org_ids=[str(members(world.session, "宁波市纪委监委"))])
    world.route("fenghua.office")
    (province,) = world.session.scalars(
        text(
            "SELECT s.username FROM clue_readers r JOIN staff_accounts s ON s.id = r.account_id JOIN clues c ON c.id = r.clue_id"
        )
    )
    assert world.act(province, "send-up", expect=403, reason="x")["reason"] == "nobody-above"
    assert world.act(province, "hand-outside", note="已面交中央纪委信访室")["state"] == "outside"
    assert seen(world, province) == NOTHING
    assert world.case.see(world.own)["title"] == "已转有关部门"


# Who may be let in.


@pytest.mark.parametrize("username", [OTHER_COUNTY, "huzhou.discipline.head"])
def test_nobody_of_another_county_or_city_is_let_in_although_they_hold_a_discipline_post(clue, username):
    if not clue.session.scalar(text("SELECT count(*) FROM staff_accounts WHERE username = :u"), {"u": username}):
        username = OTHER_COUNTY
    clue.give(username, expect=422)
    clue.act(HEAD, "verify-realname", note="x")
    clue.act(HEAD, "accept")
    clue.act(HEAD, "assign", expect=422, handler_id=clue.account(username))
    assert seen(clue, username) == NOTHING


def test_who_may_not_assign_learns_nothing_of_who_has_a_part_in_it(world):
    world.file(accused_org_ids=[str(members(world.session, "奉化区纪委监委派驻第三纪检监察组"))])
    world.route("shangtian.office")
    world.act(CITY, "receive")
    world.give("ningbo.discipline", by=CITY)
    world.act(CITY, "mark-anonymous")
    world.act(CITY, "accept")
    for somebody in ("fenghua.group", COUNTY, "admin"):
        refused = world.act("ningbo.discipline", "assign", expect=403, handler_id=world.account(somebody))
        assert refused["reason"] == "not-head-in-charge"


# False accusation.


def test_a_false_accusation_is_approved_by_no_head_below_the_city_whoever_stands_on_the_list(clue):
    clue.concluded()
    clue.give(COUNTY)
    clue.act(HANDLER, "propose-false-accusation", reason="捏造事实")
    for username, reason in ((HEAD, "city-level-needed"), (COUNTY, "city-level-needed"), (HANDLER, "city-level-needed")):
        for event in ("approve-false-accusation", "refuse-false-accusation"):
            assert clue.act(username, event, expect=403, reason="x")["reason"] == reason
    for username in ("ningbo.discipline", "admin", "fenghua.office", OTHER_COUNTY):
        clue.act(username, "approve-false-accusation", expect=404, reason="x")
    clue.act(CITY, "approve-false-accusation", reason="证据充分")
    assert clue.act(CITY, "refuse-false-accusation", expect=403, reason="x")["reason"] == "nothing-proposed"
    # Neither the reporter nor the office is told of it here.
    for text_ in (str(clue.case.see(clue.own)), str(clue.case.see(clue.as_staff("shangtian.office")))):
        assert "false" not in text_ and "诬告" not in text_ and "捏造" not in text_


def test_a_head_of_the_city_in_charge_decides_what_somebody_else_proposed(world):
    world.file(accused_org_ids=[str(members(world.session, "奉化区农业农村局"))])
    world.route("fenghua.office")
    world.act(CITY, "receive")
    world.act(CITY, "mark-anonymous")
    world.act(CITY, "accept")
    world.act(CITY, "assign", handler_id=world.account("ningbo.discipline"))
    world.act("ningbo.discipline", "propose-disposal", disposal="closed_clue", opinion="无实据")
    world.act(CITY, "approve-disposal", study="同意")
    world.act(CITY, "conclude", outcome="unfounded", findings="查无此事")
    assert world.act(CITY, "propose-false-accusation", expect=403, reason="x")["reason"] == "separation-of-duties"
    world.act("ningbo.discipline", "propose-false-accusation", reason="捏造事实")
    world.act(CITY, "approve-false-accusation", reason="证据充分")


# Clarification.


@pytest.mark.parametrize("method", ["letter_or_talk", "notice_to_committee", "notice_within_range"])
def test_a_name_is_cleared_by_each_method_and_approved_by_the_head_in_charge_alone(clue, method):
    clue.concluded()
    clue.give(COUNTY)
    clue.act(HANDLER, "propose-clarification", expect=422, method="gossip", text="x")
    clue.act(HANDLER, "propose-clarification", method=method, text="向其所在单位说明")
    for username in (HANDLER, COUNTY):
        assert clue.act(username, "approve-clarification", expect=403)["reason"] == "not-head-in-charge"
    assert clue.act(HANDLER, "propose-clarification", expect=403, method=method, text="x")["reason"] == "already-proposed"
    clue.act(HEAD, "approve-clarification")
    assert clue.see(HEAD)["clarification"] == "approved"
    assert "向其所在单位说明" not in str(clue.see(HEAD)) and "向其所在单位说明" not in str(clue.case.see(clue.own))


def test_nothing_is_cleared_where_something_was_found(clue):
    clue.concluded("founded")
    refused = clue.act(HANDLER, "propose-clarification", expect=403, method="letter_or_talk", text="x")
    assert refused["reason"] == "not-unfounded"


# Whoever may not know can not tell a clue from none.


def facts_of(shape, account):
    """What a step asks for, made up."""
    made = {}
    for name, field in shape().fields.items():
        choices = getattr(field.validate, "choices", None)
        made[name] = choices[0] if choices else account if isinstance(field, fields.UUID) else "核对材料"
    return made


@pytest.mark.slow
@pytest.mark.parametrize("username", ["shangtian.office", COUNTY, OTHER_COUNTY, "fenghua.group", "admin", "auditor", HANDLER])
def test_every_route_answers_alike_for_a_clue_and_for_none(world, app, username):
    # HANDLER stood on the list and has to withdraw; the heads of the county are of no concern to a township's matter.
    world.file()
    world.route()
    world.give(HANDLER)
    world.session.execute(
        text("UPDATE clues SET excluded_ids = excluded_ids || CAST(:a AS uuid)"), {"a": world.account(HANDLER)}
    )
    world.session.commit()
    headers, account, real, none = world.as_staff(username), world.account(COUNTY), world.id, str(UUID(int=7))
    routes = [("GET", "", None), ("GET", "/candidates", None), ("POST", "/readers", {"account_id": account})]
    routes += [("POST", f"/readers/{account}/actions/remove", None), ("POST", "/messages", {"body": "核对"})]
    routes += [("POST", "/actions/open-text", {"purpose": "核实检举内容"})]
    routes += [
        ("POST", f"/actions/{event.replace('_', '-')}", facts_of(shape, account)) for event, shape in ACTIONS.items()
    ]
    counted = count_statements(app)
    for method, path, body in routes:
        answers = []
        for number in (real, none):
            counted.clear()
            sent = {**headers, **(world.new_key() if method == "POST" else {})}
            answer = world.client.open(f"/api/v1/clues/{number}{path}", method=method, json=body, headers=sent)
            shown = {name: value for name, value in answer.headers.items() if name not in ("X-Request-Id", "Date")}
            answers.append((answer.status_code, answer.get_data(), shown, len(counted)))
        assert answers[0] == answers[1], path
        assert answers[0][0] == 404, (path, answers[0])
    assert seen(world, username) == NOTHING
