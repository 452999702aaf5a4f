"""One's own saved views of the list of releases."""

from __future__ import annotations

from typing import Any, ClassVar, cast

import django_filters
from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.utils import timezone
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from config.rest.bodies import Input, given
from config.rest.describe import describe
from config.rest.views import View
from releases.models import SavedView
from releases.services import saved_views


class SavedViewOut(serializers.ModelSerializer[SavedView]):
    """A search with a name; `query` is what stands in the address of the list, as in `state=running&sort=-started`."""

    class Meta:
        model = SavedView
        fields: ClassVar[tuple[str, ...]] = ("id", "name", "query", "created_at")
        read_only_fields = fields


class SavedViewIn(Input):
    """A search to be kept; what is no filter in `query` is left out. A name that you have used gets the new search."""

    name = serializers.CharField(max_length=saved_views.MOST_LETTERS)
    query = serializers.CharField(required=False, allow_blank=True, max_length=saved_views.MOST_QUERY, default="")


class RenameIn(Input):
    """The new name."""

    name = serializers.CharField(max_length=saved_views.MOST_LETTERS)


class SavedViewFilter(django_filters.FilterSet):
    """Which of one's views."""

    q = django_filters.CharFilter(field_name="name", lookup_expr="icontains", label="Part of the name.")

    class Meta:
        model = SavedView
        fields: ClassVar[list[str]] = []


class SavedViews(View):
    """One's own saved views."""

    lookup_value_converter = "row"
    filterset_class = SavedViewFilter
    serializer_class = SavedViewOut

    def queryset_for(self, request: Request) -> QuerySet[Any]:
        """Return the caller's own views; nobody sees another's."""
        return saved_views.views_of(cast("User", request.user))

    @describe("List your saved views.", gives=SavedViewOut(many=True))
    def list(self, request: Request) -> Response:
        """Answer with a page of views."""
        return self.page(SavedViewOut)

    @describe("Keep a search of releases under a name.", takes=SavedViewIn, gives=SavedViewOut, status=201)
    def create(self, request: Request) -> Response:
        """Answer with the view."""
        said, user = given(SavedViewIn, request), cast("User", request.user)
        view = saved_views.save_view(user, name=said["name"], query=said["query"], now=timezone.now())
        return Response(SavedViewOut(view).data, status=201)

    @describe("Rename one of your saved views.", takes=RenameIn, gives=SavedViewOut)
    def partial_update(self, request: Request, pk: str) -> Response:
        """Answer with the view as it is now."""
        view, user = self.one(pk=pk), cast("User", request.user)
        view = saved_views.rename_view(user, view, name=given(RenameIn, request)["name"], now=timezone.now())
        return Response(SavedViewOut(view).data)

    @describe("Delete one of your saved views.", gives=None, status=204)
    def destroy(self, request: Request, pk: str) -> Response:
        """Answer with nothing once it is gone."""
        saved_views.delete_view(cast("User", request.user), self.one(pk=pk), now=timezone.now())
        return Response(status=204)
