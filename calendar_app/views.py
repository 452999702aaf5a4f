"""The page of one's own calendar feeds: made, copied, revoked."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from config.errors import Conflict, InvalidInput
from config.pages import once, page, person
from releases.models import Feed
from releases.services import feeds

KINDS = {
    Feed.Kind.ALL: "Everything I may see",
    Feed.Kind.MINE: "What concerns me",
    Feed.Kind.GROUP: "One release group",
}


@page
@require_http_methods(["GET", "HEAD", "POST"])
def show_feeds(request: HttpRequest) -> HttpResponseBase:
    """Show one's feeds; posted to, make one and show its address, which is nowhere to be found afterwards."""
    if request.method != "POST":
        return _page(request)
    made: list[tuple[Feed, str]] = []

    def do() -> str:
        made.append(_create(request))
        return reverse("calendar:feeds")

    try:
        location = once(request, do)
    except (InvalidInput, Conflict) as error:
        return _page(request, error=error, status=error.status)
    if not made:
        return redirect(location)
    feed, secret = made[0]
    return _page(request, made=feed, address=address_of(request, secret), status=201)


@page
@require_POST
def revoke(request: HttpRequest, pk: int) -> HttpResponseBase:
    """Revoke one's own feed and go back to the list."""
    feeds.revoke_feed(person(request), get_object_or_404(feeds.feeds_of(person(request)), pk=pk), now=timezone.now())
    return redirect("calendar:feeds")


def address_of(request: HttpRequest, secret: str) -> str:
    """Return the whole address of the feed with this secret."""
    return request.build_absolute_uri(reverse("calendar:feed", args=[secret]))


def _create(request: HttpRequest) -> tuple[Feed, str]:
    kind, slug = request.POST.get("kind", ""), request.POST.get("group", "")
    group = None
    if kind == Feed.Kind.GROUP:
        group = next((one for one in feeds.visible_groups(person(request)) if one.slug == slug), None)
    name = request.POST.get("name", "")
    return feeds.create_feed(person(request), kind=kind, group=group, name=name, now=timezone.now())


def _suggested(request: HttpRequest) -> dict[str, str]:
    """Return the form as it is first: for one group if the address names it (`group`)."""
    group = request.GET.get("group", "")
    return {"kind": Feed.Kind.GROUP if group else Feed.Kind.ALL, "group": group}


def _page(request: HttpRequest, *, status: int = 200, error: Any = None, **context: Any) -> HttpResponse:
    address = str(context.get("address", ""))
    shown = {
        "feeds": list(feeds.feeds_of(person(request))),
        "groups": list(feeds.visible_groups(person(request)).only("slug", "name")),
        "kinds": KINDS.items(),
        "kind_words": KINDS,
        "typed": request.POST if error else _suggested(request),
        "faults": getattr(error, "faults", [error] if error else []),
        "wrong": {fault.path: fault for fault in getattr(error, "faults", ())},
        "webcal": "webcal" + address[address.find(":") :] if address else "",
    }
    return render(request, "calendar_app/feeds.html", {**shown, **context}, status=status)
