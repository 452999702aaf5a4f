"""The processes that are measured."""

from __future__ import annotations

from typing import Any

#: Eight phases: 1 - 2 - {3, 4} - 5 - {6, 7} - 8, five activities in each, all parallel inside a phase.
NEEDS = {1: [], 2: [1], 3: [2], 4: [2], 5: [3, 4], 6: [5], 7: [5], 8: [6, 7]}
PER_PHASE = 5
ACTIVITIES = PER_PHASE * len(NEEDS)
#: The same as stages with a barrier after each, which is what bare Celery can say.
STAGES = [5, 5, 10, 5, 10, 5]

_BLOCK = {"connection": "instant", "pipeline": "noop"}


def activity(name: str, *needs: str) -> dict[str, Any]:
    """Return a no-op activity."""
    return {"id": name, "automated": dict(_BLOCK), **({"depends_on": list(needs)} if needs else {})}


def process(identifier: str, phases: list[dict[str, Any]]) -> dict[str, Any]:
    """Return a process document."""
    return {"kind": "Process", "id": identifier, "name": identifier, "phases": phases}


def forty() -> dict[str, Any]:
    """Eight phases of five activities."""
    phases = [
        {
            "id": f"p{number}",
            "name": f"Phase {number}",
            "depends_on": [f"p{need}" for need in needs],
            "activities": [activity(f"a{index}") for index in range(PER_PHASE)],
        }
        for number, needs in NEEDS.items()
    ]
    return process("forty", phases)


def chained(length: int) -> dict[str, Any]:
    """One phase whose activities follow one another."""
    first = [activity("a0")]
    rest = [activity(f"a{index}", f"a{index - 1}") for index in range(1, length)]
    return process(f"chain-{length}", [{"id": "all", "name": "All", "activities": first + rest}])


def wide(length: int) -> dict[str, Any]:
    """One phase whose activities are independent of each other."""
    return process(
        f"wide-{length}", [{"id": "all", "name": "All", "activities": [activity(f"a{i}") for i in range(length)]}]
    )
