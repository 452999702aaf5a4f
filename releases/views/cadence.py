"""Editing a group's cadence: rule, times and end; the next dates while typing, what saving does before it is done."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from zoneinfo import available_timezones

from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from config.errors import Conflict, Fault, InvalidInput, NotPermitted, PilothouseError
from config.pages import once, page, person, whole
from config.permissions import require
from processes.checks_calendar import check_release_group
from releases import policy
from releases.cadence import PRESETS, Preset, preset_of, rule_of
from releases.groups import Saved, export_group, preview_group, save_group
from releases.models import ReleaseGroup
from releases.reading.dates import NextDates, dates_of
from releases.views.groups import find_group

CHANGE = "releases.change_releasegroup"
DATES = 8
WEEKDAYS = {"MO": "Mon", "TU": "Tue", "WE": "Wed", "TH": "Thu", "FR": "Fri", "SA": "Sat", "SU": "Sun"}
NTH = {"1": "first", "2": "second", "3": "third", "4": "fourth", "5": "fifth", "-1": "last"}
_TEXTS = ("start", "timezone", "duration", "until", "count")
_LONGEST = 500
_BOXES = {"repeats", "weekdays", "nth", "month_day", "rrule", *_TEXTS}
_PLACES = {"kind": "repeats", "rule": "rrule", "cadence": "repeats"}


@page
@require_http_methods(["GET", "HEAD", "POST"])
def edit(request: HttpRequest, slug: str) -> HttpResponse:
    """Show the cadence as a form; POST shows what saving would do, POST `confirm` saves it."""
    group = _find(request, slug)
    if request.method != "POST":
        return _show(request, group)
    try:
        document = _document(group, request.POST)
        if "confirm" in request.POST:
            return redirect(once(request, lambda: _save(request, group, document)))
        return _show(request, group, foreseen=preview_group(person(request), document, now=timezone.now()))
    except (InvalidInput, NotPermitted, Conflict) as error:
        return _show(request, group, error=error)


@page
@require_safe
def preview(request: HttpRequest, slug: str) -> HttpResponse:
    """Answer with the next dates of what is typed so far, or with what is wrong with it."""
    group = _find(request, slug)
    try:
        context: dict[str, Any] = {"coming": _coming(_document(group, request.GET))}
    except InvalidInput as error:
        context = {"troubles": _beside(error.faults)}
    return render(request, "releases/_cadence_preview.html", {**context, "group": group})


def _find(request: HttpRequest, slug: str) -> ReleaseGroup:
    group = find_group(request, slug)
    require(person(request), CHANGE, group)
    return group


def _save(request: HttpRequest, group: ReleaseGroup, document: Mapping[str, Any]) -> str:
    expected = whole(request.POST.get("seen", ""), digits=9)
    save_group(person(request), document, now=timezone.now(), expected_version=expected)
    return reverse("groups:show", args=[group.slug])


def _document(group: ReleaseGroup, data: QueryDict) -> dict[str, Any]:
    """Return the group's document with the cadence as typed; what the form does not have stays as it was written.

    Raises InvalidInput with everything that is wrong with it.
    """
    typed = {name: data.get(name, "").strip()[:_LONGEST] for name in ("repeats", "nth", "month_day", "rrule", *_TEXTS)}
    faults: list[Fault] = []
    numbers = {name: _number(name, typed[name], faults) for name in ("nth", "month_day", "count")}
    preset = Preset(
        typed["repeats"], tuple(data.getlist("weekdays")[:7]), numbers["nth"], numbers["month_day"], typed["rrule"]
    )
    rule = ""
    try:
        rule = rule_of(preset)
    except InvalidInput as error:
        faults += error.faults
    if faults:
        raise InvalidInput(faults)
    before = {key: value for key, value in (group.body.get("cadence") or {}).items() if key != "derive"}
    given = {"rrule": rule, **{name: typed[name] for name in _TEXTS if name != "count"}, "count": numbers["count"]}
    cadence = {key: value for key, value in {**before, **given}.items() if value not in ("", None)}
    document = {**export_group(group), "cadence": cadence}
    check_release_group(document).require()
    return document


def _number(name: str, text: str, faults: list[Fault]) -> int | None:
    try:
        return int(text[:6]) if text else None
    except ValueError:
        faults.append(Fault(name, f"'{text[:40]}' is not a number.", "Write it in digits."))
        return None


def _coming(document: Mapping[str, Any]) -> NextDates:
    return dates_of(document["cadence"], after=timezone.now(), most=DATES)


def _beside(faults: Any) -> list[Fault]:
    """Return faults under the names of the form's boxes."""
    placed = [(fault.path.removeprefix("cadence."), fault) for fault in faults]
    return [Fault(_PLACES.get(path, path), fault.message, fault.cure) for path, fault in placed]


def _show(
    request: HttpRequest,
    group: ReleaseGroup,
    *,
    foreseen: Saved | None = None,
    error: PilothouseError | None = None,
) -> HttpResponse:
    """Answer with the form, with what saving would do, or with what went wrong beside its boxes."""
    rule = group.body.get("cadence") or {}
    faults = _beside(getattr(error, "faults", [Fault("", error.message)] if error else []))
    changes = foreseen.changes if foreseen else []
    seen = policy.visible_releases(request.user).filter(pk__in=[one.release_id for one in changes if one.release_id])
    known = set(seen.values_list("pk", flat=True)) if changes else set()
    shown = [one for one in changes if one.release_id is None or one.release_id in known or one.kind == "created"]
    context = {
        "group": group,
        "typed": request.POST.dict() if request.method == "POST" else _typed(rule),
        "chosen_days": request.POST.getlist("weekdays") if request.method == "POST" else _days(rule),
        "seen": request.POST.get("seen", group.version),
        "presets": PRESETS.items(),
        "weekdays": WEEKDAYS.items(),
        "nths": NTH.items(),
        "zones": sorted(available_timezones()),
        "is_derived": "derive" in rule,
        "keeps": [word for key, word in _KEPT.items() if rule.get(key)],
        "foreseen": foreseen,
        "changes": shown,
        "hidden": len(changes) - len(shown),
        "zone": str(rule.get("timezone") or "UTC"),
        "wrong": {fault.path: fault for fault in faults},
        "faults": [fault for fault in faults if fault.path not in _BOXES],
        "coming": _known(group, request),
    }
    return render(request, "releases/cadence.html", context, status=error.status if error else 200)


_KEPT = {"include": "extra dates", "exclude": "dates that are left out", "holidays": "holidays"}


def _known(group: ReleaseGroup, request: HttpRequest) -> NextDates | None:
    """Return the next dates of what the form shows; none while something is wrong with it."""
    try:
        if request.method == "POST":
            return _coming(_document(group, request.POST))
        return _coming(export_group(group)) if group.body.get("cadence") else None
    except InvalidInput:
        return None


def _typed(rule: Mapping[str, Any]) -> dict[str, str]:
    """Return a cadence as the form's boxes have it."""
    preset = _preset(rule)
    start = str(rule.get("start", ""))
    try:
        start = f"{datetime.fromisoformat(start):%Y-%m-%dT%H:%M}" if start else ""
    except ValueError:
        start = ""
    texts = {name: str(rule.get(name, "")) for name in _TEXTS}
    return {
        **texts,
        "timezone": texts["timezone"] or timezone.get_current_timezone_name(),
        "start": start,
        "repeats": preset.kind,
        "nth": str(preset.nth or ""),
        "month_day": str(preset.month_day or ""),
        "rrule": preset.rule or str(rule.get("rrule", "")),
    }


def _days(rule: Mapping[str, Any]) -> tuple[str, ...]:
    return _preset(rule).weekdays


def _preset(rule: Mapping[str, Any]) -> Preset:
    try:
        return preset_of(str(rule["rrule"])) if rule.get("rrule") else Preset("weekly")
    except InvalidInput:
        return Preset("custom", rule=str(rule["rrule"]))
