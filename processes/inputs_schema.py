"""The JSON Schema of declared inputs: for validation, for the API's documentation and for forms."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

import jsonschema

from config import durations

TYPES = (
    "string", "text", "integer", "number", "boolean", "date", "datetime", "duration", "enum", "list", "object",
    "secret", "service", "environment",
)  # fmt: skip
SLUG = r"^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?$"
LONGEST_STRING = 1_000
LONGEST_TEXT = 50_000
MOST_ITEMS = 1_000

FORMATS = jsonschema.FormatChecker(formats=())

_SECRET = {
    "type": "object",
    "properties": {"secret": {"type": "string", "pattern": SLUG, "x-secret": True}},
    "required": ["secret"],
    "additionalProperties": False,
}
_SHAPES: dict[str, dict[str, Any]] = {
    "string": {"type": "string", "maxLength": LONGEST_STRING},
    "text": {"type": "string", "maxLength": LONGEST_TEXT},
    "integer": {"type": "integer", "minimum": -(2**53), "maximum": 2**53},
    "number": {"type": "number"},
    "boolean": {"type": "boolean"},
    "date": {"type": "string", "format": "date"},
    "datetime": {"type": "string", "format": "date-time"},
    "duration": {"type": "string", "format": "length-of-time"},
    "enum": {},
    "list": {"type": "array", "maxItems": MOST_ITEMS},
    "object": {"type": "object", "maxProperties": MOST_ITEMS},
    "secret": _SECRET,
    "service": {"type": "string", "format": "slug"},
    "environment": {"type": "string", "format": "slug"},
}
_LIMITS = {
    "string": ("minLength", "maxLength"),
    "text": ("minLength", "maxLength"),
    "integer": ("minimum", "maximum"),
    "number": ("minimum", "maximum"),
    "list": ("minItems", "maxItems"),
}


def json_schema(declarations: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The schema of an object holding the values of these inputs."""
    return {
        "type": "object",
        "properties": {name: schema_of(declaration) for name, declaration in declarations.items()},
        "required": [name for name, declaration in declarations.items() if _must_be_given(declaration)],
        "additionalProperties": False,
    }


def schema_of(declaration: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of one declared value, described with its type's word under `x-type`."""
    kind = str(declaration.get("type", "string"))
    schema = {**_SHAPES[kind], "x-type": kind}
    for limit, keyword in zip(("min", "max"), _LIMITS.get(kind, ()), strict=False):
        if limit in declaration:
            schema[keyword] = declaration[limit]
    if kind == "enum":
        schema["enum"] = list(declaration.get("options", ()))
    if kind == "list":
        items = declaration.get("items", "string")
        schema["items"] = schema_of({"type": items} if isinstance(items, str) else items)
    if kind == "object" and "properties" in declaration:
        schema.update({key: value for key, value in json_schema(declaration["properties"]).items() if key != "type"})
    for key, keyword in (("description", "description"), ("default", "default")):
        if key in declaration:
            schema[keyword] = declaration[key]
    return schema


def _must_be_given(declaration: Mapping[str, Any]) -> bool:
    return bool(declaration.get("required")) and declaration.get("default") is None


@FORMATS.checks("date", raises=ValueError)
def _is_date(value: object) -> bool:
    return not isinstance(value, str) or bool(date.fromisoformat(value))


@FORMATS.checks("date-time", raises=ValueError)
def _is_moment(value: object) -> bool:
    return not isinstance(value, str) or datetime.fromisoformat(value).tzinfo is not None


@FORMATS.checks("length-of-time")
def _is_length(value: object) -> bool:
    return not isinstance(value, str) or durations.is_duration(value)


@FORMATS.checks("slug")
def _is_slug(value: object) -> bool:
    return not isinstance(value, str) or bool(re.fullmatch(SLUG, value))
