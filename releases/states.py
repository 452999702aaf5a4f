"""The states of releases, phase runs and activity runs, and the moves between them (product, section 2).

Pure: no Django. `releases/execution.py` is the only writer; it asks `check_move` before every change.
Every state says what it means, who moves a row out of it, and what happens if the machine dies there.
"""

from __future__ import annotations

from enum import StrEnum


class IllegalMove(Exception):
    """A row was about to leave its table of moves: a defect in Pilothouse, never a user's fault."""


class ReleaseState(StrEnum):
    """The life of a release."""

    DRAFT = "draft"
    """Being prepared. A person schedules or starts it. Nothing runs, so a crash loses nothing."""
    SCHEDULED = "scheduled"
    """Waits for its planned start. The tick starts it, or a person does. After a crash the next tick looks again."""
    RUNNING = "running"
    """Its activities are under way. The machine moves it on as they settle; the tick repairs whatever was lost."""
    PAUSED = "paused"
    """Starts nothing new; what runs finishes, and its results are recorded. A person resumes or aborts it."""
    SUCCEEDED = "succeeded"
    """Everything required succeeded. Final."""
    PARTIALLY_SUCCEEDED = "partially_succeeded"
    """Ran to its end, but a required activity was ignored or an optional one failed. Final."""
    FAILED = "failed"
    """Everything has settled and something required failed. Final."""
    ABORTED = "aborted"
    """A person stopped it, with a reason. Final and sealed: nothing late can revive it."""
    CANCELLED = "cancelled"
    """Called off before it started. A person may schedule it again."""
    MISSED = "missed"
    """Could not start before its deadline. A person may schedule it again."""


class PhaseState(StrEnum):
    """The life of a phase run: rolled up from its activities."""

    PENDING = "pending"
    """Not open yet. The engine opens it when what it needs is done."""
    RUNNING = "running"
    """Open: its activities may start. It settles when they all have."""
    SUCCEEDED = "succeeded"
    """Everything in it succeeded or was skipped."""
    PARTIALLY_SUCCEEDED = "partially_succeeded"
    """Ran to its end, but something in it was ignored or an optional activity failed. Done for its dependents."""
    FAILED = "failed"
    """Something required in it failed, or its own condition or inputs could not be read."""
    SKIPPED = "skipped"
    """Its condition was false. Done for its dependents."""
    ABORTED = "aborted"
    """It never ran because something it needs failed, or was stopped: by a person, or because something required in it
    never ran. Not done for its dependents."""


class ActivityState(StrEnum):
    """The life of an activity run, over all its attempts."""

    PENDING = "pending"
    """Not open yet. The engine opens it when its phase is open and what it needs is done."""
    QUEUED = "queued"
    """To be started by a worker, now or after a retry's delay. If the message is lost, the tick sends another."""
    RUNNING = "running"
    """Claimed: an attempt is under way, or (subprocess, for_each) what it holds runs. After a crash the tick has the
    runner look, or start again with the same key; the runner never starts one key twice."""
    WAITING = "waiting"
    """Waits for people, for a signal or for a moment. Nothing runs, so a crash loses nothing."""
    ON_HOLD = "on_hold"
    """Failed, and waits for a person: retry, retry with a subprocess, ignore or fail."""
    SUCCEEDED = "succeeded"
    """Done. Only restarting its phase runs it again."""
    FAILED = "failed"
    """Failed for good. Nothing that needs it starts, unless it says `after: settled`."""
    IGNORED = "ignored"
    """Failed and waved through, with a reason and perhaps stand-in outputs. Done for its dependents."""
    SKIPPED = "skipped"
    """Its condition was false. Done for its dependents."""
    ABORTED = "aborted"
    """It was stopped, or never ran because something it needs failed. Not done for its dependents."""


R, P, A = ReleaseState, PhaseState, ActivityState

#: A settled run has a finish time, and only a settled one: the database checks it.
RELEASE_SETTLED = frozenset({R.SUCCEEDED, R.PARTIALLY_SUCCEEDED, R.FAILED, R.ABORTED})
PHASE_SETTLED = frozenset({P.SUCCEEDED, P.PARTIALLY_SUCCEEDED, P.FAILED, P.SKIPPED, P.ABORTED})
ACTIVITY_SETTLED = frozenset({A.SUCCEEDED, A.FAILED, A.IGNORED, A.SKIPPED, A.ABORTED})
SETTLED = frozenset(str(state) for state in PHASE_SETTLED | ACTIVITY_SETTLED)

#: Done for a dependent (product, section 2).
DONE = frozenset(str(s) for s in (A.SUCCEEDED, A.IGNORED, A.SKIPPED, P.PARTIALLY_SUCCEEDED))

#: An activity in one of these has begun and not settled.
ACTIVE = frozenset({A.QUEUED, A.RUNNING, A.WAITING, A.ON_HOLD})

RELEASE_MOVES: dict[ReleaseState, frozenset[ReleaseState]] = {
    R.DRAFT: frozenset({R.SCHEDULED, R.RUNNING}),
    R.SCHEDULED: frozenset({R.RUNNING, R.CANCELLED, R.MISSED}),
    R.RUNNING: frozenset({R.PAUSED}) | RELEASE_SETTLED,
    R.PAUSED: frozenset({R.RUNNING}) | RELEASE_SETTLED,
    R.CANCELLED: frozenset({R.SCHEDULED}),
    R.MISSED: frozenset({R.SCHEDULED}),
    R.SUCCEEDED: frozenset(),
    R.PARTIALLY_SUCCEEDED: frozenset(),
    R.FAILED: frozenset(),
    R.ABORTED: frozenset(),
}

# Restarting a phase puts what has begun or settled back to pending, as long as the release itself runs.
PHASE_MOVES: dict[PhaseState, frozenset[PhaseState]] = {
    P.PENDING: frozenset({P.RUNNING, P.SKIPPED, P.FAILED, P.ABORTED}),
    P.RUNNING: frozenset({P.SUCCEEDED, P.PARTIALLY_SUCCEEDED, P.FAILED, P.ABORTED, P.PENDING}),
    P.SUCCEEDED: frozenset({P.PENDING}),
    P.PARTIALLY_SUCCEEDED: frozenset({P.PENDING}),
    P.FAILED: frozenset({P.PENDING}),
    P.SKIPPED: frozenset({P.PENDING}),
    P.ABORTED: frozenset({P.PENDING}),
}

# A manual, signal or wait activity opens straight into waiting and a container into running, since no worker has to
# claim them. An activity whose inputs cannot be resolved fails as it opens. Running goes back to queued for a retry.
_FAILURE = frozenset({A.ON_HOLD, A.IGNORED, A.FAILED})
ACTIVITY_MOVES: dict[ActivityState, frozenset[ActivityState]] = {
    A.PENDING: frozenset({A.QUEUED, A.WAITING, A.RUNNING, A.SKIPPED, A.ABORTED, A.SUCCEEDED}) | _FAILURE,
    A.QUEUED: frozenset({A.RUNNING, A.WAITING, A.SUCCEEDED, A.SKIPPED, A.ABORTED, A.PENDING}) | _FAILURE,
    A.RUNNING: frozenset({A.SUCCEEDED, A.SKIPPED, A.ABORTED, A.QUEUED, A.PENDING}) | _FAILURE,
    A.WAITING: frozenset({A.SUCCEEDED, A.SKIPPED, A.ABORTED, A.QUEUED, A.PENDING}) | _FAILURE,
    A.ON_HOLD: frozenset({A.QUEUED, A.IGNORED, A.FAILED, A.ABORTED, A.PENDING}),
    A.SUCCEEDED: frozenset({A.PENDING}),
    A.FAILED: frozenset({A.PENDING}),
    A.IGNORED: frozenset({A.PENDING}),
    A.SKIPPED: frozenset({A.PENDING}),
    A.ABORTED: frozenset({A.PENDING}),
}

_MOVES: dict[str, dict[str, frozenset[str]]] = {
    "release": {str(k): frozenset(map(str, v)) for k, v in RELEASE_MOVES.items()},
    "phase": {str(k): frozenset(map(str, v)) for k, v in PHASE_MOVES.items()},
    "activity": {str(k): frozenset(map(str, v)) for k, v in ACTIVITY_MOVES.items()},
}


def check_move(what: str, before: str, after: str) -> None:
    """Raise IllegalMove unless a `what` (release, phase or activity) may go from `before` to `after`."""
    if after not in _MOVES[what].get(before, frozenset()):
        raise IllegalMove(f"A {what} cannot go from {before} to {after}.")
