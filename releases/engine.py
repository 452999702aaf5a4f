"""What should happen next in a release. Pure: nodes in, moves out; no Django, no clock, no database.

The algorithm, for a set of touched runs (whose state has just changed, or which deserve another look):

1. `reads` names the runs, tallies and families that a decision about them depends on; the caller loads just these, so
   that a decision costs the same in a release of ten activities and of a thousand.
2. `plan` decides, in this order, for each touched run
   a. that is pending: whether it opens, can never run, or goes the way of what holds it;
   b. that is an open or stopped container: the same for each pending child, and its own settling;
   c. that has settled: the same for each of its dependents, for what holds it, and for the scopes it makes fail fast.
3. The caller carries the moves out, which touches more runs, and asks again until nothing moves.

A lost wake-up is harmless, since planning over everything finds whatever a missed plan would have found, and planning
what is already planned finds nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from releases.states import DONE, SETTLED
from releases.tree import Key, Tree

OPEN = "open"

#: Seconds after which a growing delay between two tries grows no more: a year.
LONGEST_DELAY = 365 * 86400.0


class Known(NamedTuple):
    """What is known of a run: its state, whether it ever opened, how many items it has (an open `for_each`), whether
    it is less than clean (`partial` of the move that brought it here), and whether something outside the tree keeps it
    from opening (`held`: a moment that has not come, a freeze)."""

    state: str
    opened: bool = False
    count: int = 0  # type: ignore[assignment]  # a tuple's own count() is of no use here
    partial: bool = False
    held: bool = False


class Tally(NamedTuple):
    """How the children of a container stand: not settled, failed for good, less than clean, and (of the less than
    clean) required and never ran."""

    unsettled: int = 0
    failed: int = 0
    partial: int = 0
    stopped: int = 0


class Move(NamedTuple):
    """A decision: bring run `key` to state `to`; OPEN leaves it to the caller to evaluate its condition and inputs.

    `partial` says of a container that succeeds that it did so less than cleanly, and of a run that is aborted that
    nothing but optional failures kept it from running.
    """

    key: Key
    to: str
    partial: bool = False
    why: str = ""


@dataclass(slots=True)
class Reads:
    """What a plan wants to know: runs, tallies of containers' children, and containers with every run below."""

    runs: set[Key] = field(default_factory=set)
    tallies: set[Key] = field(default_factory=set)
    families: set[Key] = field(default_factory=set)


@dataclass(slots=True)
class Picture:
    """What is known of a release when a plan is made. `starts` is whether anything may open (it is not paused)."""

    tree: Tree
    runs: Mapping[Key, Known]
    tallies: Mapping[Key, Tally]
    starts: bool = True


def grade(state: str, required: bool, partial: bool) -> Tally:
    """Return what one child adds to its container's tally, by this order of severity (product, section 2).

    Unsettled, then failed for good (a required child failed), then stopped (a required child never ran, and not just
    because of optional failures), then less than clean (a required child was ignored, an optional one failed,
    something else never ran, or a container was itself less than clean), then clean.
    """
    if state not in SETTLED:
        return Tally(unsettled=1)
    if state == "failed" and required:
        return Tally(failed=1)
    if state == "aborted" and required and not partial:
        return Tally(partial=1, stopped=1)
    unclean = state in ("failed", "aborted", "partially_succeeded") or (state == "ignored" and required) or partial
    return Tally(partial=1) if unclean else Tally()


def reads(tree: Tree, runs: Mapping[Key, Known], touched: Iterable[Key]) -> Reads:
    """Return what `plan` wants to know to decide about `touched`, each of which must be in `runs`."""
    wanted = Reads()
    for key in touched:
        known, node = runs[key], tree[key]
        if known.state == "pending":
            _reads_of_pending(tree, key, wanted)
        if node.is_container and (known.state == "running" or known.state in SETTLED):
            _reads_of_children(tree, key, known, wanted)
        if known.state in SETTLED:
            _reads_of_settled(tree, key, known, wanted)
    return wanted


def _reads_of_pending(tree: Tree, key: Key, wanted: Reads) -> None:
    wanted.runs.update(tree.needs(key))
    parent = tree.parent(key)
    if parent is not None:
        wanted.runs.add(parent)
        if tree[parent].parallel:
            wanted.families.add(parent)


def _reads_of_children(tree: Tree, key: Key, known: Known, wanted: Reads) -> None:
    if known.state == "running":
        wanted.tallies.add(key)
    for child in tree.children(key, known.count):
        wanted.runs.add(child)
        wanted.runs.update(tree.needs(child))


def _reads_of_settled(tree: Tree, key: Key, known: Known, wanted: Reads) -> None:
    for dependent in tree.dependents(key):
        wanted.runs.add(dependent)
        _reads_of_pending(tree, dependent, wanted)
    parent = tree.parent(key)
    if parent is not None:
        wanted.runs.add(parent)
        wanted.tallies.add(parent)
        if tree[parent].parallel:
            wanted.families.add(parent)
    scopes = tree.fail_fast_scopes(key) if known.state == "failed" else []
    wanted.runs.update(scopes)
    wanted.families.update(scopes)


def plan(picture: Picture, touched: Iterable[Key]) -> list[Move]:
    """Return the moves that follow from the state of `touched`, at most one for each run."""
    moves: dict[Key, Move] = {}
    tree, runs = picture.tree, picture.runs
    touched = list(touched)
    for key in touched:
        _fail_fast(picture, key, moves)
    for key in touched:
        known, node = runs[key], tree[key]
        candidates: list[Key] = [key] if known.state == "pending" else []
        containers: list[Key] = []
        if node.is_container and (known.state == "running" or known.state in SETTLED):
            candidates += tree.children(key, known.count)
            containers.append(key)
        if known.state in SETTLED:
            candidates += tree.dependents(key)
            parent = tree.parent(key)
            if parent is not None:
                containers.append(parent)
                if tree[parent].parallel and parent in runs:
                    candidates += tree.children(parent, runs[parent].count)
        for candidate in candidates:
            _consider(picture, candidate, moves)
        for container in containers:
            _roll_up(picture, container, moves)
    return list(moves.values())


def _consider(picture: Picture, key: Key, moves: dict[Key, Move]) -> None:
    """Decide about one run, if it is pending and nothing has been decided yet."""
    known = picture.runs.get(key)
    if known is None or known.state != "pending" or key in moves:
        return
    tree = picture.tree
    parent = tree.parent(key)
    holder = picture.runs[parent].state if parent is not None else "running"
    if holder in SETTLED:
        skipped = holder == "skipped"
        moves[key] = Move(key, "skipped" if skipped else "aborted", why="" if skipped else "what holds it stopped")
        return
    if holder != "running":
        return
    verdict, why = readiness(picture, key)
    if verdict == "never":
        optional = all(_optional(picture, need) for need in tree.needs(key) if picture.runs[need].state not in DONE)
        moves[key] = Move(key, "aborted", partial=optional, why=why)
    elif verdict == "ready" and picture.starts and not known.held and _has_room(picture, key, moves):
        moves[key] = Move(key, OPEN)


def readiness(picture: Picture, key: Key) -> tuple[str, str]:
    """Return "ready", "not yet" or "never" for a run whose container is open, with the reason for "never"."""
    node = picture.tree[key]
    states = {need: picture.runs[need].state for need in picture.tree.needs(key)}
    if not states:
        return "ready", ""
    enough = any if node.needs_any else all
    if node.after_settled:
        return ("ready", "") if enough(state in SETTLED for state in states.values()) else ("not yet", "")
    if enough(state in DONE for state in states.values()):
        return "ready", ""
    lost = [need for need, state in states.items() if state in SETTLED and state not in DONE]
    hopeless = bool(lost) and not node.needs_any and not all(_optional(picture, need) for need in lost)
    if hopeless or all(state in SETTLED for state in states.values()):
        first = picture.tree[lost[0]].doc
        return "never", f"{first.get('path') or first.get('name')} {states[lost[0]]}"
    return "not yet", ""


def _optional(picture: Picture, key: Key) -> bool:
    """Return whether a run that is lost to its dependents was optional, or never ran because of such ones only.

    A run that has lost just these waits for its other needs, so that what becomes of it does not hang on their order.
    """
    known = picture.runs[key]
    return known.partial if known.state == "aborted" else not picture.tree[key].required


def _has_room(picture: Picture, key: Key, moves: Mapping[Key, Move]) -> bool:
    """Return whether the `for_each` around `key` lets another item start now (`parallel`)."""
    parent = picture.tree.parent(key)
    limit = picture.tree[parent].parallel if parent is not None else None
    if parent is None or limit is None:
        return True
    items = picture.tree.children(parent, picture.runs[parent].count)
    busy = sum(picture.runs[item].state not in SETTLED | {"pending"} for item in items)
    opening = sum(1 for item in items if item in moves and moves[item].to == OPEN)
    return busy + opening < limit


def _roll_up(picture: Picture, key: Key, moves: dict[Key, Move]) -> None:
    """Settle the container `key` if all its children have."""
    if picture.runs[key].state != "running" or key in moves:
        return
    tally = picture.tallies[key]
    if tally.unsettled:
        return
    node = picture.tree[key]
    if tally.failed:
        to = "failed" if node.kind in ("phase", "process") else failure_state(node.on_failure)
        moves[key] = Move(key, to, why="something in it failed")
    elif tally.stopped:
        moves[key] = Move(key, "failed" if node.kind == "process" else "aborted", why="something in it never ran")
    elif node.kind in ("phase", "process"):
        moves[key] = Move(key, "partially_succeeded" if tally.partial else "succeeded")
    else:
        moves[key] = Move(key, "succeeded", partial=bool(tally.partial))


def _fail_fast(picture: Picture, key: Key, moves: dict[Key, Move]) -> None:
    """Stop whatever has not begun in the scopes that fail fast because of `key`, except clean-up."""
    if picture.runs[key].state != "failed":
        return
    for scope in picture.tree.fail_fast_scopes(key):
        if picture.runs[scope].state in SETTLED:
            continue
        for run in family(picture.tree, picture.runs, scope, skip_clean_up=True):
            if picture.runs[run].state == "pending" and run not in moves:
                moves[run] = Move(run, "aborted", why=f"{picture.tree[key].doc.get('path')} failed")


def family(tree: Tree, runs: Mapping[Key, Known], key: Key, *, skip_clean_up: bool = False) -> list[Key]:
    """Return every known run below `key`, parents first, without clean-up branches (`after: settled`) if asked."""
    found: list[Key] = []
    for child in tree.children(key, runs[key].count):
        if child in runs and not (skip_clean_up and tree[child].after_settled):
            found.append(child)
            found += family(tree, runs, child, skip_clean_up=skip_clean_up)
    return found


def restart(tree: Tree, runs: Mapping[Key, Known], key: Key) -> tuple[list[Key], list[Key]]:
    """Return the runs to put back to pending so that phase `key` runs again, and those that forbid it.

    Back go the phase, what it holds, and whatever later on never ran because of it, with the phases that stopped for
    want of that. Not back goes what never ran in something that ended otherwise. Forbidden is it by

    - what needs the phase, or something else that goes back, and has begun: it acted on what is to be done anew;
    - a subprocess or `for_each` that failing fast stopped half-way;
    - another failure that lets nothing start (`stopping`).

    `runs` must hold every run, and whatever holds the phase must be running.
    """
    found = dict.fromkeys([key, *family(tree, runs, key)])
    inside = frozenset(found)
    begun: dict[Key, None] = {}
    queue = list(found)
    while queue:
        run = queue.pop()
        lost = [other for other in tree.dependents(run) if runs[other].state != "pending"]
        begun.update({other: None for other in lost if runs[other].opened and other not in inside})
        for other in [other for other in lost if not runs[other].opened] + _stopped_by(tree, runs, run):
            ended = _ended_around(tree, runs, other)
            if any(runs[holder].state != "aborted" or not runs[holder].opened for holder in ended):
                continue
            begun.update({holder: None for holder in ended if not tree[holder].is_phase})
            fresh = [k for k in (*ended, other, *family(tree, runs, other)) if k not in found]
            found.update(dict.fromkeys(fresh))
            queue += fresh
    back = [run for run in found if runs[run].state != "pending"]
    return back, [*begun, *stopping(tree, runs, back)]


def _stopped_by(tree: Tree, runs: Mapping[Key, Known], key: Key) -> list[Key]:
    """Return what never began because `key` failed in a scope that fails fast."""
    if runs[key].state != "failed":
        return []
    below = [run for scope in tree.fail_fast_scopes(key) for run in family(tree, runs, scope, skip_clean_up=True)]
    return [run for run in below if runs[run].state == "aborted" and not runs[run].opened]


def _ended_around(tree: Tree, runs: Mapping[Key, Known], key: Key) -> list[Key]:
    """Return the settled containers around `key`, outermost first."""
    ended: list[Key] = []
    holder = tree.parent(key)
    while holder is not None and runs[holder].state in SETTLED:
        ended.insert(0, holder)
        holder = tree.parent(holder)
    return ended


def stopping(tree: Tree, runs: Mapping[Key, Known], back: Iterable[Key]) -> list[Key]:
    """Return the failures that would at once stop `back` (or what they hold) if they were put back to pending.

    A process that fails fast starts nothing new, so whoever runs something in it again must deal with its other
    failures first. `runs` must hold every run.
    """
    back = set(back)
    failed = [run for run, known in runs.items() if known.state == "failed" and run not in back]
    return [
        run
        for run in failed
        if any(
            not back.isdisjoint(family(tree, runs, scope, skip_clean_up=True))
            for scope in tree.fail_fast_scopes(run)
            if runs[scope].state not in SETTLED
        )
    ]


def failure_state(on_failure: str) -> str:
    """Return the state a failure leads to when no try is left: `hold`, `ignore` or `fail` (product, section 2)."""
    return {"hold": "on_hold", "ignore": "ignored", "fail": "failed"}[on_failure]


def retry_delay(retry: Mapping[str, float | int | None], tries: int) -> float | None:
    """Return the seconds to wait before the next try after `tries` failed ones, or None if none is left.

    A growing delay stops at its ceiling, and without one at `LONGEST_DELAY`.
    """
    attempts = int(retry.get("attempts") or 1)
    if tries >= attempts:
        return None
    ceiling = retry.get("ceiling")
    longest = LONGEST_DELAY if ceiling is None else float(ceiling)
    try:
        growth = float(retry.get("factor") or 1.0) ** (tries - 1)
    except OverflowError:
        return longest
    return min(float(retry.get("delay") or 0.0) * growth, longest)
