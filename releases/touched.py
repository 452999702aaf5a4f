"""What a release touches, as far as it can be known before it runs: resources, and the owners of its work. Pure.

1. A resource is touched when the process says so (`resources`, read with its resolved inputs), or when an input of type
   service or environment names it: of the process, a phase, an activity or a subprocess.
2. Inputs are read from what is given and from `with`, once for each way in which a node is reached: for every item of a
   `for_each` whose list is known. A subprocess's own `resources` are read with its inputs.
3. What depends on outputs that are not there yet is left out. Conditions are not asked: what may run counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from config.errors import ExpressionFailed
from processes import expressions
from processes import inputs as typed_inputs

Node = Mapping[str, Any]
Values = Mapping[str, Any]
Given = Mapping[str, Sequence[Sequence[Any]]]
#: Ways in which one node is reached that are looked at; larger loops touch what was not seen here as well.
MOST_WAYS = 200
LONGEST = 200
KINDS = ("service", "environment")
_UNREADABLE = object()


@dataclass(frozen=True, slots=True)
class Resources:
    """Ids of resources: services, environments, and those whose type is not known here.

    `is_partial`: some of what the process says could not be read.
    """

    service: frozenset[str] = frozenset()
    environment: frozenset[str] = frozenset()
    other: frozenset[str] = frozenset()
    is_partial: bool = False

    @property
    def all(self) -> frozenset[str]:
        """Every id."""
        return self.service | self.environment | self.other

    def sorted_by(self, kinds: Mapping[str, str]) -> Resources:
        """Return the same with the `other` ones put where `kinds`, the type of every resource by id, says."""
        service, environment = (frozenset(one for one in self.other if kinds.get(one) == kind) for kind in KINDS)
        other = self.other - service - environment
        return Resources(self.service | service, self.environment | environment, other, self.is_partial)


def resources_of(node: Node, inputs: Values, around: Values) -> Resources:
    """Return what a node touches with its resolved `inputs`: by type what these name, `other` what its process says.

    `around` is what the process's `resources` may name beside the inputs (`release`, `now`).
    """
    service, environment = (_ids_in(node["inputs"], inputs, kind) for kind in KINDS)
    written = node["spec"].get("resources")
    context = {**around, "inputs": typed_inputs.typed(node["inputs"], inputs)} if written else {}
    read = [_read(one, context, otherwise=_UNREADABLE) for one in written or ()]
    other = frozenset(text for one in read for text in _texts(one))
    return Resources(service, environment, other, is_partial=any(one is _UNREADABLE for one in read))


def inputs_of(node: Node, outer: Values, given: Given) -> dict[str, Any]:
    """Return the inputs that a node would get where `outer` is seen, as far as they can be read.

    `given` are values by path, as a release pins them; they win over `with`.
    """
    layers = [*((str(source), values) for source, values in given.get(node["path"], ())), ("with", node["with"])]
    settled, _ = typed_inputs.settle(typed_inputs.resolve(layers, node["inputs"]), node["inputs"], outer)
    return {name: entry["value"] for name, entry in settled.items() if entry["value"] is not None}


def inside(node: Node, inputs: Values, outer: Values, around: Values) -> Values:
    """Return what expressions see inside a node with its `inputs`, which is reached where `outer` is seen.

    `around` is what they see everywhere (`release`, `now`).
    """
    if node["kind"] in ("process", "subprocess"):
        return {**around, "inputs": typed_inputs.typed(node["inputs"], inputs)}
    if node["kind"] == "phase":
        own = typed_inputs.typed(node["inputs"], inputs)
        return {**outer, "phase": {"inputs": own, "owners": list(node["owners"])}}
    return outer


def touched(
    nodes: Sequence[Node],
    inputs: Values,
    *,
    around: Values,
    given: Given | None = None,
    roles: Mapping[str, str] | None = None,
) -> frozenset[str]:
    """Return `resource:cart`, `user:ann` and `group:qa` for everything that the expanded `nodes` touch.

    `inputs` are the process's resolved ones, `given` those of phases and activities by path (as pinned), `around` what
    expressions know beside them (`release`, `now`), `roles` the log-in names of those who fill roles.
    """
    found: set[str] = set()
    ways: dict[int, list[Values]] = {}
    for ordinal, node in enumerate(nodes):
        reached: list[tuple[Values, Values]] = [(inputs, around)]
        if node["parent"] is not None:
            reached = [(inputs_of(node, outer, given or {}), outer) for outer in _asked(node, ways[node["parent"]])]
        for own, _ in reached:
            found |= {f"resource:{name}" for name in resources_of(node, own, around).all}
        within = (way for own, outer in reached for way in _ways_inside(node, own, outer, around))
        ways[ordinal] = list(islice(within, MOST_WAYS))
        scope = next(iter(ways[node["scope"]]), {})
        found |= {name for name in map(_owner(roles or {}), _names(node["owners"], scope)) if name}
    return frozenset(found)


def resources_in(whats: frozenset[str]) -> frozenset[str]:
    """Return the ids of the resources among what is touched."""
    return frozenset(name.removeprefix("resource:") for name in whats if name.startswith("resource:"))


def _asked(node: Node, outers: Sequence[Values]) -> Sequence[Values]:
    """Return the ways to a node that matter: none for a leaf whose inputs can name no resource."""
    is_leaf = node["kind"] not in ("phase", "for_each", "subprocess")
    return () if is_leaf and not any(_kinds_in(one) for one in node["inputs"].values()) else outers


def _ways_inside(node: Node, inputs: Values, outer: Values, around: Values) -> Iterator[Values]:
    """Yield what expressions see inside a node, which for a `for_each` is one view for each item."""
    if node["kind"] != "for_each":
        yield inside(node, inputs, outer, around)
        return
    items = _read(node["spec"]["items"], outer)
    for index, item in enumerate(items if isinstance(items, list) else []):
        yield {**outer, "item": item, "index": index}


def _owner(roles: Mapping[str, str]) -> Any:
    def named(name: str) -> str:
        kind, colon, rest = name.partition(":")
        if colon and kind == "role":
            return f"user:{roles[rest]}" if rest in roles else ""
        return name if colon and kind in ("user", "group") else f"group:{name}"

    return named


def _ids_in(declarations: Mapping[str, Values], values: Values, kind: str) -> frozenset[str]:
    """Return the ids in values of inputs of type `kind`, or of lists of it."""
    named = (name for name, declaration in declarations.items() if kind in _kinds_in(declaration))
    return frozenset(text for name in named for text in _texts(values.get(name)))


def _kinds_in(declaration: Values) -> set[str]:
    """Return the types of resources (service, environment) that an input's value names, itself or in a list."""
    items = declaration.get("items")
    inner = items.get("type") if isinstance(items, Mapping) else items
    return {kind for kind in KINDS if kind in (typed_inputs.declaration_type(declaration), inner)}


def _names(written: Sequence[Any], context: Values) -> Iterator[str]:
    """Yield the names among what is written that can be read; a list counts as its items."""
    for one in written:
        yield from _texts(_read(one, context))


def _texts(value: Any) -> Iterator[str]:
    for text in value if isinstance(value, list) else [value]:
        if isinstance(text, str) and 0 < len(text) <= LONGEST:
            yield text


def _read(value: Any, context: Values, *, otherwise: Any = None) -> Any:
    try:
        return expressions.evaluate(value, context)
    except ExpressionFailed:
        return otherwise
