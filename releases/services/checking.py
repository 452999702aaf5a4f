"""Looking ahead, again and again: what would stop a scheduled release is stored on it, and changes are told.

The tick finds releases by `check_at`; setting it to now has one looked at within the second.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from config.trail import record
from releases.models import Release
from releases.services.preflight import preflight

NEAR = timedelta(days=7)
#: How long before its planned start a release is looked at, beside whenever its plan changes.
LEADS = (timedelta(days=30), NEAR, timedelta(days=3), timedelta(days=1), timedelta(hours=4), timedelta(hours=1))


def check_release(release_id: int, *, now: datetime) -> bool:
    """Look at what would stop a release and store it. Return whether its owners are to be told."""
    release = Release.objects.select_related("process", "group", "input_set").filter(pk=release_id).first()
    return release is not None and record_findings(release, now=now)


def record_findings(release: Release, *, now: datetime) -> bool:
    """Store what would stop or disturb a release, and when to look again; what stops it has an event when it changes.

    Return whether what stops it has changed so near to its start that its owners should hear of it. A release that was
    changed or started while this was looking is left for the next look.
    """
    findings = [finding.as_json() for finding in preflight(release, now=now)]
    with transaction.atomic():
        locked = Release.objects.select_for_update(no_key=True, of=("self",)).get(pk=release.pk)
        if locked.edits != release.edits or locked.state != release.state:
            is_open = locked.state == "scheduled"
            Release.objects.filter(pk=release.pk).update(check_at=now if is_open else None)
            return False
        before, after = _stops(locked.findings), _stops(findings)
        again = _next_look(locked, now)
        Release.objects.filter(pk=release.pk).update(findings=findings, check_at=again)
        if before != after:
            record(
                None,
                "release.preflight_changed",
                locked,
                before={"stops": before},
                after={"stops": after},
                release_id=locked.pk,
                now=now,
            )
    release.findings, release.check_at = findings, again
    return before != after and locked.state == "scheduled" and _is_near(locked, now)


def _stops(findings: list[dict[str, Any]]) -> list[str]:
    """Return what stops a release, so that it can be compared: codes with what they are about, words left out."""
    return sorted({f"{one['code']} {one['path']}".strip() for one in findings if one["stops"]})


def _next_look(release: Release, now: datetime) -> datetime | None:
    """Return when to look again: a lead before the start; None when there is none left, or it is not scheduled.

    Releases that start together are looked at one after the other: up to a fifth of the lead earlier.
    """
    start = release.planned_start_at
    if release.state != "scheduled" or start is None:
        return None
    looks = (start - lead * (1 + (release.pk % 100) / 500) for lead in LEADS)
    return next((look for look in looks if look > now), None)


def _is_near(release: Release, now: datetime) -> bool:
    return release.planned_start_at is not None and release.planned_start_at - now <= NEAR
