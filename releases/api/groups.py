"""Release groups as documents."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import django_filters
from django.db.models import QuerySet
from django.utils import timezone
from rest_framework import serializers
from rest_framework.request import Request

from config.permissions import visible_by_any
from config.rest.documents import Document, Documents
from config.rest.views import etag
from processes.api import ProcessFilter
from processes.schema import require_structure
from processes.services import used_by
from releases import groups
from releases.api.before_start import NextReleases
from releases.api.dates import GroupDates
from releases.models import ReleaseGroup


class ReleaseGroupOut(serializers.ModelSerializer[ReleaseGroup]):
    """A release group at a glance."""

    id = serializers.CharField(source="slug", read_only=True)
    process = serializers.CharField(source="process.slug", read_only=True)
    input_set = serializers.CharField(source="input_set.slug", read_only=True, allow_null=True, default=None)

    class Meta:
        model = ReleaseGroup
        fields: ClassVar[tuple[str, ...]] = (
            "id", "name", "description", "color", "process", "input_set", "version",
        )  # fmt: skip
        read_only_fields = fields


class ReleaseGroupDetailOut(ReleaseGroupOut):
    """A release group with its document."""

    document = serializers.DictField(read_only=True)

    class Meta(ReleaseGroupOut.Meta):
        fields = (*ReleaseGroupOut.Meta.fields, "document")
        read_only_fields = fields


class ReleaseGroupFilter(ProcessFilter):
    """Which release groups."""

    process = django_filters.CharFilter(field_name="process__slug", label="The id of their process.")

    class Meta:
        model = ReleaseGroup
        fields: ClassVar[list[str]] = []


class ReleaseGroups(GroupDates, NextReleases, Documents):
    """Collections of releases on a cadence."""

    kind, thing = "ReleaseGroup", "release group"
    filterset_class = ReleaseGroupFilter
    serializer_class = ReleaseGroupOut
    detail_class = ReleaseGroupDetailOut
    query: ClassVar[dict[str, set[str]]] = {"dates": {"after", "before", "limit"}}

    def queryset_for(self, request: Request) -> QuerySet[Any]:
        """Return the release groups the caller may look at, work on or operate."""
        held = [f"releases.{verb}_releasegroup" for verb in ("view", "change", "operate", "delete")]
        rows = ReleaseGroup.objects.select_related("process", "input_set")
        return visible_by_any(request.user, held, rows)

    def document(self, row: ReleaseGroup) -> Document:
        """Return the group's document."""
        return groups.export_group(row)

    def tag(self, row: ReleaseGroup) -> str:
        """Return the count of edits."""
        return etag(row.version)

    def save(self, request: Request, document: Document, *, is_new: bool) -> None:
        """Make the group what the document says."""
        require_structure([document])
        groups.save_group(request.user, document, now=timezone.now(), expected_version=0 if is_new else None)

    def remove(self, request: Request, row: ReleaseGroup) -> None:
        """Delete a group that nothing uses."""
        groups.delete_group(request.user, row, now=timezone.now())

    def users(self, row: ReleaseGroup) -> Sequence[str]:
        """Return who uses a group."""
        return [str(use) for use in used_by(row)]
