"""A table laid out for people: what is above the header, totals, signatures and repeated headers are not records."""

import re
from abc import abstractmethod
from collections.abc import Iterator
from datetime import date, datetime, time
from decimal import Decimal

from app.records.raw import as_text
from app.records.sheets.base import Notices, RejectedRow, Row, Sheet, SheetError
from app.records.sheets.header import LOOKED_AT, Cells, find_head, is_column_numbers
from app.records.words import FOOTERS, TOTALS, plain

Line = tuple[int, Cells]
_FILLER = r"[\d\s.,:/()%+¥~年月日号元万亿圆角分整正零壹贰叁肆伍陆柒捌玖拾佰仟共笔户人次项份个-]*"
_IS_FILLER = re.compile(_FILLER)
_IS_TOTAL = re.compile(f"(?:{'|'.join(sorted(map(re.escape, TOTALS), key=len, reverse=True))})(?:人民币|\\(?大写\\)?)*{_FILLER}")
_ENDS_AS_TOTAL = re.compile(r".{1,20}(?:合计|小计|总计|累计)[:]?")
_IS_FOOTER = re.compile(f"(?:{'|'.join(sorted(map(re.escape, FOOTERS), key=len, reverse=True))})(?:\\(.{{1,10}}\\))?[:].*", re.DOTALL)


class TableSheet(Sheet):
    """Rows of cells below a header. `exact` formats write every cell, so that a row of another length is shifted."""

    exact = True

    def __init__(self) -> None:
        super().__init__()
        self._preview: list[Line] = []

    @abstractmethod
    def _lines(self) -> Iterator[Line | RejectedRow]:
        """Every line of the file from the first, blank ones too, with its number."""

    def _find_head(self) -> None:
        """Look at the first lines for the header. The reading begins anew afterwards."""
        first: list[Line] = []
        for found in self._lines():
            if isinstance(found, RejectedRow):
                continue
            if any(map(as_text, found[1])):
                first.append(found)
            if len(first) >= LOOKED_AT:
                break
        self._head = head = find_head(first)
        self.headers, self.header_line = head.names, head.line
        above = first[: head.titles]
        self.titles = tuple(" ".join(filter(None, map(as_text, cells)))[:200] for _, cells in above)
        for line, _ in above:
            self._opened.add("title-line", line)
        if head.width > len(head.names):
            self._opened.add("unnamed-column", head.line)

    def rows(self, after: int = 0) -> Iterator[Row | RejectedRow]:
        self._passed = notices = Notices()
        head, columns, width = self._head, self._head.columns, self._head.width
        straight = columns == tuple(range(width))
        start, fresh = max(head.line, after), after <= head.line
        records = 0
        for found in self._lines():
            if isinstance(found, RejectedRow):
                if found.line > start:
                    yield found
                continue
            line, cells = found
            if line <= start:
                continue
            apart = self._what_else(cells)
            if apart is None and fresh and not records and is_column_numbers(cells):
                apart = "column-numbers"
            if apart is not None:
                if apart:
                    notices.add(apart, line)
                continue
            records += 1
            if len(cells) != width:
                if len(cells) > width:
                    if any(as_text(cell) for cell in cells[width:]):
                        yield RejectedRow(line, "row-too-long", tuple(cells))
                        continue
                    del cells[width:]
                elif self.exact:
                    yield RejectedRow(line, "row-too-short", tuple(cells))
                    continue
                else:
                    cells.extend([None] * (width - len(cells)))
            yield Row(line, tuple(cells) if straight else tuple([cells[at] for at in columns]))
        if not records and fresh:
            notices.add("no-records")

    def _what_else(self, cells: Cells) -> str | None:
        """What this row is if it is no record: a notice, or nothing at all for a blank row. None for a record."""
        totals = filled = 0
        first = ""
        for cell in cells:
            if cell is None or cell == "":
                continue
            if isinstance(cell, str):
                text = plain(cell[:100])
                if not text:
                    continue
                filled += 1
                if not first:
                    first = text
                    if _ENDS_AS_TOTAL.fullmatch(text):
                        totals += 1
                        continue
                if _IS_FILLER.fullmatch(text):
                    continue
                if _IS_TOTAL.fullmatch(text):
                    totals += 1
                    continue
                return self._what_else_in_words(cells, first)
            if isinstance(cell, (int, float, Decimal, date, datetime, time)):
                filled += 1
                first = first or "0"
                continue
            return None
        if totals:
            return "total-row"
        return None if filled else ""

    def _what_else_in_words(self, cells: Cells, first: str) -> str | None:
        if _IS_FOOTER.fullmatch(first) and (self._head.width > 2 or len(cells) == 1):
            filled = [text for text in map(as_text, cells) if text]
            if len(filled) * 2 <= max(2, self._head.width) or all(":" in plain(text) for text in filled):
                return "footer-row"
        if first == self._first_name and [as_text(cell) for cell in cells if as_text(cell)] == self._named:
            return "repeated-header"
        return None

    @property
    def _first_name(self) -> str:
        return plain(next(filter(None, self._head.cells), ""))

    @property
    def _named(self) -> list[str]:
        return [text for text in self._head.cells if text]


__all__ = ["Line", "SheetError", "TableSheet"]
