"""Publish checks: all that is wrong with a process or a store activity, each with its place (product, section 3).

1. Structure; when it is wrong, nothing further is looked at.
2. The graph: ids, missing references, cycles, what can never start.
3. Declarations, values and expressions against each other: names, types, order.
4. People: roles, groups, approval rules. Missing people are warnings: they can come later.
5. The whole tree with its subprocesses: recursion, depth, size.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from processes import blueprint
from processes.catalogue import Catalogue
from processes.checks_activities import Activities, check_condition
from processes.checks_bodies import Bodies
from processes.checks_people import People
from processes.checks_report import Place, Report
from processes.checks_scope import PHASE, RELEASE, body_scope, declared, definition_of, phase_scope, process_scope
from processes.checks_tree import tree_faults
from processes.checks_values import check_declarations, check_names, check_text
from processes.expressions_check import Scope
from processes.graph import end, graph_of, opening
from processes.schema import structural_faults

__all__ = ["Report", "check_activity", "check_process"]

Document = Mapping[str, Any]


def check_process(document: Document, catalogue: Catalogue) -> Report:
    """The faults and warnings of a process that is about to be published.

    The catalogue answers for what is published or about to be in the same go.
    """
    report = Report(structural_faults(document))
    if report.faults:
        return report
    graph = graph_of(document)
    report.add(graph.faults)
    scope = process_scope(document, catalogue)
    people = People(report, catalogue, document.get("roles", {}).keys())
    _process_itself(report, people, document, scope)
    activities = Activities(report, catalogue, people, graph, _manual(document, catalogue), document["id"])
    for index, phase in enumerate(document["phases"]):
        _phase(report, people, activities, phase, Place(f"phases[{index}]", scope, graph))
    report.add(tree_faults(document, catalogue))
    return report


def check_activity(document: Document, catalogue: Catalogue) -> Report:
    """The faults and warnings of a store activity that is about to be published.

    Its expressions see its own inputs, the release and the phase it is used in, but no process.
    """
    report = Report(structural_faults(document))
    if report.faults:
        return report
    kind = str(document["type"])
    outside = Scope({**RELEASE, **PHASE})
    place = Place("", outside)
    for other in ("automated", "manual", "signal", "wait"):
        if other != kind and document.get(other) is not None:
            report.fault(
                other, f"The type is {kind}, but there is a block '{other}'.", "Remove it, or change the type."
            )
    if document.get(kind) is None:
        report.fault(kind, f"The type is {kind}, but there is no block '{kind}'.", f"Add '{kind}'.")
        return report
    report.add(check_declarations(document.get("inputs", {}), place.at("inputs")))
    inner = place.seeing(body_scope(outside, document.get("inputs", {})))
    Bodies(report, catalogue, People(report, catalogue, ())).check(
        document, kind, blueprint.outputs_of(document, kind), inner
    )
    return report


def _process_itself(report: Report, people: People, document: Document, scope: Scope) -> None:
    before = Place("", Scope(RELEASE))
    report.add(check_declarations(document.get("inputs", {}), before.at("inputs")))
    known = Place("", Scope({**RELEASE, **declared(("inputs",), document.get("inputs", {}))}))
    _resources(report, people.catalogue, document, known)
    report.add(check_names(document.get("outputs", {}), Place("outputs", scope)))
    for name, role in document.get("roles", {}).items():
        place = Place(f"roles.{name}", scope)
        if len({"group", "user"} & set(role)) != 1:
            report.fault(
                place.path, "A role is filled from one group or by one user.", "Write {group: name-of-the-group}."
            )
        for kind in ("group", "user"):
            if kind in role:
                people.one(role[kind], place.at(kind), kind)
    if not document["phases"]:
        report.fault("phases", "The process has no phases.", "Add one.")


def _resources(report: Report, catalogue: Catalogue, document: Document, known: Place) -> None:
    for index, name in enumerate(document.get("resources", ())):
        place = known.at("resources", index)
        report.add(check_text(name, "string", place))
        if "${{" not in name and name not in catalogue.resources():
            report.warn(place.path, f"There is no resource '{name}' yet.", "Apply it before a release needs it.")


def _phase(report: Report, people: People, activities: Activities, phase: Document, place: Place) -> None:
    opens = Place(place.path, place.scope.with_names(PHASE), place.graph, opening(phase["id"]))
    report.add(check_declarations(phase.get("inputs", {}), opens.at("inputs")))
    inside = opens.seeing(phase_scope(place.scope, phase))
    report.add(check_text(phase.get("when"), "bool", inside.at("when")))
    check_condition(report, phase, inside)
    people.named(phase.get("owners"), inside.at("owners"))
    if not phase.get("activities"):
        report.warn(place.at("activities").path, "The phase has no activities.", "Add one, or remove the phase.")
    for index, activity in enumerate(phase.get("activities", ())):
        spot = inside.at("activities", index)
        point = f"{phase['id']}.{activity['id']}"
        activities.check(activity, phase, Place(spot.path, spot.scope, spot.graph, point))
    ended = Place(place.path, inside.scope, place.graph, end(phase["id"]))
    report.add(check_names(phase.get("outputs", {}), ended.at("outputs")))


def _manual(document: Document, catalogue: Catalogue) -> set[str]:
    """The graph's points of all manual activities."""
    found = set()
    for phase in document["phases"]:
        for activity in phase.get("activities", ()):
            definition = definition_of(activity, catalogue)
            store = definition if blueprint.store_reference(activity) else None
            if definition is not None and blueprint.kind_of(activity, store) == "manual":
                found.add(f"{phase['id']}.{activity['id']}")
    return found
