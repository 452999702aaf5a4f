"""The list of releases."""

from __future__ import annotations

from dataclasses import dataclass, field

from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from config.pages import page, person
from releases import policy
from releases.health import with_health
from releases.models import Release
from releases.progress import progress_of
from releases.states import RELEASE_SETTLED, ReleaseState
from releases.views.freezes import banner_of
from releases.views.planning import startable_processes

PAGE = 30
_OPEN = [str(state) for state in ReleaseState if state not in RELEASE_SETTLED]
_STATES = {str(state): str(state).replace("_", " ").capitalize() for state in ReleaseState}
_UNDER_WAY, _PLANNED = ("running", "paused"), "scheduled"
_FILTERS_THAT_NARROW = {"open", *_STATES}
_FILTERS = {"": "Any state", "open": "Not finished", **_STATES}


@dataclass(frozen=True, slots=True)
class Ahead:
    """What stands before the list: what is under way, and what is planned; `planned_count` counts all of that."""

    live: list[Release] = field(default_factory=list)
    planned: list[Release] = field(default_factory=list)
    planned_count: int = 0


@page
@require_safe
def show_list(request: HttpRequest) -> HttpResponse:
    """Show the releases this person may see, the newest first, PAGE at a time (`before` an id), filtered.

    Without a filter, what is under way comes first and what is planned is folded away, the soonest first, so that
    neither is buried by the other; at most PAGE of each.
    """
    query, chosen = request.GET.get("q", "").strip()[:200], request.GET.get("state", "")
    before = request.GET.get("before", "")
    visible = policy.visible_releases(request.user)
    wanted, ahead = _filtered(visible, query, chosen), Ahead()
    if not query and chosen not in _FILTERS_THAT_NARROW:
        wanted = wanted.exclude(state__in=[*_UNDER_WAY, _PLANNED])
        ahead = ahead if before else _ahead(visible)
    if before.isdecimal() and len(before) < 19:
        wanted = wanted.filter(pk__lt=int(before))
    found = _read(wanted.order_by("-pk"))
    shown = found[:PAGE]
    progress = progress_of(release.pk for release in [*ahead.live, *ahead.planned, *shown])
    context = {
        "live": [(release, progress[release.pk]) for release in ahead.live],
        "planned": [(release, progress[release.pk]) for release in ahead.planned],
        "planned_count": ahead.planned_count,
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
    return render(request, "releases/list.html", {**context, **banner_of(request)})


def _ahead(visible: QuerySet[Release]) -> Ahead:
    live = _read(visible.filter(state__in=_UNDER_WAY).order_by("-started_at", "-pk"))[:PAGE]
    waiting = visible.filter(state=_PLANNED)
    planned = _read(waiting.order_by("planned_start_at", "pk"))
    return Ahead(live, planned[:PAGE], waiting.count() if len(planned) > PAGE else len(planned))


def _read(releases: QuerySet[Release]) -> list[Release]:
    """Return the first releases with what a row shows, one more than a page has."""
    return list(with_health(releases).select_related("process", "revision", "group")[: PAGE + 1])


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
