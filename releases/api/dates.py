"""The dates of release groups through the API: what comes next, what an edit would do, skipping and moving."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from config.errors import Fault, InvalidInput
from config.rest.bodies import Input, given
from config.rest.describe import describe
from config.rest.documents import addressed
from config.rest.views import whole_number
from processes.schema import require_structure
from releases import groups, reading
from releases.services.moving import SCOPES, move_release, skip_occurrence
from releases.services.trains import seen_of

MOST_DATES = 200
_DATES = (
    OpenApiParameter("after", OpenApiTypes.DATETIME, description="From when on; now if left out."),
    OpenApiParameter("before", OpenApiTypes.DATETIME, description="Until when; a year later if left out."),
    OpenApiParameter("limit", OpenApiTypes.INT, description=f"How many at most: 20 if left out, up to {MOST_DATES}."),
)


class BendOut(serializers.Serializer[Any]):
    """Why a date is not just what the rule says: `gap`, `fold` (daylight saving), `holiday`, `extra` …"""

    kind = serializers.CharField()
    words = serializers.CharField()


class DateOut(serializers.Serializer[Any]):
    """An occurrence: its moments, its wall-clock time in the group's zone, and the release planned for it, if any."""

    occurs_at = serializers.DateTimeField()
    starts_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField()
    wall = serializers.CharField()
    bends = BendOut(many=True)
    release = serializers.IntegerField(allow_null=True)
    state = serializers.CharField(allow_blank=True)


class DatesOut(serializers.Serializer[Any]):
    """The next dates of a group; `words` says its cadence in words."""

    timezone = serializers.CharField()
    words = serializers.CharField()
    dates = DateOut(many=True)


class PlannedChangeOut(serializers.Serializer[Any]):
    """What planning does to one release: `created`, `changed`, `removed`, or `kept` because people touched it."""

    kind = serializers.ChoiceField(choices=["created", "changed", "removed", "kept"])
    release = serializers.IntegerField(source="release_id", allow_null=True)
    name = serializers.CharField()
    before = serializers.DateTimeField(allow_null=True)
    after = serializers.DateTimeField(allow_null=True)


class ChangesOut(serializers.Serializer[Any]):
    """What planning does to releases you may see, and to how many others."""

    changes = PlannedChangeOut(many=True)
    more = serializers.IntegerField(help_text="How many releases change or are kept that you may not see.")


class DifferenceOut(ChangesOut):
    """What saving a group would do: to the group, and to its planned releases. `more` of these you may not see."""

    status = serializers.CharField()
    next = DatesOut()


class SkipIn(Input):
    """Which occurrence, and why."""

    occurs_at = serializers.DateTimeField()
    reason = serializers.CharField(required=False, allow_blank=True, max_length=5000, default="")


class SkippedOut(serializers.Serializer[Any]):
    """The release that was called off; none if the date was left out of the cadence instead."""

    release = serializers.IntegerField(allow_null=True)


class MoveIn(Input):
    """To when; without an end it keeps its length. `scope`: just this one, this and those that follow, or all."""

    planned_start_at = serializers.DateTimeField()
    planned_end_at = serializers.DateTimeField(required=False, allow_null=True, default=None)
    scope = serializers.ChoiceField(choices=list(SCOPES), required=False, default=SCOPES[0])


class MovedOut(ChangesOut):
    """The release as it is planned now, and what happened to others of its group; `more` of these you may not see."""

    id = serializers.IntegerField(source="release.pk")
    planned_start_at = serializers.DateTimeField(source="release.planned_start_at")
    planned_end_at = serializers.DateTimeField(source="release.planned_end_at", allow_null=True)


class PlannedDateOut(serializers.Serializer[Any]):
    """A phase, activity or task with dates of its own, by its path."""

    path = serializers.CharField()
    name = serializers.CharField()
    opens_at = serializers.DateTimeField(allow_null=True)
    due_at = serializers.DateTimeField(allow_null=True)


class PlannedDatesOut(serializers.Serializer[Any]):
    """When what is in a release is planned to open and to be over; its tree says so once it has started."""

    dates = PlannedDateOut(many=True)


class GroupDates:
    """What release groups answer about their dates; mixed into their view."""

    @describe("See a group's next dates, and where a rule bent one.", gives=DatesOut, parameters=_DATES)
    @action(detail=True, pagination_class=None, filterset_class=None)
    def dates(self, request: Request, slug: str) -> Response:
        """Answer with its cadence in words and its dates."""
        group = self.one(slug=slug)  # type: ignore[attr-defined]
        now = timezone.now()
        after, before = _moment(request, "after", now), _moment(request, "before", None)
        limit = _limit(request)
        shown = reading.next_dates(request.user, group, after=after or now, before=before, most=limit)
        return Response(DatesOut(shown).data)

    @describe(
        "See what saving a group would do to its planned releases. Nothing is saved.",
        takes={"application/json": OpenApiTypes.OBJECT},
        gives=DifferenceOut,
    )
    @action(detail=False, methods=["post"], pagination_class=None, filterset_class=None)
    def difference(self, request: Request) -> Response:
        """Answer with what would be created, changed, removed and kept."""
        body = request.data if isinstance(request.data, dict) else {}
        document = addressed(request.data, "ReleaseGroup", str(body.get("id", "")))
        require_structure([document])
        now = timezone.now()
        saved = groups.preview_group(request.user, document, now=now)
        coming = reading.dates_of(document.get("cadence") or {}, after=now)
        changes, more = seen_of(saved.changes)
        shown = {"status": saved.status, "changes": changes, "more": more, "next": coming}
        return Response(DifferenceOut(shown).data)

    @describe("Skip an occurrence: call off its release, or leave its date out.", takes=SkipIn, gives=SkippedOut)
    @action(detail=True, methods=["post"], pagination_class=None, filterset_class=None)
    def skip(self, request: Request, slug: str) -> Response:
        """Answer with the release that was called off."""
        group, said = self.one(slug=slug), given(SkipIn, request)  # type: ignore[attr-defined]
        release = skip_occurrence(request.user, group, now=timezone.now(), **said)
        return Response({"release": None if release is None else release.pk})


class ReleaseMoves:
    """Moving releases; mixed into their view."""

    @describe("See when phases, activities and tasks of a planned release open and are due.", gives=PlannedDatesOut)
    @action(detail=True, pagination_class=None, filterset_class=None)
    def dates(self, request: Request, pk: str) -> Response:
        """Answer with what counts from its planned start or end."""
        release = self.one(pk=pk)  # type: ignore[attr-defined]
        return Response(PlannedDatesOut({"dates": reading.planned_dates(release)}).data)

    @describe(
        "Move a planned release: just this one, this and those that follow in its group, or all of them.",
        takes=MoveIn,
        gives=MovedOut,
    )
    @action(detail=True, methods=["post"])
    def move(self, request: Request, pk: str) -> Response:
        """Answer with where it is now, and what else moved."""
        release, said = self.one(pk=pk), given(MoveIn, request)  # type: ignore[attr-defined]
        moved = move_release(
            request.user,
            release,
            starts_at=said["planned_start_at"],
            ends_at=said["planned_end_at"],
            scope=said["scope"],
            now=timezone.now(),
        )
        changes, more = seen_of(moved.changes)
        return Response(MovedOut({"release": moved.release, "changes": changes, "more": more}).data)


def _moment(request: Request, name: str, default: datetime | None) -> datetime | None:
    text = request.query_params.get(name)
    if text is None:
        return default
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidInput([Fault(name, "This is not a moment.", "Write it like 2026-03-02T09:00:00Z.")]) from None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def _limit(request: Request) -> int:
    return max(1, whole_number(request, "limit", most=MOST_DATES) or 20)
