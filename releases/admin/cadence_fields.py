"""A cadence as fields of a form: presets, days, an end, days off, or dates derived from another group.

What was not touched stays in the document as it was written: only the keys of fields that changed are written anew.
"""

from __future__ import annotations

import zoneinfo
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from django import forms
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelect2Widget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from config.errors import Fault, InvalidInput
from releases.cadence import PRESETS, Preset, preset_of, rule_of

DERIVED = "derived"
RULE = ("repeats", "weekdays", "nth", "month_day", "rrule", "derive_group", "derive_offsets")
TIMES = ("start", "timezone", "duration", "ends", "until", "count")
EXCEPTIONS = ("include", "exclude", "holiday_calendar", "holiday_roll", "holiday_weekends")
_PLAIN = ("start", "timezone", "duration", "include", "exclude")
_DERIVE = {"derive_group": "group", "derive_offsets": "offsets"}
_HOLIDAYS = {"holiday_calendar": "calendar", "holiday_roll": "roll", "holiday_weekends": "weekends"}
_WEEKDAYS = {
    "MO": "Monday", "TU": "Tuesday", "WE": "Wednesday", "TH": "Thursday", "FR": "Friday", "SA": "Saturday",
    "SU": "Sunday",
}  # fmt: skip
_NTH = ("", "first", "second", "third", "fourth", "fifth")
_ROLLS = (
    ("", "Keep it (the default)"),
    ("keep", "Keep it"),
    ("skip", "Skip it"),
    ("next_working_day", "Move it to the next working day"),
    ("previous_working_day", "Move it to the working day before"),
)
_ENDS = (("", "Never"), ("until", "On a day"), ("count", "After a number of releases"))
_PARTS = {"kind": "repeats", "rule": "rrule"}
#: Paths of the document with another name in the form; the longest that fits counts.
_PLACES = {
    "cadence.derive": "derive_group",
    "cadence.derive.group": "derive_group",
    "cadence.derive.offsets": "derive_offsets",
    "cadence.holidays": "holiday_calendar",
    **{f"{above}holidays.{key}": name for name, key in _HOLIDAYS.items() for above in ("cadence.", "")},
}


class _Picker(UnfoldAdminTextInputWidget):
    """A box of one of the browser's own kinds: `date`, `datetime-local`."""

    def __init__(self, kind: str, when: str = "") -> None:
        super().__init__(attrs={"data-when": when} if when else {})
        self.input_type = kind


class SuggestingInput(UnfoldAdminTextInputWidget):
    """A text box with suggestions; anything else may be typed. `choices` are values with words."""

    choices: Iterable[tuple[str, str]] = ()

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        """The box and its list."""
        listed = f"{name}-suggestions"
        box = super().render(name, value, {**(attrs or {}), "list": listed}, renderer)
        options = format_html_join("", '<option value="{}">{}</option>', self.choices)
        return format_html('{}<datalist id="{}">{}</datalist>', box, listed, options)


class MomentField(forms.CharField):
    """A moment on the clock of the cadence's zone: `2026-01-08T09:00`; or just a day."""

    def __init__(self, *, is_day: bool = False, when: str = "", **kwargs: Any) -> None:
        super().__init__(required=False, widget=_Picker("date" if is_day else "datetime-local", when), **kwargs)
        self.is_day = is_day

    def prepare_value(self, value: Any) -> str:
        """As browsers want it."""
        return self._written(value)

    def clean(self, value: Any) -> str:
        """As documents have it."""
        return self._written(super().clean(value))

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Whether it is another moment, however written."""
        return self._written(initial) != self._written(data)

    def _written(self, value: Any) -> str:
        text = str(value or "").strip()
        try:
            found = datetime.fromisoformat(text)
        except ValueError:
            return text
        if self.is_day:
            return found.date().isoformat()
        return found.isoformat(timespec="auto" if found.second or found.microsecond else "minutes")


class LinesField(forms.CharField):
    """Several texts, one on each line or between commas."""

    def __init__(self, example: str, *, when: str = "", **kwargs: Any) -> None:
        attrs = {"rows": 3, "placeholder": example, "spellcheck": "false", "data-when": when}
        super().__init__(required=False, widget=UnfoldAdminTextareaWidget(attrs=attrs), **kwargs)

    def prepare_value(self, value: Any) -> str:
        """One on each line."""
        return str(value or "") if not isinstance(value, list) else "\n".join(map(str, value))

    def clean(self, value: Any) -> list[str]:
        """The texts, each once."""
        return _lines(super().clean(value))

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Whether they are others."""
        return [str(one) for one in initial or []] != _lines(data or "")


def text_box(label: str, example: str, words: str, *, when: str = "") -> forms.CharField:
    """A box for a short text, `when` other fields have certain values (see admin.js)."""
    widget = UnfoldAdminTextInputWidget(attrs={"placeholder": example, "data-when": when})
    return forms.CharField(label=label, required=False, max_length=1000, widget=widget, help_text=words)


def choice(label: str, choices: Any, words: str = "", *, when: str = "") -> forms.ChoiceField:
    """A box to choose one from."""
    widget = UnfoldAdminSelectWidget(attrs={"data-when": when})
    return forms.ChoiceField(label=label, choices=choices, required=False, widget=widget, help_text=words)


def number(label: str, words: str, *, when: str) -> forms.IntegerField:
    """A box for a whole number."""
    widget = UnfoldAdminIntegerFieldWidget(attrs={"data-when": when})
    return forms.IntegerField(label=label, required=False, widget=widget, help_text=words)


def _zones() -> list[tuple[str, str]]:
    return [("", "---------"), *((zone, zone) for zone in sorted(zoneinfo.available_timezones()))]


def _nths() -> list[tuple[str, str]]:
    ahead = [(str(at), f"The {_NTH[at]}") for at in range(1, 6)]
    back = [("-1", "The last"), *((f"-{at}", f"The {_NTH[at]} from the end") for at in range(2, 6))]
    return [("", "---------"), *ahead, *back]


class CadenceFields(forms.Form):
    """When releases are due. `cadence` gives the document's cadence as typed."""

    repeats = choice(
        "Repeats", [("", "No cadence"), *PRESETS.items(), (DERIVED, "On dates derived from another group's")]
    )
    weekdays = forms.MultipleChoiceField(
        choices=list(_WEEKDAYS.items()),
        required=False,
        widget=UnfoldAdminCheckboxSelectMultipleWidget(
            attrs={"data-when": "repeats: weekly every_two_weeks monthly_by_weekday quarterly_by_weekday"}
        ),
        help_text="None: the weekday of the start. By weekday of a month: exactly one.",
    )
    nth = forms.TypedChoiceField(
        label="Which of the month",
        choices=_nths,
        required=False,
        coerce=int,
        empty_value=None,
        widget=UnfoldAdminSelectWidget(attrs={"data-when": "repeats: monthly_by_weekday quarterly_by_weekday"}),
    )
    month_day = number(
        "Day of the month",
        "1 to 31, or -1 for the last; empty: the day of the start.",
        when="repeats: monthly_by_date quarterly_by_date",
    )
    rrule = text_box(
        "Rule", "FREQ=YEARLY;BYMONTH=3,9;BYDAY=1TU", "A recurrence rule (RFC 5545).", when="repeats: custom"
    )
    derive_group = choice("Derived from", [], "The group whose dates these depend on.", when=f"repeats: {DERIVED}")
    derive_offsets = LinesField(
        "-1 WE\n-6 working days",
        label="Offsets",
        help_text="From each of its dates, one on each line: -1 WE is the Wednesday before.",
        when=f"repeats: {DERIVED}",
    )
    start = MomentField(
        label="Start",
        help_text="The first day and the time of day, on the clock of the zone. Derived dates take only the time.",
    )
    timezone = forms.ChoiceField(label="Time zone", choices=_zones, required=False, widget=UnfoldAdminSelect2Widget)
    duration = text_box("Duration", "2d", "How long each release is planned to take: 2d, 1h30m.")
    ends = choice("Ends", _ENDS)
    until = MomentField(
        label="Last day", is_day=True, when="ends: until", help_text="The last day on which one may start."
    )
    count = number("Number of releases", "After so many it ends.", when="ends: count")
    include = LinesField("2026-12-24", label="Extra dates", help_text="One on each line.")
    exclude = LinesField("2026-08-06", label="Dates left out", help_text="One on each line.")
    holiday_calendar = forms.CharField(
        label="Holidays of",
        required=False,
        max_length=64,
        widget=SuggestingInput(attrs={"placeholder": "DE-BY"}),
        help_text="A country, a part of it (DE-BY) or an exchange (NYSE), or an imported calendar.",
    )
    holiday_roll = choice("On a holiday", _ROLLS)
    holiday_weekends = forms.BooleanField(
        label="Weekends too", required=False, widget=UnfoldBooleanSwitchWidget, help_text="They count as holidays."
    )

    rule: str = ""

    def show_cadence(self, cadence: Mapping[str, Any]) -> None:
        """Fills the fields from a document's cadence."""
        self.initial.update({key: shown(cadence.get(key)) for key in _PLAIN})
        self.initial.update(until=cadence.get("until"), count=cadence.get("count"))
        for part, names in (("derive", _DERIVE), ("holidays", _HOLIDAYS)):
            self.initial.update({name: cadence.get(part, {}).get(key) for name, key in names.items()})
        self.initial["ends"] = next((key for key in ("until", "count") if key in cadence), "")
        self.initial["repeats"] = DERIVED if "derive" in cadence else ""
        if "rrule" in cadence:
            found = preset_of(cadence["rrule"])
            self.initial.update(repeats=found.kind, weekdays=list(found.weekdays), nth=shown(found.nth))
            self.initial.update(month_day=found.month_day, rrule=found.rule.strip())

    def check_cadence(self) -> None:
        """Puts a fault beside each field that does not say enough."""
        typed = self.cleaned_data
        ends = typed.get("ends") or ""
        if ends and typed.get(ends) in (None, "") and ends not in self.errors:
            self.add_error(ends, "Say when it ends.")
        stray = [key for key in ("until", "count") if key in self.changed_data and typed.get(key) and not ends]
        if stray:
            self.add_error("ends", f"'{self.fields[stray[0]].label}' is filled in. Choose it here, or empty it.")
        kind = typed.get("repeats") or ""
        if not kind and any(typed.get(key) for key in (*RULE, *TIMES, *EXCEPTIONS) if key in self.changed_data):
            self.add_error("repeats", "Say how it repeats, or empty the other fields of the cadence.")
        if kind in PRESETS:
            self._read_rule(kind)

    def _read_rule(self, kind: str) -> None:
        typed = self.cleaned_data
        preset = Preset(
            kind, tuple(typed.get("weekdays") or ()), typed.get("nth"), typed.get("month_day"), typed.get("rrule") or ""
        )
        try:
            self.rule = rule_of(preset)
        except InvalidInput as error:
            for fault in error.faults:
                place = _PARTS.get(fault.path, fault.path)
                self.add_error(place, str(Fault("", fault.message, fault.cure)))

    def cadence(self, before: Mapping[str, Any]) -> dict[str, Any]:
        """The document's cadence as typed, on top of how it was written; empty for none."""
        typed, changed = self.cleaned_data, set(self.changed_data)
        kind = typed["repeats"]
        if not kind:
            return {}
        found = written(before, {key: typed[key] for key in _PLAIN if key in changed})
        if kind == DERIVED:
            found = {**found, "rrule": None, "derive": self._part(before, "derive", _DERIVE)}
        elif "rrule" not in before or changed & set(RULE):
            found = {**found, "rrule": self.rule, "derive": None}
        if changed & {"ends", "until", "count"}:
            ends = {"until": None, "count": None} | ({typed["ends"]: typed[typed["ends"]]} if typed["ends"] else {})
            found = {**found, **ends}
        if changed & set(_HOLIDAYS):
            has_some = any(typed[name] for name in _HOLIDAYS)
            found = {**found, "holidays": self._part(before, "holidays", _HOLIDAYS) if has_some else None}
        return {key: value for key, value in found.items() if value is not None}

    def _part(self, before: Mapping[str, Any], part: str, names: Mapping[str, str]) -> dict[str, Any]:
        typed = {key: self.cleaned_data[name] for name, key in names.items() if name in self.changed_data}
        return written(before.get(part) or {}, typed)


def written(before: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """A mapping with changes; what they leave empty goes."""
    return {key: value for key, value in {**before, **changes}.items() if key not in changes or not _is_empty(value)}


def beside_fields(error: InvalidInput, *, is_custom: bool) -> InvalidInput:
    """The same faults under the names of the form's fields; a preset's rule has its fault at `repeats`."""
    rule = {"cadence.rrule": "rrule" if is_custom else "repeats"}
    places = {**_PLACES, **rule, "cadence": "repeats"}
    return InvalidInput([_placed(fault, places) for fault in error.faults], code=error.code)


def _placed(fault: Fault, places: Mapping[str, str]) -> Fault:
    for path in sorted(places, key=len, reverse=True):
        rest = fault.path.removeprefix(path)
        if fault.path == path or (path != "cadence" and fault.path.startswith(path) and rest[0] in ".["):
            return Fault(places[path] + rest, fault.message, fault.cure)
    return Fault(fault.path.removeprefix("cadence."), fault.message, fault.cure)


def _is_empty(value: Any) -> bool:
    return value is None or value is False or value in ("", [], {})


def shown(value: Any) -> Any:
    """A length in seconds may be written as a number; boxes hold text."""
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def _lines(text: str) -> list[str]:
    found = (one.strip() for one in text.replace(",", "\n").splitlines())
    return list(dict.fromkeys(one for one in found if one))
