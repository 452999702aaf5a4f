"""The calendar: releases by month, week, day and quarter, and as a list; freezes and days off behind them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any
from zoneinfo import ZoneInfo

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from calendar_app import drawing, filters, grid, reading
from calendar_app.drawing import Scene
from calendar_app.entries import Spot, enter, spots_of
from calendar_app.filters import Asked, Cursor
from calendar_app.off import days_off, frosts_between
from calendar_app.periods import VIEWS, Period, period_of
from calendar_app.reading import Band
from config.errors import Fault
from config.pages import page, person
from config.permissions import groups_of, visible_by_any
from processes.models import Process, Resource
from releases.views.planning import startable_processes

#: How many releases the list shows at a time.
PAGE = 60
#: More releases than this are not laid out at once; the page says so.
MOST = 20_000
#: How many releases of the chosen day stand below a month on a phone.
PICKED = 40
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
        context = {**_around(request, asked, period, groups), "zone": zone}
        context |= _body(request, asked, period, groups, ZoneInfo(zone))
        if request.headers.get("HX-Target") == "div#calendar":
            return render(request, "calendar_app/_body.html", context)
        context |= {**_tools(request, asked, period, groups, chosen), "own_zone": own, "theirs": theirs}
        return render(request, "calendar_app/calendar.html", context)


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


def _around(request: HttpRequest, asked: Asked, period: Period, groups: list[Band]) -> dict[str, Any]:
    """Return what the calendar needs beside what is in it: where its links lead, and what it leaves out."""
    return {
        "asked": asked,
        "period": period,
        "address": asked.address(),
        "here": asked.address(after=asked.after),
        "as_list": asked.address(view="list"),
        "chips": _chips(asked, groups),
        "bare": asked.bare,
        "may_create": startable_processes(person(request)).exists(),
    }


def _tools(
    request: HttpRequest, asked: Asked, period: Period, groups: list[Band], chosen: list[Band]
) -> dict[str, Any]:
    """Return what stands above the calendar: its views, the way through time, and its filters."""
    user = person(request)
    resources = visible_by_any(user, ["processes.view_resource", "processes.change_resource"], Resource.objects.all())
    processes = Process.objects.filter(pk__in={one.process_id for one in groups}).order_by()
    tags = {tag for own in processes.values_list("body__tags", flat=True) for tag in own or ()}
    mine = [f"user:{user.get_username()}", *(f"group:{name}" for name in sorted(groups_of(user)))]
    is_mine = set(asked.wanted.get("owner", ())) == set(mine)
    return {
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
        "suggested": {
            "resource": list(resources.values_list("slug", flat=True)[:SUGGESTED]),
            "owner": mine,
            "tag": sorted(map(str, tags))[:SUGGESTED],
        },
        "mine": asked.address(owner=() if is_mine else tuple(mine)),
        "is_mine": is_mine,
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
    most = MOST
    if asked.view == "list":
        releases, most = reading.after(releases, asked.after), PAGE
    spots = spots_of(releases, zone=zone, now=now, most=most + 1)
    chosen = _chosen(asked, groups) if asked.wanted.get("group") else None
    frosts = frosts_between(user, since, until, chosen, zone=zone, now=now)
    off = days_off(groups if chosen is None else chosen, period.first, period.until)
    ways = asked.address(view="day"), asked.address()
    scene = Scene(asked, period, groups, spots[:most], frosts, off, zone, grid.on_wall(now, zone), *ways)
    context, drawn = _DRAWN[asked.view](scene)
    enter(user, drawn, groups)
    context |= {"scene": scene, "is_cut": len(spots) > most and asked.view != "list"}
    if asked.view == "list" and len(spots) > most and (last := spots[most - 1].entry):
        context["more"] = asked.address(after=Cursor(last.begins_at, last.pk))
    return context


Drawn = tuple[dict[str, Any], Iterable[Spot]]


def _month(scene: Scene) -> Drawn:
    day = scene.asked.day
    chosen = [one for one in scene.spots if grid.touches(one, day, day)]
    weeks = drawing.weeks_of(scene)
    drawn = [bar.item for week in weeks for bar in week.releases.bars]
    picked = chosen[:PICKED]
    frozen = drawing.joined(scene.freezes, day, 1)[:PICKED]
    return {"weeks": weeks, "picked": picked, "picked_count": len(chosen), "frozen": frozen}, [*drawn, *picked]


def _hours(scene: Scene) -> Drawn:
    band, hours = drawing.band_of(scene), drawing.hours_of(scene)
    drawn = [bar.item for bar in band.releases.bars]
    drawn += [block.item for one in hours for block in one.releases.blocks]
    return {"band": band, "hours": hours, "axis": [f"{hour:02}:00" for hour in range(1, 24)]}, drawn


def _quarter(scene: Scene) -> Drawn:
    today = (scene.now.date() - scene.period.first).days
    lines = drawing.lines_of(scene)
    shown = lines[:LINES]
    context = {
        "lines": shown,
        "line_count": len(lines),
        "weeks": [(on, scene.asked.address(view="week", day=on)) for on in scene.period.weeks],
        "freezes": drawing.freezes_in(scene),
        "months": drawing.months_in(scene.period),
        "now_at": grid.place(today, 1) if 0 <= today < len(scene.period.days) else "",
    }
    return context, [bar.item for line in shown if line.row for bar in line.row.bars]


def _list(scene: Scene) -> Drawn:
    spots, period = scene.spots, scene.period
    is_later, is_full = scene.asked.after is not None and spots, len(spots) == PAGE
    since = max(period.first, spots[0].starts.date()) if is_later else period.first
    until = spots[-1].starts.date() if is_full else period.ends
    return {"agenda": drawing.agenda_of(scene, since, max(since, until))}, spots


_DRAWN: dict[str, Callable[[Scene], Drawn]] = {
    "month": _month,
    "week": _hours,
    "day": _hours,
    "quarter": _quarter,
    "list": _list,
}
