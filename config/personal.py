"""The pages of one's own settings: the time zone, the ways to sign in, and the tokens for the REST API."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.dateparse import parse_date
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from config.errors import Conflict, Fault, InvalidInput
from config.models import ApiToken
from config.oidc import linked
from config.pages import once, page, person
from config.preferences import NOTICES, known_zones, preference_of, save_preference
from config.tokens import SCOPES, create_token, revoke_token

_SCOPES = {"read": "Read everything I may see", "write": "Read, and do everything I may do"}


@page
@require_http_methods(["GET", "HEAD", "POST"])
def settings(request: HttpRequest) -> HttpResponse:
    """Show what one has chosen for oneself; posted to, store it."""
    context: dict[str, Any] = {
        "tab": "settings",
        "zones": sorted(known_zones()),
        "notices": NOTICES.items(),
        "now": timezone.now(),
    }
    if request.method != "POST":
        return render(request, "config/settings.html", {**context, "chosen": preference_of(person(request))})
    mailed = request.POST.getlist("mailed")
    chosen: dict[str, Any] = {
        "zone": request.POST.get("zone", "").strip(),
        "unmailed": [kind for kind in NOTICES if kind not in mailed],
    }
    try:
        save_preference(person(request), chosen, now=timezone.now())
    except InvalidInput as error:
        return render(request, "config/settings.html", {**context, "chosen": chosen, **_wrong(error)}, status=400)
    return redirect(reverse("settings:settings") + "?saved=yes")


@page
@require_http_methods(["GET", "HEAD", "POST"])
def tokens(request: HttpRequest) -> HttpResponse:
    """Show one's tokens; posted to, make one and show its key, which is nowhere to be found afterwards."""
    if request.method != "POST":
        return _tokens(request)
    made: list[tuple[ApiToken, str]] = []

    def do() -> str:
        made.append(_create(request))
        return reverse("settings:tokens")

    try:
        location = once(request, do)
    except InvalidInput as error:
        return _tokens(request, typed=request.POST, status=400, **_wrong(error))
    if not made:
        return redirect(location)
    token, key = made[0]
    return _tokens(request, made=token, key=key, status=201)


@page
@require_POST
def revoke(request: HttpRequest, pk: int) -> HttpResponse:
    """Revoke one's own token and go back to the list."""
    revoke_token(person(request), get_object_or_404(ApiToken, user=person(request), pk=pk), now=timezone.now())
    return redirect("settings:tokens")


@page
@require_GET
def sign_in(request: HttpRequest) -> HttpResponse:
    """Show the ways in which one signs in."""
    return _sign_in(request)


@page
@require_POST
def unlink(request: HttpRequest, pk: int) -> HttpResponse:
    """Part with an account of a provider and go back to the list, which says why if that cannot be."""
    try:
        linked.unlink(person(request), pk, now=timezone.now())
    except Conflict as error:
        return _sign_in(request, status=error.status, refused=error.message)
    return redirect(reverse("settings:sign-in") + "?unlinked=yes")


def _sign_in(request: HttpRequest, *, status: int = 200, **context: Any) -> HttpResponse:
    shown = {
        "tab": "sign-in",
        "accounts": linked.linked_to(person(request)),
        "has_password": person(request).has_usable_password(),
    }
    return render(request, "config/sign_in_ways.html", {**shown, **context}, status=status)


def _create(request: HttpRequest) -> tuple[ApiToken, str]:
    """Make the token a form asks for. Raises InvalidInput with everything that is wrong with it."""
    name, scope, now = request.POST.get("name", "").strip(), request.POST.get("scope", ""), timezone.now()
    expires_at, faults = _end_of(request.POST.get("expires_on", "").strip(), now)
    if not 0 < len(name) <= 100 or "\0" in name:
        faults.append(Fault("name", "A token has a name of at most 100 characters."))
    if scope not in _SCOPES:
        faults.append(Fault("scope", "This is not something a token may do.", "Choose one of the list."))
    if faults:
        raise InvalidInput(faults)
    scopes = SCOPES if scope == "write" else (scope,)
    return create_token(person(request), name=name, scopes=scopes, expires_at=expires_at, now=now)


def _end_of(day: str, now: datetime) -> tuple[datetime | None, list[Fault]]:
    """Return the end of a day in the reader's zone, none if no day is given, and what is wrong with it."""
    if not day:
        return None, []
    try:
        last = parse_date(day)
    except ValueError:
        last = None
    if last is None or not 2000 < last.year < 9000:
        return None, [Fault("expires_on", f"'{day[:40]}' is not a day.", "Write it like 2027-01-31.")]
    end = timezone.make_aware(datetime.combine(last + timedelta(days=1), time.min))
    return end, [] if end > now else [Fault("expires_on", "This day has passed.")]


def _tokens(request: HttpRequest, *, status: int = 200, **context: Any) -> HttpResponse:
    shown = {
        "tab": "tokens",
        "tokens": list(ApiToken.objects.filter(user=person(request))),
        "scopes": _SCOPES.items(),
        "now": timezone.now(),
    }
    return render(request, "config/tokens.html", {**shown, **context}, status=status)


def _wrong(error: InvalidInput) -> dict[str, Any]:
    return {"faults": error.faults, "wrong": {fault.path: fault for fault in error.faults}}
