"""What people answer: tasks, forms, sign-offs, signals, comments and evidence."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.db import transaction

from config.errors import Fault, InvalidInput, NotPermitted
from config.trail import Actor, actor_name, record
from releases import approval, policy
from releases.execution import people
from releases.execution.locked import lock_release
from releases.models import ActivityRun, Comment, Evidence, TaskRun

MOST_EVIDENCE = 20 * 1024 * 1024


def set_task(actor: Actor, run: ActivityRun, task: str, *, done: bool, now: datetime) -> None:
    """Mark a task done, or open again; for the people it is assigned to and those who decide about the activity."""
    found = TaskRun.objects.filter(activity_run=run, attempt=run.attempt, slug=task).first()
    if found is None:
        raise InvalidInput([Fault("task", f"There is no task '{task}' in this activity.")])
    if not policy.may_decide(actor, run):
        policy.require_one_of(actor, run.release_id, found.groups, "do this task")
    with lock_release(run.release_id, now=now, actor=actor) as locked:
        people.set_task(locked, run.pk, task, done=done)


def submit_form(actor: Actor, run: ActivityRun, values: Mapping[str, Any], *, now: datetime) -> None:
    """Answer the form of an activity; for its phase's owners and the people of its tasks."""
    _require_hand_in(actor, run)
    with lock_release(run.release_id, now=now, actor=actor) as locked:
        people.submit_form(locked, run.pk, values)


def complete_activity(actor: Actor, run: ActivityRun, *, now: datetime) -> None:
    """Say that a manual activity is done; everything it requires must be."""
    _require_hand_in(actor, run)
    with lock_release(run.release_id, now=now, actor=actor) as locked:
        people.complete(locked, run.pk)


def sign_off(actor: Actor, run: ActivityRun, *, decision: str, comment: str = "", now: datetime) -> None:
    """Approve or reject an activity. Raises NotPermitted with the reason why this person may not."""
    if decision not in ("approved", "rejected"):
        raise InvalidInput([Fault("decision", f"'{decision}' is no decision.", "Use approved or rejected.")])
    if not isinstance(actor, User):
        raise NotPermitted("Only a person can sign.")
    with lock_release(run.release_id, now=now, actor=actor) as locked:
        people.waiting(locked, run.pk, "manual")
        standing = people.standings_of(run.release_id, ActivityRun.objects.select_related("phase").get(pk=run.pk))
        _require_signer(actor, run, standing, decision)
        people.sign(locked, run.pk, decision=decision, comment=comment)


def _require_signer(actor: User, run: ActivityRun, standing: list[approval.Standing], decision: str) -> None:
    """Raise NotPermitted unless `actor` may sign; a rejection needs no free slot."""
    if not any(actor.pk in rule.eligible for rule in standing):
        names = ", ".join(dict.fromkeys(name for rule in standing for name in people.rule_names(rule.rule)))
        if actor.pk in people.barred_from(run.release_id, run):
            raise NotPermitted("You may not sign here, since you started the release or acted in it (four eyes).")
        raise NotPermitted(f"Only {names or 'nobody'} may sign this activity.")
    signed = any(actor.pk in rule.signers for rule in standing)
    if decision == "approved" and not signed and not approval.could_count(standing, actor.pk):
        raise NotPermitted("Every place you could fill has been signed for.", code="enough_signed")


def send_signal(actor: Actor, run: ActivityRun, payload: Mapping[str, Any], *, now: datetime) -> bool:
    """Give a signal to the activity that waits for it; False if it does not match and was put aside."""
    policy.require_decide(actor, run)
    with lock_release(run.release_id, now=now, actor=actor) as locked:
        return people.send_signal(locked, run.pk, payload)


def add_comment(actor: Actor, run: ActivityRun, body: str, *, now: datetime) -> Comment:
    """Add a remark; for everybody who sees the release (the caller has looked)."""
    if not body.strip():
        raise InvalidInput([Fault("body", "A comment needs some text.")])
    author = actor if isinstance(actor, User) else None
    with transaction.atomic():
        comment = Comment.objects.create(
            activity_run=run, author=author, author_name=actor_name(actor), body=body.strip(), at=now
        )
        record(actor, "activity.commented", run, after={"comment": comment.pk}, release_id=run.release_id, now=now)
    return comment


def add_evidence(actor: Actor, run: ActivityRun, *, name: str, content: bytes, now: datetime) -> Evidence:
    """Keep a file as evidence; it is stored under a name of ours and only ever served as a download."""
    _require_hand_in(actor, run)
    faults = []
    if not content:
        faults.append(Fault("file", "The file is empty."))
    if len(content) > MOST_EVIDENCE:
        faults.append(Fault("file", f"The file is larger than {MOST_EVIDENCE // 1024 // 1024} MB."))
    if faults:
        raise InvalidInput(faults)
    shown = name.replace("\\", "/").rpartition("/")[2][:255] or "evidence"
    with lock_release(run.release_id, now=now, actor=actor) as locked:
        waiting, row = people.waiting(locked, run.pk, "manual")
        evidence = Evidence.objects.create(
            activity_run=row,
            attempt=waiting.attempt,
            file=ContentFile(content, name=uuid.uuid4().hex),
            name=shown,
            size=len(content),
            sha256=hashlib.sha256(content).hexdigest(),
            at=now,
            uploaded_by=actor if isinstance(actor, User) else None,
            uploaded_by_name=actor_name(actor),
        )
        locked.event(waiting, "evidence.added", after={"name": shown, "sha256": evidence.sha256})
        people.touch(locked, run.pk)
    return evidence


def _require_hand_in(actor: Actor, run: ActivityRun) -> None:
    """Raise NotPermitted unless `actor` owns the phase, operates the release, or is assigned a task of the activity."""
    if policy.may_decide(actor, run):
        return
    names = [name for task in run.tasks.filter(attempt=run.attempt) for name in task.groups]
    policy.require_one_of(actor, run.release_id, [*run.phase.owners, *names], "hand this in")
