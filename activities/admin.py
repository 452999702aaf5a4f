"""Connections and secrets. The store's activities are edited as documents: processes/admin/store.py."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils.decorators import method_decorator
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.views.decorators.debug import sensitive_post_parameters
from unfold.decorators import action
from unfold.widgets import (
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from activities import connecting, services
from activities.models import Connection, Secret
from activities.runners import provider_paths
from activities.secrets import set_secret
from activities.settings_words import settings_by_provider
from config.admin.forms import FaultForm
from config.admin.guarded import GuardedAdmin
from config.admin.scoped import ScopedAdmin
from config.errors import Conflict, EngineFailed, TooManyRequests
from config.permissions import allowed


class UsedBy:
    """A page that names everything which uses the object."""

    actions_detail: ClassVar[Any] = ("used_by",)

    @action(description="Used by", url_path="used-by", icon="link")
    def used_by(self: Any, request: HttpRequest, object_id: str) -> Any:
        """Who uses it, in the store and above."""
        obj = self.found(request, object_id)
        return self.page(request, "admin/pilothouse/used_by.html", obj, "Used by", {"uses": self.uses_of(obj)})

    def uses_of(self, obj: Any) -> list[str]:
        """Who uses it, in words."""
        return services.used_by(obj)


class PrettyJson(forms.JSONField):
    """JSON as people read it: a line for each key."""

    def prepare_value(self, value: Any) -> Any:
        """The text of a value; what was typed stays as it is."""
        return value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)


def json_area(label: str, hint: str) -> forms.JSONField:
    """A box for a JSON mapping."""
    widget = UnfoldAdminTextareaWidget(attrs={"class": "ph-code", "rows": 6, "spellcheck": "false"})
    return PrettyJson(label=label, help_text=hint, required=False, widget=widget)


class ConnectionForm(FaultForm):
    """A connection. The secret is chosen by name; its value is never here."""

    provider = forms.ChoiceField(widget=UnfoldAdminSelectWidget, help_text="What kind of pipeline engine it reaches.")
    settings = json_area("Settings", "")
    limits = json_area("Limits", 'Numbers, as JSON: {"concurrency": 4}.')
    secret_name = forms.ChoiceField(
        label="Secret", required=False, widget=UnfoldAdminSelectWidget, help_text="What it signs in with."
    )

    class Meta:
        model = Connection
        fields = ("slug", "name", "description", "enabled")

    class Media:
        js = ("admin/js/vendor/jquery/jquery.min.js", "admin/js/jquery.init.js", "pilothouse/admin.js")

    request: HttpRequest
    places = {"id": "slug", "secret": "secret_name"}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        own = self.instance
        providers = sorted({*provider_paths(), own.provider} - {""})
        self.fields["settings"].help_text = _settings_help()
        self.fields["provider"].choices = [(name, name) for name in providers]  # type: ignore[attr-defined]
        named = own.secret.name if own.secret else ""
        known = Secret.objects.values_list("name", flat=True) if may_name_secrets(self.request) else [named]
        names = sorted({*known, named} - {""})
        self.fields["secret_name"].choices = [("", "None"), *((name, name) for name in names)]  # type: ignore[attr-defined]
        asked = "" if own.pk else self.initial.get("provider", "")
        provider = own.provider or asked
        self.initial.update(provider=provider, secret_name=named, settings=own.settings, limits=own.limits)

    def document(self) -> dict[str, Any]:
        """The connection's document, as typed."""
        given = self.cleaned_data
        document = {
            "kind": "Connection",
            "id": given.get("slug") or self.instance.slug,
            "name": given["name"],
            "provider": given["provider"],
            "enabled": given["enabled"],
        }
        document |= {key: given[key] for key in ("description", "settings", "limits") if given.get(key)}
        return {**document, "secret": {"secret": given["secret_name"]}} if given.get("secret_name") else document


def _settings_help() -> SafeString:
    """What can be set, for each provider; admin.js shows that of the chosen one."""
    rows = [
        format_html(
            '<span class="ph-takes" data-when="provider: {}">{} takes {}.</span>',
            provider,
            provider,
            format_html_join(", ", "<code>{}</code> ({})", told),
        )
        for provider, told in settings_by_provider().items()
    ]
    return format_html("As JSON.{}", mark_safe("".join(rows)))  # noqa: S308 - each row is escaped


def may_name_secrets(request: HttpRequest) -> bool:
    """Whether this person may know which secrets there are."""
    return any(allowed(request.user, f"activities.{verb}_secret") for verb in ("view", "change"))


@admin.register(Connection)
class ConnectionAdmin(UsedBy, GuardedAdmin):
    """How pipeline engines are reached."""

    actions_detail = ("test_connection", "pipelines", "used_by")
    form = ConnectionForm
    list_display = ("name", "slug", "provider", "enabled", "secret")
    list_filter = ("provider", "enabled")
    list_select_related = ("secret",)
    search_fields = ("slug", "name", "description")
    fieldsets = (
        (None, {"fields": ("slug", "name", "description", "provider", "enabled")}),
        ("How to reach it", {"fields": ("settings", "secret_name", "limits")}),
    )
    read_fieldsets = (
        (None, {"fields": ("slug", "name", "description", "provider", "enabled", "settings", "secret", "limits")}),
    )

    def get_actions_detail(self, request: HttpRequest, object_id: int) -> list[Any]:
        """Without the test for those who may not change the connection."""
        offered: list[Any] = super().get_actions_detail(request, object_id)
        may_check = self.may(request, "change", self.get_object(request, str(object_id)))
        return [one for one in offered if may_check or one.method.original_function_name != "test_connection"]

    @action(description="Test connection", url_path="check", icon="cable")
    def test_connection(self, request: HttpRequest, object_id: str) -> Any:
        """Asks the engine whom it takes us for; a POST does it."""
        connection = self.found(request, object_id, "change")
        context: dict[str, Any] = {"message": "", "fault": ""}
        if request.method == "POST":
            try:
                context["message"] = connecting.check(request.user, connection)
            except (EngineFailed, TooManyRequests) as error:
                context["fault"] = error.message
        return self.page(request, "admin/pilothouse/check.html", connection, "Test connection", context)

    @action(description="Pipelines", url_path="pipelines", icon="account_tree")
    def pipelines(self, request: HttpRequest, object_id: str) -> Any:
        """What can be started there and, of one of them, what it wants to know."""
        connection = self.found(request, object_id)
        search, chosen = request.GET.get("search", ""), request.GET.get("pipeline", "")
        context: dict[str, Any] = {"search": search, "chosen": chosen, "fault": ""}
        try:
            context["pipelines"] = connecting.pipelines(request.user, connection, search)
            context["parameters"] = connecting.parameters(request.user, connection, chosen) if chosen else ()
        except (EngineFailed, TooManyRequests) as error:
            context["fault"] = error.message
        return self.page(request, "admin/pilothouse/pipelines.html", connection, "Pipelines", context)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """The id stays as it was chosen."""
        return ("slug",) if obj else ()

    def store(self, request: HttpRequest, obj: Any, form: Any, *, change: bool, now: datetime) -> Connection:
        """Applies the connection's document."""
        document = form.document()
        done = services.apply_connection(request.user, document, now=now)
        require_new(change, done, document["id"])
        return Connection.objects.get(slug=document["id"])

    def remove(self, request: HttpRequest, obj: Any, *, now: datetime) -> None:
        """Deletes it unless something uses it."""
        services.delete_connection(request.user, obj, now=now)


def require_new(change: bool, done: str, slug: str) -> None:
    """Raises Conflict when somebody adds what is there already."""
    if not change and done != "created":
        raise Conflict(f"There is already one with the id '{slug}'.", code="exists")


class SecretArea(UnfoldAdminTextareaWidget):
    """A box whose content is masked while it is typed and never sent back; it takes several lines, for keys."""

    def __init__(self) -> None:
        super().__init__(attrs={"class": "ph-secret", "rows": 2, "autocomplete": "off", "spellcheck": "false"})

    def format_value(self, value: Any) -> None:
        """Nothing, whatever was typed."""


class SecretForm(FaultForm):
    """A secret's name and, write-only, its value."""

    value = forms.CharField(
        required=False,
        strip=False,
        widget=SecretArea(),
        help_text="It is stored encrypted and never shown again. Leave it empty to keep the value there is.",
    )
    name = forms.CharField(max_length=64, widget=UnfoldAdminTextInputWidget, help_text="Documents name it by this.")

    class Meta:
        model = Secret
        fields = ()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial["name"] = self.instance.name
        if self.instance.pk:
            self.fields["name"].disabled = True

    def clean(self) -> dict[str, Any]:
        """A new secret needs a value; a name is taken once."""
        given = super().clean() or self.cleaned_data
        if not self.instance.pk and not given.get("value"):
            self.add_error("value", "Type the value.")
        if not self.instance.pk and Secret.objects.filter(name=given.get("name", "")).exclude(ciphertext=b"").exists():
            self.add_error("name", "There is already a secret of this name.")
        return given


@method_decorator(sensitive_post_parameters(), name="changeform_view")
@admin.register(Secret)
class SecretAdmin(UsedBy, ScopedAdmin):
    """Secret values, by name. What is shown is whether a value is set and when it last was, never the value."""

    form = SecretForm
    list_display = ("name", "is_set", "updated_at", "updated_by")
    list_select_related = ("updated_by",)
    search_fields = ("name",)
    readonly_fields = ("is_set", "updated_at", "updated_by")
    fieldsets = ((None, {"fields": ("name", "is_set", "updated_at", "updated_by", "value")}),)
    read_fieldsets = ((None, {"fields": ("name", "is_set", "updated_at", "updated_by")}),)
    add_fieldsets = ((None, {"fields": ("name", "value")}),)
    warn_unsaved_form = False

    @admin.display(boolean=True, description="value is set")
    def is_set(self, secret: Secret) -> bool:
        """Whether it has a value."""
        return bool(secret.ciphertext)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Setting a value takes the permission to change secrets."""
        return allowed(request.user, "activities.change_secret")

    def store(self, request: HttpRequest, obj: Any, form: Any, *, change: bool, now: datetime) -> Secret:
        """Keeps the value."""
        name, value = form.cleaned_data["name"], form.cleaned_data.get("value", "")
        if change and not value:
            return Secret.objects.get(pk=obj.pk)
        return set_secret(request.user, name, value, now=now)

    def remove(self, request: HttpRequest, obj: Any, *, now: datetime) -> None:
        """Deletes it unless something names it."""
        services.delete_secret(request.user, obj, now=now)
