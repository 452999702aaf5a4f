"""Every value of a release before it starts, with where it came from (product, section 3).

Narrowest wins: given at the start, given on the release, the input set, `with` on the reference, the declared default.
The first three have the shape of an input set: `inputs`, and `phases: {id: {inputs, activities: {id: {inputs}}}}`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from config.errors import ExpressionFailed, Fault
from processes import expressions
from processes import inputs as typed_inputs
from releases.models import Release

Layers = list[tuple[str, Mapping[str, Any]]]
LAYERS = ("start", "release", "input set")


@dataclass(slots=True)
class Resolved:
    """What a release would start with. `inputs` and `sources` are the process's; `values` are by path, as pinned.

    `shown` lists every input of every level as a page shows it; `faults` is everything that stops the start.
    """

    inputs: dict[str, Any] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)
    values: dict[str, list[list[Any]]] = field(default_factory=dict)
    shown: list[dict[str, Any]] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)


def layers_of(release: Release, given_at_start: Mapping[str, Any]) -> Layers:
    """Return what was given, narrowest first, named by its source."""
    input_set = release.input_set.values if release.input_set is not None else {}
    return list(zip(LAYERS, (given_at_start, release.given, input_set), strict=True))


def resolve(expanded: Mapping[str, Any], layers: Layers, release: Release, now: datetime) -> Resolved:
    """Resolve every input of the tree as far as it can be known before the start; an expression is shown as it is."""
    result = Resolved()
    nodes = expanded["nodes"]
    paths = {node["path"] for node in nodes}
    for source, document in layers:
        for path, values in _levels(document):
            if path and path not in paths:
                result.faults.append(Fault(f"{source}: {path}", "The process has no such phase or activity."))
            elif path and values:
                result.values.setdefault(path, []).append([source, dict(values)])
    _resolve_process(result, nodes[0], layers, release, now)
    for node in nodes[1:]:
        if node["inputs"] and (node["kind"] != "for_each"):
            _show(result, node, now)
    return result


def _levels(document: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the path and the values of every level of an input set's document; the process's path is empty.

    An activity that calls a subprocess holds the levels of that process again.
    """
    yield above, document.get("inputs") or {}
    for phase, entry in (document.get("phases") or {}).items():
        path = f"{above}/{phase}" if above else phase
        yield path, (entry or {}).get("inputs") or {}
        for activity, inner in ((entry or {}).get("activities") or {}).items():
            yield from _levels(inner or {}, f"{path}/{activity}")


def _resolve_process(
    result: Resolved, root: Mapping[str, Any], layers: Layers, release: Release, now: datetime
) -> None:
    declarations = root["inputs"]
    given = [(source, document.get("inputs") or {}) for source, document in layers]
    for source, values in given:
        unknown = [name for name in values if name not in declarations]
        result.faults += [Fault(f"inputs.{name}", f"The process has no input '{name}' ({source}).") for name in unknown]
    resolution = typed_inputs.resolve(given, declarations)
    settled, faults = typed_inputs.settle(resolution, declarations, known_of(release, now))
    result.faults += [Fault(f"inputs.{fault.path}", fault.message, fault.cure) for fault in faults]
    for name, entry in settled.items():
        if entry["value"] is not None:
            result.inputs[name], result.sources[name] = entry["value"], entry["source"]
        result.shown.append(_line("", name, declarations[name], entry))


def known_of(release: Release, now: datetime) -> dict[str, Any]:
    """Return what expressions know before the start, beside inputs: `release` and `now`."""
    facts = {
        "id": release.pk,
        "name": release.name,
        "version": release.version,
        "planned_start": release.planned_start_at,
        "planned_end": release.planned_end_at,
        "started_by": release.started_by_name,
    }
    return {"release": facts, "now": now}


def _show(result: Resolved, node: Mapping[str, Any], now: datetime) -> None:
    """Show a phase's or an activity's inputs; check the values that are plain already."""
    declarations = node["inputs"]
    given: Layers = [(source, values) for source, values in result.values.get(node["path"], [])]
    for source, values in given:
        unknown = [name for name in values if name not in declarations]
        result.faults += [Fault(f"{node['path']}.{name}", f"There is no such input ({source}).") for name in unknown]
    resolution = typed_inputs.resolve([*given, ("with", node["with"])], declarations)
    for name, entry in resolution.items():
        value = entry["value"]
        if value is None and declarations[name].get("required"):
            result.faults.append(
                Fault(f"{node['path']}.{name}", "It is required and has no value.", "Give it a value.")
            )
        if value is not None and not expressions.references(value):
            checked, faults = _checked(declarations[name], value, f"{node['path']}.{name}", now)
            result.faults += faults
            value = checked
        result.shown.append(_line(node["path"], name, declarations[name], {**entry, "value": value}))


def _checked(declaration: Mapping[str, Any], value: Any, path: str, now: datetime) -> tuple[Any, list[Fault]]:
    """Return a value that depends on nothing (`${{ 1 + 1 }}` included), made canonical, and its faults."""
    try:
        plain = expressions.evaluate(value, {"now": now})
    except ExpressionFailed as error:
        return value, [Fault(path, error.message)]
    return typed_inputs.validate_value(declaration, plain, path)


def _line(path: str, name: str, declaration: Mapping[str, Any], entry: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "path": path,
        "name": name,
        "type": typed_inputs.declaration_type(declaration),
        "required": bool(declaration.get("required")),
        "value": entry["value"],
        "source": entry["source"],
        "pending": bool(expressions.references(entry["value"])),
    }
