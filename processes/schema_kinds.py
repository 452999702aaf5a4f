"""The JSON Schema of every kind of document (product, section 3, and the samples)."""

from __future__ import annotations

from processes.schema_shapes import (
    ANYTHING,
    BOOLEAN,
    DECLARATIONS,
    DEFINITION,
    DEFINITIONS,
    EXPRESSION,
    FREE,
    NAME,
    NAMED,
    OFFSET,
    OWNERS,
    PLAIN_LENGTH,
    REFERENCE,
    SECRET,
    SLUG,
    TAGS,
    TEXT,
    Schema,
    closed,
    many,
    named,
)

_LOCAL: Schema = {"type": "string", "format": "local-moment"}
_DAYS = many({"type": "string", "format": "day"}, once=True)
_RULE: Schema = {"type": "string", "format": "rule", "maxLength": 500}
_DERIVED: Schema = {"type": "string", "format": "derived-offset", "maxLength": 40}
_ZONE: Schema = {"type": "string", "format": "zone"}
_TEMPLATE: Schema = {"type": "string", "minLength": 1, "maxLength": 1_000}
_VALUES = named(ANYTHING)

_FLOW: Schema = {
    "needs": {"enum": ["all", "any"]},
    "after": {"enum": ["settled"]},
    "when": EXPRESSION,
    "required": BOOLEAN,
    "owners": OWNERS,
    "tags": TAGS,
    "opens": OFFSET,
    "due": OFFSET,
}
_SUBPROCESS: Schema = {
    "if": {"type": "string"},
    "then": REFERENCE,
    "else": closed({"process": REFERENCE, "with": _VALUES}, required=("process",)),
}
_ACTIVITY = closed(
    {
        "id": SLUG,
        "name": NAME,
        **DEFINITION,
        **_FLOW,
        "activity": REFERENCE,
        "subprocess": _SUBPROCESS,
        "with": _VALUES,
        "depends_on": many({"type": "string", "format": "need"}, once=True),
        "on_failure": {"enum": ["hold", "ignore", "fail"]},
        "for_each": {"type": ["string", "array"]},
        "parallel": {"type": "integer", "minimum": 1, "maximum": 1_000},
    },
    required=("id",),
)
_PHASE = closed(
    {
        "id": SLUG,
        "name": NAME,
        "description": TEXT,
        **_FLOW,
        "depends_on": many(SLUG, once=True),
        "inputs": DECLARATIONS,
        "outputs": _VALUES,
        "activities": many(_ACTIVITY),
    },
    required=("id", "name"),
    later={"on_failure": "Set it on the phase's activities.", "retry": "Set it on the phase's activities."},
)


def _document(properties: Schema, required: tuple[str, ...] = (), later: dict[str, str] | None = None) -> Schema:
    top = {"kind": {"type": "string"}, "id": SLUG, "name": NAME, "description": TEXT}
    return {**closed({**top, **properties}, ("kind", "id", "name", *required), later), "$defs": DEFINITIONS}


_CADENCE = closed(
    {
        "rrule": _RULE,
        "start": _LOCAL,
        "timezone": _ZONE,
        "duration": PLAIN_LENGTH,
        "include": _DAYS,
        "exclude": _DAYS,
        "until": {"type": "string", "format": "day"},
        "count": {"type": "integer", "minimum": 1, "maximum": 10_000},
        "holidays": closed(
            {
                "calendar": {"type": "string", "format": "calendar", "maxLength": 64},
                "roll": {"enum": ["keep", "skip", "next_working_day", "previous_working_day"]},
                "weekends": BOOLEAN,
            },
            required=("calendar",),
        ),
        "derive": closed({"group": SLUG, "offsets": many(_DERIVED, least=1, most=100, once=True)}, ("group",)),
    },
    required=("timezone",),
)
_SCOPE_LISTS = ("groups", "processes", "resources", "environments", "services", "tags")

KINDS: dict[str, Schema] = {
    "Connection": _document(
        {
            "provider": {"type": "string", "minLength": 1, "maxLength": 40},
            "secret": SECRET,
            "settings": FREE,
            "limits": named({"type": "number", "minimum": 0}),
            "enabled": BOOLEAN,
        },
        required=("provider",),
        later={"address": "Put it under 'settings'."},
    ),
    "Resource": _document({"type": {"enum": ["service", "environment"]}, "exclusive": BOOLEAN}, required=("type",)),
    "Activity": _document({"type": {"enum": ["automated", "manual", "signal", "wait"]}, **DEFINITION}, ("type",)),
    "Process": _document(
        {
            "tags": TAGS,
            "inputs": DECLARATIONS,
            "outputs": _VALUES,
            "roles": named(closed({"group": NAMED, "user": NAMED, "description": TEXT})),
            "resources": many({"type": "string", "minLength": 1, "maxLength": 500}, once=True),
            "fail_fast": BOOLEAN,
            "phases": many(_PHASE),
        },
        required=("phases",),
    ),
    "InputSet": {
        **_document({"process": SLUG, "values": {"$ref": "#/$defs/values"}}, required=("process", "values")),
        "$defs": {
            "values": closed({"inputs": _VALUES, "phases": named({"$ref": "#/$defs/phase"})}),
            "phase": closed({"inputs": _VALUES, "activities": named({"$ref": "#/$defs/values"})}),
        },
    },
    "ReleaseGroup": _document(
        {
            "color": {"type": "string", "format": "color"},
            "process": SLUG,
            "input_set": SLUG,
            "version": _TEMPLATE,
            "release_name": _TEMPLATE,
            "owners": OWNERS,
            "cadence": _CADENCE,
            "auto_start": BOOLEAN,
            "overlap": {"enum": ["allow", "queue", "skip"]},
            "start_deadline": PLAIN_LENGTH,
        },
        required=("process",),
    ),
    "Freeze": _document(
        {
            "scope": closed({"everything": BOOLEAN, **{key: many(SLUG, once=True) for key in _SCOPE_LISTS}}),
            "window": closed(
                {
                    "rrule": _RULE,
                    "start": _LOCAL,
                    "end": _LOCAL,
                    "timezone": _ZONE,
                    "duration": PLAIN_LENGTH,
                    "until_lifted": {"const": True},
                },
                required=("start", "timezone"),
            ),
            "in_flight": {"enum": ["drain", "hold"]},
        },
        required=("scope", "window"),
    ),
}
