"""What engines share whose pipelines are verbs: each is known beforehand, with what it takes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from activities.engines import Parameter, Pipeline, Schema, work_of
from activities.runners import Order
from config.errors import Fault, RunnerRefused

QUICKEST, SLOWEST = 2.0, 10.0
"""Seconds between two looks at something that is awaited."""


@dataclass(frozen=True, slots=True)
class Verb:
    """Something an engine does, and what it takes; `id` is what an activity names in `pipeline`."""

    id: str
    name: str
    description: str
    parameters: tuple[Parameter, ...] = ()

    @property
    def wants(self) -> list[str]:
        """The names of the parameters that must be given."""
        return [one.name for one in self.parameters if one.is_required]

    @property
    def schema(self) -> Schema:
        """The schema of the parameters, as far as they can be told without running."""
        return {
            "type": "object",
            "properties": {one.name: {"enum": list(one.options)} if one.options else {} for one in self.parameters},
            "required": self.wants,
            "additionalProperties": False,
        }


def work_with(verbs: Iterable[Verb]) -> Schema:
    """Returns the schema of an activity's automated block: one of the verbs, with what that one takes."""
    known = tuple(verbs)
    chosen = [
        {
            "if": {"properties": {"pipeline": {"const": one.id}}, "required": ["pipeline"]},
            "then": {"properties": {"parameters": one.schema}, "required": ["parameters"] if one.wants else []},
        }
        for one in known
    ]
    return {**work_of({"pipeline": {"enum": [one.id for one in known]}}, required=("pipeline",)), "allOf": chosen}


def picked(verbs: Iterable[Verb], search: str) -> list[Pipeline]:
    """Returns the verbs that contain `search`, as what can be started."""
    found = (Pipeline(one.id, one.name, one.description) for one in verbs)
    return [one for one in found if search.lower() in f"{one.id} {one.name}".lower()]


def verb_of(verbs: Iterable[Verb], pipeline: str) -> Verb:
    """Returns the verb of a name. Raises RunnerRefused when there is none."""
    known = {one.id: one for one in verbs}
    if pipeline not in known:
        raise RunnerRefused(f"There is no '{pipeline}' here; there are: {', '.join(known)}.", code="no_pipeline")
    return known[pipeline]


def values_of(verb: Verb, order: Order, more: Sequence[Fault] = ()) -> dict[str, str]:
    """Returns what an order gives the verb, defaults filled in and nothing left out empty-handed.

    Raises RunnerRefused with all faults at once, `more` included.
    """
    known = {one.name: one for one in verb.parameters}
    faults = [Fault(name, "Is not taken here.", f"Known are: {', '.join(known)}.") for name in order.parameters
              if name not in known]  # fmt: skip
    values: dict[str, str] = {}
    for name, one in known.items():
        values[name] = order.parameters.get(name, "").strip() or one.default
        if one.is_required and not values[name]:
            faults.append(Fault(name, "Is missing.", one.description))
        elif one.options and values[name] and values[name] not in one.options:
            faults.append(Fault(name, "Is not one of its options.", f"Use {', '.join(one.options)}."))
    refuse([*faults, *more])
    return values


def refuse(faults: Sequence[Fault]) -> None:
    """Raises RunnerRefused with these faults, if there are any."""
    if faults:
        raise RunnerRefused("; ".join(map(str, faults)), code="parameters")


def names_in(text: str) -> list[str]:
    """Returns the names in a text, apart by commas or in a JSON list."""
    found = json_in(text) if text.lstrip().startswith("[") else None
    names = found if isinstance(found, list) else text.split(",")
    return [str(name).strip() for name in names if str(name).strip()]


def mapping_in(text: str) -> dict[str, Any] | None:
    """Returns the JSON mapping that a text holds, an empty one for no text, None for anything else."""
    found = json_in(text) if text.strip() else {}
    return found if isinstance(found, dict) else None


def mapping_faults(values: Mapping[str, str], name: str) -> list[Fault]:
    """Returns a fault unless a value is empty or a JSON mapping."""
    if mapping_in(values.get(name, "")) is not None:
        return []
    return [Fault(name, "Is not a JSON mapping.", 'Write it like {"priority": "2"}.')]


def json_in(text: str) -> Any:
    """Returns the JSON in a text, None if it is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def look_in(age: float) -> float:
    """Returns in how many seconds to look again at what has been awaited for so many."""
    return min(SLOWEST, max(QUICKEST, age / 30))
