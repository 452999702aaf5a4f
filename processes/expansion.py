"""Expanding a process revision into the one flat tree a release runs: the snapshot.

1. Node 0 is the process; every phase and activity follows, parents before children, in document order.
2. A store activity's definition and the reference's own keys are merged; the reference wins.
3. A subprocess is grafted in: a node of its own, below it the phases of the called process, which see only that node's
   inputs (its `scope`).
4. A `for_each` activity is two nodes: the container, and below it the template that runs once per item.
5. When a process is complete, its dependencies become ordinals.

Pure and deterministic: the same documents give the same snapshot, so releases share it by its digest.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from config.errors import Fault, InvalidInput
from processes import blueprint
from processes.catalogue import Catalogue
from processes.document import digest
from processes.expansion_nodes import activity_node, container_node, phase_node, process_node, subprocess_node
from processes.schema_words import did_you_mean

DEEPEST_NESTING = 8
MOST_NODES = 5000


def expand(
    document: Mapping[str, Any], revision: int, catalogue: Catalogue, *, document_digest: str = ""
) -> dict[str, Any]:
    """The snapshot of a process revision (design in this module's docstring), as JSON.

    `document_digest` is the revision's digest, computed when left out. Raises InvalidInput when something the document
    names is missing, calls itself, or the tree grows past its limits; publish checks find these beforehand.
    """
    expansion = _Expansion(catalogue)
    root = expansion.add(process_node(document, revision))
    expansion.phases(document, root, (str(document["id"]),), [])
    return {
        "format": 1,
        "process": {
            "id": document["id"],
            "revision": revision,
            "digest": document_digest or digest(document),
        },
        "pins": {"activities": expansion.activities, "processes": expansion.processes},
        "roles": {**expansion.roles, **document.get("roles", {})},
        "nodes": expansion.nodes,
    }


class _Expansion:
    """The snapshot while it grows."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        self.nodes: list[dict[str, Any]] = []
        self.activities: dict[str, int] = {}
        self.processes: dict[str, int] = {}
        self.roles: dict[str, Any] = {}

    def add(self, node: dict[str, Any]) -> int:
        if len(self.nodes) >= MOST_NODES:
            raise InvalidInput(f"The process has more than {MOST_NODES} phases and activities.")
        self.nodes.append(node)
        return len(self.nodes) - 1

    def phases(self, document: Mapping[str, Any], scope: int, chain: tuple[str, ...], owners: list[str]) -> None:
        """Adds the phases of a process below its node, then turns their dependencies into ordinals."""
        known: dict[str, int] = {}
        waiting: list[tuple[int, str, list[str]]] = []
        for phase in document.get("phases", ()):
            node = phase_node(phase, self._path(scope, phase["id"]), scope, owners)
            ordinal = self.add(node)
            known[phase["id"]] = ordinal
            waiting.append((ordinal, "", phase.get("depends_on", [])))
            for activity in phase.get("activities", ()):
                place = self._activity(activity, ordinal, scope, chain)
                known[f"{phase['id']}.{activity['id']}"] = place
                waiting.append((place, phase["id"], activity.get("depends_on", [])))
        for ordinal, phase_id, references in waiting:
            self.nodes[ordinal]["needs"] = sorted({self._need(known, phase_id, name) for name in references})

    def _activity(self, activity: Mapping[str, Any], phase: int, scope: int, chain: tuple[str, ...]) -> int:
        path, owners = self._path(phase, activity["id"]), self.nodes[phase]["owners"]
        first = parent = None
        if activity.get("for_each") is not None:
            first = parent = self.add(container_node(activity, path, phase, scope, owners))
        above = phase if parent is None else parent
        called = blueprint.process_reference(activity)
        if called is None:
            place = self.add(activity_node(activity, self._store(activity), path, above, scope, owners))
        else:
            place = self._subprocess(activity, called, (path, above, scope), owners, chain)
        if parent is not None:
            self._as_template(parent, place)
        return place if first is None else first

    def _subprocess(
        self,
        activity: Mapping[str, Any],
        called: str,
        where: tuple[str, int, int],
        owners: list[str],
        chain: tuple[str, ...],
    ) -> int:
        slug, pinned = blueprint.split_pin(called)
        found = self.catalogue.process(slug, pinned)
        if found is None:
            raise _missing(where[0], "process", called, self.catalogue.processes())
        if slug in chain:
            raise InvalidInput([Fault(where[0], f"The process calls itself: {' > '.join([*chain, slug])}.")])
        if len(chain) > DEEPEST_NESTING:
            raise InvalidInput([Fault(where[0], f"Subprocesses are nested more than {DEEPEST_NESTING} deep.")])
        self.processes[called] = found.revision
        self.roles = {**found.document.get("roles", {}), **self.roles}
        place = self.add(subprocess_node(activity, found, where, owners))
        self.phases(found.document, place, (*chain, slug), self.nodes[place]["owners"])
        return place

    def _store(self, activity: Mapping[str, Any]) -> tuple[str, int, Mapping[str, Any]] | None:
        reference = blueprint.store_reference(activity)
        if reference is None:
            return None
        slug, pinned = blueprint.split_pin(reference)
        found = self.catalogue.activity(slug, pinned)
        if found is None:
            raise _missing(str(activity["id"]), "store activity", reference, self.catalogue.activities())
        self.activities[reference] = found.revision
        return slug, found.revision, found.document

    def _as_template(self, container: int, template: int) -> None:
        """The container carries needs, condition and order; the template below it runs once per item."""
        self.nodes[template].update(needs=[], needs_any=False, after_settled=False, when=None)
        self.nodes[container]["outputs"] = {
            name: {"type": "list", "items": declaration}
            for name, declaration in self.nodes[template]["outputs"].items()
            if isinstance(declaration, Mapping)
        }

    def _need(self, known: Mapping[str, int], phase_id: str, name: str) -> int:
        key = name if not phase_id or "." in name else f"{phase_id}.{name}"
        if key not in known:
            raise InvalidInput([Fault("depends_on", f"There is no '{name}' to depend on.", did_you_mean(key, known))])
        return known[key]

    def _path(self, parent: int, identifier: str) -> str:
        above = self.nodes[parent]["path"]
        return f"{above}/{identifier}" if above else identifier


def _missing(path: str, what: str, name: str, known: Any) -> InvalidInput:
    return InvalidInput([Fault(path, f"There is no published {what} '{name}'.", did_you_mean(name, known))])
