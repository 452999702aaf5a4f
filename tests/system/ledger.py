"""Whether what a release has left behind is consistent: its rows, its attempts, its events, and the effects outside.

Read with plain SQL, so that what wrote it does not also judge it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

from tests.system.stack import Stack

RUNS = """
    SELECT 'activityrun', id, path, state, attempt, kind, next_look_at FROM releases_activityrun
     WHERE release_id = %(id)s
     UNION ALL SELECT 'phaserun', id, path, state, 0, 'phase', NULL FROM releases_phaserun WHERE release_id = %(id)s
     UNION ALL SELECT 'release', id, 'release', state, 0, 'release', NULL FROM releases_release WHERE id = %(id)s"""
EVENTS = """
    SELECT subject_type, subject_id, verb, before ->> 'state', after ->> 'state', (after ->> 'attempt')::int
      FROM config_event WHERE release_id = %(id)s ORDER BY id"""
ATTEMPTS = """
    SELECT a.activity_run_id, a.number, a.status, a.finished_at IS NOT NULL, a.cancel_at IS NULL, a.error,
           coalesce(l.text, ''), r.path
      FROM releases_attempt a JOIN releases_activityrun r ON r.id = a.activity_run_id
      LEFT JOIN releases_attemptlog l ON l.attempt_id = a.id WHERE r.release_id = %(id)s"""
FIRST = {"activityrun": "pending", "phaserun": "pending", "release": "draft"}


def faults(stack: Stack, release: int, *, lost: bool = False) -> list[str]:
    """Returns everything that is wrong with a release that should have succeeded at the first attempt of everything.

    `lost` says that commands were killed: then attempts may have been lost and tried again.
    """
    runs = {(kind, row): rest for kind, row, *rest in stack.ask(RUNS, {"id": release})}
    events = stack.ask(EVENTS, {"id": release})
    attempts = stack.ask(ATTEMPTS, {"id": release})
    return [
        *run_faults(runs, lost=lost),
        *event_faults(runs, events),
        *attempt_faults(runs, attempts, events, lost=lost),
        *effect_faults(stack, attempts),
    ]


def run_faults(runs: dict[tuple[str, int], list[Any]], *, lost: bool) -> list[str]:
    """Everything has succeeded, nothing is due, and nothing was tried twice."""
    found = []
    for path, state, attempt, kind, due in runs.values():
        if state != "succeeded":
            found.append(f"{path} is {state}")
        if due is not None:
            found.append(f"{path} is still to be looked at")
        if kind == "automated" and attempt != 1 and not lost:
            found.append(f"{path} needed {attempt} attempts")
    return found


def event_faults(runs: dict[tuple[str, int], list[Any]], events: list[tuple[Any, ...]]) -> list[str]:
    """Each run's events tell its life without a gap or a repetition, up to the state it has."""
    found = []
    told = {(kind, row): FIRST[kind] for kind, row in runs}
    for kind, row, verb, before, after, _ in events:
        if before is None or after is None:
            continue
        path = runs[kind, row][0]
        if told[kind, row] != before:
            found.append(f"{verb} of {path} says it was {before}, the events before it say {told[kind, row]}")
        told[kind, row] = after
    found += [
        f"{runs[key][0]} is {runs[key][1]}, its events say {state}"
        for key, state in told.items()
        if state != runs[key][1]
    ]
    return found


def attempt_faults(
    runs: dict[tuple[str, int], list[Any]],
    attempts: list[tuple[Any, ...]],
    events: list[tuple[Any, ...]],
    *,
    lost: bool,
) -> list[str]:
    """Every attempt has one row, one start, one end and its log once; the last one of each activity succeeded."""
    found = []
    started: Counter[tuple[int, int]] = Counter()
    ended: defaultdict[int, int] = defaultdict(int)
    for _, row, verb, _, _, attempt in events:
        started[row, attempt or 0] += verb == "activity.started"
        ended[row] += verb == "activity.succeeded"
    for row, number, status, finished, not_to_cancel, error, log, path in attempts:
        is_last = number == runs["activityrun", row][2]
        if started[row, number] != 1:
            found.append(f"attempt {number} of {path} has {started[row, number]} events of its start")
        if not (finished and not_to_cancel) or (status != "succeeded" and (is_last or not lost)):
            found.append(f"attempt {number} of {path} is {status}: {error}")
        if status == "succeeded" and log.splitlines()[:1] + log.splitlines()[2:] != [f"did {path.split('/')[1]}"]:
            found.append(f"the log of attempt {number} of {path} is {log!r}")
    for (kind, row), (path, _, attempt, what, _) in runs.items():
        if kind == "activityrun" and ended[row] != 1:
            found.append(f"{path} has {ended[row]} events of its success")
        numbers = sorted(number for run, number, *_ in attempts if run == row) if kind == "activityrun" else []
        if what == "automated" and numbers != list(range(1, attempt + 1)):
            found.append(f"{path} is at attempt {attempt} and has rows of the attempts {numbers}")
    return found


def effect_faults(stack: Stack, attempts: list[tuple[Any, ...]]) -> list[str]:
    """No attempt had its effect twice, not even under different keys; what succeeded had it."""
    done = Counter(tuple(map(int, line.split()[0].split("-")[:2])) for line in stack.effects.read_text().splitlines())
    found = []
    for row, number, status, *_, path in attempts:
        times = done[row, number]
        if times > 1 or (status == "succeeded" and times == 0):
            found.append(f"attempt {number} of {path}, {status}, had its effect {times} times")
    return found
