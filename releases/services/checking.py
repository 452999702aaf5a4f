"""Looking ahead, again and again: what would stop a scheduled release is stored on it, and its owners are told.

1. The tick finds releases by `check_at`; setting it to now has one looked at within the second.
2. Near its start, a look that finds something else than the owners were told (`told`) notes it as told and gives
   whoever looks some time to tell it (`telling_until`).
3. Who has told it takes that time back (`note_told`). If nobody has when it is over, the message was lost, or the mail
   server was away: the release is looked at then, and told again.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from config.trail import record
from releases.models import Release
from releases.services.preflight import preflight

NEAR = timedelta(days=7)
#: How long a message to the owners may take; after that it counts as lost.
TELLING = timedelta(minutes=5)
#: How long before its planned start a release is looked at, beside whenever its plan changes.
LEADS = (timedelta(days=30), NEAR, timedelta(days=3), timedelta(days=1), timedelta(hours=4), timedelta(hours=1))


def check_release(release_id: int, *, now: datetime) -> datetime | None:
    """Look at what would stop a release and store it. Return until when the caller may tell its owners (see below)."""
    release = Release.objects.select_related("process", "group", "input_set").filter(pk=release_id).first()
    return None if release is None else record_findings(release, now=now)


def record_findings(release: Release, *, now: datetime) -> datetime | None:
    """Store what would stop or disturb a release, and when to look again; what stops it has an event when it changes.

    Return until when the caller, and nobody else, may tell its owners (`notifications.announce`), or None when they are
    not to be told: it does not start soon, they know, or somebody is just telling them. A release that was changed or
    started while this was looking is left for the next look.
    """
    findings = [finding.as_json() for finding in preflight(release, now=now)]
    with transaction.atomic():
        locked = Release.objects.select_for_update(no_key=True, of=("self",)).get(pk=release.pk)
        if locked.edits != release.edits or locked.state != release.state:
            is_open = locked.state == "scheduled"
            Release.objects.filter(pk=release.pk).update(check_at=now if is_open else None)
            return None
        before, after = _stops(locked.findings), _stops(findings)
        is_news = _is_news(locked, after, now)
        if is_news:
            locked.told, locked.telling_until = after, now + TELLING
        locked.findings, locked.check_at = findings, _next_look(locked, now)
        locked.save(update_fields=["findings", "check_at", "told", "telling_until"])
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
    release.findings, release.check_at = findings, locked.check_at
    return locked.telling_until if is_news else None


def note_told(release_id: int, until: datetime) -> None:
    """Note that who had until then to tell the owners has done so."""
    Release.objects.filter(pk=release_id, telling_until=until).update(telling_until=None)


def _is_news(release: Release, stops: list[str], now: datetime) -> bool:
    """Return whether owners should hear what stops a release: it starts soon, and they do not know, or may not."""
    start = release.planned_start_at
    if release.state != "scheduled" or start is None or start - now > NEAR:
        return False
    return stops != release.told or (release.telling_until is not None and release.telling_until <= now)


def _stops(findings: list[dict[str, Any]]) -> list[str]:
    """Return what stops a release, so that it can be compared: codes with what they are about, words left out."""
    return sorted({f"{one['code']} {one['path']}".strip() for one in findings if one["stops"]})


def _next_look(release: Release, now: datetime) -> datetime | None:
    """Return when to look again: a lead before the start, or when its owners should have been told.

    None when there is no such moment left, or it is not scheduled. Releases that start together are looked at one after
    the other: up to a fifth of the lead earlier.
    """
    start = release.planned_start_at
    if release.state != "scheduled" or start is None:
        return None
    looks = [start - lead * (1 + (release.pk % 100) / 500) for lead in LEADS]
    looks += [release.telling_until] if release.telling_until is not None else []
    return min((look for look in looks if look > now), default=None)
