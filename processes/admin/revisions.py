"""Published revisions: looked at, never changed."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html

from activities.models import Activity, ActivityRevision
from config.admin.scoped import ReadOnlyAdmin
from config.permissions import allowed, visible_by_any
from processes.document import dump
from processes.models import Process, ProcessRevision


class RevisionAdmin(ReadOnlyAdmin):
    """Revisions of what this person may see."""

    owner: ClassVar[type[Model]]
    list_display = ("__str__", "number", "published_at", "published_by_name")
    ordering = ("-published_at", "-id")

    @property
    def owner_name(self) -> str:
        """The column of what was published."""
        return str(self.owner._meta.model_name)

    def owner_permissions(self) -> list[str]:
        """The permissions any of which shows what was published."""
        return [f"{self.owner._meta.app_label}.{verb}_{self.owner_name}" for verb in ("view", "change", "delete")]

    def may(self, request: HttpRequest, verb: str, obj: Any = None) -> bool:
        """Whoever may see what was published may see its revisions."""
        if obj is not None:
            return any(allowed(request.user, name, getattr(obj, self.owner_name)) for name in self.owner_permissions())
        known: dict[str, bool] = request.__dict__.setdefault("held_somewhere", {})
        if self.owner_name not in known:
            known[self.owner_name] = self._owners(request).exists()
        return known[self.owner_name]

    def _owners(self, request: HttpRequest) -> QuerySet[Any]:
        return visible_by_any(request.user, self.owner_permissions(), self.owner._default_manager.all())

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """The revisions of what this person may see."""
        rows = self.model._default_manager.filter(**{f"{self.owner_name}__in": self._owners(request).values("pk")})
        found: QuerySet[Any] = rows.select_related(self.owner_name)
        return found

    def lookup_allowed(self, lookup: str, value: Any, request: Any = None) -> bool:
        """The link from a draft's page names what was published."""
        return lookup == f"{self.owner_name}__id__exact" or super().lookup_allowed(lookup, value, request)

    @admin.display(description="document")
    def as_yaml(self, revision: Any) -> str:
        """The published document."""
        return format_html('<pre class="ph-pre">{}</pre>', dump([revision.document]))

    readonly_fields = ("as_yaml",)


@admin.register(ProcessRevision)
class ProcessRevisionAdmin(RevisionAdmin):
    """Revisions of processes."""

    owner = Process
    search_fields = ("process__slug", "process__name", "digest")
    fields = ("process", "number", "published_at", "published_by_name", "digest", "as_yaml")


@admin.register(ActivityRevision)
class ActivityRevisionAdmin(RevisionAdmin):
    """Revisions of store activities."""

    owner = Activity
    search_fields = ("activity__slug", "activity__name", "digest")
    fields = ("activity", "number", "published_at", "published_by_name", "digest", "as_yaml")
