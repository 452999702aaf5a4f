"""The phases of a release as a graph: nodes that need others of their level, and open into what they hold."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from releases.models import Release
from releases.progress import Progress
from releases.reading.forecasts import tree_for
from releases.reading.tree import ActivityView, PhaseView
from releases.tree import Node, Tree

#: A release of more activities opens its phases only into those of subprocesses; the others are in the list below.
MOST_NODES = 100


@dataclass(slots=True)
class GraphNode:
    """A phase or activity; `key` names it on the page, `needs` are the keys it depends on, `after` their names.

    `id` is its run's, None before the start.
    """

    key: str
    id: int | None
    kind: str
    name: str
    state: str
    needs: list[str] = field(default_factory=list)
    after: list[str] = field(default_factory=list)
    progress: Progress = field(default_factory=Progress)
    inner: list[GraphNode] = field(default_factory=list)
    is_critical: bool = False

    @property
    def is_phase(self) -> bool:
        """Whether it is a phase, not an activity."""
        return self.kind == "phase"


@dataclass(frozen=True, slots=True)
class Graph:
    """The phases of a release, in document order."""

    nodes: list[GraphNode]

    @property
    def is_telling(self) -> bool:
        """Whether a drawing says more than a list: there are several phases."""
        return len(self.nodes) > 1

    @property
    def is_dense(self) -> bool:
        """Whether there are so many phases that each is drawn smaller."""
        return len(self.nodes) > 12


def release_graph(phases: Sequence[PhaseView], critical: Collection[int] = ()) -> Graph:
    """Return the graph of a release's tree; `critical` are the ids of activities on the critical path. No queries."""
    with_activities = sum(1 for _ in _every(phases)) <= MOST_NODES
    return Graph(_phases(phases, set(critical), with_activities=with_activities))


def planned_graph(release: Release) -> Graph:
    """Return the graph of what a release would start with; empty where nothing fit to run is published."""
    tree = tree_for(release)
    if tree is None:
        return Graph([])
    return Graph(_planned(tree, tree.nodes[0].children, with_activities=_leaves(tree) <= MOST_NODES))


def _leaves(tree: Tree) -> int:
    return sum(1 for node in tree.nodes if not node.is_container)


def _every(phases: Iterable[PhaseView]) -> Iterable[ActivityView]:
    for phase in phases:
        for activity in phase.activities:
            yield activity
            yield from _every(activity.phases)


def _phases(phases: Sequence[PhaseView], critical: set[int], *, with_activities: bool) -> list[GraphNode]:
    keys = {_bare(phase.path): f"phase-{phase.id}" for phase in phases}
    names = {key: phase.name for key, phase in zip(keys.values(), phases, strict=True)}
    found = []
    for phase in phases:
        activities = _activities(phase.activities, critical, with_activities=with_activities)
        node = GraphNode(f"phase-{phase.id}", phase.id, "phase", phase.name, phase.state)
        node.needs = [keys[need] for need in phase.needs if need in keys]
        node.after = [names[need] for need in node.needs]
        node.progress = _progress(phase.activities)
        node.inner = activities if with_activities else [one for one in activities if one.inner]
        node.is_critical = any(one.is_critical for one in activities)
        found.append(node)
    return found


def _activities(activities: Sequence[ActivityView], critical: set[int], *, with_activities: bool) -> list[GraphNode]:
    keys = {_bare(one.path): f"run-{one.id}" for one in activities}
    names = {f"run-{one.id}": one.name for one in activities}
    found = []
    for one in activities:
        node = GraphNode(f"run-{one.id}", one.id, one.kind, one.name, one.state)
        node.needs = [keys[need] for need in one.needs if need in keys]
        node.after = [names[need] for need in node.needs]
        node.progress = _progress([one]) if one.items or one.phases else Progress()
        node.inner = _phases(one.phases, critical, with_activities=with_activities)
        inside = any(item.id in critical for item in one.items) or any(inner.is_critical for inner in node.inner)
        node.is_critical = one.id in critical or inside
        found.append(node)
    return found


def _bare(path: str) -> str:
    """Return a path without the items of loops: siblings lie in the same ones."""
    return path.partition("[")[0]


def _progress(activities: Iterable[ActivityView], into: Progress | None = None) -> Progress:
    """Count the activities that do work."""
    progress = Progress() if into is None else into
    for one in activities:
        if one.kind in ("subprocess", "for_each"):
            _progress(one.items, progress)
            for phase in one.phases:
                _progress(phase.activities, progress)
        else:
            progress.add(one.state, 1)
    return progress


def _planned(tree: Tree, ordinals: Sequence[int], *, with_activities: bool) -> list[GraphNode]:
    nodes = [tree.nodes[ordinal] for ordinal in ordinals]
    keys = {node.ordinal: f"node-{node.ordinal}" for node in nodes}
    found = []
    for node in nodes:
        drawn = GraphNode(keys[node.ordinal], None, node.kind, str(node.doc["name"]), "pending")
        drawn.needs = [keys[need] for need in node.needs if need in keys]
        drawn.after = [str(tree.nodes[need].doc["name"]) for need in node.needs if need in keys]
        inner = _planned(tree, _held(tree, node), with_activities=with_activities)
        drawn.inner = inner if with_activities or not node.is_phase else [one for one in inner if one.inner]
        found.append(drawn)
    return found


def _held(tree: Tree, node: Node) -> Sequence[int]:
    """Return what a node opens into: of a loop, what its template does."""
    return _held(tree, tree.nodes[node.children[0]]) if node.kind == "for_each" else node.children
