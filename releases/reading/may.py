"""What a person may do now: the verbs of the buttons a page draws. The services ask again when one is pressed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from django.contrib.auth.models import User

from config.permissions import groups_of
from config.trail import Actor
from releases import approval, assignees, policy
from releases.freezes import why_no_exception
from releases.models import ActivityRun, Release, ReleaseRole, TaskRun

_SINGLE = ("automated", "manual", "signal", "wait")


def release_may(actor: Actor, release: Release) -> list[str]:
    """Return what `actor` may do with a release: edit, start, schedule, cancel, fill_roles, pause, resume, abort."""
    verbs: list[str] = []
    operates = policy.may_operate(actor, release)
    plans = operates or policy.may_plan(actor, release)
    if plans and release.state in ("draft", "scheduled", "missed", "cancelled"):
        verbs.append("edit")
    if release.state in ("draft", "scheduled") and policy.may_start(actor, release.process, release.group):
        verbs.append("start")
    if plans and release.state in ("draft", "missed", "cancelled") and release.planned_start_at is not None:
        verbs.append("schedule")
    if plans and release.state == "scheduled":
        verbs.append("cancel")
    if plans and release.finished_at is None:
        verbs.append("fill_roles")
    if operates and release.state == "running":
        verbs.append("pause")
    if operates and release.state == "paused":
        verbs.append("resume")
    if operates and release.state in ("running", "paused"):
        verbs.append("abort")
    return verbs


def may_ask_exception(actor: Actor, release: Release) -> bool:
    """Return whether `actor` may ask that this release starts in spite of a freeze, as the release stands now."""
    asks = policy.may_plan(actor, release) or policy.may_start(actor, release.process, release.group)
    return asks and not why_no_exception(release)


def names_held(actor: Actor, release_id: int) -> set[tuple[str, str]]:
    """Return the names (see `assignees.split`) that stand for `actor` in a release."""
    if not isinstance(actor, User) or not actor.is_active:
        return set()
    groups = groups_of(actor)
    roles = ReleaseRole.objects.filter(release_id=release_id, user=actor).values_list("role", flat=True)
    return {("user", actor.get_username()), *(("group", name) for name in groups), *(("role", name) for name in roles)}


def is_named(held: set[tuple[str, str]], names: Iterable[str]) -> bool:
    """Return whether any of `names` is among those somebody holds."""
    return any(assignees.split(name) in held for name in names)


def activity_may(
    actor: Actor,
    run: ActivityRun,
    *,
    tasks: Sequence[TaskRun],
    standings: Sequence[approval.Standing],
    signed: bool,
    missing: Sequence[str],
    held: set[tuple[str, str]],
) -> list[str]:
    """Return what `actor` may do with an activity now.

    On hold: retry, replace, ignore, fail. Waiting: form, evidence, complete, approve, reject, signal. Always: comment.
    Tasks say for themselves who may tick them. `signed` says whether `actor` has a valid sign-off here.
    """
    decides = policy.may_decide(actor, run)
    verbs = ["comment"]
    if run.state == "on_hold" and decides and run.release.state in ("running", "paused"):
        verbs += ["retry", "ignore", "fail"] + (["replace"] if run.kind in _SINGLE else [])
    if run.state == "waiting" and run.kind == "signal" and decides:
        verbs.append("signal")
    if run.state != "waiting" or run.kind != "manual":
        return verbs
    if decides or is_named(held, [*run.phase.owners, *(name for task in tasks for name in task.groups)]):
        verbs += ["form"] if run.work.get("form") else []
        verbs += ["evidence"] + ([] if missing else ["complete"])
    if isinstance(actor, User) and not signed:
        verbs += ["approve"] if approval.could_count(standings, actor.pk) else []
        verbs += ["reject"] if any(actor.pk in standing.eligible for standing in standings) else []
    return verbs
