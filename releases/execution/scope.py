"""What an expression of a run can see: only the values it names are loaded (product, section 3)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from processes import inputs as typed_inputs
from releases.execution import rows
from releases.execution.locked import Locked
from releases.tree import Key

Reference = tuple[str, ...]

_DETAILS = {
    True: "SELECT node, items, state, inputs, outputs, to_jsonb(owners) FROM releases_phaserun WHERE release_id = %s",
    False: "SELECT node, items, state, inputs, outputs, item FROM releases_activityrun WHERE release_id = %s",
}
_THESE = " AND (node, items) IN (SELECT * FROM unnest(%s::int[], %s::text[]))"


@dataclass(frozen=True, slots=True)
class Detail:
    """A run's state and values; `extra` is a phase's owners or the item of an activity inside a `for_each`."""

    state: str
    inputs: dict[str, Any]
    outputs: dict[str, Any]
    extra: Any


class Scope:
    """The values around run `key` of a locked release; changes not yet written are written before it reads.

    Expressions see the process or subprocess `key` lies in; with `inside` true, the one that `key` itself is.
    """

    def __init__(self, locked: Locked, key: Key, *, inside: bool = False) -> None:
        self.locked, self.key, self.node = locked, key, locked.tree[key]
        self.scope = key.node if inside else self.node.scope
        self._details: dict[Key, Detail] = {}

    def context(self, references: Iterable[Reference], **known: Any) -> dict[str, Any]:
        """Return the context that holds everything `references` name; `known` adds or replaces top-level names."""
        wanted = [reference for reference in references if reference[0] not in known]
        roots = {reference[0] for reference in wanted}
        self._load(wanted)
        context: dict[str, Any] = {"now": self.locked.now, **known}
        if "release" in roots:
            context["release"] = self.locked.facts
        if "inputs" in roots:
            context["inputs"] = self._scope_inputs()
        if "phase" in roots and (phase := self.locked.tree.phase_of(self.key)) is not None:
            context["phase"] = {**self._run(phase), "owners": self._details[phase].extra}
        if "activity" in roots:
            context["activity"] = self._run(self.key)
        if "phases" in roots:
            context["phases"] = self._phases()
        if roots & {"item", "index"}:
            context["item"] = self._details[self.key].extra
            context["index"] = int(self.key.items.rsplit(".", 1)[-1] or 0)
        return context

    def _load(self, wanted: Iterable[Reference]) -> None:
        keys = {key for reference in wanted for key in self._keys_of(reference)} - self._details.keys()
        if not keys:
            return
        self.locked.write_before_reading(keys)
        for is_phase, sql in _DETAILS.items():
            these = [key for key in keys if self.locked.tree[key].is_phase is is_phase]
            if not these:
                continue
            params = [self.locked.id, [key.node for key in these], [key.items for key in these]]
            for node, items, state, *documents in rows.fetch(sql + _THESE, params):
                self._details[Key(node, items)] = Detail(state, *map(rows.decoded, documents))

    def _keys_of(self, reference: Reference) -> list[Key]:
        tree, root = self.locked.tree, reference[0]
        if root == "inputs":
            return [] if self.scope == 0 else [tree.around(self.key, self.scope)]
        if root == "phase":
            phase = tree.phase_of(self.key)
            return [] if phase is None else [phase]
        if root in ("activity", "item", "index"):
            return [self.key]
        return self._keys_of_phases(reference[1:]) if root == "phases" else []

    def _keys_of_phases(self, rest: Reference) -> list[Key]:
        tree = self.locked.tree
        keys: list[Key] = []
        for phase in tree.nodes[self.scope].children if not rest else [tree.named(self.scope, rest[0])]:
            if phase is None:
                continue
            keys.append(tree.around(self.key, phase))
            if len(rest) > 1 and rest[1] != "activities":
                continue
            names = tree.nodes[phase].children if len(rest) < 3 else [tree.named(phase, rest[2])]
            keys += [tree.around(self.key, name) for name in names if name is not None]
        return keys

    def _scope_inputs(self) -> dict[str, Any]:
        declarations = self.locked.tree.nodes[self.scope].doc["inputs"]
        if self.scope == 0:
            return typed_inputs.typed(declarations, self.locked.facts["inputs"])
        holder = self._details[self.locked.tree.around(self.key, self.scope)]
        return typed_inputs.typed(declarations, holder.inputs)

    def _run(self, key: Key) -> dict[str, Any]:
        detail, doc = self._details[key], self.locked.tree[key].doc
        outputs = doc["outputs"] if self.locked.tree[key].kind in ("automated", "manual", "signal", "wait") else {}
        return {
            "id": doc["id"],
            "name": doc["name"],
            "state": detail.state,
            "inputs": typed_inputs.typed(doc["inputs"], detail.inputs),
            "outputs": typed_inputs.typed(outputs, detail.outputs),
        }

    def _phases(self) -> dict[str, Any]:
        phases: dict[str, Any] = {}
        tree = self.locked.tree
        for key in sorted(self._details):
            parent = tree.parent(key)
            if not tree[key].is_phase or parent is None or parent.node != self.scope:
                continue
            inside = [child for child in tree.children(key) if child in self._details]
            activities = {tree[child].doc["id"]: self._run(child) for child in inside}
            phases[tree[key].doc["id"]] = {**self._run(key), "activities": activities}
        return phases


def given_for(locked: Locked, key: Key) -> list[tuple[str, Mapping[str, Any]]]:
    """Return the values given for a run's inputs before the start: (source, values), narrowest first."""
    found = locked.facts["values"].get(str(locked.tree[key].doc["path"]), [])
    return [(source, values) for source, values in found]
