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
from releases import approval, assignees, policy
from releases.execution import people
from releases.execution.locked import lock_release
from releases.models import ActivityRun, Comment, Evidence, TaskRun
from releases.services.given import mapping_faults, require, text_faults
from releases.services.noticing import tell_mentioned

MOST_EVIDENCE = 20 * 1024 * 1024


def set_task(actor: Actor, run: ActivityRun, task: str, *, done: bool, now: datetime) -> None:
    """Mark a task done, or open again; for the people it is assigned to and those who decide about the activity."""
    with lock_release(run.release_id, now=now, actor=actor) as locked:
        row = _current(run)
        found = TaskRun.objects.filter(activity_run=row, attempt=row.attempt, slug=task).first()
        if found is None:
            raise InvalidInput([Fault("task", f"There is no task '{task}' in this activity.")])
        if not policy.may_decide(actor, row):
            policy.require_one_of(actor, row.release_id, found.groups, "do this task")
        people.set_task(locked, row.pk, task, done=done)


def submit_form(actor: Actor, run: ActivityRun, values: Mapping[str, Any], *, now: datetime) -> None:
    """Answer the form of an activity; for its owners and the people of its tasks."""
    with lock_release(run.release_id, now=now, actor=actor) as locked:
        _require_hand_in(actor, _current(run))
        require(mapping_faults("values", values))
        people.submit_form(locked, run.pk, values)


def complete_activity(actor: Actor, run: ActivityRun, *, now: datetime) -> None:
    """Say that a manual activity is done; everything it requires must be."""
    with lock_release(run.release_id, now=now, actor=actor) as locked:
        _require_hand_in(actor, _current(run))
        people.complete(locked, run.pk)


def sign_off(actor: Actor, run: ActivityRun, *, decision: str, comment: str = "", now: datetime) -> None:
    """Approve or reject an activity. Raises NotPermitted with the reason why this person may not."""
    faults = [] if decision in ("approved", "rejected") else [_no_decision(decision)]
    require(faults, text_faults("comment", comment))
    if not isinstance(actor, User):
        raise NotPermitted("Only a person can sign.")
    with lock_release(run.release_id, now=now, actor=actor) as locked:
        row = people.void_stale(locked, run.pk)
        people.require_approval(row)
        _require_signer(actor, row, people.standings_of(row.release_id, row), decision)
        people.sign(locked, row.pk, decision=decision, comment=comment)


def _no_decision(decision: str) -> Fault:
    return Fault("decision", f"'{decision}' is no decision.", "Use approved or rejected.")


def _current(run: ActivityRun) -> ActivityRun:
    """Return the activity as it is under the lock; what the caller holds may be of an earlier attempt."""
    return ActivityRun.objects.select_related("release__process", "release__group", "phase").get(pk=run.pk)


def _require_signer(actor: User, run: ActivityRun, standing: list[approval.Standing], decision: str) -> None:
    """Raise NotPermitted unless `actor` may sign; a rejection needs no free slot."""
    if not any(actor.pk in rule.eligible for rule in standing):
        names = [name for rule in standing for name in people.rule_names(rule.rule)]
        if assignees.is_one_of(actor, run.release_id, names) and actor.pk in people.barred_from(run.release_id, run):
            raise NotPermitted(_why_barred(actor, run), code="barred")
        raise NotPermitted(f"Only {', '.join(dict.fromkeys(names))} may sign this activity.")
    signed = any(actor.pk in rule.signers for rule in standing)
    if decision == "approved" and not signed and not approval.could_count(standing, actor.pk):
        raise NotPermitted("Every place you could fill has been signed for.", code="enough_signed")


def _why_barred(actor: User, run: ActivityRun) -> str:
    terms = run.work["approval"]
    if terms.get("four_eyes", True) and run.release.started_by_id == actor.pk:
        return "You started the release, so somebody else has to sign (four eyes)."
    for reference in terms.get("different_from") or []:
        if actor.pk in people.actors_of(run.release_id, run, reference):
            return f"You acted in {reference}, so somebody else has to sign."
    return f"Only those who acted in {', '.join(terms.get('same_as') or [])} may sign."


def send_signal(actor: Actor, run: ActivityRun, payload: Mapping[str, Any], *, now: datetime) -> bool:
    """Give a signal to the activity that waits for it; False if it does not match and was put aside."""
    with lock_release(run.release_id, now=now, actor=actor) as locked:
        policy.require_decide(actor, _current(run))
        require(mapping_faults("payload", payload))
        return people.send_signal(locked, run.pk, payload)


def add_comment(actor: Actor, run: ActivityRun, body: str, *, now: datetime) -> Comment:
    """Add a remark, and tell those it mentions; for everybody who sees the release, NotFound for those who do not."""
    policy.require_see(actor, run.release_id)
    require([] if body.strip() else [Fault("body", "A comment needs some text.")], text_faults("body", body))
    author = actor if isinstance(actor, User) else None
    with transaction.atomic():
        comment = Comment.objects.create(
            activity_run=run, author=author, author_name=actor_name(actor), body=body.strip(), at=now
        )
        record(actor, "activity.commented", run, after={"comment": comment.pk}, release_id=run.release_id, now=now)
        tell_mentioned(comment, now=now)
    return comment


def add_evidence(actor: Actor, run: ActivityRun, *, name: str, content: bytes, now: datetime) -> Evidence:
    """Keep a file as evidence; it is stored under a name of ours and only ever served as a download.

    The file is written before the release is locked, and removed again if the activity takes no evidence by then.
    """
    _require_hand_in(actor, _current(run))
    require(_file_faults(content))
    evidence = Evidence(
        name=_shown_name(name),
        size=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        at=now,
        uploaded_by=actor if isinstance(actor, User) else None,
        uploaded_by_name=actor_name(actor),
    )
    evidence.file.save(uuid.uuid4().hex, ContentFile(content), save=False)
    try:
        with lock_release(run.release_id, now=now, actor=actor) as locked:
            waiting, evidence.activity_run = people.waiting(locked, run.pk, "manual")
            _require_hand_in(actor, _current(run))
            evidence.attempt = waiting.attempt
            evidence.save()
            locked.event(waiting, "evidence.added", after={"name": evidence.name, "sha256": evidence.sha256})
            people.touch(locked, run.pk)
    except BaseException:
        evidence.file.delete(save=False)
        raise
    return evidence


def _file_faults(content: bytes) -> list[Fault]:
    if not content:
        return [Fault("file", "The file is empty.")]
    if len(content) > MOST_EVIDENCE:
        return [Fault("file", f"The file is larger than {MOST_EVIDENCE // 1024 // 1024} MB.")]
    return []


def _shown_name(name: str) -> str:
    """Return the last part of a file's name as it was given, without what cannot be printed."""
    base = name.replace("\\", "/").rpartition("/")[2]
    return "".join(character for character in base if character.isprintable())[:255] or "evidence"


def _require_hand_in(actor: Actor, run: ActivityRun) -> None:
    """Raise NotPermitted unless `actor` owns the phase, operates the release, or is assigned a task of the activity."""
    if policy.may_decide(actor, run):
        return
    names = [name for task in run.tasks.filter(attempt=run.attempt) for name in task.groups]
    policy.require_one_of(actor, run.release_id, list(dict.fromkeys([*run.phase.owners, *names])), "hand this in")
