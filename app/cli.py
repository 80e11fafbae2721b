"""Commands for those who run the system. Each prints what it did and what to do next.

They connect as the owner of the tables (OWNER_DATABASE_URL) and not with the connection of the web process; only `worker`
runs as the worker role.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from flask import Flask, current_app
from flask.cli import AppGroup
from sqlalchemy import NullPool, create_engine, text
from sqlalchemy.exc import OperationalError, ProgrammingError
from sqlalchemy.orm import Session

from app import clock
from app.config import Settings

SHOWN = 20

FILE = click.argument("path", metavar="FILE", type=click.Path(path_type=Path))


def register_cli(app: Flask) -> None:
    """Add the commands to `flask`."""
    from app.alerts.commands import alerts
    from app.backup.commands import backup, restore
    from app.demo import clock_group, demo
    from app.directory.commands import divisions, staff
    from app.ledger.commands import ledger
    from app.privacy.commands import retention
    from app.records.commands import modules
    from app.rules.commands import rules
    from app.statistics.commands import statistics
    from app.supervision.commands import calendar, worker

    for command in (
        divisions, staff, calendar, demo, clock_group, contract, ledger, modules, worker, retention, statistics, backup,
        restore, alerts, rules,
    ):  # fmt: skip
        app.cli.add_command(command)


def settings() -> Settings:
    """The settings of the running command."""
    found: Settings = current_app.config["SETTINGS"]
    return found


def owner_url() -> str:
    """The owner's database address; a plain error when the environment does not give it."""
    return settings().url_for("owner")


@contextmanager
def owner_session(**options: Any) -> Iterator[Session]:
    """A session as the owner of the tables: committed at the end, rolled back on any exception. `options` of the engine."""
    engine = create_engine(owner_url(), poolclass=NullPool, hide_parameters=True, **options)
    try:
        with Session(engine, autoflush=False, expire_on_commit=False) as session, session.begin():
            clock.offset_seconds.set(session.scalar(text("SELECT seconds FROM clock_offset")) or 0)
            yield session
    except OperationalError as error:
        raise click.ClickException("the database does not answer at OWNER_DATABASE_URL") from error
    except ProgrammingError as error:
        if getattr(error.orig, "sqlstate", None) == "42P01":
            raise click.ClickException("a table is missing: run `flask db upgrade` first") from error
        raise
    finally:
        engine.dispose()


def show(what: str, lines: list[str]) -> None:
    """Print the first twenty lines under a heading, and how many more there are; nothing for an empty list."""
    if lines:
        click.echo(f"{what}:")
        for line in lines[:SHOWN]:
            click.echo(f"  {line}")
        if len(lines) > SHOWN:
            click.echo(f"  … and {len(lines) - SHOWN} more")


contract = AppGroup("contract", help="Files generated from the code.")


@contract.command("write")
def contract_write_command() -> None:
    """Write openapi.yaml."""
    from app import contract as generated

    _wrote(generated.write())


@contract.command("diagrams")
def contract_diagrams_command() -> None:
    """Write docs/workflows from the charts."""
    from app import contract as generated

    _wrote(generated.diagrams())


def _wrote(result: Any) -> None:
    paths = result if isinstance(result, list | tuple) else [result] if result else []
    click.echo(f"Written: {', '.join(map(str, paths))}" if paths else "Written.")
    click.echo("Next: look at `git diff` and commit what changed.")
