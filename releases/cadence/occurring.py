"""The moments of a cadence and the spans of a window, in UTC. See docs/time.md for the rules as tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from processes.durations import split
from releases.cadence.dates import World, dates, inherited, time_of_day
from releases.cadence.days import Calendars
from releases.cadence.rules import rule_days, start_of
from releases.cadence.wall import Bend, day_of, later, on_wall, to_utc

#: No gap moves a moment by more than a day, so nothing that starts in a range is named more than two days before.
_MARGIN = timedelta(days=2)


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One time a cadence comes round.

    `occurs_at` is who it is: the moment its rule names, before holidays move it. `starts_at` and `ends_at` are when it
    is planned, all three in UTC; `wall` is what clocks in the cadence's zone show then, naive.
    """

    occurs_at: datetime
    starts_at: datetime
    ends_at: datetime
    wall: datetime
    bends: tuple[Bend, ...] = ()


@dataclass(frozen=True, slots=True)
class Span:
    """A time a freeze applies, in UTC, from `starts_at` until before `ends_at`; without an end, until it is lifted."""

    starts_at: datetime
    ends_at: datetime | None


def occurrences(
    cadence: Mapping[str, Any],
    *,
    after: datetime,
    before: datetime,
    calendars: Calendars,
    parents: Mapping[str, Mapping[str, Any]],
    most: int = 10_000,
) -> list[Occurrence]:
    """The occurrences of a document's `cadence` with after <= starts_at < before, in order, the first `most` of them.

    `parents` are the cadences of the groups that `derive` leads to, by group. Two that start at the same moment are
    one: the one that nothing has moved. Raises InvalidInput for a rule, calendar or parent that is wrong or missing.
    """
    world = World(calendars, parents)
    line = world.line(cadence)
    clock, zone, length = time_of_day(line), cadence["timezone"], split(inherited(line, "duration") or 0)
    found: dict[datetime, Occurrence] = {}
    if after >= before:
        return []
    for date in dates(line, world, first=day_of(after, zone) - _MARGIN, last=day_of(before, zone)):
        starts_at, bent = to_utc(datetime.combine(date.on, clock), zone)
        if not after <= starts_at < before or (starts_at in found and bent):
            continue
        if len(found) == most and starts_at not in found:
            break
        occurs_at = starts_at if date.on == date.named else to_utc(datetime.combine(date.named, clock), zone)[0]
        wall = on_wall(starts_at, zone)
        found[starts_at] = Occurrence(occurs_at, starts_at, later(wall, *length, zone), wall, (*date.bends, *bent))
    return [found[moment] for moment in sorted(found)]


def windows(window: Mapping[str, Any], *, after: datetime, before: datetime) -> list[Span]:
    """The spans of a freeze's `window` that overlap the time from `after` until before `before`, in order."""
    zone = window["timezone"]
    spans = _recurring(window, zone, after, before) if "rrule" in window else [_once(window, zone)]
    return [span for span in spans if span.starts_at < before and (span.ends_at is None or span.ends_at > after)]


def _once(window: Mapping[str, Any], zone: str) -> Span:
    starts_at, _ = to_utc(start_of(window), zone)
    if window.get("until_lifted"):
        return Span(starts_at, None)
    if "end" in window:
        return Span(starts_at, to_utc(datetime.fromisoformat(window["end"]), zone)[0])
    return Span(starts_at, later(on_wall(starts_at, zone), *split(window["duration"]), zone))


def _recurring(window: Mapping[str, Any], zone: str, after: datetime, before: datetime) -> list[Span]:
    days, exact = split(window["duration"])
    first = day_of(after.astimezone(UTC), zone) - timedelta(days=days) - exact - _MARGIN
    spans: dict[datetime, Span] = {}
    for day in rule_days(window, first=first, last=day_of(before, zone)):
        starts_at, _ = to_utc(datetime.combine(day, start_of(window).time()), zone)
        spans[starts_at] = Span(starts_at, later(on_wall(starts_at, zone), days, exact, zone))
    return [spans[moment] for moment in sorted(spans)]
