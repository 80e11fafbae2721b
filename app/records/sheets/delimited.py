"""CSV and its kin: comma, semicolon, tab or bar between cells, line by line, so that two gigabytes need no more memory than two lines."""

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path

from app.records.raw import unstorable
from app.records.sheets.base import RejectedRow, SheetError
from app.records.sheets.encoding import find_encoding
from app.records.sheets.table import Line, TableSheet

LONGEST_LINE = 1 << 20
# A record whose cells hold line breaks goes over several lines; a quotation mark that nobody closed would go on to the end.
_LINES_OF_A_RECORD = 200
_DELIMITERS = (",", "\t", ";", "|", "，")
_OPENS = {one: re.compile(f'(?:^|{re.escape(one)})\\s*"') for one in _DELIMITERS}
_EXCEL_TEXT = re.compile(r'="([^"]*)"')


class DelimitedSheet(TableSheet):
    format = "csv"

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._file = path.open("rb")
        try:
            self._size = max(1, path.stat().st_size)
            self._codec, self.encoding, self._skip = find_encoding(self._file)
            if self.encoding != "utf-8":
                self._opened.add("encoding", encoding=self.encoding)
            self.delimiter = self._find_delimiter()
            if self.delimiter != ",":
                self._opened.add("delimiter", delimiter=self.delimiter)
            self._find_head()
        except BaseException:
            self._file.close()
            raise

    @property
    def done(self) -> float:
        return 1.0 if self._file.closed else min(1.0, self._file.tell() / self._size)

    def close(self) -> None:
        self._file.close()

    def _text(self) -> Iterator[tuple[int, str]]:
        """Lines with their numbers. Bytes that are no characters come as lone surrogates where the encoding allows."""
        self._file.seek(self._skip)
        # UTF-16 has no way to carry a broken byte along.
        wrong = "strict" if self._codec.startswith("utf-16") else "surrogateescape"
        text = io.TextIOWrapper(self._file, self._codec, errors=wrong, newline="")
        number = 0
        try:
            while line := text.readline(LONGEST_LINE):
                number += 1
                if len(line) >= LONGEST_LINE and line[-1] not in "\r\n":
                    raise SheetError("line-too-long", line=number)
                yield number, line
        except UnicodeError as error:
            raise SheetError("damaged", line=number + 1) from error
        finally:
            # The wrapper would close the file with itself.
            with suppress(ValueError):
                text.detach()

    def _find_delimiter(self) -> str:
        """What divides most of the first lines into the same number of cells."""
        lines = [line for _, line in islice(self._text(), 200) if line.strip()][:100]
        best, found = (0.0, 0), ","
        for one in _DELIMITERS:
            counts = Counter(self._cells(line, one) for line in lines)
            cells, times = max(((n, t) for n, t in counts.items() if n > 1), key=lambda pair: (pair[1], pair[0]), default=(1, 0))
            if times and (times / len(lines), cells) > best:
                best, found = (times / len(lines), cells), one
        return found

    @staticmethod
    def _cells(line: str, delimiter: str) -> int:
        return re.sub(r'"[^"]*"', "", line).count(delimiter) + 1

    def _lines(self) -> Iterator[Line | RejectedRow]:
        delimiter, opens = self.delimiter, _OPENS[self.delimiter]
        waiting: list[tuple[int, str]] = []
        text = self._text()
        while True:
            number, line = waiting.pop() if waiting else next(text, (0, ""))
            if not number:
                return
            refused = unstorable(line)
            if refused:
                yield RejectedRow(number, refused, tuple(line.rstrip("\r\n").split(delimiter)))
            elif '"' not in line:
                yield number, line.rstrip("\r\n").split(delimiter)  # type: ignore[misc]
            elif line.count('"') % 2 == 0 or not opens.search(line):
                yield self._quoted(number, [line])
            else:
                record, closed = [(number, line)], False
                while len(record) < _LINES_OF_A_RECORD and not closed:
                    more = waiting.pop() if waiting else next(text, (0, ""))
                    if not more[0]:
                        break
                    record.append(more)
                    closed = more[1].count('"') % 2 == 1
                if closed:
                    yield self._quoted(number, [part for _, part in record])
                else:
                    # Only the line with the open quotation mark is lost; those below are read again.
                    waiting.extend(reversed(record[1:]))
                    yield RejectedRow(number, "open-quote", tuple(line.rstrip("\r\n").split(delimiter)))

    def _quoted(self, number: int, lines: list[str]) -> Line | RejectedRow:
        """One record with quotation marks, in as many lines as it takes."""
        whole = "".join(lines).rstrip("\r\n")
        try:
            found = list(csv.reader([whole], delimiter=self.delimiter)) if len(lines) == 1 else list(csv.reader(lines, delimiter=self.delimiter))
        except csv.Error:
            found = []
        if len(found) != 1 or (len(lines) > 1 and (refused := unstorable(whole))):
            return RejectedRow(number, "open-quote" if len(found) != 1 else str(refused), tuple(whole.split(self.delimiter)))
        return number, [match[1] if (match := _EXCEL_TEXT.fullmatch(cell)) else cell for cell in found[0]]
