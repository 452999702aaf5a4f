"""Making the rows of a release: one for each node of its tree, all at once at its start, items as they open."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from releases.execution import rows
from releases.execution.locked import Locked
from releases.tree import ROOT, Key, Tree


def release_runs(tree: Tree) -> tuple[list[Key], list[Key]]:
    """Return the phase runs and the activity runs of a release that starts: every node not inside a `for_each`."""
    return _by_table(tree, [Key(node.ordinal) for node in tree.nodes if node.depth == 0 and node.ordinal != ROOT.node])


def plant_release(locked: Locked, phase_ids: Sequence[int], activity_ids: Sequence[int]) -> None:
    """Make the runs of a release that starts, with the given ids."""
    phases, activities = release_runs(locked.tree)
    _make(locked, phases, activities, dict(zip((*phases, *activities), (*phase_ids, *activity_ids), strict=True)), {})


def plant_below(locked: Locked, key: Key) -> None:
    """Make the runs of every node under `key` that is not inside a further `for_each`."""
    depth = locked.tree[key].depth
    below = [Key(o, key.items) for o in locked.tree.below(key.node) if locked.tree.nodes[o].depth == depth]
    _plant(locked, below, {})


def plant_items(locked: Locked, container: Key, items: Sequence[Any], start: int) -> None:
    """Make the runs for `items`, the items from index `start` on of a `for_each` that opens."""
    tree = locked.tree
    template = tree[container].children[0]
    keys: list[Key] = []
    values: dict[Key, Any] = {}
    for item, child in zip(items, tree.children(container, start + len(items))[start:], strict=True):
        values[child] = item
        keys.append(child)
        depth = tree[child].depth
        keys += [Key(o, child.items) for o in tree.below(template) if tree.nodes[o].depth == depth]
    _plant(locked, keys, values)


def _plant(locked: Locked, keys: Sequence[Key], items: dict[Key, Any]) -> None:
    tree = locked.tree
    locked.load({parent for key in keys if (parent := tree.parent(key)) is not None} - set(keys))
    ids = {key: run.id for key, run in locked.runs.items()}
    phases, activities = _by_table(tree, keys)
    for made, new in zip((phases, activities), rows.new_ids(len(phases), len(activities)), strict=True):
        ids.update(zip(made, new, strict=True))
    _make(locked, phases, activities, ids, items)


def _by_table(tree: Tree, keys: Sequence[Key]) -> tuple[list[Key], list[Key]]:
    return [key for key in keys if tree[key].is_phase], [key for key in keys if not tree[key].is_phase]


def _make(
    locked: Locked, phases: Sequence[Key], activities: Sequence[Key], ids: Mapping[Key, int], items: Mapping[Key, Any]
) -> None:
    locked.make(
        phases=[_phase_run(locked, key, ids) for key in phases],
        activities=[_activity_run(locked, key, ids, items.get(key)) for key in activities],
    )


def _phase_run(locked: Locked, key: Key, ids: Mapping[Key, int]) -> dict[str, Any]:
    parent = locked.tree.parent(key)
    return {
        **_run(locked, key, ids),
        "parent_id": None if parent in (None, ROOT) else ids[parent],
        "owners": locked.tree[key].doc["owners"],
    }


def _activity_run(locked: Locked, key: Key, ids: Mapping[Key, int], item: Any) -> dict[str, Any]:
    node, parent, phase = locked.tree[key], locked.tree.parent(key), locked.tree.phase_of(key)
    assert parent is not None
    assert phase is not None
    return {
        **_run(locked, key, ids),
        "phase_id": ids[phase],
        "parent_id": None if locked.tree[parent].is_phase else ids[parent],
        "kind": node.kind,
        "required": node.required,
        "item": item,
    }


def _run(locked: Locked, key: Key, ids: Mapping[Key, int]) -> dict[str, Any]:
    """Return the columns that phase runs and activity runs share."""
    doc = locked.tree[key].doc
    return {
        "id": ids[key],
        "release_id": locked.id,
        "node": key.node,
        "items": key.items,
        "path": locked.path(key),
        "slug": doc["id"],
        "name": doc["name"],
        **_dated(locked, doc),
    }


def _dated(locked: Locked, doc: Mapping[str, Any]) -> dict[str, Any]:
    """Return when a run opens and is due, and whether it is held until then."""
    is_dated = bool(doc.get("opens") or doc.get("due"))
    dates = locked.dates.columns(doc, locked.now) if is_dated else {}
    return {name: dates.get(name) for name in ("opens_at", "due_at", "held_until", "held_by")}
