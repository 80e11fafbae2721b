"""PostgreSQL's own programs, run so that neither a password nor a row of the database shows."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from app.backup import BackupError


def libpq(url: str) -> str:
    """The address as PostgreSQL's own programs take it."""
    return url.replace("postgresql+psycopg://", "postgresql://", 1)


@contextmanager
def output_of(tool: str, options: list[str], url: str | None = None) -> Iterator[IO[bytes]]:
    """A context with what the program writes. Raises BackupError when it fails, at the latest at the end of the block."""
    command, environment = [_find(tool)], dict(os.environ)
    if url is not None:
        parts = conninfo_to_dict(libpq(url))
        # Every account of the machine can read command lines; the password goes through the environment.
        if password := parts.pop("password", None):
            environment["PGPASSWORD"] = str(password)
        command += [f"--dbname={make_conninfo('', **parts)}", "--no-password"]
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen([*command, *options], env=environment, stdout=subprocess.PIPE, stderr=errors)
        assert process.stdout is not None
        try:
            yield process.stdout
            # Only what was read to its end tells whether the program was content.
            process.stdout.read()
            if process.wait() != 0:
                errors.seek(0)
                # Only the tool's own first line: details can quote a row, hence what a petitioner wrote.
                lines = errors.read().decode(errors="replace").splitlines()
                said = next((line for line in lines if line.startswith(tool)), "no reason given")
                raise BackupError(f"{tool} failed: {said}")
        finally:
            process.kill()
            process.wait()
            process.stdout.close()


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
