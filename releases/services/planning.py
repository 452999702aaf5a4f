"""Creating a release, changing its plan, calling it off, filling its roles."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction

from config.errors import Conflict, Fault, InvalidInput
from config.trail import Actor, actor_name, record
from processes.models import InputSet, Process, ProcessRevision
from releases import policy, states
from releases.models import Release, ReleaseGroup, ReleaseRole

EDITABLE = ("name", "version", "description", "given", "input_set", "planned_start_at", "planned_end_at")


def create_release(
    actor: Actor,
    *,
    process: Process,
    name: str,
    now: datetime,
    group: ReleaseGroup | None = None,
    revision: ProcessRevision | None = None,
    input_set: InputSet | None = None,
    version: str = "",
    description: str = "",
    given: Mapping[str, Any] | None = None,
    planned_start_at: datetime | None = None,
    planned_end_at: datetime | None = None,
) -> Release:
    """Create a draft release: from a group, or ad hoc. The revision is the latest at the start unless one is given.

    Raises NotPermitted, or InvalidInput with every fault.
    """
    policy.require_start(actor, process, group)
    release = Release(
        process=process,
        group=group,
        revision=revision,
        input_set=input_set or (group.input_set if group else None),
        name=name.strip(),
        version=version.strip(),
        description=description,
        given=dict(given or {}),
        planned_start_at=planned_start_at,
        planned_end_at=planned_end_at,
        created_at=now,
        created_by=actor if isinstance(actor, User) else None,
        created_by_name=actor_name(actor),
    )
    check_plan(release)
    with transaction.atomic():
        release.save()
        after = {"process": process.slug, "version": release.version}
        record(actor, "release.created", release, after=after, release_id=release.pk, now=now)
    return release


def check_plan(release: Release) -> None:
    """Raise InvalidInput with everything wrong with a release's plan."""
    faults: list[Fault] = []
    if not release.name:
        faults.append(Fault("name", "A release needs a name."))
    if release.input_set is not None and release.input_set.process_id != release.process_id:
        cure = f"Choose one for {release.process}."
        faults.append(Fault("input_set", "This input set belongs to another process.", cure))
    if release.group is not None and release.group.process_id != release.process_id:
        faults.append(Fault("group", "This group runs another process."))
    if release.revision is not None and release.revision.process_id != release.process_id:
        faults.append(Fault("revision", "This revision is of another process."))
    start, end = release.planned_start_at, release.planned_end_at
    if end is not None and (start is None or end < start):
        faults.append(Fault("planned_end_at", "The planned end is before the planned start."))
    if faults:
        raise InvalidInput(faults)


def edit_release(
    actor: Actor, release: Release, changes: Mapping[str, Any], *, now: datetime, expected: int | None = None
) -> Release:
    """Change the plan of a release that has not started. `expected` is the count of edits the caller has seen."""
    with transaction.atomic():
        locked = _lock(release)
        policy.require_operate_or_create(actor, locked)
        if expected is not None and expected != locked.edits:
            raise Conflict("Somebody has changed this release meanwhile.", code="stale")
        if locked.started_at is not None or locked.state not in ("draft", "scheduled", "missed", "cancelled"):
            raise Conflict("A release that has started keeps its plan.", code="started")
        before = {name: _plain(getattr(locked, name)) for name in changes}
        for name, value in changes.items():
            if name not in EDITABLE:
                raise InvalidInput([Fault(name, "This cannot be changed.")])
            setattr(locked, name, value)
        check_plan(locked)
        locked.edits += 1
        locked.save(update_fields=[*changes, "edits"])
        after = {name: _plain(getattr(locked, name)) for name in changes}
        record(actor, "release.edited", locked, before=before, after=after, release_id=locked.pk, now=now)
    return locked


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return value if isinstance(value, str | int | float | dict | list | type(None)) else str(value)


def _lock(release: Release) -> Release:
    found = Release.objects.select_for_update(no_key=True, of=("self",)).select_related("process", "group", "input_set")
    return found.get(pk=release.pk)


def cancel_release(actor: Actor, release: Release, *, reason: str, now: datetime) -> Release:
    """Call off a scheduled release. Raises Conflict if it is not scheduled."""
    return _move(actor, release, "cancelled", now=now, reason=reason)


def schedule_release(actor: Actor, release: Release, *, now: datetime) -> Release:
    """Schedule a draft, cancelled or missed release for its planned start. Raises InvalidInput if it has none."""
    if release.planned_start_at is None:
        raise InvalidInput([Fault("planned_start_at", "A scheduled release needs a planned start.")])
    return _move(actor, release, "scheduled", now=now)


def _move(actor: Actor, release: Release, to: str, *, now: datetime, reason: str = "") -> Release:
    with transaction.atomic():
        locked = _lock(release)
        policy.require_operate_or_create(actor, locked)
        if to not in states.RELEASE_MOVES[states.ReleaseState(locked.state)]:
            raise Conflict(f"A release that is {locked.state} cannot be {to}.", code="wrong_state")
        before, locked.state, locked.reason = locked.state, to, reason
        locked.save(update_fields=["state", "reason"])
        record(
            actor,
            f"release.{to}",
            locked,
            before={"state": before},
            after={"state": to},
            reason=reason,
            release_id=locked.pk,
            now=now,
        )
    return locked


def fill_role(actor: Actor, release: Release, *, role: str, user: User, now: datetime) -> None:
    """Name the person who fills a role of the process in this release. Raises InvalidInput for an unknown role."""
    policy.require_operate_or_create(actor, release)
    known = roles_of(release)
    if role not in known:
        cure = f"Its roles are {', '.join(sorted(known))}." if known else "It has none."
        raise InvalidInput([Fault("role", f"The process has no role '{role}'.", cure)])
    group = (known[role] or {}).get("group")
    if group and not user.groups.filter(name=group).exists():
        raise InvalidInput([Fault("user", f"{user} is not in the group {group}.")])
    with transaction.atomic():
        ReleaseRole.objects.update_or_create(release=release, role=role, defaults={"user": user})
        after = {"role": role, "user": user.get_username()}
        record(actor, "role.filled", release, after=after, release_id=release.pk, now=now)


def roles_of(release: Release) -> dict[str, Any]:
    """Return the roles of a release's process, those of its subprocesses included once it has started."""
    if release.snapshot is not None:
        return dict(release.snapshot.tree.get("roles") or {})
    revision = release.revision or release.process.revisions.first()
    return dict((revision.document if revision else {}).get("roles") or {})
