"""A release group as a form: what it runs, when, and by which rules."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from django import forms
from django.contrib.auth.models import Group, User
from django.http import HttpRequest
from unfold.widgets import UnfoldAdminTextInputWidget, UnfoldBooleanSwitchWidget

from config.admin.forms import FaultForm
from config.errors import InvalidInput
from config.permissions import visible, visible_by_any
from processes.admin.fields import NamesField
from processes.admin.filters import SHOWN_BY
from processes.days_off import places
from processes.models import InputSet, Process
from releases.admin.cadence_fields import CadenceFields, beside_fields, choice, shown, text_box, written
from releases.models import HolidayCalendar, ReleaseGroup

COLUMNS = ("kind", "id", "name", "description", "color", "process", "input_set")
RULES = ("auto_start", "overlap", "start_deadline")
MOST_SUGGESTED = 300
_OVERLAPS = (
    ("", "Allow (the default): both run"),
    ("allow", "Allow: both run"),
    ("queue", "Queue: the later one waits"),
    ("skip", "Skip: the later one is missed"),
)
_KEYS = {
    "release_version": "version",
    "release_name": "release_name",
    "owners": "owners",
    "overlap": "overlap",
    "start_deadline": "start_deadline",
}
_SEEN_BY = [f"releases.{verb}_releasegroup" for verb in ("view", "change", "delete", "operate")]


class ReleaseGroupForm(CadenceFields, FaultForm):
    """A release group. `judge`, if there is one, says whether what is right so far is to be saved."""

    color = forms.CharField(
        label="Colour",
        required=False,
        max_length=20,
        widget=UnfoldAdminTextInputWidget(attrs={"placeholder": "#2563eb"}),
        help_text="# and six hexadecimal digits: the calendar draws it in the nearest of its ten hues, which are "
        "readable in light and dark. Empty: one of them.",
    )
    release_name = text_box(
        "Name of releases", "Train ${{ date(start, '%Y-%m-%d') }}", "Empty: the group's name and the day."
    )
    release_version = text_box("Version of releases", "1.${{ sequence }}.0", "May use sequence, start and date().")
    owners = NamesField(help_text="Who is asked when a release of it cannot start: group:name or user:name.")
    auto_start = forms.BooleanField(
        label="Starts by itself",
        required=False,
        widget=UnfoldBooleanSwitchWidget,
        help_text="At its planned time; otherwise somebody starts it.",
    )
    overlap = choice("When one is still running", _OVERLAPS)
    start_deadline = text_box(
        "Latest start", "4h", "So long after its planned start it may still start, then is missed."
    )

    class Meta:
        model = ReleaseGroup
        fields = ("slug", "name", "description", "process", "input_set")

    places: ClassVar[dict[str, str]] = {"id": "slug", "version": "release_version"}
    request: HttpRequest
    judge: ClassVar[Callable[[Any], bool] | None] = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        body = self.instance.body
        self.initial.update({name: shown(body.get(key)) for name, key in _KEYS.items()})
        self.initial.update(color=self.instance.color, auto_start=body.get("auto_start", True))
        self.show_cadence(body.get("cadence") or {})
        if "process" in self.fields:
            self._offer()

    def clean(self) -> dict[str, Any]:
        """What the cadence's fields do not say gets its fault there."""
        given = super().clean()
        self.check_cadence()
        return given

    def is_valid(self) -> bool:
        """Whether it may be saved; `judge` is asked last."""
        judge = type(self).judge
        return super().is_valid() and (judge is None or judge(self))

    def document(self) -> dict[str, Any]:
        """The group's document as typed; what was not touched stays as it was written."""
        given, own = self.cleaned_data, self.instance
        named = {"kind": "ReleaseGroup", "id": own.slug, "name": own.name, "process": own.process.slug}
        optional = {"description": own.description, "color": given["color"]}
        named |= {key: value for key, value in optional.items() if value}
        if own.input_set is not None:
            named["input_set"] = own.input_set.slug
        body = written(own.body, {key: given[name] for name, key in _KEYS.items() if name in self.changed_data})
        if "auto_start" in self.changed_data:
            body = {key: value for key, value in body.items() if key != "auto_start"}
            body |= {} if given["auto_start"] else {"auto_start": False}
        before = own.body.get("cadence") or {}
        cadence = self.cadence(before)
        body = {key: value for key, value in body.items() if key != "cadence"}
        return {**body, **named, **({"cadence": cadence} if cadence else {})}

    def beside_fields(self, error: InvalidInput) -> InvalidInput:
        """A service's refusal with its faults where they were typed."""
        return beside_fields(error, is_custom=self.cleaned_data["repeats"] == "custom")

    def _offer(self) -> None:
        own, user = self.instance, self.request.user
        processes = visible_by_any(user, SHOWN_BY, Process.objects.all())
        sets = visible(user, "processes.view_inputset", InputSet.objects.all())
        for field, rows, chosen in (("process", processes, own.process_id), ("input_set", sets, own.input_set_id)):
            known = rows.model._default_manager.filter(pk__in=[*rows.values_list("pk", flat=True), chosen or 0])
            self.fields[field].queryset = known  # type: ignore[attr-defined]
        others = visible_by_any(user, _SEEN_BY, ReleaseGroup.objects.exclude(pk=own.pk)).values_list("slug", "name")
        parent = self.initial["derive_group"]
        offered = [("", "---------"), *((slug, f"{name} ({slug})") for slug, name in others)]
        kept = [(parent, parent)] if parent and parent not in dict(offered) else []
        self.fields["derive_group"].choices = [*offered, *kept]  # type: ignore[attr-defined]
        imported = HolidayCalendar.objects.values_list("slug", "name")
        self.fields["holiday_calendar"].widget.choices = [*imported, *places().items()]
        people = User.objects.filter(is_active=True).order_by("username").values_list("username", flat=True)
        teams = Group.objects.order_by("name").values_list("name", flat=True)
        names = [*(f"group:{name}" for name in teams), *(f"user:{name}" for name in people[:MOST_SUGGESTED])]
        self.fields["owners"].suggest(names)  # type: ignore[attr-defined]
