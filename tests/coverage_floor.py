"""The floor of test coverage: run after the tests, on the report they leave in var/coverage.json.

What decides about a case, the charts and the door, has a floor for each file; the rest is reported by area and has none.
Lines and branches count together, as coverage.py reckons them.
"""

import json
import sys
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

FLOOR = 95.0
DOOR = "app/transitions.py"
CHARTS = "workflows"


def has_floor(path: str) -> bool:
    """Whether the file decides about a case."""
    return path == DOOR or PurePosixPath(path).parts[0] == CHARTS


def percent(summaries: list[Mapping[str, Any]]) -> float:
    """Covered lines and branches of these files together, in percent; 100 where there is nothing to cover."""
    covered = sum(one["covered_lines"] + one.get("covered_branches", 0) for one in summaries)
    all_of_them = sum(one["num_statements"] + one.get("num_branches", 0) for one in summaries)
    return 100 * covered / all_of_them if all_of_them else 100.0


def verdict(report: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """Lines to print, one for each area, and one complaint for each file below the floor.

    A report without the door or without any chart is itself a complaint: it would else pass for want of files.
    """
    files = {PurePosixPath(path.replace("\\", "/")).as_posix(): one["summary"] for path, one in report["files"].items()}
    areas: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for path, summary in files.items():
        folder = PurePosixPath(path).parent
        areas[path if path == DOOR else folder.as_posix()].append(summary)
    lines = [f"{area}: {percent(found):.1f} %" for area, found in sorted(areas.items())]
    held = [path for path in files if has_floor(path)]
    complaints = [
        f"coverage floor: {path} is covered to {percent([files[path]]):.1f} %, the floor is {FLOOR:g} %"
        for path in sorted(held)
        if percent([files[path]]) < FLOOR
    ]
    if DOOR not in files or len(held) < 2:
        complaints.append(f"coverage floor: the report does not hold {DOOR} and {CHARTS}/")
    return lines, complaints


def main(path: str) -> int:
    """1 when something is below the floor, with what is covered; else 0 and silence: the summary of the tests has the last word."""
    lines, complaints = verdict(json.loads(Path(path).read_text(encoding="utf-8")))
    if complaints:
        sys.stdout.write("".join(f"{line}\n" for line in lines))
        sys.stderr.write("".join(f"{complaint}\n" for complaint in complaints))
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
