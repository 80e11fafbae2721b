"""Numbers as people write them: full-width, with separators, in parentheses, in 万元."""

import re
from decimal import Context, Decimal, InvalidOperation
from math import isfinite

from app.records.raw import Unreadable, as_text, half_width, shown
from app.records.words import NO_NUMBER, plain

LARGEST = 2**63 - 1
# An amount longer than this is no amount; it also keeps exact arithmetic cheap.
_LONGEST = 40
# Excel shows and keeps fifteen digits; what stands behind them is the noise of binary fractions.
_AS_EXCEL = Context(prec=15)
_EXACT = Context(prec=80)

_PLAIN = re.compile(r"-?[0-9]{1,15}(?:\.[0-9]{1,2})?", re.ASCII)
_DIGITS = re.compile(r"(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)?(?:\.[0-9]*)?", re.ASCII)
_SCIENTIFIC = re.compile(r"[+-]?[0-9]+(?:\.[0-9]+)?E\+?[0-9]+", re.ASCII | re.IGNORECASE)
_CURRENCY = ("人民币", "RMB", "CNY", "¥")
_UNITS = (("亿元", 10**8), ("亿", 10**8), ("万元整", 10**4), ("万元", 10**4), ("万", 10**4), ("元整", 1), ("元", 1), ("圆整", 1), ("圆", 1))
_MINUS = str.maketrans({"−": "-", "–": "-", "—": "-", "﹣": "-", "﹐": ","})


def read_int(raw: object) -> int | Unreadable | None:
    number = _number(raw)
    if number is None or isinstance(number, Unreadable):
        return number
    return _whole(number, raw, "not-whole")


def read_num(raw: object) -> float | Unreadable | None:
    if type(raw) is float and isfinite(raw):
        return raw
    number = _number(raw)
    if number is None or isinstance(number, Unreadable):
        return number
    value = float(number)
    return value if isfinite(value) else Unreadable(shown(raw), "out-of-range")


def read_money(raw: object, scale: int = 1) -> int | Unreadable | None:
    """Fen. `scale` is what the header says a number counts: 10,000 under 金额（万元）; a unit in the cell itself goes before it."""
    if type(raw) is str and scale == 1 and _PLAIN.fullmatch(raw):
        # The usual case, without the arithmetic of decimals.
        whole, _, part = raw.partition(".")
        fen = int(part.ljust(2, "0")) if part else 0
        return int(whole) * 100 + (-fen if whole[0] == "-" else fen)
    if isinstance(raw, str):
        text = _amount_text(raw)
        unit = 0
        for word, times in _UNITS:
            if text.endswith(word):
                text, unit = text[: -len(word)].rstrip(), times
                break
        number = _parse(text, raw)
    else:
        unit, number = 0, _number(raw)
    if number is None or isinstance(number, Unreadable):
        return number
    fen_exactly = _EXACT.multiply(number, Decimal(100 * (unit or scale)))
    return _whole(fen_exactly, raw, "too-many-decimals")


def _whole(number: Decimal, raw: object, otherwise: str) -> int | Unreadable:
    if abs(number) > LARGEST:
        return Unreadable(shown(raw), "out-of-range")
    if number != number.to_integral_value(context=_EXACT):
        return Unreadable(shown(raw), otherwise)
    return int(number)


def _number(raw: object) -> Decimal | Unreadable | None:
    """Exactly what is written, or None for an empty cell."""
    if raw is None:
        return None
    if isinstance(raw, bool):
        return Unreadable(shown(raw), "not-a-number")
    if isinstance(raw, int):
        return Decimal(raw) if raw.bit_length() < 128 else Unreadable(shown(raw), "out-of-range")
    if isinstance(raw, float):
        if not isfinite(raw):
            return Unreadable(shown(raw), "not-a-number")
        return _bounded(_AS_EXCEL.create_decimal_from_float(raw), raw)
    if isinstance(raw, Decimal):
        return _bounded(raw, raw) if raw.is_finite() else Unreadable(shown(raw), "not-a-number")
    if isinstance(raw, str):
        return _parse(_amount_text(raw), raw)
    return Unreadable(shown(raw), "not-a-number")


def _bounded(number: Decimal, raw: object) -> Decimal | Unreadable:
    _, digits, exponent = number.as_tuple()
    if not isinstance(exponent, int) or len(digits) > _LONGEST or number.adjusted() > _LONGEST:
        return Unreadable(shown(raw), "out-of-range")
    # So small that it is nothing at any precision that we keep; still not zero, and money will say so.
    return number if exponent > -_LONGEST else Decimal((number.is_signed(), (1,), -_LONGEST)) if number else Decimal(0)


def _amount_text(raw: str) -> str:
    """Digits, separators and unit, with a sign in front; parentheses and currency taken off."""
    if len(raw) > 4 * _LONGEST:
        return raw
    text = half_width(raw).translate(_MINUS)
    negative = False
    if len(text) > 2 and text[0] == "(" and text[-1] == ")":
        text, negative = text[1:-1].strip(), True
    if text[:1] in ("-", "+") and not negative:
        negative, text = text[0] == "-", text[1:].strip()
    for sign in _CURRENCY:
        if text.upper().startswith(sign) and len(text) > len(sign):
            text = text[len(sign) :].lstrip()
            if text[:1] == "-" and not negative:
                negative, text = True, text[1:].lstrip()
            break
    return f"-{text}" if negative else text


def _parse(text: str, raw: object) -> Decimal | Unreadable | None:
    bare = text[1:] if text[:1] == "-" else text
    if not text or plain(text[:10]) in NO_NUMBER:
        return None
    if len(text) > _LONGEST:
        return Unreadable(shown(raw), "not-a-number" if not bare.isdecimal() else "out-of-range")
    if _SCIENTIFIC.fullmatch(text):
        return Unreadable(shown(raw), "turned-into-number")
    if not any(one.isdecimal() for one in bare) or not _DIGITS.fullmatch(bare):
        return Unreadable(shown(raw), "not-a-number")
    try:
        return Decimal(text.replace(",", ""))
    except InvalidOperation:
        return Unreadable(shown(raw), "not-a-number")


def is_number(raw: object) -> bool:
    """Whether the cell holds a number or an amount, for telling headers from records."""
    if isinstance(raw, str):
        return isinstance(read_money(raw), int) or as_text(raw).rstrip("%").replace(".", "", 1).isdecimal()
    return isinstance(raw, (int, float, Decimal)) and not isinstance(raw, bool)
