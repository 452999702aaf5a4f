"""What the settings of a connection are, in words, by the provider: as the provider's own schema says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from activities.runners import provider_paths, runner_for

_KINDS = {"boolean": "true or false", "integer": "a whole number", "number": "a number", "array": "a list"}


def settings_by_provider() -> dict[str, list[tuple[str, str]]]:
    """Return each provider's settings, the required ones first, as pairs of a name and what it takes.

    A provider that cannot be loaded here, or says nothing of its settings, is left out.
    """
    found = {name: _told(name) for name in sorted(provider_paths())}
    return {name: told for name, told in found.items() if told}


def _told(provider: str) -> list[tuple[str, str]]:
    try:
        schema: Mapping[str, Any] = getattr(runner_for(provider), "settings", {})
    except Exception:  # noqa: BLE001 - a plug-in's own trouble is told where it is used, and hides no other's settings
        return []
    if not isinstance(schema, Mapping) or not isinstance(schema.get("properties"), Mapping):
        return []
    required = schema.get("required", ())
    names = sorted(schema["properties"], key=lambda name: name not in required)
    words = {name: _words(schema["properties"][name]) for name in names}
    return [(name, f"{words[name]}, required" if name in required else words[name]) for name in names]


def _words(schema: Any) -> str:
    if not isinstance(schema, Mapping):
        return "anything"
    if "enum" in schema:
        return " or ".join(map(str, schema["enum"]))
    if schema.get("format") == "outbound-address":
        return "an address"
    if schema.get("type") == "object":
        return _mapping(schema.get("properties", {}))
    return _KINDS.get(str(schema.get("type")), "text")


def _mapping(inner: Mapping[str, Mapping[str, Any]]) -> str:
    secret = inner.get("secret")
    if isinstance(secret, Mapping) and secret.get("x-secret"):
        return "{secret: its name}"
    parts = ", ".join(f"{name}: {_words(schema)}" for name, schema in inner.items())
    return f"{{{parts}}}" if parts else "a mapping"
