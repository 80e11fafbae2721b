"""`flask backup` and `flask restore`."""

from pathlib import Path

import click
from flask.cli import with_appcontext

from app.backup import BackupError
from app.cli import FILE, owner_url, settings

_FOLDER = click.Path(path_type=Path, file_okay=False)


@click.command("backup")
@FILE
@click.option("--keys", type=click.Path(path_type=Path), help="Where to write the keys; FILE.keys unless given.")
@click.option(
    "--files", "copies", type=_FOLDER, help="A folder for sealed copies of the stored files; each is copied once."
)
@with_appcontext
def backup(path: Path, keys: Path | None, copies: Path | None) -> None:
    """Write the database to a new FILE, its content sealed case by case, and the keys to another one."""
    from app.backup.writing import backup as write

    keys = keys or path.with_name(f"{path.name}.keys")
    try:
        done = write(owner_url(), path, keys, settings().files_dir, copies)
    except BackupError as error:
        raise click.ClickException(str(error)) from error
    click.echo(
        f"{path}: {done.size} bytes, {done.sealed} rows sealed. No content and no identity opens without the keys in {keys}."
    )
    if done.files:
        click.echo(f"{copies}: {done.files.copied} files copied, {done.files.there} were there before.")
        if done.files.missing:
            click.echo(
                f"Look into this: {done.files.missing} files that the database names are not in {settings().files_dir}."
            )
    else:
        click.echo("No --files: the stored files are not in it.")
    click.echo("Next: keep the keys in another place, and only the newest of them.")


@click.command("restore")
@FILE
@click.option("--keys", type=click.Path(path_type=Path), help="The newest file of keys.")
@click.option("--files", "copies", type=_FOLDER, help="The folder with the sealed copies of the stored files.")
@with_appcontext
def restore(path: Path, keys: Path | None, copies: Path | None) -> None:
    """Read a back-up FILE into an empty database, all or nothing. What was erased since stays erased."""
    from app.backup.reading import restore as read

    try:
        done = read(owner_url(), path, keys, copies, settings().files_dir)
    except BackupError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{done.tables} tables restored.")
    if done.erased:
        click.echo(f"{done.erased} cases came back without content: their keys are destroyed.")
    if done.files:
        click.echo(
            f"{done.files.copied} files brought back, {done.files.there} were there, {done.files.missing} are not in {copies}."
        )
    if done.older:
        click.echo(
            "This back-up is of the older form: the content of cases erased since is in it again. Run `flask retention erase`."
        )
        if keys is None:
            click.echo("No --keys: the identities in it stay sealed.")
    click.echo(
        f"Next: see that the stored files are in {settings().files_dir}, run `flask db upgrade`, start web and worker."
    )
