"""How long back-up and restore take, and how much memory, as an operator runs them.

Usage: python benchmarks/backup.py [--petitions 100000] [--files 200]

Starts its own PostgreSQL with durable writes, fills it, adds messages and files of one MiB, and runs `flask backup` and
`flask restore` as processes of their own. One case in a hundred is erased between the two. Nothing here runs in continuous integration.
"""

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from uuid import uuid4

import psutil
import psycopg

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

from fill import fill_product, say  # noqa: E402

from app import create_app  # noqa: E402
from app.config import Settings  # noqa: E402
from app.directory import demonstration  # noqa: E402
from app.extensions import db  # noqa: E402
from app.files.storage import LocalFolder  # noqa: E402
from app.postgres import EmbeddedPostgres, prepare_cluster  # noqa: E402

_MESSAGES = """
INSERT INTO case_messages (id, petition_id, at, author_kind, internal, body)
SELECT gen_random_uuid(), id, filed_at, 'petitioner', false, repeat('灯还是不亮,请尽快派人来修。', 5) FROM petitions
"""
_FILE = """
INSERT INTO attachments (id, petition_id, uploader_kind, name, size, received, media_type, sha256, status, created_at)
SELECT %s, id, 'petitioner', '照片.jpg', %s, %s, 'image/jpeg', '-', 'released', filed_at FROM petitions OFFSET %s LIMIT 1
"""


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--petitions", type=int, default=100_000)
    ap.add_argument("--files", type=int, default=200)
    a = ap.parse_args()
    base = Path(tempfile.mkdtemp(prefix="mj-bench-"))
    base.chmod(0o755)
    try:
        with EmbeddedPostgres(base / "pg", settings={"shared_buffers": "512MB"}) as server:
            run(a, base, server)
    finally:
        shutil.rmtree(base, ignore_errors=True)


def run(a, base, server):
    urls = prepare_cluster(server, "mingjian", owner_creates_databases=True)
    env = {"MINGJIAN_MODE": "demo", "SECRET_KEY": "b" * 40, "LOG_LEVEL": "WARNING", "FILES_DIR": str(base / "files"),
           "VAR_DIR": str(base / "var"), "OWNER_DATABASE_URL": urls.owner}  # fmt: skip
    say("migrating, loading the province")
    flask(env, "db", "upgrade").communicate()
    app = create_app(Settings.from_environment(env), role="owner")
    with app.app_context():
        demonstration.load(db.session)
        db.session.commit()
        fill_product(server.url("postgres", "mingjian"), a.petitions)
        db.session.remove()
        db.engine.dispose()
    with psycopg.connect(urls.owner, autocommit=True) as c:
        c.execute(_MESSAGES)
        piece = random.Random(1).randbytes(1024 * 1024)
        for n in range(a.files):
            name = uuid4()
            c.execute(_FILE, [name, len(piece), len(piece), n * a.petitions // a.files])
            with LocalFolder(base / "files").keep(name) as target:
                target.write(piece)
        size = c.execute("SELECT pg_database_size('mingjian')").fetchone()[0]
        rows = c.execute("SELECT (SELECT count(*) FROM petitions), (SELECT count(*) FROM petition_events)").fetchone()
        c.execute("CREATE DATABASE back TEMPLATE template0")
    say(
        f"{rows[0]} petitions, {rows[1]} events, {a.files} files of 1 MiB, database {size / 2**20:.0f} MiB, load of the machine {psutil.getloadavg()[0]:.1f}"
    )
    dump = base / "dump"
    timed("backup", env, "backup", dump, "--files", base / "copies")
    say(f"dump {dump.stat().st_size / 2**20:.0f} MiB, keys {(base / 'dump.keys').stat().st_size / 2**20:.0f} MiB")
    with psycopg.connect(urls.owner, autocommit=True) as c:
        erased = c.execute(
            "SELECT count(erase_content(id)) FROM (SELECT id FROM petitions LIMIT %s) p", [a.petitions // 100]
        ).fetchone()[0]
    say(f"{erased} cases erased")
    timed("backup again, no new file", env, "backup", base / "newest", "--files", base / "copies")
    there = {**env, "OWNER_DATABASE_URL": server.url("mj_owner", "back"), "FILES_DIR": str(base / "restored")}
    timed("restore", there, "restore", dump, "--keys", base / "newest.keys", "--files", base / "copies")


def flask(env, *words):
    """A command as an operator types it, running."""
    command = [sys.executable, "-m", "flask", "--app", "app", *map(str, words)]
    return subprocess.Popen(
        command, cwd=ROOT, env={**os.environ, **env}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def timed(what, env, *words):
    """Seconds of the command; the most memory of its own process and of the PostgreSQL tools that it starts, in MiB."""
    begin = time.perf_counter()
    process = flask(env, *words)
    peak = [0, 0]

    def watch():
        while process.poll() is None:
            try:
                own = psutil.Process(process.pid)
                peak[0] = max(peak[0], own.memory_info().rss)
                peak[1] = max(peak[1], sum(child.memory_info().rss for child in own.children(recursive=True)))
            except psutil.NoSuchProcess:
                pass
            time.sleep(0.05)

    watcher = threading.Thread(target=watch)
    watcher.start()
    said, _ = process.communicate()
    watcher.join()
    say(
        f"{what}: {time.perf_counter() - begin:.1f} s, {peak[0] / 2**20:.0f} MiB and {peak[1] / 2**20:.0f} MiB in pg_dump; status {process.returncode}"
    )
    print(said, flush=True)


if __name__ == "__main__":
    main()
