"""What a release touches: what its process says, and what inputs of type service or environment name."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from processes.catalogue import DocumentCatalogue
from processes.expansion import expand
from releases.scopes import subject_of_activity, subject_of_release
from releases.touched import resources_in, touched
from releases.tree import CONTAINERS, Tree

INNER = """
kind: Process
id: canary
name: Canary
inputs: {where: {type: environment}, tool: {type: string}}
resources: ["${{ inputs.tool }}"]
phases: [{id: go, name: Go, activities: [{id: try, wait: 1h}]}]
---
"""
LEAF = "{id: look, wait: 1h}"
SEEN: list[tuple[str, str, dict[str, Any], set[str]]] = [
    ("resources: [cart]", LEAF, {}, {"cart"}),
    ("resources: ['${{ inputs.place }}']", LEAF, {"place": "yard"}, {"yard"}),
    ("inputs: {place: {type: environment}}", LEAF, {"place": "yard"}, {"yard"}),
    ("inputs: {place: {type: string}}", LEAF, {"place": "yard"}, set()),
    ("inputs: {place: {type: environment}}", LEAF, {}, set()),
    ("inputs: {places: {type: list, items: service}}", LEAF, {"places": ["cart", "search"]}, {"cart", "search"}),
    ("", "{id: look, wait: 1h, inputs: {in: {type: environment}}, with: {in: yard}}", {}, {"yard"}),
    ("", "{id: look, wait: 1h, inputs: {in: {type: string}}, with: {in: yard}}", {}, set()),
    (
        "inputs: {all: {type: list, items: string}}",
        "{id: look, for_each: '${{ inputs.all }}', wait: 1h, inputs: {in: {type: service}}, with: {in: '${{ item }}'}}",
        {"all": ["cart", "search"]},
        {"cart", "search"},
    ),
    ("", "{id: look, subprocess: canary, with: {where: yard, tool: drill}}", {}, {"yard", "drill"}),
    (
        "inputs: {all: {type: list, items: string}}",
        "{id: look, for_each: '${{ inputs.all }}', subprocess: canary, with: {where: '${{ item }}'}}",
        {"all": ["yard", "shed"]},
        {"yard", "shed"},
    ),
]


def tree_of(own: str, phase: str) -> Tree:
    text = f"{INNER}kind: Process\nid: shop\nname: Shop\n{own}\nphases: [{{id: a, name: A, {phase}}}]"
    documents = list(yaml.safe_load_all(text))
    return Tree.from_snapshot(expand(documents[-1], 1, DocumentCatalogue(documents)))


@pytest.mark.parametrize(("own", "activity", "inputs", "seen"), SEEN)
def test_what_a_process_says_and_what_its_inputs_name(
    own: str, activity: str, inputs: dict[str, Any], seen: set[str]
) -> None:
    tree = tree_of(own, f"activities: [{activity}]")
    nodes = [node.doc for node in tree.nodes]
    assert resources_in(touched(nodes, inputs, around={})) == seen


def test_a_phase_names_resources_and_hands_them_on() -> None:
    phase = "inputs: {where: {type: environment, default: '${{ inputs.place }}-1'}}, activities: [{}]"
    activity = "id: look, wait: 1h, inputs: {in: {type: service}}, with: {in: '${{ phase.inputs.where }}-a'}"
    tree = tree_of("inputs: {place: {type: string}}", phase.replace("{}", f"{{{activity}}}"))
    nodes = [node.doc for node in tree.nodes]
    assert resources_in(touched(nodes, {"place": "yard"}, around={})) == {"yard-1", "yard-1-a"}
    given = {"a": [["start", {"where": "shed"}]]}
    assert resources_in(touched(nodes, {"place": "yard"}, around={}, given=given)) == {"shed", "shed-a"}


def test_what_is_known_later_only_is_left_out() -> None:
    activities = """activities:
      [{id: find, wait: 1h}, {id: look, depends_on: [find], wait: 1h, inputs: {in: {type: service}},
        with: {in: "${{ phases.a.activities.find.outputs.what }}"}}]"""
    nodes = [node.doc for node in tree_of("resources: [cart, '${{ inputs.gone }}']", activities).nodes]
    assert resources_in(touched(nodes, {}, around={})) == {"cart"}


@pytest.mark.parametrize(("own", "activity", "inputs", "seen"), [one for one in SEEN if "for_each" not in one[1]])
def test_a_freeze_sees_nothing_that_is_not_booked(
    own: str, activity: str, inputs: dict[str, Any], seen: set[str]
) -> None:
    tree = tree_of(own, f"activities: [{activity}]")
    whole = subject_of_release(tree.nodes[0].doc, group="", inputs=inputs, kinds={})
    leaves = [node.ordinal for node in tree.nodes if node.kind not in CONTAINERS]
    parts = [subject_of_activity(tree, one, release=whole, inputs={0: inputs}, kinds={}) for one in leaves]
    assert whole.resources.union(*(part.resources for part in parts)) == seen
