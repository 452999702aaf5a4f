"""The levels of a process at which values can be given: the process, its phases, their activities, and on into the
subprocesses these call. An input set's `values` have the same shape.

Pure: works on documents and a catalogue.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, partial
from itertools import islice
from typing import Any

from config.errors import Fault
from processes import blueprint
from processes.catalogue import Catalogue
from processes.checks_report import Place
from processes.checks_scope import PHASE, RELEASE, definition_of, phase_scope, process_scope
from processes.checks_values import check_value
from processes.expansion import MOST_NODES
from processes.expressions_check import Scope
from processes.expressions_text import expressions_in
from processes.inputs import validate_value
from processes.schema_words import did_you_mean

Document = Mapping[str, Any]
Path = tuple[str, ...]
Reference = tuple[str, int | None]


@dataclass(frozen=True, slots=True)
class Level:
    """One level: the inputs declared there (None when what declares them is missing), what `with` gives them, and the
    names that expressions given there may use."""

    what: str
    declarations: Mapping[str, Mapping[str, Any]] | None
    given: Mapping[str, Any]
    scope: Callable[[], Scope]


Levels = Mapping[Path, Level]


def levels_of(document: Document, catalogue: Catalogue) -> dict[Path, Level]:
    """Every level of a process by its path: `()`, `("build",)`, `("build", "cart")`, and so on into subprocesses."""
    below = islice(_inside(document, catalogue, (), (str(document["id"]),)), MOST_NODES)
    return {(): Level("process", document.get("inputs", {}), {}, _before_all), **dict(below)}


def _before_all() -> Scope:
    return Scope(RELEASE)


def _inside(document: Document, catalogue: Catalogue, above: Path, chain: Path) -> Iterator[tuple[Path, Level]]:
    scope = cache(partial(process_scope, document, catalogue))
    for phase in document.get("phases", ()):
        here = (*above, phase["id"])
        yield here, Level("phase", phase.get("inputs", {}), {}, partial(_opening, scope))
        for activity in phase.get("activities", ()):
            definition = definition_of(activity, catalogue)
            declarations = None if definition is None else definition.get("inputs", {})
            yield (
                (*here, activity["id"]),
                Level("activity", declarations, blueprint.given_with(activity), partial(_in_phase, scope, phase)),
            )
            called = blueprint.split_pin(blueprint.process_reference(activity) or "")[0]
            if called and definition is not None and called not in chain:
                yield from _inside(definition, catalogue, (*here, activity["id"]), (*chain, called))


def _opening(scope: Callable[[], Scope]) -> Scope:
    return scope().with_names(PHASE)


def _in_phase(scope: Callable[[], Scope], phase: Document) -> Scope:
    return phase_scope(scope(), phase)


def given_in(values: Document, path: Path = (), place: str = "values") -> Iterator[tuple[Path, str, Document]]:
    """Every level of an input set's values: its path, its place in the document, and what is given there."""
    yield path, place, values.get("inputs", {})
    for phase, entry in values.get("phases", {}).items():
        spot = f"{place}.phases.{phase}"
        yield (*path, phase), spot, entry.get("inputs", {})
        for activity, inner in entry.get("activities", {}).items():
            yield from given_in(inner, (*path, phase, activity), f"{spot}.activities.{activity}")


def clean_values(values: Document, levels: Levels) -> tuple[dict[str, Any], list[Fault]]:
    """The values in canonical form, and everything wrong with them: unknown levels and names, wrong types.

    Missing values are no fault here. Expressions stay as they are; their names and types must fit.
    """
    faults: list[Fault] = []
    clean: dict[Path, dict[str, Any]] = {}
    for path, place, given in given_in(values):
        level = levels.get(path)
        if level is None:
            if path[:-1] in levels:
                faults.append(_unknown_level(path, place, levels))
            continue
        clean[path] = {}
        for name, value in given.items():
            clean[path][name], wrong = _value(level, name, value, f"{place}.inputs.{name}")
            faults += wrong
    return _rebuilt(values, (), clean), faults


def activities_in(document: Document) -> Iterator[Document]:
    """Every activity of a process document, in its order."""
    for phase in document.get("phases", ()):
        yield from phase.get("activities", ())


def activity_references(document: Document) -> Iterator[Reference]:
    """The store activities a process document names, with their pins."""
    for activity in activities_in(document):
        named = blueprint.store_reference(activity)
        if named is not None:
            yield blueprint.split_pin(named)


def process_references(document: Document) -> Iterator[Reference]:
    """The processes a process document calls, with their pins."""
    for activity in activities_in(document):
        called = blueprint.process_reference(activity)
        if called is not None:
            yield blueprint.split_pin(called)


def _value(level: Level, name: str, value: Any, place: str) -> tuple[Any, list[Fault]]:
    if level.declarations is None or value is None:
        return value, []
    if name not in level.declarations:
        known = list(level.declarations)
        words = f"The inputs are: {', '.join(known)}." if known else "Remove it."
        return value, [Fault(place, f"The {level.what} has no input '{name}'.", did_you_mean(name, known, words))]
    declaration = level.declarations[name]
    if any(True for _ in expressions_in(value)):
        return value, list(check_value(value, declaration, Place(place, level.scope())))
    return validate_value(declaration, value, place)


def _unknown_level(path: Path, place: str, levels: Levels) -> Fault:
    what = "phase" if len(path) % 2 else "activity"
    known = [other[-1] for other in levels if other[:-1] == path[:-1] and len(other) == len(path)]
    return Fault(place, f"There is no {what} '{path[-1]}'.", did_you_mean(path[-1], known, _listed(known)))


def _listed(known: list[str]) -> str:
    return f"There are: {', '.join(known)}." if known else "Remove it."


def _rebuilt(values: Document, path: Path, clean: Mapping[Path, dict[str, Any]]) -> dict[str, Any]:
    """A copy of the values with the inputs of every known level replaced by the clean ones."""
    copy = dict(values)
    if "inputs" in values:
        copy["inputs"] = clean.get(path, values["inputs"])
    for key in {"phases", "activities"} & set(values):
        copy[key] = {name: _rebuilt(entry, (*path, name), clean) for name, entry in values[key].items()}
    return copy
