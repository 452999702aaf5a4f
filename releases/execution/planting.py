"""Making the rows of a release: one for each node of its tree, all at once at its start, items as they open."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from releases.execution import rows
from releases.execution.locked import Locked
from releases.tree import ROOT, Key


def plant_release(locked: Locked) -> None:
    """Make the runs of every node that is not inside a `for_each`."""
    tree = locked.tree
    _plant(locked, [Key(node.ordinal) for node in tree.nodes if node.depth == 0 and node.ordinal != ROOT.node], {})


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
    phases = [key for key in keys if tree[key].is_phase]
    activities = [key for key in keys if not tree[key].is_phase]
    for made, new in zip((phases, activities), rows.new_ids(len(phases), len(activities)), strict=True):
        ids.update(zip(made, new, strict=True))
    phase_rows = [_phase_run(locked, key, ids) for key in phases]
    activity_rows = [_activity_run(locked, key, ids, items.get(key)) for key in activities]
    with rows.together():
        rows.insert_pending("releases_phaserun", phase_rows)
        rows.insert_pending("releases_activityrun", activity_rows)
    locked.know(
        rows.RunRow(
            row["id"],
            row["node"],
            row["items"],
            "pending",
            opened=False,
            item_count=0,
            attempt=0,
            tries=0,
            held=row["held_until"] is not None,
        )
        for row in (*phase_rows, *activity_rows)
    )


def _phase_run(locked: Locked, key: Key, ids: dict[Key, int]) -> dict[str, Any]:
    parent = locked.tree.parent(key)
    return {
        **_run(locked, key, ids),
        "parent_id": None if parent in (None, ROOT) else ids[parent],
        "owners": locked.tree[key].doc["owners"],
    }


def _activity_run(locked: Locked, key: Key, ids: dict[Key, int], item: Any) -> dict[str, Any]:
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


def _run(locked: Locked, key: Key, ids: dict[Key, int]) -> dict[str, Any]:
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
