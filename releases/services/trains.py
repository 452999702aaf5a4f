"""A group's releases as its cadence plans them: made ahead of time, and planned anew when the cadence changes.

How a group is planned, in one transaction that holds the group's row (so that any number of ticks, workers and edits
make each release exactly once; the table's unique key would refuse a second one):

1. The occurrences from now to the horizon are calculated. After a standstill, those that were never planned count too,
   as far back as the group's `start_deadline` would still let them start.
2. Each is given to a release of the group (`releases.reconciling`): what people touched, started or called off stands
   for the occurrence that its own has become; untouched scheduled ones follow the cadence; what is missing is created,
   the rest is removed.
3. Untouched ones get their number, name, version, window, process and input set as the group says now.
4. `next_plan_at` says when the next occurrence comes into the horizon: the tick costs what is due, not what exists.

Only what may follow the cadence is locked, after the group and in the order of the ids: nothing that has started waits
for planning, or planning for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet

from config import durations
from config.errors import ExpressionFailed, Fault, InvalidInput
from config.trail import MACHINE, Actor, record
from processes import expressions
from releases import bookings, cadence, calendars, policy
from releases.cadence import Occurrence
from releases.models import Release, ReleaseGroup
from releases.reconciling import Planned, numbered, reconcile
from releases.services import gates

#: How far ahead occurrences have releases (product, section 4).
HORIZON = timedelta(days=90)
#: How far ahead the occurrence after those is looked for, and when to look again if there is none.
FAR, AGAIN = timedelta(days=400), timedelta(days=300)
#: A group whose templates or dates cannot be followed is planned again after this long, or when it is edited.
STUCK = timedelta(days=1)
#: A holiday moves an occurrence by less than this, so its identity is looked for this far around the window.
ROLL = timedelta(days=31)

#: Releases that only a cadence has planned and nobody has touched: they go with it.
UNTOUCHED = Q(state="scheduled", touched_at=None, occurs_at__isnull=False)

#: What a group says about when its releases may start.
POLICIES = ("auto_start", "start_deadline", "overlap")

_FOLLOWS = ("occurs_at", "sequence", "name", "version", "planned_start_at", "planned_end_at", "process", "input_set")

#: What is read of the releases that planning leaves as they are.
_FIXED = ("occurs_at", "planned_start_at", "state", "touched_at", "name", "version")


@dataclass(frozen=True, slots=True)
class Change:
    """What planning does to one release: `kind` is created, changed or removed, or kept for one that people touched.

    `before` is empty until it was created, `after` once it was removed. `is_seen` says whether whoever plans may see
    the release: changing a group is not looking into its releases, and people give those names.
    """

    kind: str
    release_id: int | None
    name: str
    before: datetime | None
    after: datetime | None
    is_seen: bool = True


def seen_of(changes: Iterable[Change]) -> tuple[list[Change], int]:
    """Return the changes of releases that whoever plans may see, and how many others there are."""
    listed = list(changes)
    seen = [change for change in listed if change.is_seen]
    return seen, len(listed) - len(seen)


def plan_group(group_id: int, *, now: datetime) -> list[Change]:
    """Plan one group ahead; what needs no change is left alone. Does nothing for a group without a cadence."""
    with transaction.atomic():
        found = ReleaseGroup.objects.select_for_update(no_key=True, of=("self",))
        group = found.select_related("process", "input_set").filter(pk=group_id).first()
        if group is None:
            return []
        try:
            with transaction.atomic():
                return plan_locked(None, group, now=now)
        except (ExpressionFailed, InvalidInput) as error:
            record(None, "release_group.plan_failed", group, reason=error.message, now=now)
            ReleaseGroup.objects.filter(pk=group.pk).update(next_plan_at=now + STUCK)
            return []


def plan_saved(actor: Actor, group: ReleaseGroup, *, now: datetime, ahead: timedelta = HORIZON) -> list[Change]:
    """Plan a group that has just been saved, so far `ahead`; the tick plans those that derive their dates from it.

    Raises InvalidInput if its cadence or templates cannot be followed.
    """
    calendars.with_derived({group.slug}).exclude(pk=group.pk).update(next_plan_at=now)
    try:
        return plan_locked(actor, group, now=now, ahead=ahead)
    except InvalidInput as error:
        raise InvalidInput([replace(fault, path=f"cadence.{fault.path}") for fault in error.faults]) from error
    except ExpressionFailed as error:
        raise InvalidInput([Fault("release_name", error.message, "Mend 'release_name' or 'version'.")]) from error


def plan_locked(actor: Actor, group: ReleaseGroup, *, now: datetime, ahead: timedelta = HORIZON) -> list[Change]:
    """Plan a group whose row the caller holds, so far `ahead`, or as far as it has been planned before.

    Raises ExpressionFailed if a template of the group gives no text, InvalidInput if its cadence cannot be followed.
    """
    rule: Mapping[str, Any] = group.body.get("cadence") or {}
    since, horizon = _since(group, now), max(now + ahead, group.planned_until or now)
    wanted = occurrences_of(rule, since, horizon) if rule else []
    near = Release.objects.filter(Q(occurs_at__gte=since - ROLL) | Q(planned_start_at__gte=since), group=group)
    releases = _hold_free(near, now, horizon)
    fixed = list(near.exclude(occurs_at=None).exclude(pk__in=releases).order_by("pk").only(*_FIXED))
    known = [Planned(pk, _occurs_at(row), is_free=True) for pk, row in releases.items()]
    known += [Planned(row.pk, _occurs_at(row), is_free=False, is_ahead=_occurs_at(row) >= now) for row in fixed]
    extra = {one.occurs_at for one in wanted if any(bend.kind == "extra" for bend in one.bends)}
    pairs = reconcile(known, [one.occurs_at for one in wanted], group.zone, extra)
    for pk, moment in pairs.claimed.items():
        Release.objects.filter(pk=pk).update(occurs_at=moment)
    by_moment = {one.occurs_at: one for one in wanted}
    seen = policy.visible_ids(actor, [*releases, *(row.pk for row in fixed)])
    numbers = _numbers(group, [*pairs.moved.values(), *pairs.created], [*pairs.moved, *pairs.removed])
    changes = [_remove(actor, releases[pk], now) for pk in pairs.removed]
    for pk, moment in pairs.moved.items():
        follow = _follow(actor, releases[pk], group, by_moment[moment], numbers[moment], now)
        changes += [follow] if follow else []
    changes += [_create(actor, group, by_moment[moment], numbers[moment], now) for moment in pairs.created]
    changes += [_kept(row) for row in fixed if row.touched_at and row.state == "scheduled"]
    booked = {change.release_id or 0 for change in changes if change.kind in ("created", "changed")}
    bookings.rebook_many(list(Release.objects.filter(pk__in=booked).select_related("process", "input_set")), now=now)
    _look_again(group, rule, horizon, now)
    changes = [replace(one, is_seen=one.kind == "created" or one.release_id in seen) for one in changes]
    return sorted(changes, key=lambda change: change.after or change.before or now)


def look_anew(actor: Actor, group: ReleaseGroup, *, now: datetime) -> None:
    """Have every scheduled release of a group looked at when its policies say from now on, also those that do not
    follow its cadence: touched, overdue or of no occurrence. The caller holds the group's row."""
    rows = Release.objects.select_for_update(no_key=True, of=("self",)).filter(group=group, state="scheduled")
    for release in rows.order_by("pk"):
        release.group, was = group, release.next_try_at
        release.next_try_at = gates.first_try(release)
        if release.next_try_at == was:
            continue
        release.edits, release.check_at = release.edits + 1, now
        release.save(update_fields=["next_try_at", "check_at", "edits"])
        before, after = ({"next_try_at": at and at.isoformat()} for at in (was, release.next_try_at))
        record(actor, "release.replanned", release, before=before, after=after, release_id=release.pk, now=now)


def withdraw_untouched(actor: Actor, group: ReleaseGroup, *, now: datetime) -> list[Change]:
    """Remove what the group's cadence has planned and nobody has touched; the caller holds the group's row."""
    rows = Release.objects.select_for_update(no_key=True, of=("self",)).filter(UNTOUCHED, group=group)
    return [_remove(actor, release, now) for release in rows.order_by("pk")]


def is_free(release: Release, now: datetime) -> bool:
    """Return whether planning may still move or remove a release: scheduled, in the future, touched by nobody."""
    start = release.planned_start_at
    return release.state == "scheduled" and release.touched_at is None and start is not None and start > now


def _hold_free(releases: QuerySet[Release], now: datetime, horizon: datetime) -> dict[int, Release]:
    """Lock and return the releases before the horizon that are free (`is_free`), by id."""
    free = releases.filter(UNTOUCHED, planned_start_at__gt=now, planned_start_at__lt=horizon)
    return {row.pk: row for row in free.select_for_update(no_key=True, of=("self",)).order_by("pk")}


def _occurs_at(release: Release) -> datetime:
    assert release.occurs_at is not None
    return release.occurs_at


def _since(group: ReleaseGroup, now: datetime) -> datetime:
    """Return from when on occurrences are wanted: now, or after a standstill as far back as they may still start."""
    if group.planned_until is None or group.planned_until >= now:
        return now
    deadline = group.body.get("start_deadline")
    return max(group.planned_until, now - (durations.parse(deadline) if deadline is not None else timedelta(0)))


def occurrences_of(rule: Mapping[str, Any], after: datetime, before: datetime, most: int = 10_000) -> list[Occurrence]:
    """Return the occurrences of a cadence that start from `after` until before `before`, with its holidays."""
    parents = calendars.parents_of(rule)
    days = calendars.load_calendars(calendars.calendars_in([rule, *parents.values()]))
    return cadence.occurrences(rule, after=after, before=before, calendars=days, parents=parents, most=most)


def _numbers(group: ReleaseGroup, moments: Iterable[datetime], free: Iterable[int]) -> dict[datetime, int]:
    others = Release.objects.filter(group=group, sequence__isnull=False, occurs_at__isnull=False).exclude(pk__in=free)
    taken = [(at, number) for at, number in others.values_list("occurs_at", "sequence") if at and number]
    return numbered(taken, moments)


def _plan(group: ReleaseGroup, one: Occurrence, number: int) -> dict[str, Any]:
    """Return what the group says about a release, by the names of its columns."""
    known = {"start": one.starts_at, "sequence": number}
    name = group.body.get("release_name") or f"{group.name} {one.wall:%Y-%m-%d}"
    return {
        "occurs_at": one.occurs_at,
        "sequence": number,
        "name": str(expressions.evaluate(name, known, zone=group.zone))[:200],
        "version": str(expressions.evaluate(group.body.get("version") or "", known, zone=group.zone))[:100],
        "planned_start_at": one.starts_at,
        "planned_end_at": one.ends_at,
        "process": group.process,
        "input_set": group.input_set,
    }


def _create(actor: Actor, group: ReleaseGroup, one: Occurrence, number: int, now: datetime) -> Change:
    release = Release(
        group=group, state="scheduled", created_at=now, created_by_name=MACHINE, **_plan(group, one, number)
    )
    release.next_try_at, release.check_at = gates.first_try(release), now
    release.save(force_insert=True)
    record(actor, "release.planned", release, after=_shown(release), release_id=release.pk, now=now)
    return Change("created", release.pk, str(release), None, one.starts_at)


def _follow(
    actor: Actor, release: Release, group: ReleaseGroup, one: Occurrence, number: int, now: datetime
) -> Change | None:
    """Let a release follow its occurrence; None if it says all of that already."""
    before, was, next_try_at = _shown(release), release.planned_start_at, release.next_try_at
    release.group, plan = group, _plan(group, one, number)
    is_same = all(getattr(release, name) == value for name, value in plan.items())
    for name, value in plan.items():
        setattr(release, name, value)
    release.next_try_at, release.check_at = gates.first_try(release), now
    if is_same and release.next_try_at == next_try_at:
        return None
    release.edits += 1
    release.save(update_fields=[*_FOLLOWS, "edits", "next_try_at", "check_at"])
    record(actor, "release.replanned", release, before=before, after=_shown(release), release_id=release.pk, now=now)
    return Change("changed", release.pk, str(release), was, one.starts_at)


def _remove(actor: Actor, release: Release, now: datetime) -> Change:
    change = Change("removed", release.pk, str(release), release.planned_start_at, None)
    record(actor, "release.withdrawn", release, before=_shown(release), release_id=release.pk, now=now)
    release.delete()
    return change


def _kept(release: Release) -> Change:
    return Change("kept", release.pk, str(release), release.planned_start_at, release.planned_start_at)


def _shown(release: Release) -> dict[str, Any]:
    moments = (release.planned_start_at, release.planned_end_at)
    start, end = (None if moment is None else moment.isoformat() for moment in moments)
    return {"name": release.name, "version": release.version, "planned_start_at": start, "planned_end_at": end}


def _look_again(group: ReleaseGroup, rule: Mapping[str, Any], horizon: datetime, now: datetime) -> None:
    """Note how far the group is planned, and when its next occurrence comes into the horizon."""
    group.planned_until = horizon if rule else None
    group.next_plan_at = None
    if rule:
        following = occurrences_of(rule, horizon, horizon + FAR, most=1)
        group.next_plan_at = following[0].starts_at - HORIZON if following else now + AGAIN
    group.save(update_fields=["planned_until", "next_plan_at"])
