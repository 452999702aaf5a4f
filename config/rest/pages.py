"""Django's own error pages: problem documents under the API's path, ordinary pages elsewhere."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponseBase, JsonResponse
from django.views import defaults

from config.rest.problems import CODES, MEDIA_TYPE, document

PREFIX = "/api/"


def not_found(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """Answer 404 for an address that does not exist."""
    if not request.path.startswith(PREFIX):
        return defaults.page_not_found(request, exception)
    return _problem(request, 404, "There is no such address.")


def failed(request: HttpRequest) -> HttpResponseBase:
    """Answer 500 for a defect of ours; the log has its traceback under the request's id."""
    if not request.path.startswith(PREFIX):
        return defaults.server_error(request)
    return _problem(request, 500, "Something went wrong on our side; it has been logged under this request's id.")


def refused(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """Answer 400 for a request that cannot be read."""
    if not request.path.startswith(PREFIX):
        return defaults.bad_request(request, exception)
    return _problem(request, 400, "The request cannot be read.")


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """Answer 403 for what a middleware or page has refused."""
    if not request.path.startswith(PREFIX):
        return defaults.permission_denied(request, exception)
    return _problem(request, 403, "You may not do this.")


def _problem(request: HttpRequest, status: int, detail: str) -> JsonResponse:
    return JsonResponse(document(request.path, status, CODES[status], detail), status=status, content_type=MEDIA_TYPE)
