"""Checking one value against what its place wants: a literal by its declaration, an expression by its type."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from config import durations
from config.errors import ExpressionFailed, Fault, InvalidInput
from processes import expressions, inputs
from processes.checks_report import Place
from processes.expressions_check import check_expression
from processes.expressions_text import expressions_in, is_expression, names, pieces, whole
from processes.expressions_types import CURES, IN_TEXT, declared_type, fits, in_words
from processes.graph import end, opening
from processes.inputs_schema import TYPES

Declaration = Mapping[str, Any]


def check_value(value: Any, declaration: Declaration, place: Place) -> Iterator[Fault]:
    """The faults of a literal, an expression or a structure holding expressions, for one declared input."""
    if isinstance(value, str) and is_expression(value):
        yield from check_text(value, declared_type(declaration), place)
        return
    if not any(True for _ in expressions_in(value)):
        yield from inputs.validate_value(declaration, value, place.path)[1]
        return
    if isinstance(value, list) and inputs.declaration_type(declaration) == "list":
        items = declaration.get("items", "string")
        inner = {"type": items} if isinstance(items, str) else items
        for index, item in enumerate(value):
            yield from check_value(item, inner, place.at(index))
        return
    if inputs.declaration_type(declaration) != "object":
        yield Fault(place.path, f"A {type_word(value)} cannot be used as {in_words(declared_type(declaration))}.")
        return
    yield from check_names(value, place)


def check_text(value: Any, wanted: str, place: Place) -> Iterator[Fault]:
    """The faults of a text that may hold expressions where a type (a word of expressions_types) is wanted."""
    if not isinstance(value, str) or not is_expression(value):
        return
    try:
        only, parts = whole(value), pieces(value)
    except ExpressionFailed as failure:
        yield Fault(place.path, failure.message, "Close it with '}}'.")
        return
    if only is not None:
        found, faults = _check(only, place)
        yield from faults
        if not faults and not fits(found, wanted):
            cure = (
                CURES.get(wanted, "") if found != "secret" else "A secret can only be given where a secret is wanted."
            )
            yield Fault(place.path, f"`{only}` is {in_words(found)}, but {in_words(wanted)} is wanted here.", cure)
        return
    for is_source, content in parts:
        if is_source:
            yield from _check_inside_text(content, place)
    if not fits("string", wanted):
        yield Fault(
            place.path, f"This makes a text, but {in_words(wanted)} is wanted here.", "Write one whole expression."
        )


def check_names(value: Any, place: Place) -> Iterator[Fault]:
    """The faults of every expression inside a value of any depth; any type is welcome."""
    for inner, text in expressions_in(value):
        path = place.path + (inner if inner.startswith("[") else f".{inner}") if inner else place.path
        yield from check_text(text, "any", Place(path, place.scope, place.graph, place.point))


def check_declarations(declarations: Mapping[str, Declaration], place: Place) -> Iterator[Fault]:
    """The faults of declared inputs or outputs: options, limits, pattern and default of each."""
    for name, declaration in declarations.items():
        yield from _check_declaration(declaration, place.at(name))


def type_word(value: Any) -> str:
    """What a literal is, in words."""
    return {dict: "mapping", list: "list", str: "text", bool: "truth value"}.get(type(value), "number")


def _check(source: str, place: Place) -> tuple[str, list[Fault]]:
    found, complaints = check_expression(source, place.scope)
    faults = [Fault(place.path, complaint.message, complaint.cure) for complaint in complaints]
    return found, faults or list(_too_early(source, place))


def _check_inside_text(source: str, place: Place) -> Iterator[Fault]:
    found, faults = _check(source, place)
    yield from faults
    if faults or found in IN_TEXT:
        return
    cure = "Join a list with join(', ')." if found.startswith("list(") else "Use it as a whole value instead."
    yield Fault(place.path, f"`{source}` is {in_words(found)} and cannot be put into a text.", cure)


def _too_early(source: str, place: Place) -> Iterator[Fault]:
    """Names of phases and activities that need not have run when the expression is evaluated."""
    if place.graph is None or place.point is None:
        return
    for name in names(source):
        needed = _point_of(name.path)
        if needed is None or needed == place.point or needed in place.graph.before(place.point):
            continue
        this, other = place.point.rstrip("<>"), needed.rstrip("<>")
        same = other.partition(".")[0] == this.partition(".")[0] and "." in other
        short = other.partition(".")[2] if same else other
        yield Fault(
            place.path,
            f"'{'.'.join(name.path)}' is used, but '{this}' does not depend on '{short}'.",
            f"Add '{short}' to depends_on"
            + ("." if same or "." not in this else f" of it or of its phase ('{_phase(other)}')."),
        )


def _phase(point: str) -> str:
    return point.partition(".")[0]


def _point_of(path: tuple[str, ...]) -> str | None:
    if path[0] != "phases" or len(path) < 3:
        return None
    if path[2] == "activities" and len(path) > 3:
        return f"{path[1]}.{path[3]}"
    return opening(path[1]) if path[2] == "inputs" else end(path[1])


def _check_declaration(declaration: Declaration, place: Place) -> Iterator[Fault]:
    kind = inputs.declaration_type(declaration)
    if kind == "enum" and not declaration.get("options"):
        yield Fault(place.at("options").path, "An enum needs 'options'.", "List what may be chosen.")
        return
    for key, kinds in _ONLY_FOR.items():
        if key in declaration and kind not in kinds:
            yield Fault(place.at(key).path, f"'{key}' means nothing for the type {kind}.", "Remove it.")
            return
    limits = list(_check_limits(declaration, kind, place))
    yield from limits
    if isinstance(declaration.get("pattern"), str):
        try:
            expressions.matches("", declaration["pattern"])
        except ExpressionFailed:
            yield Fault(place.at("pattern").path, "This is not a valid regular expression (RE2).")
            return
    items = declaration.get("items")
    if isinstance(items, Mapping):
        yield from _check_declaration(items, place.at("items"))
    if isinstance(declaration.get("properties"), Mapping):
        yield from check_declarations(declaration["properties"], place.at("properties"))
    if declaration.get("default") is not None and not limits:
        yield from check_value(declaration["default"], declaration, place.at("default"))


def _check_limits(declaration: Declaration, kind: str, place: Place) -> Iterator[Fault]:
    for key in ("min", "max"):
        if key not in declaration:
            continue
        limit = declaration[key]
        if kind in ("duration", "date", "datetime"):
            if inputs.validate_value({"type": kind}, limit, "")[1]:
                yield Fault(place.at(key).path, f"'{key}' must be {in_words(declared_type({'type': kind}))} too.")
        elif (
            isinstance(limit, bool) or not isinstance(limit, (int, float)) or (kind != "number" and limit != int(limit))
        ):
            yield Fault(place.at(key).path, f"'{key}' must be a number.")
        elif kind in ("string", "text", "list") and limit < 0:
            yield Fault(place.at(key).path, f"'{key}' counts characters or items, so it cannot be negative.")


def check_length(value: Any, place: Place) -> Iterator[Fault]:
    """The faults of a duration that may be an expression."""
    yield from check_text(value, "duration", place)
    if not is_expression(value) and value is not None:
        try:
            durations.parse(value)
        except InvalidInput as wrong:
            yield from (Fault(place.path, fault.message, fault.cure) for fault in wrong.faults)


_SIZED = frozenset({"string", "text", "integer", "number", "list", "duration", "date", "datetime"})
_ONLY_FOR = {
    "options": frozenset({"enum"}),
    "pattern": frozenset({"string", "text"}),
    "items": frozenset({"list"}),
    "properties": frozenset({"object"}),
    "min": _SIZED,
    "max": _SIZED,
}
assert set(TYPES) >= _SIZED
