"""Pages that one looks at rather than works with: a release on a line of time, and on the wall."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from config.pages import page
from releases import reading
from releases.views.frame import find_release
from releases.views.release import head_of


@page
@require_safe
def timeline(request: HttpRequest, pk: int) -> HttpResponse:
    """Show what was planned, what happened and what is expected, phase by phase."""
    release = find_release(request, pk)
    shown = reading.release_timeline(release, now=timezone.now(), zone=timezone.get_current_timezone())
    context = {
        **head_of(request, release, "timeline"),
        "timeline": shown,
        "here": reverse("releases:timeline", args=[pk]),
    }
    is_refresh = request.headers.get("HX-Target") == "div#live"
    return render(request, "releases/_timeline.html" if is_refresh else "releases/timeline.html", context)
