"""What every reader gives: rows with their line, rows left out with a reason, notices, and one kind of error."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

LINES_NAMED = 100


class SheetError(Exception):
    """The file as a whole can not be read. `code` is a stable slug with words in app/text/sheets.json, `facts` fills them.

    Facts hold lines, counts, names of columns and formats: nothing from the rows.
    """

    def __init__(self, code: str, **facts: Any) -> None:
        super().__init__(code)
        self.code = code
        self.facts = facts


@dataclass(slots=True)
class Notice:
    """Something a person should know about the file; it stopped nothing. Words for `code` stand in app/text/sheets.json.

    `lines` are the first hundred lines it was seen in, empty for the file as a whole; `count` counts them all.
    """

    code: str
    count: int = 0
    lines: list[int] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Row:
    """One record as written: `values` stand in the order of the headers. An empty cell is None or an empty text."""

    line: int
    values: tuple[object, ...]


@dataclass(frozen=True, slots=True)
class RejectedRow:
    """A line that is no record of this sheet. `reason` is a slug; `values` are its cells as far as they could be told apart."""

    line: int
    reason: str
    values: tuple[object, ...]


class Notices:
    """Notices folded by code, so that a file with a million oddities costs no more memory than a file with one of each."""

    def __init__(self) -> None:
        self._found: dict[str, Notice] = {}

    def add(self, code: str, line: int = 0, **facts: Any) -> None:
        found = self._found.get(code)
        if found is None:
            found = self._found[code] = Notice(code, facts=facts)
        found.count += 1
        if line and len(found.lines) < LINES_NAMED:
            found.lines.append(line)

    def all(self) -> list[Notice]:
        return list(self._found.values())


class Sheet(ABC):
    """A table in a file. Headers are known when it is opened; rows are read as they are asked for, in bounded memory.

    `format` is csv, xlsx, ndjson or parquet; `encoding` is None where the format fixes it. `header_line` is 0 where the
    format has no header line; `titles` are the texts above it (单位：万元 may be among them). Lines count from one; in Parquet and NDJSON a line is a record.
    """

    format: str
    encoding: str | None = None
    headers: tuple[str, ...]
    header_line: int = 0
    titles: tuple[str, ...] = ()

    def __init__(self) -> None:
        self._opened = Notices()
        self._passed = Notices()

    @property
    def notices(self) -> list[Notice]:
        """What was noticed so far; complete once the rows have been read to the end. A new reading notices anew."""
        return self._opened.all() + self._passed.all()

    @property
    @abstractmethod
    def done(self) -> float:
        """How much of the file has been read, from 0 to 1, for a progress bar."""

    @abstractmethod
    def rows(self, after: int = 0) -> Iterator[Row | RejectedRow]:
        """The records from the first, or those below line `after`, so that an import that was cut off can go on.

        Every call starts at the top again; only one reading at a time. Raises SheetError (`damaged`, `line-too-long`)
        where the file turns out to be broken farther down.
        """

    @abstractmethod
    def close(self) -> None:
        """Give the file back. Rows can not be read any more."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()
