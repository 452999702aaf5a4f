"""Imported calendars and the cadences that others stand on, read from the database for those who reckon with them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import date
from typing import Any

from django.db.models import QuerySet

from activities.fields import searchable
from releases.models import Holiday, ReleaseGroup

Document = Mapping[str, Any]


def load_calendars(slugs: Collection[str]) -> dict[str, dict[date, str]]:
    """Return the days off of imported calendars, each with its name, by calendar; an id of none is left out."""
    found: dict[str, dict[date, str]] = {}
    if not slugs:
        return found
    days = Holiday.objects.filter(calendar__slug__in=slugs).order_by("on")
    for slug, on, name in days.values_list("calendar__slug", "on", "name"):
        found.setdefault(slug, {})[on] = name
    return found


def parents_of(cadence: Document) -> dict[str, Document]:
    """Return the cadences of the groups that a derived cadence stands on, by group, up to the one with a rule.

    A group that is missing, or has no cadence, ends the chain; so does one that stands on itself.
    """
    found: dict[str, Document] = {}
    slug = parent_in(cadence)
    while slug and slug not in found:
        parent = ReleaseGroup.objects.filter(slug=slug).values_list("body__cadence", flat=True).first()
        if not isinstance(parent, Mapping):
            break
        found[slug] = parent
        slug = parent_in(parent)
    return found


def parent_in(cadence: Document) -> str:
    """Return the group that a cadence is derived from, or nothing."""
    return str((cadence.get("derive") or {}).get("group") or "")


def calendars_in(cadences: Iterable[Document]) -> set[str]:
    """Return the calendars that cadences name: imported ones, and those that the library knows."""
    named = ((cadence.get("holidays") or {}).get("calendar") for cadence in cadences)
    return {str(name) for name in named if name}


def groups_on_calendar(slug: str) -> QuerySet[ReleaseGroup]:
    """Return the groups whose dates depend on a calendar: their cadence names it, or is derived from one that does."""
    return with_derived(set(groups_naming_calendar(slug).values_list("slug", flat=True)))


def with_derived(slugs: set[str]) -> QuerySet[ReleaseGroup]:
    """Return the named groups and those whose dates derive from theirs, to any depth. One query per level."""
    groups = ReleaseGroup.objects.alias(found=searchable("body"))
    reached: set[str] = set()
    level = slugs
    while level - reached:
        reached |= level
        level = set(groups.filter(found__cadence__derive__group__in=sorted(level)).values_list("slug", flat=True))
    return ReleaseGroup.objects.filter(slug__in=reached)


def groups_naming_calendar(slug: str) -> QuerySet[ReleaseGroup]:
    """Return the groups whose own cadence names a calendar."""
    return ReleaseGroup.objects.alias(found=searchable("body")).filter(found__cadence__holidays__calendar=slug)
