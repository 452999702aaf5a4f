"""Releases: listed, planned, previewed, started, steered, followed."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, ClassVar

import django_filters
from django.contrib.auth.models import User
from django.db.models import Q, QuerySet
from django.utils import timezone
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from config.errors import Fault, InvalidInput
from config.models import Event
from config.rest.bodies import given
from config.rest.describe import Anything, describe
from config.rest.views import View, etag, require_match, tagged
from releases import mentions, policy, reading
from releases.api.attaching import ReleaseCarries
from releases.api.before_start import BeforeStart
from releases.api.blocked import ReleaseBlockedOut
from releases.api.dates import ReleaseMoves
from releases.api.forecasts import ReleaseForecasts
from releases.api.plans import GivenIn, PlanIn, PreviewOut, ReleaseIn, RoleIn, StartIn, resolved_plan, shown
from releases.api.shapes import RELEASE_STATES, EventOut, NothingIn, ReasonedIn, TreeOut, ValueOut, WhyIn
from releases.health import HEALTH, with_health
from releases.models import Release
from releases.services import planning, running, starting
from releases.states import ReleaseState


class ReleaseOut(serializers.ModelSerializer[Release]):
    """A release at a glance; `health` is empty unless it is under way."""

    process = serializers.CharField(source="process.slug", read_only=True)
    revision = serializers.IntegerField(source="revision.number", read_only=True, allow_null=True, default=None)
    group = serializers.CharField(source="group.slug", read_only=True, allow_null=True, default=None)
    input_set = serializers.CharField(source="input_set.slug", read_only=True, allow_null=True, default=None)
    state = serializers.ChoiceField(choices=RELEASE_STATES, read_only=True)
    health = serializers.ChoiceField(choices=["", *HEALTH], read_only=True)
    created_by = serializers.CharField(source="created_by_name", read_only=True)
    started_by = serializers.CharField(source="started_by_name", read_only=True)

    class Meta:
        model = Release
        fields: ClassVar[tuple[str, ...]] = (
            "id", "name", "version", "state", "health", "process", "revision", "group", "input_set", "planned_start_at",
            "planned_end_at", "started_at", "finished_at", "created_at", "created_by", "started_by", "reason",
        )  # fmt: skip
        read_only_fields = fields


class RoleOut(serializers.Serializer[Any]):
    """A role of the process, the group it is filled from, and who fills it in this release, if anybody does yet."""

    role = serializers.CharField()
    group = serializers.CharField(allow_null=True)
    user = serializers.CharField(allow_null=True)


class ReleaseDetailOut(ReleaseOut):
    """A release with its values; `may` names what you may do with it now."""

    given = serializers.DictField(read_only=True)
    inputs = serializers.SerializerMethodField()
    outputs = Anything(read_only=True)
    roles = serializers.SerializerMethodField()
    may = serializers.SerializerMethodField()

    class Meta(ReleaseOut.Meta):
        fields = (*ReleaseOut.Meta.fields, "description", "given", "inputs", "outputs", "roles", "edits", "may")
        read_only_fields = fields

    def get_inputs(self, release: Release) -> ValueOut(many=True):  # type: ignore[valid-type]
        """Return the values it has started with and where they came from; none before the start (see its preview)."""
        return ValueOut(reading.release_inputs(release), many=True).data

    def get_roles(self, release: Release) -> RoleOut(many=True):  # type: ignore[valid-type]
        """Return the roles of its process."""
        filled = {row.role: row.user.get_username() for row in release.roles.select_related("user")}
        known = planning.roles_of(release)
        return [{"role": r, "group": (known[r] or {}).get("group"), "user": filled.get(r)} for r in known]

    def get_may(self, release: Release) -> list[str]:
        """Return what the caller may do now."""
        return reading.release_may(self.context["request"].user, release)


class ReleaseFilter(django_filters.FilterSet):
    """Which releases."""

    state = django_filters.MultipleChoiceFilter(
        choices=[(state.value, state.value) for state in ReleaseState], label="May be repeated.", distinct=False
    )
    health = django_filters.MultipleChoiceFilter(
        choices=[(name, name) for name in HEALTH], label="May be repeated.", distinct=False
    )
    process = django_filters.CharFilter(field_name="process__slug", label="The id of the process.")
    group = django_filters.CharFilter(field_name="group__slug", label="The id of the release group.")
    q = django_filters.CharFilter(method="search", label="Part of the name or version.")
    planned_after = django_filters.IsoDateTimeFilter(field_name="planned_start_at", lookup_expr="gte")
    planned_before = django_filters.IsoDateTimeFilter(field_name="planned_start_at", lookup_expr="lt")
    started_after = django_filters.IsoDateTimeFilter(field_name="started_at", lookup_expr="gte")
    started_before = django_filters.IsoDateTimeFilter(field_name="started_at", lookup_expr="lt")

    class Meta:
        model = Release
        fields: ClassVar[list[str]] = []

    def search(self, rows: QuerySet[Release], name: str, text: str) -> QuerySet[Release]:
        """Return the rows that contain `text`."""
        return rows.filter(Q(name__icontains=text) | Q(version__icontains=text))


class Releases(BeforeStart, ReleaseCarries, ReleaseForecasts, ReleaseMoves, View):
    """Releases the caller may see."""

    lookup_value_converter = "row"
    filterset_class = ReleaseFilter
    serializer_class = ReleaseOut
    looks = ("preview",)
    query: ClassVar[dict[str, set[str]]] = {
        "events": {"cursor", "page_size"},
        "artifacts": {"cursor", "page_size"},
        "changes": {"cursor", "page_size"},
    }

    def queryset_for(self, request: Request) -> QuerySet[Release]:
        """Return the releases the caller may see, with their health."""
        found = with_health(policy.visible_releases(request.user))
        return found.select_related("process", "group", "input_set", "revision")

    @describe("List the releases you may see, newest first.")
    def list(self, request: Request) -> Response:
        """Answer with a page."""
        return self.page(ReleaseOut)

    @describe(
        "Plan a release. It is a draft until it is scheduled or started.",
        takes=ReleaseIn,
        gives=ReleaseDetailOut,
        status=201,
    )
    def create(self, request: Request) -> Response:
        """Answer with the draft."""
        plan = resolved_plan(request, given(ReleaseIn, request))
        release = planning.create_release(request.user, now=timezone.now(), **plan)
        return self._shown(release.pk, status=201)

    @describe("Look at a release. The ETag is what If-Match wants.", gives=ReleaseDetailOut)
    def retrieve(self, request: Request, pk: str) -> Response:
        """Answer with everything but what is in it."""
        return self._shown(int(pk))

    @describe("Change the plan of a release that has not started.", takes=PlanIn, gives=ReleaseDetailOut)
    def partial_update(self, request: Request, pk: str) -> Response:
        """Answer with the release as it is now."""
        release = self.one(pk=pk)
        require_match(request, etag(release.edits))
        changes = resolved_plan(request, given(PlanIn, request), release.process)
        overwrite = request.headers["If-Match"].strip() == "*"
        planning.edit_release(
            request.user, release, changes, now=timezone.now(), expected=None if overwrite else release.edits
        )
        return self._shown(release.pk)

    @describe("See what a release would start with, and what would stop it.", takes=GivenIn, gives=PreviewOut)
    @action(detail=True, methods=["post"])
    def preview(self, request: Request, pk: str) -> Response:
        """Answer with every value, its source, and all faults."""
        release, at_start = self.one(pk=pk), given(GivenIn, request)["given"]
        return Response(PreviewOut(shown(starting.preview_start(release, at_start, now=timezone.now()))).data)

    @describe(
        "Start a release now. With a reason to break the glass it starts in spite of a freeze, a debt or another "
        "release; somebody else has to sign that off later.",
        takes=StartIn,
        gives=ReleaseDetailOut,
    )
    @action(detail=True, methods=["post"])
    def start(self, request: Request, pk: str) -> Response:
        """Answer with the release under way."""
        release, said = self.one(pk=pk), given(StartIn, request)
        starting.start_release(request.user, release, now=timezone.now(), **said)
        return self._shown(release.pk)

    @describe(
        "Schedule a draft, cancelled or missed release for its planned start.", takes=NothingIn, gives=ReleaseDetailOut
    )
    @action(detail=True, methods=["post"])
    def schedule(self, request: Request, pk: str) -> Response:
        """Answer with the release."""
        release = self.one(pk=pk)
        given(NothingIn, request)
        return self._shown(planning.schedule_release(request.user, release, now=timezone.now()).pk)

    @describe("Call off a scheduled release.", takes=WhyIn, gives=ReleaseDetailOut)
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: str) -> Response:
        """Answer with the release."""
        release, why = self.one(pk=pk), given(WhyIn, request)["reason"]
        return self._shown(planning.cancel_release(request.user, release, reason=why, now=timezone.now()).pk)

    @describe("Pause a running release. What runs finishes; nothing new starts.", takes=WhyIn, gives=ReleaseDetailOut)
    @action(detail=True, methods=["post"])
    def pause(self, request: Request, pk: str) -> Response:
        """Answer with the release."""
        release, why = self.one(pk=pk), given(WhyIn, request)["reason"]
        running.pause_release(request.user, release, now=timezone.now(), reason=why)
        return self._shown(release.pk)

    @describe("Let a paused release go on.", takes=NothingIn, gives=ReleaseDetailOut)
    @action(detail=True, methods=["post"])
    def resume(self, request: Request, pk: str) -> Response:
        """Answer with the release."""
        release = self.one(pk=pk)
        given(NothingIn, request)
        running.resume_release(request.user, release, now=timezone.now())
        return self._shown(release.pk)

    @describe(
        "Abort a release for good. Pipelines are cancelled, nothing late revives it.",
        takes=ReasonedIn,
        gives=ReleaseDetailOut,
    )
    @action(detail=True, methods=["post"])
    def abort(self, request: Request, pk: str) -> Response:
        """Answer with the release."""
        release, why = self.one(pk=pk), given(ReasonedIn, request)["reason"]
        running.abort_release(request.user, release, now=timezone.now(), reason=why)
        return self._shown(release.pk)

    @describe("Name who fills a role of the process in this release.", takes=RoleIn, gives=ReleaseDetailOut)
    @action(detail=True, methods=["post"])
    def roles(self, request: Request, pk: str) -> Response:
        """Answer with the release."""
        release, said = self.one(pk=pk), given(RoleIn, request)
        policy.require_plan(request.user, release)
        user = User.objects.filter(username=said["user"], is_active=True).first()
        if user is None:
            raise InvalidInput([Fault("user", f"There is nobody called '{said['user']}'.")])
        planning.fill_role(request.user, release, role=said["role"], user=user, now=timezone.now())
        return self._shown(release.pk)

    @describe("Follow a release: its phases and activities with their states, as a tree.", gives=TreeOut)
    @action(detail=True, pagination_class=None, filterset_class=None)
    def tree(self, request: Request, pk: str) -> Response:
        """Answer with the tree; before the start it is empty."""
        release = self.one(pk=pk)
        phases = [asdict(phase) for phase in reading.release_tree(release)]
        return Response({"id": release.pk, "state": release.state, "health": release.health, "phases": phases})

    @describe(
        "See why a release waits, and everything idle in it. Before its start: what keeps it from starting, as last "
        "looked at. Each link says who can move it on, and what that waits for.",
        gives=ReleaseBlockedOut,
    )
    @action(detail=True, pagination_class=None, filterset_class=None)
    def blocked(self, request: Request, pk: str) -> Response:
        """Answer with the links of the release and of its idle phases and activities, in document order."""
        found = reading.release_blocked(request.user, self.one(pk=pk), now=timezone.now())
        return Response(ReleaseBlockedOut(found).data)

    @describe("List what happened in a release, in order.", gives=EventOut(many=True))
    @action(detail=True, filterset_class=None, ordering=("id",))
    def events(self, request: Request, pk: str) -> Response:
        """Answer with a page of events."""
        rows = self.paginate_queryset(Event.objects.filter(release_id=self.one(pk=pk).pk))
        shown = mentions.masked_events(request.user, rows or ())
        return self.get_paginated_response(EventOut(shown, many=True).data)

    def _shown(self, pk: int, status: int = 200) -> Response:
        release = self.one(pk=pk)
        data = ReleaseDetailOut(release, context=self.get_serializer_context()).data
        return tagged(data, etag(release.edits), status=status)
