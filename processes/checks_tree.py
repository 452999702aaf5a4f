"""Checking the whole tree a process becomes with its subprocesses: recursion, depth and size."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from config.errors import Fault
from processes import blueprint
from processes.catalogue import Catalogue
from processes.expansion import DEEPEST_NESTING, MOST_NODES

Document = Mapping[str, Any]


def tree_faults(document: Document, catalogue: Catalogue) -> list[Fault]:
    """Subprocesses that lead back to the process or to themselves, nest too deep, or make the tree too large."""
    sizes: dict[str, int] = {}
    faults: list[Fault] = []
    total = 1
    for place, activity in _calls(document):
        reference = blueprint.process_reference(activity)
        if reference is None:
            continue
        chain = _recursion(reference, (str(document["id"]),), catalogue)
        if chain:
            faults.append(Fault(place, f"The process calls itself: {' > '.join(chain)}.", "Break the circle."))
            continue
        depth = _depth(reference, catalogue, {})
        if depth > DEEPEST_NESTING:
            words = f"Subprocesses are nested {depth} deep; {DEEPEST_NESTING} is the limit."
            faults.append(Fault(place, words, "Flatten some of them."))
            continue
        total += _size(reference, catalogue, sizes)
    total += _own(document)
    if total > MOST_NODES and not faults:
        words = f"With its subprocesses the process has {total} phases and activities; {MOST_NODES} is the limit."
        faults.append(Fault("phases", words, "Split it into several processes."))
    return faults


def _calls(document: Document) -> Iterator[tuple[str, Document]]:
    for at, phase in enumerate(document.get("phases", ())):
        for index, activity in enumerate(phase.get("activities", ())):
            yield f"phases[{at}].activities[{index}].subprocess", activity


def _called(document: Document) -> list[str]:
    found = (blueprint.process_reference(activity) for _, activity in _calls(document))
    return sorted({reference for reference in found if reference is not None})


def _find(reference: str, catalogue: Catalogue) -> Document | None:
    found = catalogue.process(*blueprint.split_pin(reference))
    return None if found is None else found.document


def _recursion(reference: str, root: tuple[str, ...], catalogue: Catalogue) -> list[str]:
    """The ids from the root back to one already on the way; empty when there is no way back."""
    finished: set[str] = set()

    def search(name: str, chain: tuple[str, ...]) -> list[str]:
        slug = blueprint.split_pin(name)[0]
        if slug in chain:
            return [*chain[chain.index(slug) :], slug] if slug != root[0] else [*chain, slug]
        document = None if name in finished else _find(name, catalogue)
        for inner in [] if document is None else _called(document):
            found = search(inner, (*chain, slug))
            if found:
                return found
        finished.add(name)
        return []

    return search(reference, root)


def _depth(reference: str, catalogue: Catalogue, known: dict[str, int]) -> int:
    """How many levels of subprocesses a call adds, itself included."""
    if reference not in known:
        document = _find(reference, catalogue)
        below = [] if document is None else [_depth(inner, catalogue, known) for inner in _called(document)]
        known[reference] = 1 + max(below, default=0)
    return known[reference]


def _size(reference: str, catalogue: Catalogue, known: dict[str, int]) -> int:
    """How many nodes a call adds below its own."""
    if reference not in known:
        document = _find(reference, catalogue)
        known[reference] = 0
        if document is not None:
            inner = [blueprint.process_reference(activity) for _, activity in _calls(document)]
            known[reference] = _own(document) + sum(_size(name, catalogue, known) for name in inner if name is not None)
    return known[reference]


def _own(document: Document) -> int:
    count = 0
    for phase in document.get("phases", ()):
        count += 1 + sum(2 if "for_each" in activity else 1 for activity in phase.get("activities", ()))
    return count
