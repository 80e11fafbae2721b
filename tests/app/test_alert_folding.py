"""Hits become alerts: identity, evidence, children, packets, holds, clearances, and many writers at once."""

import threading
from dataclasses import replace
from uuid import uuid4

import pytest
from sqlalchemy import create_engine
from sqlalchemy.exc import SQLAlchemyError

from app.alerts.folding import evidence_hash_of, fingerprint_of, fold_alerts
from app.database import SYSTEM, transaction
from app.extensions import db
from tests.app.alert_world import NEXT_VILLAGE, OTHER_TOWN, RULE, VILLAGE, Alerts, Subjects, hit


@pytest.fixture
def world(worker_app, db_session):
    return Alerts(worker_app, db_session)


def close(world, key="P-1"):
    world.run("UPDATE alerts SET closed_at = now(), state = 'resolved', resolution = 'cleared' WHERE alert_key = :key AND current", key=key)


def test_a_hit_becomes_an_alert_with_its_evidence(world):
    assert world.fold(hit(row_id=1, part="计划", money_fen=5), hit(row_id=2, colour="red", money_fen=9)).outcomes == {"new": 1}
    (alert,) = world.rows()
    assert (alert.place, alert.colour, alert.money_fen, alert.state) == (VILLAGE, "red", 9, "filed")
    assert alert.fingerprint == fingerprint_of("GC-01", "P-1")
    assert alert.evidence_hash == evidence_hash_of([("gc_project", 2), ("gc_project", 1)])
    assert [(one.row_id, one.part) for one in world.rows("SELECT * FROM alert_evidence ORDER BY row_id")] == [(1, "计划"), (2, "")]
    assert world.rows("SELECT document FROM alert_rules")[0].document["name"]["zh"] == "先建后批"


def test_the_same_rows_again_say_nothing_new_even_from_a_newer_version_of_the_rule(world):
    world.fold(hit(row_id=1), hit(row_id=2))
    before = world.rows()
    assert world.fold(hit(row_id=2), hit(row_id=1), rule=replace(RULE, version=2)).outcomes == {"known": 1}
    assert world.fold(hit(row_id=2)).outcomes == {"known": 1}
    assert world.rows() == before


def test_further_rows_are_added_to_an_open_alert_and_the_gravest_colour_is_kept_for_the_chart(world):
    world.fold(hit(row_id=1))
    assert world.fold(hit(row_id=1), hit(row_id=2, colour="red", money_fen=900_00)).outcomes == {"evidence_added": 1}
    assert world.fold(hit(row_id=3, colour="blue", money_fen=1)).outcomes == {"evidence_added": 1}
    (alert,) = world.rows()
    assert (alert.colour, alert.found_colour, alert.money_fen, alert.seen_rows, alert.fresh_rows) == ("yellow", "red", 900_00, [1, 2, 3], 2)
    assert len(world.rows("SELECT 1 FROM alert_evidence")) == 3


def test_a_closed_alert_gets_a_child_for_rows_that_it_did_not_have_and_none_for_those_it_had(world):
    world.fold(hit(row_id=1))
    close(world)
    assert world.fold(hit(row_id=1)).outcomes == {"known": 1}
    assert world.fold(hit(row_id=1), hit(row_id=2)).outcomes == {"child": 1}
    assert world.fold(hit(row_id=1), hit(row_id=2)).outcomes == {"known": 1}
    old, child = world.rows()
    assert (old.current, child.current, child.earlier_id, child.state) == (False, True, old.id, "filed")
    assert (old.seen_rows, child.seen_rows) == ([1], [1, 2])


def clearance(world, **more):
    values = {"scope": "contract", "subject": "HT-7", "amount": 50_00, "days": 90} | more
    world.run(
        "INSERT INTO alert_clearances (id, alert_id, rule_code, reason, basis, papers, scope, subject, amount_fen, until, asked_by, "
        "asked_org_id, asked_at, decision) SELECT gen_random_uuid(), (SELECT id FROM alerts ORDER BY raised_at LIMIT 1), 'GC-01', 'lawful_exception', "
        "'-', '[]', :scope, :subject, :amount, CAST(now() AS date) + CAST(:days AS int), account_id, org_id, now(), 'granted' FROM appointments LIMIT 1",
        **values,
    )


@pytest.mark.parametrize(
    ("granted", "second", "outcome"),
    [
        ({}, {"money_fen": 50_00}, "suppressed"),
        ({}, {"money_fen": 50_01}, "child"),
        ({"subject": "HT-8"}, {"money_fen": 1}, "child"),
        ({"days": -1}, {"money_fen": 1}, "child"),
        ({"scope": "person_rule", "subject": "ab12"}, {"money_fen": 900_00}, "suppressed"),
        ({"scope": "person_rule", "subject": "cd34"}, {"money_fen": 1}, "child"),
    ],
)
def test_a_clearance_covers_later_hits_within_its_scope_and_none_outside_it(world, granted, second, outcome):
    about = {"P-1": Subjects(persons=["ab12"], contracts=["HT-7"])}
    world.fold(hit(row_id=1), subjects=about)
    close(world)
    clearance(world, **granted)
    assert world.fold(hit(row_id=2, **second), subjects=about).outcomes == {outcome: 1}
    world.fold(hit(row_id=2, **second), subjects=about)
    assert len(world.rows("SELECT 1 FROM alert_suppressions")) == (outcome == "suppressed")
    assert len(world.rows()) == 1 + (outcome == "child")


def test_alerts_of_a_run_make_one_packet_for_each_rule_and_township(world):
    run = uuid4()
    world.fold(hit("P-1", 1), hit("P-2", 2, place=NEXT_VILLAGE), hit("P-3", 3, place=OTHER_TOWN), run_id=run)
    world.fold(hit("P-4", 4), run_id=run)
    packets = {one.id: one.township for one in world.rows("SELECT * FROM alert_packets")}
    assert sorted(packets.values()) == ["330213005000", "330213007000"]
    assert {one.alert_key: packets[one.packet_id] for one in world.rows()} == {
        "P-1": "330213007000", "P-2": "330213007000", "P-3": "330213005000", "P-4": "330213007000",
    }  # fmt: skip


def test_a_flood_holds_the_whole_packet_and_a_rule_on_trial_holds_all_it_finds(world):
    few = replace(RULE, flood_limit=3)
    assert world.fold(*[hit(f"A-{n}", n) for n in range(3)], rule=few).held is None
    assert world.fold(*[hit(f"B-{n}", n) for n in range(4)], rule=few).held == "flood"
    assert world.fold(hit("C-1", 1), rule=replace(RULE, new=True)).held == "new_rule"
    held = {one.alert_key[0]: (one.hold_reason, one.flood) for one in world.rows()}
    assert held == {"A": (None, False), "B": ("flood", True), "C": ("new_rule", False)}


def test_a_big_run_is_folded_in_pages_and_again_without_change(world):
    many = [hit(f"P-{n}", n) for n in range(1100)]
    assert world.fold(*many).outcomes == {"new": 1100}
    assert world.fold(*many).outcomes == {"known": 1100}


def test_thirty_two_writers_at_once_fold_without_an_error_and_lose_and_double_nothing(world):
    """Each writer folds the same twelve alerts in an order of its own, with one row that all have and one of its own."""
    with world.worker():
        db.engine.dispose()
        db.engines[None] = create_engine(world.worker_app.config["SQLALCHEMY_DATABASE_URI"], pool_size=32)
    run, failed, together = uuid4(), [], threading.Barrier(32)

    def write(number):
        keys = [f"P-{(n * 5 + number) % 12}" for n in range(12)]
        try:
            with world.worker():
                together.wait()
                for _ in range(3):
                    with transaction(SYSTEM):
                        fold_alerts(RULE, [hit(key, row) for key in keys for row in (1, 100 + number)], run_id=run)
        except SQLAlchemyError as error:
            failed.append(error)

    close_some = [threading.Thread(target=write, args=(n,)) for n in range(32)]
    for thread in close_some:
        thread.start()
    for thread in close_some:
        thread.join()
    assert failed == []
    alerts = world.rows()
    assert len(alerts) == 12 and all(one.current for one in alerts)
    assert all(one.seen_rows == [1, *range(100, 132)] for one in alerts)
    assert len(world.rows("SELECT 1 FROM alert_evidence")) == 12 * 33


def test_writers_that_meet_a_closed_alert_raise_one_child_together(world):
    world.fold(hit(row_id=1))
    close(world)
    with world.worker():
        db.engine.dispose()
        db.engines[None] = create_engine(world.worker_app.config["SQLALCHEMY_DATABASE_URI"], pool_size=32)
    together, failed = threading.Barrier(32), []

    def write(number):
        try:
            with world.worker():
                together.wait()
                with transaction(SYSTEM):
                    fold_alerts(RULE, [hit(row_id=1), hit(row_id=2 + number % 2)], run_id=uuid4())
        except SQLAlchemyError as error:
            failed.append(error)

    threads = [threading.Thread(target=write, args=(n,)) for n in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    old, child = world.rows()
    assert (child.earlier_id, child.seen_rows) == (old.id, [1, 2, 3])


# A source outside


def draft(**more):
    given = {
        "rule_code": "EXT-1", "rule_name": "审计疑点", "alert_key": "HT-9", "place": VILLAGE, "colour": "red", "names": ["沈国良"],
        "evidence": [{"reference": "A-1", "dataset": "audit_finding", "content": {"金额": "33630"}}],
    }  # fmt: skip
    return {**given, **more}


def test_a_source_with_a_key_pushes_an_alert_and_again_changes_nothing(world, client):
    key = world.source()
    answers = [client.post("/api/v1/alerts", json=draft(), headers=key) for _ in range(2)]
    assert [(one.status_code, one.json["outcome"]) for one in answers] == [(201, "new"), (201, "known")]
    (alert,) = world.rows()
    assert (alert.source_id is not None, alert.packet_id, alert.subject_names) == (True, None, ["沈国良"])
    (row,) = world.rows("SELECT * FROM alert_evidence")
    assert row.row_id < 0 and row.content == {"reference": "A-1", "金额": "33630"}


@pytest.mark.parametrize(
    ("headers", "more", "status", "problem"),
    [
        ({}, {}, 401, "unknown-source"),
        ({"X-Source-Key": "guess"}, {}, 401, "unknown-source"),
        (None, {"rule_code": "GC-01"}, 403, "outside-source"),
        (None, {"place": "330502101235"}, 403, "outside-source"),
        (None, {"place": "330213007000"}, 422, "invalid-input"),
        (None, {"evidence": []}, 422, "invalid-input"),
        (None, {"money_fen": 2**63}, 422, "invalid-input"),
    ],
)
def test_a_source_speaks_only_with_its_key_of_its_rules_and_its_area(world, client, headers, more, status, problem):
    key = world.source()
    answer = client.post("/api/v1/alerts", json=draft(**more), headers=key if headers is None else headers)
    assert (answer.status_code, answer.json["type"]) == (status, f"/problems/{problem}")
    assert world.rows() == []


def test_the_command_makes_a_key_that_a_source_can_send_with(world, client, database):
    from app import create_app
    from tests.conftest import settings_for

    owner = create_app(settings_for(database), role="owner")
    done = owner.test_cli_runner().invoke(args=["alerts", "add-source", "市审计平台", "--rule", "EXT-1", "--place", "3302"])
    key = done.output.split("市审计平台: ")[1].split()[0]
    answer = client.post("/api/v1/alerts", json=draft(), headers={"X-Source-Key": key})
    assert (answer.status_code, answer.json["outcome"]) == (201, "new")


def test_nobody_but_the_worker_folds_and_the_web_role_writes_no_alert(world, app):
    for statement in ("SELECT * FROM fold_alerts('{}')", "SELECT * FROM fold_alert_rows('{}')", "INSERT INTO alerts SELECT * FROM alerts", "DELETE FROM alerts"):
        with app.app_context(), pytest.raises(Exception, match="permission denied"), transaction(SYSTEM):
            db.session.execute(db.text(statement))
