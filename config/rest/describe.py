"""How operations are described in the schema: every one with its problems, conditions and idempotency key."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.fields import empty

from config.rest.problems import MEDIA_TYPE

#: What drf-spectacular finds out by itself.
AUTO = empty

IDEMPOTENCY = OpenApiParameter(
    name="Idempotency-Key",
    location=OpenApiParameter.HEADER,
    description="Any text of 1 to 200 printable characters. Sent again with the same request, it gets the same answer "
    "and nothing happens twice; sent with another request, it is refused (`idempotency_mismatch`).",
)
IF_MATCH = OpenApiParameter(
    name="If-Match",
    location=OpenApiParameter.HEADER,
    description="The ETag of the version you have seen; required to change what exists. `*` overwrites any.",
)
LOG_PARAMETERS = (
    OpenApiParameter("attempt", OpenApiTypes.INT, description="Which attempt; the latest if left out."),
    OpenApiParameter("offset", OpenApiTypes.INT, description="From which character on; the end of it if left out."),
    OpenApiParameter("limit", OpenApiTypes.INT, description="How many characters at most."),
)

_FAULT = {
    "type": "object",
    "required": ["path", "message", "cure"],
    "properties": {
        "path": {"type": "string", "description": "Where in the request; empty for the whole of it."},
        "message": {"type": "string", "description": "What is wrong."},
        "cure": {"type": "string", "description": "How to mend it, if we know."},
    },
}
_PROBLEM = {
    "type": "object",
    "description": "A problem document (RFC 9457).",
    "required": ["type", "title", "status", "detail", "instance", "code", "faults"],
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What happened, for a person."},
        "instance": {"type": "string", "description": "The address that was asked."},
        "code": {"type": "string", "description": "What happened, for a program; it never changes its meaning."},
        "faults": {"type": "array", "items": {"$ref": "#/components/schemas/Fault"}},
    },
}
_ALWAYS = {
    "400": "The request has faults: all of them are listed.",
    "401": "Nobody is signed in, or the token is not good any more.",
    "403": "You may not do this.",
    "404": "There is no such thing, or you may not see it.",
}
_CHANGES = {
    "409": "Something is in the way or has changed; look again.",
    "413": "The request is too large.",
    "415": "The body is in a language this address does not read.",
}
_CONDITIONS = {"412": "Somebody has changed it since the version you name.", "428": "If-Match is missing."}


class TokenScheme(OpenApiAuthenticationExtension):
    """Describes the tokens in the schema."""

    target_class = "config.rest.authentication.TokenAuthentication"
    name = "token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        """Return the scheme's entry."""
        return {"type": "http", "scheme": "bearer", "description": "A token made under /api/v1/tokens/."}


class Description(AutoSchema):
    """Gives every operation the headers it takes, and puts the view's own words for its `{thing}` into the texts."""

    def get_operation(self, *args: Any, **kwargs: Any) -> Any:
        """Return the whole operation."""
        operation = super().get_operation(*args, **kwargs)
        for part in ("summary", "description"):
            if operation and part in operation:
                operation[part] = self._in_words(operation[part])
        return operation

    def get_response_serializers(self) -> Any:
        """Return what the operation answers with: putting a document may make it or change it."""
        found = super().get_response_serializers()
        return {200: found, 201: found} if self.method == "PUT" and hasattr(self.view, "thing") else found

    def _in_words(self, text: str) -> str:
        thing = getattr(self.view, "thing", "")
        text = text.replace("{things}", getattr(self.view, "things", "") or f"{thing}s")
        article = "an" if thing[:1] in "aeiou" else "a"
        return text.replace("a {thing}", f"{article} {thing}").replace("{thing}", thing)

    def get_override_parameters(self) -> list[Any]:
        """Return the parameters of this operation that its address and filters do not show."""
        parameters = list(super().get_override_parameters())
        if self.method == "POST":
            parameters.append(IDEMPOTENCY)
        if self.method in ("PUT", "PATCH"):
            parameters.append(IF_MATCH)
        return parameters


def with_problems(result: dict[str, Any], generator: Any, request: Any, public: bool) -> dict[str, Any]:  # noqa: ARG001
    """Add the problems to every operation of a finished schema."""
    schemas = result["components"].setdefault("schemas", {})
    schemas.update(Fault=_FAULT, Problem=_PROBLEM)
    for operations in result["paths"].values():
        for method, operation in operations.items():
            described = dict(_ALWAYS)
            if method != "get":
                described |= _CHANGES
            if method in ("put", "patch"):
                described |= _CONDITIONS
            for status, text in described.items():
                operation["responses"].setdefault(status, _response(text))
            operation["responses"].setdefault("default", _response("Any other problem."))
    return result


def _response(text: str) -> dict[str, Any]:
    return {"description": text, "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}}


def describe(
    summary: str,
    *,
    takes: Any = None,
    gives: Any = AUTO,
    status: int = 200,
    parameters: Sequence[OpenApiParameter] = (),
    filters: bool | None = None,
) -> Callable[[Any], Any]:
    """Describe an operation: its sentence, what it takes and gives. The first sentence of `summary` is the title.

    Without `gives` it answers with the view's own serializer.
    """
    title, _, rest = summary.partition(". ")
    decorate: Callable[[Any], Any] = extend_schema(
        summary=title.removesuffix("."),
        description=f"{title.removesuffix('.')}. {rest}".strip(),
        request=takes,
        responses=AUTO if gives is AUTO else {status: gives},
        parameters=list(parameters),
        filters=filters,
    )
    return decorate


class Anything(serializers.JSONField):
    """Any JSON value."""
