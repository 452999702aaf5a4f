"""When a release is expected to be over."""

from __future__ import annotations

from typing import Any

from django.utils import timezone
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from config.rest.describe import describe
from config.rest.views import View
from releases import reading


class StepOut(serializers.Serializer[Any]):
    """A phase or activity: from when to when it runs, as far as it has begun or is over, or else is expected to.

    `length_from` says how its length is known: from its `history`, `expected` by its document, a `timeout`, or
    `unknown`. `id` is null before the start.
    """

    id = serializers.IntegerField(allow_null=True)
    path = serializers.CharField()
    name = serializers.CharField()
    kind = serializers.CharField()
    state = serializers.CharField()
    starts_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField()
    has_begun = serializers.BooleanField()
    is_over = serializers.BooleanField()
    is_critical = serializers.BooleanField()
    length_from = serializers.CharField(source="source")


class ForecastOut(serializers.Serializer[Any]):
    """When a release is expected to be over, or was.

    `is_earliest` says that it may end later, because it hangs on what nobody knows the length of (`unknown`, names);
    `is_rough` that a timeout stands in for a length. `critical` are the paths of the activities that make it end then.
    Before the start it counts from the planned start; without one `finish_at` is null.
    """

    finish_at = serializers.DateTimeField(allow_null=True)
    planned_end_at = serializers.DateTimeField(allow_null=True)
    is_earliest = serializers.BooleanField()
    is_rough = serializers.BooleanField()
    unknown = serializers.ListField(child=serializers.CharField())
    critical = serializers.ListField(child=serializers.CharField())
    steps = StepOut(many=True)


class ReleaseForecasts(View):
    """What is to be expected of a release."""

    @describe(
        "See when a release is expected to be over, and its critical path. From what its activities took before, else "
        "from what its process expects.",
        gives=ForecastOut,
    )
    @action(detail=True, pagination_class=None, filterset_class=None)
    def forecast(self, request: Request, pk: str) -> Response:
        """Answer with the forecast."""
        return Response(ForecastOut(reading.release_forecast(self.one(pk=pk), now=timezone.now())).data)
