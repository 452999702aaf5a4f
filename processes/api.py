"""Blueprints through the API: processes, input sets and resources as documents."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import django_filters
from django.db.models import OuterRef, QuerySet, Subquery
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from activities.api import ActivityFilter
from config.errors import Fault, InvalidInput, NotFound
from config.permissions import visible_by_any
from config.rest.bodies import given
from config.rest.describe import Anything, describe
from config.rest.documents import Document, Documents, FaultOut, ReasonIn, RevisionDetailOut, RevisionOut
from config.rest.paging import Pages
from config.rest.views import Router, digest_tag, etag, whole_number
from processes import services
from processes.api_apply import Apply, Export
from processes.api_ready_made import ReadyMade
from processes.models import InputSet, Process, ProcessRevision, Resource
from processes.seeing import visible_input_sets, visible_processes

CHANGES = ["added", "removed", "changed", "moved"]


class ProcessOut(serializers.ModelSerializer[Process]):
    """A process at a glance; `latest` is its newest published revision."""

    id = serializers.CharField(source="slug", read_only=True)
    latest = serializers.SerializerMethodField()

    class Meta:
        model = Process
        fields: ClassVar[tuple[str, ...]] = ("id", "name", "description", "version", "latest")
        read_only_fields = fields

    def get_latest(self, process: Process) -> int | None:
        """Return the number of the newest revision."""
        found: int | None = vars(process).get("latest")
        return found


class ProcessDetailOut(ProcessOut):
    """A process with the document of its draft; `published` says whether the newest revision is the draft."""

    published = serializers.SerializerMethodField()
    document = serializers.DictField(read_only=True)

    class Meta(ProcessOut.Meta):
        fields = (*ProcessOut.Meta.fields, "published", "document")
        read_only_fields = fields

    def get_published(self, process: Process) -> bool:
        """Return whether the newest revision is what the draft says."""
        return not services.draft_differs(process)


class VerdictOut(serializers.Serializer[Any]):
    """What publishing would say: faults would stop it, warnings would not."""

    faults = FaultOut(many=True)
    warnings = FaultOut(many=True)


class PublicationOut(serializers.Serializer[Any]):
    """The revision a publish ended with, whether it is new, and what the checks warn about."""

    revision = RevisionOut()
    is_new = serializers.BooleanField()
    warnings = FaultOut(many=True)


class ChangeOut(serializers.Serializer[Any]):
    """One difference between two documents."""

    path = serializers.CharField()
    kind = serializers.ChoiceField(choices=CHANGES)
    before = Anything(allow_null=True)
    after = Anything(allow_null=True)
    words = serializers.CharField()


class DiffOut(serializers.Serializer[Any]):
    """Every difference from one document to another."""

    changes = ChangeOut(many=True)


class ProcessFilter(ActivityFilter):
    """Which processes."""

    kind = None

    class Meta:
        model = Process
        fields: ClassVar[list[str]] = []


class Processes(Documents):
    """Processes: the draft of each, and its published revisions."""

    kind, thing, things = "Process", "process", "processes"
    filterset_class = ProcessFilter
    serializer_class = ProcessOut
    detail_class = ProcessDetailOut
    query: ClassVar[dict[str, set[str]]] = {"diff": {"a", "b"}, "revisions": {"cursor", "page_size"}}
    looks = ("check",)

    def queryset_for(self, request: Request) -> QuerySet[Process]:
        """Return the processes that the caller may look at, work on or start."""
        newest = ProcessRevision.objects.filter(process=OuterRef("pk")).order_by("-number")
        return visible_processes(request.user).annotate(latest=Subquery(newest.values("number")[:1]))

    @describe("Check what publishing the draft now would say.", gives=VerdictOut)
    @action(detail=True, methods=["post"])
    def check(self, request: Request, slug: str) -> Response:
        """Answer with all faults and warnings."""
        return Response(VerdictOut(services.check_draft(self.one(slug=slug))).data)

    @describe("Publish the draft of a process as its next revision.", takes=ReasonIn, gives=PublicationOut)
    @action(detail=True, methods=["post"])
    def publish(self, request: Request, slug: str) -> Response:
        """Answer with the revision; the newest one if the draft says nothing else."""
        process, reason = self.one(slug=slug), given(ReasonIn, request)["reason"]
        done = services.publish_process(request.user, process, now=timezone.now(), reason=reason)
        return Response(PublicationOut(done).data)

    @describe("List the revisions of a process, newest first.", gives=RevisionOut(many=True))
    @action(detail=True, pagination_class=Pages, filterset_class=None, ordering=("-number",))
    def revisions(self, request: Request, slug: str) -> Response:
        """Answer with a page of revisions."""
        rows = self.paginate_queryset(self.one(slug=slug).revisions.all())
        return self.get_paginated_response(RevisionOut(rows, many=True).data)

    @describe("Look at one revision of a process.", gives=RevisionDetailOut)
    @action(detail=True, url_path="revisions/<row:number>", url_name="revision")
    def revision(self, request: Request, slug: str, number: str) -> Response:
        """Answer with the revision and its document."""
        found = self.one(slug=slug).revisions.filter(number=int(number)).first()
        if found is None:
            raise NotFound
        return Response(RevisionDetailOut(found).data)

    @describe(
        "See what changed from one revision of a process to another.",
        gives=DiffOut,
        parameters=[
            OpenApiParameter("a", OpenApiTypes.INT, description="The older revision; the draft if left out."),
            OpenApiParameter("b", OpenApiTypes.INT, description="The newer revision; the draft if left out."),
        ],
    )
    @action(detail=True, pagination_class=None, filterset_class=None)
    def diff(self, request: Request, slug: str) -> Response:
        """Answer with every change."""
        process = self.one(slug=slug)
        changes = services.diff_revisions(process, whole_number(request, "a"), whole_number(request, "b"))
        return Response(DiffOut({"changes": changes}).data)

    def document(self, row: Process) -> Document:
        """Return the draft."""
        return services.export_process(row)

    def tag(self, row: Process) -> str:
        """Return the count of edits."""
        return etag(row.version)

    def save(self, request: Request, document: Document, *, is_new: bool) -> None:
        """Make the document the draft."""
        services.save_process(request.user, document, now=timezone.now(), expected_version=0 if is_new else None)

    def remove(self, request: Request, row: Process) -> None:
        """Delete a process that was never published."""
        services.delete_process(request.user, row, now=timezone.now())

    def users(self, row: Process) -> Sequence[str]:
        """Return who uses a process."""
        return [str(use) for use in services.used_by(row)]


class InputSetOut(serializers.ModelSerializer[InputSet]):
    """An input set at a glance."""

    id = serializers.CharField(source="slug", read_only=True)
    process = serializers.CharField(source="process.slug", read_only=True)

    class Meta:
        model = InputSet
        fields: ClassVar[tuple[str, ...]] = ("id", "name", "description", "process", "version")
        read_only_fields = fields


class InputSetDetailOut(InputSetOut):
    """An input set with its document; secrets appear by name."""

    document = serializers.DictField(read_only=True)

    class Meta(InputSetOut.Meta):
        fields = (*InputSetOut.Meta.fields, "document")
        read_only_fields = fields


class CompletenessOut(serializers.Serializer[Any]):
    """Whether an input set has everything a revision needs, and what is missing or does not fit."""

    complete = serializers.BooleanField()
    faults = FaultOut(many=True)


class InputSetFilter(ProcessFilter):
    """Which input sets."""

    process = django_filters.CharFilter(field_name="process__slug", label="The id of their process.")

    class Meta:
        model = InputSet
        fields: ClassVar[list[str]] = []


class InputSets(Documents):
    """Named values for all of a process's inputs."""

    kind, thing = "InputSet", "input set"
    filterset_class = InputSetFilter
    serializer_class = InputSetOut
    detail_class = InputSetDetailOut
    query: ClassVar[dict[str, set[str]]] = {"completeness": {"revision"}}

    def queryset_for(self, request: Request) -> QuerySet[InputSet]:
        """Return the input sets that the caller may look at or change."""
        return visible_input_sets(request.user)

    @describe(
        "See whether an input set is complete, and what it lacks.",
        gives=CompletenessOut,
        parameters=[OpenApiParameter("revision", OpenApiTypes.INT, description="The newest one if left out.")],
    )
    @action(detail=True, pagination_class=None, filterset_class=None)
    def completeness(self, request: Request, slug: str) -> Response:
        """Answer with everything missing or wrong."""
        row: InputSet = self.one(slug=slug)
        number = whole_number(request, "revision")
        revision = row.process.revisions.filter(number=number).first() if number is not None else None
        if number is not None and revision is None:
            raise InvalidInput([Fault("revision", f"'{row.process.slug}' has no revision {number}.")])
        return Response(CompletenessOut(services.completeness(row, revision)).data)

    def document(self, row: InputSet) -> Document:
        """Return the input set's document."""
        return services.export_input_set(row)

    def tag(self, row: InputSet) -> str:
        """Return the count of edits."""
        return etag(row.version)

    def save(self, request: Request, document: Document, *, is_new: bool) -> None:
        """Make the input set what the document says."""
        services.save_input_set(request.user, document, now=timezone.now(), expected_version=0 if is_new else None)

    def remove(self, request: Request, row: InputSet) -> None:
        """Delete an input set that nothing uses."""
        services.delete_input_set(request.user, row, now=timezone.now())

    def users(self, row: InputSet) -> Sequence[str]:
        """Return who uses an input set."""
        return [str(use) for use in services.used_by(row)]


class ResourceOut(serializers.ModelSerializer[Resource]):
    """A resource at a glance."""

    id = serializers.CharField(source="slug", read_only=True)

    class Meta:
        model = Resource
        fields: ClassVar[tuple[str, ...]] = ("id", "name", "type", "exclusive", "description")
        read_only_fields = fields


class ResourceDetailOut(ResourceOut):
    """A resource with its document."""

    document = serializers.DictField(read_only=True)

    class Meta(ResourceOut.Meta):
        fields = (*ResourceOut.Meta.fields, "document")
        read_only_fields = fields


class ResourceFilter(ProcessFilter):
    """Which resources."""

    type = django_filters.ChoiceFilter(choices=Resource.Type.choices, label="service or environment.")
    exclusive = django_filters.BooleanFilter(label="Whether only one running release at a time may use it.")

    class Meta:
        model = Resource
        fields: ClassVar[list[str]] = []


class Resources(Documents):
    """Services and environments that releases touch."""

    kind, thing = "Resource", "resource"
    filterset_class = ResourceFilter
    serializer_class = ResourceOut
    detail_class = ResourceDetailOut

    def queryset_for(self, request: Request) -> QuerySet[Resource]:
        """Return the resources that the caller may look at or change."""
        held = [f"processes.{verb}_resource" for verb in ("view", "change", "delete")]
        return visible_by_any(request.user, held, Resource.objects.all())

    def document(self, row: Resource) -> Document:
        """Return the resource's document."""
        return services.export_resource(row)

    def tag(self, row: Resource) -> str:
        """Return a digest of the document."""
        return digest_tag(services.export_resource(row))

    def save(self, request: Request, document: Document, *, is_new: bool) -> None:
        """Make the resource what the document says."""
        services.apply_resource(request.user, document, now=timezone.now())

    def remove(self, request: Request, row: Resource) -> None:
        """Delete a resource that nothing uses."""
        services.delete_resource(request.user, row, now=timezone.now())

    def users(self, row: Resource) -> Sequence[str]:
        """Return who uses a resource."""
        return [str(use) for use in services.used_by(row)]


def routes(router: Router) -> None:
    """Add the addresses of blueprints."""
    router.register("processes", Processes, basename="process")
    router.register("input-sets", InputSets, basename="input-set")
    router.register("resources", Resources, basename="resource")
    router.register("apply", Apply, basename="apply")
    router.register("store/shipped", ReadyMade, basename="ready-made")
    router.single("export", Export)
