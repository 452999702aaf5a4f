"""Where moments lie on a line, in percent, and which of them are written under it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

_SECOND, _MINUTE, _HOUR, _DAY = 1, 60, 3600, 86400
_STEPS = (
    *(_SECOND * n for n in (1, 2, 5, 10, 15, 30)),
    *(_MINUTE * n for n in (1, 2, 5, 10, 15, 30)),
    *(_HOUR * n for n in (1, 2, 3, 6, 12)),
    *(_DAY * n for n in (1, 2, 7, 14, 28, 56, 91, 182, 364, 3640)),
)
MOST_TICKS = 6


@dataclass(frozen=True, slots=True)
class Tick:
    """A moment that is written under a line; another day begins with it, among hours, where `is_day`."""

    x: float
    text: str
    is_day: bool = False


@dataclass(frozen=True, slots=True)
class Bar:
    """A stretch on a line, in percent of its length; never too short to be seen."""

    x: float
    width: float


@dataclass(frozen=True, slots=True)
class Scale:
    """A line from one moment to a later one."""

    starts_at: datetime
    ends_at: datetime

    @property
    def seconds(self) -> float:
        """How long it is; at least a second."""
        return max(1.0, (self.ends_at - self.starts_at).total_seconds())

    def at(self, moment: datetime) -> float:
        """Return where a moment lies; what lies outside is at its end."""
        share = (moment - self.starts_at).total_seconds() / self.seconds
        return round(100 * min(1.0, max(0.0, share)), 3)

    def bar(self, starts_at: datetime, ends_at: datetime) -> Bar:
        """Return the stretch between two moments."""
        x = min(self.at(starts_at), 99.6)
        return Bar(x, round(max(0.4, self.at(ends_at) - x), 3))

    def ticks(self, zone: tzinfo) -> list[Tick]:
        """Return at most MOST_TICKS round moments of a zone's clock; where another day begins its name stands."""
        step = next((one for one in _STEPS if self.seconds / one <= MOST_TICKS), _STEPS[-1])
        start = self.starts_at.astimezone(zone)
        found, day = [], start.date()
        for moment in _round_moments(start, step, self.ends_at):
            is_day = step < _DAY and moment.date() != day
            found.append(Tick(self.at(moment), _text(moment, _DAY if is_day else step), is_day))
            day = moment.date()
        return found


def _round_moments(start: datetime, step: int, end: datetime) -> list[datetime]:
    """Return the moments after `start` that are whole steps from midnight, on the clock of its zone."""
    midnight = start.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    number = int((start.replace(tzinfo=None) - midnight.replace(tzinfo=None)).total_seconds() // step)
    found: list[datetime] = []
    while len(found) <= MOST_TICKS:
        moment = midnight + timedelta(seconds=number * step)
        if moment > end:
            break
        if moment >= start and (not found or moment > found[-1]):
            found.append(moment)
        number += 1
    return found


def _text(moment: datetime, step: int) -> str:
    if step >= _DAY:
        return f"{moment:%a} {moment.day} {moment:%b}"
    return f"{moment:%H:%M:%S}" if step < _MINUTE else f"{moment:%H:%M}"
