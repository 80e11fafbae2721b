"""Writing a back-up: one consistent moment of the database, its content sealed case by case."""

import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
from psycopg import sql

from app.backup import BackupError, archive, files
from app.backup.boxes import KEY_LENGTH, fingerprint, seal_row
from app.backup.client_tools import libpq, output_of
from app.backup.content import CONTENT, DERIVED, KEYS, NO_CASE, Content

_BATCH = 10_000
_NEW = "SELECT id FROM petitions p WHERE erased_at IS NULL AND NOT EXISTS (SELECT 1 FROM sealed.content_keys k WHERE k.petition_id = p.id)"
_ADD = "INSERT INTO sealed.content_keys SELECT * FROM unnest(%s::uuid[], %s::bytea[]) ON CONFLICT DO NOTHING"
# Text that any server reads again as the same value.
_PLAIN = (
    "SET LOCAL statement_timeout = 0", "SET LOCAL idle_in_transaction_session_timeout = 0", "SET LOCAL row_security = off",
    "SET LOCAL datestyle = ISO", "SET LOCAL intervalstyle = postgres", "SET LOCAL timezone = 'UTC'",
    "SET LOCAL extra_float_digits = 3", "SET LOCAL bytea_output = hex", "SET LOCAL client_encoding = 'UTF8'",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Written:
    """A back-up: the size of the dump in bytes, rows whose content is sealed, and what became of the files."""

    size: int
    sealed: int
    files: files.Copied | None


def backup(owner_url: str, target: Path, keys: Path, source: Path | None = None, copies: Path | None = None) -> Written:
    """Write the database to `target` and its keys to `keys`, and with `copies` the stored files of `source` into that folder.

    Files are new, mode 0600, all complete or none there. The keys stand apart so that erasing a case reaches the back-ups as well:
    whoever keeps only the newest keys has no key of an erased case any more. Raises BackupError.
    """
    if target == keys:
        raise BackupError("dump and keys go into two files")
    try:
        with (
            psycopg.connect(libpq(owner_url), autocommit=True) as maker,
            psycopg.connect(libpq(owner_url)) as reader,
            archive.Drafts(keys, target) as (key_file, dump_file),
        ):
            no_case = _make_keys(maker)
            sealed, copied = _write_dump(
                owner_url, maker, reader, archive.Writer(dump_file, compress=True), no_case, source, copies
            )
            reader.rollback()
            # The keys last: those of a case erased meanwhile are not among them.
            _write_keys(reader, archive.Writer(key_file, compress=False), no_case)
    except psycopg.errors.UndefinedTable as error:
        raise BackupError("a table is missing: run `flask db upgrade` first") from error
    except psycopg.Error as error:
        if error.sqlstate is None:
            raise BackupError("the database does not answer at OWNER_DATABASE_URL") from error
        raise BackupError(f"the database refused: SQLSTATE {error.sqlstate}") from error
    return Written(target.stat().st_size, sealed, copied)


def _make_keys(maker: psycopg.Connection) -> bytes:
    """A key for every case that has none yet; returns the one of rows that hang on no case.

    The keys are not wrapped by the master key: whoever backs up owns the database and must not hold that. The live database has the
    content in clear anyway.
    """
    # A key that was made while its case was being erased.
    maker.execute(
        "DELETE FROM sealed.content_keys k USING petitions p WHERE p.id = k.petition_id AND p.erased_at IS NOT NULL"
    )
    maker.execute(_ADD, [[NO_CASE], [secrets.token_bytes(KEY_LENGTH)]])
    while batch := [row[0] for row in maker.execute(f"{_NEW} LIMIT {_BATCH}")]:
        maker.execute(_ADD, [batch, [secrets.token_bytes(KEY_LENGTH) for _ in batch]])
    return _stored_keys(maker, [NO_CASE])[NO_CASE]


def _stored_keys(maker: psycopg.Connection, cases: list[UUID]) -> dict[UUID, bytes]:
    return dict(
        maker.execute(
            "SELECT petition_id, key FROM sealed.content_keys WHERE petition_id = ANY (%s)", [cases]
        ).fetchall()
    )


def _write_dump(
    owner_url: str,
    maker: psycopg.Connection,
    reader: psycopg.Connection,
    out: archive.Writer,
    no_case: bytes,
    source: Path | None,
    copies: Path | None,
) -> tuple[int, files.Copied | None]:
    snapshot, made_at = _begin(reader)
    # Cases filed after the keys were made and before this moment.
    late = [row[0] for row in reader.execute(_NEW)]
    maker.execute(_ADD, [late, [secrets.token_bytes(KEY_LENGTH) for _ in late]])
    late_keys = _stored_keys(maker, late)
    apart = [f"--exclude-table-data={table}" for table in (*CONTENT, *DERIVED, *KEYS)]
    for section in (archive.PRE_DATA, archive.DATA, archive.POST_DATA):
        options = [f"--section={section.removesuffix('.sql')}", f"--snapshot={snapshot}", "--no-owner", "--no-comments"]
        with output_of("pg_dump", [*options, *apart], owner_url) as written:
            out.add(section, written)
    tables, sealed = {}, 0
    for table, content in CONTENT.items():
        columns = _columns_of(reader, table)
        lines = _Lines(reader, table, content, columns, late_keys)
        out.add_lines(table, lines)
        tables[table] = {"columns": columns, "content": list(content.columns)}
        sealed += lines.sealed
    derived = {table: {"columns": _columns_of(reader, table), "from": query} for table, query in DERIVED.items()}
    copied = files.copy_sealed(reader, late_keys, source, copies) if source and copies else None
    manifest = {
        "format": archive.DUMP,
        "made_at": made_at,
        "keys": fingerprint(no_case),
        "tables": tables,
        "derived": derived,
    }
    out.finish(manifest, no_case)
    return sealed, copied


def _begin(reader: psycopg.Connection) -> tuple[str, str]:
    """The moment of the back-up: a snapshot that pg_dump joins, and the instant by the clock of the server."""
    reader.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
    for setting in _PLAIN:
        reader.execute(setting)
    snapshot, made_at = reader.execute("SELECT pg_export_snapshot(), clock_timestamp()").fetchone()  # type: ignore[misc]
    return snapshot, made_at.isoformat()


def _columns_of(reader: psycopg.Connection, table: str) -> list[str]:
    found = reader.execute(
        "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
        [table],
    )
    return [row[0] for row in found]


class _Lines:
    """The rows of a table as lines of an archive: case, box, and the row as erasing the case leaves it."""

    def __init__(
        self,
        reader: psycopg.Connection,
        table: str,
        content: Content,
        columns: Sequence[str],
        late: Mapping[UUID, bytes],
    ) -> None:
        self._reader, self._table, self._content, self._columns = reader, table, content, columns
        self._late = {str(case).encode(): key for case, key in late.items()}
        self._cuts = [columns.index(name) for name in content.columns]
        self.sealed = 0

    def __iter__(self) -> Iterator[bytes]:
        place = place_of(self._table, self._columns, list(self._content.columns))
        first = 4 + len(self._cuts)
        with self._reader.cursor().copy(self._query()) as rows:
            for row in rows:
                fields = bytes(row)[:-1].split(b"\t")
                case, erased, key, gone = fields[:4]
                content, clear = fields[4:first], fields[first:]
                if erased == b"t":
                    # Already as erasure leaves it; what somebody wrote into it afterwards is not kept.
                    if gone == b"f":
                        yield b"\t".join((case, rb"\N", *clear)) + b"\n"
                    continue
                secret = bytes.fromhex(key.decode()) if key != rb"\N" else self._late.get(case)
                if secret is None:
                    raise BackupError(f"a row of {self._table} hangs on a case without a key: run the back-up again")
                if gone == b"t":
                    self.sealed += 1
                    for at, value in zip(self._cuts, content, strict=True):
                        clear[at] = value
                    yield case + b"\t" + seal_row(secret, place, case, clear) + b"\n"
                elif content == [clear[at] for at in self._cuts]:
                    yield b"\t".join((case, rb"\N", *clear)) + b"\n"
                else:
                    self.sealed += 1
                    rest = b"\t".join(clear)
                    yield case + b"\t" + seal_row(secret, place, rest, content) + b"\t" + rest + b"\n"

    def _query(self) -> sql.Composed:
        after = self._content.columns
        values: list[sql.Composable] = [sql.SQL("t.{}").format(sql.Identifier(name)) for name in after]
        values += [
            sql.SQL(after[name]) if name in after else sql.SQL("t.{}").format(sql.Identifier(name))
            for name in self._columns
        ]
        return sql.SQL(
            "COPY (SELECT p.id, p.erased_at IS NOT NULL, encode(k.key, 'hex'), ({gone}), {values} FROM {table} t"
            " LEFT JOIN public.petitions p ON p.id = {case}"
            " LEFT JOIN sealed.content_keys k ON k.petition_id = coalesce(p.id, {none})) TO STDOUT"
        ).format(
            case=sql.SQL(self._content.case), gone=sql.SQL(self._content.gone), values=sql.SQL(", ").join(values),
            table=sql.Identifier(*self._table.split(".")), none=sql.Literal(NO_CASE),
        )  # fmt: skip


def place_of(table: str, columns: Sequence[str], content: Sequence[str]) -> bytes:
    """Where a box belongs: it opens nowhere else."""
    return b"mingjian row\0" + "\0".join((table, *columns, "", *content)).encode()


def _write_keys(reader: psycopg.Connection, out: archive.Writer, no_case: bytes) -> None:
    _, made_at = _begin(reader)
    # Sorted as bytes, so that one key is found among them without reading the others.
    content_keys = """
        COPY (SELECT encode(uuid_send(k.petition_id) || k.key, 'hex') FROM sealed.content_keys k
               WHERE NOT EXISTS (SELECT 1 FROM public.petitions p WHERE p.id = k.petition_id AND p.erased_at IS NOT NULL)
               ORDER BY k.petition_id) TO STDOUT
    """
    columns = _columns_of(reader, "sealed.data_keys")
    with reader.cursor().copy(content_keys) as rows:
        out.add_lines(archive.CONTENT_KEYS, (bytes.fromhex(bytes(row).decode()) for row in rows))
    with reader.cursor().copy("COPY sealed.data_keys TO STDOUT") as rows:
        out.add_lines(archive.DATA_KEYS, (bytes(row) for row in rows))
    manifest: dict[str, Any] = {
        "format": archive.KEYS,
        "made_at": made_at,
        "keys": fingerprint(no_case),
        "columns": columns,
    }
    out.finish(manifest)
