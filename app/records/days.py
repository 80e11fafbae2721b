"""Days and instants as people and spreadsheets write them. A day that no calendar has stays unreadable; nothing is guessed."""

import re
from datetime import UTC, date, datetime, time, timedelta, timezone
from functools import lru_cache

from app.clock import SHANGHAI
from app.records.raw import Unreadable, half_width, shown
from app.records.words import NOTHING, plain

# Day 1 is 1 January 1900; the spreadsheet believes in 29 February 1900, so that later days are counted from one earlier.
_EPOCH = date(1899, 12, 30)
# Serials of days from 1908 to 2199. Below them numbers are years (2021), beyond them days written together (20210903).
_SERIALS = range(3000, 109_575)
FIRST_YEAR, LAST_YEAR = 1850, 2199

_DAY = re.compile(r"([0-9]{4})\s?(?:([-/.])\s?([0-9]{1,2})\s?\2\s?([0-9]{1,2})|年\s?([0-9]{1,2})\s?月\s?([0-9]{1,2})\s?[日号]?)", re.ASCII)
_TOGETHER = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})", re.ASCII)
_TIME = re.compile(
    r"(?:[T\s]\s*|(?<=[日号]))(上午|下午|AM|PM)?\s?([0-9]{1,2})(?::([0-9]{1,2})(?::([0-9]{1,2})(?:[.,]([0-9]{1,9}))?)?|时\s?(?:([0-9]{1,2})\s?分\s?(?:([0-9]{1,2})\s?秒)?)?)"
    r"\s?(AM|PM)?\s*(Z|[+-][0-9]{2}:?[0-9]{2})?",
    re.ASCII | re.IGNORECASE,
)
_TIME_TOGETHER = re.compile(r"\s?([0-9]{2})([0-9]{2})([0-9]{2})", re.ASCII)
_SERIAL = re.compile(r"[0-9]{4,6}(?:\.[0-9]{1,15})?", re.ASCII)
_SHORT_YEAR = re.compile(r"[0-9]{2}\s?[-/.年]\s?[0-9]{1,2}\s?[-/.月]\s?[0-9]{1,2}\s?[日号]?(?:\s.*)?", re.ASCII)
_YEAR_LAST = re.compile(r"[0-9]{1,2}[-/.][0-9]{1,2}[-/.][0-9]{4}(?:\s.*)?", re.ASCII)
_NO_DAY = re.compile(r"[0-9]{4}\s?(?:年|[-/.年]?\s?[0-9]{1,2}\s?月?)?|[0-9]{1,2}[-/.月][0-9]{1,2}[日号]?", re.ASCII)
_MONTH_NAMED = re.compile(r"[0-9]{1,2}[- ][A-Za-z]{3,9}[- ,]+[0-9]{2,4}|[A-Za-z]{3,9}[- ]+[0-9]{1,2}[- ,]+[0-9]{2,4}", re.ASCII)
_SCIENTIFIC = re.compile(r"[0-9.]+E\+?[0-9]+", re.ASCII | re.IGNORECASE)


def read_date(raw: object) -> date | Unreadable | None:
    if isinstance(raw, str):
        return _date(raw)
    if raw is None:
        return None
    if isinstance(raw, datetime):
        # An instant belongs to the day that it is in Zhejiang, whatever offset the source writes.
        local = _shanghai(raw)
        return local if isinstance(local, Unreadable) else _kept(local.date(), raw)
    if isinstance(raw, date):
        return _kept(raw, raw)
    found = _instant(raw)
    return found.date() if isinstance(found, datetime) else found


def read_ts(raw: object) -> datetime | Unreadable | None:
    """An aware instant in UTC. What has no offset was written in Asia/Shanghai."""
    if raw is None:
        return None
    found: datetime | Unreadable | None
    if isinstance(raw, datetime):
        found = raw
    elif isinstance(raw, date):
        found = datetime.combine(raw, time(0))
    elif isinstance(raw, str):
        found = _ts(raw)
    else:
        found = _instant(raw)
    if not isinstance(found, datetime):
        return found
    if not FIRST_YEAR <= found.year <= LAST_YEAR:
        return Unreadable(shown(raw), "year-out-of-range")
    try:
        return (found if found.tzinfo else found.replace(tzinfo=SHANGHAI)).astimezone(UTC)
    except (ValueError, OverflowError):
        return Unreadable(shown(raw), "not-a-date")


def from_serial(serial: float, from_1904: bool = False) -> datetime | None:
    """The instant of a spreadsheet's serial number, to the second; None where the spreadsheet counts days that never were."""
    days = serial + 1462 if from_1904 else serial
    if not 0 <= days < 2_958_466 or 60 <= days < 61:
        return None
    # Up to 28 February 1900 the spreadsheet is right, and one day behind the later count.
    start = datetime.combine(_EPOCH, time(0)) + timedelta(days=1 if days < 60 else 0)
    return start + timedelta(seconds=round(days * 86_400))


@lru_cache(maxsize=16_384)
def _date(raw: str) -> date | Unreadable | None:
    found = _ts(raw)
    if not isinstance(found, datetime):
        return found
    local = _shanghai(found)
    return local if isinstance(local, Unreadable) else local.date()


@lru_cache(maxsize=16_384)
def _ts(raw: str) -> datetime | Unreadable | None:
    if len(raw) > 200:
        return Unreadable(shown(raw), "not-a-date")
    text = half_width(raw).lstrip("'")
    if not text or plain(text) in NOTHING:
        return None
    match = _DAY.match(text)
    if match:
        year, _, *parts = match.groups()
        month, day = [part for part in parts if part]
    elif match := _TOGETHER.match(text):
        year, month, day = match.groups()
    if match:
        rest = text[match.end() :]
        moment = _time(rest, together=match.re is _TOGETHER)
        if moment is not None:
            return _moment(int(year), int(month), int(day), moment, raw)
    if _SERIAL.fullmatch(text) and (serial := float(text)) >= _SERIALS.start and int(serial) in _SERIALS:
        return from_serial(serial)
    return Unreadable(shown(raw), _why_not(text))


def _why_not(text: str) -> str:
    if _NO_DAY.fullmatch(text) or re.fullmatch(r"[0-9]{6}", text, re.ASCII):
        return "no-day"
    if _YEAR_LAST.fullmatch(text) or _MONTH_NAMED.match(text):
        return "order-unknown"
    if _SHORT_YEAR.fullmatch(text):
        return "two-digit-year"
    if _SCIENTIFIC.fullmatch(text):
        return "turned-into-number"
    return "not-a-date"


def _time(rest: str, together: bool) -> tuple[int, int, int, int, timezone | None] | None:
    """Hour, minute, second, microsecond and offset in what follows the day; midnight when nothing does; None when it is no time."""
    rest = rest.rstrip()
    if not rest or rest == "T":
        return 0, 0, 0, 0, None
    if together and (match := _TIME_TOGETHER.fullmatch(rest)):
        hour, minute, second = (int(part) for part in match.groups())
        return hour, minute, second, 0, None
    match = _TIME.fullmatch(rest)
    if not match:
        return None
    half, hour_text, minute_text, second_text, fraction, minute_said, second_said, half_after, offset = match.groups()
    hour = int(hour_text)
    half = half or half_after
    if half:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if half.upper() in ("下午", "PM") else 0)
    zone: timezone | None = None
    if offset:
        zone = UTC
        if offset.upper() != "Z":
            minutes = int(offset[1:3]) * 60 + int(offset[-2:])
            if minutes > 14 * 60:
                return None
            zone = timezone(timedelta(minutes=-minutes if offset[0] == "-" else minutes))
    micro = int((fraction or "")[:6].ljust(6, "0"))
    return hour, int(minute_text or minute_said or 0), int(second_text or second_said or 0), micro, zone


def _moment(year: int, month: int, day: int, moment: tuple[int, int, int, int, timezone | None], raw: str) -> datetime | Unreadable:
    hour, minute, second, micro, zone = moment
    if not FIRST_YEAR <= year <= LAST_YEAR:
        return Unreadable(shown(raw), "year-out-of-range")
    try:
        start = datetime(year, month, day, tzinfo=zone)
    except ValueError:
        return Unreadable(shown(raw), "impossible-date")
    if hour > 24 or minute > 59 or second > 59 or (hour == 24 and (minute or second or micro)):
        return Unreadable(shown(raw), "impossible-time")
    return start + timedelta(hours=hour, minutes=minute, seconds=second, microseconds=micro)


def _instant(raw: object) -> datetime | Unreadable | None:
    """Out of a number: a day written together, or a spreadsheet's serial."""
    if isinstance(raw, bool) or not isinstance(raw, (int, float)):
        return Unreadable(shown(raw), "not-a-date")
    if isinstance(raw, float) and not raw.is_integer():
        found = from_serial(raw) if _SERIALS.start <= raw < _SERIALS.stop else None
        return found or Unreadable(shown(raw), "not-a-date")
    if not 0 <= raw < 10**14 * 3:
        return Unreadable(shown(raw), "not-a-date")
    return _ts(str(int(raw)))


def _shanghai(moment: datetime) -> datetime | Unreadable:
    if moment.tzinfo is None:
        return moment
    try:
        return moment.astimezone(SHANGHAI)
    except (ValueError, OverflowError):
        return Unreadable(shown(moment), "year-out-of-range")


def _kept(day: date, raw: object) -> date | Unreadable:
    return day if FIRST_YEAR <= day.year <= LAST_YEAR else Unreadable(shown(raw), "year-out-of-range")
