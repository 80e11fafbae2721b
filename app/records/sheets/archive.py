"""Parts of a ZIP archive, bounded: a small file can unfold into terabytes, and its directory can lie."""

import struct
import zipfile
import zlib
from collections.abc import Iterator
from typing import BinaryIO

from app.records.sheets.base import SheetError

# Excel writes a few dozen parts; a directory of millions would fill memory before the first part is read.
_MOST_PARTS = 5_000
_LONGEST_DIRECTORY = 2 << 20
CHUNK = 1 << 16
# Everything that zipfile and zlib were seen to raise on damaged archives.
_DAMAGED = (
    zipfile.BadZipFile, zlib.error, struct.error, OSError, EOFError, ValueError, NotImplementedError, RuntimeError,
    OverflowError, LookupError, MemoryError,
)  # fmt: skip


class Archive:
    """The parts of the archive in `file`, by name. Raises SheetError `damaged`, `unpacks-too-large` or `password-protected`."""

    def __init__(self, file: BinaryIO) -> None:
        _check_directory(file)
        try:
            self._zip = zipfile.ZipFile(file)
        except _DAMAGED as error:
            raise SheetError("damaged") from error
        self._parts = {info.filename.lstrip("/").casefold(): info for info in self._zip.infolist()}

    def __contains__(self, name: str) -> bool:
        return name.casefold() in self._parts

    def size(self, name: str) -> int:
        """How many bytes the part has when unpacked."""
        return self._parts[name.casefold()].file_size

    def chunks(self, name: str, limit: int) -> Iterator[bytes]:
        """The part piece by piece. More than `limit` bytes are not unpacked."""
        info = self._parts.get(name.casefold())
        if info is None:
            raise SheetError("damaged")
        if info.flag_bits & 1:
            raise SheetError("password-protected")
        # The size is what the directory says; zipfile unpacks no byte more than that.
        if info.file_size > limit:
            raise SheetError("unpacks-too-large", limit=limit)
        try:
            with self._zip.open(info) as part:
                while chunk := part.read(CHUNK):
                    yield chunk
        except _DAMAGED as error:
            raise SheetError("damaged") from error

    def read(self, name: str, limit: int) -> bytes:
        return b"".join(self.chunks(name, limit))


def _check_directory(file: BinaryIO) -> None:
    """Refuse an archive without an end (a download that broke off), and one with a directory too large to read."""
    file.seek(0, 2)
    size = file.tell()
    file.seek(max(0, size - 65_600))
    tail = file.read(65_600)
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) - at < 22:
        raise SheetError("damaged")
    parts, length = struct.unpack_from("<HI", tail, at + 10)
    # The 64-bit end record goes before the other wherever it is found.
    long = tail.rfind(b"PK\x06\x06", 0, at)
    if at >= 20 and tail[at - 20 : at - 16] == b"PK\x06\x07":
        if long < 0 or at - long < 56:
            raise SheetError("damaged")
        parts, length = struct.unpack_from("<QQ", tail, long + 32)
    if parts > _MOST_PARTS or length > _LONGEST_DIRECTORY:
        raise SheetError("unpacks-too-large", limit=_LONGEST_DIRECTORY)
    file.seek(0)
