"""How a group's last releases went: how each ended, whether it began and ended on time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from releases.models import Release

#: How many releases the health of a group is about.
LAST = 10
#: What starts at most so late still starts on time: machines and queues take a moment.
LEEWAY = timedelta(minutes=5)
GOOD = ("succeeded", "partially_succeeded")
CALLED_OFF = ("cancelled", "missed")


@dataclass(frozen=True, slots=True)
class Mark:
    """One release: `late_start` and `late_end` by how much, None when it was on time or had no plan."""

    release: Release
    late_start: timedelta | None
    late_end: timedelta | None


@dataclass(frozen=True, slots=True)
class TrainHealth:
    """The last releases of a group, the oldest first, counted; `planned` of them had a plan and started."""

    marks: tuple[Mark, ...]
    good: int
    planned: int
    started_on_time: int
    ended_on_time: int


def health_of(recent: Sequence[Release]) -> TrainHealth | None:
    """Return the health of a group by its finished releases, given the latest first; None when there are none."""
    marks = tuple(_mark(release) for release in reversed(recent[:LAST]))
    if not marks:
        return None
    planned = [mark for mark in marks if mark.release.planned_start_at and mark.release.started_at]
    ended = [mark for mark in planned if mark.release.planned_end_at is None or mark.late_end is None]
    return TrainHealth(
        marks,
        good=sum(mark.release.state in GOOD for mark in marks),
        planned=len(planned),
        started_on_time=sum(mark.late_start is None for mark in planned),
        ended_on_time=len(ended),
    )


def _mark(release: Release) -> Mark:
    started, ended = release.started_at, None if release.state in CALLED_OFF else release.finished_at
    late_start = started - release.planned_start_at - LEEWAY if started and release.planned_start_at else timedelta()
    late_end = ended - release.planned_end_at if ended and release.planned_end_at else timedelta()
    return Mark(
        release,
        late_start + LEEWAY if late_start > timedelta() else None,
        late_end if late_end > timedelta() else None,
    )
