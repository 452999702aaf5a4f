"""From code to deployment and back: what a release carries, what is where, how it came there, who carries what."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from config.pages import page, whole
from config.permissions import allowed
from releases import policy
from releases.models import Change
from releases.reading import carried
from releases.views.frame import find_release, is_refresh
from releases.views.release import head_of

PAGE = 50


@page
@require_safe
def changes(request: HttpRequest, pk: int) -> HttpResponse:
    """Show the tickets, commits and artifacts of a release; its commits PAGE at a time (`before` an id)."""
    release = find_release(request, pk)
    before = whole(request.GET.get("before", ""))
    commits = Change.objects.filter(release=release, kind="commit")
    rows = list((commits if before is None else commits.filter(pk__lt=before))[: PAGE + 1])
    context = {
        **head_of(request, release, "changes"),
        "tickets": list(Change.objects.filter(release=release, kind="ticket")[: carried.MOST]),
        "commits": rows[:PAGE],
        "older": rows[PAGE - 1].pk if len(rows) > PAGE else None,
        "is_first": before is None,
        "artifacts": carried.made_by(release, policy.visible_releases(request.user)),
        "may_attach": policy.may_operate(request.user, release),
        "here": request.get_full_path(),
    }
    return render(request, "releases/_changes.html" if is_refresh(request) else "releases/changes.html", context)


@page
@require_safe
def where(request: HttpRequest) -> HttpResponse:
    """Show what is where: every artifact in every environment, or in one (`environment`), PAGE at a time (`after`)."""
    seen = policy.visible_releases(request.user)
    known = carried.environments(seen)
    chosen, after = _text(request, "environment"), _text(request, "after")
    if chosen and chosen not in known:
        raise Http404("There is nothing in such an environment, or you may not see it.")
    context: dict[str, Any] = {"known": known, "chosen": chosen, "is_first": not after, "sees_all": _sees_all(request)}
    if chosen:
        rows = carried.in_environment(seen, chosen, after=after, size=PAGE + 1)
        names = [one.name for one in rows]
        context["rows"] = rows[:PAGE]
    else:
        shelves = carried.shelves(seen, known, after=after, size=PAGE + 1)
        names = [one.name for one in shelves]
        context["shelves"] = shelves[:PAGE]
    last = names[PAGE - 1] if len(names) > PAGE else ""
    context["next"] = urlencode({"environment": chosen, "after": last} if chosen else {"after": last}) if last else ""
    context["here"] = request.get_full_path()
    is_part = request.headers.get("HX-Target") == "div#where"
    return render(request, "releases/where/_list.html" if is_part else "releases/where/list.html", context)


@page
@require_safe
def history(request: HttpRequest) -> HttpResponse:
    """Show how an artifact (`name`) came into an environment, the latest first, PAGE at a time (`before` an id)."""
    name, environment = _text(request, "name"), _text(request, "environment")
    before = whole(request.GET.get("before", ""))
    found = carried.deployed(policy.visible_releases(request.user)).filter(name=name, environment=environment)
    rows = list((found if before is None else found.filter(pk__lt=before)).select_related("release")[: PAGE + 1])
    if not rows and before is None:
        raise Http404("It was never put there, or you may not see it.")
    context = {
        "name": name,
        "environment": environment,
        "rows": rows[:PAGE],
        "older": rows[PAGE - 1].pk if len(rows) > PAGE else None,
        "is_first": before is None,
        "address": urlencode({"environment": environment, "name": name}),
    }
    return render(request, "releases/where/history.html", context)


@page
@require_safe
def search(request: HttpRequest) -> HttpResponse:
    """Show the releases that carry a commit, ticket, version or digest (`q`), PAGE at a time (`before` an id)."""
    text, before = _text(request, "q").strip(), whole(request.GET.get("before", ""))
    is_short = len(text) < carried.SHORTEST
    seen = policy.visible_releases(request.user)
    found = [] if is_short else carried.carriers_of(seen, text, before=before, size=PAGE + 1)
    context = {
        "q": text,
        "is_short": is_short,
        "carriers": found[:PAGE],
        "older": found[PAGE - 1].release.pk if len(found) > PAGE else None,
        "is_first": before is None,
        "home": reverse("where:list"),
    }
    return render(request, "releases/where/search.html", context)


def _sees_all(request: HttpRequest) -> bool:
    return any(allowed(request.user, f"releases.{verb}_release") for verb in ("view", "operate"))


def _text(request: HttpRequest, name: str) -> str:
    return request.GET.get(name, "").replace("\0", "")[:200]
