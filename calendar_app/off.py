"""What the calendar draws behind the releases: times of freezes, and the days off of the groups' calendars."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import F, Q

from calendar_app.grid import in_words, on_wall
from calendar_app.reading import Band
from config.trail import Actor
from processes.days_off import is_imported, name_faults, year_off
from releases.calendars import calendars_in
from releases.models import FreezeWindow, Holiday
from releases.reading.freezes import visible_freezes

MOST_FREEZES = 1_000


@dataclass(frozen=True, slots=True)
class Frost:
    """A time that a freeze applies, on the wall of the calendar's zone; `is_open` until it is lifted."""

    freeze_id: int
    name: str
    starts: datetime
    ends: datetime
    is_open: bool

    @property
    def words(self) -> str:
        """From when to when, as people say it."""
        return (
            f"{in_words(self.starts, self.starts)} until it is lifted"
            if self.is_open
            else in_words(self.starts, self.ends)
        )


def frosts_between(
    actor: Actor, since: datetime, until: datetime, groups: Iterable[Band] | None, *, zone: ZoneInfo, now: datetime
) -> list[Frost]:
    """Return the times of freezes that `actor` may know of; of `groups` alone, if given, what may concern them."""
    lasting = Q(ends_at=None) | Q(ends_at__gt=since)
    windows = FreezeWindow.objects.filter(lasting, starts_at__lt=until, freeze__in=visible_freezes(actor))
    rows = windows.exclude(lifted_at__lte=F("starts_at")).exclude(lifted_at__lte=since)
    columns = ("freeze_id", "freeze__name", "freeze__body", "starts_at", "ends_at", "lifted_at")
    only = None if groups is None else list(groups)
    found = []
    for pk, name, body, starts_at, ends_at, lifted_at in rows.values_list(*columns)[:MOST_FREEZES]:
        if only is not None and not _may_concern(body.get("scope") or {}, only):
            continue
        end = min((moment for moment in (ends_at, lifted_at) if moment), default=max(until, now))
        starts = on_wall(starts_at, zone)
        found.append(Frost(pk, name, starts, max(starts, on_wall(end, zone)), ends_at is None and lifted_at is None))
    return found


def _may_concern(scope: Mapping[str, Any], groups: Iterable[Band]) -> bool:
    """Return whether a freeze may concern one of these groups: it is left out if it names others."""
    named, processes = set(scope.get("groups") or ()), set(scope.get("processes") or ())
    return any((not named or one.slug in named) and (not processes or one.process in processes) for one in groups)


@dataclass(frozen=True, slots=True)
class DayOff:
    """A day off, and the calendars that have it."""

    name: str
    calendars: tuple[str, ...]


def days_off(groups: Iterable[Band], first: date, until: date) -> dict[date, list[DayOff]]:
    """Return the days off of the calendars that these groups' cadences name, by day. At most one query."""
    names = calendars_in(group.cadence for group in groups)
    found: dict[date, dict[str, list[str]]] = {}
    for name in sorted(names):
        if is_imported(name) or name_faults(name):
            continue
        for year in range(first.year, until.year + 1):
            for day, title in year_off(name, year).named.items():
                if first <= day < until:
                    found.setdefault(day, {}).setdefault(title, []).append(name)
    own = [name for name in names if is_imported(name)]
    days = Holiday.objects.filter(calendar__slug__in=own, on__gte=first, on__lt=until).order_by("on", "calendar__slug")
    for day, title, slug in days.values_list("on", "name", "calendar__slug") if own else ():
        found.setdefault(day, {}).setdefault(title, []).append(slug)
    return {
        day: [DayOff(title, tuple(calendars)) for title, calendars in titles.items()]
        for day, titles in sorted(found.items())
    }
