"""From code to deployment and back: what is where, how it came there, and which releases carry something."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import groupby
from typing import TypeVar

from django.db.models import Q, QuerySet

from releases.models import Artifact, Change, Release

Row = TypeVar("Row", Change, Artifact)

#: How much is shown of one release.
MOST = 200
#: With how many characters a search begins.
SHORTEST = 2


@dataclass(slots=True)
class Shelf:
    """An artifact by its name, with what of it is in each of the environments (None: nothing)."""

    name: str
    places: list[Artifact | None]


@dataclass(slots=True)
class Made:
    """An artifact that a release made, with the places it was put: each with what is there now."""

    artifact: Artifact
    places: list[tuple[Artifact, Artifact | None]] = field(default_factory=list)


@dataclass(slots=True)
class Carrier:
    """A release with what of it was searched for."""

    release: Release
    changes: list[Change] = field(default_factory=list)
    artifacts: list[Artifact] = field(default_factory=list)


def deployed(releases: QuerySet[Release]) -> QuerySet[Artifact]:
    """Return every artifact that one of `releases` put into an environment."""
    placed = Artifact.objects.exclude(environment="")
    return placed.filter(release__in=releases.order_by()) if releases.query.where else placed


def what_is_where(releases: QuerySet[Release]) -> QuerySet[Artifact]:
    """Return the newest of every artifact in every environment, as far as `releases` put it there."""
    newest = deployed(releases).order_by("environment", "name", "-pk").distinct("environment", "name")
    return Artifact.objects.filter(pk__in=newest.values("pk"))


def environments(releases: QuerySet[Release]) -> list[str]:
    """Return the environments into which `releases` put something, by name."""
    found = deployed(releases).order_by("environment").distinct("environment")
    return list(found.values_list("environment", flat=True))


def shelves(releases: QuerySet[Release], columns: list[str], *, after: str = "", size: int) -> list[Shelf]:
    """Return up to `size` artifacts whose names follow `after`, with what of them is in each environment."""
    there = deployed(releases)
    named = there.filter(name__gt=after).order_by("name").distinct("name")
    names = list(named.values_list("name", flat=True)[:size])
    newest = there.filter(name__in=names).order_by("name", "environment", "-pk").distinct("name", "environment")
    found = {(one.name, one.environment): one for one in newest.select_related("release")}
    return [Shelf(name, [found.get((name, column)) for column in columns]) for name in names]


def in_environment(releases: QuerySet[Release], environment: str, *, after: str = "", size: int) -> list[Artifact]:
    """Return the newest of up to `size` artifacts in an environment, by name, those that follow `after`."""
    there = deployed(releases).filter(environment=environment, name__gt=after)
    return list(there.order_by("name", "-pk").distinct("name").select_related("release")[:size])


def made_by(release: Release, releases: QuerySet[Release]) -> list[Made]:
    """Return the artifacts of a release, the newest first, and where each was put; `releases` are those one may see."""
    rows = list(
        Artifact.objects.filter(release=release).select_related("activity_run").defer("activity_run__work")[:MOST]
    )
    names = {row.name for row in rows if row.environment}
    newest = deployed(releases).filter(name__in=names) if names else Artifact.objects.none()
    newest = newest.order_by("environment", "name", "-pk").distinct("environment", "name")
    now = {(one.environment, one.name): one for one in newest.select_related("release")}
    found: dict[tuple[str, ...], Made] = {}
    for row in rows:
        key = (row.name, row.version, row.digest, row.reference, row.commit)
        made = found.setdefault(key, Made(row))
        if row.environment and all(place.environment != row.environment for place, _ in made.places):
            made.places.append((row, now.get((row.environment, row.name))))
    return list(found.values())


def matching_changes(text: str) -> QuerySet[Change]:
    """Return the commits and tickets whose reference begins with `text`."""
    return Change.objects.filter(reference__istartswith=text)


def matching_artifacts(text: str) -> QuerySet[Artifact]:
    """Return the artifacts whose version, commit or digest begins with `text`."""
    digest = Q(digest__istartswith=text) | Q(digest__istartswith=f"sha256:{text}")
    return Artifact.objects.filter(Q(version__istartswith=text) | Q(commit__istartswith=text) | digest)


def carriers_of(releases: QuerySet[Release], text: str, *, before: int | None = None, size: int) -> list[Carrier]:
    """Return up to `size` of `releases` that carry what `text` names, the newest first, those before an id."""
    carrying = Q(pk__in=matching_changes(text).order_by().values("release"))
    carrying |= Q(pk__in=matching_artifacts(text).order_by().values("release"))
    found = releases.filter(carrying).select_related("process", "group").order_by("-pk")
    rows = list((found if before is None else found.filter(pk__lt=before))[:size])
    changes = _by_release(matching_changes(text).filter(release__in=rows).order_by("-release", "kind", "pk")[:MOST])
    artifacts = _by_release(matching_artifacts(text).filter(release__in=rows).order_by("-release", "pk")[:MOST])
    return [Carrier(row, changes.get(row.pk, []), artifacts.get(row.pk, [])) for row in rows]


def _by_release(rows: Iterable[Row]) -> dict[int, list[Row]]:
    return {number: list(some) for number, some in groupby(rows, key=lambda row: row.release_id)}
