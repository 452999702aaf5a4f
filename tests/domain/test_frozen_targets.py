"""A freeze that names a resource is asked with the inputs that an activity really opens with (product, section 4).

Each process below deploys to an environment that is known only as its activity opens.
"""

from __future__ import annotations

from datetime import timedelta

import pytest

from config.errors import Conflict
from processes.models import Resource
from releases.execution import decisions, holding
from releases.models import ActivityRun, Freeze, FreezeWindow, Release
from tests.builders import MONDAY, automated, run_of, start, states, work
from tests.fakes import Outcome, ScriptedRunner, failed

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)
DEPLOY = f"inputs: {{where: {{type: environment}}}}, automated: {automated('deploy')}"
INPUTS = "inputs: {target: {type: string}, targets: {type: list}}"
LEAF = f"""
id: leaf
inputs: {{place: {{type: string}}, extra: {{type: string}}, sites: {{type: list}}}}
phases: [{{id: go, activities: [{{id: deploy, with: {{where: "${{{{ inputs.place }}}}"}}, {DEPLOY}}}]}}]
"""
FROM_PHASE = f"""
id: shop
{INPUTS}
phases:
  - id: ship
    inputs: {{place: {{type: string, default: "${{{{ inputs.target }}}}"}}}}
    activities: [{{id: deploy, with: {{where: "${{{{ phase.inputs.place }}}}"}}, {DEPLOY}}}]
"""
FROM_WITH = f"""{LEAF}
---
id: shop
{INPUTS}
phases:
  - {{id: ship, activities: [{{id: call, subprocess: leaf, with: {{place: "${{{{ inputs.target }}}}"}}}}]}}
"""
FROM_ITEM = f"""
id: shop
{INPUTS}
phases:
  - id: ship
    activities: [{{id: deploy, for_each: "${{{{ inputs.targets }}}}", with: {{where: "${{{{ item }}}}"}}, {DEPLOY}}}]
"""
FROM_CALLED_ITEM = f"""{LEAF}
---
id: shop
{INPUTS}
phases:
  - id: ship
    activities:
      - {{id: call, for_each: "${{{{ inputs.targets }}}}", subprocess: leaf, with: {{place: "${{{{ item }}}}"}}}}
"""
FROM_OUTPUT = f"""
id: shop
{INPUTS}
phases:
  - id: ship
    activities:
      - {{id: choose, automated: {automated("choose")}, outputs: {{where: {{type: string}}}}}}
      - id: deploy
        depends_on: [choose]
        with: {{where: "${{{{ phases.ship.activities.choose.outputs.where }}}}"}}
        {DEPLOY.replace(", automated", chr(10) + "        automated")}
"""
RETRIED = f"""
id: shop
{INPUTS}
phases: [{{id: ship, activities: [{{id: deploy, with: {{where: "${{{{ inputs.target }}}}"}}, {DEPLOY}}}]}}]
"""
PROCESSES = {
    "a phase's input": (FROM_PHASE, "ship/deploy"),
    "a subprocess's with": (FROM_WITH, "ship/call/go/deploy"),
    "an item": (FROM_ITEM, "ship/deploy[0]"),
    "the item of a subprocess": (FROM_CALLED_ITEM, "ship/call/go/deploy[0]"),
    "another's output": (FROM_OUTPUT, "ship/deploy"),
}


@pytest.fixture(autouse=True)
def places(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two environments, of which production is frozen for two hours; the workers' clock says Monday."""
    monkeypatch.setattr("releases.execution.attempts.timezone.now", lambda: MONDAY)
    for slug in ("production", "staging"):
        Resource.objects.create(slug=slug, name=slug, type="environment")
    body = {"scope": {"environments": ["production"]}, "in_flight": "hold"}
    quiet = Freeze.objects.create(slug="quiet", name="Quiet time", body=body)
    FreezeWindow.objects.create(freeze=quiet, starts_at=MONDAY - HOUR, ends_at=MONDAY + HOUR)


def ship(engine: ScriptedRunner, text: str, target: str) -> Release:
    """Start a release that turns out to be for one environment, and do its work as far as it goes."""
    engine.script["choose"] = [Outcome("succeeded", outputs={"where": target})]
    release = start(text, inputs={"target": target, "targets": [target]})
    work(release)
    return release


@pytest.mark.parametrize(("text", "path"), PROCESSES.values(), ids=list(PROCESSES))
def test_what_turns_out_to_be_for_a_frozen_environment_is_held(engine, text, path):
    release = ship(engine, text, "production")
    deploy = run_of(release, path)
    assert (deploy.state, (deploy.held_by or {}).get("freeze")) == ("pending", "quiet")
    holding.look_at_held(release.pk, now=MONDAY + HOUR)
    assert run_of(release, path).state == "queued"


@pytest.mark.parametrize(("text", "path"), PROCESSES.values(), ids=list(PROCESSES))
def test_what_turns_out_to_be_for_another_environment_goes_on(engine, text, path):
    assert states(ship(engine, text, "staging"))[path] == "succeeded"


def test_of_several_items_only_those_for_a_frozen_environment_are_held(engine):
    release = start(FROM_ITEM, inputs={"targets": ["staging", "production"]})
    work(release)
    assert states(release) == {
        "ship/deploy": "running",
        "ship/deploy[0]": "succeeded",
        "ship/deploy[1]": "pending",
    }


@pytest.mark.parametrize(("sites", "state"), [(["staging"], "succeeded"), ([], "pending")])
def test_what_cannot_be_told_is_held_as_if_it_were_frozen(engine, sites, state):
    called = LEAF.replace("id: leaf", 'id: leaf\nresources: ["${{ inputs.sites[0] }}"]')
    text = FROM_WITH.replace(LEAF, called).replace("with: {place", 'with: {sites: "${{ inputs.targets }}", place')
    release = start(text, inputs={"target": "staging", "targets": sites})
    work(release)
    assert states(release)["ship/call/go/deploy"] == state


def of_a_failed(engine: ScriptedRunner, target: str) -> ActivityRun:
    """Return an activity for one environment that has failed and waits for a decision."""
    engine.script["deploy"] = [failed()]
    release = start(RETRIED, inputs={"target": target}, now=MONDAY - 2 * HOUR)
    work(release)
    run = run_of(release, "ship/deploy")
    assert run.state == "on_hold"
    return run


def test_a_retry_that_turns_to_a_frozen_environment_is_refused(engine, admin):
    run = of_a_failed(engine, "staging")
    with pytest.raises(Conflict) as refused:
        decisions.retry(run.release_id, run.pk, actor=admin, now=MONDAY, inputs={"where": "production"})
    assert refused.value.code == "frozen"
    run.refresh_from_db()
    assert (run.state, run.changed_inputs) == ("on_hold", {})


def test_a_retry_that_turns_away_from_a_frozen_environment_goes_on(engine, admin):
    run = of_a_failed(engine, "production")
    with pytest.raises(Conflict):
        decisions.retry(run.release_id, run.pk, actor=admin, now=MONDAY, inputs={})
    decisions.retry(run.release_id, run.pk, actor=admin, now=MONDAY, inputs={"where": "staging"})
    run.refresh_from_db()
    assert (run.state, run.inputs) == ("queued", {"where": "staging"})


def test_what_an_earlier_retry_changed_is_still_what_it_is_judged_by(engine, admin):
    run = of_a_failed(engine, "staging")
    engine.script["deploy"] = [failed()]
    before = MONDAY - 2 * HOUR
    decisions.retry(run.release_id, run.pk, actor=admin, now=before, inputs={"where": "production"})
    work(run.release)
    with pytest.raises(Conflict):
        decisions.retry(run.release_id, run.pk, actor=admin, now=MONDAY, inputs={})


def test_a_retried_subprocess_is_held_by_what_it_is_changed_to(engine, admin):
    engine.script["deploy"] = [failed()]
    text = FROM_WITH.replace("go, activities: [{id: deploy", "go, activities: [{id: deploy, on_failure: fail")
    text = text.replace("subprocess: leaf", "subprocess: leaf, on_failure: hold")
    release = start(text, inputs={"target": "staging"}, now=MONDAY - 2 * HOUR)
    work(release)
    call = run_of(release, "ship/call")
    assert call.state == "on_hold"
    decisions.retry(release.pk, call.pk, actor=admin, now=MONDAY, inputs={"place": "production"})
    deploy = run_of(release, "ship/call/go/deploy")
    assert (deploy.state, (deploy.held_by or {}).get("freeze")) == ("pending", "quiet")


def test_an_activity_whose_inputs_cannot_be_read_fails_in_a_freeze_as_it_would_outside_of_one(engine):
    release = start(FROM_PHASE.replace("phase.inputs.place", "inputs.targets[3]"), inputs={"targets": []})
    work(release)
    assert states(release)["ship/deploy"] == "on_hold"
