"""Which names an expression may use where, with their types (product, section 3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from processes import blueprint
from processes.catalogue import Catalogue
from processes.expressions_check import Path, Scope, check_expression
from processes.expressions_text import is_expression, whole
from processes.expressions_types import declared_type, stored_type

Document = Mapping[str, Any]
Names = dict[Path, str]

RELEASE: Names = {
    ("release", "id"): "int",
    ("release", "name"): "string",
    ("release", "version"): "string",
    ("release", "planned_start"): "timestamp",
    ("release", "planned_end"): "timestamp",
    ("release", "started_by"): "string",
    ("now",): "timestamp",
}
PHASE: Names = {("phase", "owners"): "list(string)", ("phase", "name"): "string", ("phase", "id"): "string"}
ACTIVITY: Names = {("activity", "name"): "string", ("activity", "id"): "string"}
TEMPLATE: Names = {("start",): "timestamp", ("sequence",): "int"}


def declared(prefix: Path, declarations: Mapping[str, Mapping[str, Any]]) -> Names:
    """The names below a prefix, one per declared input or output."""
    return {(*prefix, name): declared_type(declaration) for name, declaration in declarations.items()}


def definition_of(activity: Document, catalogue: Catalogue) -> Document | None:
    """What declares an activity's inputs and outputs: store activity, called process or itself; None when missing."""
    for reference, find in (
        (blueprint.store_reference(activity), catalogue.activity),
        (blueprint.process_reference(activity), catalogue.process),
    ):
        if reference is not None:
            found = find(*blueprint.split_pin(reference))
            return None if found is None else found.document
    return activity


def process_scope(document: Document, catalogue: Catalogue, known: dict[str, dict[str, str]] | None = None) -> Scope:
    """The names at process level: its inputs, its phases with inputs and outputs, its activities, the release.

    `known` holds the types of the outputs of called processes that were found before, by reference.
    """
    known = {} if known is None else known
    names: Names = {**RELEASE, **declared(("inputs",), document.get("inputs", {}))}
    for phase in document.get("phases", ()):
        here = ("phases", phase["id"])
        names[*here, "state"] = "string"
        names.update(declared((*here, "inputs"), phase.get("inputs", {})))
        for activity in phase.get("activities", ()):
            names.update(_activity_names((*here, "activities", activity["id"]), activity, catalogue, known))
    scope = Scope(names)
    for phase in document.get("phases", ()):
        outputs = expression_types(phase.get("outputs", {}), phase_scope(scope, phase))
        scope = scope.with_names({("phases", phase["id"], "outputs", name): kind for name, kind in outputs.items()})
    return scope


def phase_scope(scope: Scope, phase: Document) -> Scope:
    """The names inside a phase: the process's and the phase's own."""
    return scope.with_names({**PHASE, **declared(("phase", "inputs"), phase.get("inputs", {}))})


def body_scope(scope: Scope, inputs: Mapping[str, Mapping[str, Any]]) -> Scope:
    """The names inside an activity's own block: those given and the activity's inputs."""
    return scope.with_names({**ACTIVITY, **declared(("activity", "inputs"), inputs)})


def item_names(kind: str) -> Names:
    """The names inside a for_each over a list of the given type."""
    return {("item",): kind[5:-1] if kind.startswith("list(") else "any", ("index",): "int"}


def expression_types(values: Mapping[str, Any], scope: Scope) -> dict[str, str]:
    """The types of outputs given as expressions or literals; without a declaration, lengths and moments are text."""
    return {name: _type_of(value, scope) for name, value in values.items()}


def _type_of(value: Any, scope: Scope) -> str:
    if isinstance(value, str):
        only = whole(value) if is_expression(value) and value.strip().endswith("}}") else None
        return "string" if only is None else stored_type(check_expression(only, scope)[0])
    return {bool: "bool", int: "int", float: "double"}.get(type(value), "any")


def _activity_names(here: Path, activity: Document, catalogue: Catalogue, known: dict[str, dict[str, str]]) -> Names:
    names: Names = {(*here, "state"): "string"}
    definition = definition_of(activity, catalogue)
    if definition is None:
        return {**names, (*here, "inputs"): "any", (*here, "outputs"): "any"}
    names.update(declared((*here, "inputs"), definition.get("inputs", {})))
    for name, kind in _output_types(activity, definition, catalogue, known).items():
        names[*here, "outputs", name] = f"list({stored_type(kind)})" if activity.get("for_each") is not None else kind
    return names


def _output_types(
    activity: Document, definition: Document, catalogue: Catalogue, known: dict[str, dict[str, str]]
) -> dict[str, str]:
    called = blueprint.process_reference(activity)
    if called is not None:
        if called not in known:
            known[called] = dict.fromkeys(definition.get("outputs", {}), "any")
            scope = process_scope(definition, catalogue, known)
            known[called] = expression_types(definition.get("outputs", {}), scope)
        return known[called]
    kind = blueprint.kind_of(activity, definition if definition is not activity else None)
    return {name: declared_type(shape) for name, shape in blueprint.outputs_of(definition, kind).items()}
