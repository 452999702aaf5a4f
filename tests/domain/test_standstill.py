"""A system that stood still for two days comes back: nothing is started twice, and nothing in the wrong order.

Every group plans a release each day at nine in UTC, from Tuesday, 2 June 2026 on. Everything stops on Monday at noon
and comes back on Wednesday at four in the afternoon: Tuesday's and Wednesday's releases are due.
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from config.models import Event
from processes.services import apply
from releases.execution import tick
from releases.groups import save_group
from releases.models import Release, ReleaseGroup
from releases.services import due, trains
from tests.builders import scripted_connection, work
from tests.messages import Message, drain

pytestmark = pytest.mark.django_db

MONDAY = datetime(2026, 6, 1, 12, tzinfo=UTC)
BACK = datetime(2026, 6, 3, 16, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
SHOP = """
kind: Process
id: shop
name: Shop
phases:
  - {id: only, name: Only, activities: [{id: ship, automated: {connection: scripted, pipeline: ship}}]}
"""
CADENCE = {"rrule": "FREQ=DAILY", "start": "2026-06-02T09:00", "timezone": "UTC", "duration": "4h"}


@pytest.fixture(autouse=True)
def shop(engine: Any, groups: Any) -> None:
    """A published process, and an empty queue."""
    scripted_connection()
    apply(None, SHOP, now=MONDAY, publish=True)
    drain()


def train(**more: Any) -> ReleaseGroup:
    """A group, planned on Monday."""
    document = {"kind": "ReleaseGroup", "id": "train", "name": "Train", "process": "shop", "cadence": CADENCE, **more}
    return save_group(None, document, now=MONDAY)[0]


def come_back(now: datetime = BACK) -> list[Message]:
    """Two ticks at a moment, and workers that get every message twice; return what was sent."""
    tick.tick(now=now)
    tick.tick(now=now)
    sent = drain()
    for name, arguments in [*sent, *sent]:
        if name == "begin":
            due.begin_all(arguments, clock=lambda: now)
        elif name == "plan_group":
            trains.plan_group(*arguments, now=now)
    return sent


def first_days(count: int = 3) -> list[str]:
    """The states of Tuesday's release and of those that follow."""
    return list(Release.objects.order_by("planned_start_at").values_list("state", flat=True)[:count])


def starts() -> list[int]:
    """How often each release was started that was."""
    return list(Counter(Event.objects.filter(verb="release.started").values_list("release_id", flat=True)).values())


def test_where_releases_may_overlap_all_that_are_due_start_once():
    train()
    come_back()
    assert first_days() == ["running", "running", "scheduled"]
    come_back(BACK + MINUTE)
    assert starts() == [1, 1]


def test_where_they_queue_they_start_in_their_order_one_after_the_other():
    train(overlap="queue")
    come_back()
    assert first_days() == ["running", "scheduled", "scheduled"]
    tuesday, wednesday = Release.objects.order_by("planned_start_at")[:2]
    assert "Another release of the same group is running." in wednesday.reason
    work(tuesday)
    come_back(BACK + 2 * MINUTE)
    assert first_days() == ["succeeded", "running", "scheduled"]
    assert starts() == [1, 1]


def test_where_they_skip_one_starts_and_the_other_is_called_off():
    train(overlap="skip")
    come_back()
    assert sorted(first_days()) == ["cancelled", "running", "scheduled"]
    come_back(BACK + MINUTE)
    assert starts() == [1]


def test_where_they_skip_the_earlier_one_starts_whoever_looks_first():
    train(overlap="skip")
    tuesday, wednesday = Release.objects.order_by("planned_start_at")[:2]
    due.begin_all([wednesday.pk, tuesday.pk], clock=lambda: BACK)
    come_back(BACK + 2 * MINUTE)
    assert first_days() == ["running", "cancelled", "scheduled"]


def test_what_is_past_its_deadline_is_missed_and_what_is_not_starts():
    train(start_deadline="8h")
    come_back()
    assert first_days() == ["missed", "running", "scheduled"]
    come_back(BACK + MINUTE)
    assert (first_days(), starts()) == (["missed", "running", "scheduled"], [1])


def test_what_is_missed_does_not_keep_a_queue_from_going_on():
    train(start_deadline="8h", overlap="queue")
    come_back()
    come_back(BACK + 2 * MINUTE)
    assert first_days() == ["missed", "running", "scheduled"]


def test_what_people_start_themselves_still_waits_for_them_unless_it_is_missed():
    train(auto_start=False, start_deadline="8h")
    come_back()
    assert first_days() == ["missed", "scheduled", "scheduled"]
    assert starts() == []


def test_the_horizon_catches_up_and_no_date_is_planned_twice():
    train()
    planned = Release.objects.count()
    sent = come_back()
    assert [name for name, _ in sent].count("plan_group") == 1
    assert Release.objects.count() == planned + 2
    numbers = list(Release.objects.order_by("planned_start_at").values_list("sequence", flat=True))
    assert numbers == list(range(1, planned + 3))


def test_after_a_standstill_longer_than_the_horizon_only_what_may_still_start_is_planned():
    train(start_deadline="8h", overlap="queue")
    back = BACK + timedelta(days=120)
    come_back(back)
    come_back(back + 2 * MINUTE)
    today = Release.objects.get(planned_start_at=back.replace(hour=9))
    assert today.state == "running"
    before = Release.objects.filter(planned_start_at__lt=today.planned_start_at)
    assert set(before.values_list("state", flat=True)) == {"missed"}
    assert starts() == [1]
