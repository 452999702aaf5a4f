"""The trees that releases would start with, each expanded once per process for as long as nothing new is published.

A tree depends on the revision and on the latest published revisions of what it names. Ids of revisions only grow and
revisions never change, so a tree is known by its stamp: its revision's id and the largest ids there are.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any, Generic, TypeVar

from django.db import connection

from config.errors import Fault, InvalidInput
from processes.expansion import expand
from processes.models import ProcessRevision
from processes.store import DatabaseCatalogue
from releases.models import Release, Snapshot

Stamp = tuple[int, int, int]
V = TypeVar("V")

#: Columns for a row `r` with a process and, where one is named, a revision: the stamp of what it would start with. The
#: first is null while nothing is published.
STAMP = """
    coalesce(r.revision_id, (SELECT p.id FROM processes_processrevision p WHERE p.process_id = r.process_id
                              ORDER BY p.number DESC LIMIT 1)),
    (SELECT max(id) FROM processes_processrevision), coalesce((SELECT max(id) FROM activities_activityrevision), 0)"""
_STAMPS = f"""
    SELECT r.process_id, r.revision_id, {STAMP}
      FROM unnest(%s::bigint[], %s::bigint[]) r(process_id, revision_id)"""  # noqa: S608 - our own text alone


@dataclass(frozen=True, slots=True)
class Expansion:
    """A revision's tree, which nobody may change, or the faults that keep it from being one."""

    stamp: Stamp
    revision: ProcessRevision
    tree: Mapping[str, Any]
    faults: tuple[Fault, ...] = ()


class Kept(Generic[V]):
    """What is known by a stamp, shared by all threads of a process; the oldest goes when there is too much."""

    MOST = 128

    def __init__(self) -> None:
        self._kept: OrderedDict[Stamp, V] = OrderedDict()
        self._lock = Lock()

    def get(self, stamp: Stamp) -> V | None:
        """Return what is kept, or None."""
        with self._lock:
            return self._kept.get(stamp)

    def keep(self, stamp: Stamp, value: V) -> None:
        """Keep a value from now on."""
        with self._lock:
            self._kept[stamp] = value
            while len(self._kept) > self.MOST:
                self._kept.popitem(last=False)


_expansions: Kept[Expansion] = Kept()


def expansion_of(release: Release, stamp: Stamp | None = None) -> Expansion | None:
    """Return the tree of the revision a release names, or else of its process's latest; None if there is none.

    `stamp` is the tree's, if the caller knows it.
    """
    return _expanded([stamp]).get(stamp) if stamp is not None else expansions_of([release])[0]


def expansions_of(releases: Sequence[Release]) -> list[Expansion | None]:
    """The same for many releases, in their order. One query, and a few more if any tree is new."""
    named = [(release.process_id, release.revision_id) for release in releases]
    stamps = _stamps(set(named))
    expanded = _expanded(stamps.values())
    return [expanded[stamps[one]] if one in stamps else None for one in named]


def trees_of(releases: Sequence[Release]) -> list[Mapping[str, Any] | None]:
    """Return the trees that releases run, or would start with; None where nothing that expands is published."""
    pins = {one.snapshot_id for one in releases if one.snapshot_id is not None}
    pinned: dict[int, Any] = dict(Snapshot.objects.filter(pk__in=pins).values_list("pk", "tree")) if pins else {}
    waiting = iter(expansions_of([one for one in releases if one.snapshot_id is None]))
    return [pinned[one.snapshot_id] if one.snapshot_id is not None else _sound(next(waiting)) for one in releases]


def _sound(expansion: Expansion | None) -> Mapping[str, Any] | None:
    return None if expansion is None or expansion.faults else expansion.tree


def _stamps(named: Iterable[tuple[int, int | None]]) -> dict[tuple[int, int | None], Stamp]:
    """Return the stamps by process and named revision; none where nothing is published."""
    wanted = list(named)
    if not wanted:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(_STAMPS, [[process for process, _ in wanted], [revision for _, revision in wanted]])
        rows = cursor.fetchall()
    return {(process, revision): (pk, *newest) for process, revision, pk, *newest in rows if pk is not None}


def _expanded(stamps: Iterable[Stamp]) -> dict[Stamp, Expansion]:
    """Return the trees by stamp; those that are not kept yet are expanded together."""
    known = {stamp: _expansions.get(stamp) for stamp in stamps}
    found = {stamp: expansion for stamp, expansion in known.items() if expansion is not None}
    new = {stamp[0]: stamp for stamp in known if stamp not in found}
    if not new:
        return found
    revisions = ProcessRevision.objects.select_related("process").in_bulk(new)
    catalogue = DatabaseCatalogue()
    catalogue.warm(revision.document for revision in revisions.values())
    for pk, stamp in new.items():
        found[stamp] = expansion = _expand(stamp, revisions[pk], catalogue)
        _expansions.keep(stamp, expansion)
    return found


def _expand(stamp: Stamp, revision: ProcessRevision, catalogue: DatabaseCatalogue) -> Expansion:
    try:
        tree = expand(revision.document, revision.number, catalogue, document_digest=revision.digest)
    except InvalidInput as error:
        return Expansion(stamp, revision, {"nodes": []}, tuple(error.faults))
    return Expansion(stamp, revision, tree)
