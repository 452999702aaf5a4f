"""Moving a planned release: just this one, this and those that follow, or all; what that does is shown first."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_http_methods

from config.errors import Conflict, Fault, InvalidInput, NotPermitted, PilothouseError
from config.pages import once, page, person, whole, zone_named
from config.permissions import allowed
from releases import forms, policy, reading
from releases.models import Release
from releases.reading import groups
from releases.services.foreseeing import Foreseen, foresee_move
from releases.services.moving import THIS, move_release
from releases.services.trains import seen_of
from releases.views.frame import find_release

MOVABLE = ("draft", "scheduled", "missed", "cancelled")
EARLIEST, LATEST = datetime(1971, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
_BOXES = ("planned_start_at", "planned_end_at", "scope")


@dataclass(frozen=True, slots=True)
class Wish:
    """Where somebody wants a release: `seen` is the count of edits of the plan that they looked at."""

    starts_at: datetime
    ends_at: datetime | None
    scope: str
    seen: int | None


@page
@require_http_methods(["GET", "HEAD", "POST"])
def move(request: HttpRequest, pk: int) -> HttpResponse:
    """Show the form; POST shows what moving would do, POST `confirm` moves and goes on to `next`, a page of this site.

    Times are read and shown in `zone` if one is posted, else in the reader's. Asked for as a part of a page (header
    `X-Part`), the answer is the form alone.
    """
    with timezone.override(zone_named(request.POST.get("zone", ""))):
        return _answer(request, pk)


def _answer(request: HttpRequest, pk: int) -> HttpResponse:
    release = find_release(request, pk)
    policy.require_plan(request.user, release)
    if release.state not in MOVABLE:
        return redirect("releases:show", pk)
    if request.method != "POST":
        return _show(request, release)
    try:
        wish = _read(request)
        if "confirm" in request.POST:
            return redirect(once(request, lambda: _move(request, release, wish)))
        foreseen = foresee_move(
            person(request),
            release,
            starts_at=wish.starts_at,
            ends_at=wish.ends_at,
            scope=wish.scope,
            now=timezone.now(),
            expected=wish.seen,
        )
        return _show(request, release, foreseen)
    except (InvalidInput, NotPermitted, Conflict) as error:
        return _show(request, find_release(request, pk), error=error)


def _move(request: HttpRequest, release: Release, wish: Wish) -> str:
    move_release(
        person(request),
        release,
        starts_at=wish.starts_at,
        ends_at=wish.ends_at,
        scope=wish.scope,
        now=timezone.now(),
        expected=wish.seen,
    )
    return _next(request) or reverse("releases:show", args=[release.pk])


def _next(request: HttpRequest) -> str:
    """Return the page of this site that the reader came from and goes back to; empty if it is none."""
    address = request.POST.get("next", "") or request.GET.get("next", "")
    is_safe = url_has_allowed_host_and_scheme(address, {request.get_host()}, require_https=request.is_secure())
    return address if is_safe else ""


def _read(request: HttpRequest) -> Wish:
    """Return what was typed. Raises InvalidInput with every fault."""
    faults: list[Fault] = []
    start = _moment(request, "planned_start_at", faults)
    end = _moment(request, "planned_end_at", faults)
    if start is None and not faults:
        faults.append(Fault("planned_start_at", "Say when it is to start."))
    if start is not None and end is not None and end < start:
        faults.append(Fault("planned_end_at", "The planned end is before the planned start."))
    if faults or start is None:
        raise InvalidInput(faults)
    return Wish(start, end, request.POST.get("scope", THIS), whole(request.POST.get("seen", ""), digits=9))


def _moment(request: HttpRequest, name: str, faults: list[Fault]) -> datetime | None:
    text = request.POST.get(name, "")
    if not text.strip():
        return None
    try:
        moment = forms.moment_of(text).astimezone(UTC)
    except (ValueError, OverflowError):
        moment = EARLIEST
    if EARLIEST < moment < LATEST:
        return moment
    faults.append(Fault(name, f"'{text[:40]}' is not a date and time.", "Write it like 2026-03-02T09:00."))
    return None


def _show(
    request: HttpRequest, release: Release, foreseen: Foreseen | None = None, error: PilothouseError | None = None
) -> HttpResponse:
    faults = list(getattr(error, "faults", [] if error is None else [Fault("", error.message)]))
    group = release.group
    is_series = group is not None and release.occurs_at is not None and bool(group.body.get("cadence"))
    may_series = is_series and allowed(person(request), "releases.change_releasegroup", group)
    others = [one for one in foreseen.changes if one.release_id != release.pk] if foreseen else []
    changes, more = seen_of(others)
    context: dict[str, Any] = {
        "release": release,
        "is_series": is_series,
        "may_series": may_series,
        "words": groups.words_of(group) if is_series and group is not None else "",
        "zone": str(((group.body if group else {}).get("cadence") or {}).get("timezone") or ""),
        "typed": _what_was_typed(request, release),
        "zone_words": timezone.get_current_timezone_name(),
        "read_in": request.POST.get("zone", ""),
        "is_part": request.headers.get("X-Part") == "dialog",
        "next": _next(request),
        "back": _next(request) or reverse("releases:show", args=[release.pk]),
        "scope": request.POST.get("scope", THIS),
        "foreseen": foreseen,
        "is_same": foreseen is not None and _times(foreseen) == (release.planned_start_at, release.planned_end_at),
        "changes": changes,
        "more": more,
        "standings": reading.standings_for(request.user, foreseen.findings) if foreseen else [],
        "wrong": {fault.path: fault for fault in faults},
        "faults": [fault for fault in faults if fault.path not in _BOXES],
    }
    template = "releases/_move.html" if context["is_part"] else "releases/move.html"
    return render(request, template, context, status=error.status if error else 200)


def _times(foreseen: Foreseen) -> tuple[datetime | None, datetime | None]:
    return foreseen.starts_at, foreseen.ends_at


def _what_was_typed(request: HttpRequest, release: Release) -> dict[str, str]:
    """Return the times for the boxes: as they were typed, those with an offset as the boxes show them."""
    if request.method != "POST":
        return {"planned_start_at": _typed(release.planned_start_at)}
    typed = {name: request.POST.get(name, "") for name in ("planned_start_at", "planned_end_at")}
    for name, text in typed.items():
        with suppress(ValueError, OverflowError):
            typed[name] = _typed(forms.moment_of(text))
    return typed


def _typed(moment: datetime | None) -> str:
    return "" if moment is None else f"{timezone.localtime(moment):%Y-%m-%dT%H:%M}"
