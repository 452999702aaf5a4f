"""Starting a release: every value with where it comes from, overrides checked beside it, and what stands in the way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from config.errors import Conflict, Fault, InvalidInput, NotPermitted, PilothouseError
from config.pages import once, page, person
from releases import forms, policy, reading
from releases.forms import Field
from releases.models import Freeze, FreezeException, Release
from releases.reading import Standing
from releases.services import exempting, gates, starting
from releases.services.preflight import preflight
from releases.views.frame import find_release

#: Findings that the page shows in another place: with the values, or as what stops the start now.
_ELSEWHERE = {"not_published", "inputs", "secret_missing", "frozen", "late", "debt", "overlap", "no_start_by_itself"}
#: How long an exception lasts unless its asker says otherwise.
LASTS = timedelta(days=1)


@dataclass(slots=True)
class Level:
    """The inputs of the process (no path), a phase or an activity; `is_open` shows them from the start."""

    path: str
    name: str
    fields: list[Field]

    @property
    def is_open(self) -> bool:
        """Whether it has a fault or something typed to show."""
        return not self.path or any(box.faults or box.text for box in self.fields)


@dataclass(slots=True)
class Stop:
    """Something that stops the start now; for a freeze, with the exception that has been asked from it."""

    standing: Standing
    freeze: Freeze | None = None
    asked: FreezeException | None = None


@dataclass(slots=True)
class Trouble:
    """What went wrong with a posted form: of `break_glass`, of an exception from a freeze (its id), or of the start."""

    verb: str = ""
    faults: Sequence[Fault] = field(default=())
    status: int = 200

    @property
    def by_path(self) -> dict[str, Fault]:
        """The faults by the box that they are about."""
        return {fault.path: fault for fault in self.faults}


@page
@require_http_methods(["GET", "HEAD", "POST"])
def start(request: HttpRequest, pk: int) -> HttpResponse:
    """Show what a release would start with and what stops it.

    POST `check` looks again, POST `start` starts it, POST `break_glass` starts it in spite of what stops it.
    """
    release = _find(request, pk)
    if release.state not in ("draft", "scheduled"):
        return redirect("releases:show", pk)
    preview = starting.preview_start(release, {}, now=timezone.now())
    if request.method != "POST":
        return _show(request, release, preview)
    given, unread = read_levels(preview.expanded, request.POST)
    preview = starting.preview_start(release, given, now=timezone.now())
    verb = next((verb for verb in ("start", "break_glass") if verb in request.POST), "")
    if unread or preview.resolved.faults or not verb:
        return _show(request, release, preview, unread)
    try:
        return redirect(once(request, lambda: _start(request, release, given)))
    except (InvalidInput, NotPermitted, Conflict) as error:
        return _show(request, release, preview, trouble=_trouble(verb, error))


@page
@require_http_methods(["GET", "HEAD", "POST"])
def ask_exception(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask that a release may start in spite of a freeze, and go back to its start."""
    release = _find(request, pk)
    if request.method != "POST" or release.state not in ("draft", "scheduled"):
        return redirect("releases:start", pk)
    try:
        return redirect(once(request, lambda: _ask(request, release)))
    except (InvalidInput, NotPermitted, Conflict) as error:
        preview = starting.preview_start(release, {}, now=timezone.now())
        trouble = _trouble(request.POST.get("freeze", ""), error)
        return _show(request, release, preview, trouble=trouble, is_checked=False)


def _find(request: HttpRequest, pk: int) -> Release:
    release = find_release(request, pk)
    policy.require_start(request.user, release.process, release.group)
    return release


def _trouble(verb: str, error: PilothouseError) -> Trouble:
    if isinstance(error, gates.Stopped):
        return Trouble(verb, [Fault("", "It did not start.", "What stands in its way is below.")], error.status)
    return Trouble(verb, getattr(error, "faults", [Fault("", error.message)]), error.status)


def _show(
    request: HttpRequest,
    release: Release,
    preview: starting.Preview,
    unread: Sequence[Fault] = (),
    *,
    trouble: Trouble | None = None,
    is_checked: bool | None = None,
) -> HttpResponse:
    """Answer with the values and every fault: of texts that could not be read, and of what would stop the start."""
    is_checked = request.method == "POST" if is_checked is None else is_checked
    levels = levels_of(preview, request.POST if is_checked else None)
    paths = {fault.path for fault in unread}
    faults = [*unread, *(fault for fault in preview.resolved.faults if fault.path not in paths)]
    way = in_the_way(request, release, preview)
    if trouble is not None and trouble.verb not in way.get("asks", ()):
        trouble.verb = ""
    context = {
        **way,
        "may_except": True,
        "release": release,
        "revision": preview.revision,
        "levels": levels,
        "has_inner": any(level.path for level in levels),
        "faults": forms.place_faults([box for level in levels for box in level.fields], faults),
        "fault_count": len(faults),
        "trouble": trouble,
        "is_checked": is_checked,
    }
    status = trouble.status if trouble else 400 if is_checked and faults else 200
    return render(request, "releases/start.html", context, status=status)


def in_the_way(request: HttpRequest, release: Release, preview: starting.Preview) -> dict[str, Any]:
    """Return what stops the start beside its values, and what would disturb the release later."""
    if not preview.expanded["nodes"]:
        return {}
    now = timezone.now()
    found = starting.what_stands(release, preview, now=now)
    later = [one for one in preflight(release, now=now) if one.code not in _ELSEWHERE and one not in found]
    standings, notes = reading.standings_of_many(request.user, [found, later])
    stops = _stops(release, [one for one in standings if one.finding.stops])
    may_break_glass = bool(stops) and policy.may_break_glass(request.user, release)
    asks = [stop.freeze.slug for stop in stops if stop.freeze is not None]
    return {
        "stops": stops,
        "asks": [*asks, *(["break_glass"] if may_break_glass else [])],
        "notes": [*(one for one in standings if not one.finding.stops), *notes],
        "may_break_glass": may_break_glass,
        "typed": request.POST,
        "lasts_until": f"{timezone.localtime(now + LASTS):%Y-%m-%dT%H:%M}",
    }


def _stops(release: Release, standings: Sequence[Standing]) -> list[Stop]:
    """Return what stops the start, freezes with the latest exception that was asked for this release."""
    slugs = [one.finding.path for one in standings if one.finding.code == "frozen"]
    freezes = {freeze.slug: freeze for freeze in Freeze.objects.filter(slug__in=slugs)} if slugs else {}
    asked = FreezeException.objects.filter(release=release, freeze__in=freezes.values()).order_by("pk")
    latest = {exception.freeze_id: exception for exception in asked} if freezes else {}
    found = []
    for standing in standings:
        freeze = freezes.get(standing.finding.path) if standing.finding.code == "frozen" else None
        found.append(Stop(standing, freeze, latest.get(freeze.pk) if freeze else None))
    return found


def _start(request: HttpRequest, release: Release, given: Mapping[str, Any]) -> str:
    why = request.POST.get("reason", "") if "break_glass" in request.POST else None
    starting.start_release(person(request), release, now=timezone.now(), given=given, break_glass=why)
    return reverse("releases:show", args=[release.pk])


def _ask(request: HttpRequest, release: Release) -> str:
    freeze = Freeze.objects.filter(slug=request.POST.get("freeze", "").replace("\x00", "")).first()
    text, now = request.POST.get("expires_at", ""), timezone.now()
    try:
        expires_at: datetime | None = forms.moment_of(text) if text.strip() else now + LASTS
    except (ValueError, OverflowError):
        expires_at = None
    faults = [] if freeze else [Fault("", "There is no such freeze any more.")]
    if expires_at is None:
        faults.append(Fault("expires_at", f"'{text[:40]}' is not a date and time.", "Write it like 2026-03-02T09:00."))
    if freeze is None or expires_at is None:
        raise InvalidInput(faults)
    reason = request.POST.get("reason", "")
    exempting.ask_exception(person(request), freeze, reason=reason, expires_at=expires_at, release=release, now=now)
    return reverse("releases:start", args=[release.pk])


def _nodes(expanded: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the nodes whose inputs may be given at the start: the process, its phases and their activities."""
    return [
        node
        for node in expanded["nodes"]
        if node["inputs"] and node["kind"] != "for_each" and node["scope"] == 0 and node["path"].count("/") < 2
    ]


def _prefix(path: str) -> str:
    return f"{path}." if path else "inputs."


def read_levels(expanded: Mapping[str, Any], data: Mapping[str, str]) -> tuple[dict[str, Any], list[Fault]]:
    """Return what was typed, in the shape of an input set, and the faults of what could not be read."""
    given: dict[str, Any] = {}
    faults: list[Fault] = []
    for node in _nodes(expanded):
        answers = forms.read(node["inputs"], data, _prefix(node["path"]))
        faults += answers.faults
        if not answers.values:
            continue
        level = given
        phase, _, activity = node["path"].partition("/")
        if phase:
            level = level.setdefault("phases", {}).setdefault(phase, {})
        if activity:
            level = level.setdefault("activities", {}).setdefault(activity, {})
        level["inputs"] = answers.values
    return given, faults


def levels_of(preview: starting.Preview, data: Mapping[str, str] | None) -> list[Level]:
    """Return the levels with their values and sources, filled with what was typed (`data`)."""
    shown = {(line["path"], line["name"]): line for line in preview.resolved.shown}
    phases = {node["path"]: node["name"] for node in preview.expanded["nodes"] if node["kind"] == "phase"}
    levels = []
    for node in _nodes(preview.expanded):
        path, lines = node["path"], {name: shown.get((node["path"], name), {}) for name in node["inputs"]}
        boxes = forms.fields(
            node["inputs"],
            _prefix(path),
            data=data if data is not None else {},
            now={name: line.get("value") for name, line in lines.items()},
            sources={name: str(line.get("source", "unset")) for name, line in lines.items()},
        )
        phase = phases.get(path.partition("/")[0], "")
        levels.append(Level(path, f"{phase} / {node['name']}" if "/" in path else node["name"], boxes))
    return levels
