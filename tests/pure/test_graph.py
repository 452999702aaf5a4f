# ruff: noqa: E501  one small document per line reads better than a wrapped one
from __future__ import annotations

import pytest

from config.errors import Fault
from processes.graph import end, graph_of, opening
from tests.pure.documents import EXAMPLES, example, process


def faults(phases: str) -> list[Fault]:
    return graph_of(process(phases)).faults


@pytest.mark.parametrize("name", [path.stem for path in EXAMPLES.glob("*.yaml")])
def test_the_samples_have_no_faults(name):
    for document in example(name):
        if document["kind"] == "Process":
            assert graph_of(document).faults == []


# build:  compile -> package        test (depends on build):  unit -> report
#         lint                                                extra depends on build.lint
def test_who_comes_before_whom():
    graph = graph_of(
        process("""
- {id: build, name: B, activities: [{id: compile}, {id: package, depends_on: [compile]}, {id: lint}]}
- {id: test, name: T, depends_on: [build], activities: [{id: unit}, {id: report, depends_on: [unit]}]}
- {id: ship, name: S, activities: [{id: extra, depends_on: [build.lint]}]}
""")
    )
    assert graph.faults == []
    assert "build.compile" in graph.before("build.package")
    assert "build.lint" not in graph.before("build.package")
    assert {"build.lint", end("build")} <= graph.before("test.unit")
    assert graph.before(end("test")) >= {"test.unit", "test.report"}
    assert "build.lint" in graph.before("ship.extra")
    assert "build.compile" not in graph.before("ship.extra")
    assert graph.before(opening("build")) == set()


# a -> b -> a, c after b
def test_phases_in_a_circle_are_named_once_and_what_follows_can_never_start():
    found = faults("""
- {id: a, name: A, depends_on: [b], activities: [{id: x}, {id: y}]}
- {id: b, name: B, depends_on: [a], activities: [{id: z}]}
- {id: c, name: C, depends_on: [b]}
""")
    assert found == [
        Fault("phases[0].depends_on", "These wait for each other: a > b > a.", "Remove one of them."),
        Fault("phases[2]", "'c' can never start: it needs something that waits for itself.", "See the cycle."),
    ]


# a.x needs b.y, but b opens only when a has ended
def test_a_circle_through_a_dependency_on_another_phases_activity_is_found():
    found = faults("""
- {id: a, name: A, activities: [{id: x, depends_on: [b.y]}]}
- {id: b, name: B, depends_on: [a], activities: [{id: y}]}
""")
    assert found == [
        Fault(
            "phases[0].activities[0].depends_on",
            "These wait for each other: a.x > a > b > b.y > a.x.",
            "Remove one of them.",
        )
    ]


def test_two_circles_are_both_told():
    found = faults("""
- {id: a, name: A, activities: [{id: x, depends_on: [y]}, {id: y, depends_on: [x]}]}
- {id: b, name: B, activities: [{id: x, depends_on: [y]}, {id: y, depends_on: [z]}, {id: z, depends_on: [x]}]}
""")
    assert [fault.message for fault in found] == [
        "These wait for each other: a.x > a.y > a.x.",
        "These wait for each other: b.x > b.z > b.y > b.x.",
    ]


@pytest.mark.parametrize(
    ("needs", "message", "cure"),
    [
        ("compil", "There is no activity 'compil'.", "Did you mean compile?"),
        ("zzz", "There is no activity 'zzz'.", "The activities here are compile, test."),
        ("build.compil", "There is no activity 'build.compil'.", "Did you mean build.compile?"),
        ("other.lint", "There is no activity 'other.lint'.", ""),
        (
            "ship",
            "'ship' is a phase; an activity depends on activities.",
            "Let the phase 'build' depend on 'ship', or name an activity of it.",
        ),
        ("build", "'build' is a phase; an activity depends on activities.", "Remove it."),
        ("test", "'test' depends on itself.", "Remove it."),
        ("build.test", "'build.test' depends on itself.", "Remove it."),
    ],
)
def test_a_wrong_reference_of_an_activity_is_told_with_a_cure(needs, message, cure):
    found = faults(f"""
- {{id: build, name: B, activities: [{{id: compile}}, {{id: test, depends_on: [compile, {needs}]}}]}}
- {{id: ship, name: S}}
""")
    assert [(fault.path, fault.message) for fault in found] == [("phases[0].activities[1].depends_on[1]", message)]
    assert found[0].cure == cure or (not cure and found[0].cure)


@pytest.mark.parametrize(
    ("needs", "message", "cure"),
    [
        ("buld", "There is no phase 'buld'.", "Did you mean build?"),
        ("zzz", "There is no phase 'zzz'.", "The phases are build, ship."),
        ("ship", "'ship' depends on itself.", "Remove it."),
    ],
)
def test_a_wrong_reference_of_a_phase_is_told_with_a_cure(needs, message, cure):
    found = faults(f"- {{id: build, name: B}}\n- {{id: ship, name: S, depends_on: [build, {needs}]}}")
    assert found == [Fault("phases[1].depends_on[1]", message, cure)]


def test_ids_are_used_once():
    found = faults("""
- {id: a, name: A, activities: [{id: x}, {id: x}]}
- {id: b, name: B, activities: [{id: x}]}
- {id: a, name: A}
""")
    assert found == [
        Fault(
            "phases[0].activities[1].id",
            "There is already an activity 'x' at phases[0].activities[0].",
            "Choose another id.",
        ),
        Fault("phases[2].id", "There is already a phase 'a' at phases[0].", "Choose another id."),
    ]


def test_a_chain_of_two_thousand_is_read_in_good_time():
    chain = "\n".join(
        f"- {{id: p{at}, name: P, depends_on: [{f'p{at - 1}' if at else ''}], activities: [{{id: x}}, {{id: y, depends_on: [x]}}]}}"
        for at in range(1000)
    )
    graph = graph_of(process(chain))
    assert graph.faults == []
    assert "p0.x" in graph.before("p999.y")
