"""What keeps a scheduled release from starting, beside its inputs: time, its group's rules, freezes, debts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from config.errors import Conflict, InvalidInput, NotPermitted
from config.models import Event
from processes.models import Process
from releases.groups import save_group
from releases.models import BreakGlass, Freeze, FreezeWindow, Release, ReleaseGroup
from releases.services import running, starting
from releases.services.due import begin_due
from tests.trains import DOCUMENT, NOW, publish_shop

pytestmark = pytest.mark.django_db

DUE = datetime(2026, 6, 4, 7, tzinfo=UTC)
WEEK = timedelta(days=7)


@pytest.fixture(autouse=True)
def shop(groups: Any) -> Process:
    """A published process."""
    return publish_shop()


def train(**more: Any) -> list[Release]:
    """Save the group and return its planned releases, the first first."""
    save_group(None, {**DOCUMENT, **more}, now=NOW)
    return list(Release.objects.order_by("planned_start_at"))


def freeze(*, starts: datetime = DUE - timedelta(hours=1), ends: datetime | None = None, **scope: Any) -> FreezeWindow:
    """Freeze what a scope names from an hour before the first start on."""
    body = {"scope": scope or {"everything": True}}
    row = Freeze.objects.create(slug="quiet", name="Quiet time", body=body)
    return FreezeWindow.objects.create(freeze=row, starts_at=starts, ends_at=ends)


def state(release: Release) -> str:
    release.refresh_from_db()
    return release.state


def test_a_release_starts_at_its_time_and_not_before():
    release = train()[0]
    assert begin_due(release.pk, now=DUE - timedelta(seconds=1)) is False
    assert begin_due(release.pk, now=DUE) is True


def test_past_its_deadline_it_is_missed():
    release = train(start_deadline="4h")[0]
    begin_due(release.pk, now=DUE + timedelta(hours=4, seconds=1))
    assert state(release) == "missed"
    assert Event.objects.filter(release_id=release.pk, verb="release.missed", actor_name="pilothouse").exists()


def test_within_its_deadline_it_starts_late():
    release = train(start_deadline="4h")[0]
    assert begin_due(release.pk, now=DUE + timedelta(hours=4)) is True


def test_one_that_does_not_start_by_itself_waits_for_a_person(manager):
    release = train(auto_start=False)[0]
    assert begin_due(release.pk, now=DUE) is False
    assert state(release) == "scheduled"
    starting.start_release(manager, release, now=DUE)
    assert state(release) == "running"


def test_a_person_may_start_it_early(manager):
    release = train()[0]
    starting.start_release(manager, release, now=NOW)
    assert begin_due(release.pk, now=DUE) is False
    assert release.started_at == NOW


def test_where_overlaps_are_allowed_both_run():
    first, second = train(overlap="allow")[:2]
    assert begin_due(first.pk, now=DUE)
    assert begin_due(second.pk, now=DUE + WEEK)


def test_a_queue_waits_until_the_one_before_is_over(manager):
    first, second = train(overlap="queue")[:2]
    begin_due(first.pk, now=DUE)
    assert begin_due(second.pk, now=DUE + WEEK) is False
    assert state(second) == "scheduled"
    assert second.reason == "Another release of the same group is running. It starts when that one is over."
    first.refresh_from_db()
    running.abort_release(manager, first, now=DUE + WEEK, reason="enough")
    assert begin_due(second.pk, now=DUE + WEEK + timedelta(minutes=1)) is True


def test_a_queue_keeps_its_order(manager):
    first, second = train(overlap="queue")[:2]
    assert begin_due(second.pk, now=DUE + WEEK) is False
    with pytest.raises(Conflict, match="is scheduled"):
        starting.start_release(manager, second, now=DUE + WEEK)
    assert begin_due(first.pk, now=DUE + WEEK) is True


def test_when_one_of_a_queue_is_over_the_next_is_tried_at_once(manager, django_capture_on_commit_callbacks):
    first, second = train(overlap="queue")[:2]
    begin_due(first.pk, now=DUE)
    begin_due(second.pk, now=DUE + WEEK)
    first.refresh_from_db()
    over = DUE + WEEK + timedelta(seconds=5)
    with django_capture_on_commit_callbacks(execute=True):
        running.abort_release(manager, first, now=over, reason="enough")
    second.refresh_from_db()
    assert second.next_try_at is not None
    assert second.next_try_at <= over


def test_a_group_that_skips_calls_off_what_overlaps():
    first, second = train(overlap="skip")[:2]
    begin_due(first.pk, now=DUE)
    begin_due(second.pk, now=DUE + WEEK)
    assert state(second) == "cancelled"
    assert "is running" in second.reason


@pytest.mark.parametrize(
    "scope",
    [{"everything": True}, {"groups": ["train"]}, {"processes": ["shop"]}, {"tags": ["customer-facing"]}],
    ids=["everything", "its group", "its process", "a tag of its process"],
)
def test_a_freeze_keeps_it_until_it_ends(scope):
    release = train()[0]
    freeze(ends=DUE + timedelta(hours=3), **scope)
    assert begin_due(release.pk, now=DUE) is False
    assert state(release) == "scheduled"
    assert release.reason.startswith("The freeze 'Quiet time' applies until 2026-06-04 10:00 UTC.")
    assert release.next_try_at == DUE + timedelta(minutes=5), "whoever lifts it meanwhile need not see that it waits"
    nearly = DUE + timedelta(hours=3) - timedelta(minutes=1)
    assert begin_due(release.pk, now=nearly) is False
    release.refresh_from_db()
    assert release.next_try_at == DUE + timedelta(hours=3)
    assert begin_due(release.pk, now=DUE + timedelta(hours=3)) is True


def test_a_freeze_without_an_end_is_tried_again_and_leaves_what_is_missed_missed():
    release = train(start_deadline="4h")[0]
    freeze()
    begin_due(release.pk, now=DUE)
    release.refresh_from_db()
    assert release.next_try_at == DUE + timedelta(minutes=1)
    begin_due(release.pk, now=DUE + timedelta(hours=5))
    assert state(release) == "missed"


def test_a_freeze_of_something_else_does_not_keep_it():
    release = train()[0]
    freeze(groups=["other"])
    assert begin_due(release.pk, now=DUE) is True


def test_a_person_is_kept_by_a_freeze_too(manager):
    release = train()[0]
    freeze()
    with pytest.raises(Conflict, match="until it is lifted") as caught:
        starting.start_release(manager, release, now=DUE)
    assert caught.value.code == "frozen"


def test_breaking_the_glass_needs_a_reason_the_permission_and_something_that_stops_it(manager, author, owner):
    release = train()[0]
    with pytest.raises(Conflict, match="Nothing stops"):
        starting.start_release(manager, release, now=DUE, break_glass="urgent")
    freeze()
    with pytest.raises(InvalidInput):
        starting.start_release(manager, release, now=DUE, break_glass=" ")
    with pytest.raises(NotPermitted):
        starting.start_release(owner, release, now=DUE, break_glass="urgent")
    starting.start_release(manager, release, now=DUE, break_glass="urgent")
    debt = BreakGlass.objects.get()
    assert state(release) == "running"
    assert (debt.release, debt.reason, debt.by_name, [one["code"] for one in debt.ignored]) == (
        release,
        "urgent",
        "manager",
        ["frozen"],
    )


def test_a_debt_keeps_the_next_of_the_group_until_it_is_signed_off(manager):
    first, second = train()[:2]
    freeze(ends=DUE + timedelta(hours=1))
    starting.start_release(manager, first, now=DUE, break_glass="urgent")
    assert begin_due(second.pk, now=DUE + WEEK) is False
    assert "nobody has signed that off" in Release.objects.get(pk=second.pk).reason
    BreakGlass.objects.update(signed_at=DUE + WEEK, signed_by_name="boss")
    assert begin_due(second.pk, now=DUE + WEEK + timedelta(minutes=1)) is True


def test_a_group_that_is_gone_from_sight_says_so_only_to_those_who_may_start_it(stranger):
    release = train()[0]
    with pytest.raises(NotPermitted):
        starting.start_release(stranger, release, now=DUE)
    assert ReleaseGroup.objects.get().next_plan_at is not None
