"""Calendar feeds as calendar programs see them: what they show, to whom, and that they never change by themselves."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import Group, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from guardian.shortcuts import assign_perm, remove_perm
from icalendar import Calendar, Event
from psycopg.types.range import Range

from processes.models import Process
from releases.models import Booking, Feed, Freeze, FreezeWindow, Participant, Release, ReleaseGroup
from releases.services import planning
from releases.services.feeds import create_feed, revoke_feed

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
DAY = timedelta(days=1)
BERLIN = {"cadence": {"rrule": "FREQ=WEEKLY", "start": "2026-01-08T09:00", "timezone": "Europe/Berlin"}}


@pytest.fixture(autouse=True)
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


@pytest.fixture
def train() -> ReleaseGroup:
    process = Process.objects.create(slug="small", name="Small")
    return ReleaseGroup.objects.create(slug="train", name="Train", process=process, body=BERLIN)


def release(group: ReleaseGroup, name: str = "Train", **more: Any) -> Release:
    usual: dict[str, Any] = {
        "state": "scheduled",
        "planned_start_at": NOW + DAY,
        "planned_end_at": NOW + 3 * DAY,
        "created_at": NOW - 5 * DAY,
        "process": group.process,
        "group": group,
    }
    return Release.objects.create(name=name, **{**usual, **more})


def address_of(owner: User, kind: str = "all", group: ReleaseGroup | None = None) -> str:
    _, secret = create_feed(owner, kind=kind, group=group, now=NOW)
    return f"/calendar/feeds/{secret}.ics"


def get(address: str, **headers: str) -> Any:
    return Client().get(address, headers={name.replace("_", "-"): value for name, value in headers.items()})


def events(address: str) -> list[Event]:
    answer = get(address)
    assert answer.status_code == 200, answer.content
    return list(Calendar.from_ical(answer.content).events)


def times(event: Event) -> tuple[str, str]:
    return event.start.isoformat(), event.end.isoformat()


def summaries(address: str) -> list[str]:
    return [str(event.summary) for event in events(address)]


def test_a_feed_shows_its_owners_releases_without_signing_in(train: ReleaseGroup, manager: User) -> None:
    shown = release(train, version="1.2.3", description="Cart; and payments", edits=4)
    answer = get(address_of(manager))
    assert answer.headers["Content-Type"] == "text/calendar; charset=utf-8"
    assert answer.headers["Cache-Control"] == "private, no-cache"
    assert not answer.cookies
    calendar = Calendar.from_ical(answer.content)
    assert calendar.calendar_name == "All releases"
    [event] = calendar.events
    assert event.uid.startswith(f"release-{shown.pk}@")
    assert (event.summary, event.status, event.sequence) == ("Train 1.2.3", "CONFIRMED", 4)
    assert event.url == f"http://testserver/releases/{shown.pk}/"
    assert event.categories == ["SCHEDULED"]
    assert event.description == "State: scheduled\nProcess: Small\nGroup: Train\n\nCart; and payments"
    assert times(event) == (
        "2026-03-03T10:00:00+01:00",
        "2026-03-05T10:00:00+01:00",
    )
    assert [zone.tz_name for zone in calendar.timezones] == ["Europe/Berlin"]


def test_a_release_that_lasts_over_the_change_of_clocks_keeps_its_times(train: ReleaseGroup, manager: User) -> None:
    start = datetime(2026, 3, 28, 8, tzinfo=UTC)
    release(train, planned_start_at=start, planned_end_at=start + timedelta(hours=47))
    [event] = events(address_of(manager))
    assert times(event) == (
        "2026-03-28T09:00:00+01:00",
        "2026-03-30T09:00:00+02:00",
    )


@pytest.mark.parametrize(
    ("state", "status"),
    [
        ("draft", "TENTATIVE"),
        ("scheduled", "CONFIRMED"),
        ("running", "CONFIRMED"),
        ("cancelled", "CANCELLED"),
        ("missed", "CANCELLED"),
    ],
)
def test_the_state_is_told(state: str, status: str, train: ReleaseGroup, manager: User) -> None:
    release(train, state=state, started_at=NOW if state == "running" else None)
    [event] = events(address_of(manager))
    assert (event.status, event.categories) == (status, [state.upper()])


def test_a_release_without_a_plan_is_shown_once_it_runs(train: ReleaseGroup, manager: User) -> None:
    bare: dict[str, Any] = {"planned_start_at": None, "planned_end_at": None}
    release(train, "Never planned", state="draft", **bare)
    release(train, "Long ago", state="running", started_at=NOW - 200 * DAY, **bare)
    done = {"started_at": NOW - 2 * DAY, "finished_at": NOW - DAY}
    release(train, "Done", state="succeeded", **bare, **done)
    release(train, "Over", state="succeeded", started_at=NOW - 99 * DAY, finished_at=NOW - 98 * DAY, **bare)
    long_ago, finished = events(address_of(manager))
    assert (long_ago.summary, "DTEND" in long_ago) == ("Long ago", False)
    assert (finished.summary, finished.start, finished.end) == ("Done", done["started_at"], done["finished_at"])
    assert "Started: 2026-02-28 10:00 CET\nFinished: 2026-03-01 10:00 CET" in finished.description


@pytest.mark.parametrize(
    ("start", "end", "is_shown"),
    [(-92, -91, False), (-92, -89, True), (-92, None, False), (399, 402, True), (401, 402, False), (-200, 500, True)],
)
def test_it_shows_from_90_days_ago_to_400_ahead(
    start: int, end: int | None, is_shown: bool, train: ReleaseGroup, manager: User
) -> None:
    release(train, planned_start_at=NOW + start * DAY, planned_end_at=None if end is None else NOW + end * DAY)
    assert bool(events(address_of(manager))) is is_shown


def test_what_would_stop_it_is_told_until_it_starts(train: ReleaseGroup, manager: User) -> None:
    findings = [
        {"code": "freeze", "stops": True, "message": "It is frozen.", "cure": "Ask for an exception."},
        {"code": "owner", "stops": False, "message": "Ann is busy.", "cure": ""},
    ]
    release(train, findings=findings)
    release(train, "Running", findings=findings, state="running", started_at=NOW)
    waiting, running = events(address_of(manager))
    assert "What would stop it:\n- It is frozen. Ask for an exception." in waiting.description
    assert "Ann" not in waiting.description
    assert "frozen" not in running.description


def test_an_edit_raises_the_sequence_and_a_call_off_stays_as_cancelled(
    train: ReleaseGroup, manager: User, clock: time_machine.Traveller
) -> None:
    edited, address = release(train), address_of(manager)
    [before] = events(address)
    clock.move_to(NOW + timedelta(hours=1))
    planning.edit_release(manager, edited, {"planned_start_at": NOW + 2 * DAY}, now=timezone.now())
    [after] = events(address)
    assert (after.uid, after.sequence) == (before.uid, before.sequence + 1)
    assert after.start > before.start
    assert after.last_modified == after.stamp == timezone.now()

    clock.move_to(NOW + timedelta(hours=2))
    planning.cancel_release(manager, edited, reason="Holiday", now=timezone.now())
    [gone] = events(address)
    assert (gone.uid, gone.status) == (before.uid, "CANCELLED")
    assert "Reason: Holiday" in gone.description
    assert gone.last_modified == timezone.now()
    assert gone.sequence >= after.sequence


def test_two_downloads_are_the_same_until_something_changes(
    train: ReleaseGroup, manager: User, clock: time_machine.Traveller
) -> None:
    shown, address = release(train), address_of(manager)
    freeze(train, "winter", {"everything": True})
    first = get(address)
    clock.move_to(NOW + timedelta(hours=8))
    again = get(address)
    assert again.content == first.content
    unchanged = get(address, If_None_Match=first.headers["ETag"])
    assert (unchanged.status_code, unchanged.content) == (304, b"")
    assert unchanged.headers["ETag"] == first.headers["ETag"]

    planning.cancel_release(manager, shown, reason="x", now=timezone.now())
    changed = get(address, If_None_Match=first.headers["ETag"])
    assert (changed.status_code, b"CANCELLED" in changed.content) == (200, True)


def test_the_identity_of_an_event_does_not_hang_on_the_address_asked(train: ReleaseGroup, manager: User) -> None:
    release(train)
    address = address_of(manager)
    uids = {
        str(Calendar.from_ical(Client(SERVER_NAME=host).get(address).content).events[0].uid)
        for host in ("testserver", "releases.example")
    }
    assert len(uids) == 1


def test_a_feed_of_mine_shows_what_concerns_its_owner(
    train: ReleaseGroup, groups: dict[str, Group], owner: User
) -> None:
    assign_perm("view_releasegroup", owner, train)
    release(train, "Nothing of mine")
    release(train, "Made", created_by=owner)
    release(train, "Pressed", started_by=owner)
    Participant.objects.create(release=release(train, "Asked"), user=owner)
    Participant.objects.create(release=release(train, "Of my group"), group=groups["qa"])
    Participant.objects.create(release=release(train, "Of others"), group=groups["security"])
    for name, what in (("To come", "user:owner"), ("To qa", "group:qa"), ("To others", "group:security")):
        Booking.objects.create(release=release(train, name), what=what, during=Range(NOW, NOW + DAY))
    assert sorted(summaries(address_of(owner, "mine"))) == [
        "Asked",
        "Made",
        "Of my group",
        "Pressed",
        "To come",
        "To qa",
    ]


def test_a_feed_never_shows_more_than_its_owner_may_see_now(train: ReleaseGroup, stranger: User, manager: User) -> None:
    other = ReleaseGroup.objects.create(slug="other", name="Other", process=Process.objects.create(slug="o", name="O"))
    release(train, "Theirs")
    release(other, "Hidden")
    freeze(train, "winter", {"everything": True})
    everything = address_of(stranger)
    assert summaries(everything) == []

    assign_perm("view_releasegroup", stranger, train)
    of_group = address_of(User.objects.get(pk=stranger.pk), "group", train)
    assert summaries(everything) == summaries(of_group) == ["Freeze: Winter", "Theirs"]
    assert sorted(summaries(address_of(manager))) == ["Freeze: Winter", "Hidden", "Theirs"]
    assert summaries(address_of(manager, "group", other)) == ["Freeze: Winter", "Hidden"]

    remove_perm("view_releasegroup", stranger, train)
    assert summaries(everything) == summaries(of_group) == []


def test_a_feed_that_is_revoked_or_whose_owner_is_gone_is_not_there(train: ReleaseGroup, manager: User) -> None:
    release(train)
    feed, secret = create_feed(manager, kind="all", now=NOW)
    address = f"/calendar/feeds/{secret}.ics"
    assert get(address).status_code == 200
    for wrong in (secret[:-1], secret.swapcase(), "x", "%00", "x" * 500):
        assert get(f"/calendar/feeds/{wrong}.ics").status_code == 404
    assert Client().post(address).status_code == 405

    User.objects.filter(pk=manager.pk).update(is_active=False)
    assert get(address).status_code == 404
    User.objects.filter(pk=manager.pk).update(is_active=True)
    revoke_feed(manager, feed, now=NOW)
    assert get(address).status_code == 404
    assert b"Train" not in get(address).content


def test_when_it_was_last_used_is_noted_once_a_minute(train: ReleaseGroup, manager: User, clock: Any) -> None:
    address, used = address_of(manager), []
    for seconds in (0, 59, 60):
        clock.move_to(NOW + timedelta(seconds=seconds))
        get(address)
        used.append((Feed.objects.get().last_used_at or NOW) - NOW)
    assert used == [timedelta(0), timedelta(0), timedelta(seconds=60)]


def freeze(group: ReleaseGroup, slug: str, scope: dict[str, Any], **window: Any) -> FreezeWindow:
    made = Freeze.objects.create(
        slug=slug, name=slug.title(), body={"scope": scope, "window": {"timezone": group.body["cadence"]["timezone"]}}
    )
    usual = {"starts_at": NOW - DAY, "ends_at": NOW + DAY}
    return FreezeWindow.objects.create(freeze=made, **{**usual, **window})


@pytest.mark.parametrize(
    ("scope", "is_shown"),
    [
        ({"everything": True}, True),
        ({"groups": ["train", "x"]}, True),
        ({"groups": ["x"]}, False),
        ({"processes": ["small"]}, True),
        ({"processes": ["small"], "groups": ["x"]}, False),
        ({"resources": ["cart"]}, True),
        ({"services": ["cart"]}, True),
        ({"environments": ["production"]}, False),
        ({"groups": ["train"], "resources": ["payments"]}, False),
        ({"tags": ["deploys"]}, True),
    ],
)
def test_freezes_that_may_touch_what_is_shown_are_drawn(
    scope: dict[str, Any], is_shown: bool, train: ReleaseGroup, manager: User
) -> None:
    Booking.objects.create(release=release(train), what="resource:cart", during=Range(NOW, NOW + DAY))
    freeze(train, "winter", scope)
    for address in (address_of(manager), address_of(manager, "group", train)):
        assert ("Freeze: Winter" in summaries(address)) is is_shown
    assert summaries(address_of(manager, "mine")) == []


def test_what_a_freeze_says(train: ReleaseGroup, manager: User) -> None:
    release(train)
    freeze(train, "winter", {"everything": True})
    [event, _] = events(address_of(manager))
    assert event.uid.startswith("freeze-")
    assert event.categories == ["FREEZE"]
    assert times(event) == (
        "2026-03-01T10:00:00+01:00",
        "2026-03-03T10:00:00+01:00",
    )


def test_a_freeze_lasts_until_it_is_lifted(train: ReleaseGroup, manager: User) -> None:
    window, address = freeze(train, "line", {"everything": True}, ends_at=None), address_of(manager, "group", train)
    [event] = events(address)
    assert event.end == datetime(2026, 3, 3, tzinfo=UTC)
    assert "until it is lifted" in event.description
    before = event.sequence
    FreezeWindow.objects.update(lifted_at=NOW - timedelta(hours=1), lifted_by_name="ann")
    [event] = events(address)
    assert (event.end, event.status, event.sequence) == (NOW - timedelta(hours=1), "CONFIRMED", before + 1)
    assert "Lifted by ann." in event.description
    FreezeWindow.objects.update(lifted_at=window.starts_at - DAY)
    assert [event.status for event in events(address)] == ["CANCELLED"]


def test_the_nearest_are_shown_when_there_are_too_many(
    train: ReleaseGroup, manager: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("calendar_app.queries.MOST_RELEASES", 3)
    for days in (-80, -2, -1, 3, 90, 300):
        release(train, f"{days}", planned_start_at=NOW + days * DAY, planned_end_at=None)
    assert summaries(address_of(manager)) == ["-2", "-1", "3"]


@pytest.mark.parametrize("kind", ["all", "mine", "group"])
def test_many_releases_take_as_many_queries_as_one(kind: str, train: ReleaseGroup, owner: User) -> None:
    assign_perm("view_releasegroup", owner, train)
    address = address_of(owner, kind, train if kind == "group" else None)

    def queries() -> int:
        get(address)
        with CaptureQueriesContext(connection) as caught:
            assert len(events(address)) > 0
        return len(caught)

    release(train, created_by=owner)
    freeze(train, "winter", {"everything": True})
    few = queries()
    for number in range(30):
        release(train, f"{number}", created_by=owner)
        freeze(train, f"freeze-{number}", {"groups": ["train"]})
    assert queries() == few
    assert few < 20
