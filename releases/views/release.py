"""One release: its phases and activities, its values, its outputs and its trail."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from config.errors import Conflict, InvalidInput, NotFound, NotPermitted, PilothouseError
from config.models import Event
from config.pages import once, page, person, whole
from releases import inbox, mentions, reading
from releases.findings import Finding
from releases.models import Artifact, BreakGlass, PhaseRun, Release
from releases.progress import progress_of
from releases.reading import groups
from releases.reading.freezes import debt_may
from releases.reading.may import may_ask_exception
from releases.reading.runs import Runs, runs_of
from releases.reading.titles import titles_of
from releases.services import planning, running
from releases.services.break_glass import sign_off_break_glass
from releases.services.starting import preview_start
from releases.views.frame import find_release, is_refresh

EVENTS = 50
_EXPECTED = (InvalidInput, NotPermitted, Conflict)


def head_of(request: HttpRequest, release: Release, tab: str, runs: Runs | None = None) -> dict[str, Any]:
    """Return what the head of every page of a release shows; `runs` are its runs, if they are known."""
    is_live, now = release.state in ("running", "paused"), timezone.now()
    may = reading.release_may(request.user, release)
    return {
        "release": release,
        "progress": runs.progress if runs else progress_of([release.pk])[release.pk],
        "may": may,
        "may_fill": "fill_roles" in may and bool(planning.roles_of(release)),
        "may_except": may_ask_exception(request.user, release),
        "may_see_group": release.group is not None and groups.may_see(request.user, release.group),
        "tab": tab,
        "is_live": is_live,
        "forecast": reading.release_forecast(release, now=now, runs=runs) if is_live else None,
        "involved": reading.involved_in(release, now=now),
    }


def board_of(request: HttpRequest, release: Release, runs: Runs | None = None, **more: Any) -> dict[str, Any]:
    """Return what the page of phases and activities shows; `more` is the open activity's panel, if one is open."""
    runs = runs or (runs_of(release) if release.snapshot_id else Runs())
    waiting = inbox.calls_in(person(request), release, runs)
    head = head_of(request, release, "activities", runs)
    phases = reading.release_tree(release, runs=runs)
    forecast = head["forecast"]
    critical = {step.id for step in forecast.steps if step.is_critical and step.id} if forecast else set()
    return {
        **head,
        **_glass_of(request, release),
        "phases": phases,
        "graph": reading.release_graph(phases, critical) if release.snapshot_id else reading.planned_graph(release),
        "waiting": waiting,
        "waits": {call.id for call in waiting},
        "awaited_by": [] if release.finished_at else reading.awaited_by(request.user, release),
        "before": None if release.snapshot_id else reading.before_start(request.user, release, now=timezone.now()),
        "may_restart": "abort" in head["may"],
        "here": reverse("releases:show", args=[release.pk]),
        **more,
    }


def _glass_of(request: HttpRequest, release: Release) -> dict[str, Any]:
    """Return the break-glass start of a release, if it had one, and whether this person may sign it off."""
    glass: BreakGlass | None = getattr(release, "break_glass", None)
    if glass is None:
        return {"glass": None}
    glass.release = release
    return {
        "glass": glass,
        "ignored": reading.standings_for(request.user, map(Finding.from_json, glass.ignored)),
        "may_sign_glass": "sign_off" in debt_may(request.user, glass),
    }


def show_board(request: HttpRequest, context: Mapping[str, Any], *, status: int = 200) -> HttpResponse:
    """Answer with the whole page, or with its live part when the page refreshes itself."""
    template = "releases/_live.html" if is_refresh(request) else "releases/release.html"
    return render(request, template, dict(context), status=status)


@page
@require_safe
def show(request: HttpRequest, pk: int) -> HttpResponse:
    """Show a release's phases and activities."""
    return show_board(request, board_of(request, find_release(request, pk)))


@page
@require_safe
def values(request: HttpRequest, pk: int) -> HttpResponse:
    """Show the inputs of a release with where each comes from: as pinned, or as they would be if it started now."""
    release = find_release(request, pk)
    context: dict[str, Any] = {**head_of(request, release, "values"), "lines": reading.release_inputs(release)}
    if release.snapshot_id is None:
        resolved = preview_start(release, {}, now=timezone.now()).resolved
        context |= {"lines": [line for line in resolved.shown if not line["path"]], "faults": resolved.faults}
    context["here"] = reverse("releases:values", args=[pk])
    return render(request, "releases/_values.html" if is_refresh(request) else "releases/values.html", context)


@page
@require_safe
def outputs(request: HttpRequest, pk: int) -> HttpResponse:
    """Show what a release has given so far: its outputs and those of its phases, and how many artifacts it made."""
    release = find_release(request, pk)
    phases = PhaseRun.objects.filter(release=release).exclude(outputs={}).only("name", "path", "outputs")
    made = Artifact.objects.filter(release=release).count()
    context = {**head_of(request, release, "outputs"), "phases": phases, "made": made}
    context["here"] = request.get_full_path()
    return render(request, "releases/_outputs.html" if is_refresh(request) else "releases/outputs.html", context)


@page
@require_safe
def events(request: HttpRequest, pk: int) -> HttpResponse:
    """Show the trail of a release, the latest first, EVENTS at a time (`before` an id)."""
    release = find_release(request, pk)
    before = whole(request.GET.get("before", ""))
    found = Event.objects.filter(release_id=release.pk).order_by("-pk")
    if before is not None:
        found = found.filter(pk__lt=before)
    shown = mentions.masked_events(request.user, found[: EVENTS + 1])
    context = {
        **head_of(request, release, "events"),
        "events": shown[:EVENTS],
        "titles": titles_of(shown[:EVENTS]),
        "older": shown[EVENTS - 1].pk if len(shown) > EVENTS else None,
        "is_first": before is None,
        "here": request.get_full_path(),
    }
    return render(request, "releases/_events.html" if is_refresh(request) else "releases/events.html", context)


@page
def act(request: HttpRequest, pk: int, verb: str) -> HttpResponse:
    """Do one of VERBS to a release; what stands in the way is shown on its page."""
    if request.method != "POST":
        return redirect("releases:show", pk)
    release = find_release(request, pk)
    here = reverse("releases:show", args=[pk])

    def do() -> str:
        VERBS[verb](request, release)
        return here

    if verb not in VERBS:
        raise NotFound("There is no such action.")
    try:
        return redirect(once(request, do))
    except _EXPECTED as error:
        return _troubled(request, pk, verb, error)


@page
@require_POST
def restart_phase(request: HttpRequest, pk: int, phase_pk: int) -> HttpResponse:
    """Run a phase once more from its first activity."""
    release = find_release(request, pk)
    phase = PhaseRun.objects.filter(release_id=pk, pk=phase_pk).first()
    if phase is None:
        raise NotFound("This release has no such phase.")
    phase.release = release

    def do() -> str:
        running.restart_phase(person(request), phase, now=timezone.now(), reason=request.POST.get("reason", ""))
        return reverse("releases:show", args=[pk])

    try:
        return redirect(once(request, do))
    except _EXPECTED as error:
        return _troubled(request, pk, f"restart-{phase_pk}", error)


def _troubled(request: HttpRequest, pk: int, verb: str, error: PilothouseError) -> HttpResponse:
    trouble = {"verb": verb, "message": error.message, "reason": request.POST.get("reason", "")}
    return show_board(request, board_of(request, find_release(request, pk), trouble=trouble), status=error.status)


def _pause(request: HttpRequest, release: Release) -> None:
    running.pause_release(person(request), release, now=timezone.now(), reason=request.POST.get("reason", ""))


def _resume(request: HttpRequest, release: Release) -> None:
    running.resume_release(person(request), release, now=timezone.now())


def _abort(request: HttpRequest, release: Release) -> None:
    running.abort_release(person(request), release, now=timezone.now(), reason=request.POST.get("reason", ""))


def _schedule(request: HttpRequest, release: Release) -> None:
    planning.schedule_release(person(request), release, now=timezone.now())


def _cancel(request: HttpRequest, release: Release) -> None:
    planning.cancel_release(person(request), release, now=timezone.now(), reason=request.POST.get("reason", ""))


def _sign_glass(request: HttpRequest, release: Release) -> None:
    glass: BreakGlass | None = getattr(release, "break_glass", None)
    if glass is None:
        raise Conflict("Nobody broke the glass for this release.", code="no_debt")
    sign_off_break_glass(person(request), glass, comment=request.POST.get("reason", ""), now=timezone.now())


VERBS = {
    "pause": _pause,
    "resume": _resume,
    "abort": _abort,
    "schedule": _schedule,
    "cancel": _cancel,
    "sign-glass": _sign_glass,
}
