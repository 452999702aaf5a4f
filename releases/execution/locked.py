"""A release held by its row lock: its runs as far as they were loaded, and the changes to be written.

Every change of a state below a release goes through `Locked.move`, inside `lock_release`. Changes and their events are
kept and written together, in few statements; what must happen outside of the database (send a message, cancel a
pipeline) is kept until after the commit, and is never more than a hint.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from typing import Any

from django.db import transaction

from config.errors import NotFound
from config.trail import Actor, actor_name, record, request_id
from releases import queue, states
from releases.engine import Known, Picture, Tally
from releases.execution import rows
from releases.execution.snapshots import tree_of
from releases.models import Attempt, Release
from releases.states import SETTLED
from releases.tree import ROOT, Key, Node, Tree

_TABLES = {"phase": "releases_phaserun", "activity": "releases_activityrun"}


class Run:
    """One loaded run: what the engine knows of it, and its row's id."""

    __slots__ = ("attempt", "count", "id", "key", "node", "opened", "state", "tries")

    def __init__(self, key: Key, node: Node, row: rows.RunRow) -> None:
        self.key, self.node, self.id = key, node, row.id
        self.state, self.opened, self.count, self.attempt, self.tries = row[3:]

    @property
    def what(self) -> str:
        """Which table of moves it obeys."""
        return "phase" if self.node.is_phase else "activity"


class Locked:
    """The release `id`, locked in the current transaction. Make one with `lock_release`."""

    def __init__(self, release_id: int, state: str, tree: Tree, now: datetime, actor: Actor) -> None:
        self.id, self.state, self.tree, self.now, self.actor = release_id, state, tree, now, actor
        self.runs: dict[Key, Run] = {}
        self.to_start: list[Run] = []
        self.to_cancel: list[Run] = []
        self.changed_inputs: dict[Key, dict[str, Any]] = {}
        self._facts: dict[str, Any] | None = None
        self._changes: dict[str, dict[int, dict[str, Any]]] = {"phase": {}, "activity": {}}
        self._events: list[rows.EventRow] = []

    @property
    def facts(self) -> dict[str, Any]:
        """The release's own columns by their names in expressions, with its inputs and given values; read once."""
        if self._facts is None:
            self._facts = rows.load_facts(self.id)
        return self._facts

    # Reading ----------------------------------------------------------------------------------------------------------
    def load(self, keys: Iterable[Key]) -> None:
        """Load the runs named by `keys` that are not loaded yet."""
        wanted = [key for key in keys if key not in self.runs and key != ROOT]
        phases = [key for key in wanted if self.tree[key].is_phase]
        activities = [key for key in wanted if not self.tree[key].is_phase]
        if wanted:
            self._keep(rows.load_runs(self.id, activities, phases))

    def load_all(self) -> None:
        """Load every run of the release."""
        self._keep(rows.load_all_runs(self.id))

    def _keep(self, loaded: Iterable[rows.RunRow]) -> None:
        for row in loaded:
            key = Key(row.node, row.items)
            self.runs.setdefault(key, Run(key, self.tree[key], row))

    def load_activity(self, run_id: int) -> Run | None:
        """Return the activity run with this row id, or None if the release has none."""
        found = rows.load_activity(self.id, run_id)
        self._keep(found)
        return self.runs[Key(found[0].node, found[0].items)] if found else None

    def load_phase(self, run_id: int) -> Run | None:
        """Return the phase run with this row id, or None if the release has none."""
        found = rows.load_phase(self.id, run_id)
        self._keep(found)
        return self.runs[Key(found[0].node, found[0].items)] if found else None

    def know(self, made: Iterable[rows.RunRow]) -> None:
        """Take note of runs whose rows have just been made."""
        self._keep(made)

    def known(self) -> dict[Key, Known]:
        """Return what the engine may know: every loaded run and the release itself as the root."""
        known = {run.key: Known(run.state, run.opened, run.count) for run in self.runs.values()}
        known[ROOT] = Known("running" if self.state == "paused" else self.state, True)
        return known

    def picture(self, tallies: Iterable[Key]) -> Picture:
        """Return the engine's picture, with the tallies of the given containers as they stand after all changes."""
        self.flush()
        by_kind: dict[str, dict[int, Key]] = {}
        for key in tallies:
            row_id = self.id if key == ROOT else self.runs[key].id
            by_kind.setdefault(self.tree[key].kind, {})[row_id] = key
        found: dict[Key, Tally] = {}
        for kind, keys in by_kind.items():
            loaded = rows.load_tallies(kind, list(keys))
            found.update({key: loaded.get(row_id, Tally()) for row_id, key in keys.items()})
        return Picture(self.tree, self.known(), found, starts=self.state == "running")

    # Writing ----------------------------------------------------------------------------------------------------------
    def move(self, run: Run, to: str, *, reason: str = "", verb: str = "", **columns: Any) -> None:
        """Bring `run` to state `to`, with its event; sets the finish time by the state. Raises IllegalMove."""
        states.check_move(run.what, run.state, to)
        columns["state"] = to
        if to in SETTLED:
            columns.setdefault("finished_at", self.now)
            if run.what == "activity":
                columns.setdefault("next_look_at", None)
        elif run.state in SETTLED:
            columns["finished_at"] = None
        before, run.state = run.state, to
        for name in ("attempt", "tries"):
            if name in columns:
                setattr(run, name, columns[name])
        run.count = columns.get("item_count", run.count)
        if columns.get("opened_at" if run.what == "activity" else "started_at"):
            run.opened = True
        self.change(run, **columns)
        after = {"state": to, "attempt": run.attempt} if run.attempt else {"state": to}
        self.event(run, verb or _verb(run.what, to), {"state": before}, after, reason)

    def change(self, run: Run, **columns: Any) -> None:
        """Write columns of a run's row that are not its state."""
        self._changes[run.what].setdefault(run.id, {}).update(columns)

    def event(self, run: Run, verb: str, before: Any = None, after: Any = None, reason: str = "") -> None:
        """Write an event about a run."""
        self._events.append(
            rows.EventRow(
                verb,
                "phaserun" if run.node.is_phase else "activityrun",
                run.id,
                self.path(run.key),
                None if before is None else json.dumps(before),
                None if after is None else json.dumps(after),
                reason,
            )
        )

    def path(self, key: Key) -> str:
        """Return the path of a run as people read it."""
        path = str(self.tree[key].doc["path"])
        return f"{path}[{key.items.replace('.', '][')}]" if key.items else path

    def finish(self, to: str, outputs: dict[str, Any]) -> None:
        """Bring the release itself to a settled state."""
        self.move_release(to, finished_at=self.now, outputs=outputs)

    def move_release(self, to: str, *, reason: str = "", verb: str = "", **columns: Any) -> None:
        """Bring the release itself to state `to`, with its event. Raises IllegalMove."""
        states.check_move("release", self.state, to)
        before, self.state = self.state, to
        self.flush()
        release = Release.objects.filter(pk=self.id)
        release.update(state=to, **columns)
        event_verb = verb or f"release.{'started' if to == 'running' else to}"
        record(
            self.actor,
            event_verb,
            release.only("id", "name", "version").get(),
            before={"state": before},
            after={"state": to},
            reason=reason,
            release_id=self.id,
            now=self.now,
        )

    def cancel_remote(self) -> None:
        """Have the runners asked to end the attempts that were under way in `to_cancel`; kept until it is done."""
        if self.to_cancel:
            Attempt.objects.filter(activity_run_id__in=[run.id for run in self.to_cancel], status="running").update(
                cancel_at=self.now
            )

    def flush(self) -> None:
        """Write what has changed so far and its events."""
        for what, changes in self._changes.items():
            if changes:
                rows.update_runs(_TABLES[what], changes)
                changes.clear()
        if self._events:
            rows.insert_events(
                self._events,
                at=self.now,
                actor_id=self.actor.pk if self.actor is not None and self.actor.is_authenticated else None,
                actor_name=actor_name(self.actor),
                release_id=self.id,
                request=request_id.get(),
            )
            self._events.clear()


def _verb(what: str, to: str) -> str:
    return f"{what}.{'started' if to == 'running' else to}"


@contextmanager
def lock_release(release_id: int, *, now: datetime, actor: Actor = None) -> Iterator[Locked]:
    """Lock a release for the length of the block, write its changes at the end, then do what must follow the commit.

    `now` is an aware moment. Raises NotFound if there is no such release or it has not started.
    """
    with transaction.atomic():
        found = rows.fetch(
            "SELECT state, snapshot_id FROM releases_release WHERE id = %s FOR NO KEY UPDATE", [release_id]
        )
        if not found or found[0][1] is None:
            raise NotFound("There is no such release, or it has not started yet.")
        locked = Locked(release_id, found[0][0], tree_of(found[0][1]), now, actor)
        yield locked
        locked.cancel_remote()
        locked.flush()
        starts = [(release_id, run.id, run.attempt) for run in locked.to_start if run.state == "queued"]
        if starts:
            transaction.on_commit(partial(queue.send_starts, starts))
        if locked.to_cancel:
            transaction.on_commit(queue.send_tick)
