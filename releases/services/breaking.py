"""Breaking the glass: starting a release in spite of what stops it, which leaves a debt (product, section 4)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from config.errors import Conflict
from config.trail import Actor, actor_name, record
from releases import policy
from releases.findings import Finding
from releases.models import BreakGlass, Release
from releases.services.given import reason_of


def break_glass(actor: Actor, release: Release, stops: Sequence[Finding], *, reason: str, now: datetime) -> None:
    """Note that `actor` starts a release in spite of `stops`; somebody else has to sign that off later.

    To be called in the transaction that starts it. Raises NotPermitted, InvalidInput without a reason, or Conflict if
    nothing stops it, since then there is no glass to break.
    """
    policy.require_break_glass(actor, release)
    why = reason_of(reason)
    if not stops:
        raise Conflict("Nothing stops this release: start it as usual.", code="nothing_stops")
    ignored = [finding.as_json() for finding in stops]
    by = actor if actor is not None and actor.is_authenticated else None
    BreakGlass.objects.create(
        release=release,
        reason=why,
        ignored=ignored,
        at=now,
        by=by,
        by_name=actor_name(actor),  # type: ignore[misc]
    )
    record(actor, "release.glass_broken", release, after=ignored, reason=why, release_id=release.pk, now=now)
