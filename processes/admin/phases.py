"""A phase's own page, reached from its process: its fields and its activities, in their order."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from unfold.admin import StackedInline
from unfold.decorators import action
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from activities.models import Activity
from config.admin.scoped import ScopedAdmin
from config.permissions import allowed, visible, visible_by_any
from processes import drafts
from processes.admin.drafting import DraftInline, close_draft, number_rows, open_draft
from processes.admin.fields import NamesField, YamlField
from processes.admin.processes import INPUTS_HINT, PhaseLineForm, position_field
from processes.admin.rows import RowForm, around
from processes.blueprint import SOURCES
from processes.document import dump
from processes.models import Phase, PhaseActivity, Process

WHEN_HINT = "An expression; when it is false, this is skipped: ${{ inputs.environment == 'production' }}"
PHASE_REST = "Its other keys, as YAML: required, tags, opens, due."
REST_HINT = (
    "Everything else, as YAML. What it is, unless it comes from the store or is a subprocess: manual, automated, "
    "wait or signal. How it runs: retry, timeout, on_failure, required, needs, after, for_each, parallel, owners, "
    "tags, description, inputs, outputs."
)
REST_EXAMPLE = "manual:\n  instructions: Link the tickets.\n  tasks: [{id: tickets, name: Link them, groups: [qa]}]"


def when_field() -> forms.CharField:
    """A condition."""
    return forms.CharField(required=False, max_length=4_000, help_text=WHEN_HINT, widget=UnfoldAdminTextInputWidget)


def choice(*values: str, label: str, hint: str) -> forms.ChoiceField:
    """One of a few words, or none."""
    named = [("", "-"), *((value, value) for value in values)]
    return forms.ChoiceField(choices=named, label=label, help_text=hint, required=False, widget=UnfoldAdminSelectWidget)


class PhaseForm(PhaseLineForm):
    """A phase with everything it has."""

    description = forms.CharField(required=False, widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}))
    when = when_field()
    needs = choice("all", "any", label="Needs", hint="Whether all it depends on must be done, or one is enough.")
    after = choice("settled", label="After", hint="'settled' runs it whatever became of what it depends on.")
    inputs = YamlField(help_text=INPUTS_HINT, example="images: {type: list, items: string}")
    outputs = YamlField(help_text="What the phase gives, as expressions.")
    rest = YamlField(label="Further keys", help_text=PHASE_REST, rows=2, example="tags: [customer-facing]")

    class Meta:
        model = Phase
        fields = ("slug", "name", "owners", "depends_on")

    keyed = {name: name for name in ("description", "when", "needs", "after", "inputs", "outputs")}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields.pop("position", None)
        self.initial["seen"] = self.instance.process.version


class ActivityForm(RowForm):
    """An activity of a phase."""

    depends_on = NamesField(label="Depends on", help_text="Activities of this phase, or phase.activity of another.")
    given = YamlField(
        label="With",
        help_text="Values for the inputs of the store activity or subprocess.",
        example='service: cart\nversion: "${{ inputs.version }}"',
    )
    when = when_field()
    rest = YamlField(label="Definition and rules", help_text=REST_HINT, rows=6, example=REST_EXAMPLE)
    position = position_field()

    class Meta:
        model = PhaseActivity
        fields = ("slug", "name", "activity", "subprocess", "pinned_revision", "depends_on", "position")
        labels = {"activity": "From the store", "subprocess": "Runs the process", "pinned_revision": "Pinned revision"}
        help_texts = {
            "pinned_revision": "Of the store activity or process; empty means the latest when a release starts."
        }

    keyed = {"given": "with", "when": "when"}
    kept = ("name", "depends_on", "activity", "subprocess")
    places = {"id": "slug"}
    prefix_of_faults = "phases[0].activities[0]."
    suggestions: ClassVar[list[str]] = []
    request: HttpRequest
    clean_position = PhaseLineForm.clean_position

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        own = self.instance
        own.get_inline_title = _title(own)
        if "depends_on" not in self.fields:
            return
        self.fields["depends_on"].suggest(one for one in self.suggestions if one != own.slug)  # type: ignore[attr-defined]
        seen = visible(self.request.user, "activities.view_activity", Activity.objects.all())
        called = visible(self.request.user, "processes.view_process", Process.objects.all())
        self._offer("activity", seen, own.activity_id)
        self._offer("subprocess", called, own.subprocess_id)

    def _offer(self, field: str, rows: QuerySet[Any], chosen: int | None) -> None:
        """Offers what this person may see, and what was chosen before."""
        table = rows.model._default_manager
        self.fields[field].queryset = table.filter(  # type: ignore[attr-defined]
            Q(pk__in=rows.values("pk")) | Q(pk=chosen)
        )

    def shown_body(self) -> dict[str, Any]:
        """A subprocess's own `with` is shown like any other."""
        body = dict(self.instance.body or {})
        inner = body.get("subprocess")
        if isinstance(inner, dict) and "with" in inner and "with" not in body:
            body["with"] = inner["with"]
        return body

    def clean(self) -> dict[str, Any]:
        """An activity comes from the store or runs a process, not both."""
        if self.cleaned_data.get("activity") and self.cleaned_data.get("subprocess"):
            self.add_error("subprocess", "Choose a store activity or a process, not both.")
        return super().clean()

    def new_body(self, given: Any) -> dict[str, Any]:
        """The body as typed; values that were written inside `subprocess` stay there."""
        before = self.instance.body or {}
        body = super().new_body(given)
        inner, is_called = body.pop("subprocess", None), bool(given.get("subprocess"))
        if not isinstance(inner, dict):
            return body
        if "with" in before:
            return {**body, "subprocess": inner} if is_called else body
        body.pop("with", None)
        values = {"with": given["given"]} if given.get("given") else {}
        if not is_called:
            return {**body, **values}
        outer = {key: value for key, value in inner.items() if key != "with"}
        return {**body, "subprocess": {**outer, **values} if "given" in self.changed_data else inner}

    def document(self, given: Any) -> dict[str, Any]:
        """A process of this activity alone."""
        body = {key: value for key, value in self.instance.body.items() if key not in self.kept}
        pin = f"@{given['pinned_revision']}" if given.get("pinned_revision") else ""
        named = {key: given[key] for key in ("name", "depends_on") if given.get(key)}
        for key in ("activity", "subprocess"):
            if given.get(key):
                named[key] = f"{given[key].slug}{pin}"
        return around([{"id": "phase", "name": "Phase", "activities": [{"id": given["slug"], **named, **body}]}])


def _title(row: PhaseActivity) -> str:
    """What a closed row shows: its name, and what it is."""
    if not row.slug:
        return ""
    what = row.activity or row.subprocess or next((key for key in SOURCES if key in row.body), "")
    return f"{row} \u00b7 {what}" if what else str(row)


class ActivityInline(DraftInline, StackedInline):
    """The activities of a phase, in their order."""

    model = PhaseActivity
    form = ActivityForm
    collapsible = True
    verbose_name = "activity"
    verbose_name_plural = "activities"
    autocomplete_fields = ("activity", "subprocess")
    fieldsets = (
        (
            None,
            {
                "fields": (
                    "slug",
                    "name",
                    "activity",
                    "subprocess",
                    "pinned_revision",
                    "given",
                    "depends_on",
                    "when",
                    "rest",
                    "position",
                )
            },
        ),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[PhaseActivity]:
        """The activities with what they refer to."""
        found: QuerySet[PhaseActivity] = super().get_queryset(request).select_related("activity", "subprocess")
        return found

    def get_formset(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> Any:
        """The rows, knowing who asks and what they may depend on."""
        formset = super().get_formset(request, obj, **kwargs)
        formset.form.request = request
        formset.form.suggestions = _suggestions(obj) if obj else []
        return formset


def _suggestions(phase: Phase) -> list[str]:
    rows = PhaseActivity.objects.filter(phase__process=phase.process_id).order_by("phase__position", "position")
    own, others = [], []
    for slug, around_it, name in rows.values_list("slug", "phase_id", "phase__slug"):
        if around_it == phase.pk:
            own.append(slug)
        else:
            others.append(f"{name}.{slug}")
    return [*own, *others]


@admin.register(Phase)
class PhaseAdmin(ScopedAdmin):
    """A phase of a draft. It is added and deleted on its process's page."""

    form = PhaseForm
    inlines = (ActivityInline,)
    actions_detail = ("to_process",)
    fieldsets = (
        (None, {"fields": ("slug", "name", "description", "owners", "depends_on")}),
        ("When it runs", {"fields": ("when", "needs", "after"), "classes": ["collapse"]}),
        ("Inputs, outputs and further keys", {"fields": ("inputs", "outputs", "rest"), "classes": ["collapse"]}),
    )
    read_fieldsets = ((None, {"fields": ("slug", "name", "process", "as_yaml")}),)
    readonly_fields = ("as_yaml",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Phase]:
        """The phases of processes this person may see."""
        names = [f"processes.{verb}_process" for verb in self.shown_by]
        rows = visible_by_any(request.user, names, Process.objects.all())
        return Phase.objects.filter(process__in=rows.values("pk")).select_related("process")

    def may(self, request: HttpRequest, verb: str, obj: Any = None) -> bool:
        """What may be done to its process may be done to the phase; nothing without one."""
        return obj is not None and allowed(request.user, f"processes.{verb}_process", obj.process)

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """There is no list of phases: on to the processes."""
        return HttpResponseRedirect(reverse(f"{self.admin_site.name}:processes_process_changelist"))

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Phases are added on their process's page."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Phases are deleted on their process's page."""
        return False

    def get_inlines(self, request: HttpRequest, obj: Any) -> Any:
        """The activities in fields for those who may change them; others read the YAML."""
        return self.inlines if self.has_change_permission(request, obj) else ()

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        """The form, knowing the phase's siblings."""
        form = super().get_form(request, obj, change=change, **kwargs)
        form.siblings = list(obj.process.phases.values_list("slug", flat=True)) if obj else []
        return form

    @admin.display(description="document")
    def as_yaml(self, phase: Phase) -> str:
        """The phase as text, for those who may only look."""
        found = next(one for one in drafts.load(phase.process)["phases"] if one["id"] == phase.slug)
        return format_html('<pre class="ph-pre">{}</pre>', dump([found]))

    @action(description="To the process", url_path="process", icon="arrow_back")
    def to_process(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Back to the process."""
        return HttpResponseRedirect(self._process_page(self.found(request, object_id)))

    def response_post_save_change(self, request: HttpRequest, obj: Any) -> HttpResponse:
        """After saving, on to the process."""
        return HttpResponseRedirect(self._process_page(obj))

    def _process_page(self, phase: Phase) -> str:
        return reverse(f"{self.admin_site.name}:processes_process_change", args=[phase.process_id])

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Saves the row once the draft is locked and nobody else has edited it."""
        request.__dict__["edited"] = open_draft(request.user, obj.process, form.cleaned_data.get("seen"))
        obj.save()

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """Saves the activities in their order, then counts the edit."""
        super().save_related(request, form, formsets, change)
        for formset in formsets:
            number_rows(formset)
        process, before = request.__dict__["edited"]
        close_draft(request.user, process, before, timezone.now())
