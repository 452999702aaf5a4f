"""What may stand in the settings of a connection of the provider `http`."""

from __future__ import annotations

from typing import Any

from activities.engines import ADDRESS, SECRET, Schema, settings_of, work_of

_TEXT: dict[str, Any] = {"type": "string", "maxLength": 4_000}
_NAME: dict[str, Any] = {"type": "string", "minLength": 1, "maxLength": 200}
_HEADER: dict[str, Any] = {
    "type": "string",
    "pattern": r"^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}$",
    "x-words": "the name of a header",
    "x-cure": "Write it like X-Api-Key.",
}
_PATH: dict[str, Any] = {
    "type": "string",
    "maxLength": 2_000,
    "pattern": r"^/[^?#\s\\]*$",
    "x-words": "a path",
    "x-cure": "Write it like /jobs/{reference}; what belongs into the query goes under 'query'.",
}
POINTER: dict[str, Any] = {
    "type": "string",
    "maxLength": 500,
    "pattern": r"^(/[^\s]*)?$",
    "x-words": "a place in the answer's JSON",
    "x-cure": "Write it like /job/id or /items/0/state.",
}
_POINTER_OR_HEADER: dict[str, Any] = {**POINTER, "pattern": r"^(/\S*|[A-Za-z0-9-]+)?$"}
_VALUES: dict[str, Any] = {"type": "array", "items": {"type": ["string", "number", "boolean", "null"]}, "maxItems": 50}


def _mapping(value: Any) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": value, "maxProperties": 100}


REQUEST = settings_of(
    {
        "method": {"enum": ["GET", "POST", "PUT", "PATCH", "DELETE"]},
        "path": _PATH,
        "query": _mapping({"type": ["string", "number", "boolean"]}),
        "headers": _mapping(_TEXT),
        "body": {},
        "form": _mapping({"type": ["string", "number", "boolean"]}),
    },
    required=("path",),
)
_PARAMETER = settings_of(
    {
        "description": _TEXT,
        "default": _TEXT,
        "required": {"type": "boolean"},
        "options": {"type": "array", "items": _TEXT, "maxItems": 100},
    }
)
PIPELINE = settings_of(
    {
        "name": _NAME,
        "description": _TEXT,
        "parameters": _mapping(_PARAMETER),
        "start": REQUEST,
        "find": {**REQUEST, "properties": {**REQUEST["properties"], "reference": POINTER}},
        "reference": _POINTER_OR_HEADER,
        "link": _TEXT,
        "look": REQUEST,
        "status": POINTER,
        "succeeded": _VALUES,
        "failed": _VALUES,
        "cancelled": _VALUES,
        "error": POINTER,
        "outputs": _mapping(POINTER),
        "log": {**REQUEST, "properties": {**REQUEST["properties"], "grows": {"type": "boolean"}}},
        "cancel": REQUEST,
        "every": {"type": "number", "minimum": 1, "maximum": 3_600},
    },
    required=("start",),
)
_SIGNATURE = {
    "secret": SECRET,
    "header": _HEADER,
    "prefix": {"type": "string", "maxLength": 40},
    "algorithm": {"enum": ["sha1", "sha256", "sha512"]},
    "timestamp": _HEADER,
}
SIGNING_IN: Schema = {
    "url": ADDRESS,
    "auth": {"enum": ["bearer", "basic", "header", "none"]},
    "username": _NAME,
    "header": _HEADER,
    "headers": _mapping(_TEXT),
}
SETTINGS: Schema = settings_of(
    {
        **SIGNING_IN,
        "key_header": _HEADER,
        "sign": settings_of(_SIGNATURE, required=("secret",)),
        "hook": settings_of({**_SIGNATURE, "reference": POINTER}, required=("secret", "reference")),
        "check": settings_of({"path": _PATH, "name": POINTER}),
        "pipelines": _mapping(PIPELINE),
    },
    required=("url", "pipelines"),
)
WORK: Schema = work_of({"pipeline": {"type": "string", "minLength": 1}}, required=("pipeline",))
