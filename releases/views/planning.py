"""Creating a release ad hoc, and starting one: every value with where it comes from, overrides checked beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Exists, OuterRef, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from config.errors import Conflict, Fault, InvalidInput, NotPermitted
from config.permissions import allowed, visible
from config.trail import Actor
from processes.models import InputSet, Process, ProcessRevision
from releases import forms, policy
from releases.forms import Field
from releases.models import Release
from releases.services import planning, starting
from releases.views.frame import find_release, once, page, person

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
    """Choose a process (`process` in the address), then fill in the new release; on success go on to its start."""
    processes = startable_processes(request.user)
    slug = request.GET.get("process", "")
    if not slug:
        return render(request, "releases/choose_process.html", {"processes": processes})
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
    context = {
        "process": process,
        "revision": revision,
        "input_sets": process.input_sets.all(),
        "fields": boxes,
        "faults": forms.place_faults(boxes, [fault for fault in faults if fault.path not in _OWN_BOXES]),
        "wrong": {fault.path: fault for fault in faults},
        "typed": data or {},
    }
    return render(request, "releases/create.html", context, status=status)


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


@dataclass(slots=True)
class Level:
    """The inputs of the process (no path), a phase or an activity; `is_open` shows them from the start."""

    path: str
    name: str
    fields: list[Field]

    @property
    def is_open(self) -> bool:
        """Whether it has a fault or something typed to show."""
        return not self.path or any(box.faults or box.text for box in self.fields)


@page
@require_http_methods(["GET", "HEAD", "POST"])
def start(request: HttpRequest, pk: int) -> HttpResponse:
    """Show what a release would start with and what stops it; POST `check` looks again, POST `start` starts it."""
    release = find_release(request, pk)
    policy.require_start(request.user, release.process, release.group)
    if release.state not in ("draft", "scheduled"):
        return redirect("releases:show", pk)
    preview = starting.preview_start(release, {}, now=timezone.now())
    if request.method != "POST":
        return _show_start(request, release, preview)
    given, unread = _read_levels(preview.expanded, request.POST)
    preview = starting.preview_start(release, given, now=timezone.now())
    if unread or preview.resolved.faults or "start" not in request.POST:
        return _show_start(request, release, preview, unread)
    try:
        return redirect(once(request, lambda: _start(request, release, given)))
    except (InvalidInput, NotPermitted, Conflict) as error:
        return _show_start(request, release, preview, trouble=error.message, status=error.status)


def _show_start(
    request: HttpRequest,
    release: Release,
    preview: starting.Preview,
    unread: Sequence[Fault] = (),
    *,
    trouble: str = "",
    status: int = 200,
) -> HttpResponse:
    """Answer with the values and every fault: of texts that could not be read, and of what would stop the start."""
    is_checked = request.method == "POST"
    levels = _levels(preview, request.POST if is_checked else None)
    paths = {fault.path for fault in unread}
    faults = [*unread, *(fault for fault in preview.resolved.faults if fault.path not in paths)]
    context = {
        "release": release,
        "revision": preview.revision,
        "levels": levels,
        "has_inner": any(level.path for level in levels),
        "faults": forms.place_faults([box for level in levels for box in level.fields], faults),
        "fault_count": len(faults),
        "trouble": trouble,
        "is_checked": is_checked,
    }
    return render(request, "releases/start.html", context, status=400 if is_checked and faults else status)


def _start(request: HttpRequest, release: Release, given: Mapping[str, Any]) -> str:
    starting.start_release(person(request), release, now=timezone.now(), given=given)
    return reverse("releases:show", args=[release.pk])


def _nodes(expanded: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the nodes whose inputs may be given at the start: the process, its phases and their activities."""
    return [
        node
        for node in expanded["nodes"]
        if node["inputs"] and node["kind"] != "for_each" and node["scope"] == 0 and node["path"].count("/") < 2
    ]


def _prefix(path: str) -> str:
    return f"{path}." if path else "inputs."


def _read_levels(expanded: Mapping[str, Any], data: QueryDict) -> tuple[dict[str, Any], list[Fault]]:
    """Return what was typed, in the shape of an input set, and the faults of what could not be read."""
    given: dict[str, Any] = {}
    faults: list[Fault] = []
    for node in _nodes(expanded):
        answers = forms.read(node["inputs"], data, _prefix(node["path"]))
        faults += answers.faults
        if not answers.values:
            continue
        level = given
        phase, _, activity = node["path"].partition("/")
        if phase:
            level = level.setdefault("phases", {}).setdefault(phase, {})
        if activity:
            level = level.setdefault("activities", {}).setdefault(activity, {})
        level["inputs"] = answers.values
    return given, faults


def _levels(preview: starting.Preview, data: QueryDict | None) -> list[Level]:
    shown = {(line["path"], line["name"]): line for line in preview.resolved.shown}
    phases = {node["path"]: node["name"] for node in preview.expanded["nodes"] if node["kind"] == "phase"}
    levels = []
    for node in _nodes(preview.expanded):
        path, lines = node["path"], {name: shown.get((node["path"], name), {}) for name in node["inputs"]}
        boxes = forms.fields(
            node["inputs"],
            _prefix(path),
            data=data if data is not None else {},
            now={name: line.get("value") for name, line in lines.items()},
            sources={name: str(line.get("source", "unset")) for name, line in lines.items()},
        )
        phase = phases.get(path.partition("/")[0], "")
        levels.append(Level(path, f"{phase} / {node['name']}" if "/" in path else node["name"], boxes))
    return levels
