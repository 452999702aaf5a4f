"""JSON Schema's complaints in plain words: each becomes a Fault with its place, what is wrong and how to mend it."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from jsonschema.exceptions import ValidationError
from jsonschema.protocols import Validator

from config import durations
from config.errors import Fault
from processes import schema_formats

WORDS = {
    "object": "a mapping",
    "array": "a list",
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "null": "empty",
}
FORMATS = {
    **schema_formats.WORDS,
    "date": ("a date", "Write it like 2026-01-08."),
    "date-time": ("a moment with an offset", "Write it like 2026-01-08T09:00:00+01:00."),
    "length-of-time": ("a duration", durations.CURE),
}


def faults_of(validator: Validator, value: Any, path: str = "") -> list[Fault]:
    """Every fault of the value against the validator's schema, in the order of the document."""
    errors = sorted(validator.iter_errors(value), key=_place_in_order)
    return list(dict.fromkeys(fault for error in errors for fault in _faults(error, path)))


def joined(path: str, steps: Iterable[object]) -> str:
    """A place in a document, `phases[2].activities[0].with.image`."""
    for step in steps:
        path = f"{path}[{step}]" if isinstance(step, int) else f"{path}.{step}" if path else str(step)
    return path


def did_you_mean(word: str, known: Iterable[str], otherwise: str = "") -> str:
    """`Did you mean x?` for the known word nearest to a mistaken one; `otherwise` when none is near."""
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"Did you mean {near[0]}?" if near else otherwise


def _place_in_order(error: ValidationError) -> list[str]:
    return [str(step).zfill(6) if isinstance(step, int) else str(step) for step in error.absolute_path]


def _faults(error: ValidationError, path: str) -> Iterator[Fault]:
    place = joined(path, error.absolute_path)
    if "propertyNames" in error.absolute_schema_path:
        yield from _key(error, place)
        return
    if "x-secret" in _schema(error):
        yield _secret(place)
        return
    explain = _EXPLAIN.get(str(error.validator))
    if explain is None:
        yield Fault(place, f"{_field(place)} is not allowed here.")
        return
    yield from explain(error, place)


def _type(error: ValidationError, place: str) -> Iterator[Fault]:
    wanted = [error.validator_value] if isinstance(error.validator_value, str) else _listed(error.validator_value)
    words = " or ".join(WORDS[word] for word in wanted)
    cure = "Put it in quotes." if "string" in wanted and isinstance(error.instance, (int, float)) else ""
    if wanted == ["object"] and "secret" in _schema(error).get("properties", ()):
        yield _secret(place)
        return
    yield Fault(place, f"{_field(place)} must be {words}, not {_shown(error.instance)}.", cure)


def _secret(place: str) -> Fault:
    """The one fault of every wrong secret, which shows nothing of what was given: it may be the value itself."""
    return Fault(place, f"{_field(place)} must be a reference to a secret.", "Write {secret: name-of-the-secret}.")


def _required(error: ValidationError, place: str) -> Iterator[Fault]:
    missing = error.message.split("'")[1]
    yield Fault(joined(place, [missing]), f"'{missing}' is missing.", f"Add '{missing}'.")


def _unknown(error: ValidationError, place: str) -> Iterator[Fault]:
    known = list(_schema(error).get("properties", ()))
    later = _schema(error).get("x-later", {})
    for key in _listed(error.instance):
        if key not in known:
            spot = joined(place, [key])
            if key in later:
                yield Fault(spot, f"'{key}' is not supported.", str(later[key]))
            else:
                yield Fault(
                    spot,
                    f"'{key}' is not a known key here.",
                    did_you_mean(key, known, f"Known are: {', '.join(known)}."),
                )


def _enum(error: ValidationError, place: str) -> Iterator[Fault]:
    options = [str(option) for option in _listed(error.validator_value)]
    yield Fault(
        place,
        f"{_field(place)} must be one of {', '.join(options)}, not {_shown(error.instance)}.",
        did_you_mean(str(error.instance), options),
    )


def _key(error: ValidationError, place: str) -> Iterator[Fault]:
    key = str(error.instance)
    yield Fault(joined(place, [key]), f"'{key}' is not a name.", "Use letters, digits, '_' and '-', at most 64.")


def _pattern(error: ValidationError, place: str) -> Iterator[Fault]:
    words = _schema(error).get("x-words", f"text matching {error.validator_value}")
    yield Fault(place, f"{_shown(error.instance)} is not {words}.", _schema(error).get("x-cure", ""))


def _listed(value: Any) -> list[str]:
    return list(value)


def _schema(error: ValidationError) -> dict[str, Any]:
    return error.schema if isinstance(error.schema, dict) else {}


def _format(error: ValidationError, place: str) -> Iterator[Fault]:
    name = str(error.validator_value)
    if name in schema_formats.EXPLAIN and isinstance(error.instance, str):
        for fault in schema_formats.EXPLAIN[name](error.instance):
            yield Fault(place, fault.message, fault.cure)
        return
    words, cure = FORMATS[name]
    yield Fault(place, f"{_shown(error.instance)} is not {words}.", cure)


def _limit(words: str) -> Callable[[ValidationError, str], Iterator[Fault]]:
    def explain(error: ValidationError, place: str) -> Iterator[Fault]:
        yield Fault(place, f"{_field(place)} {words.format(error.validator_value)}.")

    return explain


def _field(place: str) -> str:
    return f"'{place.rpartition('.')[2]}'" if place else "The value"


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, bool):
        return str(value).lower()
    return "empty" if value is None else f"'{str(value)[:60]}'"


_EXPLAIN: dict[str, Callable[[ValidationError, str], Iterator[Fault]]] = {
    "type": _type,
    "required": _required,
    "additionalProperties": _unknown,
    "enum": _enum,
    "const": _limit("must be {}"),
    "pattern": _pattern,
    "format": _format,
    "minimum": _limit("must be at least {}"),
    "maximum": _limit("must be at most {}"),
    "exclusiveMinimum": _limit("must be more than {}"),
    "minLength": _limit("must have at least {} characters"),
    "maxLength": _limit("must have at most {} characters"),
    "minItems": _limit("must have at least {} items"),
    "maxItems": _limit("must have at most {} items"),
    "minProperties": _limit("must have at least {} keys"),
    "maxProperties": _limit("must have at most {} keys"),
    "uniqueItems": _limit("names something twice"),
}
