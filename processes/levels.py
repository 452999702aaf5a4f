"""The levels of a process at which values can be given: the process, its phases, their activities, and on into the
subprocesses these call. An input set's `values` have the same shape.

Pure: works on documents and a catalogue.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from config.errors import ExpressionFailed, Fault
from processes import blueprint
from processes.catalogue import Catalogue
from processes.checks_scope import definition_of
from processes.expansion import MOST_NODES
from processes.expressions import prepare
from processes.expressions_text import expressions_in, pieces
from processes.inputs import validate_value
from processes.schema_words import did_you_mean

Document = Mapping[str, Any]
Path = tuple[str, ...]
Reference = tuple[str, int | None]


@dataclass(frozen=True, slots=True)
class Level:
    """One level: the inputs declared there (None when what declares them is missing), and what `with` gives them."""

    what: str
    declarations: Mapping[str, Mapping[str, Any]] | None
    given: Mapping[str, Any]


Levels = Mapping[Path, Level]


def levels_of(document: Document, catalogue: Catalogue) -> dict[Path, Level]:
    """Every level of a process by its path: `()`, `("build",)`, `("build", "cart")`, and so on into subprocesses."""
    below = islice(_inside(document, catalogue, (), (str(document["id"]),)), MOST_NODES)
    return {(): Level("process", document.get("inputs", {}), {}), **dict(below)}


def _inside(document: Document, catalogue: Catalogue, above: Path, chain: Path) -> Iterator[tuple[Path, Level]]:
    for phase in document.get("phases", ()):
        here = (*above, phase["id"])
        yield here, Level("phase", phase.get("inputs", {}), {})
        for activity in phase.get("activities", ()):
            definition = definition_of(activity, catalogue)
            declarations = None if definition is None else definition.get("inputs", {})
            yield (*here, activity["id"]), Level("activity", declarations, blueprint.given_with(activity))
            called = blueprint.split_pin(blueprint.process_reference(activity) or "")[0]
            if called and definition is not None and called not in chain:
                yield from _inside(definition, catalogue, (*here, activity["id"]), (*chain, called))


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

    Missing values are no fault here. Expressions are taken as they are if they can be read.
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
    written = [text for _, text in expressions_in(value)]
    if written:
        return value, _unreadable(written, place)
    return validate_value(level.declarations[name], value, place)


def _unreadable(texts: list[str], place: str) -> list[Fault]:
    try:
        for source in (content for text in texts for is_source, content in pieces(text) if is_source):
            prepare(source)
    except ExpressionFailed as error:
        return [Fault(place, error.message)]
    return []


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
