"""The one answer to "may this user do this to that object?", for admin, API, pages and querysets alike.

A permission held model-wide (Django's groups and users) and one held on a single object (guardian) count the same. No
user at all means the machine itself, which may do everything; nobody signed in may do nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TypeVar, cast

from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.db import connection, models
from guardian.core import ObjectPermissionChecker
from guardian.models.models import BaseGenericObjectPermission
from guardian.shortcuts import get_objects_for_user
from guardian.utils import get_group_obj_perms_model, get_user_obj_perms_model

from config.errors import NotPermitted
from config.trail import Actor

M = TypeVar("M", bound=models.Model)
#: What finds the tables of permissions that people and groups hold on objects of a model.
_TABLES = (get_user_obj_perms_model, get_group_obj_perms_model)
#: The ids of a model's objects by the permission a person holds on them.
Held = dict[str, set[int]]


@dataclass(slots=True)
class _Kept:
    """What has been read for a request: what is held on objects, by person and model; by person, groups' names and what
    is held model-wide.
    """

    held: dict[tuple[int, type[models.Model]], Held | None] = field(default_factory=dict)
    groups: dict[int, frozenset[str]] = field(default_factory=dict)
    wide: dict[int, frozenset[str]] = field(default_factory=dict)


#: What has been read for this request; None while there is none.
_kept: ContextVar[_Kept | None] = ContextVar("kept", default=None)
#: So many permissions on objects of one model are looked up once for a request; with more, the database joins.
MOST_KEPT = 1000
#: In plain SQL, as it is asked on every page: what a person holds on objects of a model, by itself and through groups.
_HELD = """
    SELECT p.codename, h.{object} FROM {of_users} h JOIN auth_permission p ON p.id = h.permission_id
     WHERE h.user_id = %(user)s AND p.content_type_id = %(kind)s
     UNION ALL
    SELECT p.codename, h.{object} FROM {of_groups} h JOIN auth_permission p ON p.id = h.permission_id
      JOIN auth_user_groups m ON m.group_id = h.group_id
     WHERE m.user_id = %(user)s AND p.content_type_id = %(kind)s LIMIT %(most)s"""
_WIDE = """
    SELECT t.app_label || '.' || p.codename
      FROM auth_permission p JOIN django_content_type t ON t.id = p.content_type_id
     WHERE p.id IN (SELECT permission_id FROM auth_user_user_permissions WHERE user_id = %(user)s
                    UNION SELECT g.permission_id FROM auth_group_permissions g
                      JOIN auth_user_groups m ON m.group_id = g.group_id WHERE m.user_id = %(user)s)"""
_GROUPS = "SELECT g.name FROM auth_group g JOIN auth_user_groups m ON m.group_id = g.id WHERE m.user_id = %s"


@contextmanager
def keeping() -> Iterator[None]:
    """Reads what a person holds on single objects at most once a model while it lasts: for the length of a request."""
    token = _kept.set(_Kept())
    try:
        yield
    finally:
        _kept.reset(token)


def allowed(actor: Actor, permission: str, obj: models.Model | None = None) -> bool:
    """Return whether `actor` holds `permission` ("app.codename") model-wide or, if given, on `obj`."""
    if actor is None:
        return True
    if not isinstance(actor, User) or not actor.is_active:
        return False
    return _everywhere(actor, permission) or (obj is not None and _holds(actor, permission, obj))


def _everywhere(user: User, permission: str) -> bool:
    """Return whether `user` holds a permission model-wide; within a request all that is held is read at once."""
    kept = _kept.get()
    if kept is None or user.is_superuser:
        return user.has_perm(permission)
    if user.pk not in kept.wide:
        with connection.cursor() as cursor:
            cursor.execute(_WIDE, {"user": user.pk})
            kept.wide[user.pk] = frozenset(name for (name,) in cursor.fetchall())
    return permission in kept.wide[user.pk]


def _holds(user: User, permission: str, obj: models.Model) -> bool:
    """Return whether `user` holds a permission on `obj` itself.

    Within a request all that is held on objects of a model is read once; outside of one, what is held on this object
    is read once for as long as this user object lives, as Django does model-wide.
    """
    app, _, codename = permission.partition(".")
    if app != obj._meta.app_label:
        return False
    held = _held_by(user, obj._meta.concrete_model or type(obj))
    if held is not None:
        return obj.pk in held.get(codename, ())
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


def held_ids(actor: Actor, permission: str, model: type[models.Model]) -> set[int]:
    """Return the ids of the objects of `model` on which `actor` holds `permission`; a request reads them once."""
    if isinstance(actor, User) and actor.is_active and not allowed(actor, permission):
        held = _held_by(actor, model)
        if held is not None:
            return set(held.get(permission.partition(".")[2], ()))
    rows = visible(actor, permission, model._default_manager.order_by())
    return set(rows.values_list("pk", flat=True))


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


def held_objects(actor: User, permissions: list[str], model: type[models.Model]) -> list[int] | None:
    """Return the ids of the objects of `model` on which themselves `actor` holds any of `permissions`, sorted.

    None if the answer is not a list: they are held model-wide, on too many objects, or there is no request.
    """
    held = None if _holds_model_wide(actor, permissions) else _held_by(actor, model)
    return None if held is None else _objects(held, permissions)


def _objects(held: Held, permissions: list[str]) -> list[int]:
    names = [permission.partition(".")[2] for permission in permissions]
    return sorted(set().union(*(held[name] for name in names if name in held)))


def _holds_model_wide(actor: Actor, permissions: list[str], *, model_wide: bool = True) -> bool:
    return actor is None or (model_wide and any(allowed(actor, permission) for permission in permissions))


def _held(user: User, permissions: list[str], model: type[models.Model], field: str) -> models.Q:
    """Return the condition that `field` is an object on which itself, for `user` or a group, a permission is held.

    The tables of permissions alone are asked: a page has this condition in it many times over.
    """
    codenames = [permission.partition(".")[2] for permission in permissions]
    held = _held_by(user, model)
    if held is not None:
        return models.Q((f"{field}__in", _objects(held, permissions)))
    of_users, of_groups = _tables_of(model)
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


def _held_by(user: User, model: type[models.Model]) -> Held | None:
    """Return what `user` holds on objects of `model`, read once a request; None if that is too much, or no request."""
    kept = _kept.get()
    if kept is None:
        return None
    key = (user.pk, model)
    if key not in kept.held:
        kept.held[key] = _read_held(user, model)
    return kept.held[key]


def _read_held(user: User, model: type[models.Model]) -> Held | None:
    of_users, of_groups = _tables_of(model)
    is_generic = issubclass(of_users, BaseGenericObjectPermission)
    statement = _HELD.format(
        of_users=of_users._meta.db_table,
        of_groups=of_groups._meta.db_table,
        object="object_pk::bigint" if is_generic else "content_object_id",
    )
    kind = ContentType.objects.get_for_model(model).pk
    with connection.cursor() as cursor:
        cursor.execute(statement, {"user": user.pk, "kind": kind, "most": MOST_KEPT + 1})
        rows = cursor.fetchall()
    if len(rows) > MOST_KEPT:
        return None
    held: Held = defaultdict(set)
    for codename, pk in rows:
        held[codename].add(pk)
    return held


def groups_of(user: User) -> frozenset[str]:
    """Return the names of the groups a person is in, read once a request."""
    kept = _kept.get()
    found = None if kept is None else kept.groups.get(user.pk)
    if found is None:
        with connection.cursor() as cursor:
            cursor.execute(_GROUPS, [user.pk])
            found = frozenset(name for (name,) in cursor.fetchall())
        if kept is not None:
            kept.groups[user.pk] = found
    return found


def _tables_of(model: type[models.Model]) -> list[type[models.Model]]:
    return [find(cast("models.Model", model)) for find in _TABLES]
