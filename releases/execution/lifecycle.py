"""Starting, pausing, resuming and aborting a release."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import transaction

from config.errors import Conflict
from config.trail import Actor, actor_name, record
from releases import states
from releases.execution.advance import advance, advance_all
from releases.execution.locked import Locked, Run, lock_release
from releases.execution.planting import plant_release
from releases.models import Release, Snapshot
from releases.states import SETTLED
from releases.tree import ROOT


def begin(release_id: int, *, actor: Actor, now: datetime, snapshot: Snapshot, columns: dict[str, Any]) -> None:
    """Start a draft or scheduled release on a pinned tree: make its runs and open what may open.

    `columns` are what was resolved for it (revision, inputs, sources, values, given_at_start). Raises Conflict if it
    has been started, cancelled or otherwise moved on meanwhile.
    """
    with transaction.atomic():
        release = Release.objects.select_for_update(no_key=True).get(pk=release_id)
        if "running" not in states.RELEASE_MOVES[states.ReleaseState(release.state)] or release.started_at:
            raise Conflict(
                f"The release is {release.state}; only a draft or scheduled one starts.", code="not_startable"
            )
        Release.objects.filter(pk=release_id).update(
            state="running",
            snapshot=snapshot,
            started_at=now,
            started_by=actor if actor is not None and actor.is_authenticated else None,
            started_by_name=actor_name(actor),
            **columns,
        )
        after = {"state": "running", "revision": str(columns["revision"])}
        before = {"state": release.state}
        record(actor, "release.started", release, before=before, after=after, release_id=release_id, now=now)
        with lock_release(release_id, now=now) as locked:
            plant_release(locked)
            advance(locked, [ROOT])


def pause(release_id: int, *, actor: Actor, now: datetime, reason: str = "") -> None:
    """Start nothing new; what runs finishes. Raises Conflict unless the release runs."""
    with lock_release(release_id, now=now, actor=actor) as locked:
        _expect(locked, "running")
        locked.move_release("paused", reason=reason)


def resume(release_id: int, *, actor: Actor, now: datetime) -> None:
    """Go on where a pause has stopped. Raises Conflict unless the release is paused."""
    with lock_release(release_id, now=now, actor=actor) as locked:
        _expect(locked, "paused")
        locked.move_release("running", verb="release.resumed")
        advance_all(locked)
        locked.to_start += [run for run in locked.runs.values() if _is_ready(run) and run not in locked.to_start]


def _is_ready(run: Run) -> bool:
    return run.state == "queued" and run.node.kind == "automated" and run.tries <= 1


def abort(release_id: int, *, actor: Actor, now: datetime, reason: str) -> None:
    """Stop everything and seal the release: running pipelines are cancelled, and nothing late can revive it.

    Raises Conflict if it has settled.
    """
    with lock_release(release_id, now=now, actor=actor) as locked:
        _expect(locked, "running", "paused")
        locked.load_all()
        for run in locked.runs.values():
            if run.state in SETTLED:
                continue
            if run.node.kind == "automated" and run.state == "running":
                locked.to_cancel.append(run)
            locked.move(run, "aborted", reason=reason)
        locked.move_release("aborted", reason=reason, finished_at=now)
        Release.objects.filter(pk=release_id).update(reason=reason)


def _expect(locked: Locked, *allowed: str) -> None:
    if locked.state not in allowed:
        raise Conflict(f"The release is {locked.state.replace('_', ' ')}.", code="wrong_state")
