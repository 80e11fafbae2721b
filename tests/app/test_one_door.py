"""What a case is moved by: the events that come with its lock, and the one statement that writes the case and what follows."""

import threading
import time

import psycopg
import pytest
from sqlalchemy.orm.exc import StaleDataError

from app import timeline, transitions
from app.database import SYSTEM, set_actor, transaction, write_with_rows
from app.extensions import db
from tests.app.cases import STRANGER, Cases


@pytest.fixture
def cases(app, worker_app, db_session):
    return Cases(app, worker_app, db_session)


def written(petition):
    """One more event on a locked case."""
    petition.version += 1
    timeline.append(petition.id, petition.version, "urge", SYSTEM, from_state=petition.state, to_state=petition.state, facts={})


def names(log):
    return [one.event for one in log]


def test_the_events_of_a_locked_case_are_those_that_are_read_apart(cases, worker_app):
    case = cases.handled()
    with worker_app.app_context(), transaction(SYSTEM):
        petition = transitions.lock(case)
        assert petition.brought_log is not None
        assert timeline.log_of_locked(petition) == timeline.as_case_events(timeline.log_of(case))


def test_an_event_written_since_the_lock_is_among_the_events_of_the_case(cases, worker_app):
    case = cases.file()
    with worker_app.app_context(), transaction(SYSTEM):
        petition = transitions.lock(case)
        written(petition)
        assert names(timeline.log_of_locked(petition)) == ["file", "urge"]


def test_whoever_waited_for_a_case_reads_the_event_that_was_written_meanwhile(cases, worker_app, database):
    """PostgreSQL gives the row as it has become, and what else the statement reads as it was when it began."""
    case, found = cases.file(), {}

    def wait_for_it():
        with worker_app.app_context(), transaction(SYSTEM):
            petition = transitions.lock(case)
            found.update(brought=len(petition.brought_log), events=names(timeline.log_of_locked(petition)))

    second = threading.Thread(target=wait_for_it)
    with worker_app.app_context(), transaction(SYSTEM):
        written(transitions.lock(case))
        db.session.flush()
        second.start()
        with psycopg.connect(database["OWNER_DATABASE_URL"], autocommit=True) as owner:
            while not owner.execute("SELECT 1 FROM pg_locks WHERE NOT granted").fetchall():
                assert second.is_alive(), found
                time.sleep(0.01)
    second.join()
    assert found == {"brought": 1, "events": ["file", "urge"]}


def test_a_case_is_written_with_its_rows_and_nothing_is_left_to_write(cases, worker_app):
    case = cases.file()
    with worker_app.app_context(), transaction(SYSTEM):
        petition = transitions.lock(case)
        transitions.move(petition, "auto_register", SYSTEM)
        assert petition not in db.session.dirty
        petition.colour = "red"
        assert petition in db.session.dirty
    assert (cases.row(case).state, cases.row(case).colour) == ("registered", "red")


def test_columns_that_were_not_changed_stay_as_somebody_else_wrote_them(cases, worker_app, db_session):
    """A trigger adds who must withdraw while the record in hand still says nobody."""
    case, body = cases.file(), cases.staff("fenghua.agri").org_id
    with worker_app.app_context(), transaction(SYSTEM):
        petition = transitions.lock(case)
        db.session.connection().exec_driver_sql(
            "INSERT INTO exclusions (id, petition_id, org_id, reason, since) VALUES (gen_random_uuid(), %s, %s, 'accused', now())", (case, body)
        )
        transitions.move(petition, "auto_register", SYSTEM)
    assert cases.row(case).excluded_org_ids == [body]


def test_whoever_does_not_see_a_case_can_not_write_it(cases, app, worker_app):
    case = cases.file()
    with worker_app.app_context(), transaction(SYSTEM):
        petition = transitions.lock(case)
    with app.app_context(), pytest.raises(StaleDataError), transaction(STRANGER):
        db.session.add(petition)
        set_actor(STRANGER)
        petition.version = 2
        write_with_rows(petition, {})
    assert cases.row(case).version == 1
