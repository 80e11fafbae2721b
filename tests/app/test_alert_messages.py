"""Who hears of a step of an alert."""

import pytest

from app.messages.service import deliver_due
from tests.app.test_alerts import Walk


@pytest.fixture
def walk(worker_app, db_session, client, as_staff):
    return Walk(worker_app, db_session, client, as_staff)


def heard(walk, template):
    with walk.worker():
        assert deliver_due().failed == 0
    rows = walk.rows("SELECT a.username, i.template FROM inbox i JOIN staff_accounts a ON a.id = i.account_id WHERE i.template LIKE :t", t=f"{template}.%")
    return {(one.username, one.template.rpartition(".")[2]) for one in rows}


def test_body_and_those_above_hear_that_an_alert_was_sent_and_the_unit_only_of_its_question(walk):
    alert = walk.checking()
    assert heard(walk, "alert_auto_dispatch") == {
        ("shangtian.discipline", "alert_body"), ("shangtian.discipline.head", "alert_body"),
        ("fenghua.discipline", "alert_above"), ("fenghua.discipline.head", "alert_above"),
    }  # fmt: skip
    # Who took the step knows of it.
    assert heard(walk, "alert_start_check") == {("fenghua.discipline", "alert_checkers")}
    walk.act("shangtian.discipline", alert, "ask-explanation", {"question": "请说明。", "shown": ["项目:道路"]})
    assert heard(walk, "alert_ask_explanation") == {("shangyi.clerk", "alert_unit")}
    serial = walk.rows()[0].serial
    assert serial in str(walk.get("shangyi.clerk", "/inbox")["items"])
