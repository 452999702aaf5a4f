"""Creating a release, changing its plan, calling it off, filling its roles."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction

from activities import secrets
from config.errors import Conflict, Fault, InvalidInput
from config.trail import Actor, actor_name, record
from processes.models import InputSet, Process, ProcessRevision
from releases import assignees, bookings, policy, states
from releases.execution.snapshots import tree_of
from releases.models import Participant, Release, ReleaseGroup, ReleaseRole
from releases.services import gates
from releases.services.given import document_faults, moment_faults, require, text_faults

EDITABLE = ("name", "version", "description", "given", "input_set", "planned_start_at", "planned_end_at")
_EDITABLE = f"What can be changed is: {', '.join(EDITABLE)}."


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
        given={} if given is None else given,
        planned_start_at=planned_start_at,
        planned_end_at=planned_end_at,
        created_at=now,
        created_by=actor if isinstance(actor, User) else None,
        created_by_name=actor_name(actor),
    )
    check_plan(release, is_new=True)
    secrets.require_use(actor, release.given)
    with transaction.atomic():
        release.save()
        bookings.book(release, now=now)
        after = {"process": process.slug, "version": release.version}
        record(actor, "release.created", release, after=after, release_id=release.pk, now=now)
    return release


def check_plan(release: Release, *, is_new: bool = False) -> None:
    """Raise InvalidInput with everything wrong with a release's plan.

    Only a new one (`is_new`) must run its group's process: the group may turn to another later.
    """
    faults = [
        *text_faults("name", release.name, most=200),
        *text_faults("version", release.version, most=100),
        *text_faults("description", release.description),
        *document_faults("given", release.given),
        *moment_faults("planned_start_at", release.planned_start_at),
        *moment_faults("planned_end_at", release.planned_end_at),
    ]
    if not release.name.strip():
        faults.append(Fault("name", "A release needs a name."))
    if release.input_set is not None and release.input_set.process_id != release.process_id:
        cure = f"Choose one for {release.process}."
        faults.append(Fault("input_set", "This input set belongs to another process.", cure))
    if is_new and release.group is not None and release.group.process_id != release.process_id:
        faults.append(Fault("group", "This group runs another process."))
    if release.revision is not None and release.revision.process_id != release.process_id:
        faults.append(Fault("revision", "This revision is of another process."))
    start, end = release.planned_start_at, release.planned_end_at
    if release.state == "scheduled" and start is None:
        faults.append(Fault("planned_start_at", "A scheduled release needs a planned start."))
    if end is not None and (start is None or end < start):
        faults.append(Fault("planned_end_at", "The planned end is before the planned start."))
    if faults:
        raise InvalidInput(faults)


def edit_release(
    actor: Actor, release: Release, changes: Mapping[str, Any], *, now: datetime, expected: int | None = None
) -> Release:
    """Change the plan of a release that has not started. `expected` is the count of edits the caller has seen.

    Raises NotPermitted, Conflict if it has started or was changed meanwhile, or InvalidInput with every fault.
    """
    require([Fault(name, "This cannot be changed.", _EDITABLE) for name in changes if name not in EDITABLE])
    with transaction.atomic():
        locked = _lock(release)
        policy.require_plan(actor, locked)
        if expected is not None and expected != locked.edits:
            raise Conflict("Somebody has changed this release meanwhile.", code="stale")
        if locked.started_at is not None or locked.state not in ("draft", "scheduled", "missed", "cancelled"):
            raise Conflict("A release that has started keeps its plan.", code="started")
        secrets.require_use(actor, changes.get("given"), locked.given)
        before = {name: _plain(getattr(locked, name)) for name in changes}
        for name, value in changes.items():
            setattr(locked, name, value.strip() if name in ("name", "version") else value)
        check_plan(locked)
        locked.edits += 1
        locked.touched_at = now
        _look(locked, now)
        locked.save(update_fields=[*changes, "edits", "touched_at", *LOOKS])
        bookings.book(locked, now=now)
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


LOOKS = ("next_try_at", "check_at", "findings", "told", "telling_until")


def _look(release: Release, now: datetime) -> None:
    """Have the tick look again: at a scheduled release's start, and at what would stop it."""
    is_open = release.state in ("draft", "scheduled")
    release.next_try_at = gates.first_try(release) if release.state == "scheduled" else None
    release.check_at = now if is_open else None
    if not is_open:
        release.findings, release.told, release.telling_until = [], [], None


def cancel_release(actor: Actor, release: Release, *, reason: str, now: datetime) -> Release:
    """Call off a scheduled release. Raises Conflict if it is not scheduled."""
    require(text_faults("reason", reason))
    return _move(actor, release, "cancelled", now=now, reason=reason)


def miss_release(release: Release, *, now: datetime) -> Release:
    """Give up a scheduled release whose time to start has passed; a person may schedule it again.

    Raises Conflict if its plan was changed since `release` was read.
    """
    reason = "It could not start before its deadline."
    return _move(None, release, "missed", now=now, reason=reason, expected=release.edits)


def skip_release(release: Release, *, reason: str, now: datetime) -> Release:
    """Call off a scheduled release because its group skips what overlaps. Raises Conflict if it was changed since."""
    return _move(None, release, "cancelled", now=now, reason=reason, expected=release.edits)


def schedule_release(actor: Actor, release: Release, *, now: datetime) -> Release:
    """Schedule a draft, cancelled or missed release for its planned start.

    Raises InvalidInput if it has none, or one that is longer ago than its group lets a release start late.
    """
    return _move(actor, release, "scheduled", now=now)


def _late_faults(release: Release, now: datetime) -> list[Fault]:
    if not gates.is_late(release, now):
        return []
    message = "Its planned start is longer ago than its group lets a release start late."
    return [Fault("planned_start_at", message, "Move it to another time first.")]


def _move(
    actor: Actor, release: Release, to: str, *, now: datetime, reason: str = "", expected: int | None = None
) -> Release:
    with transaction.atomic():
        locked = _lock(release)
        policy.require_plan(actor, locked)
        if expected is not None and expected != locked.edits:
            raise Conflict("Somebody has changed this release meanwhile.", code="stale")
        if to not in states.RELEASE_MOVES[states.ReleaseState(locked.state)]:
            raise Conflict(f"A release that is {locked.state.replace('_', ' ')} cannot be {to}.", code="wrong_state")
        before, locked.state, locked.reason = locked.state, to, reason
        if to == "scheduled":
            check_plan(locked)
            require(_late_faults(locked, now))
        if actor is not None:
            locked.touched_at = now
        locked.edits += 1
        _look(locked, now)
        locked.save(update_fields=["state", "reason", "touched_at", "edits", *LOOKS])
        bookings.book(locked, now=now)
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
    """Name the person who fills a role of the process in this release, who from then on takes part in it.

    Raises NotPermitted, InvalidInput for an unknown role or a person who cannot fill it, Conflict once the release is
    over.
    """
    with transaction.atomic():
        locked = _lock(release)
        policy.require_plan(actor, locked)
        if locked.finished_at is not None:
            raise Conflict(f"The release is {locked.state.replace('_', ' ')}; its roles stay.", code="wrong_state")
        require(_role_faults(locked, role, user))
        before = ReleaseRole.objects.filter(release=locked, role=role).values_list("user__username", flat=True).first()
        ReleaseRole.objects.update_or_create(release=locked, role=role, defaults={"user": user})
        Participant.objects.get_or_create(release=locked, user=user, group=None)
        looks = {"touched_at": now, "check_at": now if locked.started_at is None else None}
        Release.objects.filter(pk=locked.pk).update(**looks)
        bookings.book(locked, now=now)
        record(
            actor,
            "role.filled",
            locked,
            before=None if before is None else {"role": role, "user": before},
            after={"role": role, "user": user.get_username()},
            release_id=locked.pk,
            now=now,
        )


def _role_faults(release: Release, role: str, user: User) -> list[Fault]:
    known = roles_of(release)
    if role not in known:
        cure = f"Its roles are {', '.join(sorted(known))}." if known else "It has none."
        return [Fault("role", f"The process has no role '{role}'.", cure)]
    if not user.is_active:
        return [Fault("user", f"{user} is not active.")]
    terms = known[role] or {}
    names = [name for name in (terms.get("group"), terms.get("user") and f"user:{_bare(terms['user'])}") if name]
    if names and not assignees.is_one_of(user, release.pk, names):
        return [Fault("user", f"{user} is not {' or '.join(names)}.", "Choose somebody who is.")]
    return []


def _bare(name: str) -> str:
    return name.removeprefix("user:")


def roles_of(release: Release) -> dict[str, Any]:
    """Return the roles of a release's process, those of its subprocesses included once it has started."""
    if release.snapshot_id is not None:
        return dict(tree_of(release.snapshot_id).about.get("roles") or {})
    revision = release.revision or release.process.revisions.first()
    return dict((revision.document if revision else {}).get("roles") or {})
