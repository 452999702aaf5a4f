"""The calendar: releases by month, week, day and quarter, and as a list; freezes and days off behind them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from calendar_app import drawing, filters, grid, reading
from calendar_app.drawing import Scene
from calendar_app.filters import Asked, Cursor
from calendar_app.off import days_off, frosts_between
from calendar_app.periods import VIEWS, Period, period_of
from calendar_app.reading import Band
from config.errors import Fault
from config.pages import page, person
from config.permissions import visible_by_any
from processes.models import Resource
from releases.views.planning import startable_processes

#: How many releases the list shows at a time.
PAGE = 100
#: How many names a box suggests.
SUGGESTED = 200
#: How many rows a quarter has at most.
LINES = 60
_OWNERS = ("user:", "group:")


@page
@require_safe
def show(request: HttpRequest) -> HttpResponse:
    """Show the view, day and filters that the address names, in the reader's zone or, if it says so, the group's."""
    groups = reading.groups_for(request.user)
    asked = filters.read(request.GET, today=timezone.localdate())
    chosen = _chosen(asked, groups)
    asked = replace(asked, faults=[*asked.faults, *_faults(asked, chosen)])
    own, theirs = timezone.get_current_timezone_name(), _zone_of(chosen)
    zone = theirs if asked.zone and theirs else own
    with timezone.override(ZoneInfo(zone)):
        period = period_of(asked.view, asked.day)
        context = {**_frame(request, asked, period, groups, chosen), "zone": zone, "own_zone": own, "theirs": theirs}
        context |= _body(request, asked, period, groups, ZoneInfo(zone))
        is_part = request.headers.get("HX-Target") == "div#calendar"
        template = "calendar_app/_body.html" if is_part else "calendar_app/calendar.html"
        return render(request, template, context)


def _chosen(asked: Asked, groups: list[Band]) -> list[Band]:
    return [one for one in groups if one.slug in asked.wanted.get("group", ())]


def _zone_of(chosen: list[Band]) -> str:
    """Return the zone of the one group that is chosen; empty if there is none, or several."""
    try:
        return str(ZoneInfo(chosen[0].zone)) if len(chosen) == 1 and chosen[0].zone else ""
    except (KeyError, ValueError, OSError):
        return ""


def _faults(asked: Asked, chosen: list[Band]) -> list[Fault]:
    known = {one.slug for one in chosen}
    faults = [
        Fault("group", f"There is no release group '{slug[:64]}', or you may not see it.")
        for slug in asked.wanted.get("group", ())
        if slug not in known
    ]
    return faults + [
        Fault("owner", f"'{name[:64]}' is no owner.", "Write it like user:ann or group:qa.")
        for name in asked.wanted.get("owner", ())
        if not name.startswith(_OWNERS)
    ]


def _frame(
    request: HttpRequest, asked: Asked, period: Period, groups: list[Band], chosen: list[Band]
) -> dict[str, Any]:
    """Return what stands around the calendar: where its links lead, and its filters."""
    user = person(request)
    resources = visible_by_any(user, ["processes.view_resource", "processes.change_resource"], Resource.objects.all())
    tags = reading.tags_of_processes()
    of_groups = {one.process_id for one in groups}
    mine = [f"user:{user.get_username()}", *(f"group:{name}" for name in user.groups.values_list("name", flat=True))]
    is_mine = set(asked.wanted.get("owner", ())) == set(mine)
    return {
        "asked": asked,
        "period": period,
        "address": asked.address(),
        "here": asked.address(after=asked.after),
        "as_list": asked.address(view="list"),
        "kept": [(name, value) for name in ("resource", "owner", "tag") for value in asked.wanted.get(name, ())],
        "views": [(name, words, asked.address(view=name)) for name, words in VIEWS.items()],
        "previous": asked.address(day=period.previous),
        "next": asked.address(day=period.next),
        "today": asked.address(day=timezone.localdate()),
        "zones": (asked.address(zone=""), asked.address(zone="group")),
        "groups": groups,
        "chosen": chosen,
        "states": filters.STATES.items(),
        "kinds": filters.KINDS.items(),
        "chips": _chips(asked, groups),
        "bare": asked.bare,
        "suggested": {
            "resource": list(resources.values_list("slug", flat=True)[:SUGGESTED]),
            "owner": mine,
            "tag": sorted({tag for pk, own in tags.items() if pk in of_groups for tag in own})[:SUGGESTED],
        },
        "mine": asked.address(owner=() if is_mine else tuple(mine)),
        "is_mine": is_mine,
        "may_create": startable_processes(user).exists(),
    }


def _chips(asked: Asked, groups: list[Band]) -> list[tuple[str, str, str]]:
    """Return the filters that are set: which, its value in words, and the address without it."""
    words = {**filters.STATES, **filters.KINDS, **{one.slug: one.name for one in groups}}
    return [
        (name, words.get(value, value) if name in ("group", "state", "kind") else value, asked.without(name, value))
        for name, values in asked.wanted.items()
        for value in values
    ]


def _body(request: HttpRequest, asked: Asked, period: Period, groups: list[Band], zone: ZoneInfo) -> dict[str, Any]:
    now, user = timezone.now(), request.user
    since, until = grid.at_midnight(period.first, zone), grid.at_midnight(period.until, zone)
    releases = reading.releases_between(user, asked.wanted, since, until, now=now)
    most = reading.MOST
    if asked.view == "list":
        releases, most = reading.after(releases, asked.after), PAGE
    entries = reading.entries_of(user, releases, groups, zone=zone, now=now, most=most + 1)
    chosen = _chosen(asked, groups) if asked.wanted.get("group") else None
    frosts = frosts_between(user, since, until, chosen, zone=zone, now=now)
    off = days_off(groups if chosen is None else chosen, period.first, period.until)
    scene = Scene(asked, period, entries[:most], frosts, off, zone, grid.on_wall(now, zone))
    return {**_DRAWN[asked.view](scene, len(entries) > most), "scene": scene}


def _month(scene: Scene, is_more: bool) -> dict[str, Any]:
    chosen = [one for one in scene.entries if grid.touches(one, scene.asked.day, scene.asked.day)]
    return {"weeks": drawing.weeks_of(scene), "chosen_entries": chosen, "is_cut": is_more}


def _hours(scene: Scene, is_more: bool) -> dict[str, Any]:
    return {
        "band": drawing.band_of(scene),
        "hours": drawing.hours_of(scene),
        "axis": [f"{hour:02}:00" for hour in range(1, 24)],
        "is_cut": is_more,
    }


def _quarter(scene: Scene, is_more: bool) -> dict[str, Any]:
    today = (scene.now.date() - scene.period.first).days
    is_here = 0 <= today < len(scene.period.days)
    lines = drawing.lines_of(scene)
    return {
        "lines": lines[:LINES],
        "line_count": len(lines),
        "weeks": [(on, scene.asked.address(view="week", day=on)) for on in scene.period.weeks],
        "freezes": drawing.freezes_in(scene),
        "months": drawing.months_in(scene.period),
        "now_at": grid.place(today, 1) if is_here else "",
        "is_cut": is_more,
    }


def _list(scene: Scene, is_more: bool) -> dict[str, Any]:
    last = scene.entries[-1] if scene.entries else None
    first = scene.entries[0] if scene.asked.after and scene.entries else None
    since = max(scene.period.first, first.starts.date()) if first else scene.period.first
    until = last.starts.date() if last and is_more else scene.period.until - timedelta(days=1)
    more = scene.asked.address(after=Cursor(last.begins_at, last.pk)) if last and is_more else ""
    return {"agenda": drawing.agenda_of(scene, since, until), "more": more, "is_cut": False}


_DRAWN = {"month": _month, "week": _hours, "day": _hours, "quarter": _quarter, "list": _list}
