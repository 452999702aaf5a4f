"""Exceptions from freezes: asked for with a reason, granted by those who hold the permission, expiring."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Q, QuerySet

from config.errors import Conflict, Fault, InvalidInput, NotPermitted
from config.permissions import allowed, require
from config.trail import Actor, actor_name, record
from releases import policy
from releases.freezes import why_no_exception
from releases.models import Freeze, FreezeException, Release, ReleaseGroup
from releases.policy import GRANT
from releases.services import given, noticing
from releases.services.waking import wake

State = FreezeException.State
#: How far ahead an exception may expire.
LONGEST = timedelta(days=366)


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

    For those who may start or operate what it is for. Raises NotPermitted, InvalidInput with every fault (it may expire
    `LONGEST` from now at most), Conflict when the release is over or called off, or the same is asked for already.
    """
    if (release is None) == (group is None):
        cure = "Name one of them."
        raise InvalidInput([Fault("release", "An exception is for a release or for a release group.", cure)])
    _require_ask(actor, release, group)
    given.require([*_expiry_faults(expires_at, now), *given.reason_faults(reason)])
    reason = reason.strip()
    if release is not None and (why := why_no_exception(release)):
        raise Conflict(why, code="wrong_state")
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
    noticing.tell_granters(asked, now=now)
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


def void_exceptions(actor: Actor, freeze: Freeze, *, now: datetime) -> None:
    """Make void what was asked for or granted, and has not expired, before the freeze changed its scope or window.

    The caller has locked the freeze's row.
    """
    standing = Q(state=State.PENDING) | Q(state=State.GRANTED, expires_at__gt=now)
    locked = freeze.exceptions.select_for_update(no_key=True, of=("self",)).filter(standing).order_by("pk")
    for exception in locked.select_related("freeze", "release", "group"):
        _move(actor, exception, State.VOID, reason="", now=now)


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
    Freeze.objects.select_for_update(no_key=True).filter(pk=exception.freeze_id).first()
    found = FreezeException.objects.select_for_update(no_key=True, of=("self",))
    locked = found.select_related("freeze", "release", "group").get(pk=exception.pk)
    if locked.state not in of:
        raise Conflict(f"The exception is {locked.state} already.", code="decided")
    if to == State.GRANTED and locked.expires_at <= now:
        raise Conflict("The exception has expired; ask for a new one.", code="expired")
    locked.decision_reason = reason
    locked.decided_at, locked.decided_by_name = now, actor_name(actor)
    locked.decided_by = actor if isinstance(actor, User) else None
    _move(actor, locked, to, reason=reason, now=now)
    return locked


def _move(actor: Actor, exception: FreezeException, to: str, *, reason: str, now: datetime) -> None:
    before: dict[str, Any] = {"state": exception.state}
    exception.state = to
    exception.save(update_fields=["state", "decision_reason", "decided_at", "decided_by", "decided_by_name"])
    record(
        actor,
        f"freeze_exception.{'voided' if to == State.VOID else to}",
        exception,
        before=before,
        after={"state": to},
        reason=reason or exception.void_reason,
        release_id=exception.release_id,
        now=now,
    )
    if not (isinstance(actor, User) and exception.asked_by_id == actor.pk):
        noticing.tell_asker(exception, by=actor_name(actor), now=now)


def _expiry_faults(expires_at: datetime, now: datetime) -> list[Fault]:
    if expires_at <= now:
        return [Fault("expires_at", "This moment has passed.", "Choose a later one.")]
    if expires_at > now + LONGEST:
        cure = f"Choose one before {now + LONGEST:%Y-%m-%d}."
        return [Fault("expires_at", f"An exception lasts {LONGEST.days} days at most.", cure)]
    return []
