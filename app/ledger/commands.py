"""`flask ledger`: sequence by hand, verify everything, make and withdraw keys."""

import json
import os
from pathlib import Path
from typing import Any

import click
from flask.cli import AppGroup

from app import clock
from app.config import SettingsError
from app.extensions import db

ledger = AppGroup("ledger", help="The ledger of commitments.")


@ledger.command("sequence")
def sequence_command() -> None:
    """Give waiting commitments their place and sign heads, as the worker does: a county once an hour."""
    from app import create_app
    from app.ledger.sequencing import sequence

    try:
        with create_app(role="worker").app_context():
            try:
                report = sequence()
            finally:
                db.session.remove()
                db.engine.dispose()
    except SettingsError as error:
        raise click.ClickException(str(error)) from error
    left = f"{report.skipped} logs left to another process, {report.failed} damaged."
    click.echo(f"{report.done} entries placed, {report.padded} of padding, {left}")
    if report.failed:
        raise click.ClickException("a log is not what its last head signed: run `flask ledger verify`")
    click.echo("Next: nothing; `flask ledger verify` computes everything anew.")


@ledger.command("verify")
@click.option(
    "--remembered",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    multiple=True,
    help="Signed heads kept from before: JSON, one head or a list of them. May be given more than once.",
)
def verify_command(remembered: tuple[Path, ...]) -> None:
    """Compute the whole ledger anew from the stored events, and say what is wrong and where."""
    from app.cli import owner_session
    from app.ledger.verification import verify_all

    heads = [head for path in remembered for head in _heads(path)]
    # One view of everything: what the worker does meanwhile must not look like a fault.
    with owner_session(isolation_level="REPEATABLE READ") as session:
        found = verify_all(session, heads)
    counted = f"{found.events} events, {found.entries} entries, {found.heads} heads; {found.padding} entries are padding"
    click.echo(f"{counted}, {found.waiting} events are waiting, {found.erased} are erased.")
    for fault in found.faults:
        click.echo(f"  {fault}")
    if found.kinds:
        counts = ", ".join(f"{count} {kind}" for kind, count in sorted(found.kinds.items()))
        raise click.ClickException(f"the ledger is not sound: {counts}. See docs/runbook/ledger-not-sound.md.")
    click.echo("The ledger is sound. Next: compare its newest head with one that was printed or kept elsewhere.")


def _heads(path: Path) -> list[dict[str, Any]]:
    try:
        document = json.loads(path.read_bytes())
        heads = document if isinstance(document, list) else document.get("items", [document])
        return [{**head, "size": int(head["size"]), "root": str(head["root"]), "log": str(head["log"])} for head in heads]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise click.ClickException(f"{path} holds no signed heads") from error


@ledger.command("new-key")
@click.argument("path", metavar="FILE", type=click.Path(path_type=Path))
def new_key_command(path: Path) -> None:
    """Make a signing key in a new FILE that only its owner can read."""
    from app.ledger.keys import new_key_pem

    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(new_key_pem())
    except FileExistsError as error:
        raise click.ClickException(f"{path} exists already; a key is never written over") from error
    except OSError as error:
        raise click.ClickException(f"{path} can not be written: {error.strerror}") from error
    click.echo(f"{path}: a fresh key, readable by you alone.")
    click.echo("Next: keep a sealed copy, set LEDGER_KEY_FILE for web and worker, and start both anew.")


@ledger.command("revoke-key")
@click.argument("key_id")
def revoke_key_command(key_id: str) -> None:
    """Say that what KEY_ID signs from now on is not to be believed: it was lost or stolen."""
    from sqlalchemy import text

    from app.cli import owner_session

    with owner_session() as session:
        revoke = text("UPDATE ledger_keys SET revoked_at = :now WHERE key_id = :key AND revoked_at IS NULL")
        done: Any = session.execute(revoke, {"now": clock.now(), "key": key_id})
    if not done.rowcount:
        raise click.ClickException("no key in use has that id: see /api/v1/ledger/keys")
    click.echo("Withdrawn. Next: `flask ledger new-key FILE`, set LEDGER_KEY_FILE, start web and worker anew.")
