"""The whole trail, for those who may see it; a release's own events are at `releases/<id>/events/`."""

from __future__ import annotations

from typing import Any, ClassVar

import django_filters
from django.db.models import QuerySet
from rest_framework.request import Request
from rest_framework.response import Response

from config.models import Event
from config.permissions import require
from config.rest.describe import describe
from config.rest.views import LARGEST_ID, View
from releases.api.shapes import EventOut


class EventFilter(django_filters.FilterSet):
    """Which events."""

    verb = django_filters.CharFilter(label="What happened, such as activity.failed.")
    actor = django_filters.CharFilter(field_name="actor_name", label="Who did it.")
    subject_type = django_filters.CharFilter(label="What it happened to, such as release or process.")
    subject_id = django_filters.NumberFilter(label="Its number.", min_value=0, max_value=LARGEST_ID)
    release = django_filters.NumberFilter(
        field_name="release_id", label="In which release.", min_value=0, max_value=LARGEST_ID
    )
    request_id = django_filters.CharFilter(label="In which request.")
    q = django_filters.CharFilter(
        field_name="subject_name", lookup_expr="icontains", label="Part of the subject's name."
    )
    since = django_filters.IsoDateTimeFilter(field_name="at", lookup_expr="gte", label="Not before this moment.")
    until = django_filters.IsoDateTimeFilter(field_name="at", lookup_expr="lt", label="Before this moment.")

    class Meta:
        model = Event
        fields: ClassVar[list[str]] = []


class Events(View):
    """Every change to anything."""

    filterset_class = EventFilter
    serializer_class = EventOut

    def queryset_for(self, request: Request) -> QuerySet[Any]:
        """Return the trail. Raises NotPermitted for those who may not see it."""
        require(request.user, "config.view_event")
        return Event.objects.all()

    @describe("Search the trail, newest first. It needs the permission `config.view_event`.")
    def list(self, request: Request) -> Response:
        """Answer with a page of events."""
        return self.page(EventOut)
