"""Moving and skipping occurrences of a group: this one, this and those that follow, or all.

Weekly, Thursdays at nine in Berlin, from 4 June 2026 on, for two days. It is Monday, 1 June, noon UTC.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from config.errors import Conflict, InvalidInput, NotPermitted
from releases.groups import export_group, preview_group, save_group
from releases.models import Release, ReleaseGroup
from releases.services import trains
from releases.services.moving import move_release, skip_occurrence
from releases.services.starting import start_release
from tests.trains import DOCUMENT, NOW, publish_shop

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def train(groups: Any) -> ReleaseGroup:
    """The group, planned."""
    publish_shop()
    return save_group(None, DOCUMENT, now=NOW)[0]


def with_rule(now: datetime = NOW, **changes: Any) -> ReleaseGroup:
    """Save the group with parts of its cadence changed; at another time, as if it were new."""
    if now != NOW:
        Release.objects.all().delete()
        ReleaseGroup.objects.update(planned_until=None)
    return save_group(None, {**DOCUMENT, "cadence": {**DOCUMENT["cadence"], **changes}}, now=now)[0]


def nth(number: int) -> Release:
    """The group's release of this number, the first being 1."""
    return Release.objects.order_by("planned_start_at")[number - 1]


def planned() -> list[str]:
    """The planned starts in UTC."""
    rows = Release.objects.filter(state="scheduled").order_by("planned_start_at")
    return [f"{at:%m-%d %H:%M}" for at in rows.values_list("planned_start_at", flat=True) if at]


def at(day: int, hour: int) -> datetime:
    return datetime(2026, 6, day, hour, tzinfo=UTC)


def test_moving_one_leaves_the_others_and_keeps_its_length(manager, train):
    moved = move_release(manager, nth(2), starts_at=at(12, 6), now=NOW).release
    assert planned()[:3] == ["06-04 07:00", "06-12 06:00", "06-18 07:00"]
    assert moved.planned_end_at == at(14, 6)
    assert trains.plan_group(train.pk, now=NOW)[0].kind == "kept"
    assert planned()[:3] == ["06-04 07:00", "06-12 06:00", "06-18 07:00"]


def test_moving_all_moves_the_rule(manager, train):
    changes = move_release(manager, nth(2), starts_at=at(12, 6), scope="all", now=NOW).changes
    assert planned()[:3] == ["06-05 06:00", "06-12 06:00", "06-19 06:00"]
    assert {change.kind for change in changes} == {"changed"}
    rule = export_group(ReleaseGroup.objects.get())["cadence"]
    assert (rule["rrule"], rule["start"]) == ("FREQ=WEEKLY;BYDAY=FR", "2026-06-05T08:00")


def test_moving_this_and_those_that_follow_leaves_what_is_planned_before(manager, train):
    release = nth(2)
    moved = move_release(manager, release, starts_at=at(12, 6), scope="following", now=NOW)
    assert planned()[:4] == ["06-04 07:00", "06-12 06:00", "06-19 06:00", "06-26 06:00"]
    assert moved.release.pk == release.pk
    later = datetime(2026, 9, 1, tzinfo=UTC)
    trains.plan_group(train.pk, now=later)
    assert planned()[:2] == ["06-04 07:00", "06-12 06:00"]
    assert planned()[-1] == "11-27 07:00", "still eight o'clock in Berlin, where it is winter by then"


def test_those_that_follow_count_dates_left_out_and_none_that_were_added(manager):
    with_rule(count=4, exclude=["2026-06-11"], include=["2026-06-09"])
    move_release(manager, nth(3), starts_at=at(19, 6), scope="following", now=NOW)
    assert planned() == ["06-04 07:00", "06-09 07:00", "06-19 06:00", "06-26 06:00"]


@pytest.mark.parametrize("scope", ["following", "all"])
@pytest.mark.parametrize("days", [4, 5, 6, 20])
def test_a_weekly_series_moves_by_more_than_half_a_week_and_each_release_with_it(manager, scope, days):
    second = list(Release.objects.order_by("planned_start_at").values_list("pk", flat=True))[1]
    starts_at = at(11, 7) + timedelta(days=days)
    moved = move_release(manager, Release.objects.get(pk=second), starts_at=starts_at, scope=scope, now=NOW)
    assert (moved.release.pk, moved.release.planned_start_at) == (second, starts_at)
    assert {change.kind for change in moved.changes} <= {"changed", "kept"}
    first = at(4, 7) + timedelta(days=days if scope == "all" else 0)
    starts = Release.objects.order_by("planned_start_at").values_list("planned_start_at", flat=True)
    assert list(starts) == sorted([first, *(starts_at + timedelta(weeks=week) for week in range(12))])


def test_a_monthly_series_moves_by_five_days(manager):
    with_rule(rrule="FREQ=MONTHLY", start="2026-06-04T09:00")
    ids = list(Release.objects.order_by("planned_start_at").values_list("pk", flat=True))
    move_release(manager, nth(1), starts_at=at(9, 7), scope="all", now=NOW)
    assert planned() == ["06-09 07:00", "07-09 07:00", "08-09 07:00"]
    assert list(Release.objects.order_by("planned_start_at").values_list("pk", flat=True)) == ids


def test_a_series_moved_there_and_back_is_as_before(manager):
    before = list(Release.objects.order_by("pk").values_list("pk", "planned_start_at", "occurs_at", "sequence"))
    last = Release.objects.order_by("planned_start_at")[12]
    assert last.planned_start_at is not None
    move_release(manager, last, starts_at=last.planned_start_at + timedelta(days=5), scope="all", now=NOW)
    last.refresh_from_db()
    move_release(manager, last, starts_at=last.planned_start_at - timedelta(days=5), scope="all", now=NOW)
    after = list(Release.objects.order_by("pk").values_list("pk", "planned_start_at", "occurs_at", "sequence"))
    assert after[:13] == before


@pytest.mark.parametrize("scope", ["following", "all"])
def test_one_that_was_moved_alone_goes_where_it_is_moved_with_its_series(manager, scope):
    alone = move_release(manager, nth(2), starts_at=at(12, 7), now=NOW).release
    moved = move_release(manager, alone, starts_at=at(13, 7), scope=scope, now=NOW).release
    assert moved.planned_start_at == at(13, 7)
    assert planned()[:3] == [{"all": "06-05 07:00", "following": "06-04 07:00"}[scope], "06-13 07:00", "06-19 07:00"]


def test_a_series_does_not_move_into_the_past_or_further_than_is_planned(manager):
    for starts_at in (NOW - timedelta(hours=1), at(4, 7) + timedelta(days=500)):
        with pytest.raises(InvalidInput) as caught:
            move_release(manager, nth(1), starts_at=starts_at, scope="all", now=NOW)
        assert [fault.path for fault in caught.value.faults] == ["planned_start_at"]


def test_what_has_started_moves_no_series(manager):
    running = start_release(manager, nth(1), now=NOW)
    for scope in ("this", "following", "all"):
        with pytest.raises(Conflict) as caught:
            move_release(manager, running, starts_at=at(5, 7), scope=scope, now=NOW)
        assert caught.value.code == "started"


def test_a_series_that_meets_one_that_stays_is_not_moved(manager):
    with pytest.raises(Conflict, match="that date already"):
        move_release(manager, nth(2), starts_at=at(4, 7), scope="following", now=NOW)
    assert planned()[:2] == ["06-04 07:00", "06-11 07:00"]


def test_what_was_started_early_or_on_time_is_not_planned_again_when_all_move(manager):
    start_release(manager, nth(1), now=NOW)
    start_release(manager, nth(2), now=NOW)
    move_release(manager, nth(3), starts_at=at(19, 7), scope="all", now=at(4, 9))
    assert planned()[0] == "06-19 07:00"
    trains.plan_group(ReleaseGroup.objects.get().pk, now=at(4, 9))
    assert planned()[0] == "06-19 07:00"


@pytest.mark.parametrize("scope", ["following", "all"])
def test_a_series_that_starts_on_a_second_goes_on_doing_so(manager, scope):
    with_rule(start="2026-06-04T09:00:30")
    starts_at = at(12, 6) + timedelta(seconds=45)
    moved = move_release(manager, nth(2), starts_at=starts_at, scope=scope, now=NOW).release
    assert moved.planned_start_at == starts_at
    assert export_group(ReleaseGroup.objects.get())["cadence"]["start"].endswith("T08:00:45")


def test_those_that_follow_end_when_the_series_would_have_ended(manager):
    with_rule(count=4)
    move_release(manager, nth(2), starts_at=at(12, 6), scope="following", now=NOW)
    assert planned() == ["06-04 07:00", "06-12 06:00", "06-19 06:00", "06-26 06:00"]
    assert export_group(ReleaseGroup.objects.get())["cadence"]["count"] == 3


def test_a_longer_window_lengthens_the_series(manager):
    move_release(manager, nth(1), starts_at=at(4, 7), ends_at=at(7, 7), scope="all", now=NOW)
    assert export_group(ReleaseGroup.objects.get())["cadence"]["duration"] == "3d"
    windows = Release.objects.values_list("planned_start_at", "planned_end_at")
    assert {end - start for start, end in windows if start and end} == {timedelta(days=3)}


@pytest.mark.parametrize("scope", ["this", "following", "all"])
@pytest.mark.parametrize(("duration", "ends_at"), [("2d", "2026-03-30 07:00"), ("48h", "2026-03-30 08:00")])
def test_a_window_moved_over_changed_clocks_keeps_its_length_on_them(manager, scope, duration, ends_at):
    winter = datetime(2026, 3, 1, tzinfo=UTC)
    with_rule(start="2026-03-19T09:00", duration=duration, now=winter)
    starts_at = datetime(2026, 3, 28, 8, tzinfo=UTC)
    moved = move_release(manager, nth(2), starts_at=starts_at, scope=scope, now=winter).release
    assert f"{moved.planned_end_at:%Y-%m-%d %H:%M}" == ends_at
    assert export_group(ReleaseGroup.objects.get())["cadence"]["duration"] == duration


def test_a_window_with_its_own_end_over_changed_clocks_lengthens_the_series_by_days_on_them(manager):
    winter = datetime(2026, 3, 1, tzinfo=UTC)
    with_rule(start="2026-03-19T09:00", now=winter)
    starts_at, ends_at = datetime(2026, 3, 28, 8, tzinfo=UTC), datetime(2026, 3, 31, 7, 30, tzinfo=UTC)
    move_release(manager, nth(2), starts_at=starts_at, ends_at=ends_at, scope="all", now=winter)
    assert export_group(ReleaseGroup.objects.get())["cadence"]["duration"] == "3d30m"


def test_a_window_of_ones_own_length_keeps_it_on_the_clock(manager):
    winter = datetime(2026, 3, 1, tzinfo=UTC)
    with_rule(start="2026-03-19T09:00", now=winter)
    first, ends_at = nth(1), datetime(2026, 3, 20, 10, tzinfo=UTC)
    move_release(manager, first, starts_at=datetime(2026, 3, 19, 8, tzinfo=UTC), ends_at=ends_at, now=winter)
    first.refresh_from_db()
    moved = move_release(manager, first, starts_at=datetime(2026, 3, 28, 8, tzinfo=UTC), now=winter).release
    assert moved.planned_end_at == datetime(2026, 3, 29, 9, tzinfo=UTC), "a day on the clock, and two hours"


@pytest.mark.parametrize("scope", ["this", "following", "all"])
@pytest.mark.parametrize("days", [-1, 4000])
def test_an_end_that_cannot_be_is_told_at_the_end(manager, scope, days):
    ends_at = at(11, 7) + timedelta(days=days)
    with pytest.raises(InvalidInput) as caught:
        move_release(manager, nth(2), starts_at=at(11, 7), ends_at=ends_at, scope=scope, now=NOW)
    assert [fault.path for fault in caught.value.faults] == ["planned_end_at"]


def test_a_rule_that_cannot_be_moved_by_days_says_why_and_what_to_do(manager):
    with_rule(rrule="FREQ=MONTHLY;BYDAY=1TH")
    with pytest.raises(InvalidInput) as caught:
        move_release(manager, nth(1), starts_at=at(5, 7), scope="all", now=NOW)
    assert caught.value.faults[0].cure
    assert planned()[0] == "06-04 07:00"


def test_only_one_of_a_series_can_be_moved_as_a_series(manager):
    release = nth(1)
    Release.objects.filter(pk=release.pk).update(occurs_at=None, sequence=None)
    release.refresh_from_db()
    with pytest.raises(Conflict, match="not one of a series"):
        move_release(manager, release, starts_at=at(5, 7), scope="all", now=NOW)


def test_who_may_not_change_the_group_moves_no_series(owner, manager):
    with pytest.raises(NotPermitted):
        move_release(owner, nth(1), starts_at=at(5, 7), now=NOW)
    with pytest.raises(NotPermitted):
        move_release(owner, nth(1), starts_at=at(5, 7), scope="all", now=NOW)


def test_skipping_calls_its_release_off_and_it_stays_so(manager, train):
    skip_occurrence(manager, train, occurs_at=at(11, 7), reason="holiday", now=NOW)
    trains.plan_group(train.pk, now=NOW)
    assert planned()[:2] == ["06-04 07:00", "06-18 07:00"]


def test_what_was_skipped_or_moved_alone_stays_so_when_the_series_moves(manager, train):
    skip_occurrence(manager, train, occurs_at=at(11, 7), now=NOW)
    move_release(manager, nth(3), starts_at=at(20, 7), now=NOW)
    move_release(manager, nth(1), starts_at=at(5, 6), scope="all", now=NOW)
    assert planned()[:3] == ["06-05 06:00", "06-20 07:00", "06-26 06:00"]
    assert trains.plan_group(train.pk, now=NOW)[0].kind == "kept"


def test_skipping_a_date_that_is_not_planned_yet_leaves_it_out(manager, train):
    far = datetime(2026, 10, 1, 7, tzinfo=UTC)
    assert skip_occurrence(manager, train, occurs_at=far, now=NOW) is None
    assert export_group(ReleaseGroup.objects.get())["cadence"]["exclude"] == ["2026-10-01"]
    with pytest.raises(InvalidInput):
        skip_occurrence(manager, train, occurs_at=far + timedelta(hours=1), now=NOW)


def test_a_preview_shows_the_difference_and_changes_nothing(manager):
    before = list(Release.objects.order_by("pk").values())
    rule = {**DOCUMENT["cadence"], "rrule": "FREQ=WEEKLY;INTERVAL=2;BYDAY=TH"}
    saved = preview_group(manager, {**DOCUMENT, "cadence": rule}, now=NOW)
    assert [change.kind for change in saved.changes[:3]] == ["removed", "changed", "removed"]
    assert list(Release.objects.order_by("pk").values()) == before
    assert ReleaseGroup.objects.get().version == 1
