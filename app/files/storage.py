"""Where the bytes of attachments lie. Names are ids, never what a person typed.

An upload is first *received*, piece by piece, and then *kept*: two separate files, so that a process killed between the
check and the commit of the row leaves what was received as it was, and the check can run again.
"""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import BinaryIO, Protocol
from uuid import UUID, uuid4

PIECE = 256 * 1024


class Moved(Exception):
    """The received file no longer ends where the writer stands: another request has continued the upload."""


class TooLong(Exception):
    """The stream holds more than it may; what it had added was taken back."""


class Missing(Exception):
    """There is no such file."""


class Storage(Protocol):
    """What the product asks of a place for files. All methods may raise OSError when the place itself fails."""

    def received(self, key: UUID) -> int:
        """Bytes received so far, whatever happened to the process that received them; 0 before the first."""

    def append(self, key: UUID, offset: int, stream: BinaryIO, limit: int) -> int:
        """Add `stream` at `offset` until it ends and return the new size; raises Moved, or TooLong beyond `limit` bytes."""

    def open_received(self, key: UUID) -> BinaryIO:
        """What was received, to read; raises Missing."""

    def keep_received(self, key: UUID) -> None:
        """Keep what was received as it is, safe on the disk; raises Missing."""

    def keep(self, key: UUID) -> AbstractContextManager[BinaryIO]:
        """A context with a file to write; kept, safe on the disk, when the block ends well and dropped when it does not."""

    def open_kept(self, key: UUID) -> BinaryIO:
        """What was kept, to read; raises Missing."""

    def forget_received(self, key: UUID) -> None:
        """Remove what was received, if anything."""

    def forget(self, key: UUID) -> None:
        """Remove everything under that key."""


class LocalFolder:
    """Storage in a folder that all web processes and the worker share."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def received(self, key: UUID) -> int:
        try:
            return self._path(key, "received").stat().st_size
        except FileNotFoundError:
            return 0

    def append(self, key: UUID, offset: int, stream: BinaryIO, limit: int) -> int:
        path = self._path(key, "received")
        self._make_folder(path)
        at = offset
        # No lock is held while waiting for the network: a phone that vanished would block its own second attempt until
        # the dead connection times out. The lock covers one write, and the size of the file says whose turn it is.
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            if os.fstat(file).st_size != offset:
                raise Moved
            while piece := stream.read(PIECE):
                with _locked(file):
                    if os.fstat(file).st_size != at:
                        raise Moved
                    if at + len(piece) > limit:
                        os.ftruncate(file, offset)
                        raise TooLong
                    at += _write(file, piece, at)
            return at
        finally:
            os.close(file)

    def open_received(self, key: UUID) -> BinaryIO:
        return _open(self._path(key, "received"))

    def keep_received(self, key: UUID) -> None:
        received, kept = self._path(key, "received"), self._path(key)
        with _open(received) as file:
            os.fsync(file.fileno())
        try:
            kept.hardlink_to(received)
        except FileExistsError:
            # An earlier attempt came this far: the two are the same file.
            pass
        except OSError:
            # Some mounted shares know no hard links.
            with _open(received) as source, self.keep(key) as target:
                shutil.copyfileobj(source, target, PIECE)
        _sync_folder(kept.parent)

    @contextmanager
    def keep(self, key: UUID) -> Iterator[BinaryIO]:
        kept = self._path(key)
        self._make_folder(kept)
        # A name of its own for each writer: two requests may finish the same upload at once, with equal results.
        draft = kept.with_name(f"{key}.{uuid4().hex}.draft")
        file = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(file, "w+b") as target:
                yield target
                target.flush()
                os.fsync(target.fileno())
            draft.replace(kept)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise
        _sync_folder(kept.parent)

    def open_kept(self, key: UUID) -> BinaryIO:
        return _open(self._path(key))

    def forget_received(self, key: UUID) -> None:
        self._path(key, "received").unlink(missing_ok=True)

    def forget(self, key: UUID) -> None:
        self.forget_received(key)
        self._path(key).unlink(missing_ok=True)

    def _path(self, key: UUID, ending: str = "") -> Path:
        name = str(key)
        # 256 folders, so that none holds a million names.
        return self.folder / name[:2] / (f"{name}.{ending}" if ending else name)

    def _make_folder(self, path: Path) -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)


@contextmanager
def _locked(file: int) -> Iterator[None]:
    fcntl.flock(file, fcntl.LOCK_EX)
    try:
        yield
    finally:
        fcntl.flock(file, fcntl.LOCK_UN)


def _write(file: int, piece: bytes, at: int) -> int:
    done = 0
    while done < len(piece):
        done += os.pwrite(file, piece[done:], at + done)
    return done


def _open(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except FileNotFoundError as error:
        raise Missing from error


def _sync_folder(folder: Path) -> None:
    """A new name is only safe once its folder is on the disk too."""
    file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)
