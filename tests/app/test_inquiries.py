"""One query over all datasets: within the asker's scope, masked, and always on record with its purpose."""

import psycopg
import pytest
from psycopg import errors

from app.records.hashing import Hasher
from tests.app.records_world import VILLAGE, RecordsWorld

WHY = "核对信访反映的监理与村干部关系"
GROUP, TOWNSHIP, COUNTY = "wuxing.group6", "gaoxin.discipline", "wuxing.discipline"


@pytest.fixture
def world(app, database):
    made = RecordsWorld(database["OWNER_DATABASE_URL"])
    made.send()
    yield made
    made.owner.close()


@pytest.fixture
def ask(client, as_staff):
    def asked(about, username=GROUP, status=200, **more):
        kind, number = about
        draft = {"about": {"kind": kind, "number": number}, "purpose": WHY, **more}
        answer = client.post("/api/v1/inquiries", json=draft, headers=as_staff(username))
        assert answer.status_code == status, answer.get_data(as_text=True)
        return answer.json

    return asked


@pytest.fixture
def uses(client, as_staff):
    def listed(username, status=200, **query):
        answer = client.get("/api/v1/inquiries", query_string=query, headers=as_staff(username))
        assert answer.status_code == status, answer.get_data(as_text=True)
        return answer.json.get("items")

    return listed


def found(answer):
    return {one["dataset"]: one["found"] for one in answer["datasets"] if one["found"]}


def test_a_person_is_found_in_every_dataset_whose_definition_has_a_person_in_it(ask, world):
    zhao = world.person("赵工")
    world.add("gc_contract", contract_no="c1", manager=zhao, amount=100)
    world.add("zj_journal", payee=zhao, amount=200)
    world.add("company_role", company=world.company_code(), person=zhao, company_role="supervisor")
    answer = ask(("person", zhao))
    assert found(answer) == {"person": 1, "gc_contract": 1, "zj_journal": 1, "company_role": 1}
    (row,) = next(one["items"] for one in answer["datasets"] if one["dataset"] == "gc_contract")
    assert row["found_in"] == ["manager"] and row["fields"]["amount"] == 100
    searched = {one["dataset"] for one in answer["datasets"]}
    assert "gc_project" in searched and "gc_payment" not in searched, "a dataset without persons is not searched for one"


def test_a_company_and_a_village_are_asked_the_same_way(ask, world):
    code = world.company_code()
    world.add("company", company=code, name="某检测公司")
    world.add("gc_contract", contract_no="c1", contractor=code)
    assert found(ask(("company", code))) == {"company": 1, "gc_contract": 1}
    world.add("gc_project", project_no="p1", place="330502101234")
    assert found(ask(("place", VILLAGE))) == {"company": 1, "gc_contract": 1}


def test_rows_outside_the_scope_of_the_asker_are_not_found(ask, world):
    zhao = world.number()
    world.add("gc_contract", contract_no="c1", manager=zhao, place="330213007213")
    world.add("gc_contract", contract_no="c2", manager=zhao)
    assert found(ask(("person", zhao))) == {"gc_contract": 1}
    assert found(ask(("person", zhao), "fenghua.discipline")) == {"gc_contract": 1}
    assert found(ask(("person", zhao), "zhejiang.discipline")) == {"gc_contract": 2}


def test_what_was_superseded_or_withdrawn_is_not_found(ask, world):
    zhao = world.number()
    world.add("gc_contract", contract_no="c1", manager=zhao, withdrawn=True)
    world.owner.execute("UPDATE records.gc_contract SET superseded_at = now()")
    assert ask(("person", zhao))["found"] == 0


def test_personal_fields_are_masked_and_a_keyed_hash_is_never_shown(client, as_staff, ask, world):
    zhao = world.person("赵工")
    world.add("gc_contract", contract_no="c1", manager=zhao, manager_name="赵工")
    masked, named = ask(("person", zhao)), ask(("person", zhao), reveal=True)
    assert "赵工" not in str(masked) and "赵工" in str(named)
    (contract,) = [one for one in masked["datasets"] if one["dataset"] == "gc_contract"]
    assert "manager" in contract["masked"]
    for answer in (masked, named):
        assert Hasher("person")(zhao) not in str(answer) and zhao not in str(answer)


def test_a_township_may_ask_and_may_not_have_names_shown(ask, world):
    zhao = world.person("赵工")
    assert ask(("person", zhao), TOWNSHIP)["found"] == 1
    assert ask(("person", zhao), TOWNSHIP, 403, reveal=True)["type"].endswith("names-not-shown")


@pytest.mark.parametrize("username", ["wuxing.office", "gaoxin.office", "auditor", "admin"])
def test_who_does_not_see_records_asks_nothing(ask, username):
    ask(("place", VILLAGE), username, 403)


def test_each_use_is_on_record_with_purpose_and_counts_and_without_the_number(ask, uses, world, database):
    zhao = world.person("赵工")
    world.add("gc_contract", contract_no="c1", manager=zhao)
    ask(("person", zhao), reveal=True)
    (use,) = uses("auditor")
    assert (use["reader"], use["purpose"], use["revealed"]) == ("汤立峰", WHY, True)
    assert use["counts"] == {"gc_contract": 1, "person": 1}
    assert use["subject"] == Hasher("person")(zhao)
    with psycopg.connect(database["OWNER_DATABASE_URL"]) as owner:
        assert zhao not in str(owner.execute("SELECT i::text FROM inquiries i").fetchall())


def test_who_reviews_reads_reviews_uses_of_their_area_and_nobody_else(ask, uses):
    ask(("place", VILLAGE))
    assert len(uses(COUNTY)) == len(uses("auditor")) == 1
    assert uses("fenghua.discipline") == []
    for username in (GROUP, "wuxing.office"):
        uses(username, 403)


def test_the_web_role_can_neither_change_nor_delete_what_is_on_record(ask, database):
    ask(("place", VILLAGE))
    with psycopg.connect(database["DATABASE_URL"], autocommit=True) as web:
        for statement in ("DELETE FROM inquiries", "UPDATE inquiries SET purpose = ''"):
            with pytest.raises(errors.InsufficientPrivilege):
                web.execute(statement)


def test_a_use_without_a_purpose_is_refused(ask):
    ask(("place", VILLAGE), status=422, purpose="  ")


@pytest.mark.parametrize(
    ("kind", "number"),
    [("person", "330502197001010010"), ("person", "赵工"), ("company", "1"), ("place", "3305"), ("person", "3.3E+17"), ("person", "无")],
)
def test_a_number_that_is_none_is_refused_without_being_repeated(ask, uses, kind, number):
    answer = ask((kind, number), status=422)
    assert "about.number" in answer["errors"] and number not in str(answer["errors"])
    assert uses("auditor") == []


def test_a_petition_that_the_asker_does_not_see_is_unknown_and_nothing_is_told(client, ask, uses, new_key):
    draft = {"division_code": "330213007213", "title": "账目不清", "body": "请查一查账。", "name": "王某", "phone": "13800000001"}
    made = client.post("/api/v1/petitions", json=draft, headers=new_key())
    ask(("place", VILLAGE), COUNTY, 404, petition_id=made.json["id"])
    assert uses("auditor") == []


def test_the_use_names_the_petition_that_it_serves(client, ask, uses, new_key):
    draft = {"division_code": VILLAGE, "title": "账目不清", "body": "请查一查账。", "name": "王某", "phone": "13800000001"}
    made = client.post("/api/v1/petitions", json=draft, headers=new_key())
    ask(("place", VILLAGE), COUNTY, petition_id=made.json["id"])
    assert [use["petition_id"] for use in uses("auditor", petition_id=made.json["id"])] == [made.json["id"]]


def test_questions_are_limited_per_account(ask, monkeypatch):
    from datetime import timedelta

    from app.signin import limits

    monkeypatch.setitem(limits.LIMITS, "inquiry", limits.Limit(2, timedelta(hours=1), False))
    ask(("place", VILLAGE))
    ask(("place", VILLAGE))
    assert ask(("place", VILLAGE), status=429)["type"].endswith("too-many-attempts")
    ask(("place", VILLAGE), COUNTY)


def test_what_was_late_silent_partial_or_missing_is_told(ask, world):
    world.send("gc_project", days_ago=400)
    world.send("gc_contract", days_ago=None)
    world.send("gc_tender", scope="330502101")
    world.unregister("gc_bid")
    states = {one["dataset"]: one["state"] for one in ask(("place", VILLAGE))["datasets"]}
    assert (states["gc_project"], states["gc_contract"], states["gc_bid"]) == ("late", "silent", "missing")
    assert states["gc_tender"] == states["gc_start"] == "current"
    by_person = {one["dataset"]: one["state"] for one in ask(("company", world.company_code()))["datasets"]}
    assert by_person["gc_tender"] == "partial", "the source sends a part of the asker's area only"


def test_the_number_is_in_no_line_of_the_log(ask, world, caplog):
    caplog.set_level("DEBUG")
    zhao = world.person("赵工")
    ask(("person", zhao))
    assert zhao not in caplog.text and WHY not in caplog.text
