"""What an alert costs in statements, whatever hangs on it and however many there are."""

import json
from pathlib import Path

import pytest

from app import count_statements
from tests.app.alert_world import Alerts, hit
from tests.app.test_alerts import Walk

BUDGETS = json.loads((Path(__file__).parent.parent / "budgets.json").read_text(encoding="utf-8"))


@pytest.fixture
def walk(worker_app, db_session, client, as_staff):
    return Walk(worker_app, db_session, client, as_staff)


def within(counted, route, answer, status=200):
    assert answer.status_code == status, answer.get_data(as_text=True)
    assert len(counted) <= BUDGETS[route], f"{route} cost {len(counted)}:\n" + "\n".join(one.strip()[:100] for one in counted)
    return len(counted)


def test_a_list_of_alerts_costs_the_same_for_one_and_for_fifty(walk, app, client):
    headers = walk.as_staff("fenghua.discipline")
    costs = []
    for many in (1, 50):
        walk.fold(*[hit(f"P-{many}-{n}", n, colour="red") for n in range(many)])
        walk.sweep()
        client.get("/api/v1/alerts?limit=50", headers=headers)
        counted = count_statements(app)
        costs.append(within(counted, "alerts", client.get("/api/v1/alerts?limit=50", headers=headers)))
    assert costs[0] == costs[1]


def test_one_alert_and_a_step_of_it_stay_within_their_budgets(walk, app, client):
    alert = walk.struck_off()
    headers = walk.as_staff("fenghua.discipline")
    client.get(f"/api/v1/alerts/{alert}", headers=headers)
    counted = count_statements(app)
    within(counted, "alert", client.get(f"/api/v1/alerts/{alert}", headers=headers))
    counted.clear()
    within(counted, "alert_action", client.post(f"/api/v1/alerts/{alert}/actions/rate", json={"verdict": "A"}, headers=headers))


def test_a_pushed_alert_costs_one_statement(worker_app, db_session, app, client):
    key = Alerts(worker_app, db_session).source()
    draft = {
        "rule_code": "EXT-1", "rule_name": "审计疑点", "place": "330213007213", "colour": "red",
        "evidence": [{"reference": "A-1", "dataset": "audit_finding"}],
    }  # fmt: skip
    client.post("/api/v1/alerts", json={**draft, "alert_key": "0"}, headers=key)
    counted = count_statements(app)
    within(counted, "alert_push", client.post("/api/v1/alerts", json={**draft, "alert_key": "1"}, headers=key), 201)
