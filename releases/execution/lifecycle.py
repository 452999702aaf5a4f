"""Starting, pausing, resuming and aborting a release."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction
from psycopg.types.json import Jsonb

from config.errors import Conflict
from config.trail import Actor, actor_name, request_id
from releases import states
from releases.execution import rows
from releases.execution.advance import advance, advance_all
from releases.execution.locked import Locked, Run, lock_release
from releases.execution.planting import plant_release, release_runs
from releases.execution.snapshots import tree_of
from releases.models import Release
from releases.states import SETTLED
from releases.tree import ROOT

_STARTABLE = [str(state) for state in (states.ReleaseState.DRAFT, states.ReleaseState.SCHEDULED)]
_BEGIN = f"""
    WITH old AS (SELECT id, state, btrim(name || ' ' || version) AS title FROM releases_release
                  WHERE id = %(release)s AND state = ANY(%(startable)s) AND started_at IS NULL FOR NO KEY UPDATE),
         new AS (UPDATE releases_release r
                    SET state = 'running', snapshot_id = %(snapshot)s, revision_id = %(revision)s, reason = '',
                        started_at = %(now)s, started_by_id = %(by)s, started_by_name = %(by_name)s,
                        given_at_start = %(given_at_start)s, inputs = %(inputs)s, sources = %(sources)s,
                        values = %(values)s, next_try_at = NULL, check_at = NULL, findings = '[]'
                   FROM old WHERE r.id = old.id)
    INSERT INTO config_event (at, actor_id, actor_name, verb, subject_type, subject_id, subject_name, release_id,
                              before, after, reason, request_id)
    SELECT %(now)s, %(by)s, %(by_name)s, 'release.started', 'release', id, left(title, 500), id,
           jsonb_build_object('state', state), %(after)s, '', %(request)s FROM old
    RETURNING {rows.IS_FROZEN}, {rows.NEW_IDS}"""  # noqa: S608 - our own text alone


def begin(release_id: int, *, actor: Actor, now: datetime, snapshot_id: int, columns: dict[str, Any]) -> None:
    """Start a draft or scheduled release on a pinned tree: make its runs and open what may open.

    `columns` are what was resolved for it (revision, inputs, sources, values, given_at_start). Raises Conflict if it
    has been started, cancelled or otherwise moved on meanwhile.
    """
    tree = tree_of(snapshot_id)
    phases, activities = map(len, release_runs(tree))
    parameters = _begin_parameters(release_id, actor, now, snapshot_id, columns)
    with transaction.atomic(savepoint=False):
        begun = rows.fetch(_BEGIN, {**parameters, "phases": phases, "activities": activities})
        if not begun:
            state = Release.objects.values_list("state", flat=True).get(pk=release_id)
            raise Conflict(f"The release is {state}; only a draft or scheduled one starts.", code="not_startable")
        is_frozen, phase_ids, activity_ids = begun[0]
        locked = Locked(release_id, "running", tree, now, None, is_frozen=is_frozen, empty=True)
        plant_release(locked, phase_ids, activity_ids)
        advance(locked, [ROOT])
        locked.leave()


def _begin_parameters(
    release_id: int, actor: Actor, now: datetime, snapshot_id: int, columns: Mapping[str, Any]
) -> dict[str, Any]:
    documents = {name: Jsonb(columns.get(name, {})) for name in ("given_at_start", "inputs", "sources", "values")}
    revision = columns["revision"]
    return {
        "release": release_id,
        "startable": _STARTABLE,
        "snapshot": snapshot_id,
        "now": now,
        "by": actor.pk if actor is not None and actor.is_authenticated else None,
        "by_name": actor_name(actor),
        "revision": revision.pk,
        "after": Jsonb({"state": "running", "revision": str(revision)}),
        "request": request_id.get(),
        **documents,
    }


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
