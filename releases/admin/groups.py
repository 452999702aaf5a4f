"""Release groups: edited in fields, with their next dates, what they have planned, and what an edit would do to it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from types import SimpleNamespace
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone
from django.utils.html import format_html
from unfold.decorators import action

from activities.admin import UsedBy
from config.admin.forms import faults_of, show
from config.admin.guarded import GuardedAdmin
from config.errors import InvalidInput, NotPermitted, PilothouseError
from processes.admin.filters import ProcessFilter
from processes.document import digest, dump
from processes.services import used_by
from releases import policy, reading
from releases.admin.cadence_fields import EXCEPTIONS, RULE, TIMES
from releases.admin.group_forms import RULES, ReleaseGroupForm
from releases.admin.group_preview import Coming, Preview, SkipForm, coming_of
from releases.groups import delete_group, export_group, preview_group, save_planned
from releases.models import Release, ReleaseGroup
from releases.services.moving import skip_occurrence
from releases.services.trains import Change, seen_of

MOST_PLANNED = 20
MOST_DATES = 10
MOST_SKIPPABLE = 30
#: The button beside Save.
_PREVIEW = SimpleNamespace(action_name="_preview", attrs={}, icon="visibility", description="Preview")
_DONE = {"created": "planned", "changed": "changed", "removed": "removed", "kept": "left as people planned them"}


@admin.register(ReleaseGroup)
class ReleaseGroupAdmin(UsedBy, GuardedAdmin):
    """Release groups."""

    form = ReleaseGroupForm
    change_form_template = "admin/pilothouse/group_form.html"
    shown_by = ("view", "change", "delete", "operate")
    list_display = ("name", "slug", "process", "input_set", "drawn", "version")
    list_filter = (ProcessFilter,)
    list_select_related = ("process", "input_set")
    search_fields = ("slug", "name", "description", "process__name")
    actions_detail = (*UsedBy.actions_detail, "skip")
    fieldsets = (
        (None, {"fields": ("slug", "name", "description", "color")}),
        ("What it runs", {"fields": ("process", "input_set", "release_name", "release_version", "owners")}),
        ("Cadence", {"fields": (*RULE, *TIMES)}),
        ("Exceptions and holidays", {"fields": EXCEPTIONS}),
        ("How its releases start", {"fields": RULES}),
    )
    read_fieldsets = ((None, {"fields": ("slug", "name", "process", "input_set", "as_yaml")}),)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """The id stays as it was chosen."""
        return ("slug", "as_yaml") if obj else ("as_yaml",)

    # What is shown ----------------------------------------------------------------------------------------------------

    @admin.display(description="colour")
    def drawn(self, group: ReleaseGroup) -> str:
        """Its colour."""
        return group.color or "-"

    @admin.display(description="document")
    def as_yaml(self, group: ReleaseGroup) -> str:
        """The group as text, for those who may only look."""
        return format_html('<pre class="ph-pre">{}</pre>', dump([export_group(group)]))

    def uses_of(self, obj: Any) -> list[str]:
        """Who uses it."""
        return [str(use) for use in used_by(obj)]

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        """The form with what an edit would do, or with the group's next dates; and what is planned."""
        group, preview = kwargs.get("obj"), request.__dict__.get("preview")
        context["preview"] = preview
        if preview is None and group is not None:
            context["coming"] = self._coming(request, group)
        if group is not None:
            context["planned"] = self._planned(request, group)
        may_save = self.has_add_permission(request) if group is None else self.has_change_permission(request, group)
        context["actions_submit_line"] = [_PREVIEW] if may_save else []
        return super().render_change_form(request, context, *args, **kwargs)

    def _coming(self, request: HttpRequest, group: ReleaseGroup, most: int = MOST_DATES) -> Coming | None:
        """The next dates of a saved group; none when it has no cadence, or one that cannot be followed any more."""
        saved = ReleaseGroup.objects.get(pk=group.pk)
        try:
            return coming_of(reading.next_dates(request.user, saved, after=timezone.now(), most=most))
        except InvalidInput as error:
            return Coming("", "", [], faults=faults_of(error))

    def _planned(self, request: HttpRequest, group: ReleaseGroup) -> list[Release]:
        rows = policy.visible_releases(request.user).filter(group=group.pk, state__in=["draft", "scheduled"])
        return list(rows.order_by("planned_start_at", "pk")[:MOST_PLANNED])

    # What is done -----------------------------------------------------------------------------------------------------

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        """The form's class, which asks before it changes or removes what is planned."""
        form = super().get_form(request, obj, change=change, **kwargs)
        form.judge = staticmethod(partial(self._judge, request))
        return form

    def _judge(self, request: HttpRequest, form: Any) -> bool:
        """Whether to save now: not when only a preview is wanted, nor before what changes has been seen."""
        is_asked = "_preview" in request.POST
        document, now = form.document(), timezone.now()
        try:
            saved = preview_group(request.user, document, now=now)
        except PilothouseError as error:
            if is_asked:
                told = form.beside_fields(error) if isinstance(error, InvalidInput) else error
                show(form, faults_of(told), form.places)
            return not is_asked
        seen = digest(document)
        moves = any(change.kind in ("changed", "removed") for change in saved.changes)
        if not is_asked and (not moves or request.POST.get("agreed") == seen):
            return True
        dates = reading.dates_of(document.get("cadence") or {}, after=now, most=MOST_DATES)
        coming = coming_of(dates) if dates.words else None
        request.__dict__["preview"] = Preview(saved.status, *seen_of(saved.changes), coming, seen, is_asked=is_asked)
        return False

    def store(self, request: HttpRequest, obj: Any, form: Any, *, change: bool, now: datetime) -> ReleaseGroup:
        """Saves the group's document, and says what that did to its planned releases."""
        seen = form.cleaned_data.get("seen") if change else 0
        try:
            saved = save_planned(request.user, form.document(), now=now, expected_version=seen)
        except InvalidInput as error:
            raise form.beside_fields(error) from error
        if saved.changes:
            self.message_user(request, _summary(saved.changes), messages.INFO)
        return saved.group

    def remove(self, request: HttpRequest, obj: Any, *, now: datetime) -> None:
        """Deletes it unless it has releases or something uses it."""
        delete_group(request.user, obj, now=now)

    def get_actions_detail(self, request: HttpRequest, object_id: int) -> list[Any]:
        """Skipping a date, for those who may change or operate a group that has dates."""
        group = self.get_object(request, str(object_id))
        offered: list[Any] = super().get_actions_detail(request, object_id)
        can = group is not None and bool(group.body.get("cadence")) and self._may_skip(request, group)
        return [one for one in offered if can or one.method.original_function_name != "skip"]

    def _may_skip(self, request: HttpRequest, group: ReleaseGroup) -> bool:
        return self.may(request, "change", group) or self.may(request, "operate", group)

    @action(description="Skip a date", url_path="skip", icon="event_busy")
    def skip(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Calls off one of its next dates: the release that is planned for it, or the date itself."""
        group = self.found(request, object_id)
        if not self._may_skip(request, group):
            raise PermissionDenied
        coming = self._coming(request, group, MOST_SKIPPABLE)
        form = SkipForm(request.POST if request.method == "POST" else None)
        form.offer(coming)
        if form.is_valid() and self._skip(request, group, form):
            return HttpResponseRedirect(self.url_of("change", group.pk))
        context = {"coming": coming, "form": form}
        status = 400 if form.is_bound else 200
        return self.page(request, "admin/pilothouse/skip.html", group, "Skip a date", context, status=status)

    def _skip(self, request: HttpRequest, group: ReleaseGroup, form: SkipForm) -> bool:
        """Skips what was chosen, or puts what is wrong with it into the form."""
        given = form.cleaned_data
        occurs_at = datetime.fromisoformat(given["occurs_at"])
        try:
            release = skip_occurrence(
                request.user, group, occurs_at=occurs_at, reason=given["reason"], now=timezone.now()
            )
        except NotPermitted as error:
            raise PermissionDenied(error.message) from error
        except PilothouseError as error:
            show(form, faults_of(error), {})
            return False
        done = "left out of its dates" if release is None else f"called off: {release}"
        self.message_user(request, f"{occurs_at:%a %Y-%m-%d %H:%M} UTC is {done}.", messages.SUCCESS)
        return True


def _summary(changes: Sequence[Change]) -> str:
    """What saving did: "Releases: 12 planned, 1 removed."."""
    counts = Counter(change.kind for change in changes)
    return f"Releases: {', '.join(f'{counts[kind]} {done}' for kind, done in _DONE.items() if counts[kind])}."
