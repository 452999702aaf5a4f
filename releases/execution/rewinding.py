"""Putting runs back to where they were before they opened: for a retry, a restart, and a list that has changed."""

from __future__ import annotations

from collections.abc import Iterable

from releases.execution.locked import Locked
from releases.tree import Key


def put_back(locked: Locked, keys: Iterable[Key]) -> None:
    """Put runs back to pending as if they had never opened; attempts under way are cancelled."""
    for key in keys:
        run = locked.runs[key]
        if run.node.kind == "automated" and run.state == "running":
            locked.to_cancel.append(run)
        run.opened = False
        if run.node.is_phase:
            locked.move(run, "pending", started_at=None, finished_at=None, outputs={}, error="")
            continue
        locked.move(
            run,
            "pending",
            opened_at=None,
            started_at=None,
            finished_at=None,
            changed_inputs={},
            next_look_at=None,
            deadline_at=None,
            outputs={},
            error="",
            partial=False,
        )
