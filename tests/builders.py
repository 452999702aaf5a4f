"""Short ways to make processes and releases, and to play a worker without one."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import yaml
from django.contrib.auth.models import User

from activities.models import Connection
from processes.catalogue import DocumentCatalogue
from processes.document import digest
from processes.expansion import expand
from processes.models import Process, ProcessRevision
from releases.execution import attempts, lifecycle
from releases.execution.snapshots import snapshot_of
from releases.models import ActivityRun, Attempt, PhaseRun, Release

MONDAY = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def process_of(text: str) -> tuple[Process, dict[str, Any], DocumentCatalogue]:
    """Make the last process of a YAML text, with its revision 1; the others can be called as subprocesses."""
    documents = list(yaml.safe_load_all(text))
    for document in documents:
        document.setdefault("kind", "Process")
        document.setdefault("name", document["id"].title())
    document = documents[-1]
    process, _ = Process.objects.get_or_create(slug=document["id"], defaults={"name": document["name"]})
    return process, document, DocumentCatalogue(documents)


def scripted_connection() -> Connection:
    """Return the connection whose engine is `tests.fakes.current`."""
    connection, _ = Connection.objects.get_or_create(
        slug="scripted", defaults={"name": "Scripted", "provider": "scripted"}
    )
    return connection


def revision_of(text: str, *, now: datetime = MONDAY) -> tuple[ProcessRevision, DocumentCatalogue]:
    """Make revision 1 of the last process of a YAML text, without going through apply and publish."""
    process, document, catalogue = process_of(text)
    revision, _ = ProcessRevision.objects.get_or_create(
        process=process,
        number=1,
        defaults={
            "document": document,
            "digest": digest(document),
            "published_at": now,
            "published_by_name": "author",
        },
    )
    return revision, catalogue


def start(
    text: str,
    *,
    inputs: Mapping[str, Any] | None = None,
    values: Mapping[str, Any] | None = None,
    by: User | None = None,
    now: datetime = MONDAY,
) -> Release:
    """Start a release of the process in a YAML text, without looking at what would stop it."""
    scripted_connection()
    revision, catalogue = revision_of(text, now=now)
    process, document = revision.process, revision.document
    release = Release.objects.create(
        process=process, revision=revision, name="Release", version="1.2.3", created_at=now
    )
    snapshot, _ = snapshot_of(expand(document, 1, catalogue))
    columns = {"revision": revision, "inputs": dict(inputs or {}), "sources": {}, "values": dict(values or {})}
    lifecycle.begin(release.pk, actor=by, now=now, snapshot_id=snapshot.pk, columns=columns)
    release.refresh_from_db()
    return release


def automated(pipeline: str, **extra: Any) -> dict[str, Any]:
    """Return the block of an automated activity of the scripted engine."""
    return {"connection": "scripted", "pipeline": pipeline, **extra}


def work(release: Release, *, most: int = 200) -> None:
    """Do what workers would, one message after the other, until nothing is queued."""
    for _ in range(most):
        queued = ActivityRun.objects.filter(release=release, state="queued", kind="automated").order_by("id")
        for run in queued:
            attempts.carry_out(release.pk, run.pk, run.attempt)
        if not queued.exists():
            break
    release.refresh_from_db()


def look(release: Release) -> None:
    """Look once at every running automated activity, as the tick would have it done."""
    for run in ActivityRun.objects.filter(release=release, state="running", kind="automated"):
        attempts.look(release.pk, run.pk, run.attempt)
    release.refresh_from_db()


def run_of(release: Release, path: str) -> ActivityRun:
    """Return the activity run at a path such as `build/compile` or `build/compile[0]`."""
    return ActivityRun.objects.get(release=release, path=path)


def phase_of(release: Release, path: str) -> PhaseRun:
    """Return the phase run at a path."""
    return PhaseRun.objects.get(release=release, path=path)


def states(release: Release) -> dict[str, str]:
    """Return the state of every activity by its path."""
    return dict(ActivityRun.objects.filter(release=release).values_list("path", "state"))


def attempts_of(run: ActivityRun) -> list[str]:
    """Return how each attempt of an activity ended."""
    return list(Attempt.objects.filter(activity_run=run).order_by("number").values_list("status", flat=True))
