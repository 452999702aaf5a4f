"""The trail: every change of state is one event in the same transaction, and nobody rewrites it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db import DatabaseError, connection, transaction

from activities.runners import Outcome
from config.errors import Conflict, InvalidInput
from config.models import Event
from config.trail import request_id
from releases.execution import decisions, lifecycle
from releases.execution.locked import lock_release
from releases.services import answering, running
from tests import fakes
from tests.builders import MONDAY, phase_of, run_of, start, states, work
from tests.crowd import member
from tests.trail import fold, stored

pytestmark = pytest.mark.django_db

LATER = MONDAY + timedelta(hours=1)

# one: make (retried) ──> ask    two: each(make) x 2, sub(scan), skipped, wait    three: after two is settled
TEXT = """
id: inner
phases:
  - id: scan
    activities: [{id: look, automated: {connection: scripted, pipeline: look}}]
---
id: outer
phases:
  - id: one
    owners: [group:qa]
    activities:
      - {id: make, retry: {attempts: 2, delay: 0}, automated: {connection: scripted, pipeline: make}}
      - {id: ask, depends_on: [make], manual: {approval: {rules: [{group: qa}]}}}
  - id: two
    depends_on: [one]
    activities:
      - {id: each, for_each: [1, 2], automated: {connection: scripted, pipeline: each}}
      - {id: sub, subprocess: {process: inner}}
      - {id: never, when: "${{ false }}", automated: {connection: scripted, pipeline: never}}
      - {id: soon, wait: 0s}
  - id: three
    depends_on: [two]
    after: settled
    activities: [{id: tidy, automated: {connection: scripted, pipeline: tidy}}]
"""


def play(release, engine, ann):
    """Take a release through failure, hold, retry, rejection, restart, pause and ignoring to its end."""
    work(release)
    ask = run_of(release, "one/ask")
    answering.sign_off(ann, ask, decision="rejected", comment="no", now=MONDAY)
    running.retry_activity(ann, ask, now=MONDAY, reason="mended")
    answering.sign_off(ann, ask, decision="approved", now=MONDAY)
    work(release)
    each = run_of(release, "two/each[0]")
    lifecycle.pause(release.pk, actor=ann, now=MONDAY, reason="lunch")
    decisions.retry(release.pk, each.pk, actor=ann, now=MONDAY, inputs={})
    lifecycle.resume(release.pk, actor=ann, now=MONDAY)
    work(release)
    decisions.ignore(release.pk, each.pk, actor=ann, now=MONDAY, reason="fine", outputs={})
    decisions.fail(release.pk, run_of(release, "two/sub/scan/look").pk, actor=ann, now=MONDAY, reason="broken")
    work(release)


@pytest.fixture
def ann(groups):
    return member("ann", "qa")


@pytest.fixture
def release(engine, ann):
    engine.script["make"] = [fakes.failed(), fakes.failed("again")]
    engine.script["each"] = [fakes.failed(), fakes.failed(), fakes.failed()]
    engine.script["look"] = [fakes.failed()]
    return start(TEXT)


def test_the_events_of_a_whole_release_replay_to_what_the_database_holds(release, engine, ann):
    work(release)
    assert fold(release) == stored(release)
    make = run_of(release, "one/make")
    decisions.retry(release.pk, make.pk, actor=ann, now=MONDAY, inputs={}, reason="once more")
    engine.script["each"] = [fakes.failed(), Outcome("succeeded"), fakes.failed()]
    play(release, engine, ann)
    assert release.state == "failed"
    assert states(release)["three/tidy"] == "succeeded"
    assert fold(release) == stored(release)


def test_the_events_of_an_aborted_and_of_a_restarted_release_replay_too(release, engine, ann):
    work(release)
    decisions.restart_phase(release.pk, phase_of(release, "one").pk, actor=ann, now=MONDAY, reason="again")
    work(release)
    assert fold(release) == stored(release)
    lifecycle.abort(release.pk, actor=ann, now=MONDAY, reason="enough")
    assert fold(release) == stored(release)
    assert "pending" not in stored(release).values()


def test_an_event_tells_who_why_when_and_in_which_request(release, ann):
    work(release)
    token = request_id.set("req-1")
    try:
        running.ignore_activity(ann, run_of(release, "one/make"), now=LATER, reason="known to be flaky")
    finally:
        request_id.reset(token)
    event = Event.objects.get(verb="activity.ignored")
    assert (event.actor, event.actor_name, event.reason, event.request_id, event.at) == (
        ann,
        "ann",
        "known to be flaky",
        "req-1",
        LATER,
    )
    assert (event.subject_type, event.subject_name) == ("activityrun", "one/make")
    machine = Event.objects.filter(verb="activity.started").first()
    assert machine is not None
    assert (machine.actor, machine.actor_name) == (None, "pilothouse")


def test_names_outlive_the_people(release, ann):
    work(release)
    running.ignore_activity(ann, run_of(release, "one/make"), now=LATER, reason="fine")
    User.objects.filter(pk=ann.pk).delete()
    event = Event.objects.get(verb="activity.ignored")
    assert (event.actor, event.actor_name) == (None, "ann")


def _change_and_break_off(release, run_id):
    with lock_release(release.pk, now=LATER) as locked:
        run = locked.load_activity(run_id)
        assert run is not None
        locked.move(run, "ignored", reason="no")
        locked.flush()
        raise RuntimeError


def test_what_is_rolled_back_leaves_no_event(release, ann):
    work(release)
    before = Event.objects.count()
    make = run_of(release, "one/make")
    with pytest.raises(InvalidInput):
        running.retry_activity(ann, make, now=LATER, inputs={"no": "such"})
    with pytest.raises(Conflict):
        answering.sign_off(ann, run_of(release, "one/ask"), decision="approved", now=LATER)
    with pytest.raises(RuntimeError):
        _change_and_break_off(release, make.pk)
    assert Event.objects.count() == before
    assert states(release)["one/make"] == "on_hold"


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE config_event SET reason = 'other'",
        "UPDATE config_event SET at = now()",
        "UPDATE config_event SET actor_name = 'other'",
        "UPDATE config_event SET after = '{}'",
        "DELETE FROM config_event",
        "UPDATE releases_snapshot SET tree = '{}'",
    ],
)
def test_the_database_itself_refuses_to_rewrite_history(release, sql):
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql)


def test_deleting_a_release_keeps_its_trail(release):
    count = Event.objects.filter(release_id=release.pk).count()
    pk = release.pk
    release.delete()
    assert Event.objects.filter(release_id=pk).count() == count > 0
