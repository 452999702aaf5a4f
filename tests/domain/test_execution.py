"""A release from its start to its end, on a real database, with a scripted engine."""

from __future__ import annotations

import pytest

from config.models import Event
from releases.execution import attempts, decisions, lifecycle
from releases.tree import Key
from tests import fakes
from tests.builders import MONDAY, attempts_of, look, phase_of, run_of, start, states, work

pytestmark = pytest.mark.django_db

# build: compile ──> test        deploy needs build
TWO_PHASES = """
id: shop
inputs: {version: {type: string}}
phases:
  - id: build
    activities:
      - {id: compile, automated: {connection: scripted, pipeline: compile, parameters: {V: "v${{ inputs.version }}"}},
         outputs: {image: {type: string}, size: {type: integer}}}
      - {id: test, depends_on: [compile], automated: {connection: scripted, pipeline: test,
         parameters: {IMAGE: "${{ phases.build.activities.compile.outputs.image }}"}}}
  - id: deploy
    depends_on: [build]
    activities:
      - {id: ship, automated: {connection: scripted, pipeline: ship}}
"""


def test_a_release_goes_from_its_start_to_its_end(engine):
    engine.script["compile"] = [fakes.Outcome("succeeded", outputs={"image": "shop:1", "size": "12"})]
    release = start(TWO_PHASES, inputs={"version": "1.0"})
    assert states(release) == {"build/compile": "queued", "build/test": "pending", "deploy/ship": "pending"}
    work(release)
    assert release.state == "succeeded"
    assert release.finished_at is not None
    assert engine.pipelines == ["compile", "test", "ship"]
    assert engine.started[0].parameters == {"V": "v1.0"}
    assert engine.started[1].parameters == {"IMAGE": "shop:1"}
    assert run_of(release, "build/compile").outputs == {"image": "shop:1", "size": 12}


def test_every_change_has_one_event(engine):
    release = start(TWO_PHASES, inputs={"version": "1.0"})
    work(release)
    told = list(
        Event.objects.filter(release_id=release.pk, subject_name="build/compile").values_list("verb", flat=True)
    )
    assert told == ["activity.queued", "activity.started", "activity.succeeded"]
    phases = list(
        Event.objects.filter(release_id=release.pk, subject_type="phaserun").values_list("subject_name", "verb")
    )
    assert phases == [
        ("build", "phase.started"),
        ("build", "phase.succeeded"),
        ("deploy", "phase.started"),
        ("deploy", "phase.succeeded"),
    ]


def test_an_output_of_the_wrong_type_fails_the_attempt(engine):
    engine.script["compile"] = [fakes.Outcome("succeeded", outputs={"size": "big"})]
    release = start(TWO_PHASES, inputs={"version": "1.0"})
    work(release)
    run = run_of(release, "build/compile")
    assert run.state == "on_hold"
    assert "size" in run.error


def test_a_failure_is_held_and_a_retry_is_a_new_attempt(engine):
    engine.script["test"] = [fakes.failed("3 tests failed")]
    engine.script["compile"] = [fakes.Outcome("succeeded", outputs={"image": "shop:1"})]
    release = start(TWO_PHASES, inputs={"version": "1.0"})
    work(release)
    run = run_of(release, "build/test")
    assert (run.state, run.error) == ("on_hold", "3 tests failed")
    decisions.retry(release.pk, run.pk, actor=None, now=MONDAY, inputs={})
    work(release)
    assert release.state == "succeeded"
    assert attempts_of(run) == ["failed", "succeeded"]


def test_an_ignored_failure_makes_the_release_partially_succeeded(engine):
    engine.script["compile"] = [fakes.failed()]
    release = start(TWO_PHASES, inputs={"version": "1.0"})
    work(release)
    run = run_of(release, "build/compile")
    decisions.ignore(release.pk, run.pk, actor=None, now=MONDAY, reason="flaky", outputs={"image": "shop:0"})
    work(release)
    assert release.state == "partially_succeeded"
    assert engine.started[1].parameters == {"IMAGE": "shop:0"}
    assert phase_of(release, "build").state == "partially_succeeded"


def test_a_failed_activity_fails_the_release_and_what_needs_it_never_runs(engine):
    engine.script["compile"] = [fakes.failed()]
    release = start(TWO_PHASES, inputs={"version": "1.0"})
    work(release)
    decisions.fail(release.pk, run_of(release, "build/compile").pk, actor=None, now=MONDAY, reason="broken")
    release.refresh_from_db()
    assert release.state == "failed"
    assert states(release) == {"build/compile": "failed", "build/test": "aborted", "deploy/ship": "aborted"}


def test_a_late_result_after_abort_changes_nothing(engine):
    engine.script["compile"] = [fakes.running("77")]
    release = start(TWO_PHASES, inputs={"version": "1.0"})
    work(release)
    run = run_of(release, "build/compile")
    lifecycle.abort(release.pk, actor=None, now=MONDAY, reason="wrong version")
    events = Event.objects.filter(release_id=release.pk).count()
    attempt = run.attempts.get()
    claimed = attempts.Claim(release.pk, run.pk, 1, Key(run.node), run.work, attempt.started_at)
    attempts.record(claimed, fakes.Outcome("succeeded"), now=MONDAY)
    run.refresh_from_db()
    assert run.state == "aborted"
    assert Event.objects.filter(release_id=release.pk).count() == events
    attempt.refresh_from_db()
    assert attempt.cancel_at == MONDAY
    attempts.cancel_attempt(attempt.pk, now=MONDAY)
    assert engine.cancelled == [claimed.key] == [engine.started[0].key]
    assert attempts_of(run) == ["cancelled"]


def test_a_paused_release_starts_nothing_and_goes_on_when_resumed(engine):
    release = start(TWO_PHASES, inputs={"version": "1.0"})
    lifecycle.pause(release.pk, actor=None, now=MONDAY)
    run = run_of(release, "build/compile")
    assert attempts.claim(release.pk, run.pk, 1, now=MONDAY) is None
    lifecycle.resume(release.pk, actor=None, now=MONDAY)
    work(release)
    assert release.state == "succeeded"


def test_a_running_attempt_is_looked_at_until_it_is_over(engine):
    engine.script["compile"] = [fakes.running("77")]
    engine.looks["compile"] = [
        fakes.Outcome("running", "77", log="one\n", log_offset=4, look_in=3),
        fakes.Outcome("succeeded", "77", log="two\n", log_offset=8, outputs={"image": "x"}),
    ]
    release = start(TWO_PHASES, inputs={"version": "1.0"})
    work(release)
    look(release)
    look(release)
    work(release)
    assert release.state == "succeeded"
    attempt = run_of(release, "build/compile").attempts.get()
    assert (attempt.reference, attempt.log.text) == ("77", "one\ntwo\n")


def test_an_engine_that_cannot_be_reached_is_asked_again_with_the_same_key(engine):
    engine.script["compile"] = [fakes.unreachable()]
    release = start(TWO_PHASES, inputs={"version": "1.0"})
    work(release)
    look(release)
    work(release)
    assert release.state == "succeeded"
    assert engine.started[0].key == engine.started[1].key
