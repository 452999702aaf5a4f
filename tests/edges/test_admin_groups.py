"""Release groups in the admin: written in fields, previewed, kept as they were written elsewhere; dates skipped."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from guardian.shortcuts import assign_perm

from processes.models import Process
from processes.services import apply
from releases.groups import export_group, save_group
from releases.models import Release, ReleaseGroup
from tests.edges.desk import Desk, staff

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
SHOP = """
kind: Process
id: shop
name: Shop
phases:
  - {id: only, name: Only, activities: [{id: agree, manual: {instructions: Look.}}]}
"""
TRAIN: dict[str, Any] = {
    "kind": "ReleaseGroup",
    "id": "train",
    "name": "Train",
    "process": "shop",
    "cadence": {
        "rrule": "FREQ=WEEKLY;BYDAY=TH",
        "start": "2026-01-08T09:00",
        "timezone": "Europe/Berlin",
        "duration": "2d",
    },
}
#: Everything a document may say, some of it as no form would write it.
ODD: dict[str, Any] = {
    "kind": "ReleaseGroup",
    "id": "odd",
    "name": "Odd",
    "process": "shop",
    "description": "",
    "owners": ["group:qa"],
    "version": "1.${{ sequence }}.0",
    "release_name": "Odd ${{ sequence }}",
    "auto_start": True,
    "overlap": "queue",
    "start_deadline": 3600,
    "cadence": {
        "timezone": "Europe/Berlin",
        "rrule": "freq=yearly;bymonth=3,9;byday=1TU;wkst=SU",
        "start": "2026-01-08T09:00:00",
        "duration": 90000,
        "include": [],
        "exclude": ["2026-09-01"],
        "until": "2030-01-01",
        "holidays": {"calendar": "DE-BY", "roll": "keep", "weekends": False},
    },
}


@pytest.fixture(autouse=True)
def shop(groups: Any) -> Process:
    apply(None, SHOP, now=NOW, publish=True)
    return Process.objects.get()


@pytest.fixture
def desk(manager: User) -> Desk:
    return Desk(staff(manager))


def train() -> ReleaseGroup:
    return save_group(None, TRAIN, now=timezone.now())[0]


def starts(group: ReleaseGroup) -> list[datetime]:
    rows = Release.objects.filter(group=group, state="scheduled").order_by("planned_start_at")
    return [at for at in rows.values_list("planned_start_at", flat=True) if at]


def test_a_group_is_written_in_fields(desk: Desk, shop: Process) -> None:
    desk.open("releases_releasegroup_add").save(
        slug="train",
        name="Train",
        process=str(shop.pk),
        color="#2563eb",
        release_name="Train ${{ date(start, '%Y-%m-%d') }}",
        release_version="1.${{ sequence }}.0",
        owners=["group:release-managers"],
        repeats="every_two_weeks",
        weekdays=["TH", "TU"],
        start="2026-01-08T09:00",
        timezone="Europe/Berlin",
        duration="2d",
        ends="until",
        until="2030-12-31",
        include="2026-12-24\n2026-12-28",
        exclude="2026-08-06, 2026-08-11",
        holiday_calendar="DE-BY",
        holiday_roll="next_working_day",
        auto_start=None,
        overlap="queue",
        start_deadline="4h",
    )
    assert desk.first_status == 302
    assert export_group(ReleaseGroup.objects.get()) == {
        "kind": "ReleaseGroup",
        "id": "train",
        "name": "Train",
        "process": "shop",
        "color": "#2563eb",
        "release_name": "Train ${{ date(start, '%Y-%m-%d') }}",
        "version": "1.${{ sequence }}.0",
        "owners": ["group:release-managers"],
        "cadence": {
            "rrule": "FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,TH",
            "start": "2026-01-08T09:00",
            "timezone": "Europe/Berlin",
            "duration": "2d",
            "until": "2030-12-31",
            "include": ["2026-12-24", "2026-12-28"],
            "exclude": ["2026-08-06", "2026-08-11"],
            "holidays": {"calendar": "DE-BY", "roll": "next_working_day"},
        },
        "auto_start": False,
        "overlap": "queue",
        "start_deadline": "4h",
    }
    assert " planned." in desk.text


@pytest.mark.parametrize(
    ("typed", "rule"),
    [
        ({"repeats": "daily"}, "FREQ=DAILY"),
        ({"repeats": "monthly_by_date", "month_day": "-1"}, "FREQ=MONTHLY;BYMONTHDAY=-1"),
        ({"repeats": "monthly_by_weekday", "nth": "3", "weekdays": ["TH"]}, "FREQ=MONTHLY;BYDAY=3TH"),
        (
            {"repeats": "quarterly_by_weekday", "nth": "-1", "weekdays": ["FR"]},
            "FREQ=MONTHLY;INTERVAL=3;BYDAY=-1FR",
        ),
        ({"repeats": "custom", "rrule": "FREQ=YEARLY;BYMONTH=3,9;BYDAY=1TU"}, "FREQ=YEARLY;BYMONTH=3,9;BYDAY=1TU"),
    ],
)
def test_every_preset_is_written_and_shown_again(desk: Desk, shop: Process, typed: dict[str, Any], rule: str) -> None:
    times = {"start": "2026-01-08T09:00", "timezone": "Europe/Berlin", "duration": "2d"}
    desk.open("releases_releasegroup_add").save(slug="train", name="Train", process=str(shop.pk), **times, **typed)
    group = ReleaseGroup.objects.get()
    assert group.body["cadence"] == {**times, "rrule": rule}
    shown = desk.open("releases_releasegroup_change", group.pk).form
    assert {key: [shown[key]] if key == "weekdays" else shown[key] for key in typed} == typed
    desk.save()
    group.refresh_from_db()
    assert group.version == 1


def test_dates_are_derived_from_another_group(desk: Desk, shop: Process) -> None:
    train()
    desk.open("releases_releasegroup_add").save(
        slug="rehearsal",
        name="Rehearsal",
        process=str(shop.pk),
        repeats="derived",
        derive_group="train",
        derive_offsets="-1 WE\n-6 working days",
        start="2026-01-08T14:00",
        timezone="Europe/Berlin",
        duration="4h",
    )
    assert desk.first_status == 302
    group = ReleaseGroup.objects.get(slug="rehearsal")
    assert group.body["cadence"] == {
        "derive": {"group": "train", "offsets": ["-1 WE", "-6 working days"]},
        "start": "2026-01-08T14:00",
        "timezone": "Europe/Berlin",
        "duration": "4h",
    }
    desk.open("releases_releasegroup_change", group.pk).save(repeats="weekly", weekdays=["MO"], agreed="?")
    assert "changes what is planned" in desk.text
    desk.save()
    group.refresh_from_db()
    assert (group.body["cadence"]["rrule"], "derive" in group.body["cadence"]) == ("FREQ=WEEKLY;BYDAY=MO", False)


@pytest.mark.parametrize("document", [TRAIN, ODD], ids=["train", "odd"])
def test_saving_an_untouched_form_changes_nothing(desk: Desk, document: dict[str, Any]) -> None:
    group, _ = save_group(None, document, now=NOW)
    desk.open("releases_releasegroup_change", group.pk).save()
    assert desk.first_status == 302
    group.refresh_from_db()
    assert (group.version, export_group(group)) == (1, document)
    desk.open("releases_releasegroup_change", group.pk).save(description="Changed")
    group.refresh_from_db()
    assert (group.version, export_group(group)) == (2, {**document, "description": "Changed"})


def test_what_is_emptied_goes_and_nothing_else(desk: Desk) -> None:
    group, _ = save_group(None, ODD, now=NOW)
    desk.open("releases_releasegroup_change", group.pk).save(
        exclude="", holiday_calendar="", holiday_roll="", ends="", until="", start_deadline="", auto_start=None
    )
    if "changes what is planned" in desk.text:
        desk.save()
    group.refresh_from_db()
    kept = {key: value for key, value in ODD["cadence"].items() if key not in ("exclude", "until", "holidays")}
    assert group.body["cadence"] == kept
    assert (group.body["auto_start"], "start_deadline" in group.body) == (False, False)


FINE = {
    "slug": "train",
    "name": "Train",
    "repeats": "weekly",
    "start": "2026-01-08T09:00",
    "timezone": "Europe/Berlin",
    "duration": "2d",
    "description": "Typed before",
}


@pytest.mark.parametrize(
    ("typed", "field", "told"),
    [
        ({"repeats": "custom", "rrule": "FREQ=SECONDLY"}, "rrule", "DAILY, WEEKLY"),
        ({"repeats": "custom", "rrule": "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"}, "rrule", "No day within"),
        ({"repeats": "monthly_by_weekday", "weekdays": ["MO", "TU"], "nth": "1"}, "weekdays", "one weekday"),
        ({"repeats": "monthly_by_weekday", "weekdays": ["MO"]}, "nth", "not said"),
        ({"repeats": "monthly_by_date", "month_day": "40"}, "month_day", "not a day of a month"),
        ({"repeats": ""}, "repeats", "Say how it repeats"),
        ({"repeats": "derived"}, "derive_group", "group"),
        ({"repeats": "derived", "derive_group": "", "derive_offsets": "-1 XX"}, "derive_offsets", "-1 XX"),
        ({"start": "soon"}, "start", "2026-01-08T09:00"),
        ({"start": ""}, "start", "missing"),
        ({"timezone": ""}, "timezone", "missing"),
        ({"duration": "long"}, "duration", "2d"),
        ({"ends": "until", "until": "2020-01-01"}, "until", "before it starts"),
        ({"ends": "until"}, "until", "Say when"),
        ({"ends": "count", "count": "0"}, "count", "1"),
        ({"count": "7"}, "ends", "Choose it here"),
        ({"include": "christmas"}, "include", "2026-01-08"),
        ({"holiday_calendar": "DX"}, "holiday_calendar", "DX"),
        ({"holiday_calendar": "plant"}, "holiday_calendar", "no imported calendar"),
        ({"holiday_roll": "skip"}, "holiday_calendar", "missing"),
        ({"release_version": "${{ nope }}"}, "release_version", "nope"),
        ({"owners": ["qa"]}, "owners", "qa"),
        ({"start_deadline": "x"}, "start_deadline", "2d"),
        ({"color": "blue"}, "color", "not a colour"),
        ({"slug": "No Slug"}, "slug", "lower-case"),
        ({"process": ""}, "process", "required"),
    ],
)
def test_every_fault_stands_at_its_field_and_nothing_is_lost(
    desk: Desk, shop: Process, typed: dict[str, Any], field: str, told: str
) -> None:
    desk.open("releases_releasegroup_add").save(**{"process": str(shop.pk), **FINE, **typed})
    assert desk.status == 200
    assert told in desk.faults(field)
    assert desk.form["description"] == "Typed before"
    assert not ReleaseGroup.objects.exists()


def test_a_preview_shows_dates_and_saves_nothing(desk: Desk, shop: Process) -> None:
    typed = {**FINE, "weekdays": ["TH"], "start": "2030-03-28T02:30", "include": "2030-03-31"}
    desk.open("releases_releasegroup_add").save(process=str(shop.pk), **typed, _preview="1")
    assert not ReleaseGroup.objects.exists()
    assert "Nothing has been saved" in desk.text
    assert "Every Thursday at 02:30 (Europe/Berlin), for 2 days" in desk.text
    assert desk.form["start"] == "2030-03-28T02:30"
    desk.save(duration="", _preview="1")
    assert "missing" in desk.faults("duration")


def test_a_date_that_is_bent_says_why(desk: Desk) -> None:
    soon = timezone.now().date() + timedelta(days=5)
    group, _ = save_group(
        None, {**TRAIN, "cadence": {**TRAIN["cadence"], "include": [soon.isoformat()]}}, now=timezone.now()
    )
    text = desk.open("releases_releasegroup_change", group.pk).text
    if soon.weekday() != 3:
        assert " extra " in text
    assert "Europe/Berlin" in text
    assert " UTC" in text


def test_what_is_planned_changes_only_after_it_was_shown(desk: Desk) -> None:
    group = train()
    before = starts(group)
    desk.open("releases_releasegroup_change", group.pk).save(start="2026-01-08T10:00")
    assert "This changes what is planned" in desk.text
    group.refresh_from_db()
    assert (group.version, starts(group)) == (1, before)
    assert desk.form["start"] == "2026-01-08T10:00"
    desk.save(start="2026-01-08T11:00")
    assert "This changes what is planned" in desk.text, "another edit has not been seen"
    desk.save()
    assert desk.first_status == 302
    after = starts(group)
    assert f"{len(after)} changed" in desk.text
    assert len(after) >= len(before) - 1, "only the last may have moved beyond what is planned ahead"
    assert after == [at + timedelta(hours=2) for at in before][: len(after)]


def test_the_page_names_what_is_planned_and_what_stops_it(desk: Desk) -> None:
    group = train()
    release = Release.objects.filter(group=group).earliest("planned_start_at")
    finding = {"code": "frozen", "stops": True, "message": "The freeze 'Year end' applies.", "cure": "Wait."}
    Release.objects.filter(pk=release.pk).update(findings=[finding], touched_at=timezone.now())
    text = desk.open("releases_releasegroup_change", group.pk).text
    assert "Planned releases" in text
    assert "The freeze 'Year end' applies. Wait." in text
    assert "by hand" in text
    assert f"/admin/releases/release/{release.pk}/change/" in desk.source


def test_releases_that_somebody_may_not_see_are_not_named(stranger: User) -> None:
    group = train()
    for verb in ("view", "change"):
        assign_perm(f"{verb}_releasegroup", stranger, group)
    assert "Planned releases" in Desk(staff(stranger)).open("releases_releasegroup_change", group.pk).text
    other = User.objects.create_user("other")
    assign_perm("change_releasegroup", other, group)
    text = Desk(staff(other)).open("releases_releasegroup_change", group.pk).text
    assert "Next dates" in text
    assert "Planned releases" not in text
    assert " scheduled " not in text


def test_a_date_is_skipped(desk: Desk) -> None:
    group = train()
    first = Release.objects.filter(group=group).earliest("planned_start_at")
    assert first.occurs_at is not None
    desk.open("releases_releasegroup_skip", group.pk).save(occurs_at=first.occurs_at.isoformat(), reason="Holiday")
    assert desk.first_status == 302
    first.refresh_from_db()
    assert (first.state, first.reason) == ("cancelled", "Holiday")
    assert "is called off" in desk.text

    desk.open("releases_releasegroup_skip", group.pk)
    assert first.occurs_at.isoformat() not in desk.source
    far = starts(group)[-1] + timedelta(days=7)
    desk.save(occurs_at=far.isoformat())
    group.refresh_from_db()
    assert [date.fromisoformat(day) for day in group.body["cadence"]["exclude"]] == [far.date()]


@pytest.mark.parametrize("occurs_at", ["", "soon", "2026-99-99T00:00:00Z", "2031-01-01T00:00:00Z", "2031-01-01T00:00"])
def test_no_other_date_is_skipped(desk: Desk, occurs_at: str) -> None:
    group = train()
    desk.open("releases_releasegroup_skip", group.pk).save(occurs_at=occurs_at)
    assert desk.status == 400
    assert "next dates" in desk.text
    group.refresh_from_db()
    assert group.version == 1


def test_who_may_only_look_skips_and_previews_nothing(stranger: User) -> None:
    group = train()
    assign_perm("view_releasegroup", stranger, group)
    desk = Desk(staff(stranger))
    text = desk.open("releases_releasegroup_change", group.pk).text
    assert "Next dates" in text
    assert "Skip a date" not in text
    assert "Preview" not in text
    assert desk.open("releases_releasegroup_skip", group.pk).status == 403
    assert desk.send({"occurs_at": starts(group)[0].isoformat()}).status == 403
    desk.open("releases_releasegroup_change", group.pk).send({"name": "Mine", "_preview": "1"})
    assert desk.status == 403
    desk = Desk(staff(User.objects.create_user("nobody")))
    assert desk.open("releases_releasegroup_skip", group.pk).status in (403, 404)


def test_the_page_takes_as_many_queries_for_many_releases_as_for_few(desk: Desk) -> None:
    group = train()
    few = Release.objects.filter(group=group).order_by("planned_start_at").values_list("pk", flat=True)[:1]
    counts = []
    for keep in (list(few), None):
        if keep is not None:
            ReleaseGroup.objects.filter(pk=group.pk).update(version=1)
            hidden = Release.objects.filter(group=group).exclude(pk__in=keep)
            hidden.update(state="cancelled")
        else:
            Release.objects.filter(group=group).update(state="scheduled")
        desk.open("releases_releasegroup_change", group.pk)
        with CaptureQueriesContext(connection) as caught:
            desk.open("releases_releasegroup_change", group.pk)
        counts.append(len(caught))
    assert counts[0] == counts[1]
