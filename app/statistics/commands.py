"""`flask statistics`: publish by hand what the worker publishes by itself."""

import click
from flask.cli import AppGroup

from app.config import SettingsError
from app.extensions import db
from app.statistics.publishing import publish_due

statistics = AppGroup("statistics", help="Published figures.")


@statistics.command("publish")
def publish_command() -> None:
    """Publish the months that are closed and settled, as the worker does; what is published stays as it is."""
    from app import create_app

    try:
        with create_app(role="worker").app_context():
            try:
                report = publish_due()
            finally:
                db.session.remove()
                db.engine.dispose()
    except SettingsError as error:
        raise click.ClickException(str(error)) from error
    for period in report.periods:
        click.echo(f"{period}: published.")
    click.echo(f"{report.done} months published. The next one, {report.next_period}, comes on {report.next_on}.")
    click.echo("Next: look at /p/figures.")
