"""When a release will be over and what that hangs on: its expected times and its critical path. Pure.

1. A node's length is, by what is known best: the median of its past successes, what its document expects (a wait, the
   tasks of its people), its timeout. Else nobody knows it, and it counts as nothing.
2. Every run is two points, its start and its end. A start comes after the start of what holds the run and the ends of
   what it needs (`needs: any`: the first of them); a container's end after the ends of what it holds. Of a `for_each`
   with `parallel: n`, an item starts when the item n places before it has ended.
3. In that order each point gets its moment: the actual one if it has come; else the latest of those before it, though
   not before now nor before what the clock brings, and for an end the length later. What outlasts its length ends now.
4. Each point remembers the one it waited for longest. Walked back from the release's end, they are the critical path.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from graphlib import TopologicalSorter
from typing import Any, NamedTuple

from config import durations
from releases.states import SETTLED
from releases.tree import ROOT, Key, Node, Tree, join

PATIENCE = 2
SLACK = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Length:
    """How long something takes, in seconds, and how that is known: history, expected, timeout or unknown.

    What waits for a moment takes `until` then.
    """

    seconds: float = 0.0
    source: str = "unknown"
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """What matters of one run. It starts not before `not_before`; `ends_at` is when a wait is over."""

    state: str = "pending"
    count: int = 0
    started_at: datetime | None = None
    finished_at: datetime | None = None
    not_before: datetime | None = None
    ends_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Span:
    """From when to when something runs: expected moments, as far as it has not begun or is not over."""

    starts_at: datetime
    ends_at: datetime
    has_begun: bool
    is_over: bool
    source: str


@dataclass(frozen=True, slots=True)
class Forecast:
    """The expected end of a release and of every run in it.

    It is the earliest end as long as there are `unknown` runs: nobody knows how long they take (any more, once they
    have taken PATIENCE times their length), or how long a failure on hold waits for a decision. `is_rough` says that a
    timeout stands in for a length. `critical` are the activities that make the release end when it does, in order.
    """

    finish_at: datetime
    spans: Mapping[Key, Span]
    critical: tuple[Key, ...]
    unknown: tuple[Key, ...]
    is_rough: bool


def forecast(tree: Tree, runs: Mapping[Key, Run], lengths: Sequence[Length], now: datetime) -> Forecast:
    """Return what is to be expected at `now` of a release with these runs; the root among them stands for it.

    `lengths` are those of the tree's nodes, in their order.
    """
    walk = _Walk(tree, runs, lengths, now)
    sources = {key: walk.source(key) for key in runs if key != ROOT}
    open_work = [key for key in sources if runs[key].state not in SETTLED and not walk.children(key)]
    return Forecast(
        finish_at=walk.moments[_Point(ROOT, is_end=True)],
        spans={key: walk.span(key) for key in sources},
        critical=walk.critical(),
        unknown=tuple(key for key in open_work if sources[key] == "unknown" or walk.is_open_ended(key)),
        is_rough=any(sources[key] == "timeout" for key in open_work),
    )


def plan(tree: Tree, lengths: Sequence[Length], starts_at: datetime) -> Forecast:
    """Return the same for a release that is to start at `starts_at`."""
    return forecast(tree, unstarted(tree), lengths, starts_at)


def unstarted(tree: Tree) -> dict[Key, Run]:
    """Return the runs of a release before its start: one of every node outside of any `for_each`."""
    return {Key(node.ordinal): Run() for node in tree.nodes if node.depth == 0}


def lengths_of(tree: Tree, history: Mapping[str, float]) -> list[Length]:
    """Return how long each node takes; `history` are medians in seconds by `history_path`."""
    return [_length(tree, node, history) for node in tree.nodes]


def history_path(node: Node) -> str:
    """Return the path under which the past of a node is found; what runs once per item has `[]` for each index."""
    return f"{node.doc['path']}{'[]' * node.depth}"


def _length(tree: Tree, node: Node, history: Mapping[str, float]) -> Length:
    past = history.get(history_path(node))
    if past is not None:
        return Length(past, "history")
    if node.kind == "for_each":
        template = tree.nodes[node.children[0]]
        return Length() if template.is_container else _length(tree, template, history)
    expected = _expected(node)
    if expected is not None:
        return expected
    timeout = node.doc.get("timeout")
    return Length(timeout, "timeout") if isinstance(timeout, int | float) else Length()


def _expected(node: Node) -> Length | None:
    """Return what a document expects: the tasks of one group come one after the other, those of several together."""
    spec: Mapping[str, Any] = node.doc.get("spec") or {}
    if node.kind == "phase":
        return Length(0.0, "expected")  # as long as what it holds
    if node.kind == "wait":
        return _waits(spec.get("wait"))
    by_group: dict[tuple[str, ...], float] = {}
    for task in spec.get("tasks") or ():
        length = task.get("expected_duration")
        if isinstance(length, int | float):
            who = tuple(task.get("groups") or ())
            by_group[who] = by_group.get(who, 0.0) + length
    return Length(max(by_group.values()), "expected") if by_group else None


def _waits(wait: Any) -> Length | None:
    if durations.is_duration(wait):
        return Length(durations.seconds(wait), "expected")
    try:
        until = datetime.fromisoformat(str(wait))
    except ValueError:  # an expression, which nobody can read yet
        return None
    return Length(0.0, "expected", until if until.tzinfo else until.replace(tzinfo=UTC))


class _Point(NamedTuple):
    """The start or the end of a run."""

    key: Key
    is_end: bool


class _Walk:
    """All points of a release in the order of what they wait for, each with its moment and what it waited for."""

    def __init__(self, tree: Tree, runs: Mapping[Key, Run], lengths: Sequence[Length], now: datetime) -> None:
        self.tree, self.runs, self.lengths, self.now = tree, runs, lengths, now
        self.moments: dict[_Point, datetime] = {}
        self.because: dict[_Point, _Point] = {}
        points = [_Point(key, is_end=is_end) for key in runs for is_end in (False, True)]
        before = {point: self._before(point) for point in points}
        for point in TopologicalSorter({p: [*alls, *first] for p, (alls, first) in before.items()}).static_order():
            self._settle(point, *before[point])

    def children(self, key: Key) -> list[Key]:
        """Return the runs directly inside a run."""
        if not self.tree[key].is_container:
            return []
        return [child for child in self.tree.children(key, self.runs[key].count) if child in self.runs]

    def source(self, key: Key) -> str:
        """Return how the length of a run is known."""
        return "expected" if self.runs[key].ends_at else self.lengths[key.node].source

    def is_open_ended(self, key: Key) -> bool:
        """Whether the length of a run says nothing more about its end."""
        run = self.runs[key]
        if run.state == "on_hold":
            return True
        if run.started_at is None or run.ends_at is not None or self.lengths[key.node].until is not None:
            return False
        return self.now - run.started_at > PATIENCE * timedelta(seconds=self.lengths[key.node].seconds) + SLACK

    def span(self, key: Key) -> Span:
        """Return from when to when a run goes."""
        run = self.runs[key]
        starts_at, ends_at = (self.moments[_Point(key, is_end=is_end)] for is_end in (False, True))
        is_over = run.finished_at is not None
        return Span(starts_at, ends_at, is_over or run.started_at is not None, is_over, self.source(key))

    def critical(self) -> tuple[Key, ...]:
        """Return the activities that the end waited for, the first first."""
        found: list[Key] = []
        point: _Point | None = _Point(ROOT, is_end=True)
        while point is not None:
            is_work = point.is_end and not self.tree[point.key].is_phase and not self.children(point.key)
            if is_work and self.runs[point.key].state != "skipped" and point.key != ROOT:
                found.append(point.key)
            point = self.because.get(point)
        return tuple(reversed(found))

    def _before(self, point: _Point) -> tuple[list[_Point], list[_Point]]:
        """Return the points that all come before a point, and those of which the first does."""
        key = point.key
        if point.is_end:
            return [_Point(key, is_end=False), *(_Point(child, is_end=True) for child in self.children(key))], []
        needs = [_Point(need, is_end=True) for need in self.tree.needs(key) if need in self.runs]
        parent = self.tree.parent(key)
        others = [] if parent is None else [_Point(parent, is_end=False), *self._place(key, parent)]
        return (others, needs) if self.tree[key].needs_any else ([*others, *needs], [])

    def _place(self, key: Key, parent: Key) -> list[_Point]:
        """Return the end of the item whose place an item of a `for_each` takes."""
        parallel = self.tree[parent].parallel
        index = int(key.items.rpartition(".")[2]) - parallel if parallel else -1
        return [_Point(Key(key.node, join(parent.items, index)), is_end=True)] if index >= 0 else []

    def _settle(self, point: _Point, alls: list[_Point], first: list[_Point]) -> None:
        known = [*alls, *([min(first, key=self.moments.__getitem__)] if first else [])]
        if known:  # of two that come together it is the later one in the document
            self.because[point] = max(reversed(known), key=self.moments.__getitem__)
        run = self.runs[point.key]
        began = run.started_at or run.finished_at
        actual = run.finished_at if point.is_end else began
        self.moments[point] = actual or (self._end(point, run) if point.is_end else self._start(point, run))

    def _start(self, point: _Point, run: Run) -> datetime:
        latest = [self.now] + ([self.moments[self.because[point]]] if point in self.because else [])
        return max(latest + ([run.not_before] if run.not_before else []))

    def _end(self, point: _Point, run: Run) -> datetime:
        starts_at = self.moments[_Point(point.key, is_end=False)]
        if self.children(point.key):
            return max(self.now, self.moments[self.because[point]])
        length = self.lengths[point.key.node]
        until = run.ends_at or length.until
        if until is not None:
            return max(self.now, starts_at, until)
        begins = self.now if run.state == "on_hold" else starts_at
        return max(self.now, begins + timedelta(seconds=length.seconds))
