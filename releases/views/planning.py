"""Creating a release ad hoc."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.db.models import Exists, OuterRef, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from config.errors import Conflict, Fault, InvalidInput, NotPermitted
from config.pages import once, page, person, zone_named
from config.permissions import allowed, visible
from config.trail import Actor
from processes.models import InputSet, Process, ProcessRevision
from releases import forms
from releases.services import planning

_OWN_BOXES = ("name", "input_set", "planned_start_at", "planned_end_at")


def startable_processes(actor: Actor) -> QuerySet[Process]:
    """Return the published processes of which `actor` may create and start releases."""
    published = Process.objects.filter(Exists(ProcessRevision.objects.filter(process=OuterRef("pk"))))
    if allowed(actor, "releases.add_release"):
        return published
    return visible(actor, "processes.start_process", published)


@page
@require_http_methods(["GET", "HEAD", "POST"])
def create(request: HttpRequest) -> HttpResponse:
    """Choose a process (`process` in the address), then fill in the new release; on success go on to its start.

    `start` and `end` in the address are a suggestion of when, in its `zone` if they name no offset.
    """
    processes = startable_processes(request.user)
    slug = request.GET.get("process", "")
    if not slug:
        return render(request, "releases/choose_process.html", {"processes": processes, "when": _when(request)})
    process = processes.filter(slug=slug).first()
    if process is None:
        raise Http404("There is no such process, or you may not start releases of it.")
    revision = process.revisions.first()
    declarations: Mapping[str, Any] = (revision.document if revision else {}).get("inputs") or {}
    if request.method != "POST":
        return _show_create(request, process, revision, declarations)
    try:
        return redirect(once(request, lambda: _create(request, process, declarations)))
    except InvalidInput as error:
        return _show_create(request, process, revision, declarations, error.faults, status=400)
    except (NotPermitted, Conflict) as error:
        return _show_create(request, process, revision, declarations, [Fault("", error.message)], status=error.status)


def _show_create(
    request: HttpRequest,
    process: Process,
    revision: ProcessRevision | None,
    declarations: Mapping[str, Any],
    faults: Sequence[Fault] = (),
    *,
    status: int = 200,
) -> HttpResponse:
    data = request.POST.dict() if request.method == "POST" else None
    defaults = {name: declaration.get("default") for name, declaration in declarations.items()}
    boxes = forms.fields(declarations, "inputs.", data=data, now=defaults)
    typed, unread = (data, []) if data is not None else _suggested(request)
    faults = [*faults, *unread]
    context = {
        "process": process,
        "revision": revision,
        "input_sets": process.input_sets.all(),
        "fields": boxes,
        "faults": forms.place_faults(boxes, [fault for fault in faults if fault.path not in _OWN_BOXES]),
        "wrong": {fault.path: fault for fault in faults},
        "typed": typed,
    }
    return render(request, "releases/create.html", context, status=status)


def _when(request: HttpRequest) -> str:
    """Return the part of the address that suggests when, to be handed on."""
    return urlencode({name: request.GET[name][:60] for name in ("start", "end", "zone") if name in request.GET})


def _suggested(request: HttpRequest) -> tuple[dict[str, str], list[Fault]]:
    """Return the times that the address suggests as the boxes show them, and those that cannot be read."""
    typed, faults = {}, []
    for name, box in (("start", "planned_start_at"), ("end", "planned_end_at")):
        text = request.GET.get(name, "")
        try:
            with timezone.override(zone_named(request.GET.get("zone", ""))):
                moment = forms.moment_of(text) if text else None
            typed[box] = f"{timezone.localtime(moment):%Y-%m-%dT%H:%M}" if moment else ""
        except (ValueError, OverflowError):
            faults.append(Fault(box, f"'{text[:40]}' is not a date and time.", "Write it like 2026-03-02T09:00."))
    return typed, faults


def _create(request: HttpRequest, process: Process, declarations: Mapping[str, Any]) -> str:
    data = request.POST
    answers = forms.read(declarations, data, "inputs.")
    faults = list(answers.faults)
    if not data.get("name", "").strip():
        faults.append(Fault("name", "A release needs a name."))
    start_at, end_at = (_moment(name, data, faults) for name in ("planned_start_at", "planned_end_at"))
    chosen = data.get("input_set", "")
    input_set = InputSet.objects.filter(process=process, slug=chosen).first() if chosen else None
    if chosen and input_set is None:
        faults.append(Fault("input_set", "There is no such input set for this process."))
    if faults:
        raise InvalidInput(faults)
    release = planning.create_release(
        person(request),
        process=process,
        name=data["name"][:200],
        version=data.get("version", "")[:100],
        description=data.get("description", ""),
        input_set=input_set,
        given={"inputs": answers.values} if answers.values else {},
        now=timezone.now(),
        planned_start_at=start_at,
        planned_end_at=end_at,
    )
    return reverse("releases:start" if "start" in data else "releases:show", args=[release.pk])


def _moment(name: str, data: QueryDict, faults: list[Fault]) -> datetime | None:
    text = data.get(name, "")
    if not text.strip():
        return None
    try:
        return forms.moment_of(text)
    except ValueError:
        faults.append(Fault(name, f"'{text[:40]}' is not a date and time.", "Write it like 2026-03-02T09:00."))
        return None
