"""What would stop a release or disturb it, before it starts."""

from __future__ import annotations

from typing import Any

from django.utils import timezone
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from config.rest.describe import describe
from config.rest.views import View
from releases import bookings, policy
from releases.conflicts import KINDS as CONFLICT_KINDS
from releases.models import Release
from releases.reading import standings_for, standings_of_many
from releases.services.preflight import preflight, preflight_many

#: How many of a group's next releases are looked at.
NEXT = 10
KINDS = list(CONFLICT_KINDS.values())


class OtherOut(serializers.Serializer[Any]):
    """A release that you may see."""

    id = serializers.IntegerField(source="pk")
    name = serializers.CharField(source="__str__")


class FindingOut(serializers.Serializer[Any]):
    """One thing that would stop a release (`stops`) or disturb it; `release` is the other release it is about."""

    code = serializers.CharField(source="finding.code")
    stops = serializers.BooleanField(source="finding.stops")
    message = serializers.CharField(source="finding.message")
    cure = serializers.CharField(source="finding.cure", allow_blank=True)
    path = serializers.CharField(source="finding.path", allow_blank=True)
    until = serializers.DateTimeField(source="finding.until", allow_null=True)
    who = serializers.ListField(source="finding.who", child=serializers.CharField())
    release = OtherOut(source="other", allow_null=True)


class PreflightOut(serializers.Serializer[Any]):
    """Everything that would stop a release or disturb it: what stops it first."""

    startable = serializers.BooleanField()
    findings = FindingOut(many=True)


class NextReleaseOut(PreflightOut):
    """One of a group's next releases, with everything that would stop or disturb it."""

    id = serializers.IntegerField()
    name = serializers.CharField()
    planned_start_at = serializers.DateTimeField(allow_null=True)


class NextReleasesOut(serializers.Serializer[Any]):
    """A group's next releases that you may see, the soonest first, at most 10."""

    results = NextReleaseOut(many=True)


class ConflictOut(serializers.Serializer[Any]):
    """Another release that holds the same at the same time. Without `release`, it is one you may not see."""

    kind = serializers.ChoiceField(choices=KINDS)
    what = serializers.CharField(source="bare")
    release = serializers.IntegerField(source="release_id", allow_null=True)
    name = serializers.CharField()
    starts_at = serializers.DateTimeField(source="span.starts_at")
    ends_at = serializers.DateTimeField(source="span.ends_at", allow_null=True)
    stops = serializers.BooleanField()


class ConflictsOut(serializers.Serializer[Any]):
    """What a release is in conflict with: what stops it first."""

    results = ConflictOut(many=True)


class BeforeStart(View):
    """What can be asked about a release that has not started."""

    @describe(
        "See everything that would stop a release or disturb it. As of its planned start; empty once it has started.",
        gives=PreflightOut,
    )
    @action(detail=True, pagination_class=None, filterset_class=None)
    def preflight(self, request: Request, pk: str) -> Response:
        """Answer with the findings."""
        found = preflight(self.one(pk=pk), now=timezone.now())
        shown = {"startable": not any(one.stops for one in found), "findings": standings_for(request.user, found)}
        return Response(PreflightOut(shown).data)

    @describe(
        "See which releases use the same resources or people at the same time. At most 100 for each of them.",
        gives=ConflictsOut,
    )
    @action(detail=True, pagination_class=None, filterset_class=None)
    def conflicts(self, request: Request, pk: str) -> Response:
        """Answer with the conflicts."""
        found = bookings.seen_by(request.user, bookings.conflicts_of(self.one(pk=pk)))
        return Response(ConflictsOut({"results": found}).data)


class NextReleases(View):
    """What can be asked about a group's next releases."""

    @describe("See what would stop or disturb a group's next releases.", gives=NextReleasesOut)
    @action(detail=True, pagination_class=None, filterset_class=None)
    def preflight(self, request: Request, slug: str) -> Response:
        """Answer with the next releases and their findings."""
        waiting = policy.visible_releases(request.user).filter(group=self.one(slug=slug), state="scheduled")
        releases = list(waiting.order_by("planned_start_at", "pk")[:NEXT])
        found = preflight_many(releases, now=timezone.now())
        lists = standings_of_many(request.user, [found[release.pk] for release in releases])
        shown = [_next(release, standings) for release, standings in zip(releases, lists, strict=True)]
        return Response(NextReleasesOut({"results": shown}).data)


def _next(release: Release, standings: list[Any]) -> dict[str, Any]:
    return {
        "id": release.pk,
        "name": str(release),
        "planned_start_at": release.planned_start_at,
        "startable": not any(one.finding.stops for one in standings),
        "findings": standings,
    }
