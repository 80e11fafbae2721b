"""The run supervisor behind ``make run``: database, migrations, demonstration data, then web and worker until Ctrl-C.

It is the only process that holds all three database URLs: web and worker each get the one of their own role. Every
child ends with the supervisor, even when that is killed. Exit status: 0 stopped on request, 1 something failed,
2 unusable settings, 3 already running, 4 the port is taken.
"""

import argparse
import contextlib
import dataclasses
import errno
import fcntl
import http.client
import os
import secrets
import shlex
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

import psycopg

from app.config import URL_VARIABLES, DatabaseRole, Settings, SettingsError
from app.postgres import EmbeddedPostgres, PostgresError, Urls, end_with_parent, prepare_cluster

RESTARTS_PER_MINUTE = 5
STOP_SECONDS = 15
READY_SECONDS = 60
# How long the web server of a supervisor that was killed a moment ago may still hold the port.
PORT_SECONDS = 15


@dataclass(frozen=True, slots=True)
class Command:
    """A program to run: the name people read, the command line, and all of its environment."""

    name: str
    arguments: list[str]
    environment: dict[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Plan:
    """What to run on a started database.

    ``preparations`` run one after the other and must succeed; ``children`` start in this order, are kept alive and
    stop in the opposite one; ``announcements`` run once when ``ready_url`` has answered 200.
    """

    preparations: tuple[Command, ...]
    children: tuple[Command, ...]
    announcements: tuple[Command, ...]
    ready_url: str


class RunError(Exception):
    """The run can not go on; the text tells the reader what to do, the status is for the shell."""

    def __init__(self, text: str, status: int = 1) -> None:
        super().__init__(text)
        self.status = status


class _StopAsked(Exception):
    """Ctrl-C or a signal to stop arrived."""


def standard_plan(settings: Settings, urls: Urls, environ: Mapping[str, str]) -> Plan:
    """The product: migrate, load the demonstration province in demonstration mode, then web and worker."""
    keys = {name: environ[name] for name in ("MASTER_KEY", "MASTER_KEY_FILE") if name in environ}
    common = {name: value for name, value in environ.items() if name not in {*URL_VARIABLES.values(), *keys}}
    base = common | {"MINGJIAN_MODE": settings.mode, "SECRET_KEY": settings.secret_key}
    of_web, of_worker, of_owner = {"DATABASE_URL": urls.web}, {"WORKER_DATABASE_URL": urls.worker}, {}
    if urls.owner:
        of_owner = {"OWNER_DATABASE_URL": urls.owner}
    # The worker delivers without knowing to whom, so it gets no master key.
    flask = [sys.executable, "-m", "flask", "--app", "app"]
    gunicorn = [sys.executable, "-m", "gunicorn", "--worker-class", "gthread", "--no-control-socket"]
    gunicorn += ["--workers", str(settings.web_workers), "--threads", str(settings.web_threads)]
    gunicorn += ["--bind", f"{_bracketed(settings.host)}:{settings.port}", "--log-level", settings.log_level.lower()]
    demo = settings.mode == "demo"
    migrate = Command("migrations", [*flask, "db", "upgrade"], base | of_owner | keys)
    load = Command("demonstration province", [*flask, "demo", "load"], base | of_owner | of_web | of_worker)
    accounts = Command("demonstration accounts", [*flask, "demo", "accounts"], base | of_owner | of_web | of_worker)
    return Plan(
        preparations=((migrate,) if of_owner else ()) + ((load,) if demo else ()),
        children=(
            Command("web", [*gunicorn, "app:serve()"], base | of_web | keys),
            Command("worker", [*flask, "worker"], base | of_worker),
        ),
        announcements=(accounts,) if demo else (),
        ready_url=f"{_local_url(settings)}/readyz",
    )


@dataclass(slots=True)
class _Kept:
    """Something that is started again when it ends by itself."""

    name: str
    start: Callable[[], None]
    is_running: Callable[[], bool]
    ends: list[float] = field(default_factory=list)
    start_at: float | None = None


class Supervisor:
    """One run. ``plan`` says what to run, ``first_delay`` (seconds) is the pause before a first restart."""

    def __init__(
        self,
        environ: Mapping[str, str],
        plan: Callable[[Settings, Urls, Mapping[str, str]], Plan] = standard_plan,
        *,
        first_delay: float = 0.5,
    ) -> None:
        self._environ = dict(environ)
        self._plan = plan
        self._first_delay = first_delay
        self._began = time.monotonic()
        self._stop_asked = False
        self._lock: TextIO | None = None
        self._server: EmbeddedPostgres | None = None
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._kept: list[_Kept] = []

    def run(self) -> int:
        """Run until asked to stop; the exit status. Leaves no child process behind."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            # nohup asks for exactly this, while an ignored SIGINT only means a background start from a script.
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, self._ask_to_stop)
        try:
            self._work()
        except _StopAsked:
            return 0
        except SettingsError as error:
            self._say(str(error))
            return 2
        except PostgresError as error:
            self._say(f"PostgreSQL: {error}")
            return 1
        except RunError as error:
            self._say(str(error))
            return error.status
        except OSError as error:
            self._say(f"{error.strerror}: {error.filename}" if error.filename else str(error))
            return 1
        finally:
            self._stop_everything()
        return 0

    def _work(self) -> None:
        if not any(self._environ.get(name, "").strip() for name in URL_VARIABLES.values()):
            # Nobody named a database: this is a trial. With one named, the demonstration has to be asked for.
            self._environ.setdefault("MINGJIAN_MODE", "demo")
        settings = Settings.from_environment(self._environ)
        external = _external_urls(settings)
        killed = self._take_lock(settings)
        self._require_port(settings, PORT_SECONDS if killed else 0)
        if external:
            _require_answer(external)
        if not self._environ.get("SECRET_KEY", "").strip():
            settings = dataclasses.replace(settings, secret_key=_kept_secret(settings.var_dir / "secret_key"))
        urls = external or self._start_database(settings)
        plan = self._plan(settings, urls, self._environ)
        if not external:
            _write_private(settings.var_dir / "environment", _exports(settings, urls))
        for command in plan.preparations:
            self._say(command.name)
            self._run_to_end(command)
        for command in plan.children:
            self._say(f"starting {command.name}")
            self._keep(command)
        self._wait_until_ready(plan)
        self._say(f"ready: {settings.public_url}")
        for command in plan.announcements:
            self._run_to_end(command)
        self._print(_next_steps(settings, embedded=not external))
        while True:
            self._tend()

    def _take_lock(self, settings: Settings) -> bool:
        """Hold the lock of the VAR_DIR; whether the run before this one was killed before it could tidy up."""
        try:
            settings.var_dir.mkdir(parents=True, exist_ok=True)
            self._lock = (settings.var_dir / "run.lock").open("a+")
        except OSError as error:
            text = f"VAR_DIR {settings.var_dir} can not be written ({error.strerror})"
            raise RunError(f"{text}. Choose another folder: VAR_DIR=$HOME/mingjian make run") from None
        self._lock.seek(0)
        content = self._lock.read().strip()
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._lock.close()
            self._lock = None
            pid, _, address = content.partition(" ")
            text = (
                f"already running at {address or 'another place'} (pid {pid or 'unknown'}). Stop that one with Ctrl-C"
            )
            raise RunError(f"{text}, or run a second one beside it: VAR_DIR=var2 PORT=8001 make run", 3) from None
        self._lock.truncate(0)
        self._lock.write(f"{os.getpid()} {settings.public_url}\n")
        self._lock.flush()
        return bool(content)

    def _require_port(self, settings: Settings, patience: float) -> None:
        """Asked before anything slow starts. gunicorn binds the port itself, a moment later."""
        deadline = time.monotonic() + patience
        while True:
            self._heed_stop()
            try:
                family, kind, protocol, _, address = socket.getaddrinfo(
                    settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
                )[0]
                with socket.socket(family, kind, protocol) as probe:
                    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    probe.bind(address)
                return
            except OSError as error:
                if time.monotonic() >= deadline:
                    raise RunError(_why_no_port(settings, error), 4) from None
            time.sleep(0.2)

    def _start_database(self, settings: Settings) -> Urls:
        self._say("starting PostgreSQL (embedded, for trial use)")
        self._heed_stop()
        server = self._server = EmbeddedPostgres(settings.var_dir / "postgres", say=self._say)
        server.start()
        self._kept.append(_Kept("PostgreSQL", server.start, lambda: server.pid is not None))
        return prepare_cluster(server)

    def _spawn(self, command: Command) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            command.arguments,
            env=command.environment,
            stdin=subprocess.DEVNULL,
            # Ctrl-C reaches the supervisor alone, which then stops its children in the right order.
            start_new_session=True,
            preexec_fn=end_with_parent(signal.SIGTERM),
        )

    def _run_to_end(self, command: Command) -> None:
        self._heed_stop()
        process = self._processes[command.name] = self._spawn(command)
        while process.poll() is None:
            self._heed_stop()
            time.sleep(0.05)
        del self._processes[command.name]
        if process.returncode != 0:
            raise RunError(f"{command.name} failed with exit status {process.returncode}; the lines above say why")

    def _keep(self, command: Command) -> None:
        def start() -> None:
            self._processes[command.name] = self._spawn(command)

        start()
        self._kept.append(_Kept(command.name, start, lambda: self._processes[command.name].poll() is None))

    def _wait_until_ready(self, plan: Plan) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while not _answers(plan.ready_url):
            self._tend()
            if time.monotonic() > deadline:
                raise RunError(f"{plan.ready_url} did not answer within {READY_SECONDS} s")

    def _tend(self) -> None:
        """Look once after everything that has to run, start again what has ended, and pause a moment."""
        self._heed_stop()
        now = time.monotonic()
        for kept in self._kept:
            if kept.start_at is not None:
                if now >= kept.start_at:
                    kept.start_at = None
                    kept.start()
            elif not kept.is_running():
                kept.ends = [end for end in kept.ends if now - end < 60] + [now]
                if len(kept.ends) > RESTARTS_PER_MINUTE:
                    raise RunError(f"{kept.name} ended {len(kept.ends)} times within a minute: everything is stopped")
                delay = self._first_delay * 2 ** (len(kept.ends) - 1)
                self._say(f"{kept.name} has ended; starting it again in {delay:g} s")
                kept.start_at = now + delay
        time.sleep(0.1)

    def _stop_everything(self) -> None:
        for name, process in reversed(self._processes.items()):
            if process.poll() is None:
                self._say(f"stopping {name}")
                process.terminate()
                try:
                    process.wait(STOP_SECONDS)
                except subprocess.TimeoutExpired:
                    self._say(f"{name} did not stop within {STOP_SECONDS} s and is killed")
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait()
        if self._server is not None:
            if self._server.pid is not None:
                self._say("stopping PostgreSQL")
            self._server.stop()
            (self._server.data_dir.parent / "environment").unlink(missing_ok=True)
        if self._lock is not None:
            self._lock.truncate(0)
            self._lock.close()

    def _ask_to_stop(self, *_: object) -> None:
        # Only a note: an exception out of a signal handler could lose a child that was just being started.
        self._stop_asked = True

    def _heed_stop(self) -> None:
        if self._stop_asked:
            raise _StopAsked

    def _say(self, text: str) -> None:
        self._print(f"[{time.monotonic() - self._began:5.1f}s] {text}")

    def _print(self, text: str) -> None:
        # A reader that has gone away (`make run | head`) is no reason to leave children behind.
        with contextlib.suppress(BrokenPipeError):
            print(text, flush=True)


def _external_urls(settings: Settings) -> Urls | None:
    """The URLs of a database that exists already; None when none is named. Raises SettingsError for a half of them."""
    if not (settings.database_url or settings.worker_database_url or settings.owner_database_url):
        return None
    problems = []
    for role in ("web", "worker"):
        try:
            settings.url_for(role)
        except SettingsError as error:
            problems += error.problems
    if problems:
        raise SettingsError(problems)
    return Urls(owner=settings.owner_database_url or "", web=settings.url_for("web"), worker=settings.url_for("worker"))


def _require_answer(urls: Urls) -> None:
    """Raise RunError naming each address at which no database answers, before anything is started on it."""
    addresses: dict[DatabaseRole, str] = {"web": urls.web, "worker": urls.worker, "owner": urls.owner}
    silent = []
    for role, url in addresses.items():
        try:
            if url:
                psycopg.connect(url.replace("+psycopg", "", 1), connect_timeout=5).close()
        except psycopg.OperationalError as error:
            silent.append(f"  - {URL_VARIABLES[role]}: {' '.join(str(error).split())}")
    if silent:
        lines = "\n".join(silent)
        raise RunError(f"the database does not answer:\n{lines}\nIs it running, and are host, port and password right?")


def _why_no_port(settings: Settings, error: OSError) -> str:
    if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
        return f"HOST {settings.host} is no address of this machine ({error.strerror}). Take HOST=127.0.0.1, or 0.0.0.0 for all"
    # The ports below 1024 belong to root; of the others the next one is as good as any.
    other = settings.port + 1 if 1024 <= settings.port < 65535 else 8000
    where = f"PORT {settings.port} on {settings.host} can not be used ({error.strerror})"
    return f"{where}. Choose another one: PORT={other} make run"


def _kept_secret(path: Path) -> str:
    """The secret of this VAR_DIR, made at the first start: receipts and sessions stay valid over a restart."""
    if not path.exists():
        _write_private(path, secrets.token_urlsafe(48))
    return path.read_text().strip()


def _write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, complete or not at all."""
    fresh = path.with_name(f"{path.name}.new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    fresh.replace(path)


def _exports(settings: Settings, urls: Urls) -> str:
    """Shell lines that let a person run administration commands against the running trial."""
    values = {
        "MINGJIAN_MODE": settings.mode,
        "SECRET_KEY": settings.secret_key,
        "DATABASE_URL": urls.web,
        "WORKER_DATABASE_URL": urls.worker,
        "OWNER_DATABASE_URL": urls.owner,
        "PORT": str(settings.port),
        "PUBLIC_URL": settings.public_url,
        "VAR_DIR": str(settings.var_dir),
    }
    return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in values.items())


def _next_steps(settings: Settings, *, embedded: bool) -> str:
    lines = [f"open {settings.public_url}/ in a browser; Ctrl-C stops everything and keeps the data"]
    if embedded:
        flask = Path(sys.executable).with_name("flask")
        lines.append(f"commands: (. {settings.var_dir}/environment; {flask} --app app --help)")
    return "\n".join(lines)


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _local_url(settings: Settings) -> str:
    everywhere = {"0.0.0.0": "127.0.0.1", "::": "::1"}
    return f"http://{_bracketed(everywhere.get(settings.host, settings.host))}:{settings.port}"


def _answers(url: str) -> bool:
    # A proxy from the environment must not be asked about our own machine.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=2) as answer:
            return answer.status == 200
    except (OSError, http.client.HTTPException):
        return False


def main() -> int:
    """The command line of ``python -m app.run``; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m app.run", description="Run database, web and worker until Ctrl-C.")
    parser.add_argument("--with-parent", action="store_true", help="stop when the starting process (make) ends")
    if parser.parse_args().with_parent and (follow := end_with_parent(signal.SIGTERM, os.getppid())):
        follow()
    return Supervisor(os.environ).run()


if __name__ == "__main__":
    sys.exit(main())
