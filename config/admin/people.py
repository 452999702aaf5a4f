"""People, their groups, their API tokens, and sign-ins that failed."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from allauth.account.models import EmailAddress
from allauth.socialaccount.models import SocialAccount, SocialApp, SocialToken
from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group, User
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django_celery_beat import models as beat
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from config.admin.scoped import PlainAdmin, ReadOnlyAdmin
from config.models import ApiToken
from config.permissions import allowed
from config.tokens import revoke_token

#: Beat is a metronome with one tick, and the provider stands in the settings: nothing there is for people to change.
HIDDEN = (
    User, Group, AccessAttempt, AccessFailureLog, AccessLog, beat.ClockedSchedule, beat.CrontabSchedule,
    beat.IntervalSchedule, beat.PeriodicTask, beat.SolarSchedule, EmailAddress, SocialAccount, SocialApp, SocialToken,
)  # fmt: skip
for model in HIDDEN:
    if admin.site.is_registered(model):
        admin.site.unregister(model)


@admin.register(User)
class UserAdmin(PlainAdmin, DjangoUserAdmin):  # type: ignore[misc]
    """People. Only a superuser makes superusers, gives permissions to people, or changes a superuser."""

    form = UserChangeForm
    add_form = UserCreationForm
    add_fieldsets = DjangoUserAdmin.add_fieldsets
    change_password_form = AdminPasswordChangeForm
    list_display = ("username", "full_name", "email", "is_staff", "is_active", "last_login")
    list_filter = ("is_active", "is_staff", "is_superuser", "groups")
    readonly_fields = ("last_login", "date_joined", "tokens")
    filter_horizontal = ("groups", "user_permissions")

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """As Django has them, and the way to a person's tokens for those who may see these."""
        own = super().get_fieldsets(request, obj)
        sees = any(allowed(request.user, f"config.{verb}_apitoken") for verb in ("view", "delete"))
        return (*own, ("API", {"fields": ("tokens",)})) if obj is not None and sees else own

    @admin.display(description="tokens")
    def tokens(self, person: User) -> str:
        """How many tokens a person has, leading to their list."""
        address = f"{reverse('admin:config_apitoken_changelist')}?user__id__exact={person.pk}"
        return format_html('<a href="{}">{} of this person</a>', address, person.api_tokens.count())

    @admin.display(description="name")
    def full_name(self, person: User) -> str:
        """Given and family name."""
        return person.get_full_name()

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Nobody but a superuser gives rights."""
        own = super().get_readonly_fields(request, obj)
        return own if request.user.is_superuser else (*own, "is_superuser", "is_staff", "groups", "user_permissions")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """A superuser is changed by superusers only."""
        return super().has_change_permission(request, obj) and self._is_in_reach(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """A superuser is deleted by superusers only."""
        return super().has_delete_permission(request, obj) and self._is_in_reach(request, obj)

    def _is_in_reach(self, request: HttpRequest, person: User | None) -> bool:
        return person is None or not person.is_superuser or request.user.is_superuser


@admin.register(Group)
class GroupAdmin(PlainAdmin, DjangoGroupAdmin):  # type: ignore[misc]
    """Groups. Documents name them as owners and approvers; only a superuser gives them permissions."""

    list_display = ("name", "people")
    filter_horizontal = ("permissions",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Group]:
        """The groups, with the number of their members."""
        found: QuerySet[Group] = super().get_queryset(request).annotate(size=Count("user"))
        return found

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Nobody but a superuser gives rights."""
        return () if request.user.is_superuser else ("permissions",)

    @admin.display(ordering="size")
    def people(self, group: Any) -> int:
        """How many members."""
        return int(group.size)


@admin.register(ApiToken)
class ApiTokenAdmin(ReadOnlyAdmin):
    """Tokens, looked at and revoked: one's own, and everybody's for those who may view or delete tokens.

    They are made on the pages and through the API, which show the key once.
    """

    list_display = ("name", "user", "prefix", "scopes", "created_at", "expires_at", "last_used_at")
    fields = list_display
    search_fields = ("name", "prefix", "=user__username")
    search_help_text = "Its name, how it begins, or whose it is (the whole user name)."
    list_select_related = ("user",)
    actions = ["delete_selected"]

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Everybody sees their own."""
        return obj is None or self._is_own(request, obj) or self._sees_all(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Everybody revokes their own."""
        return obj is None or self._is_own(request, obj) or self.may(request, "delete")

    def get_queryset(self, request: HttpRequest) -> QuerySet[ApiToken]:
        """One's own; everybody's for those who may."""
        found = ApiToken.objects.all()
        return found if self._sees_all(request) else found.filter(user_id=request.user.pk or 0)

    def remove(self, request: HttpRequest, obj: Any, *, now: datetime) -> None:
        """Revokes the token."""
        assert isinstance(request.user, User)
        revoke_token(request.user, obj, now=now)

    def _is_own(self, request: HttpRequest, token: ApiToken) -> bool:
        return token.user_id == request.user.pk

    def _sees_all(self, request: HttpRequest) -> bool:
        return self.may(request, "view") or self.may(request, "delete")


@admin.register(AccessAttempt)
class AccessAttemptAdmin(PlainAdmin):
    """Sign-ins that failed; deleting one lets that person try again at once."""

    list_display = ("attempt_time", "username", "ip_address", "failures_since_start")
    search_fields = ("username", "ip_address")
    fields = readonly_fields = ("attempt_time", "username", "ip_address", "user_agent", "failures_since_start")

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Never: the sign-in page makes them."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never."""
        return False
