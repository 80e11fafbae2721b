"""Petitions that were sealed before there were clues become clues when the database is brought up."""

from pathlib import Path

import pytest
from flask_migrate import downgrade, upgrade
from sqlalchemy import text

from app.clues import sweep
from app.extensions import db
from app.ledger import sequencing, verification
from tests.app.test_clues import HEAD, TITLE, WORDS, World, everything, members

MIGRATIONS = str(Path(__file__).parent.parent.parent / "migrations")
CITY = "ningbo.discipline.head"


@pytest.fixture
def sealed_before(client, db_session, as_staff, new_key, monkeypatch):
    """Seals an accusation as it was done before there were clues: in its last state, and in clear."""

    def make(office="shangtian.office", **more):
        world = World(client, db_session, as_staff, new_key).file(**more)
        with monkeypatch.context() as patched:
            patched.setattr("app.petitions.service.seal_petition", lambda *_given: None)
            world.route(office)
        return world

    return make


@pytest.fixture
def migrate(app, database, monkeypatch, db_session):
    """Bring the database down to before the clues, and up again, as the owner."""
    monkeypatch.setitem(app.config, "SQLALCHEMY_DATABASE_URI", database["OWNER_DATABASE_URL"])

    def run(*, up):
        db_session.rollback()
        db.session.remove()
        db.engine.dispose()
        upgrade(directory=MIGRATIONS) if up else downgrade(directory=MIGRATIONS, revision="0009")

    return run


@pytest.mark.slow
def test_what_was_sealed_in_clear_becomes_a_clue_with_a_stub(sealed_before, migrate, worker_app, db_session):
    world = sealed_before(accused=[{"name": "毛某某", "post": "会计"}])
    superior = sealed_before("fenghua.office", accused_org_ids=[str(members(db_session, "奉化区农业农村局"))])
    migrate(up=False)
    assert any(WORDS in rows for rows in everything(db_session).values())
    migrate(up=True)
    for table, rows in everything(db_session).items():
        for secret in (WORDS, TITLE, "毛某某"):
            assert secret not in rows, table
    # The first look of the worker gives it its clocks, and moves nothing.
    with worker_app.app_context():
        assert (sweep.sweep_clues().done, sweep.sweep_clues().failed) == (0, 0)
        sequencing.sequence(rhythm=None)
    assert (world.found().state, world.found().level) == ("sealed", 4)
    assert (superior.found().state, superior.found().level) == ("sent_up", 2)
    assert [one["policy"] for one in world.see(HEAD)["limits"]] == ["AC-01"]
    assert [one["policy"] for one in superior.see(CITY)["limits"]] == ["AC-03"]
    opened = world.read(HEAD)
    assert (opened["title"], opened["body"], opened["accused"]) == (TITLE, WORDS, [{"name": "毛某某", "post": "会计"}])
    superior.see("fenghua.discipline.head", expect=404)
    assert world.case.see(world.as_staff("shangtian.office"))["title"] == "已转有关部门"
    db_session.rollback()
    assert verification.verify_all(db_session).faults == []
    world.act(HEAD, "verify-realname", note="电话核实")


@pytest.mark.slow
def test_down_destroys_what_was_sealed_and_a_bare_stub_is_no_clue_again(sealed_before, migrate, db_session):
    world = sealed_before()
    migrate(up=False)
    migrate(up=True)
    migrate(up=False)
    assert all(WORDS not in rows for rows in everything(db_session).values())
    migrate(up=True)
    assert world.found() is None
    assert world.case.see(world.as_staff("shangtian.office"))["title"] == "已转有关部门"


@pytest.mark.slow
def test_with_nobody_to_take_one_the_database_stays_below_and_nothing_is_lost(sealed_before, migrate, db_session, caplog):
    sealed_before()
    sealed_before("fenghua.office", accused_org_ids=[str(members(db_session, "浙江省纪委监委"))])
    migrate(up=False)
    with pytest.raises(SystemExit):
        migrate(up=True)
    assert "1 sealed petitions have no discipline body" in caplog.text
    db_session.rollback()
    kept = db_session.execute(text("SELECT count(*) FROM petitions WHERE body = :w AND state = 'sealed'"), {"w": WORDS}).scalar()
    assert kept == 2
