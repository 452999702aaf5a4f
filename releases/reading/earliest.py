"""The earliest moment at which each unsettled run of a release may start and end, by what is known now. Pure.

1. Every run is two points, its start and its end. A start comes after the start of what holds the run and after the
   ends of what it needs (with `needs: any` the first of them); a container's end after the ends of what it holds.
2. In that order each point gets the latest moment of those before it. A start also waits for what the clock brings:
   `opens`, a freeze's end, the delay before a retry. The length of a wait is known; how long a pipeline or a person
   takes is not.
3. What hangs on something of unknown length has no moment; it says on which runs it hangs instead.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from graphlib import TopologicalSorter
from typing import Any, NamedTuple

from config import durations
from releases.reading.situation import Row, Situation
from releases.tree import ROOT, Key

#: Of so many runs at most it is told that something hangs on them.
MOST_CAUSES = 4


@dataclass(frozen=True, slots=True)
class Estimate:
    """The earliest moment of a point, or None with the runs it hangs on; `stuck` if a failure on hold is among them."""

    at: datetime | None
    hangs_on: tuple[Key, ...] = ()
    stuck: bool = False


class Point(NamedTuple):
    """The start or the end of a run."""

    key: Key
    is_end: bool


def estimates(situation: Situation) -> dict[Point, Estimate]:
    """Return the earliest start and end of every run of a release."""
    sorter: TopologicalSorter[Point] = TopologicalSorter()
    slots = _Slots(situation)
    for row in situation.rows.values():
        _connect(situation, row, sorter, slots)
    found: dict[Point, Estimate] = {}
    for point in sorter.static_order():
        row = situation.rows[point.key]
        found[point] = _end(situation, row, found) if point.is_end else _start(situation, row, found, slots)
    return found


def _connect(situation: Situation, row: Row, sorter: TopologicalSorter[Point], slots: _Slots) -> None:
    start, end = Point(row.key, is_end=False), Point(row.key, is_end=True)
    holder = situation.holder(row)
    before = [Point(need.key, is_end=True) for need in situation.needs(row)]
    before += [Point(other, is_end=True) for other in slots.before(row)]
    before += [] if holder is None else [Point(holder.key, is_end=False)]
    sorter.add(start, *before)
    sorter.add(end, start, *(Point(child.key, is_end=True) for child in situation.children(row)))


def _all(estimates: Iterable[Estimate]) -> Estimate:
    """Return when all of several points have come."""
    found = list(estimates)
    known = [one.at for one in found if one.at is not None]
    causes = tuple(dict.fromkeys(key for one in found for key in one.hangs_on))[:MOST_CAUSES]
    at = max(known) if len(known) == len(found) else None
    return Estimate(at, causes, any(one.stuck for one in found))


def _any(estimates: Iterable[Estimate]) -> Estimate:
    """Return when the first of several points has come."""
    found = list(estimates)
    first = min(found, key=_order)
    return first if first.at is not None else Estimate(None, _all(found).hangs_on, all(one.stuck for one in found))


def _order(estimate: Estimate) -> tuple[bool, float]:
    """Order the earlier before the later, and what is not known last."""
    return estimate.at is None, 0.0 if estimate.at is None else estimate.at.timestamp()


def _start(situation: Situation, row: Row, found: dict[Point, Estimate], slots: _Slots) -> Estimate:
    now = Estimate(situation.now)
    if row.state not in ("pending", "queued"):
        return now
    parts = [now]
    if situation.is_paused:
        parts.append(Estimate(None, (ROOT,)))
    if row.state == "queued":
        return _all([*parts, Estimate(max(situation.now, situation.retries.get(row.id, situation.now)))])
    holder = situation.holder(row)
    if holder is not None:
        parts.append(found[Point(holder.key, is_end=False)])
    if needs := [found[Point(need.key, is_end=True)] for need in situation.needs(row)]:
        parts.append((_any if situation.node(row).needs_any else _all)(needs))
    parts += [_held(row, situation.now), *slots.take(row, found)]
    return _all(parts)


def held_until(row: Row) -> datetime | None:
    """Return until when a run is held; None if it is not, or if nobody knows (see `is_held_for_good`)."""
    if row.held_by is None:
        return row.held_until
    until = row.held_by.get("until", row.held_until)
    return datetime.fromisoformat(until) if isinstance(until, str) else until


def is_held_for_good(row: Row) -> bool:
    """Return whether a run is held until somebody does something about it."""
    return row.held_by is not None and held_until(row) is None


def _held(row: Row, now: datetime) -> Estimate:
    if is_held_for_good(row):
        return Estimate(None, (row.key,))
    return Estimate(max(at for at in (now, row.opens_at, held_until(row)) if at is not None))


def _end(situation: Situation, row: Row, found: dict[Point, Estimate]) -> Estimate:
    start = found[Point(row.key, is_end=False)]
    if row.is_settled:
        return Estimate(situation.now)
    if situation.node(row).is_container and (children := situation.children(row)):
        return _all([start, *(found[Point(child.key, is_end=True)] for child in children)])
    if row.kind == "wait":
        at = situation.untils.get(row.id) or _waited(situation.node(row).doc["spec"]["wait"], start.at)
        if at is not None:
            return Estimate(max(at, situation.now), start.hangs_on, start.stuck)
        if start.at is None:
            return start
    return _all([start, Estimate(None, (row.key,), stuck=row.state == "on_hold")])


def _waited(wait: Any, start: datetime | None) -> datetime | None:
    """Return when a wait that has not begun ends, if its length or moment is plain and its start is known."""
    if start is None or (isinstance(wait, str) and "${{" in wait):
        return None
    if durations.is_duration(wait):
        return start + timedelta(seconds=durations.seconds(wait))
    try:
        at = datetime.fromisoformat(str(wait))
    except ValueError:
        return None
    return max(start, at if at.tzinfo else at.replace(tzinfo=start.tzinfo))


class _Slots:
    """The places of every `for_each` that runs only so many items at once: a pending item takes the one free first."""

    def __init__(self, situation: Situation) -> None:
        self.situation = situation
        self.free: dict[Key, list[Estimate]] = {}
        self.last: dict[Key, Key] = {}
        self.previous: dict[Key, Key] = {}
        self.busy: dict[Key, list[Key]] = {}
        for row in situation.rows.values():
            if situation.node(row).parallel:
                items = situation.children(row)
                pending = [item.key for item in items if item.state == "pending"]
                self.previous |= dict(zip(pending[1:], pending[:-1], strict=True))
                self.busy[row.key] = [item.key for item in items if item.state != "pending" and not item.is_settled]

    def before(self, row: Row) -> list[Key]:
        """Return the items whose ends have to be known before a pending item's start can be."""
        holder = self.situation.tree.parent(row.key)
        if row.state != "pending" or holder not in self.busy:
            return []
        return [*self.busy[holder], *([self.previous[row.key]] if row.key in self.previous else [])]

    def take(self, row: Row, found: dict[Point, Estimate]) -> list[Estimate]:
        """Return when a place is free for a pending item, and let it have that place."""
        holder = self.situation.tree.parent(row.key)
        if holder is None or holder not in self.busy:
            return []
        if holder not in self.free:
            ends = [found[Point(key, is_end=True)] for key in self.busy[holder]]
            spare = (self.situation.tree[holder].parallel or 0) - len(ends)
            self.free[holder] = ends + [Estimate(self.situation.now)] * spare
        if row.key in self.previous:
            self.free[holder].append(found[Point(self.previous[row.key], is_end=True)])
        place = min(self.free[holder], key=_order)
        self.free[holder].remove(place)
        return [place]
