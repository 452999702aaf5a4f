"""A release at a glance, beside the calendar: when it is, what it uses, what is in its way, what can be done."""

from __future__ import annotations

from collections.abc import Iterable

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_safe

from calendar_app.movable import MOVABLE
from config.pages import page
from releases import bookings, policy, reading
from releases.conflicts import Conflict
from releases.findings import Finding
from releases.models import Booking, Release
from releases.views.frame import find_release


@page
@require_safe
def show(request: HttpRequest, pk: int) -> HttpResponse:
    """Show a release; as a part of a page when the script of the calendar asks for it. `back` is where it came from."""
    release = find_release(request, pk)
    whats = sorted(Booking.objects.filter(release=release).values_list("what", flat=True))
    conflicts = bookings.seen_by(request.user, bookings.conflicts_of(release))
    stops = [Finding.from_json(one) for one in release.findings if one["stops"]] if release.state == "scheduled" else []
    context = {
        "release": release,
        "may_move": release.state in MOVABLE and policy.may_plan(request.user, release),
        "resources": [what.partition(":")[2] for what in whats if what.startswith("resource:")],
        "owners": [what for what in whats if not what.startswith("resource:")],
        "conflicts": _worst(conflicts),
        "standings": reading.standings_for(request.user, stops),
        "back": back_of(request),
        "zone": str(((release.group.body if release.group else {}).get("cadence") or {}).get("timezone") or ""),
        "slot": _slot_address(release, whats),
    }
    is_part = request.headers.get("X-Part") == "dialog"
    return render(request, "calendar_app/_peek.html" if is_part else "calendar_app/peek.html", context)


def back_of(request: HttpRequest) -> str:
    """Return the address of the calendar that the reader came from: only ever a query of its own."""
    query = request.GET.get("back", "")
    return reverse("calendar:show") + (query if query.startswith("?") else "")


def _worst(conflicts: Iterable[Conflict]) -> list[Conflict]:
    """Return one conflict for each other release: the first, for the worst come first. Unseen ones stay as they are."""
    found: dict[tuple[int | None, str], Conflict] = {}
    for one in conflicts:
        found.setdefault((one.release_id, "" if one.release_id else one.what), one)
    return list(found.values())


def _slot_address(release: Release, whats: Iterable[str]) -> str:
    """Return the address of the search for a free slot for this release; empty if it has no length or no resources."""
    start, end = release.planned_start_at, release.planned_end_at
    names = [("resource", what.partition(":")[2]) for what in whats if what.startswith("resource:")]
    if start is None or end is None or end <= start or not names or release.state not in MOVABLE:
        return ""
    minutes = round((end - start).total_seconds() / 60)
    return f"{reverse('calendar:slot')}?{urlencode([*names, ('length', f'{minutes}m'), ('release', release.pk)])}"
