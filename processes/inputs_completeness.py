"""Whether an input set is complete against a revision: which required inputs still have no value, which are wrong.

An input set's values follow the tree: `inputs`, `phases.build.inputs`, `phases.build.activities.cart.inputs`; below a
subprocess activity, `phases` again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from activities.canonical import secret_names
from config.errors import Fault
from processes import inputs
from processes.expressions_text import expressions_in
from processes.schema_words import did_you_mean

Values = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Completeness:
    """What an input set lacks: required inputs without a value, faulty values, and the secrets it refers to by name.

    A secret without a stored value makes the set incomplete too; only the database knows that.
    """

    missing: tuple[Fault, ...]
    faults: tuple[Fault, ...]
    secrets: frozenset[str]

    @property
    def complete(self) -> bool:
        """Whether nothing is missing or wrong (secrets' values aside)."""
        return not self.missing and not self.faults


def completeness(nodes: list[dict[str, Any]], values: Values) -> Completeness:
    """Compares an input set's values with the nodes of a snapshot (expansion)."""
    missing: list[Fault] = []
    faults = list(_strangers(nodes, values))
    secrets: set[str] = set()
    for node in nodes:
        given = values_at(values, node["path"])
        place = place_of(node["path"])
        for name, entry in inputs.resolve([("input set", given), ("with", node["with"])], node["inputs"]).items():
            declaration, value, path = node["inputs"][name], entry["value"], f"{place}.{name}"
            if value is None:
                if declaration.get("required"):
                    missing.append(Fault(path, f"'{name}' is required and has no value.", "Give it a value."))
            elif not any(True for _ in expressions_in(value)):
                faults += inputs.validate_value(declaration, value, path)[1]
            secrets |= secret_names(value)
    return Completeness(tuple(missing), tuple(faults), frozenset(secrets))


def values_at(values: Values, path: str) -> Values:
    """The inputs an input set gives to one node of a snapshot, by the node's path; empty when it gives none."""
    found: Any = values
    for depth, step in enumerate(path.split("/") if path else ()):
        found = _below(_below(found, "activities" if depth % 2 else "phases"), step)
    return _below(found, "inputs")


def place_of(path: str) -> str:
    """The place of a node's inputs in an input set: `phases.build.activities.cart.inputs`."""
    steps = path.split("/") if path else []
    words = [f"{'activities' if depth % 2 else 'phases'}.{step}" for depth, step in enumerate(steps)]
    return ".".join([*words, "inputs"])


def _below(found: Any, key: str) -> Mapping[str, Any]:
    inner = found.get(key) if isinstance(found, Mapping) else None
    return inner if isinstance(inner, Mapping) else {}


def _strangers(nodes: list[dict[str, Any]], values: Values) -> Iterator[Fault]:
    """Values for phases, activities and inputs that the process does not have."""
    declared: dict[str, set[str]] = {}
    for node in nodes:
        declared.setdefault(node["path"], set()).update(node["inputs"])
    for path, given in _given(values, ""):
        if path not in declared:
            here = place_of(path).removesuffix(".inputs")
            name = path.rpartition("/")[2]
            siblings = [known.rpartition("/")[2] for known in declared if _parent(known) == _parent(path) and known]
            yield Fault(here, f"The process has no '{name}' here.", did_you_mean(name, siblings))
            continue
        for name in given:
            if name not in declared[path]:
                cure = did_you_mean(name, declared[path], "Remove it.")
                yield Fault(f"{place_of(path)}.{name}", f"There is no input '{name}'.", cure)


def _given(values: Any, path: str) -> Iterator[tuple[str, Values]]:
    yield path, _below(values, "inputs")
    for level in ("phases", "activities"):
        for step, inner in _below(values, level).items():
            yield from _given(inner, f"{path}/{step}" if path else step)


def _parent(path: str) -> str:
    return path.rpartition("/")[0]
