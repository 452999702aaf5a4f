"""What "why blocked" has to know of a release that has started, in a number of queries its size does not change."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Max

from releases import engine
from releases.execution.snapshots import tree_of
from releases.models import Attempt, Release
from releases.reading.asked import Asked, People, asked_of
from releases.reading.runs import ActivityRow, PhaseRow, Runs, runs_of
from releases.states import SETTLED
from releases.tree import ROOT, Key, Node, Tree


@dataclass(frozen=True, slots=True)
class Row:
    """A phase or activity run, as far as it matters for what it waits for; the root stands for the release."""

    key: Key
    id: int
    path: str
    name: str
    kind: str
    state: str
    owners: tuple[str, ...] = ()
    count: int = 0
    tries: int = 0
    partial: bool = False
    error: str = ""
    opens_at: datetime | None = None
    due_at: datetime | None = None
    held_until: datetime | None = None
    held_by: Mapping[str, Any] | None = None
    started_at: datetime | None = None

    @property
    def is_settled(self) -> bool:
        """Whether nothing more will become of it by itself."""
        return self.state in SETTLED


@dataclass(slots=True)
class Situation:
    """A release under way at a moment: its tree, its runs, and what waiting activities ask, by the run's id.

    `untils` is when a wait ends, `retries` when an activity that failed is tried again, `told` what engines say about
    what runs there.
    """

    release: Release
    now: datetime
    tree: Tree
    rows: Mapping[Key, Row]
    picture: engine.Picture
    asked: Mapping[int, Asked] = field(default_factory=dict)
    people: People = field(default_factory=People)
    untils: Mapping[int, datetime] = field(default_factory=dict)
    retries: Mapping[int, datetime] = field(default_factory=dict)
    told: Mapping[int, str] = field(default_factory=dict)
    _needs: dict[Key, list[Row]] = field(default_factory=dict)
    _first: dict[Key, list[Row]] = field(default_factory=dict)

    @property
    def is_paused(self) -> bool:
        """Whether nothing new starts in the release."""
        return self.release.state == "paused"

    def node(self, row: Row) -> Node:
        """Return what a run was pinned from."""
        return self.tree[row.key]

    def holder(self, row: Row) -> Row | None:
        """Return the run that holds a run; None for the root."""
        parent = self.tree.parent(row.key)
        return None if parent is None else self.rows[parent]

    def children(self, row: Row) -> list[Row]:
        """Return the runs directly inside a container."""
        return [self.rows[key] for key in self.tree.children(row.key, row.count) if key in self.rows]

    def needs(self, row: Row) -> list[Row]:
        """Return the unsettled runs that a pending run still has to wait for; none if one of several was enough."""
        if row.key not in self._needs:
            waits = row.state == "pending" and engine.readiness(self.picture, row.key)[0] == "not yet"
            needs = [self.rows[key] for key in self.tree.needs(row.key)] if waits else []
            self._needs[row.key] = [need for need in needs if not need.is_settled]
        return self._needs[row.key]

    def first_in(self, container: Row) -> list[Row]:
        """Return what is unsettled in a container and does not just wait for something else in it."""
        if container.key not in self._first:
            self._first[container.key] = self._first_in(container)
        return self._first[container.key]

    def _first_in(self, container: Row) -> list[Row]:
        unsettled = [child for child in self.children(container) if not child.is_settled]
        begun = [child for child in unsettled if child.state != "pending"]
        limit = self.node(container).parallel
        if limit is not None and len(begun) >= limit:
            return begun
        inside = {child.key for child in unsettled}
        return [child for child in unsettled if inside.isdisjoint(need.key for need in self.needs(child))]

    def deciders(self, row: Row) -> list[str]:
        """Return the names of those who decide about a run: its own owners and those of the phases it lies in."""
        names, here = list(self.node(row).doc["owners"]), self.holder(row)
        while here is not None:
            names += here.owners
            here = self.holder(here)
        return names


def situation_of(release: Release, *, now: datetime, runs: Runs | None = None) -> Situation:
    """Return how a release that has started stands at `now` (UTC); `runs` are its runs, if they are known."""
    assert release.snapshot_id is not None
    tree, known_runs = tree_of(release.snapshot_id), runs or runs_of(release)
    rows = [_row(phase, kind="phase", owners=tuple(phase.owners)) for phase in known_runs.phases]
    rows += [
        _row(run, kind=run.kind, count=run.item_count, tries=run.tries, partial=run.partial)
        for run in known_runs.activities
    ]
    state = release.state if release.finished_at is not None else "running"
    root = Row(ROOT, release.pk, "", str(release), "process", state, started_at=release.started_at)
    by_key = {row.key: row for row in [root, *rows]}
    known = {key: engine.Known(row.state, count=row.count) for key, row in by_key.items()}
    known |= {row.key: engine.Known(row.state, partial=True) for row in rows if row.partial and row.state == "aborted"}
    manual = [run for run in known_runs.waiting if run.kind == "manual"]
    ids = {row.key: row.id for row in rows if row.kind != "phase"}
    asked, people = asked_of(release, tree, manual, ids)
    picture, untils = engine.Picture(tree, known, {}), known_runs.untils
    told, retries = _told(release, rows), _retries(tree, by_key)
    return Situation(release, now, tree, by_key, picture, asked, people, untils, retries, told)


def _row(run: PhaseRow | ActivityRow, **more: Any) -> Row:
    return Row(
        Key(run.node, run.items), run.id, run.path, run.name, state=run.state, error=run.error, opens_at=run.opens_at,
        due_at=run.due_at, held_until=run.held_until, held_by=run.held_by, started_at=run.started_at, **more,
    )  # fmt: skip


def _told(release: Release, rows: Iterable[Row]) -> dict[int, str]:
    """Return what engines say about each activity that runs."""
    if not any(row.state == "running" and row.kind != "phase" for row in rows):
        return {}
    running = Attempt.objects.filter(activity_run__release=release, activity_run__state="running", status="running")
    return dict(running.exclude(error="").order_by().values_list("activity_run", "error"))


def _retries(tree: Tree, rows: Mapping[Key, Row]) -> dict[int, datetime]:
    """Return when each queued activity that has failed is tried again, for those whose policy makes them wait."""
    delays = {
        row.id: delay
        for row in rows.values()
        if row.state == "queued"
        and row.tries > 1
        and (delay := engine.retry_delay(tree[row.key].doc["retry"], row.tries - 1))
    }
    if not delays:
        return {}
    tried = Attempt.objects.filter(activity_run__in=list(delays), finished_at__isnull=False)
    last = dict(tried.order_by().values_list("activity_run").annotate(last=Max("finished_at")))
    return {pk: last[pk] + timedelta(seconds=delay) for pk, delay in delays.items() if pk in last}
