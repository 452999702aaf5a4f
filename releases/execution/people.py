"""What people do in a manual or signal activity: each verb writes one answer, and settles what is complete.

Whether the person may do it is asked in `releases/services`; here is what it does.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.contrib.auth.models import User

from config.errors import Conflict, ExpressionFailed, Fault, InvalidInput
from config.trail import actor_name
from processes import expressions
from processes import inputs as typed_inputs
from releases.execution.advance import advance
from releases.execution.artifacts import record_artifacts
from releases.execution.asking import reject
from releases.execution.locked import Locked, Run
from releases.execution.scope import Scope
from releases.execution.signing import (
    actors_of,
    barred_from,
    content_digest,
    content_of,
    files_asked,
    form_of,
    missing_parts,
    rule_names,
    standings_of,
    terms_of,
    void_changed,
)
from releases.models import ActivityRun, SignOff, TaskRun

__all__ = [
    "actors_of",
    "barred_from",
    "complete",
    "missing_parts",
    "require_approval",
    "rule_names",
    "send_signal",
    "set_task",
    "sign",
    "standings_of",
    "submit_form",
    "touch",
    "void_stale",
    "waiting",
]


def waiting(locked: Locked, run_id: int, kind: str) -> tuple[Run, ActivityRun]:
    """Return an activity that waits for an answer of this kind, and its row. Raises Conflict if it does not wait."""
    run = locked.load_activity(run_id)
    if run is None or run.node.kind != kind:
        raise Conflict(f"This is not a {kind} activity of this release.", code="wrong_kind")
    if run.state != "waiting":
        raise Conflict(f"The activity is {run.state.replace('_', ' ')}; it does not wait for you.", code="not_waiting")
    return run, ActivityRun.objects.get(pk=run.id)


def set_task(locked: Locked, run_id: int, task: str, *, done: bool) -> None:
    """Mark a task done or not done."""
    run, _ = waiting(locked, run_id, "manual")
    found = TaskRun.objects.filter(activity_run_id=run.id, attempt=run.attempt, slug=task)
    if not found.exists():
        raise InvalidInput([Fault("task", f"There is no task '{task}' in this activity.")])
    changed = found.filter(done_at__isnull=done).update(
        done_at=locked.now if done else None,
        done_by=locked.actor if done and isinstance(locked.actor, User) else None,
        done_by_name=actor_name(locked.actor) if done else "",
    )
    if not changed:
        raise Conflict(f"The task is already {'done' if done else 'open'}.", code="already_so")
    locked.event(run, "task.done" if done else "task.reopened", after={"task": task})
    _settle_if_complete(locked, run)


def submit_form(locked: Locked, run_id: int, values: Mapping[str, Any]) -> None:
    """Answer the form; answering again before the activity settles replaces the answers."""
    run, row = waiting(locked, run_id, "manual")
    form = form_of(row.work)
    if not form:
        raise Conflict("This activity asks no form.", code="no_form")
    defaults = {name: field.get("default") for name, field in form.items()}
    given = {name: value for name, value in values.items() if value is not None}
    answers, faults = typed_inputs.validate(form, {**defaults, **given})
    if faults:
        raise InvalidInput([Fault(f"values.{fault.path}", fault.message, fault.cure) for fault in faults])
    kept = {name: value for name, value in row.outputs.items() if name not in form}
    locked.change(run, outputs={**kept, **answers}, work={**row.work, "answered": True})
    locked.event(
        run, "form.answered", before={"values": row.outputs} if row.outputs else None, after={"values": answers}
    )
    _settle_if_complete(locked, run)


def sign(locked: Locked, run_id: int, *, decision: str, comment: str) -> None:
    """Approve or reject, bound to what is shown now. A rejection needs a reason and decides at once."""
    run, row = waiting(locked, run_id, "manual")
    require_approval(row)
    if decision == "rejected" and not comment.strip():
        raise InvalidInput([Fault("comment", "A rejection needs a reason.", "Say what is wrong.")])
    content = content_of(locked, row)
    void_changed(locked, run, content)
    user = locked.actor
    assert isinstance(user, User)
    if SignOff.objects.filter(activity_run_id=run.id, attempt=run.attempt, user=user, void_at=None).exists():
        raise Conflict("You have already signed this activity.", code="already_signed")
    SignOff.objects.create(
        activity_run_id=run.id,
        attempt=run.attempt,
        user=user,
        user_name=actor_name(user),
        decision=decision,
        comment=comment,
        digest=content_digest(content),
        signed=content,
        at=locked.now,
    )
    locked.event(run, f"sign_off.{decision}", after={"digest": content_digest(content)}, reason=comment)
    if decision == "rejected":
        reject(locked, run, row, comment)
        advance(locked, [run.key])
        return
    _settle_if_complete(locked, run)


def require_approval(row: ActivityRun) -> None:
    """Raise Conflict unless the activity asks for sign-offs (still)."""
    terms = terms_of(row.work)
    if not terms.get("rules"):
        raise Conflict("This activity asks for no sign-off.", code="no_approval")
    if terms.get("granted"):
        raise Conflict("It counts as approved, since nobody decided in time.", code="expired")


def void_stale(locked: Locked, run_id: int) -> ActivityRun:
    """Make void what was signed before something changed; return the row of the activity that waits for people."""
    run, row = waiting(locked, run_id, "manual")
    if terms_of(row.work).get("rules"):
        void_changed(locked, run, content_of(locked, row))
    return row


def complete(locked: Locked, run_id: int) -> None:
    """Say that a manual activity is done; everything it requires must be."""
    run, _ = waiting(locked, run_id, "manual")
    row = void_stale(locked, run_id)
    open_parts = missing_parts(locked.id, row)
    if open_parts:
        raise Conflict(f"Still open: {', '.join(open_parts)}.", code="incomplete")
    _succeed(locked, run, row)


def send_signal(locked: Locked, run_id: int, payload: Mapping[str, Any]) -> bool:
    """Give a signal to the activity that waits for it; its outputs are the payload. False if it does not match."""
    run, row = waiting(locked, run_id, "signal")
    declarations = row.work.get("payload") or {}
    clean, faults = typed_inputs.validate(declarations, payload)
    if faults:
        raise InvalidInput([Fault(f"payload.{fault.path}", fault.message, fault.cure) for fault in faults])
    match = row.work.get("match")
    if match is not None:
        why = _mismatch(locked, run, match, typed_inputs.typed(declarations, clean))
        if why:
            locked.event(run, "signal.ignored", after={"payload": clean}, reason=why)
            return False
    locked.event(run, "signal.received", after={"payload": clean})
    locked.move(run, "succeeded", outputs=clean)
    advance(locked, [run.key])
    return True


def _mismatch(locked: Locked, run: Run, match: str, payload: Mapping[str, Any]) -> str:
    """Return why a payload does not match, or nothing if it does; a match that cannot be evaluated does not."""
    context = Scope(locked, run.key).context(expressions.references(match), payload=payload)
    try:
        return "" if expressions.evaluate(match, context) is True else "it does not match"
    except ExpressionFailed as error:
        return error.message


def touch(locked: Locked, run_id: int) -> None:
    """Look again whether a manual activity is complete, after evidence was added to it."""
    run, _ = waiting(locked, run_id, "manual")
    _settle_if_complete(locked, run)


def _settle_if_complete(locked: Locked, run: Run) -> None:
    locked.flush()
    row = void_stale(locked, run.id)
    if _requires_something(row) and not missing_parts(locked.id, row):
        _succeed(locked, run, row)


def _requires_something(row: ActivityRun) -> bool:
    """Whether there is anything whose completion completes the activity; if not, somebody says that it is done."""
    work = row.work
    required_tasks = any(task.get("required") for task in work.get("tasks") or [])
    return bool(required_tasks or form_of(work) or work.get("approval") or files_asked(work))


def _succeed(locked: Locked, run: Run, row: ActivityRun) -> None:
    decision = {"decision": "approved"} if terms_of(row.work).get("rules") else {}
    locked.move(run, "succeeded", outputs={**row.outputs, **decision})
    record_artifacts(locked, run)
    advance(locked, [run.key])
