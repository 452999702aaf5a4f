"""Exceptions from freezes and broken glass: looked at, and decided through the same verbs as in the API."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from unfold.decorators import action, display
from unfold.enums import ActionVariant

from config.admin.asking import AskingAdmin, Question
from config.admin.scoped import ReadOnlyAdmin
from config.admin.trail import shown_json
from releases import mentions
from releases.models import BreakGlass, FreezeException
from releases.reading.freezes import debt_may, exception_may, visible_debts, visible_exceptions
from releases.services import exempting
from releases.services.break_glass import sign_off_break_glass

COLOURS = {"pending": "warning", "granted": "success", "refused": "danger", "withdrawn": "info", "void": "info"}


class DecidedAdmin(AskingAdmin, ReadOnlyAdmin):
    """Rows that are looked at, and decided about by actions that ask first."""

    actions_detail: tuple[str, ...] = ()

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whoever may see the row; without one, whoever sees any or decides about them. Asked once per request."""
        known: dict[Any, bool] = request.__dict__.setdefault(f"sees_{self.opts.model_name}", {})
        key = None if obj is None else obj.pk
        if key not in known:
            rows = self.get_queryset(request)
            found = rows.exists() or self.decides(request) if obj is None else rows.filter(pk=key).exists()
            known[key] = found
        return known[key]

    def decides(self, request: HttpRequest) -> bool:
        """Whether this person decides about such rows at all, and so finds the list even while it is empty."""
        return self.may(request, "view")


@admin.register(FreezeException)
class FreezeExceptionAdmin(DecidedAdmin):
    """Exceptions from freezes."""

    list_display = ("__str__", "shown_state", "asked_by_name", "asked_at", "expires_at", "decided_by_name")
    list_filter = ("state",)
    search_fields = ("freeze__slug", "freeze__name", "release__name", "group__name", "asked_by_name", "reason")
    readonly_fields = ("why_void",)
    fields = (
        "freeze", "release", "group", "state", "why_void", "reason", "expires_at", "asked_by_name", "asked_at",
        "decided_by_name", "decided_at", "decision_reason",
    )  # fmt: skip
    actions_detail = ("grant", "refuse", "withdraw")
    questions = {
        "grant": Question(
            "Grant",
            "What it is for may start in spite of the freeze, until it expires.",
            exempting.grant_exception,
            keeps="reason",
        ),
        "refuse": Question(
            "Refuse", "The freeze stays in the way.", exempting.refuse_exception, keeps="reason", must=True
        ),
        "withdraw": Question(
            "Withdraw",
            "It is taken back; the freeze is in the way again.",
            exempting.withdraw_exception,
            keeps="reason",
        ),
    }

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """The exceptions this person may see."""
        return visible_exceptions(request.user)

    def decides(self, request: HttpRequest) -> bool:
        """Those who may see or grant them all."""
        return self.may(request, "view") or self.may(request, "grant")

    def verbs(self, request: HttpRequest, obj: Any) -> list[str]:
        """What this person may do with it."""
        return exception_may(request.user, obj)

    @display(description="state", ordering="state", label=COLOURS)
    def shown_state(self, row: FreezeException) -> tuple[str, str]:
        """The state, in its colour."""
        return row.state, row.state

    @display(description="why it no longer counts")
    def why_void(self, row: FreezeException) -> str:
        """Why, if it is void."""
        return row.void_reason

    @action(description="Grant", url_path="grant", icon="check", variant=ActionVariant.PRIMARY)
    def grant(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Grants it."""
        return self.ask(request, object_id, "grant")

    @action(description="Refuse", url_path="refuse", icon="block")
    def refuse(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Refuses it."""
        return self.ask(request, object_id, "refuse")

    @action(description="Withdraw", url_path="withdraw", icon="undo")
    def withdraw(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Takes it back."""
        return self.ask(request, object_id, "withdraw")


@admin.register(BreakGlass)
class BreakGlassAdmin(DecidedAdmin):
    """Releases that were started in spite of what stopped them."""

    list_display = ("release", "by_name", "at", "reason", "signed_by_name", "signed_at")
    list_filter = (("signed_at", admin.EmptyFieldListFilter),)
    search_fields = ("release__name", "by_name", "reason")
    fields = ("release", "reason", "ignored_shown", "by_name", "at", "signed_by_name", "signed_at", "comment")
    readonly_fields = ("ignored_shown",)
    actions_detail = ("sign_off",)
    questions = {
        "sign_off": Question(
            "Sign off",
            "You have looked at what was started; later releases may start again.",
            sign_off_break_glass,
            keeps="comment",
        )
    }

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Those of releases this person may see."""
        return visible_debts(request.user)

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        """One of them, which names other releases as far as this person may see them."""
        found = super().get_object(request, object_id, from_field)
        return None if found is None else mentions.masked_debts(request.user, [found])[0]

    def verbs(self, request: HttpRequest, obj: Any) -> list[str]:
        """What this person may do about it."""
        return debt_may(request.user, obj)

    @admin.display(description="what would have stopped it")
    def ignored_shown(self, row: BreakGlass) -> str:
        """What was ignored."""
        return shown_json(row.ignored)

    @action(description="Sign off", url_path="sign-off", icon="task_alt", variant=ActionVariant.PRIMARY)
    def sign_off(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Signs it off."""
        return self.ask(request, object_id, "sign_off")
