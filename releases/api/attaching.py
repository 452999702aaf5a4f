"""What releases carry: commits, tickets and artifacts, read and attached; and what is where."""

from __future__ import annotations

from typing import Any, ClassVar

import django_filters
from django.db.models import QuerySet
from django.utils import timezone
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from config.rest.bodies import Input, given
from config.rest.describe import describe
from config.rest.views import LARGEST_ID, View
from releases import policy
from releases.api.shapes import ArtifactOut
from releases.changes import LENGTHS, MOST
from releases.models import Artifact, Change
from releases.models.changes import KINDS
from releases.reading import carried
from releases.services import attaching


class ChangeIn(Input):
    """A commit or a ticket."""

    reference = serializers.CharField(max_length=LENGTHS["reference"])
    repository = serializers.CharField(max_length=LENGTHS["repository"], required=False, allow_blank=True)
    title = serializers.CharField(max_length=LENGTHS["title"], required=False, allow_blank=True)
    author = serializers.CharField(max_length=LENGTHS["author"], required=False, allow_blank=True)
    link = serializers.CharField(max_length=LENGTHS["link"], required=False, allow_blank=True)


class ChangesIn(Input):
    """Commits, tickets or both."""

    commits = serializers.ListField(child=ChangeIn(), required=False, max_length=MOST)
    tickets = serializers.ListField(child=ChangeIn(), required=False, max_length=MOST)


class CommitOrTicketOut(serializers.ModelSerializer[Change]):
    """A commit or a ticket that a release carries; `activity_run` is the activity whose outputs named it."""

    release = serializers.IntegerField(source="release_id", read_only=True)
    activity_run = serializers.IntegerField(source="activity_run_id", read_only=True, allow_null=True)
    kind = serializers.ChoiceField(choices=KINDS, read_only=True)
    link = serializers.CharField(read_only=True)  # may be empty, which no address is
    added_by = serializers.CharField(source="added_by_name", read_only=True)

    class Meta:
        model = Change
        fields = (
            "id", "release", "activity_run", "kind", "repository", "reference", "title", "author", "link", "at",
            "added_by",
        )  # fmt: skip
        read_only_fields = fields


class AttachedOut(serializers.Serializer[Any]):
    """The changes that were named, as they are kept, and how many of them are new."""

    added = serializers.IntegerField()
    changes = CommitOrTicketOut(many=True)


class ArtifactIn(Input):
    """An artifact, and the environment it was put into, if it was."""

    name = serializers.CharField(max_length=200)
    version = serializers.CharField(max_length=200, required=False, allow_blank=True)
    digest = serializers.CharField(max_length=200, required=False, allow_blank=True)
    commit = serializers.CharField(max_length=100, required=False, allow_blank=True)
    reference = serializers.CharField(max_length=1000, required=False, allow_blank=True)
    link = serializers.CharField(max_length=1000, required=False, allow_blank=True)
    environment = serializers.CharField(max_length=100, required=False, allow_blank=True)


class ReleaseCarries(View):
    """The part of releases that is about what they carry."""

    @describe("List the commits and tickets of a release, newest first.", gives=CommitOrTicketOut(many=True))
    @action(detail=True, filterset_class=None)
    def changes(self, request: Request, pk: str) -> Response:
        """Answer with a page of changes."""
        rows = self.paginate_queryset(self.one(pk=pk).changes.all())
        return self.get_paginated_response(CommitOrTicketOut(rows, many=True).data)

    @describe(
        "Attach commits and tickets to a release. What it carries already stays as it is, so sending them again is "
        "harmless.",
        takes=ChangesIn,
        gives=AttachedOut,
    )
    @changes.mapping.post
    def attach_changes(self, request: Request, pk: str) -> Response:
        """Answer with the changes as they are kept."""
        release, said = self.one(pk=pk), given(ChangesIn, request)
        rows, added = attaching.attach_changes(request.user, release, said, now=timezone.now())
        return Response(AttachedOut({"added": added, "changes": rows}).data)

    @describe("List what a release has made or put somewhere, newest first.", gives=ArtifactOut(many=True))
    @action(detail=True, filterset_class=None)
    def artifacts(self, request: Request, pk: str) -> Response:
        """Answer with a page of artifacts."""
        rows = self.paginate_queryset(self.one(pk=pk).artifacts.all())
        return self.get_paginated_response(ArtifactOut(rows, many=True).data)

    @describe(
        "Say what a release made, or put into an environment. What it has put there last is not put there again.",
        takes=ArtifactIn,
        gives=ArtifactOut,
    )
    @artifacts.mapping.post
    def attach_artifact(self, request: Request, pk: str) -> Response:
        """Answer with the artifact."""
        release, said = self.one(pk=pk), given(ArtifactIn, request)
        artifact, _ = attaching.attach_artifact(request.user, release, said, now=timezone.now())
        return Response(ArtifactOut(artifact).data)


class ChangeFilter(django_filters.FilterSet):
    """Which changes."""

    reference = django_filters.CharFilter(method="named", label="How its reference begins, in any case.")
    kind = django_filters.ChoiceFilter(choices=[(kind, kind) for kind in KINDS], label="Which kind.")
    repository = django_filters.CharFilter(label="In which repository.")
    release = django_filters.NumberFilter(
        field_name="release_id", label="Of which release.", min_value=0, max_value=LARGEST_ID
    )

    class Meta:
        model = Change
        fields: ClassVar[list[str]] = []

    def named(self, rows: QuerySet[Change], name: str, text: str) -> QuerySet[Change]:
        """Return the rows whose reference begins with `text`."""
        return rows.filter(reference__istartswith=text)


class Changes(View):
    """Commits and tickets of the releases the caller may see: from the code to what carries it."""

    filterset_class = ChangeFilter
    serializer_class = CommitOrTicketOut

    def queryset_for(self, request: Request) -> QuerySet[Change]:
        """Return the changes of the releases the caller may see."""
        return Change.objects.filter(release__in=policy.visible_releases(request.user))

    @describe("Find commits and tickets in the releases you may see, newest first.")
    def list(self, request: Request) -> Response:
        """Answer with a page of changes."""
        return self.page(CommitOrTicketOut)


class DeployedOut(ArtifactOut):
    """An artifact as it is in an environment now, and the release that put it there."""

    release = serializers.IntegerField(source="release_id", read_only=True)

    class Meta(ArtifactOut.Meta):
        fields = ("release", *ArtifactOut.Meta.fields)
        read_only_fields = fields


class EnvironmentFilter(django_filters.FilterSet):
    """Where, and what."""

    environment = django_filters.CharFilter(label="In which environment.")
    name = django_filters.CharFilter(label="Which artifact.")

    class Meta:
        model = Artifact
        fields: ClassVar[list[str]] = []


class Environments(View):
    """What is where, as far as the caller may see the releases that put it there."""

    filterset_class = EnvironmentFilter
    serializer_class = DeployedOut

    def queryset_for(self, request: Request) -> QuerySet[Artifact]:
        """Return the newest of every artifact in every environment."""
        return carried.what_is_where(policy.visible_releases(request.user))

    @describe("See what is where: the newest of every artifact in every environment, the latest change first.")
    def list(self, request: Request) -> Response:
        """Answer with a page of artifacts."""
        return self.page(DeployedOut)
