"""The two addresses of signing in by the provider: one sends there, one is come back to."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import wraps
from typing import Any
from urllib.parse import urlencode

from allauth.socialaccount.internal import statekit
from django.conf import settings
from django.contrib.auth import login
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import resolve_url
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from config.oidc.failures import SignInFailed
from config.oidc.people import admit, read_claims
from config.oidc.provider import Conversation

log = logging.getLogger(__name__)
BACKEND = "django.contrib.auth.backends.ModelBackend"

View = Callable[[HttpRequest], HttpResponse]


def door(view: View) -> View:
    """Make `view` an address that exists only while a provider is configured, and never kept by caches."""

    @never_cache
    @require_GET
    @wraps(view)
    def open_door(request: HttpRequest) -> HttpResponse:
        if not settings.OIDC_ISSUER:
            raise Http404
        return view(request)

    return open_door


@door
def start(request: HttpRequest) -> HttpResponse:
    """Send a person to the provider; somebody who is signed in is sent to where they want to go."""
    goal = request.GET.get("next", "")
    if not url_has_allowed_host_and_scheme(goal, {request.get_host()}, require_https=request.is_secure()):
        goal = resolve_url(settings.LOGIN_REDIRECT_URL)
    if request.user.is_authenticated:
        return HttpResponseRedirect(goal)
    try:
        return Conversation(request).get_provider().send(request, goal)
    except SignInFailed as failure:
        return _back(failure, goal)


@door
def callback(request: HttpRequest) -> HttpResponse:
    """Sign in whoever comes back from the provider, and send them to where they wanted to go."""
    key = request.GET.get("state", "")
    state = statekit.unstash_state(request, provider_id=settings.OIDC_ISSUER, state_id=key)
    goal = "" if state is None else str(state.get("next", ""))
    try:
        code = _code(request)
        said = Conversation(request).claims(code, _known(state))
        person = admit(read_claims(said), now=timezone.now())
    except SignInFailed as failure:
        return _back(failure, goal)
    login(request, person, backend=BACKEND)
    return HttpResponseRedirect(goal)


def _code(request: HttpRequest) -> str:
    """Return what the provider's answer is fetched with. Raises SignInFailed if it sent a refusal instead."""
    if "error" in request.GET:
        is_cancelled = request.GET["error"] == "access_denied"
        raise SignInFailed("cancelled" if is_cancelled else "refused", repr(request.GET["error"])[:200])
    return request.GET.get("code", "")


def _known(state: dict[str, Any] | None) -> dict[str, Any]:
    """Return what was kept of this sign-in. Raises SignInFailed if this browser has not begun it, or has ended it."""
    if state is None:
        raise SignInFailed("stale")
    return state


def _back(failure: SignInFailed, goal: str = "") -> HttpResponse:
    """Return to the sign-in page, which says why."""
    log.warning("A sign-in by %s failed (%s): %s", settings.OIDC_ISSUER, failure.why, failure.message)
    query = {"failed": failure.why} | ({"next": goal} if goal else {})
    return HttpResponseRedirect(f"{resolve_url(settings.LOGIN_URL)}?{urlencode(query)}")
