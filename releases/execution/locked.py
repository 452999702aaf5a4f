"""A release held by its row lock: its runs as far as they were loaded, and the changes to be written.

Every change of a state below a release goes through `Locked.move`, inside `lock_release`. Changes and their events are
kept and written together, in few statements; what must happen outside of the database (send a message, cancel a
pipeline) is kept until after the commit, and is never more than a hint.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import cached_property, partial
from typing import Any

from django.db import transaction
from django.db.models import Case, Q, When

from config import hints
from config.errors import NotFound
from config.trail import Actor, actor_name, record, request_id
from releases import engine, queue, states
from releases.engine import Known, Picture, Tally
from releases.execution import rows
from releases.execution.dates import Dates, dates_of
from releases.execution.snapshots import tree_of
from releases.models import Attempt, Booking, Release
from releases.states import RELEASE_SETTLED, SETTLED
from releases.tree import ROOT, Key, Node, Tree

_LOCK = f"""
    SELECT state, snapshot_id, {rows.IS_FROZEN}
      FROM releases_release WHERE id = %(release)s FOR NO KEY UPDATE"""  # noqa: S608 - our own text alone
_TABLES = {"phase": "releases_phaserun", "activity": "releases_activityrun"}


class Run:
    """One loaded run: what the engine knows of it, and its row's id."""

    __slots__ = ("attempt", "count", "held", "id", "key", "node", "opened", "partial", "state", "tries")

    def __init__(self, key: Key, node: Node, row: rows.RunRow) -> None:
        self.key, self.node, self.id, self.partial = key, node, row.id, bool(row.partial)
        self.state, self.opened, self.count, self.attempt, self.tries = row[3:8]
        self.held = row.held

    @property
    def what(self) -> str:
        """Which table of moves it obeys."""
        return "phase" if self.node.is_phase else "activity"

    def grade(self, state: str) -> Tally:
        """Return what it adds to its container's tally in a state that is not settled, or has just become so."""
        return engine.grade(state, self.node.required, self.partial)


class Locked:
    """The release `id`, locked in the current transaction. Make one with `lock_release`.

    `is_frozen` is whether any freeze is open now; whether it concerns this release is asked only then. One that is
    `empty` has no runs yet.
    """

    def __init__(
        self,
        release_id: int,
        state: str,
        tree: Tree,
        now: datetime,
        actor: Actor,
        *,
        is_frozen: bool = False,
        empty: bool = False,
    ) -> None:
        self.id, self.state, self.tree, self.now, self.actor = release_id, state, tree, now, actor
        self.is_frozen = is_frozen
        self.runs: dict[Key, Run] = {}
        self.to_start: list[Run] = []
        self.to_cancel: list[Run] = []
        self.changed_inputs: dict[Key, dict[str, Any]] = {}
        self._facts: dict[str, Any] | None = None
        self._changes: dict[str, dict[int, dict[str, Any]]] = {"phase": {}, "activity": {}}
        self._made: dict[str, list[dict[str, Any]]] = {"phase": [], "activity": []}
        self._events: list[rows.EventRow] = []
        self._begun: list[Run] = []
        self._later: list[tuple[str, list[Any]]] = []
        self._held_before: dict[Key, Any] = {}
        self._tallies: dict[Key, Tally] = {ROOT: Tally()} if empty else {}
        self._stored: dict[Key, str] = {}
        self._stale = False

    @property
    def facts(self) -> dict[str, Any]:
        """The release's own columns by their names in expressions, with its inputs and given values; read once."""
        if self._facts is None:
            self._facts = rows.load_facts(self.id)
        return self._facts

    @cached_property
    def dates(self) -> Dates:
        """What `opens` and `due` are counted from."""
        return dates_of(self.id)

    # Reading ----------------------------------------------------------------------------------------------------------
    def load(self, keys: Iterable[Key], tallies: Iterable[Key] = ()) -> None:
        """Load the runs named by `keys` and the tallies of the containers named by `tallies`, as far as need be."""
        wanted = [key for key in keys if key not in self.runs and key != ROOT]
        phases = [key for key in wanted if self.tree[key].is_phase]
        activities = [key for key in wanted if not self.tree[key].is_phase]
        counted = [key for key in tallies if key not in self._tallies]
        if counted and (self._stale or any(self._made.values())):
            self.flush()
        loaded = rows.load(self.id, activities, phases, [key for key in counted if self.tree[key].is_phase])
        self._keep(loaded.runs)
        found = dict(loaded.tallies)
        for key in counted:
            if not self.tree[key].is_phase:
                found[key] = self._load_tally(key)
            self._tallies[key] = self._with_changes(key, found.get(key, Tally()))

    def _load_tally(self, key: Key) -> Tally:
        row_id = self.id if key == ROOT else self.runs[key].id
        return rows.load_tally(self.tree[key].kind, row_id)

    def _with_changes(self, container: Key, stored: Tally) -> Tally:
        """Return a stored tally as it is with the changes that are not written yet."""
        for key, state in self._stored.items():
            if self.tree.parent(key) == container:
                run = self.runs[key]
                stored = _shift(stored, run.grade(state), run.grade(run.state))
        return stored

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

    def make(self, *, phases: Sequence[dict[str, Any]], activities: Sequence[dict[str, Any]]) -> None:
        """Make pending runs of these columns, which are written with whatever else changes of them."""
        self._made["phase"] += phases
        self._made["activity"] += activities
        made = [Key(row["node"], row["items"]) for row in (*phases, *activities)]
        self._keep(rows.new_run(row) for row in (*phases, *activities))
        self._tallies.update((key, Tally()) for key in made if self.tree[key].is_container)
        for container in map(self.tree.parent, made):
            if container in self._tallies:
                self._tallies[container] = _shift(self._tallies[container], Tally(), Tally(unsettled=1))

    def known(self) -> dict[Key, Known]:
        """Return what the engine may know: every loaded run and the release itself as the root."""
        known = {run.key: Known(run.state, run.opened, run.count, run.partial, run.held) for run in self.runs.values()}
        known[ROOT] = Known("running" if self.state == "paused" else self.state, opened=True)
        return known

    def picture(self, tallies: Iterable[Key]) -> Picture:
        """Return the engine's picture, with the tallies of the given containers as they stand after all changes."""
        wanted = list(tallies)
        self.load((), wanted)
        return Picture(self.tree, self.known(), {key: self._tallies[key] for key in wanted}, self.state == "running")

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
        elif to == "on_hold" or (to == "waiting" and run.node.kind == "manual"):
            columns["tell_at"] = self.now
        if run.held and to != "pending":
            run.held = False
            columns.update(held_until=None, held_by=None)
        before = run.state
        self._count(run, to, partial=bool(columns.get("partial")))
        for name in ("attempt", "tries"):
            if name in columns:
                setattr(run, name, columns[name])
        run.count = columns.get("item_count", run.count)
        if columns.get("opened_at" if run.what == "activity" else "started_at"):
            run.opened = True
        self.change(run, **columns)
        after = {"state": to, "attempt": run.attempt} if run.attempt else {"state": to}
        self.event(run, verb or _verb(run.what, to), {"state": before}, after, reason)

    def _count(self, run: Run, to: str, *, partial: bool) -> None:
        """Set the state of a run, and keep its container's tally true."""
        container = self.tree.parent(run.key)
        self._stored.setdefault(run.key, run.state)
        before = run.grade(run.state)
        if run.state in SETTLED:
            self._stale = True
            self._tallies.pop(container or ROOT, None)
        run.state, run.partial = to, partial
        if container in self._tallies:
            self._tallies[container] = _shift(self._tallies[container], before, run.grade(to))

    def begin_attempt(self, run: Run) -> None:
        """Write the row of the attempt that starts with this commit."""
        self._begun.append(run)

    def write_later(self, sql: str, parameters: list[Any]) -> None:
        """Run a statement together with the changes, when they are written."""
        self._later.append((sql, parameters))

    def pending(self, run: Run) -> dict[str, Any]:
        """Return the columns of a run that are not written yet."""
        return self._changes[run.what].get(run.id, {})

    def change(self, run: Run, **columns: Any) -> None:
        """Write columns of a run's row that are not its state."""
        self._changes[run.what].setdefault(run.id, {}).update(columns)

    def hold(self, run: Run, until: datetime, why: dict[str, Any]) -> None:
        """Keep a pending run from opening until a moment, with an event unless it was held for just that before."""
        run.held = True
        self.change(run, held_until=until, held_by=why)
        if self._held_before.get(run.key) != why:
            self.event(run, f"{run.what}.held", after=why)

    def release_hold(self, run: Run, why: Any) -> None:
        """Let a held run open again; `why` is what it was held by."""
        run.held = False
        self._held_before[run.key] = why
        self.change(run, held_until=None, held_by=None)

    def event(self, run: Run, verb: str, before: Any = None, after: Any = None, reason: str = "") -> None:
        """Write an event about a run."""
        self._events.append(
            rows.EventRow(
                verb,
                "phaserun" if run.node.is_phase else "activityrun",
                run.id,
                self.path(run.key),
                before,
                after,
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
        if to in RELEASE_SETTLED:
            Booking.objects.filter(release=self.id).delete()
            transaction.on_commit(partial(_wake_next, self.id, self.now))
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

    def remark(self, verb: str, after: Any, reason: str) -> None:
        """Write an event about the release itself that does not change its state."""
        release = Release.objects.only("id", "name", "version").get(pk=self.id)
        record(self.actor, verb, release, after=after, reason=reason, release_id=self.id, now=self.now)

    def cancel_remote(self) -> None:
        """Have the runners asked to end the attempts that were under way in `to_cancel`; kept until it is done."""
        if self.to_cancel:
            awake = Case(When(~Q(reference=""), follow_at__isnull=False, then=self.now), default="follow_at")
            Attempt.objects.filter(activity_run_id__in=[run.id for run in self.to_cancel], status="running").update(
                cancel_at=self.now, follow_at=awake
            )

    def write_before_reading(self, keys: Iterable[Key]) -> None:
        """Write what has changed if any of the runs that are to be read is among it."""
        runs = [self.runs[key] for key in keys if key in self.runs]
        made = {row["id"] for what in self._made.values() for row in what}
        if any(run.id in self._changes[run.what] or run.id in made for run in runs):
            self.flush()

    def flush(self) -> None:
        """Write what has changed so far and its events, together."""
        if not (self._events or self._later or any(self._changes.values()) or any(self._made.values())):
            return
        with rows.together():
            for what, changes in self._changes.items():
                rows.insert_runs(_TABLES[what], self._made[what], changes)
                made = {row["id"] for row in self._made[what]}
                rows.update_runs(_TABLES[what], {pk: columns for pk, columns in changes.items() if pk not in made})
            for sql, parameters in self._later:
                rows.execute(sql, parameters)
            rows.insert_attempts([run.id for run in self._begun], self.now)
            if self._events:
                self._insert_events()
        for what in self._changes:
            self._changes[what].clear()
            self._made[what].clear()
        self._events.clear()
        self._begun.clear()
        self._later.clear()
        self._stored.clear()
        self._stale = False

    def leave(self) -> None:
        """Write the changes, and have done after the commit what must follow it."""
        self.cancel_remote()
        self.flush()
        starts = [(self.id, run.id, run.attempt) for run in self.to_start if run.state == "queued"]
        if starts:
            transaction.on_commit(partial(queue.send_starts, starts))
        if self.to_cancel:
            transaction.on_commit(queue.send_tick)
            transaction.on_commit(hints.follow)
        hints.changed(self.id)

    def _insert_events(self) -> None:
        rows.insert_events(
            self._events,
            at=self.now,
            actor_id=self.actor.pk if self.actor is not None and self.actor.is_authenticated else None,
            actor_name=actor_name(self.actor),
            release_id=self.id,
            request=request_id.get(),
        )


def _wake_next(release_id: int, now: datetime) -> None:
    """Have what waits in the group of a release that is over tried at once: a hint, since it is tried again anyway."""
    waiting = Release.objects.filter(group__releases=release_id, state="scheduled", planned_start_at__lte=now)
    waiting.filter(next_try_at__gt=now).update(next_try_at=now)


def _shift(tally: Tally, before: Tally, after: Tally) -> Tally:
    return Tally(*(was - old + new for was, old, new in zip(tally, before, after, strict=True)))


def _verb(what: str, to: str) -> str:
    return f"{what}.{'started' if to == 'running' else to}"


@contextmanager
def lock_release(release_id: int, *, now: datetime, actor: Actor = None) -> Iterator[Locked]:
    """Lock a release for the length of the block, write its changes at the end, then do what must follow the commit.

    Open pages are told, too: whoever locks a release changes something of it, be it the log of an attempt.

    `now` is an aware moment. Raises NotFound if there is no such release or it has not started.
    """
    with transaction.atomic():
        with rows.together():
            cursor = rows.execute(_LOCK, {"release": release_id, "now": now})
        found = cursor.fetchone()
        if found is None or found[1] is None:
            raise NotFound("There is no such release, or it has not started yet.")
        locked = Locked(release_id, found[0], tree_of(found[1]), now, actor, is_frozen=found[2])
        yield locked
        locked.leave()
