"""What a view of the calendar covers: from which day to which, what it is called, where one step leads. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property

VIEWS = {"month": "Month", "week": "Week", "day": "Day", "quarter": "Quarter", "list": "List"}
EARLIEST, LATEST = date(1971, 1, 1), date(2199, 12, 31)
#: How many days the list looks ahead.
LISTED = 31
WEEK = 7


@dataclass(frozen=True)
class Period:
    """A view around a day: it draws the days from `first` until before `until`.

    `begins` and `ends` are the first and last day it is about: a month's weeks also hold days of its neighbours.
    `previous` and `next` are the days that the view one step before and after is asked for.
    """

    view: str
    day: date
    first: date
    until: date
    begins: date
    ends: date
    title: str
    previous: date
    next: date

    @cached_property
    def days(self) -> list[date]:
        """Every day it draws."""
        return [self.first + timedelta(days=number) for number in range((self.until - self.first).days)]

    @cached_property
    def weeks(self) -> list[date]:
        """The first day of every week it draws."""
        return self.days[::WEEK]


def period_of(view: str, day: date) -> Period:
    """Return what a view (a key of VIEWS) shows when it is asked for a day, which is held within what is followed."""
    day = min(max(day, EARLIEST), LATEST)
    return _MAKERS[view](day)


def monday(day: date) -> date:
    """Return the first day of a day's week."""
    return day - timedelta(days=day.weekday())


def add_months(day: date, months: int) -> date:
    """Return the same day so many months on, or the last day of that month if it has no such day."""
    number = day.year * 12 + day.month - 1 + months
    first = date(number // 12, number % 12 + 1, 1)
    return min(first + timedelta(days=day.day - 1), _last_of_month(first))


def spoken(day: date) -> str:
    """Return a day as people write it: 4 June 2026."""
    return f"{day.day} {day:%B} {day.year}"


def stretch(first: date, last: date) -> str:
    """Return two days as people write them together: 1 - 7 June 2026, 29 Jun - 5 Jul 2026."""
    if first == last:
        return spoken(first)
    if (first.year, first.month) == (last.year, last.month):
        return f"{first.day} \N{EN DASH} {spoken(last)}"
    year = "" if first.year == last.year else f" {first.year}"
    return f"{first.day} {first:%b}{year} \N{EN DASH} {last.day} {last:%b} {last.year}"


def _last_of_month(day: date) -> date:
    return (day.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)


def _in_weeks(view: str, day: date, begins: date, ends: date, title: str, months: int) -> Period:
    until = monday(ends) + timedelta(days=WEEK)
    back, on = add_months(day, -months), add_months(day, months)
    return Period(view, day, monday(begins), until, begins, ends, title, back, on)


def _in_days(view: str, day: date, begins: date, length: int, title: str) -> Period:
    step = timedelta(days=length)
    return Period(
        view, day, begins, begins + step, begins, begins + step - timedelta(days=1), title, day - step, day + step
    )


def _month(day: date) -> Period:
    return _in_weeks("month", day, day.replace(day=1), _last_of_month(day), f"{day:%B} {day.year}", 1)


def _quarter(day: date) -> Period:
    begins = day.replace(month=(day.month - 1) // 3 * 3 + 1, day=1)
    ends = _last_of_month(add_months(begins, 2))
    return _in_weeks("quarter", day, begins, ends, f"Q{(day.month + 2) // 3} {day.year}", 3)


def _week(day: date) -> Period:
    begins = monday(day)
    return _in_days("week", day, begins, WEEK, stretch(begins, begins + timedelta(days=WEEK - 1)))


def _day(day: date) -> Period:
    return _in_days("day", day, day, 1, f"{day:%A} {spoken(day)}")


def _list(day: date) -> Period:
    return _in_days("list", day, day, LISTED, stretch(day, day + timedelta(days=LISTED - 1)))


_MAKERS: dict[str, Callable[[date], Period]] = {
    "month": _month,
    "quarter": _quarter,
    "week": _week,
    "day": _day,
    "list": _list,
}
