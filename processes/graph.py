"""What depends on what in a process document: missing references, cycles, what can never start, who comes before whom.

The graph has three kinds of points: a phase's opening (`build>`), its end (`build<`), and every activity
(`build.compile`). An activity needs its phase's opening and its own dependencies; a phase's end needs its activities; a
phase's opening needs the ends of the phases it depends on. A dependency on another phase's activity is an edge like any
other, so a cycle through two phases is found.
"""

from __future__ import annotations

import graphlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from config.errors import Fault
from processes.schema_words import did_you_mean

Point = str


def opening(phase: str) -> Point:
    """The point where a phase opens."""
    return f"{phase}>"


def end(phase: str) -> Point:
    """The point where a phase has ended."""
    return f"{phase}<"


@dataclass
class Graph:
    """The points of a process with what each one needs, and the faults found while reading it."""

    needs: dict[Point, set[Point]] = field(default_factory=dict)
    places: dict[Point, str] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    _before: dict[Point, frozenset[Point]] = field(default_factory=dict)

    def before(self, point: Point) -> frozenset[Point]:
        """Every point that is surely settled before this one."""
        if point not in self._before:
            found: set[Point] = set()
            waiting = list(self.needs.get(point, ()))
            while waiting:
                one = waiting.pop()
                if one not in found:
                    found.add(one)
                    waiting += self.needs.get(one, ())
            self._before[point] = frozenset(found)
        return self._before[point]


def graph_of(document: Mapping[str, Any]) -> Graph:
    """The graph of a process document (its structure must be right) with all faults of ids, references and cycles."""
    graph = Graph()
    for place, phase in _numbered(document.get("phases", ()), "phases"):
        _add(graph, opening(phase["id"]), set(), place, f"a phase '{phase['id']}'")
        activities = set()
        for spot, activity in _numbered(phase.get("activities", ()), f"{place}.activities"):
            point = f"{phase['id']}.{activity['id']}"
            _add(graph, point, {opening(phase["id"])}, spot, f"an activity '{activity['id']}'")
            activities.add(point)
        graph.needs[end(phase["id"])] = {opening(phase["id"]), *activities}
    for place, phase in _numbered(document.get("phases", ()), "phases"):
        _depend(graph, opening(phase["id"]), phase, place, "")
        for spot, activity in _numbered(phase.get("activities", ()), f"{place}.activities"):
            _depend(graph, f"{phase['id']}.{activity['id']}", activity, spot, phase["id"])
    graph.faults += dict.fromkeys(_cycles(graph))
    return graph


def _numbered(items: Any, path: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for index, item in enumerate(items):
        yield f"{path}[{index}]", item


def _add(graph: Graph, point: Point, needs: set[Point], place: str, what: str) -> None:
    if point in graph.needs:
        first = graph.places[point]
        graph.faults.append(Fault(f"{place}.id", f"There is already {what} at {first}.", "Choose another id."))
        return
    graph.needs[point] = needs
    graph.places[point] = place


def _depend(graph: Graph, point: Point, node: Mapping[str, Any], place: str, phase: str) -> None:
    for index, name in enumerate(node.get("depends_on", ())):
        target = end(name) if not phase else name if "." in name else f"{phase}.{name}"
        if target == point or (not phase and name == node["id"]):
            graph.faults.append(Fault(f"{place}.depends_on[{index}]", f"'{name}' depends on itself.", "Remove it."))
        elif target not in graph.needs:
            graph.faults.append(_missing(graph, f"{place}.depends_on[{index}]", name, phase))
        else:
            graph.needs[point].add(target)


def _missing(graph: Graph, path: str, name: str, phase: str) -> Fault:
    phases = {point[:-1] for point in graph.needs if point.endswith(">")}
    if not phase:
        return Fault(path, f"There is no phase '{name}'.", did_you_mean(name, phases, _listed("phases", phases)))
    if name in phases:
        cure = (
            f"Let the phase '{phase}' depend on '{name}', or name an activity of it." if name != phase else "Remove it."
        )
        return Fault(path, f"'{name}' is a phase; an activity depends on activities.", cure)
    near = {point.partition(".")[2] for point in graph.needs if point.startswith(f"{phase}.")}
    known = near | {point for point in graph.needs if "." in point}
    return Fault(path, f"There is no activity '{name}'.", did_you_mean(name, known, _listed("activities here", near)))


def _listed(what: str, names: set[str]) -> str:
    return f"The {what} are {', '.join(sorted(names)[:10])}." if names else ""


def _cycles(graph: Graph) -> Iterator[Fault]:
    """One fault per cycle, found by taking one edge out of each and looking again; then what can never start."""
    needs = {point: set(before) for point, before in graph.needs.items()}
    stuck: set[Point] = set()
    while (cycle := _cycle(needs)) is not None:
        needs[cycle[1]].discard(cycle[0])
        stuck |= set(cycle)
        point = next(one for one in cycle if one in graph.places)
        words = " > ".join(_without_insides(cycle))
        yield Fault(f"{graph.places[point]}.depends_on", f"These wait for each other: {words}.", "Remove one of them.")
    if not stuck:
        return
    for point, place in graph.places.items():
        if point not in stuck and graph.before(point) & stuck:
            name = point.rstrip(">")
            yield Fault(place, f"'{name}' can never start: it needs something that waits for itself.", "See the cycle.")


def _cycle(needs: Mapping[Point, set[Point]]) -> list[Point] | None:
    try:
        graphlib.TopologicalSorter({point: sorted(before) for point, before in needs.items()}).prepare()
    except graphlib.CycleError as error:
        return list(error.args[1])
    return None


def _without_insides(cycle: list[Point]) -> list[str]:
    """The cycle for people: a phase once, without the activities that only stand between its opening and its end."""
    ring, shown = cycle[:-1], list[str]()
    for index, point in enumerate(ring):
        before, after = ring[index - 1], ring[(index + 1) % len(ring)]
        phase = point.partition(".")[0]
        if before == opening(phase) and after == end(phase):
            continue
        shown.append(point.rstrip("<>"))
    tidy = [name for index, name in enumerate(shown) if index == 0 or name != shown[index - 1]]
    return tidy if len(tidy) > 1 and tidy[0] == tidy[-1] else [*tidy, tidy[0]]
