"""Intake: joint meetings."""

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
