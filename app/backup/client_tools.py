"""Back-up and restore of the whole database with PostgreSQL's own tools.

The file is pg_dump's custom format. It holds what petitioners wrote: only its owner may read it, and it belongs into an
encrypted place. Uploaded files live in FILES_DIR and are copied beside it.
"""

import os
import shutil
import subprocess
from pathlib import Path

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

KEYS = "sealed.data_keys"


class BackupError(Exception):
    """The back-up or restore did not happen; the text says why."""


def backup(owner_url: str, target: Path, keys: Path) -> int:
    """Write the database to `target` and its data keys to `keys`: new files, mode 0600, each complete or not at all.

    Returns the size of `target` in bytes. The data keys stand apart so that erasing a case reaches the back-ups as well:
    whoever keeps only the newest keys has no key of an erased case any more.
    """
    # The keys last: a case filed meanwhile then has a key too many, which does no harm.
    size = _dump(owner_url, target, f"--exclude-table-data={KEYS}")
    _dump(owner_url, keys, f"--table={KEYS}", "--data-only")
    return size


def _dump(owner_url: str, target: Path, *what: str) -> int:
    if target.exists():
        raise BackupError(f"{target} exists already; a back-up never overwrites another")
    unfinished = target.with_name(f"{target.name}.part")
    try:
        # Made before the tool opens it, so that it is private from its first byte on.
        os.close(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))
        unfinished.chmod(0o600)
        _run("pg_dump", owner_url, ["--format=custom", f"--file={unfinished}", *what])
        unfinished.rename(target)
    except OSError as error:
        raise BackupError(f"{target} can not be written: {error.strerror}") from error
    finally:
        unfinished.unlink(missing_ok=True)
    return target.stat().st_size


def restore(owner_url: str, source: Path, keys: Path | None = None) -> int:
    """Read a back-up into an empty database, in one transaction, then the data keys. Returns the number of tables.

    Without `keys` everything is there but the identities, which stay sealed. Keys of cases that the back-up does not hold
    are of no use and no harm.

    Raises BackupError when the database is not empty or the file is not a back-up; then nothing has changed.
    """
    for path in (source, *([keys] if keys else [])):
        if not path.is_file():
            raise BackupError(f"there is no file {path}")
    if count_tables(owner_url):
        raise BackupError(
            "the database is not empty: restore into a new one (CREATE DATABASE … OWNER …, then point "
            "OWNER_DATABASE_URL at it), so that a mistake can not destroy the only copy"
        )
    options = ["--single-transaction", "--exit-on-error", "--no-owner", "--no-comments"]
    _run("pg_restore", owner_url, [*options, str(source)])
    if keys:
        _run("pg_restore", owner_url, [*options, "--data-only", str(keys)])
    return count_tables(owner_url)


def count_tables(owner_url: str) -> int:
    """How many tables the public schema of the database has."""
    try:
        with psycopg.connect(_libpq(owner_url)) as connection:
            row = connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone()
    except psycopg.OperationalError as error:
        raise BackupError("the database does not answer at OWNER_DATABASE_URL") from error
    return row[0] if row else 0


def _libpq(url: str) -> str:
    return url.replace("postgresql+psycopg://", "postgresql://", 1)


def _run(tool: str, url: str, options: list[str]) -> None:
    parts = conninfo_to_dict(_libpq(url))
    # Every account of the machine can read command lines; the password goes through the environment.
    password = parts.pop("password", None)
    environment = os.environ | ({"PGPASSWORD": str(password)} if password else {})
    command = [_find(tool), f"--dbname={make_conninfo('', **parts)}", "--no-password", *options]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode != 0:
        # Only the tool's own first line: details can quote a row, hence what a petitioner wrote.
        said = next((line for line in done.stderr.splitlines() if line.startswith(tool)), "no reason given")
        raise BackupError(f"{tool} failed: {said}")


def _find(tool: str) -> str:
    try:
        from app.postgres import BINARIES
    except ImportError:
        found = shutil.which(tool)
    else:
        found = shutil.which(tool, path=str(BINARIES)) or shutil.which(tool)
    if found is None:
        raise BackupError(f"{tool} is not installed: install PostgreSQL's client tools, at least as new as the server")
    return found
