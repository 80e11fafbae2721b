"""Numbers that name somebody or something: persons, companies, accounts, places. A number that fails its own check is refused."""

import re
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from functools import lru_cache

from app.records.raw import Unreadable, as_text, half_width, shown
from app.records.words import NOTHING, plain

# GB 11643-1999: weights of the first seventeen digits, and the check character for each remainder.
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECKS = "10X98765432"
# The first two digits of any number issued: provinces, and residents from Taiwan, Hong Kong and Macao; 9 is a permanent foreign resident.
_AREAS = frozenset("11 12 13 14 15 21 22 23 31 32 33 34 35 36 37 41 42 43 44 45 46 50 51 52 53 54 61 62 63 64 65 71 81 82 83".split())

# GB 32100-2015: the characters (no I, O, S, V, Z) and the weights, powers of three modulo 31.
_CHARACTERS = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_VALUES = {one: at for at, one in enumerate(_CHARACTERS)}
_COMPANY_WEIGHTS = tuple(pow(3, at, 31) for at in range(17))

_SCIENTIFIC = re.compile(r"[0-9.]+E\+?[0-9]+", re.ASCII | re.IGNORECASE)
_MASKED = re.compile(r"[*＊xX●•]{3,}")
# What separates groups of digits on cards and forms.
_BETWEEN = re.compile(r"[\s\-‐‑–—_.]+")


def identity_check(digits: str) -> str:
    """The eighteenth character for seventeen digits (GB 11643-1999, ISO 7064 MOD 11-2)."""
    return _CHECKS[sum(int(one) * weight for one, weight in zip(digits, _WEIGHTS, strict=True)) % 11]


def company_check(first: str) -> str:
    """The eighteenth character for the first seventeen of a unified social credit code (GB 32100-2015). KeyError on other characters."""
    total = sum(_VALUES[one] * weight for one, weight in zip(first, _COMPANY_WEIGHTS, strict=True))
    return _CHARACTERS[(31 - total % 31) % 31]


def read_person(raw: object) -> str | Unreadable | None:
    """The eighteen-character identity number. Old numbers of fifteen digits get their century and check character."""
    return _read(raw, _person)


def read_company(raw: object) -> str | Unreadable | None:
    """The unified social credit code of eighteen characters."""
    return _read(raw, _company)


def read_account(raw: object) -> str | Unreadable | None:
    """The digits (and letters) of an account, without spaces and dashes."""
    return _read(raw, _account)


def read_place(raw: object) -> str | Unreadable | None:
    """The division code, filled up to twelve digits. A name is `name-only`: who knows the divisions may look it up."""
    return _read(raw, _place)


def _read(raw: object, kind: Callable[[str], str | Unreadable | None]) -> str | Unreadable | None:
    if raw is None:
        return None
    if isinstance(raw, str):
        return kind(str.__str__(raw)) if len(raw) <= 200 else Unreadable(shown(raw), "too-long")
    if isinstance(raw, bool) or not isinstance(raw, (int, float, Decimal)):
        return Unreadable(shown(raw), "not-a-code")
    if isinstance(raw, float) and (not raw.is_integer() or abs(raw) >= 2**53):
        return Unreadable(shown(raw), "turned-into-number")
    text = as_text(raw)
    if len(text) > 15 and text.endswith("000"):
        # Spreadsheets keep fifteen digits and put zeroes behind them. Such a number would name a stranger.
        return Unreadable(shown(raw), "turned-into-number")
    return kind(text)


# Repeated values are common in these columns (one village, one payee), and checking digits is the dear part of reading them.
@lru_cache(maxsize=16_384)
def _person(raw: str) -> str | Unreadable | None:
    text = _bare(raw).upper()
    if not text or plain(text) in NOTHING:
        return None
    if len(text) == 15 and text.isdecimal():
        text = f"{text[:6]}19{text[6:]}"
        text += identity_check(text)
    elif len(text) != 18 or not text[:17].isdecimal() or text[17] not in _CHECKS:
        return Unreadable(shown(raw), _no_identity(text))
    if text[:2] not in _AREAS and text[0] != "9":
        return Unreadable(shown(raw), "no-such-area")
    try:
        born = date(int(text[6:10]), int(text[10:12]), int(text[12:14]))
    except ValueError:
        return Unreadable(shown(raw), "impossible-birthday")
    if born.year < 1850:
        return Unreadable(shown(raw), "impossible-birthday")
    if identity_check(text[:17]) != text[17]:
        # Fifteen right digits and three zeroes are what a spreadsheet leaves of an identity number.
        return Unreadable(shown(raw), "turned-into-number" if text.endswith("000") else "check-failed")
    return text


def _no_identity(text: str) -> str:
    if _SCIENTIFIC.fullmatch(text):
        return "turned-into-number"
    if _MASKED.search(text):
        return "masked"
    if _is_name(text):
        return "name-only"
    return "wrong-length" if text[:-1].isdecimal() else "not-an-identity-number"


@lru_cache(maxsize=16_384)
def _company(raw: str) -> str | Unreadable | None:
    text = _bare(raw).upper()
    if not text or plain(text) in NOTHING:
        return None
    if len(text) == 18 and text.isascii() and text.isalnum():
        if any(one not in _VALUES for one in text):
            return Unreadable(shown(raw), "wrong-character")
        return text if company_check(text[:17]) == text[17] else Unreadable(shown(raw), "check-failed")
    if _SCIENTIFIC.fullmatch(text):
        return Unreadable(shown(raw), "turned-into-number")
    if _MASKED.search(text):
        return Unreadable(shown(raw), "masked")
    if len(text) == 15 and text.isascii() and text.isalnum():
        return Unreadable(shown(raw), "old-registration-number")
    if len(text) == 9 and text.isascii() and text.isalnum():
        return Unreadable(shown(raw), "old-organisation-code")
    if _is_name(text):
        return Unreadable(shown(raw), "name-only")
    return Unreadable(shown(raw), "wrong-length" if text.isascii() and text.isalnum() else "not-a-code")


@lru_cache(maxsize=16_384)
def _account(raw: str) -> str | Unreadable | None:
    text = half_width(raw)
    if not text or plain(text) in NOTHING:
        return None
    if _SCIENTIFIC.fullmatch(text):
        return Unreadable(shown(raw), "turned-into-number")
    if _MASKED.search(text):
        return Unreadable(shown(raw), "masked")
    text = _bare(raw).upper()
    if text.isascii() and text.isalnum() and sum(one.isdecimal() for one in text) >= 5:
        return text if len(text) <= 40 else Unreadable(shown(raw), "wrong-length")
    if text.isascii() and text.isdecimal():
        return Unreadable(shown(raw), "wrong-length")
    return Unreadable(shown(raw), "name-only" if _is_name(text) else "not-an-account")


@lru_cache(maxsize=16_384)
def _place(raw: str) -> str | Unreadable | None:
    text = half_width(raw).lstrip("'")
    if not text or plain(text) in NOTHING:
        return None
    if text.isascii() and text.isdecimal():
        if len(text) not in (6, 9, 12):
            return Unreadable(shown(raw), "wrong-length")
        return text.ljust(12, "0") if text[:2] in _AREAS else Unreadable(shown(raw), "no-such-area")
    if _SCIENTIFIC.fullmatch(text):
        return Unreadable(shown(raw), "turned-into-number")
    return Unreadable(shown(raw), "name-only" if _is_name(text) else "not-a-code")


def _bare(raw: str) -> str:
    """Half width, without quotation marks of a spreadsheet and without what separates groups of digits."""
    text = half_width(raw).strip("'\"`‘’")
    return text if _SCIENTIFIC.fullmatch(text) else _BETWEEN.sub("", text)


def _is_name(text: str) -> bool:
    """Letters of any script and nothing that numbers have: a person, company or village by name."""
    return sum(one.isalpha() for one in text) >= 2 and sum(one.isdecimal() for one in text) * 2 < len(text) and not text[:4].isdecimal()
