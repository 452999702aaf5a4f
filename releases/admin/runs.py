"""What happened in releases: runs, attempts with their logs, sign-offs and artifacts. Only looked at."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from unfold.decorators import display
from unfold.paginator import InfinitePaginator

from config.admin.scoped import MOST_EVENTS, ReadOnlyAdmin
from config.admin.trail import shown_json
from config.models import Event
from releases import policy
from releases.admin.releases import sees_releases
from releases.models import ActivityRun, Artifact, Attempt, Change, PhaseRun, Release, SignOff
from releases.reading import logs

MOST_LOG = 50_000
COLOURS = {
    "pending": "info", "queued": "info", "running": "primary", "waiting": "primary", "succeeded": "success",
    "approved": "success", "partially_succeeded": "warning", "on_hold": "warning", "ignored": "warning",
    "skipped": "info", "failed": "danger", "rejected": "danger", "timed_out": "danger", "aborted": "danger",
    "cancelled": "danger",
}  # fmt: skip


class RunAdmin(ReadOnlyAdmin):
    """Rows of releases this person may see; `release_path` leads from a row to its release."""

    release_path: ClassVar[str] = "release"
    paginator = InfinitePaginator
    ordering = ("-id",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """The rows of releases this person may see."""
        seen = policy.visible_releases(request.user)
        rows: QuerySet[Any] = self.model._default_manager.filter(**{f"{self.release_path}__in": seen.values("pk")})
        return rows

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whoever sees the release sees what happened in it."""
        return sees_releases(request, None if obj is None else self.release_of_row(obj))

    def release_of_row(self, row: Any) -> Release:
        """The release a row belongs to."""
        for step in self.release_path.split("__"):
            row = getattr(row, step)
        assert isinstance(row, Release)
        return row

    def events_of(self, request: HttpRequest, obj: Any) -> Iterable[Event]:
        """The newest events about the row, out of its release's."""
        about = Event.objects.filter(release_id=self.release_of_row(obj).pk)
        return about.filter(subject_type=self.opts.model_name, subject_id=obj.pk).order_by("-id")[:MOST_EVENTS]

    @admin.display(description="inputs")
    def inputs_shown(self, row: Any) -> str:
        """Its inputs; secrets are names here."""
        return shown_json(row.inputs)

    @admin.display(description="outputs")
    def outputs_shown(self, row: Any) -> str:
        """Its outputs."""
        return shown_json(row.outputs)

    @display(description="state", ordering="state", label=COLOURS)
    def shown_state(self, row: Any) -> tuple[str, str]:
        """The state, in its colour."""
        return row.state, row.state.replace("_", " ")


@admin.register(PhaseRun)
class PhaseRunAdmin(RunAdmin):
    """Phases inside releases."""

    list_display = ("path", "name", "shown_state", "release", "started_at", "finished_at")
    list_filter = ("state",)
    list_select_related = ("release",)
    search_fields = ("path", "name", "release__name")
    fields = (
        "release", "path", "name", "owners", "state", "error", "started_at", "finished_at", "inputs_shown",
        "outputs_shown",
    )  # fmt: skip
    readonly_fields = ("inputs_shown", "outputs_shown")


@admin.register(ActivityRun)
class ActivityRunAdmin(RunAdmin):
    """Activities inside releases."""

    list_display = ("path", "name", "kind", "shown_state", "attempt", "release", "started_at", "finished_at")
    list_filter = ("state", "kind")
    list_select_related = ("release",)
    search_fields = ("path", "name", "release__name")
    fields = (
        "release", "phase", "path", "name", "kind", "required", "state", "attempt", "error", "reason",
        "opened_at", "started_at", "finished_at", "next_look_at", "deadline_at", "inputs_shown", "work_shown",
        "outputs_shown",
    )  # fmt: skip
    readonly_fields = ("inputs_shown", "outputs_shown", "work_shown")

    @admin.display(description="work")
    def work_shown(self, run: ActivityRun) -> str:
        """What was to be done, with expressions filled in."""
        return shown_json(run.work)


@admin.register(Attempt)
class AttemptAdmin(RunAdmin):
    """Attempts at activities, each with its log."""

    release_path = "activity_run__release"
    list_display = ("activity_run", "number", "shown_status", "release_of", "started_at", "finished_at")
    list_filter = ("status",)
    list_select_related = ("activity_run__release",)
    search_fields = ("activity_run__path", "activity_run__release__name", "=reference")
    fields = (
        "activity_run", "number", "status", "error", "reference", "link", "looks", "started_at", "finished_at",
        "inputs_shown", "outputs_shown", "log_shown",
    )  # fmt: skip
    readonly_fields = ("inputs_shown", "outputs_shown", "log_shown")

    @display(description="status", ordering="status", label=COLOURS)
    def shown_status(self, attempt: Attempt) -> tuple[str, str]:
        """The status, in its colour."""
        return attempt.status, attempt.status.replace("_", " ")

    @admin.display(description="release")
    def release_of(self, attempt: Attempt) -> str:
        """The release it belongs to."""
        return str(attempt.activity_run.release)

    @admin.display(description="log")
    def log_shown(self, attempt: Attempt) -> str:
        """The end of what it wrote, masked as it is kept."""
        found = logs.log_of(attempt.activity_run, attempt=attempt.number, limit=MOST_LOG)
        if not found.text:
            return "-"
        cut = f"… the last {len(found.text)} of {found.size} characters:\n" if found.offset else ""
        return format_html('<pre class="ph-pre ph-log">{}{}</pre>', cut, found.text)


@admin.register(SignOff)
class SignOffAdmin(RunAdmin):
    """Approvals and rejections."""

    release_path = "activity_run__release"
    list_display = ("activity_run", "user_name", "shown_decision", "release_of", "at", "void_at")
    list_filter = ("decision",)
    list_select_related = ("activity_run__release",)
    search_fields = ("user_name", "comment", "activity_run__path", "activity_run__release__name")
    fields = (
        "activity_run", "attempt", "user_name", "decision", "comment", "at", "void_at", "digest", "signed_shown",
    )  # fmt: skip
    readonly_fields = ("signed_shown",)

    @display(description="decision", ordering="decision", label=COLOURS)
    def shown_decision(self, row: SignOff) -> tuple[str, str]:
        """The decision, in its colour."""
        return row.decision, row.decision

    @admin.display(description="release")
    def release_of(self, row: SignOff) -> str:
        """The release it belongs to."""
        return str(row.activity_run.release)

    @admin.display(description="signed")
    def signed_shown(self, row: SignOff) -> str:
        """What was signed."""
        return shown_json(row.signed)


@admin.register(Artifact)
class ArtifactAdmin(RunAdmin):
    """What releases made or put somewhere."""

    list_display = ("name", "version", "environment", "commit", "release", "at")
    list_select_related = ("release",)
    search_fields = ("name", "version", "reference", "digest", "commit", "environment")
    fields = (
        "release", "activity_run", "name", "version", "environment", "reference", "digest", "commit", "link", "at",
    )  # fmt: skip


@admin.register(Change)
class ChangeAdmin(RunAdmin):
    """Commits and tickets that releases carry."""

    list_display = ("reference", "kind", "repository", "title", "release", "at")
    list_select_related = ("release",)
    list_filter = ("kind",)
    search_fields = ("reference", "repository", "title", "author")
    fields = (
        "release", "activity_run", "kind", "repository", "reference", "title", "author", "link", "at", "added_by_name",
    )  # fmt: skip
