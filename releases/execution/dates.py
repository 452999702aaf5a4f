"""When phases, activities and tasks of a release should open and be over: `opens` and `due` (product, section 4).

They count from the planned start and end; a release without a plan counts from when it started. Days and working days
are those of its group's zone and holiday calendar, or UTC and weekends.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from releases.cadence import WorkingDays, moment_of, working_days
from releases.calendars import load_calendars
from releases.models import Release


@dataclass(frozen=True, slots=True)
class Dates:
    """What offsets are counted from: aware moments, a zone and its days off."""

    start: datetime | None
    end: datetime | None
    zone: str
    days_off: WorkingDays

    def moment(self, offset: str | None, opening: datetime | None = None) -> datetime | None:
        """Return the moment of an offset; None if there is none, or it counts from an opening that has not come."""
        if not offset:
            return None
        return moment_of(
            offset, start=self.start, end=self.end, opening=opening, zone=self.zone, days_off=self.days_off
        )

    def columns(self, doc: Mapping[str, Any], now: datetime) -> dict[str, Any]:
        """Return the columns of a run that has just been made: held until it opens, if that lies ahead.

        An unsigned `opens` counts from the planned start: from its own opening it would say nothing.
        """
        opens_at = self.moment(doc.get("opens"), self.start)
        columns = {"opens_at": opens_at, "due_at": self.moment(doc.get("due"))}
        if opens_at is None or opens_at <= now:
            return columns
        return {**columns, "held_until": opens_at, "held_by": {"kind": "opens", "until": opens_at.isoformat()}}


def dates_of(release_id: int) -> Dates:
    """Return what a release's offsets are counted from. Two queries."""
    release = Release.objects.select_related("group").only(
        "planned_start_at", "planned_end_at", "started_at", "group__body"
    )
    return dates_for(release.get(pk=release_id))


def dates_for(release: Release) -> Dates:
    """The same for a release at hand; before its start the planned dates."""
    rule = (release.group.body.get("cadence") or {}) if release.group is not None else {}
    calendar = (rule.get("holidays") or {}).get("calendar")
    days = working_days(calendar, load_calendars([calendar] if calendar else []))
    start = release.planned_start_at or release.started_at
    return Dates(start, release.planned_end_at, str(rule.get("timezone") or "UTC"), days)
