"""What a person's home shows beside the inbox: what is under way, the next days, and what has just finished."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import groupby

from django.db.models import F, Func, IntegerField, QuerySet, Value
from django.utils import timezone

from config.trail import Actor
from releases import policy
from releases.findings import Finding
from releases.health import FAILING, ON_HOLD, UNDER_WAY, WAITING, with_health
from releases.models import Release
from releases.reading.before_start import Standing, standings_of_many
from releases.reading.columns import listed

#: How many releases each part shows, and how far it looks.
MOST_UNDER_WAY, MOST_COMING, MOST_FINISHED = 12, 40, 10
AHEAD, BACK = timedelta(days=7), timedelta(hours=24)
_URGENCY = (FAILING, ON_HOLD, WAITING)


@dataclass(slots=True)
class Coming:
    """A release that is planned, with what would stop it; `is_late` when it should have started already."""

    release: Release
    stops: list[Standing] = field(default_factory=list)
    is_late: bool = False

    @property
    def starts_by_itself(self) -> bool:
        """Whether it starts at its time without anybody's doing."""
        group = self.release.group
        return group is None or group.body.get("auto_start", True) is not False


@dataclass(slots=True)
class Day:
    """The releases planned for one day of the reader; without a day, those that should have started already."""

    on: date | None
    coming: list[Coming]


@dataclass(slots=True)
class Home:
    """The releases that matter to a person now; `more_…` when there are others than those shown."""

    under_way: list[Release]
    days: list[Day]
    finished: list[Release]
    more_under_way: bool = False
    more_coming: bool = False


def home_of(actor: Actor, *, now: datetime) -> Home:
    """Return what `actor`'s home shows of the releases they may see, days in the current zone; the same few queries."""
    visible = listed(policy.visible_releases(actor))
    running = list(_by_urgency(visible)[: MOST_UNDER_WAY + 1])
    planned = visible.filter(state="scheduled", planned_start_at__lt=now + AHEAD).order_by("planned_start_at", "pk")
    coming = list(planned[: MOST_COMING + 1])
    finished = visible.filter(finished_at__gte=now - BACK).order_by(F("finished_at").desc(nulls_last=True), "-pk")
    return Home(
        under_way=running[:MOST_UNDER_WAY],
        days=_days(actor, coming[:MOST_COMING], now),
        finished=list(finished[:MOST_FINISHED]),
        more_under_way=len(running) > MOST_UNDER_WAY,
        more_coming=len(coming) > MOST_COMING,
    )


def _by_urgency(visible: QuerySet[Release]) -> QuerySet[Release]:
    """Return what is under way, the worst health first, then what started last."""
    place = Func(Value(list(_URGENCY)), F("health"), function="array_position", output_field=IntegerField())
    return with_health(visible.filter(state__in=UNDER_WAY)).order_by(place, "-started_at", "-pk")


def _days(actor: Actor, releases: Iterable[Release], now: datetime) -> list[Day]:
    rows = list(releases)
    found = [[Finding.from_json(one) for one in release.findings if one["stops"]] for release in rows]
    standings = standings_of_many(actor, found)
    coming = [
        Coming(release, stops, is_late=bool(release.planned_start_at and release.planned_start_at < now))
        for release, stops in zip(rows, standings, strict=True)
    ]
    return [Day(on, list(some)) for on, some in groupby(coming, _day_of)]


def _day_of(one: Coming) -> date | None:
    at = one.release.planned_start_at
    return None if one.is_late or at is None else timezone.localtime(at).date()
