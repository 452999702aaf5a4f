"""The trail: every event, for those who may see it all."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from unfold.paginator import InfinitePaginator

from config.admin.scoped import ReadOnlyAdmin
from config.models import Event

SUBJECTS = (
    "process", "activity", "connection", "secret", "resource", "inputset", "releasegroup", "freeze", "freezeexception",
    "breakglass", "release", "phaserun", "activityrun", "taskrun", "signoff", "evidence", "comment", "apitoken",
    "user", "group",
)  # fmt: skip


class SubjectFilter(admin.SimpleListFilter):
    """What kind of thing the event is about."""

    title = "subject"
    parameter_name = "subject"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Sequence[tuple[str, str]]:
        """The kinds of things, without reading the whole trail for them."""
        return [(name, name) for name in SUBJECTS]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Event]) -> QuerySet[Event]:
        """The events about the chosen kind."""
        return queryset.filter(subject_type=self.value()) if self.value() else queryset


def shown_json(value: Any) -> str:
    """A JSON value as readable, escaped text; a dash for nothing."""
    if value in (None, {}, [], ""):
        return "-"
    return format_html('<pre class="ph-pre">{}</pre>', json.dumps(value, indent=2, ensure_ascii=False))


@admin.register(Event)
class EventAdmin(ReadOnlyAdmin):
    """Every change to anything, newest first."""

    list_display = ("at", "actor_name", "verb", "subject_type", "subject_name", "release_id", "reason")
    list_filter = (SubjectFilter, "at")
    search_fields = ("actor_name", "verb", "subject_name", "=request_id")
    search_help_text = "Who, what happened, to what, or the id of a request."
    ordering = ("-id",)
    paginator = InfinitePaginator
    fields = (
        "at", "actor_name", "verb", "subject_type", "subject_id", "subject_name", "release_id", "reason",
        "before_shown", "after_shown", "request_id",
    )  # fmt: skip
    readonly_fields = ("before_shown", "after_shown")

    @admin.display(description="before")
    def before_shown(self, event: Event) -> str:
        """What was."""
        return shown_json(event.before)

    @admin.display(description="after")
    def after_shown(self, event: Event) -> str:
        """What is."""
        return shown_json(event.after)
