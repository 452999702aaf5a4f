"""Starts in spite of what stopped them: debts until somebody else signs them off."""

from __future__ import annotations

from typing import Any, ClassVar

import django_filters
from django.db.models import QuerySet
from django.utils import timezone
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from config.rest.bodies import Input, given
from config.rest.describe import Anything, describe
from config.rest.views import LARGEST_ID, View
from releases import mentions
from releases.models import BreakGlass
from releases.reading.freezes import debt_may, visible_debts
from releases.services.break_glass import sign_off_break_glass


class DebtOut(serializers.ModelSerializer[BreakGlass]):
    """A start in spite of something; `ignored` lists what, `signed_at` is null while nobody has signed it off."""

    release = serializers.IntegerField(source="release_id", read_only=True)
    group = serializers.CharField(source="release.group.slug", read_only=True, allow_null=True, default=None)
    process = serializers.CharField(source="release.process.slug", read_only=True)
    ignored = Anything(read_only=True)
    by = serializers.CharField(source="by_name", read_only=True)
    signed_by = serializers.CharField(source="signed_by_name", read_only=True)

    class Meta:
        model = BreakGlass
        fields: ClassVar[tuple[str, ...]] = (
            "id", "release", "group", "process", "reason", "ignored", "at", "by", "signed_at", "signed_by", "comment",
        )  # fmt: skip
        read_only_fields = fields


class DebtDetailOut(DebtOut):
    """The same; `may` names what you may do about it now."""

    may = serializers.SerializerMethodField()

    class Meta(DebtOut.Meta):
        fields = (*DebtOut.Meta.fields, "may")
        read_only_fields = fields

    def get_may(self, debt: BreakGlass) -> list[str]:
        """Return what the caller may do now."""
        return debt_may(self.context["request"].user, debt)


class SignedIn(Input):
    """What whoever signs it off has to say."""

    comment = serializers.CharField(required=False, allow_blank=True, max_length=5000, default="")


class DebtFilter(django_filters.FilterSet):
    """Which debts."""

    unpaid = django_filters.BooleanFilter(
        field_name="signed_at", lookup_expr="isnull", label="Those that nobody has signed off yet, or the others."
    )
    release = django_filters.NumberFilter(field_name="release_id", min_value=0, max_value=LARGEST_ID)
    group = django_filters.CharFilter(field_name="release__group__slug", label="The id of the release group.")
    process = django_filters.CharFilter(field_name="release__process__slug", label="The id of the process.")

    class Meta:
        model = BreakGlass
        fields: ClassVar[list[str]] = []


class BreakGlasses(View):
    """Starts in spite of something, of the releases the caller may see."""

    lookup_value_converter = "row"
    filterset_class = DebtFilter
    serializer_class = DebtOut

    def queryset_for(self, request: Request) -> QuerySet[Any]:
        """Return the debts the caller may see."""
        return visible_debts(request.user)

    @describe("List the releases that were started in spite of what stopped them, newest first.")
    def list(self, request: Request) -> Response:
        """Answer with a page."""
        return self.page(DebtOut)

    def paginate_queryset(self, queryset: Any) -> Any:
        """Return a page's rows, which name other releases as far as the caller may see them."""
        return mentions.masked_debts(self.request.user, super().paginate_queryset(queryset) or ())

    @describe("Look at a start in spite of something.", gives=DebtDetailOut)
    def retrieve(self, request: Request, pk: str) -> Response:
        """Answer with it."""
        return self._shown(pk)

    @describe(
        "Sign off what somebody else started in spite of something. The next release may start again then.",
        takes=SignedIn,
        gives=DebtDetailOut,
    )
    @action(detail=True, methods=["post"], url_path="sign-off")
    def sign_off(self, request: Request, pk: str) -> Response:
        """Answer with it as it is now."""
        debt, comment = self.one(pk=pk), given(SignedIn, request)["comment"]
        sign_off_break_glass(request.user, debt, comment=comment, now=timezone.now())
        return self._shown(pk)

    def _shown(self, pk: str) -> Response:
        [debt] = mentions.masked_debts(self.request.user, [self.one(pk=pk)])
        return Response(DebtDetailOut(debt, context=self.get_serializer_context()).data)
