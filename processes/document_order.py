"""The canonical order of keys in a written document. Keys that people choose (inputs, values) keep their order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

ORDER = (
    "kind", "id", "name", "description", "color", "type", "exclusive", "provider", "address", "activity", "subprocess",
    "process", "input_set", "version", "release_name", "owners", "tags", "depends_on", "needs", "after", "when",
    "required", "for_each", "parallel", "inputs", "outputs", "roles", "resources", "fail_fast", "with",
    "automated", "manual", "wait", "signal", "phases", "activities", "connection", "pipeline", "command",
    "parameters", "instructions", "tasks", "form", "approval", "evidence", "rules", "artifacts", "retry",
    "timeout", "on_failure", "opens", "due", "secret", "limits", "settings", "values", "scope", "window",
    "cadence", "rrule", "start", "end", "timezone", "duration", "holidays",
)  # fmt: skip
RANK = {key: rank for rank, key in enumerate(ORDER)}
CHOSEN = frozenset(
    {
        "inputs",
        "outputs",
        "form",
        "payload",
        "properties",
        "with",
        "parameters",
        "roles",
        "values",
        "settings",
        "default",
    }
)


def in_order(document: Mapping[str, Any]) -> dict[str, Any]:
    """A copy with keys in canonical order at every level; keys without a rank follow in the order they have."""
    return {str(key): _value(key, document[key]) for key in sorted(document, key=lambda key: RANK.get(key, len(RANK)))}


def _value(key: object, value: Any) -> Any:
    if isinstance(value, Mapping):
        if key in CHOSEN:
            return {str(inner): _value(None, value[inner]) for inner in value}
        return in_order(value)
    if isinstance(value, (list, tuple)):
        return [_value(None, inner) for inner in value]
    return value
