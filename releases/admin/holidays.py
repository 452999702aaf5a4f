"""Holiday calendars in the admin: a file is uploaded or pasted, its days off are looked at."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from unfold.widgets import UnfoldAdminFileFieldWidget, UnfoldAdminTextareaWidget

from activities.admin import UsedBy
from config.admin.forms import FaultForm
from config.admin.scoped import ScopedAdmin
from processes.services import used_by
from releases.models import HolidayCalendar
from releases.services.holiday_files import LARGEST
from releases.services.holidays import delete_calendar, import_calendar, rename_calendar


class HolidayCalendarForm(FaultForm):
    """A calendar, and the file it is to be made from."""

    file = forms.FileField(
        required=False,
        widget=UnfoldAdminFileFieldWidget,
        label="iCalendar file",
        help_text="An .ics file: its whole days, from two years back to ten years ahead, take the place of those "
        "there are. Without a file and a text the days stay.",
    )
    ics = forms.CharField(
        required=False,
        strip=False,
        label="Or paste it",
        widget=UnfoldAdminTextareaWidget(attrs={"class": "ph-code", "rows": 6, "spellcheck": "false"}),
    )

    class Meta:
        model = HolidayCalendar
        fields = ("slug", "name", "description")

    places = {"id": "slug"}

    def clean(self) -> dict[str, Any]:
        """Reads the file as text; a new calendar needs one."""
        given = super().clean()
        file = given.get("file")
        if file is not None:
            self.places = {**self.places, "ics": "file"}  # type: ignore[misc]
            given["ics"] = self._text_of(file)
        if not self.instance.pk and not given.get("ics") and not self.errors:
            self.add_error("file", "Choose a file, or paste its text.")
        return given

    def _text_of(self, file: Any) -> str:
        if file.size > 4 * LARGEST:
            self.add_error("file", f"The file has more than {4 * LARGEST} bytes.")
            return ""
        file.seek(0)
        try:
            return str(file.read().decode("utf-8-sig"))
        except UnicodeDecodeError:
            self.add_error("file", "The file is not UTF-8 text, as iCalendar files are.")
            return ""


@admin.register(HolidayCalendar)
class HolidayCalendarAdmin(UsedBy, ScopedAdmin):
    """Days off that cadences may name."""

    form = HolidayCalendarForm
    list_display = ("name", "slug", "how_many", "imported_at")
    search_fields = ("slug", "name", "description")
    fieldsets = (
        (None, {"fields": ("slug", "name", "description", "imported_at")}),
        ("Import days off", {"fields": ("file", "ics")}),
        ("Days off", {"fields": ("all_days",)}),
    )
    add_fieldsets = ((None, {"fields": ("slug", "name", "description", "file", "ics")}),)
    read_fieldsets = ((None, {"fields": ("slug", "name", "description", "imported_at", "all_days")}),)

    def get_queryset(self, request: HttpRequest) -> QuerySet[HolidayCalendar]:
        """The calendars, with how many days off they have."""
        found: QuerySet[HolidayCalendar] = super().get_queryset(request).annotate(count=Count("days"))
        return found

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """A new calendar has no days to show yet."""
        return self.add_fieldsets if obj is None else super().get_fieldsets(request, obj)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """The id stays as it was chosen."""
        return ("imported_at", "all_days", *(("slug",) if obj else ()))

    @admin.display(description="days off", ordering="count")
    def how_many(self, calendar: Any) -> int:
        """How many days off it has."""
        return int(calendar.count)

    @admin.display(description="days off")
    def all_days(self, calendar: HolidayCalendar) -> str:
        """Every day off, one a line."""
        days = calendar.days.order_by("on").values_list("on", "name")
        return format_html('<pre class="ph-pre">{}</pre>', "\n".join(f"{on:%Y-%m-%d %a}  {name}" for on, name in days))

    def uses_of(self, obj: Any) -> list[str]:
        """Whose cadences name it."""
        return [str(use) for use in used_by(obj)]

    def store(self, request: HttpRequest, obj: Any, form: Any, *, change: bool, now: datetime) -> HolidayCalendar:
        """Imports the file, or changes the words only."""
        words = {"name": obj.name, "description": obj.description}
        seen, text = form.cleaned_data.get("seen") if change else 0, form.cleaned_data["ics"]
        if change and not text:
            return rename_calendar(request.user, obj, **words, now=now, expected_version=seen)
        done = import_calendar(request.user, slug=obj.slug, text=text, now=now, expected_version=seen, **words)
        ignored = f" Ignored, as they have a time of day: {done.ignored}." if done.ignored else ""
        self.message_user(request, f"Days off: {done.days}.{ignored}", messages.INFO)
        return done.calendar

    def remove(self, request: HttpRequest, obj: Any, *, now: datetime) -> None:
        """Deletes it unless a cadence names it."""
        delete_calendar(request.user, obj, now=now)
