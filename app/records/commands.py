"""`flask modules`: dataset types as the owner loads them, through the same door as everybody else's."""

from pathlib import Path

import click
import orjson
from flask.cli import AppGroup
from sqlalchemy.exc import OperationalError

from app.cli import settings
from app.errors import Problem
from app.extensions import db
from app.records.service import load_module
from detection.shipped import module_documents

modules = AppGroup("modules", help="Modules of village-power data: their datasets.")


@modules.command("load")
@click.argument("paths", metavar="[FILE]...", nargs=-1, type=click.Path(path_type=Path, exists=True, dir_okay=False))
def modules_load_command(paths: tuple[Path, ...]) -> None:
    """Load module definitions from each FILE, or the shipped ones. What is there already stays as it is."""
    versions = load_as_owner(paths)
    click.echo(f"{len(versions)} datasets are in force.")
    click.echo("Next: register the sources that send their records: see docs/how-to/records.md.")


def load_as_owner(paths: tuple[Path, ...] = ()) -> dict[str, int]:
    """What `load_files` does, in a transaction of its own as the owner. Raises click.ClickException."""
    from app import create_app

    with create_app(settings(), role="owner").app_context():
        try:
            versions = load_files(paths)
            db.session.commit()
        except OperationalError as error:
            raise click.ClickException("the database does not answer at OWNER_DATABASE_URL") from error
        finally:
            db.session.remove()
            db.engine.dispose()
    return versions


def load_files(paths: tuple[Path, ...] = ()) -> dict[str, int]:
    """Load these module files, or the shipped ones, in the open transaction of the owner; returns the version of each dataset.
    Raises click.ClickException that names the file and every fault in it."""
    versions: dict[str, int] = {}
    for name, content in [(one.name, one.read_bytes()) for one in paths] or module_documents().items():
        try:
            versions |= load_module(orjson.loads(content) if isinstance(content, bytes) else content)
        except orjson.JSONDecodeError as error:
            raise click.ClickException(f"{name} is not JSON: {error}") from error
        except Problem as error:
            faults = "".join(f"\n  {place}: {', '.join(codes)}" for place, codes in error.more.get("errors", {}).items())
            raise click.ClickException(f"{name} can not be loaded: {error.slug}{faults}") from error
    return versions
