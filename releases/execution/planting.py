"""Making the rows of a release: one for each node of its tree, all at once at its start, items as they open."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from releases.execution import rows
from releases.execution.locked import Locked
from releases.models import ActivityRun, PhaseRun
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
    ids.update(zip(phases, _new_ids("releases_phaserun", len(phases)), strict=True))
    ids.update(zip(activities, _new_ids("releases_activityrun", len(activities)), strict=True))
    phase_rows = [_phase_run(locked, key, ids) for key in phases]
    activity_rows = [_activity_run(locked, key, ids, items.get(key)) for key in activities]
    PhaseRun.objects.bulk_create(phase_rows)
    ActivityRun.objects.bulk_create(activity_rows)
    made: list[PhaseRun | ActivityRun] = [*phase_rows, *activity_rows]
    locked.know(
        rows.RunRow(
            row.pk,
            row.node,
            row.items,
            "pending",
            opened=False,
            item_count=0,
            attempt=0,
            tries=0,
            held=row.held_until is not None,
        )
        for row in made
    )


def _new_ids(table: str, count: int) -> Iterable[int]:
    sql = "SELECT nextval(pg_get_serial_sequence(%s, 'id')) FROM generate_series(1, %s)"
    return [row[0] for row in rows.fetch(sql, [table, count])] if count else []


def _phase_run(locked: Locked, key: Key, ids: dict[Key, int]) -> PhaseRun:
    doc, parent = locked.tree[key].doc, locked.tree.parent(key)
    return PhaseRun(
        id=ids[key],
        release_id=locked.id,
        parent_id=None if parent in (None, ROOT) else ids[parent],
        node=key.node,
        items=key.items,
        path=locked.path(key),
        slug=doc["id"],
        name=doc["name"],
        owners=doc["owners"],
        **_dated(locked, doc),
    )


def _activity_run(locked: Locked, key: Key, ids: dict[Key, int], item: Any) -> ActivityRun:
    node, parent, phase = locked.tree[key], locked.tree.parent(key), locked.tree.phase_of(key)
    assert parent is not None
    assert phase is not None
    return ActivityRun(
        id=ids[key],
        release_id=locked.id,
        phase_id=ids[phase],
        parent_id=None if locked.tree[parent].is_phase else ids[parent],
        node=key.node,
        items=key.items,
        path=locked.path(key),
        slug=node.doc["id"],
        name=node.doc["name"],
        kind=node.kind,
        required=node.required,
        item=item,
        **_dated(locked, node.doc),
    )


def _dated(locked: Locked, doc: Mapping[str, Any]) -> dict[str, Any]:
    return locked.dates.columns(doc, locked.now) if doc.get("opens") or doc.get("due") else {}
