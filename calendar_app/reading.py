"""What the pages of the calendar show between two moments, in a few queries whatever their number."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from operator import or_
from typing import Any
from zoneinfo import ZoneInfo

from django.db.backends.postgresql.psycopg_any import DateTimeTZRange
from django.db.models import BooleanField, Case, Exists, OuterRef, Q, QuerySet, Value, When
from django.db.models.functions import Coalesce

from calendar_app.clashes import Held, clashing
from calendar_app.filters import Cursor
from calendar_app.grid import in_words, on_wall
from calendar_app.movable import MayPlan
from config.trail import Actor
from processes.models import ProcessRevision
from releases import policy
from releases.health import UNDER_WAY, with_health
from releases.models import Booking, Participant
from releases.reading.freezes import visible_groups

#: More releases than this are not drawn at once; the page says so.
MOST = 10_000
Wanted = Mapping[str, tuple[str, ...]]
_DATE = re.compile(r"\s*\b\d{4}-(\d\d-\d\d|W\d\d)\b")
_COLUMNS = (
    "pk", "name", "version", "state", "health", "begins_at", "planned_end_at", "finished_at", "group_id",
    "process_id", "process__name", "edits", "created_by_id", "is_stopped", "planned_start_at",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Band:
    """A release group as the calendar knows it."""

    pk: int
    slug: str
    name: str
    process_id: int
    process: str
    cadence: Mapping[str, Any]

    @property
    def hue(self) -> str:
        """The class of its colour, the same for ever."""
        return f"g{self.pk % 10}"

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


@dataclass(frozen=True, slots=True)
class Entry:
    """A release in the calendar. `starts` and `ends` are on the wall of the calendar's zone."""

    pk: int
    title: str
    state: str
    health: str
    begins_at: datetime
    ends_at: datetime | None
    starts: datetime
    ends: datetime
    group: Band | None
    process: str
    edits: int
    is_planned: bool
    is_movable: bool
    is_stopped: bool
    is_clashing: bool

    @property
    def mark(self) -> str:
        """The icon of its state, or of what stops it or of its health when that says more."""
        if self.is_stopped:
            return "stop"
        return self.state if self.health in ("", "ok") else self.health

    @property
    def state_words(self) -> str:
        """What the icon says."""
        return "Scheduled, but stopped" if self.is_stopped else self.mark.replace("_", " ").capitalize()

    @property
    def hue(self) -> str:
        """The class of its group's colour."""
        return self.group.hue if self.group else "g-none"

    @property
    def label(self) -> str:
        """Its title without the date in it: where a thing stands in a calendar says that already."""
        return _DATE.sub("", self.title).strip() or self.title

    @property
    def wall(self) -> tuple[str, str]:
        """When it starts and ends, as scripts read it; an end that is not known is empty."""
        return f"{self.starts:%Y-%m-%dT%H:%M}", f"{self.ends:%Y-%m-%dT%H:%M}" if self.ends_at else ""

    @property
    def words(self) -> str:
        """From when to when, as people say it."""
        return in_words(self.starts, self.ends)


def groups_for(actor: Actor) -> list[Band]:
    """Return the groups that `actor` may know, by name."""
    columns = ("pk", "slug", "name", "process_id", "process__slug", "body__cadence")
    rows = visible_groups(actor).order_by("name", "pk").values_list(*columns)
    return [Band(*row[:-1], row[-1] if isinstance(row[-1], Mapping) else {}) for row in rows]


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
    """Return the tags of every published process, as of its latest revision. One query."""
    latest = ProcessRevision.objects.order_by("process_id", "-number").distinct("process_id")
    rows = latest.values_list("process_id", "document__tags")
    return {pk: set(map(str, tags)) for pk, tags in rows if isinstance(tags, list)}


def entries_of(
    actor: Actor, releases: QuerySet[Any], groups: Iterable[Band], *, zone: ZoneInfo, now: datetime, most: int = MOST
) -> list[Entry]:
    """Return releases (of `releases_between`) as entries, at most `most`."""
    stops = Q(state="scheduled", findings__contains=[{"stops": True}])
    marked = with_health(releases).annotate(
        is_stopped=Case(When(stops, then=Value(value=True)), default=Value(value=False), output_field=BooleanField())
    )
    rows = [dict(zip(_COLUMNS, row, strict=True)) for row in marked.values_list(*_COLUMNS)[:most]]
    if not rows:
        return []
    known, may = {one.pk: one for one in groups}, MayPlan(actor)
    clashes = _clashing([row["pk"] for row in rows], rows[0]["begins_at"], max(_end(row, now) for row in rows))
    return [_entry(row, known.get(row["group_id"]), zone, now, may, row["pk"] in clashes) for row in rows]


def _end(row: Mapping[str, Any], now: datetime) -> datetime:
    """Return when a release ends, as planned or as it did; one under way lasts at least until now."""
    end = row["planned_end_at"] or row["finished_at"] or row["begins_at"]
    return max(end, now) if row["state"] in UNDER_WAY else max(end, row["begins_at"])


def _entry(
    row: Mapping[str, Any], group: Band | None, zone: ZoneInfo, now: datetime, may: MayPlan, clash: bool
) -> Entry:
    starts, end = on_wall(row["begins_at"], zone), _end(row, now)
    return Entry(
        pk=row["pk"],
        title=f"{row['name']} {row['version']}".strip(),
        state=row["state"],
        health=row["health"],
        begins_at=row["begins_at"],
        ends_at=end if end > row["begins_at"] else None,
        starts=starts,
        ends=max(starts, on_wall(end, zone)),
        group=group,
        process=row["process__name"],
        edits=row["edits"],
        is_planned=row["planned_start_at"] is not None,
        is_movable=row["planned_start_at"] is not None and may.plan(row),
        is_stopped=row["is_stopped"],
        is_clashing=clash,
    )


def _clashing(pks: Iterable[int], since: datetime, until: datetime) -> set[int]:
    """Return which releases share a resource or an owner with another at the same time. One query.

    Groups that own are left out: they own nearly everything, and a mark on everything marks nothing.
    """
    things = Q(what__startswith="resource:") | Q(what__startswith="user:")
    around = DateTimeTZRange(since, until, "[]")
    rows = Booking.objects.filter(things, during__overlap=around).values_list(
        "what", "during__startswith", "during__endswith", "release_id", "release__group_id"
    )
    return clashing(Held(*row) for row in rows) & set(pks)
