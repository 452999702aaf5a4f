"""Processes: the draft with its phases in rows, or as one YAML text; its actions are in processes/admin/pages.py."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.models import Group, User
from django.core.exceptions import PermissionDenied
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from unfold.admin import TabularInline
from unfold.decorators import action
from unfold.widgets import UnfoldBooleanSwitchWidget

from config.errors import InvalidInput, PilothouseError
from processes import drafts
from processes.admin.drafting import LAST, DraftInline, close_draft, number_rows, open_draft
from processes.admin.fields import NamesField, YamlField, as_text
from processes.admin.pages import DraftAdmin
from processes.admin.rows import RowForm, around
from processes.document import dump
from processes.models import Phase, Process, Resource
from processes.services import Verdict, check_draft, delete_process, publish_process, save_process

MOST_SUGGESTED = 50
INPUTS_HINT = "What has to be given: 'name: {type: string, required: true}' on each line."


def position_field() -> forms.IntegerField:
    """Where a row stands; empty for one that was just added."""
    return forms.IntegerField(required=False, min_value=0, max_value=LAST, widget=forms.HiddenInput)


class ProcessForm(RowForm):
    """A process's own fields."""

    inputs = YamlField(help_text=INPUTS_HINT, rows=5, example="version: {type: string, required: true}")
    outputs = YamlField(
        help_text="What a release of it gives, as expressions.",
        example='image: "${{ phases.build.activities.compile.outputs.image }}"',
    )
    roles = YamlField(
        help_text="Roles filled with a person for each release; owners may name them as role:release-manager.",
        example="release-manager: {group: release-managers}",
    )
    resources = NamesField(help_text="The services and environments a release touches.")
    tags = NamesField()
    fail_fast = forms.BooleanField(
        required=False,
        widget=UnfoldBooleanSwitchWidget,
        help_text="Once something has failed for good, start nothing new.",
    )

    class Meta:
        model = Process
        fields = ("slug", "name", "description")

    keyed = {name: name for name in ("inputs", "outputs", "roles", "resources", "tags", "fail_fast")}
    kept = ("name", "description")
    places = {"id": "slug"}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["resources"].suggest(Resource.objects.values_list("slug", flat=True))  # type: ignore[attr-defined]

    def document(self, given: Any) -> dict[str, Any]:
        """The process without its phases."""
        body = {key: value for key, value in self.instance.body.items() if key not in self.kept}
        return {**around([], **body), "id": given.get("slug") or self.instance.slug, "name": given["name"]}


class PhaseLineForm(RowForm):
    """A phase as a line of its process."""

    owners = NamesField()
    depends_on = NamesField(label="Depends on")
    position = position_field()

    class Meta:
        model = Phase
        fields = ("slug", "name", "owners", "depends_on", "position")

    kept = ("name", "owners", "depends_on", "activities")
    places = {"id": "slug"}
    prefix_of_faults = "phases[0]."
    siblings: ClassVar[list[str]] = []

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "depends_on" not in self.fields:
            return
        own = self.instance.slug
        self.fields["depends_on"].suggest(one for one in self.siblings if one != own)  # type: ignore[attr-defined]
        process = self.instance.process_id or ""
        address = reverse("admin:processes_process_owners")
        self.fields["owners"].widget.attrs["data-address"] = f"{address}?process={process}"

    def clean_position(self) -> int:
        """Behind all others when it was not moved."""
        given = self.cleaned_data["position"]
        return LAST if given is None else int(given)

    def document(self, given: Any) -> dict[str, Any]:
        """A process of this phase alone."""
        body = {key: value for key, value in self.instance.body.items() if key not in self.kept}
        named = {key: given[key] for key in ("name", "owners", "depends_on") if given.get(key)}
        return around([{"id": given["slug"], **named, **body}])


class PhaseInline(DraftInline, TabularInline):
    """The phases, in their order; each opens on a page of its own."""

    model = Phase
    form = PhaseLineForm
    fields = ("slug", "name", "owners", "depends_on", "inside", "position")
    readonly_fields = ("inside",)
    hide_title = True

    def get_queryset(self, request: HttpRequest) -> QuerySet[Phase]:
        """The phases, with the number of their activities."""
        found: QuerySet[Phase] = super().get_queryset(request).annotate(size=Count("activities"))
        return found

    def get_formset(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> Any:
        """The rows, knowing their siblings."""
        formset = super().get_formset(request, obj, **kwargs)
        formset.form.siblings = list(obj.phases.values_list("slug", flat=True)) if obj else []
        return formset

    @admin.display(description="activities")
    def inside(self, phase: Any) -> str:
        """The way to the phase's own page."""
        if phase.pk is None:
            return "Save first"
        address, size = reverse("admin:processes_phase_change", args=[phase.pk]), phase.size
        return format_html('<a class="ph-link" href="{}">{} · Open</a>', address, size)


class PublishedFilter(admin.SimpleListFilter):
    """Whether there is a revision."""

    title = "published"
    parameter_name = "published"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Yes or no."""
        return [("yes", "Published"), ("no", "Never published")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """The rows with or without a revision."""
        if self.value() not in ("yes", "no"):
            return queryset
        return queryset.filter(latest_number__isnull=self.value() == "no")


class TextForm(forms.Form):
    """A whole document as text."""

    text = YamlField(label="Document", required=True, rows=30)


@admin.register(Process)
class ProcessAdmin(DraftAdmin):
    """Processes."""

    form = ProcessForm
    inlines = (PhaseInline,)
    revisions_model = "processrevision"
    list_display = ("name", "slug", "phase_count", "published_as", "version")
    list_filter = (PublishedFilter,)
    search_fields = ("slug", "name", "description")
    fieldsets = (
        (None, {"fields": ("slug", "name", "description")}),
        ("Inputs and outputs", {"fields": ("inputs", "outputs"), "classes": ["collapse"]}),
        (
            "Roles, resources and rules",
            {"fields": ("roles", "resources", "tags", "fail_fast"), "classes": ["collapse"]},
        ),
    )
    read_fieldsets = ((None, {"fields": ("slug", "name", "description", "as_yaml")}),)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """The id stays as it was chosen."""
        return ("slug", "as_yaml") if obj else ("as_yaml",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Process]:
        """The processes, with the number of their phases."""
        found: QuerySet[Process] = super().get_queryset(request).annotate(phase_count=Count("phases", distinct=True))
        return found

    @admin.display(description="phases", ordering="phase_count")
    def phase_count(self, process: Any) -> int:
        """How many phases."""
        return int(process.phase_count)

    @admin.display(description="published as", ordering="latest_number", empty_value="never")
    def published_as(self, process: Any) -> str | None:
        """The latest revision."""
        return f"revision {process.latest_number}" if process.latest_number else None

    @admin.display(description="document")
    def as_yaml(self, process: Process) -> str:
        """The draft as text, for those who may only look."""
        return format_html('<pre class="ph-pre">{}</pre>', dump([drafts.load(process)]))

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Saves the row once the draft is locked and nobody else has edited it."""
        if change:
            held, before = open_draft(request.user, obj, form.cleaned_data.get("seen"))
            obj.version = held.version
        else:
            obj.version, before = 0, {}
        request.__dict__["before"] = before
        obj.save()

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """Saves the phases in their order, then counts the edit."""
        super().save_related(request, form, formsets, change)
        for formset in formsets:
            number_rows(formset)
        close_draft(request.user, form.instance, request.__dict__["before"], timezone.now())

    def remove(self, request: HttpRequest, obj: Any, *, now: datetime) -> None:
        """Deletes it unless it was published or something uses it."""
        delete_process(request.user, obj, now=now)

    def draft_of(self, obj: Any) -> dict[str, Any]:
        """The draft's document."""
        return drafts.load(obj)

    def verdict_of(self, obj: Any) -> Verdict:
        """What publishing would say."""
        return check_draft(obj)

    def publish_draft(self, request: HttpRequest, obj: Any, reason: str) -> tuple[Any, bool]:
        """Publishes it."""
        done = publish_process(request.user, obj, now=timezone.now(), reason=reason)
        for warning in done.warnings:
            self.message_user(request, str(warning), messages.WARNING)
        return done.revision, done.is_new

    def get_urls(self) -> list[URLPattern]:
        """The suggestions for owners, beside the usual pages."""
        own = path("owners/", self.admin_site.admin_view(self.owners_view), name="processes_process_owners")
        return [own, *super().get_urls()]

    def owners_view(self, request: HttpRequest) -> JsonResponse:
        """Roles, groups and people whose names hold `term`, as owners are written; for those who edit processes."""
        if not self.has_change_permission(request) and not self.has_add_permission(request):
            raise PermissionDenied
        term = request.GET.get("term", "").replace("\0", "").rpartition(":")[2]
        groups = Group.objects.filter(name__icontains=term).order_by("name").values_list("name", flat=True)
        people = User.objects.filter(is_active=True, username__icontains=term).order_by("username")
        process = self.get_object(request, request.GET.get("process", ""))
        roles = process.body.get("roles", {}) if process is not None else {}
        names = [f"role:{name}" for name in roles if term in name]
        names += [f"group:{name}" for name in groups[:MOST_SUGGESTED]]
        names += [f"user:{name}" for name in people.values_list("username", flat=True)[:MOST_SUGGESTED]]
        return JsonResponse({"results": [{"id": name, "text": name} for name in names]})

    @action(description="Edit as YAML", url_path="text", icon="code")
    def edit_text(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The whole draft as one text, applied like a file."""
        obj = self.found(request, object_id, "change")
        given = {"text": as_text(drafts.load(obj))}
        form = TextForm(request.POST if request.method == "POST" else None, initial=given)
        seen = request.POST.get("seen", str(obj.version))
        if request.method == "POST" and form.is_valid():
            try:
                self._save_text(request, obj, form.cleaned_data["text"], seen)
            except InvalidInput as error:
                for fault in error.faults:
                    form.add_error("text", str(fault))
            except PilothouseError as error:
                form.add_error(None, error.message)
            else:
                return HttpResponseRedirect(self.url_of("change", obj.pk))
        status = 400 if form.errors else 200
        context = {"form": form, "seen": seen, "media": self.media}
        return self.page(request, "admin/pilothouse/text.html", obj, "Edit as YAML", context, status=status)

    def _save_text(self, request: HttpRequest, obj: Process, document: dict[str, Any], seen: str) -> None:
        if document.get("kind") != "Process" or document.get("id") != obj.slug:
            raise InvalidInput(f"This page edits the Process '{obj.slug}': 'kind' and 'id' stay as they are.")
        expected = int(seen) if seen.isdecimal() else None
        _, done = save_process(request.user, document, now=timezone.now(), expected_version=expected)
        self.message_user(request, f"The draft was saved: {done}.", messages.SUCCESS)
