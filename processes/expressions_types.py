"""The types expressions have: their words, how declared inputs map to them, and how they read in a message.

Words: string, int, double, bool, timestamp, duration, secret, map, null, any, and `list(...)` of one. Inside lists and
objects, dates, moments and durations are text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from cel_expr_python import cel

DECLARED = {
    "string": "string",
    "text": "string",
    "enum": "string",
    "service": "string",
    "environment": "string",
    "date": "string",
    "integer": "int",
    "number": "double",
    "boolean": "bool",
    "datetime": "timestamp",
    "duration": "duration",
    "object": "map",
    "secret": "secret",
}
WORDS = {
    "string": "text",
    "int": "a whole number",
    "double": "a number",
    "bool": "true or false",
    "timestamp": "a moment",
    "duration": "a duration",
    "map": "an object",
    "secret": "a secret",
    "null": "nothing",
    "any": "any value",
    "bytes": "bytes",
}
CURES = {
    "string": "Convert it with string(...).",
    "int": "Convert it with int(...).",
    "double": "Convert it with double(...).",
    "duration": "Convert it with duration('90s').",
    "timestamp": "Convert it with timestamp('2026-01-08T09:00:00+01:00').",
    "bool": "Compare it with something, as in == 'x'.",
}
IN_TEXT = frozenset({"string", "int", "double", "bool", "timestamp", "duration", "any"})
_NULLABLE = {
    "string": "google.protobuf.StringValue",
    "int": "google.protobuf.Int64Value",
    "double": "google.protobuf.DoubleValue",
    "bool": "google.protobuf.BoolValue",
}
_PLAIN = {
    "STRING": "string",
    "INT": "int",
    "UINT": "int",
    "DOUBLE": "double",
    "BOOL": "bool",
    "TIMESTAMP": "timestamp",
    "DURATION": "duration",
    "DYN": "any",
    "NULL": "null",
    "NULL_TYPE": "null",
    "BYTES": "bytes",
    "GOOGLE.PROTOBUF.TIMESTAMP": "timestamp",
    "GOOGLE.PROTOBUF.DURATION": "duration",
    "UINT64": "int",
}


def declared_type(declaration: Mapping[str, Any]) -> str:
    """The type word of a declared input or output."""
    kind = str(declaration.get("type", "string"))
    if kind != "list":
        return DECLARED.get(kind, "any")
    items = declaration.get("items", "string")
    inner = declared_type({"type": items} if isinstance(items, str) else items)
    return f"list({stored_type(inner)})"


def stored_type(kind: str) -> str:
    """The type of a value that is read back as it was stored: moments and durations are text then."""
    return "string" if kind in ("timestamp", "duration") else kind


@cache
def cel_type(kind: str) -> cel.Type:
    """The CEL type of a variable; one that may be missing accepts null."""
    if kind.startswith("list("):
        return cel.Type.List(_inner(kind[5:-1]))
    return cel.Type(_NULLABLE[kind]) if kind in _NULLABLE else _inner(kind)


def plain_type(written: str) -> str:
    """The type word for a type as CEL writes it: `LIST<STRING>`, `list(string)`, `wrapper(int)`."""
    text = re.sub(r"^wrapper\((.*)\)$", r"\1", written.strip())
    listed = re.fullmatch(r"(?i)list[<(](.*)[)>]", text)
    if listed:
        return f"list({plain_type(listed.group(1))})"
    if text.lower().startswith("map"):
        return "map"
    return "secret" if text == "secret" else _PLAIN.get(text.upper(), "any")


def in_words(kind: str) -> str:
    """How a type reads in a message: `text`, `a list of whole numbers`."""
    if kind == "list(any)":
        return "a list"
    if kind.startswith("list("):
        inner = in_words(kind[5:-1]).removeprefix("an ").removeprefix("a ")
        return f"a list of {inner}{'' if inner in ('text', 'any value', 'true or false', 'nothing') else 's'}"
    return WORDS.get(kind, "any value")


def fits(found: str, wanted: str) -> bool:
    """Whether a value of the found type may stand where the wanted one is asked for."""
    if "any" in (found, wanted) or found == wanted or found == "null":
        return True
    if found.startswith("list(") and wanted.startswith("list("):
        return fits(found[5:-1], wanted[5:-1])
    return found == "int" and wanted == "double"


def _inner(kind: str) -> cel.Type:
    simple = {
        "string": cel.Type.STRING,
        "int": cel.Type.INT,
        "double": cel.Type.DOUBLE,
        "bool": cel.Type.BOOL,
        "timestamp": cel.Type.TIMESTAMP,
        "duration": cel.Type.DURATION,
        "secret": cel.Type.AbstractType("secret"),
        "map": cel.Type.Map(cel.Type.STRING, cel.Type.DYN),
    }
    if kind.startswith("list("):
        return cel.Type.List(_inner(kind[5:-1]))
    return simple.get(kind, cel.Type.DYN)
