"""What a person decides about an activity on hold, and running a phase once more (product, section 2)."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from config.errors import Conflict, Fault, InvalidInput
from config.trail import Actor
from processes import inputs as typed_inputs
from releases import engine
from releases.execution.advance import advance
from releases.execution.freezing import require_thawed
from releases.execution.locked import Locked, Run, lock_release
from releases.execution.opening import inputs_to_open_with, open_run
from releases.execution.planting import plant_below
from releases.execution.rewinding import put_back
from releases.execution.snapshots import snapshot_of
from releases.execution.taking_part import take_part
from releases.models import ActivityRun, Release
from releases.tree import Key, Tree


def _held(locked: Locked, run_id: int) -> Run:
    run = locked.load_activity(run_id)
    if run is None:
        raise Conflict("This release has no such activity.", code="wrong_release")
    if locked.state not in ("running", "paused"):
        raise Conflict(f"The release is {locked.state.replace('_', ' ')}.", code="wrong_state")
    if run.state != "on_hold":
        raise Conflict(f"The activity is {run.state.replace('_', ' ')}, not on hold.", code="not_on_hold")
    return run


def retry(
    release_id: int, run_id: int, *, actor: Actor, now: datetime, inputs: Mapping[str, Any], reason: str = ""
) -> None:
    """Try an activity on hold again, perhaps with some inputs changed. Raises InvalidInput with every fault."""
    with lock_release(release_id, now=now, actor=actor) as locked:
        run = _held(locked, run_id)
        changed = _changed(run, inputs)
        before = ActivityRun.objects.values_list("changed_inputs", flat=True).get(pk=run.id)
        locked.changed_inputs[run.key] = {**before, **changed}
        _expect_to_go_on(locked, run)
        require_thawed(locked, run, partial(inputs_to_open_with, locked, run))
        if run.node.is_container:
            put_back(locked, _inside(locked, run.key))
        locked.move(run, "queued", verb="activity.retried", reason=reason, error="")
        locked.change(run, changed_inputs=locked.changed_inputs[run.key], reason=reason)
        open_run(locked, run)
        advance(locked, [run.key])


def _changed(run: Run, inputs: Mapping[str, Any]) -> dict[str, Any]:
    declared = run.node.doc["inputs"]
    optional = {name: {**declaration, "required": False} for name, declaration in declared.items()}
    clean, faults = typed_inputs.validate(optional, inputs)
    if faults:
        raise InvalidInput([Fault(f"inputs.{fault.path}", fault.message, fault.cure) for fault in faults])
    return clean


def ignore(
    release_id: int, run_id: int, *, actor: Actor, now: datetime, reason: str, outputs: Mapping[str, Any]
) -> None:
    """Wave an activity on hold through, perhaps with outputs that stand in for its own."""
    with lock_release(release_id, now=now, actor=actor) as locked:
        run = _held(locked, run_id)
        clean = _stand_ins(run, outputs)
        locked.move(run, "ignored", reason=reason)
        locked.change(run, reason=reason, **{"outputs": clean} if clean else {})
        advance(locked, [run.key])


def _stand_ins(run: Run, outputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return checked outputs that stand in for a run's own: any of those it declares; a subprocess's have no types."""
    declared = {
        name: {**declaration, "required": False}
        for name, declaration in run.node.doc["outputs"].items()
        if isinstance(declaration, Mapping)
    }
    untyped = {name: value for name, value in outputs.items() if isinstance(run.node.doc["outputs"].get(name), str)}
    clean, faults = typed_inputs.validate(declared, {n: v for n, v in outputs.items() if n not in untyped})
    if faults:
        raise InvalidInput([Fault(f"outputs.{fault.path}", fault.message, fault.cure) for fault in faults])
    return {**untyped, **clean}


def fail(release_id: int, run_id: int, *, actor: Actor, now: datetime, reason: str) -> None:
    """Let an activity on hold fail for good."""
    with lock_release(release_id, now=now, actor=actor) as locked:
        run = _held(locked, run_id)
        locked.move(run, "failed", reason=reason)
        locked.change(run, reason=reason)
        advance(locked, [run.key])


def replace(
    release_id: int,
    run_id: int,
    *,
    actor: Actor,
    now: datetime,
    subprocess: Mapping[str, Any],
    graft: list[dict[str, Any]],
    reason: str,
    names: Sequence[str] = (),
) -> None:
    """Run another process in place of an activity on hold, and map its outputs onto the activity's.

    `graft` is that process expanded: a `subprocess` node followed by what it holds, with ordinals of its own;
    `subprocess` says which it is (`process`, `revision`, `roles`), `names` which groups and people it speaks of.
    """
    with lock_release(release_id, now=now, actor=actor) as locked:
        run = _held(locked, run_id)
        if run.node.is_container:
            raise Conflict("Only a single activity can be replaced by a subprocess.", code="wrong_kind")
        if run.key.items:
            raise Conflict("A single item of a for_each cannot be replaced by a subprocess.", code="wrong_kind")
        tree = grafted(locked.tree, run.key.node, graft)
        tree["roles"] = {**subprocess.get("roles", {}), **tree.get("roles", {})}
        snapshot, locked.tree = snapshot_of(tree)
        Release.objects.filter(pk=release_id).update(snapshot=snapshot)
        run.node = locked.tree[run.key]
        plant_below(locked, run.key)
        take_part(release_id, names)
        after = {"process": subprocess["process"], "revision": subprocess["revision"]}
        locked.event(run, "activity.replaced", after=after, reason=reason)
        locked.move(run, "queued", verb="activity.retried", reason=reason, kind="subprocess")
        open_run(locked, run)
        advance(locked, [run.key])


def grafted(tree: Tree, ordinal: int, graft: list[dict[str, Any]]) -> dict[str, Any]:
    """Return a snapshot in which node `ordinal` is the subprocess of `graft`; every other node keeps its ordinal."""
    nodes = [copy.deepcopy(dict(node.doc)) for node in tree.nodes]
    old, new = nodes[ordinal], copy.deepcopy(graft)
    base = len(nodes) - 1
    for node in new[1:]:
        node["parent"] = ordinal if node["parent"] == 0 else node["parent"] + base
        node["scope"] = ordinal if node["scope"] == 0 else node["scope"] + base
        node["needs"] = [need + base for need in node["needs"]]
        node["path"] = f"{old['path']}/{node['path']}"
    kept = ("id", "name", "path", "parent", "scope", "needs", "needs_any", "after_settled", "required", "owners")
    head = {**new[0], **{name: old[name] for name in kept}, "kind": "subprocess", "when": None, "on_failure": "hold"}
    return {**tree.about, "nodes": [*nodes[:ordinal], head, *nodes[ordinal + 1 :], *new[1:]]}


def restart_phase(release_id: int, phase_run_id: int, *, actor: Actor, now: datetime, reason: str) -> None:
    """Run a phase once more from its first activity. Raises Conflict if what needs it has already begun."""
    with lock_release(release_id, now=now, actor=actor) as locked:
        if locked.state not in ("running", "paused"):
            raise Conflict(f"The release is {locked.state.replace('_', ' ')}.", code="wrong_state")
        run = locked.load_phase(phase_run_id)
        if run is None or run.state == "pending":
            raise Conflict("The phase has not begun.", code="not_begun")
        locked.load_all()
        _expect_open_holders(locked, run.key)
        back, begun = engine.restart(locked.tree, locked.known(), run.key)
        if begun:
            names = ", ".join(locked.path(key) for key in begun[:5])
            raise Conflict(f"What needs this phase has already begun: {names}.", code="dependents_begun")
        locked.event(run, "phase.restarted", reason=reason)
        put_back(locked, back)
        advance(locked, [run.key, *back])


def _expect_open_holders(locked: Locked, key: Key) -> None:
    holder = locked.tree.parent(key)
    while holder is not None and holder.node != 0:
        if locked.runs[holder].state != "running":
            raise Conflict("What holds this phase is not running; retry that instead.", code="holder_not_running")
        holder = locked.tree.parent(holder)


def _expect_to_go_on(locked: Locked, run: Run) -> None:
    """Raise Conflict if its process fails fast and something else has failed: it would be stopped at once."""
    if not any(node.fail_fast for node in locked.tree.nodes):
        return
    locked.load_all()
    failed = engine.stopping(locked.tree, locked.known(), [run.key])
    if failed:
        names = ", ".join(locked.path(key) for key in failed[:5])
        raise Conflict(f"The process fails fast and {names} has failed; deal with that first.", code="fails_fast")


def _inside(locked: Locked, key: Key) -> list[Key]:
    """Return every run below a container that has begun or settled."""
    locked.load_all()
    return [k for k in engine.family(locked.tree, locked.known(), key) if locked.runs[k].state != "pending"]
