"""Working days in mainland China, and the end of a period counted in days, working days, months or hours.

A day is a date in Asia/Shanghai. A period that ends on a day ends at 24:00 of that day, so its due instant is the next
Shanghai midnight, given as an aware UTC datetime.
"""

from __future__ import annotations

import calendar
from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from functools import lru_cache

# China has kept one fixed offset since 1991. A fixed zone needs no tzdata on the machine.
SHANGHAI = timezone(timedelta(hours=8), "Asia/Shanghai")

# Lunar holidays of a year without a notice are unknown; these dates are named by the holiday decree itself.
FIXED_HOLIDAYS = frozenset({(1, 1), (5, 1), (5, 2), (10, 1), (10, 2), (10, 3)})

# The notice for a year may move the rest days around the New Year before it (29 December 2018 was a Saturday worked
# by the notice for 2019), so these last December days stay open until the next notice is known.
YEAR_END_OPENS = (12, 26)

LONGEST_PERIOD = 36_600
LONGEST_REST = 40


@dataclass(frozen=True, slots=True)
class Due:
    """The end of a period.

    raw: the last day as counted, before it is moved off a rest day; None for hours.
    day: the last day on which the act is in time; None for hours.
    at: the first instant that is too late, aware UTC.
    provisional: a day that decided the result lies in a year whose holiday notice is not published yet.
    """

    raw: date | None
    day: date | None
    at: datetime
    provisional: bool


@dataclass(frozen=True, slots=True)
class WorkCalendar:
    """Rest days and worked weekends of the years that have a holiday notice; hashable, equal by content."""

    off_days: frozenset[date]
    worked_weekends: frozenset[date]
    years: frozenset[int]

    @classmethod
    def from_notices(cls, notices: Mapping[int, Mapping[date, bool]]) -> WorkCalendar:
        """A calendar from one notice a year: {2026: {date(2026, 1, 1): True, date(2026, 1, 4): False}}.

        True is a rest day, False a day that is worked although it is a weekend. Ordinary weekends need not be listed.
        Where two notices name the same December day, the later year's one holds.

        Raises ValueError when a notice gives more than forty rest days in a row, which no holiday notice does.
        """
        days: dict[date, bool] = {}
        for year in sorted(notices):
            days.update(notices[year])
        made = cls(
            off_days=frozenset(day for day, is_off in days.items() if is_off),
            worked_weekends=frozenset(day for day, is_off in days.items() if not is_off),
            years=frozenset(notices),
        )
        for year in notices:
            worked = _workdays_of(made, year)
            fences = (date(year, 1, 1).toordinal() - 1, *worked, date(year, 12, 31).toordinal() + 1)
            if any(later - earlier > LONGEST_REST for earlier, later in zip(fences, fences[1:], strict=False)):
                raise ValueError(f"the notice for {year} has more than {LONGEST_REST} rest days in a row")
        return made

    def is_workday(self, day: date) -> bool:
        """Whether offices work on this day."""
        if day in self.worked_weekends:
            return True
        if day.weekday() >= 5 or day in self.off_days:
            return False
        return day.year in self.years or (day.month, day.day) not in FIXED_HOLIDAYS

    def is_provisional(self, day: date) -> bool:
        """Whether a notice that is still to come may change this day (its own year's, or the next one's)."""
        if day.year not in self.years:
            return True
        return (day.month, day.day) >= YEAR_END_OPENS and day.year + 1 not in self.years

    def next_workday(self, day: date) -> date:
        """This day when it is worked, else the first working day after it (Civil Code Art 203).

        Raises ValueError when this year and the next have none left, which only a calendar made by hand can bring.
        """
        ordinal = day.toordinal()
        for year in (day.year, day.year + 1):
            worked = _workdays_of(self, year)
            index = bisect_left(worked, ordinal)
            if index < len(worked):
                return date.fromordinal(worked[index])
        raise ValueError(f"no working day in {day.year} and {day.year + 1}")

    def add_workdays(self, start_day: date, n: int) -> Due:
        """The n-th working day after start_day, which itself is not counted (Civil Code Art 201)."""
        _check(n)
        if n == 0:
            return Due(start_day, start_day, end_of_day(start_day), False)
        year, left = start_day.year, n
        worked = _workdays_of(self, year)
        index = bisect_right(worked, start_day.toordinal())
        while index + left > len(worked):
            left -= len(worked) - index
            year, index = year + 1, 0
            worked = _workdays_of(self, year)
        day = date.fromordinal(worked[index + left - 1])
        return Due(day, day, end_of_day(day), self._examined(start_day, day))

    def add_days(self, start_day: date, n: int) -> Due:
        """n calendar days after start_day, moved off rest days at the end (Civil Code Arts 201 and 203)."""
        _check(n)
        return self._rolled(start_day + timedelta(days=n))

    def add_months(self, start_day: date, n: int) -> Due:
        """The same day number n months later, else that month's last day, moved off rest days (Arts 202 and 203)."""
        _check(n)
        return self._rolled(months_after(start_day, n))

    def add_quarters(self, start_day: date, n: int) -> Due:
        """The last day of the n-th quarter after the one in which start_day lies, moved off rest days (Art 203)."""
        _check(n)
        year, month = divmod(start_day.year * 12 + (start_day.month - 1) // 3 * 3 + 3 * (n + 1), 12)
        return self._rolled(date(year, month + 1, 1) - timedelta(days=1))

    def add_hours(self, instant: datetime, n: int) -> Due:
        """n hours after an aware instant; hours run through nights and holidays. Raises ValueError for a naive one."""
        _check(n)
        _check_aware(instant)
        return Due(None, None, (instant + timedelta(hours=n)).astimezone(UTC), False)

    def workdays_between(self, start_day: date, end_day: date) -> int:
        """How many working days lie after start_day up to and with end_day; negative when end_day is the earlier."""
        if end_day < start_day:
            return -self.workdays_between(end_day, start_day)
        first, last = start_day.toordinal(), end_day.toordinal()
        count = 0
        for year in range(start_day.year, end_day.year + 1):
            worked = _workdays_of(self, year)
            count += bisect_right(worked, last) - bisect_right(worked, first)
        return count

    def workday_before(self, day: date, n: int) -> date:
        """The latest day from which n working days remain up to and with `day`."""
        _check(n)
        target = day
        left = n
        while left:
            left -= self.is_workday(target)
            target -= timedelta(days=1)
        while not self.is_workday(target):
            target -= timedelta(days=1)
        return target

    def workdays_left(self, due_day: date, now: datetime) -> int:
        """Working days after today up to and with due_day: 0 on the last day, negative when it has passed."""
        return self.workdays_between(shanghai_day(now), due_day)

    def _rolled(self, raw: date) -> Due:
        day = self.next_workday(raw)
        return Due(raw, day, end_of_day(day), self._examined(raw - timedelta(days=1), day))

    def _examined(self, after: date, upto: date) -> bool:
        """Whether a day after `after`, up to and with `upto`, is provisional."""
        # Within one year provisional days are either all of them or the last ones, so the last examined day of each
        # year decides for the whole range.
        first_year = (after + timedelta(days=1)).year
        ends = (date(year, 12, 31) for year in range(first_year, upto.year))
        return self.is_provisional(upto) or any(map(self.is_provisional, ends))


@lru_cache(maxsize=256)
def _workdays_of(work_calendar: WorkCalendar, year: int) -> tuple[int, ...]:
    """Ordinals of the working days of one year, ascending."""
    first, last = date(year, 1, 1).toordinal(), date(year, 12, 31).toordinal()
    return tuple(n for n in range(first, last + 1) if work_calendar.is_workday(date.fromordinal(n)))


def shanghai_day(instant: datetime) -> date:
    """The date in Asia/Shanghai at this instant. Raises ValueError for a naive datetime."""
    _check_aware(instant)
    return instant.astimezone(SHANGHAI).date()


def months_after(day: date, n: int) -> date:
    """The same day number n months later, else that month's last day (民法典 Art 202), rest day or not."""
    year, month = divmod(day.year * 12 + day.month - 1 + n, 12)
    last = calendar.monthrange(year, month + 1)[1]
    return date(year, month + 1, min(day.day, last))


def start_of_day(day: date) -> datetime:
    """00:00 of this day in Asia/Shanghai, as aware UTC."""
    return datetime.combine(day, time(), SHANGHAI).astimezone(UTC)


def end_of_day(day: date) -> datetime:
    """24:00 of this day in Asia/Shanghai, as aware UTC: the first instant that is too late."""
    return start_of_day(day + timedelta(days=1))


def days_left(due_day: date, now: datetime) -> int:
    """Calendar days after today up to and with due_day: 0 on the last day, negative when it has passed."""
    return (due_day - shanghai_day(now)).days


def _check(n: int) -> None:
    if not 0 <= n <= LONGEST_PERIOD:
        raise ValueError(f"a period has 0 to {LONGEST_PERIOD} units, not {n}")


def _check_aware(instant: datetime) -> None:
    if instant.tzinfo is None:
        raise ValueError("an instant needs a time zone")
