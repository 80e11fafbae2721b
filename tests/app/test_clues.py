"""The sealed clue track over HTTP, and in SQL as the web role: who may know, and what nobody else finds."""

import json
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from app import calendar_store, clock
from app.clues import sweep
from app.database import transaction
from app.extensions import db
from app.ledger import sequencing, verification
from tests.app.cases import Cases
from tests.app.test_petition_story import Case, draft

VILLAGE = "330213007213"
WORDS = "会计私下把租金转给了亲戚"
TITLE = "村会计转走租金"
HEAD, HANDLER = "shangtian.discipline.head", "shangtian.discipline"


class World:
    """An accusation and what people do with it."""

    def __init__(self, client, session, as_staff, new_key):
        self.client, self.session, self.as_staff, self.new_key = client, session, as_staff, new_key

    def file(self, **more):
        body = draft(VILLAGE, title=TITLE, body=WORDS, item_type="accusation", **more)
        filed = self.client.post("/api/v1/petitions", json=body, headers=self.new_key())
        assert filed.status_code == 201, filed.get_data(as_text=True)
        self.receipt = filed.json
        self.case = Case(self.client, filed.json["id"])
        token = {name: filed.json[name] for name in ("serial", "pin")}
        answer = self.client.post("/api/v1/auth/receipt/sign-in", json=token)
        self.own = {"Authorization": f"Bearer {answer.json['access_token']}"}
        return self

    def route(self, office="shangtian.office", expect=200):
        self.case.act(self.as_staff(office), "register")
        return self.case.act(self.as_staff(office), "route-to-discipline", expect=expect)

    def found(self):
        """The clue as the owner of the tables sees it."""
        self.session.rollback()
        row = self.session.execute(text("SELECT * FROM clues WHERE petition_id = :id"), {"id": self.case.id}).one_or_none()
        self.session.rollback()
        return row

    @property
    def id(self):
        return str(self.found().id)

    def send(self, username, method, path, expect, body=None, **headers):
        url = f"/api/v1/clues{path}"
        sent = {**self.as_staff(username), **(self.new_key() if method == "POST" else {}), **headers}
        answer = self.client.open(url, method=method, json=body, headers=sent)
        assert answer.status_code == expect, (path, answer.status_code, answer.get_data(as_text=True))
        return answer.json

    def act(self, username, event, expect=200, headers=None, **facts):
        return self.send(username, "POST", f"/{self.id}/actions/{event}", expect, facts, **(headers or {}))

    def see(self, username, expect=200):
        return self.send(username, "GET", f"/{self.id}", expect)

    def read(self, username, expect=200):
        return self.act(username, "open-text", expect, purpose="核实检举内容")

    def account(self, username):
        found = self.session.execute(text("SELECT id FROM staff_accounts WHERE username = :u"), {"u": username}).scalar_one()
        self.session.rollback()
        return str(found)

    def give(self, username, by=HEAD, expect=201):
        return self.send(by, "POST", f"/{self.id}/readers", expect, {"account_id": self.account(username)})

    def handled(self):
        """With a handler, who verifies."""
        self.act(HEAD, "verify-realname", note="电话核实")
        self.act(HEAD, "accept")
        self.act(HEAD, "assign", handler_id=self.account(HANDLER))
        self.act(HANDLER, "propose-disposal", disposal="preliminary_verification", opinion="可查")
        self.act(HEAD, "approve-disposal", study="集体研究同意")
        return self

    def concluded(self, outcome="unfounded"):
        self.handled()
        self.act(HEAD, "conclude", outcome=outcome, findings="查无此事")
        return self


@pytest.fixture
def world(client, db_session, as_staff, new_key):
    return World(client, db_session, as_staff, new_key)


@pytest.fixture
def clue(world):
    world.file()
    world.route()
    return world


def everything(session):
    """Every row of every table as text, but for what the tests themselves keep."""
    session.rollback()
    names = session.execute(
        text("SELECT schemaname, tablename FROM pg_tables WHERE schemaname IN ('public', 'sealed')")
    ).all()
    return {
        f"{schema}.{name}": str(session.execute(text(f'SELECT * FROM {schema}."{name}"')).all()) for schema, name in names
    }


# Routing.


def test_what_an_accusation_says_stands_in_no_table_once_it_is_routed(world):
    world.file(accused=[{"name": "毛某某", "post": "会计"}])
    case = f"/api/v1/petitions/{world.case.id}"
    for headers, more in ((world.as_staff("shangtian.office"), {"internal": True}), (world.own, {})):
        sent = world.client.post(f"{case}/messages", json={"body": WORDS, **more}, headers={**headers, **world.new_key()})
        assert sent.status_code == 201
    assert any(WORDS in rows for rows in everything(world.session).values())
    world.route()
    for table, rows in everything(world.session).items():
        for secret in (WORDS, TITLE, "毛某某"):
            assert secret not in rows, table
    opened = world.read(HEAD)
    assert (opened["title"], opened["body"], opened["accused"]) == (TITLE, WORDS, [{"name": "毛某某", "post": "会计"}])
    assert [one["body"] for one in opened["messages"]] == [WORDS, WORDS]
    assert opened["people"][0]["name"] == "王某"


def test_search_and_export_of_the_office_find_nothing_of_it(clue):
    office = clue.as_staff("shangtian.office")
    assert clue.client.get("/api/v1/petitions/search?q=会计", headers=office).json["items"] == []
    listed = clue.client.get("/api/v1/petitions", headers=office).json["items"]
    assert [one["title"] for one in listed] == ["已转有关部门"]
    assert TITLE not in clue.client.get("/api/v1/petitions/export.csv", headers=office).get_data(as_text=True)


def test_the_first_reader_is_the_head_of_the_township_discipline_body_and_nobody_else(clue):
    assert [row["name"] for row in clue.see(HEAD)["readers"]] == ["竺旭东"]
    assert (clue.found().level, clue.found().state) == (4, "sealed")


def members(session, org):
    return session.execute(text("SELECT id FROM organisations WHERE name = :n"), {"n": org}).scalar_one()


@pytest.mark.parametrize(
    ("accused", "office", "level", "state", "body"),
    [
        ("尚一村村民委员会", "shangtian.office", 4, "sealed", "尚田街道纪工委"),
        ("尚田街道办事处", "fenghua.office", 3, "sealed", "奉化区纪委监委"),
        # The discipline body of the township is accused itself: never there.
        ("尚田街道纪工委", "fenghua.office", 3, "sealed", "奉化区纪委监委"),
        # A superior's matter goes straight up, past everybody on the level of who routes it.
        ("尚田街道纪工委", "shangtian.office", 3, "sent_up", "奉化区纪委监委"),
        ("奉化区农业农村局", "fenghua.office", 2, "sent_up", "宁波市纪委监委"),
        ("奉化区纪委监委", "fenghua.office", 2, "sent_up", "宁波市纪委监委"),
        ("宁波市纪委监委", "fenghua.office", 1, "sent_up", "浙江省纪委监委"),
        # A contractor is no public body.
        ("某检测技术服务有限公司", "shangtian.office", 4, "sealed", "尚田街道纪工委"),
    ],
)
def test_the_body_in_charge_is_that_of_the_level_that_manages_the_accused(world, accused, office, level, state, body):
    world.file(accused_org_ids=[str(members(world.session, accused))])
    world.route(office)
    found = world.found()
    assert (found.level, found.state, found.org_id) == (level, state, members(world.session, body))


def test_an_accused_body_and_all_below_it_are_passed_over(world):
    world.file(accused_org_ids=[str(members(world.session, name)) for name in ("奉化区纪委监委", "尚一村村民委员会")])
    world.route("fenghua.office")
    below = set(world.found().excluded_ids)
    assert {members(world.session, name) for name in ("尚田街道纪工委", "奉化区纪委监委派驻第三纪检监察组")} <= below


def test_a_body_whose_head_has_a_part_in_an_accused_body_is_passed_over(world):
    # The head of the township discipline committee also serves at the accused village.
    world.session.execute(
        text(
            "INSERT INTO appointments (id, account_id, role, org_id, head, valid_from) "
            "SELECT gen_random_uuid(), :a, 'village_clerk', id, false, '2024-01-01' FROM organisations WHERE name = '尚一村村民委员会'"
        ),
        {"a": world.account(HEAD)},
    )
    world.session.commit()
    world.file(accused_org_ids=[str(members(world.session, "尚一村村民委员会"))])
    world.route()
    assert world.found().org_id == members(world.session, "奉化区纪委监委")
    world.see(HEAD, expect=404)


def test_with_nobody_left_nothing_is_routed_and_nothing_is_lost(world):
    world.file(accused_org_ids=[str(members(world.session, "浙江省纪委监委"))])
    refused = world.route("fenghua.office", expect=409)
    assert refused["type"] == "/problems/no-body-for-clue"
    assert world.case.see(world.as_staff("fenghua.office"))["body"] == WORDS


# Who may know.

STRANGERS = (
    "shangtian.office", "shangtian.head", "fenghua.office", "fenghua.head", "fenghua.discipline.head", "admin", "security",
    "auditor", "shangtian.discipline", "ningbo.discipline.head", "fenghua.group.head", "shangyi.clerk",
)  # fmt: skip


@pytest.mark.parametrize("username", STRANGERS)
def test_to_everybody_else_there_is_no_such_clue(clue, username):
    clue.see(username, expect=404)
    clue.read(username, expect=404)
    clue.act(username, "accept", expect=404)
    clue.give(HANDLER, by=username, expect=404)
    assert clue.send(username, "GET", "", 200)["items"] == []


@pytest.mark.slow
@pytest.mark.parametrize("username", [*STRANGERS, HEAD])
def test_the_database_shows_the_clue_to_its_readers_alone(clue, app, username):
    actor = Cases(app, app, clue.session).staff(username)
    seen = {}
    with transaction(actor):
        for table in ("clues", "clue_readers", "clue_events", "sealed.clue_contents", "clue_messages"):
            seen[table] = db.session.scalar(text(f"SELECT count(*) FROM {table}"))
        seen["key"] = db.session.scalar(text("SELECT count(*) FROM sealed.data_keys WHERE petition_id = :id"), {"id": clue.id})
        seen["identity"] = db.session.scalar(text("SELECT count(*) FROM sealed.identities"))
    one = 1 if username == HEAD else 0
    assert seen == {
        "clues": one, "clue_readers": one, "clue_events": one, "sealed.clue_contents": one, "clue_messages": 0, "key": one,
        "identity": one,
    }  # fmt: skip


def test_a_head_in_charge_sees_the_clue_and_opens_its_text_only_from_the_list(clue):
    clue.send(HEAD, "POST", f"/{clue.id}/readers/{clue.account(HEAD)}/actions/remove", 200)
    assert clue.see(HEAD)["may_open"] is False
    assert clue.read(HEAD, expect=403)["type"] == "/problems/not-on-the-list"
    assert clue.act(HEAD, "verify-realname", expect=403, note="x")["reason"] == "not-on-the-list"
    clue.give(HEAD)
    assert clue.read(HEAD)["title"] == TITLE


def test_every_opening_is_on_record_with_who_when_and_why(clue):
    clue.read(HEAD)
    (read,) = clue.see(HEAD)["reads"]
    assert (read["reader"], read["body"], read["purpose"]) == ("竺旭东", "尚田街道纪工委", "核实检举内容")
    clue.act(HEAD, "open-text", expect=422, purpose="看")


def test_a_reader_comes_and_goes_by_the_head_alone(clue):
    clue.give(HANDLER)
    assert clue.read(HANDLER)["body"] == WORDS
    assert clue.give("fenghua.group", by=HANDLER, expect=403)["type"] == "/problems/not-head-in-charge"
    clue.send(HEAD, "POST", f"/{clue.id}/readers/{clue.account(HANDLER)}/actions/remove", 200)
    clue.see(HANDLER, expect=404)
    clue.send(HEAD, "POST", f"/{clue.id}/readers/{clue.account(HANDLER)}/actions/remove", 404)


def test_the_head_is_shown_whom_to_give_it_to_and_nobody_who_has_a_part_in_it(world):
    world.file(accused_org_ids=[str(members(world.session, "奉化区纪委监委派驻第三纪检监察组"))])
    world.route("shangtian.office")
    world.act("ningbo.discipline.head", "receive")
    items = world.send("ningbo.discipline.head", "GET", f"/{world.id}/candidates", 200)["items"]
    bodies = {one["body"] for one in items}
    assert {"宁波市纪委监委", "奉化区纪委监委", "尚田街道纪工委"} <= bodies and "奉化区纪委监委派驻第三纪检监察组" not in bodies
    assert not bodies & {"吴兴区纪委监委", "奉化区信访局", "尚田街道办事处"}
    world.give("ningbo.discipline", by="ningbo.discipline.head")
    world.send("ningbo.discipline", "GET", f"/{world.id}/candidates", 403)
    world.send("fenghua.discipline.head", "GET", f"/{world.id}/candidates", 404)


@pytest.mark.parametrize("username", ["shangtian.office", "admin", "fenghua.agri", "shangyi.clerk"])
def test_somebody_without_a_discipline_post_does_not_come_onto_the_list(clue, username):
    clue.give(username, expect=422)


def test_somebody_of_an_accused_body_does_not_come_onto_the_list(world):
    world.file(accused_org_ids=[str(members(world.session, "奉化区纪委监委派驻第三纪检监察组"))])
    world.route("shangtian.office")
    world.act("ningbo.discipline.head", "receive")
    world.give("fenghua.group", by="ningbo.discipline.head", expect=422)


def insert_reader(clue, username):
    return text(
        "INSERT INTO clue_readers (id, clue_id, account_id, granted_by, since) "
        f"VALUES (gen_random_uuid(), '{clue.id}', '{clue.account(username)}', mj_setting('person')::uuid, now())"
    )


@pytest.mark.parametrize(
    ("by", "username"),
    [("fenghua.office", "fenghua.office"), (HANDLER, HANDLER), ("fenghua.discipline.head", "fenghua.discipline.head"), (HEAD, "admin")],
)  # fmt: skip
def test_nobody_writes_himself_onto_the_list_behind_the_application(clue, app, by, username):
    actor, statement = Cases(app, app, clue.session).staff(by), insert_reader(clue, username)
    with pytest.raises(DBAPIError, match="row-level security"), transaction(actor):
        db.session.execute(statement)


def test_a_false_claim_to_be_head_does_not_help(clue, app):
    actor = Cases(app, app, clue.session).staff(HANDLER)
    with transaction(replace(actor, head=True)):
        assert db.session.scalar(text("SELECT count(*) FROM clues")) == 0


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE clue_events SET event = 'open'", "DELETE FROM clue_events", "UPDATE clue_reads SET purpose = 'none'",
        "DELETE FROM clue_reads", "DELETE FROM clue_readers", "UPDATE clue_readers SET account_id = granted_by",
        "UPDATE sealed.clue_contents SET nonce = ''", "DELETE FROM clues", "INSERT INTO sealed.clue_contents SELECT * FROM sealed.clue_contents",
    ],
)  # fmt: skip
def test_what_happened_to_a_clue_is_never_changed(clue, app, statement):
    actor = Cases(app, app, clue.session).staff(HEAD)
    with pytest.raises(DBAPIError, match="permission denied"), transaction(actor):
        db.session.execute(text(statement))


def test_a_petition_that_is_open_is_not_made_a_clue_behind_the_chart(world, app):
    world.file()
    actor = Cases(app, app, world.session).staff("shangtian.office")
    given = json.dumps({"clue": {"petition_id": world.case.id}})
    with pytest.raises(DBAPIError, match="only an accusation that was just sealed"), transaction(actor):
        db.session.execute(text("SELECT open_clue(CAST(:g AS jsonb), 'x')"), {"g": given})


def test_the_worker_holds_no_right_to_content_readers_and_keys(clue, database):
    import psycopg

    with psycopg.connect(database["WORKER_DATABASE_URL"]) as connection:
        connection.execute("SELECT set_config('mj.kind', 'system', false)")
        for table in ("sealed.clue_contents", "sealed.data_keys", "clue_readers", "clue_messages"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege), connection.transaction():
                connection.execute(f"SELECT * FROM {table}")


# The work.


def test_a_clue_is_verified_concluded_fed_back_and_cleared_by_two_people(clue):
    clue.concluded()
    assert clue.act(HEAD, "archive", expect=403)["reason"] == "feedback-is-due"
    clue.act(HANDLER, "give-feedback", feedback="未发现所反映的问题")
    clue.act(HANDLER, "propose-clarification", method="letter_or_talk", text="向其所在单位说明")
    assert clue.act(HANDLER, "approve-clarification", expect=403)["reason"] == "not-head-in-charge"
    clue.act(HEAD, "approve-clarification")
    assert clue.act(HEAD, "archive")["state"] == "archived"
    view = clue.see(HEAD)
    assert (view["outcome"], view["clarification"]) == ("unfounded", "approved")
    # What is left is to tell the report office by the end of the next quarter.
    assert [one["name"] for one in view["allowed_actions"]] == ["take_up", "report_result"]
    assert [(one["policy"], one["statutory"]) for one in view["limits"]] == [("AC-08", True)]
    clue.act(HANDLER, "report-result")
    view = clue.see(HEAD)
    assert (view["result_reported"], view["limits"]) == (True, [])
    assert clue.act(HEAD, "report-result", expect=403)["reason"] == "result-reported"
    assert "查无此事" not in str(view) and "查无此事" in str(clue.read(HEAD)["words"])


def test_nothing_that_was_written_with_a_step_stands_in_clear(clue):
    clue.concluded()
    clue.act(HANDLER, "give-feedback", feedback="未发现所反映的问题")
    for table, rows in everything(clue.session).items():
        for secret in ("查无此事", "集体研究同意", "电话核实", "未发现所反映的问题"):
            assert secret not in rows, table


def test_who_proposes_a_disposal_does_not_approve_it(clue):
    clue.act(HEAD, "mark-anonymous")
    clue.act(HEAD, "accept")
    assert clue.act(HEAD, "assign", expect=403, handler_id=clue.account(HEAD))["reason"] == "separation-of-duties"
    clue.act(HEAD, "assign", handler_id=clue.account("fenghua.group"))
    clue.act("fenghua.group", "propose-disposal", disposal="kept", opinion="暂存")
    assert clue.act("fenghua.group", "approve-disposal", expect=403, study="x")["reason"] == "not-head-in-charge"
    assert clue.act(HEAD, "approve-disposal", study="同意")["state"] == "kept"


def test_an_old_version_is_refused_and_an_unknown_clue_is_not_found(clue):
    refused = clue.act(HEAD, "verify-realname", expect=412, headers={"If-Match": '"9"'}, note="x")
    assert refused["current_version"] == 1
    clue.act(HEAD, "verify-realname", headers={"If-Match": '"1"'}, note="x")
    clue.send(HEAD, "GET", f"/{UUID(int=7)}", 404)
    assert clue.act(HEAD, "assign", expect=409, handler_id=clue.account(HANDLER))["state"] == "verified_realname"


def test_a_false_accusation_is_found_by_the_city_alone(clue):
    clue.concluded()
    clue.see("ningbo.discipline.head", expect=404)
    clue.act(HANDLER, "propose-false-accusation", reason="捏造事实")
    assert clue.act(HEAD, "approve-false-accusation", expect=403, reason="x")["reason"] == "city-level-needed"
    assert clue.read("ningbo.discipline.head")["body"] == WORDS
    clue.act("ningbo.discipline.head", "approve-false-accusation", reason="证据充分")
    assert clue.see(HEAD)["false_accusation"] == "found"


def test_a_mistaken_report_is_no_false_accusation(clue):
    clue.concluded("mistaken")
    assert clue.act(HANDLER, "propose-false-accusation", expect=403, reason="x")["reason"] == "mistaken-report"


def test_what_is_sent_up_is_out_of_sight_below_at_once(clue):
    clue.give(HANDLER)
    done = clue.act(HEAD, "send-up", reason="属上级管辖")
    assert (done["state"], done["level"]) == ("sent_up", 3)
    for username in (HEAD, HANDLER):
        clue.see(username, expect=404)
        clue.read(username, expect=404)
    assert clue.case.see(clue.as_staff(HEAD))["title"] == "已转有关部门"
    clue.act("fenghua.discipline.head", "receive")
    assert clue.read("fenghua.discipline.head")["body"] == WORDS


def test_what_is_sent_down_is_received_below_within_five_days_and_out_of_sight_above(clue):
    clue.act(HEAD, "send-up", reason="属上级管辖")
    county = "fenghua.discipline.head"
    clue.act(county, "receive")
    clue.give("fenghua.group", by=county)
    done = clue.act(county, "send-down", reason="属下级管辖")
    assert (done["state"], done["level"]) == ("sent_down", 4)
    for username in (county, "fenghua.group"):
        clue.see(username, expect=404)
        clue.read(username, expect=404)
    view = clue.see(HEAD)
    assert [(one["policy"], one["statutory"]) for one in view["limits"]] == [("AC-04", True)]
    assert "属下级管辖" in str(clue.read(HEAD)["words"])
    clue.act(HEAD, "receive")
    assert clue.act(HEAD, "send-down", expect=403, reason="x")["reason"] == "nobody-below"


def test_nothing_is_sent_down_to_the_level_of_the_accused(world):
    world.file(accused_org_ids=[str(members(world.session, "尚田街道办事处"))])
    world.route("fenghua.office")
    county = "fenghua.discipline.head"
    assert world.act(county, "send-down", expect=403, reason="x")["reason"] == "nobody-below"
    world.act(county, "send-up", reason="属上级管辖")
    world.act("ningbo.discipline.head", "receive")
    # The county manages the township; its own township discipline body does not.
    assert world.act("ningbo.discipline.head", "send-down", reason="x")["level"] == 3


def test_a_superiors_matter_has_five_working_days(world):
    world.file(accused_org_ids=[str(members(world.session, "奉化区农业农村局"))])
    world.route("fenghua.office")
    (limit,) = world.see("ningbo.discipline.head")["limits"]
    assert (limit["policy"], limit["statutory"]) == ("AC-03", True)
    world.see("fenghua.discipline.head", expect=404)


# The clock.


def test_a_limit_that_passes_is_seen_above_without_the_text(clue, worker_app, db_session, app):
    with worker_app.app_context():
        assert sweep.sweep_clues().done == 0
    Cases(app, worker_app, db_session).travel(timedelta(days=40))
    with worker_app.app_context():
        report = sweep.sweep_clues()
        assert (report.done, report.failed, report.by_event) == (1, 0, {"rise": 1})
        assert sweep.sweep_clues().done == 0
    clue.client.post("/api/v1/auth/staff/sign-in", json={})
    fresh = World(clue.client, clue.session, clue.as_staff, clue.new_key)
    fresh.case = clue.case
    view = fresh.see("fenghua.discipline.head")
    assert (view["overdue"], view["level"], view["state"], view["may_open"]) == (True, 3, "sealed", False)
    assert fresh.read("fenghua.discipline.head", expect=403)["type"] == "/problems/not-on-the-list"
    # Who was on the list goes on working.
    assert fresh.read(HEAD)["body"] == WORDS


# The petitioner.


def test_the_petitioner_sees_the_public_steps_and_writes_to_the_readers_alone(clue):
    path = f"/api/v1/petitions/{clue.case.id}/messages"
    sent = clue.client.post(path, json={"body": "补充:还有一笔"}, headers={**clue.own, **clue.new_key()})
    assert (sent.status_code, sent.json["body"]) == (201, "补充:还有一笔")
    for username in ("shangtian.office", "fenghua.office"):
        refused = clue.client.post(path, json={"body": "x"}, headers={**clue.as_staff(username), **clue.new_key()})
        assert refused.status_code == 403
        assert clue.case.see(clue.as_staff(username))["messages"] == []
    assert clue.read(HEAD)["messages"][-1]["body"] == "补充:还有一笔"
    assert all("补充:还有一笔" not in rows for rows in everything(clue.session).values())
    clue.concluded()
    clue.send(HANDLER, "POST", f"/{clue.id}/messages", 201, {"body": "已收到"})
    clue.act(HANDLER, "give-feedback", feedback="未发现所反映的问题")
    view = clue.case.see(clue.own)
    assert [(one["event"], one["facts"]) for one in view["timeline"][-2:]] == [
        ("clue_accept", {}), ("clue_feedback", {"feedback": "未发现所反映的问题"}),
    ]  # fmt: skip
    assert [one["body"] for one in view["messages"]] == ["补充:还有一笔", "已收到"]
    assert view["title"] == "已转有关部门" and "查无此事" not in str(view)
    told = {row[0] for row in clue.session.execute(text("SELECT template FROM outbox WHERE audience = 'petitioner'"))}
    assert {"clue_accept", "clue_feedback"} <= told


def test_the_plain_page_shows_the_result_and_the_messages_and_not_the_report(clue):
    clue.concluded()
    clue.act(HANDLER, "give-feedback", feedback="未发现所反映的问题")
    phone = clue.client.application.test_client()
    assert phone.post("/p/case", data={name: clue.receipt[name] for name in ("serial", "pin")}).status_code == 303
    page = phone.get("/p/case").get_data(as_text=True)
    assert "未发现所反映的问题" in page and "您的检举已受理" in page
    assert WORDS not in page and "查无此事" not in page


def test_another_receipt_sees_nothing_of_it(clue, app):
    other = World(clue.client, clue.session, clue.as_staff, clue.new_key).file()
    clue.case.see(other.own, expect=404)


def test_files_follow_the_clue(world, app):
    world.file()
    world.session.execute(
        text(
            "INSERT INTO attachments (id, petition_id, uploader_kind, name, size, received, status, created_at) "
            "VALUES (gen_random_uuid(), :id, 'petitioner', '凭证.jpg', 3, 3, 'released', now())"
        ),
        {"id": world.case.id},
    )
    world.session.commit()
    office = world.as_staff("shangtian.office")
    assert len(world.case.see(office)["attachments"]) == 1
    world.route()
    assert world.case.see(office)["attachments"] == []
    assert len(world.case.see(world.as_staff(HEAD))["attachments"]) == 1


def test_nothing_is_written_on_the_stub_and_it_is_not_erased_on_request(clue):
    office = clue.as_staff("shangtian.office")
    path = f"/api/v1/petitions/{clue.case.id}"
    money = {"kind": "claimed", "amount_fen": 100, "on": "2026-01-01"}
    for kind, body in (("money", money), ("meetings", {"held_at": "2026-01-01T00:00:00Z", "org_ids": [str(UUID(int=1))], "minutes": "x"})):
        refused = clue.client.post(f"{path}/{kind}", json=body, headers={**office, **clue.new_key()})
        assert (refused.status_code, refused.json["type"]) == (409, "/problems/sealed")
    asked = {"petition_id": clue.case.id, "kind": "delete", "wish": "请删除"}
    sent = clue.client.post("/api/v1/my-data/requests", json=asked, headers={**clue.own, **clue.new_key()})
    assert sent.status_code == 201, sent.get_data(as_text=True)
    granted = {"decision": "granted", "reason": "同意"}
    decide = f"/api/v1/data-requests/{sent.json['id']}/actions/decide"
    refused = clue.client.post(decide, json=granted, headers=office)
    assert (refused.status_code, refused.json["type"]) == (409, "/problems/case-open")


def test_the_identity_of_a_sealed_petition_is_opened_for_readers_alone(world):
    world.file(way="confidential")
    world.route()
    path = f"/api/v1/petitions/{world.case.id}/identity-openings"
    reason = {"reason": "须当面核对举报内容,已无其他办法可以核实。"}
    refused = world.client.post(path, json=reason, headers={**world.as_staff("shangtian.office"), **world.new_key()})
    assert refused.status_code in (403, 404), refused.get_data(as_text=True)
    asked = world.client.post(path, json=reason, headers={**world.as_staff(HEAD), **world.new_key()})
    assert asked.status_code == 201


# The ledger.


def test_the_ledger_stays_sound_and_commits_to_every_step_of_a_clue(clue, worker_app, db_session):
    clue.concluded()
    with worker_app.app_context():
        sequencing.sequence(rhythm=None)
    db_session.rollback()
    placed = db_session.scalar(
        text("SELECT count(*) FROM clue_events e JOIN ledger_leaves l ON l.commitment = e.commitment AND l.log = '330213'")
    )
    assert placed == clue.found().version == 7
    found = verification.verify_all(db_session)
    assert found.faults == []
    # With its salt gone from the general tables nobody can try out what a petition said.
    salts = db_session.scalars(text("SELECT salt FROM petition_events WHERE petition_id = :id ORDER BY seq"), {"id": clue.case.id})
    assert [len(salt) for salt in salts] == [0, 0, 32]


# Budgets.


def test_routing_and_the_steps_of_a_clue_stay_within_their_budgets(world, app):
    from app import count_statements
    from tests.app.test_statement_budgets import BUDGETS

    world.file()
    office = world.as_staff("shangtian.office")
    world.case.act(office, "register")
    head, clerk = world.as_staff(HEAD), world.account(HANDLER)
    counted = count_statements(app)
    world.case.act(office, "route-to-discipline")
    assert len(counted) <= BUDGETS["seal"], counted
    path = f"/api/v1/clues/{world.id}"
    for route, method, body, budget in (
        ("", "GET", None, "clue"),
        ("/actions/verify-realname", "POST", {"note": "x"}, "action"),
        ("/actions/accept", "POST", {}, "action"),
        ("/actions/assign", "POST", {"handler_id": clerk}, "action"),
        ("/actions/open-text", "POST", {"purpose": "核实检举"}, "action"),
    ):
        counted.clear()
        assert world.client.open(path + route, method=method, json=body, headers=head).status_code == 200
        assert len(counted) <= BUDGETS[budget], (route, counted)
    counted.clear()
    world.client.get("/api/v1/clues", headers=head)
    assert len(counted) <= BUDGETS["list"]


# Limits that an operator changed.


@pytest.mark.parametrize("preset", ["national", "zhejiang"])
def test_a_limit_that_an_operator_changed_holds_for_what_begins_afterwards(client, db_session, as_staff, new_key, app, preset):
    configured = app.config["SETTINGS"].policy_preset
    before = World(client, db_session, as_staff, new_key).file()
    before.route()

    def limit(world):
        (found,) = [one for one in world.see(HEAD)["limits"] if one["policy"] == "AC-01"]
        return found["due_on"]

    first = limit(before)
    today = clock.today()
    db_session.execute(
        text("INSERT INTO policy_overrides (id, policy_id, preset, valid_from, amount) VALUES (gen_random_uuid(), 'AC-01', :p, :d, 3)"),
        {"p": preset, "d": today + timedelta(days=1)},
    )
    db_session.commit()
    calendar_store.forget()
    same_day = World(client, db_session, as_staff, new_key).file()
    same_day.route()
    assert limit(same_day) == first
    Cases(app, app, db_session).travel(timedelta(days=1))
    calendar_store.forget()
    after = World(client, db_session, as_staff, new_key).file()
    after.route()
    assert (limit(after) < first) == (preset == configured)
    # What ran already keeps its version, also when a later step of the same clue is written down.
    before.give(HANDLER)
    assert limit(before) == first
