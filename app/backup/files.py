"""The stored files of the cases, sealed under the keys of their cases: copied once, and brought back for those that still have one."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import psycopg

from app.backup import BackupError
from app.backup.boxes import BoxError, ContentKeys, open_file, seal_file, sealed_under
from app.files.storage import LocalFolder, Missing

# What was never kept, or was refused, is no file of a case; an upload that was under way begins anew.
_KEPT = """
    SELECT a.id, a.petition_id, k.key FROM public.attachments a LEFT JOIN sealed.content_keys k ON k.petition_id = a.petition_id
     WHERE a.status IN ('quarantined', 'released')
"""


@dataclass(slots=True)
class Copied:
    """What became of the files: copied now, there before, and named in the database but not found."""

    copied: int = 0
    there: int = 0
    missing: int = 0


def copy_sealed(reader: psycopg.Connection, late: Mapping[UUID, bytes], source: Path, copies: Path) -> Copied:
    """Seal every stored file of the snapshot into `copies` that is not there yet under the key of its case."""
    done, stored, sealed = Copied(), LocalFolder(source), LocalFolder(copies)
    for name, case, key in _rows(reader):
        secret = key or late.get(case)
        if secret is None:
            continue
        if _is_there(sealed, name, secret):
            done.there += 1
            continue
        try:
            with stored.open_kept(name) as content, sealed.keep(name) as target:
                seal_file(secret, name, content, target)
            done.copied += 1
        except Missing:
            done.missing += 1
    return done


def bring_back(reader: psycopg.Connection, keys: ContentKeys, copies: Path, target: Path) -> Copied:
    """Open the sealed files of the cases in the database that still have a key. Raises BackupError for one that does not open."""
    done, sealed, stored = Copied(), LocalFolder(copies), LocalFolder(target)
    for name, case, _key in _rows(reader):
        secret = keys.of(case)
        if secret is None:
            continue
        try:
            with stored.open_kept(name):
                done.there += 1
                continue
        except Missing:
            pass
        try:
            with sealed.open_kept(name) as box, stored.keep(name) as content:
                open_file(secret, name, box, content)
            done.copied += 1
        except Missing:
            done.missing += 1
        except BoxError as error:
            raise BackupError(
                f"the sealed file {name} does not open: it was changed, cut short or sealed under another key. Nothing is restored; "
                "take it from another copy, or remove it to restore without it"
            ) from error
    return done


def _is_there(sealed: LocalFolder, name: UUID, key: bytes) -> bool:
    try:
        with sealed.open_kept(name) as box:
            return sealed_under(key, box)
    except Missing:
        return False


def _rows(reader: psycopg.Connection) -> Iterator[tuple[UUID, UUID, bytes | None]]:
    with reader.cursor("kept_files") as cursor:
        cursor.execute(_KEPT)
        yield from cursor
