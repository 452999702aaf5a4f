"""Inputs as people read them: declared type, value, and where the value came from (product, section 3)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from processes.inputs import declaration_type
from releases.execution.snapshots import tree_of
from releases.models import Release


@dataclass(slots=True)
class Value:
    """One input: a secret's value is the reference `{"secret": name}`; without a value the source is `unset`."""

    name: str
    type: str
    value: Any
    source: str
    required: bool
    description: str


def values_of(
    declarations: Mapping[str, Mapping[str, Any]], inputs: Mapping[str, Any], sources: Mapping[str, str]
) -> list[Value]:
    """Return every declared input in the order of its declaration."""
    return [
        Value(
            name=name,
            type=declaration_type(declaration),
            value=inputs.get(name),
            source=sources.get(name, "unset"),
            required=bool(declaration.get("required")),
            description=str(declaration.get("description") or ""),
        )
        for name, declaration in declarations.items()
    ]


def release_inputs(release: Release) -> list[Value]:
    """Return the inputs a release has started with; none before it has (see `services.starting.preview_start`)."""
    if release.snapshot_id is None:
        return []
    return values_of(tree_of(release.snapshot_id).nodes[0].doc["inputs"], release.inputs, release.sources)
