"""Which releases get in each other's way: they hold the same thing at the same time. Pure.

Only whether a release clashes is asked here, for thousands at once; with what is `releases.bookings`' business.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from itertools import groupby
from typing import NamedTuple

_NEVER = datetime.max.replace(tzinfo=UTC)


class Held(NamedTuple):
    """A release holds a thing for a time; without an end, for ever. Releases of one group do not clash."""

    what: str
    starts_at: datetime
    ends_at: datetime | None
    release_id: int
    group_id: int | None


def clashing(held: Iterable[Held]) -> set[int]:
    """Return the releases that hold something while another one, not of their group, holds it too.

    1. What is held of one thing is walked through in the order it begins. The two that last longest of those before,
       of different groups, tell whether one begins while another still lasts.
    2. The same is done backwards in time, for those that began first.
    """
    found: set[int] = set()
    for _, same in groupby(sorted(held, key=lambda one: (one.what, one.starts_at)), key=lambda one: one.what):
        ordered = [(one.starts_at, one.ends_at or _NEVER, _kin(one), one.release_id) for one in same]
        found |= _met(ordered)
    return found


def _kin(one: Held) -> int:
    return -one.release_id if one.group_id is None else one.group_id


def _met(ordered: Sequence[tuple[datetime, datetime, int, int]]) -> set[int]:
    """Return which of these, in the order they begin, overlap one of other kin."""
    found: set[int] = set()
    longest: dict[int, datetime] = {}
    for begins, ends, kin, pk in ordered:
        if any(until > begins for other, until in longest.items() if other != kin):
            found.add(pk)
        longest[kin] = max(ends, longest.get(kin, ends))
        longest = dict(sorted(longest.items(), key=lambda entry: entry[1], reverse=True)[:2])
    soonest: dict[int, datetime] = {}
    for begins, ends, kin, pk in reversed(ordered):
        if any(since < ends for other, since in soonest.items() if other != kin):
            found.add(pk)
        soonest[kin] = min(begins, soonest.get(kin, begins))
        soonest = dict(sorted(soonest.items(), key=lambda entry: entry[1])[:2])
    return found
