"""Everything about one phase run."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from config.trail import Actor
from releases import policy
from releases.execution.snapshots import tree_of
from releases.models import PhaseRun
from releases.reading.due import is_overdue
from releases.reading.tree import needs_of
from releases.reading.values import Value, values_of


@dataclass(slots=True)
class PhaseDetail:
    """A phase run; `may` names what the asker may do now (restart)."""

    id: int
    release: int
    path: str
    slug: str
    name: str
    state: str
    owners: list[str]
    needs: list[str]
    error: str
    opens_at: datetime | None
    due_at: datetime | None
    overdue: bool
    started_at: datetime | None
    finished_at: datetime | None
    inputs: list[Value]
    outputs: dict[str, Any]
    may: list[str]


def phase_detail(phase: PhaseRun, actor: Actor) -> PhaseDetail:
    """Return everything about a phase run, as far as `actor` is concerned."""
    assert phase.release.snapshot_id is not None
    tree = tree_of(phase.release.snapshot_id)
    live = phase.release.state in ("running", "paused") and phase.state != "pending"
    return PhaseDetail(
        id=phase.pk,
        release=phase.release_id,
        path=phase.path,
        slug=phase.slug,
        name=phase.name,
        state=phase.state,
        owners=phase.owners,
        needs=needs_of(tree, phase.node),
        error=phase.error,
        opens_at=phase.opens_at,
        due_at=phase.due_at,
        overdue=is_overdue(phase.due_at, phase.finished_at),
        started_at=phase.started_at,
        finished_at=phase.finished_at,
        inputs=values_of(tree.nodes[phase.node].doc["inputs"], phase.inputs, phase.sources),
        outputs=phase.outputs,
        may=["restart"] if live and policy.may_operate(actor, phase.release) else [],
    )
