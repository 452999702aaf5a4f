"""Moving and skipping occurrences: just one, this and all that follow, or all of them (product, section 4).

Moving one is an edit of its release, which from then on keeps its own time. Moving those that follow, or all, changes
the group's cadence by the same step, where its rule can say that; what is planned before the one that moved stays.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db import transaction

from config.errors import Conflict, Fault, InvalidInput
from config.permissions import require
from config.trail import Actor, record
from processes import durations
from processes.recurrence import parts_of, text_of
from releases import cadence
from releases.cadence.wall import end_after, length_between, on_wall, to_utc, wall_text
from releases.groups import export_group, save_group, save_planned
from releases.models import Release, ReleaseGroup
from releases.services import given, planning, trains
from releases.services.trains import Change

THIS, FOLLOWING, ALL = SCOPES = ("this", "following", "all")


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
    if scope == THIS:
        plan = {"planned_start_at": starts_at, "planned_end_at": ends_at}
        return Moved(planning.edit_release(actor, release, plan, now=now, expected=expected), [])
    with transaction.atomic():
        group = _hold_group(actor, release)
        _require_edits(release, expected)
        duration = None if ends_at == kept or ends_at is None else _duration(group, starts_at, ends_at)
        return _move_series(actor, release, group, starts_at, duration, scope, now)


def _length_faults(starts_at: datetime, ends_at: datetime | None) -> list[Fault]:
    length = timedelta(0) if ends_at is None else ends_at - starts_at
    if length < timedelta(0):
        return [Fault("planned_end_at", "The planned end is before the planned start.", "Choose a later one.")]
    if length > durations.LONGEST:
        return [Fault("planned_end_at", "It would take longer than ten years.", "Choose an earlier one.")]
    return []


def _require_edits(release: Release, expected: int | None) -> None:
    edits = Release.objects.select_for_update(no_key=True).values_list("edits", flat=True).get(pk=release.pk)
    if expected is not None and expected != edits:
        raise Conflict("Somebody has changed this release meanwhile.", code="stale")


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
    starts_at: datetime,
    duration: str | None,
    scope: str,
    now: datetime,
) -> Moved:
    assert release.occurs_at is not None
    if release.planned_start_at is None:
        raise Conflict("It has no planned start; move just this one.", code="no_series")
    document = export_group(group)
    if "cadence" not in document:
        raise Conflict("Its group has no cadence any more; move just this one.", code="no_series")
    rule = _moved(document["cadence"], release.planned_start_at, starts_at)
    if duration is not None:
        rule["duration"] = duration
    since = release.occurs_at if scope == FOLLOWING else now
    _move_identities(group, since, document["cadence"]["timezone"], release.planned_start_at, starts_at)
    if scope == FOLLOWING:
        rule = _from_here(document["cadence"], rule, release.occurs_at, starts_at)
        _pin_before(actor, group, release.occurs_at, now)
    changes = save_planned(actor, {**document, "cadence": rule}, now=now).changes
    found = Release.objects.filter(pk=release.pk).first()
    if found is None:
        raise Conflict("The moved cadence has no date left for this release; move just this one.", code="no_series")
    return Moved(found, changes)


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
    return str(_rule(group).get("timezone") or "UTC")


def _moved(rule: Mapping[str, Any], before: datetime, after: datetime) -> dict[str, Any]:
    zone = ZoneInfo(rule["timezone"])
    was, will = before.astimezone(zone), after.astimezone(zone)
    time = None if was.time() == will.time() else will.time()
    return cadence.shifted(rule, by_days=(will.date() - was.date()).days, to_time=time)


def _move_identities(group: ReleaseGroup, since: datetime, zone: str, before: datetime, after: datetime) -> None:
    """Let what people touched or called off stand for the occurrence that its own one becomes, so that it stays so."""
    was, will = on_wall(before, zone), on_wall(after, zone)
    rows = Release.objects.select_for_update(no_key=True).filter(group=group, occurs_at__gte=since, started_at=None)
    for pk, occurs_at in list(rows.exclude(trains.UNTOUCHED).order_by("pk").values_list("pk", "occurs_at")):
        assert occurs_at is not None
        own = on_wall(occurs_at, zone)
        moved = datetime.combine(
            own.date() + (will.date() - was.date()), own.time() if was.time() == will.time() else will.time()
        )
        Release.objects.filter(pk=pk).update(occurs_at=to_utc(moved, zone)[0])


def _from_here(
    old: Mapping[str, Any], rule: dict[str, Any], occurs_at: datetime, starts_at: datetime
) -> dict[str, Any]:
    """Let a rule begin with the release that moved, and end when it would have ended."""
    begin = starts_at.astimezone(ZoneInfo(rule["timezone"])).replace(tzinfo=None)
    rule = {**rule, "start": wall_text(begin)}
    if "include" in rule:
        rule["include"] = [day for day in rule["include"] if day >= begin.date().isoformat()]
    parts = parts_of(rule["rrule"]) if "rrule" in rule else {}
    count = parts.pop("COUNT", None) or rule.get("count")
    if count is not None:
        past = trains.occurrences_of(old, datetime.min.replace(year=1970, tzinfo=UTC), occurs_at)
        rule = {**rule, "rrule": text_of(parts), "count": max(1, int(count) - len(past))}
    return rule


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
