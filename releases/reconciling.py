"""Which planned releases become which occurrences when a group's cadence is planned anew. Pure.

Planned releases are *free* (scheduled, in the future, touched by nobody) or *fixed* (everything else). Only free ones
are moved or removed; whatever is fixed stays where it is and claims an occurrence, for which nothing is planned then:
what people moved, started early, skipped or cancelled is not planned a second time.

1. A release and an occurrence of the same moment belong together.
2. Of the rest, those on the same day in the group's zone do, fixed ones first: a cadence that changes its time of day
   moves its releases.
3. Of the rest, a fixed release that is still ahead claims the nearest occurrence: within NEAR, not beyond half the way
   to the next release, and none of the extra dates that people add beside a rule.
4. Of the rest, a free release goes to the nearest occurrence within NEAR, the earliest release first: a cadence that
   changes its weekday moves them too.
5. What is left over is removed, if it is a free release, or created, if it is an occurrence.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import NamedTuple
from zoneinfo import ZoneInfo

#: A release never moves further than this by itself: half a week, so that no weekly one is taken for its neighbour.
NEAR = timedelta(days=3, hours=12)


class Planned(NamedTuple):
    """A release of the group: its id, the occurrence it is for, whether planning may move or remove it, and whether
    the occurrence is still to come."""

    id: int
    occurs_at: datetime
    is_free: bool
    is_ahead: bool = True


@dataclass(slots=True)
class Pairs:
    """The occurrence of each free release that keeps one, the new one of each fixed release that claims another than
    before, and what is left over on either side."""

    moved: dict[int, datetime] = field(default_factory=dict)
    claimed: dict[int, datetime] = field(default_factory=dict)
    removed: list[int] = field(default_factory=list)
    created: list[datetime] = field(default_factory=list)


_Find = Callable[[Planned], datetime | None]


def reconcile(
    planned: Iterable[Planned], wanted: Iterable[datetime], zone: str, extra: Collection[datetime] = ()
) -> Pairs:
    """Return what becomes of `planned` so that the group has a release for every moment of `wanted` (all aware).

    `extra` are those of `wanted` that people added beside the rule.
    """
    pairs = Pairs()
    left = sorted(planned, key=lambda release: (release.is_free, release.occurs_at))
    reach = _reach(left)
    open_at = dict.fromkeys(sorted(wanted))
    left = _take(pairs, left, open_at, lambda release: release.occurs_at if release.occurs_at in open_at else None)
    days: dict[date, datetime] = {}
    for moment in open_at:
        days.setdefault(_day(moment, zone), moment)
    left = _take(pairs, left, open_at, lambda release: days.pop(_day(release.occurs_at, zone), None))
    fixed = [release for release in left if release.is_ahead and not release.is_free]
    ruled = {moment for moment in open_at if moment not in extra}
    _take(pairs, fixed, open_at, lambda one: _nearest(one.occurs_at, ruled & open_at.keys(), reach[one.id]))
    free = [release for release in left if release.is_free]
    free = _take(pairs, free, open_at, lambda release: _nearest(release.occurs_at, open_at, NEAR))
    pairs.removed = [release.id for release in free]
    pairs.created = list(open_at)
    return pairs


def _reach(planned: Iterable[Planned]) -> dict[int, timedelta]:
    """Return how far from its own occurrence each release may claim another, by its id."""
    releases = sorted(planned, key=lambda release: release.occurs_at)
    reach = {release.id: NEAR for release in releases}
    for one, other in pairwise(releases):
        half = (other.occurs_at - one.occurs_at) / 2
        reach[one.id], reach[other.id] = min(reach[one.id], half), min(reach[other.id], half)
    return reach


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
        elif moment != release.occurs_at:
            pairs.claimed[release.id] = moment
    return left


def _day(moment: datetime, zone: str) -> date:
    return moment.astimezone(ZoneInfo(zone)).date()


def _nearest(moment: datetime, open_at: Iterable[datetime], reach: timedelta) -> datetime | None:
    near = [other for other in open_at if abs(other - moment) <= reach]
    return min(near, key=lambda other: (abs(other - moment), other), default=None)


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
