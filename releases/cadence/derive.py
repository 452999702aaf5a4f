"""Dates derived from another group's dates: the Wednesday before, six working days before, three days after."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date, timedelta

from processes.offsets import DerivedOffset, parse_derived
from processes.recurrence import WEEKDAYS
from releases.cadence import days
from releases.cadence.days import WorkingDays


def derived_days(parent: Iterable[date], offsets: Iterable[str], working: WorkingDays) -> Mapping[date, str]:
    """The days at the offsets from the parent's days, each with words on where it comes from; one day is there once."""
    read = [(text, parse_derived(text)) for text in offsets]
    return dict(_derived(parent, read, working))


def reach_of(offsets: Iterable[str]) -> int:
    """How many days a derived day may lie away from its parent's at the most."""
    return max((_reach(parse_derived(text)) for text in offsets), default=0)


def _derived(
    parent: Iterable[date], offsets: list[tuple[str, DerivedOffset]], working: WorkingDays
) -> Iterator[tuple[date, str]]:
    for day in parent:
        for text, offset in offsets:
            found = _apply(offset, day, working)
            if found is not None:
                yield found, f"{text} from {day:%A, %d %B %Y}."


def _apply(offset: DerivedOffset, day: date, working: WorkingDays) -> date | None:
    """`-1 WE` is the nearest Wednesday before the day, never the day itself; a working day may not exist near by."""
    if offset.unit == "working day":
        return working.step(day, offset.count)
    if offset.weekday is None:
        return day + timedelta(days=offset.count)
    if offset.count > 0:
        nearest = (offset.weekday - day.weekday() - 1) % len(WEEKDAYS) + 1
        return day + timedelta(days=nearest, weeks=offset.count - 1)
    nearest = (day.weekday() - offset.weekday - 1) % len(WEEKDAYS) + 1
    return day - timedelta(days=nearest, weeks=-offset.count - 1)


def _reach(offset: DerivedOffset) -> int:
    if offset.unit == "working day":
        return days.reach(offset.count)
    return abs(offset.count) * (len(WEEKDAYS) if offset.weekday is not None else 1)
