"""Pages that one looks at rather than works with: a release on a line of time, and on the wall."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from config.models import Event
from config.pages import page
from releases import reading
from releases.models import Release
from releases.reading.runs import Runs, runs_of
from releases.reading.titles import titles_in
from releases.views.frame import find_release, is_refresh
from releases.views.release import head_of

#: What fits on a wall: phases, entries of what it waits for, events.
MOST_PHASES, MOST_WAITS, MOST_EVENTS = 28, 6, 8


@page
@require_safe
def timeline(request: HttpRequest, pk: int) -> HttpResponse:
    """Show what was planned, what happened and what is expected, phase by phase."""
    release = find_release(request, pk)
    now, runs = timezone.now(), runs_of(release)
    head = head_of(request, release, "timeline", runs)
    forecast = head["forecast"] or reading.release_forecast(release, now=now, runs=runs)
    shown = reading.release_timeline(release, forecast, now=now, zone=timezone.get_current_timezone())
    context = {**head, "timeline": shown, "here": reverse("releases:timeline", args=[pk])}
    return render(request, "releases/_timeline.html" if is_refresh(request) else "releases/timeline.html", context)


@page
@require_safe
def wall(request: HttpRequest, pk: int) -> HttpResponse:
    """Show how a release stands, large, for a screen that hangs somewhere and refreshes itself."""
    release = find_release(request, pk)
    runs = runs_of(release)
    context = {
        **head_of(request, release, "wall", runs),
        "wall": _wall_of(request, release, timezone.now(), runs),
        "here": reverse("releases:wall", args=[pk]),
    }
    return render(request, "releases/_wall.html" if is_refresh(request) else "releases/wall.html", context)


def _wall_of(request: HttpRequest, release: Release, now: datetime, runs: Runs) -> dict[str, Any]:
    blocked = reading.release_blocked(request.user, release, now=now, runs=runs)
    phases = reading.release_graph(reading.release_tree(release, now=now, runs=runs)).nodes
    if release.snapshot_id is None:
        phases = reading.planned_graph(release).nodes
    done = [node for node in phases if node.state in ("succeeded", "skipped")] if len(phases) > MOST_PHASES else []
    left = [node for node in phases if node not in done]
    waits = [run for run in blocked.runs if run.state in ("waiting", "on_hold") and run.kind != "wait"]
    waits.sort(key=lambda run: run.state != "on_hold")
    return {
        "done": len(done),
        "phases": left[:MOST_PHASES],
        "more": max(0, len(left) - MOST_PHASES),
        "waits": waits[:MOST_WAITS],
        "more_waits": max(0, len(waits) - MOST_WAITS),
        "links": [] if release.snapshot_id else blocked.links[:MOST_WAITS],
        "titles": titles_in(runs),
        "events": Event.objects.filter(release_id=release.pk).order_by("-pk")[:MOST_EVENTS],
    }
