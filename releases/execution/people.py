"""What people do in a manual or signal activity: each verb writes one answer and settles the activity when it is complete.

Whether the person may do it is asked in `releases/services`; here is what it does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from config.errors import Conflict, Fault, InvalidInput
from config.trail import actor_name
from processes import expressions
from processes import inputs as typed_inputs
from releases import approval, assignees
from releases.execution import rows
from releases.execution.advance import advance
from releases.execution.artifacts import record_artifacts
from releases.execution.asking import content_digest, form_of, reject, signed_content
from releases.execution.locked import Locked, Run
from releases.execution.scope import Scope
from releases.models import ActivityRun, Artifact, SignOff, TaskRun


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
        done_by=_user(locked) if done else None,
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
    clean, faults = typed_inputs.validate(form, values)
    if faults:
        raise InvalidInput([Fault(f"values.{fault.path}", fault.message, fault.cure) for fault in faults])
    answers = {**{name: field["default"] for name, field in form.items() if field.get("default") is not None}, **clean}
    kept = {name: value for name, value in row.outputs.items() if name not in form}
    locked.change(run, outputs={**kept, **answers}, work={**row.work, "answered": True})
    locked.event(
        run, "form.answered", before={"values": row.outputs} if row.outputs else None, after={"values": answers}
    )
    _settle_if_complete(locked, run)


def sign(locked: Locked, run_id: int, *, decision: str, comment: str) -> None:
    """Approve or reject, bound to what is shown now. A rejection needs a reason and decides at once."""
    run, row = waiting(locked, run_id, "manual")
    rules = (row.work.get("approval") or {}).get("rules")
    if not rules:
        raise Conflict("This activity asks for no sign-off.", code="no_approval")
    if decision == "rejected" and not comment.strip():
        raise InvalidInput([Fault("comment", "A rejection needs a reason.", "Say what is wrong.")])
    content = content_of(locked, run, row)
    _void_changed(locked, run, content)
    user = _user(locked)
    if SignOff.objects.filter(activity_run_id=run.id, attempt=run.attempt, user=user, void_at=None).exists():
        raise Conflict("You have already signed this activity.", code="already_signed")
    SignOff.objects.create(
        activity_run_id=run.id,
        attempt=run.attempt,
        user=user,
        user_name=actor_name(locked.actor),
        decision=decision,
        comment=comment,
        digest=content_digest(content),
        signed=content,
        at=locked.now,
    )
    locked.event(run, f"sign_off.{decision}", after={"digest": content_digest(content)}, reason=comment)
    if decision == "rejected":
        reject(locked, run, row.work["approval"], comment)
        advance(locked, [run.key])
        return
    _settle_if_complete(locked, run)


def complete(locked: Locked, run_id: int) -> None:
    """Say that a manual activity is done; everything it requires must be."""
    run, row = waiting(locked, run_id, "manual")
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
        context = Scope(locked, run.key).context(
            expressions.references(match), payload=typed_inputs.typed(declarations, clean)
        )
        if expressions.evaluate(match, context) is not True:
            locked.event(run, "signal.ignored", after={"payload": clean}, reason="it does not match")
            return False
    locked.event(run, "signal.received", after={"payload": clean})
    locked.move(run, "succeeded", outputs=clean)
    advance(locked, [run.key])
    return True


def touch(locked: Locked, run_id: int) -> None:
    """Look again whether a manual activity is complete, after evidence was added to it."""
    run, _ = waiting(locked, run_id, "manual")
    _settle_if_complete(locked, run)


def missing_parts(release_id: int, row: ActivityRun) -> list[str]:
    """Return in words what a manual activity still requires."""
    work, missing = row.work, []
    tasks = TaskRun.objects.filter(activity_run_id=row.pk, attempt=row.attempt, required=True, done_at=None)
    missing += [f"task '{name}'" for name in tasks.values_list("name", flat=True)]
    if form_of(work) and not work.get("answered"):
        missing.append("the form")
    for standing in standings_of(release_id, row):
        if standing.missing:
            missing.append(f"{standing.missing} of {standing.need} sign-offs by {', '.join(rule_names(standing.rule))}")
    required = int((work.get("evidence") or {}).get("required") or 0)
    given = row.evidence.filter(attempt=row.attempt).count() if required else 0
    if given < required:
        missing.append(f"{required - given} of {required} evidence files")
    return missing


def standings_of(release_id: int, row: ActivityRun) -> list[approval.Standing]:
    """Return how each approval rule of a manual activity stands, with the people who may sign for it."""
    rules: Sequence[dict[str, Any]] = (row.work.get("approval") or {}).get("rules") or []
    if not rules:
        return []
    barred = barred_from(release_id, row)
    eligible = [
        set(assignees.people(release_id, rule_names(rule)).values_list("pk", flat=True)) - barred for rule in rules
    ]
    signed = row.sign_offs.filter(attempt=row.attempt, decision="approved", void_at=None, user__isnull=False)
    return approval.standings(rules, eligible, [pk for pk in signed.values_list("user_id", flat=True) if pk])


def rule_names(rule: Mapping[str, Any]) -> list[str]:
    """Return the names of the people and groups that may sign for a rule, those it was escalated to included."""
    return [*assignees.names_of_rule(dict(rule)), *rule.get("or", [])]


def barred_from(release_id: int, row: ActivityRun) -> set[int]:
    """Return the ids of people who may not sign: who started the release (`four_eyes`), who acted elsewhere."""
    terms = row.work.get("approval") or {}
    barred: set[int] = set()
    if terms.get("four_eyes", True):
        started_by = rows.load_facts(release_id)["started_by_id"]
        barred |= {started_by} if started_by else set()
    for reference in terms.get("different_from") or []:
        barred |= actors_of(release_id, row, reference)
    same_as = terms.get("same_as") or []
    if same_as:
        references = [same_as] if isinstance(same_as, str) else same_as
        barred |= rule_people(row, release_id) - set().union(*(actors_of(release_id, row, r) for r in references))
    return barred


def rule_people(row: ActivityRun, release_id: int) -> set[int]:
    """Return the ids of everybody named by any rule."""
    names = [name for rule in row.work["approval"]["rules"] for name in rule_names(rule)]
    return set(assignees.people(release_id, names).values_list("pk", flat=True))


def actors_of(release_id: int, row: ActivityRun, reference: str) -> set[int]:
    """Return the ids of those who signed, did a task or answered in the activity `reference` (`phase.activity`)."""
    path = reference.replace(".", "/") if "." in reference else f"{row.phase.path}/{reference}"
    prefix = row.phase.path.rpartition("/")[0]
    found = ActivityRun.objects.filter(release_id=release_id, path__in=[path, f"{prefix}/{path}"])
    signers = SignOff.objects.filter(activity_run__in=found, void_at=None).values_list("user_id", flat=True)
    doers = TaskRun.objects.filter(activity_run__in=found, done_by__isnull=False).values_list("done_by_id", flat=True)
    return {pk for pk in (*signers, *doers) if pk is not None}


def content_of(locked: Locked, run: Run, row: ActivityRun) -> dict[str, Any]:
    """Return what somebody who signs now signs."""
    artifacts = Artifact.objects.filter(release_id=locked.id).order_by("id")
    made = list(artifacts.values("name", "version", "digest", "reference", "environment"))
    return signed_content(row.work, row.inputs, row.outputs, str(locked.tree.digest), made)


def _void_changed(locked: Locked, run: Run, content: dict[str, Any]) -> None:
    """Make void every sign-off whose content is no longer what is shown, naming what has changed."""
    for sign_off in SignOff.objects.filter(activity_run_id=run.id, attempt=run.attempt, void_at=None):
        changed = [name for name in content if sign_off.signed.get(name) != content[name]]
        if changed:
            SignOff.objects.filter(pk=sign_off.pk).update(void_at=locked.now)
            locked.event(run, "sign_off.void", after={"by": sign_off.user_name, "changed": changed})


def _settle_if_complete(locked: Locked, run: Run) -> None:
    locked.flush()
    row = ActivityRun.objects.select_related("phase").get(pk=run.id)
    if (row.work.get("approval") or {}).get("rules"):
        _void_changed(locked, run, content_of(locked, run, row))
    if _requires_something(row) and not missing_parts(locked.id, row):
        _succeed(locked, run, row)


def _requires_something(row: ActivityRun) -> bool:
    """Whether there is anything whose completion completes the activity; if not, somebody says that it is done."""
    work = row.work
    required_tasks = any(task.get("required") for task in work.get("tasks") or [])
    return bool(required_tasks or form_of(work) or work.get("approval") or (work.get("evidence") or {}).get("required"))


def _succeed(locked: Locked, run: Run, row: ActivityRun) -> None:
    decision = {"decision": "approved"} if (row.work.get("approval") or {}).get("rules") else {}
    locked.move(run, "succeeded", outputs={**row.outputs, **decision})
    record_artifacts(locked, run)
    advance(locked, [run.key])


def _user(locked: Locked) -> Any:
    return locked.actor
