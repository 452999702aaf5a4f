"""When something could run: the next time in which what it needs is free and no freeze applies."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

from django.db.backends.postgresql.psycopg_any import DateTimeTZRange
from django.db.models import QuerySet

from config.errors import Fault
from config.permissions import visible_by_any
from config.trail import Actor
from processes.models import Resource
from processes.schema_words import did_you_mean
from releases import freezes
from releases.conflicts import Span, Stretch, next_free_slot
from releases.models import Booking, ReleaseGroup
from releases.scopes import Subject
from releases.services.given import require

#: How far ahead a slot is looked for.
FARTHEST = timedelta(days=730)


def free_slot(
    actor: Actor,
    *,
    whats: Collection[str],
    length: timedelta,
    after: datetime,
    before: datetime,
    now: datetime,
    group: ReleaseGroup | None = None,
) -> datetime | None:
    """Return the start of the next slot of `length` between two moments, not in the past; None when there is none.

    `whats` are ids of resources: a slot meets no booking of them and no freeze over them (or over `group` and its
    process). Where a `group` allows overlaps, its releases count as busy only for what one alone may have. Raises
    InvalidInput with every fault: a resource that is not there or may not be seen, no length, a time that ends before
    it starts or reaches too far.
    """
    known = dict(_visible(actor).values_list("slug", "type"))
    require(_faults(whats, known, length, after, before))
    start = max(after, now)
    if start >= before:
        return None
    busy = [*_booked(whats, start, before, group), *_frozen(whats, known, start, before, group)]
    return next_free_slot(busy, after=start, length=length, before=before)


def _visible(actor: Actor) -> QuerySet[Resource]:
    return visible_by_any(actor, [f"processes.{verb}_resource" for verb in ("view", "change")], Resource.objects.all())


def _faults(
    whats: Collection[str], known: dict[str, str], length: timedelta, after: datetime, before: datetime
) -> list[Fault]:
    missing = [name for name in whats if name not in known]
    faults = [
        Fault("resources", f"There is no resource '{name[:64]}', or you may not see it.", did_you_mean(name, known))
        for name in missing
    ]
    if not whats:
        faults.append(Fault("resources", "It names no resource.", "Name at least one."))
    if length <= timedelta(0):
        faults.append(Fault("length", "A slot has a length.", "Write it like 2h or 3d."))
    if before <= after:
        faults.append(Fault("before", "This is not after the beginning."))
    elif before - after > FARTHEST:
        faults.append(Fault("before", f"This is more than {FARTHEST.days} days after the beginning."))
    return faults


def _booked(whats: Collection[str], after: datetime, before: datetime, group: ReleaseGroup | None) -> list[Span]:
    booked = Booking.objects.filter(
        what__in=[f"resource:{name}" for name in whats], during__overlap=DateTimeTZRange(after, before)
    )
    if group is not None and group.body.get("overlap", "allow") == "allow":
        shared = Resource.objects.filter(slug__in=whats, exclusive=False).values_list("slug", flat=True)
        booked = booked.exclude(release__group=group, what__in=[f"resource:{name}" for name in shared])
    return [Stretch(during.lower, during.upper) for during in booked.values_list("during", flat=True)]


def _frozen(
    whats: Collection[str], known: dict[str, str], after: datetime, before: datetime, group: ReleaseGroup | None
) -> list[Span]:
    subject = Subject(
        group=group.slug if group is not None else "",
        process=group.process.slug if group is not None else "",
        resources=frozenset(whats),
        services=frozenset(name for name in whats if known[name] == Resource.Type.SERVICE),
        environments=frozenset(name for name in whats if known[name] == Resource.Type.ENVIRONMENT),
    )
    return list(freezes.blocks_between(subject, after=after, before=before, release=None))
