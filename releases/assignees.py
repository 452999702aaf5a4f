"""Who `group:qa`, `role:release-manager` and `user:ann` are, in one release."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from django.contrib.auth.models import User
from django.db.models import Q, QuerySet

from config.permissions import groups_of
from releases.models import ReleaseRole


def split(name: str) -> tuple[str, str]:
    """Return what kind of name it is (group, role or user) and the name itself; a bare name is a group's."""
    kind, colon, rest = name.partition(":")
    return (kind, rest) if colon and kind in ("group", "role", "user") else ("group", name)


def people(release_id: int, names: Iterable[str]) -> QuerySet[User]:
    """Return the active people that `names` stand for in a release; a role nobody fills stands for nobody."""
    by_kind: dict[str, set[str]] = {"group": set(), "role": set(), "user": set()}
    for name in names:
        kind, rest = split(name)
        by_kind[kind].add(rest)
    filled = ReleaseRole.objects.filter(release_id=release_id, role__in=by_kind["role"]).values("user_id")
    wanted = Q(groups__name__in=by_kind["group"]) | Q(username__in=by_kind["user"]) | Q(pk__in=filled)
    return User.objects.filter(wanted, is_active=True).distinct()


def is_one_of(user: User, release_id: int, names: Iterable[str]) -> bool:
    """Return whether `user` is among the people that `names` stand for in a release."""
    wanted = {split(name) for name in names}
    if not wanted or not user.is_active:
        return False
    if ("user", user.get_username()) in wanted or any(("group", name) in wanted for name in _groups(user, wanted)):
        return True
    roles = [name for kind, name in wanted if kind == "role"]
    return bool(roles) and ReleaseRole.objects.filter(release_id=release_id, user=user, role__in=roles).exists()


def _groups(user: User, wanted: Collection[tuple[str, str]]) -> Collection[str]:
    return groups_of(user) if any(kind == "group" for kind, _ in wanted) else ()


def names_of_rule(rule: dict[str, object]) -> list[str]:
    """Return the names an approval rule speaks of."""
    names: list[str] = []
    if rule.get("group"):
        names.append(str(rule["group"]))
    if rule.get("user"):
        names.append(_as_user(str(rule["user"])))
    listed = rule.get("users")
    if isinstance(listed, list):
        names += [_as_user(str(user)) for user in listed]
    return names


def _as_user(name: str) -> str:
    return name if ":" in name else f"user:{name}"
