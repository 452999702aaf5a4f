"""How a release that is under way is doing, derived from its runs (product, section 2); nothing of it is stored.

The worst that applies counts: `failing` (something required has failed for good while other branches still run),
`on_hold` (a failure waits for a decision), `waiting` (people or a signal are asked for something), `ok`. A failure that
was waved through together with the subprocess or `for_each` around it no longer counts. A release that is not under way
has no health: it is empty.
"""

from __future__ import annotations

from django.db.models import Case, CharField, Exists, OuterRef, Q, QuerySet, Value, When

from releases.models import ActivityRun, Release

OK, WAITING, ON_HOLD, FAILING = "ok", "waiting", "on_hold", "failing"
HEALTH = (OK, WAITING, ON_HOLD, FAILING)
UNDER_WAY = ("running", "paused")

_FAILED = Q(state="failed", required=True) & ~Q(parent__state="ignored") & ~Q(phase__parent__state="ignored")
_ASKED = Q(state="waiting", kind__in=["manual", "signal"])


def with_health(queryset: QuerySet[Release]) -> QuerySet[Release]:
    """Return `queryset` with `health` on every release, in the same one statement."""
    runs = ActivityRun.objects.filter(release=OuterRef("pk"))
    health = Case(
        When(~Q(state__in=UNDER_WAY), then=Value("")),
        When(Exists(runs.filter(_FAILED)), then=Value(FAILING)),
        When(Exists(runs.filter(state="on_hold")), then=Value(ON_HOLD)),
        When(Exists(runs.filter(_ASKED)), then=Value(WAITING)),
        default=Value(OK),
        output_field=CharField(),
    )
    annotated: QuerySet[Release] = queryset.annotate(health=health)
    return annotated


def health_of(release: Release) -> str:
    """Return the health of one release: the annotation of `with_health` if it has it, otherwise one query."""
    if hasattr(release, "health"):
        return str(release.health)
    if release.state not in UNDER_WAY:
        return ""
    return str(vars(with_health(Release.objects.filter(pk=release.pk)).only("pk").get())["health"])
