"""What the rules cost and whether they are right: over a whole province of records with planted violations and decoys.

    python benchmarks/rules.py --villages 24979 --only conformance,ten

`conformance`: every shipped rule against the planted truth, with its time; `ten`: ten rules against hand-written SQL (`rules_by_hand.py`),
in turn, paired.
"""

from __future__ import annotations

import argparse
import re
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from app.rules import duck  # noqa: E402
from benchmarks import province  # noqa: E402
from benchmarks.rules_by_hand import BY_HAND  # noqa: E402
from detection.compiling import Queries, compile_rule  # noqa: E402
from detection.documents import read_rule  # noqa: E402
from detection.fixtures import read_fixtures  # noqa: E402
from detection.shipped import datasets, rule_documents  # noqa: E402
from detection.tables import Tables  # noqa: E402

ROUNDS = 9
MEMORY = "1GB"


@dataclass(frozen=True)
class Prepared:
    """A shipped rule, the day it is judged on, its texts for DuckDB and the seconds it took to build and print them."""

    code: str
    as_of: Any
    queries: Queries
    seconds: float


def prepared() -> list[Prepared]:
    found = []
    for code, document in rule_documents().items():
        fixtures = read_fixtures(document["fixtures"], datasets())
        rule = read_rule(document)
        before = time.perf_counter()
        queries = compile_rule(rule, Tables(datasets(), as_of=fixtures.as_of), "duckdb")
        found.append(Prepared(code, fixtures.as_of, queries, time.perf_counter() - before))
    return found


def timed(do: Callable[[], Any]) -> tuple[float, Any]:
    """Milliseconds, and what came of it."""
    before = time.perf_counter()
    came = do()
    return (time.perf_counter() - before) * 1000, came


def peak() -> int:
    """Largest resident size of this process so far, in MiB."""
    found = re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())
    assert found
    return int(found[1]) // 1024


def conformance(file: str, rounds: int) -> None:
    with duck.connect(file) as connection:
        planted = {each.code: each for each in province.plant(connection)}
        connection.execute("CHECKPOINT")
    rules = prepared()
    with duck.connect(file, read_only=True) as connection:
        connection.execute(f"SET memory_limit = '{MEMORY}'")
        records = sum(connection.execute(f'SELECT count(*) FROM records."{code}"').fetchone()[0] for code in datasets())
        print(f"{records:,} records, {len(rules)} rules")
        print(
            "| rule | alerts | exact | background | precision | recall | unjudged | ms evidence | ms unjudged | text KB | ms to print |"
        )
        print("| --- | --: | --- | --: | --: | --: | --: | --: | --: | --: | --: |")
        total = 0.0
        for rule in rules:
            evidence, unjudged = duck.run(connection, rule.queries)
            found = province.judged(planted[rule.code], evidence, unjudged)
            lines, background = found.wrong, found.background
            keys = {row["alert_key"] for row in evidence}
            truth = sum(len(case.alerts) for case in planted[rule.code].fixtures.cases)
            right = max(0, truth - len(lines))
            one = statistics.median(
                timed(lambda text=rule.queries.evidence: connection.execute(text).fetchall())[0] for _ in range(rounds)
            )
            two = statistics.median(
                timed(lambda text=rule.queries.unjudged: connection.execute(text).fetchall())[0] for _ in range(rounds)
            )
            total += one + two
            print(
                f"| {rule.code} | {len(keys)} | {'yes' if not lines else 'NO'} | {background} | {right / max(found.own + background, 1):.2f} | "
                f"{right / max(truth, 1):.2f} | {len(unjudged)} | {one:.0f} | {two:.0f} | {len(rule.queries.evidence) / 1000:.0f} | {rule.seconds * 1000:.0f} |",
                flush=True,
            )
            for line in lines[:3]:
                print("   ", line)
    print(
        f"all rules: {total / 1000:.2f} s of DuckDB, peak {peak()} MiB of the process, printing {sum(r.seconds for r in rules):.1f} s"
    )


def ten(file: str, rounds: int) -> None:
    rules = {each.code: each for each in prepared()}
    ratios: dict[str, list[float]] = {}
    sums: list[tuple[float, float]] = [(0.0, 0.0)] * rounds
    with duck.connect(file, read_only=True) as connection:
        print("| rule | rows | hand ms | ours ms | ratio | least–greatest |")
        print("| --- | --: | --: | --: | --: | --- |")
        for code, text in BY_HAND.items():
            rule = rules[code]
            given = {"asof": rule.as_of} if "$asof" in text else None
            shaped = f"SELECT DISTINCT alert_key, dataset, row_id, colour, money FROM ({rule.queries.evidence})"
            hand, ours = set(connection.execute(text, given).fetchall()), set(connection.execute(shaped).fetchall())
            if hand != ours:
                print(
                    f"    {code}: only by hand {sorted(hand - ours, key=repr)[:3]}, only ours {sorted(ours - hand, key=repr)[:3]}"
                )
            pairs = []
            for i in range(rounds):
                pair = (
                    timed(lambda t=text, g=given: connection.execute(t, g).fetchall())[0],
                    timed(lambda t=rule.queries.evidence: connection.execute(t).fetchall())[0],
                )
                pairs.append(pair)
                sums[i] = (sums[i][0] + pair[0], sums[i][1] + pair[1])
            ratios[code] = [b / a for a, b in pairs]
            print(
                f"| {code} | {len(ours)} | {statistics.median(a for a, _ in pairs):.1f} | {statistics.median(b for _, b in pairs):.1f} | "
                f"{statistics.median(ratios[code]):.2f} | {min(ratios[code]):.2f}–{max(ratios[code]):.2f} |",
                flush=True,
            )
    both = [b / a for a, b in sums]
    print(
        f"| all ten | | {statistics.median(a for a, _ in sums):.0f} | {statistics.median(b for _, b in sums):.0f} | "
        f"{statistics.median(both):.2f} | {min(both):.2f}–{max(both):.2f} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--file", type=Path, default=Path("var/province.duckdb"))
    parser.add_argument("--villages", type=int, default=24_979)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--only", default="conformance,ten")
    given = parser.parse_args()
    given.file.parent.mkdir(parents=True, exist_ok=True)
    wanted = given.only.split(",")
    if set(wanted) - {"conformance", "ten"}:
        parser.error(f"--only knows conformance and ten, not {given.only}")
    if "conformance" in wanted or not given.file.exists():
        given.file.unlink(missing_ok=True)
        seconds, made = timed(lambda: province.make(str(given.file), given.villages))
        made.close()
        print(f"made in {seconds / 1000:.0f} s, {given.file.stat().st_size / 2**20:.0f} MiB")
    if "conformance" in wanted:
        conformance(str(given.file), given.rounds)
    if "ten" in wanted:
        ten(str(given.file), given.rounds)


if __name__ == "__main__":
    main()
