"""NDJSON: one JSON object a line. Numbers keep every digit that is written."""

import io
import json
from collections.abc import Iterator
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Any, NoReturn

from app.records.raw import unstorable
from app.records.sheets.base import Notices, RejectedRow, Row, Sheet, SheetError
from app.records.sheets.encoding import find_encoding

LONGEST_LINE = 1 << 20
# The first objects say which fields there are; one that comes up later makes its line a rejected one.
_LOOKED_AT = 1_000
_MOST_FIELDS = 2_000


class _Refused(ValueError):
    """Why a line is no record."""


class NdjsonSheet(Sheet):
    format = "ndjson"

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._file = path.open("rb")
        try:
            self._size = max(1, path.stat().st_size)
            self._codec, self.encoding, self._skip = find_encoding(self._file)
            if self.encoding != "utf-8":
                self._opened.add("encoding", encoding=self.encoding)
            self.headers = self._find_fields()
        except BaseException:
            self._file.close()
            raise

    @property
    def done(self) -> float:
        return 1.0 if self._file.closed else min(1.0, self._file.tell() / self._size)

    def close(self) -> None:
        self._file.close()

    def _find_fields(self) -> tuple[str, ...]:
        names: dict[str, None] = {}
        for number, line in self._lines():
            if number > _LOOKED_AT:
                break
            with suppress(_Refused):
                names.update(dict.fromkeys(_read(line)))
            if len(names) > _MOST_FIELDS:
                raise SheetError("not-ndjson")
        if not names:
            raise SheetError("not-ndjson")
        return tuple(names)

    def _lines(self) -> Iterator[tuple[int, str]]:
        self._file.seek(self._skip)
        wrong = "strict" if self._codec.startswith("utf-16") else "surrogateescape"
        text = io.TextIOWrapper(self._file, self._codec, errors=wrong)
        number = 0
        try:
            while line := text.readline(LONGEST_LINE):
                number += 1
                if len(line) >= LONGEST_LINE and line[-1] != "\n":
                    raise SheetError("line-too-long", line=number)
                if not line.isspace():
                    yield number, line
        except UnicodeError as error:
            raise SheetError("damaged", line=number + 1) from error
        finally:
            with suppress(ValueError):
                text.detach()

    def rows(self, after: int = 0) -> Iterator[Row | RejectedRow]:
        self._passed = Notices()
        headers, known = self.headers, frozenset(self.headers)
        for number, line in self._lines():
            if number <= after:
                continue
            try:
                found = _read(line)
                if not known.issuperset(found):
                    raise _Refused("unknown-field")
            except _Refused as refused:
                yield RejectedRow(number, str(refused), (line[:1000].rstrip("\r\n"),))
                continue
            yield Row(number, tuple([found.get(name) for name in headers]))


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _Refused("duplicate-field")
    return found


def _no_constant(_: str) -> NoReturn:
    raise _Refused("not-json")


def _read(line: str) -> dict[str, Any]:
    """The object in `line`. Raises _Refused with the reason."""
    try:
        found = json.loads(line, parse_float=Decimal, parse_constant=_no_constant, object_pairs_hook=_once)
    except _Refused:
        raise
    except (ValueError, RecursionError, ArithmeticError) as error:
        raise _Refused("not-json") from error
    if not isinstance(found, dict):
        raise _Refused("not-an-object")
    for name, value in found.items():
        if isinstance(value, (dict, list)):
            raise _Refused("nested-value")
        if unstorable(name) or not name.strip():
            raise _Refused("bad-field-name")
        if isinstance(value, str) and (refused := unstorable(value)):
            raise _Refused(refused)
    return found
