"""Conflicts between releases over a time, and when something is free."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, ClassVar

from django.utils import timezone
from django.utils.dateparse import parse_datetime
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from config import durations
from config.errors import Fault, InvalidInput
from config.permissions import visible_by_any
from config.rest.describe import describe
from config.rest.views import View
from releases import bookings
from releases.api.before_start import KINDS, ConflictOut
from releases.models import ReleaseGroup
from releases.services.slots import FARTHEST, free_slot

#: What is looked through when nobody says until when.
EARLIEST, LATEST = 1900, 9000
AHEAD, SLOT_AHEAD = timedelta(days=30), timedelta(days=90)
_AFTER = OpenApiParameter("after", OpenApiTypes.DATETIME, description="From when on; now if left out.")
_GROUP = OpenApiParameter("group", description="The id of a release group.")


class PairOut(serializers.Serializer[Any]):
    """Two releases that hold the same thing at the same time, each with its name if you may see it."""

    kind = serializers.ChoiceField(choices=KINDS, source="one.kind")
    what = serializers.CharField(source="one.bare")
    starts_at = serializers.DateTimeField(source="one.span.starts_at")
    ends_at = serializers.DateTimeField(source="one.span.ends_at", allow_null=True)
    releases = serializers.SerializerMethodField()

    def get_releases(self, pair: bookings.Pair) -> ConflictOut(many=True):  # type: ignore[valid-type]
        """Return both releases; `stops` on one says that the other cannot start while it runs."""
        return ConflictOut([pair.one, pair.other], many=True).data


class PairsOut(serializers.Serializer[Any]):
    """Conflicts between two moments, the earliest first, at most 500."""

    after = serializers.DateTimeField()
    before = serializers.DateTimeField()
    complete = serializers.BooleanField(
        help_text="False when there are more conflicts than these: ask about less time, some resources or one group."
    )
    results = PairOut(many=True)


class SlotOut(serializers.Serializer[Any]):
    """The next free slot; null when there is none before `before`."""

    starts_at = serializers.DateTimeField(allow_null=True)
    ends_at = serializers.DateTimeField(allow_null=True)


class Conflicts(View):
    """Releases that get in each other's way."""

    pagination_class = None
    serializer_class = PairsOut
    query: ClassVar[dict[str, set[str]]] = {"show": {"after", "before", "resource", "group"}}

    @describe(
        "See which releases use the same resources or people at the same time: the first 500 conflicts, and whether "
        "these are all.",
        parameters=[
            _AFTER,
            OpenApiParameter("before", OpenApiTypes.DATETIME, description="Until when; 30 days on if left out."),
            OpenApiParameter("resource", many=True, description="The id of a resource; may be repeated."),
            _GROUP,
        ],
    )
    def show(self, request: Request) -> Response:
        """Answer with the conflicts of which the caller may see one release at least."""
        after, before = _between(request, AHEAD)
        slugs = request.query_params.getlist("resource")
        whats = [f"resource:{slug}" for slug in slugs] if slugs else None
        found = bookings.conflicts_between(after, before, whats, group=_group(request), actor=request.user)
        answer = {"after": after, "before": before, "complete": found.is_complete, "results": found.pairs}
        return Response(PairsOut(answer).data)


class FreeSlot(View):
    """The next time in which resources are free."""

    pagination_class = None
    serializer_class = SlotOut
    query: ClassVar[dict[str, set[str]]] = {"show": {"resources", "length", "after", "before", "group"}}

    @describe(
        "See when resources are free next. A slot meets no release that uses them and no freeze over them.",
        parameters=[
            OpenApiParameter("resources", required=True, description="Ids of resources, separated by commas."),
            OpenApiParameter("length", required=True, description="How long, such as 2h or 3d."),
            _AFTER,
            OpenApiParameter("before", OpenApiTypes.DATETIME, description="Until when; 90 days on if left out."),
            _GROUP,
        ],
    )
    def show(self, request: Request) -> Response:
        """Answer with the slot."""
        after, before = _between(request, SLOT_AHEAD)
        names = [name.strip() for name in request.query_params.get("resources", "").split(",") if name.strip()]
        length = _length(request.query_params.get("length", ""))
        start = free_slot(
            request.user,
            whats=names,
            length=length,
            after=after,
            before=before,
            now=timezone.now(),
            group=_group(request),
        )
        return Response(SlotOut({"starts_at": start, "ends_at": None if start is None else start + length}).data)


def _between(request: Request, ahead: timedelta) -> tuple[datetime, datetime]:
    """Return the time that the query asks about. Raises InvalidInput with every fault."""
    faults: list[Fault] = []
    after = _moment(request, "after", faults) or timezone.now()
    before = _moment(request, "before", faults) or after + ahead
    if not faults and before <= after:
        faults.append(Fault("before", "This is not after the beginning."))
    if not faults and before - after > FARTHEST:
        faults.append(Fault("before", f"This is more than {FARTHEST.days} days after the beginning."))
    if faults:
        raise InvalidInput(faults)
    return after, before


def _moment(request: Request, name: str, faults: list[Fault]) -> datetime | None:
    text = request.query_params.get(name)
    if text is None:
        return None
    try:
        found = parse_datetime(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None or not EARLIEST < found.year < LATEST:
        faults.append(Fault(name, "This is no moment.", "Write it like 2026-03-02T09:00:00Z."))
        return None
    return found


def _length(text: str) -> timedelta:
    if not durations.is_duration(text):
        raise InvalidInput([Fault("length", "This is no length of time.", "Write it like 2h or 3d.")])
    return durations.parse(text)


def _group(request: Request) -> ReleaseGroup | None:
    slug = request.query_params.get("group")
    if slug is None:
        return None
    held = [f"releases.{verb}_releasegroup" for verb in ("view", "change", "operate")]
    found = visible_by_any(request.user, held, ReleaseGroup.objects.select_related("process")).filter(slug=slug).first()
    if found is None:
        raise InvalidInput([Fault("group", f"There is no release group '{slug[:64]}', or you may not see it.")])
    return found
