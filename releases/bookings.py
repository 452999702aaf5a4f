"""What releases touch and when, as rows that the database compares: resources, owners, groups that own.

A release books from its planned start to its planned end before it starts (a moment, when no end is planned), from its
start to its planned end while it runs (for ever, when none is planned or it is over), and nothing once it is over,
called off, missed, or a draft without a plan. Call `book` in the transaction that changes any of this.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

from django.db import connection
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange
from django.db.models import Case, Exists, F, Func, OuterRef, Q, QuerySet, When, prefetch_related_objects
from django.db.models.functions import Substr

from config.trail import Actor
from processes.models import Resource
from releases import policy, resolution
from releases.conflicts import MOMENT, Conflict, Holding, Stretch, conflict_with, overlap, pairs, unseen
from releases.models import Booking, Release, ReleaseGroup, ReleaseRole
from releases.touched import touched
from releases.trees import trees_of

RUNNING = ("running", "paused")
UNSTARTED = ("draft", "scheduled")
BATCH = 500
#: Releases told for one thing that one release holds, those that run first; and pairs told at once.
MOST = 100
MOST_PAIRS = 500
MOST_HOLDINGS = 50_000
Met = tuple[Holding, Holding, Stretch]
ORDER = {"resource": 0, "owner": 1, "group": 2}
OVERLAPS = """
    SELECT mine.release_id, mine.during, other.*
      FROM releases_booking mine JOIN releases_release release ON release.id = mine.release_id,
           LATERAL (
               SELECT held.what, held.release_id, r.name, r.version, r.group_id, r.state, held.during,
                      coalesce(resource.exclusive, false)
                 FROM releases_booking held
                 JOIN releases_release r ON r.id = held.release_id
                 LEFT JOIN processes_resource resource
                   ON held.what LIKE 'resource:%%' AND resource.slug = substr(held.what, 10)
                WHERE held.what = mine.what AND held.during && mine.during AND held.release_id <> mine.release_id
                  AND (release.group_id IS NULL OR r.group_id IS DISTINCT FROM release.group_id OR resource.exclusive)
                ORDER BY r.state = ANY(%(running)s) DESC, lower(held.during), held.release_id LIMIT %(most)s) other
     WHERE mine.release_id = ANY(%(releases)s)"""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two releases that hold the same thing at the same time: each as the conflict it is for the other."""

    one: Conflict
    other: Conflict


@dataclass(frozen=True, slots=True)
class Pairs:
    """Pairs, the earliest first; not `is_complete` when there were more than are looked through or told."""

    pairs: list[Pair]
    is_complete: bool


def window_of(release: Release, *, now: datetime) -> Stretch | None:
    """Return when a release books what it touches, or None when it books nothing."""
    if release.state in RUNNING and release.started_at is not None:
        end = release.planned_end_at
        return Stretch(release.started_at, end if end is not None and end > max(now, release.started_at) else None)
    start, end = release.planned_start_at, release.planned_end_at
    if release.state not in UNSTARTED or start is None:
        return None
    return Stretch(start, start + MOMENT if end is None else max(end, start + MOMENT))


def book(release: Release, *, now: datetime) -> None:
    """Write anew what a release books, from its plan, its resources and its owners as they are now."""
    rebook_many([release], now=now)


def rebook_many(releases: Sequence[Release], *, now: datetime) -> None:
    """The same for many releases: the same few statements for a thousand that run one process."""
    for first in range(0, len(releases), BATCH):
        _rebook(releases[first : first + BATCH], now)


def _rebook(releases: Sequence[Release], now: datetime) -> None:
    windows = {release.pk: window_of(release, now=now) for release in releases}
    touches = touches_of([release for release in releases if windows[release.pk] is not None], now=now)
    wanted = {
        (pk, what): DateTimeTZRange(window.starts_at, window.ends_at)
        for pk, window in windows.items()
        if window is not None
        for what in touches[pk]
    }
    kept = Booking.objects.filter(release__in=windows).values_list("pk", "release_id", "what", "during")
    there = {(release_id, what): (pk, during) for pk, release_id, what, during in kept}
    gone = [pk for key, (pk, _) in there.items() if key not in wanted]
    if gone:
        Booking.objects.filter(pk__in=gone).delete()
    Booking.objects.bulk_create(
        [
            Booking(release_id=pk, what=what, during=during)
            for (pk, what), during in sorted(wanted.items(), key=lambda entry: entry[0])
            if (pk, what) not in there or there[pk, what][1] != during
        ],
        update_conflicts=True,
        unique_fields=["release", "what"],
        update_fields=["during"],
    )


_STARTED = """
    WITH gone AS (DELETE FROM releases_booking WHERE release_id = %(release)s AND what <> ALL(%(whats)s::text[]))
    INSERT INTO releases_booking (release_id, what, during)
    SELECT %(release)s, what, tstzrange(%(now)s::timestamptz, %(end)s::timestamptz) FROM unnest(%(whats)s::text[]) what
        ON CONFLICT (release_id, what) DO UPDATE SET during = EXCLUDED.during"""


def book_started(release: Release, whats: Iterable[str], *, now: datetime) -> None:
    """Write what a release books that starts now, of which the caller knows what it touches. One statement."""
    end = release.planned_end_at
    until = end if end is not None and end > now else None
    with connection.cursor() as cursor:
        cursor.execute(_STARTED, {"release": release.pk, "whats": sorted(whats), "now": now, "end": until})


def touches_of(releases: Sequence[Release], *, now: datetime) -> dict[int, frozenset[str]]:
    """Return what each release touches (`resource:cart`, `user:ann`, `group:qa`), by its pinned or latest tree."""
    roles: dict[int, dict[str, str]] = {release.pk: {} for release in releases}
    for pk, role, name in ReleaseRole.objects.filter(release__in=roles).values_list(
        "release_id", "role", "user__username"
    ):
        roles[pk][role] = name
    prefetch_related_objects(list(releases), "input_set")
    found: dict[int, frozenset[str]] = {}
    for release, tree in zip(releases, trees_of(releases), strict=True):
        if tree is None:
            found[release.pk] = frozenset()
            continue
        inputs, given = release.inputs, release.values
        if release.started_at is None:
            resolved = resolution.resolve(tree, resolution.layers_of(release, {}), release, now)
            inputs, given = resolved.inputs, resolved.values
        around = resolution.known_of(release, now)
        found[release.pk] = touched(tree["nodes"], inputs, around=around, given=given, roles=roles[release.pk])
    return found


def extend_overdue(*, now: datetime) -> int:
    """Keep booked, for as long as they run, what releases hold past their planned end. Return how many bookings."""
    overdue = Booking.objects.filter(release__state__in=RUNNING, during__endswith__lte=now)
    return overdue.update(during=Func(F("during__startswith"), None, function="tstzrange"))


def conflicts_of(release: Release) -> list[Conflict]:
    """Return every other release that holds the same while this one does, those that stop it first."""
    return conflicts_of_many([release])[release.pk]


def conflicts_of_many(releases: Sequence[Release]) -> dict[int, list[Conflict]]:
    """The same for many releases, in one statement, by release."""
    found: dict[int, list[Conflict]] = {release.pk: [] for release in releases}
    with connection.cursor() as cursor:
        cursor.execute(OVERLAPS, {"releases": list(found), "running": list(RUNNING), "most": MOST})
        for pk, mine, *held in cursor.fetchall():
            other = _holding(*held)
            shared = overlap(_stretch(mine), other)
            assert shared is not None
            found[pk].append(conflict_with(other, shared))
    for conflicts in found.values():
        conflicts.sort(key=lambda one: (not one.stops, ORDER[one.kind], one.span.starts_at, one.what, one.release_id))
    return found


def holders_of(release: Release, *, whats: Iterable[str] | None = None, at: datetime | None = None) -> list[Conflict]:
    """Return the running releases that hold an exclusive resource this release needs, its group's too. One query.

    `whats` is what it needs, if the caller knows; else what it has booked, or (without a plan) what its tree touches.
    With `at`, only those that will still hold it then, as planned.
    """
    if whats is None and window_of(release, now=release.created_at) is None:
        whats = touches_of([release], now=release.created_at)[release.pk]
    needed = Booking.objects.filter(release=release).values("what") if whats is None else list(whats)
    held = Booking.objects.filter(what__in=needed, release__state__in=RUNNING, release__started_at__isnull=False)
    others = held.exclude(release=release)
    if at is not None:
        others = others.filter(Q(during__endswith=None) | Q(during__endswith__gt=at))
    return [conflict_with(one, Stretch(one.starts_at, one.ends_at)) for one in _holdings(others) if one.exclusive]


def conflicts_between(
    after: datetime,
    before: datetime,
    whats: Iterable[str] | None = None,
    *,
    group: ReleaseGroup | None = None,
    actor: Actor = None,
) -> Pairs:
    """Return every two releases that hold the same thing at the same time between two moments, at most `MOST_PAIRS`.

    Of `whats` alone, if given; of those with a release of `group`. At least one of the two is visible to `actor`. What
    is booked then is read at once and paired here: asking the index for the others of each booking takes far longer.
    """
    inside = Booking.objects.filter(during__overlap=DateTimeTZRange(after, before))
    if whats is not None:
        inside = inside.filter(what__in=list(whats))
    holdings = _holdings(inside.order_by("during")[:MOST_HOLDINGS])
    met = list(islice(pairs(holdings), MOST_HOLDINGS))
    found = _pairs(met, Stretch(after, before), group, actor)
    is_complete = max(len(holdings), len(met)) < MOST_HOLDINGS and len(found) <= MOST_PAIRS
    return Pairs(found[:MOST_PAIRS], is_complete)


def _pairs(met: list[Met], window: Stretch, group: ReleaseGroup | None, actor: Actor) -> list[Pair]:
    found: list[Pair] = []
    ids = {side.release_id for one, other, _ in met for side in (one, other)}
    seen = policy.visible_ids(actor, ids)
    for one, other, shared in met:
        if group is not None and group.pk not in (one.group_id, other.group_id):
            continue
        if overlap(shared, window) is None or not {one.release_id, other.release_id} & seen:
            continue
        both = [_masked(conflict_with(side, shared), seen) for side in (one, other)]
        found.append(Pair(*both))
    return sorted(found, key=lambda pair: (pair.one.span.starts_at, pair.one.what))


def seen_by(actor: Actor, conflicts: Iterable[Conflict]) -> list[Conflict]:
    """Return the conflicts with the releases that `actor` may not see made nameless. One query."""
    listed = list(conflicts)
    ids = {one.release_id for one in listed if one.release_id is not None}
    seen = policy.visible_ids(actor, ids)
    return [_masked(one, seen) for one in listed]


def _masked(conflict: Conflict, seen: set[int]) -> Conflict:
    return conflict if conflict.release_id in seen else unseen(conflict)


def _holdings(bookings: QuerySet[Booking]) -> list[Holding]:
    """Return bookings with what there is to know of their releases and resources."""
    slug = Substr("what", len("resource:") + 1)
    named = Resource.objects.filter(exclusive=True, slug=OuterRef("slug"))
    rows = bookings.alias(slug=slug).annotate(
        exclusive=Case(When(what__startswith="resource:", then=Exists(named)), default=False)
    )
    columns = ("what", "release_id", "release__name", "release__version", "release__group_id", "release__state")
    return [_holding(*row) for row in rows.values_list(*columns, "during", "exclusive")]


def _holding(
    what: str, pk: int, name: str, version: str, group_id: int | None, state: str, during: Any, exclusive: bool
) -> Holding:
    span = _stretch(during)
    title = f"{name} {version}".strip()
    return Holding(what, pk, title, span.starts_at, span.ends_at, group_id, state in RUNNING, bool(exclusive))


def _stretch(during: Any) -> Stretch:
    return Stretch(during.lower, during.upper)
