"""Working days: weekends, days off of countries and exchanges, days off that were imported."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta

from config.errors import Fault, InvalidInput
from processes.days_off import is_imported, name_faults, year_off

#: Imported calendars by id, each its days off with their names.
Calendars = Mapping[str, Mapping[date, str]]

#: The most days between a holiday and the working day an occurrence moves to; without one so near it stays.
FARTHEST_ROLL = 60
_SATURDAY = 5


@dataclass(frozen=True, slots=True)
class WorkingDays:
    """What is a working day: every day but weekends and days off.

    `place` is a country or exchange (DE, DE-BY, NYSE), whose own weekend and working Saturdays are kept; without one
    the weekend is Saturday and Sunday. `named` are further days off.
    """

    place: str | None = None
    named: Mapping[date, str] = field(default_factory=dict)

    def holiday(self, day: date) -> str | None:
        """The name of the day off, None when it is none; a mere weekend is none."""
        name = self.named.get(day)
        if name is not None or self.place is None:
            return name
        return year_off(self.place, day.year).named.get(day)

    def works(self, day: date) -> bool:
        """Whether it is a working day."""
        if day in self.named:
            return False
        if self.place is None:
            return day.weekday() < _SATURDAY
        return day not in year_off(self.place, day.year).idle

    def step(self, day: date, count: int) -> date | None:
        """The count-th working day after `day` (before it, when negative; the day itself for 0), which may be idle.

        None when there are too few of them within three times as many days and two months.
        """
        left, way = abs(count), timedelta(days=1 if count > 0 else -1)
        farthest = reach(count)
        while left and farthest:
            day, farthest = day + way, farthest - 1
            left -= self.works(day)
        return None if left else day


def working_days(name: str | None, calendars: Calendars) -> WorkingDays:
    """The working days of a calendar named in a document; without a name, weekends alone are off.

    Raises InvalidInput for a country that is not known and for an imported calendar that is not among `calendars`.
    """
    if name is None:
        return WorkingDays()
    if is_imported(name):
        if name not in calendars:
            meant = name.upper()
            cure = "Import it first." if name_faults(meant) else f"Did you mean {meant}? Or import it first."
            raise InvalidInput([Fault("holidays.calendar", f"There is no imported calendar '{name}'.", cure)])
        return WorkingDays(named=calendars[name])
    faults = name_faults(name)
    if faults:
        raise InvalidInput([Fault("holidays.calendar", fault.message, fault.cure) for fault in faults])
    return WorkingDays(place=name)


def reach(count: int) -> int:
    """How many days so many working days may span at the most."""
    return 3 * abs(count) + FARTHEST_ROLL
