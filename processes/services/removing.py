"""Deleting what nothing refers to."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import ProtectedError

from config.errors import Conflict
from config.permissions import require
from config.trail import Actor, record
from processes.models import InputSet, Process, Resource
from processes.uses import used_by

MOST_NAMED = 10


@transaction.atomic
def delete_process(actor: Actor, process: Process, *, now: datetime) -> None:
    """Deletes a process that was never published and that nothing uses.

    Raises NotPermitted, or Conflict naming every user of it: published revisions are history and stay.
    """
    require(actor, "processes.delete_process", process)
    numbers = process.revisions.order_by("number").values_list("number", flat=True)
    require_free(process, [f"its published revision {number}" for number in numbers])
    record(actor, "process.deleted", process, before={"version": process.version}, now=now)
    process.phases.all().delete()
    delete_row(process)


@transaction.atomic
def delete_input_set(actor: Actor, input_set: InputSet, *, now: datetime) -> None:
    """Deletes an input set that nothing uses. Raises NotPermitted, or Conflict naming every user of it."""
    require(actor, "processes.delete_inputset", input_set)
    require_free(input_set)
    before = {"version": input_set.version, "process": input_set.process.slug}
    record(actor, "input_set.deleted", input_set, before=before, now=now)
    delete_row(input_set)


@transaction.atomic
def delete_resource(actor: Actor, resource: Resource, *, now: datetime) -> None:
    """Deletes a resource that nothing uses. Raises NotPermitted, or Conflict naming every user of it."""
    require(actor, "processes.delete_resource", resource)
    require_free(resource)
    record(actor, "resource.deleted", resource, before={"type": resource.type}, now=now)
    delete_row(resource)


def require_free(row: Any, others: Sequence[str] = ()) -> None:
    """Raises Conflict (`in_use`) naming everything that uses the row, and `others`."""
    users = [*(str(use) for use in used_by(row)), *others]
    if users:
        more = f" and {len(users) - MOST_NAMED} more" if len(users) > MOST_NAMED else ""
        raise Conflict(f"'{row.slug}' is used by {', '.join(users[:MOST_NAMED])}{more}.", code="in_use")


def delete_row(row: Any) -> None:
    """Deletes the row. Raises Conflict (`in_use`) when the database knows of a user that nobody has named."""
    try:
        row.delete()
    except ProtectedError as error:
        found = ", ".join(sorted(f"{one._meta.verbose_name} '{one}'" for one in error.protected_objects)[:MOST_NAMED])
        raise Conflict(f"'{row.slug}' is used by {found}.", code="in_use") from error
