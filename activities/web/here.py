"""This installation's own API, asked in this process: by the same views, tokens and permissions, without a network."""

from __future__ import annotations

import json
from collections.abc import Mapping
from io import BytesIO
from typing import Any
from urllib.parse import urlencode

from asgiref.sync import sync_to_async
from django.conf import settings
from django.core.handlers.wsgi import WSGIRequest
from django.db import close_old_connections, connection
from django.http import HttpRequest, HttpResponse
from django.urls import Resolver404, resolve
from django.views.decorators.debug import sensitive_variables

from activities.web.answers import Answer
from config.idempotency import Idempotency
from config.permissions import keeping

API = "/api/v1/"


class _Inside(WSGIRequest):
    """A request that came through no socket."""

    def get_host(self) -> str:
        """Return the site's name; nobody has sent one that would have to be checked."""
        return str(settings.PILOTHOUSE_URL).partition("://")[2].partition("/")[0]


@sensitive_variables()
async def ask(method: str, path: str, token: str, *, key: str = "", **sent: Any) -> Answer:
    """Returns what the API answers to the owner of a token, errors included; `path` is below /api/v1/.

    What is sent are `params` and `json`; `key` makes a POST happen once.
    """
    return await sync_to_async(_ask)(method, path, token, key, **sent)


@sensitive_variables()
def _ask(method: str, path: str, token: str, key: str, **sent: Any) -> Answer:
    request = _request(method, API + path, token, sent.get("params") or {}, sent.get("json"))
    url = f"{settings.PILOTHOUSE_URL}{request.path}"
    if key:
        request.META["HTTP_IDEMPOTENCY_KEY"] = key
    try:
        resolve(request.path)
    except Resolver404:
        return Answer(404, {}, b"", url)
    close_old_connections()
    try:
        with keeping():
            response = Idempotency(_answer)(request)
    finally:
        if not connection.in_atomic_block:
            connection.close()
    return Answer(response.status_code, {name.lower(): text for name, text in response.items()}, response.content, url)


@sensitive_variables()
def _request(method: str, path: str, token: str, params: Mapping[str, Any], sent: Any) -> HttpRequest:
    body = b"" if sent is None else json.dumps(sent).encode()
    environ = {
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "QUERY_STRING": urlencode(params),
        "HTTP_AUTHORIZATION": f"Bearer {token}",
        "CONTENT_TYPE": "application/json",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": BytesIO(body),
        "wsgi.url_scheme": str(settings.PILOTHOUSE_URL).partition("://")[0],
    }
    return _Inside(environ)


def _answer(request: HttpRequest) -> HttpResponse:
    found = resolve(request.path)
    response: HttpResponse = found.func(request, *found.args, **found.kwargs).render()
    return response
