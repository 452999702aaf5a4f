"""The store through the API: reusable activities and connections as documents, secrets by name only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import django_filters
from django.contrib.auth.models import User
from django.db.models import OuterRef, Q, QuerySet, Subquery
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from activities import connecting, secrets, services
from activities.canonical import digest
from activities.models import Activity, ActivityRevision, Connection, Secret
from config.errors import NotFound
from config.permissions import require, visible_by_any
from config.rest.bodies import Input, given
from config.rest.describe import describe
from config.rest.documents import Document, Documents, ReasonIn, RevisionDetailOut, RevisionOut
from config.rest.paging import Pages
from config.rest.views import Router, View, digest_tag, etag


class ActivityOut(serializers.ModelSerializer[Activity]):
    """A store activity at a glance; `latest` is its newest published revision, `published` whether the draft is it."""

    id = serializers.CharField(source="slug", read_only=True)
    latest = serializers.SerializerMethodField()
    published = serializers.SerializerMethodField()

    class Meta:
        model = Activity
        fields: ClassVar[tuple[str, ...]] = ("id", "name", "description", "kind", "version", "latest", "published")
        read_only_fields = fields

    def get_latest(self, activity: Activity) -> int | None:
        """Return the number of the newest revision."""
        found: int | None = vars(activity).get("latest")
        return found

    def get_published(self, activity: Activity) -> bool:
        """Return whether the newest revision is what the draft says."""
        known = vars(activity).get("latest_digest")
        return known is not None and known == digest(activity.draft)


class ActivityDetailOut(ActivityOut):
    """A store activity with the document of its draft."""

    document = serializers.DictField(read_only=True)

    class Meta(ActivityOut.Meta):
        fields = (*ActivityOut.Meta.fields, "document")
        read_only_fields = fields


class ActivityFilter(django_filters.FilterSet):
    """Which store activities."""

    q = django_filters.CharFilter(method="search", label="Part of the id, name or description.")
    kind = django_filters.CharFilter(label="automated, manual, signal or wait.")

    class Meta:
        model = Activity
        fields: ClassVar[list[str]] = []

    def search(self, rows: QuerySet[Any], name: str, text: str) -> QuerySet[Any]:
        """Return the rows that contain `text`."""
        return rows.filter(Q(slug__icontains=text) | Q(name__icontains=text) | Q(description__icontains=text))


class Activities(Documents):
    """Reusable activities: the draft of each, and its published revisions."""

    kind, thing, things = "Activity", "store activity", "store activities"
    filterset_class = ActivityFilter
    serializer_class = ActivityOut
    detail_class = ActivityDetailOut

    def queryset_for(self, request: Request) -> QuerySet[Activity]:
        """Return the store activities that the caller may look at or work on."""
        newest = ActivityRevision.objects.filter(activity=OuterRef("pk")).order_by("-number")
        return services.visible_activities(request.user).annotate(
            latest=Subquery(newest.values("number")[:1]), latest_digest=Subquery(newest.values("digest")[:1])
        )

    @describe("Publish the draft of a store activity as its next revision.", takes=ReasonIn, gives=RevisionOut)
    @action(detail=True, methods=["post"])
    def publish(self, request: Request, slug: str) -> Response:
        """Answer with the revision; the newest one if the draft says nothing else."""
        activity, reason = self.one(slug=slug), given(ReasonIn, request)["reason"]
        revision = services.publish_activity(request.user, activity, now=timezone.now(), reason=reason)
        return Response(RevisionOut(revision).data)

    @describe("List the revisions of a store activity, newest first.", gives=RevisionOut(many=True))
    @action(detail=True, pagination_class=Pages, filterset_class=None, ordering=("-number",))
    def revisions(self, request: Request, slug: str) -> Response:
        """Answer with a page of revisions."""
        rows = self.paginate_queryset(self.one(slug=slug).revisions.all())
        return self.get_paginated_response(RevisionOut(rows, many=True).data)

    @describe("Look at one revision of a store activity.", gives=RevisionDetailOut)
    @action(detail=True, url_path="revisions/<row:number>", url_name="revision")
    def revision(self, request: Request, slug: str, number: str) -> Response:
        """Answer with the revision and its document."""
        found = self.one(slug=slug).revisions.filter(number=int(number)).first()
        if found is None:
            raise NotFound
        return Response(RevisionDetailOut(found).data)

    def document(self, row: Activity) -> Document:
        """Return the draft."""
        return services.export_activity(row)

    def tag(self, row: Activity) -> str:
        """Return the count of edits."""
        return etag(row.version)

    def save(self, request: Request, document: Document, *, is_new: bool) -> None:
        """Make the document the draft."""
        services.apply_activity(request.user, document, now=timezone.now())

    def remove(self, request: Request, row: Activity) -> None:
        """Delete an activity that was never published."""
        services.delete_activity(request.user, row, now=timezone.now())

    def users(self, row: Activity) -> Sequence[str]:
        """Return who uses an activity."""
        return services.used_by(row)


class CheckOut(serializers.Serializer[Any]):
    """What an engine has answered."""

    message = serializers.CharField()


class PipelineOut(serializers.Serializer[Any]):
    """Something that can be started; an activity names its `id` in `pipeline`."""

    id = serializers.CharField()
    name = serializers.CharField()
    description = serializers.CharField()
    link = serializers.CharField()


class ParameterOut(serializers.Serializer[Any]):
    """What a pipeline wants to know."""

    name = serializers.CharField()
    type = serializers.CharField()
    description = serializers.CharField()
    default = serializers.CharField()
    options = serializers.ListField(child=serializers.CharField())
    required = serializers.BooleanField(source="is_required")  # type: ignore[assignment]


class PipelinesOut(serializers.Serializer[Any]):
    """What can be started at a connection."""

    pipelines = PipelineOut(many=True)


class ParametersOut(serializers.Serializer[Any]):
    """What a pipeline wants to know."""

    parameters = ParameterOut(many=True)


class ConnectionOut(serializers.ModelSerializer[Connection]):
    """A connection at a glance."""

    id = serializers.CharField(source="slug", read_only=True)

    class Meta:
        model = Connection
        fields: ClassVar[tuple[str, ...]] = ("id", "name", "description", "provider", "enabled")
        read_only_fields = fields


class ConnectionDetailOut(ConnectionOut):
    """A connection with its document; its secret appears by name."""

    document = serializers.DictField(read_only=True)

    class Meta(ConnectionOut.Meta):
        fields = (*ConnectionOut.Meta.fields, "document")
        read_only_fields = fields


class ConnectionFilter(ActivityFilter):
    """Which connections."""

    kind = None
    provider = django_filters.CharFilter(label="The kind of pipeline engine.")
    enabled = django_filters.BooleanFilter(label="Whether it may be used.")

    class Meta:
        model = Connection
        fields: ClassVar[list[str]] = []


class Connections(Documents):
    """How pipeline engines are reached."""

    kind, thing = "Connection", "connection"
    query: ClassVar[dict[str, set[str]]] = {"pipelines": {"search"}}
    filterset_class = ConnectionFilter
    serializer_class = ConnectionOut
    detail_class = ConnectionDetailOut

    def queryset_for(self, request: Request) -> QuerySet[Connection]:
        """Return the connections that the caller may look at or change."""
        return services.visible_connections(request.user)

    @describe(
        "Test a connection. The engine says whom it takes us for; what is wrong is a problem with the code "
        "`engine_unavailable` or `engine_refused`.",
        gives=CheckOut,
    )
    @action(detail=True, methods=["post"], pagination_class=None, filterset_class=None)
    def check(self, request: Request, slug: str) -> Response:
        """Answer with what the engine says."""
        return Response({"message": connecting.check(request.user, self.one(slug=slug))})

    @describe(
        "List what can be started at a connection, as its engine tells now; at most a hundred.",
        gives=PipelinesOut,
        parameters=[OpenApiParameter("search", description="Part of the id or name.")],
    )
    @action(detail=True, pagination_class=None, filterset_class=None)
    def pipelines(self, request: Request, slug: str) -> Response:
        """Answer with pipelines."""
        found = connecting.pipelines(request.user, self.one(slug=slug), request.query_params.get("search", ""))
        return Response(PipelinesOut({"pipelines": found}).data)

    @describe("List what a pipeline wants to know, as its engine tells now.", gives=ParametersOut)
    @action(detail=True, pagination_class=None, filterset_class=None, url_path="pipelines/<path:pipeline>/parameters")
    def parameters(self, request: Request, slug: str, pipeline: str) -> Response:
        """Answer with parameters."""
        found = connecting.parameters(request.user, self.one(slug=slug), pipeline)
        return Response(ParametersOut({"parameters": found}).data)

    def document(self, row: Connection) -> Document:
        """Return the connection's document."""
        return services.export_connection(row)

    def tag(self, row: Connection) -> str:
        """Return a digest of the document."""
        return digest_tag(services.export_connection(row))

    def save(self, request: Request, document: Document, *, is_new: bool) -> None:
        """Make the connection what the document says."""
        services.apply_connection(request.user, document, now=timezone.now())

    def remove(self, request: Request, row: Connection) -> None:
        """Delete a connection."""
        services.delete_connection(request.user, row, now=timezone.now())

    def users(self, row: Connection) -> Sequence[str]:
        """Return who uses a connection."""
        return services.used_by(row)


class SecretOut(serializers.ModelSerializer[Secret]):
    """A secret's name, and whether it has a value; never the value."""

    has_value = serializers.SerializerMethodField()
    updated_by = serializers.SerializerMethodField()

    class Meta:
        model = Secret
        fields = ("name", "has_value", "updated_at", "updated_by")
        read_only_fields = fields

    def get_has_value(self, secret: Secret) -> bool:
        """Return whether somebody has set it."""
        return bool(secret.ciphertext)

    def get_updated_by(self, secret: Secret) -> str:
        """Return who has set it."""
        return secret.updated_by.get_username() if isinstance(secret.updated_by, User) else ""


class SecretIn(Input):
    """A secret's value."""

    value = serializers.CharField(max_length=secrets.LARGEST, trim_whitespace=False, write_only=True)


class SecretFilter(django_filters.FilterSet):
    """Which secrets."""

    q = django_filters.CharFilter(field_name="name", lookup_expr="icontains", label="Part of the name.")

    class Meta:
        model = Secret
        fields: ClassVar[list[str]] = []


class Secrets(View):
    """Secrets: their names can be seen, their values only be set."""

    lookup_field = "name"
    lookup_value_converter = "document"
    ordering = ("name",)
    filterset_class = SecretFilter
    serializer_class = SecretOut

    def queryset_for(self, request: Request) -> QuerySet[Secret]:
        """Return the secrets whose names the caller may see."""
        held = [f"activities.{verb}_secret" for verb in ("view", "change", "delete")]
        return visible_by_any(request.user, held, Secret.objects.select_related("updated_by"))

    @describe("List the names of secrets.")
    def list(self, request: Request) -> Response:
        """Answer with a page of names."""
        return self.page(SecretOut)

    @sensitive_variables()
    @describe("Set the value of a secret, in place of the one before. It cannot be read again.", takes=SecretIn)
    def update(self, request: Request, name: str) -> Response:
        """Answer with the name."""
        require(request.user, "activities.change_secret")
        secret = secrets.set_secret(request.user, name, given(SecretIn, request)["value"], now=timezone.now())
        return Response(SecretOut(secret).data)

    @describe("Delete a secret that nothing names.", gives=None, status=204)
    def destroy(self, request: Request, name: str) -> Response:
        """Answer with nothing once it is gone."""
        services.delete_secret(request.user, self.one(name=name), now=timezone.now())
        return Response(status=204)


def routes(router: Router) -> None:
    """Add the addresses of the store."""
    router.register("activities", Activities, basename="activity")
    router.register("connections", Connections, basename="connection")
    router.register("secrets", Secrets, basename="secret")
