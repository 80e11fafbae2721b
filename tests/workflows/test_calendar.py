"""Working days and period ends, against the published holiday notices."""

from datetime import UTC, date, datetime, timedelta, timezone

import chinese_calendar.constants as published
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflows.calendar import (
    SHANGHAI,
    Due,
    WorkCalendar,
    days_left,
    end_of_day,
    shanghai_day,
    start_of_day,
)


def notices(*years: int) -> dict[int, dict[date, bool]]:
    listed: dict[int, dict[date, bool]] = {year: {} for year in years}
    for is_off, days in ((True, published.holidays), (False, published.workdays)):
        for day in days:
            if day.year in listed:
                listed[day.year][day] = is_off
    return listed


CALENDAR = WorkCalendar.from_notices(notices(2024, 2025, 2026))

# Golden vectors, computed by hand from the notices of 2025 and 2026.
WORKDAY_VECTORS = [
    ("2025-09-26", 5, "2025-10-10"),
    ("2025-09-29", 15, "2025-10-27"),
    ("2026-02-12", 5, "2026-02-26"),
    ("2026-02-14", 1, "2026-02-24"),
    ("2026-04-30", 5, "2026-05-11"),
    ("2026-09-18", 5, "2026-09-24"),
    ("2026-10-09", 3, "2026-10-13"),
    ("2025-12-30", 5, "2026-01-07"),
]
CALENDAR_VECTORS = [
    ("2025-09-23", 15, "2025-10-08", "2025-10-09"),
    ("2025-08-04", 60, "2025-10-03", "2025-10-09"),
    ("2026-02-01", 15, "2026-02-16", "2026-02-24"),
    ("2025-12-03", 30, "2026-01-02", "2026-01-04"),
    ("2026-05-06", 60, "2026-07-05", "2026-07-06"),
    ("2026-09-19", 15, "2026-10-04", "2026-10-08"),
    ("2026-07-20", 60, "2026-09-18", "2026-09-18"),
]


@pytest.mark.parametrize(("start", "n", "due"), WORKDAY_VECTORS)
def test_working_day_period_ends_as_the_notice_says(start: str, n: int, due: str) -> None:
    end = CALENDAR.add_workdays(date.fromisoformat(start), n)
    assert (end.raw, end.day, end.provisional) == (date.fromisoformat(due), date.fromisoformat(due), False)


@pytest.mark.parametrize(("start", "n", "raw", "due"), CALENDAR_VECTORS)
def test_calendar_day_period_ends_on_the_day_after_the_rest_days(start: str, n: int, raw: str, due: str) -> None:
    end = CALENDAR.add_days(date.fromisoformat(start), n)
    assert (end.raw, end.day, end.provisional) == (date.fromisoformat(raw), date.fromisoformat(due), False)


@pytest.mark.parametrize("year", [2025, 2026])
def test_a_year_has_248_working_days(year: int) -> None:
    assert CALENDAR.workdays_between(date(year - 1, 12, 31), date(year, 12, 31)) == 248


def test_a_due_day_ends_at_midnight_in_shanghai() -> None:
    end = CALENDAR.add_days(date(2026, 7, 20), 60)
    assert end.at == datetime(2026, 9, 18, 16, tzinfo=UTC)
    assert end.at.tzinfo is UTC
    assert start_of_day(date(2026, 9, 18)) == datetime(2026, 9, 17, 16, tzinfo=UTC)


def test_the_day_of_an_instant_is_the_day_in_shanghai() -> None:
    assert shanghai_day(datetime(2026, 9, 18, 15, 59, 59, tzinfo=UTC)) == date(2026, 9, 18)
    assert shanghai_day(datetime(2026, 9, 18, 16, tzinfo=UTC)) == date(2026, 9, 19)
    assert shanghai_day(datetime(2026, 9, 18, 23, tzinfo=timezone(timedelta(hours=-5)))) == date(2026, 9, 19)


def test_hours_run_through_nights_and_holidays() -> None:
    start = datetime(2026, 9, 30, 22, tzinfo=SHANGHAI)
    assert CALENDAR.add_hours(start, 72) == Due(None, None, datetime(2026, 10, 3, 14, tzinfo=UTC), False)


@pytest.mark.parametrize("call", [shanghai_day, lambda instant: CALENDAR.add_hours(instant, 1)])
def test_naive_instant_is_refused(call) -> None:
    with pytest.raises(ValueError, match="time zone"):
        call(datetime(2026, 1, 1))  # noqa: DTZ001


@pytest.mark.parametrize("n", [-1, 40_000])
@pytest.mark.parametrize("unit", ["add_days", "add_workdays", "add_months", "workday_before"])
def test_impossible_length_is_refused(unit: str, n: int) -> None:
    with pytest.raises(ValueError, match="units"):
        getattr(CALENDAR, unit)(date(2026, 1, 5), n)


@pytest.mark.parametrize(
    ("start", "n", "raw", "due"),
    [
        (date(2025, 3, 14), 1, date(2025, 4, 14), date(2025, 4, 14)),
        (date(2025, 1, 31), 1, date(2025, 2, 28), date(2025, 2, 28)),
        (date(2024, 1, 31), 1, date(2024, 2, 29), date(2024, 2, 29)),
        (date(2025, 11, 15), 2, date(2026, 1, 15), date(2026, 1, 15)),
        (date(2025, 12, 31), 12, date(2026, 12, 31), date(2026, 12, 31)),
        (date(2026, 8, 31), 1, date(2026, 9, 30), date(2026, 9, 30)),
        (date(2026, 9, 1), 1, date(2026, 10, 1), date(2026, 10, 8)),
    ],
)
def test_month_period_ends_on_the_same_number_or_the_last_day(start: date, n: int, raw: date, due: date) -> None:
    end = CALENDAR.add_months(start, n)
    assert (end.raw, end.day) == (raw, due)


def test_year_without_notice_rests_on_weekends_and_fixed_holidays_only() -> None:
    fixed = [(1, 1), (5, 1), (5, 2), (10, 1), (10, 2), (10, 3)]
    for month, day in fixed:
        assert not CALENDAR.is_workday(date(2029, month, day))
    assert CALENDAR.workdays_between(date(2028, 12, 31), date(2029, 12, 31)) == sum(
        date.fromordinal(n).weekday() < 5 and (date.fromordinal(n).month, date.fromordinal(n).day) not in fixed
        for n in range(date(2029, 1, 1).toordinal(), date(2030, 1, 1).toordinal())
    )


def test_day_is_provisional_until_every_notice_that_may_move_it_is_out() -> None:
    assert CALENDAR.is_provisional(date(2027, 6, 1))
    assert CALENDAR.is_provisional(date(2026, 12, 26))
    assert not CALENDAR.is_provisional(date(2026, 12, 25))
    assert not CALENDAR.is_provisional(date(2025, 12, 31))


def test_due_is_provisional_when_a_day_it_passes_has_no_notice() -> None:
    assert CALENDAR.add_workdays(date(2026, 12, 24), 2).provisional
    assert not CALENDAR.add_workdays(date(2026, 12, 24), 1).provisional
    assert CALENDAR.add_days(date(2026, 11, 23), 60).provisional
    # The days before the last one decide nothing in a calendar period, so a gap in between does not matter.
    gap = WorkCalendar.from_notices(notices(2024, 2026))
    assert not gap.add_days(date(2024, 12, 1), 500).provisional
    assert gap.add_workdays(date(2024, 12, 1), 300).provisional
    assert not CALENDAR.add_workdays(date(2027, 3, 1), 0).provisional
    assert not CALENDAR.add_hours(datetime(2027, 1, 1, tzinfo=UTC), 5).provisional


def test_next_years_notice_decides_the_last_days_of_december() -> None:
    made = WorkCalendar.from_notices({2019: {date(2018, 12, 29): False, date(2018, 12, 31): True}, 2018: {}})
    assert made.is_workday(date(2018, 12, 29))
    assert not made.is_workday(date(2018, 12, 31))
    assert made.add_workdays(date(2018, 12, 28), 2).day == date(2019, 1, 1)


def test_notice_that_rests_for_months_is_refused() -> None:
    rest = {date(2027, 1, 1) + timedelta(days=n): True for n in range(60)}
    with pytest.raises(ValueError, match="2027"):
        WorkCalendar.from_notices({2027: rest})
    with pytest.raises(ValueError, match="2027"):
        WorkCalendar.from_notices({2027: {date(2027, 1, 1) + timedelta(days=n): True for n in range(365)}})


def test_calendar_made_by_hand_without_any_working_day_is_reported() -> None:
    rest = frozenset(date(2027, 1, 1) + timedelta(days=n) for n in range(730))
    with pytest.raises(ValueError, match="no working day"):
        WorkCalendar(rest, frozenset(), frozenset({2027, 2028})).next_workday(date(2027, 1, 1))


def test_days_left_count_down_to_zero_on_the_last_day() -> None:
    due = date(2026, 10, 9)
    evening = datetime(2026, 9, 30, 23, 59, tzinfo=SHANGHAI)
    assert days_left(due, evening) == 9
    assert CALENDAR.workdays_left(due, evening) == 2
    assert (
        days_left(due, datetime(2026, 10, 9, 8, tzinfo=SHANGHAI)),
        CALENDAR.workdays_left(due, end_of_day(due)),
    ) == (
        0,
        -1,
    )


def test_workday_before_is_the_latest_day_with_that_many_left() -> None:
    assert CALENDAR.workday_before(date(2026, 10, 9), 1) == date(2026, 10, 8)
    assert CALENDAR.workday_before(date(2026, 10, 8), 1) == date(2026, 9, 30)
    assert CALENDAR.workday_before(date(2026, 10, 9), 3) == date(2026, 9, 29)


def test_calendar_is_equal_and_hashable_by_content() -> None:
    again = WorkCalendar.from_notices(notices(2026, 2025, 2024))
    assert again == CALENDAR
    assert hash(again) == hash(CALENDAR)


days = st.dates(date(2024, 1, 1), date(2028, 12, 31))


@given(days, st.integers(0, 400))
def test_workdays_agree_with_the_reference_algorithm(start: date, n: int) -> None:
    day = start
    for _ in range(n):
        day += timedelta(days=1)
        while not CALENDAR.is_workday(day):
            day += timedelta(days=1)
    assert CALENDAR.add_workdays(start, n).day == day
    assert CALENDAR.workdays_between(start, day) == n
    assert CALENDAR.workdays_between(day, start) == -n


@given(days, st.integers(0, 400))
def test_calendar_days_agree_with_the_reference_algorithm(start: date, n: int) -> None:
    day = start + timedelta(days=n)
    while not CALENDAR.is_workday(day):
        day += timedelta(days=1)
    assert CALENDAR.add_days(start, n).day == day


@given(days, st.integers(0, 30))
def test_workday_before_leaves_exactly_that_many(day: date, n: int) -> None:
    earlier = CALENDAR.workday_before(day, n)
    assert CALENDAR.is_workday(earlier)
    assert CALENDAR.workdays_between(earlier, day) == n


def made_up_notice(year: int) -> st.SearchStrategy[dict[date, bool]]:
    moved = st.dates(date(year - 1, 12, 26), date(year, 12, 31))
    return st.dictionaries(moved, st.booleans(), max_size=25)


@given(st.dates(date(2026, 1, 1), date(2027, 3, 1)), st.integers(0, 90), made_up_notice(2027))
def test_a_new_notice_moves_provisional_ends_only(start: date, n: int, notice: dict[date, bool]) -> None:
    informed = WorkCalendar.from_notices({**notices(2024, 2025, 2026), 2027: notice})
    for unit in ("add_days", "add_workdays"):
        before, after = getattr(CALENDAR, unit)(start, n), getattr(informed, unit)(start, n)
        assert before.provisional or after == before


@given(st.dates(date(2024, 1, 1), date(2028, 12, 31)), st.integers(0, 700))
def test_provisional_means_that_an_examined_day_is(start: date, n: int) -> None:
    end = CALENDAR.add_workdays(start, n)
    examined = [start + timedelta(days=i) for i in range(1, (end.day - start).days + 1)]
    assert end.provisional == any(map(CALENDAR.is_provisional, examined))
