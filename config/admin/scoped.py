"""The admin as `config.permissions` sees it: model-wide or on the one object, for lists, pages, actions and deletes.

Django asks each permission with an object or without. Without one the answer here is yes for somebody who holds the
permission on any object at all: the list then shows those objects, and every further step asks again with the object.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from datetime import datetime
from typing import Any, ClassVar

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import DataError, IntegrityError, models, transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from unfold.admin import ModelAdmin

from config.admin.forms import faults_of
from config.errors import Conflict, InvalidInput, NotPermitted, PilothouseError
from config.models import Event
from config.permissions import allowed, visible_by_any
from config.trail import record

MOST_EVENTS = 200
MOST_NAMED = 10


class ScopedAdmin(ModelAdmin):
    """Shows and changes only what `config.permissions` allows; changes go through `store` and `remove`, if given.

    A service's refusal (PilothouseError) is shown in the form, with everything as it was typed.
    """

    is_guarded: ClassVar[bool] = False
    """Whether permissions can be held on single objects."""
    shown_by: ClassVar[tuple[str, ...]] = ("view", "change", "delete")
    read_fieldsets: ClassVar[Any] = None
    """What somebody sees who may look but not change; the same as others when left out."""

    change_form_template = "admin/pilothouse/change_form.html"
    delete_confirmation_template = "admin/pilothouse/delete.html"
    delete_selected_confirmation_template = "admin/pilothouse/delete.html"
    list_per_page = 50
    show_full_result_count = False
    warn_unsaved_form = True

    # Who may what ----------------------------------------------------------------------------------------------------

    def name_of(self, verb: str) -> str:
        """The permission's name: `processes.change_process`."""
        return f"{self.opts.app_label}.{verb}_{self.opts.model_name}"

    def may(self, request: HttpRequest, verb: str, obj: Any = None) -> bool:
        """Whether this person may `verb` the object; without one, any object."""
        if obj is not None:
            return allowed(request.user, self.name_of(verb), obj)
        return allowed(request.user, self.name_of(verb)) or self.holds_somewhere(request, verb)

    def holds_somewhere(self, request: HttpRequest, verb: str) -> bool:
        """Whether this person holds the permission on some object; asked once per request."""
        if not self.is_guarded:
            return False
        permission = self.name_of(verb)
        known: dict[str, bool] = request.__dict__.setdefault("held_somewhere", {})
        if permission not in known:
            rows = self.model._default_manager.all()
            known[permission] = visible_by_any(request.user, [permission], rows, model_wide=False).exists()
        return known[permission]

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whether the object may be seen."""
        return any(self.may(request, verb, obj) for verb in self.shown_by)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whether the object may be changed."""
        return self.may(request, "change", obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whether the object may be deleted."""
        return self.may(request, "delete", obj)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Whether new objects may be made: only model-wide."""
        return allowed(request.user, self.name_of("add"))

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Whether the list is named in the index."""
        return self.has_view_permission(request)

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Any]:
        """The objects this person may see."""
        names = [self.name_of(verb) for verb in self.shown_by]
        rows: models.QuerySet[Any] = super().get_queryset(request)
        if self.is_guarded or any(allowed(request.user, name) for name in names):
            return visible_by_any(request.user, names, rows)
        return rows.none()

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        """The object of this key, if this person may see it."""
        return None if "\0" in object_id else super().get_object(request, object_id, from_field)

    def found(self, request: HttpRequest, object_id: str | int, verb: str = "") -> Any:
        """An object this person may see, and `verb`. Raises Http404 or PermissionDenied."""
        obj = self.get_object(request, str(object_id))
        if obj is None:
            raise Http404("There is no such object, or you may not see it.")
        if verb and not self.may(request, verb, obj):
            raise PermissionDenied
        return obj

    def _get_obj_does_not_exist_redirect(self, request: HttpRequest, opts: Any, object_id: str) -> HttpResponse:
        raise Http404("There is no such object, or you may not see it.")

    # Saving ----------------------------------------------------------------------------------------------------------

    def store(self, request: HttpRequest, obj: Any, form: Any, *, change: bool, now: datetime) -> Any:
        """Hands what was typed to a service and returns the row it has written."""
        raise NotImplementedError

    def remove(self, request: HttpRequest, obj: Any, *, now: datetime) -> None:
        """Deletes through a service, which refuses by raising."""
        raise NotImplementedError

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: Any = None
    ) -> Any:
        """Shows or saves the form; what a service refuses is taken back, and the form shown again with its faults."""
        arguments = (request, object_id, form_url, extra_context)
        if request.method != "POST":
            return super().changeform_view(*arguments)
        request.__dict__.pop("refused", None)
        try:
            with transaction.atomic():
                return super().changeform_view(*arguments)
        except (PilothouseError, IntegrityError, DataError) as error:
            request.__dict__["refused"] = faults_of(_told(error))
        try:
            with transaction.atomic():
                return super().changeform_view(*arguments)
        except (PilothouseError, IntegrityError, DataError) as error:
            return self.refuse(request, _told(error), request.get_full_path())

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        """The form's class (made for this request alone), knowing who asks and what was refused before."""
        form = super().get_form(request, obj, change=change, **kwargs)
        form.request, form.refused = request, request.__dict__.get("refused", ())
        return form

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Saves through the service; the form's object then is the row that was written."""
        row = self.store(request, obj, form, change=change, now=timezone.now())
        obj.pk = row.pk
        obj.refresh_from_db()

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """The fields, or what a mere reader sees."""
        if obj is not None and self.read_fieldsets and not self.has_change_permission(request, obj):
            return self.read_fieldsets
        return super().get_fieldsets(request, obj)

    # Deleting --------------------------------------------------------------------------------------------------------

    def get_deleted_objects(self, objs: Iterable[Any], request: HttpRequest) -> Any:
        """What would be deleted, what may not be, and what a service would refuse and why."""
        rows = list(objs)
        lacking = {str(self.opts.verbose_name) for obj in rows if not self.has_delete_permission(request, obj)}
        refusals = [] if lacking else [why for obj in rows if (why := self._refusal(request, obj))]
        return [str(obj) for obj in rows], {str(self.opts.verbose_name_plural): len(rows)}, lacking, refusals

    def _refusal(self, request: HttpRequest, obj: Any) -> str:
        """Why the service would not delete the object; it is tried and taken back."""
        try:
            with transaction.atomic():
                self.remove(request, copy.copy(obj), now=timezone.now())
                transaction.set_rollback(True)
        except PilothouseError as error:
            return error.message
        return ""

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        """Deletes one object through the service."""
        self.remove(request, obj, now=timezone.now())

    def delete_queryset(self, request: HttpRequest, queryset: models.QuerySet[Any]) -> None:
        """Deletes all of them, or none."""
        with transaction.atomic():
            for obj in queryset:
                self.remove(request, obj, now=timezone.now())

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> Any:
        """Asks, then deletes; a refusal is told on the object's page."""
        try:
            return super().delete_view(request, object_id, extra_context)
        except PilothouseError as error:
            return self.refuse(request, error, self.url_of("change", object_id))

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        """The list; what a service refuses of an action is told above it."""
        if any("\0" in value for values in request.GET.lists() for value in values[1]):
            return HttpResponseRedirect(request.path)
        try:
            return super().changelist_view(request, extra_context)
        except PilothouseError as error:
            return self.refuse(request, error, request.get_full_path())

    def refuse(self, request: HttpRequest, error: PilothouseError, address: str) -> HttpResponse:
        """Tells a refusal on the page at `address`; who may not act at all is told by a 403."""
        if isinstance(error, NotPermitted):
            raise PermissionDenied(error.message) from error
        for fault in faults_of(error):
            self.message_user(request, str(fault), messages.ERROR)
        return HttpResponseRedirect(address)

    # The trail -------------------------------------------------------------------------------------------------------

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> None:
        """Nothing: services write the trail."""

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> None:
        """Nothing: services write the trail."""

    def log_deletions(self, request: HttpRequest, queryset: Any) -> None:
        """Nothing: services write the trail."""

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        """The trail of one object, newest first."""
        obj = self.found(request, object_id)
        return self.page(
            request, "admin/pilothouse/history.html", obj, "History", {"events": self.events_of(request, obj)}
        )

    def events_of(self, request: HttpRequest, obj: Any) -> Iterable[Event]:
        """The newest events about an object."""
        about = Event.objects.filter(subject_type=self.opts.model_name, subject_id=obj.pk, release_id=None)
        return about.order_by("-id")[:MOST_EVENTS]

    # Pages of our own ------------------------------------------------------------------------------------------------

    def url_of(self, name: str, *args: Any) -> str:
        """The address of one of this model's pages."""
        return reverse(f"{self.admin_site.name}:{self.opts.app_label}_{self.opts.model_name}_{name}", args=args)

    def page(
        self, request: HttpRequest, template: str, obj: Any, title: str, context: dict[str, Any], *, status: int = 200
    ) -> HttpResponse:
        """A page of its own about one object, or about none, in the admin's frame."""
        request.current_app = self.admin_site.name
        frame = {
            **self.admin_site.each_context(request),
            "title": title,
            "heading": title if obj is None else f"{title}: {obj}",
            "opts": self.opts,
            "original": obj,
            "back": self.url_of("changelist") if obj is None else self.url_of("change", obj.pk),
        }
        return TemplateResponse(request, template, {**frame, **context}, status=status)


def _told(error: PilothouseError | IntegrityError | DataError) -> PilothouseError:
    """A unique value that somebody else has taken meanwhile is a conflict, what cannot be stored a fault."""
    if isinstance(error, PilothouseError):
        return error
    if isinstance(error, DataError):
        return InvalidInput("It holds a character or a number that cannot be stored.")
    return Conflict("Somebody else has saved the same just now; look again.")


class PlainAdmin(ScopedAdmin):
    """For tables without services of their own: saved and deleted as they are, with an event for each change."""

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Saves the object."""
        obj.save()

    def remove(self, request: HttpRequest, obj: Any, *, now: datetime) -> None:
        """Deletes the object. Raises Conflict naming what keeps it."""
        record(request.user, f"{self.opts.model_name}.deleted", obj, now=now)
        try:
            obj.delete()
        except models.ProtectedError as error:
            found = sorted(f"{one._meta.verbose_name} '{one}'" for one in error.protected_objects)
            raise Conflict(f"'{obj}' is used by {', '.join(found[:MOST_NAMED])}.", code="in_use") from error

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> None:
        """Writes that the object was made."""
        record(request.user, f"{self.opts.model_name}.created", obj)

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> None:
        """Writes which fields were changed, never their values."""
        record(request.user, f"{self.opts.model_name}.changed", obj, after={"changed": message})


class ReadOnlyAdmin(ScopedAdmin):
    """For history: looked at, never added, changed or deleted here."""

    shown_by = ("view",)
    actions: ClassVar[list[str] | None] = None
    warn_unsaved_form = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never."""
        return False
