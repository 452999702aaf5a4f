"""Stopping the line in one action, and lifting a freeze before its time."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from django.db import transaction
from django.db.models import Q

from config import durations
from config.errors import Conflict, Fault, InvalidInput
from config.permissions import require
from config.trail import Actor, actor_name, record
from releases.freeze_documents import save_freeze
from releases.models import Freeze
from releases.services.given import reason_of
from releases.services.waking import wake

LONGEST_WORDS = 120


def stop_the_line(
    actor: Actor, *, scope: Mapping[str, Any], reason: str, now: datetime, until: datetime | None = None
) -> Freeze:
    """Freeze what is in `scope` from this moment, until it is lifted or until a moment; nothing in scope opens.

    The scope is a freeze document's. Raises NotPermitted, or InvalidInput with every fault.
    """
    reason = reason_of(reason)
    if until is not None and until <= now:
        raise InvalidInput([Fault("until", "This moment has passed.", "Choose a later one, or none.")])
    if until is not None and until - now > durations.LONGEST:
        raise InvalidInput([Fault("until", "This moment is more than ten years away.", "Leave it out.")])
    start = _wall(now)
    end = {"until_lifted": True} if until is None else {"end": _wall(until)}
    document = {
        "kind": "Freeze",
        "id": f"stop-{now.astimezone(UTC):%Y%m%d-%H%M%S}-{uuid4().hex[:6]}",
        "name": f"Line stopped: {' '.join(reason.split())[:LONGEST_WORDS]}",
        "description": reason,
        "scope": dict(scope),
        "window": {"start": start, **end, "timezone": "UTC"},
        "in_flight": "hold",
    }
    return save_freeze(actor, document, now=now, expected_version=0, reason=reason)[0]


@transaction.atomic
def lift_freeze(actor: Actor, freeze: Freeze, *, now: datetime, reason: str) -> Freeze:
    """End the window of a freeze that is open now; later windows stay.

    Raises NotPermitted, InvalidInput without a reason, Conflict (`not_open`) when the freeze does not apply now.
    """
    require(actor, "releases.change_freeze", freeze)
    reason = reason_of(reason)
    locked = Freeze.objects.select_for_update(no_key=True).get(pk=freeze.pk)
    running = list(locked.windows.filter(Q(ends_at=None) | Q(ends_at__gt=now), starts_at__lte=now))
    if not running:
        raise Conflict("The freeze does not apply now; there is nothing to lift.", code="not_open")
    before = [_plain(window.starts_at, window.ends_at) for window in running]
    after = [_plain(window.starts_at, now) for window in running]
    locked.windows.filter(pk__in=[window.pk for window in running]).update(
        ends_at=now, lifted_at=now, lifted_by_name=actor_name(actor)
    )
    record(actor, "freeze.lifted", locked, before=before, after=after, reason=reason, now=now)
    wake(now=now)
    return locked


def _wall(moment: datetime) -> str:
    """The moment in UTC, as documents write it; whole seconds, so that a stop holds from before it was said."""
    return moment.astimezone(UTC).replace(tzinfo=None, microsecond=0).isoformat()


def _plain(starts_at: datetime, ends_at: datetime | None) -> dict[str, str | None]:
    return {"starts_at": starts_at.isoformat(), "ends_at": ends_at.isoformat() if ends_at else None}
