"""Having the tick look again at what a freeze, a debt or the like keeps from starting, because that has changed.

A hint: whoever looks decides anew. Rows that somebody else is changing just now are left to their own next look.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q, QuerySet

from releases.models import ActivityRun, Release

FREEZE = "freeze"
#: What starts later is looked at again in good time anyway.
SOON, NEAR, FAR = timedelta(days=30), timedelta(days=7), timedelta(days=4000)


@transaction.atomic
def wake(releases: QuerySet[Release] | None = None, *, now: datetime) -> None:
    """Has the activities that a freeze holds, and the overdue scheduled releases, looked at now; `releases` only."""
    runs = ActivityRun.objects.filter(held_until__gt=now, held_by__kind=FREEZE)
    if releases is not None:
        runs = runs.filter(release__in=releases.order_by().values("pk"))
    held = list(runs.select_for_update(skip_locked=True, no_key=True, of=("self",)).values_list("pk", flat=True))
    ActivityRun.objects.filter(pk__in=held).update(held_until=now)
    concerned = Release.objects.all() if releases is None else releases
    wake_due(concerned, now=now)
    look_ahead(concerned, now=now)


@transaction.atomic
def look_ahead(releases: QuerySet[Release], *, now: datetime, within: timedelta = SOON) -> None:
    """Has what would stop those of the releases that start soon looked at again, a few at a time."""
    coming = releases.filter(state="scheduled", planned_start_at__lte=now + within).order_by("pk")
    rows = list(coming.select_for_update(skip_locked=True, no_key=True, of=("self",)).values_list("pk", flat=True))
    Release.objects.filter(pk__in=rows).update(check_at=now)


def look_again(now: datetime) -> None:
    """Has the releases looked at again that something is known to stop, and those that start within days.

    For after a change of what releases are made from: it may have mended what stops one, or broken what starts soon.
    """
    is_stopped = Q(findings__contains=[{"stops": True}])
    look_ahead(Release.objects.filter(is_stopped | Q(planned_start_at__lte=now + NEAR)), now=now, within=FAR)


@transaction.atomic
def wake_due(releases: QuerySet[Release], *, now: datetime) -> None:
    """Has those of the releases that should have started by now tried now."""
    waiting = releases.filter(state="scheduled", planned_start_at__lte=now, next_try_at__gt=now).order_by("pk")
    due = list(waiting.select_for_update(skip_locked=True, no_key=True, of=("self",)).values_list("pk", flat=True))
    Release.objects.filter(pk__in=due).update(next_try_at=now)
