"""How long a file of records takes to become records, against a bare COPY of the same rows into the same table with the same indexes.

Usage: python benchmarks/intake.py [--rows 100000] [--rounds 5] [--dataset lw_payroll]

Starts its own PostgreSQL with durable writes. In each round a CSV file of made-up rows is taken, read, checked, hashed, staged and
published by the worker's own code; then the rows that came of it are copied into an empty copy of the table. The ratio is the median
of the paired ratios. Nothing here runs in continuous integration.
"""

import argparse
import csv
import io
import random
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path
from uuid import uuid4

import psycopg

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

from fill import say  # noqa: E402
from flask_migrate import upgrade  # noqa: E402

from app import create_app  # noqa: E402
from app.config import Settings  # noqa: E402
from app.database import SYSTEM, transaction  # noqa: E402
from app.directory import demonstration  # noqa: E402
from app.extensions import db  # noqa: E402
from app.postgres import EmbeddedPostgres, prepare_cluster  # noqa: E402
from app.records.batches import get_batch, queue, take_file  # noqa: E402
from app.records.commands import load_files  # noqa: E402
from app.records.identifiers import identity_check  # noqa: E402
from app.records.loading import load_batches  # noqa: E402
from detection.shipped import datasets  # noqa: E402

SCOPE = "330213"


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--rows", type=int, default=100_000)
    ap.add_argument("--rounds", type=int, default=5)
    ap.add_argument("--dataset", default="lw_payroll")
    a = ap.parse_args()
    base = Path(tempfile.mkdtemp(prefix="mj-bench-"))
    base.chmod(0o755)
    try:
        with EmbeddedPostgres(base / "pg", settings={"shared_buffers": "512MB"}) as server:
            run(a, base, prepare_cluster(server, "mingjian"))
    finally:
        shutil.rmtree(base, ignore_errors=True)


def run(a, base, urls):
    settings = Settings.from_environment(
        {
            "MINGJIAN_MODE": "demo", "SECRET_KEY": "b" * 40, "VAR_DIR": str(base), "DATABASE_URL": urls.web,
            "WORKER_DATABASE_URL": urls.worker, "OWNER_DATABASE_URL": urls.owner,
        }
    )  # fmt: skip
    with create_app(settings, role="owner").app_context():
        upgrade(directory=str(ROOT / "migrations"))
        demonstration.load(db.session, divisions="some")
        load_files()
        db.session.commit()
        db.session.remove()
        db.engine.dispose()
    dataset = datasets()[a.dataset]
    ratios = []
    with create_app(settings, role="worker").app_context(), psycopg.connect(urls.owner, autocommit=True) as owner:
        villages = [one for (one,) in owner.execute("SELECT code FROM divisions WHERE level = 5 AND code LIKE %s", [SCOPE + "%"])]
        for turn in range(a.rounds):
            content = made_up(dataset, a.rows, villages, random.Random(turn))
            owner.execute(f'TRUNCATE records."{dataset.code}"')
            taken = imported(dataset, content, owner, turn)
            bare = copied(dataset, owner, a.rows)
            ratios.append(taken / bare)
            say(f"{turn + 1}: import {taken:.2f} s, bare COPY {bare:.2f} s, ratio {taken / bare:.2f}")
    say(f"{a.rows} rows of {dataset.code}: median ratio {statistics.median(ratios):.2f} ({min(ratios):.2f}–{max(ratios):.2f})")


def made_up(dataset, count, villages, rnd):
    """A CSV file in which nothing is wrong: 20,000 people, an account for each, days of 2026."""
    people = []
    for _ in range(20_000):
        digits = f"{SCOPE}19{rnd.randint(40, 99)}{rnd.randint(1, 12):02}{rnd.randint(1, 28):02}{rnd.randint(0, 999):03}"
        people.append((digits + identity_check(digits), str(rnd.randint(10**15, 10**16))))
    makers = {
        "money": lambda: f"{rnd.randint(1, 99_999) / 100:.2f}", "int": lambda: rnd.randint(1, 30), "num": lambda: rnd.randint(1, 300) / 10,
        "date": lambda: f"2026-{rnd.randint(1, 12):02}-{rnd.randint(1, 28):02}", "ts": lambda: "2026-05-05 10:00", "bool": lambda: "是",
        "place": lambda: rnd.choice(villages), "account": lambda: rnd.choice(people)[1], "company": lambda: "",
    }  # fmt: skip
    written = io.StringIO()
    out = csv.writer(written)
    out.writerow(["place_code", *(name for one in dataset.fields for name in one.columns)])
    for line in range(count):
        row = [rnd.choice(villages)]
        for one in dataset.fields:
            if one.code == dataset.key[0]:
                row.append(f"K{line}")
            elif one.type == "person":
                row += [rnd.choice(people)[0], "王某"]
            elif one.type == "company":
                row += ["", "某某公司"]
            elif one.type == "code":
                row.append(rnd.choice([*one.values, ""]) if one.values else "a")
            else:
                row.append(makers[one.type]() if one.type in makers else f"第{rnd.randint(1, 999)}号")
        out.writerow(row)
    return written.getvalue().encode()


def imported(dataset, content, owner, turn):
    """Seconds from the file to records."""
    source = uuid4()
    owner.execute(
        "INSERT INTO record_sources (id, dataset, code, name, scope, created_at) VALUES (%s, %s, %s, '', %s, now())",
        [source, dataset.code, f"source{turn}", SCOPE],
    )
    begun = time.perf_counter()
    with transaction(SYSTEM):
        batch = take_file({"source_id": source}, io.BytesIO(content), "a.csv", None)
        queue(batch, get_batch(batch)["mapping"])
    report = load_batches()
    seconds = time.perf_counter() - begun
    assert report.done == 1
    return seconds


def copied(dataset, owner, count):
    """Seconds of COPY of the same rows into an empty table like it."""
    with owner.cursor().copy(f'COPY records."{dataset.code}" TO STDOUT') as rows:
        content = b"".join(rows)
    owner.execute(f'CREATE TABLE records.bare (LIKE records."{dataset.code}" INCLUDING ALL)')
    begun = time.perf_counter()
    with owner.cursor().copy("COPY records.bare FROM STDIN") as into:
        into.write(content)
    seconds = time.perf_counter() - begun
    assert owner.execute("SELECT count(*) FROM records.bare").fetchone() == (count,)
    owner.execute("DROP TABLE records.bare")
    return seconds


if __name__ == "__main__":
    main()
