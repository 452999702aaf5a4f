"""Creating a release ad hoc, in three steps: choose a process, say what, look at every value and what stops it.

Nothing is kept between the steps: every form carries what was typed in the others along, so that nothing is lost on the
way back either. What the last step shows is the release as it would be, made and taken back in one transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlencode

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from config.errors import Conflict, Fault, InvalidInput, NotPermitted, PilothouseError
from config.pages import once, page, zone_named
from config.permissions import allowed, visible
from config.trail import Actor
from processes.models import Process, ProcessRevision
from releases import forms
from releases.views import wizard
from releases.views.wizard import Plan

#: How many processes are listed; those who have more search.
PROCESSES = 50
_EXPECTED = (InvalidInput, NotPermitted, Conflict)


def startable_processes(actor: Actor) -> QuerySet[Process]:
    """Return the published processes of which `actor` may create and start releases."""
    published = Process.objects.filter(Exists(ProcessRevision.objects.filter(process=OuterRef("pk"))))
    if allowed(actor, "releases.add_release"):
        return published
    return visible(actor, "processes.start_process", published)


@page
@require_http_methods(["GET", "HEAD", "POST"])
def create(request: HttpRequest) -> HttpResponse:
    """Choose a process (`process` in the address), then fill in the new release; on success go on to it.

    `start` and `end` in the address are a suggestion of when, in its `zone` if they name no offset. POST `to` goes to
    another step; `do` creates the release, and with `start` or `schedule` goes on from there.
    """
    slug = request.GET.get("process", "").replace("\0", "")
    if not slug or request.POST.get("to") == "process":
        return _choose(request)
    process = startable_processes(request.user).filter(slug=slug).first()
    if process is None:
        raise Http404("There is no such process, or you may not start releases of it.")
    if request.method != "POST":
        typed, faults = _suggested(request)
        return wizard.show_what(request, wizard.read(process, typed), faults)
    plan = wizard.read(process, {name: str(value) for name, value in request.POST.items()})
    step = request.POST.get("to", "")
    if step == "what":
        return wizard.show_what(request, plan)
    if step == "values":
        return _look(request, plan)
    if plan.faults:
        return _mend(request, plan, plan.faults)
    try:
        return redirect(once(request, lambda: wizard.carry_out(request, plan, request.POST.get("do", ""))))
    except _EXPECTED as error:
        return _mend(request, plan, wizard.faults_of(error), error.status)


def _look(request: HttpRequest, plan: Plan) -> HttpResponse:
    """Answer with the values, unless something is wrong with what comes before them."""
    if any(wizard.is_what(fault.path) for fault in plan.faults):
        return wizard.show_what(request, plan, plan.faults, status=400)
    try:
        return wizard.show_values(request, plan, plan.faults)
    except _EXPECTED as error:
        return wizard.show_what(request, plan, wizard.faults_of(error), status=error.status)


def _mend(request: HttpRequest, plan: Plan, faults: Sequence[Fault], status: int = 400) -> HttpResponse:
    """Answer with the step that the faults are about, the first one if they are about both."""
    if not any(wizard.is_what(fault.path) for fault in faults):
        try:
            return wizard.show_values(request, plan, faults, status=status)
        except PilothouseError as error:
            faults = [*faults, *wizard.faults_of(error)]
    return wizard.show_what(request, plan, faults, status=status)


def _choose(request: HttpRequest) -> HttpResponse:
    q = request.GET.get("q", "").replace("\0", "").strip()[:100]
    processes = startable_processes(request.user)
    if q:
        processes = processes.filter(Q(name__icontains=q) | Q(slug__icontains=q) | Q(description__icontains=q))
    listed = list(processes.order_by("name", "pk")[: PROCESSES + 1])
    context = {
        "processes": listed[:PROCESSES],
        "has_more": len(listed) > PROCESSES,
        "q": q,
        "is_searched": bool(q) or len(listed) > 8,
        "when": urlencode(_when(request)),
        "handed_on": _when(request).items(),
        "kept": wizard.kept_of(request.POST, ()),
    }
    return render(request, "releases/choose_process.html", context)


def _when(request: HttpRequest) -> dict[str, str]:
    """Return the part of the address that suggests when, to be handed on."""
    return {name: request.GET[name][:60] for name in ("start", "end", "zone") if name in request.GET}


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
