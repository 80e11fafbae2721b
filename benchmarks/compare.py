"""Product against floor, alternating, on one machine: medians of paired ratios.

Usage: python benchmarks/compare.py [--petitions 100000] [--seconds 3] [--rounds 3] [--clients 8]

Starts its own PostgreSQL with durable writes, fills both databases, serves both with two gunicorn workers of four
threads, and prints one line a request kind. Only loopback is used. Nothing here runs in continuous integration.
"""

import argparse
import asyncio
import json
import os
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import aiohttp
import psutil
import psycopg

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from app.postgres import EmbeddedPostgres, prepare_cluster  # noqa: E402

FILL = """
INSERT INTO petitions SELECT (json_populate_record(NULL::petitions, row_to_json(t))).* FROM (
  SELECT gen_random_uuid() AS id, 'B-' || n AS serial, md5(n::text) AS pin_mac, 7 AS version,
         now() - (%(n)s - n) * interval '2.6 min' AS filed_at, current_date AS filed_on,
         (ARRAY(SELECT code FROM divisions WHERE level = 5 ORDER BY code))[1 + n %% (SELECT count(*) FROM divisions WHERE level = 5)] AS division_code,
         '村道路灯损坏 ' || n AS title, repeat('村委会旁边的路灯已经坏了两个星期。', 10) AS body, 'works' AS category, 'web' AS channel,
         'appeal' AS item_type, 'P2' AS priority, false AS simple, 'named' AS way, '[]'::jsonb AS accused, '{}'::uuid[] AS accused_org_ids,
         1 AS people_count, (ARRAY['registered', 'accepted', 'dispatched', 'handling', 'rated', 'rated', 'closed', 'rated', 'rated', 'closed'])[1 + n %% 10] AS state,
         4 AS level, '{}'::uuid[] AS co_org_ids, '{}'::uuid[] AS co_waiting_org_ids, '{}'::uuid[] AS past_org_ids,
         '{}'::uuid[] AS past_handler_ids, '{}'::uuid[] AS returned_org_ids, 1 AS round, false AS designated, 0 AS returns, 0 AS dispatches,
         0 AS merges, 0 AS extension_days, 0 AS extension_requests, 0 AS parked, 0 AS suspension_days, 0 AS reply_returns, 0 AS answers,
         0 AS rating_changes, 0 AS dissatisfied, 0 AS reviews, 0 AS rechecks, 0 AS urgings, false AS supervised, now() AS last_visible_at
    FROM generate_series(1, %(n)s) n) t
"""
EVENTS = """
INSERT INTO petition_events (id, petition_id, seq, at, clock_offset_seconds, event, from_state, to_state, actor_kind, actor_role, public, facts)
SELECT gen_random_uuid(), p.id, k, p.filed_at + k * interval '1 minute', 0,
       (ARRAY['file', 'register', 'accept', 'dispatch', 'sign', 'start'])[k], 'filed',
       (ARRAY['filed', 'registered', 'accepted', 'dispatched', 'signed', 'handling'])[k], 'staff', 'petition_office', true,
       '{"level": 4, "priority": "P2", "simple": false}'::jsonb
  FROM petitions p, generate_series(1, 6) k
"""


async def drive(method, paths, bodies, headers, clients, seconds):
    """Closed loop; returns (requests a second, sorted latencies in ms, unexpected statuses)."""
    latencies, bad = [], []
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        stop = time.perf_counter() + seconds

        async def one():
            while time.perf_counter() < stop:
                more = {"Idempotency-Key": secrets.token_urlsafe(24)} if method == "POST" else {}
                path = paths() if callable(paths) else paths
                start = time.perf_counter()
                async with session.request(
                    method, path, json=bodies() if bodies else None, headers={**headers, **more}
                ) as r:
                    text = await r.read()
                    if r.status >= 300:
                        bad.append((r.status, text[:200]))
                latencies.append((time.perf_counter() - start) * 1000)

        begin = time.perf_counter()
        await asyncio.gather(*[one() for _ in range(clients)])
        wall = time.perf_counter() - begin
    return len(latencies) / wall, sorted(latencies), bad


def serve(target, port, env):
    """Two gunicorn workers of four threads."""
    command = [str(Path(sys.executable).parent / "gunicorn"), "-k", "gthread", "-w", "2", "--threads", "4", "--keep-alive", "30",
               "--log-level", "error", "-b", f"127.0.0.1:{port}", target]  # fmt: skip
    return subprocess.Popen(command, cwd=ROOT, env={**os.environ, **env})


def pss(pid):
    """PSS of a process tree in MiB."""
    root = psutil.Process(pid)
    return sum(p.memory_full_info().pss for p in [root, *root.children(recursive=True)]) / 2**20


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--petitions", type=int, default=100_000)
    ap.add_argument("--seconds", type=float, default=3)
    ap.add_argument("--rounds", type=int, default=3)
    ap.add_argument("--clients", type=int, default=8)
    a = ap.parse_args()
    base = Path(tempfile.mkdtemp(prefix="mj-bench-", dir="/tmp"))
    base.chmod(0o755)
    with EmbeddedPostgres(base / "pg", settings={"shared_buffers": "1GB", "max_connections": "100"}) as server:
        urls = prepare_cluster(server, "mingjian")
        env = {
            "MINGJIAN_MODE": "demo",
            "SECRET_KEY": "b" * 40,
            "LOG_LEVEL": "WARNING",
            "FILES_DIR": str(base / "files"),
        }
        flask = [sys.executable, "-m", "flask", "--app", "app"]
        owner = {**os.environ, **env, "OWNER_DATABASE_URL": urls.owner}
        subprocess.run([*flask, "db", "upgrade"], check=True, cwd=ROOT, env=owner)
        subprocess.run([*flask, "demo", "load"], check=True, cwd=ROOT, env=owner)
        with psycopg.connect(urls.owner, autocommit=True) as c:
            print("filling the product's database", flush=True)
            c.execute(FILL, {"n": a.petitions})
            c.execute(EVENTS)
            c.execute("VACUUM ANALYZE")
            ids = [
                str(r[0])
                for r in c.execute("SELECT id FROM petitions WHERE state <> 'filed' ORDER BY random() LIMIT 20000")
            ]
            fresh = iter(
                [str(r[0]) for r in c.execute("SELECT id FROM petitions WHERE state = 'registered' ORDER BY random()")]
            )
            village = c.execute("SELECT code FROM divisions WHERE level = 5 ORDER BY code LIMIT 1").fetchone()[0]
            deep = c.execute(
                "SELECT filed_at, id FROM petitions ORDER BY filed_at DESC, id DESC OFFSET 9950 LIMIT 1"
            ).fetchone()
        with psycopg.connect(server.url("postgres", "postgres"), autocommit=True) as c:
            c.execute("CREATE DATABASE floor")
        with psycopg.connect(server.url("postgres", "floor"), autocommit=True) as c:
            print("filling the floor's database", flush=True)
            for name in ("floor_schema.sql", "floor_seed.sql"):
                text = "\n".join(
                    x for x in (ROOT / "benchmarks" / name).read_text().splitlines() if not x.startswith("--")
                )
                for statement in text.split(";\n"):
                    if statement.strip():
                        c.execute(statement)
        product = serve("app:serve()", 18201, {**env, "DATABASE_URL": urls.web})
        floor = serve(
            "floor:app", 18202, {"FLOOR_DSN": server.url("postgres", "floor"), "PYTHONPATH": str(ROOT / "benchmarks")}
        )
        try:
            time.sleep(5)
            measure(a, ids, fresh, village, deep, product)
        finally:
            product.terminate(), floor.terminate()
            product.wait(), floor.wait()


def measure(a, ids, fresh, village, deep, product):
    """Alternate product and floor for each kind of request and print the medians of the paired ratios."""
    from app.web import cursor_of

    p, f = "http://127.0.0.1:18201", "http://127.0.0.1:18202"

    async def sign_in():
        async with aiohttp.ClientSession() as s:
            body = {"username": "zhejiang.office", "password": "correct horse battery"}
            async with s.post(f"{p}/api/v1/auth/staff/sign-in", json=body) as r:
                return (await r.json())["access_token"]

    auth = {"Authorization": f"Bearer {asyncio.run(sign_in())}"}

    def pick():
        return ids[secrets.randbelow(len(ids))]

    def draft():
        return {
            "division_code": village,
            "title": "路灯坏了",
            "body": "村委会旁边的路灯已经坏了两个星期,晚上出门不方便。",
            "category": "works",
        }

    def small():
        return {
            "village": 1,
            "category": 1,
            "title": "Road lamp broken",
            "body": "The street lamp has been broken",
            "reporter": "x",
            "lon": 120.1,
            "lat": 30.2,
        }

    number = iter(range(1, 10**9))
    kinds = [
        ("list of 50", ("GET", f"{p}/api/v1/petitions", None, auth), ("GET", f"{f}/petitions", None, {})),
        ("list of 50, open states", ("GET", f"{p}/api/v1/petitions?state=accepted&state=dispatched", None, auth), ("GET", f"{f}/petitions", None, {})),
        ("page 200", ("GET", f"{p}/api/v1/petitions?cursor={cursor_of(*deep)}", None, auth), ("GET", f"{f}/petitions?before=90000", None, {})),
        ("detail with timeline", ("GET", lambda: f"{p}/api/v1/petitions/{pick()}", None, auth), ("GET", lambda: f"{f}/petitions/{1 + secrets.randbelow(100000)}", None, {})),
        ("change of state", ("POST", lambda: f"{p}/api/v1/petitions/{next(fresh)}/actions/accept", dict, auth), ("POST", lambda: f"{f}/petitions/{next(number)}/status", lambda: {"state": "x", "text": "y"}, {})),
        ("filing", ("POST", f"{p}/api/v1/petitions", draft, {}), ("POST", f"{f}/petitions", small, {})),
    ]  # fmt: skip
    print(f"{'request':26} {'product/s':>10} {'p50 ms':>8} {'p99 ms':>8} {'floor/s':>9} {'ratio':>7}  ratios")
    for name, ours, theirs in kinds:
        rates, floors, ratios, lat = [], [], [], []
        for _ in range(a.rounds):
            rate, latencies, bad = asyncio.run(drive(*ours, a.clients, a.seconds))
            other, _, _ = asyncio.run(drive(*theirs, a.clients, a.seconds))
            if bad:
                print(name, "unexpected answers:", len(bad), bad[0])
            rates.append(rate), floors.append(other), ratios.append(rate / other)
            lat += latencies
        lat.sort()
        print(f"{name:26} {statistics.median(rates):10.0f} {lat[len(lat) // 2]:8.1f} {lat[int(len(lat) * 0.99) - 1]:8.1f} "
              f"{statistics.median(floors):9.0f} {statistics.median(ratios):7.2f}  {json.dumps([round(r, 2) for r in ratios])}", flush=True)  # fmt: skip
    print(f"memory of the product's process tree after the runs: {pss(product.pid):.0f} MiB PSS")


if __name__ == "__main__":
    main()
