"""Why blocked: for every idle phase and activity of a release, and for one that has not started, what it waits for.

The answer names who can move it on, and the earliest moment it may start by what is known now (product, section 7). It
takes a number of queries that the size of the release does not change.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from config.trail import Actor
from releases.models import ActivityRun, PhaseRun, Release
from releases.reading import unstarted
from releases.reading.chain import Chain, hanging
from releases.reading.due import is_overdue
from releases.reading.earliest import Estimate, Point, estimates
from releases.reading.links import Link
from releases.reading.runs import Runs
from releases.reading.situation import Row, Situation, situation_of
from releases.tree import ROOT, Key

#: How deep and how long the chain of each entry is where all are listed.
BRIEF_DEPTH, BRIEF_MOST = 4, 12


@dataclass(slots=True)
class Blocked:
    """An idle run and what it waits for. `kind` is `phase` or an activity's kind.

    `earliest_at` is the earliest moment a pending or queued run may start by what is known; without one `hangs_on`
    says in words on what it hangs. Both are empty for what has begun.
    """

    id: int
    kind: str
    path: str
    name: str
    state: str
    opens_at: datetime | None
    due_at: datetime | None
    earliest_at: datetime | None
    hangs_on: str
    links: list[Link] = field(default_factory=list)

    @property
    def overdue(self) -> bool:
        """Whether it should have been over by now."""
        return is_overdue(self.due_at, None)


@dataclass(slots=True)
class ReleaseBlocked:
    """A release and what it waits for: to start, or to come to its end. `runs` are its idle phases and activities."""

    id: int
    state: str
    earliest_at: datetime | None
    hangs_on: str
    links: list[Link] = field(default_factory=list)
    runs: list[Blocked] = field(default_factory=list)


def release_blocked(actor: Actor, release: Release, *, now: datetime, runs: Runs | None = None) -> ReleaseBlocked:
    """Return why a release does not start, or everything idle in one that runs; nothing once it is over.

    Other releases that keep it from starting are told as far as `actor` may see them. `runs` are its runs, if known.
    """
    if release.finished_at is not None:
        return ReleaseBlocked(release.pk, release.state, None, "")
    if release.snapshot_id is None:
        links = unstarted.links_of(actor, release, now=now)
        at, hangs_on = unstarted.earliest_of(links, now=now)
        return ReleaseBlocked(release.pk, release.state, at, hangs_on, links)
    situation = situation_of(release, now=now, runs=runs)
    known = estimates(situation)
    idle = sorted((row for row in situation.rows.values() if _is_idle(row)), key=_place)
    entries = [_blocked(situation, known, row, Chain(situation, known, BRIEF_DEPTH, BRIEF_MOST)) for row in idle]
    links = list(Chain(situation, known).of(situation.rows[ROOT]))
    return ReleaseBlocked(release.pk, release.state, None, "", links, entries)


def run_blocked(run: ActivityRun | PhaseRun, *, now: datetime) -> Blocked:
    """Return what one run waits for, to its full depth; its links are empty once it has settled."""
    return blocked_in(situation_of(run.release, now=now), run)


def blocked_in(situation: Situation, run: ActivityRun | PhaseRun) -> Blocked:
    """Return the same, told how its release stands."""
    known = estimates(situation)
    return _blocked(situation, known, situation.rows[Key(run.node, run.items)], Chain(situation, known))


def _is_idle(row: Row) -> bool:
    return row.state in ("pending", "queued", "waiting", "on_hold")


def _place(row: Row) -> tuple[int, list[int]]:
    return row.key.node, [int(index) for index in row.key.items.split(".") if index]


def _blocked(situation: Situation, known: Mapping[Point, Estimate], row: Row, chain: Chain) -> Blocked:
    start = known[Point(row.key, is_end=False)] if row.state in ("pending", "queued") else None
    return Blocked(
        id=row.id,
        kind=row.kind,
        path=row.path,
        name=row.name,
        state=row.state,
        opens_at=row.opens_at,
        due_at=row.due_at,
        earliest_at=start.at if start else None,
        hangs_on=hanging(situation, start) if start else "",
        links=list(chain.of(row)),
    )
