"""What moving or skipping would do, before anybody does it: done for a look, in a transaction that is undone."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from django.db import transaction

from config.trail import Actor
from releases.findings import Finding
from releases.models import Release, ReleaseGroup
from releases.services.moving import move_release, skip_occurrence
from releases.services.preflight import preflight
from releases.services.trains import Change


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What would become of a release: its times, what then stands in its way, and every other change of the plan."""

    starts_at: datetime | None
    ends_at: datetime | None
    findings: list[Finding] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)


def foresee_move(
    actor: Actor,
    release: Release,
    *,
    starts_at: datetime,
    ends_at: datetime | None,
    scope: str,
    now: datetime,
    expected: int | None = None,
) -> Foreseen:
    """Return what `moving.move_release` would do; nothing of it stays. Raises the same."""
    with transaction.atomic():
        moved = move_release(
            actor, release, starts_at=starts_at, ends_at=ends_at, scope=scope, now=now, expected=expected
        )
        findings = preflight(moved.release, now=now) if moved.release.state != "cancelled" else []
        transaction.set_rollback(True)
    start, end = moved.release.planned_start_at, moved.release.planned_end_at
    return Foreseen(start, end, findings, moved.changes)


def foresee_skip(actor: Actor, group: ReleaseGroup, *, occurs_at: datetime, now: datetime) -> Release | None:
    """Return the release that `moving.skip_occurrence` would call off, None if it left out a date. Raises the same."""
    with transaction.atomic():
        skipped = skip_occurrence(actor, group, occurs_at=occurs_at, now=now)
        transaction.set_rollback(True)
    return skipped
