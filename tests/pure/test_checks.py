"""Publish checks: activities and what they refer to, each fault with its place and its cure."""

from __future__ import annotations

import pytest

from config.errors import Fault
from processes.catalogue import DocumentCatalogue
from processes.checks import check_activity, check_process
from tests.pure.checking import GOOD, faults, of_activity, warnings
from tests.pure.documents import GROUPS, example


@pytest.mark.parametrize("name", ["multi-service-release", "system-train"])
def test_the_samples_may_be_published(name):
    documents = example(name)
    found = DocumentCatalogue([*documents, {"kind": "Connection", "id": "local"}], GROUPS)
    for document in documents:
        if document["kind"] in ("Process", "Activity"):
            check = check_process if document["kind"] == "Process" else check_activity
            assert check(document, found).faults == []
            assert check(document, found).warnings == []


def test_everything_the_document_offers_is_accepted_together():
    assert faults(GOOD) == []
    assert warnings(GOOD) == []


@pytest.mark.parametrize(
    ("activity", "path", "message", "cure"),
    [
        (
            "depends_on: [before]",
            "",
            "Nothing says what this activity does.",
            "Add one of activity, subprocess, manual, automated, wait, signal.",
        ),
        ("wait: 1s, manual: {}", "", "This activity is manual and wait at once.", "Keep one of them."),
        (
            "activity: sign-of",
            "activity",
            "There is no activity in the store called 'sign-of'.",
            "Did you mean sign-off?",
        ),
        (
            "activity: sign-off@2, with: {what: x}",
            "activity",
            "'sign-off' has no revision 2.",
            "Leave the pin out for the latest one.",
        ),
        ("subprocess: scn", "subprocess", "There is no published process called 'scn'.", "Did you mean scan?"),
        (
            "subprocess: {process: zzz}",
            "subprocess.process",
            "There is no published process called 'zzz'.",
            "Publish it first.",
        ),
        ("activity: sign-off, with: {wat: x, what: y}", "with.wat", "There is no input 'wat'.", "Did you mean what?"),
        (
            "subprocess: {process: scan, with: {img: x, image: y}}",
            "subprocess.with.img",
            "There is no input 'img'.",
            "Did you mean image?",
        ),
        ("activity: sign-off, with: {what: 3}", "with.what", "'what' must be text, not '3'.", "Put it in quotes."),
        (
            "activity: sign-off, with: {what: '${{ inputs.count }}'}",
            "with.what",
            "`inputs.count` is a whole number, but text is wanted here.",
            "Convert it with string(...).",
        ),
        (
            "activity: sign-off, with: {what: '${{ inputs.cont }}'}",
            "with.what",
            "There is no 'inputs.cont'.",
            "Did you mean inputs.count?",
        ),
        (
            "activity: sign-off, with: {what: '${{ inputs.credential }}'}",
            "with.what",
            "`inputs.credential` is a secret, but text is wanted here.",
            "A secret can only be given where a secret is wanted.",
        ),
        (
            "activity: sign-off, with: {what: 'x ${{ inputs.credential }}'}",
            "with.what",
            "`inputs.credential` is a secret and cannot be put into a text.",
            "Use it as a whole value instead.",
        ),
        (
            "activity: sign-off, with: {what: 'x ${{ inputs.images }}'}",
            "with.what",
            "`inputs.images` is a list of text and cannot be put into a text.",
            "Join a list with join(', ').",
        ),
        (
            "activity: sign-off, with: {what: '${{ inputs.version'}",
            "with.what",
            "'${{' is never closed by '}}'.",
            "Close it with '}}'.",
        ),
        (
            "activity: sign-off, with: {what: x}, inputs: {a: {}}",
            "inputs",
            "'inputs' are declared by the activity referred to.",
            "Give values under 'with'.",
        ),
        (
            "activity: build-service, with: {service: cart, version: a, credential: hunter2}",
            "with.credential",
            "'credential' must be a reference to a secret.",
            "Write {secret: name-of-the-secret}.",
        ),
        (
            "activity: build-service, with: {service: cart, version: a, credential: '${{ inputs.version }}'}",
            "with.credential",
            "`inputs.version` is text, but a secret is wanted here.",
            "",
        ),
        (
            "wait: 1s, when: '${{ phases.a.activities.before.outputs.image == null }}'",
            "when",
            "'phases.a.activities.before.outputs.image' is used, but 'a.x' does not depend on 'before'.",
            "Add 'before' to depends_on.",
        ),
        (
            "wait: 1s, when: '${{ phases.a.activities.bef.state == null }}'",
            "when",
            "There is no 'phases.a.activities.bef.state'.",
            "Did you mean phases.a.activities.before?",
        ),
        (
            "wait: 1s, when: '${{ inputs.version }}'",
            "when",
            "`inputs.version` is text, but true or false is wanted here.",
            "Compare it with something, as in == 'x'.",
        ),
        ("wait: 1s, when: always", "when", "A condition must be an expression.", "Write ${{ … }}, or true or false."),
        (
            "wait: '${{ inputs.count }}'",
            "wait",
            "`inputs.count` is a whole number, but a duration is wanted here.",
            "Convert it with duration('90s').",
        ),
        ("wait: '${{ item }}'", "wait", "There is no 'item' here.", "It exists only inside an activity with for_each."),
        ("wait: 1s, parallel: 2", "parallel", "'parallel' needs 'for_each'.", "Remove it."),
        (
            "wait: 1s, for_each: '${{ inputs.count }}'",
            "for_each",
            "`inputs.count` is a whole number, but a list is wanted here.",
            "",
        ),
        (
            "wait: 1s, for_each: cart",
            "for_each",
            "'for_each' must be a list or an expression.",
            "Write ${{ inputs.x }}.",
        ),
        (
            "wait: 1s, timeout: '${{ inputs.version }}'",
            "timeout",
            "`inputs.version` is text, but a duration is wanted here.",
            "Convert it with duration('90s').",
        ),
        (
            "wait: 1s, owners: ['role:boss']",
            "owners[0]",
            "There is no role 'boss' in this process.",
            "Declare it under 'roles'.",
        ),
        (
            "wait: 1s, owners: ['role:manger']",
            "owners[0]",
            "There is no role 'manger' in this process.",
            "Did you mean manager?",
        ),
        (
            "signal: {payload: {v: {}}, match: '${{ payload.w == 1 }}'}",
            "signal.match",
            "There is no 'payload.w'.",
            "There are v.",
        ),
        (
            "signal: {payload: {v: {}}, match: '${{ payload.v }}'}",
            "signal.match",
            "`payload.v` is text, but true or false is wanted here.",
            "Compare it with something, as in == 'x'.",
        ),
        (
            "signal: {payload: {v: {type: integer}}, match: \"${{ payload.v == '1' }}\"}",
            "signal.match",
            "`payload.v == '1'` has the wrong types: '==' does not work on a whole number and text.",
            "",
        ),
        ("signal: {match: yes}", "signal.match", "The match must be an expression.", "Write ${{ payload.x == … }}."),
        (
            "signal: {payload: {v: {type: enum}}}",
            "signal.payload.v.options",
            "An enum needs 'options'.",
            "List what may be chosen.",
        ),
        (
            "automated: {connection: locl}",
            "automated.connection",
            "There is no connection 'locl'.",
            "Did you mean local?",
        ),
        (
            "automated: {connection: local, command: [sh, '${{ inputs.version }}']}",
            "automated.command[1]",
            "A command cannot hold expressions: a value could change what it does.",
            "Pass the value through 'parameters' and use it as $NAME.",
        ),
        (
            "automated: {connection: local, parameters: {T: 'x ${{ inputs.credential }}'}}",
            "automated.parameters.T",
            "`inputs.credential` is a secret and cannot be put into a text.",
            "Use it as a whole value instead.",
        ),
        (
            "automated: {connection: local, parameters: {T: '${{ inputs.count }}'}}",
            "automated.parameters.T",
            "`inputs.count` is a whole number, but text is wanted here.",
            "Convert it with string(...).",
        ),
        (
            "automated: {connection: local, pipeline: '${{ inputs.nope }}'}",
            "automated.pipeline",
            "There is no 'inputs.nope'.",
            "There are count, credential, images, soak, version.",
        ),
        (
            "automated: {connection: local}, artifacts: [{name: '${{ inputs.count }}'}]",
            "artifacts[0].name",
            "`inputs.count` is a whole number, but text is wanted here.",
            "Convert it with string(...).",
        ),
        (
            "manual: {instructions: '${{ activity.inputs.what }}'}",
            "manual.instructions",
            "There is no 'activity.inputs.what'.",
            "There are id, name.",
        ),
        (
            "manual: {tasks: [{id: t}, {id: t}]}",
            "manual.tasks[1].id",
            "There is already a task 't'.",
            "Choose another id.",
        ),
        (
            "manual: {tasks: [{id: t, groups: ['role:boss']}]}",
            "manual.tasks[0].groups[0]",
            "There is no role 'boss' in this process.",
            "Declare it under 'roles'.",
        ),
        (
            "manual: {form: {f: {type: integer, default: x}}}",
            "manual.form.f.default",
            "'default' must be a whole number, not 'x'.",
            "",
        ),
        (
            "manual: {approval: {rules: [{count: 1}]}}",
            "manual.approval.rules[0]",
            "A rule names exactly one of group, user and users.",
            "Split it into several rules.",
        ),
        (
            "manual: {approval: {rules: [{group: qa, user: owner}]}}",
            "manual.approval.rules[0]",
            "A rule names exactly one of group, user and users.",
            "Split it into several rules.",
        ),
        (
            "manual: {approval: {rules: [{group: qa, count: 1, percent: 50}]}}",
            "manual.approval.rules[0]",
            "A rule cannot have both count and percent.",
            "Keep one of them.",
        ),
        (
            "manual: {approval: {rules: [{users: [owner], count: 2}]}}",
            "manual.approval.rules[0].count",
            "Only 1 people are named.",
            "Ask for fewer.",
        ),
        (
            "manual: {approval: {rules: [{group: qa}], on_expiry: reject}}",
            "manual.approval.expires_in",
            "'on_expiry' needs 'expires_in'.",
            "Say after how long.",
        ),
        (
            "manual: {approval: {rules: [{group: qa}], on_expiry: escalate, expires_in: 1d}}",
            "manual.approval.escalate_to",
            "Escalation needs a group to escalate to.",
            "Add 'escalate_to'.",
        ),
        (
            "manual: {approval: {rules: [{group: qa}], different_from: [befor]}}",
            "manual.approval.different_from[0]",
            "There is no activity 'befor'.",
            "",
        ),
        (
            "manual: {approval: {rules: [{group: qa}], same_as: [before]}}",
            "manual.approval.same_as[0]",
            "'before' is not a manual activity, so nobody acts there.",
            "Name a manual one.",
        ),
    ],
)
def test_a_fault_of_an_activity_shows_its_place_and_a_cure(activity, path, message, cure):
    assert of_activity(activity) == [Fault(path, message, cure)]


def test_who_acted_must_be_known_before_another_is_asked_for():
    found = faults("""
- id: a
  name: A
  activities:
    - {id: one, manual: {}}
    - {id: two, manual: {approval: {rules: [{group: qa}], different_from: [one]}}}
    - {id: three, depends_on: [one], manual: {approval: {rules: [{group: qa}], different_from: [one]}}}
""")
    message = "'a.two' does not depend on 'one', so who acts there is not known yet."
    assert found == [
        Fault("phases[0].activities[1].manual.approval.different_from[0]", message, "Add 'one' to depends_on.")
    ]
