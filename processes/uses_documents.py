"""References that stand only in documents: who names a connection, a secret or a resource.

The database picks the documents whose text has the name in quotes; then each of them is read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from django.db.models import QuerySet, TextField
from django.db.models.functions import Cast

from activities.models import Activity, ActivityRevision
from processes import drafts
from processes.inputs import declaration_type
from processes.levels import Document, Levels, activities_in, given_in, levels_of
from processes.models import InputSet, Phase, PhaseActivity, Process, ProcessRevision
from processes.store import DatabaseCatalogue

Test = Callable[[Document], bool]
Found = dict[int, list[int]]


def names_connection(document: Document, slug: str) -> bool:
    """Whether a store activity or an activity of a process runs on the connection."""
    return any((one.get("automated") or {}).get("connection") == slug for one in (document, *activities_in(document)))


def names_secret(value: Any, name: str) -> bool:
    """Whether the value has `{secret: name}` anywhere in it."""
    if isinstance(value, Mapping):
        return value.get("secret") == name or any(names_secret(inner, name) for inner in value.values())
    return isinstance(value, list) and any(names_secret(inner, name) for inner in value)


def names_resource(document: Document, slug: str, kind: str) -> bool:
    """Whether a process lists the service or environment, or gives it as a value to an input of that type."""
    if slug in document.get("resources", ()):
        return True
    levels = levels_of(document, _catalogue(document)).values()
    return any(
        declaration_type(declaration) == kind and slug in (declaration.get("default"), level.given.get(name))
        for level in levels
        for name, declaration in (level.declarations or {}).items()
    )


def gives_resource(values: Document, levels: Levels, slug: str, kind: str) -> bool:
    """Whether an input set's values give the service or environment to an input of that type."""
    for path, _, given in given_in(values):
        declarations = (levels[path].declarations if path in levels else None) or {}
        for name, value in given.items():
            if value == slug and name in declarations and declaration_type(declarations[name]) == kind:
                return True
    return False


def in_store_drafts(name: str, test: Test) -> set[int]:
    """The store activities whose draft has the name in it and passes the test."""
    return {row.pk for row in _with_text(Activity.objects.all(), "draft", name) if test(row.draft)}


def in_store_revisions(name: str, test: Test) -> Found:
    """The store activities with those of their revisions that have the name in them and pass the test."""
    return _numbers(_with_text(ActivityRevision.objects.all(), "document", name), "activity_id", test)


def in_process_drafts(name: str, test: Test) -> set[int]:
    """The processes whose draft has the name in it and passes the test."""
    candidates = {
        *_with_text(Process.objects.all(), "body", name).values_list("pk", flat=True),
        *_with_text(Phase.objects.all(), "body", name).values_list("process_id", flat=True),
        *_with_text(PhaseActivity.objects.all(), "body", name).values_list("phase__process_id", flat=True),
    }
    found = drafts.with_rows(Process.objects.filter(pk__in=candidates))
    return {process.pk for process in found if test(drafts.compose(process))}


def in_process_revisions(name: str, test: Test) -> Found:
    """The processes with those of their revisions that have the name in them and pass the test."""
    return _numbers(_with_text(ProcessRevision.objects.all(), "document", name), "process_id", test)


def input_sets_with(name: str) -> Iterator[InputSet]:
    """The input sets whose values have the name in them."""
    yield from _with_text(InputSet.objects.select_related("process"), "values", name)


def _catalogue(document: Document) -> DatabaseCatalogue:
    catalogue = DatabaseCatalogue(or_draft=True)
    catalogue.warm([document])
    return catalogue


def _with_text(rows: QuerySet[Any], column: str, name: str) -> QuerySet[Any]:
    found: QuerySet[Any] = rows.alias(as_text=Cast(column, TextField())).filter(as_text__contains=f'"{name}"')
    return found


def _numbers(revisions: QuerySet[Any], owner: str, test: Test) -> Found:
    found: Found = {}
    for revision in revisions.order_by("number"):
        if test(revision.document):
            found.setdefault(getattr(revision, owner), []).append(revision.number)
    return found
