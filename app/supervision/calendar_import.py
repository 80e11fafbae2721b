"""Bring the table of rest days in line with a published holiday notice.

Two sources are known: the package chinesecalendar, which carries the notices of past years, and the JSON files of the
project holiday-cn, one a year: {"year", "papers", "days": [{"name", "date", "isOffDay"}]}. A year without rows in
`holiday_years` is provisional. The worker recomputes open provisional deadlines when a notice arrives.
"""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from chinese_calendar import constants
from sqlalchemy import text
from sqlalchemy.orm import Session

from app import clock
from app.supervision.models import Holiday, HolidayYear
from workflows.calendar import WorkCalendar

# 国办发明电 notices name thirty to forty days; a file far beyond that is not a notice.
DAYS_LIMIT = 120
SHIPPED_YEARS = (2024, 2025, 2026)

log = logging.getLogger(__name__)


class NoticeError(ValueError):
    """The file is not a holiday notice; the text says why."""


@dataclass(frozen=True, slots=True)
class Notice:
    """The notice for one year: day → True for a rest day, False for a weekend that is worked.

    It may name days of the December before. `source` says where it comes from.
    """

    year: int
    days: Mapping[date, bool]
    source: str


@dataclass(frozen=True, slots=True)
class CalendarChanges:
    """What an import changed: the years it brought or altered, and numbers of days."""

    years: tuple[int, ...]
    added: int
    changed: int
    removed: int

    def __bool__(self) -> bool:
        """Whether anything changed."""
        return bool(self.years)


def shipped_notices() -> tuple[Notice, ...]:
    """The notices for 2024 to 2026 from the package chinesecalendar."""
    notices = []
    for year in SHIPPED_YEARS:
        days = {day: True for day in constants.holidays if day.year == year}
        days |= {day: False for day in constants.workdays if day.year == year}
        notices.append(Notice(year, days, "chinesecalendar"))
    return tuple(notices)


def read_notice(path: Path) -> Notice:
    """The notice in a holiday-cn JSON file. Raises NoticeError when the file is not one, or names no day yet."""
    try:
        found = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise NoticeError(f"{path.name} can not be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise NoticeError(f"{path.name} is not JSON in UTF-8") from error
    year = found.get("year") if isinstance(found, dict) else None
    rows = found.get("days") if isinstance(found, dict) else None
    if not isinstance(year, int) or isinstance(year, bool) or not 2000 <= year <= 2100 or not isinstance(rows, list):
        raise NoticeError(f"{path.name} has no whole-number `year` from 2000 to 2100 and no list `days`")
    if not rows:
        raise NoticeError(f"{path.name} names no day: the notice for {year} is not published yet")
    if len(rows) > DAYS_LIMIT:
        raise NoticeError(f"{path.name} names {len(rows)} days, more than a holiday notice does")
    days: dict[date, bool] = {}
    for number, row in enumerate(rows, start=1):
        day, is_off = _day_of(row)
        # The notice for a year may move rest days around the New Year before it, and nothing further away.
        if day is None or is_off is None or not (day.year == year or (day.year == year - 1 and day.month == 12)):
            raise NoticeError(f"{path.name}: entry {number} of `days` has no `date` of {year} with `isOffDay`")
        if days.setdefault(day, is_off) != is_off:
            raise NoticeError(f"{path.name}: entry {number} of `days` contradicts an earlier one")
    try:
        WorkCalendar.from_notices({year: days})
    except ValueError as error:
        raise NoticeError(f"{path.name}: {error}") from error
    return Notice(year, days, "holiday-cn")


def _day_of(row: Any) -> tuple[date | None, bool | None]:
    if not isinstance(row, dict) or not isinstance(row.get("isOffDay"), bool):
        return None, None
    try:
        return date.fromisoformat(str(row.get("date"))), row["isOffDay"]
    except ValueError:
        return None, None


def import_notices(session: Session, notices: tuple[Notice, ...]) -> CalendarChanges:
    """Write the notices, replacing earlier ones of the same years. A repeated import changes nothing. The caller commits.

    A December day that the notice of the following year named stays as that later notice has it.
    """
    session.execute(text("LOCK TABLE holidays IN SHARE ROW EXCLUSIVE MODE"))
    added = changed = removed = 0
    years = []
    for notice in sorted(notices, key=lambda notice: notice.year):
        stored = {
            row.day: row
            for row in session.query(Holiday).filter(
                Holiday.day.between(date(notice.year - 1, 12, 1), date(notice.year, 12, 31))
            )
        }
        known = session.get(HolidayYear, notice.year)
        before = (added, changed, removed)
        for day, row in stored.items():
            if _notice_year(row) == notice.year and day not in notice.days:
                session.delete(row)
                removed += 1
        for day, is_off in notice.days.items():
            row = stored.get(day)
            if row is None:
                session.add(Holiday(day=day, is_off=is_off, source=f"{notice.year} {notice.source}"))
                added += 1
            elif _notice_year(row) <= notice.year and (row.is_off != is_off or _notice_year(row) != notice.year):
                row.is_off, row.source = is_off, f"{notice.year} {notice.source}"
                changed += 1
        if known is None:
            session.add(HolidayYear(year=notice.year, imported_at=clock.now()))
        elif before != (added, changed, removed):
            known.imported_at = clock.now()
        else:
            continue
        years.append(notice.year)
        session.flush()
    changes = CalendarChanges(tuple(years), added, changed, removed)
    log.info("holiday notices imported: years %s, %d added, %d changed, %d removed", years, added, changed, removed)
    return changes


def import_holidays(session: Session) -> CalendarChanges:
    """Write the notices that come with the product (2024 to 2026). The caller commits."""
    return import_notices(session, shipped_notices())


def _notice_year(row: Holiday) -> int:
    """The year whose notice named the day; it stands first in `source`."""
    return int(row.source[:4])
