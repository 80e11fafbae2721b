"""The two files of a back-up: zip archives of our own making, with a manifest. A zip keeps its contents at its end, so that a file
cut short is known at once.

The manifest of a dump names what is content, which keys belong to it, and a digest of each part, all under a seal of the key for rows of
no case: who changes a dump without its keys is found out. That of a key file tells which keys it holds, and both the instant. Older dumps and key files are pg_dump's own custom format.
"""

import hashlib
import hmac
import json
import os
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, BinaryIO, Self

from app.backup import BackupError

DUMP = "mingjian dump"
KEYS = "mingjian keys"
VERSION = 1
MANIFEST = "manifest.json"
SEAL = "seal"
PRE_DATA, DATA, POST_DATA = "pre-data.sql", "data.sql", "post-data.sql"
CONTENT_KEYS, DATA_KEYS = "content-keys", "data-keys"
BLOCK = 256 * 1024

_OLDER = b"PGDMP"


class Drafts:
    """New files, mode 0600: all of them complete when the block ends well, none of them when it does not. Never over another."""

    def __init__(self, *targets: Path) -> None:
        self._targets = targets
        self._parts: list[BinaryIO] = []

    def __enter__(self) -> list[BinaryIO]:
        for target in self._targets:
            if target.exists():
                raise BackupError(f"{target} exists already; a back-up never overwrites another")
        try:
            for target in self._targets:
                # Private from its first byte on.
                number = os.open(_part(target), os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
                self._parts.append(os.fdopen(number, "w+b"))
                os.fchmod(number, 0o600)
        except OSError as error:
            self._drop()
            raise BackupError(f"{target} can not be written: {error.strerror}") from error
        return self._parts

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _trace: object) -> None:
        try:
            if kind is None:
                for part in self._parts:
                    part.flush()
                    os.fsync(part.fileno())
                for target in self._targets:
                    _part(target).rename(target)
        except OSError as failed:
            raise BackupError(f"the back-up can not be written: {failed.strerror}") from failed
        finally:
            self._drop()
        if isinstance(error, OSError):
            raise BackupError(f"the back-up can not be written: {error.strerror}") from error

    def _drop(self) -> None:
        for part in self._parts:
            part.close()
        for target in self._targets:
            _part(target).unlink(missing_ok=True)


class Writer:
    """An archive being written, part after part. The manifest goes in last, with a digest of each."""

    def __init__(self, file: BinaryIO, *, compress: bool) -> None:
        # Boxes are as good as random, and in base64: the quickest compression takes back what base64 adds.
        kind = zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED
        self._zip = zipfile.ZipFile(file, "w", kind, compresslevel=1 if compress else None)
        self._digests: dict[str, str] = {}

    def add(self, name: str, source: IO[bytes]) -> None:
        """A part read from a stream."""
        self._add(name, iter(lambda: source.read(BLOCK), b""))

    def add_lines(self, name: str, lines: Iterable[bytes]) -> None:
        """A part of lines."""
        self._add(name, blocks(lines))

    def finish(self, manifest: Mapping[str, Any], key: bytes | None = None) -> None:
        """The manifest, under the seal of a key, and the end of the archive."""
        whole = {**manifest, "version": VERSION, "parts": self._digests}
        if key:
            whole[SEAL] = _seal(whole, key)
        self._zip.writestr(MANIFEST, json.dumps(whole, indent=1))
        self._zip.close()

    def _add(self, name: str, source: Iterable[bytes]) -> None:
        digest = hashlib.sha256()
        with self._zip.open(name, "w", force_zip64=True) as out:
            for block in source:
                digest.update(block)
                out.write(block)
        self._digests[name] = digest.hexdigest()


class Reader:
    """A finished archive. Raises BackupError for what is none, and while reading for what is damaged."""

    def __init__(self, path: Path, kind: str) -> None:
        self._path = path
        with damage_told(path):
            self._file = path.open("rb")
            try:
                self._zip = zipfile.ZipFile(self._file)
                self.manifest: dict[str, Any] = _manifest(self._zip, path, kind)
            except BaseException:
                self._file.close()
                raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        # The file itself: a part that was left in the middle would keep it open.
        self._file.close()

    def check(self, key: bytes) -> None:
        """Raises BackupError when the manifest was not sealed with this key as it is."""
        seal = self.manifest.pop(SEAL, "")
        if not hmac.compare_digest(str(seal).encode(), _seal(self.manifest, key).encode()):
            raise BackupError(f"{self._path} was changed after it was written: its manifest does not fit its seal")

    def read(self, name: str) -> bytes:
        """A part as a whole."""
        return b"".join(self.lines(name))

    def lines(self, name: str) -> Iterator[bytes]:
        """A part line by line; at its end BackupError when it is not what was written."""
        digest = hashlib.sha256()
        with damage_told(self._path), self._zip.open(name) as part:
            for line in part:
                digest.update(line)
                yield line
            if digest.hexdigest() != self.manifest["parts"][name]:
                raise BackupError(f"{self._path} was changed after it was written: {name} is not what it was")


@contextmanager
def damage_told(path: Path) -> Iterator[None]:
    """A plain BackupError for an archive that was cut short or changed."""
    try:
        yield
    except (zipfile.BadZipFile, zlib.error, EOFError, KeyError, NotImplementedError) as error:
        raise BackupError(f"{path} is no back-up, or was cut short or damaged") from error
    except OSError as error:
        raise BackupError(f"{path} can not be read: {error.strerror}") from error


def is_older(path: Path) -> bool:
    """Whether a file is pg_dump's own format, as back-ups were before. Raises BackupError when there is none."""
    if not path.is_file():
        raise BackupError(f"there is no file {path}")
    with damage_told(path), path.open("rb") as file:
        return file.read(len(_OLDER)) == _OLDER


def blocks(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Lines joined to pieces of a size that is worth a call."""
    waiting, size = [], 0
    for line in lines:
        waiting.append(line)
        size += len(line)
        if size > BLOCK:
            yield b"".join(waiting)
            waiting, size = [], 0
    yield b"".join(waiting)


def _seal(manifest: Mapping[str, Any], key: bytes) -> str:
    document = json.dumps(manifest, sort_keys=True, separators=(",", ":")).encode()
    return hmac.new(key, b"mingjian manifest\0" + document, "sha256").hexdigest()


def _manifest(archive: zipfile.ZipFile, path: Path, kind: str) -> dict[str, Any]:
    try:
        manifest: dict[str, Any] = json.loads(archive.read(MANIFEST))
    except ValueError as error:
        raise BackupError(f"{path} is no back-up") from error
    if manifest.get("format") != kind:
        raise BackupError(f"{path} is {manifest.get('format', 'something else')} and not {kind}")
    if manifest.get("version") != VERSION:
        raise BackupError(f"{path} was written by a newer version of the product")
    return manifest


def _part(target: Path) -> Path:
    return target.with_name(f"{target.name}.part")
