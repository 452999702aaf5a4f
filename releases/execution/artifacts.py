"""Artifacts an activity declares become rows when it succeeds: from a deployment one reaches the code, and back."""

from __future__ import annotations

from typing import Any

from django.db.models import CharField

from config.errors import ExpressionFailed
from processes import expressions
from releases.changes import is_web_page
from releases.execution.changes import record_changes
from releases.execution.locked import Locked, Run
from releases.execution.scope import Scope
from releases.models import Artifact

#: The columns of an artifact and the most characters each takes.
COLUMNS = {
    field.name: field.max_length
    for field in Artifact._meta.fields
    if isinstance(field, CharField) and field.max_length is not None
}


def record_artifacts(locked: Locked, run: Run) -> None:
    """Record what an activity that has just succeeded made: its artifacts, and the commits and tickets it names.

    What cannot be read leaves an event instead.
    """
    record_changes(locked, run)
    declared = run.node.doc.get("artifacts") or []
    if not declared:
        return
    context = Scope(locked, run.key).context(expressions.references(declared))
    for entry in declared:
        try:
            columns = _columns(expressions.evaluate(entry, context))
        except ExpressionFailed as error:
            locked.event(run, "artifact.unreadable", after={"artifact": entry}, reason=error.message)
            continue
        Artifact.objects.create(release_id=locked.id, activity_run_id=run.id, at=locked.now, **columns)
        locked.event(run, "artifact.recorded", after={"name": columns["name"], "version": columns["version"]})


def _columns(values: dict[str, Any]) -> dict[str, str]:
    """Return an artifact's columns. Raises ExpressionFailed for what cannot be kept as an artifact."""
    columns = {name: str(values.get(name) or "") for name in COLUMNS}
    if not columns["name"]:
        raise ExpressionFailed("The artifact has no name.")
    for name, most in COLUMNS.items():
        if len(columns[name]) > most:
            raise ExpressionFailed(
                f"The artifact's {name} has {len(columns[name])} characters; at most {most} are kept."
            )
    if columns["link"] and not is_web_page(columns["link"]):
        raise ExpressionFailed("The artifact's link leads to no web page.")
    return columns
