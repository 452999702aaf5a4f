"""Starting a release in spite of what stops it: breaking the glass, and the debt that somebody else signs off."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.contrib.auth.models import User
from django.db import transaction

from config.errors import Conflict, NotPermitted
from config.trail import Actor, actor_name, record
from releases import policy
from releases.findings import Finding
from releases.models import BreakGlass, Release
from releases.services.given import reason_of, require, text_faults
from releases.services.waking import wake_due


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


def unpaid_debt(release: Release) -> BreakGlass | None:
    """Return the oldest debt that keeps a release from starting: of its group or, ad hoc, of its process.

    A release's own debt does not count.
    """
    unpaid = BreakGlass.objects.filter(signed_at=None, release__group=release.group_id).exclude(release=release.pk)
    if release.group_id is None:
        unpaid = unpaid.filter(release__process=release.process_id)
    return unpaid.select_related("release").order_by("at", "pk").first()


def may_sign_off(actor: Actor, debt: BreakGlass) -> bool:
    """Return whether `actor` may sign a debt off: operates the release, and is not who broke the glass."""
    own = isinstance(actor, User) and debt.by_id == actor.pk
    return not own and policy.may_operate(actor, debt.release)


@transaction.atomic
def sign_off_break_glass(actor: Actor, debt: BreakGlass, *, comment: str = "", now: datetime) -> BreakGlass:
    """Sign off a start in spite of what stopped it, so that later releases may start again.

    Raises NotPermitted, InvalidInput, or Conflict when it has been signed off already.
    """
    policy.require_operate(actor, debt.release)
    if not may_sign_off(actor, debt):
        raise NotPermitted("Somebody else has to sign off what you started in spite of what stopped it.")
    require(text_faults("comment", comment))
    found = BreakGlass.objects.select_for_update(no_key=True, of=("self",))
    locked = found.select_related("release__group", "release__process").get(pk=debt.pk)
    if locked.signed_at is not None:
        raise Conflict(f"{locked.signed_by_name} has signed it off already.", code="signed")
    locked.signed_at, locked.signed_by_name, locked.comment = now, actor_name(actor), comment.strip()
    locked.signed_by = actor if isinstance(actor, User) else None
    locked.save(update_fields=["signed_at", "signed_by", "signed_by_name", "comment"])
    release = locked.release
    record(actor, "break_glass.signed_off", locked, reason=locked.comment, release_id=release.pk, now=now)
    owing = Release.objects.filter(group=release.group_id)
    wake_due(owing if release.group_id else owing.filter(process=release.process_id), now=now)
    return locked
