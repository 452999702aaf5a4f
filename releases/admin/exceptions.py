"""Exceptions from freezes and broken glass: looked at, and decided through the same verbs as in the API."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone
from unfold.decorators import action, display
from unfold.enums import ActionVariant

from config.admin.forms import faults_of
from config.admin.scoped import ReadOnlyAdmin
from config.admin.trail import shown_json
from config.errors import Fault, NotPermitted, PilothouseError
from releases.models import BreakGlass, FreezeException
from releases.reading.freezes import debt_may, exception_may, visible_debts, visible_exceptions
from releases.services import exempting
from releases.services.break_glass import sign_off_break_glass

COLOURS = {"pending": "warning", "granted": "success", "refused": "danger", "withdrawn": "info"}


class DecidedAdmin(ReadOnlyAdmin):
    """Rows that are looked at, and decided about by actions that ask first. `reasons`: which must say why."""

    actions_detail: ClassVar[tuple[str, ...]] = ()
    reasons: ClassVar[frozenset[str]] = frozenset()

    def verbs(self, request: HttpRequest, obj: Any) -> list[str]:
        """What this person may do with the row as it is now."""
        raise NotImplementedError

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whoever may see the row; without one, any."""
        rows = self.get_queryset(request)
        key = None if obj is None else obj.pk
        known: dict[Any, bool] = request.__dict__.setdefault(f"sees_{self.opts.model_name}", {})
        if key not in known:
            known[key] = (rows if key is None else rows.filter(pk=key)).exists() or (
                key is None and self.decides(request)
            )
        return known[key]

    def decides(self, request: HttpRequest) -> bool:
        """Whether this person decides about such rows at all, and so finds the list even while it is empty."""
        return self.may(request, "view")

    def get_actions_detail(self, request: HttpRequest, object_id: int) -> list[Any]:
        """What this person may do with the row as it is now."""
        row = self.get_object(request, str(object_id))
        verbs = self.verbs(request, row) if row is not None else []
        offered: list[Any] = super().get_actions_detail(request, object_id)
        return [one for one in offered if one.method.original_function_name in verbs]

    def ask(
        self, request: HttpRequest, object_id: str, verb: str, words: str, do: Callable[[Any, str], object]
    ) -> HttpResponse:
        """Asks first, with a box for a reason; a POST does it."""
        row = self.found(request, object_id)
        title, faults = verb.replace("_", " ").capitalize(), tuple[Fault, ...]()
        if request.method == "POST":
            try:
                do(row, request.POST.get("reason", ""))
            except NotPermitted as error:
                raise PermissionDenied(error.message) from error
            except PilothouseError as error:
                faults = faults_of(error)
            else:
                self.message_user(request, f"Done: {title.lower()} {row}.", messages.SUCCESS)
                return HttpResponseRedirect(self.url_of("change", row.pk))
        context = {
            "words": words,
            "faults": faults,
            "has_reason": True,
            "needs_reason": verb in self.reasons,
            "reason": request.POST.get("reason", ""),
            "is_possible": verb in self.verbs(request, row),
        }
        status = 400 if request.method == "POST" else 200
        return self.page(request, "admin/pilothouse/act.html", row, title, context, status=status)


@admin.register(FreezeException)
class FreezeExceptionAdmin(DecidedAdmin):
    """Exceptions from freezes."""

    list_display = ("__str__", "shown_state", "asked_by_name", "asked_at", "expires_at", "decided_by_name")
    list_filter = ("state",)
    search_fields = ("freeze__slug", "freeze__name", "release__name", "group__name", "asked_by_name", "reason")
    fields = (
        "freeze", "release", "group", "state", "reason", "expires_at", "asked_by_name", "asked_at", "decided_by_name",
        "decided_at", "decision_reason",
    )  # fmt: skip
    actions_detail = ("grant", "refuse", "withdraw")
    reasons = frozenset({"refuse"})

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

    @action(description="Grant", url_path="grant", icon="check", variant=ActionVariant.PRIMARY)
    def grant(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Grants it."""
        user, now = request.user, timezone.now()
        words = "What it is for may start in spite of the freeze, until it expires."
        return self.ask(
            request,
            object_id,
            "grant",
            words,
            lambda row, why: exempting.grant_exception(user, row, now=now, reason=why),
        )

    @action(description="Refuse", url_path="refuse", icon="block")
    def refuse(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Refuses it."""
        user, now = request.user, timezone.now()
        words = "The freeze stays in the way."
        return self.ask(
            request,
            object_id,
            "refuse",
            words,
            lambda row, why: exempting.refuse_exception(user, row, reason=why, now=now),
        )

    @action(description="Withdraw", url_path="withdraw", icon="undo")
    def withdraw(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Takes it back."""
        user, now = request.user, timezone.now()
        words = "It is taken back; the freeze is in the way again."
        return self.ask(
            request,
            object_id,
            "withdraw",
            words,
            lambda row, why: exempting.withdraw_exception(user, row, now=now, reason=why),
        )


@admin.register(BreakGlass)
class BreakGlassAdmin(DecidedAdmin):
    """Releases that were started in spite of what stopped them."""

    list_display = ("release", "by_name", "at", "reason", "signed_by_name", "signed_at")
    list_filter = (("signed_at", admin.EmptyFieldListFilter),)
    search_fields = ("release__name", "by_name", "reason")
    fields = ("release", "reason", "ignored_shown", "by_name", "at", "signed_by_name", "signed_at", "comment")
    readonly_fields = ("ignored_shown",)
    actions_detail = ("sign_off",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Those of releases this person may see."""
        return visible_debts(request.user)

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
        user, now = request.user, timezone.now()
        words = "You have looked at what was started; later releases may start again."
        return self.ask(
            request,
            object_id,
            "sign_off",
            words,
            lambda row, why: sign_off_break_glass(user, row, comment=why, now=now),
        )
