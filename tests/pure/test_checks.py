# ruff: noqa: E501  one small document per line reads better than a wrapped one
from __future__ import annotations

import pytest

from config.errors import Fault, InvalidInput
from processes.catalogue import DocumentCatalogue
from processes.checks import check_activity, check_process
from processes.document import load
from tests.pure.documents import GROUPS, catalogue, example, process

HEAD = """
inputs:
  version: {type: string, required: true}
  count: {type: integer, default: 1}
  images: {type: list, items: string, default: []}
  soak: {type: duration, default: 2s}
  credential: {type: secret}
roles: {manager: {group: release-managers}}
"""
GOOD = """
- id: build
  name: Build
  owners: [group:development]
  outputs: {image: "${{ phases.build.activities.cart.outputs.image }}"}
  activities:
    - {id: cart, activity: build-service, with: {service: cart, version: "${{ inputs.version }}", credential: "${{ inputs.credential }}"}}
    - {id: review, manual: {approval: {rules: [{group: development}]}}}
- id: ship
  name: Ship
  owners: [role:manager, user:owner]
  depends_on: [build]
  when: "${{ phases.build.state == 'succeeded' && phases.build.outputs.image.startsWith('c') }}"
  inputs: {image: {default: "${{ phases.build.activities.cart.outputs.image }}"}}
  activities:
    - {id: scan, subprocess: {process: scan, with: {image: "${{ phase.inputs.image }}"}}}
    - {id: each, for_each: "${{ inputs.images }}", parallel: 2, activity: build-service, with: {service: "${{ item }}", version: "v${{ index }}"}}
    - {id: sizes, depends_on: [each, scan], wait: "${{ duration(string(phases.ship.activities.each.outputs.size[0]) + 's') }}",
       when: "${{ phases.ship.activities.scan.outputs.verdict == 'approved' }}"}
    - {id: hook, signal: {payload: {version: {type: string}}, match: "${{ payload.version == inputs.version }}"}}
    - {id: after, depends_on: [hook], wait: 1s, when: "${{ phases.ship.activities.hook.outputs.version == inputs.version }}"}
    - id: go
      manual:
        instructions: "Ship ${{ inputs.version }} as ${{ release.name }}"
        approval: {rules: [{group: devops}], different_from: [build.review]}
"""


def faults(phases: str, head: str = HEAD) -> list[Fault]:
    return check_process(process(phases, head), catalogue()).faults


def warnings(phases: str, head: str = HEAD) -> list[Fault]:
    report = check_process(process(phases, head), catalogue())
    assert report.faults == []
    return report.warnings


def of_activity(activity: str) -> list[Fault]:
    """The faults of one activity `x` of a phase `a`, after an activity `before`; paths start at the activity."""
    found = faults(f"""
- id: a
  name: A
  owners: [group:qa]
  activities:
    - {{id: before, activity: build-service, with: {{service: cart, version: "1"}}}}
    - {{id: x, {activity}}}
""")
    return [
        Fault(fault.path.removeprefix("phases[0].activities[1]").removeprefix("."), fault.message, fault.cure)
        for fault in found
    ]


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


@pytest.mark.parametrize(
    ("declaration", "path", "message"),
    [
        ("{type: enum}", "options", "An enum needs 'options'."),
        ("{type: string, options: [a]}", "options", "'options' means nothing for the type string."),
        ("{type: integer, pattern: x}", "pattern", "'pattern' means nothing for the type integer."),
        ("{type: string, pattern: '('}", "pattern", "This is not a valid regular expression (RE2)."),
        ("{type: integer, min: a}", "min", "'min' must be a number."),
        ("{type: string, max: -1}", "max", "'max' counts characters or items, so it cannot be negative."),
        ("{type: duration, min: soon}", "min", "'min' must be a duration too."),
        ("{type: integer, default: 1.5}", "default", "'default' must be a whole number, not '1.5'."),
        ("{type: integer, max: 3, default: 4}", "default", "'default' must be at most 3."),
        ("{type: string, default: '${{ phases.a.state }}'}", "default", "There is no 'phases' here."),
        ("{type: list, items: {type: enum}}", "items.options", "An enum needs 'options'."),
        ("{type: object, properties: {p: {type: enum}}}", "properties.p.options", "An enum needs 'options'."),
        ("{type: secret, default: hunter2}", "default", "'default' must be a reference to a secret."),
    ],
)
def test_a_wrong_declaration_is_told_with_its_place(declaration, path, message):
    found = faults("- {id: a, name: A, activities: [{id: x, wait: 1s}]}", f"inputs: {{i: {declaration}}}")
    assert [(fault.path, fault.message) for fault in found] == [(f"inputs.i.{path}", message)]


@pytest.mark.parametrize(
    ("phases", "head", "path", "message", "cure"),
    [
        ("[]", "", "phases", "The process has no phases.", "Add one."),
        (
            "- {id: a, name: A, activities: [{id: x, wait: 1s}]}",
            "roles: {r: {}}",
            "roles.r",
            "A role is filled from one group or by one user.",
            "Write {group: name-of-the-group}.",
        ),
        (
            "- {id: a, name: A, activities: [{id: x, wait: 1s}]}",
            'outputs: {o: "${{ phases.a.outputs.z }}"}',
            "outputs.o",
            "There is no 'phases.a.outputs.z'.",
            "There are activities, state.",
        ),
        (
            "- {id: a, name: A, activities: [{id: x, wait: 1s}]}",
            'resources: ["${{ inputs.e }}"]',
            "resources[0]",
            "There is no 'inputs' here.",
            "",
        ),
        (
            '- {id: a, name: A, outputs: {o: "${{ phases.b.state }}"}, activities: [{id: x, wait: 1s}]}\n- {id: b, name: B, activities: [{id: x, wait: 1s}]}',
            "",
            "phases[0].outputs.o",
            "'phases.b.state' is used, but 'a' does not depend on 'b'.",
            "Add 'b' to depends_on.",
        ),
        (
            "- {id: a, name: A, activities: [{id: x, wait: 1s}]}\n- {id: b, name: B, when: \"${{ phases.a.state == 'failed' }}\", activities: [{id: x, wait: 1s}]}",
            "",
            "phases[1].when",
            "'phases.a.state' is used, but 'b' does not depend on 'a'.",
            "Add 'a' to depends_on.",
        ),
        (
            "- {id: a, name: A, activities: [{id: x, wait: 1s}]}\n- {id: b, name: B, activities: [{id: x, wait: 1s, when: \"${{ phases.a.activities.x.state == 'failed' }}\"}]}",
            "",
            "phases[1].activities[0].when",
            "'phases.a.activities.x.state' is used, but 'b.x' does not depend on 'a.x'.",
            "Add 'a.x' to depends_on of it or of its phase ('a').",
        ),
        (
            "- {id: a, name: A, activities: [{id: x, subprocess: train}]}",
            "",
            "phases[0].activities[0].subprocess",
            "The process calls itself: train > train.",
            "Break the circle.",
        ),
        (
            "- {id: a, name: A, depends_on: [b], activities: [{id: x, wait: 1s}]}",
            "",
            "phases[0].depends_on[0]",
            "There is no phase 'b'.",
            "The phases are a.",
        ),
    ],
)
def test_a_fault_of_a_process_or_phase_shows_its_place_and_a_cure(phases, head, path, message, cure):
    assert faults(phases, head) == [Fault(path, message, cure)]


def test_a_wrong_structure_is_told_alone_because_nothing_further_can_be_read():
    report = check_process(process("- {id: a, activities: [{id: x, wait: 1s}]}"), catalogue())
    assert report.faults == [Fault("phases[0].name", "'name' is missing.", "Add 'name'.")]
    with pytest.raises(InvalidInput):
        report.require()


def test_a_missing_store_activity_is_told_once_although_others_use_its_outputs():
    found = faults("""
- id: a
  name: A
  activities:
    - {id: x, activity: nope}
    - {id: y, depends_on: [x], wait: 1s, when: "${{ phases.a.activities.x.outputs.z == 1 }}"}
""")
    assert [fault.path for fault in found] == ["phases[0].activities[0].activity"]


def sub(name: str, calls: str) -> dict:
    return load(
        f"kind: Process\nid: {name}\nname: N\nphases: [{{id: a, name: A, activities: [{{id: x, subprocess: {calls}}}]}}]"
    )[0]


# one -> two -> three -> one
def test_a_process_that_calls_itself_through_others_is_refused_with_the_way():
    documents = [sub("one", "two"), sub("two", "three"), sub("three", "one")]
    report = check_process(documents[0], catalogue(*documents))
    assert report.faults == [
        Fault(
            "phases[0].activities[0].subprocess",
            "The process calls itself: one > two > three > one.",
            "Break the circle.",
        )
    ]


# one -> two -> three -> two
def test_a_circle_among_subprocesses_is_refused_too():
    documents = [sub("one", "two"), sub("two", "three"), sub("three", "two")]
    report = check_process(documents[0], catalogue(*documents))
    assert [fault.message for fault in report.faults] == ["The process calls itself: two > three > two."]


@pytest.mark.parametrize(("levels", "good"), [(8, True), (9, False)])
def test_subprocesses_nest_eight_deep_and_no_deeper(levels, good):
    deepest = load("kind: Process\nid: p0\nname: N\nphases: [{id: a, name: A, activities: [{id: x, wait: 1s}]}]")[0]
    documents = [deepest, *(sub(f"p{at}", f"p{at - 1}") for at in range(1, levels + 1))]
    found = check_process(documents[-1], catalogue(*documents)).faults
    limit = Fault(
        "phases[0].activities[0].subprocess",
        f"Subprocesses are nested {levels} deep; 8 is the limit.",
        "Flatten some of them.",
    )
    assert found == ([] if good else [limit])


def test_a_tree_of_too_many_nodes_is_refused_without_building_it():
    ten = [load("kind: Process\nid: p0\nname: N\nphases: [{id: a, name: A, activities: [{id: x, wait: 1s}]}]")[0]]
    for at in range(1, 6):
        calls = ", ".join(f"{{id: x{n}, subprocess: p{at - 1}}}" for n in range(10))
        ten.append(load(f"kind: Process\nid: p{at}\nname: N\nphases: [{{id: a, name: A, activities: [{calls}]}}]")[0])
    (fault,) = check_process(ten[-1], catalogue(*ten)).faults
    assert fault == Fault(
        "phases",
        "With its subprocesses the process has 322222 phases and activities; 5000 is the limit.",
        "Split it into several processes.",
    )


def test_too_few_people_for_a_rule_is_a_warning_also_through_the_store():
    found = warnings("""
- id: a
  name: A
  owners: [group:security]
  activities:
    - {id: x, manual: {approval: {rules: [{group: qa, count: 2}]}}}
    - {id: y, activity: sign-off, with: {what: x}}
- {id: b, name: B, owners: [group:nobody], activities: [{id: y, activity: sign-off, with: {what: x}}]}
""")
    assert [(fault.path, fault.message) for fault in found] == [
        (
            "phases[0].activities[0].manual.approval.rules[0]",
            "'qa' has 1 active people, fewer than the 2 this rule needs.",
        ),
        ("phases[1].owners[0]", "There is no group 'nobody' yet."),
        ("phases[1].activities[0].activity.rules[0].group", "There is no group 'nobody' yet."),
    ]


def test_what_may_be_mended_later_is_a_warning():
    found = warnings(
        """
- {id: a, name: A, owners: [user:stranger], after: settled, activities: [{id: x, activity: sign-off}, {id: y, wait: 1s, when: false}]}
- {id: b, name: B}
""",
        "resources: [cart, nope]",
    )
    assert [(fault.path, fault.message) for fault in found] == [
        ("resources[1]", "There is no resource 'nope' yet."),
        ("phases[0].after", "'after' has no effect without 'depends_on'."),
        ("phases[0].owners[0]", "There is no active person 'stranger'."),
        ("phases[0].activities[0].with.what", "The input 'what' is required and not given here."),
        ("phases[0].activities[1].when", "This never runs."),
        ("phases[1].activities", "The phase has no activities."),
    ]


@pytest.mark.parametrize(
    ("text", "path", "message"),
    [
        (
            "type: manual\nautomated: {connection: local}\nmanual: {}",
            "automated",
            "The type is manual, but there is a block 'automated'.",
        ),
        ("type: manual", "manual", "The type is manual, but there is no block 'manual'."),
        (
            "type: manual\nmanual: {instructions: '${{ inputs.x }}'}",
            "manual.instructions",
            "There is no 'inputs' here.",
        ),
        (
            "type: manual\nmanual: {instructions: '${{ activity.inputs.x }}'}\ninputs: {y: {}}",
            "manual.instructions",
            "There is no 'activity.inputs.x'.",
        ),
        ("type: automated\nautomated: {connection: nope}", "automated.connection", "There is no connection 'nope'."),
        (
            "type: automated\nautomated: {connection: local}\ninputs: {s: {type: secret}}\nartifacts: [{name: '${{ activity.inputs.s }}'}]",
            "artifacts[0].name",
            "`activity.inputs.s` is a secret, but text is wanted here.",
        ),
        (
            "type: wait\nwait: '${{ activity.inputs.n }}'\ninputs: {n: {type: integer}}",
            "wait",
            "`activity.inputs.n` is a whole number, but a duration is wanted here.",
        ),
        (
            "type: automated\nautomated: {connection: local}\noutputs: {e: {type: enum}}",
            "outputs.e.options",
            "An enum needs 'options'.",
        ),
    ],
)
def test_a_store_activity_is_checked_by_itself(text, path, message):
    report = check_activity(load(f"kind: Activity\nid: a\nname: A\n{text}")[0], catalogue())
    assert [(fault.path, fault.message) for fault in report.faults] == [(path, message)]


def test_artifacts_see_the_outputs_of_their_activity():
    text = "type: automated\nautomated: {connection: local}\noutputs: {image: {}}\nartifacts: [{name: '${{ activity.outputs.image }}'}]"
    assert check_activity(load(f"kind: Activity\nid: a\nname: A\n{text}")[0], catalogue()).faults == []


def test_lengths_in_outputs_without_a_declaration_are_text_and_read_back_with_duration():
    phases = """
- {id: a, name: A, outputs: {soak: "${{ inputs.soak }}"}, activities: [{id: x, wait: 1s}]}
- {id: b, name: B, depends_on: [a], activities: [{id: x, wait: "${{ FOUND }}"}]}
"""
    assert faults(phases.replace("FOUND", "duration(phases.a.outputs.soak)")) == []
    (fault,) = faults(phases.replace("FOUND", "now + phases.a.outputs.soak"))
    assert "does not work on a moment and text" in fault.message


def test_a_large_process_is_checked_in_good_time():
    activities = ", ".join(
        f"{{id: x{at}, activity: build-service, with: {{service: cart, version: \"${{{{ inputs.version + '{at}' }}}}\"}}}}"
        for at in range(300)
    )
    assert faults(f"- {{id: a, name: A, activities: [{activities}]}}") == []
