"""The door to all readers: what a file is, judged by its bytes, and whether its name agrees."""

from pathlib import Path

from app.records.sheets.base import Sheet, SheetError
from app.records.sheets.delimited import DelimitedSheet

_ENDINGS = {
    "csv": "csv", "tsv": "csv", "txt": "csv", "xlsx": "xlsx", "xlsm": "xlsx",
    "ndjson": "ndjson", "jsonl": "ndjson", "parquet": "parquet",
}  # fmt: skip


def open_sheet(path: Path, name: str) -> Sheet:
    """The table in the file at `path`, which was sent as `name`. Raises SheetError, and OSError when the disk fails."""
    ending = _ENDINGS.get(name.rpartition(".")[2].casefold(), "")
    if not ending:
        raise SheetError("unknown-format")
    return DelimitedSheet(path)
