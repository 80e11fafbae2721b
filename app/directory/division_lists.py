"""Read a list of divisions from a file or folder that somebody else made.

Two forms are known: one table `code,name,level` with twelve-digit codes (plain or gzip), and a folder with the five
tables of the china-division package. Damaged rows are set aside with line and reason; they never stop a list unless
more than one in a hundred is damaged, for then it is probably not a list of divisions at all.
"""

import codecs
import csv
import gzip
import io
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO, TextIO

from app.directory.codes import SIGNIFICANT_DIGITS, CodeFault, Level, fault_of, level_of, pad, parent_of

FOLDER_FILES = {
    "provinces.csv": Level.PROVINCE,
    "cities.csv": Level.CITY,
    "areas.csv": Level.COUNTY,
    "streets.csv": Level.TOWNSHIP,
    "villages.csv": Level.VILLAGE,
}
NAME_LIMIT = 100

# One in a hundred of a million rows, more than the whole country has: a file with more bad rows is given up at once,
# so that the report of a wrong file can not fill the memory.
_REJECTED_LIMIT = 10_000
_CHUNK = 1 << 16
_FORBIDDEN = re.compile(r"[/\x00-\x1f\x7f-\x9f\ufffd]")


class RowFault(StrEnum):
    """Why a row of a list can not be used, when its code alone is not to blame (see CodeFault)."""

    WRONG_FIELD_COUNT = "row-wrong-number-of-fields"
    LEVEL_MISMATCH = "level-does-not-match-code"
    DUPLICATE = "code-repeated"
    NAME_MISSING = "name-missing"
    NAME_TOO_LONG = "name-too-long"
    NAME_CHARACTER = "name-forbidden-character"


class ListError(ValueError):
    """The list as a whole can not be used. The message names file and line but never repeats what stands there."""


@dataclass(frozen=True, slots=True)
class DivisionRow:
    """One division of a list: valid twelve-digit code, name, level 1 (province) to 5 (village)."""

    code: str
    name: str
    level: int

    @property
    def parent_code(self) -> str | None:
        """The code one level up, None for a province."""
        return parent_of(self.code)


@dataclass(frozen=True, slots=True)
class Rejected:
    """A row that was set aside: file name, line as an editor counts it, and a CodeFault or RowFault."""

    file: str
    line: int
    reason: CodeFault | RowFault


class DivisionList:
    """The rows of a list, read while iterating; afterwards what was met on the way.

    `rejected`  rows set aside; `encoding`  file name → `utf-8`, `utf-8-sig` or `gb18030`; `rows_read`  rows met, bad ones
    included; `folded`  rows that repeat the place above them because that level does not exist there (Dongguan has no
    counties, so the package lists 东莞市 again as its own county).
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._reset()

    def _reset(self) -> None:
        self.rejected: list[Rejected] = []
        self.encoding: dict[str, str] = {}
        self.rows_read = 0
        self.folded = 0
        self._seen: dict[str, str] = {}

    def __iter__(self) -> Iterator[DivisionRow]:
        """Yield the usable rows. Raises ListError when the list can not be used; nothing may be stored before the end."""
        self._reset()
        if self.path.is_dir():
            missing = [file for file in FOLDER_FILES if not (self.path / file).is_file()]
            if missing:
                raise ListError(f"the folder lacks {', '.join(missing)}")
            for file, level in FOLDER_FILES.items():
                yield from self._read_file(self.path / file, level)
        else:
            yield from self._read_file(self.path, None)
        if not self.rows_read:
            raise ListError(f"{self.path.name} holds no rows")
        if len(self.rejected) * 100 > self.rows_read:
            first = self.rejected[0]
            raise ListError(
                f"{len(self.rejected)} of {self.rows_read} rows are damaged, more than one in a hundred; "
                f"the first is {first.file} line {first.line}: {first.reason}"
            )

    def _read_file(self, path: Path, level: Level | None) -> Iterator[DivisionRow]:
        try:
            encoding = self.encoding[path.name] = _encoding_of(path)
            with _opened(path) as raw, io.TextIOWrapper(raw, encoding=encoding, newline="") as stream:
                yield from self._read_table(path.name, stream, level)
        except (OSError, EOFError, zlib.error) as error:
            raise ListError(f"{path.name} can not be read or unpacked: {type(error).__name__}") from error

    def _read_table(self, file: str, stream: TextIO, level: Level | None) -> Iterator[DivisionRow]:
        reader = csv.reader(stream, strict=True)
        try:
            header = [name.strip().lower() for name in next(reader, [])]
            required = ["code", "name"] if level else ["code", "name", "level"]
            missing = [name for name in required if name not in header]
            if missing:
                raise ListError(f"{file} line 1 lacks the column {', '.join(missing)}")
            end = reader.line_num
            for fields in reader:
                # A quoted field may hold line breaks; the row is reported by the line where it begins.
                line, end = end + 1, reader.line_num
                if not fields:
                    continue
                self.rows_read += 1
                row = self._row_or_fault(header, fields, level)
                if isinstance(row, DivisionRow):
                    yield row
                elif row is not None:
                    self._reject(file, line, row)
        except csv.Error as error:
            raise ListError(f"{file} line {reader.line_num} is not a row of comma-separated values: {error}") from error

    def _row_or_fault(
        self, header: list[str], fields: list[str], level: Level | None
    ) -> DivisionRow | CodeFault | RowFault | None:
        """The row, the reason to set it aside, or None when it only repeats the place above it."""
        if len(fields) != len(header):
            return RowFault.WRONG_FIELD_COUNT
        cells = dict(zip(header, (field.strip() for field in fields), strict=True))
        code, name = cells["code"], cells["name"]
        if level:
            # The package writes only the significant digits: 33, 3301, 330102 and so on.
            if code.isascii() and code.isdigit() and len(code) != SIGNIFICANT_DIGITS[level]:
                return CodeFault.WRONG_LENGTH
            code = pad(code)
        fault = fault_of(code) or _name_fault(name)
        if fault:
            return fault
        if code in self._seen:
            if level and level_of(code) < level and self._seen[code] == name:
                self.folded += 1
                return None
            return RowFault.DUPLICATE
        told = str(level.value) if level else cells["level"]
        if told != str(level_of(code).value):
            return RowFault.LEVEL_MISMATCH
        self._seen[code] = name
        return DivisionRow(code, name, level_of(code).value)

    def _reject(self, file: str, line: int, reason: CodeFault | RowFault) -> None:
        self.rejected.append(Rejected(file, line, reason))
        if len(self.rejected) >= _REJECTED_LIMIT:
            raise ListError(
                f"{file}: {len(self.rejected)} damaged rows up to line {line}; this is no list of divisions"
            )


def read_list(path: Path) -> DivisionList:
    """The list in `path`: a csv or csv.gz file with `code,name,level`, or a folder with the tables of china-division.

    The text may be UTF-8 with or without a byte-order mark, or GB 18030; which one it was is in `.encoding` afterwards.
    """
    return DivisionList(path)


def _name_fault(name: str) -> RowFault | None:
    if not name:
        return RowFault.NAME_MISSING
    if len(name) > NAME_LIMIT:
        return RowFault.NAME_TOO_LONG
    # '/' parts the names of a path. The private use area is let through: two villages of the official list have such a
    # character, and a place is not to be lost for the way its name was typed.
    if _FORBIDDEN.search(name):
        return RowFault.NAME_CHARACTER
    return None


def _opened(path: Path) -> BinaryIO:
    """The bytes of a file, unpacked when they begin like gzip, whatever the file is called."""
    with path.open("rb") as stream:
        packed = stream.read(2) == b"\x1f\x8b"
    return gzip.open(path, "rb") if packed else path.open("rb")


def _encoding_of(path: Path) -> str:
    with _opened(path) as stream:
        mark = stream.read(3)
    if mark.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise ListError(f"{path.name} is UTF-16; save it as UTF-8")
    # GB 18030 comes last: it can read most byte strings, so it says nothing about a text that is valid UTF-8.
    for encoding in ("utf-8", "gb18030"):
        if _decodes(path, encoding):
            return "utf-8-sig" if mark == codecs.BOM_UTF8 and encoding == "utf-8" else encoding
    raise ListError(f"{path.name} is neither UTF-8 nor GB 18030 text")


def _decodes(path: Path, encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    with _opened(path) as stream:
        try:
            while chunk := stream.read(_CHUNK):
                decoder.decode(chunk)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return False
    return True
