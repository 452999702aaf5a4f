"""What every page has in common: somebody is signed in, moments are in their zone, a form counts once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, Concatenate, ParamSpec, cast
from urllib.parse import unquote
from zoneinfo import ZoneInfo

from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.utils.cache import add_never_cache_headers

from config.errors import NotFound, NotPermitted
from config.models import IdempotencyKey, Preference
from config.preferences import known_zones

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponseBase]


def page(view: View[P]) -> View[P]:
    """Make `view` a page for people who are signed in, in their zone, never kept by caches.

    NotFound becomes the page 404 and NotPermitted the page 403, unless the view shows them in place.
    """

    @wraps(view)
    def guarded(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        if "HX-Request" in request.headers and not request.user.is_authenticated:
            return HttpResponse(status=401, headers={"HX-Refresh": "true"})
        with readers_zone(request):
            try:
                response = login_required(view)(request, *args, **kwargs)
            except NotFound as error:
                raise Http404(error.message) from error
            except NotPermitted as error:
                raise PermissionDenied(error.message) from error
        add_never_cache_headers(response)
        return response

    return cast("View[P]", guarded)


def person(request: HttpRequest) -> User:
    """Return who is signed in."""
    return cast("User", request.user)


def once(request: HttpRequest, do: Callable[[], str]) -> str:
    """Do something for a posted form and return the address to go on to; the same form sent again only gets that.

    The form's mark (`once`) is written in the transaction of the deed: a second request waits for the first, then finds
    it done. When the deed is refused, the mark goes too, so that the mended form can be sent again.
    """
    mark = str(request.POST.get("once", "")).replace("\0", "")[:64]
    with transaction.atomic():
        if not mark:
            return do()
        key, is_new = IdempotencyKey.objects.get_or_create(
            user=person(request),
            key=f"page:{mark}",
            defaults={"request_digest": digest_of(request.path, request.POST), "created_at": timezone.now()},
        )
        if not is_new:
            return str((key.body or {}).get("location", "/"))
        key.status, key.body = 303, {"location": do()}
        key.save(update_fields=["status", "body"])
        return str(key.body["location"])


def whole(text: str, *, digits: int = 18) -> int | None:
    """Return the whole number in an address or a form; None for anything else, or for one of more than `digits`."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= digits else None


def digest_of(path: str, data: QueryDict) -> str:
    """Return the SHA-256 of what a form sent, and where to."""
    sent: dict[str, Any] = {name: values for name, values in data.lists() if name != "csrfmiddlewaretoken"}
    return hashlib.sha256(f"{path} {sorted(sent.items())}".encode()).hexdigest()


@contextmanager
def readers_zone(request: HttpRequest) -> Iterator[None]:
    """Show moments in the zone that the reader has chosen, else in that of the browser (cookie `zone`), else in UTC."""
    mine = (
        Preference.objects.filter(user=person(request)) if request.user.is_authenticated else Preference.objects.none()
    )
    chosen = mine.values_list("zone", flat=True).first()
    try:
        zone = ZoneInfo(chosen or unquote(request.COOKIES.get("zone", "UTC")[:60]))
    except (KeyError, ValueError, OSError):
        zone = ZoneInfo("UTC")
    with timezone.override(zone):
        yield


def zone_named(name: str) -> ZoneInfo:
    """Return the zone of this name; the one that moments are shown in now if there is none."""
    return ZoneInfo(name if name in known_zones() else timezone.get_current_timezone_name())
