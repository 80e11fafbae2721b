"""How many single alerts a second a source outside can push over HTTP, and how quickly the worker folds and sends out a run.

Usage: python benchmarks/alerts.py [--rounds 5] [--seconds 4] [--clients 8] [--folded 20000] [--sent 500]

Starts its own PostgreSQL with durable writes and serves the product with two gunicorn workers of four threads. Only loopback is used.
"""

import argparse
import asyncio
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from itertools import count
from pathlib import Path
from uuid import uuid4

import psutil
import psycopg

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

from load import drive, serve  # noqa: E402

from app import create_app  # noqa: E402
from app.alerts.folding import Hit, Raised, fold_alerts, source_mac  # noqa: E402
from app.alerts.sweep import sweep_alerts  # noqa: E402
from app.config import Settings  # noqa: E402
from app.database import SYSTEM, transaction  # noqa: E402
from app.directory import demonstration  # noqa: E402
from app.extensions import db  # noqa: E402
from app.ledger.keys import new_key_pem  # noqa: E402
from app.postgres import EmbeddedPostgres, prepare_cluster  # noqa: E402

VILLAGE, KEY = "330213007213", "k" * 43
_numbers = count()


def draft():
    number = next(_numbers)
    return {
        "rule_code": "EXT-1", "rule_name": "审计疑点", "alert_key": f"HT-{number}", "place": VILLAGE, "colour": "red",
        "money_fen": 33_630_00, "evidence": [{"reference": f"A-{number}", "dataset": "audit_finding", "content": {"金额": "33630"}}],
    }  # fmt: skip


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--rounds", type=int, default=5)
    ap.add_argument("--seconds", type=float, default=4)
    ap.add_argument("--clients", type=int, default=8)
    ap.add_argument("--folded", type=int, default=20_000)
    ap.add_argument("--sent", type=int, default=500)
    a = ap.parse_args()
    base = Path(tempfile.mkdtemp(prefix="mj-bench-"))
    base.chmod(0o755)
    try:
        with EmbeddedPostgres(base / "pg", settings={"shared_buffers": "512MB"}) as server:
            run(a, base, server)
    finally:
        shutil.rmtree(base, ignore_errors=True)


def run(a, base, server):
    urls = prepare_cluster(server, "mingjian")
    env = {"MINGJIAN_MODE": "demo", "SECRET_KEY": "b" * 40, "LOG_LEVEL": "WARNING", "FILES_DIR": str(base / "files")}
    owner = {**env, "OWNER_DATABASE_URL": urls.owner}
    flask = [sys.executable, "-m", "flask", "--app", "app", "db", "upgrade"]
    subprocess.run(flask, check=True, cwd=ROOT, env={**os.environ, **owner}, stderr=subprocess.DEVNULL)
    app = create_app(Settings.from_environment(owner), role="owner")
    with app.app_context():
        demonstration.load(db.session, divisions="some")
        db.session.commit()
        mac = source_mac(KEY)
        db.session.remove()
    with psycopg.connect(urls.owner) as c:
        c.execute("INSERT INTO alert_sources VALUES (gen_random_uuid(), 'bench', %s, '{EXT-1}', '33', NULL)", (mac,))
    key = base / "ledger.pem"
    key.write_text(new_key_pem())
    product = serve("app:serve()", 18201, {**env, "DATABASE_URL": urls.web, "LEDGER_KEY_FILE": str(key)})
    try:
        rates, slow = [], []
        for n in range(a.rounds + 1):
            rate, latencies, bad = asyncio.run(
                drive("POST", "http://127.0.0.1:18201/api/v1/alerts", draft, {"X-Source-Key": KEY}, a.clients, a.seconds)
            )
            assert not bad, bad[:3]
            if n:  # the first one warms up
                rates.append(rate)
                slow.append(sorted(latencies)[int(len(latencies) * 0.99)])
        print(
            f"pushed: median {statistics.median(rates):.0f}/s (from {min(rates):.0f} to {max(rates):.0f}), p99 "
            f"{statistics.median(slow):.1f} ms, {a.clients} clients, load of the machine {psutil.getloadavg()[0]:.1f}"
        )
    finally:
        product.terminate()
        product.wait()
    with psycopg.connect(urls.owner, autocommit=True) as c:
        c.execute("TRUNCATE alerts, alert_evidence CASCADE")
    worker(a, {**env, "WORKER_DATABASE_URL": urls.worker})


def worker(a, env):
    app = create_app(Settings.from_environment(env), role="worker")
    rule = Raised("GC-01", 1, "works", {"name": {"zh": "x", "en": "x"}}, flood_limit=10**9)
    hits = [Hit(f"P-{n}", VILLAGE, "gc_project", row, "red") for n in range(a.folded) for row in (2 * n, 2 * n + 1)]
    with app.app_context():
        for what in ("folded, all new", "folded again, nothing new"):
            started = time.perf_counter()
            with transaction(SYSTEM):
                found = fold_alerts(rule, hits, run_id=uuid4())
            seconds = time.perf_counter() - started
            print(f"{what}: {a.folded} alerts of two rows in {seconds:.2f} s, {a.folded / seconds:.0f}/s {found.outcomes}")
    with app.app_context(), psycopg.connect(env["WORKER_DATABASE_URL"]):
        started, left = time.perf_counter(), iter([False] * (a.sent + 2) + [True] * 10**6)
        done = sweep_alerts(stopping=lambda: next(left)).done
        print(f"sent out: {done} alerts in {time.perf_counter() - started:.2f} s, {done / (time.perf_counter() - started):.0f}/s")


if __name__ == "__main__":
    main()
