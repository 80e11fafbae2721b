"""The pages of alerts: sign in, the list, one alert with both rows of its evidence."""

import re

import pytest

from tests.app.alert_world import RULE, Subjects, hit
from tests.app.test_alerts import Walk
from tests.conftest import PASSWORD


@pytest.fixture
def walk(worker_app, db_session, client, as_staff):
    return Walk(worker_app, db_session, client, as_staff)


@pytest.fixture
def records(walk):
    """Two versions of one record, as the records feature stores them."""
    walk.run(
        "INSERT INTO records.gc_project (row_id, source, source_key, version, place, event_on, arrived_at, superseded_at, withdrawn, unreadable, "
        "project_no, plan_start, budget) VALUES "
        "(1, '农经平台', 'P-1', 1, '330213007213', '2026-03-01', now(), now(), false, '', 'P-1', '2026-03-01', 289000000), "
        "(2, '农经平台', 'P-1', 2, '330213007213', '2026-03-09', now(), NULL, false, '', 'P-1', '2026-03-09', 289000000)"
    )


def words(answer):
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", answer.get_data(as_text=True)))


def signed_in(walk, username="fenghua.discipline"):
    answer = walk.client.post("/p/office", data={"username": username, "password": PASSWORD})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/p/office/alerts")
    cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie and "SameSite=Strict" in cookie and "Path=/p/office" in cookie
    return walk.client


def test_a_wrong_password_signs_nobody_in(walk):
    answer = walk.client.post("/p/office", data={"username": "fenghua.discipline", "password": "no"})
    assert answer.status_code == 401 and "不对" in answer.get_data(as_text=True)
    assert walk.client.get("/p/office/alerts").status_code == 401


def test_both_rows_stand_side_by_side_as_they_were_found(walk, records):
    alert = walk.raised(hit(row_id=1, part="开工", colour="red"), hit(row_id=2, part="中标", colour="red", money_fen=289_000_000))
    shown = words(signed_in(walk).get(f"/p/office/alerts/{alert}"))
    for said in ("先建后批", "项目编号 P-1", "2026年3月1日: 计划开工", "2026年3月9日: 计划开工", "¥2,890,000.00", "来源: 农经平台", "规则版本: 1", "需要核实"):
        assert said in shown, said
    # The first version was corrected at its source; what was found is still there.
    assert shown.count("来源后来改过") == 1
    api = walk.get("fenghua.discipline", f"/alerts/{alert}")
    assert [(one["part"], one["version"], one["superseded_at"] is None) for one in api["evidence"]] == [("中标", 2, True), ("开工", 1, False)]


def test_a_list_shows_what_its_reader_may_see_and_leaves_with_them(walk):
    walk.raised()
    serial = walk.rows()[0].serial
    phone = signed_in(walk)
    assert serial in words(phone.get("/p/office/alerts")) and serial not in words(phone.get("/p/office/alerts?colour=blue"))
    assert serial not in words(phone.get("/p/office/alerts?done=1"))
    assert phone.post("/p/office/sign-out").status_code == 303
    assert phone.get("/p/office/alerts").status_code == 401
    other = signed_in(walk, "wuxing.discipline")
    assert "没有可以查看的预警" in words(other.get("/p/office/alerts"))
    assert other.get(f"/p/office/alerts/{walk.rows()[0].id}").status_code == 404


def test_a_row_of_no_dataset_here_says_so_and_innocent_causes_are_named(walk):
    from dataclasses import replace

    document = {**RULE.document, "innocent": [{"zh": "应急抢险", "en": "Emergency works"}], "basis": ["TB 46"]}
    walk.fold(hit(row_id=5, colour="red"), rule=replace(RULE, document=document), subjects={"P-1": Subjects()})
    walk.sweep()
    shown = words(signed_in(walk).get(f"/p/office/alerts/{walk.rows()[0].id}"))
    assert "您无权查看此条数据的内容" in shown and "应急抢险" in shown and "TB 46" in shown
    assert "Emergency works" in words(walk.client.get(f"/p/office/alerts/{walk.rows()[0].id}?lang=en"))
