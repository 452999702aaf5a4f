"""The trees that releases run or would start with now, many at once in a few queries."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from config.errors import Fault, InvalidInput
from processes.expansion import expand
from processes.models import ProcessRevision
from processes.store import DatabaseCatalogue
from releases.models import Release, Snapshot


class Trees:
    """The expanded trees of releases, each read once: the pinned one, or that of the revision it would start with."""

    def __init__(self, releases: Iterable[Release]) -> None:
        waiting = list(releases)
        pinned = {one.snapshot_id for one in waiting if one.snapshot_id is not None}
        unpinned = [one for one in waiting if one.snapshot_id is None]
        named = {one.revision_id for one in unpinned if one.revision_id is not None}
        processes = {one.process_id for one in unpinned if one.revision_id is None}
        latest = ProcessRevision.objects.order_by("process_id", "-number").distinct("process_id")
        self._pinned: dict[int, Any] = dict(Snapshot.objects.filter(pk__in=pinned).values_list("pk", "tree"))
        self._named = ProcessRevision.objects.in_bulk(named)
        self._latest = {one.process_id: one for one in latest.filter(process__in=processes)} if processes else {}
        self.catalogue = DatabaseCatalogue()
        self.catalogue.warm(one.document for one in (*self._named.values(), *self._latest.values()))
        self._expanded: dict[int, Mapping[str, Any] | None] = {}
        self._faults: dict[int, tuple[Fault, ...]] = {}

    def revision_of(self, release: Release) -> ProcessRevision | None:
        """Return the revision a release that has not started would start with."""
        if release.revision_id is not None:
            return self._named.get(release.revision_id)
        return self._latest.get(release.process_id)

    def of(self, release: Release) -> Mapping[str, Any] | None:
        """Return a release's tree, or None when nothing is published or what is published does not expand."""
        if release.snapshot_id is not None:
            return self._pinned.get(release.snapshot_id)
        revision = self.revision_of(release)
        return None if revision is None else self._expand(revision)

    def faults_of(self, release: Release) -> tuple[Fault, ...]:
        """Return why what is published does not expand; nothing when it does."""
        revision = self.revision_of(release)
        if revision is None or release.snapshot_id is not None:
            return ()
        self._expand(revision)
        return self._faults.get(revision.pk, ())

    def _expand(self, revision: ProcessRevision) -> Mapping[str, Any] | None:
        if revision.pk not in self._expanded:
            try:
                tree = expand(revision.document, revision.number, self.catalogue, document_digest=revision.digest)
            except InvalidInput as error:
                self._expanded[revision.pk], self._faults[revision.pk] = None, tuple(error.faults)
            else:
                self._expanded[revision.pk] = tree
        return self._expanded[revision.pk]
