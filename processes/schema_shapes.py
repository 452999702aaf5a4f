"""The shapes that several kinds of documents share, as JSON Schema: names, declarations, activity definitions."""

from __future__ import annotations

from typing import Any

from processes.inputs_schema import TYPES

Schema = dict[str, Any]

BOOLEAN: Schema = {"type": "boolean"}
TEXT: Schema = {"type": "string", "maxLength": 50_000}
NAME: Schema = {"type": "string", "minLength": 1, "maxLength": 200}
EXPRESSION: Schema = {"type": ["string", "boolean"], "maxLength": 4_000}
LENGTH: Schema = {"type": ["string", "number"], "format": "length"}
PLAIN_LENGTH: Schema = {"type": ["string", "number"], "format": "plain-length"}
SLUG: Schema = {"type": "string", "format": "slug"}
REFERENCE: Schema = {"type": "string", "format": "reference"}
OFFSET: Schema = {"type": "string", "format": "offset"}
NAMED: Schema = {"type": "string", "format": "named"}
ANYTHING: Schema = {}
FREE: Schema = {"type": "object"}
SECRET: Schema = {
    "type": "object",
    "properties": {"secret": {**SLUG, "x-secret": True}},
    "required": ["secret"],
    "additionalProperties": False,
}


def closed(properties: Schema, required: tuple[str, ...] = (), later: dict[str, str] | None = None) -> Schema:
    """A mapping with these keys only; `later` maps a key we know of but do not support to what to do instead."""
    schema = {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }
    return {**schema, "x-later": later} if later else schema


def many(item: Schema, *, least: int = 0, most: int = 1_000, once: bool = False) -> Schema:
    """A list of these."""
    return {"type": "array", "items": item, "minItems": least, "maxItems": most, "uniqueItems": once}


def named(value: Schema) -> Schema:
    """A mapping whose keys are names that people choose."""
    return {
        "type": "object",
        "additionalProperties": value,
        "propertyNames": {"pattern": r"^[A-Za-z_][A-Za-z0-9_-]{0,63}$"},
        "maxProperties": 200,
    }


OWNERS = many({"type": "string", "format": "owner"}, most=50, once=True)
TAGS = many(SLUG, most=50, once=True)

DECLARATION = closed(
    {
        "type": {"enum": list(TYPES)},
        "name": NAME,
        "description": TEXT,
        "required": BOOLEAN,
        "default": ANYTHING,
        "options": many({"type": ["string", "number", "boolean"]}, least=1, once=True),
        "min": ANYTHING,
        "max": ANYTHING,
        "pattern": {"type": "string", "maxLength": 500},
        "items": {"$ref": "#/$defs/items"},
        "properties": named({"$ref": "#/$defs/declaration"}),
    }
)
ITEMS: Schema = {"if": {"type": "string"}, "then": {"enum": list(TYPES)}, "else": {"$ref": "#/$defs/declaration"}}
DECLARATIONS = named({"$ref": "#/$defs/declaration"})

_VOTE = "Votes are not supported: use rules with a count, all or a percent."
_RULE = closed(
    {
        "group": NAMED,
        "user": NAMED,
        "users": many(NAMED, least=1, most=50, once=True),
        "count": {"type": "integer", "minimum": 1, "maximum": 100},
        "all": BOOLEAN,
        "percent": {"type": "integer", "minimum": 1, "maximum": 100},
    },
    later={"at_least": _VOTE, "advisory": _VOTE, "binding": _VOTE},
)
_APPROVAL = closed(
    {
        "rules": many(_RULE, least=1, most=20),
        "four_eyes": BOOLEAN,
        "different_from": many({"type": "string", "format": "need"}, once=True),
        "same_as": many({"type": "string", "format": "need"}, once=True),
        "on_reject": {"enum": ["hold", "fail", "continue"]},
        "expires_in": LENGTH,
        "on_expiry": {"enum": ["reject", "approve", "skip", "escalate"]},
        "escalate_to": NAMED,
    },
    required=("rules",),
    later={
        "vote": _VOTE,
        "at_least": _VOTE,
        "min_open": _VOTE,
        "collect": "Early approval is not supported: sign-offs are collected when the activity opens.",
        "delegation": "Delegation is not supported: name more people or a group.",
        "delegate": "Delegation is not supported: name more people or a group.",
        "reminders": "Reminders are not supported.",
    },
)
_TASK = closed(
    {
        "id": SLUG,
        "name": NAME,
        "description": TEXT,
        "groups": many(NAMED, most=50, once=True),
        "required": BOOLEAN,
        "expected_duration": LENGTH,
        "opens": OFFSET,
        "due": OFFSET,
    },
    required=("id",),
)
MANUAL = closed(
    {
        "instructions": TEXT,
        "tasks": many(_TASK, most=200),
        "form": DECLARATIONS,
        "approval": _APPROVAL,
        "evidence": closed({"required": {"type": "integer", "minimum": 0, "maximum": 100}, "description": TEXT}),
    }
)
AUTOMATED = closed(
    {
        "connection": SLUG,
        "pipeline": {"type": "string", "maxLength": 500},
        "ref": {"type": "string", "maxLength": 500},
        "command": many({"type": "string", "maxLength": 20_000}, least=1),
        "parameters": named({"type": "string", "maxLength": 20_000}),
        "settings": FREE,
    },
    required=("connection",),
)
SIGNAL = closed({"payload": DECLARATIONS, "match": {"type": "string", "maxLength": 4_000}})
WAIT: Schema = {"type": ["string", "number"], "format": "moment"}
_TEXTUAL: Schema = {"type": "string", "maxLength": 4_000}
ARTIFACT = closed(
    dict.fromkeys(("name", "version", "digest", "commit", "reference", "link", "environment"), _TEXTUAL),
    required=("name",),
)
RETRY = closed(
    {
        "attempts": {"type": "integer", "minimum": 1, "maximum": 100},
        "delay": PLAIN_LENGTH,
        "factor": {"type": "number", "minimum": 1, "maximum": 100},
        "ceiling": PLAIN_LENGTH,
    }
)

DEFINITION: Schema = {
    "description": TEXT,
    "tags": TAGS,
    "inputs": DECLARATIONS,
    "outputs": DECLARATIONS,
    "automated": AUTOMATED,
    "manual": MANUAL,
    "signal": SIGNAL,
    "wait": WAIT,
    "artifacts": many(ARTIFACT, most=50),
    "retry": RETRY,
    "timeout": LENGTH,
}
DEFINITIONS: Schema = {"declaration": DECLARATION, "items": ITEMS}
