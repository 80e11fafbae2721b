"""Intake: danger, cases written down for somebody else, children, scans, joint meetings."""

import base64
from datetime import timedelta

import pytest
from sqlalchemy import text

from app import clock
from tests.app.test_petition_story import Case, a_village, draft, org

SHANGYI = "330213007213"
INTAKE = "/api/v1/intake/petitions"


def holder(client, receipt):
    """Headers of whoever holds the receipt."""
    answer = client.post("/api/v1/auth/receipt/sign-in", json={"serial": receipt["serial"], "pin": receipt["pin"]})
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return {"Authorization": f"Bearer {answer.json['access_token']}"}


@pytest.fixture
def filed(client, db_session, new_key):
    """Files through the public door; returns (case, receipt)."""

    def file(expect=201, **more):
        sent = client.post("/api/v1/petitions", json=draft(a_village(db_session), **more), headers=new_key())
        assert sent.status_code == expect, sent.get_data(as_text=True)
        return (Case(client, sent.json["id"]), sent.json) if expect == 201 else sent.json

    return file


@pytest.fixture
def taken_in(client, as_staff, new_key):
    """Files through the intake desk as a member of staff; returns (case, receipt)."""

    def take(username, expect=201, **more):
        body = {**draft(SHANGYI), "channel": "helper", **more}
        sent = client.post(INTAKE, json=body, headers={**as_staff(username), **new_key()})
        assert sent.status_code == expect, sent.get_data(as_text=True)
        return (Case(client, sent.json["id"]), sent.json) if expect == 201 else sent.json

    return take


def given_out(case, as_staff, db_session, **registration):
    office = as_staff("shangtian.office")
    case.act(office, "register", **registration)
    case.act(office, "accept")
    return case.act(office, "dispatch", main_org_id=org(db_session, "shangtian.discipline"))


def hours(view, policy):
    """How long a running limit lasts from now, in whole hours."""
    due = next(one["due_at"] for one in view["promises"] if one["policy"] == policy)
    return round((clock.datetime.fromisoformat(due) - clock.now()) / timedelta(hours=1))


# --- danger ----------------------------------------------------------------------------------------------------------


def test_danger_begins_as_p0_and_starts_the_short_limits(filed, as_staff, db_session):
    case, _receipt = filed(in_danger=True)
    view = given_out(case, as_staff, db_session)
    assert view["priority"] == "P0"
    assert (hours(view, "PT-15"), hours(view, "PT-14")) == (2, 2)


def test_without_danger_the_case_is_ordinary_and_signed_for_within_a_day(filed, as_staff, db_session):
    case, _receipt = filed()
    view = given_out(case, as_staff, db_session)
    assert view["priority"] == "P2"
    assert hours(view, "PT-15") > 4


def test_a_petitioner_can_not_choose_a_priority(filed):
    assert filed(expect=422, priority="P0")["errors"]["priority"]


def test_staff_correct_the_priority_at_registration_with_a_reason_on_the_timeline(client, filed, as_staff, db_session):
    case, receipt = filed(in_danger=True)
    refused = case.act(as_staff("shangtian.office"), "register", expect=422, priority="P2")
    assert list(refused["errors"]) == ["reason"]
    view = given_out(case, as_staff, db_session, priority="P2", reason="已电话核实,没有人身危险")
    assert view["priority"] == "P2" and hours(view, "PT-15") > 4
    told = next(one for one in case.see(holder(client, receipt))["timeline"] if one["event"] == "register")
    assert told["facts"]["reason"] == "已电话核实,没有人身危险"


def test_a_corrected_priority_moves_no_limit_that_runs(filed, as_staff):
    office = as_staff("shangtian.office")
    kept = {}
    for correction in ({}, {"priority": "P2", "reason": "没有危险"}):
        case, _receipt = filed(in_danger=True)
        before = {one["policy"]: one["due_at"] for one in case.see(office)["promises"]}
        after = {one["policy"]: one["due_at"] for one in case.act(office, "register", **correction)["promises"]}
        kept[bool(correction)] = {policy for policy in before if after.get(policy) == before[policy]}
    assert kept[True] == kept[False] != set()


# --- written down by somebody else -----------------------------------------------------------------------------------


@pytest.mark.parametrize("channel", ["phone", "visit", "helper"])
def test_what_somebody_else_wrote_down_waits_for_the_petitioner(client, taken_in, as_staff, channel):
    case, receipt = taken_in("shangyi.grid", channel=channel)
    office = as_staff("shangtian.office")
    assert case.see(office)["confirmed_at"] is None
    answer = client.post(f"/api/v1/petitions/{case.id}/confirmation", headers=holder(client, receipt))
    assert answer.status_code == 200 and answer.json["confirmed_at"]
    assert [one["event"] for one in case.see(office)["timeline"]] == ["file", "confirm_record"]


def test_a_confirmation_does_not_hide_the_silence_of_the_office(client, taken_in, db_session):
    case, receipt = taken_in("shangyi.grid")
    silence = text("SELECT last_visible_at, version FROM petitions WHERE id = :id")
    since, version = db_session.execute(silence, {"id": case.id}).one()
    db_session.rollback()
    client.post(f"/api/v1/petitions/{case.id}/confirmation", headers=holder(client, receipt))
    assert db_session.execute(silence, {"id": case.id}).one() == (since, version + 1)


@pytest.mark.parametrize("channel", ["letter", "fax"])
def test_the_petitioners_own_writing_needs_no_confirmation(taken_in, as_staff, channel):
    case, _receipt = taken_in("shangtian.office", channel=channel)
    assert case.see(as_staff("shangtian.office"))["confirmed_at"]


def test_a_disputed_record_stays_unconfirmed_and_staff_read_what_was_really_said(client, taken_in, as_staff, new_key):
    case, receipt = taken_in("shangyi.grid")
    own = holder(client, receipt)
    path = f"/api/v1/petitions/{case.id}/disputes"
    sent = client.post(path, json={"body": "我说的是三亩,不是一百亩。"}, headers={**own, **new_key()})
    assert sent.status_code == 201, sent.get_data(as_text=True)
    view = case.see(as_staff("shangtian.office"))
    assert view["confirmed_at"] is None
    assert [one["body"] for one in view["messages"]] == ["我说的是三亩,不是一百亩。"]
    assert "dispute_record" in [one["event"] for one in view["timeline"]]
    client.post(f"/api/v1/petitions/{case.id}/confirmation", headers=own)
    again = client.post(path, json={"body": "又不对了"}, headers={**own, **new_key()})
    assert (again.status_code, again.json["type"]) == (409, "/problems/already-confirmed")


def test_nobody_but_the_petitioner_confirms_or_disputes(client, taken_in, as_staff, new_key):
    case, _receipt = taken_in("shangyi.grid")
    for path, body in (("confirmation", None), ("disputes", {"body": "不对"})):
        for username in ("shangyi.grid", "shangtian.office"):
            answer = client.post(
                f"/api/v1/petitions/{case.id}/{path}", json=body, headers={**as_staff(username), **new_key()}
            )
            assert answer.status_code == 403, path


def test_a_grid_worker_sees_what_they_wrote_down_until_it_is_given_out_and_nothing_else(
    client, filed, taken_in, as_staff, db_session
):
    grid = as_staff("shangyi.grid")
    other, _receipt = filed()
    case, _receipt = taken_in("shangyi.grid")
    other.see(grid, expect=404)
    assert case.see(grid)["people"] == [], "identity is for those who handle the case"
    case.see(as_staff("shangyi.clerk"), expect=404)
    assert [one["id"] for one in client.get("/api/v1/petitions", headers=grid).json["items"]] == [case.id]
    given_out(case, as_staff, db_session)
    case.see(grid, expect=404)


@pytest.mark.parametrize("username", ["shangyi.grid", "shangyi.supervisor", "shangtian.office", "fenghua.office"])
def test_whoever_registered_a_case_attaches_its_scan(client, taken_in, as_staff, username):
    case, _receipt = taken_in(username, channel="letter")
    name = base64.b64encode(b"letter.jpg").decode()
    headers = {
        **as_staff(username),
        "Tus-Resumable": "1.0.0",
        "Upload-Length": "10",
        "Upload-Metadata": f"filename {name}",
    }
    answer = client.post(f"/api/v1/petitions/{case.id}/uploads", headers=headers)
    assert answer.status_code == 201, answer.get_data(as_text=True)


def test_a_helper_records_neither_money_nor_meetings(client, taken_in, as_staff, db_session, new_key):
    case, _receipt = taken_in("shangyi.grid")
    headers = {**as_staff("shangyi.grid"), **new_key()}
    money = {"kind": "recovered", "amount_fen": 100, "on": "2026-01-01"}
    assert client.post(f"/api/v1/petitions/{case.id}/money", json=money, headers=headers).status_code == 403


def test_a_sixth_representative_is_refused_and_five_are_kept(taken_in, as_staff):
    people = [{"name": f"代表{n}"} for n in range(6)]
    assert "representatives" in taken_in("shangyi.grid", expect=422, people_count=40, representatives=people)["errors"]
    case, _receipt = taken_in("shangyi.grid", people_count=40, representatives=people[:5])
    parts = [one["part"] for one in case.see(as_staff("shangtian.office"))["people"]]
    assert parts.count("representative") == 5


# --- children --------------------------------------------------------------------------------------------------------


def test_a_child_files_with_a_guardian_who_can_be_reached(filed, as_staff):
    assert "guardian" in filed(expect=422, under_14=True)["errors"]
    case, receipt = filed(under_14=True, guardian="陈大伯", guardian_phone="13800000099", phone=None)
    people = case.see(as_staff("shangtian.office"))["people"]
    assert {"part": "guardian", "name": "陈大伯", "phone": "13800000099", "address": None} in people
    assert "PT-02" in [one["policy"] for one in receipt["promises"]], "the guardian is told in writing"


def test_a_child_without_a_guardian_can_file_without_a_name(filed, as_staff):
    case, _receipt = filed(under_14=True, way="anonymous", name=None, phone=None)
    assert case.see(as_staff("shangtian.office"))["people"] == []


# --- joint meetings --------------------------------------------------------------------------------------------------


def test_minutes_are_read_by_staff_with_the_bodies_by_name_and_by_no_petitioner(
    client, filed, as_staff, db_session, new_key
):
    case, receipt = filed()
    office = as_staff("shangtian.office")
    bodies = [org(db_session, name) for name in ("shangtian.discipline", "fenghua.agri")]
    held = clock.now() - timedelta(hours=1)
    meeting = {"held_at": held.isoformat(), "org_ids": bodies, "minutes": "限期补缴租金。"}
    path = f"/api/v1/petitions/{case.id}/meetings"
    assert client.post(path, json=meeting, headers={**office, **new_key()}).status_code == 201
    (shown,) = case.see(office)["meetings"]
    assert clock.datetime.fromisoformat(shown["held_at"]) == held and shown["minutes"] == "限期补缴租金。"
    assert len(shown["bodies"]) == 2 and "奉化区农业农村局" in shown["bodies"]
    seen = case.see(holder(client, receipt))
    assert seen["meetings"] == [] and "限期补缴租金" not in str(seen)
    (told,) = [one for one in seen["timeline"] if one["event"] == "hold_meeting"]
    assert told["facts"] == {}


def test_a_meeting_of_a_body_that_does_not_exist_is_refused(client, filed, as_staff, new_key):
    case, _receipt = filed()
    meeting = {"held_at": clock.now().isoformat(), "org_ids": [case.id], "minutes": "无。"}
    path = f"/api/v1/petitions/{case.id}/meetings"
    answer = client.post(path, json=meeting, headers={**as_staff("shangtian.office"), **new_key()})
    assert answer.status_code == 422 and "org_ids" in answer.json["errors"]


def test_the_database_itself_keeps_minutes_from_a_petitioner(app, client, filed, as_staff, db_session, new_key):
    case, receipt = filed()
    meeting = {
        "held_at": clock.now().isoformat(), "minutes": "限期补缴租金。",
        "org_ids": [org(db_session, "shangtian.discipline")],
    }  # fmt: skip
    path = f"/api/v1/petitions/{case.id}/meetings"
    assert client.post(path, json=meeting, headers={**as_staff("shangtian.office"), **new_key()}).status_code == 201
    from app.auth import VISITOR
    from app.database import transaction
    from app.extensions import db

    with transaction(VISITOR, petition_id=receipt["id"]):
        assert db.session.scalar(text("SELECT count(*) FROM petitions")) == 1
        assert db.session.scalar(text("SELECT count(*) FROM meetings")) == 0
