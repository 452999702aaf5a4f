"""Activities that come with Pilothouse, through the API: what there is, and adding it to the store."""

from __future__ import annotations

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from activities.models import Activity
from config.permissions import require
from config.rest.bodies import Input, given
from config.rest.describe import describe
from config.rest.views import View
from processes import services
from processes.ready_made import shipped


class ShippedActivityOut(serializers.Serializer[Any]):
    """An activity that comes with Pilothouse and how it stands in the store.

    `outdated` is an earlier one that nobody has changed, `changed` one that somebody has; `on` is the connection it
    uses there.
    """

    id = serializers.CharField(source="document.id")
    name = serializers.CharField(source="document.name")
    description = serializers.CharField(source="document.description")
    state = serializers.ChoiceField(choices=["absent", "current", "outdated", "changed"])
    revision = serializers.IntegerField(allow_null=True)
    on = serializers.CharField(allow_blank=True)
    document = serializers.DictField()


class ShippedOut(serializers.Serializer[Any]):
    """What comes for one provider, and its connections that you may see."""

    provider = serializers.CharField()
    title = serializers.CharField()
    connections = serializers.ListField(child=serializers.CharField())
    activities = ShippedActivityOut(many=True)


@extend_schema_serializer(many=False)
class ShippedListOut(serializers.Serializer[Any]):
    """What comes with Pilothouse, by provider."""

    results = ShippedOut(many=True)


class AddIn(Input):
    """What is to be added to the store."""

    provider = serializers.CharField(max_length=100)
    connection = serializers.CharField(
        required=False, allow_blank=True, default="", max_length=100, help_text="That of the provider's name if empty."
    )
    prefix = serializers.CharField(
        required=False, allow_blank=True, default="", max_length=40, help_text="What their ids begin with."
    )
    activities = serializers.ListField(
        child=serializers.CharField(max_length=100), default=list, max_length=100, help_text="All of them if empty."
    )
    replace = serializers.BooleanField(default=False, help_text="Also what was changed since it was added.")


class AddedOut(serializers.Serializer[Any]):
    """What became of one activity; `why` says why it was left alone."""

    id = serializers.CharField()
    result = serializers.ChoiceField(choices=["created", "changed", "unchanged", "left"])
    revision = serializers.IntegerField(allow_null=True)
    why = serializers.CharField(allow_blank=True)


class AddedListOut(serializers.Serializer[Any]):
    """What became of every activity."""

    results = AddedOut(many=True)


class ReadyMade(View):
    """Activities that come with Pilothouse."""

    table = Activity
    pagination_class = None

    @describe("List the activities that come with Pilothouse, ready to use, by provider.", gives=ShippedListOut)
    def list(self, request: Request) -> Response:
        """Answer with all of them."""
        services.require_look(request.user)
        found, connections = services.standings(request.user), services.connections_for(request.user)
        results = [
            {
                "provider": provider,
                "title": ships.title,
                "connections": [one.slug for one in connections.get(provider, [])],
                "activities": found[provider],
            }
            for provider, ships in shipped().items()
        ]
        return Response(ShippedListOut({"results": results}).data)

    @describe(
        "Add activities of a provider to the store, and publish them. "
        "Added again, nothing changes; what was changed since is left alone unless it is to be replaced.",
        takes=AddIn,
        gives=AddedListOut,
    )
    def create(self, request: Request) -> Response:
        """Answer with what became of each."""
        require(request.user, "activities.add_activity")
        wanted = given(AddIn, request)
        only = wanted.pop("activities")
        done = services.add_ready_made(request.user, now=timezone.now(), only=only, **wanted)
        return Response(AddedListOut({"results": done}).data)
