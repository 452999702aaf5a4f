"""Input sets: a form made from what the process declares, secrets chosen by name or typed and never shown."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.decorators import method_decorator
from django.utils.html import format_html, format_html_join
from django.views.decorators.debug import sensitive_post_parameters

from activities.admin import UsedBy, may_name_secrets
from activities.models import Secret
from activities.secrets import set_secret
from config.admin.forms import FaultForm
from config.admin.guarded import GuardedAdmin
from config.errors import Fault
from config.permissions import allowed, visible
from processes.admin import values as typed
from processes.admin.fields import YamlField
from processes.admin.filters import ProcessFilter
from processes.document import dump
from processes.models import InputSet, Process
from processes.services import completeness, delete_input_set, save_input_set, used_by

LONGEST_NAME = 64


class NewInputSetForm(FaultForm):
    """An input set before it has values: they follow once its process is known."""

    class Meta:
        model = InputSet
        fields = ("slug", "name", "process", "description")

    places = {"id": "slug"}
    request: HttpRequest

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        rows = visible(self.request.user, "processes.view_process", Process.objects.all())
        self.fields["process"].queryset = rows  # type: ignore[attr-defined]

    def values(self) -> dict[str, Any]:
        """None yet."""
        return {}


class InputSetForm(FaultForm):
    """An input set with a field for every input; the fields are added by `form_for`."""

    rest = YamlField(
        label="Further values",
        rows=4,
        help_text="Values for which there is no field above, in the shape of the input set's document. An expression "
        "for any input can be written here, too.",
        example="phases: {build: {inputs: {images: [a, b]}}}",
    )

    class Meta:
        model = InputSet
        fields = ("name", "description")

    places = {"id": "name"}
    boxes: ClassVar[list[typed.Box]] = []

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial["rest"] = typed.without(self.instance.values, self.boxes)

    def clean(self) -> dict[str, Any]:
        """Reads every box by its declared type."""
        given: dict[str, Any] = super().clean() or self.cleaned_data
        self.read = typed.read_all(self.boxes, self, given.get("rest") or {})
        for box in self.boxes:
            if given.get(f"new:{box.key}") and given.get(box.key) and box.key in self.changed_data:
                self.add_error(box.key, "Choose a secret or type a new value, not both.")
        return given

    def full_clean(self) -> None:
        """Puts what the service has refused beside its box."""
        self.refused = tuple(  # type: ignore[misc]
            Fault(key, fault.message, fault.cure) if (key := typed.key_of(fault.path)) in self.fields else fault
            for fault in self.refused
        )
        super().full_clean()

    def values(self) -> dict[str, Any]:
        """The values as typed."""
        return self.read


def form_for(request: HttpRequest, input_set: InputSet) -> type[InputSetForm]:
    """The form of one input set, made once per request."""
    forms_made: dict[int, type[InputSetForm]] = request.__dict__.setdefault("input_set_forms", {})
    if input_set.pk not in forms_made:
        forms_made[input_set.pk] = _make_form(request, input_set)
    return forms_made[input_set.pk]


def _make_form(request: HttpRequest, input_set: InputSet) -> type[InputSetForm]:
    """A field for every input of the process at every level."""
    boxes = typed.boxes_of(input_set.process, input_set.values)
    known = Secret.objects.values_list("name", flat=True) if may_name_secrets(request) else []
    secrets, resources = set(known), typed.resources_now()
    fields: dict[str, Any] = {}
    for box in boxes:
        fields[box.key] = typed.field_of(box, secrets, resources)
        if box.type == "secret" and allowed(request.user, "activities.change_secret"):
            fields[f"new:{box.key}"] = typed.secret_field(box)
    return type("InputSetForm", (InputSetForm,), {**fields, "boxes": boxes})


@method_decorator(sensitive_post_parameters(), name="changeform_view")
@admin.register(InputSet)
class InputSetAdmin(UsedBy, GuardedAdmin):
    """Input sets."""

    list_display = ("name", "slug", "process", "version")
    list_filter = (ProcessFilter,)
    list_select_related = ("process",)
    search_fields = ("slug", "name", "description", "process__name")
    add_fieldsets = ((None, {"fields": ("slug", "name", "process", "description")}),)
    read_fieldsets = ((None, {"fields": ("slug", "name", "process", "description", "is_complete", "as_yaml")}),)
    readonly_fields = ("is_complete", "as_yaml")
    warn_unsaved_form = False

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """An input set keeps its id and its process."""
        return (*self.readonly_fields, "slug", "process") if obj else ()

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        """A form made for this input set."""
        is_edited = obj is not None and self.has_change_permission(request, obj)
        form = form_for(request, obj) if is_edited else NewInputSetForm if obj is None else forms.ModelForm
        return super().get_form(request, obj, change=change, form=form, **kwargs)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """One part for the process and each phase and activity that declares inputs."""
        if obj is None or not self.has_change_permission(request, obj):
            return super().get_fieldsets(request, obj)
        form = form_for(request, obj)
        parts: dict[str, list[str]] = {}
        for key in form.base_fields:
            if ":" in key:
                parts.setdefault(key.removeprefix("new:").split(":")[1], []).append(key)
        busy = {"/".join(box.path) for box in form.boxes if box.value is not None or box.is_needed} | {""}
        levels = [
            (path.replace("/", " / ") or "Process", {"fields": keys, "classes": [] if path in busy else ["collapse"]})
            for path, keys in parts.items()
        ]
        head = (None, {"fields": ("slug", "name", "process", "description", "is_complete")})
        return (head, *levels, ("Further values", {"fields": ("rest",), "classes": ["collapse"]}))

    @admin.display(description="complete")
    def is_complete(self, input_set: InputSet) -> str:
        """Whether every required value is there for the latest revision, and what is missing."""
        found = completeness(input_set)
        if found.complete:
            return "Complete for the latest revision."
        items = format_html_join("", "<li>{}</li>", ((str(fault),) for fault in found.faults))
        return format_html('Incomplete:<ul class="ph-list">{}</ul>', items)

    @admin.display(description="values")
    def as_yaml(self, input_set: InputSet) -> str:
        """The values as text, for those who may only look."""
        return format_html('<pre class="ph-pre">{}</pre>', dump([input_set.values]))

    def uses_of(self, obj: Any) -> list[str]:
        """Who uses it."""
        return [str(use) for use in used_by(obj)]

    def store(self, request: HttpRequest, obj: Any, form: Any, *, change: bool, now: datetime) -> InputSet:
        """Stores new secrets under names of their own, then saves the values."""
        values = form.values()
        for box in getattr(form, "boxes", ()):
            secret = form.cleaned_data.get(f"new:{box.key}")
            if secret:
                name = _secret_name(obj.slug, box)
                set_secret(request.user, name, secret, now=now)
                typed.with_value(values, box.path, box.name, {"secret": name})
        document = {
            "kind": "InputSet",
            "id": obj.slug,
            "name": obj.name,
            "process": obj.process.slug,
            "values": values,
        }
        if obj.description:
            document["description"] = obj.description
        seen = form.cleaned_data.get("seen") if change else 0
        return save_input_set(request.user, document, now=now, expected_version=seen)[0]

    def remove(self, request: HttpRequest, obj: Any, *, now: datetime) -> None:
        """Deletes it unless something uses it."""
        delete_input_set(request.user, obj, now=now)

    def response_post_save_add(self, request: HttpRequest, obj: Any) -> HttpResponse:
        """A new input set goes on to its values."""
        return HttpResponseRedirect(self.url_of("change", obj.pk))


def _secret_name(slug: str, box: typed.Box) -> str:
    """A secret's name for one box: the one it has if it is this box's own, else the first that is free."""
    plain = "-".join([slug, *box.path, box.name.replace("_", "-")]).lower().strip("-")
    name = plain[:LONGEST_NAME].rstrip("-")
    if isinstance(box.value, dict) and box.value.get("secret") == name:
        return name
    number = 1
    while Secret.objects.filter(name=name).exists():
        number += 1
        ending = f"-{number}"
        name = plain[: LONGEST_NAME - len(ending)].rstrip("-") + ending
    return name
