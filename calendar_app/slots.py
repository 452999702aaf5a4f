"""The next free slot: when what a release needs is free and no freeze applies."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from calendar_app.movable import MOVABLE
from calendar_app.periods import EARLIEST, LATEST
from config import durations
from config.errors import Fault, InvalidInput
from config.pages import page, person, whole
from config.permissions import visible_by_any
from processes.models import Resource
from releases import policy
from releases.models import Release, ReleaseGroup
from releases.reading.freezes import visible_groups
from releases.services.slots import free_slot
from releases.views.planning import startable_processes

AHEAD = timedelta(days=365)
MOST = 20


@page
@require_safe
def show(request: HttpRequest) -> HttpResponse:
    """Show the form and, once it names resources and a length, the next slot that is free for them.

    With `release`, one that the reader may move, the slot is one to move it to.
    """
    user, now = person(request), timezone.now()
    names = [one[:64].replace("\0", "") for one in request.GET.getlist("resource")[:MOST] if one.strip()]
    length, day = request.GET.get("length", "").strip()[:40], request.GET.get("date", "")[:40]
    context: dict[str, Any] = {"names": names, "length": length or "2h", "day": day, "faults": [], "wrong": {}}
    slug = request.GET.get("group", "")[:64].replace("\0", "")
    group = visible_groups(user).select_related("process").filter(slug=slug).first()
    release = _release(request)
    if release is not None:
        group = release.group
    if names or length:
        try:
            context |= _find(request, names, length, day, group, now)
        except InvalidInput as error:
            context |= {"faults": error.faults, "wrong": {fault.path: fault for fault in error.faults}}
    resources = visible_by_any(user, ["processes.view_resource", "processes.change_resource"], Resource.objects.all())
    context |= {
        "release": release,
        "group": group,
        "groups": visible_groups(user).order_by("name").values_list("slug", "name"),
        "resources": resources.order_by("name", "pk"),
        "may_create": startable_processes(user).exists(),
    }
    return render(request, "calendar_app/slot.html", context)


def _find(
    request: HttpRequest, names: list[str], length: str, day: str, group: ReleaseGroup | None, now: datetime
) -> dict[str, Any]:
    """Return the slot. Raises InvalidInput with every fault."""
    faults: list[Fault] = []
    if not durations.is_duration(length):
        faults.append(Fault("length", f"'{length}' is no length of time.", "Write it like 2h or 3d."))
    after = max(now, _begin(day, faults) or now)
    faults += [] if names else [Fault("resources", "Choose at least one.")]
    if faults:
        raise InvalidInput(faults)
    lasts = durations.parse(length)
    start = free_slot(
        person(request), whats=names, length=lasts, after=after, before=after + AHEAD, now=now, group=group
    )
    return {"is_asked": True, "starts_at": start, "ends_at": None if start is None else start + lasts, "until": AHEAD}


def _begin(day: str, faults: list[Fault]) -> datetime | None:
    if not day:
        return None
    try:
        on = date.fromisoformat(day)
    except ValueError:
        on = EARLIEST
    if EARLIEST < on < LATEST:
        return timezone.make_aware(datetime.combine(on, time()))
    faults.append(Fault("date", f"'{day}' is not a date.", "Write it like 2026-03-02."))
    return None


def _release(request: HttpRequest) -> Release | None:
    """Return the release to be moved, if there is one that the reader may move."""
    number = whole(request.GET.get("release", ""))
    if number is None:
        return None
    found = policy.visible_releases(request.user).select_related("group__process", "process").filter(pk=number).first()
    if found is None or found.state not in MOVABLE or not policy.may_plan(request.user, found):
        return None
    return found
