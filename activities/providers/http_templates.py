"""Templates of requests, and reading answers: `{name}` is filled in, `/a/0/b` is looked up.

A filled-in value is never pasted: in a path it is percent-encoded and stays one segment, in a query or form it is
encoded with them, in a body it is a value of the JSON document. `{name}` alone keeps the text as it is;
`{name:integer}`, `{name:number}`, `{name:boolean}` and `{name:json}` alone make that of it. `{{` and `}}` are braces.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from config.errors import RunnerRefused

PLACE = re.compile(r"\{\{|\}\}|\{([A-Za-z_][A-Za-z0-9_-]{0,63})(?::(integer|number|boolean|json))?\}")
OWN_NAMES = ("key", "reference")
"""What every template may name: the idempotency key of the attempt and, once it is known, what the engine calls it."""


def names_in(template: Any) -> Iterator[str]:
    """Yields every name that a template, of whatever depth, wants filled in."""
    if isinstance(template, str):
        yield from (found[1] for found in PLACE.finditer(template) if found[1])
    elif isinstance(template, Mapping):
        for name, inner in template.items():
            yield from names_in(name)
            yield from names_in(inner)
    elif isinstance(template, list):
        for inner in template:
            yield from names_in(inner)


def fill_path(template: str, values: Mapping[str, str]) -> str:
    """Returns a path, each value one segment of it or a part of one. Raises RunnerRefused."""
    path = PLACE.sub(lambda found: _in_path(found, values), template)
    if any(segment in (".", "..") for segment in path.split("/")):
        raise RunnerRefused("A parameter cannot stand in the path: it would lead out of it.")
    return path


def _in_path(found: re.Match[str], values: Mapping[str, str]) -> str:
    return quote(_value(found, values), safe="") if found[1] else quote(found[0][0])


def fill(template: Any, values: Mapping[str, str]) -> Any:
    """Returns a JSON value with every placeholder filled in. Raises RunnerRefused."""
    if isinstance(template, str):
        whole = PLACE.fullmatch(template)
        if whole and whole[1]:
            return _typed(whole, _value(whole, values))
        return PLACE.sub(lambda found: _value(found, values) if found[1] else found[0][0], template)
    if isinstance(template, Mapping):
        return {str(fill(name, values)): fill(inner, values) for name, inner in template.items()}
    return [fill(inner, values) for inner in template] if isinstance(template, list) else template


def fill_texts(template: Mapping[str, Any], values: Mapping[str, str]) -> dict[str, str]:
    """Returns a flat mapping of texts, for a query, a form or headers. Raises RunnerRefused."""
    return {name: as_text(fill(text, values)) for name, text in template.items()}


def _value(found: re.Match[str], values: Mapping[str, str]) -> str:
    if found[1] not in values:
        raise RunnerRefused(f"The pipeline wants the parameter '{found[1]}'.", code="parameter_missing")
    return values[found[1]]


def _typed(found: re.Match[str], text: str) -> Any:
    kind = found[2]
    if kind is None:
        return text
    try:
        value = json.loads(text.strip().lower() if kind == "boolean" else text)
    except ValueError:
        value = None
    fits = {
        "integer": isinstance(value, int) and not isinstance(value, bool),
        "number": isinstance(value, int | float) and not isinstance(value, bool),
        "boolean": isinstance(value, bool),
        "json": value is not None or text.strip() == "null",
    }
    if not fits[kind]:
        raise RunnerRefused(f"The parameter '{found[1]}' is not what {found[0]} wants.", code="parameter_wrong")
    return value


def look_up(document: Any, pointer: str) -> Any:
    """Returns what a JSON pointer (RFC 6901) leads to, None if it leads nowhere."""
    for step in pointer.split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        if isinstance(document, list) and name.isdecimal() and int(name) < len(document):
            document = document[int(name)]
        elif isinstance(document, dict) and name in document:
            document = document[name]
        else:
            return None
    return document


def as_text(value: Any) -> str:
    """Returns a JSON value as the text that stands for it in parameters and outputs."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
