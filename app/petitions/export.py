"""The list as a stream of rows, page by page, so that memory does not grow with the number of cases."""

from collections.abc import Iterator, Mapping
from typing import Any

from app.auth import Identity, still_signed_in
from app.petitions import reading
from app.petitions.reading import ROW

PAGE = 2000


def rows(reader: Identity, query: Mapping[str, Any]) -> Iterator[list[Any]]:
    """A header, then one row a case that the reader may see. Raises Unauthorised at the first page after their session or
    appointment has ended."""
    names = [column.key for column in ROW if column.key != "title"]
    yield names
    page: Mapping[str, Any] = {**query, "limit": PAGE, "cursor": None}
    while True:
        # A transaction a page: a long download must hold no snapshot, and must end when the reader's right ends.
        with still_signed_in(reader, purpose="export") as who:
            found = reading.list_cases(page, who)
        for item in found["items"]:
            yield [_cell(item[name]) for name in names]
        if not found["next"]:
            return
        page = {**page, "cursor": found["next"]}


def _cell(value: Any) -> str:
    text = "" if value is None else str(value)
    # A spreadsheet would run a cell that begins like a formula.
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
