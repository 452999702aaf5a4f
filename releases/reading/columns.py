"""The columns that lists leave in the database: values and documents, which may be long and which no row shows."""

from __future__ import annotations

from django.db.models import QuerySet

from releases.models import ActivityRun, Release

_OF_RELEASES = ("given", "given_at_start", "inputs", "sources", "values", "outputs", "told", "description")
_OF_PHASES = ("inputs", "sources", "outputs")
_OF_RUNS = ("inputs", "sources", "changed_inputs", "outputs")


def listed(releases: QuerySet[Release]) -> QuerySet[Release]:
    """Return releases with the names of their process, revision and group, in one query, and without what is long."""
    found: QuerySet[Release] = releases.select_related("process", "revision", "group")
    return found.defer(*_OF_RELEASES, "process__body", "process__description", "revision__document")


def asking(runs: QuerySet[ActivityRun]) -> QuerySet[ActivityRun]:
    """Return activity runs with their release and phase, in one query, and without what is long but their work."""
    long = [f"release__{name}" for name in (*_OF_RELEASES, "findings")] + [f"phase__{name}" for name in _OF_PHASES]
    found: QuerySet[ActivityRun] = runs.select_related("release", "phase")
    return found.defer(*_OF_RUNS, *long)
