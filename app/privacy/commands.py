"""`flask retention`."""

from collections import Counter

import click
from flask.cli import AppGroup

from app.cli import owner_url, settings

retention = AppGroup("retention", help="What has been kept for its years.")


@retention.command("erase")
@click.option("--dry-run", is_flag=True, help="Count, and change nothing.")
@click.option("--yes", is_flag=True, help="Really destroy keys and content; there is no way back.")
def retention_erase_command(dry_run: bool, yes: bool) -> None:
    """Destroy key and content of the cases that are past their years; the proof that they ran stays."""
    from app import create_app
    from app.extensions import db
    from app.privacy import retention as cases

    if dry_run == yes:
        raise click.UsageError("say --dry-run or --yes")
    owner_url()
    owner_app = create_app(settings(), role="owner")
    with owner_app.app_context():
        try:
            done = cases.count_due() if dry_run else Counter(cases.erase_due())
        finally:
            db.session.remove()
            db.engine.dispose()
    for (state, years), count in sorted(done.items()):
        click.echo(f"  {state}, {years} years: {count}")
    click.echo(f"{sum(done.values())} cases {'are past their years' if dry_run else 'erased'}.")
    if not dry_run:
        click.echo("Next: make a new back-up of the keys (docs/how-to/retention.md) and delete the older ones.")
