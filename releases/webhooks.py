"""What engines send to `/hooks/<connection>/`: a word that something has happened, signed by the engine's own scheme.

A word changes nothing but when the follower looks, so one that comes twice, late or never does no harm. Whoever sends
an unsigned one learns nothing.
"""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.debug import sensitive_variables

from activities.connecting import connected
from activities.engines import Called, Calling
from activities.models import Connection
from activities.runners import runner_for
from config.errors import NotPermitted, RunnerError, RunnerRefused
from releases.execution import following

LARGEST = 5 * 1024 * 1024
MOST_NAMES = 100


@csrf_exempt
@sensitive_variables()
def called(request: HttpRequest, slug: str) -> HttpResponse:
    """Wakes the follower for what a call is about: 202; 401 unless it is signed, 404 where no calls are taken."""
    if request.method != "POST":
        return _plain(405, Allow="POST")
    connection = Connection.objects.select_related("secret").filter(slug=slug, enabled=True).first()
    engine = _calling(connection.provider) if connection is not None else None
    if connection is None or engine is None:
        return _plain(404)
    body = _body(request)
    if body is None:
        return _plain(413)
    now = timezone.now()
    headers = {name.lower(): value for name, value in request.headers.items()}
    try:
        names = engine.called(Called(headers, body, now), connected(connection))
    except NotPermitted as error:
        return _plain(404 if error.code == "no_hook" else 401)
    except RunnerError:
        return _plain(503)
    if names:
        following.wake(slug, list(names)[:MOST_NAMES], now=now)
    return _plain(202)


def _calling(provider: str) -> Calling | None:
    try:
        engine: Any = runner_for(provider)
    except RunnerRefused:
        return None
    return engine if isinstance(engine, Calling) else None


def _body(request: HttpRequest) -> bytes | None:
    """The body, None if it is too large; one that says so is not read."""
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length[:12]) > LARGEST:
        return None
    body = request.read(LARGEST + 1)
    return body if len(body) <= LARGEST else None


def _plain(status: int, **headers: str) -> HttpResponse:
    return HttpResponse(status=status, content_type="text/plain", headers=headers)
