"""Rules at work: what comes in is judged at once, everything at night, and both find the same."""

import copy
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from sqlalchemy import text

from app import create_app
from app.extensions import db
from app.rules import running
from app.rules.commands import load_files
from app.rules.judging import Moment
from detection.reach import awaited
from detection.shipped import rule_documents
from tests.app.rule_world import OTHER_VILLAGE, VILLAGE, Rules
from tests.conftest import settings_for

# Worked on before it was planned to be: a rule with one dataset and no limits.
TOO_EARLY = {
    "code": "TT-01", "name": {"zh": "先开工后立项", "en": "Begun before it was approved"}, "module": "works", "kind": "order",
    "subject": "gc_contract", "params": {"first": "award_on", "then": "signed_on"}, "key": ["place", "contract_no"],
    "colour": [{"colour": "yellow"}], "basis": ["TB 1"], "innocent": [{"zh": "笔误", "en": "A slip"}], "to": "township_discipline",
}  # fmt: skip
EARLY = {"contract_no": "HT-1", "project": "P-1", "award_on": "2026-03-10", "signed_on": "2026-03-01"}
FINE = {**EARLY, "contract_no": "HT-2", "signed_on": "2026-03-11"}
# One rule of each kind that is shipped.
KINDS = list({document["kind"]: code for code, document in sorted(rule_documents().items(), reverse=True)}.values())


@pytest.fixture
def world(worker_app, db_session):
    return Rules(worker_app, db_session)


def judge(world):
    with world.worker():
        return running.judge_changes()


def sweep(world, **more):
    with world.worker():
        return running.sweep(**more)


def runs(world):
    return world.rows("SELECT r.*, v.code FROM rule_runs r JOIN rule_versions v ON v.id = r.version_id ORDER BY started_at, code")


def changed(**more):
    return copy.deepcopy({**TOO_EARLY, **more})


@pytest.mark.slow
def test_shipped_rules_are_tried_and_put_into_force_and_loading_them_again_changes_nothing(database, db_session):
    with create_app(settings_for(database), role="owner").app_context():
        first, second = load_files(), load_files()
        db.engine.dispose()
    assert dict(first) == {"new": len(rule_documents())}
    assert dict(second) == {"unchanged": len(rule_documents())}
    assert db_session.scalars(text("SELECT DISTINCT state FROM rule_versions")).all() == ["live"]


def test_a_record_that_comes_in_raises_its_alert_at_once_with_whom_it_is_about(world):
    world.put(TOO_EARLY)
    world.arrive("gc_contract", {**EARLY, "contractor": "91330200X", "contractor_name": "甬建"}, FINE)
    report = judge(world)
    assert (report.done, report.failed, report.alerts) == (1, 0, 1)
    (alert,) = world.rows()
    assert (alert.rule_code, alert.alert_key, alert.place) == ("TT-01", f"{VILLAGE}|HT-1", VILLAGE)
    assert alert.contracts == ["HT-1"] and alert.hold_reason is None
    assert world.rows("SELECT * FROM touched_groups") == []


def test_what_did_not_change_is_not_judged_again(world):
    world.put(TOO_EARLY)
    world.arrive("gc_contract", EARLY)
    judge(world)
    world.arrive("gc_contract", EARLY)
    assert judge(world).done == 0
    world.arrive("gc_contract", {**EARLY, "contract_no": "HT-3", "place": OTHER_VILLAGE})
    assert judge(world).alerts == 1


@pytest.mark.slow
def test_everything_judged_at_night_gives_the_alerts_that_were_raised_as_the_records_came_in(world):
    for code in KINDS:
        world.load(code)
        for dataset in awaited(running.Running(uuid4(), code, 1, "", "", "live", rule_documents()[code], new=False).rule):
            world.source(dataset)
    for code in KINDS:
        world.arrive_fixtures(code)
        assert judge(world).failed == 0
    raised = world.keys()
    assert len({rule for rule, _ in raised}) >= len(KINDS) - 2
    report = sweep(world)
    assert (report.done, report.failed) == (len(KINDS), 0)
    outcomes = {outcome for run in runs(world) if run.mode == "full" for outcome in run.outcomes}
    assert world.keys() == raised
    assert outcomes == {"known"}


def test_a_worker_killed_while_it_judges_neither_loses_nor_doubles_an_alert(world, monkeypatch):
    for code in ("TT-01", "TT-02", "TT-03"):
        world.put(changed(code=code))
    world.arrive("gc_contract", EARLY)
    fold, seen = running.fold_alerts, []

    def killed(*given, **more):
        seen.append(1)
        if len(seen) == 2:
            raise SystemExit
        return fold(*given, **more)

    monkeypatch.setattr(running, "fold_alerts", killed)
    with pytest.raises(SystemExit):
        judge(world)
    assert world.keys() == []
    assert judge(world).alerts == 3
    assert [rule for rule, _ in world.keys()] == ["TT-01", "TT-02", "TT-03"]  # noqa: SIM118


def test_a_worker_killed_in_the_middle_of_the_night_goes_on_with_the_rules_that_are_left(world, monkeypatch):
    for code in ("TT-01", "TT-02", "TT-03"):
        world.put(changed(code=code))
    world.arrive("gc_contract", EARLY)
    monkeypatch.setattr(running, "NIGHT_HOUR", 0)
    judge_all, seen = running.judge_all, []

    def killed(*given):
        seen.append(given[0].code)
        if len(seen) == 2:
            raise SystemExit
        return judge_all(*given)

    monkeypatch.setattr(running, "judge_all", killed)
    with pytest.raises(SystemExit), world.worker():
        running.sweep_due()
    assert [rule for rule, _ in world.keys()] == ["TT-01"]  # noqa: SIM118
    with world.worker():
        assert running.sweep_due().done == 2
        assert running.sweep_due().done == 0
    assert [rule for rule, _ in world.keys()] == ["TT-01", "TT-02", "TT-03"]  # noqa: SIM118
    assert seen == ["TT-01", "TT-02", "TT-02", "TT-03"]


def test_a_rule_that_fails_says_so_in_its_run_and_stops_no_other(world):
    world.put(changed(code="TT-00", params={"first": "no_such_day", "then": "signed_on"}))
    world.put(TOO_EARLY)
    world.arrive("gc_contract", EARLY)
    report = judge(world)
    assert (report.done, report.failed) == (1, 1)
    assert sweep(world).failed == 1
    assert [(run.code, run.mode, run.error is None) for run in runs(world)] == [
        ("TT-00", "touched", False), ("TT-01", "touched", True), ("TT-00", "full", False), ("TT-01", "full", True),
    ]  # fmt: skip
    assert len(world.keys()) == 1


@pytest.mark.parametrize(("arrived", "degraded"), [(True, []), (False, ["gc_contract"])])
def test_a_silent_source_makes_the_rules_that_need_it_degraded(world, arrived, degraded):
    world.put(TOO_EARLY)
    world.source("gc_contract", arrived=arrived)
    world.arrive("gc_contract", EARLY, source="another")
    judge(world)
    (run,) = runs(world)
    assert run.degraded == degraded


def test_absence_is_judged_no_later_than_the_source_has_delivered(world):
    document = changed(
        kind="missing", subject="gc_project", key=["place", "project_no"],
        params={"required": "gc_contract", "match": {"project": "project_no"}, "after": "plan_start", "within_days": 10},
    )  # fmt: skip
    world.put(document)
    world.source("gc_contract", scope="330213", watermark=datetime(2026, 3, 5, tzinfo=UTC).date())
    world.arrive("gc_project", {"project_no": "P-1", "plan_start": "2026-03-01"})
    assert judge(world).alerts == 0
    assert runs(world)[-1].unjudged == {"waiting:gc_contract": 1}
    world.run("UPDATE record_sources SET watermark = '2026-03-20'")
    assert sweep(world).alerts == 1


@pytest.mark.parametrize(("days", "reason"), [(1, "new_rule"), (31, None)])
def test_alerts_of_a_rule_that_a_person_put_into_force_are_held_for_thirty_days(world, days, reason):
    world.put(TOO_EARLY, author=uuid4(), live_at=datetime.now(UTC) - timedelta(days=days))
    world.arrive("gc_contract", EARLY)
    judge(world)
    assert [alert.hold_reason for alert in world.rows()] == [reason]


def test_a_rule_that_runs_without_consequence_is_counted_and_raises_nothing(world):
    world.put(TOO_EARLY, state="shadow", author=uuid4())
    world.arrive("gc_contract", EARLY)
    assert judge(world).done == 0
    assert sweep(world).alerts == 1
    assert [(run.mode, run.alerts) for run in runs(world)] == [("shadow", 1)]
    assert world.keys() == []


def test_a_county_rule_looks_at_its_own_county_alone(world):
    world.put(TOO_EARLY, scope="330281")
    world.arrive("gc_contract", EARLY, {**EARLY, "contract_no": "HT-9", "place": "330281100201"})
    judge(world)
    sweep(world)
    assert [alert.place for alert in world.rows()] == ["330281100201"]


def test_a_run_as_known_on_a_day_can_be_repeated_and_raises_nothing(world):
    world.put(TOO_EARLY)
    world.arrive("gc_contract", EARLY)
    today = datetime.now(UTC).date()
    for known_on, alerts in ((today - timedelta(days=2), 0), (today + timedelta(days=1), 1), (today - timedelta(days=2), 0)):
        assert sweep(world, moment=Moment(today, known_on)).alerts == alerts
    assert world.keys() == []
