"""What the worker does with alerts: nobody sees one before it was asked who must withdraw, and nothing lies still."""

from dataclasses import replace
from datetime import timedelta

import pytest

from app.alerts.sweep import sweep_alerts
from tests.app.alert_world import RULE, VILLAGE, Alerts, Subjects, hit


@pytest.fixture
def world(worker_app, db_session):
    return Alerts(worker_app, db_session)


def sweep(world):
    with world.worker():
        report = sweep_alerts()
    assert report.failed == 0
    return report.by_event


def body(world, alert):
    return world.rows("SELECT name FROM organisations WHERE id = :id", id=alert.org_id)[0].name


@pytest.mark.parametrize(
    ("colour", "name", "level"), [("red", "尚田街道纪工委", 4), ("yellow", "尚田街道办事处", 4), ("blue", "尚一村村务监督委员会", 5)]
)
def test_an_alert_goes_to_the_first_receiver_of_its_colour(world, colour, name, level):
    world.fold(hit(colour=colour))
    assert sweep(world) == {"auto_dispatch": 1}
    (alert,) = world.rows()
    assert (alert.state, body(world, alert), alert.level, alert.version) == ("dispatched", name, level, 2)
    assert [one.event for one in world.rows("SELECT event FROM alert_events ORDER BY seq")] == ["file", "auto_dispatch"]
    assert alert.next_event == "escalate" and {one["policy"] for one in alert.limits} >= {"AL-01", "AL-05"}
    assert len(world.rows("SELECT 1 FROM ledger_queue")) == 2
    assert sweep(world) == {}


def test_an_alert_about_kin_of_the_office_passes_it_over(world):
    """毛定国 sits on a village committee; his brother works at the township office."""
    world.fold(hit(), subjects={"P-1": Subjects(names=["毛定国"])})
    sweep(world)
    (alert,) = world.rows()
    assert len(alert.excluded_account_ids) > 0 and body(world, alert) != "尚一村村民委员会"
    told = world.rows("SELECT id FROM staff_accounts WHERE id = ANY(:ids) AND username = 'shangtian.office'", ids=alert.excluded_account_ids)
    assert len(told) == 1


def test_what_is_held_waits_and_what_is_new_evidence_goes_on_the_timeline(world):
    world.fold(hit("A", 1), hit("B", 2), rule=replace(RULE, flood_limit=1))
    world.fold(hit("C", 3))
    assert sweep(world) == {"hold": 2, "auto_dispatch": 1}
    world.fold(hit("A", 4), hit("C", 5))
    assert sweep(world) == {"add_evidence": 2}
    states = {one.alert_key: (one.state, one.fresh_rows) for one in world.rows()}
    assert states == {"A": ("held", 0), "B": ("held", 0), "C": ("dispatched", 0)}


def test_evidence_that_makes_an_alert_graver_sends_it_to_whoever_takes_that_colour(world):
    world.fold(hit(row_id=1, colour="blue"))
    sweep(world)
    world.fold(hit(row_id=2, colour="red"))
    assert sweep(world) == {"push_again": 1}
    (alert,) = world.rows()
    assert (alert.colour, alert.state, body(world, alert)) == ("red", "dispatched", "尚田街道纪工委")


def test_a_stronger_rule_mutes_the_weaker_which_goes_out_alone_when_the_stronger_was_a_false_alarm(world):
    stronger = replace(RULE, code="GC-01B", mutes=["GC-01"])
    world.fold(hit(row_id=1, colour="red"), rule=stronger)
    world.fold(hit(row_id=1))
    assert sweep(world) == {"auto_dispatch": 1, "mute": 1}
    first, second = world.rows()
    assert (second.state, second.parent_id) == ("muted", first.id)
    world.run("UPDATE alerts SET closed_at = now(), state = 'rated', resolution = 'cleared' WHERE id = :id", id=first.id)
    assert sweep(world) == {"auto_dispatch": 1}
    world.run("UPDATE alerts SET state = 'muted' WHERE id = :id", id=second.id)
    world.run("UPDATE alerts SET resolution = 'disposed' WHERE id = :id", id=first.id)
    assert sweep(world) == {"follow_parent": 1}
    assert world.rows()[1].closed_at is not None


def test_an_alert_that_nobody_signs_rises_level_by_level_and_leaves_at_the_top(world, later):
    world.fold(hit(colour="red"))
    sweep(world)
    levels = []
    for day in range(1, 30):
        later(timedelta(days=8 * day))
        if "escalate" in sweep(world):
            levels.append((world.rows()[0].level, world.rows()[0].state))
        if world.rows()[0].state == "external":
            break
    assert levels == [(3, "escalated"), (2, "escalated"), (1, "escalated"), (1, "external")]
    assert world.rows()[0].overdue and world.rows()[0].place == VILLAGE
