"""What the caller was told: the same notices as on the pages, and marking them as read."""

from __future__ import annotations

from typing import Any, ClassVar, cast

import django_filters
from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.utils import timezone
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from config.preferences import NOTICES
from config.rest.bodies import Input, given
from config.rest.describe import describe
from config.rest.views import View
from releases.models import Notice
from releases.services.noticing import notices_of, read_notices


class NoticeOut(serializers.ModelSerializer[Notice]):
    """Something you were told: `asked`, `held`, `overdue` or `mentioned`, and by whom you were mentioned.

    `exception` tells that somebody asks for one, `decided` that yours is: these two are about a `freeze_exception`, for
    a release or, where `release` is null, for a group's.
    """

    text = serializers.CharField(source="__str__")
    activity_run = serializers.IntegerField(source="activity_run_id", allow_null=True)
    freeze_exception = serializers.IntegerField(source="freeze_exception_id", allow_null=True)
    release = serializers.IntegerField(source="release.pk", allow_null=True)
    release_name = serializers.CharField(source="about")
    mentioned_by = serializers.CharField(source="actor_name")

    class Meta:
        model = Notice
        fields = (
            "id", "kind", "text", "activity_run", "freeze_exception", "release", "release_name", "mentioned_by", "at",
            "read_at",
        )  # fmt: skip
        read_only_fields = fields


class NoticeFilter(django_filters.FilterSet):
    """Which notices."""

    kind = django_filters.ChoiceFilter(choices=[(kind, kind) for kind in NOTICES], label="asked, held, overdue ...")
    unread = django_filters.BooleanFilter(field_name="read_at", lookup_expr="isnull", label="Only those not read yet.")

    class Meta:
        model = Notice
        fields: ClassVar[list[str]] = []


class ReadIn(Input):
    """Which notices you have read; all of them if `ids` is left out."""

    ids = serializers.ListField(child=serializers.IntegerField(min_value=1), max_length=200, required=False)


class ReadOut(serializers.Serializer[Any]):
    """How many of them were new."""

    read = serializers.IntegerField()


class Notices(View):
    """What the caller was told, the newest first."""

    table = Notice
    filterset_class = NoticeFilter
    serializer_class = NoticeOut

    def queryset_for(self, request: Request) -> QuerySet[Any]:
        """Return the caller's own."""
        return notices_of(cast("User", request.user))

    @describe("List what you were told, the newest first.")
    def list(self, request: Request) -> Response:
        """Answer with a page of notices."""
        return self.page(NoticeOut)

    @describe("Say that you have read some notices, or all.", takes=ReadIn, gives=ReadOut)
    @action(detail=False, methods=["post"])
    def read(self, request: Request) -> Response:
        """Answer with how many were new."""
        ids = given(ReadIn, request).get("ids")
        only = None if ids is None else Notice.objects.filter(pk__in=ids)
        read = read_notices(cast("User", request.user), now=timezone.now(), only=only)
        return Response(ReadOut({"read": read}).data)
