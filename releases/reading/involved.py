"""What a release touches and who takes part in it, at a glance."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from processes.models import Resource
from releases import bookings
from releases.models import Release


@dataclass(frozen=True, slots=True)
class Involved:
    """Resources by name, the owners of work (`group:qa`, `user:ann`), and who fills which role."""

    resources: list[str]
    owners: list[str]
    roles: list[tuple[str, str]]


def involved_in(release: Release, *, now: datetime) -> Involved:
    """Return who and what is involved: as booked, and once it is over as it would book. A few queries."""
    whats = set(release.bookings.values_list("what", flat=True))
    if not whats:
        whats = set(bookings.touches_of([release], now=now)[release.pk])
    slugs = [what.removeprefix("resource:") for what in sorted(whats) if what.startswith("resource:")]
    names = dict(Resource.objects.filter(slug__in=slugs).values_list("slug", "name")) if slugs else {}
    names_of = ("role", "user__first_name", "user__last_name", "user__username")
    roles = release.roles.order_by("role").values_list(*names_of)
    return Involved(
        resources=[names.get(slug, slug) for slug in slugs],
        owners=sorted(what for what in whats if not what.startswith("resource:")),
        roles=[(role, f"{first} {last}".strip() or username) for role, first, last, username in roles],
    )
