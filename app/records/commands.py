"""`flask modules`: dataset types as the owner loads them, through the same door as everybody else's."""

from importlib import resources
from pathlib import Path

import click
import orjson
from flask.cli import AppGroup

from app.config import SettingsError
from app.errors import Problem
from app.extensions import db
from app.records.service import load_module

modules = AppGroup("modules", help="Modules of village-power data: their datasets.")


@modules.command("load")
@click.argument("paths", metavar="[FILE]...", nargs=-1, type=click.Path(path_type=Path, exists=True, dir_okay=False))
def modules_load_command(paths: tuple[Path, ...]) -> None:
    """Load module definitions from each FILE, or the shipped ones. What is there already stays as it is."""
    from app import create_app

    try:
        with create_app(role="owner").app_context():
            try:
                versions = load_files(paths)
                db.session.commit()
            finally:
                db.session.remove()
                db.engine.dispose()
    except SettingsError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{len(versions)} datasets are in force.")
    click.echo("Next: register the sources that send their records: see docs/how-to/records.md.")


def load_files(paths: tuple[Path, ...] = ()) -> dict[str, int]:
    """Load these module files, or the shipped ones, in the open transaction of the owner; returns the version of each dataset.
    Raises click.ClickException that names the file and every fault in it."""
    shipped = [one for one in resources.files("detection").joinpath("modules").iterdir() if one.name.endswith(".json")]
    versions: dict[str, int] = {}
    for file in paths or sorted(shipped, key=lambda one: one.name):
        try:
            versions |= load_module(orjson.loads(file.read_bytes()))
        except orjson.JSONDecodeError as error:
            raise click.ClickException(f"{file.name} is not JSON: {error}") from error
        except Problem as error:
            faults = "".join(f"\n  {place}: {', '.join(codes)}" for place, codes in error.more.get("errors", {}).items())
            raise click.ClickException(f"{file.name} can not be loaded: {error.slug}{faults}") from error
    return versions
