"""Freezes on the pages: the banner while one applies, stopping the line, lifting."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from config.errors import Conflict, Fault, InvalidInput, NotPermitted, PilothouseError
from config.pages import once, page, person
from config.permissions import allowed, require
from releases import forms
from releases.models import Freeze, ReleaseGroup
from releases.reading.freezes import open_freezes, visible_freezes
from releases.reading.groups import visible_groups
from releases.services.freezing import lift_freeze, stop_the_line

ADD, CHANGE = "releases.add_freeze", "releases.change_freeze"


def banner_of(request: HttpRequest, group: ReleaseGroup | None = None) -> dict[str, Any]:
    """Return what lists show of freezes: those that apply now, and whether this person may stop the line.

    For a group's own page only those that its releases may be in the scope of.
    """
    found = open_freezes(request.user, now=timezone.now())
    if group is not None:
        found = [one for one in found if _may_concern(one.freeze.body.get("scope") or {}, group)]
    return {"open_freezes": found, "may_stop": allowed(person(request), ADD)}


def _may_concern(scope: Mapping[str, Any], group: ReleaseGroup) -> bool:
    """Return false where a scope names other groups; its releases may call the processes that one names."""
    return bool(scope.get("everything")) or not scope.get("groups") or group.slug in scope["groups"]


@page
@require_http_methods(["GET", "HEAD", "POST"])
def stop(request: HttpRequest) -> HttpResponse:
    """Ask why and what to stop; posted to, stop the line."""
    require(person(request), ADD)
    if request.method != "POST":
        return _show_stop(request)
    try:
        return redirect(once(request, lambda: _stop(request)))
    except (InvalidInput, Conflict) as error:
        return _show_stop(request, error)


@page
@require_http_methods(["GET", "HEAD", "POST"])
def lift(request: HttpRequest, slug: str) -> HttpResponse:
    """Ask why a freeze is to end now; posted to, lift it."""
    freeze = get_object_or_404(visible_freezes(request.user), slug=slug)
    require(person(request), CHANGE, freeze)
    found = next((one for one in open_freezes(request.user, now=timezone.now()) if one.freeze == freeze), None)
    if request.method != "POST" and found is None:
        raise Http404("This freeze does not apply now.")
    if request.method != "POST":
        return render(request, "releases/lift.html", {"freeze": freeze, "open": found})
    try:
        return redirect(once(request, lambda: _lift(request, freeze)))
    except (InvalidInput, NotPermitted, Conflict) as error:
        context = {"freeze": freeze, "open": found, **_wrong(error), "typed": request.POST}
        return render(request, "releases/lift.html", context, status=error.status)


def _lift(request: HttpRequest, freeze: Freeze) -> str:
    lift_freeze(person(request), freeze, now=timezone.now(), reason=request.POST.get("reason", ""))
    return reverse("releases:list")


def _stop(request: HttpRequest) -> str:
    data, faults = request.POST, list[Fault]()
    until = _moment(data, faults)
    chosen = set(data.getlist("groups"))
    groups = [slug for slug in _groups(request) if slug in chosen]
    is_all = data.get("scope", "") == "everything"
    if not is_all and (not groups or len(groups) < len(chosen)):
        faults.append(Fault("groups", "Choose at least one of the groups, or everything."))
    if not data.get("reason", "").strip():
        faults.append(Fault("reason", "A reason is required.", "Say why, for those whose releases now wait."))
    if faults:
        raise InvalidInput(faults)
    scope: dict[str, Any] = {"everything": True} if is_all else {"groups": groups}
    stop_the_line(person(request), scope=scope, reason=data["reason"], until=until, now=timezone.now())
    return reverse("releases:list")


def _moment(data: QueryDict, faults: list[Fault]) -> datetime | None:
    text = data.get("until", "")
    try:
        return forms.moment_of(text) if text.strip() else None
    except (ValueError, OverflowError):
        faults.append(Fault("until", f"'{text[:40]}' is not a date and time.", "Write it like 2026-03-02T09:00."))
        return None


def _groups(request: HttpRequest) -> dict[str, str]:
    return dict(visible_groups(request.user).order_by("name", "slug").values_list("slug", "name"))


def _show_stop(request: HttpRequest, error: PilothouseError | None = None) -> HttpResponse:
    data = request.POST
    context = {
        "groups": _groups(request).items(),
        "chosen": data.getlist("groups"),
        "scope": data.get("scope", "groups" if data.getlist("groups") else "everything"),
        "typed": data,
        **_wrong(error),
    }
    return render(request, "releases/stop.html", context, status=error.status if error else 200)


def _wrong(error: PilothouseError | None) -> dict[str, Any]:
    """Return the faults of an error by their field, and those that belong to none."""
    faults = list(getattr(error, "faults", [] if error is None else [Fault("", error.message)]))
    boxes = ("reason", "until", "groups")
    return {"wrong": {one.path: one for one in faults}, "faults": [one for one in faults if one.path not in boxes]}
