"""Who hears of a step of a clue: those on its list when the message is delivered, and nobody else."""

import pytest
from sqlalchemy import text

from app.messages import service as delivery
from tests.app.cases import Cases
from tests.app.test_clues import HANDLER, HEAD, WORDS, World, members

COUNTY = "fenghua.discipline.head"


@pytest.fixture
def clue(client, db_session, as_staff, new_key):
    world = World(client, db_session, as_staff, new_key).file()
    world.route()
    return world


@pytest.fixture
def told(clue, worker_app, db_session):
    """Deliver what waits, and say who has heard what of the clue since the last time."""
    seen = set()

    def deliver():
        with worker_app.app_context():
            report = delivery.deliver_due()
        assert (report.dead, report.put_off) == (0, 0)
        rows = db_session.execute(
            text(
                "SELECT i.id, s.username, i.template FROM inbox i JOIN staff_accounts s ON s.id = i.account_id "
                "WHERE i.template LIKE '%.readers' OR i.template LIKE '%.clue_heads'"
            )
        ).all()
        db_session.rollback()
        fresh = {(row.username, row.template) for row in rows if row.id not in seen}
        seen.update(row.id for row in rows)
        return fresh

    return deliver


def test_the_first_readers_hear_that_there_is_something_and_not_what(clue, told):
    assert told() == {(HEAD, "clue_open.readers")}
    inbox = clue.client.get("/api/v1/inbox", headers=clue.as_staff(HEAD)).json["items"]
    (one,) = [item for item in inbox if item["event"] == "clue_open"]
    assert (one["petition_id"], one["serial"], one["text"]) == (None, None, "有一项工作需要您了解,请登录查看。")
    clue.session.rollback()
    stored = str(clue.session.execute(text("SELECT * FROM inbox WHERE template LIKE 'clue_%'")).all())
    for secret in (WORDS, clue.receipt["serial"], clue.case.id, clue.id):
        assert secret not in stored


def test_a_step_is_told_to_the_list_without_whoever_took_it(clue, told):
    clue.give(HANDLER)
    told()
    clue.act(HEAD, "verify-realname", note="电话核实")
    assert told() == {(HANDLER, "clue_verify_realname.readers")}
    clue.act(HANDLER, "accept")
    assert told() == {(HEAD, "clue_accept.readers")}


def test_somebody_taken_off_the_list_hears_nothing_more_also_of_what_was_written_before(clue, told):
    clue.give(HANDLER)
    told()
    clue.act(HEAD, "verify-realname", note="电话核实")
    clue.send(HEAD, "POST", f"/{clue.id}/readers/{clue.account(HANDLER)}/actions/remove", 200)
    clue.act(HEAD, "accept")
    assert told() == set()


def test_somebody_who_has_to_withdraw_hears_nothing_although_the_list_names_them(clue, told):
    clue.give(HANDLER)
    told()
    clue.session.execute(
        text("UPDATE clues SET excluded_ids = excluded_ids || CAST(:a AS uuid)"), {"a": clue.account(HANDLER)}
    )
    clue.session.commit()
    clue.act(HEAD, "verify-realname", note="电话核实")
    assert told() == set()


def test_what_goes_up_is_told_above_and_no_longer_below(clue, told):
    clue.give(HANDLER)
    told()
    clue.act(HEAD, "send-up", reason="属上级管辖")
    assert told() == {(COUNTY, "clue_send_up.readers")}
    clue.act(COUNTY, "receive")
    assert told() == set()


def test_a_limit_that_passes_is_told_to_the_list_and_to_the_heads_it_rose_to(clue, told, worker_app):
    from app.clues import door
    from app.database import SYSTEM, transaction

    told()
    number = clue.found().id
    with worker_app.app_context(), transaction(SYSTEM):
        found = door.lock(number)
        door.move(found, "rise", SYSTEM, door.look_around(found, SYSTEM), {"policy": "AC-01"})
    assert told() == {(HEAD, "clue_rise.readers"), (COUNTY, "clue_rise.clue_heads")}


def test_words_between_reporter_and_readers_are_announced_to_the_other_side(clue, told):
    told()
    path = f"/api/v1/petitions/{clue.case.id}/messages"
    assert clue.client.post(path, json={"body": "补充"}, headers={**clue.own, **clue.new_key()}).status_code == 201
    assert told() == {(HEAD, "clue_message.readers")}
    clue.send(HEAD, "POST", f"/{clue.id}/messages", 201, {"body": "已收到"})
    assert told() == set()
    clue.session.rollback()
    rows = clue.session.execute(
        text("SELECT template FROM inbox WHERE petition_id = :id AND account_id IS NULL"), {"id": clue.case.id}
    )
    assert "message_from_staff.petitioner" in set(rows.scalars())


def test_nobody_but_the_clock_learns_who_is_told(clue, app):
    from sqlalchemy.exc import DBAPIError

    from app.clues.hearers import hearers_of
    from app.database import transaction
    from app.extensions import db

    number = clue.id
    with pytest.raises(DBAPIError, match="permission denied"), transaction(Cases(app, app, clue.session).staff(HEAD)):
        hearers_of([number])
    db.session.rollback()


def test_offices_and_administrators_hear_of_no_step(clue, told):
    clue.concluded()
    clue.act(HANDLER, "give-feedback", feedback="未发现所反映的问题")
    assert {name for name, _template in told()} <= {HEAD, HANDLER}
    assert members(clue.session, "尚田街道纪工委") == clue.found().org_id
