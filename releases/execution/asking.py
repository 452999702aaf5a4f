"""What people are asked when a manual activity opens, and what happens when they do not answer in time."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime, timedelta
from typing import Any

from processes.inputs import Declarations
from releases.execution.locked import Locked, Run
from releases.models import TaskRun


def open_manual(locked: Locked, run: Run, work: dict[str, Any], *, attempt: int) -> dict[str, Any]:
    """Make the tasks of a manual activity; return its columns: what is asked, and when nobody's answer is a decision."""
    TaskRun.objects.bulk_create(
        TaskRun(
            activity_run_id=run.id,
            attempt=attempt,
            slug=task["id"],
            name=task["name"],
            position=position,
            groups=task["groups"] or run.node.doc["owners"],
            required=task["required"],
            expected_seconds=task["expected_duration"],
        )
        for position, task in enumerate(work.get("tasks") or [])
    )
    approval = work.get("approval")
    expires = approval.get("expires_in") if approval else None
    if expires is None:
        return {"work": work}
    at = locked.now + timedelta(seconds=float(expires))
    return {"work": {**work, "approval": {**approval, "expires_at": at.isoformat()}}, "next_look_at": at}


def expire(locked: Locked, run: Run, work: dict[str, Any]) -> None:
    """Do what the approval says should happen when nobody has decided in time (product, section 5)."""
    approval = work.get("approval") or {}
    if "expires_at" not in approval or datetime.fromisoformat(approval["expires_at"]) > locked.now:
        return
    on_expiry = approval.get("on_expiry", "reject")
    locked.event(run, "sign_off.expired", after={"on_expiry": on_expiry})
    if on_expiry == "approve":
        locked.move(run, "succeeded", outputs={"decision": "approved"}, reason="nobody decided in time")
    elif on_expiry == "skip":
        locked.move(run, "skipped", reason="nobody decided in time")
    elif on_expiry == "escalate":
        _escalate(locked, run, work, approval)
    else:
        reject(locked, run, approval, "nobody decided in time")


def _escalate(locked: Locked, run: Run, work: dict[str, Any], approval: dict[str, Any]) -> None:
    """Let the group it escalates to sign for every rule as well; it does not expire again."""
    group = str(approval["escalate_to"])
    kept = {key: value for key, value in approval.items() if key != "expires_at"}
    rules = [{**rule, "or": [*rule.get("or", []), group]} for rule in approval["rules"]]
    locked.change(run, work={**work, "approval": {**kept, "rules": rules, "escalated": True}}, next_look_at=None)
    locked.event(run, "sign_off.escalated", after={"to": group})


def reject(locked: Locked, run: Run, approval: dict[str, Any], reason: str) -> None:
    """Do what the approval says a rejection does: hold (the default), fail, or continue with the decision as output."""
    on_reject = approval.get("on_reject", "hold")
    if on_reject == "continue":
        locked.move(run, "succeeded", outputs={"decision": "rejected"}, reason=reason)
        return
    to = "failed" if on_reject == "fail" else "on_hold"
    columns = {"outputs": {"decision": "rejected"}, "error": f"Rejected: {reason}", "next_look_at": None}
    locked.move(run, to, reason=f"Rejected: {reason}", **columns)


def signed_content(
    work: dict[str, Any], inputs: dict[str, Any], outputs: dict[str, Any], revision: str, artifacts: list[Any]
) -> dict[str, Any]:
    """Return what a person who signs has seen: the sign-off is void as soon as any of it changes."""
    return {
        "revision": revision,
        "inputs": inputs,
        "instructions": work.get("instructions", ""),
        "answers": outputs,
        "artifacts": artifacts,
    }


def content_digest(content: dict[str, Any]) -> str:
    """Return the SHA-256 of canonical JSON."""
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def form_of(work: dict[str, Any]) -> Declarations:
    """Return the declarations of the form's fields."""
    form: Declarations = work.get("form") or {}
    return form
