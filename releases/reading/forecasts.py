"""When a release is expected to be over, from what the same activities took before.

The past of a process are its last HISTORY releases that ran to their end, whoever may see them: only medians come out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache

from django.db import connection

from releases.execution.snapshots import tree_of
from releases.forecast import Forecast, Length, Run, Span, forecast, lengths_of, plan, unstarted
from releases.models import Release
from releases.reading.runs import ActivityRow, PhaseRow, Runs, runs_of
from releases.tree import ROOT, Key, Tree
from releases.trees import expansion_of

#: So many past releases of a process are looked at.
HISTORY = 20
VAGUE = timedelta(minutes=1)

# What was skipped took no time: what is skipped more often than not is expected to take none.
_MEDIANS = r"""
    SELECT regexp_replace(path, '\[\d+\]', '[]', 'g') AS known_path,
           percentile_cont(0.5) WITHIN GROUP (
               ORDER BY CASE WHEN state = 'skipped' THEN 0
                             ELSE extract(epoch FROM finished_at - coalesce(opened_at, started_at))::float8 END)
      FROM releases_activityrun
     WHERE release_id = ANY(%s) AND state IN ('succeeded', 'skipped')
       AND (state = 'skipped' OR coalesce(opened_at, started_at) IS NOT NULL)
     GROUP BY known_path"""


@dataclass(frozen=True, slots=True)
class Step:
    """An activity or phase in a forecast."""

    id: int | None
    path: str
    name: str
    kind: str
    state: str
    starts_at: datetime
    ends_at: datetime
    has_begun: bool
    is_over: bool
    is_critical: bool
    source: str


@dataclass(frozen=True, slots=True)
class ReleaseForecast:
    """When a release is expected to be over; the earliest if it hangs on what nobody knows (`unknown`, by name).

    `finish_at` is None where there is nothing to be expected: no plan, or nothing that could run. `steps` are its
    phases and activities in document order, `critical` those activities that make it end when it does.
    """

    as_of: datetime
    finish_at: datetime | None = None
    planned_end_at: datetime | None = None
    is_rough: bool = False
    unknown: list[str] = field(default_factory=list)
    critical: list[str] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)

    @property
    def is_earliest(self) -> bool:
        """Whether it may well end later, because nobody knows how long something takes."""
        return bool(self.unknown)

    @property
    def is_vague(self) -> bool:
        """Whether so little is known that the earliest end is next to now, which tells nobody anything."""
        return self.is_earliest and self.finish_at is not None and self.finish_at - self.as_of < VAGUE

    @property
    def late_by(self) -> timedelta | None:
        """By how much it ends after its plan, if it does."""
        if self.finish_at is None or self.planned_end_at is None or self.finish_at <= self.planned_end_at:
            return None
        return self.finish_at - self.planned_end_at


def release_forecast(release: Release, *, now: datetime, runs: Runs | None = None) -> ReleaseForecast:
    """Return what is to be expected of a release at `now`: from how it stands, or, before its start, from its plan.

    A number of queries that its size does not change; `runs` are its runs, if they are known.
    """
    if release.snapshot_id is not None:
        tree, standing, ids = _standing(release, runs or runs_of(release))
        found = forecast(tree, standing, _lengths(release, tree), now)
        return _told(release, now, tree, found, ids, {key: run.state for key, run in standing.items()})
    before, starts_at = tree_for(release), release.planned_start_at
    if before is None or starts_at is None or release.state == "cancelled":
        return ReleaseForecast(now, planned_end_at=release.planned_end_at)
    found = plan(before, _lengths(release, before), max(starts_at, now))
    return _told(release, now, before, found, {}, dict.fromkeys(unstarted(before), "pending"))


def planned_spans(release: Release) -> dict[str, Span]:
    """Return, by path, when everything was to run had it begun as planned and taken what it usually takes.

    Without a plan it counts from the actual start; empty if there is neither. A timeout is no plan.
    """
    tree, starts_at = tree_for(release), release.planned_start_at or release.started_at
    if tree is None or starts_at is None:
        return {}
    lengths = [Length() if length.source == "timeout" else length for length in _lengths(release, tree)]
    found = plan(tree, lengths, starts_at)
    return {path_of(tree, key): span for key, span in found.spans.items()}


def tree_for(release: Release) -> Tree | None:
    """Return the tree that a release runs, or would start with; None where nothing fit to run is published."""
    if release.snapshot_id is not None:
        return tree_of(release.snapshot_id)
    expansion = expansion_of(release)
    return None if expansion is None or expansion.faults else Tree.from_snapshot(expansion.tree)


def path_of(tree: Tree, key: Key) -> str:
    """Return the path of a run as people read it."""
    return f"{tree[key].doc['path']}{''.join(f'[{index}]' for index in key.items.split('.') if index)}"


def _lengths(release: Release, tree: Tree) -> list[Length]:
    past = Release.objects.filter(process=release.process_id, state__in=("succeeded", "partially_succeeded"))
    ids = past.exclude(pk=release.pk).order_by("-pk").values_list("pk", flat=True)[:HISTORY]
    return lengths_of(tree, _medians(tuple(ids)))


@lru_cache(maxsize=256)
def _medians(release_ids: tuple[int, ...]) -> Mapping[str, float]:
    """Return the median lengths of activities in releases that are over, and so never change, in seconds by path."""
    if not release_ids:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(_MEDIANS, [list(release_ids)])
        return dict(cursor.fetchall())


def _standing(release: Release, known: Runs) -> tuple[Tree, dict[Key, Run], dict[Key, int]]:
    """Return the tree of a release that has started, how its runs stand, and their ids."""
    assert release.snapshot_id is not None
    untils = known.untils
    state = release.state if release.finished_at is not None else "running"
    runs = {ROOT: Run(state, started_at=release.started_at, finished_at=release.finished_at)}
    ids: dict[Key, int] = {}
    rows: list[PhaseRow | ActivityRow] = [*known.phases, *known.activities]
    for row in rows:
        begun, count = row.started_at, 0
        if isinstance(row, ActivityRow):
            begun, count = row.opened_at or row.started_at, row.item_count
        key = Key(row.node, row.items)
        ids[key] = row.id
        opens_at = max(filter(None, (row.opens_at, row.held_until)), default=None)
        until = untils.get(row.id) if isinstance(row, ActivityRow) and begun else None
        runs[key] = Run(row.state, count, begun, row.finished_at, opens_at, until)
    return tree_of(release.snapshot_id), runs, ids


def _told(
    release: Release, now: datetime, tree: Tree, found: Forecast, ids: Mapping[Key, int], states: Mapping[Key, str]
) -> ReleaseForecast:
    critical, names = set(found.critical), {key: str(tree[key].doc["name"]) for key in found.spans}
    steps = [
        Step(
            id=ids.get(key),
            path=path_of(tree, key),
            name=names[key],
            kind=tree[key].kind,
            state=states[key],
            starts_at=span.starts_at,
            ends_at=span.ends_at,
            has_begun=span.has_begun,
            is_over=span.is_over,
            is_critical=key in critical,
            source=span.source,
        )
        for key, span in sorted(found.spans.items(), key=lambda entry: _place(entry[0]))
    ]
    return ReleaseForecast(
        now,
        found.finish_at,
        release.planned_end_at,
        found.is_rough,
        list(dict.fromkeys(names[key] for key in sorted(found.unknown, key=_place))),
        [path_of(tree, key) for key in found.critical],
        steps,
    )


def _place(key: Key) -> tuple[int, list[int]]:
    return key.node, [int(index) for index in key.items.split(".") if index]
