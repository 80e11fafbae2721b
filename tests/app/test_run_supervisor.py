"""The supervisor starts everything in order, keeps it alive, and leaves nothing behind however it ends."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil
import psycopg
import pytest

from app.config import Settings
from app.postgres import Urls
from app.run import standard_plan

# Each starts and stops real processes.
pytestmark = pytest.mark.slow

PROJECT = Path(__file__).parents[2]
FAKE_WEB = """
import http.server, os, sys
class Ready(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers()
    def log_message(self, *_):
        pass
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Ready).serve_forever()
"""
SLOW_TO_END = """
import os, signal, time
signal.signal(signal.SIGTERM, lambda *_: (time.sleep(1), os._exit(0)))
"""
SUPERVISOR = """
import os, sys
from app.run import Command, Plan, Supervisor

def plan(settings, urls, environ):
    def python(name, code, *arguments):
        return Command(name, [sys.executable, "-c", code, *arguments], environ)
    prepare = python("preparation", environ.get("FAKE_PREPARATION", "pass"), urls.owner)
    web = python("web", environ["FAKE_WEB"], str(settings.port))
    worker = python("worker", environ.get("FAKE_WORKER", "import time; time.sleep(600)"))
    hello = python("hello", "print('hello, demonstration')")
    return Plan((prepare,), (web, worker), (hello,), f"http://127.0.0.1:{settings.port}/readyz")

sys.exit(Supervisor(os.environ, plan, first_delay=0.01).run())
"""


class Run:
    """A supervisor in a process of its own, with its output read as it comes."""

    def __init__(self, var_dir: Path, port: int, environment: dict[str, str], command: list[str]) -> None:
        base = {name: value for name, value in os.environ.items() if not name.endswith("DATABASE_URL")}
        self.lines: list[str] = []
        self.process = subprocess.Popen(
            command,
            cwd=PROJECT,
            env=base | {"VAR_DIR": str(var_dir), "PORT": str(port), "FAKE_WEB": FAKE_WEB} | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        # A child that outlives the supervisor keeps the pipe open: that has to fail the test and not to hang it.
        self.reader = threading.Thread(target=lambda: self.lines.extend(self.process.stdout), daemon=True)
        self.reader.start()

    @property
    def output(self) -> str:
        return "".join(self.lines)

    def wait_for(self, text: str, times: int = 1, seconds: float = 20) -> None:
        deadline = time.monotonic() + seconds
        while self.output.count(text) < times:
            assert time.monotonic() < deadline, f"no {text!r} in:\n{self.output}"
            assert self.process.poll() is None or self.output.count(text) >= times, self.output
            time.sleep(0.02)

    def children(self) -> dict[str, psutil.Process]:
        found = {}
        names = {"postgres": "postgres", FAKE_WEB: "web"}
        for child in psutil.Process(self.process.pid).children():
            # A child that has just been killed is a zombie, or gone, until the supervisor has noticed: not a child any more.
            with suppress(psutil.NoSuchProcess):
                code = child.cmdline()[2:3]
                if is_alive(child) and (code or child.name() == "postgres"):
                    found[names.get(child.name()) or names.get(code[0]) or "worker"] = child
        return found

    def family(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def end(self, number: int = signal.SIGINT) -> int:
        """Send a signal as its usual sender does: Ctrl-C in a terminal reaches the whole process group."""
        if number == signal.SIGINT:
            os.killpg(self.process.pid, number)
        else:
            self.process.send_signal(number)
        return self.finish()

    def finish(self) -> int:
        status = self.process.wait(30)
        self.reader.join(10)
        assert not self.reader.is_alive(), "a child is still writing"
        self.process.stdout.close()
        return status


@pytest.fixture(scope="module")
def var_dir():
    """One VAR_DIR for all runs: making the cluster is the slow part, and every run has to leave it usable."""
    path = Path(tempfile.mkdtemp(prefix="mj-test-", dir="/tmp"))
    path.chmod(0o755)
    yield path / "var"
    shutil.rmtree(path)


@pytest.fixture
def port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def start(var_dir, port):
    runs = []

    def start_run(environment: dict[str, str] | None = None, command: list[str] | None = None) -> Run:
        run = Run(var_dir, port, environment or {}, command or [sys.executable, "-c", SUPERVISOR])
        runs.append(run)
        return run

    yield start_run
    for run in runs:
        if run.process.poll() is None:
            run.process.terminate()
        if not run.process.stdout.closed:
            run.finish()
    assert not [p for p in psutil.process_iter() if is_postgres_of(p, var_dir)], "a PostgreSQL was left behind"


def is_postgres_of(process: psutil.Process, var_dir: Path) -> bool:
    try:
        return process.name() == "postgres" and process.cwd().startswith(str(var_dir))
    except psutil.Error:
        return False


def eventually(is_so: Callable[[], bool], seconds: float = 10) -> bool:
    deadline = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def all_ended(processes: list[psutil.Process], seconds: float = 0) -> bool:
    return eventually(lambda: not any(is_alive(process) for process in processes), seconds)


def is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_ctrl_c_stops_worker_web_and_database_in_this_order_and_exits_with_0(start, var_dir, port):
    run = start()
    run.wait_for("in a browser")
    family = run.family()
    assert set(run.children()) == {"postgres", "web", "worker"}
    assert run.end(signal.SIGINT) == 0
    assert all_ended(family)
    assert "has ended" not in run.output
    steps = ["starting PostgreSQL", "preparation", "starting web", "starting worker", f"ready: http://127.0.0.1:{port}"]
    steps += ["hello, demonstration", "stopping worker", "stopping web", "stopping PostgreSQL"]
    places = [run.output.index(step) for step in steps]
    assert places == sorted(places)


def test_after_a_kill_9_everything_ends_and_the_next_run_starts_with_the_same_data(start, var_dir):
    run = start({"FAKE_PREPARATION": store("'kept'"), "FAKE_WEB": SLOW_TO_END + FAKE_WEB})
    run.wait_for("in a browser")
    family = run.family()
    secret = (var_dir / "secret_key").read_text()
    run.process.kill()
    run.process.wait()
    again = start({"FAKE_PREPARATION": store("'again'")})
    again.wait_for("in a browser")
    assert all_ended(family, 5)
    assert run.finish() == -signal.SIGKILL
    assert (var_dir / "secret_key").read_text() == secret
    assert (var_dir / "ledger_key.pem").stat().st_mode & 0o777 == 0o600
    with psycopg.connect(owner_url(var_dir)) as connection:
        assert connection.execute("SELECT string_agg(word, ' ' ORDER BY word) FROM notes").fetchone() == ("again kept",)
    family = again.family()
    assert again.end(signal.SIGTERM) == 0
    assert all_ended(family)


def store(word: str) -> str:
    return (
        "import sys, psycopg\n"
        "with psycopg.connect(sys.argv[1]) as connection:\n"
        "    connection.execute('CREATE TABLE IF NOT EXISTS notes (word text)')\n"
        f'    connection.execute("INSERT INTO notes VALUES ({word})")\n'
    )


def answers(url: str) -> bool:
    try:
        psycopg.connect(url, connect_timeout=5).close()
    except psycopg.OperationalError:
        return False
    return True


def owner_url(var_dir: Path) -> str:
    exports = f". '{var_dir}/environment'; echo $OWNER_DATABASE_URL"
    return subprocess.run(["sh", "-c", exports], capture_output=True, text=True, check=True).stdout.strip()


def test_private_files_are_readable_by_their_owner_only_and_addresses_disappear_with_the_run(start, var_dir):
    run = start()
    run.wait_for("in a browser")
    assert (var_dir / "secret_key").stat().st_mode & 0o777 == 0o600
    assert len((var_dir / "secret_key").read_text()) >= 32
    assert (var_dir / "environment").stat().st_mode & 0o777 == 0o600
    assert run.end() == 0
    assert not (var_dir / "environment").exists()


def test_a_second_run_says_where_the_first_one_is_and_leaves_it_alone(start, port):
    first = start()
    first.wait_for("in a browser")
    second = start()
    assert second.finish() == 3
    assert f"already running at http://127.0.0.1:{port} (pid {first.process.pid})" in second.output
    assert "VAR_DIR=var2 PORT=8001 make run" in second.output
    assert len(first.children()) == 3
    assert first.end() == 0


def test_a_taken_port_is_named_before_anything_slow_happens(start, port):
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))
        other.listen()
        run = start()
        assert run.finish() == 4
    assert f"PORT {port} on 127.0.0.1 can not be used" in run.output
    assert f"PORT={port + 1} make run" in run.output
    assert "PostgreSQL" not in run.output


@pytest.mark.parametrize("host", ["no-such-host.invalid", "203.0.113.9"])
def test_an_address_that_is_not_ours_names_host_and_not_the_port(start, host):
    run = start({"HOST": host})
    assert run.finish() == 4
    assert f"HOST {host} is no address of this machine" in run.output
    assert "PORT=" not in run.output


def test_a_folder_that_can_not_be_written_is_named_with_its_setting(start, tmp_path):
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "file", tmp_path / "file" / "below", Path("/proc/nowhere")):
        run = start({"VAR_DIR": str(place)})
        assert run.finish() == 1
        assert f"VAR_DIR {place} can not be written" in run.output
        assert "VAR_DIR=$HOME/mingjian make run" in run.output


def test_databases_that_do_not_answer_are_all_named_before_anything_starts(start, tmp_path, key_files):
    silent = {
        variable: f"postgresql://mj_{role}:geheim@127.0.0.1:1/mingjian"
        for role, variable in (("web", "DATABASE_URL"), ("worker", "WORKER_DATABASE_URL"))
    }
    run = start(silent | key_files | {"MINGJIAN_MODE": "production", "SECRET_KEY": "k" * 40, "VAR_DIR": str(tmp_path)})
    assert run.finish() == 1
    assert "  - DATABASE_URL: connection" in run.output
    assert "  - WORKER_DATABASE_URL: connection" in run.output
    assert "geheim" not in run.output
    assert "starting" not in run.output


def test_whatever_ends_by_itself_is_started_again(start, var_dir):
    run = start()
    run.wait_for("in a browser")
    before = run.children()
    before["worker"].kill()
    run.wait_for("worker has ended; starting it again")
    before["postgres"].kill()
    run.wait_for("PostgreSQL has ended; starting it again")
    assert eventually(lambda: set(run.children()) == {"postgres", "web", "worker"})
    after = run.children()
    assert after["worker"] != before["worker"]
    assert after["web"] == before["web"]
    assert eventually(lambda: answers(owner_url(var_dir)))
    assert run.end() == 0


def test_a_child_that_keeps_ending_stops_the_whole_run_with_a_clear_message(start):
    run = start({"FAKE_WORKER": "raise SystemExit(7)"})
    assert run.finish() == 1
    assert run.output.count("worker has ended; starting it again") == 5
    assert "worker ended 6 times within a minute: everything is stopped" in run.output
    assert "stopping PostgreSQL" in run.output


def test_a_failing_preparation_stops_the_run_before_any_child_starts(start):
    run = start({"FAKE_PREPARATION": "raise SystemExit('no such table')"})
    assert run.finish() == 1
    assert "no such table" in run.output
    assert "preparation failed with exit status 1" in run.output
    assert "starting web" not in run.output


def test_ctrl_c_during_a_preparation_is_heeded(start):
    run = start({"FAKE_PREPARATION": "import time; print('busy', flush=True); time.sleep(600)"})
    run.wait_for("busy")
    assert run.end() == 0
    assert "starting web" not in run.output


def test_the_run_ends_with_make_when_asked_to(start):
    script = SUPERVISOR.replace("sys.exit(", "app.run.Supervisor = lambda e: Supervisor(e, plan)\nsys.exit(")
    script = "import app.run\n" + script.replace(
        "Supervisor(os.environ, plan, first_delay=0.01).run()", "app.run.main()"
    )
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {script!r}, '--with-parent'])"
    run = start(command=[sys.executable, "-c", parent])
    run.wait_for("in a browser")
    family = run.family()
    run.process.kill()
    assert all_ended(family, 10)
    assert run.finish() == -signal.SIGKILL


def test_unusable_settings_are_all_named_and_nothing_starts(start):
    run = start({"MINGJIAN_MODE": "production", "WEB_WORKERS": "many", "SECRET_KEY": ""})
    assert run.finish() == 2
    for fault in ("WEB_WORKERS is 'many'", "SECRET_KEY is missing", "DATABASE_URL is missing"):
        assert fault in run.output
    assert "starting" not in run.output


def test_half_a_set_of_addresses_is_refused(start):
    keys = {"SECRET_KEY": "k" * 32, "MASTER_KEY_FILE": "/k", "LEDGER_KEY_FILE": "/k.pem"}
    run = start({"DATABASE_URL": "postgresql://mj_web@db/mingjian"} | keys)
    assert run.finish() == 2
    assert "WORKER_DATABASE_URL is missing" in run.output


@pytest.fixture
def plan_for():
    urls = Urls(owner="postgresql://mj_owner@/m", web="postgresql://mj_web@/m", worker="postgresql://mj_worker@/m")

    def make(mode: str, **changes: str):
        keys = {"SECRET_KEY": "k" * 40, "MASTER_KEY_FILE": "/etc/mingjian/master_key", "LEDGER_KEY_FILE": "/k.pem"}
        given = {"MINGJIAN_MODE": mode, "DATABASE_URL": urls.web} | keys | changes
        settings = Settings.from_environment(given)
        return standard_plan(settings, urls, given | {"OWNER_DATABASE_URL": urls.owner, "LANG": "C"})

    return make


def test_web_worker_and_migrations_get_the_address_of_their_own_role_only(plan_for):
    plan = plan_for("demo")
    addresses = {
        command.name: {name for name in command.environment if name.endswith("DATABASE_URL")}
        for command in (*plan.preparations, *plan.children)
    }
    assert addresses["web"] == {"DATABASE_URL"}
    assert addresses["worker"] == {"WORKER_DATABASE_URL"}
    assert addresses["migrations"] == {"OWNER_DATABASE_URL"}
    for command in plan.children:
        assert command.environment["SECRET_KEY"] == "k" * 40
        assert command.environment["LEDGER_KEY_FILE"] == "/k.pem"
        assert command.environment["LANG"] == "C"
    assert "mj_web" not in repr(plan)


def test_the_worker_is_not_given_the_master_key(plan_for):
    plan = plan_for("demo")
    having = {
        command.name for command in (*plan.preparations, *plan.children) if "MASTER_KEY_FILE" in command.environment
    }
    assert having == {"migrations", "web"}


def test_only_the_demonstration_mode_loads_demonstration_data(plan_for):
    assert [command.name for command in plan_for("production").preparations] == ["migrations"]
    assert plan_for("production").announcements == ()
    assert [command.name for command in plan_for("demo").preparations] == ["migrations", "demonstration province"]


def test_the_web_server_listens_where_the_settings_say(plan_for):
    web = plan_for("production", HOST="::", PORT="8123", WEB_WORKERS="3", WEB_THREADS="5").children[0]
    line = " ".join(web.arguments)
    for part in ("--bind [::]:8123", "--workers 3", "--threads 5", "--worker-class gthread", "app:serve()"):
        assert part in line
    assert plan_for("production", HOST="0.0.0.0", PORT="8123").ready_url == "http://127.0.0.1:8123/readyz"
