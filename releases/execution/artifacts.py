"""Artifacts an activity declares become rows when it succeeds: from a deployment one reaches the code, and back."""

from __future__ import annotations

from config.errors import ExpressionFailed
from processes import expressions
from releases.execution.locked import Locked, Run
from releases.execution.scope import Scope
from releases.models import Artifact

_COLUMNS = ("name", "version", "reference", "digest", "commit", "link", "environment")


def record_artifacts(locked: Locked, run: Run) -> None:
    """Record the artifacts of an activity that has just succeeded; one that cannot be read leaves an event instead."""
    declared = run.node.doc.get("artifacts") or []
    if not declared:
        return
    context = Scope(locked, run.key).context(expressions.references(declared))
    for entry in declared:
        try:
            values = expressions.evaluate(entry, context)
        except ExpressionFailed as error:
            locked.event(run, "artifact.unreadable", after={"artifact": entry}, reason=error.message)
            continue
        columns = {name: str(values.get(name) or "") for name in _COLUMNS}
        Artifact.objects.create(release_id=locked.id, activity_run_id=run.id, at=locked.now, **columns)
        locked.event(run, "artifact.recorded", after={"name": columns["name"], "version": columns["version"]})
