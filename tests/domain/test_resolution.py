"""What a release starts with: every value with where it came from, all that stops the start, and the start itself."""

from __future__ import annotations

from datetime import timedelta
from itertools import combinations

import pytest
from guardian.shortcuts import assign_perm

from activities import secrets
from config.errors import Conflict, InvalidInput, NotPermitted
from config.models import Event
from processes.models import InputSet, Process
from processes.services import apply
from releases import resolution
from releases.models import Release
from releases.services import answering, planning, running, starting
from tests.builders import MONDAY, attempts_of, run_of, states, work
from tests.crowd import member

pytestmark = pytest.mark.django_db

# plan(agree) ──> build(cart: store activity, check: subprocess)
DOCUMENTS = """
kind: Connection
id: scripted
name: Scripted
provider: scripted
---
kind: Activity
id: compile
name: Compile
type: automated
inputs:
  service: {type: string, default: from-default}
  size: {type: integer, default: "${{ 2 + 3 }}"}
  token: {type: secret}
automated: {connection: scripted, pipeline: compile, parameters: {S: "${{ activity.inputs.service }}"}}
---
kind: Process
id: check
name: Check
inputs: {depth: {type: integer, default: 1}}
phases:
  - id: scan
    name: Scan
    inputs: {strict: {type: boolean, default: false}}
    activities:
      - {id: run, activity: compile}
---
kind: Process
id: shop
name: Shop
roles: {lead: {group: release-managers}}
inputs:
  version: {type: string, required: true, pattern: '^\\d+$'}
  label: {type: string, default: "${{ release.name }}"}
  soak: {type: duration, default: 5m}
  key: {type: secret}
phases:
  - id: plan
    name: Plan
    owners: ["role:lead", "user:ann"]
    activities:
      - {id: agree, manual: {tasks: [{id: t, groups: [qa]}], approval: {rules: [{group: devops}]}}}
  - id: build
    name: Build
    depends_on: [plan]
    inputs: {target: {type: string, default: "${{ inputs.version }}"}}
    activities:
      - {id: cart, activity: compile, with: {service: from-with}}
      - {id: check, subprocess: {process: check, with: {depth: 2}}}
---
kind: InputSet
id: production
name: Production
process: shop
values: {inputs: {version: "7"}, phases: {build: {activities: {cart: {inputs: {service: from-set}}}}}}
"""
AT_START = {"version": "9"}
LATER = MONDAY + timedelta(hours=1)


@pytest.fixture
def shop(engine, groups, manager):
    """The process, published, with its store activity, subprocess and input set; the manager may refer to secrets."""
    assign_perm("activities.use_secret", manager)
    apply(None, DOCUMENTS, now=MONDAY, publish=True)
    return Process.objects.get(slug="shop")


def draft(shop, manager, **more):
    return planning.create_release(manager, process=shop, name="Spring", version="1", now=MONDAY, **more)


def values_for(path, name, value):
    """Return one value in the shape of an input set."""
    here: dict = {"inputs": {name: value}}
    for depth, part in enumerate(reversed(path.split("/") if path else [])):
        here = {("activities" if (path.count("/") - depth) % 2 else "phases"): {part: here}}
    return here


def shown(release, path, name, given=None):
    preview = starting.preview_start(release, given or {}, now=MONDAY)
    (line,) = [one for one in preview.resolved.shown if (one["path"], one["name"]) == (path, name)]
    return line["value"], line["source"]


def faults(release, given=None):
    preview = starting.preview_start(release, given or {}, now=MONDAY)
    return {(fault.path, fault.message.split(".")[0]) for fault in preview.resolved.faults}


# Narrowest wins -------------------------------------------------------------------------------------------------------
LAYERS = ("start", "release", "input set", "with", "default")


@pytest.mark.parametrize(("narrow", "wide"), list(combinations(LAYERS, 2)))
@pytest.mark.parametrize("path", ["build/cart", "build/check/scan/run"])
def test_of_two_layers_the_narrower_wins_and_is_named(shop, manager, narrow, wide, path):
    given = {layer: values_for(path, "service", layer) for layer in (narrow, wide)}
    input_set = InputSet(process=shop, slug="x", name="X", values=given.get("input set", {}))
    release = Release(process=shop, name="Spring", given=given.get("release", {}), input_set=input_set)
    preview = starting.preview_start(Release(process=shop, name="Spring", input_set=None), {}, now=MONDAY)
    (node,) = [one for one in preview.expanded["nodes"] if one["path"] == path]
    node["with"] = {"service": "with"} if "with" in given else {}
    node["inputs"]["service"]["default"] = "default" if "default" in given else None
    layers = resolution.layers_of(release, given.get("start", {}))
    found = resolution.resolve(preview.expanded, layers, release, MONDAY)
    (line,) = [one for one in found.shown if (one["path"], one["name"]) == (path, "service")]
    assert (line["value"], line["source"]) == (narrow, narrow)


def test_the_process_level_has_start_release_input_set_and_default(shop, manager):
    production = InputSet.objects.get()
    assert shown(draft(shop, manager), "", "soak") == ("5m", "default")
    assert shown(draft(shop, manager, input_set=production), "", "version") == ("7", "input set")
    release = draft(shop, manager, input_set=production, given={"inputs": {"version": "8"}})
    assert shown(release, "", "version") == ("8", "release")
    assert shown(release, "", "version", {"inputs": AT_START}) == ("9", "start")


def test_expressions_are_read_where_they_can_be_and_shown_where_they_cannot_yet(shop, manager):
    release = draft(shop, manager, given={"inputs": {"soak": "120m"}})
    assert shown(release, "", "label") == ("Spring", "default")
    assert shown(release, "", "soak") == ("2h", "release")
    assert shown(release, "build", "target") == ("${{ inputs.version }}", "default")
    assert shown(release, "build/cart", "size") == (5, "default")


# Faults ---------------------------------------------------------------------------------------------------------------
def test_everything_that_stops_the_start_is_told_at_once(shop, manager):
    given = {
        "inputs": {"version": "one", "colour": "red", "key": {"secret": "deploy"}},
        "phases": {
            "build": {"inputs": {"aim": "x"}, "activities": {"cart": {"inputs": {"size": "big", "shape": 1}}}},
            "ship": {"inputs": {"x": 1}},
        },
    }
    found = faults(draft(shop, manager), given)
    assert {path for path, _ in found} == {
        "inputs.version",
        "inputs.colour",
        "build.aim",
        "build/cart.size",
        "build/cart.shape",
        "start: ship",
        "secret",
    }
    with pytest.raises(InvalidInput) as caught:
        starting.start_release(manager, draft(shop, manager), now=MONDAY, given=given)
    assert len(caught.value.faults) == 7


def test_a_required_value_is_missing_until_it_is_given(shop, manager):
    assert {path for path, _ in faults(draft(shop, manager))} == {"inputs.version"}
    assert not faults(draft(shop, manager), {"inputs": AT_START})


def test_a_secret_needs_a_value_before_the_start_and_only_its_name_is_kept(shop, manager):
    release = draft(shop, manager, given={"inputs": {"version": "9", "key": {"secret": "deploy"}}})
    assert faults(release) == {("secret", "The secret 'deploy' has no value")}
    secrets.name_secret("deploy", now=MONDAY)
    assert faults(release)
    secrets.set_secret(None, "deploy", "hunter2-hunter2")
    assert not faults(release)
    starting.start_release(manager, release, now=MONDAY)
    release.refresh_from_db()
    assert release.inputs["key"] == {"secret": "deploy"}
    assert not Event.objects.filter(after__icontains="hunter2").exists()


def test_a_secret_that_a_narrower_value_replaces_need_not_exist(shop, manager):
    secrets.set_secret(None, "good", "hunter2-hunter2")
    release = draft(shop, manager, given=values_for("build/cart", "token", {"secret": "gone"}))
    given = {**values_for("build/cart", "token", {"secret": "good"}), "inputs": AT_START}
    assert faults(release, {"inputs": AT_START})
    assert not faults(release, given)


@pytest.mark.parametrize(
    "odd",
    [
        [3],
        {"inputs": []},
        {"phases": []},
        {"phases": {"build": 3}},
        {"phases": {"build": {"activities": {"cart": "x"}}}},
        {"phases": {"build": {"activities": {"cart": {"inputs": 3}}}}},
        {"activities": {}},
        {"inputs": {"version": "1\x00"}},
        {"inputs": {"version": float("inf")}},
        {"inputs": {"version": "${{ 1 / 0 }}"}},
        {"inputs": {"version": "${{"}},
        {"inputs": {"soak": {"a": [1]}}},
    ],
)
def test_values_of_an_odd_shape_are_faults(shop, manager, odd):
    with pytest.raises(InvalidInput):
        starting.start_release(manager, draft(shop, manager), now=MONDAY, given=odd)


@pytest.mark.parametrize("odd", [[], {"inputs": []}, {"phases": {"build": 3}}, {"inputs": {"version": "1\x00"}}])
def test_a_release_is_not_even_made_with_values_of_an_odd_shape(shop, manager, odd):
    with pytest.raises(InvalidInput):
        draft(shop, manager, given=odd)
    assert not Release.objects.exists()


def test_a_process_that_was_never_published_cannot_start(groups, manager):
    process = Process.objects.create(slug="new", name="New")
    with pytest.raises(InvalidInput, match="has not been published"):
        starting.start_release(manager, draft(process, manager), now=MONDAY)


def test_what_lies_too_deep_for_a_row_is_a_fault(groups, manager):
    long = "a" * 64
    for level in range(6):
        inner = f"subprocess: p{level - 1}" if level else "manual: {instructions: Look.}"
        phase = f"{{id: {long}, name: Deep, activities: [{{id: {long}, {inner}}}]}}"
        apply(None, f"kind: Process\nid: p{level}\nname: Deep\nphases: [{phase}]", now=MONDAY, publish=True)
    with pytest.raises(InvalidInput, match="lies too deep"):
        starting.start_release(manager, draft(Process.objects.get(slug="p5"), manager), now=MONDAY)
    starting.start_release(manager, draft(Process.objects.get(slug="p3"), manager), now=MONDAY)


# Starting -------------------------------------------------------------------------------------------------------------
def test_a_release_starts_runs_and_ends_through_the_verbs_of_people(shop, manager, owner, engine):
    ann, dev = member("ann"), member("dev", "devops")
    release = draft(shop, manager, input_set=InputSet.objects.get())
    planning.fill_role(manager, release, role="lead", user=manager, now=MONDAY)
    starting.start_release(manager, release, now=LATER, given={"inputs": AT_START})
    assert (release.state, release.started_at, release.started_by, release.started_by_name) == (
        "running",
        LATER,
        manager,
        "manager",
    )
    assert release.inputs == {"version": "9", "label": "Spring", "soak": "5m"}
    assert release.sources == {"version": "start", "label": "default", "soak": "default"}
    assert str(release.revision) == "shop@1"
    names = {str(part) for part in release.participants.all()}
    assert names == {"qa", "devops", "ann", "manager"}
    agree = run_of(release, "plan/agree")
    answering.set_task(owner, agree, "t", done=True, now=LATER)
    answering.sign_off(dev, agree, decision="approved", now=LATER)
    assert ann.is_active
    work(release)
    assert release.state == "succeeded"
    assert [order.parameters["S"] for order in engine.started] == ["from-set", "from-default"]
    assert run_of(release, "build/cart").sources == {"service": "input set", "size": "default"}


def test_a_release_in_flight_keeps_the_revision_it_was_pinned_to(shop, manager, owner, engine):
    release = draft(shop, manager, given={"inputs": AT_START})
    starting.start_release(manager, release, now=MONDAY)
    apply(None, DOCUMENTS.replace("from-with", "newer"), now=LATER, publish=True)
    assert shop.revisions.count() == 2
    agree = run_of(release, "plan/agree")
    answering.set_task(owner, agree, "t", done=True, now=LATER)
    answering.sign_off(member("dev", "devops"), agree, decision="approved", now=LATER)
    work(release)
    assert [order.parameters["S"] for order in engine.started] == ["from-with", "from-default"]


def test_what_was_saved_last_is_what_starts(shop, manager):
    release = draft(shop, manager, given={"inputs": AT_START})
    stale = Release.objects.get(pk=release.pk)
    planning.edit_release(manager, release, {"given": {"inputs": {"version": "10"}}, "name": "Summer"}, now=MONDAY)
    starting.start_release(manager, stale, now=MONDAY)
    assert (stale.inputs["version"], stale.inputs["label"]) == ("10", "Summer")


def test_a_release_starts_once_and_then_keeps_its_plan(shop, manager):
    release = draft(shop, manager, given={"inputs": AT_START})
    starting.start_release(manager, release, now=MONDAY)
    with pytest.raises(Conflict, match="The release is running; only a draft or scheduled one starts"):
        starting.start_release(manager, release, now=MONDAY)
    with pytest.raises(Conflict, match="keeps its plan"):
        planning.edit_release(manager, release, {"name": "Other"}, now=MONDAY)
    with pytest.raises(Conflict, match="running cannot be cancelled"):
        planning.cancel_release(manager, release, reason="no", now=MONDAY)


def test_one_without_the_permission_starts_nothing(shop, manager, stranger):
    release = draft(shop, manager, given={"inputs": AT_START})
    with pytest.raises(NotPermitted):
        starting.start_release(stranger, release, now=MONDAY)
    assert Release.objects.get(pk=release.pk).state == "draft"


# Replacing ------------------------------------------------------------------------------------------------------------
def test_another_process_stands_in_for_what_is_on_hold(shop, manager, owner, engine):
    release = draft(shop, manager, given={"inputs": AT_START})
    starting.start_release(manager, release, now=MONDAY)
    agree = run_of(release, "plan/agree")
    answering.sign_off(member("dev", "devops"), agree, decision="rejected", comment="no", now=LATER)
    check = Process.objects.get(slug="check")
    with pytest.raises(InvalidInput) as caught:
        running.replace_activity(
            manager, agree, process=check, now=LATER, with_={"width": 1}, outputs={"decision": "x"}
        )
    assert [fault.path for fault in caught.value.faults] == ["with", "outputs"]
    running.replace_activity(manager, agree, process=check, now=LATER, with_={"depth": 3}, reason="nobody is there")
    work(release)
    assert states(release) == {
        "plan/agree": "succeeded",
        "plan/agree/scan/run": "succeeded",
        "build/cart": "succeeded",
        "build/check": "succeeded",
        "build/check/scan/run": "succeeded",
    }
    assert (release.state, run_of(release, "plan/agree").inputs) == ("succeeded", {"depth": 3})
    assert attempts_of(run_of(release, "plan/agree/scan/run")) == ["succeeded"]
