"""Days off that people import, for cadences to name beside the countries' own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Model

from activities.models import slug_validator
from config.errors import Fault, InvalidInput
from config.permissions import require
from config.trail import Actor, record
from processes.services.removing import delete_row, require_free
from processes.services.saving import require_version
from processes.uses import Use
from releases.calendars import groups_naming_calendar, groups_on_calendar
from releases.models import Holiday, HolidayCalendar, ReleaseGroup
from releases.services.given import text_faults
from releases.services.holiday_files import Read, read_days

YEARS_BACK = 2
YEARS_AHEAD = 10


@dataclass(frozen=True, slots=True)
class Imported:
    """A calendar as it is now, whether it is new, how many days off it has, how many events with times were ignored."""

    calendar: HolidayCalendar
    is_new: bool
    days: int
    ignored: int


@transaction.atomic
def import_calendar(
    actor: Actor,
    *,
    slug: str,
    name: str,
    text: str,
    now: datetime,
    description: str | None = None,
    expected_version: int | None = None,
) -> Imported:
    """Make the calendar's days off those which an iCalendar text names, from two years back to ten years ahead.

    Release groups whose dates depend on it are planned anew by the next tick. `expected_version` is the version the
    caller has seen, 0 when there must be none yet; no `description` keeps the one there is. Raises NotPermitted,
    InvalidInput with every fault, Conflict (`stale`).
    """
    found = HolidayCalendar.objects.select_for_update(no_key=True).filter(slug=slug).first()
    require(actor, f"releases.{'change' if found else 'add'}_holidaycalendar")
    calendar = found or HolidayCalendar(slug=slug, version=0)
    require_version(calendar, expected_version)
    calendar.description = calendar.description if description is None else description
    read = _checked(slug, name, calendar.description, text, now)
    before = _days_of(calendar) if found else {}
    calendar.name, calendar.imported_at = name.strip(), now
    calendar.version += 1
    calendar.save()
    if read.days != before:
        calendar.days.all().delete()
        Holiday.objects.bulk_create(Holiday(calendar=calendar, on=on, name=what) for on, what in read.days.items())
        plan_again(calendar.slug, now=now)
    seen = {"version": calendar.version - 1, **_extent(before)} if found else None
    after = {"version": calendar.version, **_extent(read.days)}
    record(actor, "holiday_calendar.imported", calendar, before=seen, after=after, now=now)
    return Imported(calendar, found is None, len(read.days), read.ignored)


@transaction.atomic
def rename_calendar(
    actor: Actor,
    calendar: HolidayCalendar,
    *,
    name: str,
    description: str,
    now: datetime,
    expected_version: int | None = None,
) -> HolidayCalendar:
    """Change how a calendar is called and described; its days stay. Raises NotPermitted, InvalidInput, Conflict."""
    require(actor, "releases.change_holidaycalendar")
    locked = HolidayCalendar.objects.select_for_update(no_key=True).get(pk=calendar.pk)
    require_version(locked, expected_version)
    if faults := _text_faults(name, description):
        raise InvalidInput(faults)
    before = {"name": locked.name, "description": locked.description}
    locked.name, locked.description = name.strip(), description
    locked.version += 1
    locked.save()
    after = {"name": locked.name, "description": locked.description}
    record(actor, "holiday_calendar.renamed", locked, before=before, after=after, now=now)
    return locked


def plan_again(slug: str, *, now: datetime) -> None:
    """Have the next tick plan every group whose dates depend on a calendar. Call it in the change's transaction."""
    groups = groups_on_calendar(slug).select_for_update(no_key=True).order_by("pk")
    ReleaseGroup.objects.filter(pk__in=[group.pk for group in groups]).update(next_plan_at=now)


@transaction.atomic
def delete_calendar(actor: Actor, calendar: HolidayCalendar, *, now: datetime) -> None:
    """Delete a calendar that no cadence names. Raises NotPermitted, or Conflict naming the groups that do."""
    require(actor, "releases.delete_holidaycalendar")
    require_free(calendar)
    record(actor, "holiday_calendar.deleted", calendar, before={"version": calendar.version}, now=now)
    delete_row(calendar)


def find_uses(thing: Model) -> Iterator[Use]:
    """The release groups whose cadence names a calendar, for `processes.uses`."""
    if isinstance(thing, HolidayCalendar):
        for group in groups_naming_calendar(thing.slug):
            yield Use("ReleaseGroup", group.slug, group.name, ("cadence.holidays",))


def _text_faults(name: str, description: str) -> list[Fault]:
    faults = [*text_faults("name", name, most=200), *text_faults("description", description)]
    return faults if name.strip() else [*faults, Fault("name", "A calendar needs a name.")]


def _checked(slug: str, name: str, description: str, text: str, now: datetime) -> Read:
    faults = _text_faults(name, description)
    try:
        slug_validator(slug)
    except ValidationError as error:
        faults.append(Fault("id", error.messages[0]))
    try:
        first, last = date(now.year - YEARS_BACK, 1, 1), date(now.year + YEARS_AHEAD, 12, 31)
        read = read_days(text, first=first, last=last)
    except InvalidInput as error:
        raise InvalidInput([*faults, *error.faults]) from error
    if faults:
        raise InvalidInput(faults)
    return read


def _days_of(calendar: HolidayCalendar) -> dict[date, str]:
    return dict(calendar.days.values_list("on", "name"))


def _extent(days: dict[date, str]) -> dict[str, int | str]:
    return {"days": len(days), "from": str(min(days)), "to": str(max(days))} if days else {"days": 0}
