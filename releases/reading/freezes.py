"""Who may see freezes, exceptions and debts, and how much of a scope.

A freeze explains why a release does not start, so everybody who may see a release may see that it exists: its name,
its windows, its words. The ids in its scope are shown as far as they may see those groups, processes and resources;
all of them, and the document, to holders of a permission on freezes. An exception or a debt is seen by those who may
see its release (group), an exception also by those who may grant it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.db.models import Q, QuerySet

from config.permissions import allowed, visible_by_any
from config.trail import Actor
from processes.models import Process, Resource
from releases import policy
from releases.models import BreakGlass, Freeze, FreezeException, FreezeWindow, ReleaseGroup
from releases.policy import GRANT
from releases.reading.links import listed
from releases.services.break_glass import may_sign_off
from releases.services.exempting import may_withdraw

MOST_TO_DECIDE = 50
_HELD = [f"releases.{verb}_freeze" for verb in ("view", "add", "change", "delete")]
_GROUPS = ["releases.view_releasegroup", "releases.change_releasegroup", "releases.operate_releasegroup"]
#: What one of a scope's ids is, and how what it concerns belongs to several.
_ONE = {
    "groups": "group",
    "processes": "process",
    "resources": "resource",
    "services": "service",
    "environments": "environment",
    "tags": "tag",
}
_VERBS = {"groups": "is of", "processes": "is of"}
_PROCESSES = [f"processes.{verb}_process" for verb in ("view", "change", "start", "operate")]


def knows_freezes(actor: Actor) -> bool:
    """Return whether `actor` sees freezes whole: holds a permission on them, or grants exceptions from them."""
    return any(allowed(actor, permission) for permission in (*_HELD, GRANT))


def visible_freezes(actor: Actor) -> QuerySet[Freeze]:
    """Return the freezes `actor` may see: all of them, or none."""
    freezes = Freeze.objects.all()
    if knows_freezes(actor) or policy.visible_releases(actor).exists():
        return freezes
    return freezes.none()


def visible_groups(actor: Actor) -> QuerySet[ReleaseGroup]:
    """Return the release groups whose ids `actor` may know: those they work with, and those of visible releases."""
    groups = ReleaseGroup.objects.all()
    own = visible_by_any(actor, _GROUPS, groups)
    return groups.filter(Q(pk__in=own.values("pk")) | Q(pk__in=policy.visible_releases(actor).values("group")))


def visible_exceptions(actor: Actor) -> QuerySet[FreezeException]:
    """Return the exceptions `actor` may see."""
    found = FreezeException.objects.select_related("freeze", "release__process", "release__group", "group__process")
    if allowed(actor, "releases.view_freezeexception") or allowed(actor, GRANT):
        return found
    if not isinstance(actor, User) or not actor.is_active:
        return found.none()
    releases = policy.visible_releases(actor).order_by().values("pk")
    groups = visible_by_any(actor, _GROUPS, ReleaseGroup.objects.all()).values("pk")
    return found.filter(Q(release__in=releases) | Q(group__in=groups) | Q(asked_by=actor))


def exceptions_to_decide(user: User, *, now: datetime) -> list[FreezeException]:
    """Return the exceptions that wait for `user`, the oldest first: they may grant them and have not asked for them.

    No query for somebody who grants none.
    """
    if not allowed(user, GRANT):
        return []
    pending = FreezeException.objects.filter(state=FreezeException.State.PENDING, expires_at__gt=now)
    others = pending.exclude(asked_by=user).select_related("freeze", "release", "group")
    return list(others.order_by("asked_at", "pk")[:MOST_TO_DECIDE])


def visible_debts(actor: Actor) -> QuerySet[BreakGlass]:
    """Return the starts in spite of something that `actor` may see: those of visible releases."""
    found = BreakGlass.objects.select_related("release__process", "release__group")
    if allowed(actor, "releases.view_breakglass"):
        return found
    return found.filter(release__in=policy.visible_releases(actor).order_by().values("pk"))


class ScopeView:
    """Scopes as one person may see them; what they may see is read once for all of them."""

    def __init__(self, actor: Actor, scopes: Iterable[Mapping[str, Any]]) -> None:
        self.is_whole = knows_freezes(actor)
        self._known = {} if self.is_whole else _known(actor, list(scopes))

    def shown(self, scope: Mapping[str, Any]) -> dict[str, Any]:
        """Return a scope without the ids that are hidden from this person."""
        if self.is_whole:
            return dict(scope)
        return {key: self._left(key, value) for key, value in scope.items()}

    def hidden(self, scope: Mapping[str, Any]) -> int:
        """Return how many ids are hidden."""
        shown = self.shown(scope)
        return sum(len(value) - len(shown[key]) for key, value in scope.items() if isinstance(value, list))

    def _left(self, key: str, value: Any) -> Any:
        if key not in self._known or not isinstance(value, list):
            return value
        return [one for one in value if one in self._known[key]]


@dataclass(frozen=True, slots=True)
class OpenFreeze:
    """A freeze that applies now, until `ends_at` (None: until it is lifted), with its scope in words."""

    freeze: Freeze
    ends_at: datetime | None
    scope: str
    may_lift: bool


def open_freezes(actor: Actor, *, now: datetime) -> list[OpenFreeze]:
    """Return the freezes that apply now and that `actor` may know of, the one that ends last first.

    One query while there are none, and then as many however many there are.
    """
    lasting = Q(ends_at=None) | Q(ends_at__gt=now)
    windows = list(FreezeWindow.objects.filter(lasting, starts_at__lte=now).select_related("freeze"))
    if not windows or not visible_freezes(actor).exists():
        return []
    scopes = [window.freeze.body.get("scope") or {} for window in windows]
    view, may_lift = ScopeView(actor, scopes), allowed(actor, "releases.change_freeze")
    found = [
        OpenFreeze(window.freeze, window.ends_at, scope_in_words(view, scope), may_lift)
        for window, scope in zip(windows, scopes, strict=True)
    ]
    return sorted(found, key=lambda one: (one.ends_at is not None, -(one.ends_at or now).timestamp()))


def scope_in_words(view: ScopeView, scope: Mapping[str, Any]) -> str:
    """Return what a freeze concerns, in words: "everything", "groups cart and shop", or where several keys have to
    match "what is tagged public and is of group cart"."""
    if scope.get("everything"):
        return "everything"
    parts = []
    for key, value in view.shown(scope).items():
        if isinstance(value, list) and scope[key]:
            more = len(scope[key]) - len(value)
            names = [*map(str, value), *([f"{more} that you may not see"] if more else [])]
            parts.append((key, key if len(scope[key]) > 1 else _ONE[key], names))
    if len(parts) == 1 and parts[0][0] != "tags":
        return f"{parts[0][1]} {listed(parts[0][2], 'and')}"
    told = [f"is tagged {listed(names, 'or')}" for key, _, names in parts if key == "tags"]
    others = [part for part in parts if part[0] != "tags"]
    told += [f"{_VERBS.get(key, 'touches')} {noun} {listed(names, 'or')}" for key, noun, names in others]
    return f"what {' and '.join(told)}" if told else "nothing"


def exception_may(actor: Actor, exception: FreezeException) -> list[str]:
    """Return what `actor` may do with an exception as it stands: grant, refuse, withdraw."""
    pending = exception.state == FreezeException.State.PENDING
    decides = pending and allowed(actor, GRANT)
    own = isinstance(actor, User) and exception.asked_by_id == actor.pk
    verbs = {
        "grant": decides and not own,
        "refuse": decides,
        "withdraw": (pending or exception.state == FreezeException.State.GRANTED) and may_withdraw(actor, exception),
    }
    return [verb for verb, may in verbs.items() if may]


def debt_may(actor: Actor, debt: BreakGlass) -> list[str]:
    """Return what `actor` may do about a debt: sign_off, or nothing."""
    return ["sign_off"] if debt.signed_at is None and may_sign_off(actor, debt) else []


def _known(actor: Actor, scopes: list[Mapping[str, Any]]) -> dict[str, set[str]]:
    """Return the ids in the scopes that `actor` may know, by key."""
    releases = policy.visible_releases(actor)
    own = visible_by_any(actor, _PROCESSES, Process.objects.all()).values("pk")
    processes = Process.objects.filter(Q(pk__in=own) | Q(pk__in=releases.values("process")))
    resources = visible_by_any(actor, ["processes.view_resource", "processes.change_resource"], Resource.objects.all())
    things = ("resources", "services", "environments")
    tables: dict[tuple[str, ...], QuerySet[Any]] = {
        ("groups",): visible_groups(actor),
        ("processes",): processes,
        things: resources,
    }
    known: dict[str, set[str]] = {}
    for keys, rows in tables.items():
        named = {one for scope in scopes for key in keys for one in scope.get(key, ())}
        found = set(rows.filter(slug__in=named).values_list("slug", flat=True)) if named else set()
        known |= dict.fromkeys(keys, found)
    return known
