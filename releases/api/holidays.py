"""Imported holiday calendars: what there is, which days they name, putting a file in, deleting."""

from __future__ import annotations

from typing import Any, ClassVar

import django_filters
from django.db import transaction
from django.db.models import Count, Max, Min, QuerySet
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from config.errors import NotFound
from config.permissions import visible_by_any
from config.rest.bodies import Input, given
from config.rest.describe import describe
from config.rest.documents import UsersOut
from config.rest.paging import BySlug
from config.rest.problems import Stale
from config.rest.views import View, etag, require_match, tagged, whole_number
from processes.services import used_by
from releases.models import Holiday, HolidayCalendar
from releases.services import holidays

LATEST_YEAR = 9999


class HolidayCalendarOut(serializers.ModelSerializer[HolidayCalendar]):
    """A calendar at a glance: how many days off it has, the first and the last of them."""

    id = serializers.CharField(source="slug", read_only=True)
    days = serializers.IntegerField(source="count", read_only=True)
    first_on = serializers.DateField(read_only=True, allow_null=True)
    last_on = serializers.DateField(read_only=True, allow_null=True)

    class Meta:
        model = HolidayCalendar
        fields: ClassVar[tuple[str, ...]] = (
            "id", "name", "description", "imported_at", "version", "days", "first_on", "last_on",
        )  # fmt: skip
        read_only_fields = fields


class ImportedOut(HolidayCalendarOut):
    """A calendar as a file has left it, and how many events of the file were ignored, as they have a time of day."""

    ignored = serializers.IntegerField(read_only=True)

    class Meta(HolidayCalendarOut.Meta):
        fields = (*HolidayCalendarOut.Meta.fields, "ignored")
        read_only_fields = fields


class HolidayOut(serializers.ModelSerializer[Holiday]):
    """One day off."""

    class Meta:
        model = Holiday
        fields: ClassVar[tuple[str, ...]] = ("on", "name")
        read_only_fields = fields


class CalendarFileIn(Input):
    """A calendar's name and an iCalendar file, as text."""

    name = serializers.CharField(max_length=200)
    description = serializers.CharField(required=False, allow_blank=True, max_length=5000, default="")
    ics = serializers.CharField(trim_whitespace=False)


class HolidayCalendarFilter(django_filters.FilterSet):
    """Which calendars."""

    q = django_filters.CharFilter(field_name="name", lookup_expr="icontains", label="Part of the name.")

    class Meta:
        model = HolidayCalendar
        fields: ClassVar[list[str]] = []


def _with_extent() -> QuerySet[HolidayCalendar]:
    """Return the calendars with how many days they have, the first and the last."""
    return HolidayCalendar.objects.annotate(count=Count("days"), first_on=Min("days__on"), last_on=Max("days__on"))


class HolidayCalendars(View):
    """Days off that cadences may name beside the countries' own."""

    lookup_field = "slug"
    lookup_value_converter = "document"
    pagination_class = BySlug
    filterset_class = HolidayCalendarFilter
    serializer_class = HolidayCalendarOut
    thing = "holiday calendar"
    query: ClassVar[dict[str, set[str]]] = {"days": {"year", "cursor", "page_size"}}

    def queryset_for(self, request: Request) -> QuerySet[Any]:
        """Return the calendars the caller may look at or change, with how many days they have."""
        held = [f"releases.{verb}_holidaycalendar" for verb in ("view", "change", "delete")]
        return visible_by_any(request.user, held, _with_extent())

    @describe("List the holiday calendars you may see.")
    def list(self, request: Request) -> Response:
        """Answer with a page."""
        return self.page(HolidayCalendarOut)

    @describe("Look at one holiday calendar. The ETag is what If-Match wants.", gives=HolidayCalendarOut)
    def retrieve(self, request: Request, slug: str) -> Response:
        """Answer with the calendar, without its days."""
        row = self.one(slug=slug)
        return tagged(HolidayCalendarOut(row).data, etag(row.version))

    @describe(
        "Put a holiday calendar: its days off are then those that the file names. It is made if there is none yet; "
        "otherwise If-Match must name the version you have seen. Kept are whole days from two years back to ten years "
        "ahead; what has a time of day is ignored. Groups whose cadence names it are planned anew.",
        takes=CalendarFileIn,
        gives=ImportedOut,
    )
    @transaction.atomic
    def update(self, request: Request, slug: str) -> Response:
        """Answer with the calendar as it is now."""
        held = HolidayCalendar.objects.select_for_update(no_key=True).filter(slug=slug).first()
        if held is None and "If-Match" in request.headers:
            raise Stale(f"There is no holiday calendar '{slug}' any more.")
        if held is not None:
            if not self.get_queryset().filter(pk=held.pk).exists():
                raise NotFound
            require_match(request, etag(held.version))
        said = given(CalendarFileIn, request)
        done = holidays.import_calendar(
            request.user,
            slug=slug,
            name=said["name"],
            description=said["description"],
            text=said["ics"],
            now=timezone.now(),
            expected_version=0 if held is None else None,
        )
        row = _with_extent().get(pk=done.calendar.pk)
        vars(row)["ignored"] = done.ignored
        return tagged(ImportedOut(row).data, etag(row.version), status=201 if done.is_new else 200)

    @describe(
        "Delete a holiday calendar. One that a cadence names stays, and the answer says whose.", gives=None, status=204
    )
    def destroy(self, request: Request, slug: str) -> Response:
        """Answer with nothing once it is gone."""
        holidays.delete_calendar(request.user, self.one(slug=slug), now=timezone.now())
        return Response(status=204)

    @describe(
        "List the days off of a holiday calendar, in order.",
        gives=HolidayOut(many=True),
        parameters=[OpenApiParameter("year", OpenApiTypes.INT, description="Those of one year only.")],
    )
    @action(detail=True, filterset_class=None, ordering=("on",))
    def days(self, request: Request, slug: str) -> Response:
        """Answer with a page of days."""
        days, year = self.one(slug=slug).days.all(), whole_number(request, "year", most=LATEST_YEAR)
        rows = self.paginate_queryset(days if year is None else days.filter(on__year=year))
        return self.get_paginated_response(HolidayOut(rows, many=True).data)

    @describe("See whose cadences name a holiday calendar.", gives=UsersOut)
    @action(detail=True, url_path="used-by", pagination_class=None, filterset_class=None)
    def used_by(self, request: Request, slug: str) -> Response:
        """Answer with its users in words."""
        return Response({"used_by": [str(use) for use in used_by(self.one(slug=slug))]})
