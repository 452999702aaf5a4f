"""Checking the activities of a phase: what each refers to, the values it gives, when and how often it runs."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from processes import blueprint
from processes.catalogue import Catalogue
from processes.checks_bodies import Bodies, actors_exist
from processes.checks_people import People
from processes.checks_report import Place, Report
from processes.checks_scope import body_scope, definition_of, item_names
from processes.checks_values import check_declarations, check_length, check_names, check_text, check_value
from processes.expressions_check import check_expression
from processes.expressions_text import is_expression, whole
from processes.graph import Graph
from processes.schema_words import did_you_mean

Document = Mapping[str, Any]

_OF_THE_STORE = ("inputs", "outputs")


class Activities:
    """The checks of one process's activities; what it finds goes into the report. `own` is the process's id."""

    def __init__(
        self, report: Report, catalogue: Catalogue, people: People, graph: Graph, manual: Collection[str], own: str
    ) -> None:
        self.report = report
        self.catalogue = catalogue
        self.people = people
        self.bodies = Bodies(report, catalogue, people)
        self.graph = graph
        self.manual = manual
        self.own = own

    def check(self, activity: Document, phase: Document, place: Place) -> None:
        """Checks one activity; `place` sees the phase's names."""
        self._flow(activity, place)
        given = self._with_items(activity, place)
        if not self._has_one_source(activity, place):
            return
        definition = definition_of(activity, self.catalogue)
        if definition is None:
            self._missing(activity, place)
            return
        self._values(activity, definition, given)
        kind = blueprint.kind_of(activity, definition if blueprint.store_reference(activity) else None)
        inner = given.seeing(body_scope(given.scope, definition.get("inputs", {})))
        self.report.add(check_length(activity.get("timeout"), inner.at("timeout")))
        if definition is activity:
            self.report.add(check_declarations(activity.get("inputs", {}), given.at("inputs")))
            self.bodies.check(activity, kind, blueprint.outputs_of(activity, kind), inner)
        self._approval(
            definition, phase, place.at(*(() if definition is activity else ("activity",))), definition is activity
        )

    def _flow(self, activity: Document, place: Place) -> None:
        self.report.add(check_text(activity.get("when"), "bool", place.at("when")))
        check_condition(self.report, activity, place)
        self.people.named(activity.get("owners"), place.at("owners"))
        if activity.get("parallel") is not None and activity.get("for_each") is None:
            self.report.fault(place.at("parallel").path, "'parallel' needs 'for_each'.", "Remove it.")

    def _with_items(self, activity: Document, place: Place) -> Place:
        """The place with `item` and `index`, when the activity runs once per item."""
        items = activity.get("for_each")
        if items is None:
            return place
        spot, kind = place.at("for_each"), "any"
        if isinstance(items, str):
            self.report.add(check_text(items, "list(any)", spot))
            only = whole(items) if is_expression(items) else None
            kind = "any" if only is None else check_expression(only, place.scope)[0]
            if not is_expression(items):
                self.report.fault(spot.path, "'for_each' must be a list or an expression.", "Write ${{ inputs.x }}.")
        else:
            self.report.add(check_names(items, spot))
            kind = "list(string)" if all(isinstance(item, str) for item in items) else "list(any)"
        return place.seeing(place.scope.with_names(item_names(kind)))

    def _has_one_source(self, activity: Document, place: Place) -> bool:
        found = blueprint.sources(activity)
        listed = ", ".join(blueprint.SOURCES)
        if not found:
            self.report.fault(place.path, "Nothing says what this activity does.", f"Add one of {listed}.")
        elif len(found) > 1:
            self.report.fault(place.path, f"This activity is {' and '.join(found)} at once.", "Keep one of them.")
        elif found[0] in ("activity", "subprocess"):
            for key in _OF_THE_STORE:
                if key in activity:
                    cure = "Give values under 'with'." if key == "inputs" else "Declare them where it is defined."
                    self.report.fault(place.at(key).path, f"'{key}' are declared by the {found[0]} referred to.", cure)
        return len(found) == 1

    def _missing(self, activity: Document, place: Place) -> None:
        reference, called = blueprint.store_reference(activity), blueprint.process_reference(activity)
        if reference is not None:
            known, what, spot = self.catalogue.activities(), "activity in the store", place.at("activity")
        else:
            reference, known, what = str(called), self.catalogue.processes(), "published process"
            spot = (
                place.at("subprocess", "process")
                if isinstance(activity["subprocess"], Mapping)
                else place.at("subprocess")
            )
        slug, revision = blueprint.split_pin(reference)
        if slug == self.own and "subprocess" in activity:
            return
        if revision is not None and slug in known:
            self.report.fault(
                spot.path, f"'{slug}' has no revision {revision}.", "Leave the pin out for the latest one."
            )
            return
        self.report.fault(
            spot.path, f"There is no {what} called '{slug}'.", did_you_mean(slug, known, "Publish it first.")
        )

    def _values(self, activity: Document, definition: Document, place: Place) -> None:
        declarations, values = definition.get("inputs", {}), blueprint.given_with(activity)
        called = activity.get("subprocess")
        inner = isinstance(called, Mapping) and "with" in called and "with" not in activity
        spot = place.at("subprocess", "with") if inner else place.at("with")
        for name, value in values.items():
            if name not in declarations:
                listed = f"The inputs are {', '.join(declarations)}." if declarations else "It has no inputs."
                self.report.fault(
                    spot.at(name).path, f"There is no input '{name}'.", did_you_mean(name, declarations, listed)
                )
            elif value is not None:
                self.report.add(check_value(value, declarations[name], spot.at(name)))
        for name, declaration in declarations.items():
            if declaration.get("required") and declaration.get("default") is None and values.get(name) is None:
                self.report.warn(
                    spot.at(name).path,
                    f"The input '{name}' is required and not given here.",
                    "Give it under 'with', or in every input set.",
                )

    def _approval(self, definition: Document, phase: Document, place: Place, inline: bool) -> None:
        approval = (
            (definition.get("manual") or {}).get("approval") if isinstance(definition.get("manual"), Mapping) else None
        )
        if not approval:
            return
        spot = place.at("manual", "approval") if inline else place
        self.people.enough(approval, spot, phase.get("owners", ()))
        if place.point is not None:
            actors_exist(self.report, approval, spot, self.graph, place.point, phase["id"], self.manual)


def check_condition(report: Report, node: Document, place: Place) -> None:
    """Checks that a condition is an expression and that `needs` and `after` have something to speak of."""
    when = node.get("when")
    if isinstance(when, str) and not is_expression(when):
        report.fault(place.at("when").path, "A condition must be an expression.", "Write ${{ … }}, or true or false.")
    for key in ("needs", "after"):
        if node.get(key) and not node.get("depends_on"):
            report.warn(place.at(key).path, f"'{key}' has no effect without 'depends_on'.", "Add what it depends on.")
    if when is False:
        report.warn(place.at("when").path, "This never runs.", "Remove it, or give it a condition.")
