"""Where things stand in a calendar: bars in lanes over days, blocks side by side within a day. Pure.

Times are those on the wall (naive), in whatever zone the calendar is read. A place is said in classes: `t3 u7` is at
37, `m0 n4` is 4 long, because pages carry no styles of their own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from itertools import accumulate
from typing import Generic, Protocol, TypeVar
from zoneinfo import ZoneInfo

DAY = timedelta(days=1)
#: A day's grid has a row for every quarter of an hour; nothing is drawn smaller than two of them.
ROWS, SMALLEST = 96, 2
#: A bar over fewer days than this has no room for words where a day is a few pixels wide.
THIN = 5
_QUARTER = timedelta(minutes=15)
_MOMENT = timedelta(microseconds=1)
_MIDNIGHT = time()


class Timed(Protocol):
    """Anything that lasts from one time on the wall until another."""

    @property
    def starts(self) -> datetime:
        """When it starts, naive."""

    @property
    def ends(self) -> datetime:
        """When it ends, naive; not before it starts."""


T = TypeVar("T", bound=Timed)


@dataclass(frozen=True, slots=True)
class Bar(Generic[T]):
    """Something over days: from column `at`, `length` columns long, in a lane. What it goes beyond it does not end."""

    item: T
    at: int
    length: int
    lane: int
    is_start: bool
    is_end: bool

    @property
    def place(self) -> str:
        """Where it stands, in classes."""
        return f"{place(self.at, self.length)} y{self.lane}{' thin' if self.length < THIN else ''}"


@dataclass(slots=True)
class Row(Generic[T]):
    """Bars over some days; `hidden` counts on each day those for which there was no lane left."""

    bars: list[Bar[T]] = field(default_factory=list)
    hidden: list[int] = field(default_factory=list)
    lanes: int = 0


@dataclass(frozen=True, slots=True)
class Block(Generic[T]):
    """Something within a day: from row `at`, `length` rows long, in one of `of` columns of equal width."""

    item: T
    at: int
    length: int
    column: int
    of: int
    is_start: bool
    is_end: bool

    @property
    def place(self) -> str:
        """Where it stands, in classes."""
        return f"{place(self.at, self.length)} k{self.column} of{self.of}"


@dataclass(frozen=True, slots=True)
class Rest:
    """So many more than could be drawn beside each other, and where they would have stood."""

    count: int
    at: int
    length: int
    column: int
    of: int

    @property
    def place(self) -> str:
        """Where the note about them stands, in classes."""
        return f"{place(self.at, self.length)} k{self.column} of{self.of}"


@dataclass(slots=True)
class Column(Generic[T]):
    """A day with hours: blocks side by side, and notes about those for which there was no room."""

    blocks: list[Block[T]] = field(default_factory=list)
    rests: list[Rest] = field(default_factory=list)


def place(at: int, length: int) -> str:
    """Return a place in classes; both numbers are below 100."""
    return f"t{at // 10} u{at % 10} m{length // 10} n{length % 10}"


def on_wall(moment: datetime, zone: ZoneInfo) -> datetime:
    """Return what clocks in a zone show at an aware moment, naive."""
    return moment.astimezone(zone).replace(tzinfo=None, fold=0)


def at_midnight(day: date, zone: ZoneInfo) -> datetime:
    """Return the moment a day begins in a zone, in UTC."""
    return datetime.combine(day, time(), zone).astimezone(UTC)


def clock_change(day: date, zone: ZoneInfo) -> timedelta:
    """Return by how much the clocks of a zone go forward in the course of a day; less than nothing if back."""
    before, after = datetime.combine(day, time(), zone), datetime.combine(day + DAY, time(), zone)
    return (after.utcoffset() or timedelta()) - (before.utcoffset() or timedelta())


def in_words(starts: datetime, ends: datetime) -> str:
    """Return from when to when, as people say it; a moment if it does not last."""
    text = f"{_day(starts.date())}, {_clock(starts)}"
    if ends <= starts:
        return text
    return f"{text} \N{EN DASH} {'' if ends.date() == starts.date() else f'{_day(ends.date())}, '}{_clock(ends)}"


@lru_cache(maxsize=1024)
def _day(on: date) -> str:
    return f"{on:%a} {on.day} {on:%b}"


def _clock(moment: datetime) -> str:
    return f"{moment.hour:02}:{moment.minute:02}"


def last_day(one: Timed) -> date:
    """Return the last day something touches; what ends at midnight does not touch the day that begins then."""
    return one.ends.date() if one.ends <= one.starts else (one.ends - _MOMENT).date()


def touches(one: Timed, first: date, last: date) -> bool:
    """Return whether something touches a day from `first` to `last`."""
    return one.starts.date() <= last and last_day(one) >= first


def days_of(one: Timed, first: date) -> tuple[int, int]:
    """Return the first and last day something touches, counted from `first`."""
    return (one.starts.date() - first).days, (last_day(one) - first).days


def is_long(one: Timed) -> bool:
    """Return whether something is drawn over days rather than within them: it lasts for 24 hours or more."""
    return one.ends - one.starts >= DAY


def row(items: Iterable[T], first: date, columns: int, most: int) -> Row[T]:
    """Return bars for what touches `columns` days from `first` on, in `most` lanes at most.

    What starts first, and of that what lasts longest, takes the highest lane that is free.
    """
    found = Row[T](hidden=[0] * columns)
    free = [0] * most
    for one, at, length in sorted(_cut(items, first, columns), key=lambda cut: (cut[1], -cut[2], cut[0].starts)):
        lane = next((number for number in range(most) if free[number] <= at), None)
        if lane is None:
            for number in range(at, at + length):
                found.hidden[number] += 1
            continue
        free[lane] = at + length
        found.lanes = max(found.lanes, lane + 1)
        is_start = one.starts.date() >= first
        is_end = last_day(one) < first + columns * DAY
        found.bars.append(Bar(one, at, length, lane, is_start, is_end))
    return found


def _cut(items: Iterable[T], first: date, columns: int) -> Iterator[tuple[T, int, int]]:
    """Yield what touches the days, with its first column and how many it covers."""
    for one in items:
        at, end = days_of(one, first)
        if at < columns and end >= 0:
            at, end = max(at, 0), min(end, columns - 1)
            yield one, at, end - at + 1


def column(items: Iterable[T], day: date, most: int) -> Column[T]:
    """Return a day's blocks: what overlaps shares the width, at most `most` beside each other.

    Of more, the last column is a note of how many there are.
    """
    placed = sorted(_rows(items, day), key=lambda cut: (cut[1], -cut[2], cut[0].starts))
    found = Column[T]()
    cluster: list[tuple[T, int, int]] = []
    end = 0
    for cut in placed:
        if cluster and cut[1] >= end:
            _share(cluster, day, most, found)
            cluster, end = [], 0
        cluster.append(cut)
        end = max(end, cut[1] + cut[2])
    if cluster:
        _share(cluster, day, most, found)
    return found


def _rows(items: Iterable[T], day: date) -> Iterator[tuple[T, int, int]]:
    """Yield what touches a day, with the row it starts in and how many it covers."""
    midnight = datetime.combine(day, time())
    for one in items:
        if not touches(one, day, day):
            continue
        begin = int(max(one.starts - midnight, timedelta()) / _QUARTER)
        end = -int(-min(one.ends - midnight, DAY) // _QUARTER)
        begin = min(begin, ROWS - SMALLEST)
        yield one, begin, max(end - begin, SMALLEST)


def _share(cluster: Sequence[tuple[T, int, int]], day: date, most: int, found: Column[T]) -> None:
    """Put things that overlap beside each other, each in the first column that is free."""
    free: list[int] = []
    columns: list[int] = []
    for _, at, length in cluster:
        number = next((number for number, until in enumerate(free) if until <= at), len(free))
        free[number:] = [at + length, *free[number + 1 :]]
        columns.append(number)
    of = min(len(free), most)
    shown = of - 1 if len(free) > most else of
    rest: list[tuple[int, int]] = []
    for (one, at, length), number in zip(cluster, columns, strict=True):
        if number < shown:
            is_end = last_day(one) == day
            found.blocks.append(Block(one, at, length, number, of, one.starts.date() == day, is_end))
        else:
            rest.append((at, at + length))
    if rest:
        begin, end = min(at for at, _ in rest), max(until for _, until in rest)
        found.rests.append(Rest(len(rest), begin, end - begin, of - 1, of))


def per_week(items: Iterable[Timed], first: date, weeks: int) -> list[int]:
    """Return how many of these touch each of so many weeks from `first` on. For thousands, so in plain numbers."""
    changes, zero = [0] * (weeks + 1), first.toordinal()
    for one in items:
        begins, ends = one.starts.toordinal(), one.ends.toordinal()
        if ends > begins and one.ends.time() == _MIDNIGHT:
            ends -= 1
        at, last = max((begins - zero) // 7, 0), min((ends - zero) // 7, weeks - 1)
        if at <= last:
            changes[at] += 1
            changes[last + 1] -= 1
    return list(accumulate(changes[:weeks]))
