"""Somebody leaves: their clues are given on or go up, on record, and whoever orders it learns of none."""

import pytest
from sqlalchemy import text

from app.clues.succession import pass_on_clues
from tests.app.test_clues import HANDLER, HEAD, WORDS, World

COUNTY, CITY = "fenghua.discipline.head", "ningbo.discipline.head"


@pytest.fixture
def clue(client, db_session, as_staff, new_key):
    world = World(client, db_session, as_staff, new_key).file()
    world.route()
    return world


@pytest.fixture
def pass_on(worker_app):
    """One round of the worker: how many clues were given on, and how many nobody could take."""

    def run():
        with worker_app.app_context():
            report = pass_on_clues()
        return report.done, report.failed

    return run


def leave(world, username, successor):
    """An administrator hands over for somebody; returns the answer."""
    answer = world.client.post(
        f"/api/v1/staff/{world.account(username)}/actions/hand-over",
        json={"successor_id": world.account(successor)},
        headers=world.as_staff("admin"),
    )
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return answer.json


def appoint(world, username, body, role, *, head=True):
    world.session.execute(
        text(
            "INSERT INTO appointments (id, account_id, role, org_id, head, valid_from) SELECT gen_random_uuid(), :a, :r, id, :h, "
            "'2024-01-01' FROM organisations WHERE name = :b"
        ),
        {"a": world.account(username), "r": role, "b": body, "h": head},
    )
    world.session.commit()


def listed(world):
    """User names now on the list, as the owner of the tables sees them."""
    rows = world.session.execute(
        text(
            "SELECT s.username FROM clue_readers r JOIN staff_accounts s ON s.id = r.account_id "
            "WHERE r.clue_id = :id AND r.until IS NULL ORDER BY 1"
        ),
        {"id": world.id},
    )
    found = list(rows.scalars())
    world.session.rollback()
    return found


def test_while_everybody_is_there_nothing_is_given_on(clue, pass_on):
    clue.handled()
    assert pass_on() == (0, 0)


def test_a_handler_who_leaves_is_off_the_list_and_the_head_assigns_anew(clue, pass_on):
    clue.handled()
    before = clue.see(HEAD)["limits"]
    leave(clue, HANDLER, "fenghua.agri")
    assert pass_on() == (1, 0)
    found = clue.found()
    assert (found.state, found.level, found.handler_id, listed(clue)) == ("preliminary_verification", 4, None, [HEAD])
    view = clue.see(HEAD)
    step = view["timeline"][-1]
    assert (step["event"], step["label"]) == ("pass_on", "有人离岗或须回避,已移交")
    assert (step["facts"]["gone"], step["facts"]["came"]) == ([clue.account(HANDLER)], [])
    # No limit moves by it.
    assert view["limits"] == before
    clue.act(HEAD, "assign", handler_id=clue.account("fenghua.group"))
    assert pass_on() == (0, 0)


def test_a_handler_who_leaves_uses_up_no_change_of_hands(clue, pass_on):
    clue.handled()
    clue.session.execute(text("UPDATE clues SET assignments = 5"))
    clue.session.commit()
    leave(clue, HANDLER, "fenghua.agri")
    pass_on()
    clue.act(HEAD, "assign", handler_id=clue.account("fenghua.group"))
    assert clue.act(HEAD, "assign", expect=403, handler_id=clue.account(COUNTY))["reason"] == "assignments-spent"


def test_the_clue_of_the_only_reader_goes_to_another_head_of_the_body(clue, pass_on):
    appoint(clue, HANDLER, "尚田街道纪工委", "township_discipline")
    leave(clue, HEAD, HANDLER)
    assert listed(clue) == [HEAD]
    assert pass_on() == (1, 0)
    assert (clue.found().level, listed(clue)) == (4, [HANDLER])
    assert clue.session.execute(text("SELECT count(*) FROM clue_readers WHERE until IS NOT NULL")).scalar() == 1


def test_without_another_head_the_clue_goes_up_and_is_read_there(clue, pass_on):
    leave(clue, HEAD, "fenghua.agri")
    assert pass_on() == (1, 0)
    assert (clue.found().level, clue.found().state, listed(clue)) == (3, "sealed", [COUNTY])
    assert clue.read(COUNTY)["body"] == WORDS
    assert clue.see(COUNTY)["overdue"] is False
    assert pass_on() == (0, 0)


def test_with_a_reader_left_a_body_without_a_head_still_gives_the_clue_up(clue, pass_on):
    clue.give(HANDLER)
    leave(clue, HEAD, "fenghua.agri")
    assert pass_on() == (1, 0)
    assert (clue.found().level, listed(clue)) == (3, [HANDLER])
    # The head above takes charge and opens nothing before stepping onto the list.
    assert clue.see(COUNTY)["may_open"] is False


def test_an_appointment_that_runs_out_is_seen_as_well(clue, pass_on):
    clue.session.execute(
        text("UPDATE appointments SET valid_to = '2024-12-31', valid_from = '2024-01-01' WHERE account_id = :a"), {"a": clue.account(HEAD)}
    )
    clue.session.commit()
    assert pass_on() == (1, 0)
    assert listed(clue) == [COUNTY]


def test_a_finding_that_waits_for_a_head_of_the_city_who_left_is_brought_before_the_province(clue, pass_on):
    clue.concluded()
    clue.act(HANDLER, "propose-false-accusation", reason="捏造事实")
    assert CITY in listed(clue)
    leave(clue, CITY, "fenghua.agri")
    assert pass_on() == (1, 0)
    (province,) = set(listed(clue)) - {HEAD, HANDLER}
    clue.act(province, "refuse-false-accusation", reason="证据不足")
    assert clue.found().false_accusation == "refused"


def test_a_head_who_took_himself_off_the_list_is_not_put_back(clue, pass_on):
    clue.send(HEAD, "POST", f"/{clue.id}/readers/{clue.account(HEAD)}/actions/remove", 200)
    assert (pass_on(), listed(clue)) == ((0, 0), [])


def test_with_nobody_left_up_to_the_province_the_clue_stays_and_is_tried_again(clue, pass_on):
    clue.session.execute(text("UPDATE appointments SET head = false"))
    clue.session.commit()
    assert pass_on() == (0, 1)
    assert (clue.found().level, listed(clue)) == (4, [HEAD])
    clue.session.execute(
        text("UPDATE appointments SET head = true WHERE account_id = :a"), {"a": clue.account(COUNTY)}
    )
    clue.session.commit()
    assert pass_on() == (1, 0)
    assert clue.found().level == 3


def test_who_orders_the_hand_over_learns_of_no_clue(clue, pass_on):
    clue.handled()
    done = leave(clue, HANDLER, "fenghua.agri")
    assert (done["petitions_moved"], done["appointments_ended"]) == (0, 1)
    assert set(done) == {"account_id", "successor_id", "left_on", "petitions_moved", "appointments_ended"}
    pass_on()
    clue.see("admin", expect=404)
    # The successor whom an administrator names is nobody's choice to read it.
    clue.see("fenghua.agri", expect=404)


def test_nobody_but_the_clock_passes_clues_on(clue, app):
    from sqlalchemy.exc import DBAPIError

    from app.database import transaction
    from app.extensions import db
    from tests.app.cases import Cases

    number = clue.id
    for statement in ("SELECT * FROM clues_forsaken()", f"SELECT * FROM pass_on_clue('{number}', '{{}}', now())"):
        with pytest.raises(DBAPIError, match="permission denied"), transaction(Cases(app, app, clue.session).staff(HEAD)):
            db.session.execute(text(statement))
        db.session.rollback()
