"""How many SQL statements a request may cost. The numbers stand in tests/budgets.json; raising one needs an ADR line."""

import json
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import event, text

from app import count_statements
from app.extensions import db

BUDGETS = json.loads((Path(__file__).parent.parent / "budgets.json").read_text(encoding="utf-8"))


def draft(place, n=0):
    return {"division_code": place, "title": f"第 {n} 件", "body": "正文若干字。", "name": "王某", "phone": "13800000001"}


@pytest.fixture
def place(db_session):
    return db_session.execute(
        text("SELECT min(code) FROM divisions WHERE level = 5 AND code LIKE '330213007%'")
    ).scalar_one()


@pytest.fixture
def counted(app, client, place, as_staff, new_key):
    """The list of statements so far, on a warm process: calendar read, connection open, caches filled."""
    receipt = client.post("/api/v1/petitions", json=draft(place), headers=new_key())
    assert receipt.status_code == 201
    headers = as_staff("shangtian.office")
    client.get("/api/v1/petitions", headers=headers)
    client.get(f"/api/v1/petitions/{receipt.json['id']}", headers=headers)
    return count_statements(app)


def file_many(client, place, new_key, many):
    made = [client.post("/api/v1/petitions", json=draft(place, n), headers=new_key()) for n in range(many)]
    assert {one.status_code for one in made} <= {201}
    return [one.json["id"] for one in made]


def cost(counted, route, answer, status=200):
    """Statements of one answer, held against the budget of its route."""
    seen = list(counted)
    assert answer.status_code == status, answer.get_data(as_text=True)
    assert any("set_config" in one for one in seen), "the statement that sets the actor is counted too"
    assert len(seen) <= BUDGETS[route], f"{route} cost {len(seen)}:\n" + "\n".join(one.strip()[:100] for one in seen)
    return len(seen)


def test_a_filing_stays_within_its_budget(client, counted, place, new_key):
    counted.clear()
    answer = client.post("/api/v1/petitions", json=draft(place), headers=new_key())
    cost(counted, "filing", answer, 201)


def test_naming_people_costs_neither_the_filing_nor_the_dispatch_a_statement(client, counted, place, new_key, as_staff, db_session):
    # 毛定国 sits on a village committee and has a brother in the office of the township.
    named = {"accused": [{"name": "毛定国"}], "keep_from": [{"name": "方红"}]}
    costs, body = {}, ""
    for kind, more in (("plain", {}), ("named", named)):
        counted.clear()
        answer = client.post("/api/v1/petitions", json={**draft(place), **more}, headers=new_key())
        costs[kind] = [cost(counted, "filing", answer, 201)]
        body = body or str(db_session.scalar(text("SELECT org_id FROM appointments p JOIN staff_accounts a ON a.id = p.account_id WHERE a.username = 'fenghua.land'")))
        for action, facts in (("register", {}), ("accept", {}), ("dispatch", {"main_org_id": body})):
            headers = as_staff("fenghua.head")
            counted.clear()
            path = f"/api/v1/petitions/{answer.json['id']}/actions/{action}"
            costs[kind].append(cost(counted, "action", client.post(path, json=facts, headers=headers)))
    assert costs["named"] == costs["plain"]
    assert db_session.execute(text("SELECT count(*) FROM exclusions")).scalar_one() > 1


@pytest.mark.parametrize("route", ["list", "search", "orders", "desk", "statistics"])
def test_a_list_costs_the_same_for_one_row_and_for_fifty(client, counted, place, as_staff, new_key, route):
    path = {
        "list": "/api/v1/petitions?open=true&limit=50",
        "search": "/api/v1/petitions/search?q=正文",
        "orders": "/api/v1/supervision/orders",
        "desk": "/api/v1/supervision/desk",
        "statistics": "/api/v1/statistics/petitions",
    }[route]
    headers = as_staff("fenghua.office")
    client.get(path, headers=headers)
    costs = []
    for many in (0, 49):
        file_many(client, place, new_key, many)
        counted.clear()
        answer = client.get(path, headers=headers)
        costs.append(cost(counted, route, answer))
        if route in ("list", "search"):
            assert len(answer.json["items"]) == many + 1
    assert costs[0] == costs[1]


def test_a_detail_costs_the_same_with_one_event_and_with_fifty_messages(client, counted, place, as_staff, new_key):
    (case,) = file_many(client, place, new_key, 1)
    headers = as_staff("shangtian.office")
    counted.clear()
    one = cost(counted, "detail", client.get(f"/api/v1/petitions/{case}", headers=headers))
    for n in range(50):
        sent = client.post(
            f"/api/v1/petitions/{case}/messages", json={"body": f"第 {n} 条"}, headers={**headers, **new_key()}
        )
        assert sent.status_code == 201, sent.get_data(as_text=True)
    counted.clear()
    answer = client.get(f"/api/v1/petitions/{case}", headers=headers)
    assert cost(counted, "detail", answer) == one
    assert len(answer.json["messages"]) == 50


def way_to_an_answer(db_session):
    """Who does what, from registering a case of Shangtian to the delivery of its answer."""
    body = str(
        db_session.execute(
            text(
                "SELECT p.org_id FROM appointments p JOIN staff_accounts a ON a.id = p.account_id "
                "WHERE a.username = 'shangtian.discipline'"
            )
        ).scalar_one()
    )
    return [
        ("shangtian.office", "register", {}),
        ("shangtian.office", "accept", {}),
        ("shangtian.office", "dispatch", {"main_org_id": body}),
        ("shangtian.discipline", "sign", {}),
        ("shangtian.discipline", "start", {"note": "已联系"}),
        ("shangtian.discipline", "submit-reply", {"findings": "属实", "legal_basis": "民法典", "outcome": "supported"}),
        ("shangtian.discipline.head", "approve-reply", {}),
        ("shangtian.office", "deliver", {"proof": "当面"}),
    ]


def test_every_action_of_the_way_to_an_answer_stays_within_its_budget(client, counted, place, as_staff, new_key, db_session):
    receipt = client.post("/api/v1/petitions", json=draft(place), headers=new_key()).json
    case = receipt["id"]
    for username, action, facts in way_to_an_answer(db_session):
        headers = as_staff(username)
        counted.clear()
        cost(counted, "action", client.post(f"/api/v1/petitions/{case}/actions/{action}", json=facts, headers=headers))
    # The dearest of all has a budget of its own: the case goes up, with a supervision order and its message.
    token = client.post("/api/v1/auth/receipt/sign-in", json={name: receipt[name] for name in ("serial", "pin")}).json
    bad = {"grade": "dissatisfied", "office_grade": "basic", "reason": "没有解决"}
    headers = {"Authorization": f"Bearer {token['access_token']}"}
    counted.clear()
    cost(counted, "escalation", client.post(f"/api/v1/petitions/{case}/actions/rate", json=bad, headers=headers))


def test_the_papers_of_a_case_cost_the_same_for_one_and_for_two(client, counted, place, as_staff, new_key, db_session):
    (case,) = file_many(client, place, new_key, 1)
    path, reader, costs = f"/api/v1/petitions/{case}/papers", as_staff("shangtian.office"), []
    for username, action, facts in way_to_an_answer(db_session):
        client.post(f"/api/v1/petitions/{case}/actions/{action}", json=facts, headers=as_staff(username))
        if action in ("accept", "deliver"):
            made = client.get(path, headers=reader).json["items"]
            assert len(made) == len(costs) + 1
            counted.clear()
            costs.append(cost(counted, "papers", client.get(path, headers=reader)))
            counted.clear()
            cost(counted, "papers", client.get(made[-1]["url"], headers=reader))
    assert costs[0] == costs[1]


def test_no_request_opens_a_connection(app, client, counted, place, as_staff, new_key):
    opened = []
    event.listen(db.engine, "connect", lambda *_: opened.append(1))
    headers = as_staff("shangtian.office")
    opened.clear()
    for _ in range(5):
        (case,) = file_many(client, place, new_key, 1)
        assert client.get("/api/v1/petitions", headers=headers).status_code == 200
        assert client.get(f"/api/v1/petitions/{case}", headers=headers).status_code == 200
        assert client.post(f"/api/v1/petitions/{case}/actions/register", json={}, headers=headers).status_code == 200
    assert opened == []
    assert db.engine.pool.checkedout() <= 1, "a request keeps its connection"


def test_no_list_counts_all_rows(client, counted, as_staff):
    counted.clear()
    client.get("/api/v1/petitions?limit=1", headers=as_staff("fenghua.office"))
    assert [one for one in counted if "count(*)" in one.lower()] == []


def test_a_refused_request_costs_no_statement_its_plan(client, place, new_key, as_staff):
    """The driver forgets what it has prepared when it rolls back; planning the detail of a case anew takes longer than all else."""
    office, (case,) = as_staff("shangtian.office"), file_many(client, place, new_key, 1)
    for _ in range(8):
        assert client.get(f"/api/v1/petitions/{case}", headers=office).status_code == 200

    def prepared():
        with db.engine.connect() as connection:
            found = set(connection.execute(text("SELECT name FROM pg_prepared_statements WHERE statement LIKE '%case_reads%'")).scalars())
            connection.rollback()
            return found

    before = prepared()
    assert before
    assert client.get(f"/api/v1/petitions/{uuid4()}", headers=office).status_code == 404
    assert prepared() == before
