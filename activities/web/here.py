"""This installation's own API, asked in this process: by the same views, tokens and permissions, without a network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import close_old_connections, connection
from django.http import HttpRequest, QueryDict
from django.urls import Resolver404, resolve
from django.views.decorators.debug import sensitive_variables

from activities.web.answers import Answer
from config.permissions import keeping

API = "/api/v1/"


class _Inside(HttpRequest):
    """A request that came through no socket."""

    def get_host(self) -> str:
        """Return the site's name; nobody has sent one that would have to be checked."""
        return str(settings.PILOTHOUSE_URL).partition("://")[2].partition("/")[0]


@sensitive_variables()
async def look_up(path: str, token: str, params: Mapping[str, Any] | None = None) -> Answer:
    """Returns what the API answers to a GET of `path` (below /api/v1/) by the owner of a token, errors included."""
    return await sync_to_async(_look_up)(path, token, params or {})


@sensitive_variables()
def _look_up(path: str, token: str, params: Mapping[str, Any]) -> Answer:
    request = _Inside()
    request.method, request.path, request.path_info = "GET", API + path, API + path
    request.GET = QueryDict(urlencode(params))
    request.META |= {"HTTP_AUTHORIZATION": f"Bearer {token}", "REQUEST_METHOD": "GET", "QUERY_STRING": ""}
    url = f"{settings.PILOTHOUSE_URL}{request.path}"
    try:
        found = resolve(request.path)
    except Resolver404:
        return Answer(404, {}, b"", url)
    close_old_connections()
    try:
        with keeping():
            response = found.func(request, *found.args, **found.kwargs).render()
    finally:
        if not connection.in_atomic_block:
            connection.close()
    return Answer(response.status_code, {name.lower(): text for name, text in response.items()}, response.content, url)
