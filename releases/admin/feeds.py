"""Calendar feeds in the admin: superusers see everybody's and revoke them."""

from __future__ import annotations

from typing import Any, cast

from django.contrib import admin
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from config.admin.scoped import ReadOnlyAdmin
from releases.models import Feed
from releases.services.feeds import revoke_feed


@admin.register(Feed)
class FeedAdmin(ReadOnlyAdmin):
    """Secret addresses of calendars. Their secrets are stored nowhere; a revoked one keeps its row."""

    list_display = ("name", "owner", "kind", "group", "created_at", "last_used_at", "revoked_at")
    list_filter = ("kind",)
    list_select_related = ("owner", "group")
    fields = list_display
    search_fields = ("name", "owner__username")
    actions = ["revoke"]

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Superusers only; everybody has their own on the page of feeds."""
        return bool(request.user.is_active and request.user.is_superuser)

    @admin.action(description="Revoke the selected feeds")
    def revoke(self, request: HttpRequest, queryset: QuerySet[Feed]) -> None:
        """Makes their addresses useless."""
        with transaction.atomic():
            for feed in queryset:
                revoke_feed(cast("User", request.user), feed, now=timezone.now())
        self.message_user(request, "Their addresses show nothing any more.")
