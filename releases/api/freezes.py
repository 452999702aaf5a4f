"""Freezes: as documents, with the windows they apply in, lifted, and the line stopped in one action."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, ClassVar

import django_filters
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from config.permissions import require
from config.rest.bodies import Input, given
from config.rest.describe import Anything, describe
from config.rest.documents import Document, Documents
from config.rest.views import View, etag, tagged
from processes.schema import require_structure
from processes.services import used_by
from releases import freeze_documents
from releases.api.shapes import ReasonedIn
from releases.freezes import DRAIN, HOLD
from releases.models import Freeze, FreezeWindow
from releases.reading.freezes import ScopeView, visible_freezes
from releases.services import freezing


class FreezeOut(serializers.ModelSerializer[Freeze]):
    """A freeze at a glance. `hidden` counts the ids in its scope that you may not see."""

    id = serializers.CharField(source="slug", read_only=True)
    in_flight = serializers.SerializerMethodField()
    scope = serializers.SerializerMethodField()
    hidden = serializers.SerializerMethodField()
    applies = serializers.BooleanField(read_only=True, help_text="Whether it applies now.")

    class Meta:
        model = Freeze
        fields: ClassVar[tuple[str, ...]] = (
            "id", "name", "description", "in_flight", "applies", "scope", "hidden", "version",
        )  # fmt: skip
        read_only_fields = fields

    @cached_property
    def scopes(self) -> ScopeView:
        """Return the caller's view of the scopes of all freezes shown."""
        shown: Any = self.parent.instance if self.parent else [self.instance]
        return ScopeView(self.context["request"].user, [one.body["scope"] for one in shown])

    def get_in_flight(self, freeze: Freeze) -> serializers.ChoiceField(choices=[DRAIN, HOLD]):  # type: ignore[valid-type]
        """Return what becomes of what already runs."""
        return freeze.body.get("in_flight", DRAIN)

    def get_scope(self, freeze: Freeze) -> Anything():  # type: ignore[valid-type]
        """Return the scope, as far as the caller may see it."""
        return self.scopes.shown(freeze.body["scope"])

    def get_hidden(self, freeze: Freeze) -> int:
        """Return how many ids are left out."""
        return self.scopes.hidden(freeze.body["scope"])


class FreezeDetailOut(FreezeOut):
    """A freeze with its document, which is null for those who may not see all of it."""

    document = serializers.SerializerMethodField()

    class Meta(FreezeOut.Meta):
        fields = (*FreezeOut.Meta.fields, "document")
        read_only_fields = fields

    def get_document(self, freeze: Freeze) -> serializers.DictField(allow_null=True):  # type: ignore[valid-type]
        """Return the document."""
        return freeze_documents.export_freeze(freeze) if self.scopes.is_whole else None


class WindowOut(serializers.ModelSerializer[FreezeWindow]):
    """One time a freeze applies, from `starts_at` until before `ends_at`; without an end, until it is lifted."""

    lifted_by = serializers.CharField(source="lifted_by_name", read_only=True)

    class Meta:
        model = FreezeWindow
        fields: ClassVar[tuple[str, ...]] = ("id", "starts_at", "ends_at", "lifted_at", "lifted_by")
        read_only_fields = fields


class StopIn(Input):
    """What may not start from now on, why, and until when; until it is lifted if that is left out."""

    scope = serializers.DictField(help_text="As in a freeze's document: everything, groups, processes, resources ...")
    reason = serializers.CharField(max_length=5000)
    until = serializers.DateTimeField(required=False, allow_null=True, default=None)


class FreezeFilter(django_filters.FilterSet):
    """Which freezes."""

    q = django_filters.CharFilter(method="search", label="Part of the id or name.")
    applies = django_filters.BooleanFilter(field_name="applies", label="Whether they apply now.")

    class Meta:
        model = Freeze
        fields: ClassVar[list[str]] = []

    def search(self, rows: QuerySet[Freeze], name: str, text: str) -> QuerySet[Freeze]:
        """Return the rows that contain `text`."""
        return rows.filter(Q(slug__icontains=text) | Q(name__icontains=text))


class WindowFilter(django_filters.FilterSet):
    """Which windows."""

    after = django_filters.IsoDateTimeFilter(method="lasting", label="Not over by this moment.")
    before = django_filters.IsoDateTimeFilter(field_name="starts_at", lookup_expr="lt", label="Open before it.")

    class Meta:
        model = FreezeWindow
        fields: ClassVar[list[str]] = []

    def lasting(self, rows: QuerySet[FreezeWindow], name: str, moment: Any) -> QuerySet[FreezeWindow]:
        """Return the windows that end after `moment`."""
        return rows.filter(Q(ends_at=None) | Q(ends_at__gt=moment))


WINDOW_PARAMETERS = tuple(
    OpenApiParameter(name, OpenApiTypes.DATETIME, description=str(WindowFilter.base_filters[name].label))
    for name in ("after", "before")
)


def with_applies(freezes: QuerySet[Freeze]) -> QuerySet[Freeze]:
    """Return the freezes, each knowing whether it applies now."""
    now = timezone.now()
    running = FreezeWindow.objects.filter(Q(ends_at=None) | Q(ends_at__gt=now), starts_at__lte=now)
    return freezes.annotate(applies=Exists(running.filter(freeze=OuterRef("pk"))))


class Freezes(Documents):
    """Times in which releases and activities may not start."""

    kind, thing = "Freeze", "freeze"
    filterset_class = FreezeFilter
    serializer_class = FreezeOut
    detail_class = FreezeDetailOut
    query: ClassVar[dict[str, set[str]]] = {"windows": {"cursor", "page_size", "after", "before"}}

    def queryset_for(self, request: Request) -> QuerySet[Freeze]:
        """Return the freezes the caller may see."""
        return with_applies(visible_freezes(request.user))

    def document(self, row: Freeze) -> Document:
        """Return the freeze's document."""
        return freeze_documents.export_freeze(row)

    def tag(self, row: Freeze) -> str:
        """Return the count of edits."""
        return etag(row.version)

    def save(self, request: Request, document: Document, *, is_new: bool) -> None:
        """Make the freeze what the document says."""
        require_structure([document])
        expected = 0 if is_new else None
        freeze_documents.save_freeze(request.user, document, now=timezone.now(), expected_version=expected)

    def remove(self, request: Request, row: Freeze) -> None:
        """Delete a freeze."""
        freeze_documents.delete_freeze(request.user, row, now=timezone.now())

    def users(self, row: Freeze) -> Sequence[str]:
        """Return who uses a freeze."""
        return [str(use) for use in used_by(row)]

    @describe(
        "List the times in which a freeze applies, in order. A recurring one has them a year ahead.",
        gives=WindowOut(many=True),
        parameters=WINDOW_PARAMETERS,
    )
    @action(detail=True, filterset_class=None, ordering=("starts_at", "id"), serializer_class=WindowOut)
    def windows(self, request: Request, slug: str) -> Response:
        """Answer with a page of windows."""
        chosen = WindowFilter(request.query_params, FreezeWindow.objects.filter(freeze=self.one(slug=slug)))
        if not chosen.is_valid():
            raise ValidationError(chosen.errors)
        return self.get_paginated_response(WindowOut(self.paginate_queryset(chosen.qs), many=True).data)

    @describe("Lift a freeze: end the window that is open now.", takes=ReasonedIn, gives=FreezeDetailOut)
    @action(detail=True, methods=["post"], filterset_class=None)
    def lift(self, request: Request, slug: str) -> Response:
        """Answer with the freeze as it is now."""
        freeze, why = self.one(slug=slug), given(ReasonedIn, request)["reason"]
        freezing.lift_freeze(request.user, freeze, now=timezone.now(), reason=why)
        return shown(self, slug)


class StopTheLine(View):
    """Stopping everything, or something, now."""

    serializer_class = FreezeDetailOut
    table = Freeze

    def queryset_for(self, request: Request) -> QuerySet[Freeze]:
        """Return the freezes the caller may see."""
        return with_applies(visible_freezes(request.user))

    @describe(
        "Stop the line: freeze what is in scope from this moment. It is a freeze like any other, to be lifted later.",
        takes=StopIn,
        gives=FreezeDetailOut,
        status=201,
    )
    def create(self, request: Request) -> Response:
        """Answer with the freeze."""
        require(request.user, "releases.add_freeze")
        freeze = freezing.stop_the_line(request.user, now=timezone.now(), **given(StopIn, request))
        return shown(self, freeze.slug, status=201)


def shown(view: View, slug: str, status: int = 200) -> Response:
    """Answer with one freeze as it is now."""
    freeze = with_applies(Freeze.objects.all()).get(slug=slug)
    data = FreezeDetailOut(freeze, context=view.get_serializer_context()).data
    return tagged(data, etag(freeze.version), status=status)
