"""How pages find a release and its activities: only what the reader may see is found."""

from __future__ import annotations

from django.http import Http404, HttpRequest
from django.shortcuts import get_object_or_404

from releases import policy
from releases.health import with_health
from releases.models import ActivityRun, Release

_WITH = ("process", "revision", "group", "input_set", "break_glass")


def find_release(request: HttpRequest, pk: int) -> Release:
    """Return a release that this person may see, with its `health`. Raises Http404 for any other."""
    found = with_health(Release.objects.all()).select_related(*_WITH)
    release = get_object_or_404(found, pk=pk)
    if not policy.may_see(request.user, release):
        raise Http404
    return release


def is_refresh(request: HttpRequest) -> bool:
    """Return whether a page asks only for the part of it that is live."""
    return request.headers.get("HX-Target") == "div#live"


def find_activity(release: Release, pk: int) -> ActivityRun:
    """Return an activity of a release, which the caller has found. Raises Http404 for another release's."""
    run = get_object_or_404(ActivityRun.objects.select_related("phase"), pk=pk, release_id=release.pk)
    run.release = release
    return run
