"""Moving a whole cadence: to another time of day, or by whole days where its rule can say that."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from typing import Any

from config.errors import Fault, InvalidInput
from processes.recurrence import WEEKDAYS, Rule, parse, parts_of, text_of
from processes.recurrence_days import LATEST, days_of
from releases.cadence.rules import start_of
from releases.cadence.wall import on_wall, wall_text

#: Days of a month that every month has.
_EVERY_MONTH = range(1, 29)


def shifted(cadence: Mapping[str, Any], *, by_days: int, to_time: time | None) -> dict[str, Any]:
    """The cadence document moved by whole days and to a time of day (on its own clock); the given one is unchanged.

    `include`, `exclude`, `until` and UNTIL move along. Any rule can have another time of day. Whole days move daily
    rules, weekly ones (all weekdays turn), and monthly ones on one date that stays among the first 28. Raises
    InvalidInput with the reason and what to do for the others, and for dates that derive from another group's.
    """
    if by_days == 0 and to_time is None:
        return dict(cadence)
    if "derive" in cadence:
        _require_own_start(cadence, by_days)
        return {**cadence, "start": wall_text(datetime.combine(start_of(cadence).date(), to_time or time()))}
    start, rule = start_of(cadence), parse(cadence["rrule"])
    parts = parts_of(cadence["rrule"])
    begin = start.date()
    if by_days:
        begin = _moved_parts(parts, rule, begin, by_days)
    if rule.until is not None:
        last = _last_day(rule.until, start.time(), cadence["timezone"])
        parts["UNTIL"] = _moved_day(last, by_days).isoformat().replace("-", "")
    moved = {**cadence, "rrule": text_of(parts), "start": wall_text(datetime.combine(begin, to_time or start.time()))}
    for key in ("include", "exclude"):
        if key in cadence:
            moved[key] = [_later(day, by_days) for day in cadence[key]]
    if "until" in cadence:
        moved["until"] = _later(cadence["until"], by_days)
    return moved


def _require_own_start(cadence: Mapping[str, Any], by_days: int) -> None:
    group = cadence["derive"]["group"]
    if by_days:
        raise _cannot(f"Its dates derive from the group '{group}'.", "Move that group, or change the offsets.")
    if "start" not in cadence:
        raise _cannot(
            f"Its time of day is that of the group '{group}'.", "Move that group, or give it its own 'start'."
        )


def _moved_parts(parts: dict[str, str], rule: Rule, begin: date, by_days: int) -> date:
    """Moves a rule's parts by whole days; the start that goes with them."""
    if rule.by_set_pos or rule.by_year_day or rule.by_week_no or rule.freq == "YEARLY":
        raise _cannot("Its rule names days of a year or chooses among days, which do not move together.", _CURE)
    if rule.freq == "MONTHLY":
        return _moved_in_month(parts, rule, begin, by_days)
    if rule.by_month or rule.by_month_day:
        raise _cannot("Its rule keeps to months or days of a month, which days moved might leave.", _CURE)
    if rule.by_day:
        parts["BYDAY"] = ",".join(WEEKDAYS[(day + by_days) % 7] for _, day in rule.by_day)
    if rule.freq == "WEEKLY" and (rule.interval > 1 or "WKST" in parts):
        parts["WKST"] = WEEKDAYS[(rule.week_start + by_days) % 7]
    return begin + timedelta(days=by_days)


def _moved_in_month(parts: dict[str, str], rule: Rule, begin: date, by_days: int) -> date:
    days = rule.by_month_day or (begin.day,)
    if rule.by_day:
        words = "Its rule counts weekdays of a month: the day after the third Thursday is not always the third Friday."
        raise _cannot(words, "Choose another weekday in the rule, or move single releases.")
    if len(days) > 1:
        raise _cannot("Its rule names several days of a month.", _CURE)
    if days[0] not in _EVERY_MONTH or days[0] + by_days not in _EVERY_MONTH:
        raise _cannot("It would leave the days that every month has, the 1st to the 28th.", _CURE)
    first = next(days_of(rule, start=begin, first=begin, last=begin + timedelta(days=36_525)), begin)
    if rule.by_month_day:
        parts["BYMONTHDAY"] = str(days[0] + by_days)
    return first + timedelta(days=by_days)


def _last_day(until: date | datetime, clock: time, zone: str) -> date:
    """The last day on which a rule may still start at a time of day before its UNTIL."""
    if not isinstance(until, datetime):
        return until
    if until.date() >= LATEST:
        return until.date()
    wall = until if until.tzinfo is None else on_wall(until, zone)
    return wall.date() if clock <= wall.time() else wall.date() - timedelta(days=1)


def _later(day: str, by_days: int) -> str:
    return _moved_day(date.fromisoformat(day), by_days).isoformat()


def _moved_day(day: date, by_days: int) -> date:
    """The day so many days later; the first and the last of all days are as good as any further ones."""
    return date.fromordinal(min(max(day.toordinal() + by_days, date.min.toordinal()), date.max.toordinal()))


_CURE = "Change the rule itself, or move single releases."


def _cannot(reason: str, cure: str) -> InvalidInput:
    return InvalidInput([Fault("cadence", f"This cadence cannot be moved as a whole. {reason}", cure)])
