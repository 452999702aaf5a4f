"""Owners are told by mail what stops their release: once for each thing, and again only if the message was lost."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User

from activities.models import Connection
from processes.models import Process
from processes.services import apply
from releases import notifications, tasks
from releases.models import Release, ReleaseGroup
from releases.services import planning, starting
from releases.services.checking import TELLING, check_release
from tests.builders import MONDAY
from tests.crowd import member

pytestmark = pytest.mark.django_db

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
AWAY = "django.core.mail.backends.smtp.EmailBackend"
SHOP = """
kind: Connection
id: engine
name: Engine
provider: local
---
kind: Process
id: shop
name: Shop
phases:
  - id: plan
    name: Plan
    owners: ["group:qa"]
    activities: [{id: build, automated: {connection: engine, pipeline: build, command: [echo]}}]
"""


@pytest.fixture
def shop(groups: Any, manager: User, owner: User) -> Process:
    apply(None, SHOP, now=MONDAY, publish=True)
    return Process.objects.get()


@pytest.fixture(autouse=True)
def no_mail_server(settings: Any) -> None:
    settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_TIMEOUT = "127.0.0.1", 1, 1


def planned(shop: Process, hours: float = 24, **more: Any) -> Release:
    start = MONDAY + hours * HOUR
    release = planning.create_release(None, process=shop, name="Spring", planned_start_at=start, now=MONDAY, **more)
    return planning.schedule_release(None, release, now=MONDAY)


def stop(*, stops: bool = True) -> None:
    Connection.objects.update(enabled=not stops)


def look(release: Release, now: datetime) -> int:
    """Do what the task does; return how many mails were sent."""
    until = check_release(release.pk, now=now)
    return 0 if until is None else notifications.announce(release.pk, until)


def test_owners_are_told_what_stops_their_release_and_when_nothing_does_any_more(
    shop, owner, manager, stranger, mailoutbox, settings
):
    settings.PILOTHOUSE_URL = "https://ship.example/"
    train = ReleaseGroup.objects.create(
        slug="train", name="Train", process=shop, body={"owners": ["group:release-managers"]}
    )
    release = planned(shop, group=train)
    member("gone", "qa", active=False)
    stop()
    assert look(release, MONDAY) == 2
    assert sorted(mail.to for mail in mailoutbox) == [["manager@example.com"], ["owner@example.com"]]
    mail = mailoutbox[0]
    assert mail.subject == "Spring: 1 thing stops it"
    assert "- The connection 'engine', which 'plan/build' uses, is disabled. Enable it." in mail.body
    assert f"https://ship.example/releases/{release.pk}/" in mail.body
    stop(stops=False)
    look(release, MONDAY)
    assert mailoutbox[-1].subject == "Spring: nothing stops it any more"


def test_the_same_is_told_once(shop, mailoutbox):
    release = planned(shop)
    stop()
    assert look(release, MONDAY) == 1
    assert [look(release, MONDAY + hours * HOUR) for hours in (0, 1, 22)] == [0, 0, 0]
    assert len(mailoutbox) == 1


def test_what_has_long_been_wrong_is_told_when_the_start_comes_near(shop):
    release = planned(shop, 24 * 29)
    stop()
    assert [look(release, MONDAY + days * DAY) for days in (0, 21, 23, 24)] == [0, 0, 1, 0]


def test_a_message_that_was_lost_is_sent_by_the_look_that_is_due_when_it_should_be_there(shop):
    release = planned(shop)
    stop()
    assert check_release(release.pk, now=MONDAY) is not None, "and whoever asked dies"
    release.refresh_from_db()
    assert release.check_at == MONDAY + TELLING
    assert look(release, MONDAY + timedelta(minutes=1)) == 0, "somebody may just be sending it"
    release.refresh_from_db()
    assert release.check_at == MONDAY + TELLING
    assert look(release, MONDAY + TELLING) == 1
    assert look(release, MONDAY + 3 * TELLING) == 0


def test_two_who_look_at_once_tell_it_once(shop, mailoutbox):
    release = planned(shop)
    stop()
    first, second = (check_release(release.pk, now=MONDAY) for _ in range(2))
    assert first is not None
    assert second is None
    assert [notifications.announce(release.pk, first) for _ in range(2)] == [1, 0]


def test_who_is_late_leaves_it_to_whoever_has_seen_something_newer(shop, mailoutbox):
    release = planned(shop)
    stop()
    late = check_release(release.pk, now=MONDAY)
    stop(stops=False)
    newer = check_release(release.pk, now=MONDAY + timedelta(minutes=1))
    assert late is not None
    assert newer is not None
    assert notifications.announce(release.pk, late) == 0
    assert notifications.announce(release.pk, newer) == 1


def test_while_the_mail_server_is_away_it_is_logged_and_tried_again(shop, owner, settings, caplog, mailoutbox):
    backend, settings.EMAIL_BACKEND = settings.EMAIL_BACKEND, AWAY
    release = planned(shop)
    stop()
    assert look(release, MONDAY) == 0
    assert "could not be reached" in caplog.text
    assert look(release, MONDAY + TELLING) == 0
    settings.EMAIL_BACKEND = backend
    assert look(release, MONDAY + 2 * TELLING) == 1


def test_with_nobody_to_tell_it_counts_as_told(shop, owner):
    User.objects.update(email="")
    release = planned(shop)
    stop()
    assert look(release, MONDAY) == 0
    assert check_release(release.pk, now=MONDAY + TELLING) is None


def test_one_that_was_called_off_and_planned_again_starts_anew(shop):
    release = planned(shop)
    stop()
    assert look(release, MONDAY) == 1
    planning.cancel_release(None, release, reason="no", now=MONDAY)
    assert look(release, MONDAY + HOUR) == 0
    planning.schedule_release(None, release, now=MONDAY + HOUR)
    assert look(release, MONDAY + HOUR) == 1


def test_a_started_release_has_nothing_left_to_tell(shop):
    release = planned(shop)
    stop()
    until = check_release(release.pk, now=MONDAY)
    stop(stops=False)
    starting.start_release(None, release, now=MONDAY)
    assert until is not None
    assert notifications.announce(release.pk, until) == 0


def test_the_task_looks_and_tells(shop, mailoutbox, time_machine):
    time_machine.move_to(MONDAY, tick=False)
    release = planned(shop)
    stop()
    tasks.check(release.pk)
    tasks.check(release.pk)
    assert len(mailoutbox) == 1
