"""From code to deployment and back: what is where, how it came there, and which releases carry something."""

from __future__ import annotations

from django.db.models import QuerySet

from releases.models import Artifact, Release


def deployed(releases: QuerySet[Release]) -> QuerySet[Artifact]:
    """Return every artifact that one of `releases` put into an environment."""
    return Artifact.objects.filter(release__in=releases.order_by()).exclude(environment="")


def what_is_where(releases: QuerySet[Release]) -> QuerySet[Artifact]:
    """Return the newest of every artifact in every environment, as far as `releases` put it there."""
    newest = deployed(releases).order_by("environment", "name", "-pk").distinct("environment", "name")
    return Artifact.objects.filter(pk__in=newest.values("pk"))
