"""Which planned releases become which occurrences when a group's cadence is planned anew. Pure.

Planned releases are *free* (scheduled, in the future, touched by nobody) or *fixed* (everything else). Only free ones
are moved or removed; whatever is fixed keeps its occurrence, so that what people moved, skipped or cancelled stays so.

1. A release and an occurrence of the same moment belong together.
2. Of the rest, those on the same day in the group's zone do, fixed ones first: a cadence that changes its time of day
   moves its releases.
3. Of the rest, a free release goes to the nearest occurrence within NEAR, the earliest release first: a cadence that
   changes its weekday moves them too.
4. What is left over is removed, if it is a free release, or created, if it is an occurrence.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

#: A release never moves further than this by itself: half a week, so that no weekly one is taken for its neighbour.
NEAR = timedelta(days=3, hours=12)


class Planned(NamedTuple):
    """A release of the group: its id, the occurrence it is for, whether planning may move or remove it."""

    id: int
    occurs_at: datetime
    is_free: bool


@dataclass(slots=True)
class Pairs:
    """The occurrence of each free release that keeps one, and what is left over on either side."""

    moved: dict[int, datetime] = field(default_factory=dict)
    removed: list[int] = field(default_factory=list)
    created: list[datetime] = field(default_factory=list)


_Find = Callable[[Planned], datetime | None]


def reconcile(planned: Iterable[Planned], wanted: Iterable[datetime], zone: str) -> Pairs:
    """Return what becomes of `planned` so that the group has a release for every moment of `wanted` (all aware)."""
    pairs = Pairs()
    left = sorted(planned, key=lambda release: (release.is_free, release.occurs_at))
    open_at = dict.fromkeys(sorted(wanted))
    left = _take(pairs, left, open_at, lambda release: release.occurs_at if release.occurs_at in open_at else None)
    days: dict[date, datetime] = {}
    for moment in open_at:
        days.setdefault(_day(moment, zone), moment)
    left = _take(pairs, left, open_at, lambda release: days.pop(_day(release.occurs_at, zone), None))
    free = [release for release in left if release.is_free]
    free = _take(pairs, free, open_at, lambda release: _nearest(release.occurs_at, open_at))
    pairs.removed = [release.id for release in free]
    pairs.created = list(open_at)
    return pairs


def _take(pairs: Pairs, releases: list[Planned], open_at: dict[datetime, None], find: _Find) -> list[Planned]:
    """Give each release what `find` finds for it, which is then no longer open; return those that got nothing."""
    left = []
    for release in releases:
        moment = find(release)
        if moment is None:
            left.append(release)
            continue
        del open_at[moment]
        if release.is_free:
            pairs.moved[release.id] = moment
    return left


def _day(moment: datetime, zone: str) -> date:
    return moment.astimezone(ZoneInfo(zone)).date()


def _nearest(moment: datetime, open_at: Iterable[datetime]) -> datetime | None:
    near = [other for other in open_at if abs(other - moment) <= NEAR]
    return min(near, key=lambda other: abs(other - moment), default=None)


def numbered(fixed: Iterable[tuple[datetime, int]], free: Iterable[datetime]) -> dict[datetime, int]:
    """Return the number of each free occurrence: ascending, after those before the first, leaving out what is taken.

    `fixed` are the occurrences and numbers of the group's other releases.
    """
    moments = sorted(free)
    taken = dict(fixed)
    before = [number for moment, number in taken.items() if moments and moment < moments[0]]
    used, numbers, number = set(taken.values()), dict[datetime, int](), max(before, default=0)
    for moment in moments:
        number += 1
        while number in used:
            number += 1
        numbers[moment] = number
    return numbers
