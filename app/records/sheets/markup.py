"""XML of a part, piece by piece, with a bound on what is held at a time."""

from collections.abc import Iterable, Iterator
from typing import Any, cast
from xml.etree.ElementTree import Element, ParseError, XMLPullParser

from app.records.sheets.base import SheetError

# No row or text of a spreadsheet is longer; what is, would be built up in memory as a whole.
LONGEST_ELEMENT = 16 << 20


def local(tag: str) -> str:
    """The name without its namespace: transitional and strict documents differ in nothing else that matters here."""
    return tag.rpartition("}")[2]


def elements(chunks: Iterable[bytes], wanted: frozenset[str], inside: str) -> Iterator[Element]:
    """Every `wanted` element when it is complete. Children of `inside` are dropped as soon as they are done with.

    Raises SheetError `damaged`, and `row-too-large` for an element over sixteen megabytes.
    """
    parser: XMLPullParser[Any] = XMLPullParser(events=("start", "end"))
    holder: Element | None = None
    pending = 0
    try:
        for chunk in chunks:
            if b"<!DOCTYPE" in chunk:
                raise SheetError("damaged")
            parser.feed(chunk)
            pending += len(chunk)
            for event, element in cast(Iterator[tuple[str, Element]], parser.read_events()):
                name = local(element.tag)
                if event == "start":
                    if name == inside:
                        holder = element
                elif name in wanted:
                    pending = 0
                    yield element
                    if holder is not None and name != inside:
                        holder.clear()
            if pending > LONGEST_ELEMENT:
                raise SheetError("row-too-large")
        parser.close()
    except (ParseError, ValueError, LookupError, RecursionError) as error:
        raise SheetError("damaged") from error
