"""Freezes: written in fields, lifted, and the line stopped in one action."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from unfold.decorators import action, display
from unfold.enums import ActionVariant

from config.admin.asking import AskingAdmin, Question
from config.admin.forms import show
from config.errors import InvalidInput, NotPermitted
from processes.document import dump
from releases.admin.freeze_forms import SCOPE, WINDOW, FreezeForm, StopForm, beside_fields
from releases.freeze_documents import delete_freeze, export_freeze, save_freeze
from releases.models import Freeze, FreezeWindow
from releases.services.freezing import lift_freeze, stop_the_line

MOST_WINDOWS = 10
#: Before that many shown windows that are over.
MOST_PAST = 3


@admin.register(Freeze)
class FreezeAdmin(AskingAdmin):
    """Freezes."""

    form = FreezeForm
    list_display = ("name", "slug", "applies", "recurs", "version")
    search_fields = ("slug", "name", "description")
    actions_detail = ("lift",)
    actions_list = ("stop",)
    questions = {
        "lift": Question("Lift", "It ends now; later windows stay.", lift_freeze, keeps="reason", must=True),
    }
    fieldsets = (
        (None, {"fields": ("slug", "name", "description")}),
        ("What may not start", {"fields": SCOPE}),
        ("When", {"fields": (*WINDOW, "in_flight")}),
    )
    read_fieldsets = ((None, {"fields": ("slug", "name", "as_yaml", "windows_shown")}),)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """The fields; those of a freeze that exists with its windows."""
        found = super().get_fieldsets(request, obj)
        if obj is None or found is self.read_fieldsets:
            return found
        return (*found, ("Windows", {"fields": ("windows_shown",)}))

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """The id stays as it was chosen."""
        return ("slug", "as_yaml", "windows_shown") if obj else ("as_yaml", "windows_shown")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Freeze]:
        """The freezes this person may see, each knowing whether it applies now."""
        running = FreezeWindow.objects.filter(_open(timezone.now()), freeze=OuterRef("pk"))
        rows: QuerySet[Freeze] = super().get_queryset(request)
        return rows.annotate(applies_now=Exists(running))

    # What is shown ----------------------------------------------------------------------------------------------------

    @display(description="now", label={"applies": "warning"})
    def applies(self, freeze: Any) -> tuple[str, str] | None:
        """Whether it applies now."""
        return ("applies", "applies") if freeze.applies_now else None

    @admin.display(description="recurs")
    def recurs(self, freeze: Freeze) -> str:
        """Its rule."""
        return freeze.body["window"].get("rrule") or "-"

    @admin.display(description="document")
    def as_yaml(self, freeze: Freeze) -> str:
        """The freeze as text, for those who may only look."""
        return format_html('<pre class="ph-pre">{}</pre>', dump([export_freeze(freeze)]))

    @admin.display(description="windows (UTC)")
    def windows_shown(self, freeze: Freeze) -> str:
        """The last windows that are over, the one that is open, and the next."""
        now = timezone.now()
        over = freeze.windows.filter(ends_at__lte=now).order_by("-starts_at")[:MOST_PAST]
        coming = freeze.windows.filter(Q(ends_at=None) | Q(ends_at__gt=now)).order_by("starts_at")[:MOST_WINDOWS]
        shown = [*reversed(over), *coming]
        return format_html("<ul>{}</ul>", format_html_join("", "<li>{}</li>", _lines(shown))) if shown else "-"

    # What is done -----------------------------------------------------------------------------------------------------

    def store(self, request: HttpRequest, obj: Any, form: Any, *, change: bool, now: datetime) -> Freeze:
        """Saves the freeze's document."""
        seen = form.cleaned_data.get("seen") if change else 0
        try:
            return save_freeze(request.user, form.document(), now=now, expected_version=seen)[0]
        except InvalidInput as error:
            raise beside_fields(error) from error

    def remove(self, request: HttpRequest, obj: Any, *, now: datetime) -> None:
        """Deletes it."""
        delete_freeze(request.user, obj, now=now)

    def verbs(self, request: HttpRequest, obj: Any) -> list[str]:
        """Lifting, for those who may change a freeze that applies now."""
        return ["lift"] if obj.applies_now and self.has_change_permission(request, obj) else []

    def get_actions_list(self, request: HttpRequest) -> list[Any]:
        """Stopping the line, for those who may write freezes."""
        offered: list[Any] = super().get_actions_list(request)
        return offered if self.has_add_permission(request) else []

    @action(description="Lift", url_path="lift", icon="lock_open")
    def lift(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ends the window that is open now."""
        self.found(request, object_id, "change")
        return self.ask(request, object_id, "lift")

    @action(description="Stop the line", url_path="stop-the-line", icon="front_hand", variant=ActionVariant.DANGER)
    def stop(self, request: HttpRequest) -> HttpResponse:
        """Freezes from now on what is chosen."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = StopForm(request.POST if request.method == "POST" else None)
        form.suggest()
        if request.method == "POST" and form.is_valid():
            freeze = self._stopped(request, form)
            if freeze is not None:
                self.message_user(request, f"{freeze}.", messages.SUCCESS)
                return HttpResponseRedirect(self.url_of("change", freeze.pk))
        context = {"form": form, "media": self.media + form.media}
        status = 400 if form.is_bound else 200
        return self.page(request, "admin/pilothouse/stop.html", None, "Stop the line", context, status=status)

    def _stopped(self, request: HttpRequest, form: StopForm) -> Freeze | None:
        typed = form.cleaned_data
        try:
            return stop_the_line(
                request.user, scope=form.scope(), reason=typed["reason"], until=typed["until"], now=timezone.now()
            )
        except NotPermitted as error:
            raise PermissionDenied(error.message) from error
        except InvalidInput as error:
            show(form, beside_fields(error).faults, {"scope": "everything", "window": "until", "end": "until"})
        return None


def _open(now: datetime) -> Q:
    return Q(starts_at__lte=now) & (Q(ends_at=None) | Q(ends_at__gt=now))


def _lines(windows: Iterable[FreezeWindow]) -> list[tuple[str]]:
    lines = []
    for window in windows:
        until = f"{window.ends_at:%a %Y-%m-%d %H:%M}" if window.ends_at else "it is lifted"
        lifted = f" (lifted by {window.lifted_by_name})" if window.lifted_at else ""
        lines.append((f"{window.starts_at:%a %Y-%m-%d %H:%M} until {until}{lifted}",))
    return lines
