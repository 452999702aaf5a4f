"""Releases: listed, created ad hoc, planned until they start, then operated through the same verbs as the pages."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from unfold.decorators import action, display
from unfold.enums import ActionVariant
from unfold.paginator import InfinitePaginator

from config.admin.asking import Question
from config.admin.forms import FaultForm
from config.admin.scoped import MOST_EVENTS
from config.models import Event
from config.permissions import visible
from processes.admin.fields import YamlField
from processes.admin.filters import ProcessFilter
from processes.document import dump
from processes.models import InputSet
from releases import mentions, policy
from releases.admin.release_time import ReleaseTime, time_verbs
from releases.models import Release
from releases.reading.may import release_may
from releases.services import planning, running
from releases.views.planning import startable_processes

PLAN = ("name", "version", "description", "input_set", "planned_start_at", "planned_end_at", "given")
COLOURS = {
    "draft": "info", "scheduled": "info", "running": "primary", "paused": "warning", "succeeded": "success",
    "partially_succeeded": "warning", "failed": "danger", "aborted": "danger", "cancelled": "info", "missed": "warning",
}  # fmt: skip


class ReleaseForm(FaultForm):
    """A release's plan."""

    given = YamlField(
        label="Values",
        help_text="Values given on this release, in the shape of an input set; they win over the input set's.",
        example="inputs: {version: 1.2.0}",
    )

    class Meta:
        model = Release
        fields = ("process", "name", "version", "description", "input_set", "planned_start_at", "planned_end_at")

    request: HttpRequest

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        own = self.instance
        self.initial.update(given=own.given, seen=own.edits)
        rows = visible(self.request.user, "processes.view_inputset", InputSet.objects.all())
        sets = InputSet.objects.filter(Q(pk__in=rows.values("pk")) | Q(pk=own.input_set_id))
        if own.pk:
            sets = sets.filter(process=own.process_id)
        if "input_set" in self.fields:
            self.fields["input_set"].queryset = sets  # type: ignore[attr-defined]
        if "process" in self.fields:
            self.fields["process"].queryset = startable_processes(self.request.user)  # type: ignore[attr-defined]
        for name in ("planned_start_at", "planned_end_at"):
            if name in self.fields:
                self.fields[name].help_text = "In UTC."

    def _get_validation_exclusions(self) -> set[str]:
        """The window is for the service to judge, which says in words what is wrong with it."""
        return {*super()._get_validation_exclusions(), "planned_end_at"}  # type: ignore[misc]


QUESTIONS = {
    "schedule": Question("Schedule", "It will be ready to start at its planned time.", planning.schedule_release),
    "pause": Question(
        "Pause", "Nothing new starts until it is resumed; what runs finishes.", running.pause_release, keeps="reason"
    ),
    "resume": Question("Resume", "It goes on from where it stands.", running.resume_release),
    "cancel": Question("Cancel", "It is called off before its start.", planning.cancel_release, keeps="reason"),
    "abort": Question(
        "Abort",
        "It stops for good: remote pipelines are cancelled, and nothing can revive it.",
        running.abort_release,
        keeps="reason",
        must=True,
    ),
}


@admin.register(Release)
class ReleaseAdmin(ReleaseTime):
    """Releases."""

    form = ReleaseForm
    list_display = ("__str__", "shown_state", "process", "group", "planned_start_at", "started_at", "finished_at")
    list_filter = ("state", ProcessFilter)
    list_select_related = ("process", "group")
    search_fields = ("name", "version", "process__name", "group__name")
    ordering = ("-id",)
    paginator = InfinitePaginator
    actions = None
    questions = QUESTIONS
    actions_detail = ("schedule", "start", "move", "ask_exception", "pause", "resume", "cancel", "abort")
    add_fieldsets = ((None, {"fields": ("process", *PLAN)}),)
    fieldsets = (
        (None, {"fields": ("name", "version", "description", "state", "process", "group")}),
        ("Plan", {"fields": ("planned_start_at", "planned_end_at", "input_set", "given")}),
    )
    read_fieldsets = (
        (None, {"fields": ("name", "version", "description", "state", "reason", "process", "group", "revision")}),
        ("When", {"fields": ("planned_start_at", "planned_end_at", "started_at", "finished_at")}),
        ("Who", {"fields": ("created_by_name", "created_at", "started_by_name")}),
        ("Values", {"fields": ("input_set", "values_shown")}),
    )

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """What a release is of stays as it was created."""
        return ("values_shown", "state", "process", "group") if obj else ("values_shown",)

    # Who may what: releases/policy.py says ----------------------------------------------------------------------------

    def get_queryset(self, request: HttpRequest) -> QuerySet[Release]:
        """The releases this person may see."""
        return policy.visible_releases(request.user).select_related("process", "group").defer("values", "sources")

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whoever may see the release, or may create one."""
        return sees_releases(request, obj) or (obj is None and self.has_add_permission(request))

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Whoever may start releases of some process."""
        if "may_create" not in request.__dict__:
            request.__dict__["may_create"] = startable_processes(request.user).exists()
        return bool(request.__dict__["may_create"])

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """The plan is edited by those who may plan it, until it starts."""
        if obj is None:
            return self.has_view_permission(request)
        return "edit" in self.verbs(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Releases are history."""
        return False

    def may_grant(self, request: HttpRequest, obj: Any) -> bool:
        """Sharing a release takes the permission to operate it, started or not."""
        return policy.may_operate(request.user, obj) and self.grants_at_all(request)

    def verbs(self, request: HttpRequest, release: Release) -> list[str]:
        """What this person may do with the release now; asked once per request."""
        known: dict[int, list[str]] = request.__dict__.setdefault("release_verbs", {})
        if release.pk not in known:
            known[release.pk] = [*release_may(request.user, release), *time_verbs(request.user, release)]
        return known[release.pk]

    # What is shown ----------------------------------------------------------------------------------------------------

    @display(description="state", ordering="state", label=COLOURS)
    def shown_state(self, release: Release) -> tuple[str, str]:
        """The state, in its colour."""
        return release.state, release.state.replace("_", " ")

    @admin.display(description="values")
    def values_shown(self, release: Release) -> str:
        """What it started with; before the start, what was given on it."""
        shown = {"inputs": release.inputs, "sources": release.sources} if release.started_at else release.given
        return format_html('<pre class="ph-pre">{}</pre>', dump([shown]) if shown else "-")

    def view_on_site(self, obj: Any) -> str:
        """The release's page, with everything in it."""
        return reverse("releases:show", args=[obj.pk])

    def events_of(self, request: HttpRequest, obj: Any) -> Iterable[Event]:
        """Everything that happened in the release, newest first."""
        newest = Event.objects.filter(release_id=obj.pk).order_by("-id")[:MOST_EVENTS]
        return mentions.masked_events(request.user, newest)

    # What is done -----------------------------------------------------------------------------------------------------

    def store(self, request: HttpRequest, obj: Any, form: Any, *, change: bool, now: datetime) -> Release:
        """Creates the release, or changes its plan by what was touched."""
        given = form.cleaned_data
        if change:
            changes = {name: given[name] for name in form.changed_data if name in PLAN}
            release = Release.objects.get(pk=obj.pk)
            if changes:
                planning.edit_release(request.user, release, changes, now=now, expected=given.get("seen"))
            return release
        return planning.create_release(
            request.user, process=given["process"], now=now, **{name: given[name] for name in PLAN}
        )

    @action(description="Schedule", url_path="schedule", icon="event")
    def schedule(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Schedules it."""
        return self.ask(request, object_id, "schedule")

    @action(description="Pause", url_path="pause", icon="pause")
    def pause(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Pauses it."""
        return self.ask(request, object_id, "pause")

    @action(description="Resume", url_path="resume", icon="resume")
    def resume(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Lets it go on."""
        return self.ask(request, object_id, "resume")

    @action(description="Cancel", url_path="cancel", icon="event_busy")
    def cancel(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Calls it off."""
        return self.ask(request, object_id, "cancel")

    @action(description="Abort", url_path="abort", icon="cancel", variant=ActionVariant.DANGER)
    def abort(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Stops it for good."""
        return self.ask(request, object_id, "abort")


def sees_releases(request: HttpRequest, release: Release | None = None) -> bool:
    """Whether this person may see the release; without one, any release. Asked once per request."""
    known: dict[int | None, bool] = request.__dict__.setdefault("sees_releases", {})
    key = release.pk if release is not None else None
    if key not in known:
        rows = policy.visible_releases(request.user)
        known[key] = (rows.filter(pk=key) if key is not None else rows).exists()
    return known[key]
