"""The floor of coverage is a gate: it names the file that is below it, and passes for nothing else."""

import json
import subprocess
import sys
from pathlib import Path

from tests.coverage_floor import verdict

ROOT = Path(__file__).parent.parent


def report(**covered):
    """A report of files with a hundred lines each, by name with __ for a slash."""
    summaries = {
        f"{name.replace('__', '/')}.py": {"summary": {"covered_lines": lines, "num_statements": 100}}
        for name, lines in covered.items()
    }
    return {"files": summaries}


def test_a_chart_below_the_floor_is_named_with_its_figure():
    _lines, complaints = verdict(report(workflows__order=94, workflows__base=100, app__transitions=95))
    assert complaints == ["coverage floor: workflows/order.py is covered to 94.0 %, the floor is 95 %"]


def test_the_door_has_the_floor_too_and_the_rest_is_reported_only():
    lines, complaints = verdict(report(workflows__base=95, app__transitions=90, app__outbox=10, app__files__links=50))
    assert [line.split(" is ")[0] for line in complaints] == ["coverage floor: app/transitions.py"]
    assert lines == ["app: 10.0 %", "app/files: 50.0 %", "app/transitions.py: 90.0 %", "workflows: 95.0 %"]


def test_branches_count_with_lines_and_an_empty_file_is_covered():
    summary = {"covered_lines": 100, "num_statements": 100, "covered_branches": 0, "num_branches": 20}
    files = report(app__transitions=100)["files"] | {"workflows/base.py": {"summary": summary}}
    files["workflows/__init__.py"] = {"summary": {"covered_lines": 0, "num_statements": 0}}
    _lines, complaints = verdict({"files": files})
    assert complaints == ["coverage floor: workflows/base.py is covered to 83.3 %, the floor is 95 %"]


def test_a_report_without_the_files_of_the_floor_does_not_pass():
    assert verdict(report(app__outbox=100))[1] == [
        "coverage floor: the report does not hold app/transitions.py and workflows/"
    ]


def test_the_gate_of_make_test_fails_below_the_floor(tmp_path):
    path = tmp_path / "coverage.json"
    statuses = {}
    for lines in (100, 50):
        path.write_text(json.dumps(report(workflows__base=lines, app__transitions=100)), encoding="utf-8")
        run = subprocess.run(
            [sys.executable, "tests/coverage_floor.py", str(path)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        statuses[run.returncode] = run.stderr
    assert statuses == {0: "", 1: "coverage floor: workflows/base.py is covered to 50.0 %, the floor is 95 %\n"}
    assert "tests/coverage_floor.py var/coverage.json" in (ROOT / "Makefile").read_text(encoding="utf-8")
