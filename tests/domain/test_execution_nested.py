"""Subprocesses, `for_each`, replacing and restarting, on a real database."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from config.errors import Conflict, InvalidInput
from processes.expansion import expand
from releases.execution import attempts, decisions
from tests import fakes
from tests.builders import MONDAY, attempts_of, phase_of, process_of, run_of, start, states, work

pytestmark = pytest.mark.django_db

# check: scan(images) ──> verdict      main: build ──> [check] ──> ship(verdict)
NESTED = """
id: check
inputs: {images: {type: list, items: string, required: true}}
phases:
  - id: scan
    activities:
      - {id: each, for_each: "${{ inputs.images }}", parallel: 1,
         automated: {connection: scripted, pipeline: scan, parameters: {IMAGE: "${{ item }}", N: "${{ index }}"}},
         outputs: {found: {type: integer}}}
outputs:
  found: "${{ phases.scan.activities.each.outputs.found }}"
---
id: main
inputs: {names: {type: list, items: string}}
phases:
  - id: build
    activities:
      - {id: make, automated: {connection: scripted, pipeline: make}}
  - id: control
    depends_on: [build]
    activities:
      - {id: check, subprocess: {process: check, with: {images: "${{ inputs.names }}"}}}
  - id: deploy
    depends_on: [control]
    activities:
      - {id: ship, automated: {connection: scripted, pipeline: ship,
         parameters: {FOUND: "${{ string(phases.control.activities.check.outputs.found[1]) }}"}}}
"""


def found(number: int) -> fakes.Outcome:
    return fakes.Outcome("succeeded", outputs={"found": str(number)})


def test_a_subprocess_with_a_loop_hands_its_outputs_on(engine):
    engine.script["scan"] = [found(0), found(3)]
    release = start(NESTED, inputs={"names": ["cart", "till"]})
    work(release)
    assert release.state == "succeeded"
    assert engine.pipelines == ["make", "scan", "scan", "ship"]
    assert [order.parameters for order in engine.started[1:3]] == [
        {"IMAGE": "cart", "N": "0"},
        {"IMAGE": "till", "N": "1"},
    ]
    assert engine.started[3].parameters == {"FOUND": "3"}
    assert run_of(release, "control/check").outputs == {"found": [0, 3]}


def test_a_loop_over_nothing_succeeds_at_once(engine):
    text = NESTED.replace("outputs.found[1]", "outputs.found.size()")
    release = start(text.replace("string(", "(").replace("${{ (", "${{ string("), inputs={"names": []})
    work(release)
    assert release.state == "succeeded"
    assert engine.pipelines == ["make", "ship"]


def test_one_item_at_a_time_when_parallel_is_one(engine):
    engine.script["scan"] = [fakes.running("1"), fakes.running("2")]
    release = start(NESTED, inputs={"names": ["a", "b", "c"]})
    work(release)
    assert engine.pipelines == ["make", "scan"]


def test_a_failure_inside_is_decided_inside_and_fails_what_holds_it(engine):
    engine.script["scan"] = [found(0), fakes.failed()]
    release = start(NESTED, inputs={"names": ["a", "b"]})
    work(release)
    item = run_of(release, "control/check/scan/each[1]")
    assert item.state == "on_hold"
    decisions.fail(release.pk, item.pk, actor=None, now=MONDAY, reason="vulnerable")
    release.refresh_from_db()
    assert release.state == "failed"
    assert run_of(release, "control/check").state == "failed"
    assert states(release)["deploy/ship"] == "aborted"


def test_a_held_activity_is_replaced_by_a_process(engine):
    engine.script["make"] = [fakes.failed()]
    release = start(NESTED, inputs={"names": ["a", "b"]})
    work(release)
    engine.script["scan"] = [found(1), found(2)]
    _, document, catalogue = process_of(NESTED.split("---")[0])
    graft = expand(document, 1, catalogue)["nodes"]
    graft[0] = {**graft[0], "with": {"images": ["x"]}, "outputs": {"image": "${{ phases.scan.state }}"}}
    decisions.replace(
        release.pk,
        run_of(release, "build/make").pk,
        actor=None,
        now=MONDAY,
        subprocess={"process": "check", "revision": 1},
        graft=graft,
        reason="the builder is down",
    )
    engine.script["scan"] = [found(1), found(2), found(3)]
    work(release)
    assert release.state == "succeeded"
    run = run_of(release, "build/make")
    assert (run.kind, run.state, run.outputs) == ("subprocess", "succeeded", {"image": "succeeded"})
    assert run_of(release, "build/make/scan/each[0]").state == "succeeded"


def test_a_restarted_phase_runs_again_from_its_first_activity(engine):
    engine.script["make"] = [found(0), found(0)]
    engine.script["scan"] = [fakes.failed()]
    release = start(NESTED, inputs={"names": ["a", "b"]})
    work(release)
    control = phase_of(release, "control")
    decisions.restart_phase(release.pk, control.pk, actor=None, now=MONDAY, reason="again")
    engine.script["scan"] = [found(1), found(2)]
    work(release)
    assert release.state == "succeeded"
    assert attempts_of(run_of(release, "control/check/scan/each[0]")) == ["failed", "succeeded"]


def test_a_phase_cannot_restart_once_what_needs_it_has_begun(engine):
    engine.script["scan"] = [fakes.running("9")]
    release = start(NESTED, inputs={"names": ["a"]})
    work(release)
    with pytest.raises(Conflict, match="already begun: control"):
        decisions.restart_phase(release.pk, phase_of(release, "build").pk, actor=None, now=MONDAY, reason="again")


def test_restarting_cancels_what_was_under_way(engine):
    engine.script["scan"] = [fakes.running("9")]
    release = start(NESTED, inputs={"names": ["a"]})
    work(release)
    item = run_of(release, "control/check/scan/each[0]")
    decisions.restart_phase(release.pk, phase_of(release, "control").pk, actor=None, now=MONDAY, reason="again")
    assert item.attempts.get().cancel_at == MONDAY
    assert run_of(release, "control/check").state == "running"


RETRIED = """
id: retried
phases:
  - id: one
    activities:
      - {id: call, retry: {attempts: 3, delay: 0}, automated: {connection: scripted, pipeline: call,
         parameters: {TO: "${{ activity.inputs.to }}"}}, inputs: {to: {type: string, default: here}}}
"""


def test_a_retry_policy_tries_again_before_it_holds(engine):
    engine.script["call"] = [fakes.failed("a"), fakes.failed("b"), fakes.failed("c")]
    release = start(RETRIED)
    work(release)
    run = run_of(release, "one/call")
    assert (run.state, run.error, run.attempt) == ("on_hold", "c", 3)
    assert attempts_of(run) == ["failed", "failed", "failed"]


def test_a_retry_may_change_inputs_and_says_what_is_wrong_with_them(engine):
    engine.script["call"] = [fakes.failed(), fakes.failed(), fakes.failed()]
    release = start(RETRIED)
    work(release)
    run = run_of(release, "one/call")
    with pytest.raises(InvalidInput) as caught:
        decisions.retry(release.pk, run.pk, actor=None, now=MONDAY, inputs={"to": 3, "too": "x"})
    assert sorted(fault.path for fault in caught.value.faults) == ["inputs.to", "inputs.too"]
    decisions.retry(release.pk, run.pk, actor=None, now=MONDAY, inputs={"to": "there"})
    work(release)
    run.refresh_from_db()
    assert engine.started[-1].parameters == {"TO": "there"}
    assert run.sources == {"to": "retry"}
    assert release.state == "succeeded"


# make ──> do(item) ──> hold
CHANGING = """
id: changing
phases:
  - id: one
    activities:
      - {id: make, automated: {connection: scripted, pipeline: make}, outputs: {names: {type: list, items: string}}}
      - {id: do, for_each: "${{ phases.one.activities.make.outputs.names }}", depends_on: [make],
         automated: {connection: scripted, pipeline: do, parameters: {NAME: "${{ item }}"}}}
      - {id: hold, depends_on: [do], automated: {connection: scripted, pipeline: hold}}
"""


def test_a_list_that_shrinks_and_grows_again_runs_every_item(engine):
    release = start(CHANGING)
    for names in (["a", "b", "c"], [], ["d"], ["e", "f", "g"]):
        engine.script["make"] = [fakes.Outcome("succeeded", outputs={"names": json.dumps(names)})]
        engine.script["hold"] = [fakes.failed()]
        before = len(engine.started)
        work(release)
        ran = [order.parameters["NAME"] for order in engine.started[before:] if order.spec["pipeline"] == "do"]
        assert ran == names
        assert run_of(release, "one/hold").state == "on_hold"
        decisions.restart_phase(release.pk, phase_of(release, "one").pk, actor=None, now=MONDAY, reason="again")


FAST = """
id: fast
fail_fast: true
phases:
  - id: one
    activities:
      - {id: a, automated: {connection: scripted, pipeline: a}}
      - {id: b, automated: {connection: scripted, pipeline: b}}
"""


def test_what_would_be_stopped_at_once_is_not_retried(engine):
    engine.script["a"] = [fakes.failed()]
    engine.script["b"] = [fakes.failed()]
    release = start(FAST)
    work(release)
    decisions.fail(release.pk, run_of(release, "one/a").pk, actor=None, now=MONDAY, reason="broken")
    with pytest.raises(Conflict, match="fails fast and one/a has failed"):
        decisions.retry(release.pk, run_of(release, "one/b").pk, actor=None, now=MONDAY, inputs={})


# main: [inner: slow] ──> after
TIMED = """
id: inner
phases:
  - id: work
    activities:
      - {id: slow, automated: {connection: scripted, pipeline: slow}}
      - {id: next, depends_on: [slow], automated: {connection: scripted, pipeline: next}}
---
id: timed
phases:
  - id: only
    activities:
      - {id: inner, subprocess: inner, timeout: 1h}
      - {id: clean, depends_on: [inner], after: settled, automated: {connection: scripted, pipeline: clean}}
"""


def test_a_subprocess_that_takes_too_long_is_stopped_with_all_it_holds(engine):
    engine.script["slow"] = [fakes.running("7")]
    release = start(TIMED)
    work(release)
    inner = run_of(release, "only/inner")
    attempts.due(release.pk, inner.pk, now=MONDAY + timedelta(minutes=59))
    assert run_of(release, "only/inner").state == "running"
    attempts.due(release.pk, inner.pk, now=MONDAY + timedelta(hours=1))
    work(release)
    assert states(release) == {
        "only/inner": "failed",
        "only/inner/work/slow": "aborted",
        "only/inner/work/next": "aborted",
        "only/clean": "succeeded",
    }
    assert release.state == "failed"
    assert run_of(release, "only/inner/work/slow").attempts.get().cancel_at is not None
