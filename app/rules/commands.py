"""`flask rules`: what an operator does with rules."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import orjson
from flask.cli import AppGroup
from sqlalchemy.exc import OperationalError

from app.cli import settings
from app.database import SYSTEM, transaction
from app.errors import Problem
from app.extensions import db
from app.web import Later
from detection.shipped import rule_documents

if TYPE_CHECKING:
    from app.rules.catalogue import Running
    from app.rules.judging import Found

# Every process knows the commands; only these need the large libraries behind them.
judging, loading, running = (Later(f"app.rules.{name}") for name in ("judging", "loading", "running"))

rules = AppGroup("rules", help="Rules that look for what does not fit in the records.")
_DAY = click.DateTime(["%Y-%m-%d"])


@contextmanager
def _as_owner() -> Iterator[None]:
    from app import create_app

    with create_app(settings(), role="owner").app_context():
        try:
            yield
        except OperationalError as error:
            raise click.ClickException("the database does not answer at OWNER_DATABASE_URL") from error
        finally:
            db.session.remove()
            db.engine.dispose()


@rules.command("load")
@click.argument("paths", metavar="[FILE]...", nargs=-1, type=click.Path(path_type=Path, exists=True, dir_okay=False))
def rules_load_command(paths: tuple[Path, ...]) -> None:
    """Check and try the rules of each FILE, or the shipped ones, and put them into force. An official's version stays in force."""
    with _as_owner():
        counts = load_files(paths)
    click.echo(f"{sum(counts.values())} rules: " + ", ".join(f"{number} {what}" for what, number in sorted(counts.items())))
    click.echo("Next: flask rules sweep, or let the worker judge what comes in.")


def load_files(paths: tuple[Path, ...] = ()) -> Counter[str]:
    """Load the rules of these files, or the shipped ones, as the owner, all or none; returns how many are new, changed, proposed and
    unchanged. Raises click.ClickException with every fault."""
    documents = [one for path in paths for one in _documents(path)] if paths else list(rule_documents().values())
    try:
        with transaction(SYSTEM):
            return loading.load_rules(documents)
    except Problem as error:
        faults = "".join(f"\n  {place}: {'; '.join(codes)}" for place, codes in error.more.get("errors", {}).items())
        raise click.ClickException(f"the rules can not be loaded: {error.slug}{faults}") from error


def _documents(path: Path) -> list[Any]:
    try:
        content = orjson.loads(path.read_bytes())
    except orjson.JSONDecodeError as error:
        raise click.ClickException(f"{path.name} is not JSON: {error}") from error
    listed = content.get("rules") if isinstance(content, dict) and "rules" in content else [content]
    if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
        raise click.ClickException(f"{path.name} holds no rules")
    return listed


@rules.command("sweep")
@click.option("--as-of", type=_DAY, help="Judge as on this day instead of today.")
@click.option("--known-on", type=_DAY, help="Take only what was known at the end of this day; raises no alerts.")
def rules_sweep_command(as_of: datetime | None, known_on: datetime | None) -> None:
    """Judge every record now by all rules in force, on a fresh snapshot."""
    moment = None
    if as_of or known_on:
        day = as_of or known_on
        assert day is not None
        moment = judging.Moment(day.date(), known_on.date() if known_on else None)
    begun = time.monotonic()
    with _as_owner():
        report = running.sweep(moment, told=_tell)
    click.echo(f"{report.done} rules in {time.monotonic() - begun:.1f} s: {report.alerts} alerts; {report.failed} rules failed.")
    click.echo("Next: the worker sends the new alerts out.")


def _tell(running: Running, found: Found | None) -> None:
    what = "failed" if found is None else f"{len(found.alerts())} alerts, {len(found.unjudged)} records that can not be judged"
    click.echo(f"  {running.code} v{running.version}: {what}")
