"""The next dates of a release group: as its rule says them, where they were bent, and what is planned for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from config.trail import Actor
from releases import policy
from releases.cadence import Bend, Occurrence, cadence_in_words
from releases.models import ReleaseGroup
from releases.services.trains import occurrences_of

#: How far ahead dates are looked for when nobody says.
AHEAD = timedelta(days=366)
#: Nothing is looked for after this.
LATEST = datetime(9000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class NextDate:
    """One occurrence: UTC moments, wall-clock time in the group's zone, and its release, if the asker may see it."""

    occurs_at: datetime
    starts_at: datetime
    ends_at: datetime
    wall: str
    bends: tuple[Bend, ...]
    release: int | None
    state: str


@dataclass(frozen=True, slots=True)
class NextDates:
    """The next dates of a cadence, with the cadence in words; both empty for a group without one."""

    timezone: str
    words: str
    dates: list[NextDate]


def next_dates(
    actor: Actor, group: ReleaseGroup, *, after: datetime, before: datetime | None = None, most: int = 20
) -> NextDates:
    """Return the occurrences of a group from `after` until before `before` (a year later), at most `most`."""
    found = dates_of(group.body.get("cadence") or {}, after=after, before=before, most=most)
    moments = [one.occurs_at for one in found.dates]
    releases = policy.visible_releases(actor).filter(group=group, occurs_at__in=moments)
    planned = {at: (pk, state) for at, pk, state in releases.values_list("occurs_at", "pk", "state")}
    dates = [_date(one, *planned.get(one.occurs_at, (None, ""))) for one in found.dates]
    return NextDates(found.timezone, found.words, dates)


def dates_of(rule: Mapping[str, Any], *, after: datetime, before: datetime | None = None, most: int = 20) -> NextDates:
    """The same for a cadence that need not belong to a group yet. Raises InvalidInput if it cannot be followed."""
    if not rule:
        return NextDates("UTC", "", [])
    found = occurrences_of(rule, after, before or min(after, LATEST) + AHEAD, most=most)
    return NextDates(str(rule["timezone"]), cadence_in_words(rule), [_date(one) for one in found])


def _date(one: Occurrence | NextDate, release: int | None = None, state: str = "") -> NextDate:
    wall = one.wall if isinstance(one, NextDate) else one.wall.isoformat(timespec="minutes")
    return NextDate(one.occurs_at, one.starts_at, one.ends_at, wall, one.bends, release, state)
