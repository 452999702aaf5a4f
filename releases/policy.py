"""Who may see a release and who may do what in it, in one place for pages, API and admin.

A release is seen by holders of `view_release` or `operate_release` (model-wide or on it), by those who may see or operate
its group, by those who may start or operate its process, and by everybody who takes part in it or made it.
It is operated (paused, resumed, aborted, restarted) by holders of `operate_release` on it, its group or its process. What is
on hold is decided by them and by the owners of the phase it lies in.
"""

from __future__ import annotations

from django.contrib.auth.models import User
from django.db.models import Exists, OuterRef, Q, QuerySet

from config.errors import NotPermitted
from config.permissions import allowed, visible_by_any
from config.trail import Actor
from processes.models import Process
from releases import assignees
from releases.models import ActivityRun, Participant, PhaseRun, Release, ReleaseGroup


def visible_releases(actor: Actor) -> QuerySet[Release]:
    """Return the releases `actor` may see."""
    releases = Release.objects.all()
    if actor is None or any(allowed(actor, f"releases.{verb}_release") for verb in ("view", "operate")):
        return releases
    if not isinstance(actor, User) or not actor.is_active:
        return releases.none()
    own = visible_by_any(actor, ["releases.view_release", "releases.operate_release"], releases)
    groups = visible_by_any(
        actor, ["releases.view_releasegroup", "releases.operate_releasegroup"], ReleaseGroup.objects.all()
    )
    processes = visible_by_any(actor, ["processes.start_process", "processes.operate_process"], Process.objects.all())
    part = Participant.objects.filter(release=OuterRef("pk")).filter(
        Q(user=actor) | Q(group__in=actor.groups.values("pk"))
    )
    return releases.filter(
        Q(pk__in=own.values("pk"))
        | Q(group__in=groups.values("pk"))
        | Q(process__in=processes.values("pk"))
        | Q(created_by=actor)
        | Q(started_by=actor)
        | Exists(part)
    )


def may_operate(actor: Actor, release: Release) -> bool:
    """Return whether `actor` may pause, resume, abort and restart in `release`, and edit its plan."""
    return (
        allowed(actor, "releases.operate_release", release)
        or allowed(actor, "processes.operate_process", release.process)
        or (release.group is not None and allowed(actor, "releases.operate_releasegroup", release.group))
    )


def may_start(actor: Actor, process: Process, group: ReleaseGroup | None = None) -> bool:
    """Return whether `actor` may create and start releases of `process` (in `group`, if one is given)."""
    return (
        allowed(actor, "processes.start_process", process)
        or allowed(actor, "releases.add_release")
        or (group is not None and allowed(actor, "releases.operate_releasegroup", group))
    )


def owns(actor: Actor, phase: PhaseRun) -> bool:
    """Return whether `actor` is an owner of a phase run, or of one that holds it."""
    if actor is None:
        return True
    if not isinstance(actor, User):
        return False
    prefixes = phase.path.split("/")
    paths = ["/".join(prefixes[: length + 1]) for length in range(len(prefixes))]
    holders = PhaseRun.objects.filter(release_id=phase.release_id, path__in=paths).values_list("owners", flat=True)
    names = {name for owners in holders for name in owners} | set(phase.owners)
    return assignees.is_one_of(actor, phase.release_id, names)


def may_decide(actor: Actor, run: ActivityRun) -> bool:
    """Return whether `actor` may retry, replace, ignore or fail what is on hold, and say a manual activity is done."""
    return may_operate(actor, run.release) or owns(actor, run.phase)


def require_operate(actor: Actor, release: Release) -> None:
    """Raise NotPermitted unless `actor` may operate `release`."""
    if not may_operate(actor, release):
        raise NotPermitted("You need the permission to operate this release, its group or its process.")


def require_start(actor: Actor, process: Process, group: ReleaseGroup | None = None) -> None:
    """Raise NotPermitted unless `actor` may start releases of `process`."""
    if not may_start(actor, process, group):
        raise NotPermitted(f"You need the permission to start releases of {process}.")


def require_decide(actor: Actor, run: ActivityRun) -> None:
    """Raise NotPermitted unless `actor` may decide about `run`."""
    if not may_decide(actor, run):
        raise NotPermitted("Only the owners of its phase and those who operate the release decide about this activity.")


def require_one_of(actor: Actor, release_id: int, names: list[str], what: str) -> None:
    """Raise NotPermitted unless `actor` is among the people `names` stand for; `what` says for what."""
    if actor is None:
        return
    if not isinstance(actor, User) or not assignees.is_one_of(actor, release_id, names):
        raise NotPermitted(f"Only {', '.join(names) or 'nobody'} may {what}.")


def require_operate_or_create(actor: Actor, release: Release) -> None:
    """Raise NotPermitted unless `actor` may operate `release`, or has made it and may still start it."""
    if may_operate(actor, release) or (actor is not None and release.created_by_id == actor.pk):
        return
    raise NotPermitted("You need the permission to operate this release, its group or its process.")
