"""A freeze as a form: pickers for its scope, fields for its window; and the form that stops the line."""

from __future__ import annotations

import zoneinfo
from collections.abc import Iterator, Mapping
from typing import Any

from django import forms
from django.http import HttpRequest
from unfold.widgets import (
    UnfoldAdminSelectWidget,
    UnfoldAdminSplitDateTimeWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from config.admin.forms import FaultForm
from config.errors import Fault, InvalidInput
from processes.admin.fields import NamesField
from processes.models import Process, Resource
from releases.freezes import DRAIN, HOLD
from releases.models import Freeze, ReleaseGroup

SCOPE = ("everything", "groups", "processes", "resources", "services", "environments", "tags")
WINDOW = ("start", "timezone", "end", "duration", "until_lifted", "rrule")
IN_FLIGHT = [("", "Drain (the default): it goes on"), (DRAIN, "Drain: it goes on"), (HOLD, "Hold: nothing opens")]
_EMPTY: tuple[Any, ...] = (None, "", [], False)


def _text(label: str, example: str, words: str) -> forms.CharField:
    widget = UnfoldAdminTextInputWidget(attrs={"placeholder": example})
    return forms.CharField(label=label, required=False, max_length=500, widget=widget, help_text=words)


def _zones() -> list[tuple[str, str]]:
    return [("", "---------"), *((zone, zone) for zone in sorted(zoneinfo.available_timezones()))]


class ScopeFields(forms.Form):
    """What may not start. Every kind that names something has to match, of its ids any."""

    everything = forms.BooleanField(required=False, widget=UnfoldBooleanSwitchWidget)
    groups = NamesField(label="Release groups")
    processes = NamesField()
    resources = NamesField(help_text="Services and environments alike.")
    services = NamesField()
    environments = NamesField()
    tags = NamesField(help_text="Of activities, phases and processes.")

    def suggest(self) -> None:
        """Offers what there is; whoever writes freezes may know all of it."""
        resources = list(Resource.objects.values_list("slug", "type"))
        known = {
            "groups": ReleaseGroup.objects.values_list("slug", flat=True),
            "processes": Process.objects.values_list("slug", flat=True),
            "resources": [slug for slug, _ in resources],
            "services": [slug for slug, kind in resources if kind == Resource.Type.SERVICE],
            "environments": [slug for slug, kind in resources if kind == Resource.Type.ENVIRONMENT],
        }
        for name, slugs in known.items():
            if name in self.fields:
                self.fields[name].suggest(slugs)  # type: ignore[attr-defined]


class StopForm(ScopeFields):
    """Stopping the line."""

    reason = forms.CharField(widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}), max_length=5000)
    until = forms.SplitDateTimeField(
        required=False,
        widget=UnfoldAdminSplitDateTimeWidget,
        help_text="In UTC; empty: until somebody lifts it.",
    )

    def scope(self) -> dict[str, Any]:
        """The scope as typed."""
        return {key: self.cleaned_data[key] for key in SCOPE if self.cleaned_data[key]}


class FreezeForm(ScopeFields, FaultForm):
    """A freeze."""

    start = _text("Start", "2026-12-20T00:00", "Of the first window, on the clock of its zone.")
    timezone = forms.ChoiceField(label="Time zone", choices=_zones, required=False, widget=UnfoldAdminSelectWidget)
    end = _text("End", "2027-01-04T08:00", "Of a window that happens once; or say how long it lasts.")
    duration = _text("Duration", "2d12h", "How long each window lasts.")
    until_lifted = forms.BooleanField(
        label="Until it is lifted", required=False, widget=UnfoldBooleanSwitchWidget, help_text="It has no end."
    )
    rrule = _text("Recurs", "FREQ=WEEKLY;BYDAY=FR", "A recurrence rule; empty for a window that happens once.")
    in_flight = forms.ChoiceField(
        label="What already runs", choices=IN_FLIGHT, required=False, widget=UnfoldAdminSelectWidget
    )

    class Meta:
        model = Freeze
        fields = ("slug", "name", "description")

    places = {"id": "slug", "scope": "everything", "window": "start"}
    request: HttpRequest

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        body = self.instance.body
        for part, keys in _PARTS.items():
            self.initial.update({key: _shown(body.get(part, {}).get(key)) for key in keys})
        self.initial["in_flight"] = body.get("in_flight", "")
        self.suggest()

    def document(self) -> dict[str, Any]:
        """The freeze's document as typed; what was not touched stays as it was written."""
        own = self.instance
        scope, window = (dict(self._typed(own.body.get(part, {}), keys)) for part, keys in _PARTS.items())
        body = {**own.body, "scope": scope, "window": window}
        flight = dict(self._typed(own.body, ("in_flight",)))
        body = {key: value for key, value in body.items() if key != "in_flight"} | flight
        named = {"kind": "Freeze", "id": own.slug, "name": own.name}
        return {**body, **named, **({"description": own.description} if own.description else {})}

    def _typed(self, before: Mapping[str, Any], keys: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
        for key in sorted(keys, key=lambda one: (one not in before, list(before).index(one) if one in before else 0)):
            if key in before and key not in self.changed_data:
                yield key, before[key]
            elif self.cleaned_data[key] not in _EMPTY:
                yield key, self.cleaned_data[key]


_PARTS = {"scope": SCOPE, "window": WINDOW}


def _shown(value: Any) -> Any:
    """A length in seconds may be written as a number."""
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def beside_fields(error: InvalidInput) -> InvalidInput:
    """The same faults under the names of the form's fields: `scope.groups[0]` is `groups[0]`."""
    faults = []
    for fault in error.faults:
        part, _, rest = fault.path.partition(".")
        faults.append(Fault(rest if part in _PARTS and rest else fault.path, fault.message, fault.cure))
    return InvalidInput(faults, code=error.code)
