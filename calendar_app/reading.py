"""Which releases a page of the calendar is about: those its reader may see and wants, between two moments."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from colorsys import rgb_to_hls
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache, reduce
from operator import or_
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Coalesce

from calendar_app.filters import Cursor
from config.trail import Actor
from processes.models import ProcessRevision
from releases import policy
from releases.health import UNDER_WAY
from releases.models import Booking, Participant
from releases.reading.freezes import visible_groups

Wanted = Mapping[str, tuple[str, ...]]
#: The angles (0 to 1) of the calendar's ten hues, `g0` to `g9` in calendar.css; each is readable in both themes.
_ANGLES = (0.617, 0.467, 0.773, 0.070, 0.545, 0.928, 0.220, 0.689, 0.123, 0.0)
_GREY = 0.12
_COLOR = re.compile(r"#[0-9a-fA-F]{6}")


@lru_cache(maxsize=1024)
def hue_of(group_id: int, color: str) -> str:
    """Return the class of a group's colour: the nearest of the ten hues, or one of them by its number without one."""
    if not _COLOR.fullmatch(color):
        return f"g{group_id % len(_ANGLES)}"
    red, green, blue = (int(color[at : at + 2], 16) / 255 for at in (1, 3, 5))
    angle, _, saturation = rgb_to_hls(red, green, blue)
    if saturation < _GREY:
        return "g-none"
    apart = [min(abs(angle - other), 1 - abs(angle - other)) for other in _ANGLES]
    return f"g{apart.index(min(apart))}"


@dataclass(frozen=True, slots=True)
class Band:
    """A release group as the calendar knows it."""

    pk: int
    slug: str
    name: str
    process_id: int
    process: str
    cadence: Mapping[str, Any]
    color: str = ""

    @property
    def hue(self) -> str:
        """The class of its colour."""
        return hue_of(self.pk, self.color)

    @property
    def short(self) -> str:
        """Two or three letters that stand for it: `customer-web` is CW, `train` TRA."""
        parts = [part for part in self.slug.replace("_", "-").split("-") if part]
        letters = "".join(part[0] for part in parts[:3]) if len(parts) > 1 else self.slug[:3]
        return letters.upper()

    @property
    def zone(self) -> str:
        """The zone of its cadence; empty without one."""
        return str(self.cadence.get("timezone") or "")


def groups_for(actor: Actor) -> list[Band]:
    """Return the groups that `actor` may know, by name."""
    columns = ("pk", "slug", "name", "process_id", "process__slug", "body__cadence", "color")
    rows = visible_groups(actor).order_by("name", "pk").values_list(*columns)
    return [
        Band(pk, slug, name, process_id, process, cadence if isinstance(cadence, Mapping) else {}, color)
        for pk, slug, name, process_id, process, cadence, color in rows
    ]


def releases_between(actor: Actor, wanted: Wanted, since: datetime, until: datetime, *, now: datetime) -> QuerySet[Any]:
    """Return the releases that `actor` may see and wants, and that last at some time between two moments.

    A release lasts for as long as it was planned, or ran when it was not; one under way at least until now. Each has
    `begins_at`, and the list is in that order.
    """
    planned = Q(planned_start_at__lt=until) & (Q(planned_end_at__gt=since) | Q(planned_start_at__gte=since))
    unplanned = Q(planned_start_at=None, started_at__lt=until)
    unplanned &= Q(finished_at__gt=since) | Q(started_at__gte=since)
    found = planned | unplanned
    if since < now:
        found |= Q(state__in=UNDER_WAY) & (Q(planned_start_at__lt=until) | Q(planned_start_at=None))
    releases = policy.visible_releases(actor).filter(found, *_filters(wanted))
    return releases.annotate(begins_at=Coalesce("planned_start_at", "started_at")).order_by("begins_at", "pk")


def after(releases: QuerySet[Any], cursor: Cursor | None) -> QuerySet[Any]:
    """Return those releases that stand after a place in their order."""
    if cursor is None:
        return releases
    later = Q(begins_at__gt=cursor.begins_at) | Q(begins_at=cursor.begins_at, pk__gt=cursor.pk)
    return releases.filter(later)


def _filters(wanted: Wanted) -> Iterable[Q]:
    if groups := wanted.get("group"):
        yield Q(group__slug__in=groups)
    if states := wanted.get("state"):
        yield Q(state__in=states)
    if kinds := wanted.get("kind"):
        yield reduce(or_, (Q(group__isnull=kind != "series") if kind in _KINDS else _NONE for kind in kinds))
    if resources := wanted.get("resource"):
        yield Q(Exists(_booked([f"resource:{name}" for name in resources])))
    if owners := wanted.get("owner"):
        yield _owned_by(owners)
    if tags := wanted.get("tag"):
        yield Q(process__in=[pk for pk, own in tags_of_processes().items() if own & set(tags)])


_KINDS, _NONE = ("series", "ad-hoc"), Q(pk__in=())


def _booked(whats: Iterable[str]) -> QuerySet[Booking]:
    return Booking.objects.filter(release=OuterRef("pk"), what__in=list(whats))


def _owned_by(owners: Iterable[str]) -> Q:
    """Return whether somebody (`user:ann`, `group:qa`) owns something in a release, or will."""
    names = list(owners)
    kinds: dict[str, list[str]] = {"user": [], "group": []}
    for name in names:
        kind, _, bare = name.partition(":")
        kinds.get(kind, []).append(bare)
    part = Participant.objects.filter(
        Q(user__username__in=kinds["user"]) | Q(group__name__in=kinds["group"]), release=OuterRef("pk")
    )
    booked = [name for name in names if name.startswith(("user:", "group:"))]
    return Q(Exists(_booked(booked))) | Q(Exists(part))


def tags_of_processes() -> dict[int, set[str]]:
    """Return the tags of every published process, as of its latest revision. One query, which reads long documents."""
    latest = ProcessRevision.objects.order_by("process_id", "-number").distinct("process_id")
    rows = latest.values_list("process_id", "document__tags")
    return {pk: set(map(str, tags)) for pk, tags in rows if isinstance(tags, list)}
