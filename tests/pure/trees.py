"""Drawing a release in a few lines: `draw(phase("build", automated("compile"), manual("look", needs="compile")))`.

Needs are named as in a document: "compile" in the same phase, "build.compile" in another, "build" for a phase. What a
`for_each` holds shares its path; `Drawing.key` tells them apart by the items asked for: "deploy/each" is the container,
"deploy/each[1]" its second item, "deploy/each[1]/scan/check" what lies inside of that.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from releases.tree import Key, Tree


@dataclass
class Part:
    """One node to draw, with the nodes inside it."""

    kind: str
    id: str
    inside: Sequence[Part] = ()
    needs: str = ""
    any: bool = False
    after_settled: bool = False
    required: bool = True
    on_failure: str = ""
    fail_fast: bool = False
    attempts: int = 1
    delay: float = 0.0
    spec: dict[str, Any] = field(default_factory=dict)


def phase(id: str, *activities: Part, **options: Any) -> Part:
    """A phase; `needs` names phases."""
    return Part("phase", id, activities, **options)


def automated(id: str, **options: Any) -> Part:
    """An activity that a worker does."""
    return Part("automated", id, **options)


def manual(id: str, **options: Any) -> Part:
    """An activity that people do."""
    return Part("manual", id, **options)


def subprocess(id: str, *phases: Part, **options: Any) -> Part:
    """An activity that is another process."""
    return Part("subprocess", id, phases, **options)


def for_each(template: Part, items: int, *, parallel: int | None = None, **options: Any) -> Part:
    """An activity that does `template` once for each of so many items."""
    return Part("for_each", template.id, [template], spec={"items": items, "parallel": parallel}, **options)


class Drawing:
    """A drawn tree and its snapshot, with its runs by path."""

    def __init__(self, phases: Sequence[Part], *, fail_fast: bool = False) -> None:
        self.nodes: list[dict[str, Any]] = []
        self._unresolved: list[tuple[int, str]] = []
        self._add(Part("process", "release", phases, fail_fast=fail_fast), parent=None, scope=0, path="")
        for ordinal, needs in self._unresolved:
            self.nodes[ordinal]["needs"] = [self._need(ordinal, name) for name in needs.split()]
        self.tree = Tree.from_snapshot({"format": 1, "nodes": self.nodes})
        self._by_path = {(node.doc["path"], node.depth): node.ordinal for node in self.tree.nodes}

    def _add(self, part: Part, *, parent: int | None, scope: int, path: str) -> None:
        ordinal = len(self.nodes)
        container = part.kind in ("subprocess", "for_each")
        self.nodes.append(
            {
                "kind": part.kind,
                "id": part.id,
                "path": path,
                "parent": parent,
                "scope": scope,
                "needs": [],
                "needs_any": part.any,
                "after_settled": part.after_settled,
                "required": part.required,
                "on_failure": part.on_failure or ("fail" if container else "hold"),
                "fail_fast": part.fail_fast,
                "retry": {"attempts": part.attempts, "delay": part.delay, "factor": 1.0, "ceiling": None},
                "spec": part.spec,
            }
        )
        self._unresolved.append((ordinal, part.needs))
        inner = ordinal if part.kind in ("process", "subprocess") else scope
        for child in part.inside:
            below = path if part.kind == "for_each" else f"{path}/{child.id}".lstrip("/")
            self._add(child, parent=ordinal, scope=inner, path=below)

    def _need(self, ordinal: int, name: str) -> int:
        """Return the node that `name` means to node `ordinal`: a sibling, or an activity of another phase."""
        node = self.nodes[ordinal]
        holder = node["parent"]
        if "." in name:
            phase_name, name = name.split(".")
            holder = self._child(node["scope"], phase_name)
        return self._child(holder, name)

    def _child(self, holder: int, name: str) -> int:
        return next(o for o, node in enumerate(self.nodes) if node["parent"] == holder and node["id"] == name)

    def key(self, path: str) -> Key:
        """Return the run at `path`; "" is the release."""
        items = re.findall(r"\[(\d+)\]", path)
        return Key(self._by_path[re.sub(r"\[\d+\]", "", path), len(items)], ".".join(items))

    def path(self, key: Key) -> str:
        """Return the path of a run, with its items at the end."""
        return f"{self.tree[key].doc['path']}{''.join(f'[{item}]' for item in key.items.split('.') if item)}"


def draw(*phases: Part, fail_fast: bool = False) -> Drawing:
    """Draw a release of these phases."""
    return Drawing(phases, fail_fast=fail_fast)
