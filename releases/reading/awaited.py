"""Who waits for a release of this installation: the other side of what a waiting activity says."""

from __future__ import annotations

from activities.models import Connection
from config.trail import Actor
from releases import policy
from releases.models import ActivityRun, Attempt, Release

#: So many are named.
MOST = 8


def awaited_by(actor: Actor, release: Release) -> list[ActivityRun]:
    """Return activities that wait for a release or a part of it, as far as `actor` may see theirs.

    One query while nothing waits for it, which is nearly always; otherwise three.
    """
    here = Connection.objects.filter(provider="pilothouse").exclude(settings__has_key="url")
    waiting = Attempt.objects.filter(
        connection__in=here.values("slug"), follow_at__isnull=False, reference=str(release.pk), status="running"
    )
    releases = dict(waiting.order_by().values_list("activity_run", "activity_run__release"))
    if not releases:
        return []
    seen = policy.visible_ids(actor, set(releases.values()))
    runs = [run for run, its in releases.items() if its in seen]
    found = ActivityRun.objects.filter(pk__in=runs).select_related("release")
    return list(found.only("name", "release__name", "release__version").order_by("pk")[:MOST])
