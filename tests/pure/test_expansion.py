# ruff: noqa: E501  one small document per line reads better than a wrapped one
from __future__ import annotations

import copy
import json

import pytest

from config.errors import InvalidInput
from processes.catalogue import DocumentCatalogue
from processes.document import digest, load
from processes.expansion import MOST_NODES, expand
from tests.pure.documents import catalogue, example, process

KEYS = {
    "kind",
    "id",
    "name",
    "description",
    "path",
    "parent",
    "scope",
    "needs",
    "needs_any",
    "after_settled",
    "when",
    "required",
    "on_failure",
    "fail_fast",
    "retry",
    "timeout",
    "owners",
    "tags",
    "opens",
    "due",
    "artifacts",
    "activity",
    "inputs",
    "with",
    "outputs",
    "spec",
}


def nodes(phases: str, head: str = "", *more: dict) -> list[dict]:
    tree: list[dict] = expand(process(phases, head), 1, catalogue(*more))["nodes"]
    return tree


def one(activity: str) -> dict:
    return nodes(f"- {{id: a, name: A, owners: [group:qa], activities: [{{id: x, {activity}}}]}}")[2]


def sample() -> dict:
    documents = example("multi-service-release")
    found = DocumentCatalogue(documents)
    published = found.process("multi-service-release")
    assert published
    return expand(published.document, 1, found, document_digest="d" * 64)


def test_the_sample_becomes_one_flat_tree():
    snapshot = sample()
    tree = snapshot["nodes"]
    assert snapshot["format"] == 1
    assert snapshot["process"] == {"id": "multi-service-release", "revision": 1, "digest": "d" * 64}
    assert snapshot["pins"]["processes"] == {"security-review": 1}
    assert snapshot["pins"]["activities"]["deploy-service"] == 1
    assert [node["path"] for node in tree[:4]] == ["", "planning", "planning/scope", "build"]
    assert all(set(node) == KEYS for node in tree)
    assert all(node["parent"] is None or node["parent"] < at for at, node in enumerate(tree))
    json.dumps(snapshot)


def test_a_subprocess_is_grafted_with_a_scope_of_its_own():
    tree = sample()["nodes"]
    by_path = {node["path"]: at for at, node in enumerate(tree)}
    call, scan, verdict = (by_path[f"validation/security{rest}"] for rest in ("", "/scan", "/verdict"))
    assert tree[call]["kind"] == "subprocess"
    assert tree[call]["scope"] == 0
    assert tree[call]["with"] == {"images": "${{ phase.inputs.images }}"}
    assert set(tree[call]["inputs"]) == {"images"}
    assert tree[call]["outputs"] == {"verdict": "${{ phases.verdict.activities.accept.outputs.decision }}"}
    assert tree[call]["on_failure"] == "fail"
    assert (tree[scan]["parent"], tree[scan]["scope"]) == (call, call)
    assert tree[verdict]["needs"] == [scan]
    assert tree[by_path["validation/security/scan/dependencies"]]["scope"] == call
    assert tree[by_path["validation/qa-sign-off"]]["needs"] == sorted([by_path["validation/end-to-end"], call])


def test_expanding_is_deterministic_and_leaves_the_documents_alone():
    documents = example("multi-service-release")
    before = copy.deepcopy(documents)
    found = DocumentCatalogue(documents)
    published = found.process("multi-service-release")
    assert published
    first, second = (expand(published.document, 1, found) for _ in range(2))
    assert digest(first) == digest(second)
    assert documents == before
    assert digest(first) != digest(expand(published.document, 2, found))


def test_the_reference_wins_over_the_store_activity():
    node = one(
        "activity: build-service, timeout: 1h, retry: {attempts: 2}, tags: [own], on_failure: ignore, required: false"
    )
    assert node["timeout"] == 3600.0
    assert node["retry"] == {"attempts": 2, "delay": 0.0, "factor": 1.0, "ceiling": None}
    assert (node["tags"], node["on_failure"], node["required"]) == (["own"], "ignore", False)


def test_the_store_activity_gives_what_the_reference_leaves_out():
    node = one("activity: build-service, with: {service: cart}")
    assert node["kind"] == "automated"
    assert node["activity"] == {"id": "build-service", "revision": 1}
    assert node["timeout"] == 600.0
    assert node["retry"] == {"attempts": 3, "delay": 1.0, "factor": 2.0, "ceiling": 30.0}
    assert node["tags"] == ["building"]
    assert node["with"] == {"service": "cart"}
    assert node["spec"]["command"] == ["make"]
    assert (node["on_failure"], node["required"], node["owners"], node["name"]) == ("hold", True, ["group:qa"], "X")


@pytest.mark.parametrize(
    ("activity", "kind", "spec"),
    [
        ("wait: 2d", "wait", {"wait": 172800.0}),
        ("wait: 90", "wait", {"wait": 90.0}),
        ("wait: '2026-01-08T09:00:00+01:00'", "wait", {"wait": "2026-01-08T09:00:00+01:00"}),
        ("wait: '${{ inputs.soak }}'", "wait", {"wait": "${{ inputs.soak }}"}),
        (
            "signal: {payload: {v: {type: string}}, match: '${{ true }}'}",
            "signal",
            {"payload": {"v": {"type": "string"}}, "match": "${{ true }}"},
        ),
        ("automated: {connection: local, command: [x]}", "automated", {"connection": "local", "command": ["x"]}),
        ("manual: {instructions: do}", "manual", {"instructions": "do", "tasks": []}),
    ],
)
def test_an_activity_defined_on_the_spot_carries_its_own_block(activity, kind, spec):
    node = one(activity)
    assert node["kind"] == kind
    assert node["spec"] == spec
    assert node["activity"] is None


def test_a_manual_activity_has_its_defaults_spelled_out():
    node = one(
        "manual: {tasks: [{id: t-one, expected_duration: 30m}], form: {n: {type: integer}}, approval: {rules: [{group: qa}], expires_in: 2d}}"
    )
    assert node["spec"]["tasks"] == [
        {"id": "t-one", "name": "T one", "groups": [], "required": True, "expected_duration": 1800.0}
    ]
    assert node["spec"]["approval"] == {
        "rules": [{"group": "qa"}],
        "expires_in": 172800.0,
        "four_eyes": True,
        "on_reject": "hold",
    }
    assert set(node["outputs"]) == {"n", "decision"}


def test_a_signals_outputs_are_its_payload():
    assert one("signal: {payload: {v: {type: string}}}")["outputs"] == {"v": {"type": "string"}}


def test_for_each_is_a_container_above_a_template():
    tree = nodes("""
- id: a
  name: A
  activities:
    - {id: first, wait: 1s}
    - {id: many, for_each: "${{ inputs.l }}", parallel: 2, depends_on: [first], when: "${{ true }}", on_failure: ignore,
       activity: build-service, with: {service: "${{ item }}"}, required: false}
    - {id: last, wait: 1s, depends_on: [many]}
""")
    container, template, last = tree[3], tree[4], tree[5]
    assert (container["kind"], container["spec"]) == ("for_each", {"items": "${{ inputs.l }}", "parallel": 2})
    assert (container["needs"], container["when"], container["on_failure"]) == ([2], "${{ true }}", "fail")
    assert container["required"] is False
    assert container["outputs"]["image"] == {"type": "list", "items": {"type": "string"}}
    assert (template["kind"], template["parent"], template["path"]) == ("automated", 3, "a/many")
    assert (template["needs"], template["when"], template["on_failure"]) == ([], None, "ignore")
    assert container["timeout"] is None
    assert template["timeout"] == 600.0
    assert last["needs"] == [3]


def test_a_subprocess_for_each_item_has_its_phases_below_the_template():
    tree = nodes(
        '- {id: a, name: A, activities: [{id: m, for_each: [x, y], subprocess: {process: scan, with: {image: "${{ item }}"}}}]}'
    )
    assert [(node["kind"], node["parent"], node["scope"]) for node in tree[2:]] == [
        ("for_each", 1, 0),
        ("subprocess", 2, 0),
        ("phase", 3, 3),
        ("manual", 4, 3),
    ]
    assert tree[5]["path"] == "a/m/look/accept"


def test_needs_any_and_after_settled_and_other_phases_activities():
    tree = nodes("""
- {id: a, name: A, activities: [{id: x, wait: 1s}, {id: y, wait: 1s}]}
- {id: b, name: B, needs: any, after: settled, depends_on: [a], when: false, activities: [{id: x, wait: 1s, depends_on: [a.y]}]}
""")
    assert (tree[4]["needs"], tree[4]["needs_any"], tree[4]["after_settled"], tree[4]["when"]) == (
        [1],
        True,
        True,
        "${{ false }}",
    )
    assert tree[5]["needs"] == [3]


def test_owners_come_from_the_phase_unless_given():
    tree = nodes("""
- {id: a, name: A, owners: [group:qa], activities: [{id: x, wait: 1s}, {id: y, wait: 1s, owners: [user:owner]}]}
""")
    assert tree[2]["owners"] == ["group:qa"]
    assert tree[3]["owners"] == ["user:owner"]


def test_fail_fast_roles_and_resources_are_kept():
    inner = load(
        "kind: Process\nid: inner\nname: I\nfail_fast: true\nroles: {r: {group: qa}, s: {group: qa}}\nphases: []"
    )[0]
    document = process(
        "- {id: a, name: A, activities: [{id: x, subprocess: inner}]}", "roles: {r: {user: owner}}\nresources: [cart]"
    )
    snapshot = expand(document, 3, catalogue(inner))
    assert snapshot["roles"] == {"r": {"user": "owner"}, "s": {"group": "qa"}}
    assert snapshot["nodes"][0]["spec"] == {"process": "train", "revision": 3, "resources": ["cart"]}
    assert snapshot["nodes"][0]["fail_fast"] is False
    assert snapshot["nodes"][2]["fail_fast"] is True


@pytest.mark.parametrize(
    ("phases", "message"),
    [
        (
            "- {id: a, name: A, activities: [{id: x, activity: build-servic}]}",
            "There is no published store activity 'build-servic'. Did you mean build-service?",
        ),
        (
            "- {id: a, name: A, activities: [{id: x, activity: build-service@9}]}",
            "There is no published store activity 'build-service@9'.",
        ),
        ("- {id: a, name: A, activities: [{id: x, subprocess: nope}]}", "There is no published process 'nope'."),
        ("- {id: a, name: A, activities: [{id: x, subprocess: train}]}", "The process calls itself: train > train."),
        ("- {id: a, name: A, activities: [{id: x, wait: 1s, depends_on: [z]}]}", "There is no 'z' to depend on."),
    ],
)
def test_what_cannot_be_expanded_is_refused(phases, message):
    document = process(phases)
    with pytest.raises(InvalidInput) as caught:
        expand(document, 1, catalogue(document))
    assert message in str(caught.value)


def test_a_tree_that_grows_without_measure_is_refused():
    wide = ", ".join(f"{{id: x{at}, subprocess: inner}}" for at in range(60))
    inner = load(
        "kind: Process\nid: inner\nname: I\nphases: [{id: a, name: A, activities: ["
        + ", ".join(f"{{id: x{at}, wait: 1s}}" for at in range(100))
        + "]}]"
    )[0]
    with pytest.raises(InvalidInput, match=f"more than {MOST_NODES} phases and activities"):
        nodes(f"- {{id: a, name: A, activities: [{wide}]}}", "", inner)
