"""One node of a snapshot out of one piece of a document. Durations become seconds; expressions stay text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from config import durations
from processes import blueprint
from processes.catalogue import Published
from processes.expressions_text import is_expression

ONCE = {"attempts": 1, "delay": 0.0, "factor": 1.0, "ceiling": None}
Node = dict[str, Any]
Store = tuple[str, int, Mapping[str, Any]]


def process_node(document: Mapping[str, Any], revision: int) -> Node:
    """Node 0: the process itself."""
    return _node(
        "process",
        document,
        "",
        None,
        0,
        owners=list(document.get("owners", [])),
        on_failure="fail",
        fail_fast=bool(document.get("fail_fast", False)),
        inputs=dict(document.get("inputs", {})),
        outputs=dict(document.get("outputs", {})),
        spec=_called(document, revision),
    )


def phase_node(phase: Mapping[str, Any], path: str, scope: int, owners: list[str]) -> Node:
    """A phase; without owners of its own it has those given (of the subprocess it is in)."""
    return _node(
        "phase",
        phase,
        path,
        scope,
        scope,
        owners=list(phase.get("owners", owners)),
        on_failure="fail",
        inputs=dict(phase.get("inputs", {})),
        outputs=dict(phase.get("outputs", {})),
    )


def activity_node(
    activity: Mapping[str, Any], store: Store | None, path: str, parent: int, scope: int, owners: list[str]
) -> Node:
    """A leaf: automated, manual, signal or wait. The reference's keys win over the store activity's."""
    definition = store[2] if store else activity
    kind = blueprint.kind_of(activity, store[2] if store else None)
    merged = {**definition, **activity}
    node = _node(
        kind,
        merged,
        path,
        parent,
        scope,
        owners=list(merged.get("owners", owners)),
        inputs=dict(definition.get("inputs", {})),
        outputs=blueprint.outputs_of(definition, kind),
        spec=spec_of(kind, definition.get(kind)),
    )
    node["name"] = str(activity.get("name") or blueprint.readable(activity["id"]))
    node["with"] = blueprint.given_with(activity)
    node["activity"] = {"id": store[0], "revision": store[1]} if store else None
    return node


def container_node(activity: Mapping[str, Any], path: str, parent: int, scope: int, owners: list[str]) -> Node:
    """The container of a `for_each`: it carries needs and condition, the template below it does the work."""
    spec = {"items": activity["for_each"], "parallel": activity.get("parallel")}
    kept = {key: value for key, value in activity.items() if key not in ("on_failure", "retry", "timeout")}
    own = list(activity.get("owners", owners))
    return _node("for_each", kept, path, parent, scope, owners=own, on_failure="fail", spec=spec)


def subprocess_node(
    activity: Mapping[str, Any], called: Published, where: tuple[str, int, int], owners: list[str]
) -> Node:
    """The node of a called process: `where` is its path, parent and the scope its `with` is read in."""
    path, parent, scope = where
    node = _node(
        "subprocess",
        activity,
        path,
        parent,
        scope,
        owners=list(activity.get("owners", owners)),
        on_failure=str(activity.get("on_failure", "fail")),
        fail_fast=bool(called.document.get("fail_fast", False)),
        inputs=dict(called.document.get("inputs", {})),
        outputs=dict(called.document.get("outputs", {})),
        spec=_called(called.document, called.revision),
    )
    node["with"] = blueprint.given_with(activity)
    return node


def spec_of(kind: str, block: Any) -> dict[str, Any]:
    """The kind's own block with its durations in seconds; a wait is `{"wait": seconds, moment or expression}`."""
    if kind == "wait":
        return {"wait": seconds_or_text(block)}
    spec = dict(block) if isinstance(block, Mapping) else {}
    if kind == "manual":
        spec["tasks"] = [_task(task) for task in spec.get("tasks", [])]
        if spec.get("approval"):
            spec["approval"] = _approval(spec["approval"])
    return spec


def seconds_or_text(value: Any) -> Any:
    """Seconds for a duration; a moment or an expression as it is."""
    return durations.seconds(value) if not is_expression(value) and durations.is_duration(value) else value


def _node(
    kind: str,
    source: Mapping[str, Any],
    path: str,
    parent: int | None,
    scope: int,
    *,
    owners: list[str],
    on_failure: str | None = None,
    fail_fast: bool = False,
    inputs: Mapping[str, Any] | None = None,
    outputs: Mapping[str, Any] | None = None,
    spec: Mapping[str, Any] | None = None,
) -> Node:
    timeout = source.get("timeout")
    return {
        "kind": kind,
        "id": source["id"],
        "name": str(source.get("name") or blueprint.readable(source["id"])),
        "description": str(source.get("description", "")),
        "path": path,
        "parent": parent,
        "scope": scope,
        "needs": [],
        "needs_any": source.get("needs") == "any",
        "after_settled": source.get("after") == "settled",
        "when": _condition(source.get("when")),
        "required": bool(source.get("required", True)),
        "on_failure": on_failure or str(source.get("on_failure", "hold")),
        "fail_fast": fail_fast,
        "retry": retry_of(source.get("retry")),
        "timeout": None if timeout is None else seconds_or_text(timeout),
        "owners": owners,
        "tags": list(source.get("tags", [])),
        "opens": source.get("opens"),
        "due": source.get("due"),
        "artifacts": list(source.get("artifacts", [])),
        "activity": None,
        "inputs": dict(inputs or {}),
        "with": {},
        "outputs": dict(outputs or {}),
        "spec": dict(spec or {}),
    }


def retry_of(retry: Mapping[str, Any] | None) -> dict[str, Any]:
    """The retry policy with every key, lengths in seconds; `attempts` counts all tries."""
    if retry is None:
        return dict(ONCE)
    ceiling = retry.get("ceiling")
    return {
        "attempts": int(retry.get("attempts", 1)),
        "delay": durations.seconds(retry.get("delay", 0)),
        "factor": float(retry.get("factor", 1)),
        "ceiling": None if ceiling is None else durations.seconds(ceiling),
    }


def _condition(when: Any) -> str | None:
    """A condition is an expression; plain true and false are allowed and written as one."""
    if isinstance(when, bool):
        return None if when else "${{ false }}"
    return None if when is None else str(when)


def _called(document: Mapping[str, Any], revision: int) -> dict[str, Any]:
    return {"process": document["id"], "revision": revision, "resources": list(document.get("resources", []))}


def _task(task: Mapping[str, Any]) -> dict[str, Any]:
    length = task.get("expected_duration")
    return {
        **task,
        "name": str(task.get("name") or blueprint.readable(task["id"])),
        "groups": list(task.get("groups", [])),
        "required": bool(task.get("required", True)),
        "expected_duration": None if length is None else seconds_or_text(length),
    }


def _approval(approval: Mapping[str, Any]) -> dict[str, Any]:
    expires = approval.get("expires_in")
    return {
        "four_eyes": True,
        "on_reject": "hold",
        **approval,
        "expires_in": None if expires is None else seconds_or_text(expires),
    }
