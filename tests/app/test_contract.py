"""The contract is generated from the code, complete, valid, and its problems have words."""

import ast
from collections import Counter
from functools import lru_cache
from pathlib import Path

import yaml
from openapi_spec_validator import validate

from app import contract
from app.errors import _HTTP_SLUGS
from app.petitions.schemas import ACTIONS
from app.text import catalogue
from workflows.base import StepTable
from workflows.petition import PetitionChart

ROOT = Path(__file__).parent.parent.parent
METHODS = {"get", "post", "put", "patch", "delete", "head", "options"}


@lru_cache(maxsize=1)
def document():
    """The contract that the code generates; read once, because reading so much YAML takes its time."""
    return yaml.load(contract.openapi(), Loader=yaml.CSafeLoader)


def operations(app):
    return [
        (path, method, operation)
        for path, item in document()["paths"].items()
        for method, operation in item.items()
        if method in METHODS
    ]


def test_the_committed_contract_is_the_one_that_the_code_generates(app):
    assert (ROOT / "openapi.yaml").read_text(encoding="utf-8") == contract.openapi(), "run `make openapi`"


def test_the_committed_workflow_pages_are_the_ones_that_the_charts_generate(app):
    folder = ROOT / "docs" / "workflows"
    committed = {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.md")}
    assert committed == contract.pages(), "run `make diagrams`"


def test_the_contract_is_valid_openapi_3_1(app):
    assert document()["openapi"].startswith("3.1")
    validate(document())


def test_every_operation_has_an_id_of_its_own_and_a_summary(app):
    ids = Counter(operation.get("operationId") for _path, _method, operation in operations(app))
    assert {name: count for name, count in ids.items() if count > 1 or not name} == {}
    assert [path for path, method, one in operations(app) if method != "options" and not one.get("summary")] == []


def test_every_event_of_a_person_has_a_route_and_every_action_route_an_event(app):
    prefix = "/api/v1/petitions/{petition_id}/actions/"
    routed = {path.removeprefix(prefix) for path, method, _ in operations(app) if path.startswith(prefix)}
    events = human_events()
    assert events, "the chart names no event of a person"
    assert routed == {event.replace("_", "-") for event in events}
    assert set(ACTIONS) == events


def human_events():
    """Events with at least one transition that is open to somebody else than the system."""
    return set(StepTable.of(PetitionChart).public_events)


def slugs_used():
    """Every literal problem slug in the source: names of Problem classes, first argument of a raise, class attributes."""
    used: dict[str, str] = dict.fromkeys(_HTTP_SLUGS.values(), "app/errors.py")
    kinds = {"Problem", "Unknown", "Conflict", "Forbidden", "Unauthorised", "TooMany", "Invalid", "problem", "_unauthorised"}
    position = {"problem": 1, "Invalid": 1}
    for path in (ROOT / "app").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                name = getattr(node.func, "id", getattr(node.func, "attr", ""))
                at = position.get(name, 0)
                if name in kinds and len(node.args) > at:
                    one = node.args[at]
                    if isinstance(one, ast.Constant) and isinstance(one.value, str):
                        used[one.value] = f"{path.relative_to(ROOT)}:{node.lineno}"
                if name in kinds:
                    for keyword in node.keywords:
                        if keyword.arg == "slug" and isinstance(keyword.value, ast.Constant):
                            used[keyword.value.value] = f"{path.relative_to(ROOT)}:{node.lineno}"
            elif isinstance(node, ast.ClassDef):
                for line in node.body:
                    if not isinstance(line, ast.Assign):
                        continue
                    for target in line.targets:
                        pairs = (
                            zip(target.elts, line.value.elts, strict=True)
                            if isinstance(target, ast.Tuple) and isinstance(line.value, ast.Tuple)
                            else [(target, line.value)]
                        )
                        for left, right in pairs:
                            if getattr(left, "id", "") == "slug" and isinstance(right, ast.Constant):
                                used[right.value] = f"{path.relative_to(ROOT)}:{line.lineno}"
    return used


def test_every_problem_that_the_code_raises_has_a_text_in_both_languages():
    used, texts = slugs_used(), catalogue("problems")
    assert {"wrong-state", "not-found", "key-required"} <= set(used)
    assert {slug: place for slug, place in used.items() if slug not in texts} == {}
    assert [slug for slug, (zh, en) in texts.items() if not zh.strip() or not en.strip() or zh == en] == []


def test_every_operation_tells_which_problems_it_answers(app):
    for path, method, operation in operations(app):
        for status in ("400", "401", "404", "422", "503"):
            assert "application/problem+json" in operation["responses"][status].get("content", {}) or method == "head", (path, status)
