"""The phase and activity runs of a release as rows, read once for all that a page tells of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from releases.models import ActivityRun, PhaseRun, Release
from releases.progress import Progress


class PhaseRow(NamedTuple):
    """A phase run, by the names of its columns."""

    id: int
    node: int
    items: str
    path: str
    slug: str
    name: str
    state: str
    error: str
    opens_at: datetime | None
    due_at: datetime | None
    held_until: datetime | None
    held_by: Mapping[str, Any] | None
    started_at: datetime | None
    finished_at: datetime | None
    parent_id: int | None
    owners: list[str]


class ActivityRow(NamedTuple):
    """An activity run, by the names of its columns."""

    id: int
    node: int
    items: str
    path: str
    slug: str
    name: str
    state: str
    error: str
    opens_at: datetime | None
    due_at: datetime | None
    held_until: datetime | None
    held_by: Mapping[str, Any] | None
    started_at: datetime | None
    finished_at: datetime | None
    parent_id: int | None
    phase_id: int
    kind: str
    required: bool
    partial: bool
    item: Any
    item_count: int
    tries: int
    attempt: int
    reason: str
    opened_at: datetime | None


@dataclass(frozen=True, slots=True)
class Runs:
    """The runs of a release; `waiting` are those that wait for people or a moment, with their `work` and place."""

    phases: list[PhaseRow] = field(default_factory=list)
    activities: list[ActivityRow] = field(default_factory=list)
    waiting: list[ActivityRun] = field(default_factory=list)

    @property
    def untils(self) -> dict[int, datetime]:
        """When each wait that has begun ends, by its id."""
        return {run.pk: datetime.fromisoformat(run.work["until"]) for run in self.waiting if run.kind == "wait"}

    @property
    def progress(self) -> Progress:
        """How far they have come, as `progress_of` counts it."""
        found = Progress()
        for row in self.activities:
            if row.kind not in ("subprocess", "for_each"):
                found.add(row.state, 1)
        return found


def runs_of(release: Release) -> Runs:
    """Return the runs of a release. Two queries, and one more while something waits."""
    phases = PhaseRun.objects.filter(release=release).order_by().values_list(*PhaseRow._fields)
    activities = ActivityRun.objects.filter(release=release).order_by().values_list(*ActivityRow._fields)
    found = Runs([PhaseRow._make(row) for row in phases], [ActivityRow._make(row) for row in activities])
    ids = [row.id for row in found.activities if row.state == "waiting" and row.kind in ("manual", "wait")]
    if ids:
        found.waiting.extend(ActivityRun.objects.filter(pk__in=ids).only("node", "items", "kind", "work"))
    return found
