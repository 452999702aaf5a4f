"""Dates that no calendar shows, wherever one can be given: they are told, and never break a page or an answer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest
import time_machine
from django.contrib.auth.models import User

from releases.groups import save_group
from releases.models import Release
from tests.edges.calls import Caller
from tests.edges.pages import Reader, page_of
from tests.trains import DOCUMENT, NOW, WEEKLY, publish_shop

pytestmark = pytest.mark.django_db

WALLS = ("0001-01-01T00:00", "1900-01-01T00:00", "2199-12-31T23:59", "9999-12-31T23:59")
MOMENTS = [wall + offset for wall in WALLS for offset in ("+14:00", "-12:00")]
ZONES = ("Pacific/Kiritimati", "America/Los_Angeles")
TOLD = (200, 302, 400, 404, 409)


@pytest.fixture(autouse=True)
def train(groups: Any) -> Any:
    """The group, planned; the clock stands still."""
    with time_machine.travel(NOW, tick=False):
        publish_shop()
        yield save_group(None, DOCUMENT, now=NOW)[0]


@pytest.fixture(params=ZONES)
def reader(request: pytest.FixtureRequest, manager: User) -> Reader:
    """Somebody whose browser says that it is in that zone."""
    found = Reader(manager)
    found.client.cookies["zone"] = request.param
    return found


def first() -> Release:
    return Release.objects.order_by("pk")[0]


def test_a_release_is_moved_on_its_page(reader: Reader) -> None:
    address = page_of(first(), "move/")
    for wall in WALLS:
        reader.open(f"{address}?planned_start_at={wall}&planned_end_at={wall}")
        assert reader.status == 200, wall
        for scope in ("this", "following", "all"):
            for start, end in ((wall, ""), ("2026-06-05T09:00", wall)):
                reader.send(address, planned_start_at=start, planned_end_at=end, scope=scope)
                assert reader.status in TOLD, (wall, start, end, scope)


@pytest.mark.parametrize("moment", [datetime(1970, 1, 1, tzinfo=UTC), datetime(2199, 12, 31, 23, 59, tzinfo=UTC)])
def test_the_page_to_move_shows_the_first_and_the_last_moment_that_can_be_planned(
    reader: Reader, moment: datetime
) -> None:
    release = first()
    Release.objects.filter(pk=release.pk).update(planned_start_at=moment, planned_end_at=moment)
    for scope in ("this", "following", "all"):
        reader.open(page_of(release, "move/"))
        assert reader.status == 200
        reader.send(page_of(release, "move/"), planned_start_at="2026-06-05T09:00", scope=scope)
        assert reader.status in TOLD


def test_a_date_is_skipped_on_its_page(reader: Reader) -> None:
    for moment in MOMENTS:
        reader.open(f"/groups/train/skip/?at={quote(moment)}")
        assert reader.status in TOLD, moment
        reader.send(f"/groups/train/skip/?at={quote(moment)}", reason="no")
        assert reader.status in TOLD, moment


def test_releases_and_dates_through_the_api(manager: User) -> None:
    caller, release = Caller(manager), first()
    for moment in MOMENTS:
        answers = [
            caller.get(f"release-groups/train/dates/?after={quote(moment)}"),
            caller.get(f"release-groups/train/dates/?before={quote(moment)}"),
            caller.get(f"release-groups/train/dates/?after={quote(moment)}&before={quote(moment)}"),
            caller.post("release-groups/train/skip/", {"occurs_at": moment}),
            caller.post(
                f"releases/{release.pk}/move/", {"planned_start_at": NOW.isoformat(), "planned_end_at": moment}
            ),
        ]
        move = f"releases/{release.pk}/move/"
        bodies = [{"planned_start_at": moment, "scope": scope} for scope in ("following", "all", "this")]
        answers += [caller.post(move, body) for body in bodies]
        assert {answer.status for answer in answers} <= {*TOLD}, (moment, answers)


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("wall", WALLS)
def test_what_a_changed_cadence_would_do(manager: User, wall: str, zone: str) -> None:
    caller, day = Caller(manager), wall[:10]
    rules: list[dict[str, Any]] = [
        {"start": wall},
        {"start": wall, "rrule": "FREQ=DAILY", "duration": "3660d"},
        {"start": wall, "rrule": "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29"},
        {"start": wall, "until": day},
        {"start": wall, "include": [day], "exclude": [day]},
        {"until": day},
        {"include": [day]},
        {"exclude": [day]},
        {"rrule": f"FREQ=WEEKLY;BYDAY=TH;UNTIL={day.replace('-', '')}"},
        {"rrule": f"FREQ=WEEKLY;BYDAY=TH;UNTIL={day.replace('-', '')}T000000Z"},
        {"start": wall, "holidays": {"calendar": "DE", "roll": "next_working_day", "weekends": True}},
    ]
    for changes in rules:
        cadence = {**WEEKLY, "timezone": zone, **changes}
        answer = caller.post("release-groups/difference/", {**DOCUMENT, "cadence": cadence})
        assert answer.status in TOLD, (changes, answer)


@pytest.mark.parametrize("days", [-1, 5])
@pytest.mark.parametrize(
    "changes",
    [
        {"until": "9999-12-31"},
        {"include": ["9999-12-31"]},
        {"exclude": ["0001-01-01", "9999-12-31"]},
        {"rrule": "FREQ=WEEKLY;BYDAY=TH;UNTIL=99991231"},
        {"rrule": "FREQ=WEEKLY;BYDAY=TH;UNTIL=99991231T235959Z"},
        {"start": "1900-01-04T09:00"},
    ],
)
def test_a_series_with_far_dates_moves_as_a_whole(manager: User, changes: dict[str, Any], days: int) -> None:
    caller = Caller(manager)
    save_group(None, {**DOCUMENT, "cadence": {**WEEKLY, **changes}}, now=NOW)
    moved = first()
    assert moved.planned_start_at is not None
    there = moved.planned_start_at + timedelta(days=days)
    for scope in ("all", "following"):
        answer = caller.post(f"releases/{moved.pk}/move/", {"planned_start_at": there.isoformat(), "scope": scope})
        assert answer.status == 200, answer
        there += timedelta(days=1)
