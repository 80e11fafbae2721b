"""XLSX: one worksheet of a workbook, row by row. Formulas give the result that was stored with them."""

import re
import tempfile
from array import array
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import IO, BinaryIO
from xml.etree.ElementTree import Element, ParseError, fromstring

from app.records.days import from_serial
from app.records.raw import CellError, Formula
from app.records.sheets.archive import Archive
from app.records.sheets.base import RejectedRow, SheetError
from app.records.sheets.header import Cells
from app.records.sheets.markup import elements, local
from app.records.sheets.table import Line, TableSheet

MOST_ROWS, MOST_COLUMNS = 1_048_576, 16_384
_SMALL, _LARGE = 16 << 20, 4 << 30
# Up to this size the texts of a workbook are held in memory, beyond it in a temporary file.
_TEXTS_IN_MEMORY = 64 << 20
_REFERENCE = re.compile(r"([A-Z]{1,3})([0-9]{1,7})")
_ESCAPE = re.compile(r"_x([0-9A-Fa-f]{4})_")
# Formats of ECMA-376 18.8.30 that show a day or a time, with those of Chinese Excel (27 to 36, 50 to 58).
_DATE_FORMATS = frozenset([*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)])
_NOT_FORMAT = re.compile(r'"[^"]*"|\\.|_.|\*.|\[(?!h+\]|m+\]|s+\])[^\]]*\]')
_INT = re.compile(r"-?[0-9]{1,40}")
_COLUMNS: dict[str, int] = {}


class WorkbookSheet(TableSheet):
    """The first visible worksheet that holds something, or the one called `sheet`."""

    format = "xlsx"
    exact = False

    def __init__(self, path: Path, sheet: str | None = None) -> None:
        super().__init__()
        self._file: BinaryIO = path.open("rb")
        self._texts: _Texts | None = None
        try:
            self._archive = Archive(self._file)
            self._read_workbook()
            self._choose(sheet)
            self._find_head()
        except BaseException:
            self.close()
            raise

    @property
    def done(self) -> float:
        return min(1.0, self._read / self._size)

    def close(self) -> None:
        self._file.close()
        if self._texts is not None:
            self._texts.close()

    def _xml(self, name: str) -> Element:
        try:
            return fromstring(self._archive.read(name, _SMALL))
        except (ParseError, ValueError, LookupError, RecursionError) as error:
            raise SheetError("damaged") from error

    def _relations(self, part: PurePosixPath) -> list[tuple[str, str, str]]:
        """(id, kind, target) of everything that `part` names."""
        name = str(part.parent / "_rels" / f"{part.name}.rels")
        if name not in self._archive:
            return []
        found = []
        for one in self._xml(name):
            target = one.get("Target", "")
            path = target.lstrip("/") if target.startswith("/") else str(part.parent / target)
            found.append((one.get("Id", ""), one.get("Type", "").rpartition("/")[2], _straight(path)))
        return found

    def _read_workbook(self) -> None:
        main = next((t for _, kind, t in self._relations(PurePosixPath("")) if kind == "officeDocument"), "xl/workbook.xml")
        if main not in self._archive:
            raise SheetError("not-what-it-says")
        if main.endswith(".bin"):
            raise SheetError("old-excel")
        workbook = self._xml(main)
        relations = self._relations(PurePosixPath(main))
        parts = {one: target for one, kind, target in relations if kind == "worksheet"}
        by_kind = {kind: target for _, kind, target in relations}
        # A program wrote the formulas and left their results for the spreadsheet to find; zeroes in their place mean nothing.
        self._from_1904 = self._never_computed = False
        self._sheets: list[tuple[str, str, bool]] = []
        for element in workbook.iter():
            name = local(element.tag)
            if name == "workbookPr":
                self._from_1904 = element.get("date1904") in ("1", "true")
            elif name == "calcPr":
                self._never_computed = element.get("fullCalcOnLoad") in ("1", "true")
            elif name == "sheet":
                target = next((parts[value] for key, value in element.items() if local(key) == "id" and value in parts), None)
                if target and target in self._archive:
                    self._sheets.append((element.get("name", ""), target, element.get("state", "visible") == "visible"))
        self._styles = _styles(self._xml(by_kind["styles"])) if by_kind.get("styles", "") in self._archive else []
        if by_kind.get("sharedStrings", "") in self._archive:
            self._texts = _Texts(self._archive, by_kind["sharedStrings"])

    def _choose(self, wanted: str | None) -> None:
        visible = [one for one in self._sheets if one[2]]
        if wanted is not None:
            chosen = [one for one in self._sheets if one[0] == wanted]
            if not chosen:
                raise SheetError("no-such-worksheet", names=[name for name, _, _ in visible])
        else:
            chosen = [one for one in visible if self._holds_something(one[1])]
            if len(chosen) > 1:
                self._opened.add("other-worksheets", names=[name for name, _, _ in chosen[1:]], read=chosen[0][0])
            hidden = [name for name, _, seen in self._sheets if not seen]
            if hidden:
                self._opened.add("hidden-worksheets", names=hidden)
        if not chosen:
            raise SheetError("empty")
        self._part = chosen[0][1]
        self._size, self._read = max(1, self._archive.size(self._part)), 0

    def _holds_something(self, part: str) -> bool:
        self._part, self._size, self._read = part, 1, 0
        return any(any(cell not in (None, "") for cell in found[1]) for found in self._lines() if not isinstance(found, RejectedRow))

    def _chunks(self) -> Iterator[bytes]:
        self._read = 0
        for chunk in self._archive.chunks(self._part, _LARGE):
            self._read += len(chunk)
            yield chunk

    def _lines(self) -> Iterator[Line | RejectedRow]:
        last = 0
        for element in elements(self._chunks(), frozenset(("row", "mergeCell")), "sheetData"):
            if local(element.tag) == "mergeCell":
                self._note_merge(element.get("ref", ""))
                continue
            number = element.get("r", "")
            line = int(number) if number.isascii() and number.isdecimal() and len(number) <= 7 else last + 1
            if not last < line <= MOST_ROWS:
                raise SheetError("damaged", line=last)
            last = line
            if element.get("hidden") in ("1", "true"):
                self._passed.add("hidden-row", line)
            yield line, self._cells(element, line)

    def _note_merge(self, reference: str) -> None:
        first, _, last = reference.partition(":")
        start, end = _REFERENCE.fullmatch(first), _REFERENCE.fullmatch(last)
        # Merged titles and headers are understood. Below them only the first cell holds the value, and nothing is filled in.
        if start and end and int(start[2]) > self.header_line:
            self._passed.add("merged-cells", int(start[2]))

    def _cells(self, row: Element, line: int) -> Cells:
        cells: Cells = []
        for element in row:
            reference = _REFERENCE.fullmatch(element.get("r", ""))
            at = _column(reference[1]) if reference else len(cells)
            if not len(cells) <= at < MOST_COLUMNS:
                raise SheetError("damaged", line=line)
            value = self._value(element, line)
            if value is None or value == "":
                continue
            if at > len(cells):
                cells.extend([None] * (at - len(cells)))
            cells.append(value)
        return cells

    def _value(self, cell: Element, line: int) -> object:
        kind, text, formula = cell.get("t", "n"), None, None
        for part in cell:
            name = local(part.tag)
            if name == "v":
                text = part.text or ""
            elif name == "f":
                formula = part.text or ""
            elif name == "is":
                return _plain_text(part)
        if formula is not None:
            self._passed.add("formula", line)
            if text is None or (text == "" and kind != "str") or (self._never_computed and text == "0"):
                self._passed.add("formula-without-value", line)
                return Formula(f"={formula}"[:200])
        if not text:
            return None
        if kind == "n":
            return self._number(text, cell.get("s", ""))
        if kind == "s":
            if self._texts is None or not text.strip().isdecimal():
                raise SheetError("damaged", line=line)
            return self._texts.at(int(text[:10]), line)
        if kind == "b":
            return text.strip() in ("1", "true")
        return CellError(text) if kind == "e" else _unescaped(text)

    def _number(self, text: str, style: str) -> object:
        text = text.strip()
        shows_date = style.isdecimal() and len(style) < 6 and int(style) < len(self._styles) and self._styles[int(style)]
        if _INT.fullmatch(text) and not shows_date:
            return int(text)
        try:
            number = float(text)
        except ValueError:
            return text
        if shows_date:
            moment = from_serial(number, self._from_1904)
            if moment is not None:
                return moment.time().isoformat() if number < 1 else moment
        return number


class _Texts:
    """The shared texts of a workbook by number; in memory while they are few, in a temporary file when they are many."""

    def __init__(self, archive: Archive, part: str) -> None:
        self._few: list[str] = []
        self._starts = array("Q", [0])
        self._file: IO[bytes] | None = tempfile.TemporaryFile() if archive.size(part) > _TEXTS_IN_MEMORY else None  # noqa: SIM115
        for element in elements(archive.chunks(part, _LARGE), frozenset(("si",)), "sst"):
            text = _plain_text(element)
            if self._file is None:
                self._few.append(text)
            else:
                self._starts.append(self._starts[-1] + self._file.write(text.encode("utf-8", "surrogatepass")))

    def at(self, number: int, line: int) -> str:
        try:
            if self._file is None:
                return self._few[number]
            start, end = self._starts[number], self._starts[number + 1]
        except IndexError as error:
            raise SheetError("damaged", line=line) from error
        self._file.seek(start)
        return self._file.read(end - start).decode("utf-8", "surrogatepass")

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


def _plain_text(element: Element) -> str:
    """Runs of a rich text put together, without the readings that stand above ideographs."""
    if len(element) == 1 and local(element[0].tag) == "t":
        return _unescaped(element[0].text or "")
    parts = []
    for child in element:
        if local(child.tag) == "t":
            parts.append(child.text or "")
        elif local(child.tag) == "r":
            parts.extend(one.text or "" for one in child if local(one.tag) == "t")
    return _unescaped("".join(parts))


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(lambda match: chr(int(match[1], 16)), text) if "_x" in text else text


def _column(letters: str) -> int:
    found = _COLUMNS.get(letters)
    if found is None:
        found = 0
        for one in letters:
            found = found * 26 + ord(one) - 64
        found = _COLUMNS[letters] = found - 1
    return found


def _straight(path: str) -> str:
    """A path without .. and ."""
    parts: list[str] = []
    for part in path.split("/"):
        if part == "..":
            with suppress(IndexError):
                parts.pop()
        elif part not in (".", ""):
            parts.append(part)
    return "/".join(parts)


def _styles(root: Element) -> list[bool]:
    """For each style of a cell whether it shows numbers as days or times."""
    custom = {one.get("numFmtId", ""): _is_date(one.get("formatCode", "")) for one in root.iter() if local(one.tag) == "numFmt"}
    formats = next((one for one in root if local(one.tag) == "cellXfs"), None)
    found = []
    for one in formats if formats is not None else ():
        number = one.get("numFmtId", "0")
        found.append(custom.get(number, number.isdecimal() and len(number) < 6 and int(number) in _DATE_FORMATS))
    return found


def _is_date(code: str) -> bool:
    bare = _NOT_FORMAT.sub("", code.partition(";")[0]).casefold()
    return bare not in ("general", "standard") and bool(re.search(r"[ymdhs]", bare))
