"""A group's cadence becomes releases: ahead of time, exactly once, and again when the cadence changes.

Weekly, Thursdays at nine in Berlin, from 4 June 2026 on, for two days. It is Monday, 1 June, noon UTC.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from config.errors import InvalidInput
from config.models import Event
from processes.models import Process
from releases.groups import save_group
from releases.models import HolidayCalendar, Release, ReleaseGroup
from releases.services import planning, trains
from releases.services.starting import start_release
from tests.trains import NOW, WEEKLY, publish_shop

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def shop(groups: Any) -> Process:
    """A published process."""
    return publish_shop()


def group(cadence: dict[str, Any] | None = WEEKLY, now: datetime = NOW, **more: Any) -> ReleaseGroup:
    """Save the group `train`."""
    document: dict[str, Any] = {"kind": "ReleaseGroup", "id": "train", "name": "Train", "process": "shop", **more}
    if cadence is not None:
        document["cadence"] = cadence
    return save_group(None, document, now=now)[0]


def planned() -> list[str]:
    """The planned starts of the group's releases that are scheduled, in UTC."""
    rows = Release.objects.filter(group__slug="train", state="scheduled").order_by("planned_start_at")
    return [f"{at:%m-%d %H:%M}" for at in rows.values_list("planned_start_at", flat=True) if at]


def first() -> Release:
    return Release.objects.filter(group__slug="train").order_by("planned_start_at")[0]


def test_occurrences_within_ninety_days_are_planned_when_the_group_is_saved():
    group()
    assert planned() == [
        "06-04 07:00", "06-11 07:00", "06-18 07:00", "06-25 07:00", "07-02 07:00", "07-09 07:00", "07-16 07:00",
        "07-23 07:00", "07-30 07:00", "08-06 07:00", "08-13 07:00", "08-20 07:00", "08-27 07:00",
    ]  # fmt: skip
    release = first()
    assert release.planned_end_at == datetime(2026, 6, 6, 7, tzinfo=UTC)
    assert (release.name, release.sequence, release.next_try_at) == ("Train 2026-06-04", 1, release.planned_start_at)
    assert Event.objects.filter(release_id=release.pk).values_list("verb", "actor_name").get() == (
        "release.planned",
        "pilothouse",
    )


def test_names_and_versions_come_from_the_groups_templates():
    group(version="1.${{ sequence }}.0", release_name="Train ${{ date(start, '%a %H:%M') }}")
    assert [(one.name, one.version) for one in Release.objects.order_by("planned_start_at")[:2]] == [
        ("Train Thu 09:00", "1.1.0"),
        ("Train Thu 09:00", "1.2.0"),
    ]


def test_a_template_that_gives_no_text_is_refused_and_nothing_is_saved():
    with pytest.raises(InvalidInput):
        group(release_name="${{ date(start, '%Y', 'Nowhere/At_all') }}")


def test_planning_again_changes_nothing_and_the_next_look_is_when_another_comes_into_view():
    train = group()
    before = list(Release.objects.order_by("pk").values())
    assert trains.plan_group(train.pk, now=NOW) == []
    assert list(Release.objects.order_by("pk").values()) == before
    train.refresh_from_db()
    assert train.next_plan_at == datetime(2026, 9, 3, 7, tzinfo=UTC) - timedelta(days=90)
    trains.plan_group(train.pk, now=train.next_plan_at + timedelta(seconds=1))
    assert planned()[-1] == "09-03 07:00"
    assert Release.objects.order_by("-planned_start_at")[0].sequence == 14


def test_another_time_of_day_moves_every_untouched_release():
    group()
    ids = set(Release.objects.values_list("pk", flat=True))
    group({**WEEKLY, "start": "2026-06-04T15:30"})
    assert planned()[:2] == ["06-04 13:30", "06-11 13:30"]
    assert set(Release.objects.values_list("pk", flat=True)) == ids
    assert first().edits == 2
    assert Event.objects.filter(verb="release.replanned").count() == len(ids)


def test_what_people_moved_called_off_or_started_stays_as_it_is(manager):
    group()
    moved, off, named = Release.objects.order_by("planned_start_at")[:3]
    planning.edit_release(manager, moved, {"planned_start_at": NOW + timedelta(days=2)}, now=NOW)
    planning.cancel_release(manager, off, reason="holiday", now=NOW)
    planning.edit_release(manager, named, {"name": "The big one"}, now=NOW)
    group({**WEEKLY, "start": "2026-06-04T15:30"})
    assert planned()[:3] == ["06-03 12:00", "06-18 07:00", "06-25 13:30"]
    assert Release.objects.get(pk=off.pk).state == "cancelled"


def test_an_occurrence_that_was_moved_away_is_not_planned_a_second_time(manager):
    train = group()
    plan = {"planned_start_at": NOW + timedelta(days=20), "planned_end_at": NOW + timedelta(days=22)}
    planning.edit_release(manager, first(), plan, now=NOW)
    trains.plan_group(train.pk, now=NOW)
    assert len(planned()) == 13


@pytest.mark.parametrize("what", ["started", "cancelled", "touched"])
def test_another_weekday_plans_no_second_release_for_what_people_started_called_off_or_touched(manager, what):
    train = group()
    if what == "started":
        start_release(manager, first(), now=NOW)
    elif what == "cancelled":
        planning.cancel_release(manager, first(), reason="holiday", now=NOW)
    else:
        planning.edit_release(manager, first(), {"name": "The big one"}, now=NOW)
    for day, weekday in enumerate(("FR", "SA", "SU", "MO"), 5):
        group({**WEEKLY, "rrule": f"FREQ=WEEKLY;BYDAY={weekday}"})
        trains.plan_group(train.pk, now=NOW)
        assert next(one for one in planned() if one > "06-04 07:00") == f"06-{day + 7:02} 07:00"


def test_a_date_that_is_added_beside_one_that_was_called_off_is_planned(manager):
    group()
    planning.cancel_release(manager, first(), reason="holiday", now=NOW)
    group({**WEEKLY, "include": ["2026-06-05"]})
    assert planned()[0] == "06-05 07:00"


def test_what_is_over_does_not_stand_for_the_next_date_of_another_rule(manager):
    group({**WEEKLY, "rrule": "FREQ=DAILY", "start": "2026-06-01T15:00"})
    start_release(manager, first(), now=NOW + timedelta(hours=2))
    group({**WEEKLY, "rrule": "FREQ=WEEKLY;BYDAY=TU", "start": "2026-06-01T09:00"}, now=NOW + timedelta(hours=3))
    assert planned()[0] == "06-02 07:00"


def test_what_people_touched_is_looked_at_when_its_group_says_so_from_now_on(manager):
    train = group(auto_start=False)
    touched, overdue = Release.objects.order_by("planned_start_at")[:2]
    plan = {"planned_start_at": NOW + timedelta(days=20), "planned_end_at": None}
    planning.edit_release(manager, touched, plan, now=NOW)
    Release.objects.filter(pk=overdue.pk).update(planned_start_at=NOW - timedelta(hours=1))
    alone = planning.create_release(
        manager, process=train.process, group=train, name="Alone", planned_start_at=NOW + timedelta(days=3), now=NOW
    )
    planning.schedule_release(manager, alone, now=NOW)
    looks = Release.objects.filter(pk__in=[touched.pk, overdue.pk, alone.pk]).order_by("pk")
    late: dict[str, Any] = {"auto_start": False, "start_deadline": "4h"}
    for rules, after in ((late, timedelta(hours=4)), ({}, timedelta(0))):
        group(**rules)
        assert [one.next_try_at for one in looks.all()] == [
            one.planned_start_at + after for one in looks.all() if one.planned_start_at
        ]
    group(auto_start=False)
    assert {one.next_try_at for one in looks.all()} == {None}


def test_other_edits_of_a_group_leave_what_waits_to_be_tried_again_as_it_is(manager):
    group()
    planning.edit_release(manager, first(), {"name": "The big one"}, now=NOW)
    again = NOW + timedelta(minutes=1)
    Release.objects.filter(name="The big one").update(next_try_at=again)
    group(description="Fast")
    assert Release.objects.get(name="The big one").next_try_at == again


def test_what_the_cadence_no_longer_names_is_withdrawn():
    group()
    group({**WEEKLY, "rrule": "FREQ=WEEKLY;INTERVAL=2;BYDAY=TH"})
    assert planned()[:3] == ["06-04 07:00", "06-18 07:00", "07-02 07:00"]
    assert list(Release.objects.order_by("planned_start_at").values_list("sequence", flat=True)[:3]) == [1, 2, 3]
    withdrawn = Event.objects.filter(verb="release.withdrawn")
    assert withdrawn.count() == 6
    group(None)
    assert planned() == []
    assert ReleaseGroup.objects.get().next_plan_at is None


def test_dates_left_out_and_added_are_followed():
    group({**WEEKLY, "exclude": ["2026-06-11"], "include": ["2026-06-09"]})
    assert planned()[:3] == ["06-04 07:00", "06-09 07:00", "06-18 07:00"]


def test_after_a_standstill_what_could_still_start_is_planned_late():
    train = group(start_deadline="4h")
    ReleaseGroup.objects.update(planned_until=NOW)
    Release.objects.all().delete()
    trains.plan_group(train.pk, now=datetime(2026, 6, 11, 9, tzinfo=UTC))
    assert planned()[:2] == ["06-11 07:00", "06-18 07:00"]


def test_a_new_group_plans_nothing_that_has_passed():
    group(start_deadline="4h", now=datetime(2026, 6, 4, 8, tzinfo=UTC))
    assert planned()[0] == "06-11 07:00"


def test_a_group_that_does_not_start_by_itself_is_looked_at_when_it_would_be_missed():
    group(auto_start=False)
    assert first().next_try_at is None
    group(auto_start=False, start_deadline="4h")
    assert first().next_try_at == datetime(2026, 6, 4, 11, tzinfo=UTC)


def test_wednesdays_around_the_third_thursday_follow_another_group():
    third = {**WEEKLY, "rrule": "FREQ=MONTHLY;BYDAY=3TH", "start": "2026-06-01T09:00"}
    save_group(
        None,
        {"kind": "ReleaseGroup", "id": "monthly", "name": "Monthly", "process": "shop", "cadence": third},
        now=NOW,
    )
    around = {"derive": {"group": "monthly", "offsets": ["-1 WE", "+1 WE"]}, "timezone": "Europe/Berlin"}
    train = group({**around, "duration": "1d"})
    assert planned()[:4] == ["06-17 07:00", "06-24 07:00", "07-15 07:00", "07-22 07:00"]
    second = {**third, "rrule": "FREQ=MONTHLY;BYDAY=2TH"}
    save_group(
        None,
        {"kind": "ReleaseGroup", "id": "monthly", "name": "Monthly", "process": "shop", "cadence": second},
        now=NOW,
    )
    train.refresh_from_db()
    assert train.next_plan_at == NOW, "the tick plans it anew"
    trains.plan_group(train.pk, now=NOW)
    assert planned()[:4] == ["06-10 07:00", "06-17 07:00", "07-08 07:00", "07-15 07:00"]


def test_a_calendar_that_is_not_there_is_refused_when_saved_and_told_by_the_tick_when_it_goes():
    with pytest.raises(InvalidInput) as caught:
        group({**WEEKLY, "holidays": {"calendar": "plant"}})
    assert [fault.path for fault in caught.value.faults] == ["cadence.holidays.calendar"]
    calendar = HolidayCalendar.objects.create(slug="plant", name="Plant", imported_at=NOW)
    calendar.days.create(on="2026-06-11", name="Inventory")
    train = group({**WEEKLY, "holidays": {"calendar": "plant", "roll": "next_working_day"}})
    assert planned()[:3] == ["06-04 07:00", "06-12 07:00", "06-18 07:00"]
    calendar.delete()
    assert trains.plan_group(train.pk, now=NOW) == []
    failed = Event.objects.get(verb="release_group.plan_failed")
    assert "There is no imported calendar 'plant'." in failed.reason
    train.refresh_from_db()
    assert train.next_plan_at == NOW + trains.STUCK
