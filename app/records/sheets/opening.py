"""The door to all readers: what a file is, judged by its bytes, and whether its name agrees."""

from pathlib import Path

from app.records.sheets.base import Sheet, SheetError
from app.records.sheets.delimited import DelimitedSheet
from app.records.sheets.lines import NdjsonSheet
from app.records.sheets.workbook import WorkbookSheet

_ENDINGS = {
    "csv": "csv", "tsv": "csv", "txt": "csv", "xlsx": "xlsx", "xlsm": "xlsx", "ndjson": "ndjson", "jsonl": "ndjson", "parquet": "parquet",
    "xls": "old-excel", "et": "old-excel", "xlsb": "old-excel",
}  # fmt: skip
_BEGINNINGS = (
    (b"PK\x03\x04", "zip"),
    (b"PK\x05\x06", "zip"),
    (b"PAR1", "parquet"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "ole"),
    (b"%PDF-", "pdf"),
    (b"\x89PNG", "picture"),
    (b"\xff\xd8\xff", "picture"),
    (b"\x1f\x8b", "gzip"),
    (b"Rar!", "rar"),
    (b"7z\xbc\xaf\x27\x1c", "7z"),
)
# What an encrypted workbook holds in place of its parts, in the directory of its OLE container.
_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")


def open_sheet(path: Path, name: str, *, sheet: str | None = None) -> Sheet:
    """The table in the file at `path`, which was sent as `name`; of a workbook the worksheet `sheet`, or the first that holds something.

    Raises SheetError: `unknown-format`, `not-what-it-says` (says, found), `old-excel`, `password-protected`, `empty`, `damaged`,
    `unpacks-too-large`, `unknown-encoding`, `not-text`, `no-header`, `duplicate-header` (line, names), `line-too-long`,
    `not-ndjson`, `nested-column` (names), `no-such-worksheet` (names). OSError only when the disk fails.
    """
    says = _ENDINGS.get(name.rpartition(".")[2].casefold() if "." in name else "")
    with path.open("rb") as file:
        head = file.read(1 << 16)
        file.seek(-min(path.stat().st_size, 1 << 16), 2)
        tail = file.read()
    if not head.strip(b"\x00 \t\r\n"):
        raise SheetError("empty")
    kind = next((kind for beginning, kind in _BEGINNINGS if head.startswith(beginning)), "text")
    if kind == "ole":
        raise SheetError("password-protected" if _ENCRYPTED in head or _ENCRYPTED in tail else "old-excel")
    if says is None:
        raise SheetError("unknown-format")
    if says == "old-excel" and kind == "text":
        # Many systems export a web page under the name of a spreadsheet.
        raise SheetError("not-what-it-says", says="xls", found="html" if b"<" in head[:200] else "text")
    if kind == "zip" and says in ("xlsx", "old-excel"):
        return WorkbookSheet(path, sheet)
    if kind == says == "parquet":
        # The library behind it is large, and the web process must stay small.
        from app.records.sheets.columns import ParquetSheet

        return ParquetSheet(path)
    if kind == "text" and says == "csv":
        if head.lstrip(b"\xef\xbb\xbf \t\r\n")[:200].lower().startswith((b"<html", b"<!doctype", b"<?xml", b"<table")):
            raise SheetError("not-what-it-says", says=says, found="html")
        return DelimitedSheet(path)
    if kind == "text" and says == "ndjson":
        return NdjsonSheet(path)
    raise SheetError("not-what-it-says", says=says, found=kind)
