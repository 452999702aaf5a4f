"""What only time or an inbound call moves on: waits, signals, timeouts, retries, and the tick that finds them."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
import time_machine

from activities.runners import Outcome
from config.errors import Conflict, InvalidInput, NotPermitted
from config.models import Event
from releases.execution import attempts, tick
from releases.services import answering, running
from tests import fakes
from tests.builders import MONDAY, attempts_of, run_of, start, states, work
from tests.crowd import member
from tests.messages import deliver, drain

pytestmark = pytest.mark.django_db

SECOND = timedelta(seconds=1)


@pytest.fixture(autouse=True)
def no_messages(servers):
    """No message of an earlier test is left on the broker."""
    drain()


def process(activity: str) -> str:
    """Return a process with the activity `one/step`, then `one/then` for a person."""
    return f"""
id: process
inputs: {{soak: {{type: duration, default: 2h}}, at: {{type: datetime}}, version: {{type: string, default: "1.0"}}}}
phases:
  - id: one
    owners: [group:qa]
    activities:
      - {{id: step, {activity}}}
      - {{id: then, depends_on: [step], manual: {{instructions: Look.}}}}
"""


def tick_at(now: datetime) -> list:
    """Do what the tick and the workers would at a moment; return the messages that the tick sent."""
    with time_machine.travel(now, tick=False):
        tick.tick(now=now)
        return deliver()


# Waits ----------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("wait", "inputs", "until"),
    [
        ("90s", {}, MONDAY + 90 * SECOND),
        ("45", {}, MONDAY + 45 * SECOND),
        ('"2026-03-03T10:00:00+01:00"', {}, MONDAY + timedelta(days=1)),
        ('"${{ inputs.soak }}"', {"soak": "2h"}, MONDAY + timedelta(hours=2)),
        ('"${{ inputs.at }}"', {"at": "2026-03-02T12:00:00+00:00"}, MONDAY + timedelta(hours=3)),
        ("\"${{ now + duration('1h') }}\"", {}, MONDAY + timedelta(hours=1)),
        ('"${{ activity.inputs.own }}", inputs: {own: {type: duration, default: 5m}}', {}, MONDAY + 300 * SECOND),
    ],
)
def test_a_wait_ends_after_its_duration_or_at_its_moment(wait, inputs, until):
    release = start(process(f"wait: {wait}"), inputs=inputs)
    run = run_of(release, "one/step")
    assert (run.state, run.next_look_at) == ("waiting", until)
    assert tick_at(until - SECOND) == []
    assert tick_at(until) == [("due", (release.pk, run.pk))]
    run.refresh_from_db()
    assert (run.state, run.finished_at, run.next_look_at) == ("succeeded", until, None)
    assert states(release)["one/then"] == "waiting"


@pytest.mark.parametrize("wait", ["0s", '"2026-03-02T09:00:00Z"', '"2020-01-01T00:00:00Z"'])
def test_a_past_moment_passes_at_once(wait):
    release = start(process(f"wait: {wait}"))
    assert states(release) == {"one/step": "succeeded", "one/then": "waiting"}


@pytest.mark.parametrize("far", ["9999-12-31T00:00:00+00:00", "9999-12-31T23:59:59-12:00"])
@pytest.mark.parametrize("at", ['"${{ inputs.version }}"', '"${{ inputs.missing }}"', '"${{ inputs.at }}"'])
def test_a_wait_for_what_is_no_moment_is_held(at, far):
    run = run_of(start(process(f"wait: {at}"), inputs={"version": "soon", "at": far}), "one/step")
    assert run.state == "on_hold"
    assert run.error


def test_a_message_that_comes_too_early_or_twice_changes_nothing():
    release = start(process("wait: 1h"))
    run = run_of(release, "one/step")
    attempts.due(release.pk, run.pk, now=MONDAY + 10 * SECOND)
    run.refresh_from_db()
    assert run.state == "waiting"
    for _ in range(2):
        attempts.due(release.pk, run.pk, now=MONDAY + timedelta(hours=1))
    assert Event.objects.filter(subject_id=run.pk, verb="activity.succeeded").count() == 1


# Signals --------------------------------------------------------------------------------------------------------------
SIGNAL = 'signal: {payload: {version: {type: string, required: true}, size: {type: integer}}, match: "MATCH"}'


def signal(match="${{ payload.version == inputs.version }}"):
    return process(SIGNAL.replace("MATCH", match))


def test_a_signal_that_matches_becomes_the_outputs(owner):
    release = start(signal(), inputs={"version": "1.0"})
    run = run_of(release, "one/step")
    assert run.state == "waiting"
    assert answering.send_signal(owner, run, {"version": "1.0", "size": 3}, now=MONDAY)
    run.refresh_from_db()
    assert (run.state, run.outputs) == ("succeeded", {"version": "1.0", "size": 3})
    with pytest.raises(Conflict, match="succeeded; it does not wait"):
        answering.send_signal(owner, run, {"version": "1.0"}, now=MONDAY)


def test_a_signal_that_does_not_match_is_put_aside_and_told(owner):
    run = run_of(start(signal(), inputs={"version": "1.0"}), "one/step")
    assert not answering.send_signal(owner, run, {"version": "2.0"}, now=MONDAY)
    run.refresh_from_db()
    assert (run.state, run.outputs) == ("waiting", {})
    told = Event.objects.get(verb="signal.ignored")
    assert (told.after, told.reason, told.actor_name) == (
        {"payload": {"version": "2.0"}},
        "it does not match",
        "owner",
    )


def test_a_match_that_cannot_be_evaluated_does_not_match(owner):
    run = run_of(start(signal("${{ payload.size > 2 }}")), "one/step")
    assert not answering.send_signal(owner, run, {"version": "1.0"}, now=MONDAY)
    assert "payload.size" in Event.objects.get(verb="signal.ignored").reason
    assert answering.send_signal(owner, run, {"version": "1.0", "size": 3}, now=MONDAY)


def test_a_signal_without_a_match_takes_any_payload_it_declares(owner):
    run = run_of(start(process("signal: {payload: {version: {type: string}}}")), "one/step")
    assert answering.send_signal(owner, run, {}, now=MONDAY)


@pytest.mark.parametrize(
    ("payload", "paths"),
    [
        ({}, ["payload.version"]),
        ({"version": 1, "size": "big", "colour": "red"}, ["payload.colour", "payload.size", "payload.version"]),
        (["1.0"], ["payload"]),
        ({"version": "1\x000"}, ["payload.version"]),
        ({"version": "1", "size": float("nan")}, ["payload.size"]),
    ],
)
def test_a_payload_tells_all_its_faults_at_once(owner, payload, paths):
    run = run_of(start(signal(), inputs={"version": "1.0"}), "one/step")
    with pytest.raises(InvalidInput) as caught:
        answering.send_signal(owner, run, payload, now=MONDAY)
    assert sorted(fault.path for fault in caught.value.faults) == paths


def test_a_signal_is_for_those_who_decide(stranger, manager):
    run = run_of(start(signal(), inputs={"version": "1.0"}), "one/step")
    for person in (stranger, member("dev", "development")):
        with pytest.raises(NotPermitted):
            answering.send_signal(person, run, {"version": "1.0"}, now=MONDAY)
    assert answering.send_signal(manager, run, {"version": "1.0"}, now=MONDAY)


# Timeouts -------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "activity", ["manual: {tasks: [{id: t}]}", "signal: {}", "wait: 2d", "manual: {approval: {rules: [{group: qa}]}}"]
)
@pytest.mark.parametrize("timeout", ["1h", '"${{ inputs.soak }}"', '"${{ activity.inputs.own }}"'])
def test_what_nobody_did_in_time_is_held(activity, timeout):
    own = ", inputs: {own: {type: duration, default: 1h}}"
    release = start(process(f"{activity}, timeout: {timeout}{own}"), inputs={"soak": "1h"})
    run = run_of(release, "one/step")
    due = MONDAY + timedelta(hours=1)
    assert (run.state, run.deadline_at, run.next_look_at) == ("waiting", due, due)
    assert set(tick_at(due - SECOND)) <= {("tell", (run.pk,))}
    tick_at(due)
    run.refresh_from_db()
    assert (run.state, run.error, run.next_look_at) == ("on_hold", "Nobody acted before its timeout.", None)


def test_a_wait_that_ends_before_its_timeout_succeeds():
    run = run_of(start(process("wait: 1h, timeout: 2h")), "one/step")
    tick_at(MONDAY + timedelta(hours=1))
    run.refresh_from_db()
    assert run.state == "succeeded"


@pytest.mark.parametrize(("on_failure", "state"), [("ignore", "ignored"), ("fail", "failed"), ("hold", "on_hold")])
def test_a_timeout_takes_the_course_of_any_failure(on_failure, state):
    run = run_of(start(process(f"signal: {{}}, timeout: 1h, on_failure: {on_failure}")), "one/step")
    tick_at(MONDAY + timedelta(hours=1))
    run.refresh_from_db()
    assert run.state == state


def test_a_signal_that_timed_out_waits_again_after_a_retry(owner):
    release = start(process("signal: {}, timeout: 1h"))
    run = run_of(release, "one/step")
    tick_at(MONDAY + timedelta(hours=1))
    running.retry_activity(owner, run, now=MONDAY + timedelta(hours=2))
    run.refresh_from_db()
    assert (run.state, run.attempt, run.deadline_at) == ("waiting", 2, MONDAY + timedelta(hours=3))
    assert answering.send_signal(owner, run, {}, now=MONDAY + timedelta(hours=2))


def test_a_timeout_that_is_no_duration_holds_the_activity():
    run = run_of(start(process('signal: {}, timeout: "${{ inputs.version }}"'), inputs={"version": "soon"}), "one/step")
    assert (run.state, run.attempt) == ("on_hold", 0)


# Automated ------------------------------------------------------------------------------------------------------------
#: The engine has this long to notice a timeout by itself before Pilothouse steps in.
GRACE = attempts.GRACE
BUILD = "automated: {connection: scripted, pipeline: build}"


@pytest.fixture
def clock():
    """The clock of workers stands at the moment releases start, until a test moves it."""
    with time_machine.travel(MONDAY, tick=False) as traveller:
        yield traveller


def test_an_attempt_past_its_deadline_is_cancelled_and_timed_out(engine, clock):
    engine.script["build"] = [fakes.running("77")]
    engine.looks["build"] = [fakes.running("77"), fakes.running("77")]
    release = start(process(f'{BUILD}, timeout: "${{{{ inputs.soak }}}}"'), inputs={"soak": "1h"})
    work(release)
    run = run_of(release, "one/step")
    deadline = MONDAY + timedelta(hours=1) + GRACE
    assert (run.state, run.deadline_at) == ("running", deadline)
    assert engine.started[0].timeout == 3600.0
    assert tick_at(deadline - SECOND) == [("look", (release.pk, run.pk, 1))]
    assert engine.cancelled == []
    tick_at(deadline + timedelta(minutes=1))
    run.refresh_from_db()
    assert (run.state, run.error) == ("on_hold", "It took longer than its timeout.")
    assert attempts_of(run) == ["timed_out"]
    assert engine.cancelled == [engine.started[0].key]


def test_work_that_is_over_at_its_deadline_counts_as_it_ended(engine, clock):
    engine.script["build"] = [fakes.running("77")]
    engine.looks["build"] = [Outcome("succeeded")]
    release = start(process(f"{BUILD}, timeout: 1h"))
    work(release)
    tick_at(MONDAY + timedelta(hours=1) + GRACE)
    assert states(release)["one/step"] == "succeeded"
    assert engine.cancelled == []


def test_a_retry_with_a_delay_is_queued_until_it_is_due(engine, clock):
    engine.script["build"] = [fakes.failed("one"), fakes.failed("two"), fakes.failed("three")]
    release = start(process(f"{BUILD}, retry: {{attempts: 4, delay: 60s, factor: 2, ceiling: 90s}}"))
    run = run_of(release, "one/step")
    attempts.carry_out(release.pk, run.pk, 1)
    run.refresh_from_db()
    assert (run.state, run.attempt, run.next_look_at) == ("queued", 2, MONDAY + timedelta(seconds=60))
    assert tick_at(MONDAY + timedelta(seconds=59)) == []
    assert tick_at(MONDAY + timedelta(seconds=60)) == [("start", (release.pk, run.pk, 2))]
    run.refresh_from_db()
    assert (run.state, run.attempt, run.next_look_at) == ("queued", 3, MONDAY + timedelta(seconds=60 + 90))
    tick_at(MONDAY + timedelta(seconds=150))
    run.refresh_from_db()
    assert (run.attempt, run.next_look_at) == (4, MONDAY + timedelta(seconds=240))
    tick_at(MONDAY + timedelta(seconds=240))
    assert states(release)["one/step"] == "succeeded"
    assert attempts_of(run) == ["failed", "failed", "failed", "succeeded"]
    assert len({order.key for order in engine.started}) == 4


def test_a_lost_message_is_sent_again_and_a_doubled_one_starts_nothing_twice(engine, clock):
    release = start(process(BUILD))
    run = run_of(release, "one/step")
    drain()
    assert tick_at(MONDAY + SECOND) == []
    later = MONDAY + timedelta(seconds=31)
    with time_machine.travel(later, tick=False):
        tick.tick(now=later)
        tick.tick(now=later)
        assert drain() == [("start", (release.pk, run.pk, 1))]
        for _ in range(2):
            attempts.carry_out(release.pk, run.pk, 1)
    assert engine.pipelines == ["build"]


def test_the_tick_has_what_was_stopped_cancelled_until_the_engine_answers(engine, clock, manager):
    engine.script["build"] = [fakes.running("77")]
    release = start(process(BUILD))
    work(release)
    running.abort_release(manager, release, now=MONDAY, reason="wrong version")
    attempt = run_of(release, "one/step").attempts.get()
    assert tick_at(MONDAY) == [("cancel", (attempt.pk,))]
    assert engine.cancelled == [engine.started[0].key]
    assert attempts_of(run_of(release, "one/step")) == ["cancelled"]
    assert tick_at(MONDAY + timedelta(hours=1)) == []
