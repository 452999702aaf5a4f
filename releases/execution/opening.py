"""What happens when a run opens: its condition, its inputs, and the state it opens into.

How an activity opens:

1. Its `when` is evaluated, once: false skips it. One that could not be evaluated is again if a person retries.
2. Its inputs are resolved, narrowest layer first, and checked; each keeps its source. With them, freezes are asked.
3. What is to be done is written down with its expressions filled in: a worker or a person does just that.
4. It goes to where its kind begins. Whatever cannot be evaluated fails it, as an attempt would.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from config import durations
from config.errors import ExpressionFailed, InvalidInput
from processes import expressions
from processes import inputs as typed_inputs
from releases import engine
from releases.execution import rows
from releases.execution.asking import open_manual
from releases.execution.freezing import keep
from releases.execution.locked import Locked, Run
from releases.execution.planting import plant_items
from releases.execution.rewinding import put_back
from releases.execution.scope import Scope, given_for
from releases.states import SETTLED
from releases.tree import Key

#: A message that starts an activity is sent again after this long without a claim.
RESEND = timedelta(seconds=30)
MOST_ITEMS = 1000


def open_run(locked: Locked, run: Run) -> None:
    """Open a pending run, or open again one that a retry has queued."""
    try:
        if not run.opened and not _condition(locked, run):
            locked.move(run, "skipped", reason="its condition is false")
            return
        if run.state == "pending" and keep(locked, run, partial(inputs_to_open_with, locked, run)):
            return
        _OPENERS[run.node.kind](locked, run)
    except ExpressionFailed as error:
        fail_run(locked, run, error.message)
    except InvalidInput as error:
        fail_run(locked, run, error.message)


def fail_run(locked: Locked, run: Run, error: str, **columns: Any) -> None:
    """Let a run's failure take its course when no try is left: on hold, ignored or failed by its `on_failure`."""
    to = "failed" if run.node.is_phase else engine.failure_state(run.node.on_failure)
    if not run.node.is_phase:
        columns["next_look_at"] = None
    locked.move(run, to, reason=error, error=error, **columns)


def _condition(locked: Locked, run: Run) -> bool:
    when = run.node.doc.get("when")
    if when is None:
        return True
    verdict = evaluate(locked, run.key, when)
    if not isinstance(verdict, bool):
        raise ExpressionFailed(f"The condition gives {verdict!r}, which is neither true nor false.")
    return verdict


def evaluate(locked: Locked, key: Key, value: Any, *, inside: bool = False, **known: Any) -> Any:
    """Return `value` with its expressions evaluated around run `key`; `known` adds names. Raises ExpressionFailed."""
    references = expressions.references(value)
    if not references and not known:
        return expressions.evaluate(value, {"now": locked.now}) if value else value
    return expressions.evaluate(value, Scope(locked, key, inside=inside).context(references, **known))


def resolve_inputs(locked: Locked, run: Run, changed: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """Return a run's input values and their sources. `changed` are values a person gave for a retry.

    Raises InvalidInput with every fault.
    """
    doc = run.node.doc
    declarations = doc["inputs"]
    if not declarations:
        return {}, {}
    layers = [("retry", changed), *given_for(locked, run.key), ("with", doc.get("with") or {})]
    resolution = typed_inputs.resolve(layers, declarations)
    references = expressions.references([entry["value"] for entry in resolution.values()])
    settled, faults = typed_inputs.settle(resolution, declarations, Scope(locked, run.key).context(references))
    if faults:
        raise InvalidInput(faults)
    values = {name: entry["value"] for name, entry in settled.items() if entry["value"] is not None}
    return values, {name: settled[name]["source"] for name in values}


def inputs_to_open_with(locked: Locked, run: Run) -> dict[str, Any]:
    """Return the inputs that an activity would open with now. Raises ExpressionFailed, or InvalidInput."""
    return resolve_inputs(locked, run, locked.changed_inputs.get(run.key, {}))[0]


def _opened(locked: Locked, run: Run) -> dict[str, Any]:
    """Return the columns every activity gets as it opens: a new attempt, and no trace of the last one."""
    inputs, sources = resolve_inputs(locked, run, locked.changed_inputs.get(run.key, {}))
    return {
        "attempt": run.attempt + 1,
        "tries": 1,
        "inputs": inputs,
        "sources": sources,
        "outputs": {},
        "error": "",
        "partial": False,
        "opened_at": locked.now,
        "started_at": None,
        "next_look_at": None,
        "deadline_at": None,
        **due_columns(locked, run),
    }


def due_columns(locked: Locked, run: Run) -> dict[str, Any]:
    """Return when a run that opens now is due, if that counts from its opening."""
    due = run.node.doc.get("due")
    moment = locked.dates.moment(due, locked.now) if due else None
    return {} if moment is None else {"due_at": moment}


def _activity_scope(run: Run, inputs: Mapping[str, Any]) -> dict[str, Any]:
    doc = run.node.doc
    return {"id": doc["id"], "name": doc["name"], "inputs": typed_inputs.typed(doc["inputs"], inputs)}


def _timeout(locked: Locked, run: Run, activity: Mapping[str, Any]) -> float | None:
    """Return the seconds after which a run has taken too long; the document may say it as an expression."""
    timeout = evaluate(locked, run.key, run.node.doc.get("timeout"), activity=activity)
    return None if timeout is None else durations.seconds(timeout)


def _open_phase(locked: Locked, run: Run) -> None:
    inputs, sources = resolve_inputs(locked, run, {})
    due = due_columns(locked, run)
    locked.move(run, "running", inputs=inputs, sources=sources, outputs={}, error="", started_at=locked.now, **due)


def _open_automated(locked: Locked, run: Run) -> None:
    columns = _opened(locked, run)
    doc = run.node.doc
    activity = _activity_scope(run, columns["inputs"])
    columns["work"] = evaluate(locked, run.key, doc["spec"], activity=activity)
    columns["work"]["timeout"] = _timeout(locked, run, activity)
    columns["next_look_at"] = locked.now + RESEND
    if run.state == "queued":
        locked.change(run, **columns)
        run.attempt, run.tries = columns["attempt"], 1
    else:
        locked.move(run, "queued", **columns)
    locked.to_start.append(run)


def _open_manual(locked: Locked, run: Run) -> None:
    columns = _opened(locked, run)
    activity = _activity_scope(run, columns["inputs"])
    timeout = _timeout(locked, run, activity)
    work = evaluate(locked, run.key, run.node.doc["spec"], activity=activity)
    columns.update(open_manual(locked, run, work, attempt=columns["attempt"]))
    _wait(locked, run, columns, timeout)


def _open_signal(locked: Locked, run: Run) -> None:
    columns = _opened(locked, run)
    columns["work"] = dict(run.node.doc["spec"])
    _wait(locked, run, columns, _timeout(locked, run, _activity_scope(run, columns["inputs"])))


def _open_wait(locked: Locked, run: Run) -> None:
    columns = _opened(locked, run)
    activity = _activity_scope(run, columns["inputs"])
    until = moment(evaluate(locked, run.key, run.node.doc["spec"]["wait"], activity=activity), locked.now)
    columns["work"] = {"until": until.isoformat()}
    columns["next_look_at"] = until
    _wait(locked, run, columns, _timeout(locked, run, activity))
    if until <= locked.now:
        locked.move(run, "succeeded")


def moment(value: Any, now: datetime) -> datetime:
    """Return the moment a wait ends: `value` is a duration from now, or a moment (UTC unless it says otherwise)."""
    if durations.is_duration(value):
        return now + durations.parse(value)
    try:
        found = datetime.fromisoformat(str(value))
    except ValueError as error:
        raise ExpressionFailed(f"{value!r} is neither a duration such as 2h nor a moment.") from error
    found = found if found.tzinfo else found.replace(tzinfo=now.tzinfo)
    if found - now > durations.LONGEST:
        raise ExpressionFailed(f"{value!r} is more than ten years away.")
    return found


def _wait(locked: Locked, run: Run, columns: dict[str, Any], timeout: float | None) -> None:
    if timeout is not None:
        columns["deadline_at"] = locked.now + timedelta(seconds=timeout)
        looks = [at for at in (columns["next_look_at"], columns["deadline_at"]) if at is not None]
        columns["next_look_at"] = min(looks)
    locked.move(run, "waiting", started_at=locked.now, **{k: v for k, v in columns.items() if k != "started_at"})


def _open_subprocess(locked: Locked, run: Run) -> None:
    columns = _opened(locked, run)
    timeout = _timeout(locked, run, _activity_scope(run, columns["inputs"]))
    if timeout is not None:
        columns["deadline_at"] = columns["next_look_at"] = locked.now + timedelta(seconds=timeout)
    locked.move(run, "running", **{**columns, "started_at": locked.now})


def _open_for_each(locked: Locked, run: Run) -> None:
    items = evaluate(locked, run.key, run.node.doc["spec"]["items"])
    if not isinstance(items, list):
        raise ExpressionFailed(f"for_each needs a list, and got {items!r}.")
    if len(items) > MOST_ITEMS:
        raise ExpressionFailed(f"for_each has {len(items)} items; at most {MOST_ITEMS} are allowed.")
    made = rows.count_items(run.id)
    if made:
        locked.load_all()
    plant_items(locked, run.key, items[made:], made)
    for index, child in enumerate(locked.tree.children(run.key, made)):
        inside = [child, *engine.family(locked.tree, locked.known(), child)]
        if index < len(items):
            put_back(locked, [key for key in inside if locked.runs[key].state != "pending"])
            locked.change(locked.runs[child], item=items[index])
            continue
        for key in inside:
            if locked.runs[key].state not in SETTLED:
                locked.move(locked.runs[key], "skipped", reason="the list has become shorter")
    columns: dict[str, Any] = {"attempt": run.attempt + 1, "tries": 1, "outputs": {}, "error": "", "partial": False}
    locked.move(run, "running", item_count=len(items), opened_at=locked.now, started_at=locked.now, **columns)


_OPENERS: dict[str, Callable[[Locked, Run], None]] = {
    "phase": _open_phase,
    "automated": _open_automated,
    "manual": _open_manual,
    "signal": _open_signal,
    "wait": _open_wait,
    "subprocess": _open_subprocess,
    "for_each": _open_for_each,
}
