"""Services and environments that releases touch."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from activities.admin import UsedBy, require_new
from config.admin.forms import FaultForm
from config.admin.scoped import ScopedAdmin
from processes.models import Resource
from processes.services import apply_resource, delete_resource, export_resource, used_by


class ResourceForm(FaultForm):
    """A resource."""

    class Meta:
        model = Resource
        fields = ("slug", "name", "type", "exclusive", "description")

    places = {"id": "slug"}


@admin.register(Resource)
class ResourceAdmin(UsedBy, ScopedAdmin):
    """Services and environments."""

    form = ResourceForm
    list_display = ("name", "slug", "type", "exclusive")
    list_filter = ("type", "exclusive")
    search_fields = ("slug", "name", "description")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """The id stays as it was chosen."""
        return ("slug",) if obj else ()

    def uses_of(self, obj: Any) -> list[str]:
        """Who uses it."""
        return [str(use) for use in used_by(obj)]

    def store(self, request: HttpRequest, obj: Any, form: Any, *, change: bool, now: datetime) -> Resource:
        """Applies the resource's document."""
        require_new(change, apply_resource(request.user, export_resource(obj), now=now), obj.slug)
        return Resource.objects.get(slug=obj.slug)

    def remove(self, request: HttpRequest, obj: Any, *, now: datetime) -> None:
        """Deletes it unless something uses it."""
        delete_resource(request.user, obj, now=now)
