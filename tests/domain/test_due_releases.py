"""Scheduled releases start by themselves when they are due, and say why when they cannot."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from config.models import Event
from releases.execution import tick
from releases.models import Release
from releases.services import due, planning
from tests.builders import MONDAY, start

pytestmark = pytest.mark.django_db

ONE = """
id: one
inputs: {version: {type: string, required: true}}
phases:
  - id: only
    activities:
      - {id: wait, manual: {instructions: Say yes.}}
"""


def scheduled(engine: Any, given: dict[str, Any]) -> Release:
    """A release of ONE that is scheduled for an hour from Monday, nine o'clock."""
    template = start(ONE, inputs={"version": "1"})
    release = planning.create_release(
        None,
        process=template.process,
        revision=template.revision,
        name="Later",
        given=given,
        planned_start_at=MONDAY + timedelta(hours=1),
        now=MONDAY,
    )
    return planning.schedule_release(None, release, now=MONDAY)


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The releases the tick has sent to the workers."""
    begun: list[int] = []
    monkeypatch.setattr("releases.queue.send_begins", begun.extend)
    return begun


def test_the_tick_sends_a_release_when_it_is_due_and_not_before(engine, sent):
    release = scheduled(engine, {"inputs": {"version": "2"}})
    tick.tick(now=MONDAY + timedelta(minutes=59))
    assert sent == []
    tick.tick(now=MONDAY + timedelta(hours=1))
    tick.tick(now=MONDAY + timedelta(hours=1, seconds=1))
    assert sent == [release.pk]


def test_a_due_release_starts_once_however_often_it_is_told(engine):
    release = scheduled(engine, {"inputs": {"version": "2"}})
    moment = MONDAY + timedelta(hours=1)
    assert due.begin_due(release.pk, now=moment) is True
    assert due.begin_due(release.pk, now=moment) is False
    release.refresh_from_db()
    assert (release.state, release.started_by_name) == ("running", "pilothouse")


def test_a_release_that_cannot_start_says_why_once_and_is_tried_again(engine, sent):
    release = scheduled(engine, {})
    moment = MONDAY + timedelta(hours=1)
    assert due.begin_due(release.pk, now=moment) is False
    assert due.begin_due(release.pk, now=moment + timedelta(minutes=1)) is False
    refused = Event.objects.filter(release_id=release.pk, verb="release.start_refused")
    assert [event.reason for event in refused] == [refused[0].reason]
    assert "version" in refused[0].reason
    release.refresh_from_db()
    assert release.state == "scheduled"
    tick.tick(now=moment + timedelta(minutes=2))
    assert sent == [release.pk]


def test_moving_or_cancelling_a_release_moves_its_start(engine, sent):
    release = scheduled(engine, {"inputs": {"version": "2"}})
    planning.edit_release(None, release, {"planned_start_at": MONDAY + timedelta(hours=3)}, now=MONDAY)
    tick.tick(now=MONDAY + timedelta(hours=2))
    assert sent == []
    planning.cancel_release(None, release, reason="not today", now=MONDAY)
    tick.tick(now=MONDAY + timedelta(hours=4))
    assert sent == []
    assert Release.objects.get(pk=release.pk).next_try_at is None
