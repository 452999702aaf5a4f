"""Whether things run at all, what becomes of failures, and what a release hands on."""

from __future__ import annotations

import pytest

from activities.runners import Outcome
from config.errors import NotPermitted
from config.models import Event
from releases.execution import attempts, decisions
from releases.models import Artifact
from releases.services import answering, planning, running
from tests import fakes
from tests.builders import MONDAY, attempts_of, phase_of, run_of, start, states, work
from tests.crowd import member

pytestmark = pytest.mark.django_db


def auto(name: str, *more: str) -> str:
    """Return an automated activity of the scripted engine, whose pipeline has its name."""
    return "{" + ", ".join([f"id: {name}", *more, f"automated: {{connection: scripted, pipeline: {name}}}"]) + "}"


def phases(*lines: str) -> str:
    """Return a process with phases, each `id [needs] : keys : activities`."""
    head = "id: process\ninputs: {go: {type: boolean}, n: {type: integer}, name: {type: string}}\nphases:\n"
    return head + "\n".join(f"  - {line}" for line in lines)


def phase(name: str, *activities: str, more: str = "") -> str:
    return f"{{id: {name}, {more + ', ' if more else ''}activities: [{', '.join(activities)}]}}"


# Conditions -----------------------------------------------------------------------------------------------------------
def test_a_false_condition_skips_an_activity_and_what_needs_it_goes_on(engine):
    # a (when go) ──> b
    text = phases(phase("p", auto("a", 'when: "${{ inputs.go }}"'), auto("b", "depends_on: [a]")))
    release = start(text, inputs={"go": False})
    work(release)
    assert (release.state, states(release)) == ("succeeded", {"p/a": "skipped", "p/b": "succeeded"})
    assert engine.pipelines == ["b"]


def test_a_false_condition_skips_a_phase_with_everything_in_it(engine):
    # p (when go) ──> q
    text = phases(
        phase("p", auto("a"), auto("b"), more='when: "${{ inputs.go }}"'), phase("q", auto("c"), more="depends_on: [p]")
    )
    release = start(text, inputs={"go": False})
    work(release)
    assert phase_of(release, "p").state == "skipped"
    assert states(release) == {"p/a": "skipped", "p/b": "skipped", "q/c": "succeeded"}
    assert release.state == "succeeded"


def test_a_condition_is_evaluated_once_when_the_activity_would_start(engine):
    # a ──> b (when a's output is yes), which fails and is tried again after the output would say no
    text = phases(
        phase(
            "p",
            auto("a"),
            auto("b", "depends_on: [a]", "when: \"${{ phases.p.activities.a.outputs.say == 'yes' }}\""),
        )
    )
    engine.script["a"] = [Outcome("succeeded", outputs={"say": "yes"})]
    engine.script["b"] = [fakes.failed()]
    release = start(text)
    assert states(release)["p/b"] == "pending"
    work(release)
    run = run_of(release, "p/b")
    first = run_of(release, "p/a")
    first.outputs = {"say": "no"}
    first.save(update_fields=["outputs"])
    decisions.retry(release.pk, run.pk, actor=None, now=MONDAY, inputs={})
    work(release)
    assert states(release)["p/b"] == "succeeded"


@pytest.mark.parametrize("when", ["${{ 1 / inputs.n > 0 }}", "${{ inputs.name }}"])
def test_a_condition_that_cannot_be_evaluated_holds_the_activity_and_is_asked_again_on_retry(engine, when):
    text = phases(phase("p", auto("a", f'when: "{when}"')))
    release = start(text, inputs={"n": 0, "name": "yes"})
    run = run_of(release, "p/a")
    assert (run.state, run.attempt) == ("on_hold", 0)
    assert run.error
    decisions.retry(release.pk, run.pk, actor=None, now=MONDAY, inputs={})
    assert states(release)["p/a"] == "on_hold"
    release.inputs = {"n": -1, "name": False}
    release.save(update_fields=["inputs"])
    decisions.retry(release.pk, run.pk, actor=None, now=MONDAY, inputs={})
    assert states(release)["p/a"] == "skipped"
    assert engine.pipelines == []


def test_a_condition_that_cannot_be_evaluated_fails_the_phase(engine):
    release = start(phases(phase("p", auto("a"), more='when: "${{ 1 / inputs.n > 0 }}"')), inputs={"n": 0})
    found = phase_of(release, "p")
    assert found.state == "failed"
    assert found.error
    assert states(release) == {"p/a": "aborted"}
    assert release.state == "failed"


# Needs ----------------------------------------------------------------------------------------------------------------
def test_one_need_is_enough_where_any_is(engine):
    # a ──> c <── b     (needs: any)
    text = phases(phase("p", auto("a"), auto("b"), auto("c", "depends_on: [a, b]", "needs: any")))
    engine.script["b"] = [fakes.running("1")]
    release = start(text)
    work(release)
    assert states(release) == {"p/a": "succeeded", "p/b": "running", "p/c": "succeeded"}


def test_any_waits_for_the_second_when_the_first_has_failed_and_never_runs_when_both_have(engine):
    # a ──> c <── b     (needs: any)
    text = phases(
        phase(
            "p",
            auto("a", "on_failure: fail"),
            auto("b", "on_failure: fail"),
            auto("c", "depends_on: [a, b]", "needs: any"),
        )
    )
    engine.script["a"] = [fakes.failed()]
    release = start(text)
    first, second = run_of(release, "p/a"), run_of(release, "p/b")
    attempts.carry_out(release.pk, first.pk, 1)
    assert states(release)["p/c"] == "pending"
    attempts.carry_out(release.pk, second.pk, 1)
    assert engine.pipelines == ["a", "b", "c"]
    engine.script["a"], engine.script["b"] = [fakes.failed()], [fakes.failed()]
    release = start(text)
    work(release)
    assert states(release) == {"p/a": "failed", "p/b": "failed", "p/c": "aborted"}


# build ──> clean (after settled, runs the roll-back only if build failed)
CLEAN_UP = phases(
    phase("build", auto("make", "on_failure: fail")),
    phase(
        "clean",
        auto("roll-back", "when: \"${{ phases.build.state == 'failed' }}\""),
        auto("tidy"),
        more="depends_on: [build], after: settled",
    ),
)


def test_clean_up_runs_after_a_failure_and_sees_it(engine):
    engine.script["make"] = [fakes.failed()]
    release = start(CLEAN_UP)
    work(release)
    assert states(release) == {"build/make": "failed", "clean/roll-back": "succeeded", "clean/tidy": "succeeded"}
    assert (release.state, phase_of(release, "clean").state) == ("failed", "succeeded")


def test_clean_up_runs_after_success_too(engine):
    release = start(CLEAN_UP)
    work(release)
    assert states(release) == {"build/make": "succeeded", "clean/roll-back": "skipped", "clean/tidy": "succeeded"}
    assert release.state == "succeeded"


# Failures -------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("more", "state", "phase_state", "release_state"),
    [
        ("on_failure: ignore", "ignored", "partially_succeeded", "partially_succeeded"),
        ("on_failure: fail", "failed", "failed", "failed"),
        ("on_failure: fail, required: false", "failed", "partially_succeeded", "partially_succeeded"),
        ("on_failure: ignore, required: false", "ignored", "succeeded", "succeeded"),
    ],
)
def test_what_becomes_of_a_failure(engine, more, state, phase_state, release_state):
    engine.script["a"] = [fakes.failed("no space")]
    release = start(phases(phase("p", auto("a", more), auto("b"))))
    work(release)
    run = run_of(release, "p/a")
    assert (run.state, run.error) == (state, "no space")
    assert (phase_of(release, "p").state, release.state) == (phase_state, release_state)
    assert states(release)["p/b"] == "succeeded"


def test_a_branch_that_does_not_need_the_failure_goes_on(engine):
    # p: a(fails) ──> b      q: c
    engine.script["a"] = [fakes.failed()]
    release = start(
        phases(phase("p", auto("a", "on_failure: fail"), auto("b", "depends_on: [a]")), phase("q", auto("c")))
    )
    work(release)
    assert states(release) == {"p/a": "failed", "p/b": "aborted", "q/c": "succeeded"}
    assert release.state == "failed"


def test_a_process_that_fails_fast_starts_nothing_new_but_clean_up(engine):
    # p: a(fails), c(runs)      q ──> r       clean after p is settled
    text = "fail_fast: true\n" + phases(
        phase("p", auto("a", "on_failure: fail"), auto("c")),
        phase("q", "{id: w, wait: 1h}"),
        phase("r", auto("d"), more="depends_on: [q]"),
        phase("clean", auto("tidy"), more="depends_on: [p], after: settled"),
    )
    engine.script["a"], engine.script["c"] = [fakes.failed()], [fakes.running("1")]
    engine.looks["c"] = [Outcome("succeeded")]
    release = start(text)
    other = run_of(release, "p/c")
    attempts.carry_out(release.pk, other.pk, 1)
    attempts.carry_out(release.pk, run_of(release, "p/a").pk, 1)
    assert states(release) == {
        "p/a": "failed",
        "p/c": "running",
        "q/w": "waiting",
        "r/d": "aborted",
        "clean/tidy": "pending",
    }
    attempts.look(release.pk, other.pk, 1)
    work(release)
    assert states(release)["clean/tidy"] == "succeeded"


# Values ---------------------------------------------------------------------------------------------------------------
def test_phase_inputs_have_expressions_and_phase_and_process_outputs_hand_on(engine):
    # make ──> ship (its input is made of make's output)
    text = """
id: process
inputs: {name: {type: string}}
phases:
  - id: make
    activities:
      - {id: a, automated: {connection: scripted, pipeline: a},
         outputs: {size: {type: integer}, took: {type: duration}}}
    outputs: {double: "${{ phases.make.activities.a.outputs.size * 2 }}"}
  - id: ship
    depends_on: [make]
    inputs:
      label: {type: string, default: "${{ inputs.name }}-${{ string(phases.make.outputs.double) }}"}
      wait: {type: duration, default: "${{ phases.make.activities.a.outputs.took }}"}
    activities:
      - {id: b, automated: {connection: scripted, pipeline: b, parameters: {L: "${{ phase.inputs.label }}",
         W: "${{ string(phase.inputs.wait > duration('1m')) }}", O: "${{ phase.owners[0] }}"}}}
    owners: [group:qa]
outputs:
  label: "${{ phases.ship.inputs.label }}"
  sizes: {all: ["${{ phases.make.activities.a.outputs.size }}"]}
"""
    engine.script["a"] = [Outcome("succeeded", outputs={"size": "21", "took": "90s"})]
    release = start(text, inputs={"name": "till"})
    work(release)
    assert release.state == "succeeded"
    assert engine.started[1].parameters == {"L": "till-42", "W": "true", "O": "group:qa"}
    ship = phase_of(release, "ship")
    assert (ship.inputs, ship.sources) == (
        {"label": "till-42", "wait": "1m30s"},
        {"label": "default", "wait": "default"},
    )
    assert release.outputs == {"label": "till-42", "sizes": {"all": [21]}}


def test_values_given_before_the_start_reach_the_activities_they_are_for(engine):
    text = """
id: process
phases:
  - id: p
    activities:
      - {id: a, with: {x: reference}, inputs: {x: {type: string, default: own}, y: {type: string, default: own}},
         automated: {connection: scripted, pipeline: a, parameters: {X: "${{ activity.inputs.x }}"}}}
"""
    release = start(text, values={"p/a": [["start", {"x": "start"}], ["input set", {"x": "set", "y": "set"}]]})
    work(release)
    run = run_of(release, "p/a")
    assert (run.inputs, run.sources) == ({"x": "start", "y": "set"}, {"x": "start", "y": "input set"})
    assert engine.started[0].parameters == {"X": "start"}


def test_inputs_that_cannot_be_resolved_hold_the_activity_until_they_are_mended(engine):
    text = """
id: process
phases:
  - id: p
    activities:
      - {id: a, inputs: {x: {type: integer, required: true}, y: {type: integer, default: "${{ 1 / 0 }}"}},
         automated: {connection: scripted, pipeline: a, parameters: {X: "${{ string(activity.inputs.x) }}"}}}
"""
    release = start(text)
    run = run_of(release, "p/a")
    assert (run.state, run.attempt) == ("on_hold", 0)
    assert "'x' is required" in run.error
    assert "y" in run.error
    decisions.retry(release.pk, run.pk, actor=None, now=MONDAY, inputs={"x": 3, "y": 4})
    work(release)
    assert (release.state, engine.started[0].parameters) == ("succeeded", {"X": "3"})


def test_inputs_changed_for_a_retry_are_forgotten_when_the_phase_is_restarted(engine, manager):
    text = phases(
        phase(
            "p",
            "{id: a, inputs: {x: {type: string, default: old}}, automated: {connection: scripted, pipeline: a, "
            'parameters: {X: "${{ activity.inputs.x }}"}}}',
            "{id: b, depends_on: [a], manual: {instructions: Look.}}",
        )
    )
    engine.script["a"] = [fakes.failed(), Outcome("succeeded"), fakes.failed()]
    release = start(text)
    work(release)
    run = run_of(release, "p/a")
    decisions.retry(release.pk, run.pk, actor=None, now=MONDAY, inputs={"x": "new"})
    work(release)
    running.restart_phase(manager, phase_of(release, "p"), now=MONDAY, reason="again")
    work(release)
    decisions.retry(release.pk, run.pk, actor=None, now=MONDAY, inputs={})
    work(release)
    assert [order.parameters["X"] for order in engine.started] == ["old", "new", "old", "old"]


@pytest.mark.parametrize(
    "outputs",
    [{"text": "nul \x00"}, {"text": "half \ud800"}, {"number": "nan"}, {"number": "1e999"}, {"free\x00": "x"}],
)
def test_odd_outputs_of_a_pipeline_never_keep_its_end_from_being_recorded(engine, outputs):
    text = phases(phase("p", auto("a", "outputs: {text: {type: string}, number: {type: number}}")))
    engine.script["a"] = [
        Outcome("succeeded", outputs=outputs, log="bell \x07 nul \x00\n", log_offset=12, error="\x00")
    ]
    release = start(text)
    work(release)
    assert states(release)["p/a"] in ("succeeded", "on_hold")
    assert attempts_of(run_of(release, "p/a")) in (["succeeded"], ["failed"])


# Artifacts ------------------------------------------------------------------------------------------------------------
ARTIFACTS = """
id: process
inputs: {name: {type: string}, link: {type: string}}
phases:
  - id: p
    activities:
      - id: a
        automated: {connection: scripted, pipeline: a}
        outputs: {image: {type: string}, commit: {type: string}}
        artifacts:
          - {name: "${{ inputs.name }}", version: "${{ release.version }}", commit: "${{ activity.outputs.commit }}",
             reference: "${{ activity.outputs.image }}", environment: production, link: "${{ inputs.link }}"}
          - {name: "${{ activity.outputs.nothing }}"}
"""


def test_artifacts_of_an_activity_that_succeeded_are_recorded(engine):
    engine.script["a"] = [Outcome("succeeded", outputs={"image": "till:1", "commit": "0f3c2d1"})]
    release = start(ARTIFACTS, inputs={"name": "till", "link": "https://example.org/till"})
    work(release)
    made = Artifact.objects.get()
    assert (made.name, made.version, made.commit, made.reference) == ("till", "1.2.3", "0f3c2d1", "till:1")
    assert (made.environment, made.link) == ("production", "https://example.org/till")
    assert made.activity_run == run_of(release, "p/a")
    unread = Event.objects.get(verb="artifact.unreadable")
    assert "nothing" in unread.reason
    assert Event.objects.get(verb="artifact.recorded").after == {"name": "till", "version": "1.2.3"}


@pytest.mark.parametrize("name", ["n" * 201, ""])
def test_an_artifact_that_cannot_be_kept_is_told_and_stops_nothing(engine, name):
    engine.script["a"] = [Outcome("succeeded", outputs={"image": "till:1", "commit": "c" * 101})]
    release = start(ARTIFACTS, inputs={"name": name, "link": "javascript:alert(1)"})
    work(release)
    assert release.state == "succeeded"
    assert not Artifact.objects.exists()
    assert Event.objects.filter(verb="artifact.unreadable").count() == 2


# Roles ----------------------------------------------------------------------------------------------------------------
ROLES = """
id: process
roles: {lead: {group: qa}}
phases:
  - id: p
    owners: ["role:lead"]
    activities: [{id: a, manual: {instructions: Look.}}]
"""


def test_nobody_owns_what_a_role_owns_until_it_is_filled(manager):
    release = start(ROLES)
    run, ann, ben = run_of(release, "p/a"), member("ann", "qa"), member("ben", "qa")
    with pytest.raises(NotPermitted):
        answering.complete_activity(ann, run, now=MONDAY)
    planning.fill_role(manager, release, role="lead", user=ann, now=MONDAY)
    with pytest.raises(NotPermitted):
        answering.complete_activity(ben, run, now=MONDAY)
    answering.complete_activity(ann, run, now=MONDAY)
    release.refresh_from_db()
    assert release.state == "succeeded"
