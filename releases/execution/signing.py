"""Who may sign a manual activity, what they sign, and what the activity still requires (product, section 5)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.db.models import Q

from config.models import Event
from processes.inputs import Declarations
from releases import approval, assignees
from releases.execution import rows
from releases.execution.locked import Locked, Run
from releases.execution.snapshots import tree_of
from releases.models import ActivityRun, Artifact, Release, SignOff, TaskRun
from releases.tree import Key

#: What makes a person somebody who acted in an activity, besides tasks and sign-offs, which have rows of their own.
ACTED = ("form.answered", "evidence.added", "signal.received")


def form_of(work: Mapping[str, Any]) -> Declarations:
    """Return the declarations of the form's fields."""
    form: Declarations = work.get("form") or {}
    return form


def terms_of(work: Mapping[str, Any]) -> dict[str, Any]:
    """Return the approval a manual activity asks for; empty if it asks for none."""
    return work.get("approval") or {}


def rule_names(rule: Mapping[str, Any]) -> list[str]:
    """Return the names of the people and groups that may sign for a rule, those it was escalated to included."""
    return [*assignees.names_of_rule(dict(rule)), *rule.get("or", [])]


def standings_of(release_id: int, row: ActivityRun) -> list[approval.Standing]:
    """Return how each approval rule of a manual activity stands, with the people who may sign for it.

    Nothing is asked any more once it counts as approved because nobody decided in time. How many sign-offs `all` and
    `percent` ask for is counted without the people it was escalated to: they may help, but nobody needs them all.
    """
    terms = terms_of(row.work)
    rules: Sequence[dict[str, Any]] = terms.get("rules") or []
    if not rules or terms.get("granted"):
        return []
    barred = barred_from(release_id, row)

    def people(names: Iterable[str]) -> set[int]:
        return set(assignees.people(release_id, names).values_list("pk", flat=True)) - barred

    named = [people(assignees.names_of_rule(rule)) for rule in rules]
    eligible = [
        found | people(rule["or"]) if rule.get("or") else found for rule, found in zip(rules, named, strict=True)
    ]
    needs = [approval.needed(rule, len(found)) for rule, found in zip(rules, named, strict=True)]
    signed = row.sign_offs.filter(attempt=row.attempt, decision="approved", void_at=None, user__isnull=False)
    approvers = [pk for pk in signed.values_list("user_id", flat=True) if pk]
    return approval.standings(rules, eligible, approvers, needs=needs)


def barred_from(release_id: int, row: ActivityRun) -> set[int]:
    """Return the ids of people who may not sign: who started the release (`four_eyes`), who acted elsewhere."""
    terms = terms_of(row.work)
    barred: set[int] = set()
    if terms.get("four_eyes", True):
        started_by = rows.load_facts(release_id)["started_by_id"]
        barred |= {started_by} if started_by else set()
    for reference in terms.get("different_from") or []:
        barred |= actors_of(release_id, row, reference)
    same_as = terms.get("same_as") or []
    if same_as:
        allowed = {pk for reference in same_as for pk in actors_of(release_id, row, reference)}
        barred |= rule_people(row, release_id) - allowed
    return barred


def rule_people(row: ActivityRun, release_id: int) -> set[int]:
    """Return the ids of everybody named by any rule."""
    names = [name for rule in terms_of(row.work).get("rules") or [] for name in rule_names(rule)]
    return set(assignees.people(release_id, names).values_list("pk", flat=True))


def actors_of(release_id: int, row: ActivityRun, reference: str) -> set[int]:
    """Return the ids of those who acted in another activity: signed, did a task, answered, handed in or completed it.

    `reference` is `activity` in the same phase or `phase.activity` in the same process or subprocess, and the same item
    of a `for_each` around both. What the activity itself holds counts as well.
    """
    tree = tree_of(Release.objects.values_list("snapshot_id", flat=True).get(pk=release_id))
    here = Key(row.node, row.items)
    phase_id, _, activity_id = reference.rpartition(".")
    own = tree.phase_of(here)
    phase = tree.named(tree[here].scope, phase_id) if phase_id else own and own.node
    named = None if phase is None else tree.named(phase, activity_id)
    if named is None:
        return set()
    items = tree.around(here, named).items
    inside = Q(items=items) | Q(items__startswith=f"{items}." if items else "")
    runs = ActivityRun.objects.filter(inside, release_id=release_id, node__in=[named, *tree.below(named)])
    signers = SignOff.objects.filter(activity_run__in=runs, void_at=None).values_list("user_id", flat=True)
    doers = TaskRun.objects.filter(activity_run__in=runs, done_by__isnull=False).values_list("done_by_id", flat=True)
    completed = Q(subject_id__in=runs.filter(kind="manual").values("pk"), verb="activity.succeeded")
    told = Event.objects.filter(Q(subject_id__in=runs.values("pk"), verb__in=ACTED) | completed)
    acted = told.filter(subject_type="activityrun", actor__isnull=False).values_list("actor_id", flat=True)
    return {pk for pk in (*signers, *doers, *acted) if pk is not None}


def content_of(locked: Locked, row: ActivityRun) -> dict[str, Any]:
    """Return what somebody who signs now signs: the sign-off is void as soon as any of it changes."""
    artifacts = Artifact.objects.filter(release_id=locked.id).order_by("id")
    return {
        "revision": str(locked.tree.digest),
        "inputs": row.inputs,
        "instructions": row.work.get("instructions", ""),
        "answers": row.outputs,
        "artifacts": list(artifacts.values("name", "version", "digest", "reference", "environment")),
    }


def content_digest(content: dict[str, Any]) -> str:
    """Return the SHA-256 of canonical JSON."""
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def void_changed(locked: Locked, run: Run, content: dict[str, Any]) -> None:
    """Make void every sign-off whose content is no longer what is shown, naming what has changed."""
    for sign_off in SignOff.objects.filter(activity_run_id=run.id, attempt=run.attempt, void_at=None):
        changed = changed_fields(sign_off.signed, content)
        if changed:
            SignOff.objects.filter(pk=sign_off.pk).update(void_at=locked.now)
            locked.event(run, "sign_off.void", after={"by": sign_off.user_name, "changed": changed})


def changed_fields(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Return the fields in which two contents differ, such as `instructions`, `inputs.version` or `artifacts`."""
    changed: list[str] = []
    for name in after:
        old, new = before.get(name), after[name]
        if old == new:
            continue
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            changed += [f"{name}.{key}" for key in sorted(old.keys() | new.keys()) if old.get(key) != new.get(key)]
        else:
            changed.append(name)
    return changed


def missing_parts(release_id: int, row: ActivityRun, standings: Sequence[approval.Standing] | None = None) -> list[str]:
    """Return in words what a manual activity still requires; `standings` are those of its rules, if they are known."""
    tasks = TaskRun.objects.filter(activity_run_id=row.pk, attempt=row.attempt, required=True, done_at=None)
    names = tasks.values_list("name", flat=True)
    known = standings_of(release_id, row) if standings is None else standings
    given = row.evidence.filter(attempt=row.attempt).count() if files_asked(row.work) else 0
    return missing_words(row.work, tasks=names, standings=known, files=given)


def missing_words(
    work: Mapping[str, Any], *, tasks: Iterable[str], standings: Iterable[approval.Standing], files: int
) -> list[str]:
    """Return the same, told the names of the required tasks that are open and how many evidence files there are."""
    missing = [f"task '{name}'" for name in tasks]
    if form_of(work) and not work.get("answered"):
        missing.append("the form")
    missing += [
        f"{standing.missing} of {standing.need} sign-offs by {', '.join(rule_names(standing.rule))}"
        for standing in standings
        if standing.missing
    ]
    required = files_asked(work)
    if files < required:
        missing.append(f"{required - files} of {required} evidence files")
    return missing


def files_asked(work: Mapping[str, Any]) -> int:
    """Return how many evidence files a manual activity requires."""
    return int((work.get("evidence") or {}).get("required") or 0)
