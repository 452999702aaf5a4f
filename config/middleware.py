"""What happens around every request: it gets an id, and its answer a content policy."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable

from csp.middleware import CSPMiddleware, PolicyParts
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase

from config.permissions import keeping
from config.trail import request_id

TRUSTED_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")


class RequestId:
    """Takes `X-Request-ID` from the caller when it is well formed, makes one otherwise, and answers with it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Returns the answer to `request`, both under one id."""
        given = request.headers.get("X-Request-ID", "")
        chosen = given if TRUSTED_ID.fullmatch(given) else uuid.uuid4().hex
        token = request_id.set(chosen)
        try:
            response = self.get_response(request)
        finally:
            request_id.reset(token)
        response["X-Request-ID"] = chosen
        return response


class KeptPermissions:
    """Has what a person holds on single objects read at most once for each request."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Returns the answer to `request`."""
        with keeping():
            return self.get_response(request)


class ContentPolicy(CSPMiddleware):
    """The strict policy everywhere; `RELAXED_CONTENT_POLICY` names the paths that cannot live with it."""

    def get_policy_parts(
        self, request: HttpRequest, response: HttpResponseBase, report_only: bool = False
    ) -> PolicyParts:
        """Returns the policy, its parts replaced under a relaxed path."""
        parts = super().get_policy_parts(request, response, report_only)
        for prefix, replaced in settings.RELAXED_CONTENT_POLICY.items():
            if request.path.startswith(prefix):
                parts.replace = {**(parts.replace or {}), **replaced}
        return parts
