"""What has served its time is deleted, in small steps, and nothing else is."""

from datetime import timedelta
from uuid import uuid4

import psycopg
import pytest
from psycopg import errors
from sqlalchemy import event, func, select, text

from app import clock, housekeeping
from app.extensions import db
from app.messages.models import InboxMessage, OutboxMessage
from app.signin.models import Attempt, IdempotencyKey, OneTimeCode, SignInSession
from app.supervision.models import JobRun
from app.supervision.scheduler import JOBS

DAY = timedelta(days=1)


@pytest.fixture
def tidy(worker_app):
    def run(*arguments, **more):
        with worker_app.app_context():
            return housekeeping.tidy(*arguments, **more)

    return run


def keep(session, *rows):
    session.add_all(rows)
    session.commit()


def count(session, model):
    session.rollback()
    return session.scalar(select(func.count()).select_from(model))


def session_of(expires_at):
    return SignInSession(
        id=uuid4(), kind="receipt", refresh_jti="-", created_at=expires_at - DAY, expires_at=expires_at
    )


def outgoing(status, days, sent=True):
    at = clock.now() - days * DAY
    return OutboxMessage(
        created_at=at, audience="owner_org", template="file", params={}, status=status, attempts=1, next_attempt_at=at,
        sent_at=at if sent else None,
    )  # fmt: skip


def incoming(days, read_days=None):
    now = clock.now()
    read_at = None if read_days is None else now - read_days * DAY
    return InboxMessage(outbox_id=uuid4(), at=now - days * DAY, template="file.owner_org", params={}, read_at=read_at)


def job_run(days):
    at = clock.now() - days * DAY
    return JobRun(job="deadlines", started_at=at, finished_at=at, done=1, failed=0)


def test_codes_keys_counters_and_sessions_go_when_their_time_is_over(tidy, db_session):
    now = clock.now()
    keep(
        db_session,
        OneTimeCode(id=uuid4(), phone="13800000001", code_mac="a", expires_at=now - 2 * DAY),
        OneTimeCode(id=uuid4(), phone="13800000002", code_mac="b", expires_at=now + DAY),
        IdempotencyKey(key_mac="old", body_mac="", status=201, answer={}, created_at=now - 31 * DAY),
        IdempotencyKey(key_mac="new", body_mac="", status=201, answer={}, created_at=now - 29 * DAY),
        Attempt(key="over", count=3, window_ends_at=now - DAY),
        Attempt(key="locked", count=9, window_ends_at=now - DAY, locked_until=now + DAY),
        Attempt(key="open", count=1, window_ends_at=now + DAY),
        session_of(now - 8 * DAY),
        session_of(now - DAY),
    )
    assert tidy().done == 4
    assert [count(db_session, one) for one in (OneTimeCode, IdempotencyKey, Attempt, SignInSession)] == [1, 1, 2, 1]


def test_sent_messages_go_after_ninety_days_and_those_that_nobody_got_stay(tidy, db_session):
    keep(
        db_session,
        outgoing("sent", 91),
        outgoing("sent", 89),
        outgoing("dead", 400, sent=False),
        outgoing("pending", 400, sent=False),
    )
    assert tidy().by_table["outbox"] == 1
    db_session.rollback()
    assert sorted(db_session.scalars(select(OutboxMessage.status))) == ["dead", "pending", "sent"]


def test_the_inbox_keeps_what_was_read_for_half_a_year_and_what_was_not_for_a_year(tidy, db_session):
    keep(db_session, incoming(400, 181), incoming(181, 179), incoming(366), incoming(364), incoming(364, 1))
    assert tidy().by_table["inbox"] == 2
    assert count(db_session, InboxMessage) == 3


def test_the_log_of_jobs_goes_back_thirty_days(tidy, db_session):
    keep(db_session, job_run(31), job_run(29))
    assert tidy().by_table["job_runs"] == 1
    assert count(db_session, JobRun) == 1


def test_a_backlog_goes_in_many_small_transactions(tidy, worker_app, db_session):
    keep(db_session, *(job_run(40) for _ in range(25)))
    commits = []
    with worker_app.app_context():
        event.listen(db.engine, "commit", commits.append)
    assert tidy(10).by_table["job_runs"] == 25
    # Ten, ten and five; every other table is looked at once.
    assert len(commits) == len(housekeeping.RULES) + 2


def test_a_worker_that_is_stopped_leaves_the_rest_for_the_next_round(tidy, db_session):
    keep(db_session, *(job_run(40) for _ in range(25)))
    asked = iter([False] * len(housekeeping.RULES) + [True] * 100)
    assert tidy(10, stopping=lambda: next(asked)).by_table["job_runs"] == 10
    assert count(db_session, JobRun) == 15


def test_the_worker_keeps_house_by_itself():
    assert "housekeeping" in {job.name for job in JOBS}


def test_the_database_keeps_unsent_messages_from_the_worker_and_everything_from_the_web(database, db_session):
    keep(db_session, outgoing("sent", 1), outgoing("dead", 1), outgoing("pending", 1), incoming(1), job_run(1))
    with psycopg.connect(database["WORKER_DATABASE_URL"], autocommit=True) as worker, worker.transaction():
        # Without an actor nothing is seen, and so nothing deleted.
        assert [worker.execute(f"DELETE FROM {one}").rowcount for one in ("outbox", "inbox", "job_runs")] == [0, 0, 0]
        worker.execute("SELECT set_config('mj.kind', 'system', true)")
        assert [worker.execute(f"DELETE FROM {one}").rowcount for one in ("outbox", "inbox", "job_runs")] == [1, 1, 1]
    with psycopg.connect(database["DATABASE_URL"], autocommit=True) as web:
        for table in ("outbox", "inbox", "job_runs"):
            with pytest.raises(errors.InsufficientPrivilege):
                web.execute(f"DELETE FROM {table}")


@pytest.mark.parametrize(
    "rule", housekeeping.RULES, ids=lambda rule: f"{rule.model.__tablename__}-{rule.over.__name__}"
)
def test_no_rule_has_to_read_a_whole_table(app, db_session, rule):
    (key,) = rule.model.__table__.primary_key
    query = select(key).where(rule.over(clock.now())).limit(1000)
    db_session.execute(text("SET LOCAL enable_seqscan = off"))
    sql = query.compile(db_session.get_bind(), compile_kwargs={"literal_binds": True})
    plan = "\n".join(db_session.scalars(text(f"EXPLAIN {sql}")))
    assert "Index" in plan
    assert "Seq Scan" not in plan
