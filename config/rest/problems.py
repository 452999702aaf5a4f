"""Every error of the API as a problem document (RFC 9457), with a stable `code` and every fault at once."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from django.core.exceptions import BadRequest, PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.db import DataError, IntegrityError
from django.db.models import ProtectedError, RestrictedError
from django.http import Http404, HttpRequest, JsonResponse
from rest_framework import exceptions
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response

from config.errors import Conflict, ExpressionFailed, Fault, InvalidInput, NotFound, NotPermitted, PilothouseError

log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
MOST_NAMED = 10

#: The stable codes of what the web framework refuses by itself.
CODES = {
    400: "malformed",
    401: "not_signed_in",
    403: "not_permitted",
    404: "not_found",
    405: "method_not_allowed",
    406: "not_acceptable",
    412: "stale",
    413: "too_large",
    415: "unsupported_media_type",
    428: "precondition_required",
    429: "too_many_requests",
    500: "internal_error",
}


class Precondition(PilothouseError):
    """Say in If-Match which version you have seen, so that nobody's work is lost."""

    code = "precondition_required"
    status = 428


class Stale(PilothouseError):
    """Somebody has changed this meanwhile; look again before you decide."""

    code = "stale"
    status = 412


class TooLarge(PilothouseError):
    """The request is too large."""

    code = "too_large"
    status = 413


def document(path: str, status: int, code: str, detail: str, faults: Sequence[Fault] = ()) -> dict[str, Any]:
    """Return a problem document about the request for `path`."""
    return {
        "type": f"urn:pilothouse:problem:{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "instance": path,
        "code": code,
        "faults": [{"path": fault.path, "message": fault.message, "cure": fault.cure} for fault in faults],
    }


def answer(request: HttpRequest, error: PilothouseError) -> JsonResponse:
    """Return the problem for an error that was raised outside of the API's views, by a middleware."""
    body = document(request.path, error.status, error.code, error.message, getattr(error, "faults", ()))
    return JsonResponse(body, status=error.status, content_type=MEDIA_TYPE)


def handle(raised: Exception, context: Mapping[str, Any]) -> Response | None:
    """Return the problem for an exception of a view; None leaves it to be a 500, logged with its traceback."""
    request = context["request"]
    error = as_ours(raised)
    if error is None or error.status >= 500:
        return None
    if isinstance(error, Conflict) and error.code == "stale" and "If-Match" in request.headers:
        error = Stale(error.message)
    request.accepted_renderer = JSONRenderer()
    request.accepted_media_type = MEDIA_TYPE
    body = document(request.path, error.status, error.code, error.message, getattr(error, "faults", ()))
    return Response(body, status=error.status, headers=_headers(raised), content_type=MEDIA_TYPE)


def as_ours(raised: Exception) -> PilothouseError | None:
    """Return the error of our own tree that an exception amounts to, or None if it is a defect."""
    if isinstance(raised, ExpressionFailed):
        return InvalidInput(raised.message, code=raised.code)
    if isinstance(raised, PilothouseError):
        return raised
    if isinstance(raised, exceptions.ValidationError):
        return InvalidInput(list(faults_in(raised.detail)))
    if isinstance(raised, exceptions.APIException):
        return _coded(raised.status_code, str(raised.detail))
    if isinstance(raised, Http404):
        return NotFound()
    if isinstance(raised, PermissionDenied):
        return NotPermitted(str(raised))
    if isinstance(raised, RequestDataTooBig):
        return TooLarge()
    if isinstance(raised, BadRequest | SuspiciousOperation):
        return _coded(400, "The request cannot be read.")
    return _from_database(raised)


def _from_database(raised: Exception) -> PilothouseError | None:
    if isinstance(raised, ProtectedError):
        return _in_use(raised.protected_objects)
    if isinstance(raised, RestrictedError):
        return _in_use(raised.restricted_objects)
    if isinstance(raised, IntegrityError):
        log.warning("The database refused a change: %s", raised)
        return Conflict("Somebody has made the same change just now; look again.")
    if isinstance(raised, DataError):
        log.warning("The database could not read a value: %s", raised)
        return InvalidInput("A value cannot be stored.")
    return None


def _in_use(users: set[Any]) -> Conflict:
    names = sorted(f"{user._meta.verbose_name} '{user}'" for user in users)
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return Conflict(f"It is used by {', '.join(names[:MOST_NAMED])}{more}.", code="in_use")


def _coded(status: int, detail: str) -> PilothouseError:
    error = PilothouseError(detail, code=CODES.get(status, "error"))
    error.status = status
    return error


def _headers(raised: Exception) -> dict[str, str]:
    """Return the headers a refusal needs: whom to ask for a token, when to come again, what is allowed."""
    headers: dict[str, str] = {}
    if scheme := getattr(raised, "auth_header", None):
        headers["WWW-Authenticate"] = scheme
    if wait := getattr(raised, "wait", None):
        headers["Retry-After"] = str(int(wait))
    return headers


def faults_in(detail: Any, path: str = "") -> Iterator[Fault]:
    """Yield a fault for every message in the nested detail of a serializer's error, with the place it belongs to."""
    if isinstance(detail, Mapping):
        for name, inner in detail.items():
            here = path if name == "non_field_errors" else f"{path}.{name}" if path else str(name)
            yield from faults_in(inner, here)
    elif isinstance(detail, list | tuple):
        for at, inner in enumerate(detail):
            nested = isinstance(inner, Mapping | list | tuple)
            yield from faults_in(inner, f"{path}[{at}]" if nested and path else path)
    else:
        yield Fault(path, str(detail))
