"""What people are asked when a manual activity opens, and what happens when they do not answer in time."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from config import durations
from config.errors import Fault, InvalidInput
from releases.execution.artifacts import record_artifacts
from releases.execution.locked import Locked, Run
from releases.execution.signing import form_of, missing_parts, rule_names, standings_of, terms_of
from releases.execution.taking_part import take_part
from releases.models import ActivityRun, TaskRun

__all__ = ["expire", "form_of", "open_manual", "reject"]


def open_manual(locked: Locked, run: Run, work: dict[str, Any], *, attempt: int) -> dict[str, Any]:
    """Make the tasks of a manual activity; return its columns: what is asked, and when no answer is a decision."""
    approval, owners = terms_of(work), run.node.doc["owners"]
    expires = approval.get("expires_in")
    length = _seconds(expires)
    tasks = [
        TaskRun(
            activity_run_id=run.id,
            attempt=attempt,
            slug=task["id"],
            name=task["name"][:200],
            position=position,
            groups=_names(task["groups"]) or owners,
            required=task["required"],
            expected_seconds=_seconds(task["expected_duration"]),
            opens_at=locked.dates.moment(task.get("opens"), locked.now) if task.get("opens") else None,
            due_at=locked.dates.moment(task.get("due"), locked.now) if task.get("due") else None,
        )
        for position, task in enumerate(work.get("tasks") or [])
    ]
    TaskRun.objects.bulk_create(tasks)
    asked = [*(task.groups for task in tasks), *(rule_names(rule) for rule in approval.get("rules") or [])]
    take_part(locked.id, [name for names in asked for name in names])
    if length is None:
        return {"work": work}
    at = locked.now + timedelta(seconds=length)
    return {"work": {**work, "approval": {**approval, "expires_at": at.isoformat()}}, "next_look_at": at}


def _seconds(length: Any) -> float | None:
    """Return the seconds of a length of time that a document gave as a number or, by an expression, as text."""
    return None if length is None else durations.seconds(length)


def _names(groups: list[Any]) -> list[str]:
    """Return who a task is assigned to, after its expressions were filled in. Raises InvalidInput for no name."""
    wrong = [group for group in groups if not isinstance(group, str) or not 0 < len(group) <= 200]
    if wrong:
        raise InvalidInput([Fault("groups", f"{group!r} is not the name of a group or person.") for group in wrong])
    return groups


def expire(locked: Locked, run: Run, work: dict[str, Any]) -> None:
    """Do what the approval says should happen when nobody has decided in time (product, section 5).

    An approval that has all its sign-offs by then does not expire, even if the activity still waits for something else.
    """
    approval = terms_of(work)
    if "expires_at" not in approval or datetime.fromisoformat(approval["expires_at"]) > locked.now:
        return
    row = ActivityRun.objects.get(pk=run.id)
    if not any(standing.missing for standing in standings_of(locked.id, row)):
        locked.change(run, next_look_at=row.deadline_at)
        return
    on_expiry = approval.get("on_expiry", "reject")
    locked.event(run, "sign_off.expired", after={"on_expiry": on_expiry})
    if on_expiry == "approve":
        _grant(locked, run, row)
    elif on_expiry == "skip":
        locked.move(run, "skipped", reason="nobody decided in time")
    elif on_expiry == "escalate":
        _escalate(locked, run, row)
    else:
        reject(locked, run, row, "nobody decided in time")


def _grant(locked: Locked, run: Run, row: ActivityRun) -> None:
    """Count the activity as approved; it succeeds unless something else is still open in it."""
    row.work = {**row.work, "approval": {**_unexpiring(row), "granted": True}}
    if missing_parts(locked.id, row):
        locked.change(run, work=row.work, next_look_at=row.deadline_at)
        return
    outputs = {**row.outputs, "decision": "approved"}
    locked.move(run, "succeeded", work=row.work, outputs=outputs, reason="nobody decided in time")
    record_artifacts(locked, run)


def _escalate(locked: Locked, run: Run, row: ActivityRun) -> None:
    """Let the group it escalates to sign for every rule as well; it does not expire again."""
    approval = _unexpiring(row)
    group = str(approval["escalate_to"])
    rules = [{**rule, "or": [*rule.get("or", []), group]} for rule in approval["rules"]]
    work = {**row.work, "approval": {**approval, "rules": rules, "escalated": True}}
    locked.change(run, work=work, next_look_at=row.deadline_at, tell_at=locked.now)
    locked.event(run, "sign_off.escalated", after={"to": group})
    take_part(locked.id, [group])


def _unexpiring(row: ActivityRun) -> dict[str, Any]:
    return {key: value for key, value in terms_of(row.work).items() if key != "expires_at"}


def reject(locked: Locked, run: Run, row: ActivityRun, reason: str) -> None:
    """Do what the approval says a rejection does: hold (the default), fail, or continue with the decision as output."""
    on_reject = terms_of(row.work).get("on_reject", "hold")
    outputs = {**row.outputs, "decision": "rejected"}
    if on_reject == "continue":
        locked.move(run, "succeeded", outputs=outputs, reason=reason)
        record_artifacts(locked, run)
        return
    to = "failed" if on_reject == "fail" else "on_hold"
    locked.move(run, to, reason=f"Rejected: {reason}", outputs=outputs, error=f"Rejected: {reason}", next_look_at=None)
