"""What the views of the API are made from: lists with known filters only, and conditions on edits (ETag, If-Match)."""

from __future__ import annotations

import hashlib
import json
from typing import Any, ClassVar

from django.db.models import Model, QuerySet
from django.urls import URLPattern, path, register_converter
from django.urls.converters import SlugConverter, StringConverter
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.routers import SimpleRouter
from rest_framework.serializers import BaseSerializer
from rest_framework.viewsets import GenericViewSet

from config.errors import Fault, InvalidInput, NotFound
from config.rest.bodies import check_query
from config.rest.problems import Precondition, Stale

LARGEST_NUMBER = 2**31 - 1
LARGEST_ID = 10**18


class RowId(StringConverter):
    """A row's number in an address, no larger than the database can hold."""

    regex = "[0-9]{1,18}"


class DocumentId(SlugConverter):
    """A document's id in an address; whether it is a well-formed one is for those who make documents to say."""

    regex = "[-a-zA-Z0-9_]{1,100}"


register_converter(RowId, "row")
register_converter(DocumentId, "document")


class View(GenericViewSet[Any]):
    """A set of endpoints for one sort of thing. `queryset_for` gives what the caller may see: the rest is not there.

    `query` names the query parameters that an action knows besides its list's filters; any other is refused.
    """

    query: ClassVar[dict[str, set[str]]] = {}
    looks: tuple[str, ...] = ()
    filterset_class: Any = None
    table: type[Model] | None = None
    ordering: tuple[str, ...] = ()

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Let the caller in, then refuse a query that is not understood. Raises InvalidInput with every fault."""
        super().initial(request, *args, **kwargs)
        check_query(request)
        unknown = [name for name in request.query_params if name not in self.known_query()]
        if unknown:
            known = ", ".join(sorted(self.known_query()))
            cure = f"It knows {known}." if known else "It knows none."
            raise InvalidInput([Fault(name[:60], "There is no such query parameter.", cure) for name in unknown])

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        """Return the answer, which belongs to nobody but the caller and may be old the next moment."""
        answer = super().finalize_response(request, response, *args, **kwargs)
        answer.headers.setdefault("Cache-Control", "private, no-cache")
        return answer

    def known_query(self) -> set[str]:
        """Return the query parameters this action understands."""
        action = self.action or ""
        known = set(self.query.get(action, ()))
        if action == "list":
            known |= {"cursor", "page_size"} | set(self.filterset_class.base_filters if self.filterset_class else ())
        return known

    def queryset_for(self, request: Request) -> QuerySet[Any]:
        """Return what the caller may see."""
        raise NotImplementedError

    def get_queryset(self) -> QuerySet[Any]:
        """Return what the caller may see; nothing at all while the schema is being described."""
        if getattr(self, "swagger_fake_view", False):
            return self.schema_model._default_manager.none()
        return self.queryset_for(self.request)

    @property
    def schema_model(self) -> type[Model]:
        """Return the table behind the view."""
        model: type[Model] = self.table or type(self).filterset_class._meta.model
        return model

    def one(self, **wanted: Any) -> Any:
        """Return the visible thing that is wanted. Raises NotFound when it does not exist or may not be seen."""
        found = self.get_queryset().filter(**wanted).first()
        if found is None:
            raise NotFound
        return found

    def page(self, serializer: type[BaseSerializer[Any]]) -> Response:
        """Return a page of the filtered list."""
        rows = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        return self.get_paginated_response(serializer(rows, many=True, context=self.get_serializer_context()).data)


class Router(SimpleRouter):
    """Addresses end in a slash; the converters above keep what cannot be an id out of them."""

    def __init__(self) -> None:
        super().__init__(trailing_slash=True, use_regex_path=False)
        self._singles: list[URLPattern] = []

    def single(self, name: str, view: type[View]) -> None:
        """Add the address of a thing there is only one of; the view's `show` answers, and `change` if it has one."""
        methods: dict[str, Any] = {"get": "show", "patch": "change"} if hasattr(view, "change") else {"get": "show"}
        self._singles.append(path(f"{name}/", view.as_view(methods), name=name))

    def get_urls(self) -> list[Any]:
        """Return every address added so far."""
        return [*super().get_urls(), *self._singles]


def whole_number(request: Request, name: str, *, most: int = LARGEST_NUMBER) -> int | None:
    """Return a number from the query, None if it is left out. Raises InvalidInput if it is none from 0 to `most`."""
    text = request.query_params.get(name)
    if text is None:
        return None
    if not text.isascii() or not text.isdecimal() or len(text) > 10 or int(text) > most:
        raise InvalidInput([Fault(name, f"This is not a whole number from 0 to {most}.")])
    return int(text)


def etag(version: int | str) -> str:
    """Return the entity tag of a version."""
    return f'"{version}"'


def digest_tag(document: Any) -> str:
    """Return the entity tag of a document that counts no versions: a digest of it."""
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), default=str)
    return etag(hashlib.sha256(text.encode(errors="replace")).hexdigest()[:32])


def require_match(request: Request, current: str) -> None:
    """Raise Precondition unless the request says in If-Match what it has seen, Stale unless that is `current`."""
    seen = request.headers.get("If-Match")
    if seen is None:
        raise Precondition
    tags = {tag.strip().removeprefix("W/") for tag in seen.split(",")}
    if "*" not in tags and current not in tags:
        raise Stale


def tagged(data: Any, tag: str, status: int = 200) -> Response:
    """Return an answer that says which version it shows."""
    return Response(data, status=status, headers={"ETag": tag})
