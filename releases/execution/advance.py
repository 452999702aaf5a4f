"""Carrying the engine's moves out until nothing moves: the one door out of every change."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from config.errors import ExpressionFailed
from releases import engine
from releases.execution import rows
from releases.execution.locked import Locked, Run
from releases.execution.opening import evaluate, fail_run, open_run
from releases.states import SETTLED
from releases.tree import ROOT, Key


def advance(locked: Locked, touched: Iterable[Key]) -> None:
    """Let everything follow that follows from the state of `touched`, in the caller's transaction."""
    waiting = list(touched) if locked.state in ("running", "paused") else []
    while waiting:
        wanted = engine.reads(locked.tree, locked.known(), waiting)
        if wanted.families:
            locked.load_all()
        locked.load(wanted.runs | wanted.tallies)
        known = locked.known()
        moves = engine.plan(locked.picture(key for key in wanted.tallies if known[key].state == "running"), waiting)
        for move in moves:
            carry_out(locked, move)
        waiting = [move.key for move in moves]


def look_ahead(locked: Locked, key: Key) -> None:
    """Load, in one statement, run `key` and what planning will want to know if it succeeds."""
    wanted = engine.reads(locked.tree, {key: engine.Known("succeeded", opened=True)}, [key])
    locked.load([key, *wanted.runs], [tally for tally in wanted.tallies if locked.tree[tally].is_phase])


def advance_all(locked: Locked) -> None:
    """The same for every run of the release: finds whatever a lost wake-up has left undone."""
    locked.load_all()
    advance(locked, [ROOT, *locked.runs])


def carry_out(locked: Locked, move: engine.Move) -> None:
    """Do one thing the engine decided."""
    if move.key == ROOT:
        locked.finish(move.to, _outputs(locked, ROOT))
        return
    run = locked.runs[move.key]
    if move.to == engine.OPEN:
        open_run(locked, run)
    elif run.node.is_container and move.to in ("succeeded", "partially_succeeded"):
        _succeed(locked, run, move)
    else:
        columns: dict[str, Any] = {"error": move.why} if move.to in ("failed", "on_hold", "ignored") else {}
        if move.partial and not run.node.is_phase:
            columns["partial"] = True
        locked.move(run, move.to, reason=move.why, **columns)


def _succeed(locked: Locked, run: Run, move: engine.Move) -> None:
    columns: dict[str, Any] = {} if run.node.is_phase else {"partial": move.partial}
    try:
        columns["outputs"] = (
            _for_each_outputs(locked, run) if run.node.kind == "for_each" else _outputs(locked, run.key)
        )
    except ExpressionFailed as error:
        fail_run(locked, run, f"Its outputs cannot be read: {error.message}")
        return
    if not columns["outputs"]:
        del columns["outputs"]
    locked.move(run, move.to, **columns)


def _outputs(locked: Locked, key: Key) -> dict[str, Any]:
    """Return the outputs of a process, a subprocess or a phase, which are expressions over what it holds."""
    node = locked.tree[key]
    found: dict[str, Any] = {}
    for name, expression in (node.doc["outputs"] or {}).items():
        try:
            found[name] = evaluate(locked, key, expression, inside=not node.is_phase)
        except ExpressionFailed as error:
            if key != ROOT:
                raise
            locked.remark("output.unreadable", {"output": name}, error.message)
    return found


def _for_each_outputs(locked: Locked, run: Run) -> dict[str, list[Any]]:
    """Return each declared output as a list in the items' order, with null where an item has none."""
    locked.flush()
    found = rows.fetch("SELECT items, outputs FROM releases_activityrun WHERE parent_id = %s", [run.id])
    by_items = {items: rows.decoded(outputs) for items, outputs in found}
    children = locked.tree.children(run.key, run.count)
    return {name: [by_items[child.items].get(name) for child in children] for name in run.node.doc["outputs"]}


def settle(locked: Locked, run: Run, to: str, **columns: Any) -> None:
    """Bring a run to a settled state and let everything follow."""
    assert to in SETTLED
    locked.move(run, to, **columns)
    advance(locked, [run.key])
