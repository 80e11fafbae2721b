"""One raw value and the type of its field give the value that is stored, or why it can not be read.

| type | gives |
| --- | --- |
| `text`, `ref` | text as written; full-width letters and digits become half-width, every ideograph stays |
| `name` | text of the companion column of a person or company: no space between ideographs, one kind of middle dot |
| `code` | the code, found by code or by its Chinese or English label |
| `int`, `num` | int of 64 bits, float |
| `money` | int of fen |
| `date` | date |
| `ts` | aware datetime in UTC |
| `bool` | bool |
| `person` | identity number of 18 characters (plain: who stores it makes the keyed hash) |
| `company` | unified social credit code of 18 characters |
| `account` | digits and letters of an account (plain) |
| `place` | division code of 12 digits |

An empty cell is None for every type. Nothing is raised for any value, only for a type that does not exist.
"""

import re
from collections.abc import Callable, Mapping
from datetime import date, datetime
from functools import partial

from app.records.amounts import read_int, read_money, read_num
from app.records.days import read_date, read_ts
from app.records.identifiers import read_account, read_company, read_person, read_place
from app.records.raw import CellError, Formula, Unreadable, as_text, shown, unstorable
from app.records.words import FALSE, NOTHING, TRUE, plain

__all__ = ["CellError", "Formula", "Reader", "Unreadable", "Value", "read_value", "shown", "value_reader"]

Value = str | int | float | bool | date | datetime | None
Reader = Callable[[object], Value | Unreadable]
Labels = Mapping[str, Mapping[str, str]]

LONGEST_TEXT = 10_000
# Full-width digits, Latin letters and hyphens to half width, so that document numbers typed either way are one. Compatibility
# normalisation (NFKC, and NFC too) would replace rare ideographs in names by others.
_HALF = str.maketrans({code: code - 0xFEE0 for code in [*range(0xFF10, 0xFF1A), *range(0xFF21, 0xFF3B), *range(0xFF41, 0xFF5B), 0xFF0D]})
# No document is numbered so: a spreadsheet wrote a long number as it shows it.
_SCIENTIFIC = re.compile(r"[0-9]\.[0-9]+E\+[0-9]{2,3}", re.ASCII)
_DOTS = str.maketrans(dict.fromkeys("•・‧∙⋅．●", "·"))
_BETWEEN_IDEOGRAPHS = re.compile(r"(?<=[^\x00-\u02ff])\s+(?=[^\x00-\u02ff])")


def read_value(field_type: str, raw: object, values: Labels | None = None, *, scale: int = 1) -> Value | Unreadable:
    """`raw` as a value of `field_type`; see the table above. For many values of one column take `value_reader` once."""
    return value_reader(field_type, values, scale=scale)(raw)


def value_reader(field_type: str, values: Labels | None = None, *, scale: int = 1) -> Reader:
    """What reads a column. `values` are the codes of a `code` field with their labels; without them every code is taken.

    `scale` multiplies amounts of money without a unit of their own (10,000 under a header in 万元). ValueError: no such type.
    """
    if field_type == "code":
        return partial(_marked, partial(_code, _by_label(values)))
    if field_type == "money":
        return partial(_marked, partial(read_money, scale=scale))
    found = _READERS.get(field_type)
    if found is None:
        raise ValueError(f"no type {field_type!r}")
    return partial(_marked, found)


def _marked(read: Reader, raw: object) -> Value | Unreadable:
    """The marks of a spreadsheet first: a formula without result is no empty cell, and its text no value."""
    if raw is None or raw == "":
        return None
    if isinstance(raw, str):
        if isinstance(raw, Formula):
            return Unreadable(shown(raw), "formula-without-value")
        if isinstance(raw, CellError):
            return Unreadable(shown(raw), "cell-error")
        refused = unstorable(raw)
        if refused:
            return Unreadable(shown(raw), refused)
    return read(raw)


def _text(raw: object) -> str | Unreadable | None:
    if isinstance(raw, str):
        text = as_text(raw)
        if not text.isascii():
            text = text.translate(_HALF)
        if not text:
            return None
        if len(text) > LONGEST_TEXT:
            return Unreadable(shown(raw), "too-long")
        return Unreadable(shown(raw), "turned-into-number") if _SCIENTIFIC.fullmatch(text) else text
    if isinstance(raw, float) and (not raw.is_integer() or abs(raw) >= 2**53) and _SCIENTIFIC.fullmatch(repr(raw).upper()):
        return Unreadable(shown(raw), "turned-into-number")
    if isinstance(raw, (bytes, bytearray, list, tuple, dict, set)):
        return Unreadable(shown(raw), "not-a-text")
    return as_text(raw)


def _name(raw: object) -> str | Unreadable | None:
    text = _text(raw)
    return _BETWEEN_IDEOGRAPHS.sub("", text.translate(_DOTS)) if isinstance(text, str) and not text.isascii() else text


def _by_label(values: Labels | None) -> dict[str, str] | None:
    """Code by anything that it is called; a label that two codes share names neither. Codes go before labels."""
    if values is None:
        return None
    labels: dict[str, str | None] = {}
    for code, names in values.items():
        for label in set(map(plain, names.values())):
            labels[label] = None if label in labels else code
    found = {label: code for label, code in labels.items() if code is not None}
    found.update({plain(code): code for code in values})
    return found


def _code(known: dict[str, str] | None, raw: object) -> str | Unreadable | None:
    if isinstance(raw, bool) and known is not None:
        return known.get(plain(as_text(raw))) or Unreadable(shown(raw), "unknown-code")
    text = _text(raw)
    if not isinstance(text, str):
        return text
    if len(text) > 200:
        return Unreadable(shown(raw), "too-long")
    if known is None:
        return text
    word = plain(text)
    found = known.get(word)
    if found is not None:
        return found
    return None if word in NOTHING else Unreadable(shown(raw), "unknown-code")


def _bool(raw: object) -> bool | Unreadable | None:
    if isinstance(raw, bool):
        return raw
    word = plain(as_text(raw)[:20])
    if word in TRUE:
        return True
    if word in FALSE:
        return False
    return None if not word or word in NOTHING else Unreadable(shown(raw), "neither-yes-nor-no")


_READERS: dict[str, Reader] = {
    "text": _text,
    "ref": _text,
    "name": _name,
    "int": read_int,
    "num": read_num,
    "date": read_date,
    "ts": read_ts,
    "bool": _bool,
    "person": read_person,
    "company": read_company,
    "account": read_account,
    "place": read_place,
}
