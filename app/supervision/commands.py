"""`flask calendar` and `flask worker`."""

from pathlib import Path

import click
from flask.cli import AppGroup

from app.cli import FILE, owner_session

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


@click.command("worker")
def worker() -> None:
    """Run the worker until it is stopped: due deadlines, messages, reminders."""
    from app import create_app
    from app.supervision.scheduler import run_worker

    run_worker(create_app(role="worker"))
