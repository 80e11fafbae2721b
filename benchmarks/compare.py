"""Product against floor, alternating, on one machine: medians of paired ratios.

Usage: python benchmarks/compare.py [--petitions 100000] [--grow 1000000] [--rounds 9] [--seconds 2] [--clients 8]
                                    [--only filing,detail] [--due 5000]

Starts its own PostgreSQL with durable writes, fills both databases, serves both with two gunicorn workers of four
threads, and prints a line for each kind of request; then memory, the streamed export, the sweep, and with --grow the same
requests again with more petitions. Only loopback is used. Nothing here runs in continuous integration.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import psutil
import psycopg

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

from fill import fill_floor, fill_product, say  # noqa: E402
from load import pss, serve, stream  # noqa: E402
from measure import FLOOR, PRODUCT, Kinds, headers_of, measure, print_heading  # noqa: E402

from app import create_app  # noqa: E402
from app.config import Settings  # noqa: E402
from app.directory import demonstration  # noqa: E402
from app.extensions import db  # noqa: E402
from app.postgres import EmbeddedPostgres, prepare_cluster  # noqa: E402

# What is measured again with more petitions.
GROWING = "list of 50,list two,list open,page 200,detail,change,filing"


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--petitions", type=int, default=100_000)
    ap.add_argument("--grow", type=int, default=0, help="measure again with so many petitions")
    ap.add_argument("--due", type=int, default=5_000, help="open cases whose forced step has passed, for the sweep")
    ap.add_argument("--seconds", type=float, default=2)
    ap.add_argument("--rounds", type=int, default=9)
    ap.add_argument("--clients", type=int, default=8)
    ap.add_argument("--only", default="", help="names of kinds, with commas; leaves memory, export and sweep out")
    a = ap.parse_args()
    base = Path(tempfile.mkdtemp(prefix="mj-bench-"))
    base.chmod(0o755)
    try:
        with EmbeddedPostgres(base / "pg", settings={"shared_buffers": "1GB", "max_connections": "100"}) as server:
            run(a, base, server)
    finally:
        shutil.rmtree(base, ignore_errors=True)


def run(a, base, server):
    urls = prepare_cluster(server, "mingjian")
    env = {"MINGJIAN_MODE": "demo", "SECRET_KEY": "b" * 40, "LOG_LEVEL": "WARNING", "FILES_DIR": str(base / "files")}
    owner = {**env, "OWNER_DATABASE_URL": urls.owner}
    say("migrating, loading the province")
    flask = [sys.executable, "-m", "flask", "--app", "app", "db", "upgrade"]
    subprocess.run(flask, check=True, cwd=ROOT, env={**os.environ, **owner}, stderr=subprocess.DEVNULL)
    app = create_app(Settings.from_environment(owner), role="owner")
    with app.app_context():
        demonstration.load(db.session)
        db.session.commit()
        fill_product(server.url("postgres", "mingjian"), a.petitions, a.due)
        db.session.remove()
        say("filling the floor's database")
        with psycopg.connect(server.url("postgres", "postgres"), autocommit=True) as c:
            c.execute("CREATE DATABASE floor")
        fill_floor(server.url("postgres", "floor"))
        product = serve("app:serve()", 18201, {**env, "DATABASE_URL": urls.web})
        floor = serve(
            "floor:app", 18202, {"FLOOR_DSN": server.url("postgres", "floor"), "PYTHONPATH": str(ROOT / "benchmarks")}
        )
        pids = (product.pid, floor.pid, server.pid)
        try:
            kinds = Kinds(urls.owner)
            say(f"{a.petitions} petitions, {count(urls.owner)}, {a.rounds} rounds of {a.seconds} s, {a.clients} clients, "
                f"load of the machine {psutil.getloadavg()[0]:.1f}")  # fmt: skip
            print_heading()
            small = {name: measure(kind, a, pids) for name, kind in kinds.chosen(a.only).items()}
            if not a.only:
                say(f"memory of the two workers and their parent after the runs: {pss(product.pid)[0]:.0f} MiB PSS")
                export(a, product)
                sweep({**env, "WORKER_DATABASE_URL": urls.worker}, urls.owner)
            if a.grow:
                fill_product(server.url("postgres", "mingjian"), a.grow, first=a.petitions + 1)
                say(f"the same requests with {a.grow} petitions")
                print_heading()
                for name, kind in Kinds(urls.owner).chosen(a.only or GROWING).items():
                    ratio, cpu = measure(kind, a, pids)
                    print(
                        f"{'':30} takes {small[name][0] / ratio:.2f} × the time at {a.petitions} measured against the floor, "
                        f"{cpu / small[name][1]:.2f} × the CPU",
                        flush=True,
                    )
        finally:
            product.terminate(), floor.terminate()
            product.wait(), floor.wait()


def count(url):
    """How many deadlines run, and how many of them are due."""
    with psycopg.connect(url) as c:
        live, due = c.execute(
            "SELECT count(*), count(*) FILTER (WHERE forces IS NOT NULL AND due_at <= now()) FROM deadlines WHERE live"
        ).fetchone()
    return f"{live} open deadlines, {due} forced and due"


def export(a, product):
    """The whole list as CSV, twice: the first time warms the process."""
    headers = headers_of("zhejiang.office")
    for _ in range(2):
        before = pss(product.pid)[1]
        lines, seconds, peak = stream(f"{PRODUCT}/api/v1/petitions/export.csv", headers, product.pid)
        say(
            f"export: {lines - 1} rows in {seconds:.1f} s, {(lines - 1) / seconds:.0f} rows/s, worker {before:.0f} MiB PSS before, {peak:.0f} at its peak"
        )


def sweep(env, owner):
    """All due deadlines, by a process of the worker's role."""
    say(f"sweep over {count(owner)}")
    out = subprocess.run([sys.executable, str(ROOT / "benchmarks" / "sweep.py")], check=True, cwd=ROOT, capture_output=True, text=True,
                         env={**os.environ, **env}).stdout  # fmt: skip
    found = json.loads(out.splitlines()[-1])
    say(f"sweep: {found['done']} of {found['seen']} cases in {found['seconds']:.1f} s, {found['rate']:.0f} cases/s, {found['statements']:.1f} statements "
        f"a case, {found['failed']} failed, {found['by_event']}, RSS {found['rss_before']:.0f} MiB before, {found['rss_peak']:.0f} at its peak")  # fmt: skip


if __name__ == "__main__":
    print(f"product {PRODUCT}, floor {FLOOR}")
    main()
