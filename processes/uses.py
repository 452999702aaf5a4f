"""Who uses what: asked before something is deleted, and shown as "used by".

Drafts count, and so does every published revision, since a revision can still be started. Apps above register a finder
for what they know.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from django.db.models import Model, QuerySet

from activities.models import Activity, Connection, Secret
from processes import drafts
from processes import uses_documents as documents
from processes.levels import levels_of
from processes.models import ActivityUse, InputSet, PhaseActivity, Process, ProcessRevision, Resource, SubprocessUse
from processes.store import DatabaseCatalogue

Numbers = Mapping[int, Collection[int]]


@dataclass(frozen=True, slots=True)
class Use:
    """One user of a thing: a document by kind and id, the places in its draft, and its revisions that use it."""

    kind: str
    id: str
    name: str
    places: tuple[str, ...] = ()
    revisions: tuple[int, ...] = ()

    def __str__(self) -> str:
        numbers = ", ".join(str(number) for number in self.revisions)
        revisions = f"revision{'s' if len(self.revisions) > 1 else ''} {numbers}" if numbers else ""
        where = "; ".join(part for part in (", ".join(self.places), revisions) if part)
        return f"{self.kind} '{self.id}'" + (f" ({where})" if where else "")


Finder = Callable[[Model], Iterable[Use]]

_finders: list[Finder] = []


def register(finder: Finder) -> None:
    """Adds a finder: given any row, it tells the users it knows of."""
    if finder not in _finders:
        _finders.append(finder)


def used_by(thing: Model) -> list[Use]:
    """Everything that uses a store activity, connection, secret, resource, process or input set."""
    return [*_in_store(thing), *used_above_store(thing)]


def used_above_store(thing: Model) -> list[Use]:
    """The same without what the store knows by itself: its activities and connections."""
    return [*_here(thing), *(use for finder in _finders for use in finder(thing))]


def _in_store(thing: Model) -> Iterator[Use]:
    if isinstance(thing, Connection):
        slug = thing.slug
        yield from _activities(slug, lambda document: documents.names_connection(document, slug))
    if isinstance(thing, Secret):
        for connection in thing.connections.all():
            yield Use("Connection", connection.slug, connection.name)
        name = thing.name
        yield from _activities(name, lambda document: documents.names_secret(document, name))


def _here(thing: Model) -> Iterator[Use]:
    if isinstance(thing, Activity):
        revisions = ProcessRevision.objects.filter(activity_uses__in=ActivityUse.objects.filter(activity=thing))
        yield from _processes_by_rows(PhaseActivity.objects.filter(activity=thing), revisions)
    if isinstance(thing, Process):
        revisions = ProcessRevision.objects.filter(subprocess_uses__in=SubprocessUse.objects.filter(process=thing))
        yield from _processes_by_rows(
            PhaseActivity.objects.filter(subprocess=thing).exclude(phase__process=thing), revisions
        )
        yield from _input_sets(thing.input_sets.all())
    if isinstance(thing, Connection):
        slug = thing.slug
        yield from _processes_by_documents(slug, lambda document: documents.names_connection(document, slug))
    if isinstance(thing, Secret):
        name = thing.name
        yield from _processes_by_documents(name, lambda document: documents.names_secret(document, name))
        yield from _input_sets(
            one for one in documents.input_sets_with(name) if documents.names_secret(one.values, name)
        )
    if isinstance(thing, Resource):
        slug, kind = thing.slug, thing.type
        yield from _processes_by_documents(slug, lambda document: documents.names_resource(document, slug, kind))
        yield from _input_sets(one for one in documents.input_sets_with(slug) if _gives(one, thing))


def _gives(one: InputSet, resource: Resource) -> bool:
    levels = levels_of(drafts.load(one.process), DatabaseCatalogue(or_draft=True))
    return documents.gives_resource(one.values, levels, resource.slug, resource.type)


def _input_sets(found: Iterable[InputSet]) -> Iterator[Use]:
    for one in found:
        yield Use("InputSet", one.slug, one.name)


def _activities(name: str, test: documents.Test) -> Iterator[Use]:
    drafted = documents.in_store_drafts(name, test)
    revisions = documents.in_store_revisions(name, test)
    for activity in Activity.objects.filter(pk__in={*drafted, *revisions}):
        places = ("draft",) if activity.pk in drafted else ()
        yield Use("Activity", activity.slug, activity.name, places, tuple(revisions.get(activity.pk, ())))


def _processes_by_documents(name: str, test: documents.Test) -> Iterator[Use]:
    places = dict.fromkeys(documents.in_process_drafts(name, test), ("draft",))
    yield from _processes(places, documents.in_process_revisions(name, test))


def _processes_by_rows(placed: QuerySet[PhaseActivity], revisions: QuerySet[ProcessRevision]) -> Iterator[Use]:
    places: dict[int, list[str]] = {}
    for row in placed.select_related("phase").order_by("phase__position", "position"):
        places.setdefault(row.phase.process_id, []).append(f"{row.phase.slug}.{row.slug}")
    numbers: dict[int, list[int]] = {}
    for process_id, number in revisions.order_by("number").values_list("process_id", "number"):
        numbers.setdefault(process_id, []).append(number)
    yield from _processes(places, numbers)


def _processes(places: Mapping[int, Collection[str]], revisions: Numbers) -> Iterator[Use]:
    for process in Process.objects.filter(pk__in={*places, *revisions}):
        spots, numbers = places.get(process.pk, ()), revisions.get(process.pk, ())
        yield Use("Process", process.slug, process.name, tuple(spots), tuple(numbers))
