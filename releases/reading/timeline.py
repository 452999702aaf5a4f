"""A release on a line of time: what was planned beside what happened and what is expected."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo
from typing import Any

from django.db.models import Q

from releases.forecast import Span
from releases.models import ActivityRun, PhaseRun, Release
from releases.reading.due import is_overdue
from releases.reading.forecasts import ReleaseForecast, Step, planned_spans
from releases.reading.planned import planned_dates
from releases.reading.timescale import Bar, Scale, Tick

#: With more activities than this only what has begun and is not over is opened at first.
MOST_OPEN = 120
#: So many times as long as it took may the plan of what is over reach beyond it.
MOST_BEYOND = 2
#: States in which something never ran.
_NEVER = ("skipped", "aborted")


@dataclass(slots=True)
class Line:
    """A phase or activity: its step, and its bars where it has them; `planned` is the span it was to have.

    `item` is what the run of a `for_each` is for. `due_x` is where `due_at` lies, None where that is not on the scale.
    """

    step: Step
    depth: int
    planned: Span | None = None
    planned_bar: Bar | None = None
    actual_bar: Bar | None = None
    expected_bar: Bar | None = None
    inside: list[Line] = field(default_factory=list)
    is_open: bool = True
    item: Any = None
    due_at: datetime | None = None
    due_x: float | None = None
    is_overdue: bool = False

    @property
    def actual_end(self) -> datetime | None:
        """When it was over, if it is."""
        return self.step.ends_at if self.step.is_over else None

    @property
    def planned_seconds(self) -> float:
        """How long it was to take; 0 where nobody knows."""
        return 0.0 if self.planned is None else (self.planned.ends_at - self.planned.starts_at).total_seconds()


@dataclass(frozen=True, slots=True)
class Timeline:
    """The lines of a release, one for each of its phases with those inside it, all on one scale.

    `now_x` is None where now is not on it, `window` the release's planned window.
    """

    begins_at: datetime | None
    lines: list[Line]
    ticks: list[Tick]
    now_x: float | None
    window: Bar | None


def release_timeline(release: Release, found: ReleaseForecast, *, now: datetime, zone: tzinfo) -> Timeline:
    """Return the timeline of a release of which `found` is the forecast, with ticks of a zone's clock.

    Empty before it has a plan or has started.
    """
    planned = planned_spans(release) if release.started_at is not None else {}
    if found.finish_at is None:
        return Timeline(None, [], [], None, None)
    due, items = _noted(release)
    scale = _scale(release, found, planned, due.values(), now)
    lines: list[Line] = []
    above: list[Line] = []
    is_small = len(found.steps) <= MOST_OPEN
    for step in found.steps:
        depth = step.path.count("/") + step.path.count("[")
        line = _line(step, depth, planned.get(step.path), scale, now)
        line.is_open = is_small or (step.has_begun and not step.is_over)
        line.item, line.due_at = items.get(step.path), due.get(step.path)
        if line.due_at is not None:
            line.due_x = scale.at(line.due_at) if scale.starts_at <= line.due_at <= scale.ends_at else None
            line.is_overdue = is_overdue(line.due_at, line.actual_end, now)
        above = [one for one in above if one.depth < depth][:1]
        (above[0].inside if above else lines).append(line)
        above = above or [line]
    start, end = release.planned_start_at, release.planned_end_at
    window = scale.bar(start, end) if start is not None and end is not None else None
    is_on_it = scale.starts_at <= now <= scale.ends_at and release.finished_at is None
    return Timeline(scale.starts_at, lines, scale.ticks(zone), scale.at(now) if is_on_it else None, window)


def _noted(release: Release) -> tuple[dict[str, datetime], dict[str, Any]]:
    """Return, by path, when what has a date is due, and the items of each `for_each`. Two queries at the most."""
    if release.started_at is None:
        return {one.path: one.due_at for one in planned_dates(release) if one.due_at is not None}, {}
    phases = PhaseRun.objects.filter(release=release, due_at__isnull=False)
    noted = Q(due_at__isnull=False) | Q(item__isnull=False)
    runs = ActivityRun.objects.filter(noted, release=release)
    due, items = dict[str, datetime](), dict[str, Any]()
    dated = [(path, due_at, None) for path, due_at in phases.values_list("path", "due_at")]
    for path, due_at, item in [*dated, *runs.values_list("path", "due_at", "item")]:
        if due_at is not None:
            due[path] = due_at
        if item is not None:
            items[path] = item
    return due, items


def _scale(
    release: Release, found: ReleaseForecast, planned: Mapping[str, Span], due: Iterable[datetime], now: datetime
) -> Scale:
    moments = list(_moments([*planned.values(), *(step for step in found.steps if step.state not in _NEVER)]))
    moments += [at for at in (release.started_at, release.planned_start_at, found.finish_at) if at is not None]
    if release.finished_at is None and release.started_at is not None:
        moments.append(now)
    start, end = min(moments), max(moments)
    end = max([end, *(at for at in due if at <= end + (end - start))])  # what is due far away stays off the scale
    if release.finished_at is not None and release.started_at is not None:  # what happened must remain visible
        end = min(end, release.finished_at + MOST_BEYOND * max(release.finished_at - start, timedelta(minutes=1)))
    margin = max(timedelta(seconds=1), (end - start) / 50)
    return Scale(start - margin, end + margin)


def _moments(spans: Iterable[Span | Step]) -> Iterable[datetime]:
    for span in spans:
        yield span.starts_at
        yield span.ends_at


def _line(step: Step, depth: int, planned: Span | None, scale: Scale, now: datetime) -> Line:
    line = Line(step, depth, planned)
    if planned is not None and line.planned_seconds > scale.seconds / 300:
        line.planned_bar = scale.bar(planned.starts_at, planned.ends_at)
    if step.state in _NEVER and step.starts_at == step.ends_at:
        return line
    if step.has_begun:
        line.actual_bar = scale.bar(step.starts_at, step.ends_at if step.is_over else now)
    if not step.is_over:
        line.expected_bar = scale.bar(now if step.has_begun else step.starts_at, step.ends_at)
    return line
