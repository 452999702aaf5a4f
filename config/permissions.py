"""The one answer to "may this user do this to that object?", for admin, API, pages and querysets alike.

A permission held model-wide (Django's groups and users) and one held on a single object (guardian) count the same. No
user at all means the machine itself, which may do everything; nobody signed in may do nothing.
"""

from __future__ import annotations

from typing import TypeVar

from django.contrib.auth.models import AnonymousUser, User
from django.db import models
from guardian.core import ObjectPermissionChecker
from guardian.shortcuts import get_objects_for_user

from config.errors import NotPermitted
from config.trail import Actor

M = TypeVar("M", bound=models.Model)


def allowed(actor: Actor, permission: str, obj: models.Model | None = None) -> bool:
    """Return whether `actor` holds `permission` ("app.codename") model-wide or, if given, on `obj`."""
    if actor is None:
        return True
    if not isinstance(actor, User) or not actor.is_active:
        return False
    return actor.has_perm(permission) or (obj is not None and _holds(actor, permission, obj))


def _holds(user: User, permission: str, obj: models.Model) -> bool:
    """Return whether `user` holds a permission on `obj` itself.

    What is held on one object is read once for as long as this user object lives, as Django does model-wide.
    """
    app, _, codename = permission.partition(".")
    if app != obj._meta.app_label:
        return False
    checker: ObjectPermissionChecker = user.__dict__.setdefault("_held", ObjectPermissionChecker(user))
    return bool(checker.has_perm(codename, obj))


def require(actor: Actor, permission: str, obj: models.Model | None = None) -> None:
    """Raise NotPermitted, naming what is missing, unless `actor` holds `permission` (see `allowed`)."""
    if not allowed(actor, permission, obj):
        on = f" on {obj}" if obj is not None else ""
        raise NotPermitted(f"You need the permission '{permission}'{on}.")


def visible(actor: Actor, permission: str, queryset: models.QuerySet[M]) -> models.QuerySet[M]:
    """Return the part of `queryset` on whose objects `actor` holds `permission`; undeclared means none."""
    return visible_by_any(actor, [permission], queryset)


def visible_by_any(
    actor: Actor, permissions: list[str], queryset: models.QuerySet[M], *, model_wide: bool = True
) -> models.QuerySet[M]:
    """The same for holders of any of several permissions; `model_wide` false looks at single objects only."""
    if actor is None or (model_wide and any(allowed(actor, permission) for permission in permissions)):
        return queryset
    if isinstance(actor, AnonymousUser) or not isinstance(actor, User) or not actor.is_active:
        return queryset.none()
    codenames = [permission.partition(".")[2] for permission in permissions]
    held: models.QuerySet[M] = get_objects_for_user(
        actor, codenames, queryset, any_perm=True, accept_global_perms=False, with_superuser=model_wide
    )
    return held
