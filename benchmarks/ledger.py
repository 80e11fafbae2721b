"""How quickly commitments get their place, and how quickly proofs come out of a large log.

Usage: python benchmarks/ledger.py [--leaves 1000000] [--sequence 100000] [--proofs 1000]

Starts its own PostgreSQL with durable writes and works through the product's own roles: the worker sequences, the web role
proves. Only loopback is used. Nothing here runs in continuous integration.
"""

import argparse
import os
import random
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

import psycopg
from flask_migrate import upgrade

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from app import count_statements, create_app  # noqa: E402
from app.auth import VISITOR  # noqa: E402
from app.config import Settings  # noqa: E402
from app.database import transaction  # noqa: E402
from app.extensions import db  # noqa: E402
from app.ledger import reading, sequencing, tree  # noqa: E402
from app.postgres import EmbeddedPostgres, prepare_cluster  # noqa: E402

LOG = "330213"
QUEUE = (
    "INSERT INTO ledger_queue SELECT sha256(convert_to(gen_random_uuid()::text, 'UTF8')), %s FROM generate_series(1, %s)"
)


def sequence(worker, owner_url, count):
    """Queue `count` commitments and place them; entries a second."""
    with psycopg.connect(owner_url, autocommit=True) as owner:
        owner.execute(QUEUE, (LOG, count))
        owner.execute("ANALYZE ledger_queue")
    with worker.app_context():
        report = sequencing.sequence(rhythm=None)
    assert report.done >= count and not report.failed, report
    return report.done / report.seconds


def prove(web, commitments, what):
    """Milliseconds of each proof, and the most statements that one cost."""
    seen = count_statements(web)
    times, most = [], 0
    with web.app_context():
        for one in commitments:
            seen.clear()
            begin = time.perf_counter()
            with transaction(VISITOR):
                what(one)
            times.append((time.perf_counter() - begin) * 1000)
            most = max(most, len(seen))
    return sorted(times), most


def check(one):
    """An inclusion proof below the newest head, held against its root."""
    found = reading.inclusion(LOG, one)
    head, path = found["head"], [bytes.fromhex(step) for step in found["path"]]
    assert tree.includes(tree.leaf_hash(one), found["index"], head["size"], path, bytes.fromhex(head["root"]))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--leaves", type=int, default=1_000_000)
    parser.add_argument("--sequence", type=int, default=100_000)
    parser.add_argument("--proofs", type=int, default=1_000)
    given = parser.parse_args()
    base = Path(tempfile.mkdtemp(prefix="mj-ledger-", dir="/tmp"))
    base.chmod(0o755)
    try:
        with EmbeddedPostgres(base / "pg", settings={"shared_buffers": "512MB"}) as server:
            urls = prepare_cluster(server, "mingjian")
            settings = Settings.from_environment(
                {
                    "MINGJIAN_MODE": "test", "DATABASE_URL": urls.web, "WORKER_DATABASE_URL": urls.worker,
                    "OWNER_DATABASE_URL": urls.owner, "FILES_DIR": str(base / "files"), "LOG_LEVEL": "WARNING",
                }
            )  # fmt: skip
            web, worker = create_app(settings), create_app(settings, role="worker")
            with create_app(settings, role="owner").app_context():
                upgrade(directory=str(ROOT / "migrations"))
                db.engine.dispose()
            print(f"load of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")
            print(f"sequencing {given.sequence} into an empty log: {sequence(worker, urls.owner, given.sequence):.0f}/s")
            rest = given.leaves - 2 * given.sequence
            if rest > 0:
                sequence(worker, urls.owner, rest)
            print(
                f"sequencing {given.sequence} into a log of {given.leaves - given.sequence}: "
                f"{sequence(worker, urls.owner, given.sequence):.0f}/s"
            )
            with psycopg.connect(urls.owner, autocommit=True) as owner:
                owner.execute("VACUUM ANALYZE")
                size = owner.execute("SELECT count(*) FROM ledger_leaves WHERE log = %s", (LOG,)).fetchone()[0]
                picked = random.sample(range(size), given.proofs)
                rows = owner.execute("SELECT commitment FROM ledger_leaves WHERE log = %s AND index = ANY(%s)", (LOG, picked))
                commitments = [bytes(one) for (one,) in rows]
                bytes_used = owner.execute(
                    "SELECT sum(pg_total_relation_size(c)) FROM unnest(ARRAY['ledger_leaves', 'ledger_nodes']::regclass[]) c"
                ).fetchone()[0]
            print(f"{size} leaves, {bytes_used / size:.0f} bytes a leaf with indexes")
            with psycopg.connect(urls.owner, autocommit=True) as owner:
                owner.execute(QUEUE, (LOG, 1))
            with worker.app_context():
                begin = time.perf_counter()
                sequencing.sequence(rhythm=None)
                print(f"one more entry and three heads: {(time.perf_counter() - begin) * 1000:.1f} ms")
            for name, what in (("inclusion proofs", check), ("chains up to the province", reading.chain)):
                times, most = prove(web, commitments, what)
                print(
                    f"{len(times)} {name}: {1000 * len(times) / sum(times):.0f}/s, median {statistics.median(times):.2f} ms, "
                    f"p99 {times[int(len(times) * 0.99)]:.2f} ms, {most} statements at most"
                )
            for application in (web, worker):
                with application.app_context():
                    db.engine.dispose()
    finally:
        shutil.rmtree(base, ignore_errors=True)


if __name__ == "__main__":
    main()
