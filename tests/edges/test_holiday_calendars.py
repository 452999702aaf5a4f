"""Holiday calendars through the API and the admin."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Permission, User
from django.core.files.uploadedfile import SimpleUploadedFile

from releases.models import HolidayCalendar
from tests.domain.test_calendars import group, on
from tests.domain.test_holidays import ics, whole_day
from tests.edges.calls import Caller, all_pages
from tests.edges.desk import Desk, staff

pytestmark = pytest.mark.django_db
CHRISTMAS = ics(whole_day("20251224", "Christmas", "RRULE:FREQ=YEARLY;COUNT=3"))
TALK = "SUMMARY:Talk\nDTSTART:20260506T090000Z"
PLANT = {"name": "Plant", "ics": CHRISTMAS}


def test_a_calendar_is_put_listed_looked_at_and_deleted(manager: User) -> None:
    caller = Caller(manager)
    made = caller.put("holiday-calendars/plant/", {**PLANT, "description": "Ours."})
    assert (made.status, made["id"], made["days"], made["ignored"], made["version"]) == (201, "plant", 3, 0, 1), made
    assert (made["first_on"], made["last_on"], made["description"]) == ("2025-12-24", "2027-12-24", "Ours.")
    assert [one["id"] for one in caller.get("holiday-calendars/")["results"]] == ["plant"]
    looked = caller.get("holiday-calendars/plant/")
    assert (looked["days"], looked.headers["ETag"]) == (3, '"1"')
    days = all_pages(caller, "holiday-calendars/plant/days/?page_size=2")
    assert days == [{"on": f"{year}-12-24", "name": "Christmas"} for year in (2025, 2026, 2027)]
    of_a_year = caller.get("holiday-calendars/plant/days/?year=2026")["results"]
    assert of_a_year == [{"on": "2026-12-24", "name": "Christmas"}]

    group("train", on("plant"))
    assert caller.get("holiday-calendars/plant/used-by/")["used_by"] == ["ReleaseGroup 'train' (cadence.holidays)"]
    refused = caller.delete("holiday-calendars/plant/")
    assert (refused.status, refused.code) == (409, "in_use")
    caller.put("holiday-calendars/other/", PLANT)
    assert caller.delete("holiday-calendars/other/").status == 204


def test_whoever_changes_a_calendar_says_what_they_have_seen(manager: User) -> None:
    caller = Caller(manager)
    caller.put("holiday-calendars/plant/", PLANT)
    for condition, status in (({}, 428), ({"If_Match": '"7"'}, 412), ({"If_Match": '"1"'}, 200)):
        answer = caller.put(
            "holiday-calendars/plant/", {"name": "Works", "ics": ics(TALK, whole_day("20260504"))}, **condition
        )
        assert answer.status == status, answer
    assert (answer["name"], answer["days"], answer["ignored"], answer.headers["ETag"]) == ("Works", 1, 1, '"2"')


def test_a_bad_file_is_refused_with_every_fault(manager: User) -> None:
    caller = Caller(manager)
    answer = caller.put("holiday-calendars/DE/", {"name": "Germany", "ics": "<html>"})
    assert (answer.status, answer.code, answer.paths) == (400, "invalid_input", {"id", "ics"})
    assert caller.put("holiday-calendars/plant/", {"name": "Plant"}).paths == {"ics"}
    assert caller.put("holiday-calendars/plant/", {**PLANT, "days": 3}).paths == {"days"}
    caller.put("holiday-calendars/plant/", PLANT)
    assert caller.get("holiday-calendars/plant/days/?year=MMXXVI").paths == {"year"}
    assert not HolidayCalendar.objects.exclude(slug="plant").exists()


def test_who_may_only_look_changes_nothing(manager: User, stranger: User) -> None:
    Caller(manager).put("holiday-calendars/plant/", PLANT)
    stranger.user_permissions.add(Permission.objects.get(codename="view_holidaycalendar"))
    caller = Caller(User.objects.get(pk=stranger.pk))
    assert caller.get("holiday-calendars/plant/")["days"] == 3
    for answer in (
        caller.put("holiday-calendars/plant/", PLANT, If_Match="*"),
        caller.put("holiday-calendars/other/", PLANT),
        caller.delete("holiday-calendars/plant/"),
    ):
        assert (answer.status, answer.code) == (403, "not_permitted")


def test_who_may_only_add_sees_what_they_have_added_once(stranger: User) -> None:
    stranger.user_permissions.add(Permission.objects.get(codename="add_holidaycalendar"))
    caller = Caller(stranger)
    assert caller.put("holiday-calendars/plant/", PLANT)["days"] == 3
    assert caller.get("holiday-calendars/plant/").status == 404


@pytest.fixture
def desk(manager: User) -> Desk:
    return Desk(staff(manager))


def test_a_file_is_uploaded_in_the_admin(desk: Desk) -> None:
    desk.open("releases_holidaycalendar_add")
    file = SimpleUploadedFile("plant.ics", b"\xef\xbb\xbf" + ics(TALK, whole_day("20260504", "Fête")).encode())
    desk.save(slug="plant", name="Plant", file=file)
    made = HolidayCalendar.objects.get()
    assert (made.slug, made.version, [day.name for day in made.days.all()]) == ("plant", 1, ["Fête"])
    assert "Days off: 1. Ignored, as they have a time of day: 1." in desk.text
    desk.open("releases_holidaycalendar_change", made.pk)
    assert "2026-05-04 Mon Fête" in desk.text

    desk.save(name="Works", description="Renamed only.")
    made.refresh_from_db()
    assert (made.name, made.description, made.version, made.days.count()) == ("Works", "Renamed only.", 2, 1)
    desk.open("releases_holidaycalendar_change", made.pk)
    desk.save(ics=CHRISTMAS)
    assert made.days.count() == 3
    desk.open("releases_holidaycalendar_changelist")
    assert "Works" in desk.text


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ({}, "Choose a file, or paste its text."),
        ({"ics": "<html>"}, "no iCalendar text"),
        ({"file": b"<html>"}, "no iCalendar text"),
        ({"file": b"\xff\xfe\x00"}, "not UTF-8"),
        ({"ics": CHRISTMAS, "slug": "DE"}, "lower-case"),
    ],
)
def test_what_the_admin_refuses_is_told(typed: dict[str, object], words: str, desk: Desk) -> None:
    desk.open("releases_holidaycalendar_add")
    if isinstance(file := typed.get("file"), bytes):
        typed = {**typed, "file": SimpleUploadedFile("x.ics", file)}
    desk.save(**{"slug": "plant", "name": "Plant", **typed})
    assert words in desk.text
    assert not HolidayCalendar.objects.exists()


def test_a_calendar_that_is_named_is_not_deleted_in_the_admin(desk: Desk) -> None:
    made = HolidayCalendar.objects.create(slug="plant", name="Plant", imported_at="2026-03-02T09:00Z")
    group("train", on("plant"))
    desk.open("releases_holidaycalendar_delete", made.pk)
    assert "ReleaseGroup 'train'" in desk.text
    desk.open("releases_holidaycalendar_used_by", made.pk)
    assert "ReleaseGroup 'train' (cadence.holidays)" in desk.text
