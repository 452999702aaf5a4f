"""A release at a glance: its phases and activities as a tree, in a number of queries that its size does not change."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.utils import timezone

from releases.execution.snapshots import tree_of
from releases.models import Release
from releases.reading.due import is_overdue
from releases.reading.runs import ActivityRow, PhaseRow, Runs, runs_of
from releases.tree import Tree


@dataclass(slots=True)
class ActivityView:
    """An activity run in the tree. `phases` are a subprocess's, `items` a `for_each`'s runs in the list's order.

    `attempts` counts the tries so far; `needs` are the paths of what it depends on. It is `overdue` once `due_at` has
    passed and it has not settled.
    """

    id: int
    path: str
    slug: str
    name: str
    kind: str
    state: str
    required: bool
    partial: bool
    attempts: int
    item: Any
    error: str
    reason: str
    opens_at: datetime | None
    due_at: datetime | None
    opened_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    overdue: bool = False
    needs: list[str] = field(default_factory=list)
    phases: list[PhaseView] = field(default_factory=list)
    items: list[ActivityView] = field(default_factory=list)


@dataclass(slots=True)
class PhaseView:
    """A phase run in the tree, with what it holds in document order."""

    id: int
    path: str
    slug: str
    name: str
    state: str
    owners: list[str]
    error: str
    opens_at: datetime | None
    due_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    overdue: bool = False
    needs: list[str] = field(default_factory=list)
    activities: list[ActivityView] = field(default_factory=list)


_PHASE = ("id", "path", "slug", "name", "state", "owners", "error", "opens_at", "due_at", "started_at", "finished_at")
_ACTIVITY = (
    "id", "path", "slug", "name", "kind", "state", "required", "partial", "item", "error", "reason", "opens_at",
    "due_at", "opened_at", "started_at", "finished_at",
)  # fmt: skip


def release_tree(release: Release, *, now: datetime | None = None, runs: Runs | None = None) -> list[PhaseView]:
    """Return the phases of a release with everything below them, in document order; none before it has started.

    A few queries, and once per process one for the tree it was pinned to; `runs` are its runs, if they are known.
    `now` (UTC), if it is not the clock's, decides what is overdue.
    """
    if release.snapshot_id is None:
        return []
    tree = tree_of(release.snapshot_id)
    known, now = runs or runs_of(release), now or timezone.now()
    phase_views = {phase.id: _phase_view(phase, tree, now) for phase in known.phases}
    views = {run.id: _activity_view(run, tree, now) for run in known.activities}
    for run in sorted(known.activities, key=_place):
        home = phase_views[run.phase_id].activities if run.parent_id is None else views[run.parent_id].items
        home.append(views[run.id])
    top: list[PhaseView] = []
    for phase in sorted(known.phases, key=_place):
        home_of_phase = top if phase.parent_id is None else views[phase.parent_id].phases
        home_of_phase.append(phase_views[phase.id])
    return top


def _place(run: PhaseRow | ActivityRow) -> tuple[int, list[int]]:
    """Order runs as in the document, and the items of a `for_each` as in its list (10 after 9)."""
    return run.node, [int(index) for index in run.items.split(".") if index]


def _phase_view(phase: PhaseRow, tree: Tree, now: datetime) -> PhaseView:
    columns = {name: getattr(phase, name) for name in _PHASE}
    overdue = is_overdue(phase.due_at, phase.finished_at, now)
    return PhaseView(**columns, overdue=overdue, needs=needs_of(tree, phase.node))


def _activity_view(run: ActivityRow, tree: Tree, now: datetime) -> ActivityView:
    columns = {name: getattr(run, name) for name in _ACTIVITY}
    overdue = is_overdue(run.due_at, run.finished_at, now)
    return ActivityView(**columns, attempts=run.attempt, overdue=overdue, needs=needs_of(tree, run.node))


def needs_of(tree: Tree, node: int) -> list[str]:
    """Return the paths of the nodes that a node depends on."""
    return [str(tree.nodes[need].doc["path"]) for need in tree.nodes[node].needs]
