"""The days of a recurrence rule, straight from the table in RFC 5545, section 3.3.10.

1. Time is cut into periods of the rule's FREQ, every INTERVAL-th of them counted from the one that holds `start`.
2. The days of a period that pass every BY part are its set; BYSETPOS chooses among them by position.
3. Days before `start` are dropped, COUNT counts what is left; `start` itself counts only when the rule names it.
4. What the rule leaves open comes from `start`: the weekday, the day of the month, the month.

Without COUNT the first period looked at is the one that holds `first`, so that a rule from long ago costs nothing, and
no period after `last` is looked at, so that a rule that never comes ends. This is why it is written here: dateutil's
rrule walks every period from the start and, when nothing matches, on to the year 9999.
"""

from __future__ import annotations

import calendar
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from itertools import count as counting

from processes.recurrence import Rule

#: No calendar is followed beyond these days: expansion stays bounded, and arithmetic on dates never overflows.
EARLIEST = date(1900, 1, 1)
LATEST = date(2200, 12, 31)
#: How many years a rule may take to come for the first time before it counts as one that never does.
PATIENCE = 100

_Test = Callable[[date], bool]


def days_of(rule: Rule, *, start: date, first: date, last: date) -> Iterator[date]:
    """The rule's days from `first` to `last`, both included, in order, none before `start` or after its UNTIL's day."""
    last = min(last, _until_day(rule) or last)
    tests = _tests(rule, start)
    begin = 0 if rule.count is not None else _periods_between(rule, start, max(first, start)) // rule.interval
    left = rule.count
    for index in counting(begin):
        days = _period(rule, start, index * rule.interval)
        if days[0] > last:
            return
        for day in _chosen(rule, [day for day in days if all(test(day) for test in tests)]):
            if day > last or left == 0:
                return
            if day < start:
                continue
            left = None if left is None else left - 1
            if day >= first:
                yield day


def comes(rule: Rule, *, start: date) -> bool:
    """Whether the rule has a day at all, within a hundred years of `start`."""
    last = date(min(start.year + PATIENCE, date.max.year - 1), 12, 31)
    return next(days_of(rule, start=start, first=start, last=last), None) is not None


def _until_day(rule: Rule) -> date | None:
    """The last day UNTIL may still allow, whatever the zone; the moment itself is looked at where the zone is known."""
    if isinstance(rule.until, datetime):
        return min(rule.until.date(), date.max - timedelta(days=1)) + timedelta(days=1)
    return rule.until


def _chosen(rule: Rule, days: list[date]) -> list[date]:
    if not rule.by_set_pos:
        return days
    size = len(days)
    places = {place - 1 if place > 0 else size + place for place in rule.by_set_pos}
    return [day for place, day in enumerate(days) if place in places]


def _period(rule: Rule, start: date, offset: int) -> list[date]:
    """The days of the period so many periods after the one that holds `start`."""
    if rule.freq == "DAILY":
        return [start + timedelta(days=offset)]
    if rule.freq == "WEEKLY":
        monday = _week_begin(start, rule.week_start) + timedelta(weeks=offset)
        return [monday + timedelta(days=number) for number in range(7)]
    if rule.freq == "MONTHLY":
        year, month = divmod(start.year * 12 + start.month - 1 + offset, 12)
        return [date(year, month + 1, day) for day in range(1, calendar.monthrange(year, month + 1)[1] + 1)]
    new_year = date(start.year + offset, 1, 1)
    return [new_year + timedelta(days=number) for number in range(_year_length(new_year))]


def _periods_between(rule: Rule, start: date, day: date) -> int:
    if rule.freq == "DAILY":
        return (day - start).days
    if rule.freq == "WEEKLY":
        return (_week_begin(day, rule.week_start) - _week_begin(start, rule.week_start)).days // 7
    if rule.freq == "MONTHLY":
        return (day.year - start.year) * 12 + day.month - start.month
    return day.year - start.year


def _tests(rule: Rule, start: date) -> list[_Test]:
    rule_days = rule.by_day or _weekday_left_open(rule, start)
    month_days = rule.by_month_day or _month_day_left_open(rule, start)
    months = rule.by_month or _month_left_open(rule, start)
    tests: list[_Test] = []
    if months:
        tests.append(lambda day: day.month in months)
    if month_days:
        tests.append(lambda day: day.day in month_days or day.day - _month_length(day) - 1 in month_days)
    if rule_days:
        in_month = rule.freq == "MONTHLY" or bool(rule.by_month)
        tests.append(lambda day: _is_weekday(day, rule_days, in_month=in_month))
    if rule.by_year_day:
        tests.append(lambda day: _is_year_day(day, rule.by_year_day))
    if rule.by_week_no:
        tests.append(lambda day: _is_in_week(day, rule.by_week_no, rule.week_start))
    return tests


def _weekday_left_open(rule: Rule, start: date) -> tuple[tuple[int, int], ...]:
    names_week = rule.freq == "WEEKLY" or (rule.by_week_no and not (rule.by_month_day or rule.by_year_day))
    return ((0, start.weekday()),) if names_week else ()


def _month_day_left_open(rule: Rule, start: date) -> tuple[int, ...]:
    names_day = rule.by_day or rule.by_year_day or rule.by_week_no
    return () if names_day or rule.freq in ("DAILY", "WEEKLY") else (start.day,)


def _month_left_open(rule: Rule, start: date) -> tuple[int, ...]:
    names_day = rule.by_day or rule.by_month_day or rule.by_year_day or rule.by_week_no
    return (start.month,) if rule.freq == "YEARLY" and not names_day else ()


def _is_weekday(day: date, wanted: tuple[tuple[int, int], ...], *, in_month: bool) -> bool:
    place, length = (day.day, _month_length(day)) if in_month else (day.timetuple().tm_yday, _year_length(day))
    ordinals = (0, (place - 1) // 7 + 1, -((length - place) // 7 + 1))
    return any(weekday == day.weekday() and ordinal in ordinals for ordinal, weekday in wanted)


def _is_year_day(day: date, wanted: tuple[int, ...]) -> bool:
    place = day.timetuple().tm_yday
    return place in wanted or place - _year_length(day) - 1 in wanted


def _is_in_week(day: date, wanted: tuple[int, ...], week_start: int) -> bool:
    """Weeks are numbered in the year that holds their fourth day (ISO 8601 when they begin on Monday)."""
    middle = _week_begin(day, week_start) + timedelta(days=3)
    place = middle.timetuple().tm_yday
    number = (place - 1) // 7 + 1
    weeks = number + (_year_length(middle) - place) // 7
    return number in wanted or number - weeks - 1 in wanted


def _week_begin(day: date, week_start: int) -> date:
    return day - timedelta(days=(day.weekday() - week_start) % 7)


def _month_length(day: date) -> int:
    return calendar.monthrange(day.year, day.month)[1]


def _year_length(day: date) -> int:
    return 366 if calendar.isleap(day.year) else 365
