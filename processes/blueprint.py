"""How to read one activity of a process document: its kind, what it refers to, what it declares.

An activity in a phase is either a reference (`activity: deploy-service@3`), a subprocess, or defined on the spot by a
`manual`, `automated`, `wait` or `signal` block.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Document = Mapping[str, Any]

SOURCES = ("activity", "subprocess", "manual", "automated", "wait", "signal")
DECISION = {"type": "enum", "options": ["approved", "rejected"], "description": "What the approvers decided"}


def split_pin(reference: str) -> tuple[str, int | None]:
    """The id and the pinned revision of `deploy-service@3`; None when it is not pinned (or not by a number)."""
    slug, _, revision = reference.partition("@")
    return slug, int(revision) if revision.isdecimal() else None


def sources(activity: Document) -> list[str]:
    """The keys of an activity that say what it is; exactly one is right."""
    return [key for key in SOURCES if activity.get(key) is not None]


def store_reference(activity: Document) -> str | None:
    """The store activity named, with its pin, or None."""
    named = activity.get("activity")
    return named if isinstance(named, str) else None


def process_reference(activity: Document) -> str | None:
    """The process a subprocess activity calls, with its pin, or None."""
    called = activity.get("subprocess")
    if isinstance(called, Mapping):
        called = called.get("process")
    return called if isinstance(called, str) else None


def given_with(activity: Document) -> dict[str, Any]:
    """The values the reference gives: `with`, also inside `subprocess`."""
    called = activity.get("subprocess")
    inner = called.get("with") if isinstance(called, Mapping) else None
    return {**_mapping(inner), **_mapping(activity.get("with"))}


def kind_of(activity: Document, store: Document | None) -> str:
    """automated, manual, subprocess, signal or wait; for a reference, the store activity's type."""
    if store is not None:
        return str(store.get("type") or next((key for key in SOURCES[2:] if key in store), "automated"))
    return next((key for key in SOURCES[1:] if activity.get(key) is not None), "manual")


def outputs_of(definition: Document, kind: str) -> dict[str, Any]:
    """The declared outputs of an activity defined here or in the store: form fields, decision and payload included."""
    block = _mapping(definition.get(kind))
    outputs: dict[str, Any] = {}
    if kind == "manual":
        outputs.update(_mapping(block.get("form")))
        if block.get("approval"):
            outputs["decision"] = DECISION
    if kind == "signal":
        outputs.update(_mapping(block.get("payload")))
    return {**outputs, **_mapping(definition.get("outputs"))}


def readable(identifier: str) -> str:
    """A name for people out of an id: `qa-sign-off` becomes `Qa sign off`."""
    return identifier.replace("-", " ").capitalize()


def _mapping(value: Any) -> dict[str, Any]:
    return dict(value) if isinstance(value, Mapping) else {}
