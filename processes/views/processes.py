"""Processes: which there are, one as an outline, its revisions and what changed, its input sets, who uses it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from config.errors import NotFound
from config.pages import page, person
from config.permissions import allowed, visible
from processes import reading, services
from processes.models import InputSet, Process, ProcessRevision
from processes.outline import declared_in, outline_of
from processes.outline_graph import drawing_of
from processes.seeing import visible_input_sets, visible_processes
from processes.services.input_sets import completeness_of
from processes.store import DatabaseCatalogue
from processes.views.frame import (
    DRAFT,
    PAGE,
    comparison,
    download,
    may_start,
    one_page,
    revision_number,
    revisions_page,
    searched,
)


@page
@require_safe
def show_list(request: HttpRequest) -> HttpResponse:
    """Show the processes this person may see, by their ids, PAGE at a time (`after` an id), searched (`q`)."""
    rows, context = searched(request, visible_processes(request.user))
    context |= one_page(reading.process_overviews(request.user, rows, most=PAGE + 1))
    context["may_add"] = request.user.is_staff and allowed(person(request), "processes.add_process")
    name = "_list" if request.headers.get("HX-Target") == "div#list" else "list"
    return render(request, f"processes/{name}.html", context)


@page
@require_safe
def show(request: HttpRequest, slug: str) -> HttpResponse:
    """Show a process: the newest revision, or the one chosen (`revision`, a number or `draft`)."""
    process, latest = _found(request, slug)
    chosen = request.GET.get("revision", "") or (str(latest.number) if latest else DRAFT)
    document = _document(process, chosen)
    catalogue = DatabaseCatalogue(or_draft=True)
    catalogue.warm([document])
    stages = outline_of(document, catalogue)
    steps = [step for stage in stages for step in stage.steps]
    context = {
        **_head(request, process, latest, "outline"),
        "chosen": chosen,
        "revisions": process.revisions.order_by("-number").values_list("number", flat=True)[:200],
        "document": document,
        "stages": stages,
        "graph": drawing_of(stages),
        "step_count": len(steps),
        "inputs": declared_in(document.get("inputs", {})),
        "stored": reading.known_slugs(request.user, "Activity", [step.store for step in steps]),
        "called": reading.known_slugs(request.user, "Process", [step.called for step in steps]),
        "names": {stage.id: stage.name for stage in stages} | {step.node: step.name for step in steps},
    }
    return render(request, "processes/process.html", context)


@page
@require_safe
def revisions(request: HttpRequest, slug: str) -> HttpResponse:
    """Show the published revisions of a process, the newest first."""
    process, latest = _found(request, slug)
    context = {**_head(request, process, latest, "revisions"), **revisions_page(request, process.revisions.all())}
    return render(request, "processes/revisions.html", context)


@page
@require_safe
def changes(request: HttpRequest, slug: str) -> HttpResponse:
    """Show what changed from one revision of a process, or its draft, to another (`a`, `b`)."""
    process, latest = _found(request, slug)
    compared = comparison(request, process.revisions.all(), lambda chosen: _document(process, chosen))
    return render(request, "processes/changes.html", {**_head(request, process, latest, "changes"), **compared})


@page
@require_safe
def input_sets(request: HttpRequest, slug: str) -> HttpResponse:
    """Show the input sets of a process, PAGE at a time (`after` an id), each with what it lacks."""
    process, latest = _found(request, slug)
    rows, context = searched(request, visible_input_sets(request.user).filter(process=process))
    found = list(rows[: PAGE + 1])
    shown = found[:PAGE]
    context |= {
        **_head(request, process, latest, "input_sets"),
        "rows": list(zip(shown, completeness_of(shown, latest), strict=True)) if latest else [(s, None) for s in shown],
        "more": shown[-1].slug if len(found) > PAGE else "",
        "editable": _editable(request, shown),
    }
    return render(request, "processes/input_sets.html", context)


@page
@require_safe
def used_by(request: HttpRequest, slug: str) -> HttpResponse:
    """Show what uses a process: other processes, groups, freezes, the newest releases."""
    process, latest = _found(request, slug)
    context = {**_head(request, process, latest, "used_by"), "around": reading.around(request.user, process)}
    return render(request, "processes/used_by.html", context)


@page
@require_safe
def export(request: HttpRequest, slug: str) -> HttpResponse:
    """Send a revision of a process (`revision`), or its draft, as a YAML file."""
    process, _ = _found(request, slug)
    chosen = request.GET.get("revision", DRAFT)
    suffix = "" if chosen == DRAFT else f"-{chosen}"
    return download(_document(process, chosen), process.slug + suffix)


def _editable(request: HttpRequest, shown: Sequence[InputSet]) -> set[int]:
    """Which of the input sets the reader may change, in the admin."""
    if not request.user.is_staff:
        return set()
    rows = InputSet.objects.filter(pk__in=[one.pk for one in shown])
    return set(visible(request.user, "processes.change_inputset", rows).values_list("pk", flat=True))


def _found(request: HttpRequest, slug: str) -> tuple[Process, ProcessRevision | None]:
    """A process that this person may see, and its newest revision. Raises Http404 for any other."""
    process = get_object_or_404(visible_processes(request.user), slug=slug)
    return process, services.latest_revision(process)


def _document(process: Process, chosen: str) -> Mapping[str, Any]:
    """The document of a revision or of the draft. Raises NotFound."""
    if chosen == DRAFT:
        return services.document_of(process, None)
    number = revision_number(chosen)
    if number is None:
        raise NotFound(f"'{process.slug}' has no such revision.")
    return services.document_of(process, number)


def _head(request: HttpRequest, process: Process, latest: ProcessRevision | None, tab: str) -> dict[str, Any]:
    """What every page of a process shows above its tab."""
    user = person(request)
    return {
        "process": process,
        "latest": latest,
        "tab": tab,
        "differs": services.draft_differs(process),
        "may_edit": user.is_staff and allowed(user, "processes.change_process", process),
        "may_start": latest is not None and may_start(request, process),
    }
