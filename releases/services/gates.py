"""What the start of a release asks beside its inputs: is it time, is it frozen, does a debt or another release stand in
its way (product, section 4). A person is stopped by the same things as the tick, except by what only concerns waiting.

1. `late`: the group's `start_deadline` has passed.
2. `frozen`: the release is in the scope of a freeze that is open now, and nobody has granted an exception.
3. `debt`: an earlier release of the group was started by breaking the glass and nobody has signed that off.
4. `overlap`: the group queues or skips, and another of its releases is under way, or was due before and still waits.
5. `conflict`: a running release, of whatever group, holds a resource that only one may hold.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db.models import Q

from config import durations
from config.errors import Conflict, Fault
from processes.models import Resource
from releases import bookings, freezes
from releases.conflicts import finding_of
from releases.findings import Finding
from releases.freezes import Block
from releases.models import Release
from releases.resolution import known_of
from releases.services.break_glass import unpaid_debt
from releases.services.glancing import Glance, glance
from releases.touched import resources_in

UNDER_WAY = ("running", "paused")


def rules_of(release: Release) -> Mapping[str, Any]:
    """Return the policies of a release's group; empty for an ad hoc one."""
    return release.group.body if release.group is not None else {}


def starts_itself(release: Release) -> bool:
    """Return whether the tick starts it: it has no group, or one that does not say `auto_start: false`."""
    return rules_of(release).get("auto_start") is not False


def deadline_of(release: Release) -> datetime | None:
    """Return until when a release may still start by itself: its planned start and its group's `start_deadline`."""
    longest = rules_of(release).get("start_deadline")
    if longest is None or release.planned_start_at is None:
        return None
    return release.planned_start_at + durations.parse(longest)


def first_try(release: Release) -> datetime | None:
    """Return when the tick looks at a scheduled release first: at its start, or when it would be missed."""
    return release.planned_start_at if starts_itself(release) else deadline_of(release)


def is_late(release: Release, now: datetime) -> bool:
    """Return whether the deadline of a release has passed."""
    deadline = deadline_of(release)
    return deadline is not None and now > deadline


def others_in_the_way(release: Release, *, now: datetime) -> list[Release]:
    """Return the releases of its group that a release must wait for: under way, or due before it and still waiting.

    Nothing where the group allows overlaps. One query.
    """
    if release.group is None or rules_of(release).get("overlap", "allow") == "allow":
        return []
    others = Release.objects.filter(group=release.group_id).exclude(pk=release.pk)
    blocking = Q(state__in=UNDER_WAY)
    if release.planned_start_at is not None and starts_itself(release):
        earlier = Q(planned_start_at__lt=release.planned_start_at)
        earlier |= Q(planned_start_at=release.planned_start_at, pk__lt=release.pk)
        blocking |= earlier & Q(state="scheduled", planned_start_at__lte=now)
    return list(others.filter(blocking).order_by("planned_start_at", "pk")[:5])


def overlap_findings(release: Release, *, now: datetime) -> list[Finding]:
    """Return a finding for each release that this one must wait for."""
    return [_overlap(release, other) for other in others_in_the_way(release, now=now)]


def _overlap(release: Release, other: Release) -> Finding:
    """Return the finding; where the group skips what overlaps, a release is called off for one that is under way."""
    message = f"Another release of the same group is {other.state.replace('_', ' ')}."
    skips = rules_of(release).get("overlap") == "skip" and other.state in UNDER_WAY
    cure = "It is skipped." if skips else "It starts when that one is over."
    return Finding("overlap", message, cure, path=f"R-{other.pk}", skips=skips)


class Stopped(Conflict):
    """Something stands in the way of this release; `findings` say what."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        self.findings = tuple(findings)
        self.faults = tuple(Fault(one.path, one.message, one.cure) for one in findings)
        super().__init__(" ".join(f"{one.message} {one.cure}".strip() for one in findings), code=findings[0].code)


def standing(
    release: Release,
    *,
    expanded: Mapping[str, Any],
    inputs: Mapping[str, Any],
    now: datetime,
    whats: Collection[str] | None = None,
    seen: Glance | None = None,
    hold: bool = False,
) -> list[Finding]:
    """Return what stands in the way of a release at a moment, its inputs left aside.

    `expanded` is its tree and `inputs` its resolved inputs, as a start would have them. With `whats` (what it touches,
    see `releases.touched`), also who holds a resource that only one may hold; with `hold`, in a transaction, nobody
    else may then start with that resource until its end. `seen` spares a query.
    """
    seen = seen or glance(release.pk, now=now)
    return [
        *late_findings(release, now=now),
        *(freeze_findings(release, expanded, inputs, now=now) if seen.is_frozen else []),
        *(debt_findings(release) if seen.owes else []),
        *overlap_findings(release, now=now),
        *(_holder_findings(release, whats, hold) if seen.is_exclusive and whats else []),
    ]


def _holder_findings(release: Release, whats: Collection[str], hold: bool) -> list[Finding]:
    """Return a finding for each running release that holds what only one may hold. With `hold` that stays locked until
    the end of the transaction: two that need the same cannot start at once."""
    wanted = Resource.objects.filter(exclusive=True, slug__in=resources_in(frozenset(whats))).order_by("slug")
    if not list((wanted.select_for_update(no_key=True) if hold else wanted).values_list("pk", flat=True)):
        return []
    return [finding_of(conflict) for conflict in bookings.holders_of(release, whats=whats)]


def freeze_findings(
    release: Release, expanded: Mapping[str, Any], inputs: Mapping[str, Any], *, now: datetime
) -> list[Finding]:
    """Return a finding for each freeze that keeps a release from starting at a moment; one query if there is none."""
    windows = freezes.open_windows(now)
    if not windows:
        return []
    kinds, known = freezes.kinds_of_resources(), known_of(release, now)
    subject = freezes.subject_of(release, expanded["nodes"][0], inputs, kinds=kinds, known=known)
    found = freezes.blocks_of(windows, subject, at=now, release=release)
    return [frozen(block) for block in found if block.starts_at <= now]


def frozen(block: Block) -> Finding:
    """Return the finding that a freeze applies."""
    until = f"until {block.ends_at:%Y-%m-%d %H:%M} UTC" if block.ends_at is not None else "until it is lifted"
    cure = "Wait, or ask for an exception."
    return Finding("frozen", f"The freeze '{block.name}' applies {until}.", cure, path=block.slug, until=block.ends_at)


def debt_findings(release: Release) -> list[Finding]:
    """Return the finding that an earlier break-glass start has not been signed off, if there is one. One query."""
    debt = unpaid_debt(release)
    if debt is None:
        return []
    message = "An earlier release was started by breaking the glass, and nobody has signed that off."
    cure = "Somebody else who operates that release signs it off."
    return [Finding("debt", message, cure, path=f"R-{debt.release_id}")]


def late_findings(release: Release, *, now: datetime) -> list[Finding]:
    """Return the finding that it is too late, if it is."""
    if release.state != "scheduled" or not is_late(release, now):
        return []
    return [Finding("late", "It is past the time in which its group lets it start.", "Schedule it for a later time.")]
