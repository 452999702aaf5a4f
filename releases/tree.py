"""The tree of one release as the engine sees it: nodes, their needs and who needs them.

Pure. Built once from a snapshot (processes/expansion.py gives the format) and never changed, so that many releases
share it. A run of a node is named by a Key: the node's ordinal and the items of the `for_each` containers around it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

PHASE_LIKE = frozenset({"phase"})
CONTAINERS = frozenset({"process", "phase", "subprocess", "for_each"})


class Key(NamedTuple):
    """Names one run in a release: `items` is "" outside of any `for_each`, "2" in its third item, "2.0" one deeper."""

    node: int
    items: str = ""


ROOT = Key(0)


@dataclass(frozen=True, slots=True)
class Node:
    """One node of the tree; `doc` is its entry in the snapshot, with everything the engine does not care about."""

    ordinal: int
    kind: str
    parent: int | None
    scope: int
    needs: tuple[int, ...]
    needs_any: bool
    after_settled: bool
    required: bool
    on_failure: str
    fail_fast: bool
    depth: int
    parallel: int | None
    doc: Mapping[str, Any] = field(repr=False)
    children: tuple[int, ...] = ()
    dependents: tuple[int, ...] = ()

    @property
    def is_container(self) -> bool:
        """Whether it holds other nodes and settles when they have."""
        return self.kind in CONTAINERS

    @property
    def is_phase(self) -> bool:
        """Whether its runs are phase runs."""
        return self.kind in PHASE_LIKE


def join(items: str, index: int) -> str:
    """Return the items of the `index`-th child of a `for_each` whose own items are `items`."""
    return f"{items}.{index}" if items else str(index)


class Tree:
    """All nodes of one snapshot."""

    def __init__(self, nodes: tuple[Node, ...], about: Mapping[str, Any] | None = None) -> None:
        self.nodes, self.about = nodes, about or {}

    @property
    def digest(self) -> str:
        """The digest of the process revision the tree was made from."""
        return str(self.about.get("process", {}).get("digest", ""))

    @classmethod
    def from_snapshot(cls, snapshot: Mapping[str, Any]) -> Tree:
        """Build the tree of `snapshot`, deriving children, dependents and `for_each` depths."""
        docs = snapshot["nodes"]
        children: list[list[int]] = [[] for _ in docs]
        dependents: list[list[int]] = [[] for _ in docs]
        depths: list[int] = []
        for ordinal, doc in enumerate(docs):
            parent = doc["parent"]
            depths.append(0 if parent is None else depths[parent] + (docs[parent]["kind"] == "for_each"))
            if parent is not None:
                children[parent].append(ordinal)
            for need in doc["needs"]:
                dependents[need].append(ordinal)
        return cls(
            tuple(
                _node(ordinal, doc, depths[ordinal], tuple(children[ordinal]), tuple(dependents[ordinal]))
                for ordinal, doc in enumerate(docs)
            ),
            {name: value for name, value in snapshot.items() if name != "nodes"},
        )

    def __getitem__(self, key: Key) -> Node:
        return self.nodes[key.node]

    def parent(self, key: Key) -> Key | None:
        """Return the run that holds `key`, or None for the root."""
        parent = self.nodes[key.node].parent
        return None if parent is None else self.around(key, parent)

    def around(self, key: Key, ordinal: int) -> Key:
        """Return the run of node `ordinal` that lies in the same items as `key`, as far as that node is inside them."""
        depth = self.nodes[ordinal].depth
        return Key(ordinal, ".".join(key.items.split(".")[:depth]) if depth else "")

    def needs(self, key: Key) -> list[Key]:
        """Return the runs that `key` needs."""
        return [self.around(key, need) for need in self.nodes[key.node].needs]

    def dependents(self, key: Key) -> list[Key]:
        """Return the runs that need `key`; they lie in the same items, since needs never leave a scope."""
        return [Key(dependent, key.items) for dependent in self.nodes[key.node].dependents]

    def children(self, key: Key, count: int = 0) -> list[Key]:
        """Return the runs directly inside `key`; `count` is how many items an open `for_each` has."""
        node = self.nodes[key.node]
        if node.kind == "for_each":
            return [Key(node.children[0], join(key.items, index)) for index in range(count)]
        return [Key(child, key.items) for child in node.children]

    def named(self, holder: int, name: str) -> int | None:
        """Return the child of `holder` with the document id `name`: a phase of a scope, an activity of a phase."""
        for child in self.nodes[holder].children:
            if self.nodes[child].doc["id"] == name:
                return child
        return None

    def phase_of(self, key: Key) -> Key | None:
        """Return the phase run `key` is or lies in, or None for the root."""
        here: Key | None = key
        while here is not None and not self[here].is_phase:
            here = self.parent(here)
        return here

    def below(self, ordinal: int) -> Iterator[int]:
        """Yield every node under `ordinal`, parents first."""
        for child in self.nodes[ordinal].children:
            yield child
            yield from self.below(child)

    def fail_fast_scopes(self, key: Key) -> list[Key]:
        """Return the processes and subprocesses that start nothing new once `key` has failed for good, innermost first.

        The failure counts as far up as it must make what holds it fail: not past something optional, nor past a
        container whose own failure would be held or ignored.
        """
        scopes: list[Key] = []
        node = self.nodes[key.node]
        while node.required and node.parent is not None:
            node = self.nodes[node.parent]
            if node.fail_fast:
                scopes.append(self.around(key, node.ordinal))
            if node.kind in ("subprocess", "for_each") and node.on_failure != "fail":
                break
        return scopes


def _node(
    ordinal: int, doc: Mapping[str, Any], depth: int, children: tuple[int, ...], dependents: tuple[int, ...]
) -> Node:
    parallel = (doc.get("spec") or {}).get("parallel") or None if doc["kind"] == "for_each" else None
    return Node(
        ordinal=ordinal,
        kind=doc["kind"],
        parent=doc["parent"],
        scope=doc["scope"],
        needs=tuple(doc["needs"]),
        needs_any=bool(doc.get("needs_any")),
        after_settled=bool(doc.get("after_settled")),
        required=bool(doc.get("required", True)),
        on_failure=doc.get("on_failure") or "hold",
        fail_fast=bool(doc.get("fail_fast")),
        depth=depth,
        parallel=parallel,
        doc=doc,
        children=children,
        dependents=dependents,
    )
