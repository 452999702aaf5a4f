"""Release groups as pages show them: what each plans and how that is doing, its next dates, its releases."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import Count, F, QuerySet, Window
from django.db.models.functions import RowNumber

from config.errors import InvalidInput
from config.permissions import allowed, visible_by_any
from config.trail import Actor
from releases import policy
from releases.cadence import cadence_in_words
from releases.findings import Finding
from releases.health import UNDER_WAY, with_health
from releases.models import Release, ReleaseGroup
from releases.reading.before_start import Standing, standings_of_many
from releases.reading.dates import NextDate, next_dates

SEEN_BY = [f"releases.{verb}_releasegroup" for verb in ("view", "change", "operate", "delete")]
#: How many of a group's next releases its health in the list is about.
NEXT = 5
#: How many releases of each kind a group's page shows beside its dates.
MOST = 20


def visible_groups(actor: Actor) -> QuerySet[ReleaseGroup]:
    """Return the groups that `actor` may look at, work on or operate."""
    return visible_by_any(actor, SEEN_BY, ReleaseGroup.objects.all())


def may_see(actor: Actor, group: ReleaseGroup) -> bool:
    """Return whether `actor` may see a group: the same for one."""
    return any(allowed(actor, permission, group) for permission in SEEN_BY)


@dataclass(slots=True)
class Overview:
    """A group at a glance: `stopped` of the `looked` next scheduled releases have something that stops them."""

    group: ReleaseGroup
    words: str
    next_at: datetime | None = None
    planned: int = 0
    under_way: int = 0
    looked: int = 0
    stopped: int = 0


def overviews(actor: Actor, groups: Sequence[ReleaseGroup]) -> list[Overview]:
    """Return groups at a glance, as far as `actor` may see their releases; two queries for all of them."""
    found = {group.pk: Overview(group, words_of(group)) for group in groups}
    releases = policy.visible_releases(actor).filter(group__in=found).order_by()
    running = releases.filter(state__in=UNDER_WAY).values_list("group").annotate(Count("pk"))
    for pk, count in running:
        found[pk or 0].under_way = count
    place = Window(RowNumber(), partition_by=F("group"), order_by=[F("planned_start_at").asc(), F("pk").asc()])
    total = Window(Count("pk"), partition_by=F("group"))
    scheduled = releases.filter(state="scheduled").annotate(place=place, total=total).filter(place__lte=NEXT)
    columns = ("group", "place", "total", "planned_start_at", "findings")
    for pk, number, count, starts_at, findings in scheduled.values_list(*columns):
        one = found[pk or 0]
        one.planned, one.looked = count, one.looked + 1
        one.stopped += any(finding["stops"] for finding in findings)
        one.next_at = starts_at if number == 1 else one.next_at
    return list(found.values())


def words_of(group: ReleaseGroup) -> str:
    """Return a group's cadence as a sentence without a full stop; empty for a group without one."""
    rule = group.body.get("cadence")
    return cadence_in_words(rule) if rule else ""


@dataclass(slots=True)
class Planned:
    """A release of a group with what would stop it, as last looked at, as its reader may see that."""

    release: Release
    stops: list[Standing] = field(default_factory=list)


@dataclass(slots=True)
class DateRow:
    """One of a group's next dates, with its release; `is_moved` when that has been given another time by hand.

    `is_hidden` says that there is a release for it that the reader may not see.
    """

    date: NextDate
    planned: Planned | None = None
    is_hidden: bool = False

    @property
    def is_moved(self) -> bool:
        """Whether the release starts at another time than the cadence says."""
        return self.planned is not None and self.planned.release.planned_start_at != self.date.starts_at


@dataclass(slots=True)
class GroupDetail:
    """A group's page. `trouble` says why its dates cannot be told, if they cannot."""

    words: str
    timezone: str
    trouble: str = ""
    rows: list[DateRow] = field(default_factory=list)
    under_way: list[Release] = field(default_factory=list)
    others: list[Planned] = field(default_factory=list)
    recent: list[Release] = field(default_factory=list)


def group_detail(actor: Actor, group: ReleaseGroup, *, now: datetime, dates: int) -> GroupDetail:
    """Return a group's next dates and its releases, those that `actor` may see; the same few queries for any number."""
    detail = GroupDetail(words_of(group), group.zone)
    found: list[NextDate] = []
    try:
        found = next_dates(actor, group, after=now, most=dates).dates
    except InvalidInput as error:
        detail.trouble = error.message
    own = with_health(policy.visible_releases(actor).filter(group=group))
    releases = own.select_related("process", "revision", "group")
    shown = {one.pk: one for one in releases.filter(pk__in=[date.release for date in found if date.release])}
    waiting = releases.filter(state__in=("scheduled", "draft", "missed")).exclude(pk__in=shown)
    if len(found) == dates:  # later dates are left out, and their releases with them
        waiting = waiting.exclude(state="scheduled", occurs_at__gt=found[-1].occurs_at)
    others = list(waiting.order_by(F("planned_start_at").asc(nulls_last=True), "pk")[:MOST])
    planned = {one.release.pk: one for one in _planned(actor, [*shown.values(), *others])}
    dated = [(date, planned.get(date.release or 0)) for date in found]
    made = Release.objects.filter(group=group, occurs_at__in=[date.occurs_at for date in found])
    taken = set(made.values_list("occurs_at", flat=True))
    detail.rows = [DateRow(date, one, one is None and date.occurs_at in taken) for date, one in dated]
    detail.others = [planned[one.pk] for one in others]
    detail.under_way = list(releases.filter(state__in=UNDER_WAY).order_by("started_at", "pk")[:MOST])
    detail.recent = list(releases.filter(finished_at__isnull=False).order_by("-finished_at", "-pk")[:MOST])
    return detail


def _planned(actor: Actor, releases: Iterable[Release]) -> list[Planned]:
    rows = list(releases)
    lists = [[Finding.from_json(one) for one in _stops(release)] for release in rows]
    return [
        Planned(release, standings) for release, standings in zip(rows, standings_of_many(actor, lists), strict=True)
    ]


def _stops(release: Release) -> list[dict[str, Any]]:
    """Return what would stop a release that may still start; findings of one that was called off are history."""
    return [one for one in release.findings if one["stops"]] if release.state == "scheduled" else []
