"""Editing a cadence on its group's page: the dates while typing, what saving does first, who may, and what went wrong.

Weekly, Thursdays at nine in Berlin, for two days; one holiday rule that the form does not have.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.utils import timezone

from releases.groups import export_group, save_group
from releases.models import Release, ReleaseGroup
from releases.reading.train_health import health_of
from tests.edges.pages import Reader, publish
from tests.edges.test_pages_groups import SHOP

pytestmark = pytest.mark.django_db
RULE = {
    "rrule": "FREQ=WEEKLY;BYDAY=TH",
    "start": "2026-01-08T09:00",
    "timezone": "Europe/Berlin",
    "duration": "2d",
    "holidays": {"calendar": "DE-BY", "roll": "next_working_day"},
}
PAGE = "/groups/train/cadence/"
TYPED: dict[str, Any] = {
    "repeats": "weekly",
    "weekdays": ["TU", "TH"],
    "start": "2026-01-08T10:00",
    "timezone": "Europe/Berlin",
    "duration": "1d",
}


@pytest.fixture(autouse=True)
def train(groups: Any) -> ReleaseGroup:
    publish(SHOP)
    document = {"kind": "ReleaseGroup", "id": "train", "name": "Train", "process": "shop", "cadence": RULE}
    return save_group(None, document, now=timezone.now())[0]


def holder(person: User, train: ReleaseGroup, *names: str) -> Reader:
    for name in names:
        permission = Permission.objects.get(codename=name)
        person.releasegroupuserpermission_set.create(permission=permission, content_object=train)
    return Reader(person)


def cadence() -> dict[str, Any]:
    found: dict[str, Any] = export_group(ReleaseGroup.objects.get())["cadence"]
    return found


def test_the_form_says_what_is_and_keeps_what_it_does_not_have(manager: User) -> None:
    reader = Reader(manager)
    text = reader.open(PAGE)
    assert "Every Thursday at 09:00 (Europe/Berlin), for 2 days; holidays in DE-BY move" in text
    assert "Its holidays stay as they are." in text
    assert 'value="TH" checked' in reader.source
    reader.send(PAGE, **TYPED, confirm="yes")
    assert reader.location == "/groups/train/"
    assert cadence() == {**RULE, "rrule": "FREQ=WEEKLY;BYDAY=TU,TH", "start": "2026-01-08T10:00", "duration": "1d"}


def test_what_saving_does_is_shown_first(manager: User) -> None:
    planned = Release.objects.count()
    text = Reader(manager).send(PAGE, **TYPED)
    assert "What saving does" in text
    assert " new Train" in text
    assert "Every Tuesday and Thursday at 10:00" in text
    assert (cadence(), Release.objects.count()) == (RULE, planned)


def test_the_next_dates_follow_what_is_typed(manager: User) -> None:
    reader = Reader(manager)
    asked = "repeats=monthly_by_weekday&nth=-1&weekdays=FR&start=2026-01-08T10:00&timezone=UTC&duration=1h"
    assert "On the last Friday of every month at 10:00 (UTC), for 1 hour" in reader.open(f"{PAGE}preview/?{asked}")
    assert reader.source.startswith('<div id="preview"')
    assert "Which one of the month is not said." in reader.open(f"{PAGE}preview/?{asked.replace('nth=-1', 'nth=')}")
    for odd in (
        "",
        "repeats=x",
        "repeats=custom&rrule=%00",
        "repeats=daily&start=9999-12-31T00:00&timezone=UTC&count=x",
    ):
        reader.open(f"{PAGE}preview/?{odd}")
        assert (odd, reader.status) == (odd, 200)
    assert cadence() == RULE


def test_everything_wrong_is_told_beside_its_box(manager: User) -> None:
    reader = Reader(manager)
    text = reader.send(PAGE, **{**TYPED, "timezone": "Mars", "duration": "x", "start": ""}, confirm="yes")
    assert reader.status == 400
    assert "'x' is not a duration." in text
    assert "Mars" in text
    assert cadence() == RULE


def test_an_edit_made_meanwhile_is_not_lost(manager: User, train: ReleaseGroup) -> None:
    document = export_group(train)
    save_group(None, {**document, "name": "Other"}, now=timezone.now())
    reader = Reader(manager)
    reader.send(PAGE, **TYPED, seen=str(train.version), confirm="yes")
    assert reader.status == 409
    assert cadence() == RULE


def test_only_who_may_change_the_group_may_edit(train: ReleaseGroup, owner: User, stranger: User) -> None:
    reader = Reader(stranger)
    for address in (PAGE, f"{PAGE}preview/"):
        reader.open(address)
        assert (address, reader.status) == (address, 404)
    reader = holder(owner, train, "view_releasegroup")
    assert "Cadence" not in reader.open("/groups/train/")
    reader.send(PAGE, **TYPED, confirm="yes")
    assert reader.status == 403
    assert cadence() == RULE
    reader = holder(owner, train, "change_releasegroup")
    assert f'href="{PAGE}"' in reader.open("/groups/train/") or f'href="{PAGE}"' in reader.source
    reader.send(PAGE, **TYPED, confirm="yes")
    assert cadence()["duration"] == "1d"


def test_the_health_of_a_train_is_told_of_its_last_ten(manager: User, train: ReleaseGroup) -> None:
    at = timezone.now() - timedelta(days=30)
    rows = list(Release.objects.order_by("planned_start_at")[:12])
    for number, row in enumerate(rows):
        begun = at + timedelta(days=number)
        row.planned_start_at, row.planned_end_at, row.started_at = begun, begun + timedelta(hours=4), begun
        row.started_at += timedelta(hours=1 if number == 11 else 0)
        row.finished_at = begun + timedelta(hours=5 if number == 10 else 3)
        row.state = "failed" if number == 9 else "succeeded"
    found = health_of(rows[::-1])
    assert found is not None
    assert (len(found.marks), found.good, found.planned) == (10, 9, 10)
    assert (found.started_on_time, found.ended_on_time) == (9, 9)
    assert [mark.release.pk for mark in found.marks] == [row.pk for row in rows[2:]]
    assert health_of([]) is None
