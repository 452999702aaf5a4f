"""Typed inputs: declarations, the values people give for them, and where each resolved value came from.

Stored values are JSON: durations as canonical text (`1h30m`), moments as ISO-8601 with offset, a secret as
`{"secret": name}`. `typed` turns them into what expressions work with.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from functools import lru_cache
from typing import Any, NoReturn

import jsonschema
from jsonschema.protocols import Validator
from referencing import Registry

from config import durations
from config.errors import ExpressionFailed, Fault, InvalidInput
from processes import expressions
from processes.document import refuse_unstorable
from processes.inputs_schema import FORMATS, json_schema, schema_of
from processes.schema_words import did_you_mean, faults_of

__all__ = ["Resolution", "coerce_text", "declaration_type", "json_schema", "resolve", "settle", "typed", "validate"]

Declarations = Mapping[str, Mapping[str, Any]]
Resolution = dict[str, dict[str, Any]]

UNSET = "unset"
BOOLEANS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}
TEXTS = frozenset({"string", "text", "enum", "service", "environment", "date", "datetime", "duration"})


def declaration_type(declaration: Mapping[str, Any]) -> str:
    """The declared type; `string` when it is left out."""
    return str(declaration.get("type", "string"))


def validate(declarations: Declarations, values: Mapping[str, Any]) -> tuple[dict[str, Any], list[Fault]]:
    """The values made canonical (missing optional ones left out), and every fault; fault paths are input names."""
    clean: dict[str, Any] = {}
    faults = [
        Fault(name, f"There is no input '{name}'.", did_you_mean(name, declarations, _listed(declarations)))
        for name in values
        if name not in declarations
    ]
    for name, declaration in declarations.items():
        value = values.get(name)
        if value is None or (value == "" and declaration.get("required")):
            if declaration.get("required") and (value == "" or declaration.get("default") is None):
                faults.append(Fault(name, f"'{name}' is required and has no value.", "Give it a value."))
            continue
        found, wrong = validate_value(declaration, value, name)
        faults += wrong
        if not wrong:
            clean[name] = found
    return clean, faults


def validate_value(declaration: Mapping[str, Any], value: Any, path: str) -> tuple[Any, list[Fault]]:
    """One value made canonical, and its faults; `path` names the value in them."""
    try:
        refuse_unstorable(value)
    except InvalidInput as refused:
        return value, [Fault(path, fault.message, fault.cure) for fault in refused.faults]
    found = _canonical(declaration, value)
    validator = _validator(json.dumps(declaration, sort_keys=True))
    faults = faults_of(validator, found, path)
    if not faults and (complaint := _pattern_complaint(declaration, found) or _range_complaint(declaration, found)):
        faults = [Fault(path, complaint)]
    return found, faults


def coerce_text(declaration: Mapping[str, Any], text: str) -> Any:
    """The value a text stands for, for a pipeline's outputs and for forms: `120` becomes 120, `[1]` a list.

    Raises InvalidInput when the text cannot be read as the declared type.
    """
    kind, stripped = declaration_type(declaration), text.strip()
    try:
        value = _from_text(kind, text if kind in TEXTS else stripped, declaration)
    except (KeyError, ValueError, RecursionError) as error:
        raise InvalidInput([Fault("", f"'{text[:60]}' cannot be read as {kind}.")]) from error
    found, faults = validate_value(declaration, value, "")
    if faults:
        raise InvalidInput(faults)
    return found


def resolve(layers: Sequence[tuple[str, Mapping[str, Any]]], declarations: Declarations) -> Resolution:
    """For every declared input, the narrowest value given and its source: `{name: {"value", "source"}}`.

    `layers` come narrowest first (start, release, input set, with); the declared default is the last. None means not
    given. Values may still be expressions: `settle` evaluates them. Without any value: None and the source `unset`.
    """
    return {name: _narrowest(name, layers, declaration) for name, declaration in declarations.items()}


def settle(
    resolution: Resolution, declarations: Declarations, context: Mapping[str, Any], *, zone: str = "UTC"
) -> tuple[Resolution, list[Fault]]:
    """The resolution with expressions evaluated and every value made canonical, and all faults (paths: input names)."""
    settled: Resolution = {}
    faults: list[Fault] = []
    for name, entry in resolution.items():
        settled[name] = {**entry, "value": None}
        try:
            value = expressions.evaluate(entry["value"], context, zone=zone)
        except ExpressionFailed as error:
            faults.append(Fault(name, error.message))
            continue
        if value is None:
            if declarations[name].get("required"):
                faults.append(Fault(name, f"'{name}' is required and has no value.", "Give it a value."))
            continue
        found, wrong = validate_value(declarations[name], value, name)
        faults += wrong
        settled[name] = {**entry, "value": None if wrong else found}
    return settled, faults


def typed(declarations: Declarations, values: Mapping[str, Any]) -> dict[str, Any]:
    """Stored values as expressions see them: durations as timedelta, moments as aware datetime, unset ones as None.

    Values that are not declared are passed on as they are.
    """
    lifted = {
        name: _lift(declaration_type(declaration), values.get(name)) for name, declaration in declarations.items()
    }
    return {**values, **lifted}


@lru_cache(maxsize=1024)
def _validator(declaration: str) -> Validator:
    """The validator of a declaration, given as JSON so that it can be kept: making one takes longer than using it."""
    schema = schema_of(json.loads(declaration))
    validator: Validator = jsonschema.Draft202012Validator(schema, registry=Registry(), format_checker=FORMATS)
    return validator


def _narrowest(
    name: str, layers: Sequence[tuple[str, Mapping[str, Any]]], declaration: Mapping[str, Any]
) -> dict[str, Any]:
    for source, values in layers:
        if values.get(name) is not None:
            return {"value": values[name], "source": source}
    if declaration.get("default") is not None:
        return {"value": declaration["default"], "source": "default"}
    return {"value": None, "source": UNSET}


def _lift(kind: str, value: Any) -> Any:
    if kind == "duration" and value is not None:
        return durations.parse(value)
    if kind == "datetime" and isinstance(value, str):
        return datetime.fromisoformat(value)
    if kind == "number" and isinstance(value, int):
        return float(value)
    return value


def _canonical(declaration: Mapping[str, Any], value: Any) -> Any:
    kind = declaration_type(declaration)
    if kind == "duration" and durations.is_duration(value):
        return durations.to_text(durations.parse(value))
    if kind == "number" and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if kind == "integer" and isinstance(value, float) and value.is_integer():
        return int(value)
    if kind in ("date", "datetime") and isinstance(value, (date, datetime)):
        return value.isoformat()
    return value


def _from_text(kind: str, text: str, declaration: Mapping[str, Any]) -> Any:
    if kind == "integer":
        return int(text)
    if kind == "number":
        return float(text)
    if kind == "boolean":
        return BOOLEANS[text.lower()]
    if kind == "secret":
        return {"secret": text}
    if kind in ("list", "object"):
        return _structure(kind, text, declaration)
    return text if kind == "text" else text.strip()


def _structure(kind: str, text: str, declaration: Mapping[str, Any]) -> Any:
    if kind == "object" or text.startswith("["):
        return json.loads(text, parse_constant=_no_number)
    items = declaration.get("items", "string")
    inner = {"type": items} if isinstance(items, str) else items
    parts = [part.strip() for part in text.replace(",", "\n").splitlines()]
    return [_from_text(declaration_type(inner), part, inner) for part in parts if part]


def _no_number(name: str) -> NoReturn:
    raise ValueError(name)


def _pattern_complaint(declaration: Mapping[str, Any], value: Any) -> str:
    pattern = declaration.get("pattern")
    if not isinstance(pattern, str) or not isinstance(value, str):
        return ""
    try:
        return "" if expressions.matches(value, pattern) else f"'{value[:60]}' does not match the pattern {pattern}."
    except ExpressionFailed:
        return f"the pattern {pattern} is not a valid regular expression."


def _range_complaint(declaration: Mapping[str, Any], value: Any) -> str:
    kind = declaration_type(declaration)
    if kind not in ("duration", "date", "datetime"):
        return ""
    measures: dict[str, Callable[[Any], Any]] = {
        "duration": durations.parse,
        "date": date.fromisoformat,
        "datetime": datetime.fromisoformat,
    }
    measure = measures[kind]
    lowest, highest = declaration.get("min"), declaration.get("max")
    if lowest is not None and measure(value) < measure(lowest):
        return f"{value} is less than the least allowed, {lowest}."
    if highest is not None and measure(value) > measure(highest):
        return f"{value} is more than the most allowed, {highest}."
    return ""


def _listed(declarations: Declarations) -> str:
    return f"The inputs are: {', '.join(declarations)}." if declarations else "There are no inputs here."
