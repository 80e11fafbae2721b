"""Where the table begins: the header below title lines, in one row or in two."""

import re
from collections import Counter
from dataclasses import dataclass
from datetime import date

from app.records.amounts import is_number
from app.records.days import read_date
from app.records.raw import CellError, Formula, as_text
from app.records.sheets.base import SheetError
from app.records.words import plain

Cells = list[object]
LOOKED_AT = 60
_LONGEST_NAME = 80
# In 单位：元 or 日期：2020年8月 the colon joins a label and a value; in 其中：现金 it only says that a column is part of another.
_LABELLED = re.compile(r"^(?!其中)[^:：]*[:：]")
_BETWEEN_IDEOGRAPHS = re.compile(r"(?<=[^\x00-\u02ff])\s+|\s+(?=[^\x00-\u02ff])")
_COLUMN_NUMBERS = frozenset("甲乙丙丁戊") | {"栏次", "序号"}


@dataclass(frozen=True, slots=True)
class Head:
    """`columns[i]` is the cell of a row that belongs under `names[i]`; a row has `width` cells; records stand below `line`."""

    names: tuple[str, ...]
    columns: tuple[int, ...]
    width: int
    line: int
    cells: tuple[str, ...]
    titles: int


def find_head(lines: list[tuple[int, Cells]]) -> Head:
    """The header among the first lines of a file. Raises SheetError `empty`, `no-header` or `duplicate-header` (names)."""
    texts = [(line, [as_text(cell) for cell in cells], cells) for line, cells in lines]
    filled = [(line, text, cells) for line, text, cells in texts if any(text)]
    if not filled:
        raise SheetError("empty")
    widest = max(sum(map(bool, text)) for _, text, _ in filled)
    for at, (line, text, cells) in enumerate(filled):
        count = sum(map(bool, text))
        if count * 2 < widest or (count == 1 and widest > 1) or not _all_names(text, cells):
            continue
        names, top = _clean(text), _clean(text)
        above, below = filled[at - 1] if at else None, filled[at + 1] if at + 1 < len(filled) else None
        if above and _all_names(above[1], above[2]) and sum(map(bool, above[1])) > 1 and (two := _join(above[1], text)):
            names, at = two, at - 1
        elif below and _all_names(below[1], below[2]) and (two := _join(text, below[1])):
            names, line, top = two, below[0], _clean(below[1])
        return _head(names, line, top, at)
    raise SheetError("no-header")


def _head(names: list[str], line: int, cells: list[str], titles: int) -> Head:
    columns = [at for at, name in enumerate(names) if name]
    counts = Counter(plain(names[at]) for at in columns)
    if twice := [names[at] for at in columns if counts.pop(plain(names[at]), 1) > 1]:
        raise SheetError("duplicate-header", line=line, names=twice)
    return Head(tuple(names[at] for at in columns), tuple(columns), columns[-1] + 1, line, tuple(cells), titles)


def is_column_numbers(cells: Cells) -> bool:
    """Whether this is the row 甲 乙 1 2 3 that forms have below their header."""
    texts = [text for text in map(as_text, cells) if text]
    numbers = [text for text in texts if text not in _COLUMN_NUMBERS]
    return numbers == [str(at) for at in range(1, len(numbers) + 1)] and (len(numbers) >= 5 or 0 < len(numbers) < len(texts))


def _all_names(texts: list[str], cells: Cells) -> bool:
    return all(_is_name(text, cell) for text, cell in zip(texts, cells, strict=True) if text)


def _is_name(text: str, cell: object) -> bool:
    return (
        isinstance(cell, str)
        and not isinstance(cell, (Formula, CellError))
        and len(text) <= _LONGEST_NAME
        and not _LABELLED.match(text)
        and not is_number(text)
        and not isinstance(read_date(text), date)
        and any(one.isalpha() for one in text)
    )


def _clean(texts: list[str]) -> list[str]:
    """Names on one line: 金　额 and a break inside a cell are one name."""
    return [" ".join(_BETWEEN_IDEOGRAPHS.sub("", text).split()) for text in texts]


def _join(top: list[str], bottom: list[str]) -> list[str] | None:
    """The names under merged cells, 金额/收入, or None when the two rows are no such pair.

    A name that spans one column has nothing below it; below one that spans several, every column is named.
    """
    width = max(len(top), len(bottom))
    upper = _clean(top) + [""] * (width - len(top))
    lower = _clean(bottom) + [""] * (width - len(bottom))
    while width and not upper[width - 1] and not lower[width - 1]:
        width -= 1
    names, group, joined = [], "", False
    for at in range(width):
        begins = bool(upper[at])
        group = upper[at] or group
        spans = (at + 1 < width and not upper[at + 1] and bool(lower[at + 1])) if begins else True
        if bool(lower[at]) != spans:
            return None
        joined = joined or (spans and bool(group))
        names.append(f"{group}/{lower[at]}" if spans and group else lower[at] or upper[at])
    return names if joined else None
