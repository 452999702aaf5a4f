"""From the clock on a wall to UTC and back.

A time that does not exist (the clocks jump over it) moves forward by the gap; one that exists twice is the first. Both
leave a Bend. `zoneinfo` does just that for `fold=0`, also where the gap is half an hour or a whole day.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from processes.recurrence_days import EARLIEST, LATEST


@dataclass(frozen=True, slots=True)
class Bend:
    """Where a moment is not quite what its rule says: `gap`, `fold`, `holiday`, `extra` or `derived`, and why."""

    kind: str
    words: str


def to_utc(wall: datetime, zone: str) -> tuple[datetime, tuple[Bend, ...]]:
    """The moment at which clocks in the zone show `wall` (naive), and how it was bent."""
    clock = ZoneInfo(zone)
    local = wall.replace(tzinfo=clock, fold=0)
    moment = local.astimezone(UTC)
    shown = on_wall(moment, zone)
    if shown != wall:
        words = f"{wall:%H:%M} does not exist on {wall:%d %B %Y} in {zone}: the clocks go forward."
        return moment, (Bend("gap", f"{words} It is {_when(shown, wall)}."),)
    if local.replace(fold=1).utcoffset() != local.utcoffset():
        words = f"{wall:%H:%M} comes twice on {wall:%d %B %Y} in {zone}: the clocks go back. It is the first."
        return moment, (Bend("fold", words),)
    return moment, ()


def on_wall(moment: datetime, zone: str) -> datetime:
    """What clocks in the zone show at an aware moment, naive."""
    return moment.astimezone(ZoneInfo(zone)).replace(tzinfo=None, fold=0)


def wall_text(wall: datetime) -> str:
    """A naive moment as documents write it: to the minute, and finer only when it is."""
    return wall.isoformat(timespec="minutes" if not (wall.second or wall.microsecond) else "auto")


def day_of(moment: datetime, zone: str) -> date:
    """The day in the zone at an aware moment, held within the days that are followed."""
    moment = moment.astimezone(UTC)
    if moment.date() <= EARLIEST or moment.date() >= LATEST:
        return min(max(moment.date(), EARLIEST), LATEST)
    return on_wall(moment, zone).date()


def later(wall: datetime, days: int, exact: timedelta, zone: str) -> datetime:
    """The moment so many days on the clock and then so much exact time after `wall` (naive), in UTC."""
    moment, _ = to_utc(wall + timedelta(days=days), zone)
    return moment + exact


def length_between(start: datetime, end: datetime, zone: str) -> tuple[int, timedelta]:
    """The time between two moments as whole days on the zone's clock and the exact rest, both never negative."""
    wall = on_wall(start, zone)
    days = max((on_wall(end, zone) - wall).days, 0)
    if days and later(wall, days, timedelta(0), zone) > end:
        days -= 1
    return days, end - end_after(start, (days, timedelta(0)), zone)


def end_after(start: datetime, length: tuple[int, timedelta], zone: str) -> datetime:
    """The moment so many days on the zone's clock and then so much exact time after `start`."""
    days, exact = length
    return later(on_wall(start, zone), days, exact, zone) if days else start + exact


def _when(shown: datetime, wall: datetime) -> str:
    return f"{shown:%H:%M}" if shown.date() == wall.date() else f"{shown:%H:%M on %d %B}"
