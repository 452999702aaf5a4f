"""Releases in the calendar: where thousands of them stand, and all that a tile says of the few hundred that are drawn.

1. `spots_of` reads when each release is, on the wall of the calendar's zone, and nothing else.
2. They are laid out; most of thousands become a number.
3. `enter` reads the rest of those that are drawn.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib.postgres.fields import ArrayField
from django.db import connection
from django.db.models import (
    BigIntegerField,
    BooleanField,
    Case,
    DateTimeField,
    Expression,
    F,
    Func,
    Q,
    QuerySet,
    Value,
    When,
)
from django.db.models.functions import Coalesce, Greatest

from calendar_app.grid import in_words
from calendar_app.movable import MayPlan
from calendar_app.reading import Band, hue_of
from config.trail import Actor
from releases.health import UNDER_WAY, with_health
from releases.models import Release

_DATE = re.compile(r"\s*\b\d{4}-(\d\d-\d\d|W\d\d)\b")
_COLUMNS = (
    "pk", "name", "version", "state", "health", "begins_at", "is_planned", "group_id", "process_id", "process__name",
    "edits", "created_by_id", "is_stopped",
)  # fmt: skip
#: Groups that own are left out: they own nearly everything, and a mark on everything marks nothing.
_CLASHING = """
    SELECT DISTINCT mine.release_id
      FROM releases_booking mine JOIN releases_release release ON release.id = mine.release_id,
           LATERAL (
               SELECT 1 FROM releases_booking held JOIN releases_release r ON r.id = held.release_id
                WHERE held.what = mine.what AND held.during && mine.during AND held.release_id <> mine.release_id
                  AND (release.group_id IS NULL OR r.group_id IS DISTINCT FROM release.group_id) LIMIT 1) other
     WHERE mine.release_id = ANY(%(releases)s) AND release.finished_at IS NULL
       AND (mine.what LIKE 'resource:%%' OR mine.what LIKE 'user:%%')"""


@dataclass(slots=True)
class Spot:
    """When a release is, on the wall of the calendar's zone; `entry` is the rest of it, once it is to be drawn."""

    pk: int
    group_id: int | None
    starts: datetime
    ends: datetime
    color: str = ""
    entry: Entry | None = None

    @property
    def hue(self) -> str:
        """The class of its group's colour."""
        return "g-none" if self.group_id is None else hue_of(self.group_id, self.color)


@dataclass(frozen=True, slots=True)
class Entry:
    """A release in the calendar. `starts` and `ends` are on the wall of the calendar's zone."""

    pk: int
    title: str
    state: str
    health: str
    begins_at: datetime
    starts: datetime
    ends: datetime
    group: Band | None
    process: str
    edits: int
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
        end = self.ends.isoformat()[:16] if self.ends > self.starts else ""
        return self.starts.isoformat()[:16], end

    @property
    def words(self) -> str:
        """From when to when, as people say it."""
        return in_words(self.starts, self.ends)


def spots_of(releases: QuerySet[Any], *, zone: ZoneInfo, now: datetime, most: int) -> list[Spot]:
    """Return when releases (of `reading.releases_between`) are, at most `most` of them. One query.

    One under way lasts at least until now. The database does the reckoning: for thousands it is far faster at it.
    """
    planned = Coalesce("planned_end_at", "finished_at", F("begins_at"))
    late = Greatest(planned, Value(now, DateTimeField()))
    ends = Case(When(state__in=UNDER_WAY, then=late), default=Greatest(planned, F("begins_at")))
    walls = releases.annotate(wall_starts=_on_wall(F("begins_at"), zone), wall_ends=_on_wall(ends, zone))
    rows = walls.values_list("pk", "group_id", "wall_starts", "wall_ends", "group__color")[:most]
    return [
        Spot(pk, group, starts, ends if ends > starts else starts, color or "")
        for pk, group, starts, ends, color in rows
    ]


def _on_wall(moment: F | Expression, zone: ZoneInfo) -> Func:
    return Func(
        moment, Value(str(zone)), template="(%(expressions)s)", arg_joiner=" AT TIME ZONE ", output_field=_MOMENT
    )


_MOMENT = DateTimeField()


def enter(actor: Actor, spots: Iterable[Spot], groups: Iterable[Band]) -> None:
    """Read the rest of these releases into their spots; a few queries for any number."""
    wanted = {spot.pk: spot for spot in spots}
    if not wanted:
        return
    stops = Q(state="scheduled", findings__contains=[{"stops": True}])
    releases = with_health(Release.objects.filter(_among(list(wanted))).order_by()).annotate(
        begins_at=Coalesce("planned_start_at", "started_at"),
        is_planned=Q(planned_start_at__isnull=False),
        is_stopped=Case(When(stops, then=Value(value=True)), default=Value(value=False), output_field=BooleanField()),
    )
    known, may, clashes = {one.pk: one for one in groups}, MayPlan(actor), _clashing(list(wanted))
    for values in releases.values_list(*_COLUMNS):
        row = dict(zip(_COLUMNS, values, strict=True))
        spot = wanted[row["pk"]]
        is_movable = row["is_planned"] and may.plan(row)
        spot.entry = _entry(row, spot, known.get(row["group_id"] or 0), is_movable, row["pk"] in clashes)


def _among(pks: list[int]) -> Func:
    """Return the condition that a release is one of these: one parameter, however many they are."""
    among = Value(pks, ArrayField(BigIntegerField()))
    return Func(F("pk"), among, template="(%(expressions)s))", arg_joiner=" = ANY(", output_field=BooleanField())


def _entry(row: Mapping[str, Any], spot: Spot, group: Band | None, is_movable: bool, is_clashing: bool) -> Entry:
    return Entry(
        pk=row["pk"],
        title=f"{row['name']} {row['version']}".strip(),
        state=row["state"],
        health=row["health"],
        begins_at=row["begins_at"],
        starts=spot.starts,
        ends=spot.ends,
        group=group,
        process=row["process__name"],
        edits=row["edits"],
        is_movable=is_movable,
        is_stopped=row["is_stopped"],
        is_clashing=is_clashing,
    )


def _clashing(pks: list[int]) -> set[int]:
    """Return which of these, if they are not over, share a resource or a person who owns with one of another group."""
    with connection.cursor() as cursor:
        cursor.execute(_CLASHING, {"releases": pks})
        return {pk for (pk,) in cursor.fetchall()}
