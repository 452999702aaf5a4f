"""The dates of a cadence: which days its rule or its parent names, and where holidays move them.

1. The days are those of the `rrule`, or those derived from the parent's dates (as holidays have moved them).
2. `include` adds days, `exclude` takes away from all of them.
3. A day of the rule that is a day off is kept, skipped or moved, as `holidays.roll` says; an included one is kept.
4. Of days that fall together the unmoved one stays; of moved ones, the earliest.

Whatever range is asked for, the answer for a day is the same: days are looked at beyond both ends as far as they move.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, time, timedelta
from typing import Any

from config.errors import Fault, InvalidInput
from processes.recurrence_days import EARLIEST, LATEST
from releases.cadence.days import Calendars, WorkingDays, reach, working_days
from releases.cadence.derive import derived_days, reach_of
from releases.cadence.rules import rule_days, start_of, until_of
from releases.cadence.wall import Bend

Cadence = Mapping[str, Any]

_ROLL = timedelta(days=reach(1))


@dataclass(frozen=True, slots=True)
class World:
    """What a cadence may refer to: imported calendars by id, other groups' cadences by the group's id."""

    calendars: Calendars
    parents: Mapping[str, Cadence]

    def line(self, cadence: Cadence) -> list[Cadence]:
        """The cadence, its parent, the parent's parent, to the one with a rule of its own.

        Raises InvalidInput when one is missing, or when they lead back to themselves.
        """
        line, seen = [cadence], set()
        while "derive" in line[-1]:
            group = line[-1]["derive"]["group"]
            if group in seen:
                raise _wrong(f"The dates of '{group}' derive from themselves.", "Give one of the groups an 'rrule'.")
            if group not in self.parents:
                raise _wrong(f"The group '{group}' has no cadence to derive from.", "Name a group with a cadence.")
            seen.add(group)
            line.append(self.parents[group])
        return line


@dataclass(frozen=True, slots=True)
class Placed:
    """A date of a cadence: the day its rule names, and the day it is on."""

    named: date
    on: date
    bends: tuple[Bend, ...]


def inherited(line: list[Cadence], key: str) -> Any:
    """The value of the first of a cadence and its parents that has the key; None when none has."""
    return next((cadence[key] for cadence in line if key in cadence), None)


def time_of_day(line: list[Cadence]) -> time:
    """The time of day of a cadence: its own `start`'s, else its parent's. Raises InvalidInput when there is none."""
    start = inherited(line, "start")
    if start is None:
        raise InvalidInput([Fault("start", "'start' is missing.", "Write it like 2026-01-08T09:00.")])
    return start_of({"start": start}).time()


def dates(line: list[Cadence], world: World, *, first: date, last: date) -> list[Placed]:
    """The dates from `first` to `last` of the first cadence of a line, in the order of the days they are on."""
    found: dict[date, Placed] = {}
    for placed in _rolled(line, world, first=_clamp(first - _ROLL), last=_clamp(last + _ROLL)):
        if first <= placed.on <= last:
            other = found.get(placed.on)
            if other is None or (placed.on == placed.named and other.on != other.named):
                found[placed.on] = placed
    return [found[day] for day in sorted(found)]


def _rolled(line: list[Cadence], world: World, *, first: date, last: date) -> Iterator[Placed]:
    holidays = line[0].get("holidays", {})
    working = working_days(holidays.get("calendar"), world.calendars)
    for day, bends in sorted(_named(line, world, first=first, last=last).items()):
        name = working.holiday(day)
        if name is None and holidays.get("weekends") and not working.works(day):
            name = f"{day:%A}"
        if name is None:
            yield Placed(day, day, bends)
            continue
        extra = any(bend.kind == "extra" for bend in bends)
        on, words = _roll(day, "keep" if extra else holidays.get("roll", "keep"), working)
        if on is not None:
            bend = Bend("holiday", f"{day:%A, %d %B %Y} is off ({name}): {words}.")
            yield Placed(day, on, (*bends, bend))


def _roll(day: date, roll: str, working: WorkingDays) -> tuple[date | None, str]:
    if roll == "skip":
        return None, "skipped"
    if roll == "keep":
        return day, "kept all the same"
    on = working.step(day, 1 if roll == "next_working_day" else -1)
    if on is None:
        return day, "kept, for no working day is near"
    return on, f"moved to {on:%A, %d %B %Y}"


def _named(line: list[Cadence], world: World, *, first: date, last: date) -> dict[date, tuple[Bend, ...]]:
    """The days a cadence names before holidays, and what is to be said about each."""
    cadence = line[0]
    named: dict[date, tuple[Bend, ...]]
    if "derive" in cadence:
        derived = _derived(line, world, first=first, last=last)
        named = {day: (Bend("derived", words),) for day, words in derived.items()}
    else:
        named = dict.fromkeys(rule_days(cadence, first=first, last=last), ()) if "rrule" in cadence else {}
    for day in map(date.fromisoformat, cadence.get("include", ())):
        if first <= day <= last:
            named.setdefault(day, (Bend("extra", "An extra date beside the rule."),))
    for day in map(date.fromisoformat, cadence.get("exclude", ())):
        named.pop(day, None)
    return named


def _derived(line: list[Cadence], world: World, *, first: date, last: date) -> dict[date, str]:
    """The derived days within a cadence's own `start`, `until` and `count`; counting begins at its first one."""
    cadence, parents = line[0], line[1:]
    offsets, count = cadence["derive"].get("offsets", ["+0 days"]), cadence.get("count")
    away = timedelta(days=reach_of(offsets))
    begin = start_of(cadence).date() if "start" in cadence else EARLIEST
    since = begin if count is not None else max(first, begin)
    until = min(last, until_of(cadence))
    if since > until:
        return {}
    placed = dates(parents, world, first=_clamp(since - away), last=_clamp(until + away))
    calendar = (inherited(line, "holidays") or {}).get("calendar")
    found = derived_days((date.on for date in placed), offsets, working_days(calendar, world.calendars))
    days = [day for day in sorted(found) if since <= day <= until][:count]
    return {day: found[day] for day in days if day >= first}


def _clamp(day: date) -> date:
    return min(max(day, EARLIEST), LATEST)


def _wrong(message: str, cure: str) -> InvalidInput:
    return InvalidInput([Fault("derive.group", message, cure)])
