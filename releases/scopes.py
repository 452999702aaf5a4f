"""Whether a freeze's scope holds a release or an activity, and what of one a scope can name. Pure.

A scope's keys all have to match, of the ids under one key any; `everything: true` matches whatever there is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from config.errors import ExpressionFailed
from processes import expressions
from processes import inputs as typed_inputs
from releases.tree import Node, Tree

Values = Mapping[str, Any]
KINDS = ("service", "environment")
_NOTHING: Mapping[Any, Any] = {}


@dataclass(frozen=True, slots=True)
class Subject:
    """What a scope can name of a release or an activity: ids, `group` empty for an ad hoc release.

    `resources` are all it touches, services, environments and those of unknown type alike. `called` are the processes
    that were called as subprocesses around an activity.
    """

    group: str
    process: str
    resources: frozenset[str] = frozenset()
    services: frozenset[str] = frozenset()
    environments: frozenset[str] = frozenset()
    tags: frozenset[str] = frozenset()
    called: frozenset[str] = frozenset()


@dataclass(slots=True)
class _Touched:
    """The ids of what is touched, by type; `other` are of no known one."""

    service: frozenset[str] = frozenset()
    environment: frozenset[str] = frozenset()
    other: frozenset[str] = frozenset()
    kinds: Mapping[str, str] = field(default_factory=dict)

    def add(self, ids: Iterable[str]) -> None:
        """Adds ids, each to its type."""
        for one in ids:
            kind = self.kinds.get(one, "other")
            setattr(self, kind, getattr(self, kind) | {one})

    def narrow(self, declarations: Mapping[str, Values], values: Values) -> None:
        """Puts the services (environments) that inputs name in place of those known so far."""
        for kind in KINDS:
            if ids := _ids_in(declarations, values, kind):
                setattr(self, kind, ids)

    @property
    def all(self) -> frozenset[str]:
        """Every id."""
        return self.service | self.environment | self.other


def in_scope(scope: Mapping[str, Any], subject: Subject) -> bool:
    """Whether a freeze's `scope` holds the subject. Keys without ids say nothing; saying nothing holds nothing."""
    if scope.get("everything"):
        return True
    own: dict[str, frozenset[str]] = {
        "groups": frozenset({subject.group} - {""}),
        "processes": subject.called | {subject.process},
        "resources": subject.resources,
        "services": subject.services,
        "environments": subject.environments,
        "tags": subject.tags,
    }
    named = {key: frozenset(scope[key]) for key in own if scope.get(key)}
    return bool(named) and all(ids & own[key] for key, ids in named.items())


def subject_of_release(
    root: Values, *, group: str, inputs: Values, kinds: Mapping[str, str], known: Values = _NOTHING
) -> Subject:
    """The release as a whole: its group, process and tags, the process's `resources` and inputs that name some.

    `root` is node 0 of the snapshot (of an expansion, before the start), `inputs` the resolved inputs of the process,
    `kinds` the type (service, environment) of every resource by id, `known` further names that expressions may use
    (`release`, `now`). A resource whose expression cannot be evaluated yet is left out.
    """
    touched = _Touched(kinds=kinds)
    context = {**known, "inputs": typed_inputs.typed(root["inputs"], inputs)}
    touched.add(_evaluated(root["spec"].get("resources", ()), context))
    for kind in KINDS:
        setattr(touched, kind, getattr(touched, kind) | _ids_in(root["inputs"], inputs, kind))
    return Subject(
        group=group,
        process=root["spec"].get("process") or root["id"],
        resources=touched.all,
        services=touched.service,
        environments=touched.environment,
        tags=frozenset(root["tags"]),
    )


def subject_of_activity(
    tree: Tree,
    ordinal: int,
    *,
    release: Subject,
    inputs: Mapping[int, Values],
    kinds: Mapping[str, str],
    given: Mapping[str, Sequence[Sequence[Any]]] = _NOTHING,
    known: Values = _NOTHING,
) -> Subject:
    """An activity of a release: what the release is, narrowed and widened by what lies around it, outermost first.

    1. A phase's, subprocess's or activity's inputs of type service (environment) replace those known so far.
    2. A subprocess adds its process's `resources` and its id for what lies in it.
    3. Tags of the activity and of everything around it are added to the release's.

    `inputs` are resolved inputs by node, node 0 being the process; those of a node that has not opened yet are
    worked out from `given` (by path, as a release pins them) and `with` as far as possible.
    """
    touched = _Touched(release.services, release.environments, kinds=kinds)
    touched.other = release.resources - touched.service - touched.environment
    seen = {0: typed_inputs.typed(tree.nodes[0].doc["inputs"], inputs.get(0, _NOTHING))}
    phase: Values = _NOTHING
    tags, called = set(release.tags), set(release.called)
    for node in _down_to(tree, ordinal):
        context = {**known, "inputs": seen[node.scope], "phase": {"inputs": phase}}
        values = inputs.get(node.ordinal)
        if values is None:
            values = _expected(node, given, context)
        own = seen[node.ordinal] = typed_inputs.typed(node.doc["inputs"], values)
        touched.narrow(node.doc["inputs"], values)
        tags.update(node.doc["tags"])
        if node.is_phase:
            phase = own
        if node.kind == "subprocess":
            called.add(node.doc["spec"]["process"])
            if node.ordinal != ordinal:
                touched.add(_evaluated(node.doc["spec"].get("resources", ()), {**known, "inputs": own}))
    return Subject(
        group=release.group,
        process=release.process,
        resources=touched.all,
        services=touched.service,
        environments=touched.environment,
        tags=frozenset(tags),
        called=frozenset(called),
    )


def _down_to(tree: Tree, ordinal: int) -> list[Node]:
    """The nodes on the way from below the root to `ordinal`, itself included."""
    chain: list[Node] = []
    here: int | None = ordinal
    while here:
        chain.append(tree.nodes[here])
        here = tree.nodes[here].parent
    return chain[::-1]


def _expected(node: Node, given: Mapping[str, Sequence[Sequence[Any]]], context: Values) -> dict[str, Any]:
    """The inputs a node would get, as far as they are known; those with faults are left out."""
    declarations = node.doc["inputs"]
    layers = [*((source, values) for source, values in given.get(node.doc["path"], ())), ("with", node.doc["with"])]
    settled, _ = typed_inputs.settle(typed_inputs.resolve(layers, declarations), declarations, context)
    return {name: entry["value"] for name, entry in settled.items() if entry["value"] is not None}


def _ids_in(declarations: Mapping[str, Values], values: Values, kind: str) -> frozenset[str]:
    """The ids in values of inputs of type `kind`, or of lists of it."""
    found: set[str] = set()
    for name, declaration in declarations.items():
        value = values.get(name)
        items = declaration.get("items")
        inner = items.get("type") if isinstance(items, Mapping) else items
        if kind in (typed_inputs.declaration_type(declaration), inner) and value is not None:
            found.update(_texts(value))
    return frozenset(found)


def _evaluated(resources: Iterable[str], context: Values) -> set[str]:
    found: set[str] = set()
    for text in resources:
        try:
            found.update(_texts(expressions.evaluate(text, context)))
        except ExpressionFailed:  # it names something that is known later only
            continue
    return found


def _texts(value: Any) -> list[str]:
    listed = value if isinstance(value, list) else [value]
    return [one for one in listed if isinstance(one, str) and one]
