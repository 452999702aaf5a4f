"""Release groups: what people search by in fields, the cadence and the rest as YAML."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils.html import format_html
from unfold.widgets import UnfoldAdminTextInputWidget

from activities.admin import UsedBy
from config.admin.forms import FaultForm
from config.admin.guarded import GuardedAdmin
from config.permissions import visible, visible_by_any
from processes.admin.fields import YamlField
from processes.admin.filters import SHOWN_BY, ProcessFilter
from processes.document import dump
from processes.models import InputSet, Process
from processes.services import used_by
from releases.groups import delete_group, export_group, save_group
from releases.models import ReleaseGroup

_COLUMNS = ("kind", "id", "name", "description", "color", "process", "input_set")
_EXAMPLE = """version: "1.${{ sequence }}.0"
release_name: "Train ${{ date(start, '%Y-%m-%d') }}"
cadence:
  rrule: "FREQ=WEEKLY;BYDAY=TH"
  start: 2026-01-08T09:00
  timezone: Europe/Berlin
  duration: 2d"""


class ReleaseGroupForm(FaultForm):
    """A release group."""

    color = forms.CharField(
        label="Colour",
        required=False,
        max_length=20,
        widget=UnfoldAdminTextInputWidget(attrs={"placeholder": "#2563eb"}),
        help_text="How the calendar draws it: # and six hexadecimal digits.",
    )
    rest = YamlField(
        label="Cadence and rules",
        rows=10,
        help_text="version, release_name, owners, cadence, auto_start, overlap, start_deadline, as YAML. Cadences are "
        "kept and checked; releases are not planned from them yet.",
        example=_EXAMPLE,
    )

    class Meta:
        model = ReleaseGroup
        fields = ("slug", "name", "description", "process", "input_set")

    places = {"id": "slug"}
    request: HttpRequest

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        own = self.instance
        self.initial["color"] = own.color
        self.initial["rest"] = {key: value for key, value in own.body.items() if key not in _COLUMNS}
        processes = visible_by_any(self.request.user, SHOWN_BY, Process.objects.all())
        sets = visible(self.request.user, "processes.view_inputset", InputSet.objects.all())
        for field, rows, chosen in (("process", processes, own.process_id), ("input_set", sets, own.input_set_id)):
            known = rows.model._default_manager.filter(pk__in=[*rows.values_list("pk", flat=True), chosen or 0])
            self.fields[field].queryset = known  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        """Every unknown key of the YAML gets its fault there."""
        given = super().clean()
        rest = given.get("rest") or {}
        for key in _COLUMNS:
            if key in rest:
                self.add_error("rest", f"'{key}' has a field of its own; write it there.")
        self.places = {**dict.fromkeys(rest, "rest"), **self.places}  # type: ignore[misc]
        return given

    def document(self) -> dict[str, Any]:
        """The group's document, as typed."""
        given, own = self.cleaned_data, self.instance
        named = {"kind": "ReleaseGroup", "id": own.slug, "name": own.name, "process": own.process.slug}
        optional = {"description": own.description, "color": given["color"]}
        named |= {key: value for key, value in optional.items() if value}
        if own.input_set is not None:
            named["input_set"] = own.input_set.slug
        kept = {key: value for key, value in own.body.items() if key in _COLUMNS and key not in named}
        return {**kept, **named, **given["rest"]}


@admin.register(ReleaseGroup)
class ReleaseGroupAdmin(UsedBy, GuardedAdmin):
    """Release groups."""

    form = ReleaseGroupForm
    shown_by = ("view", "change", "delete", "operate")
    list_display = ("name", "slug", "process", "input_set", "drawn", "version")
    list_filter = (ProcessFilter,)
    list_select_related = ("process", "input_set")
    search_fields = ("slug", "name", "description", "process__name")
    fieldsets = (
        (None, {"fields": ("slug", "name", "description", "color")}),
        ("What it runs", {"fields": ("process", "input_set", "rest")}),
    )
    read_fieldsets = ((None, {"fields": ("slug", "name", "process", "input_set", "as_yaml")}),)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """The id stays as it was chosen."""
        return ("slug", "as_yaml") if obj else ("as_yaml",)

    @admin.display(description="colour")
    def drawn(self, group: ReleaseGroup) -> str:
        """Its colour."""
        return group.color or "-"

    @admin.display(description="document")
    def as_yaml(self, group: ReleaseGroup) -> str:
        """The group as text, for those who may only look."""
        return format_html('<pre class="ph-pre">{}</pre>', dump([export_group(group)]))

    def uses_of(self, obj: Any) -> list[str]:
        """Who uses it."""
        return [str(use) for use in used_by(obj)]

    def store(self, request: HttpRequest, obj: Any, form: Any, *, change: bool, now: datetime) -> ReleaseGroup:
        """Saves the group's document."""
        seen = form.cleaned_data.get("seen") if change else 0
        return save_group(request.user, form.document(), now=now, expected_version=seen)[0]

    def remove(self, request: HttpRequest, obj: Any, *, now: datetime) -> None:
        """Deletes it unless it has releases or something uses it."""
        delete_group(request.user, obj, now=now)
