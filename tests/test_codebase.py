"""Rules about the code itself, and that models, migrations and database are one."""

import ast
import importlib.metadata
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from flask_migrate import downgrade, upgrade
from sqlalchemy import create_engine, inspect

from app.extensions import db

ROOT = Path(__file__).parent.parent
CODE = [path for name in ("app", "workflows", "notifications") for path in sorted((ROOT / name).rglob("*.py"))]
# Licences that may be combined with Apache-2.0 in a product that others run and change.
ALLOWED = re.compile(
    r"MIT|BSD|Apache|ISC|PSF|Python Software Foundation|Mozilla Public License 2|MPL-2\.0|HPND|LGPL|Lesser General|"
    r"PostgreSQL|Unlicense|CC0|Public Domain|Zero-Clause|0BSD|SIL Open Font License",
    re.IGNORECASE,
)
REFUSED = re.compile(r"Affero|AGPL|SSPL|Business Source|Commons Clause|(?<!L)GPL-?[23]|(?<!Lesser )General Public", re.IGNORECASE)


def where(path: Path, node: ast.AST) -> str:
    return f"{path.relative_to(ROOT)}:{node.lineno}"  # type: ignore[attr-defined]


def nodes(kind: type[ast.AST] | tuple[type[ast.AST], ...]) -> Iterator[tuple[Path, ast.AST]]:
    for path in CODE:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, kind):
                yield path, node


def test_the_state_of_a_petition_is_set_in_one_place():
    """Supervision orders have a small life of their own; a petition moves through app/transitions.py only."""
    found = []
    for path, node in nodes((ast.Assign, ast.AugAssign, ast.AnnAssign)):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        inside = path.relative_to(ROOT).as_posix()
        if inside == "app/transitions.py" or inside.startswith("workflows/"):
            continue
        for target in targets:
            if isinstance(target, ast.Attribute) and target.attr == "state" and getattr(target.value, "id", "") != "order":
                found.append(where(path, node))
    assert found == []


def test_no_statement_updates_the_state_behind_the_door():
    found = [
        str(path.relative_to(ROOT))
        for path in CODE
        if re.search(r"UPDATE\s+petitions\s+SET[^;\"]*\bstate\s*=", path.read_text(encoding="utf-8"))
        or re.search(r"update\(Petition\)[^)]*\)?\.values\([^)]*\bstate=", path.read_text(encoding="utf-8"))
    ]
    assert found == []


def test_no_naive_clock_is_read():
    found = []
    for path, node in nodes(ast.Call):
        if not isinstance(node.func, ast.Attribute):
            continue
        owner = ast.unparse(node.func.value)
        name = node.func.attr
        naive_now = name == "now" and owner.endswith("datetime") and not node.args and not node.keywords
        if naive_now or name in ("utcnow", "utcfromtimestamp") or (name == "today" and owner in ("date", "datetime.date", "datetime")):
            found.append(where(path, node))
    assert found == []


def test_a_broad_except_stands_only_where_errors_are_rendered():
    found = [
        where(path, node)
        for path, node in nodes(ast.ExceptHandler)
        if path.name != "errors.py" and (node.type is None or getattr(node.type, "id", "") == "Exception")
    ]
    assert found == []


def test_no_warning_is_silenced_without_its_code():
    found = []
    for path in [*CODE, *sorted((ROOT / "tests").rglob("*.py"))]:
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if re.search(r"#\s*(type: ignore(?!\[)|noqa(?!: ?[A-Z]+[0-9]+))", line):
                found.append(f"{path.relative_to(ROOT)}:{number}")
    assert found == []


def test_no_test_is_skipped_or_expected_to_fail():
    marks = ("@pytest.mark." + "skip", "@pytest.mark." + "xfail", "pytest." + "skip(", "pytest." + "xfail(")
    found = [
        str(path.relative_to(ROOT))
        for path in (ROOT / "tests").rglob("*.py")
        if any(mark in path.read_text(encoding="utf-8") for mark in marks)
    ]
    assert found == []


def test_the_import_linter_sees_every_module():
    """It reads packages only: a folder without `__init__.py` would be free to import anything. The script among the data is
    run by hand and imported by nobody."""
    folders = {path.parent for path in CODE if path.parent.name != "data"}
    assert [str(one.relative_to(ROOT)) for one in sorted(folders) if not (one / "__init__.py").exists()] == []


def test_there_is_one_migration_head():
    config = Config()
    config.set_main_option("script_location", str(ROOT / "migrations"))
    assert len(ScriptDirectory.from_config(config).get_heads()) == 1


def licence_of(distribution):
    meta = distribution.metadata
    classifiers = [one.split(" :: ")[-1] for one in meta.get_all("Classifier") or [] if one.startswith("License ::")]
    stated = meta.get("License-Expression") or ""
    brief = (meta.get("License") or "").strip().splitlines()[:1]
    return " | ".join([stated, *classifiers, *brief]).strip(" |")


def needed(names):
    """The distributions that installing `names` brings along, by name."""
    seen, waiting = {}, list(names)
    while waiting:
        name = re.split(r"[^A-Za-z0-9._-]", waiting.pop().strip(), maxsplit=1)[0]
        key = re.sub(r"[-_.]+", "-", name).lower()
        if key in seen:
            continue
        try:
            seen[key] = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue  # for another platform or Python
        waiting += [one for one in seen[key].requires or [] if "extra ==" not in one]
    return seen


def test_every_dependency_has_a_licence_that_we_may_ship():
    found = needed(one for one in importlib.metadata.requires("mingjian") or [] if "extra ==" not in one)
    assert {"flask", "sqlalchemy", "psycopg"} <= set(found)
    licences = {name: licence_of(one) for name, one in found.items()}
    assert {n: text for n, text in licences.items() if not ALLOWED.search(text) or REFUSED.search(text)} == {}


def differences(url):
    """What alembic would change to make the database like the models."""
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://", 1))
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "compare_type": True,
                "include_schemas": True,
                "include_name": lambda name, kind, _parents: not (
                    (kind == "table" and name == "alembic_version")
                    or (kind == "schema" and name not in (None, "sealed"))
                ),
            },
        )
        found = compare_metadata(context, db.metadata)
    engine.dispose()
    return found


@pytest.mark.filterwarnings("ignore:Skipped unsupported reflection:sqlalchemy.exc.SAWarning")
def test_models_and_migrated_database_are_the_same(app, database):
    assert differences(database["OWNER_DATABASE_URL"]) == []


def test_every_model_table_is_in_the_database_with_the_same_columns(app, database):
    engine = create_engine(database["OWNER_DATABASE_URL"].replace("postgresql://", "postgresql+psycopg://", 1))
    there = inspect(engine)
    stored = {
        (schema, name): {c["name"] for c in there.get_columns(name, schema)}
        for schema in (None, "sealed")
        for name in there.get_table_names(schema)
    }
    engine.dispose()
    stored.pop((None, "alembic_version"))
    assert stored == {(table.schema, table.name): {column.name for column in table.columns} for table in db.metadata.sorted_tables}


@pytest.mark.slow
def test_migrations_go_down_to_nothing_and_up_again(app, database):
    engine = create_engine(database["OWNER_DATABASE_URL"].replace("postgresql://", "postgresql+psycopg://", 1))
    folder = str(ROOT / "migrations")
    db.session.remove()
    db.engine.dispose()
    before = set(inspect(engine).get_table_names())
    downgrade(directory=folder, revision="base")
    assert set(inspect(engine).get_table_names()) == {"alembic_version"}
    upgrade(directory=folder)
    assert set(inspect(engine).get_table_names()) == before
    engine.dispose()
    assert differences(database["OWNER_DATABASE_URL"]) == []


@pytest.mark.slow
def test_a_web_process_holds_no_engine_of_rules_before_somebody_works_on_rules():
    settings = '{"MINGJIAN_MODE": "test", "SECRET_KEY": "x" * 40, "DATABASE_URL": "postgresql://mj_web@127.0.0.1:1/none"}'
    program = (
        "import sys; from app import create_app; from app.config import Settings; "
        f"create_app(Settings.from_environment({settings}), role='web'); "
        "print(sorted({'ibis', 'duckdb', 'pyarrow', 'adbc_driver_postgresql'} & set(sys.modules)))"
    )
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    assert told.stdout.splitlines()[-1] == "[]"
