"""Reading a back-up into an empty database, in one transaction: all of it, or nothing."""

import re
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from app import clock, timeline
from app.backup import BackupError, archive, files
from app.backup.boxes import BoxError, ContentKeys, fingerprint, open_row
from app.backup.client_tools import libpq, output_of
from app.backup.content import NO_CASE
from app.backup.writing import place_of
from app.database import SYSTEM

_COPY = re.compile(rb"COPY .+ FROM stdin;\s*$")
# Commands of psql, and a setting that older servers do not know, in scripts that are read without psql.
_FOREIGN = re.compile(rb"\\(un)?restrict |SET transaction_timeout = ")
_NULL = rb"\N"
# Cases of the dump whose key is gone, with the number of their last event.
_LOST = """
    SELECT p.id, p.state, (SELECT max(seq) FROM petition_events e WHERE e.petition_id = p.id) AS seq FROM petitions p
     WHERE p.erased_at IS NULL AND NOT EXISTS (SELECT 1 FROM sealed.content_keys k WHERE k.petition_id = p.id) LIMIT 1000
"""


@dataclass(frozen=True, slots=True)
class Restored:
    """A restored database: its tables, the cases that came back without content, and what became of the files."""

    tables: int
    erased: int
    files: files.Copied | None
    older: bool


def restore(
    owner_url: str, source: Path, keys: Path | None = None, copies: Path | None = None, target: Path | None = None
) -> Restored:
    """Read the dump `source` and its keys into an empty database, and with `copies` its files into the folder `target`.

    A case whose key is not among `keys` was erased since: it comes back as erasing leaves it, and its last event says so. For a dump
    of the older form `keys` may be left out; the identities then stay sealed.

    Raises BackupError when the database is not empty, a file is no back-up or damaged, or the keys are not those of the dump; then
    nothing has changed in the database.
    """
    older = archive.is_older(source)
    older_keys = keys is not None and archive.is_older(keys)
    if not older and (keys is None or older_keys):
        raise BackupError(
            "the content of this back-up opens with its keys alone: give the newest file of keys with --keys"
        )
    if older and copies:
        raise BackupError(
            "files beside a dump of the older form are not sealed: copy them back yourself, without --files"
        )
    with ExitStack() as held:
        dump = None if older else held.enter_context(archive.Reader(source, archive.DUMP))
        key_file = held.enter_context(archive.Reader(keys, archive.KEYS)) if keys and not older_keys else None
        content_keys = _fitting_keys(dump, key_file) if dump and key_file else None
        connection = held.enter_context(_connected(owner_url))
        with _told(connection):
            if _count_tables(connection):
                raise BackupError(
                    "the database is not empty: restore into a new one (CREATE DATABASE … OWNER …, then point "
                    "OWNER_DATABASE_URL at it), so that a mistake can not destroy the only copy"
                )
            erased, brought = 0, None
            if dump and key_file and content_keys is not None:
                _run_dump(connection, dump, content_keys, key_file)
                erased = _erase_lost(connection)
                if copies and target:
                    brought = files.bring_back(connection, content_keys, copies, target)
            else:
                _run_older(connection, source)
                if key_file:
                    _copy_lines(
                        connection, "sealed.data_keys", key_file.manifest["columns"], key_file.lines(archive.DATA_KEYS)
                    )
                elif keys:
                    _run_older(connection, keys)
            tables = _count_tables(connection)
            connection.commit()
            # Without it the first questions to a fresh database are slow.
            connection.execute("ANALYZE")
            connection.commit()
    return Restored(tables, erased, brought, older)


def _fitting_keys(dump: archive.Reader, key_file: archive.Reader) -> ContentKeys:
    """The content keys, known to be those of the dump, and the dump known to be as it was written."""
    try:
        keys = ContentKeys(key_file.read(archive.CONTENT_KEYS))
        made_at = datetime.fromisoformat(key_file.manifest["made_at"])
    except (KeyError, ValueError, TypeError) as error:
        raise BackupError("the file of keys is damaged") from error
    no_case = keys.of(NO_CASE)
    if no_case is None or dump.manifest.get("keys") != fingerprint(no_case):
        raise BackupError("these keys do not belong to this back-up: they are of another installation")
    dump.check(no_case)
    # Scripts run as the owner: what they are is known before the first statement, not at their end.
    for script in (archive.PRE_DATA, archive.DATA, archive.POST_DATA):
        for _line in dump.lines(script):
            pass
    if made_at < datetime.fromisoformat(dump.manifest["made_at"]):
        raise BackupError(
            "these keys are older than the back-up and would leave cases without content: give the newest file of keys"
        )
    return keys


def _run_dump(
    connection: psycopg.Connection, dump: archive.Reader, keys: ContentKeys, key_file: archive.Reader
) -> None:
    _run_script(connection, dump.lines(archive.PRE_DATA))
    _run_script(connection, dump.lines(archive.DATA))
    for table, told in dump.manifest["tables"].items():
        lines = _opened(dump, table, told, keys)
        _copy_lines(connection, table, told["columns"], lines)
    _copy_lines(connection, "sealed.data_keys", key_file.manifest["columns"], key_file.lines(archive.DATA_KEYS))
    with connection.cursor().copy("COPY sealed.content_keys (petition_id, key) FROM STDIN") as into:
        for case, key in keys.all():
            into.write_row((case, key))
    # A key of no case here would never be destroyed.
    connection.execute(
        "DELETE FROM sealed.content_keys k WHERE k.petition_id <> %s AND NOT EXISTS (SELECT 1 FROM public.petitions p WHERE p.id = k.petition_id)",
        [NO_CASE],
    )
    for table, derived in dump.manifest["derived"].items():
        columns = sql.SQL(", ").join(map(sql.Identifier, derived["columns"]))
        with _ordinary_names(connection):
            connection.execute(
                sql.SQL("INSERT INTO {} ({}) {}").format(_name(table), columns, sql.SQL(derived["from"]))
            )
    _run_script(connection, dump.lines(archive.POST_DATA))


def _run_older(connection: psycopg.Connection, source: Path) -> None:
    """A dump of PostgreSQL's own format, turned into a script by pg_restore."""
    with output_of("pg_restore", ["--file=-", "--no-owner", "--no-comments", str(source)]) as script:
        _run_script(connection, script)


def _run_script(connection: psycopg.Connection, lines: Iterable[bytes]) -> None:
    """Run a script of pg_dump: statements, and rows between COPY and a line of backslash and dot."""
    waiting: list[bytes] = []
    lines = iter(lines)
    for line in lines:
        if _COPY.match(line):
            _run(connection, waiting)
            with connection.cursor().copy(line.rstrip().removesuffix(b";")) as into:
                for block in archive.blocks(_until(lines, b"\\.\n")):
                    into.write(block)
        elif not _FOREIGN.match(line):
            waiting.append(line)
    _run(connection, waiting)


def _until(lines: Iterator[bytes], end: bytes) -> Iterator[bytes]:
    """The lines before the line `end`. Raises BackupError when it never comes."""
    for line in lines:
        if line == end:
            return
        yield line
    raise BackupError("the back-up was cut short in the middle of a table")


def _run(connection: psycopg.Connection, waiting: list[bytes]) -> None:
    if statements := b"".join(waiting).strip():
        connection.execute(statements)
    waiting.clear()


def _copy_lines(connection: psycopg.Connection, table: str, columns: list[str], lines: Iterable[bytes]) -> None:
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    with connection.cursor().copy(sql.SQL("COPY {} ({}) FROM STDIN").format(_name(table), names)) as into:
        for block in archive.blocks(lines):
            into.write(block)


def _opened(dump: archive.Reader, table: str, told: dict[str, Any], keys: ContentKeys) -> Iterator[bytes]:
    """The rows of a table: with their content for cases that have a key, as erasing leaves them for the others."""
    columns, content = told["columns"], told["content"]
    place, cuts = place_of(table, columns, content), [columns.index(name) for name in content]
    id_at = 2 + columns.index("id") if "id" in columns else 0
    for number, line in enumerate(dump.lines(table), 1):
        fields = line.rstrip(b"\n").split(b"\t")
        try:
            case, box, clear = fields[0], fields[1], fields[2:]
            key = None if box == _NULL else keys.of(NO_CASE if case == _NULL else case)
            if key is None:
                # Rows that erasing deletes have nothing but their box.
                if clear:
                    yield b"\t".join(clear) + b"\n"
            elif not clear:
                yield b"\t".join(open_row(key, place, case, box)) + b"\n"
            else:
                values = open_row(key, place, b"\t".join(clear), box)
                for at, value in zip(cuts, values, strict=True):
                    clear[at] = value
                yield b"\t".join(clear) + b"\n"
        except (BoxError, ValueError, IndexError) as error:
            which = fields[id_at].decode(errors="replace") if len(fields) > id_at else "?"
            raise BackupError(
                f"the box of table {table}, row {number} (id {which}) does not open: the back-up was changed or is damaged. "
                "Nothing is restored; take another back-up"
            ) from error


def _erase_lost(connection: psycopg.Connection) -> int:
    """Erase the cases without a key, as `flask retention erase` does: the event first, so that the ledger knows of it."""
    done = 0
    with _ordinary_names(connection):
        offset = connection.execute("SELECT coalesce(max(seconds), 0) FROM clock_offset").fetchone()
        clock.offset_seconds.set(offset[0] if offset else 0)
        while lost := connection.execute(_LOST).fetchall():
            events = [_erasing(case, state, (seq or 0) + 1) for case, state, seq in lost]
            names = list(events[0])
            statement = sql.SQL("INSERT INTO petition_events ({}) VALUES ({})").format(
                sql.SQL(", ").join(map(sql.Identifier, names)), sql.SQL(", ").join(map(sql.Placeholder, names))
            )
            with connection.cursor() as cursor:
                cursor.executemany(statement, events)
            cases = [row[0] for row in lost]
            connection.execute("UPDATE petitions SET version = version + 1 WHERE id = ANY (%s)", [cases])
            connection.execute("SELECT erase_content(given) FROM unnest(%s::uuid[]) given", [cases])
            done += len(lost)
    return done


def _erasing(case: UUID, state: str, seq: int) -> dict[str, Any]:
    event = timeline.event_of(
        case, seq, "erase_content", SYSTEM, from_state=state, to_state=state, facts={"state": state}
    )
    return {name: Jsonb(value) if name == "facts" else value for name, value in timeline.values_of(event).items()}


@contextmanager
def _ordinary_names(connection: psycopg.Connection) -> Iterator[None]:
    """For statements of ours among scripts of pg_dump, which empty the search path."""
    connection.execute("SET search_path = public, pg_temp")
    yield
    connection.execute("SET search_path = ''")


def _name(table: str) -> sql.Identifier:
    return sql.Identifier(*table.split("."))


def _count_tables(connection: psycopg.Connection) -> int:
    row = connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone()
    return row[0] if row else 0


@contextmanager
def _connected(owner_url: str) -> Iterator[psycopg.Connection]:
    try:
        connection = psycopg.connect(libpq(owner_url))
    except psycopg.OperationalError as error:
        raise BackupError("the database does not answer at OWNER_DATABASE_URL") from error
    try:
        yield connection
    finally:
        # Closed without a commit, it leaves nothing.
        connection.close()


@contextmanager
def _told(connection: psycopg.Connection) -> Iterator[None]:
    """Plain words for what the database refuses: its own can quote a row, hence what a petitioner wrote."""
    try:
        yield
    except psycopg.Error as error:
        raise BackupError(
            f"the database refused the back-up (SQLSTATE {error.sqlstate or 'none, the connection was lost'}): the file was changed or is "
            "damaged, or a role of the product is missing. Nothing is restored"
        ) from error
