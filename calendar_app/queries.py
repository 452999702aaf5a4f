"""What a calendar shows: the releases its reader may see and the freezes that may touch them, in a few queries."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import User
from django.db.models import (
    DateTimeField,
    DurationField,
    Exists,
    ExpressionWrapper,
    F,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Value,
)
from django.db.models.functions import Coalesce, Greatest

from config.models import Event
from releases import policy
from releases.models import Booking, Feed, FreezeWindow, Release, ReleaseGroup
from releases.services.feeds import visible_groups

PAST = timedelta(days=90)
FUTURE = timedelta(days=400)
MOST_RELEASES = 1_500
MOST_FREEZES = 500
MOST_WINDOWS = 5_000  # looked at, to find those
UNDER_WAY = ("running", "paused")
_RESOURCES = ("resources", "services", "environments")
Touched = list[Mapping[str, frozenset[str]]]


@dataclass(frozen=True, slots=True)
class Shown:
    """Releases and times of freezes, each with `changed_at`, the moment of its last event; in the order they begin."""

    releases: list[Release]
    freezes: list[FreezeWindow]


def shown_in(feed: Feed, *, now: datetime) -> Shown:
    """Return what a feed shows its owner: PAST back and FUTURE ahead, the nearest to now if there is too much."""
    releases = _wanted(policy.visible_releases(feed.owner), feed)
    found = _nearest(_in_sight(releases, now), "begins_at", now)[:MOST_RELEASES]
    shown = sorted(found.select_related("process", "group"), key=lambda one: (vars(one)["begins_at"], one.pk))
    if feed.kind == Feed.Kind.MINE:
        return Shown(shown, [])
    group = visible_groups(feed.owner).filter(feeds=feed).select_related("process").first()
    return Shown(shown, _freezes(shown, group, now))


def _wanted(releases: QuerySet[Release], feed: Feed) -> QuerySet[Release]:
    if feed.kind == Feed.Kind.GROUP:
        return releases.filter(group=feed.group_id)
    return releases.filter(_concerns(feed.owner)) if feed.kind == Feed.Kind.MINE else releases


def _concerns(person: User) -> Q:
    """Return whether a person made or started a release, takes part in it, or will own something in it."""
    names = [
        f"user:{person.get_username()}",
        *(f"group:{name}" for name in person.groups.values_list("name", flat=True)),
    ]
    booked = Booking.objects.filter(release=OuterRef("pk"), what__in=names)
    return policy.concerns(person) | Q(Exists(booked))


def _in_sight(releases: QuerySet[Release], now: datetime) -> QuerySet[Release]:
    since, until = now - PAST, now + FUTURE
    planned = Q(planned_start_at__lt=until) & (Q(planned_end_at__gte=since) | Q(planned_start_at__gte=since))
    unplanned = Q(planned_start_at=None, started_at__gte=since)
    under_way = Q(state__in=UNDER_WAY, started_at__isnull=False)
    events = Event.objects.filter(release_id=OuterRef("pk")).order_by("-id").values("at")[:1]
    return releases.filter(planned | unplanned | under_way).annotate(
        begins_at=Coalesce("planned_start_at", "started_at"), changed_at=Coalesce(Subquery(events), "created_at")
    )


def _nearest(rows: QuerySet[Any], moment: str, now: datetime) -> QuerySet[Any]:
    at = Value(now, DateTimeField())
    ahead = ExpressionWrapper(F(moment) - at, DurationField())
    ago = ExpressionWrapper(at - F(moment), DurationField())
    nearest: QuerySet[Any] = rows.annotate(away=Greatest(ahead, ago)).order_by("away", "pk")
    return nearest


def _freezes(releases: Iterable[Release], group: ReleaseGroup | None, now: datetime) -> list[FreezeWindow]:
    """Return when freezes apply that may touch what is shown, or the group itself."""
    since, until = now - PAST, now + FUTURE
    events = Event.objects.filter(subject_type="freeze", subject_id=OuterRef("freeze_id"), release_id=None)
    windows = FreezeWindow.objects.filter(Q(ends_at=None) | Q(ends_at__gte=since), starts_at__lt=until)
    dated = windows.exclude(lifted_at__lt=since).annotate(
        changed_at=Coalesce(Subquery(events.order_by("-id").values("at")[:1]), "starts_at")
    )
    near = _nearest(dated, "starts_at", now).select_related("freeze")
    touched = _touched(releases, group)
    found = [window for window in near[:MOST_WINDOWS] if _may_touch(window.freeze.body.get("scope") or {}, touched)]
    return sorted(found[:MOST_FREEZES], key=lambda one: (one.starts_at, one.pk))


def _touched(releases: Iterable[Release], group: ReleaseGroup | None) -> Touched:
    """Return what each release has that a freeze's scope can name."""
    by_release: dict[int, set[str]] = {}
    rows = list(releases)
    booked = Booking.objects.filter(release__in=[one.pk for one in rows], what__startswith="resource:")
    for pk, what in booked.values_list("release_id", "what"):
        by_release.setdefault(pk, set()).add(what.removeprefix("resource:"))
    found = {
        (one.group.slug if one.group else "", one.process.slug, frozenset(by_release.get(one.pk, ()))) for one in rows
    }
    if group is not None:
        found.add((group.slug, group.process.slug, frozenset()))
    return [
        {"groups": frozenset({name}), "processes": frozenset({process}), **dict.fromkeys(_RESOURCES, resources)}
        for name, process, resources in found
    ]


def _may_touch(scope: Mapping[str, Any], touched: Touched) -> bool:
    """Return whether a freeze may touch one of these: its tags are those of activities, and are not looked at."""
    named = {key: set(scope[key]) for key in ("groups", "processes", *_RESOURCES) if scope.get(key)}
    return any(all(names & one[key] for key, names in named.items()) for one in touched)
