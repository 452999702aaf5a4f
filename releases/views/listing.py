"""The list of releases: searched, filtered, sorted, page by page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlencode

from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from config.pages import page, person
from releases import policy
from releases.health import UNDER_WAY, with_health
from releases.models import Release
from releases.progress import Progress, progress_of
from releases.reading.columns import listed
from releases.reading.places import Order, slice_of
from releases.reading.search import Search, found_by
from releases.services import saved_views
from releases.views import bulk, filters
from releases.views.freezes import banner_of
from releases.views.planning import startable_processes

PAGE = 30
#: How many of what is under way and of what is planned stand before the list.
HEAD = 15
_PLANNED = "scheduled"
_HEADS = (
    ("Under way", UNDER_WAY, ("-started_at", "-pk")),
    ("Planned", (_PLANNED,), ("planned_start_at", "pk")),
)


@dataclass(slots=True)
class Row:
    """A release of the list; `verb` is what this person may do to it together with others, if anything."""

    release: Release
    progress: Progress
    verb: str = ""


@dataclass(slots=True)
class Part:
    """A part of the list with a table of its own; `is_folded` when it opens only on demand."""

    name: str
    rows: list[Row] = field(default_factory=list)
    total: int = 0
    is_folded: bool = False


@page
@require_safe
def show_list(request: HttpRequest) -> HttpResponse:
    """Show the releases this person may see that the address asks for, PAGE at a time (`after` or `before` a place).

    Without a filter and an order, what is under way comes first and what is planned is folded away, the soonest first,
    so that neither is buried by the other; at most HEAD of each. Then follows the rest, the newest first.
    """
    search, visible = Search.of(request.GET.dict()), policy.visible_releases(request.user)
    wanted = found_by(request.user, search, visible)
    heads: list[tuple[str, list[Release], int]] = []
    after, before = request.GET.get("after", ""), request.GET.get("before", "")
    is_plain = not (search.filters or search.sort)
    if is_plain:
        wanted = wanted.exclude(state__in=[*UNDER_WAY, _PLANNED])
        heads = [] if after or before else _heads(visible)
    shown = slice_of(_with_columns(wanted), Order.of(search.sort), size=PAGE, after=after, before=before)
    parts = _parts(request, [*heads, ("", shown.rows, len(shown.rows))])
    views = list(saved_views.views_of(person(request)))
    context = {
        "parts": parts,
        "verbs": {row.verb for part in parts for row in part.rows if row.verb},
        "views": views,
        "view": next((view for view in views if view.query == search.query()), None),
        "is_plain": is_plain,
        "search": search,
        "query": search.query(),
        "here": _here(search, after, before),
        "after": shown.after,
        "before": shown.before,
        "is_first": not (after or before),
        "chips": filters.chips_of(search),
        "headings": filters.headings_of(search),
        "may_create": startable_processes(person(request)).exists(),
    }
    if request.headers.get("HX-Target") == "div#list":
        answer = render(request, "releases/_list.html", {**context, "is_part": True})
        if request.headers.get("HX-Source") == "form#search":
            answer["HX-Replace-Url"] = _here(search)
        return answer
    boxes = filters.boxes_of(person(request), search, visible)
    return render(request, "releases/list.html", {**context, **banner_of(request), "boxes": boxes})


def _here(search: Search, after: str = "", before: str = "") -> str:
    """Return the address of a page of the list, always the same for the same."""
    place = {"after": after} if after else {"before": before} if before else {}
    query = "&".join(part for part in (search.query(), urlencode(place)) if part)
    return f"{reverse('releases:list')}{'?' if query else ''}{query}"


def _heads(visible: QuerySet[Release]) -> list[tuple[str, list[Release], int]]:
    """Return the parts before the list, with how many releases each has: under way, planned."""
    known = visible.filter(state__in=[state for _, states, _ in _HEADS for state in states]).order_by()
    counts = dict(known.values_list("state").annotate(Count("pk")))
    parts = []
    for name, states, order in _HEADS:
        found = list(_with_columns(visible.filter(state__in=states)).order_by(*order)[:HEAD])
        parts.append((name, found, sum(counts.get(state, 0) for state in states)))
    return [part for part in parts if part[1]]


def _parts(request: HttpRequest, found: Iterable[tuple[str, list[Release], int]]) -> list[Part]:
    """Return parts with all that their rows show."""
    filled = [part for part in found if part[1]]
    ids = [release.pk for _, releases, _ in filled for release in releases]
    progress, verbs = progress_of(ids), _verbs(request, [release for _, releases, _ in filled for release in releases])
    return [
        Part(
            name,
            [Row(release, progress[release.pk], verbs.get(release.pk, "")) for release in releases],
            total,
            is_folded=name == "Planned",
        )
        for name, releases, total in filled
    ]


def _verbs(request: HttpRequest, releases: Sequence[Release]) -> dict[int, str]:
    """Return what may be done to each of these releases together with others, as far as this person operates it."""
    fits = {release.pk: verb for release in releases if (verb := bulk.fitting(release))}
    operated = policy.operable_releases(request.user).order_by().filter(pk__in=list(fits)).values_list("pk", flat=True)
    return {pk: fits[pk] for pk in operated} if fits else {}


def _with_columns(releases: QuerySet[Release]) -> QuerySet[Release]:
    """Return releases with what a row shows."""
    return listed(with_health(releases))
