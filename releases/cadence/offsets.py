"""The moments of `opens` and `due`: offsets from a release's planned start or end, or from opening."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime

from processes.offsets import parse
from releases.cadence.days import WorkingDays
from releases.cadence.wall import later, on_wall


def moment_of(
    offset: str,
    *,
    start: datetime | None,
    end: datetime | None,
    opening: datetime | None,
    zone: str,
    days_off: WorkingDays | Mapping[date, str],
) -> datetime | None:
    """The moment an offset stands for, in UTC; None while its anchor is not known, or no such working day is near.

    `start` and `end` are the release's planned ones, `opening` when the phase, activity or task opened, all aware.
    Without an anchor's name a signed offset counts from `start`, an unsigned one from `opening`. Days, weeks and
    working days keep the time of day in `zone`; hours and less are exact. `days_off` is what `working_days(name,
    calendars)` gives for a country, an exchange or an imported calendar, or just a mapping of days off beside Saturdays
    and Sundays. Raises InvalidInput for a text that is no offset.
    """
    read = parse(offset)
    anchor = {"start": start, "end": end, "opening": opening}[read.anchor]
    if anchor is None:
        return None
    wall = on_wall(anchor, zone)
    if not (read.working_days or read.days):
        return (anchor + read.exact).astimezone(UTC)
    working = days_off if isinstance(days_off, WorkingDays) else WorkingDays(named=days_off)
    day = working.step(wall.date(), read.working_days)
    if day is None:
        return None
    return later(datetime.combine(day, wall.time()), read.days, read.exact, zone)
