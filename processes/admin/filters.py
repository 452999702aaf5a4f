"""Filters of lists that name only what the reader may see."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from config.permissions import visible_by_any
from processes.models import Process

SHOWN_BY = [
    "processes.view_process",
    "processes.change_process",
    "processes.start_process",
    "processes.operate_process",
]


class ProcessFilter(admin.SimpleListFilter):
    """Which process."""

    title = "process"
    parameter_name = "process"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """The processes this person may see."""
        rows = visible_by_any(request.user, SHOWN_BY, Process.objects.all())
        return [(slug, name) for slug, name in rows.values_list("slug", "name")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """What belongs to the chosen process."""
        return queryset.filter(process__slug=self.value()) if self.value() else queryset
