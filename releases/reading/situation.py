"""What "why blocked" has to know of a release that has started, in a number of queries its size does not change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Max

from releases import engine
from releases.execution.snapshots import tree_of
from releases.models import ActivityRun, Attempt, PhaseRun, Release
from releases.reading.asked import Asked, People, asked_of
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


_BOTH = ("id", "node", "items", "path", "name", "state", "error", "opens_at", "due_at", "held_until", "held_by",
         "started_at")  # fmt: skip


def situation_of(release: Release, *, now: datetime) -> Situation:
    """Return how a release that has started stands at `now` (UTC)."""
    assert release.snapshot_id is not None
    tree = tree_of(release.snapshot_id)
    phases = PhaseRun.objects.filter(release=release).values_list(*_BOTH, "owners")
    runs = list(
        ActivityRun.objects.filter(release=release).values_list(*_BOTH, "kind", "item_count", "tries", "partial")
    )
    rows = [_row(found[:12], kind="phase", owners=tuple(found[12])) for found in phases]
    rows += [_row(run[:12], kind=run[12], count=run[13], tries=run[14], partial=run[15]) for run in runs]
    state = release.state if release.finished_at is not None else "running"
    root = Row(ROOT, release.pk, "", str(release), "process", state, started_at=release.started_at)
    by_key = {row.key: row for row in [root, *rows]}
    known = {key: engine.Known(row.state, count=row.count) for key, row in by_key.items()}
    known |= {row.key: engine.Known(row.state, partial=True) for row in rows if row.partial and row.state == "aborted"}
    waits = ActivityRun.objects.filter(release=release, state="waiting", kind__in=("manual", "wait"))
    waiting = list(waits.only("node", "items", "kind", "work"))
    manual = [run for run in waiting if run.kind == "manual"]
    ids = {row.key: row.id for row in rows if row.kind != "phase"}
    asked, people = asked_of(release, tree, manual, ids)
    untils = {run.pk: datetime.fromisoformat(run.work["until"]) for run in waiting if run.kind == "wait"}
    picture = engine.Picture(tree, known, {})
    running = Attempt.objects.filter(activity_run__release=release, activity_run__state="running", status="running")
    told = dict(running.exclude(error="").order_by().values_list("activity_run", "error"))
    return Situation(release, now, tree, by_key, picture, asked, people, untils, _retries(release, tree, by_key), told)


def _row(columns: tuple[Any, ...], **more: Any) -> Row:
    pk, node, items, path, name, state, error, opens_at, due_at, held_until, held_by, started_at = columns
    return Row(
        Key(node, items), pk, path, name, state=state, error=error, opens_at=opens_at, due_at=due_at,
        held_until=held_until, held_by=held_by, started_at=started_at, **more,
    )  # fmt: skip


def _retries(release: Release, tree: Tree, rows: Mapping[Key, Row]) -> dict[int, datetime]:
    """Return when each queued activity that has failed is tried again, for those whose policy makes them wait."""
    tried = Attempt.objects.filter(
        activity_run__release=release, activity_run__state="queued", finished_at__isnull=False
    )
    last = dict(tried.order_by().values_list("activity_run").annotate(last=Max("finished_at")))
    found = {}
    for row in rows.values():
        delay = engine.retry_delay(tree[row.key].doc["retry"], row.tries - 1) if row.tries > 1 else None
        if row.state == "queued" and delay and (at := last.get(row.id)) is not None:
            found[row.id] = at + timedelta(seconds=delay)
    return found
