"""A raw value out of a table: the marks that readers leave in cells, and its text as it may be kept and shown."""

import re
import unicodedata
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal

# Long enough to recognise what stood in the cell, short enough for a column of the quality report.
SHOWN = 200
_UNSTORABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")
# Spaces, byte-order marks, soft hyphens and marks of direction that copying out of other programs leaves behind.
_EDGES = " \t\r\n\v\f\u00a0\u00ad\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u200b\u200c\u200d\u200e\u200f\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u202f\u205f\u2060\u2066\u2067\u2068\u2069\u3000\ufeff"


class Formula(str):
    """A cell that holds a formula whose result was never stored; the text is the formula."""


class CellError(str):
    """A cell that holds an error of the spreadsheet, such as #REF!."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A value that is there and can not be read as what the field wants. `raw` is at most 200 characters and safe to store.

    `reason` is a slug with words in app/text/sheets.json. `raw` may be personal: it is kept with the row, never logged.
    """

    raw: str
    reason: str


def shown(raw: object) -> str:
    """`raw` as one line of text that a database and a report accept: no NUL, no lone surrogate, at most 200 characters."""
    return _UNSTORABLE.sub("\ufffd", as_text(raw)[:SHOWN])


def as_text(raw: object) -> str:
    """What a person would see in the cell: whole numbers without a point, days without midnight. Never raises."""
    if isinstance(raw, str):
        return str.__str__(raw).strip(_EDGES)
    if raw is None:
        return ""
    if isinstance(raw, bool):
        return "true" if raw else "false"
    if isinstance(raw, int):
        # Python refuses to write out numbers of thousands of digits.
        return str(raw) if raw.bit_length() < 4000 else f"{'-' if raw < 0 else ''}0x…"
    if isinstance(raw, float):
        return str(int(raw)) if raw.is_integer() and abs(raw) < 2**53 else repr(raw)
    if isinstance(raw, Decimal):
        return _decimal_text(raw)
    if isinstance(raw, datetime):
        midnight = raw.tzinfo is None and raw.time() == time(0)
        return raw.date().isoformat() if midnight else raw.isoformat(sep=" ")
    if isinstance(raw, (date, time)):
        return raw.isoformat()
    if isinstance(raw, bytes):
        return raw[:SHOWN].hex()
    return f"<{type(raw).__name__}>"


def _decimal_text(number: Decimal) -> str:
    if not number.is_finite():
        return str(number)
    _, digits, exponent = number.as_tuple()
    if isinstance(exponent, int) and -40 < exponent < 40 and len(digits) < 60:
        text = format(number, "f")
        return text.rstrip("0").rstrip(".") if "." in text else text
    return str(number)[:SHOWN]


def half_width(text: str) -> str:
    """Compatibility forms unified (full-width digits, letters, punctuation), without spaces around. For numbers and codes, not for prose."""
    if text.isascii():
        return text.strip(_EDGES)
    return unicodedata.normalize("NFKC", text.strip(_EDGES)).strip(_EDGES)


def unstorable(text: str) -> str | None:
    """The reason why a database refuses `text`, or None: NUL characters, and bytes that were no characters."""
    if "\x00" in text:
        return "nul-character"
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            return "broken-character"
    return None
