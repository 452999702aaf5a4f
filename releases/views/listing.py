"""The list of releases, with what waits for the reader above it."""

from __future__ import annotations

from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from releases import inbox, policy
from releases.health import with_health
from releases.models import Release
from releases.progress import progress_of
from releases.states import RELEASE_SETTLED, ReleaseState
from releases.views.frame import page, person
from releases.views.planning import startable_processes

PAGE = 30
_OPEN = [str(state) for state in ReleaseState if state not in RELEASE_SETTLED]
_STATES = {str(state): str(state).replace("_", " ").capitalize() for state in ReleaseState}
_FILTERS = {"": "Any state", "open": "Not finished", **_STATES}


@page
@require_safe
def show_list(request: HttpRequest) -> HttpResponse:
    """Show the releases this person may see, the newest first, PAGE at a time (`before` an id), filtered."""
    query, chosen = request.GET.get("q", "").strip()[:200], request.GET.get("state", "")
    before = request.GET.get("before", "")
    wanted = _filtered(policy.visible_releases(request.user), query, chosen)
    if before.isdecimal() and len(before) < 19:
        wanted = wanted.filter(pk__lt=int(before))
    found = list(with_health(wanted).select_related("process", "revision", "group").order_by("-pk")[: PAGE + 1])
    shown = found[:PAGE]
    progress = progress_of(release.pk for release in shown)
    context = {
        "rows": [(release, progress[release.pk]) for release in shown],
        "older": shown[-1].pk if len(found) > PAGE else None,
        "is_first": not before,
        "query": query,
        "chosen": chosen,
        "filters": _FILTERS.items(),
        "is_filtered": bool(query or chosen),
        "may_create": startable_processes(person(request)).exists(),
    }
    if request.headers.get("HX-Target") == "div#list":
        return render(request, "releases/_list.html", context)
    return render(request, "releases/list.html", {**context, "inbox": inbox.waiting_for(person(request))})


def _filtered(releases: QuerySet[Release], query: str, chosen: str) -> QuerySet[Release]:
    if chosen == "open":
        releases = releases.filter(state__in=_OPEN)
    elif chosen in _STATES:
        releases = releases.filter(state=chosen)
    for word in query.split():
        text = Q(name__icontains=word) | Q(version__icontains=word) | Q(process__name__icontains=word)
        text |= Q(process__slug__icontains=word) | Q(group__name__icontains=word)
        releases = releases.filter(text)
    return releases
