"""The tree a release would start with, expanded once per process for as long as nothing new is published.

A tree depends on the revision and on the latest published revisions of what it names. Ids of revisions only grow and
revisions never change, so a tree is known by its revision's id and the largest ids there are.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from threading import Lock
from typing import Any, TypeVar

from django.db import transaction

from config.errors import Fault, InvalidInput
from processes.expansion import expand
from processes.models import ProcessRevision
from processes.store import catalogue_for
from releases.execution import rows
from releases.execution.snapshots import snapshot_of
from releases.models import Release

#: Trees kept by one process.
MOST = 128
Stamp = tuple[int, int, int]
V = TypeVar("V")

_STAMP = """
    SELECT r.id, (SELECT max(id) FROM processes_processrevision), coalesce(max.id, 0)
      FROM processes_processrevision r LEFT JOIN (SELECT max(id) AS id FROM activities_activityrevision) max ON true
     WHERE {which} ORDER BY r.number DESC LIMIT 1"""
_NAMED, _LATEST = _STAMP.format(which="r.id = %s"), _STAMP.format(which="r.process_id = %s")


@dataclass(frozen=True, slots=True)
class Expansion:
    """A revision's tree, which nobody may change, or the faults that keep it from being one."""

    stamp: Stamp
    revision: ProcessRevision
    tree: Mapping[str, Any]
    faults: tuple[Fault, ...] = ()


_trees: OrderedDict[Stamp, Expansion] = OrderedDict()
_snapshots: OrderedDict[Stamp, int] = OrderedDict()
_lock = Lock()


def expansion_of(release: Release, stamp: Stamp | None = None) -> Expansion | None:
    """Return the tree of the revision a release names, or else of its process's latest; None if there is none.

    `stamp` is the tree's, if the caller knows it.
    """
    stamp = stamp or _stamp(release)
    if stamp is None:
        return None
    with _lock:
        known = _trees.get(stamp)
    return known or _keep(_trees, stamp, _expand(stamp))


def _stamp(release: Release) -> Stamp | None:
    named = release.revision_id is not None
    found = rows.fetch(_NAMED if named else _LATEST, [release.revision_id if named else release.process_id])
    return found[0] if found else None


def _expand(stamp: Stamp) -> Expansion:
    revision = ProcessRevision.objects.select_related("process").get(pk=stamp[0])
    try:
        tree = expand(revision.document, revision.number, catalogue_for(revision), document_digest=revision.digest)
    except InvalidInput as error:
        return Expansion(stamp, revision, {"nodes": []}, error.faults)
    return Expansion(stamp, revision, tree)


def pinned(expansion: Expansion) -> int:
    """Return the id of the stored snapshot of a tree, made if it is new; kept once that is committed."""
    with _lock:
        known = _snapshots.get(expansion.stamp)
    if known is not None:
        return known
    snapshot, _ = snapshot_of(expansion.tree)
    transaction.on_commit(partial(_keep, _snapshots, expansion.stamp, snapshot.pk))
    return snapshot.pk


def _keep(kept: OrderedDict[Stamp, V], key: Stamp, value: V) -> V:
    with _lock:
        kept[key] = value
        while len(kept) > MOST:
            kept.popitem(last=False)
    return value
