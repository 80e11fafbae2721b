"""The life of a rule over HTTP: written, tried, compared with what is in force, approved by a second person; never losing what was confirmed."""

import copy
import secrets

import pytest

from app.rules import running
from detection.shipped import rule_documents
from tests.app.rule_world import OTHER_VILLAGE, VILLAGE, Rules
from tests.app.test_rule_runs import EARLY, FINE, TOO_EARLY

AUTHOR, SECOND, TOWNSHIP, CITY = "fenghua.discipline", "fenghua.discipline.head", "shangtian.discipline", "ningbo.discipline"


def case(kind, n, award_on, signed_on, **more):
    row = {"contract_no": f"HT-{n}", "award_on": award_on, "signed_on": signed_on}
    return {"is": kind, "name": {"zh": f"样例{n}", "en": f"Case {n}"}, "rows": {"gc_contract": [row]}, **more}


def hit(n):
    return case("hit", n, "2026-03-10", "2026-03-01", alerts=[{"key": f"{{place}}|HT-{n}", "colour": "yellow"}])


FIXTURES = {
    "asof": "2026-06-01",
    "cases": [
        hit(1), hit(2), *(case("near", n, "2026-03-01", "2026-03-09") for n in (3, 4, 5)),
        case("boundary", 6, "2026-03-01", "2026-03-01"), case("unjudged", 7, None, "2026-03-01", unjudged=1),
    ],
}  # fmt: skip
DOCUMENT = {**TOO_EARLY, "code": "FH-01", "fixtures": FIXTURES}


class Desk:
    """Sends what officials send."""

    def __init__(self, client, as_staff):
        self.client, self.as_staff = client, as_staff

    def get(self, path, who=AUTHOR):
        return self.client.get(f"/api/v1/rules{path}", headers=self.as_staff(who))

    def draft(self, document, who=AUTHOR):
        headers = {**self.as_staff(who), "Idempotency-Key": secrets.token_urlsafe(24)}
        return self.client.post("/api/v1/rules", json={"document": document}, headers=headers)

    def act(self, action, version=1, who=AUTHOR, code="FH-01", **facts):
        body = facts or None if action not in {"approve", "retire", "preview"} else facts
        path = f"/api/v1/rules/{code}/versions/{version}/actions/{action}"
        return self.client.post(path, json=body, headers=self.as_staff(who))

    def walk(self, version=1, who=AUTHOR, upto="start_shadow"):
        """Takes a draft through its steps."""
        steps = {"check": {}, "try_out": {}, "preview": {"county": "330213", "year": 2026}, "back_test": {}, "start_shadow": {}}
        for action, facts in steps.items():
            answer = self.act(action, version, who, **facts)
            assert answer.status_code == 200, answer.get_data(as_text=True)
            if action == upto:
                return answer.json
        raise AssertionError(upto)


@pytest.fixture
def desk(client, as_staff):
    return Desk(client, as_staff)


@pytest.fixture
def world(worker_app, app, db_session):
    return Rules(worker_app, db_session)


def sweep(world):
    with world.worker():
        return running.sweep()


def narrower():
    """A version that no longer finds the contract that began early."""
    document = copy.deepcopy(DOCUMENT)
    document["where"] = {"field": "contract_no", "op": "!=", "value": "HT-1"}
    document["fixtures"]["cases"][0]["rows"]["gc_contract"][0]["contract_no"] = "HT-8"
    document["fixtures"]["cases"][0]["alerts"][0]["key"] = "{place}|HT-8"
    return document


def live(world, desk, document=DOCUMENT, version=1):
    assert desk.draft(document).status_code == 201
    desk.walk(version)
    sweep(world)
    return desk.act("approve", version, SECOND)


@pytest.mark.slow
def test_a_rule_goes_from_draft_to_force_with_a_second_person_and_raises_alerts(world, desk):
    world.arrive("gc_contract", EARLY, FINE)
    sweep(world)
    assert desk.draft(DOCUMENT).json == {"code": "FH-01", "version": 1}
    moved = desk.walk()
    assert moved["state"] == "shadow"
    assert desk.act("approve", who=SECOND).json["reason"] == "no-shadow-run"
    sweep(world)
    assert desk.act("approve").json["reason"] == "second-person"
    assert desk.act("approve", who=SECOND).json["state"] == "live"
    sweep(world)
    assert world.keys() == [("FH-01", f"{VILLAGE}|HT-1")]
    shown = desk.get("/FH-01").json
    assert shown["scope"] == "330213"
    (version,) = shown["versions"]
    assert "签订日期" in version["sentence"]["zh"] and [one["name"] for one in version["allowed_actions"]] == ["retire"]
    assert {run["mode"] for run in shown["runs"]} == {"shadow", "full"}


@pytest.mark.parametrize(
    ("change", "place", "code"),
    [
        ({"params": {"first": "award_on", "then": "no_such_day"}}, "params.then", "not-a-date-column"),
        ({"subject": "no_such_data"}, "subject", "unknown-dataset"),
        ({"kind": "guess"}, "kind", "unknown-kind"),
        ({"key": []}, "key", "empty"),
    ],
)
def test_a_fault_of_a_document_is_told_with_its_path(desk, change, place, code):
    answer = desk.draft({**DOCUMENT, **change})
    assert (answer.status_code, answer.json["type"]) == (422, "/problems/invalid-rule")
    assert code in answer.json["errors"][place]


def test_a_rule_that_does_otherwise_than_its_cases_say_stays_where_it_is(desk):
    document = copy.deepcopy(DOCUMENT)
    document["fixtures"]["cases"][2] = case("near", 3, "2026-03-10", "2026-03-01")
    desk.draft(document)
    desk.act("check")
    answer = desk.act("try_out")
    assert (answer.status_code, list(answer.json["errors"])) == (422, ["fixtures"])
    assert desk.get("/FH-01").json["versions"][0]["state"] == "checked"


def test_a_rule_without_cases_enough_is_not_tried(desk):
    desk.draft({**DOCUMENT, "fixtures": {"asof": "2026-06-01", "cases": FIXTURES["cases"][:3]}})
    desk.act("check")
    assert "too-few" in desk.act("try_out").json["errors"]["fixtures.cases"]


@pytest.mark.slow
def test_a_preview_counts_a_county_and_a_year_and_shows_the_records(world, desk):
    world.arrive(
        "gc_contract", EARLY, {**EARLY, "contract_no": "HT-5", "place": OTHER_VILLAGE}, {**EARLY, "contract_no": "HT-6", "place": "330281100201"},
        {**EARLY, "contract_no": "HT-7", "award_on": "2025-03-10", "signed_on": "2025-03-01"}, {**EARLY, "contract_no": "HT-4", "award_on": None},
    )  # fmt: skip
    sweep(world)
    desk.draft(DOCUMENT)
    found = desk.walk(upto="preview")["preview"]
    assert (found["alerts"], found["by_month"]) == (2, {"2026-03": 2})
    assert found["by_township"] == {VILLAGE[:9]: 1, OTHER_VILLAGE[:9]: 1}
    assert list(found["unjudged"].values()) == [1]
    assert {record["dataset"] for alert in found["first"] for record in alert["records"]} == {"gc_contract"}
    assert desk.act("preview", county="330281", year=2026).status_code == 403


@pytest.mark.slow
def test_before_the_first_snapshot_a_preview_says_that_there_is_none(desk):
    desk.draft(DOCUMENT)
    for action in ("check", "try_out"):
        assert desk.act(action).status_code == 200
    assert desk.act("preview", county="330213", year=2026).json["type"] == "/problems/no-snapshot"


@pytest.mark.slow
def test_a_version_that_loses_a_confirmed_item_is_not_approved_unless_the_item_is_named_with_the_reason(world, desk):
    world.arrive("gc_contract", EARLY, {**EARLY, "contract_no": "HT-5"})
    sweep(world)
    assert live(world, desk).status_code == 200
    sweep(world)
    world.run("UPDATE alerts SET verdict = 'A', screened_at = now() WHERE alert_key LIKE '%HT-1'")
    (serial,) = world.rows("SELECT serial FROM alerts WHERE verdict = 'A'")[0]
    assert desk.draft(narrower()).json["version"] == 2
    found = desk.walk(2, upto="back_test")["back_test"]
    assert (found["against"], found["lost"], found["same"], found["confirmed_lost"]) == (1, 1, 1, [serial])
    desk.act("start_shadow", 2)
    sweep(world)
    for facts in ({}, {"justification": "合同已更正"}, {"lost_items": [serial]}):
        answer = desk.act("approve", 2, SECOND, **facts)
        assert (answer.status_code, answer.json["type"], answer.json["items"]) == (409, "/problems/confirmed-lost", [serial])
    assert [one["state"] for one in desk.get("/FH-01").json["versions"]] == ["shadow", "live"]
    assert desk.act("approve", 2, SECOND, justification="合同已更正", lost_items=[serial]).status_code == 200
    assert [one["state"] for one in desk.get("/FH-01").json["versions"]] == ["live", "retired"]
    ((facts,),) = world.rows("SELECT facts FROM rule_events WHERE event = 'approve' AND facts->>'justification' <> ''")
    assert facts["lost_items"] == [serial]


def test_a_county_changes_neither_what_is_shipped_nor_what_another_county_has(world, desk):
    world.load("GC-01")
    assert desk.draft(rule_documents()["GC-01"]).json["type"] == "/problems/rule-taken"
    assert desk.act("retire", code="GC-01", reason="不要").json["reason"] == "another-bodys-rule"
    world.put({**DOCUMENT, "code": "XS-01"}, scope="330281", state="draft")
    assert desk.get("/XS-01").status_code == 404
    assert desk.act("check", code="XS-01").status_code == 404
    assert desk.draft({**DOCUMENT, "code": "XS-01"}).json["type"] == "/problems/rule-taken"
    assert [one["code"] for one in desk.get("").json["items"]] == ["GC-01"]


def test_a_township_proposes_for_its_county_and_a_petition_office_proposes_nothing(desk):
    assert desk.draft(DOCUMENT, TOWNSHIP).status_code == 201
    assert desk.get("/FH-01", TOWNSHIP).json["scope"] == "330213"
    assert desk.draft({**DOCUMENT, "code": "FH-02"}, "fenghua.office").status_code == 403
    assert desk.get("", "fenghua.office").json["items"] == []
    assert [one["code"] for one in desk.get("", CITY).json["items"]] == ["FH-01"]


def test_precision_is_told_by_version_and_county_and_not_below_five_decided_items(world, desk):
    world.put(DOCUMENT, scope="330213")
    world.arrive("gc_contract", *({**EARLY, "contract_no": f"HT-{n}"} for n in range(6)))
    with world.worker():
        running.judge_changes()
    world.run("UPDATE alerts SET screened_at = now(), verdict = CASE WHEN alert_key LIKE '%HT-0' THEN 'D' WHEN alert_key LIKE '%HT-1' THEN 'E' ELSE 'A' END")
    total, county = desk.get("/FH-01/precision").json["items"]
    assert (total["county"], county["county"], county["version"]) == (None, "330213", 1)
    assert (county["decided"], county["data_errors"], county["enough"]) == (5, 1, True)
    assert county["strict"]["value"] == 0.8 and 0.3 < county["strict"]["low"] < 0.5
    world.run("UPDATE alerts SET verdict = NULL WHERE verdict = 'D'")
    assert [(one["enough"], one["strict"]) for one in desk.get("/FH-01/precision").json["items"]] == [(False, None)] * 2
