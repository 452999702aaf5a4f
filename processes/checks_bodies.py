"""Checking what an activity does: its automated, manual, signal or wait block, in the store or in a phase."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from processes.catalogue import Catalogue
from processes.checks_people import People
from processes.checks_report import Place, Report
from processes.checks_scope import declared
from processes.checks_values import check_declarations, check_length, check_names, check_text
from processes.expressions_text import is_expression
from processes.graph import Graph
from processes.schema_words import did_you_mean

Document = Mapping[str, Any]


class Bodies:
    """The checks of activity definitions; what it finds goes into the report."""

    def __init__(self, report: Report, catalogue: Catalogue, people: People) -> None:
        self.report = report
        self.catalogue = catalogue
        self.people = people

    def check(self, definition: Document, kind: str, outputs: Mapping[str, Any], place: Place) -> None:
        """Checks everything an activity of this kind declares; `place` sees the activity's inputs."""
        self.report.add(check_declarations(definition.get("outputs", {}), place.at("outputs")))
        self.report.add(check_length(definition.get("timeout"), place.at("timeout")))
        for index, artifact in enumerate(definition.get("artifacts", ())):
            after = place.seeing(place.scope.with_names(declared(("activity", "outputs"), outputs)))
            for key, value in artifact.items():
                self.report.add(check_text(value, "string", after.at("artifacts", index, key)))
        block = definition.get(kind)
        check = {"automated": self.automated, "manual": self.manual, "signal": self.signal, "wait": self.wait}.get(kind)
        if check is not None:
            check(block, place.at(kind))

    def automated(self, block: Any, place: Place) -> None:
        """The connection must exist, its engine take such a block; parameters are text, or a secret given whole."""
        known = self.catalogue.connections()
        self.report.add(self.catalogue.work_faults(block, place.path))
        if block["connection"] not in known:
            cure = did_you_mean(block["connection"], known, "Apply the connection first.")
            self.report.fault(place.at("connection").path, f"There is no connection '{block['connection']}'.", cure)
        for name, value in block.get("parameters", {}).items():
            self._parameter(value, place.at("parameters", name))
        rest = {key: value for key, value in block.items() if key not in ("connection", "parameters", "command")}
        self.report.add(check_names(rest, place))
        for index, word in enumerate(block.get("command", ())):
            if is_expression(word):
                self.report.fault(
                    place.at("command", index).path,
                    "A command cannot hold expressions: a value could change what it does.",
                    "Pass the value through 'parameters' and use it as $NAME.",
                )

    def manual(self, block: Any, place: Place) -> None:
        """Instructions are text, tasks have ids of their own, the form's fields are declarations, rules can be met."""
        self.report.add(check_text(block.get("instructions"), "string", place.at("instructions")))
        self.report.add(check_declarations(block.get("form", {}), place.at("form")))
        seen: set[str] = set()
        for index, task in enumerate(block.get("tasks", ())):
            spot = place.at("tasks", index)
            if task["id"] in seen:
                self.report.fault(spot.at("id").path, f"There is already a task '{task['id']}'.", "Choose another id.")
            seen.add(task["id"])
            self.people.named(task.get("groups"), spot.at("groups"))
            self.report.add(check_names({key: task.get(key) for key in ("name", "description")}, spot))
            self.report.add(check_length(task.get("expected_duration"), spot.at("expected_duration")))
        if block.get("approval"):
            self.people.approval(block["approval"], place.at("approval"))

    def signal(self, block: Any, place: Place) -> None:
        """The payload's fields are declarations; the match is true or false over them."""
        payload = block.get("payload", {})
        self.report.add(check_declarations(payload, place.at("payload")))
        names = declared(("payload",), payload)
        self.report.add(check_text(block.get("match"), "bool", place.at("match").seeing(place.scope.with_names(names))))
        if isinstance(block.get("match"), str) and not is_expression(block["match"]):
            self.report.fault(
                place.at("match").path, "The match must be an expression.", "Write ${{ payload.x == … }}."
            )

    def wait(self, block: Any, place: Place) -> None:
        """A wait is a duration or a moment; text is taken as either when the release runs."""
        wrong = list(check_text(block, "duration", place))
        if wrong and list(check_text(block, "timestamp", place)):
            self.report.add(wrong)

    def _parameter(self, value: str, place: Place) -> None:
        faults = list(check_text(value, "string", place))
        if faults and list(check_text(value, "secret", place)):
            self.report.add(faults)


def actors_exist(
    report: Report, approval: Document, place: Place, graph: Graph, point: str, phase: str, manual: Collection[str]
) -> None:
    """Checks `different_from` and `same_as`: each names a manual activity that has surely settled before this one."""
    for key in ("different_from", "same_as"):
        for index, name in enumerate(approval.get(key, ())):
            spot = place.at(key, index).path
            target = name if "." in name else f"{phase}.{name}"
            if target not in graph.places:
                near = [one if "." in name else one.partition(".")[2] for one in manual]
                report.fault(spot, f"There is no activity '{name}'.", did_you_mean(name, near))
            elif target not in manual:
                report.fault(spot, f"'{name}' is not a manual activity, so nobody acts there.", "Name a manual one.")
            elif target not in graph.before(point):
                cure = f"Add '{name}' to depends_on."
                report.fault(spot, f"'{point}' does not depend on '{name}', so who acts there is not known yet.", cure)
