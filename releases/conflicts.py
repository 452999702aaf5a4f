"""Windows that overlap, and the time between them. Pure.

A span is half open: from `starts_at` until before `ends_at`, for ever without an end. What has no length counts as the
shortest there is, so that two things at the same moment meet.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import groupby
from operator import attrgetter
from typing import Protocol

from releases.findings import Finding

#: The shortest time that PostgreSQL and Python tell apart.
MOMENT = timedelta(microseconds=1)
_NEVER = datetime.max.replace(tzinfo=UTC)
#: What is booked, by the prefix of its name, and what a conflict about it is called.
KINDS = {"resource": "resource", "user": "owner", "group": "group"}
UNSEEN = "a release you may not see"


class Span(Protocol):
    """Anything with a start and, unless it is open, an end."""

    @property
    def starts_at(self) -> datetime:
        """The first moment of it."""

    @property
    def ends_at(self) -> datetime | None:
        """The first moment after it; None when it is open."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """A span and nothing else."""

    starts_at: datetime
    ends_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Holding:
    """One thing that one release holds for a time. `exclusive`: one release at a time may have it."""

    what: str
    release_id: int
    name: str
    starts_at: datetime
    ends_at: datetime | None = None
    group_id: int | None = None
    running: bool = False
    exclusive: bool = False


@dataclass(frozen=True, slots=True)
class Conflict:
    """Another release that holds the same thing at the same time: `kind` is resource, owner or group.

    `stops` says that a start has to wait for it. `release_id` is None when whoever asks may not see the release.
    """

    kind: str
    what: str
    release_id: int | None
    name: str
    span: Stretch
    stops: bool = False
    running: bool = False

    @property
    def bare(self) -> str:
        """What it is about, without its kind: `cart`."""
        return self.what.partition(":")[2]


def end_of(span: Span) -> datetime:
    """Return where a span ends, for comparing: the end of time if it is open, never at its own start."""
    return _NEVER if span.ends_at is None else max(span.ends_at, span.starts_at + MOMENT)


def overlaps(one: Span, other: Span) -> bool:
    """Return whether two spans have a moment in common."""
    return one.starts_at < end_of(other) and other.starts_at < end_of(one)


def overlap(one: Span, other: Span) -> Stretch | None:
    """Return what two spans have in common."""
    if not overlaps(one, other):
        return None
    start, end = max(one.starts_at, other.starts_at), min(end_of(one), end_of(other))
    return Stretch(start, None if end == _NEVER else end)


def merged(spans: Iterable[Span]) -> list[Stretch]:
    """Return the same time in as few spans as possible, in order: those that overlap or touch become one."""
    found: list[Stretch] = []
    for span in sorted(spans, key=attrgetter("starts_at")):
        end = end_of(span)
        if found and span.starts_at <= end_of(found[-1]):
            start, end = found[-1].starts_at, max(end, end_of(found.pop()))
        else:
            start = span.starts_at
        found.append(Stretch(start, None if end == _NEVER else end))
    return found


def next_free_slot(busy: Iterable[Span], *, after: datetime, length: timedelta, before: datetime) -> datetime | None:
    """Return the earliest start from `after` on of a slot of `length` that meets nothing busy and ends by `before`."""
    start = after
    for span in merged(busy):
        if end_of(span) <= start:
            continue
        if span.starts_at >= start + length:
            break
        start = end_of(span)
    return start if start <= before - length else None


def pairs(holdings: Iterable[Holding]) -> Iterator[tuple[Holding, Holding, Stretch]]:
    """Yield every two holdings of the same thing at the same time, with that time, ordered by the thing and the time.

    Releases of one group are left out, but for what only one release may have: how else they overlap is their group's
    own business.
    """
    ordered = sorted(holdings, key=lambda one: (one.what, one.starts_at, one.release_id))
    for _, same in groupby(ordered, key=attrgetter("what")):
        held: list[Holding] = []
        for one in same:
            held = [other for other in held if end_of(other) > one.starts_at]
            for other in held:
                shared = overlap(other, one)
                if shared is not None and _meet(one, other):
                    yield other, one, shared
            held.append(one)


def _meet(one: Holding, other: Holding) -> bool:
    if one.release_id == other.release_id:
        return False
    return one.exclusive or one.group_id is None or one.group_id != other.group_id


def conflict_with(other: Holding, shared: Stretch) -> Conflict:
    """Return the conflict that another release's holding is for whoever wants the same at the same time."""
    kind = KINDS[other.what.partition(":")[0]]
    stops = kind == "resource" and other.exclusive and other.running
    return Conflict(kind, other.what, other.release_id, other.name, shared, stops=stops, running=other.running)


def unseen(conflict: Conflict) -> Conflict:
    """Return the same conflict for those who may not see the other release."""
    return replace(conflict, release_id=None, name=UNSEEN)


def finding_of(conflict: Conflict) -> Finding:
    """Return what a conflict means for the start of a release.

    The other release is named by `path` alone (`R-12`), never in the words: those who see this release need not
    be allowed to see that one. Who may is told its name where it is shown.
    """
    words = {
        "resource": f"Another release uses '{conflict.bare}' at the same time.",
        "owner": f"{conflict.bare} owns work in another release at the same time.",
        "group": f"The group '{conflict.bare}' owns work in another release at the same time.",
    }
    path = "" if conflict.release_id is None else f"R-{conflict.release_id}"
    if conflict.stops:
        message = f"'{conflict.bare}' is held by a running release, and only one release at a time may use it."
        return Finding("conflict", message, "Wait until it is over, or plan around it.", path=path)
    cure = "Look for a free slot." if conflict.kind == "resource" else ""
    return Finding("conflict", words[conflict.kind], cure, stops=False, path=path, until=conflict.span.ends_at)
