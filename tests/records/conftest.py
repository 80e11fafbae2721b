"""Small real files, and the reading of them."""

from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
import xlsxwriter

from app.records.sheets import RejectedRow, Row, Sheet, open_sheet


class Reading(NamedTuple):
    """A sheet read to its end."""

    sheet: Sheet
    rows: list[Row]
    rejected: list[RejectedRow]
    notices: dict[str, list[int]]

    @property
    def values(self) -> list[tuple]:
        return [row.values for row in self.rows]


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., Reading]:
    """Write `content` under `name` and read it to the end."""

    def write_and_read(content: bytes | str, name: str = "账.csv", **options: str) -> Reading:
        path = tmp_path / "upload"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        with open_sheet(path, name, **options) as sheet:
            found = list(sheet.rows())
            return Reading(
                sheet, [one for one in found if isinstance(one, Row)], [one for one in found if isinstance(one, RejectedRow)],
                {notice.code: notice.lines for notice in sheet.notices},
            )  # fmt: skip

    return write_and_read


@pytest.fixture
def workbook(tmp_path: Path) -> Callable[..., bytes]:
    """The bytes of a workbook that `fill` has filled; it gets the workbook and its first worksheet."""

    @contextmanager
    def making(path: Path):
        book = xlsxwriter.Workbook(str(path))
        yield book
        book.close()

    def make(fill: Callable) -> bytes:
        path = tmp_path / "made.xlsx"
        with making(path) as book:
            fill(book, book.add_worksheet("日记账"))
        return path.read_bytes()

    return make
