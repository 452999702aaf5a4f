"""Writing a time zone's rules for calendar programs (VTIMEZONE). Pure.

The library can do this too, but dates the beginning of summer time an hour late: a change is written in the wall clock
that it ends (RFC 5545, 3.6.5).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from icalendar import Timezone, TimezoneDaylight, TimezoneStandard

_DAY = timedelta(days=1)
_SECOND = timedelta(seconds=1)


@lru_cache(maxsize=200)
def timezone_of(zone: ZoneInfo, first_year: int, last_year: int) -> Timezone:
    """Return the rules of a zone as they are from the first year to the end of the last: each change at its moment.

    What is returned is shared; leave it as it is.
    """
    start, end = datetime(first_year, 1, 1, tzinfo=UTC), datetime(last_year + 1, 1, 1, tzinfo=UTC)
    written = Timezone()
    written.add("tzid", zone.key)
    written.add_component(_observance(start, zone))
    for moment in _changes(zone, start, end):
        written.add_component(_observance(moment, zone))
    return written


def _changes(zone: ZoneInfo, start: datetime, end: datetime) -> Iterator[datetime]:
    """Return the moments from which the offset, name or season of a zone is another than a second before."""
    day = start
    while day < end:
        low, high = day, day + _DAY
        if _clock(zone, low) != _clock(zone, high):
            while high - low > _SECOND:
                middle = low + timedelta(seconds=(high - low) // _SECOND // 2)
                low, high = (low, middle) if _clock(zone, middle) != _clock(zone, low) else (middle, high)
            yield high
        day += _DAY


def _observance(moment: datetime, zone: ZoneInfo) -> TimezoneStandard | TimezoneDaylight:
    before, _, _ = _clock(zone, moment - _SECOND)
    offset, name, is_summer = _clock(zone, moment)
    written = TimezoneDaylight() if is_summer else TimezoneStandard()
    written.add("dtstart", (moment + before).replace(tzinfo=None))
    written.add("tzoffsetfrom", before)
    written.add("tzoffsetto", offset)
    written.add("tzname", name)
    return written


def _clock(zone: ZoneInfo, moment: datetime) -> tuple[timedelta, str, bool]:
    wall = moment.astimezone(zone)
    return wall.utcoffset() or timedelta(), wall.tzname() or zone.key, bool(wall.dst())
