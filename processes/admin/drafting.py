"""Editing a draft's rows: the row is locked, the editor's version compared, the rows numbered, the edit noted."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.http import HttpRequest

from config.errors import Conflict, InvalidInput
from config.permissions import allowed, require
from config.trail import Actor
from processes import drafts
from processes.models import Phase, Process
from processes.schema import structural_faults
from processes.services import note_edit
from processes.services.saving import require_version

LAST = 1_000_000
"""The position of a row that was added and not moved: behind all others."""


def open_draft(actor: Actor, process: Process, seen: int | None) -> tuple[Process, dict[str, Any]]:
    """Locks a process for editing its rows: the row as it is now, and its document before the edit.

    Raises NotPermitted, or Conflict (`stale`) when somebody has edited it since version `seen`.
    """
    held = Process.objects.select_for_update(no_key=True).filter(pk=process.pk).first()
    if held is None:
        raise Conflict("Somebody has deleted this process meanwhile.")
    require(actor, "processes.change_process", held)
    require_version(held, seen)
    return held, drafts.load(held)


def close_draft(actor: Actor, process: Process, before: dict[str, Any], now: datetime) -> None:
    """Counts the edit and writes its event. Raises InvalidInput when the rows no longer make a document."""
    faults = structural_faults(drafts.load(process))
    if faults:
        raise InvalidInput(faults)
    note_edit(actor, process, before, now=now)


def number_rows(formset: Any) -> None:
    """Gives the rows of a saved formset the positions 0, 1, 2 … in the order they were dragged to."""
    gone = set(formset.deleted_forms)
    kept = [form for form in formset.forms if form not in gone and form.instance.pk]
    kept.sort(key=lambda form: form.instance.position)
    for position, form in enumerate(kept):
        if form.instance.position != position or "position" in form.changed_data:
            form.instance.position = position
            form.instance.save(update_fields=["position"])


class DraftInline:
    """Rows inside a process's draft: whoever may change the process may change them."""

    extra = 0
    ordering_field = "position"
    hide_ordering_field = True

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """The page around it has asked already."""
        return True

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whoever may change the process."""
        process = obj.process if isinstance(obj, Phase) else obj
        return allowed(
            request.user, "processes.add_process" if process is None else "processes.change_process", process
        )

    has_add_permission = has_delete_permission = has_change_permission
