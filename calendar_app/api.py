"""One's own calendar feeds: made, listed, revoked. An address is in the answer to its making, and nowhere else."""

from __future__ import annotations

from typing import Any, ClassVar, cast

import django_filters
from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.urls import reverse
from django.utils import timezone
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from config.errors import Fault, InvalidInput
from config.rest.bodies import Input, given
from config.rest.describe import describe
from config.rest.views import Router, View
from releases.models import Feed
from releases.services import feeds

KINDS = Feed.Kind.choices


class FeedOut(serializers.ModelSerializer[Feed]):
    """A feed, without its address."""

    kind = serializers.ChoiceField(choices=KINDS, read_only=True)
    group = serializers.CharField(source="group.slug", read_only=True, allow_null=True, default=None)

    class Meta:
        model = Feed
        fields: ClassVar[tuple[str, ...]] = ("id", "name", "kind", "group", "created_at", "last_used_at")
        read_only_fields = fields


class NewFeedOut(FeedOut):
    """A feed that was just made, with its address."""

    address = serializers.CharField(read_only=True, help_text="Keep it: it is never shown again, not even on a replay.")

    class Meta(FeedOut.Meta):
        fields = (*FeedOut.Meta.fields, "address")
        read_only_fields = fields


class FeedIn(Input):
    """A feed to be made: of everything you may see (`all`), what concerns you (`mine`), or one release group."""

    kind = serializers.ChoiceField(choices=KINDS)
    group = serializers.CharField(required=False, allow_null=True, max_length=64, help_text="For the kind `group`.")
    name = serializers.CharField(required=False, allow_blank=True, max_length=200, default="")


class FeedFilter(django_filters.FilterSet):
    """Which of one's feeds."""

    q = django_filters.CharFilter(field_name="name", lookup_expr="icontains", label="Part of the name.")

    class Meta:
        model = Feed
        fields: ClassVar[list[str]] = []


class CalendarFeeds(View):
    """One's own calendar feeds."""

    lookup_value_converter = "row"
    filterset_class = FeedFilter
    serializer_class = FeedOut

    def queryset_for(self, request: Request) -> QuerySet[Any]:
        """Return the caller's own feeds that still work; nobody sees another's."""
        return feeds.feeds_of(cast("User", request.user))

    @describe("List your calendar feeds.", gives=FeedOut(many=True))
    def list(self, request: Request) -> Response:
        """Answer with a page of feeds."""
        return self.page(FeedOut)

    @describe(
        "Make a calendar feed. Calendar programs open its address without signing in.",
        takes=FeedIn,
        gives=NewFeedOut,
        status=201,
    )
    def create(self, request: Request) -> Response:
        """Answer with the new feed and its address."""
        said, user = given(FeedIn, request), cast("User", request.user)
        slug, group = said.get("group"), None
        if slug is not None:
            group = feeds.visible_groups(user).filter(slug=slug).first()
            if group is None:
                raise InvalidInput([Fault("group", f"There is no release group '{slug}' that you may see.")])
        feed, secret = feeds.create_feed(user, kind=said["kind"], group=group, name=said["name"], now=timezone.now())
        shown = dict(FeedOut(feed).data)
        address = request.build_absolute_uri(reverse("calendar:feed", args=[secret]))
        response = Response({**shown, "address": address}, status=201)
        response.remembered = {**shown, "address": ""}  # type: ignore[attr-defined]
        return response

    @describe("Revoke a calendar feed. Its address shows nothing any more.", gives=None, status=204)
    def destroy(self, request: Request, pk: str) -> Response:
        """Answer with nothing once the address is useless."""
        feeds.revoke_feed(cast("User", request.user), self.one(pk=pk), now=timezone.now())
        return Response(status=204)


def routes(router: Router) -> None:
    """Add the addresses of the calendar."""
    router.register("calendar-feeds", CalendarFeeds, basename="calendar-feed")
