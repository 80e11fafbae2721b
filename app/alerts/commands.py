"""`flask alerts`."""

import secrets
from datetime import datetime
from uuid import uuid4

import click
from flask.cli import AppGroup

from app.alerts.folding import source_mac
from app.alerts.models import AlertSource
from app.cli import owner_session

alerts = AppGroup("alerts", help="Sources outside that send alerts.")


@alerts.command("add-source")
@click.argument("name")
@click.option("--rule", "rules", multiple=True, required=True, help="Code of a rule that the source may speak of; may be repeated.")
@click.option("--place", required=True, help="The first digits of the division codes that it may speak of.")
@click.option("--until", type=click.DateTime(["%Y-%m-%d"]), help="The last day on which its key is good.")
def add_source_command(name: str, rules: tuple[str, ...], place: str, until: datetime | None) -> None:
    """Let NAME send alerts, and print its key, which is shown once and not stored."""
    if not (place.isascii() and place.isdigit() and len(place) in (2, 4, 6, 9, 12)):
        raise click.ClickException("--place is 2, 4, 6, 9 or 12 digits of a division code")
    key = secrets.token_urlsafe(32)
    with owner_session() as session:
        session.add(
            AlertSource(
                id=uuid4(), name=name, key_mac=source_mac(key), rules=list(rules), place=place,
                valid_to=until.date() if until else None,
            )
        )  # fmt: skip
    click.echo(f"Key of {name}: {key}")
    click.echo("Next: send alerts with the header X-Source-Key; see docs/how-to/alerts.md.")
