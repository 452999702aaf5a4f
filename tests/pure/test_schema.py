# ruff: noqa: E501  one small document per line reads better than a wrapped one
from __future__ import annotations

import pytest

from config.errors import Fault, InvalidInput
from processes.document import load
from processes.schema import require_structure, structural_faults
from processes.schema_formats import is_rule
from tests.pure.documents import EXAMPLES, example, process

LATER = {
    "vote": "Votes are not supported: use rules with a count, all or a percent.",
    "min_open": "Votes are not supported: use rules with a count, all or a percent.",
    "collect": "Early approval is not supported: sign-offs are collected when the activity opens.",
    "delegation": "Delegation is not supported: name more people or a group.",
}


def faults(activity: str) -> list[Fault]:
    return structural_faults(process(f"- id: a\n  name: A\n  activities:\n    - {{id: x, {activity}}}"))


@pytest.mark.parametrize("name", [path.stem for path in EXAMPLES.glob("*.yaml")])
def test_every_sample_document_has_the_right_structure(name):
    for document in example(name):
        assert structural_faults(document) == []


@pytest.mark.parametrize(
    ("activity", "path", "message", "cure"),
    [
        ("dependson: [y]", "dependson", "'dependson' is not a known key here.", "Did you mean depends_on?"),
        ("depends_on: y", "depends_on", "'depends_on' must be a list, not 'y'.", ""),
        (
            "depends_on: [y, Y!]",
            "depends_on[1]",
            "'Y!' is not a dependency.",
            "Name an activity of this phase (compile) or of another (build.compile).",
        ),
        ("depends_on: [y, y]", "depends_on", "'depends_on' names something twice.", ""),
        (
            "activity: 'x@y'",
            "activity",
            "'x@y' is not an id with or without a revision.",
            "Write it like deploy-service or deploy-service@3.",
        ),
        ("required: yes", "required", "'required' must be true or false, not 'yes'.", ""),
        (
            "on_failure: hodl",
            "on_failure",
            "'on_failure' must be one of hold, ignore, fail, not 'hodl'.",
            "Did you mean hold?",
        ),
        ("needs: some", "needs", "'needs' must be one of all, any, not 'some'.", ""),
        ("timeout: soon", "timeout", "'soon' is not a duration.", "Write it like 2d, 1h30m, 10m, 30s or 500ms."),
        (
            "wait: later",
            "wait",
            "'later' is not a duration or a moment.",
            "Write it like 2h, or like 2026-01-08T09:00:00+01:00.",
        ),
        ("due: tomorrow", "due", "'tomorrow' is not an offset.", "Write it like -6 working days, end -2h or 4h."),
        ("retry: {attempts: 0}", "retry.attempts", "'attempts' must be at least 1.", ""),
        ("retry: {delay: -1}", "retry.delay", "'-1' is not a duration.", "Write it like 2d, 1h30m, 10m, 30s or 500ms."),
        (
            "owners: [qa]",
            "owners[0]",
            "'qa' is not an owner.",
            "Write it like group:qa, user:ann or role:release-manager.",
        ),
        ("automated: {pipeline: x}", "automated.connection", "'connection' is missing.", "Add 'connection'."),
        (
            "automated: {connection: l, parameters: {A: 1}}",
            "automated.parameters.A",
            "'A' must be text, not '1'.",
            "Put it in quotes.",
        ),
        (
            "subprocess: {proces: x, process: y}",
            "subprocess.proces",
            "'proces' is not a known key here.",
            "Did you mean process?",
        ),
        ("parallel: 0", "parallel", "'parallel' must be at least 1.", ""),
        ("inputs: {9x: {}}", "inputs.9x", "'9x' is not a name.", "Use letters, digits, '_' and '-', at most 64."),
        (
            "inputs: {x: {type: list, items: strin}}",
            "inputs.x.items",
            "'items' must be one of string, text, integer, number, boolean, date, datetime, duration, enum, list, object, secret, service, environment, not 'strin'.",
            "Did you mean string?",
        ),
        ("manual: {evidence: {required: -1}}", "manual.evidence.required", "'required' must be at least 0.", ""),
        ("with: []", "with", "'with' must be a mapping, not a list.", ""),
    ],
)
def test_a_fault_of_structure_shows_its_place_and_a_cure(activity, path, message, cure):
    assert faults(activity) == [Fault(f"phases[0].activities[0].{path}", message, cure)]


@pytest.mark.parametrize(("key", "cure"), LATER.items())
def test_what_is_not_supported_is_refused_instead_of_accepted_in_silence(key, cure):
    found = faults(f"manual: {{approval: {{rules: [{{group: qa}}], {key}: x}}}}")
    assert found == [Fault(f"phases[0].activities[0].manual.approval.{key}", f"'{key}' is not supported.", cure)]


def test_all_faults_come_at_once_in_document_order():
    document = load(
        "kind: Process\nid: Bad Id\nnmae: x\nphases:\n" + "".join(f"  - {{id: {i}!}}\n" for i in range(12))
    )[0]
    found = [fault.path for fault in structural_faults(document)]
    assert found[:3] == ["name", "nmae", "id"]
    assert found.index("phases[2].id") < found.index("phases[10].id")
    assert len(found) == 3 + 24


def test_an_unknown_kind_is_refused_with_the_nearest_one():
    assert structural_faults({"kind": "Proces"}) == [
        Fault("kind", "'Proces' is not a kind of document.", "Did you mean Process?")
    ]
    assert structural_faults({})[0].message == "'kind' is missing."


def test_a_secret_given_as_text_is_refused_without_showing_it():
    document = load("kind: Connection\nid: c\nname: C\nprovider: x\nsecret: hunter2")[0]
    assert structural_faults(document) == [
        Fault("secret", "'secret' must be a reference to a secret.", "Write {secret: name-of-the-secret}.")
    ]


def test_several_documents_say_which_one_is_wrong_and_ids_are_used_once():
    documents = load("kind: Resource\nid: a\nname: A\ntype: servic\n---\nkind: Resource\nid: a\nname: B\ntype: service")
    with pytest.raises(InvalidInput) as caught:
        require_structure(documents)
    assert [fault.path for fault in caught.value.faults] == ["Resource a: type", "Resource a: id"]


@pytest.mark.parametrize(
    ("rule", "good"),
    [
        ("FREQ=WEEKLY;BYDAY=TH", True),
        ("FREQ=MONTHLY;BYDAY=3TH", True),
        ("FREQ=MONTHLY;BYDAY=-1FR;INTERVAL=3", True),
        ("FREQ=YEARLY", True),
        ("FREQ=DAILY;COUNT=10", True),
        ("FREQ=SECONDLY", False),
        ("FREQ=HOURLY", False),
        ("FREQ=DAILY;INTERVAL=0", False),
        ("FREQ=DAILY;BYHOUR=3", False),
        ("FREQ=DAILY;COUNT=3;UNTIL=20260101", False),
        ("FREQ=DAILY;FREQ=DAILY", False),
        ("BYDAY=TH", False),
        ("", False),
        ("nonsense", False),
    ],
)
def test_a_recurrence_rule_keeps_to_what_can_be_calculated(rule, good):
    assert is_rule(rule) is good


@pytest.mark.parametrize(
    "offset", ["-6 working days", "end -2h", "4h", "start +1 day", "+2 weeks", "end", "2x", "yesterday -1h"]
)
def test_an_offset_is_a_signed_length_from_the_start_the_end_or_the_opening(offset):
    assert (faults(f"due: '{offset}'") == []) is (offset not in ("end", "2x", "yesterday -1h"))
