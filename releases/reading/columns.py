"""The columns that rows of lists show: values, documents and whatever else no row shows stay in the database."""

from __future__ import annotations

from django.db.models import QuerySet

from releases.models import Release

_TIMES = ("planned_start_at", "planned_end_at", "started_at", "finished_at", "created_at")
_OF_RELEASES = ("name", "version", "state", "findings", *_TIMES, "created_by_name", "started_by_name")
_AROUND = ("process__slug", "process__name", "revision__number", "group__slug", "group__name", "group__body")


def listed(releases: QuerySet[Release]) -> QuerySet[Release]:
    """Return releases with what rows say of them, their process, revision and group, in one query."""
    found: QuerySet[Release] = releases.select_related("process", "revision", "group")
    return found.only(*_OF_RELEASES, *_AROUND)
