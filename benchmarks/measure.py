"""The kinds of request, and what is printed of each."""

import asyncio
import secrets
import statistics
from itertools import count

import aiohttp
import psycopg
from load import Cpu, drive

from app.web import cursor_of

PRODUCT, FLOOR = "http://127.0.0.1:18201", "http://127.0.0.1:18202"
PASSWORD = "correct horse battery"
_floor_number = count(1)


def headers_of(username):
    """Headers of a signed-in account of the demonstration."""

    async def sign_in():
        body = {"username": username, "password": PASSWORD}
        async with aiohttp.ClientSession() as s, s.post(f"{PRODUCT}/api/v1/auth/staff/sign-in", json=body) as r:
            return (await r.json())["access_token"]

    return {"Authorization": f"Bearer {asyncio.run(sign_in())}"}


class Kinds:
    """Every kind of request as (product, floor), each (method, address, body, headers)."""

    def __init__(self, owner_url):
        with psycopg.connect(owner_url) as c:
            self.ids = [
                str(r[0])
                for r in c.execute(
                    "SELECT id FROM petitions WHERE filed_at < now() - interval '1 minute' ORDER BY random() LIMIT 20000"
                )
            ]
            self.fresh = iter(
                [str(r[0]) for r in c.execute("SELECT id FROM petitions WHERE state = 'registered' ORDER BY random()")]
            )
            self.village = c.execute(
                "SELECT min(code) FROM divisions WHERE level = 5 AND code LIKE '330213%'"
            ).fetchone()[0]
            deep = c.execute(
                "SELECT filed_at, id FROM petitions ORDER BY filed_at DESC, id DESC OFFSET least(9950, (SELECT count(*) / 2 FROM petitions)) LIMIT 1"
            ).fetchone()
        self.deep = cursor_of(*deep)
        self.office = headers_of("zhejiang.office")

    def chosen(self, only):
        """The kinds named in `only`, or all."""
        wanted = [name.strip() for name in only.split(",") if name.strip()]
        return {
            name: (name, *kind)
            for name, kind in self.all().items()
            if not wanted or any(name.startswith(one) for one in wanted)
        }

    def all(self):
        """Every kind by name."""
        plain = ("GET", f"{FLOOR}/petitions", None, {})
        county, handler = headers_of("fenghua.office"), headers_of("fenghua.agri")

        def rows(query, headers=self.office, floor=plain):
            return ("GET", f"{PRODUCT}/api/v1/petitions{query}", None, headers), floor

        return {
            "list of 50, whole province": rows(""),
            "list open": rows("?open=true"),
            "list two open states": rows("?state=accepted&state=dispatched"),
            "list urgent, open": rows("?open=true&priority=P1"),
            "list yellow card, open": rows("?open=true&colour=yellow"),
            "list under supervision": rows("?supervised=true"),
            "list of a county, open": rows("?open=true", county),
            "list of a township, open": rows("?open=true", headers_of("shangtian.office")),
            "list of a department, open": rows("?open=true&mine=true", handler),
            "page 200": rows(f"?cursor={self.deep}", floor=("GET", f"{FLOOR}/petitions?before=90000", None, {})),
            "detail with timeline": (
                ("GET", lambda: f"{PRODUCT}/api/v1/petitions/{secrets.choice(self.ids)}", None, self.office),
                ("GET", lambda: f"{FLOOR}/petitions/{1 + secrets.randbelow(100_000)}", None, {}),
            ),
            "change of state": (
                ("POST", lambda: f"{PRODUCT}/api/v1/petitions/{next(self.fresh)}/actions/accept", dict, self.office),
                (
                    "POST",
                    lambda: f"{FLOOR}/petitions/{next(_floor_number)}/status",
                    lambda: {"state": "x", "text": "y"},
                    {},
                ),
            ),
            "filing": (
                ("POST", f"{PRODUCT}/api/v1/petitions", self._draft, {}),
                ("POST", f"{FLOOR}/petitions", _row, {}),
            ),
        }

    def _draft(self):
        return {
            "division_code": self.village,
            "title": "路灯坏了",
            "body": "村委会旁边的路灯已经坏了两个星期,晚上出门不方便。",
            "category": "works",
        }


def _row():
    return {
        "village": 1,
        "category": 1,
        "title": "Road lamp broken",
        "body": "The street lamp has been broken",
        "reporter": "x",
        "lon": 120.1,
        "lat": 30.2,
    }


def print_heading():
    """The names of the columns of `measure`."""
    print(
        f"{'request':30} {'product/s':>9} {'p50 ms':>7} {'p99 ms':>7} {'floor/s':>8} {'ratio':>6} {'min–max':>11}  CPU ms app+db, floor",
        flush=True,
    )


def measure(kind, a, pids):
    """Alternate product and floor, print the medians, and return those of the ratio and of the CPU of a request in ms."""
    name, ours, theirs = kind
    product, floor, database = (Cpu(pid) for pid in pids)
    rates, floors, ratios, latencies, cpu = [], [], [], [], []
    asyncio.run(drive(*ours, a.clients, 0.5)), asyncio.run(drive(*theirs, a.clients, 0.5))
    for _ in range(a.rounds):
        for each in (product, floor, database):
            each.since()
        rate, times, bad = asyncio.run(drive(*ours, a.clients, a.seconds))
        app, db = product.since(), database.since()
        other, others, _ = asyncio.run(drive(*theirs, a.clients, a.seconds))
        bare, bare_db = floor.since(), database.since()
        if bad:
            print(name, "unexpected answers:", len(bad), bad[0], flush=True)
        rates.append(rate), floors.append(other), ratios.append(rate / other)
        cpu.append(
            [
                1000 * x / n
                for x, n in ((app, len(times)), (db, len(times)), (bare, len(others)), (bare_db, len(others)))
            ]
        )
        latencies += times
    latencies.sort()
    app, db, bare, bare_db = (statistics.median(column) for column in zip(*cpu, strict=True))
    print(f"{name:30} {statistics.median(rates):9.0f} {latencies[len(latencies) // 2]:7.1f} {latencies[int(len(latencies) * 0.99) - 1]:7.1f} "
          f"{statistics.median(floors):8.0f} {statistics.median(ratios):6.2f} {min(ratios):5.2f}–{max(ratios):4.2f}  "
          f"{app:.2f}+{db:.2f}, {bare:.2f}+{bare_db:.2f}", flush=True)  # fmt: skip
    return statistics.median(ratios), app + db
