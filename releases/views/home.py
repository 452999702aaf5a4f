"""A person's home: what waits for them, what is under way, what comes, what has just finished."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from config.pages import page, person
from releases import inbox, policy
from releases.progress import progress_of
from releases.reading.freezes import exceptions_to_decide
from releases.reading.home import home_of
from releases.views.freezes import banner_of
from releases.views.planning import startable_processes

#: How many things that wait are shown unless `all` of them are asked for.
SHOWN = 20


@page
@require_safe
def show(request: HttpRequest) -> HttpResponse:
    """Show this person's home, or only the part that refreshes itself when that is asked for.

    Of what waits, the most urgent are shown; with `all` in the address everything, up to what an inbox holds.
    """
    now = timezone.now()
    calls, home = inbox.calls_for(person(request)), home_of(request.user, now=now)
    exceptions = exceptions_to_decide(person(request), now=now)
    progress = progress_of(release.pk for release in home.under_way)
    is_quiet = not (calls or exceptions or home.under_way or home.days or home.finished)
    shown = inbox.with_runs(calls if "all" in request.GET else calls[:SHOWN])
    context = {
        "inbox": shown,
        "exceptions": exceptions,
        "waiting_count": len(calls) + len(exceptions),
        "hidden_count": len(calls) - len(shown),
        "here": f"{reverse('releases:home')}{'?all=1' if 'all' in request.GET else ''}",
        "is_full": len(calls) >= inbox.MOST,
        "may_approve": sum(entry.is_plain_sign_off for entry in shown),
        "may_retry": sum("decision" in entry.asks for entry in shown),
        "home": home,
        "under_way": [(release, progress[release.pk]) for release in home.under_way],
        "today": timezone.localtime(now).date(),
        "is_new": is_quiet and not policy.visible_releases(request.user).exists(),
        "may_create": startable_processes(person(request)).exists(),
    }
    if request.headers.get("HX-Target") == "div#home":
        return render(request, "releases/_home.html", context)
    return render(request, "releases/home.html", {**context, **banner_of(request)})


@page
@require_safe
def count(request: HttpRequest) -> HttpResponse:
    """Answer with the mark of how many things wait for this person, for the link to their home."""
    calls = inbox.calls_for(person(request))
    exceptions = exceptions_to_decide(person(request), now=timezone.now())
    context = {"waiting_count": len(calls) + len(exceptions), "is_full": len(calls) >= inbox.MOST}
    return render(request, "releases/_waiting.html", context)
