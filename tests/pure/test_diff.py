# ruff: noqa: E501  one small document per line reads better than a wrapped one
from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from processes.diff import diff
from tests.pure.documents import example, process

OLD = process(
    """
- {id: build, name: Build, owners: [group:a], activities: [{id: cart, activity: b, with: {version: "1"}}, {id: pay, activity: b}]}
- {id: test, name: Test, depends_on: [build], activities: [{id: unit, activity: t}]}
- {id: ship, name: Ship, activities: [{id: go, manual: {tasks: [{id: t, name: T}]}}]}
""",
    "inputs: {version: {type: string}}",
)


def changed(change: Callable[[Any], object]) -> list[tuple[str, str, str]]:
    new = copy.deepcopy(OLD)
    change(new)
    return [(one.kind, one.path, one.words) for one in diff(OLD, new)]


def test_equal_documents_have_no_difference():
    for document in example("multi-service-release"):
        assert diff(document, copy.deepcopy(document)) == []


def test_a_changed_value_shows_before_and_after():
    new = copy.deepcopy(OLD)
    new["phases"][0]["activities"][0]["with"]["version"] = "2"
    (change,) = diff(OLD, new)
    assert (change.kind, change.path, change.before, change.after) == (
        "changed",
        "phases.build.activities.cart.with.version",
        "1",
        "2",
    )
    assert change.words == "Activity 'cart' in phase 'build': 'with.version' changed from '1' to '2'."


def test_added_and_removed_phases_activities_and_keys_are_told():
    def change(new):
        new["phases"].append({"id": "end", "name": "End"})
        del new["phases"][1]
        new["phases"][0]["activities"].append({"id": "lint", "wait": "1s"})
        new["inputs"]["soak"] = {"type": "duration"}
        new["fail_fast"] = True

    assert changed(change) == [
        ("added", "inputs.soak", "'inputs.soak' was added."),
        ("added", "phases.build.activities.lint", "Activity 'lint' in phase 'build' was added."),
        ("removed", "phases.test", "Phase 'test' was removed."),
        ("added", "phases.end", "Phase 'end' was added."),
        ("added", "fail_fast", "'fail_fast' was set to true."),
    ]


def test_a_list_of_words_says_what_it_gained_and_lost():
    def change(new):
        new["phases"][0]["owners"] = ["group:b"]
        new["phases"][1]["depends_on"] = ["build", "ship"]

    assert [words for _, _, words in changed(change)] == [
        "Phase 'build': 'owners' gained 'group:b' and lost 'group:a'.",
        "Phase 'test': 'depends_on' gained 'ship'.",
    ]


def test_an_activity_moved_to_another_phase_is_one_move_and_its_changes():
    def change(new):
        moved = new["phases"][0]["activities"].pop(0)
        moved["with"]["version"] = "2"
        new["phases"][1]["activities"].append(moved)

    assert changed(change) == [
        ("moved", "phases.test.activities.cart", "Activity 'cart' moved from phase 'build' to phase 'test'."),
        (
            "changed",
            "phases.test.activities.cart.with.version",
            "Activity 'cart' in phase 'test': 'with.version' changed from '1' to '2'.",
        ),
    ]


def test_a_phase_moved_to_the_front_is_one_move():
    assert changed(lambda new: new["phases"].insert(0, new["phases"].pop())) == [
        ("moved", "phases.ship", "Phase 'ship' moved from position 3 to 1.")
    ]


def test_tasks_are_matched_by_id_too():
    def change(new):
        new["phases"][2]["activities"][0]["manual"]["tasks"][0]["name"] = "U"

    assert changed(change) == [
        (
            "changed",
            "phases.ship.activities.go.manual.tasks.t.name",
            "Activity 'go' in phase 'ship': 'manual.tasks.t.name' changed from 'T' to 'U'.",
        )
    ]


def test_true_is_not_one():
    (change,) = diff({"a": 1}, {"a": True})
    assert (change.before, change.after) == (1, True)


def test_removing_every_activity_tells_each():
    def change(new):
        del new["phases"][0]["activities"]

    assert [path for _, path, _ in changed(change)] == ["phases.build.activities.cart", "phases.build.activities.pay"]
