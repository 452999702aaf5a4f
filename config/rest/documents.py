"""Endpoints for things that are edited as documents: list, look, put, see who uses it, delete."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import transaction
from drf_spectacular.types import OpenApiTypes
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from config.errors import Fault, InvalidInput, NotFound
from config.rest.bodies import Input
from config.rest.describe import describe
from config.rest.paging import BySlug
from config.rest.problems import Stale
from config.rest.views import View, require_match, tagged

Document = dict[str, Any]


class UsersOut(serializers.Serializer[Any]):
    """Who uses a thing, in words."""

    used_by = serializers.ListField(child=serializers.CharField())


class RevisionOut(serializers.Serializer[Any]):
    """A published revision, without its document."""

    number = serializers.IntegerField()
    digest = serializers.CharField()
    published_at = serializers.DateTimeField()
    published_by = serializers.CharField(source="published_by_name")


class RevisionDetailOut(RevisionOut):
    """A published revision with its document."""

    document = serializers.DictField()


class FaultOut(serializers.Serializer[Any]):
    """Something wrong: where, what, and how to mend it."""

    path = serializers.CharField()
    message = serializers.CharField()
    cure = serializers.CharField()


class ReasonIn(Input):
    """Why, for those who read the trail."""

    reason = serializers.CharField(required=False, allow_blank=True, max_length=5000, default="")


class Documents(View):
    """One kind of document. The hooks at the end say how it is read, saved and deleted.

    `serializer_class` shows a row in the list, `detail_class` one by itself, with a field `document`.
    """

    lookup_field = "slug"
    lookup_value_converter = "document"
    pagination_class = BySlug
    kind = ""
    thing = ""
    things = ""
    detail_class: type[serializers.BaseSerializer[Any]]

    def get_serializer_class(self) -> type[serializers.BaseSerializer[Any]]:
        """Return the short form for lists, the long one for a single document."""
        return self.detail_class if self.action in ("retrieve", "update") else super().get_serializer_class()

    @describe("List the {things} you may see.")
    def list(self, request: Request) -> Response:
        """Answer with a page."""
        return self.page(self.get_serializer_class())

    @describe("Look at one {thing} and its document. The ETag is what If-Match wants.")
    def retrieve(self, request: Request, slug: str) -> Response:
        """Answer with the document."""
        return self._shown(self.one(slug=slug))

    @describe(
        "Put a {thing}: make it be what the document says. "
        "It is made if there is none yet; otherwise If-Match must name the version you have seen.",
        takes={"application/json": OpenApiTypes.OBJECT},
    )
    @transaction.atomic
    def update(self, request: Request, slug: str) -> Response:
        """Answer with the document as it is now."""
        document = addressed(request.data, self.kind, slug)
        held = self.schema_model._default_manager.select_for_update(no_key=True).filter(slug=slug).first()
        if held is None and "If-Match" in request.headers:
            raise Stale(f"There is no {self.thing} '{slug}' any more.")
        if held is not None:
            if not self.get_queryset().filter(pk=held.pk).exists():
                raise NotFound
            require_match(request, self.tag(held))
        self.save(request, document, is_new=held is None)
        row = self.get_queryset().filter(slug=slug).first() or self.schema_model._default_manager.get(slug=slug)
        return self._shown(row, status=201 if held is None else 200)

    @describe(
        "Delete a {thing}. What is used by something else stays, and the answer names its users.",
        gives=None,
        status=204,
    )
    def destroy(self, request: Request, slug: str) -> Response:
        """Answer with nothing once it is gone."""
        self.remove(request, self.one(slug=slug))
        return Response(status=204)

    @describe("See who uses a {thing}.", gives=UsersOut)
    @action(detail=True, url_path="used-by", pagination_class=None, filterset_class=None)
    def used_by(self, request: Request, slug: str) -> Response:
        """Answer with its users in words."""
        return Response({"used_by": self.users(self.one(slug=slug))})

    def _shown(self, row: Any, status: int = 200) -> Response:
        vars(row)["document"] = self.document(row)
        shown = self.detail_class(row, context=self.get_serializer_context()).data
        return tagged(shown, self.tag(row), status=status)

    def document(self, row: Any) -> Document:
        """Return the document of a row."""
        raise NotImplementedError

    def tag(self, row: Any) -> str:
        """Return the entity tag of a row as it is now."""
        raise NotImplementedError

    def save(self, request: Request, document: Document, *, is_new: bool) -> None:
        """Make the document so."""
        raise NotImplementedError

    def remove(self, request: Request, row: Any) -> None:
        """Delete a row."""
        raise NotImplementedError

    def users(self, row: Any) -> Sequence[str]:
        """Return who uses a row."""
        raise NotImplementedError


def addressed(body: Any, kind: str, slug: str) -> Document:
    """Return a request's body as a document of this kind and id, which it need not repeat.

    Raises InvalidInput when it is no mapping, or says that it is something else.
    """
    if not isinstance(body, Mapping):
        raise InvalidInput([Fault("", "A document must be a mapping.")])
    document = {"kind": kind, "id": slug, **body}
    faults = []
    if document["kind"] != kind:
        faults.append(Fault("kind", f"The kind must be {kind} here.", "Leave it out."))
    if document["id"] != slug:
        faults.append(Fault("id", f"The id must be the one in the address, {slug}.", "Leave it out."))
    if faults:
        raise InvalidInput(faults)
    return document
