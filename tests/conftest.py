"""One real PostgreSQL for the session; a template with the demonstration province; a clone for each test that writes."""

import itertools
import os
import secrets
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, cast

import hypothesis
import psycopg
import pytest
from argon2 import PasswordHasher
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine, create_engine
from sqlalchemy.orm import Session

from app import calendar_store, clock, create_app
from app.config import Settings
from app.ledger.keys import new_key_pem
from app.postgres import EmbeddedPostgres, prepare_cluster
from app.signin import credentials

# Where nobody looks at a failure and tries again, examples are the same at every run; a person's runs look for new ones.
hypothesis.settings.register_profile("ci", derandomize=True, deadline=None)
if os.environ.get("CI"):
    hypothesis.settings.load_profile("ci")

# Hashing as slowly as a product must would take more time than everything else a short test does.
COSTLY = credentials._HASHER
credentials._HASHER = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)

SECRET = "test-" + "k" * 40
MASTER_KEY = "bW1tbW1tbW1tbW1tbW1tbW1tbW1tbW1tbW1tbW1tbW0="
PASSWORD = "correct horse battery"
_numbers = itertools.count()


@pytest.fixture
def key_files(tmp_path: Path) -> dict[str, str]:
    """The two keys that a production can not do without, as settings that name files."""
    master, ledger = tmp_path / "master_key", tmp_path / "ledger_key.pem"
    master.write_text(MASTER_KEY)
    ledger.write_text(new_key_pem())
    return {"MASTER_KEY_FILE": str(master), "LEDGER_KEY_FILE": str(ledger)}


def settings_for(urls: dict[str, str], **more: str) -> Settings:
    """Settings of a test application."""
    return Settings.from_environment({"MINGJIAN_MODE": "test", "SECRET_KEY": SECRET, "MASTER_KEY": MASTER_KEY, **urls, **more})


def _room() -> Path:
    """Where the databases of the tests live: in memory where there is room, because a clone is seven hundred files."""
    memory = Path("/dev/shm")
    roomy = memory.is_dir() and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > 2 * 2**30
    return memory if roomy else Path("/tmp")


@pytest.fixture(scope="session")
def cluster() -> Iterator[Any]:
    """(server, base) of this worker's own PostgreSQL; its database `template_mj` is migrated and has the province in it."""
    base = Path(tempfile.mkdtemp(prefix="mj-suite-", dir=_room()))
    base.chmod(0o755)
    small = {"shared_buffers": "64MB", "max_wal_size": "256MB"}
    with EmbeddedPostgres(base / "postgres", fsync=False, settings=small) as server:
        urls = prepare_cluster(server, "template_mj", owner_creates_databases=True)
        settings = settings_for({"OWNER_DATABASE_URL": urls.owner, "FILES_DIR": str(base / "files")})
        app = create_app(settings, role="owner")
        with app.app_context():
            from flask_migrate import upgrade

            from app.directory import demonstration
            from app.extensions import db
            from app.records.commands import load_files

            upgrade(directory=str(Path(__file__).parent.parent / "migrations"))
            demonstration.load(db.session, divisions="some")
            load_files()
            db.session.commit()
            db.session.remove()
            db.engine.dispose()
        yield server, base
    shutil.rmtree(base, ignore_errors=True)


@pytest.fixture
def database(cluster: Any) -> Iterator[dict[str, str]]:
    """The three URLs of a fresh clone of the template."""
    with clone(cluster) as urls:
        yield urls


# Databases that no test needs any more. The server waits for a tenth of a second when it is to drop one whose connections are
# just ending, so that the last one is left for later.
_left: list[str] = []


@contextmanager
def clone(cluster: Any) -> Iterator[dict[str, str]]:
    """The three URLs of a fresh clone of the template, for a test that needs several databases."""
    server, base = cluster
    name = f"t{os.getpid()}_{next(_numbers)}"
    with psycopg.connect(server.url("postgres", "postgres"), autocommit=True) as admin:
        while len(_left) > 1:
            admin.execute(f"DROP DATABASE {_left.pop(0)} WITH (FORCE)")
        admin.execute(f"CREATE DATABASE {name} TEMPLATE template_mj OWNER mj_owner STRATEGY file_copy")
    try:
        yield {
            "DATABASE_URL": server.url("mj_web", name),
            "WORKER_DATABASE_URL": server.url("mj_worker", name),
            "OWNER_DATABASE_URL": server.url("mj_owner", name),
            "FILES_DIR": str(base / name),
            "SNAPSHOT_DIR": str(base / f"{name}-snapshots"),
        }
    finally:
        _left.append(name)


class _Idle(NamedTuple):
    """An application that no test holds, and what it was like before any did."""

    app: Flask
    config: dict[str, Any]
    extensions: dict[str, Any]


_idle: defaultdict[str, list[_Idle]] = defaultdict(list)


def application(database: dict[str, str], role: str) -> Iterator[Flask]:
    """An application on a clone, in its context.

    Making one takes longer than most tests. So it is made once, and each test gets it with settings and an engine of its
    own: nothing that a test listens for or changes there reaches the next.
    """
    from app.extensions import db

    calendar_store.forget()
    clock.offset_seconds.set(0)
    settings = settings_for(database)
    if not _idle[role]:
        fresh = create_app(settings, role=role)  # type: ignore[arg-type]
        fresh.config.update(TESTING=True, PROPAGATE_UNEXPECTED=True)
        _idle[role].append(_Idle(fresh, dict(fresh.config), dict(fresh.extensions)))
    mine = _idle[role].pop()
    app = mine.app
    for kept, now in ((mine.config, app.config), (mine.extensions, app.extensions)):
        now.clear()
        now.update(kept)
    app.config.update(SETTINGS=settings, SQLALCHEMY_DATABASE_URI=settings.url_for(role))  # type: ignore[arg-type]
    with app.app_context():
        cast("dict[str | None, Engine]", db.engines)[None] = create_engine(
            app.config["SQLALCHEMY_DATABASE_URI"], **app.config["SQLALCHEMY_ENGINE_OPTIONS"]
        )
        try:
            yield app
        finally:
            db.session.remove()
            db.engine.dispose()
            _idle[role].append(mine)


@pytest.fixture
def app(database: dict[str, str]) -> Iterator[Flask]:
    """The web application, connected as mj_web."""
    yield from application(database, "web")


@pytest.fixture
def worker_app(database: dict[str, str]) -> Iterator[Flask]:
    """The worker's application, connected as mj_worker."""
    yield from application(database, "worker")


@pytest.fixture
def db_session(database: dict[str, str]) -> Iterator[Session]:
    """A session as the owner on the same clone: for arranging and looking behind the policies."""
    engine = create_engine(database["OWNER_DATABASE_URL"].replace("postgresql://", "postgresql+psycopg://", 1))
    with Session(engine) as session:
        yield session
    engine.dispose()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """A client of the web application."""
    return app.test_client()


@pytest.fixture
def as_staff(client: FlaskClient) -> Callable[[str], dict[str, str]]:
    """Headers of a signed-in staff account of the demonstration."""
    known: dict[str, dict[str, str]] = {}

    def sign_in(username: str) -> dict[str, str]:
        if username not in known:
            answer = client.post("/api/v1/auth/staff/sign-in", json={"username": username, "password": PASSWORD})
            assert answer.status_code == 200, answer.get_data(as_text=True)
            known[username] = {"Authorization": f"Bearer {answer.json['access_token']}"}
        return known[username]

    return sign_in


@pytest.fixture
def province(app: Flask) -> Any:
    """The demonstration directory, already in every clone."""
    from app.directory import demonstration

    return demonstration


@pytest.fixture
def as_villager(client: FlaskClient, db_session: Session) -> Callable[[str], dict[str, str]]:
    """Headers of somebody signed in by phone, the code read from the outbox as the owner."""
    from sqlalchemy import text

    def sign_in(phone: str) -> dict[str, str]:
        assert client.post("/api/v1/auth/phone/code", json={"phone": phone}).status_code == 202
        code = db_session.execute(
            text("SELECT params->>'code' FROM outbox WHERE address = :p ORDER BY created_at DESC LIMIT 1"), {"p": phone}
        ).scalar_one()
        db_session.rollback()
        answer = client.post("/api/v1/auth/phone/sign-in", json={"phone": phone, "code": code})
        assert answer.status_code == 200, answer.get_data(as_text=True)
        return {"Authorization": f"Bearer {answer.json['access_token']}"}

    return sign_in


@pytest.fixture
def new_key() -> Callable[[], dict[str, str]]:
    """A fresh Idempotency-Key header."""
    return lambda: {"Idempotency-Key": secrets.token_urlsafe(24)}
