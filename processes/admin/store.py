"""The activity store: browsed with search and filters, each activity edited as its document."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib import admin
from django.db.models import BooleanField, Func, JSONField, OuterRef, QuerySet, Subquery, TextField
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html

from activities import services
from activities.admin import require_new
from activities.fields import searchable
from activities.hooks import require_publishable
from activities.models import Activity, Connection
from config.admin.forms import FaultForm
from config.errors import Fault, InvalidInput
from config.permissions import visible
from processes.admin.fields import YamlField
from processes.admin.pages import DraftAdmin
from processes.document import dump
from processes.services import Verdict

EXAMPLE = """kind: Activity
id: build-service
name: Build one service
type: automated
inputs:
  service: {type: service, required: true}
automated:
  connection: local
  command: [sh, -c, echo building $SERVICE]
  parameters: {SERVICE: "${{ activity.inputs.service }}"}
timeout: 10m
"""
#: Whether the latest published document is the draft; unknown when nothing was published.
SAME = Func(
    Cast("latest_document", JSONField()),
    Cast("draft", JSONField()),
    template="%(expressions)s",
    arg_joiner=" = ",
    output_field=BooleanField(),
)
_STATES = (("never", "Never published"), ("changed", "Draft changed since"), ("same", "Published as it is"))


class ActivityForm(FaultForm):
    """A store activity's document."""

    document = YamlField(
        required=True,
        rows=28,
        help_text="kind, id, name and type (automated, manual, signal or wait), then what that type needs, as YAML.",
        example=EXAMPLE,
    )

    class Meta:
        model = Activity
        fields = ()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial["document"] = self.instance.draft or ""

    def clean_document(self) -> dict[str, Any]:
        """Only an activity's document is edited here; 'kind' may be left out."""
        document: dict[str, Any] = {"kind": "Activity", **self.cleaned_data["document"]}
        if document["kind"] != "Activity":
            self.add_error("document", f"kind: This page edits an Activity, not {str(document['kind'])[:40]!r}.")
        return document

    def full_clean(self) -> None:
        """Every fault of the document stands below it, with its path."""
        found: tuple[Fault, ...] = self.refused
        self.refused = ()  # type: ignore[misc]
        super().full_clean()
        for fault in found:
            self.add_error("document" if fault.path else None, str(fault))


class KindFilter(admin.SimpleListFilter):
    """What kind of work it is."""

    title = "kind"
    parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """The kinds the store knows."""
        return [(kind, kind.capitalize()) for kind in ("automated", "manual", "signal", "wait")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Activity]) -> QuerySet[Activity]:
        """Those of the chosen kind."""
        return queryset.filter(kind=self.value()) if self.value() else queryset


class ConnectionFilter(admin.SimpleListFilter):
    """Which connection it uses."""

    title = "connection"
    parameter_name = "connection"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """The connections this person may see."""
        rows = visible(request.user, "activities.view_connection", Connection.objects.all())
        return [(slug, name) for slug, name in rows.values_list("slug", "name")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Activity]) -> QuerySet[Activity]:
        """Those whose draft uses the chosen connection."""
        if not self.value():
            return queryset
        return queryset.alias(found=searchable("draft")).filter(found__automated__connection=self.value())


class StateFilter(admin.SimpleListFilter):
    """Whether the draft is what was published."""

    title = "published"
    parameter_name = "published"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        """The three states."""
        return _STATES

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Those in the chosen state."""
        if self.value() == "never":
            return queryset.filter(latest_number=None)
        if self.value() in ("same", "changed"):
            rows: QuerySet[Any] = queryset.annotate(is_same=SAME).filter(is_same=self.value() == "same")
            return rows
        return queryset


@admin.register(Activity)
class ActivityAdmin(DraftAdmin):
    """The activity store."""

    form = ActivityForm
    revisions_model = "activityrevision"
    actions_detail = (
        "check_draft",
        "publish",
        {"title": "More", "icon": "more_horiz", "items": ["compare", "export", "revisions", "used_by"]},
    )
    list_display = ("name", "slug", "kind", "uses_connection", "published_as", "version")
    list_filter = (KindFilter, ConnectionFilter, StateFilter)
    search_fields = ("slug", "name", "description")
    fieldsets = ((None, {"fields": ("document",)}),)
    read_fieldsets = ((None, {"fields": ("as_yaml",)}),)
    readonly_fields = ("as_yaml",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Activity]:
        """The activities, each with its connection and its latest published document."""
        rows: QuerySet[Activity] = super().get_queryset(request)
        latest = Subquery(self.revisions_of(OuterRef("pk")).values("document")[:1])
        connection = KeyTextTransform("connection", KeyTextTransform("automated", "draft"), output_field=TextField())
        return rows.annotate(latest_document=latest, connection_used=connection)

    @admin.display(description="connection", ordering="connection_used", empty_value="-")
    def uses_connection(self, activity: Any) -> str | None:
        """The connection its draft uses."""
        return str(activity.connection_used) if activity.connection_used else None

    @admin.display(description="published as", ordering="latest_number", empty_value="never")
    def published_as(self, activity: Any) -> str | None:
        """The latest revision, and whether the draft says something else."""
        if activity.latest_number is None:
            return None
        is_same = activity.latest_document == activity.draft
        return f"revision {activity.latest_number}{'' if is_same else ' · draft changed'}"

    @admin.display(description="document")
    def as_yaml(self, activity: Activity) -> str:
        """The draft as text, for those who may only look."""
        return format_html('<pre class="ph-pre">{}</pre>', dump([activity.draft]))

    def store(self, request: HttpRequest, obj: Any, form: Any, *, change: bool, now: datetime) -> Activity:
        """Saves the document as the draft."""
        document = form.cleaned_data["document"]
        if change:
            seen = form.cleaned_data.get("seen")
            services.save_draft(request.user, obj, document=document, now=now, version=seen)
            return Activity.objects.get(pk=obj.pk)
        done = services.apply_activity(request.user, document, now=now)
        require_new(change, done, document["id"])
        return Activity.objects.get(slug=document["id"])

    def remove(self, request: HttpRequest, obj: Any, *, now: datetime) -> None:
        """Deletes it unless it was published or something uses it."""
        services.delete_activity(request.user, obj, now=now)

    def draft_of(self, obj: Any) -> dict[str, Any]:
        """The draft's document."""
        return services.export_activity(obj)

    def verdict_of(self, obj: Any) -> Verdict:
        """What publishing would say."""
        try:
            require_publishable(obj.draft)
        except InvalidInput as error:
            return Verdict(error.faults, ())
        return Verdict((), ())

    def publish_draft(self, request: HttpRequest, obj: Any, reason: str) -> tuple[Any, bool]:
        """Publishes it."""
        before = services.latest_revision(obj)
        revision = services.publish_activity(request.user, obj, now=timezone.now(), reason=reason)
        return revision, revision != before
