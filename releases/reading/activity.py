"""Everything about one activity run: what it was given, what became of it, what people are asked, what one may do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from config.models import Event
from config.trail import Actor
from releases import approval, policy
from releases.execution.signing import files_asked, form_of, missing_words, rule_names, standings_of
from releases.execution.snapshots import tree_of
from releases.models import ActivityRun, Attempt, Comment, Evidence, SignOff, TaskRun
from releases.reading.due import is_overdue
from releases.reading.logs import Log, log_of
from releases.reading.may import activity_may, is_named, names_held
from releases.reading.tree import needs_of
from releases.reading.values import Value, values_of


@dataclass(slots=True)
class TaskView:
    """A task of the current attempt; `may` is whether the asker may say that it is done, or not done after all."""

    id: str
    name: str
    groups: list[str]
    required: bool
    expected_seconds: float | None
    opens_at: datetime | None
    due_at: datetime | None
    overdue: bool
    done_at: datetime | None
    done_by: str
    may: bool


@dataclass(slots=True)
class FieldView:
    """A field of the form; `value` is what was answered, or its default. `declaration` is as in the document."""

    name: str
    type: str
    required: bool
    declaration: Mapping[str, Any]
    value: Any


@dataclass(slots=True)
class RuleView:
    """An approval rule: who may sign for it, how many it needs, who has signed, how many are missing."""

    names: list[str]
    need: int
    missing: int
    signers: list[str]


@dataclass(slots=True)
class ActivityDetail:
    """An activity run. Tasks, form, approval and evidence are those of the current attempt; `missing` says in words
    what is still required; `may` names what the asker may do now (see `reading.may.activity_may`)."""

    id: int
    release: int
    release_name: str
    phase: int
    phase_name: str
    path: str
    slug: str
    name: str
    kind: str
    state: str
    required: bool
    partial: bool
    owners: list[str]
    needs: list[str]
    item: Any
    error: str
    reason: str
    opens_at: datetime | None
    due_at: datetime | None
    overdue: bool
    opened_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    deadline_at: datetime | None
    expires_at: datetime | None
    inputs: list[Value]
    outputs: dict[str, Any]
    instructions: str
    attempts: list[Attempt]
    log: Log
    tasks: list[TaskView]
    form: list[FieldView]
    approval: list[RuleView]
    sign_offs: list[SignOff]
    changed: dict[int, list[str]]
    evidence_required: int
    evidence: list[Evidence]
    comments: list[Comment]
    missing: list[str]
    may: list[str]


_COLUMNS = (
    "path", "slug", "name", "kind", "state", "required", "partial", "item", "error", "reason", "opens_at",
    "due_at", "opened_at", "started_at", "finished_at", "deadline_at", "outputs",
)  # fmt: skip


def activity_detail(
    run: ActivityRun, actor: Actor, standings: Sequence[approval.Standing] | None = None
) -> ActivityDetail:
    """Return everything about an activity run, as far as `actor` is concerned.

    `run` should come with its `release` and `phase`; the number of queries depends on nothing but its kind. `standings`
    are those of its approval rules, if they are known.
    """
    tasks = list(run.tasks.filter(attempt=run.attempt))
    standings = standings_of(run.release_id, run) if standings is None else standings
    sign_offs, attempts, evidence = list(run.sign_offs.all()), list(run.attempts.all()), list(run.evidence.all())
    missing = _missing(run, tasks, standings, evidence)
    held = names_held(actor, run.release_id)
    signed = _has_signed(actor, run, sign_offs)
    return ActivityDetail(
        **_about(run),
        attempts=attempts,
        log=log_of(run) if attempts else Log(run.attempt, 0, "", 0, 0, over=False),
        tasks=_tasks(actor, run, tasks, held),
        form=_form(run),
        approval=_rules(standings, sign_offs),
        sign_offs=sign_offs,
        changed=_changed(run, sign_offs),
        evidence_required=files_asked(run.work),
        evidence=evidence,
        comments=list(run.comments.all()),
        missing=missing,
        may=activity_may(actor, run, tasks=tasks, standings=standings, signed=signed, missing=missing, held=held),
    )


def _about(run: ActivityRun) -> dict[str, Any]:
    """Return what the run itself and its node say."""
    assert run.release.snapshot_id is not None
    tree = tree_of(run.release.snapshot_id)
    doc = tree.nodes[run.node].doc
    return {
        **{name: getattr(run, name) for name in _COLUMNS},
        "id": run.pk,
        "release": run.release_id,
        "release_name": str(run.release),
        "phase": run.phase_id,
        "phase_name": run.phase.name,
        "owners": list(doc["owners"]),
        "needs": needs_of(tree, run.node),
        "overdue": is_overdue(run.due_at, run.finished_at),
        "expires_at": _expiry(run),
        "inputs": values_of(doc["inputs"], run.inputs, run.sources),
        "instructions": str(run.work.get("instructions") or ""),
    }


def _missing(
    run: ActivityRun, tasks: Iterable[TaskRun], standings: Iterable[approval.Standing], evidence: Iterable[Evidence]
) -> list[str]:
    if run.kind != "manual" or run.state != "waiting":
        return []
    undone = [task.name for task in tasks if task.required and task.done_at is None]
    files = sum(file.attempt == run.attempt for file in evidence)
    return missing_words(run.work, tasks=undone, standings=standings, files=files)


def _expiry(run: ActivityRun) -> datetime | None:
    at = (run.work.get("approval") or {}).get("expires_at") if run.state == "waiting" else None
    return datetime.fromisoformat(at) if at else None


def _tasks(actor: Actor, run: ActivityRun, tasks: Sequence[TaskRun], held: set[tuple[str, str]]) -> list[TaskView]:
    open_to_change = run.state == "waiting"
    decides = open_to_change and bool(tasks) and policy.may_decide(actor, run)
    return [
        TaskView(
            id=task.slug,
            name=task.name,
            groups=task.groups,
            required=task.required,
            expected_seconds=task.expected_seconds,
            opens_at=task.opens_at,
            due_at=task.due_at,
            overdue=is_overdue(task.due_at, task.done_at or run.finished_at),
            done_at=task.done_at,
            done_by=task.done_by_name,
            may=open_to_change and (decides or is_named(held, task.groups)),
        )
        for task in tasks
    ]


def _form(run: ActivityRun) -> list[FieldView]:
    return [
        FieldView(
            name=name,
            type=str(declaration.get("type") or "string"),
            required=bool(declaration.get("required")),
            declaration=declaration,
            value=run.outputs.get(name, declaration.get("default")),
        )
        for name, declaration in form_of(run.work).items()
    ]


def _rules(standings: Sequence[approval.Standing], sign_offs: Sequence[SignOff]) -> list[RuleView]:
    names = {sign_off.user_id: sign_off.user_name for sign_off in sign_offs}
    return [
        RuleView(
            names=rule_names(standing.rule),
            need=standing.need,
            missing=standing.missing,
            signers=[names[user] for user in standing.signers],
        )
        for standing in standings
    ]


def _changed(run: ActivityRun, sign_offs: Sequence[SignOff]) -> dict[int, list[str]]:
    """Return which fields of what was signed have changed, by the id of each void sign-off: the trail knows."""
    void = {(sign.user_name, sign.void_at): sign.pk for sign in sign_offs if sign.void_at is not None}
    if not void:
        return {}
    told = Event.objects.filter(
        release_id=run.release_id, verb="sign_off.void", subject_type="activityrun", subject_id=run.pk
    )
    pairs = [(void.get((after["by"], at)), after["changed"]) for at, after in told.values_list("at", "after") if after]
    return {pk: changed for pk, changed in pairs if pk is not None}


def _has_signed(actor: Actor, run: ActivityRun, sign_offs: Sequence[SignOff]) -> bool:
    return any(
        actor is not None and sign.user_id == actor.pk and sign.attempt == run.attempt and sign.void_at is None
        for sign in sign_offs
    )
