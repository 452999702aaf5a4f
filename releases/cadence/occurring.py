"""The moments of a cadence and the spans of a window, in UTC. See docs/time.md for the rules as tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any

from config.durations import split
from processes.recurrence_days import EARLIEST, LATEST
from releases.cadence.dates import Placed, World, dates, inherited, time_of_day
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
    found: list[Occurrence] = []
    for since, until in _stretches(after, before):
        placed = dates(line, world, first=day_of(since, zone) - _MARGIN, last=day_of(until, zone))
        found += [one for one in _occurring(placed, clock, zone, length) if since <= one.starts_at < until]
        if len(found) >= most:
            break
    return found[:most]


def _stretches(after: datetime, before: datetime) -> Iterator[tuple[datetime, datetime]]:
    """A range in parts, the first of a year, each twice as long as the last, so that the first few dates come soon."""
    first = datetime.combine(EARLIEST, time(), UTC)
    last = datetime.combine(LATEST, time(), UTC)
    after, before, length = max(after, first), min(before, last), timedelta(days=366)
    while after < before:
        until = before if before - after <= length else after + length
        yield after, until
        after, length = until, length * 2


def _occurring(placed: Iterable[Placed], clock: time, zone: str, length: tuple[int, timedelta]) -> list[Occurrence]:
    """The occurrences on some dates, in order; of two at the same moment the one that no gap has moved."""
    found: dict[datetime, Occurrence] = {}
    for date in placed:
        starts_at, bent = to_utc(datetime.combine(date.on, clock), zone)
        if starts_at in found and bent:
            continue
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
