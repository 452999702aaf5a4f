"""Saving drafts of processes, and resources: from `manage.py apply`, the API, the admin and the canvas alike."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from django.db import transaction

from activities import secrets
from config.errors import Conflict
from config.permissions import require
from config.trail import Actor, record
from processes import drafts, kinds
from processes.document import canonical, digest
from processes.models import Process, Resource
from processes.schema import require_structure

Document = Mapping[str, Any]


@transaction.atomic
def save_process(
    actor: Actor, document: Document, *, now: datetime, expected_version: int | None = None
) -> tuple[Process, str]:
    """Makes the document the draft of the process it names; its revisions stay. Answers created, changed or unchanged.

    `expected_version` is the version the caller has seen, 0 when the process must not exist yet. Raises NotPermitted,
    InvalidInput with every fault, Conflict (`stale`) when the draft has another version.
    """
    require_structure([document])
    announce([document])
    process = Process.objects.select_for_update(no_key=True).get(slug=document["id"])
    is_new = process.version == 0
    require(actor, "processes.add_process" if is_new else "processes.change_process", None if is_new else process)
    require_version(process, expected_version)
    before = drafts.load(process)
    if not is_new and canonical(before) == canonical(document):
        return process, kinds.UNCHANGED
    drafts.decompose(process, document)
    note_edit(actor, process, before, now=now)
    return process, kinds.CREATED if is_new else kinds.CHANGED


def note_edit(actor: Actor, process: Process, before: Document, *, now: datetime) -> bool:
    """Saves a process whose rows were edited: counts its version up and writes the event; False when nothing differs.

    `before` is its document before the edit. For editors that change rows directly, inside their transaction.
    """
    process.save()
    draft = drafts.load(process)
    known, fresh = digest(before), digest(draft)
    is_new = process.version == 0
    if known == fresh and not is_new:
        return False
    secrets.require_use(actor, draft, before)
    process.version += 1
    process.save(update_fields=["version"])
    seen = None if is_new else {"version": process.version - 1, "digest": known}
    after = {"version": process.version, "digest": fresh}
    record(actor, "process.drafted" if is_new else "process.changed", process, before=seen, after=after, now=now)
    return True


def announce(documents: Iterable[Document]) -> None:
    """Makes an empty row (version 0) for every process that does not exist, so that documents may name each other.

    All are locked, in one order for everybody. Only inside the transaction that fills these rows.
    """
    names = {one["id"]: one["name"] for one in documents if one["kind"] == "Process"}
    rows = [Process(slug=slug, name=names[slug], version=0) for slug in sorted(names)]
    Process.objects.bulk_create(rows, ignore_conflicts=True)
    list(Process.objects.select_for_update(no_key=True).filter(slug__in=names).order_by("slug").values_list("pk"))


def require_version(row: Any, expected: int | None) -> None:
    """Raises Conflict unless the row has the version that the caller has seen (None: the caller does not care)."""
    if expected is None or row.version == expected:
        return
    if expected == 0:
        raise Conflict(f"There is already a {row._meta.verbose_name} '{row.slug}'.", code="exists")
    raise Conflict(f"'{row.slug}' was edited meanwhile; look at version {row.version}.", code="stale")


def apply_process(actor: Actor, document: Document, *, now: datetime) -> str:
    """The same as `save_process`, for `kinds`."""
    return save_process(actor, document, now=now)[1]


def export_process(process: Process) -> dict[str, Any]:
    """The document of the draft."""
    return drafts.load(process)


@transaction.atomic
def apply_resource(actor: Actor, document: Document, *, now: datetime) -> str:
    """Makes the resource what the document says. Raises NotPermitted, InvalidInput."""
    require_structure([document])
    found = Resource.objects.select_for_update(no_key=True).filter(slug=document["id"]).first()
    require(actor, "processes.change_resource" if found else "processes.add_resource", found)
    before = export_resource(found) if found else None
    resource = found or Resource(slug=document["id"])
    resource.name, resource.type = document["name"], document["type"]
    resource.description, resource.exclusive = document.get("description", ""), document.get("exclusive", False)
    after = export_resource(resource)
    if before == after:
        return kinds.UNCHANGED
    resource.save()
    record(actor, "resource.changed" if found else "resource.created", resource, before=before, after=after, now=now)
    return kinds.CHANGED if found else kinds.CREATED


def export_resource(resource: Resource) -> dict[str, Any]:
    """The resource's document."""
    document: dict[str, Any] = {"kind": "Resource", "id": resource.slug, "name": resource.name, "type": resource.type}
    if resource.description:
        document["description"] = resource.description
    return {**document, "exclusive": True} if resource.exclusive else document
