"""Permissions on single objects: guardian's page, for those only who may give permissions, kept in the trail."""

from __future__ import annotations

from typing import Any, ClassVar

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404, HttpRequest
from guardian.admin import AdminGroupObjectPermissionsForm, AdminUserObjectPermissionsForm, GuardedModelAdminMixin
from guardian.shortcuts import get_group_perms, get_user_perms
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from config.admin.scoped import ScopedAdmin
from config.permissions import allowed
from config.trail import Actor, record

GRANTING = ("guardian.change_userobjectpermission", "guardian.change_groupobjectpermission")


class _Boxes:
    """Permissions as boxes to tick; saving them writes an event."""

    actor: ClassVar[Actor] = None
    obj: Any

    def get_obj_perms_field_widget(self) -> Any:
        """A plain list of boxes."""
        return UnfoldAdminCheckboxSelectMultipleWidget

    def holder(self) -> tuple[str, list[str]]:
        """Whose permissions these are, and what they are now."""
        raise NotImplementedError

    @transaction.atomic
    def save_obj_perms(self) -> None:
        """Saves, and writes who holds what now."""
        holder, before = self.holder()
        super().save_obj_perms()  # type: ignore[misc]
        _, after = self.holder()
        verb = f"{self.obj._meta.model_name}.permissions_changed"
        record(self.actor, verb, self.obj, before={holder: before}, after={holder: after})


class _UserForm(_Boxes, AdminUserObjectPermissionsForm):
    def holder(self) -> tuple[str, list[str]]:
        """The person."""
        return f"user:{self.user}", sorted(map(str, get_user_perms(self.user, self.obj)))


class _GroupForm(_Boxes, AdminGroupObjectPermissionsForm):
    def holder(self) -> tuple[str, list[str]]:
        """The group."""
        return f"group:{self.group}", sorted(map(str, get_group_perms(self.group, self.obj)))


class GuardedAdmin(GuardedModelAdminMixin, ScopedAdmin):
    """A ScopedAdmin whose objects can be shared with single people and groups.

    Who may change an object may not thereby give it away: that takes guardian's own permissions to change object
    permissions, both of them, model-wide, and the permission to change the object.
    """

    is_guarded = True
    change_form_template = ScopedAdmin.change_form_template

    def may_grant(self, request: HttpRequest, obj: Any) -> bool:
        """Whether this person may give and take permissions on the object."""
        return self.grants_at_all(request) and self.has_change_permission(request, obj)

    def grants_at_all(self, request: HttpRequest) -> bool:
        """Whether this person may give permissions on anything."""
        return all(allowed(request.user, name) for name in GRANTING)

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        """Offers the page to those who may use it."""
        obj = kwargs.get("obj")
        context["may_grant"] = obj is not None and self.may_grant(request, obj)
        return super().render_change_form(request, context, *args, **kwargs)

    def obj_perms_manage_view(self, request: HttpRequest, object_pk: str) -> Any:
        """Who holds what."""
        self._require(request, object_pk)
        return super().obj_perms_manage_view(request, object_pk)

    def obj_perms_manage_user_view(self, request: HttpRequest, object_pk: str, user_id: str) -> Any:
        """What one person holds."""
        self._require(request, object_pk, user_id)
        return super().obj_perms_manage_user_view(request, object_pk, user_id)

    def obj_perms_manage_group_view(self, request: HttpRequest, object_pk: str, group_id: str) -> Any:
        """What one group holds."""
        self._require(request, object_pk, group_id)
        return super().obj_perms_manage_group_view(request, object_pk, group_id)

    def get_obj_perms_manage_user_form(self, request: HttpRequest) -> type[Any]:
        """The form of a person's permissions."""
        return type("UserPermissions", (_UserForm,), {"actor": request.user})

    def get_obj_perms_manage_group_form(self, request: HttpRequest) -> type[Any]:
        """The form of a group's permissions."""
        return type("GroupPermissions", (_GroupForm,), {"actor": request.user})

    def _require(self, request: HttpRequest, object_pk: str, holder: str = "0") -> None:
        obj = self.found(request, object_pk)
        if not self.may_grant(request, obj):
            raise PermissionDenied
        if not holder.isdecimal() or len(holder) > 18 or not object_pk.isdecimal():
            raise Http404
