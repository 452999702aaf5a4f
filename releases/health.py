"""How a release that is under way is doing, derived from its runs (product, section 2); nothing of it is stored.

The worst that applies counts: `failing` (something required has failed for good while other branches still run),
`on_hold` (a failure waits for a decision), `waiting` (people or a signal are asked for something), `ok`. A failure that
was waved through together with the subprocess or `for_each` around it no longer counts. A release that is not under way
has no health: it is empty.
"""

from __future__ import annotations

from django.db.models import CharField, QuerySet
from django.db.models.expressions import RawSQL

from releases.models import Release

OK, WAITING, ON_HOLD, FAILING = "ok", "waiting", "on_hold", "failing"
HEALTH = (OK, WAITING, ON_HOLD, FAILING)
UNDER_WAY = ("running", "paused")

#: In plain SQL: built from Django's expressions it takes longer to put together than to run.
_HEALTH = """
    CASE WHEN releases_release.state NOT IN ('running', 'paused') THEN ''
         WHEN EXISTS (SELECT 1 FROM releases_activityrun r
                       WHERE r.release_id = releases_release.id AND r.state = 'failed' AND r.required
                AND NOT EXISTS (SELECT 1 FROM releases_activityrun a WHERE a.id = r.parent_id AND a.state = 'ignored')
                AND NOT EXISTS (SELECT 1 FROM releases_phaserun p JOIN releases_activityrun a ON a.id = p.parent_id
                                 WHERE p.id = r.phase_id AND a.state = 'ignored')) THEN 'failing'
         WHEN EXISTS (SELECT 1 FROM releases_activityrun r
                       WHERE r.release_id = releases_release.id AND r.state = 'on_hold') THEN 'on_hold'
         WHEN EXISTS (SELECT 1 FROM releases_activityrun r
                       WHERE r.release_id = releases_release.id AND r.state = 'waiting'
                         AND r.kind IN ('manual', 'signal')) THEN 'waiting'
         ELSE 'ok' END"""


def with_health(queryset: QuerySet[Release]) -> QuerySet[Release]:
    """Return `queryset` (of releases, and no subquery) with `health` on every release, in the same one statement."""
    annotated: QuerySet[Release] = queryset.annotate(health=RawSQL(_HEALTH, [], CharField()))  # noqa: S611 - constant
    return annotated


def health_of(release: Release) -> str:
    """Return the health of one release: the annotation of `with_health` if it has it, otherwise one query."""
    if hasattr(release, "health"):
        return str(release.health)
    if release.state not in UNDER_WAY:
        return ""
    return str(vars(with_health(Release.objects.filter(pk=release.pk)).only("pk").get())["health"])
