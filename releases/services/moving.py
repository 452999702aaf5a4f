"""Moving and skipping occurrences: just one, this and all that follow, or all of them (product, section 4).

Moving one is an edit of its release, which from then on keeps its own time. Moving those that follow, or all, changes
the group's cadence by the same step, where its rule can say that; what is planned before the one that moved stays:

1. Every release of the range stands for the occurrence that its own one becomes, whatever has happened to it, so that
   none is planned a second time. When all move, so do those that were due before now and would come after it.
2. The one that is moved goes along, also if people had moved it before; others that people touched stay where they are.
3. The group is saved with the moved rule and planned as far ahead as its last release has moved.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db import transaction
from django.db.models import Count

from config import durations
from config.errors import Conflict, Fault, InvalidInput
from config.permissions import require
from config.trail import Actor, record
from processes.recurrence import parts_of, text_of
from releases import cadence
from releases.cadence.wall import end_after, length_between, on_wall, to_utc, wall_text
from releases.groups import export_group, save_group, save_planned
from releases.models import Release, ReleaseGroup
from releases.services import given, planning, trains
from releases.services.trains import Change

THIS, FOLLOWING, ALL = SCOPES = ("this", "following", "all")
#: Clocks that change make a step longer by so much at most.
_SLACK = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Moved:
    """What moving did: the release as it is now, and every other change of the group's plan."""

    release: Release
    changes: list[Change]


def move_release(
    actor: Actor,
    release: Release,
    *,
    starts_at: datetime,
    ends_at: datetime | None = None,
    scope: str = THIS,
    now: datetime,
    expected: int | None = None,
) -> Moved:
    """Move a planned release to another time; without `ends_at` it keeps its length.

    Raises NotPermitted, Conflict if it has started or was changed meanwhile (`expected` counts the edits seen), or
    InvalidInput if the group's rule cannot be moved by that.
    """
    if scope not in SCOPES:
        raise InvalidInput([Fault("scope", f"'{scope}' is not known.", f"Choose {', '.join(SCOPES)}.")])
    given.require(
        given.moment_faults("planned_start_at", starts_at),
        given.moment_faults("planned_end_at", ends_at) or _length_faults(starts_at, ends_at),
    )
    kept = _end_kept(release, starts_at)
    ends_at = kept if ends_at is None else ends_at
    plan = {"planned_start_at": starts_at, "planned_end_at": ends_at}
    if scope == THIS:
        return Moved(planning.edit_release(actor, release, plan, now=now, expected=expected), [])
    with transaction.atomic():
        group = _hold_group(actor, release)
        release = _hold(release, expected)
        _require_reach(release, starts_at, now)
        duration = None if ends_at == kept or ends_at is None else _duration(group, starts_at, ends_at)
        return _move_series(actor, release, group, plan, duration, scope, now)


def _length_faults(starts_at: datetime, ends_at: datetime | None) -> list[Fault]:
    length = timedelta(0) if ends_at is None else ends_at - starts_at
    if length < timedelta(0):
        return [Fault("planned_end_at", "The planned end is before the planned start.", "Choose a later one.")]
    if length > durations.LONGEST:
        return [Fault("planned_end_at", "It would take longer than ten years.", "Choose an earlier one.")]
    return []


def _hold(release: Release, expected: int | None) -> Release:
    """Return a release as it is now, held. Raises Conflict if it has started or was changed meanwhile."""
    held = Release.objects.select_for_update(no_key=True).get(pk=release.pk)
    if expected is not None and expected != held.edits:
        raise Conflict("Somebody has changed this release meanwhile.", code="stale")
    if held.started_at is not None:
        raise Conflict("A release that has started keeps its plan.", code="started")
    if held.planned_start_at is None:
        raise Conflict("It has no planned start; move just this one.", code="no_series")
    return held


def _require_reach(release: Release, starts_at: datetime, now: datetime) -> None:
    assert release.planned_start_at is not None
    faults = []
    if starts_at <= now:
        faults.append(Fault("planned_start_at", "A series cannot move into the past.", "Choose a later time."))
    if starts_at - release.planned_start_at > trains.FAR:
        cure = f"Move it by at most {trains.FAR.days} days, or change the cadence."
        faults.append(Fault("planned_start_at", "A series does not move that far.", cure))
    given.require(faults)


def _hold_group(actor: Actor, release: Release) -> ReleaseGroup:
    """Hold the row of a release's group, always before the release's own. Raises Conflict if it is of no series."""
    if release.group is None or release.occurs_at is None:
        raise Conflict("It is not one of a series; move just this one.", code="no_series")
    group = ReleaseGroup.objects.select_for_update(no_key=True, of=("self",)).get(releases=release)
    require(actor, "releases.change_releasegroup", group)
    return group


def _move_series(
    actor: Actor,
    release: Release,
    group: ReleaseGroup,
    plan: Mapping[str, Any],
    duration: str | None,
    scope: str,
    now: datetime,
) -> Moved:
    assert release.occurs_at is not None
    assert release.planned_start_at is not None
    document = export_group(group)
    if "cadence" not in document:
        raise Conflict("Its group has no cadence any more; move just this one.", code="no_series")
    step = _step(release.planned_start_at, plan["planned_start_at"], _zone(group))
    ahead = max(plan["planned_start_at"] - release.planned_start_at, timedelta(0))
    rule = cadence.shifted(document["cadence"], by_days=step.days, to_time=step.time)
    if duration is not None:
        rule["duration"] = duration
    if scope == FOLLOWING:
        rule = _from_here(document["cadence"], rule, release.occurs_at, step.after(release.occurs_at))
        _pin_before(actor, group, release.occurs_at, now)
    if not trains.is_free(release, now):
        planning.edit_release(actor, release, plan, now=now)
    since = release.occurs_at if scope == FOLLOWING else min(release.occurs_at, now - ahead)
    _move_identities(group, since, step)
    saved = save_planned(actor, {**document, "cadence": rule}, now=now, ahead=trains.HORIZON + ahead + _SLACK)
    return Moved(_found(release, step.after(release.occurs_at)), saved.changes)


def _found(release: Release, occurs_at: datetime) -> Release:
    """Return a release as the moved cadence has planned it. Raises Conflict if it has no place there."""
    dated = Release.objects.filter(group=release.group_id, occurs_at__isnull=False)
    found = dated.filter(pk=release.pk).first()
    twice = dated.values("occurs_at").annotate(releases=Count("pk")).filter(releases__gt=1)
    if twice.exists() or (found is None and dated.filter(occurs_at=occurs_at).exists()):
        raise Conflict("Another release of the series is for that date already; move just this one.", code="no_series")
    if found is None:
        raise Conflict("The moved cadence has no date left for this release; move just this one.", code="no_series")
    return found


def _end_kept(release: Release, starts_at: datetime) -> datetime | None:
    """Return when a release that starts at another time ends if it keeps its length on the clock of its group.

    What lasts as long as its group says goes on doing so: `2d` are days on the clock, `48h` are exact.
    """
    start, end = release.planned_start_at, release.planned_end_at
    if start is None or end is None:
        return None
    zone, rule = _zone(release.group), _rule(release.group)
    usual = durations.split(rule["duration"]) if "duration" in rule else None
    if usual is None or end_after(start, usual, zone) != end:
        usual = length_between(start, end, zone)
    return end_after(starts_at, usual, zone)


def _duration(group: ReleaseGroup, starts_at: datetime, ends_at: datetime) -> str:
    return durations.joined(*length_between(starts_at, ends_at, _zone(group)))


def _rule(group: ReleaseGroup | None) -> Mapping[str, Any]:
    return (group.body.get("cadence") or {}) if group is not None else {}


def _zone(group: ReleaseGroup | None) -> str:
    return group.zone if group is not None else "UTC"


@dataclass(frozen=True, slots=True)
class _Step:
    """By how many days on a zone's clock a series moves, and to which time of day, if to another."""

    days: int
    time: time | None
    zone: str

    def after(self, moment: datetime) -> datetime:
        """Return the moment this step after another."""
        wall = on_wall(moment, self.zone)
        return to_utc(datetime.combine(wall.date() + timedelta(days=self.days), self.time or wall.time()), self.zone)[0]


def _step(before: datetime, after: datetime, zone: str) -> _Step:
    was, will = on_wall(before, zone), on_wall(after, zone)
    return _Step((will.date() - was.date()).days, None if was.time() == will.time() else will.time(), zone)


def _move_identities(group: ReleaseGroup, since: datetime, step: _Step) -> None:
    rows = Release.objects.filter(group=group, occurs_at__gte=since).order_by("pk")
    for pk, occurs_at in list(rows.values_list("pk", "occurs_at")):
        assert occurs_at is not None
        Release.objects.filter(pk=pk).update(occurs_at=step.after(occurs_at))


def _from_here(old: Mapping[str, Any], rule: dict[str, Any], occurs_at: datetime, moved_at: datetime) -> dict[str, Any]:
    """Let a rule begin with the occurrence that moved, and end when it would have ended."""
    begin = on_wall(moved_at, rule["timezone"])
    rule = {**rule, "start": wall_text(begin)}
    if "include" in rule:
        rule["include"] = [day for day in rule["include"] if day >= begin.date().isoformat()]
    parts = parts_of(rule["rrule"]) if "rrule" in rule else {}
    count = parts.pop("COUNT", None) or rule.get("count")
    if count is not None:
        kept = {"rrule": text_of(parts)} if "rrule" in rule else {}
        rule = {**rule, **kept, "count": max(1, int(count) - _counted(old, occurs_at))}
    return rule


def _counted(rule: Mapping[str, Any], before: datetime) -> int:
    """Return how many dates a rule has counted before a moment: those left out too, those added not."""
    bare = {key: value for key, value in rule.items() if key not in ("include", "exclude", "holidays")}
    return len(trains.occurrences_of(bare, given.EARLIEST, before))


def _pin_before(actor: Actor, group: ReleaseGroup, moment: datetime, now: datetime) -> None:
    """Let what is planned before a moment stay as it is, whatever the cadence says from now on."""
    earlier = Release.objects.filter(trains.UNTOUCHED, group=group, occurs_at__lt=moment)
    pinned = list(earlier.select_for_update(no_key=True).order_by("pk").values_list("pk", flat=True))
    Release.objects.filter(pk__in=pinned).update(touched_at=now)
    record(actor, "release_group.split", group, after={"from": moment.isoformat(), "kept": pinned}, now=now)


@transaction.atomic
def skip_occurrence(
    actor: Actor, group: ReleaseGroup, *, occurs_at: datetime, reason: str = "", now: datetime
) -> Release | None:
    """Call off one occurrence of a group: its release, or the date itself if there is no release for it yet.

    Raises NotPermitted, or InvalidInput if the cadence has no occurrence then.
    """
    release = Release.objects.filter(group=group, occurs_at=occurs_at).first()
    if release is not None:
        return planning.cancel_release(actor, release, reason=reason, now=now)
    given.require(given.moment_faults("occurs_at", occurs_at))
    group = ReleaseGroup.objects.select_for_update(no_key=True, of=("self",)).get(pk=group.pk)
    rule = group.body.get("cadence") or {}
    moments = trains.occurrences_of(rule, occurs_at - trains.ROLL, occurs_at + trains.ROLL) if rule else []
    if occurs_at not in [one.occurs_at for one in moments]:
        raise InvalidInput([Fault("occurs_at", "The group has no occurrence then.", "Choose one of its next dates.")])
    day = occurs_at.astimezone(ZoneInfo(rule["timezone"])).date().isoformat()
    left_out = sorted({*rule.get("exclude", []), day})
    save_group(actor, {**export_group(group), "cadence": {**rule, "exclude": left_out}}, now=now)
    return None
