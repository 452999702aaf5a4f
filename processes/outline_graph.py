"""The outline of a process as the nodes of a graph: phases, each of which opens into its activities. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from processes.outline import Stage, Step

#: Of more phases than this each is drawn smaller.
ROOMY = 12


@dataclass(frozen=True, slots=True)
class Drawn:
    """A phase or activity; `key` names it on the page, `needs` are the keys it depends on, `after` their names."""

    key: str
    href: str
    name: str
    icon: str
    is_phase: bool
    needs: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    inner: tuple[Drawn, ...] = ()


@dataclass(frozen=True, slots=True)
class Drawing:
    """The phases of a process, in the document's order."""

    nodes: tuple[Drawn, ...]

    @property
    def is_telling(self) -> bool:
        """Whether a drawing says more than a list: there are several phases."""
        return len(self.nodes) > 1

    @property
    def is_dense(self) -> bool:
        """Whether there are so many phases that each is drawn smaller."""
        return len(self.nodes) > ROOMY


def drawing_of(stages: Sequence[Stage]) -> Drawing:
    """Return the graph of an outline; what a node needs outside of its own level is left to the outline."""
    keys = {stage.id: f"stage-{number}" for number, stage in enumerate(stages)}
    names = {stage.id: stage.name for stage in stages}
    return Drawing(
        tuple(
            Drawn(
                key=keys[stage.id],
                href=f"#{stage.id}",
                name=stage.name,
                icon="process",
                is_phase=True,
                needs=tuple(keys[need] for need in stage.needs if need in keys),
                after=tuple(names[need] for need in stage.needs if need in keys),
                inner=_steps(stage.steps, keys[stage.id]),
            )
            for stage in stages
        )
    )


def _steps(steps: Sequence[Step], within: str) -> tuple[Drawn, ...]:
    keys = {step.node: f"{within}-{number}" for number, step in enumerate(steps)}
    names = {step.node: step.name for step in steps}
    return tuple(
        Drawn(
            key=keys[step.node],
            href=f"#{step.node}",
            name=step.name,
            icon=step.kind,
            is_phase=False,
            needs=tuple(keys[need] for need in step.needs if need in keys),
            after=tuple(names[need] for need in step.needs if need in keys),
        )
        for step in steps
    )
