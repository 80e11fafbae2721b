"""Recusal under seal: kinship and posts that change later reach the clue, which never goes to nobody."""

import pytest
from sqlalchemy import text

from app import clock
from app.directory.models import Appointment
from tests.app import test_clues, test_recusal
from tests.app.test_clues import HANDLER, HEAD
from tests.app.test_recusal import MAO


@pytest.fixture
def world(app, worker_app, db_session, client, as_staff, new_key):
    return SealedWorld(app, worker_app, db_session, client, as_staff, new_key)


class SealedWorld(test_clues.World):
    """A clue about 毛定国, and the directory that changes around it."""

    def __init__(self, app, worker_app, session, client, as_staff, new_key):
        super().__init__(client, session, as_staff, new_key)
        self.directory = test_recusal.World(app, worker_app, session, client, as_staff, new_key)

    def seal(self, **more):
        self.file(**{"accused": MAO, **more})
        self.route("shangtian.head")
        return self

    def sweep(self):
        self.session.rollback()
        return self.directory.sweep()

    def list_of(self):
        """User names of those on the list now."""
        names = "SELECT s.username FROM clue_readers r JOIN staff_accounts s ON s.id = r.account_id WHERE r.until IS NULL ORDER BY 1"
        found = list(self.session.scalars(text(names)))
        self.session.rollback()
        return found

    def in_charge(self):
        row = self.found()
        name = self.session.execute(text("SELECT name FROM organisations WHERE id = :id"), {"id": row.org_id}).scalar()
        self.session.rollback()
        return (row.state, row.level, name)


def test_a_reader_who_becomes_kin_later_leaves_the_list_at_once(world):
    world.seal().give(HANDLER)
    world.read(HANDLER)
    world.directory.marry(HANDLER)
    assert world.sweep().done == 1
    world.read(HANDLER, expect=404)
    world.see(HANDLER, expect=404)
    assert world.list_of() == [HEAD]
    assert world.in_charge() == ("sealed", 4, "尚田街道纪工委"), "the head goes on with it"
    world.read(HEAD)


def test_a_handler_who_must_withdraw_handles_no_longer_and_the_head_assigns_anew(world):
    world.seal().handled()
    world.directory.marry(HANDLER)
    world.sweep()
    assert world.found().handler_id is None
    world.act(HANDLER, "report", expect=404, report="查")


def test_when_the_head_must_withdraw_the_clue_goes_one_level_up_and_to_somebody(world):
    world.seal()
    world.directory.marry(HEAD)
    world.sweep()
    assert world.list_of() == []
    assert world.in_charge() == ("sealed", 3, "奉化区纪委监委")
    for username in (HEAD, HANDLER):
        world.see(username, expect=404)
    county = next(
        name
        for name in ("fenghua.discipline.head", "fenghua.discipline")
        if world.session.execute(
            text("SELECT p.head FROM appointments p JOIN staff_accounts s ON s.id = p.account_id WHERE s.username = :u"), {"u": name}
        ).scalar()
    )
    world.session.rollback()
    world.see(county)
    world.give(county, by=county)
    assert world.read(county)["body"] == test_clues.WORDS
    events = list(world.session.scalars(text("SELECT event FROM clue_events ORDER BY seq")))
    assert events[:2] == ["open", "recuse"]
    assert world.found().overdue is False, "no limit has passed"


def test_a_new_post_of_the_person_named_excludes_the_body_in_charge(world):
    world.seal()
    mao = world.session.execute(text("SELECT id FROM persons WHERE name = '毛定国'")).scalar_one()
    org = world.directory.body("尚田街道纪工委").id
    world.session.execute(
        text("INSERT INTO posts (id, person_id, org_id, title, valid_from) VALUES (gen_random_uuid(), :p, :o, '干事', :d)"),
        {"p": mao, "o": org, "d": clock.today()},
    )
    world.session.commit()
    world.sweep()
    assert world.in_charge()[1:] == (3, "奉化区纪委监委")
    world.see(HEAD, expect=404)


def test_what_concerns_nobody_of_the_clue_leaves_it_alone(world):
    world.seal()
    before = world.found()
    account = world.directory.account("fenghua.agri")
    world.session.add(
        Appointment(account_id=account.id, role="department_handler", org_id=world.directory.body("奉化区信访局").id, head=False, valid_from=clock.today())
    )
    world.session.commit()
    world.sweep()
    assert world.found() == before


def test_looking_again_moves_it_no_further(world):
    world.seal()
    world.directory.marry(HEAD)
    world.sweep()
    before = world.in_charge()
    for _ in range(3):
        world.session.execute(text("INSERT INTO directory_changes (petition_id) VALUES (:id)"), {"id": world.case.id})
        world.session.commit()
        world.sweep()
    assert world.in_charge() == before


def test_above_the_last_body_the_clue_leaves_the_system_and_goes_to_nobody_here(world):
    world.seal()
    heads = text(
        "SELECT s.username FROM appointments p JOIN staff_accounts s ON s.id = p.account_id JOIN organisations o ON o.id = p.org_id "
        "WHERE p.head AND o.kind = 'discipline' ORDER BY o.level DESC, s.username"
    )
    usernames = list(world.session.scalars(heads))
    world.session.rollback()
    for username in usernames:
        world.directory.marry(username)
    world.sweep()
    row = world.found()
    assert (row.state, row.org_id) == ("outside", None)


def test_a_change_just_before_the_sealing_is_seen_by_it(world):
    world.file(accused=MAO)
    world.directory.marry(HEAD)
    world.route("shangtian.head")
    assert world.in_charge()[1:] == (3, "奉化区纪委监委")
    assert HEAD not in world.list_of()


def test_whom_a_sealed_petition_names_is_kept_by_id_for_the_worker_alone(world):
    world.seal()
    kept = "SELECT count(*) FROM recusal_subjects r JOIN persons p ON p.id = r.subject_id WHERE p.name = '毛定国'"
    assert world.session.execute(text(kept)).scalar_one() == 1
    web = "SELECT has_table_privilege('mj_web', 'recusal_subjects', 'SELECT')"
    assert world.session.execute(text(web)).scalar_one() is False
    world.session.rollback()


def test_the_office_that_sees_the_stub_no_longer_reads_why_somebody_must_withdraw(world):
    world.file(accused=MAO)
    url, office = f"/api/v1/petitions/{world.case.id}/exclusions", world.as_staff("fenghua.office")
    assert world.client.get(url, headers=office).json["items"] != []
    world.route("shangtian.head")
    assert world.client.get(url, headers=office).json["items"] == [], "the reason names whom the clue is about"
