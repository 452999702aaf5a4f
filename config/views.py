"""Signing in, and the zone and look that a reader has chosen."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from zoneinfo import ZoneInfo

from django.contrib.auth.views import LoginView
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache


class SignIn(LoginView):
    """The sign-in page; after too many wrong passwords it says how long to wait."""

    template_name = "config/sign_in.html"
    redirect_authenticated_user = True


@contextmanager
def readers_zone(request: HttpRequest) -> Iterator[None]:
    """Show moments in the zone that the reader's browser has told in the cookie `zone`, otherwise in UTC."""
    try:
        zone = ZoneInfo(request.COOKIES.get("zone", "UTC")[:60])
    except (KeyError, ValueError, OSError):
        zone = ZoneInfo("UTC")
    with timezone.override(zone):
        yield


@never_cache
def locked_out(request: HttpRequest, *_: object, **__: object) -> HttpResponse:
    """The answer to somebody who has tried too many wrong passwords (called by axes)."""
    return render(request, "config/locked_out.html", status=429)
