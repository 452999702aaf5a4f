"""A cadence in plain English: "Every Thursday at 09:00 (Europe/Berlin), for 2 days"."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from config.durations import parse as length_of
from config.durations import to_text
from processes.offsets import parse_derived
from processes.recurrence import Rule, parse
from releases.cadence.rules import start_of

_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_ORDINALS = ("", "first", "second", "third", "fourth", "fifth")
_UNITS = {"DAILY": "day", "WEEKLY": "week", "MONTHLY": "month", "YEARLY": "year"}
_LENGTHS = {"d": "day", "h": "hour", "m": "minute", "s": "second", "ms": "millisecond"}
_ROLLS = {
    "keep": "kept on {}",
    "skip": "skipped on {}",
    "next_working_day": "{} move to the next working day",
    "previous_working_day": "{} move to the working day before",
}
_WORKWEEK = ((0, 0), (0, 1), (0, 2), (0, 3), (0, 4))


def cadence_in_words(cadence: Mapping[str, Any]) -> str:
    """The whole cadence as one sentence without a full stop. Raises InvalidInput for a rule with faults."""
    start = start_of(cadence) if "start" in cadence else None
    if "derive" in cadence:
        text = _derived(cadence["derive"])
    else:
        assert start is not None
        text = rule_in_words(cadence["rrule"], start)
    text += f" at {start:%H:%M} ({cadence['timezone']})" if start else f" ({cadence['timezone']})"
    if "duration" in cadence:
        text += f", for {length_in_words(cadence['duration'])}"
    if "until" in cadence:
        text += f", until {_date(date.fromisoformat(cadence['until']))}"
    if "count" in cadence:
        text += f", {_times(cadence['count'])}"
    return "; ".join([text, *_exceptions(cadence)])


def rule_in_words(rule: str, start: datetime) -> str:
    """The days of a rule, with what it leaves open taken from the start: "On the third Thursday of every month"."""
    read = parse(rule)
    if read.freq == "DAILY":
        text = _daily(read)
    else:
        text = _weekly(read, start) if read.freq == "WEEKLY" else _by_position(read, start)
    if read.until is not None:
        text += f", until {_date(read.until)}"
    if read.count is not None:
        text += f", {_times(read.count)}"
    return text[0].upper() + text[1:]


def length_in_words(duration: object) -> str:
    """A duration for people: "2 days", "1 hour 30 minutes"."""
    text, words, number = to_text(length_of(duration)), [], ""
    for place, letter in enumerate(text):
        if letter.isdigit():
            number += letter
        elif number:
            unit = "ms" if text[place : place + 2] == "ms" else letter
            words.append(f"{number} {_LENGTHS[unit]}{'' if number == '1' else 's'}")
            number = ""
    return " ".join(words)


def _daily(rule: Rule) -> str:
    only = [f"only on {_list([_WEEKDAYS[day] for _, day in rule.by_day])}"] if rule.by_day else []
    only += [f"only on the {_list([_day_of_month(day) for day in rule.by_month_day])}"] if rule.by_month_day else []
    only += [f"only in {_months(rule)}"] if rule.by_month else []
    return ", ".join([_every(rule), *only])


def _weekly(rule: Rule, start: datetime) -> str:
    days = _list([_WEEKDAYS[day] for _, day in rule.by_day] or [_WEEKDAYS[start.weekday()]])
    if rule.by_set_pos:
        days = f"{_positions(rule.by_set_pos)} of {days}"
    text = f"every {days}" if rule.interval == 1 and not rule.by_set_pos else f"{_every(rule)} on {days}"
    return f"{text} in {_months(rule)}" if rule.by_month else text


def _by_position(rule: Rule, start: datetime) -> str:
    """Monthly and yearly rules: on which days, of which months, how often."""
    days, only = _days(rule, start)
    if rule.by_set_pos:
        chosen = "weekday" if rule.by_day == _WORKWEEK and not rule.by_month_day else f"of {days}"
        days = f"the {_positions(rule.by_set_pos)} {chosen}"
    months = rule.by_month or ((start.month,) if _is_plain_year(rule) else ())
    if months:
        often = "every year" if rule.interval == 1 else _every(rule)
        return f"on {days} of {_list([_MONTHS[month - 1] for month in months])}{only}, {often}"
    return f"on {days}{only}, {_every(rule)}" if rule.freq == "YEARLY" else f"on {days} of {_every(rule)}{only}"


def _days(rule: Rule, start: datetime) -> tuple[str, str]:
    """The days of a rule, and the weekdays it keeps to when it names them in another way."""
    weekdays = _list([_weekday(ordinal, day) for ordinal, day in rule.by_day])
    only = f" when that is {weekdays}" if weekdays else ""
    if rule.by_week_no:
        return f"{weekdays or _WEEKDAYS[start.weekday()]} in week {_list([str(week) for week in rule.by_week_no])}", ""
    if rule.by_year_day:
        return f"day {_list([str(day) for day in rule.by_year_day])} of the year", only
    if rule.by_month_day or not weekdays:
        return f"the {_list([_day_of_month(day) for day in rule.by_month_day or (start.day,)])}", only
    return weekdays, ""


def _is_plain_year(rule: Rule) -> bool:
    return rule.freq == "YEARLY" and not (rule.by_day or rule.by_month_day or rule.by_year_day or rule.by_week_no)


def _weekday(ordinal: int, day: int) -> str:
    return f"the {_nth(ordinal)} {_WEEKDAYS[day]}" if ordinal else _WEEKDAYS[day]


def _positions(places: Sequence[int]) -> str:
    return _list([_nth(place) for place in places])


def _nth(place: int) -> str:
    if place < 0:
        return "last" if place == -1 else f"{_nth(-place)} to last"
    return _ORDINALS[place] if place < len(_ORDINALS) else _day_of_month(place)


def _day_of_month(day: int) -> str:
    if day < 0:
        return "last day" if day == -1 else f"{_nth(-day)} to last day"
    ending = "th" if 10 < day % 100 < 14 else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")
    return f"{day}{ending}"


def _months(rule: Rule) -> str:
    return _list([_MONTHS[month - 1] for month in rule.by_month])


def _every(rule: Rule) -> str:
    unit = _UNITS[rule.freq]
    return f"every {unit}" if rule.interval == 1 else f"every {_nth(rule.interval)} {unit}"


def _derived(derive: Mapping[str, Any]) -> str:
    offsets = [_offset(text) for text in derive.get("offsets", ["+0 days"])]
    return f"On {_list(offsets)} each date of {derive['group']}"


def _offset(text: str) -> str:
    offset = parse_derived(text)
    side, count = ("before" if offset.count < 0 else "after"), abs(offset.count)
    if offset.count == 0:
        return "the same day as"
    if offset.weekday is not None:
        return f"the {'' if count == 1 else _nth(count) + ' '}{_WEEKDAYS[offset.weekday]} {side}"
    return f"the day {count} {offset.unit}{'' if count == 1 else 's'} {side}"


def _exceptions(cadence: Mapping[str, Any]) -> list[str]:
    words = []
    if "holidays" in cadence:
        holidays = cadence["holidays"]
        which = f"holidays{' and weekends' if holidays.get('weekends') else ''} in {holidays['calendar']}"
        words.append(_ROLLS[holidays.get("roll", "keep")].format(which))
    for key, what in (("include", "also on"), ("exclude", "not on")):
        if cadence.get(key):
            words.append(f"{what} {_list([_date(date.fromisoformat(day)) for day in cadence[key]])}")
    return words


def _date(day: date) -> str:
    return f"{day.day} {_MONTHS[day.month - 1]} {day.year}"


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _list(words: Sequence[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
