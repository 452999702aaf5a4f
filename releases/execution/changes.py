"""Commits and tickets that the outputs of an activity name become rows when it succeeds, as its artifacts do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime

from config.trail import MACHINE
from releases import changes
from releases.changes import Named
from releases.execution.locked import Locked, Run
from releases.models import Change

#: The outputs that are read, and what they name.
OUTPUTS = {"commits": "commit", "tickets": "ticket"}


def record_changes(locked: Locked, run: Run) -> None:
    """Record what the outputs of an activity that has just succeeded name; what cannot be read leaves an event."""
    outputs = locked.pending(run).get("outputs") or {}
    found: list[Named] = []
    for name, kind in OUTPUTS.items():
        if name not in outputs:
            continue
        reading = changes.read(kind, outputs[name], f"outputs.{name}")
        found += reading.found
        if reading.faults:
            why = "; ".join(str(fault) for fault in reading.faults[:10])
            locked.event(run, "changes.unreadable", after={"output": name}, reason=why)
    added = keep_changes(locked.id, found, now=locked.now, by_name=MACHINE, run_id=run.id) if found else []
    if added:
        locked.event(run, "changes.recorded", after=told_of(added))


def keep_changes(
    release_id: int, found: Iterable[Named], *, now: datetime, by_name: str, run_id: int | None = None
) -> list[Named]:
    """Keep those that the release does not carry yet, and return them. The caller holds the release's lock."""
    known = set(Change.objects.filter(release=release_id).values_list("kind", "repository", "reference"))
    added = [named for named in found if named.key not in known]
    rows = [
        Change(release_id=release_id, activity_run_id=run_id, at=now, added_by_name=by_name, **asdict(named))
        for named in added
    ]
    Change.objects.bulk_create(rows, ignore_conflicts=True)
    return added


def told_of(added: Iterable[Named]) -> dict[str, list[str]]:
    """Return what the event says of changes: their references by kind."""
    told: dict[str, list[str]] = {}
    for named in added:
        told.setdefault(f"{named.kind}s", []).append(named.reference)
    return told
