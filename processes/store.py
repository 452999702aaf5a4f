"""The catalogue of what is in the database: published activities and processes, connections, resources, people.

How it stays at a few queries: when a revision is read, everything its document refers to is read with it, level by
level, one query per level and table; whole lists (connections, groups) are read once when they are first asked for.
One catalogue serves one call; it never sees what is written after it has read.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import cached_property, reduce
from operator import or_
from typing import Any

from django.contrib.auth.models import Group, User
from django.db.models import Model, Q, QuerySet

from activities.models import Activity, ActivityRevision, Connection
from config.errors import Fault
from processes import drafts
from processes.catalogue import Published
from processes.document import digest
from processes.engines import work_faults
from processes.levels import activity_references, process_references
from processes.models import Process, ProcessRevision, Resource

Reference = tuple[str, int | None]
Found = dict[Reference, Published | None]
Documents = Iterable[Mapping[str, Any]]

_TABLES: dict[str, tuple[type[Model], str]] = {
    "Activity": (ActivityRevision, "activity"),
    "Process": (ProcessRevision, "process"),
}


class DatabaseCatalogue:
    """What documents may refer to, as the database knows it (protocol: processes/catalogue.py).

    `drafts` are documents of activities and processes that count as published already, as the next revision: those
    which are about to be published together. With `or_draft`, what was never published counts with its draft, as
    revision 0.
    """

    def __init__(self, drafts: Documents = (), *, or_draft: bool = False) -> None:
        self._or_draft = or_draft
        self._drafts: dict[tuple[str, str], Mapping[str, Any]] = {
            (str(document["kind"]), str(document["id"])): document for document in drafts
        }
        self._activities: Found = {}
        self._processes: Found = {}

    def warm(self, documents: Documents) -> None:
        """Reads everything that these process documents, and the processes they call, refer to."""
        waiting = list(documents)
        while waiting:
            activities = {named for one in waiting for named in activity_references(one)} - self._activities.keys()
            processes = {called for one in waiting for called in process_references(one)} - self._processes.keys()
            self._activities.update(self._read("Activity", activities))
            read = self._read("Process", processes)
            self._processes.update(read)
            waiting = [published.document for published in read.values() if published is not None]

    def activity(self, slug: str, revision: int | None = None) -> Published | None:
        """A store activity: the given revision, or the latest published one."""
        if (slug, revision) not in self._activities:
            self._activities.update(self._read("Activity", {(slug, revision)}))
        return self._activities[slug, revision]

    def process(self, slug: str, revision: int | None = None) -> Published | None:
        """A process: the given revision, or the latest published one."""
        if (slug, revision) not in self._processes:
            self._processes.update(found := self._read("Process", {(slug, revision)}))
            self.warm(published.document for published in found.values() if published is not None)
        return self._processes[slug, revision]

    def activities(self) -> Collection[str]:
        """The ids of all published store activities."""
        return self._activity_ids

    def processes(self) -> Collection[str]:
        """The ids of all published processes."""
        return self._process_ids

    def connections(self) -> Collection[str]:
        """The ids of all connections."""
        return self._connections.keys()

    def work_faults(self, block: Mapping[str, Any], path: str) -> Iterable[Fault]:
        """What the engine of an automated block's connection would not take."""
        return work_faults(self._connections.get(block["connection"], ""), block, path)

    def resources(self) -> Mapping[str, str]:
        """The type of every resource by id."""
        return self._resources

    def groups(self) -> Mapping[str, Collection[str]]:
        """The log-in names of the active people in every group."""
        return self._groups

    def people(self) -> Collection[str]:
        """The log-in names of all active people."""
        return self._people

    @cached_property
    def _activity_ids(self) -> frozenset[str]:
        published = Activity.objects.filter(revisions__isnull=False).values_list("slug", flat=True)
        return frozenset(published) | self._drafted("Activity")

    @cached_property
    def _process_ids(self) -> frozenset[str]:
        published = Process.objects.filter(revisions__isnull=False).values_list("slug", flat=True)
        return frozenset(published) | self._drafted("Process")

    @cached_property
    def _connections(self) -> dict[str, str]:
        return dict(Connection.objects.values_list("slug", "provider"))

    @cached_property
    def _resources(self) -> dict[str, str]:
        return dict(Resource.objects.values_list("slug", "type"))

    @cached_property
    def _groups(self) -> dict[str, list[str]]:
        groups: dict[str, list[str]] = {name: [] for name in Group.objects.values_list("name", flat=True)}
        members = User.objects.filter(is_active=True, groups__isnull=False)
        for person, name in members.order_by("username").values_list("username", "groups__name"):
            groups[name].append(person)
        return groups

    @cached_property
    def _people(self) -> frozenset[str]:
        return frozenset(User.objects.filter(is_active=True).values_list("username", flat=True))

    def _drafted(self, kind: str) -> frozenset[str]:
        return frozenset(slug for found, slug in self._drafts if found == kind)

    def _read(self, kind: str, wanted: Collection[Reference]) -> Found:
        found: Found = dict.fromkeys(wanted)
        if not wanted:
            return found
        for slug, published in _latest(kind, {slug for slug, _ in wanted}):
            found[slug, None] = found[slug, published.revision] = published
        older = [one for one in wanted if one[1] is not None and found.get(one) is None]
        for slug, published in _numbered(kind, older):
            found[slug, published.revision] = published
        if self._or_draft:
            found.update(
                _unpublished(kind, {slug for slug, pin in wanted if pin is None and found[slug, None] is None})
            )
        for slug in {slug for slug, _ in wanted}:
            if (kind, slug) in self._drafts:
                published = _as_next(self._drafts[kind, slug], found.get((slug, None)))
                found[slug, None] = found[slug, published.revision] = published
        return found


def _as_next(document: Mapping[str, Any], latest: Published | None) -> Published:
    now = digest(document)
    if latest is not None and latest.digest == now:
        return latest
    return Published(document, 1 if latest is None else latest.revision + 1, now)


def _unpublished(kind: str, slugs: Collection[str]) -> Found:
    if not slugs:
        return {}
    if kind == "Activity":
        stored = Activity.objects.filter(slug__in=slugs).values_list("slug", "draft")
        return {(slug, None): Published(draft, 0) for slug, draft in stored}
    processes = drafts.with_rows(Process.objects.filter(slug__in=slugs))
    return {(process.slug, None): Published(drafts.compose(process), 0) for process in processes}


def _latest(kind: str, slugs: Collection[str]) -> Iterator[tuple[str, Published]]:
    table, owner = _TABLES[kind]
    found = table._default_manager.filter(**{f"{owner}__slug__in": slugs})
    yield from _published(found.order_by(f"{owner}_id", "-number").distinct(f"{owner}_id"), owner)


def _numbered(kind: str, wanted: Collection[Reference]) -> Iterator[tuple[str, Published]]:
    table, owner = _TABLES[kind]
    pairs = [Q(**{f"{owner}__slug": slug, "number": number}) for slug, number in wanted]
    if pairs:
        yield from _published(table._default_manager.filter(reduce(or_, pairs)), owner)


def _published(revisions: QuerySet[Any], owner: str) -> Iterator[tuple[str, Published]]:
    for slug, document, number, known in revisions.values_list(f"{owner}__slug", "document", "number", "digest"):
        yield slug, Published(document, number, known)


def catalogue_for(revision: ProcessRevision) -> DatabaseCatalogue:
    """Return a catalogue that has read everything a published process refers to."""
    catalogue = DatabaseCatalogue()
    catalogue.warm([revision.document])
    return catalogue
