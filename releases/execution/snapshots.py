"""Pinned trees, read once per process: releases of the same revision share one, and it never changes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import lru_cache, partial
from typing import Any

from django.db import transaction

from releases.models import Snapshot
from releases.tree import Tree
from releases.trees import Expansion, Kept

_pinned: Kept[int] = Kept()


@lru_cache(maxsize=256)
def tree_of(snapshot_id: int) -> Tree:
    """Return the tree of a snapshot."""
    return Tree.from_snapshot(Snapshot.objects.values_list("tree", flat=True).get(pk=snapshot_id))


def snapshot_of(expanded: Mapping[str, Any]) -> tuple[Snapshot, Tree]:
    """Return the stored snapshot of an expanded process, made if it is new, and its tree."""
    digest = hashlib.sha256(json.dumps(expanded, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
    snapshot, _ = Snapshot.objects.get_or_create(digest=digest, defaults={"tree": dict(expanded)})
    return snapshot, tree_of(snapshot.pk)


def pinned(expansion: Expansion) -> int:
    """Return the id of the stored snapshot of a tree, made if it is new; kept once that is committed."""
    known = _pinned.get(expansion.stamp)
    if known is not None:
        return known
    snapshot, _ = snapshot_of(expansion.tree)
    transaction.on_commit(partial(_pinned.keep, expansion.stamp, snapshot.pk))
    return snapshot.pk
