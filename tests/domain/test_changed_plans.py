"""Plans that change while something looks at them, and plans that lie where nothing can be planned."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User

from config.errors import Conflict, InvalidInput
from processes.services import apply
from releases.execution.advance import advance
from releases.execution.locked import lock_release
from releases.groups import save_group
from releases.models import ActivityRun, Release, ReleaseGroup
from releases.services import due, planning, trains
from releases.services.freezing import stop_the_line
from releases.services.moving import move_release, skip_occurrence
from releases.services.starting import start_release
from tests.builders import states
from tests.trains import DOCUMENT, NOW, publish_shop

pytestmark = pytest.mark.django_db
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
TWO = """
kind: Process
id: two
name: Two
phases:
  - id: all
    name: All
    activities:
      - {id: first, manual: {instructions: Do it.}}
      - {id: then, depends_on: [first], manual: {instructions: Do that.}}
"""


@pytest.fixture(autouse=True)
def shop(groups: Any) -> None:
    publish_shop()
    apply(None, TWO, now=NOW, publish=True)


def train(**more: Any) -> ReleaseGroup:
    return save_group(None, {**DOCUMENT, **more}, now=NOW)[0]


def nth(number: int) -> Release:
    return Release.objects.select_related("process", "group").order_by("planned_start_at")[number]


def test_a_release_that_is_moved_just_before_it_would_be_missed_is_not_missed() -> None:
    train(start_deadline="1h")
    read = nth(0)
    assert read.planned_start_at is not None
    late = read.planned_start_at + 2 * HOUR
    planning.edit_release(None, read, {"planned_start_at": late + DAY, "planned_end_at": None}, now=NOW)
    with pytest.raises(Conflict, match="changed this release meanwhile"):
        planning.miss_release(read, now=late)
    with pytest.raises(Conflict, match="changed this release meanwhile"):
        planning.skip_release(read, reason="Another is under way.", now=late)
    assert not due.begin_due(read.pk, now=late)
    read.refresh_from_db()
    assert (read.state, read.next_try_at) == ("scheduled", late + DAY)


def test_a_missed_release_is_moved_before_it_is_scheduled_again() -> None:
    train(start_deadline="1h")
    one = nth(0)
    assert one.planned_start_at is not None
    late = one.planned_start_at + 2 * HOUR
    due.begin_due(one.pk, now=late)
    one.refresh_from_db()
    assert one.state == "missed"
    with pytest.raises(InvalidInput, match="longer ago than its group lets"):
        planning.schedule_release(None, one, now=late)
    planning.edit_release(None, one, {"planned_start_at": late + HOUR, "planned_end_at": None}, now=late)
    assert planning.schedule_release(None, one, now=late).state == "scheduled"


def test_a_release_that_a_person_touched_can_be_edited_when_its_group_runs_another_process() -> None:
    train()
    one = nth(0)
    planning.edit_release(None, one, {"name": "Mine"}, now=NOW)
    train(process="two")
    assert planning.edit_release(None, one, {"name": "Still mine"}, now=NOW).name == "Still mine"


def test_two_dates_beyond_the_horizon_are_both_skipped_though_one_was_read_before_the_other() -> None:
    group = train()
    stale = ReleaseGroup.objects.get()
    far = trains.occurrences_of(group.body["cadence"], NOW + 200 * DAY, NOW + 230 * DAY)
    for known, one in ((group, far[0]), (stale, far[1])):
        skip_occurrence(None, known, occurs_at=one.occurs_at, now=NOW)
    assert len(ReleaseGroup.objects.get().body["cadence"]["exclude"]) == 2


@pytest.mark.parametrize("year", [1, 1969, 2200, 9999])
@pytest.mark.parametrize("scope", ["this", "following", "all"])
def test_nothing_is_planned_in_years_that_no_calendar_shows(year: int, scope: str) -> None:
    train()
    there = datetime(year, 12, 31, 23, 59, tzinfo=UTC)
    with pytest.raises(InvalidInput) as told:
        move_release(None, nth(0), starts_at=there, scope=scope, now=NOW)
    assert {fault.path for fault in told.value.faults} == {"planned_start_at"}
    with pytest.raises(InvalidInput, match="Nothing is planned then"):
        skip_occurrence(None, ReleaseGroup.objects.get(), occurs_at=there, now=NOW)


def test_broken_glass_does_not_open_what_a_later_freeze_holds() -> None:
    train(process="two", overlap="queue")
    start_release(None, nth(0), now=NOW)
    broken = nth(1)
    start_release(User.objects.create_superuser("boss"), broken, now=NOW, break_glass="Outage")
    stop_the_line(None, scope={"everything": True}, reason="Fire", now=NOW + DAY)
    with lock_release(broken.pk, now=NOW + DAY + HOUR) as locked:
        first = locked.load_activity(ActivityRun.objects.get(release=broken, slug="first").pk)
        assert first is not None
        locked.move(first, "succeeded")
        advance(locked, [first.key])
    assert states(broken)["all/then"] == "pending"
