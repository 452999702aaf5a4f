"""The one text of a document, and its digest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any


def canonical(document: Any) -> str:
    """The one JSON text of a value: sorted keys, no spaces, no ASCII escapes; whole floats are written as integers."""
    return json.dumps(_plain(document), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def digest(document: Any) -> str:
    """The SHA-256 of the canonical JSON, in hexadecimal."""
    return hashlib.sha256(canonical(document).encode()).hexdigest()


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    return value


def secret_names(value: Any) -> set[str]:
    """The names of all secrets referred to (`{secret: name}`) inside a value of any depth."""
    if isinstance(value, Mapping):
        if set(value) == {"secret"} and isinstance(value["secret"], str):
            return {value["secret"]}
        return set().union(*(secret_names(inner) for inner in value.values()))
    return set().union(*(secret_names(inner) for inner in value)) if isinstance(value, list) else set()
