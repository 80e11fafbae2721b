"""The dossier of a case above the province: who may print it, what it holds, and that every reading is noted."""

import html
import re
from datetime import timedelta

import pytest

from app.supervision import sweeps
from tests.app.cases import Cases
from tests.app.test_petition_story import answered

BAD = {"grade": "dissatisfied", "office_grade": "basic", "reason": "钱没有到账 <b>至今</b>"}


@pytest.fixture
def cases(app, worker_app, db_session):
    return Cases(app, worker_app, db_session)


@pytest.fixture
def external(client, db_session, as_staff, new_key, cases, worker_app):
    """A case that was answered badly, rated dissatisfied, and left to lie until it left the province."""
    case, own, receipt, _head = answered(client, db_session, as_staff, new_key)
    case.act(as_staff("shangtian.discipline.head"), "approve-reply")
    case.act(as_staff("shangtian.office"), "deliver", proof="当面送达")
    case.act(own, "rate", **BAD)
    for _ in range(8):
        cases.travel(timedelta(days=20))
        with worker_app.app_context():
            sweeps.sweep_due()
        if cases.row(case.id).state == "external":
            break
    return case, receipt


def read(client, case, headers):
    return client.get(f"/api/v1/petitions/{case.id}/dossier", headers=headers)


def words(page):
    return " ".join(html.unescape(re.sub(r"<style>.*?</style>|<[^>]+>", " ", page.text, flags=re.DOTALL)).split())


def test_the_dossier_holds_replies_ratings_handlers_and_missed_deadlines(client, external, as_staff):
    case, receipt = external
    page = read(client, case, as_staff("zhejiang.office"))
    assert page.status_code == 200 and page.mimetype == "text/html", page.text
    told = words(page)
    for expected in (
        receipt["serial"], "国家信访局", "土地租金多年未收到", "租金拖欠属实", "民法典", "钱没有到账 <b>至今</b>",
        "王某", "13800000001", "不满意 dissatisfied", "尚田街道纪工委", "督办回复", "予以支持 supported",
    ):  # fmt: skip
        assert expected in told, expected
    assert "申请复查 Right to ask for review" not in told, "a right that lapsed is nobody's missed deadline"
    assert "<b>至今" not in page.text
    assert not re.search(r"<script|javascript:|(?:href|src)=", page.text)
    assert "size: A4" in page.text and "default-src 'none'" in page.headers["Content-Security-Policy"]


def test_the_names_of_those_who_handled_and_approved_stand_in_the_dossier(client, external, as_staff, db_session):
    from sqlalchemy import text

    told = words(read(client, external[0], as_staff("zhejiang.office")))
    for username in ("shangtian.discipline", "shangtian.discipline.head"):
        name = text("SELECT name FROM staff_accounts WHERE username = :u")
        assert db_session.execute(name, {"u": username}).scalar_one() in told


def test_every_reading_is_noted_where_the_petitioner_does_not_see_it(client, external, as_staff):
    case, receipt = external
    desk = as_staff("zhejiang.office")
    for _ in range(2):
        assert read(client, case, desk).status_code == 200
    assert [one["event"] for one in case.see(desk)["timeline"]].count("print_dossier") == 2
    token = client.post("/api/v1/auth/receipt/sign-in", json={"serial": receipt["serial"], "pin": receipt["pin"]})
    seen = case.see({"Authorization": f"Bearer {token.json['access_token']}"})
    assert "print_dossier" not in [one["event"] for one in seen["timeline"]]


@pytest.mark.parametrize(
    ("username", "status"), [("fenghua.office", 403), ("ningbo.office", 403), ("wuxing.office", 404), ("auditor", 404)]
)
def test_nobody_but_a_provincial_desk_prints_it(client, external, as_staff, username, status):
    assert read(client, external[0], as_staff(username)).status_code == status
    assert "print_dossier" not in [one["event"] for one in external[0].see(as_staff("zhejiang.office"))["timeline"]]


def test_a_case_below_has_no_dossier(client, db_session, as_staff, new_key):
    case, *_more = answered(client, db_session, as_staff, new_key)
    refused = read(client, case, as_staff("zhejiang.office"))
    assert (refused.status_code, refused.json["type"]) == (409, "/problems/not-with-external")


def test_an_anonymous_case_that_nobody_handled_makes_a_dossier_too(client, cases, worker_app, as_staff):
    case_id = cases.file(way="anonymous")
    for _ in range(8):
        cases.travel(timedelta(days=20))
        with worker_app.app_context():
            sweeps.sweep_due()
        if cases.row(case_id).state == "external":
            break
    page = client.get(f"/api/v1/petitions/{case_id}/dossier", headers=as_staff("zhejiang.discipline"))
    assert page.status_code == 200
    assert "Anonymous" in words(page) and "It was given to no body." in words(page)
