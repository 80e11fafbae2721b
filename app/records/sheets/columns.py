"""Parquet, a batch of rows at a time."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet

from app.records.raw import unstorable
from app.records.sheets.base import Notices, RejectedRow, Row, Sheet, SheetError

_BATCH = 2_000
# One batch, and one column of one row group, may take this much memory when unpacked.
_LARGEST_BATCH = 256 << 20
_LARGEST_COLUMN = 2 << 30
_MOST_COLUMNS = 2_000
# Everything that Arrow was seen to raise on damaged files; its own errors are ValueError, OSError and kin of them.
_DAMAGED = (pyarrow.ArrowException, ValueError, OSError, ArithmeticError, LookupError, TypeError, MemoryError, NotImplementedError)


class ParquetSheet(Sheet):
    format = "parquet"

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._file = path.open("rb")
        self._done = 0
        try:
            self._table = self._open()
            self.headers = self._find_headers()
        except BaseException:
            self._file.close()
            raise

    @property
    def done(self) -> float:
        return min(1.0, self._done / max(1, int(self._table.metadata.num_rows)))

    def close(self) -> None:
        self._file.close()

    def _open(self) -> Any:
        try:
            return pyarrow.parquet.ParquetFile(
                self._file, pre_buffer=False, buffer_size=1 << 20,
                thrift_string_size_limit=16 << 20, thrift_container_size_limit=1_000_000,
            )  # fmt: skip
        except _DAMAGED as error:
            raise SheetError("damaged") from error

    def _find_headers(self) -> tuple[str, ...]:
        try:
            schema, metadata = self._table.schema_arrow, self._table.metadata
            for group in range(metadata.num_row_groups):
                for column in range(metadata.num_columns):
                    if metadata.row_group(group).column(column).total_uncompressed_size > _LARGEST_COLUMN:
                        raise SheetError("unpacks-too-large", limit=_LARGEST_COLUMN)
            names = [str(name).strip() for name in schema.names]
            nested = [name for name, kind in zip(names, schema.types, strict=True) if _is_nested(kind)]
        except _DAMAGED as error:
            raise SheetError("damaged") from error
        if not names or metadata.num_rows == 0:
            raise SheetError("empty")
        if len(names) > _MOST_COLUMNS or not all(names) or any(map(unstorable, names)):
            raise SheetError("no-header")
        if nested:
            raise SheetError("nested-column", names=nested)
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise SheetError("duplicate-header", line=0, names=twice)
        return tuple(names)

    def rows(self, after: int = 0) -> Iterator[Row | RejectedRow]:
        self._passed, self._done = Notices(), 0
        line = 0
        for batch in self._batches():
            if line + batch.num_rows <= after:
                line += batch.num_rows
                continue
            for values in zip(*map(_values, batch.columns), strict=True):
                line += 1
                if line > after:
                    refused = next((why for one in values if isinstance(one, str) and (why := unstorable(one))), None)
                    yield RejectedRow(line, refused, values) if refused else Row(line, values)
            self._done = line

    def _batches(self) -> Iterator[Any]:
        try:
            for batch in self._table.iter_batches(batch_size=_BATCH, use_threads=False):
                if batch.nbytes > _LARGEST_BATCH:
                    raise SheetError("unpacks-too-large", limit=_LARGEST_BATCH)
                yield batch
        except _DAMAGED as error:
            raise SheetError("damaged") from error


def _is_nested(kind: Any) -> bool:
    types = pyarrow.types
    return bool(types.is_nested(kind) or types.is_binary(kind) or types.is_large_binary(kind) or types.is_fixed_size_binary(kind))


def _values(column: Any) -> list[object]:
    """Python's values. What Python has no value for (a year beyond 9999) comes as the number that is stored."""
    if pyarrow.types.is_timestamp(column.type):
        # Python's instants end at the microsecond.
        column = column.cast(pyarrow.timestamp("us", column.type.tz), safe=False)
    try:
        return list(column.to_pylist())
    except _DAMAGED:
        return [_value(one) for one in column]


def _value(scalar: Any) -> object:
    try:
        return scalar.as_py()
    except _DAMAGED:
        return str(getattr(scalar, "value", "?"))
