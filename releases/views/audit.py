"""The audit search: events across everything the reader may see, on a page and as a file."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from config.errors import Fault, InvalidInput
from config.models import Event
from config.pages import page, whole
from releases import forms
from releases.reading import audit as reading
from releases.reading.audit import Wanted

PAGE = 50
#: How many events a file holds at most.
MOST = 50_000
SUBJECTS = (
    "activity", "activityrun", "apitoken", "breakglass", "comment", "connection", "evidence", "feed", "freeze",
    "freezeexception", "group", "holidaycalendar", "inputset", "phaserun", "process", "release", "releasegroup",
    "resource", "secret", "signoff", "taskrun", "user",
)  # fmt: skip
COLUMNS = (
    "id", "at", "actor", "verb", "subject_type", "subject_id", "subject_name", "release", "reason", "request_id",
    "before", "after",
)  # fmt: skip
_TEXTS = {"actor": 150, "verb": 60, "subject": 40, "words": 200, "request": 64}
_BOXES = (*_TEXTS, "subject_id", "release", "since", "until")


@page
@require_safe
def show(request: HttpRequest) -> HttpResponse:
    """Show the events that the address asks for, PAGE at a time (`before` an id), the latest first."""
    try:
        wanted, faults = read(request), ()
    except InvalidInput as error:
        return _render(request, [], error.faults, status=400)
    before = whole(request.GET.get("before", ""))
    events = reading.search(reading.visible_events(request.user), wanted)
    found = list((events if before is None else reading.beyond(events, wanted, before))[: PAGE + 1])
    older = found[PAGE - 1].pk if len(found) > PAGE else None
    return _render(request, found[:PAGE], faults, older=older, is_first=before is None)


@page
@require_safe
def export(request: HttpRequest, kind: str) -> HttpResponseBase:
    """Send the events that the address asks for as a file, the latest MOST of them, while they are read."""
    try:
        wanted = read(request)
    except InvalidInput as error:
        return _render(request, [], error.faults, status=400)
    found = reading.search(reading.visible_events(request.user), wanted)
    events = reading.in_chunks(request.user, found, wanted, MOST)
    write, media = (_csv, "text/csv") if kind == "csv" else (_json, "application/json")
    headers = {"Content-Disposition": f'attachment; filename="audit-{timezone.now():%Y-%m-%d-%H%M}.{kind}"'}
    return StreamingHttpResponse(write(events), content_type=f"{media}; charset=utf-8", headers=headers)


def read(request: HttpRequest) -> Wanted:
    """Return what the address asks for. Raises InvalidInput with everything that is wrong with it."""
    faults: list[Fault] = []
    given = {name: request.GET.get(name, "").strip() for name in _BOXES}
    for name, longest in _TEXTS.items():
        if len(given[name]) > longest or "\0" in given[name]:
            faults.append(Fault(name, f"This is longer than {longest} characters, or no text.", "Shorten it."))
    numbers = {name: _number(name, given[name], faults) for name in ("subject_id", "release")}
    moments = {name: _moment(name, given[name], faults) for name in ("since", "until")}
    since, until = moments["since"], moments["until"]
    if since is not None and until is not None and since >= until:
        faults.append(Fault("until", "The end is not after the beginning.", "Choose a later one."))
    if faults:
        raise InvalidInput(faults)
    return Wanted(
        actor=given["actor"],
        verb=given["verb"],
        subject=given["subject"],
        words=given["words"],
        request=given["request"],
        subject_id=numbers["subject_id"],
        release=numbers["release"],
        since=since,
        until=until,
    )


def _render(request: HttpRequest, events: list[Event], faults: Any, *, status: int = 200, **more: Any) -> HttpResponse:
    asked = {name: value for name in _BOXES if (value := request.GET.get(name, "").strip())}
    context = {
        "rows": reading.told(request.user, events),
        "faults": faults,
        "wrong": {fault.path: fault for fault in faults},
        "asked": asked,
        "address": urlencode(asked),
        "has_more_filters": bool(set(asked) - {"words", "actor", "verb"}),
        "verbs": reading.known_verbs(),
        "subjects": SUBJECTS,
        "sees_all": reading.sees_all(request.user),
        "most": MOST,
        **more,
    }
    return render(request, "releases/audit.html", context, status=status)


def _number(name: str, text: str, faults: list[Fault]) -> int | None:
    found = whole(text.removeprefix("R-") if name == "release" else text)
    if text and found is None:
        faults.append(Fault(name, f"'{text[:40]}' is not a number.", "Write it in digits."))
    return found


def _moment(name: str, text: str, faults: list[Fault]) -> datetime | None:
    try:
        return forms.moment_of(text).astimezone(UTC) if text else None
    except (ValueError, OverflowError):
        faults.append(Fault(name, f"'{text[:40]}' is not a date and time.", "Write it like 2026-03-02T09:00."))
        return None


def _facts(event: Event) -> dict[str, Any]:
    """Return an event as a file has it, its moment in UTC."""
    return {
        "id": event.pk,
        "at": event.at.astimezone(UTC).isoformat(),
        "actor": event.actor_name,
        "verb": event.verb,
        "subject_type": event.subject_type,
        "subject_id": event.subject_id,
        "subject_name": event.subject_name,
        "release": event.release_id,
        "reason": event.reason,
        "request_id": event.request_id,
        "before": event.before,
        "after": event.after,
    }


def _csv(events: Iterator[Event]) -> Iterator[str]:
    yield ",".join(COLUMNS) + "\r\n"
    for event in events:
        line = io.StringIO()
        csv.writer(line).writerow([_cell(value) for value in _facts(event).values()])
        yield line.getvalue()


def _cell(value: Any) -> str:
    """Return a value as a cell that no spreadsheet takes for a formula."""
    text = (
        json.dumps(value, ensure_ascii=False)
        if isinstance(value, (dict, list))
        else str("" if value is None else value)
    )
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def _json(events: Iterator[Event]) -> Iterator[str]:
    yield "["
    for number, event in enumerate(events):
        yield (",\n" if number else "\n") + json.dumps(_facts(event), ensure_ascii=False)
    yield "\n]\n"
