"""What a release touches, as far as it can be known before it runs: resources, and the owners of its work. Pure.

1. The process's own resources are read with its resolved inputs.
2. A subprocess's inputs are read from what its caller gives it, once per item of a `for_each` whose list is known; then
   its own resources with these.
3. What depends on outputs that are not there yet is left out. Conditions are not asked: what may run counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from config.errors import ExpressionFailed
from processes import expressions
from processes import inputs as typed_inputs

Node = Mapping[str, Any]
Context = dict[str, Any]
Given = Mapping[str, Sequence[Sequence[Any]]]
#: Ways one subprocess is called that are looked at; those of larger loops touch what was not seen here as well.
MOST_CALLS = 200
LONGEST = 200


def touched(
    nodes: Sequence[Node],
    inputs: Mapping[str, Any],
    *,
    around: Mapping[str, Any],
    given: Given | None = None,
    roles: Mapping[str, str] | None = None,
) -> frozenset[str]:
    """Return `resource:cart`, `user:ann` and `group:qa` for everything that the expanded `nodes` touch.

    `inputs` are the process's resolved ones, `given` those of phases and activities by path (as pinned), `around` what
    expressions know beside them (`release`, `now`), `roles` the log-in names of those who fill roles.
    """
    found: set[str] = set()
    contexts = _contexts(nodes, inputs, around, given or {})
    for ordinal, node in enumerate(nodes):
        for context in contexts.get(ordinal, ()):
            found |= {f"resource:{name}" for name in _texts(node["spec"].get("resources") or (), context)}
        scope: Context = next(iter(contexts.get(node["scope"], ())), {})
        found |= {name for name in map(_owner(roles or {}), _texts(node["owners"], scope)) if name}
    return frozenset(found)


def resources_in(whats: frozenset[str]) -> frozenset[str]:
    """Return the ids of the resources among what is touched."""
    return frozenset(name.removeprefix("resource:") for name in whats if name.startswith("resource:"))


def _owner(roles: Mapping[str, str]) -> Any:
    def named(name: str) -> str:
        kind, colon, rest = name.partition(":")
        if colon and kind == "role":
            return f"user:{roles[rest]}" if rest in roles else ""
        return name if colon and kind in ("user", "group") else f"group:{name}"

    return named


def _texts(written: Sequence[Any], context: Context) -> Iterator[str]:
    """Yield the names among what is written that can be read; a list counts as its items."""
    for one in written:
        value = _read(one, context)
        for text in value if isinstance(value, list) else [value]:
            if isinstance(text, str) and 0 < len(text) <= LONGEST:
                yield text


def _read(value: Any, context: Context) -> Any:
    try:
        return expressions.evaluate(value, context)
    except ExpressionFailed:
        return None


def _contexts(
    nodes: Sequence[Node], inputs: Mapping[str, Any], around: Mapping[str, Any], given: Given
) -> dict[int, list[Context]]:
    """Return what expressions see inside the process and inside every subprocess, once for each way it is called."""
    known: dict[int, list[Context]] = {
        0: [{**around, "inputs": typed_inputs.typed(nodes[0]["inputs"], inputs)}],
    }
    for ordinal, node in enumerate(nodes):
        if node["kind"] != "subprocess":
            continue
        calls = [call for outer in known.get(node["scope"], ()) for call in _calls(nodes, node, outer, given)]
        known[ordinal] = [{**around, "inputs": _resolved(node, call, given)} for call in calls[:MOST_CALLS]]
    return known


def _calls(nodes: Sequence[Node], node: Node, outer: Context, given: Given) -> Iterator[Context]:
    """Yield what a call's `with` is read in: its caller's scope, the phase around it, the item of its loop."""
    above = nodes[node["parent"]]
    loop = above if above["kind"] == "for_each" else None
    phase = nodes[loop["parent"]] if loop else above
    inside = {**outer, "phase": {"inputs": _resolved(phase, outer, given), "owners": list(phase["owners"])}}
    if loop is None:
        yield inside
        return
    items = _read(loop["spec"]["items"], inside)
    for index, item in enumerate(items if isinstance(items, list) else []):
        yield {**inside, "item": item, "index": index}


def _resolved(node: Node, context: Context, given: Given) -> dict[str, Any]:
    """Return the inputs of a phase or a subprocess that can be read; the others are null."""
    layers = [(str(source), values) for source, values in given.get(node["path"], ())]
    resolution = typed_inputs.resolve([*layers, ("with", node["with"])], node["inputs"])
    settled, _ = typed_inputs.settle(resolution, node["inputs"], context)
    return typed_inputs.typed(node["inputs"], {name: entry["value"] for name, entry in settled.items()})
