"""The one answer to "may this user do this to that object?", for admin, API, pages and querysets alike.

A permission held model-wide (Django's groups and users) and one held on a single object (guardian) count the same. No
user at all means the machine itself, which may do everything; nobody signed in may do nothing.
"""

from __future__ import annotations

from typing import TypeVar, cast

from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.db import models
from guardian.core import ObjectPermissionChecker
from guardian.models.models import BaseGenericObjectPermission
from guardian.shortcuts import get_objects_for_user
from guardian.utils import get_group_obj_perms_model, get_user_obj_perms_model

from config.errors import NotPermitted
from config.trail import Actor

M = TypeVar("M", bound=models.Model)
#: What finds the tables of permissions that people and groups hold on objects of a model.
_TABLES = (get_user_obj_perms_model, get_group_obj_perms_model)


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
    if _holds_model_wide(actor, permissions, model_wide=model_wide):
        return queryset
    if not isinstance(actor, User) or not actor.is_active:
        return queryset.none()
    return queryset.filter(_held(actor, permissions, queryset.model, "pk"))


def visible_in(actor: Actor, permissions: list[str], model: type[models.Model], field: str) -> models.Q:
    """Return the condition that `field` is an object of `model` on which `actor` holds any of `permissions`."""
    if _holds_model_wide(actor, permissions):
        return models.Q((f"{field}__isnull", False))
    if not isinstance(actor, User) or not actor.is_active:
        return models.Q(pk__in=())
    return _held(actor, permissions, model, field)


def _holds_model_wide(actor: Actor, permissions: list[str], *, model_wide: bool = True) -> bool:
    return actor is None or (model_wide and any(allowed(actor, permission) for permission in permissions))


def _held(user: User, permissions: list[str], model: type[models.Model], field: str) -> models.Q:
    """Return the condition that `field` is an object on which itself, for `user` or a group, a permission is held.

    The tables of permissions alone are asked: a page has this condition in it many times over.
    """
    codenames = [permission.partition(".")[2] for permission in permissions]
    of_users, of_groups = (find(cast("models.Model", model)) for find in _TABLES)
    if issubclass(of_users, BaseGenericObjectPermission) or issubclass(of_groups, BaseGenericObjectPermission):
        rows = get_objects_for_user(
            user, codenames, model, any_perm=True, accept_global_perms=False, with_superuser=False
        )
        return models.Q((f"{field}__in", rows.values("pk")))
    kind = ContentType.objects.get_for_model(model)
    wanted = {"permission__codename__in": codenames, "permission__content_type": kind}
    groups = User.groups.through.objects.filter(user=user).values("group")
    own = of_users._default_manager.filter(user=user, **wanted).values("content_object")
    theirs = of_groups._default_manager.filter(group__in=groups, **wanted).values("content_object")
    return models.Q((f"{field}__in", own)) | models.Q((f"{field}__in", theirs))
