# ruff: noqa: E501  one small document per line reads better than a wrapped one
"""Publish checks: declarations, phases, subprocesses, warnings, and store activities by themselves."""

from __future__ import annotations

import pytest

from config.errors import Fault, InvalidInput
from processes.checks import check_activity, check_process
from processes.document import load
from tests.pure.checking import faults, warnings
from tests.pure.documents import catalogue, process


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
