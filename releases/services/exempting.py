"""Exceptions from freezes: asked for with a reason, granted by those who hold the permission, expiring."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import QuerySet

from config.errors import Conflict, Fault, InvalidInput, NotPermitted
from config.permissions import allowed, require
from config.trail import Actor, actor_name, record
from releases import policy
from releases.models import Freeze, FreezeException, Release, ReleaseGroup
from releases.services import given
from releases.services.waking import wake

GRANT = "releases.grant_freezeexception"
State = FreezeException.State


@transaction.atomic
def ask_exception(
    actor: Actor,
    freeze: Freeze,
    *,
    reason: str,
    expires_at: datetime,
    now: datetime,
    release: Release | None = None,
    group: ReleaseGroup | None = None,
) -> FreezeException:
    """Ask that a release, or a group's releases, may start in spite of a freeze until `expires_at`.

    For those who may start or operate what it is for. Raises NotPermitted, InvalidInput with every fault, Conflict
    when the release is over or the same has been asked for already.
    """
    if (release is None) == (group is None):
        cure = "Name one of them."
        raise InvalidInput([Fault("release", "An exception is for a release or for a release group.", cure)])
    _require_ask(actor, release, group)
    if expires_at <= now:
        raise InvalidInput([Fault("expires_at", "This moment has passed.", "Choose a later one.")])
    reason = given.reason_of(reason)
    if release is not None and release.finished_at is not None:
        raise Conflict(f"The release is {release.state.replace('_', ' ')}; it needs no exception.", code="wrong_state")
    Freeze.objects.select_for_update(no_key=True).get(pk=freeze.pk)
    if FreezeException.objects.filter(freeze=freeze, release=release, group=group, state=State.PENDING).exists():
        raise Conflict("An exception for the same has been asked for and not decided yet.", code="already_asked")
    asked = FreezeException.objects.create(
        freeze=freeze,
        release=release,
        group=group,
        reason=reason,
        expires_at=expires_at,
        asked_at=now,
        asked_by=actor if isinstance(actor, User) else None,
        asked_by_name=actor_name(actor),
    )
    if release is not None:  # somebody means just this one: its group's cadence no longer moves or removes it
        Release.objects.filter(pk=release.pk, started_at=None).update(touched_at=now)
    after = {"state": asked.state, "freeze": freeze.slug, "expires_at": expires_at.isoformat()}
    record(actor, "freeze_exception.asked", asked, after=after, reason=reason, release_id=asked.release_id, now=now)
    return asked


def grant_exception(actor: Actor, exception: FreezeException, *, now: datetime, reason: str = "") -> FreezeException:
    """Grant an exception. Whoever asked for it may not.

    Raises NotPermitted, or Conflict when it has been decided, or has expired.
    """
    require(actor, GRANT)
    if isinstance(actor, User) and exception.asked_by_id == actor.pk:
        raise NotPermitted("Somebody else has to grant the exception that you asked for.")
    granted = _decide(actor, exception, State.GRANTED, (State.PENDING,), reason=reason.strip(), now=now)
    wake(releases_of(granted), now=now)
    return granted


def refuse_exception(actor: Actor, exception: FreezeException, *, reason: str, now: datetime) -> FreezeException:
    """Refuse an exception, saying why. Raises NotPermitted, InvalidInput, or Conflict when it has been decided."""
    require(actor, GRANT)
    return _decide(actor, exception, State.REFUSED, (State.PENDING,), reason=given.reason_of(reason), now=now)


def withdraw_exception(actor: Actor, exception: FreezeException, *, now: datetime, reason: str = "") -> FreezeException:
    """Take back an exception that is asked for or granted. For whoever asked, and for those who may grant.

    Raises NotPermitted, or Conflict when there is nothing to take back.
    """
    if not may_withdraw(actor, exception):
        raise NotPermitted("Only who asked for the exception and those who may grant it withdraw it.")
    return _decide(actor, exception, State.WITHDRAWN, (State.PENDING, State.GRANTED), reason=reason.strip(), now=now)


def may_withdraw(actor: Actor, exception: FreezeException) -> bool:
    """Return whether `actor` may take the exception back."""
    return allowed(actor, GRANT) or (isinstance(actor, User) and exception.asked_by_id == actor.pk)


def releases_of(exception: FreezeException) -> QuerySet[Release]:
    """Return the releases an exception is for."""
    if exception.release_id is not None:
        return Release.objects.filter(pk=exception.release_id)
    return Release.objects.filter(group=exception.group_id)


def _require_ask(actor: Actor, release: Release | None, group: ReleaseGroup | None) -> None:
    if release is not None and not policy.may_plan(actor, release):
        policy.require_start(actor, release.process, release.group)
    if group is not None and not allowed(actor, "releases.operate_releasegroup", group):
        policy.require_start(actor, group.process, group)


@transaction.atomic
def _decide(
    actor: Actor, exception: FreezeException, to: str, of: tuple[str, ...], *, reason: str, now: datetime
) -> FreezeException:
    given.require(given.text_faults("reason", reason))
    found = FreezeException.objects.select_for_update(no_key=True, of=("self",))
    locked = found.select_related("freeze", "release", "group").get(pk=exception.pk)
    if locked.state not in of:
        raise Conflict(f"The exception is {locked.state} already.", code="decided")
    if to == State.GRANTED and locked.expires_at <= now:
        raise Conflict("The exception has expired; ask for a new one.", code="expired")
    before: dict[str, Any] = {"state": locked.state}
    locked.state, locked.decision_reason = to, reason
    locked.decided_at, locked.decided_by_name = now, actor_name(actor)
    locked.decided_by = actor if isinstance(actor, User) else None
    locked.save(update_fields=["state", "decision_reason", "decided_at", "decided_by", "decided_by_name"])
    record(
        actor,
        f"freeze_exception.{to}",
        locked,
        before=before,
        after={"state": to},
        reason=reason,
        release_id=locked.release_id,
        now=now,
    )
    return locked
