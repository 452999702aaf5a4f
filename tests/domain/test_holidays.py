"""Importing days off: what a file gives, what it is refused for, who may, and which groups are planned anew."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from textwrap import dedent

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command

from config.errors import Conflict, InvalidInput, NotPermitted
from config.models import Event
from releases.calendars import load_calendars
from releases.models import HolidayCalendar, ReleaseGroup
from releases.services.holiday_files import LARGEST, MOST_EVENTS, Read, read_days
from releases.services.holidays import delete_calendar, import_calendar
from tests.domain.test_calendars import derived, group, on

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
LATER = datetime(2026, 3, 3, 9, 0, tzinfo=UTC)
FIRST, LAST = date(2026, 1, 1), date(2028, 12, 31)


def event(text: str) -> str:
    return f"BEGIN:VEVENT\n{dedent(text).strip()}\nEND:VEVENT\n"


def ics(*events: str) -> str:
    return "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//test//EN\n" + "".join(map(event, events)) + "END:VCALENDAR\n"


def whole_day(on: str, name: str = "Closed", *lines: str) -> str:
    return "\n".join([f"UID:{name}", f"SUMMARY:{name}", f"DTSTART;VALUE=DATE:{on}", *lines])


def read(*events: str) -> list[str]:
    return [f"{day:%y%m%d}" for day in read_days(ics(*events), first=FIRST, last=LAST).days]


@pytest.mark.parametrize(
    ("lines", "days"),
    [
        ("", "260504"),
        ("DTEND;VALUE=DATE:20260505", "260504"),
        ("DTEND;VALUE=DATE:20260504", "260504"),  # ends the day it starts: many programs write this
        ("DTEND;VALUE=DATE:20260507", "260504 260505 260506"),
        ("DURATION:P2D", "260504 260505"),
        ("DURATION:P1W", "260504 260505 260506 260507 260508 260509 260510"),
        ("DTEND;VALUE=DATE:20260506\nRRULE:FREQ=YEARLY;COUNT=2", "260504 260505 270504 270505"),
        ("RRULE:FREQ=YEARLY", "260504 270504 280504"),
        ("RRULE:FREQ=YEARLY;UNTIL=20270504", "260504 270504"),
        ("RRULE:FREQ=YEARLY;UNTIL=20270504T000000Z", "260504 270504"),
        ("RRULE:FREQ=YEARLY;BYMONTH=5;BYDAY=1MO", "260504 270503 280501"),
        ("RRULE:FREQ=MONTHLY;BYDAY=-1FR;COUNT=2", "260529 260626"),
        ("RRULE:FREQ=WEEKLY;BYDAY=MO,WE;COUNT=3", "260504 260506 260511"),
        ("RRULE:FREQ=DAILY;INTERVAL=10;COUNT=3", "260504 260514 260524"),
        ("RRULE:FREQ=YEARLY\nEXDATE;VALUE=DATE:20270504", "260504 280504"),
        ("RRULE:FREQ=YEARLY\nEXDATE:20270504T000000", "260504 280504"),
        ("RDATE;VALUE=DATE:20260601,20260701", "260504 260601 260701"),
    ],
)
def test_what_a_whole_day_event_gives(lines: str, days: str) -> None:
    assert " ".join(read(whole_day("20260504", "Closed", lines))) == days


def test_a_rule_that_began_long_ago_counts_from_its_beginning() -> None:
    assert read(whole_day("19010504", "Old", "RRULE:FREQ=YEARLY")) == ["260504", "270504", "280504"]
    assert read(whole_day("20250228", "Leap", "RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29")) == ["280229"]


def test_a_moved_recurrence_stands_for_the_one_it_replaces() -> None:
    rule = whole_day("20260504", "Fair", "RRULE:FREQ=YEARLY")
    moved = whole_day("20270511", "Fair", "RECURRENCE-ID;VALUE=DATE:20270504")
    assert read(rule, moved) == ["260504", "270511", "280504"]


def test_names_are_kept_and_joined_where_two_fall_on_a_day() -> None:
    found = read_days(
        ics(
            whole_day("20260504", "Star\\, day\\nof the plant"),
            whole_day("20260504", "Bridge"),
            whole_day("20260504", "Bridge"),
            whole_day("20260505", ""),
            whole_day("20260506", "x" * 300),
        ),
        first=FIRST,
        last=LAST,
    )
    names = list(found.days.values())
    assert names == ["Star, day of the plant, Bridge", "Day off", "x" * 200]


def test_events_with_a_time_are_counted_and_cancelled_ones_are_not_there() -> None:
    text = ics(
        whole_day("20260504"),
        whole_day("20260505", "Off", "STATUS:CANCELLED"),
        "SUMMARY:Talk\nDTSTART:20260506T090000Z",
        "SUMMARY:Talk\nDTSTART;TZID=Europe/Berlin:20260507T090000\nRRULE:FREQ=SECONDLY",
    )
    assert read_days(text, first=FIRST, last=LAST) == Read({date(2026, 5, 4): "Closed"}, 2)


def test_lines_may_be_folded_and_several_calendars_share_a_file() -> None:
    text = ics(whole_day("20260504", "Clo\n sed")) + ics(whole_day("20260505"))
    found = read_days(text.replace("\n", "\r\n"), first=FIRST, last=LAST).days
    assert found == {date(2026, 5, 4): "Closed", date(2026, 5, 5): "Closed"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no iCalendar text"),
        ("<html>Sign in</html>", "no iCalendar text"),
        ("BEGIN:VCALENDAR\nnonsense\nEND:VCALENDAR", "no iCalendar text"),
        ("BEGIN:VCALENDAR\nBEGIN:VEVENT\n", "ends before"),
        ("x" * (LARGEST + 1), "more than"),
        (ics(*["SUMMARY:x"] * (MOST_EVENTS + 1)), "more than 3000 events"),
        (ics(), "no whole day"),
        (ics(whole_day("19990101")), "no whole day from 2026-01-01 to 2028-12-31"),
        (ics("SUMMARY:Talk\nDTSTART:20260506T090000Z"), "time of day are ignored"),
        (ics("SUMMARY:Lost"), "'Lost' cannot be read: it has no start"),
        (ics(whole_day("20261399")), "'Closed' cannot be read"),
        (ics(whole_day("20260504", "Closed", "DTEND;VALUE=DATE:20260501")), "ends before it starts"),
        (ics(whole_day("20260504", "Closed", "RRULE:FREQ=SECONDLY")), "does not recur by days"),
        (ics(whole_day("20260504", "Closed", "RRULE:FREQ=DAILY;BYHOUR=1,2,3")), "does not recur by days"),
        (ics(whole_day("20260504", "Closed", "RRULE:FREQ=DAILY;INTERVAL=0")), "every 0 days"),
        (ics(whole_day("20260504", "Closed", "RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30")), "gives no day at all"),
        (ics(whole_day("00010101", "Closed", "RRULE:FREQ=DAILY")), "more than 100000 days"),
        (ics(whole_day("20260101", "Closed", "DURATION:P9000000D")), ""),
    ],
)
def test_what_a_file_is_refused_for(text: str, words: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        read_days(text, first=FIRST, last=LAST)
    assert words in str(caught.value)
    assert {fault.path for fault in caught.value.faults} == {"ics"}


def test_every_event_that_cannot_be_read_is_named() -> None:
    with pytest.raises(InvalidInput) as caught:
        read_days(ics("SUMMARY:One", whole_day("20260504"), "SUMMARY:Two"), first=FIRST, last=LAST)
    assert [fault.message.split("'")[1] for fault in caught.value.faults] == ["One", "Two"]


@pytest.mark.django_db
def test_a_calendar_is_imported_and_replaced(manager: User) -> None:
    text = ics(whole_day("20261224", "Closed", "RRULE:FREQ=YEARLY"), "SUMMARY:Talk\nDTSTART:20260506T090000Z")
    made = import_calendar(manager, slug="plant", name=" Plant ", text=text, now=NOW)
    assert (made.calendar.name, made.is_new, made.days, made.ignored) == ("Plant", True, 11, 1)
    assert list(load_calendars(["plant"])["plant"])[-1] == date(2036, 12, 24)

    again = import_calendar(manager, slug="plant", name="Works", text=ics(whole_day("20260504")), now=LATER)
    assert (again.is_new, again.days, again.calendar.version) == (False, 1, 2)
    assert load_calendars(["plant"]) == {"plant": {date(2026, 5, 4): "Closed"}}
    assert HolidayCalendar.objects.get().imported_at == LATER
    told = Event.objects.filter(subject_type="holidaycalendar").order_by("id")
    assert [(one.actor_name, one.verb) for one in told] == [("manager", "holiday_calendar.imported")] * 2
    assert told[1].before == {"version": 1, "days": 11, "from": "2026-12-24", "to": "2036-12-24"}
    assert told[1].after == {"version": 2, "days": 1, "from": "2026-05-04", "to": "2026-05-04"}


@pytest.mark.django_db
def test_a_bad_file_changes_nothing_and_every_fault_is_told(manager: User) -> None:
    import_calendar(manager, slug="plant", name="Plant", text=ics(whole_day("20260504")), now=NOW)
    with pytest.raises(InvalidInput) as caught:
        import_calendar(manager, slug="plant", name=" ", text="?", now=LATER)
    assert [fault.path for fault in caught.value.faults] == ["name", "ics"]
    with pytest.raises(InvalidInput) as caught:
        import_calendar(manager, slug="DE", name="Germany", text=ics(whole_day("20260504")), now=NOW)
    assert [fault.path for fault in caught.value.faults] == ["id"]
    assert load_calendars(["plant"]) == {"plant": {date(2026, 5, 4): "Closed"}}


@pytest.mark.django_db
def test_only_who_may_change_calendars_imports_and_deletes(manager: User, stranger: User) -> None:
    made = import_calendar(manager, slug="plant", name="Plant", text=ics(whole_day("20260504")), now=NOW)
    for slug in ("plant", "other"):
        with pytest.raises(NotPermitted):
            import_calendar(stranger, slug=slug, name="X", text=ics(whole_day("20260504")), now=NOW)
    with pytest.raises(NotPermitted):
        delete_calendar(stranger, made.calendar, now=NOW)


@pytest.mark.django_db
def test_who_has_seen_another_version_is_told(manager: User) -> None:
    text = ics(whole_day("20260504"))
    import_calendar(manager, slug="plant", name="Plant", text=text, now=NOW, expected_version=0)
    for seen in (0, 2):
        with pytest.raises(Conflict):
            import_calendar(manager, slug="plant", name="Plant", text=text, now=NOW, expected_version=seen)


@pytest.mark.django_db
def test_groups_whose_dates_depend_on_it_are_planned_anew(manager: User) -> None:
    group("named", on("plant"))
    group("below", derived("named"))
    group("other", on("office"))
    import_calendar(manager, slug="plant", name="Plant", text=ics(whole_day("20260504")), now=NOW)
    assert waiting() == {"named": NOW, "below": NOW, "other": None}

    ReleaseGroup.objects.update(next_plan_at=None)
    import_calendar(manager, slug="plant", name="Renamed", text=ics(whole_day("20260504")), now=LATER)
    assert set(waiting().values()) == {None}
    import_calendar(manager, slug="plant", name="Renamed", text=ics(whole_day("20260505")), now=LATER)
    assert waiting() == {"named": LATER, "below": LATER, "other": None}


def waiting() -> dict[str, datetime | None]:
    return dict(ReleaseGroup.objects.values_list("slug", "next_plan_at"))


@pytest.mark.django_db
def test_a_calendar_stays_while_a_cadence_names_it(manager: User) -> None:
    made = import_calendar(manager, slug="plant", name="Plant", text=ics(whole_day("20260504")), now=NOW)
    user = group("train", on("plant"))
    with pytest.raises(Conflict) as caught:
        delete_calendar(manager, made.calendar, now=LATER)
    assert (caught.value.code, "ReleaseGroup 'train'" in caught.value.message) == ("in_use", True)
    user.delete()
    delete_calendar(manager, made.calendar, now=LATER)
    assert not HolidayCalendar.objects.exists()
    assert Event.objects.latest("id").verb == "holiday_calendar.deleted"


@pytest.mark.django_db
def test_the_command_imports_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "plant.ics"
    file.write_text(ics(whole_day("20261224", "Closed", "RRULE:FREQ=YEARLY;COUNT=2")), "utf-8-sig")
    call_command("import_holidays", "plant", str(file), "--name", "Plant")
    assert "Days off in 'plant': 2." in capsys.readouterr().out
    call_command("import_holidays", "plant", str(file))
    assert HolidayCalendar.objects.get().name == "Plant"
    for arguments in (["DE", str(file), "--name", "X"], ["plant", str(tmp_path / "missing.ics")]):
        with pytest.raises(CommandError):
            call_command("import_holidays", *arguments)
