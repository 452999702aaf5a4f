"""Input sets: named values for a process's inputs at every level, and whether they are all there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction

from activities import hooks, secrets
from config.errors import Conflict, Fault, InvalidInput
from config.permissions import require
from config.trail import Actor, record
from processes import drafts, inputs_completeness, kinds
from processes.document import canonical, digest
from processes.expansion import expand
from processes.inputs import declaration_type
from processes.levels import Levels, clean_values, given_in, levels_of
from processes.models import InputSet, Process, ProcessRevision
from processes.schema import require_structure
from processes.schema_words import did_you_mean
from processes.services.publishing import latest_revision
from processes.services.saving import require_version
from processes.store import DatabaseCatalogue
from processes.uses import used_by

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Completeness:
    """Whether an input set has every value that a revision needs, and what is missing or does not fit."""

    complete: bool
    faults: tuple[Fault, ...]


@transaction.atomic
def save_input_set(
    actor: Actor, document: Document, *, now: datetime, expected_version: int | None = None
) -> tuple[InputSet, str]:
    """Makes the input set what the document says. Answers created, changed or unchanged.

    Every value given must fit the process's draft or its latest revision; values may be missing. A secret is given by
    reference, `{secret: name}`. `expected_version` is the version the caller has seen, 0 when there must be none yet.
    Raises NotPermitted, InvalidInput with every fault, Conflict (`stale`, or `in_use` when its process would change).
    """
    require_structure([document])
    found = InputSet.objects.select_for_update(no_key=True).filter(slug=document["id"]).first()
    require(actor, "processes.change_inputset" if found else "processes.add_inputset", found)
    row = found or InputSet(slug=document["id"], version=0)
    require_version(row, expected_version)
    before = export_input_set(row) if found else None
    process = _process(document["process"])
    if found and found.process_id != process.pk:
        _require_unused(found)
    row.process, row.name, row.description = process, document["name"], document.get("description", "")
    row.values = _checked(process, document["values"])
    after = export_input_set(row)
    if before is not None and canonical(before) == canonical(after):
        return row, kinds.UNCHANGED
    secrets.require_use(actor, after, before)
    row.version += 1
    row.save()
    verb = "input_set.changed" if found else "input_set.created"
    seen = {"version": row.version - 1, "digest": digest(before)} if before else None
    record(actor, verb, row, before=seen, after={"version": row.version, "digest": digest(after)}, now=now)
    hooks.tell(now)
    return row, kinds.CHANGED if found else kinds.CREATED


def apply_input_set(actor: Actor, document: Document, *, now: datetime) -> str:
    """The same as `save_input_set`, for `kinds`."""
    return save_input_set(actor, document, now=now)[1]


def export_input_set(row: InputSet) -> dict[str, Any]:
    """The input set's document."""
    head = {"kind": "InputSet", "id": row.slug, "name": row.name, "process": row.process.slug, "values": row.values}
    return {**head, "description": row.description} if row.description else head


def completeness(input_set: InputSet, revision: ProcessRevision | None = None) -> Completeness:
    """Whether the input set has every required value of the revision (the latest published one when left out).

    Fault paths are places in the input set's document, `values.phases.build.activities.cart.inputs.version`. Required
    values that `with` or a default gives are not missing; a secret that has no value yet is.
    """
    revision = revision or latest_revision(input_set.process)
    if revision is None:
        fault = Fault("process", f"'{input_set.process.slug}' has not been published.", "Publish it first.")
        return Completeness(complete=False, faults=(fault,))
    return completeness_of([input_set], revision)[0]


def completeness_of(input_sets: Sequence[InputSet], revision: ProcessRevision) -> list[Completeness]:
    """The same for many input sets of one revision; the same few queries for any number."""
    catalogue = DatabaseCatalogue()
    catalogue.warm([revision.document])
    try:
        tree = expand(revision.document, revision.number, catalogue, document_digest=revision.digest)
    except InvalidInput as error:
        return [Completeness(complete=False, faults=error.faults) for _ in input_sets]
    levels = levels_of(revision.document, catalogue)
    found = [inputs_completeness.completeness(tree["nodes"], one.values) for one in input_sets]
    known = secrets.known_names({name for one in found for name in one.secrets})
    told = []
    for input_set, one in zip(input_sets, found, strict=True):
        faults = [Fault(f"values.{fault.path}", fault.message, fault.cure) for fault in (*one.missing, *one.faults)]
        faults = _and_resources(faults, input_set.values, levels, catalogue)
        faults += _valueless_secrets(input_set.values, one.secrets - known)
        told.append(Completeness(complete=not faults, faults=tuple(faults)))
    return told


def _process(slug: str) -> Process:
    process = Process.objects.filter(slug=slug).first()
    if process is None:
        known = Process.objects.values_list("slug", flat=True)
        cure = did_you_mean(slug, known, "Apply the process first.")
        raise InvalidInput([Fault("process", f"There is no process '{slug}'.", cure)])
    return process


def _require_unused(row: InputSet) -> None:
    users = used_by(row)
    if users:
        named = ", ".join(str(use) for use in users[:10])
        raise Conflict(f"'{row.slug}' keeps its process: it is used by {named}.", code="in_use")


def _checked(process: Process, values: Document) -> dict[str, Any]:
    """The values made canonical by the draft, or by the latest revision if they do not fit the draft."""
    clean, faults = _against(drafts.load(process), values)
    latest = latest_revision(process) if faults else None
    if latest is not None:
        clean, wrong = _against(latest.document, values)
        faults = faults if wrong else []
    if faults:
        raise InvalidInput(faults)
    return clean


def _against(document: Document, values: Document) -> tuple[dict[str, Any], list[Fault]]:
    catalogue = DatabaseCatalogue(or_draft=True)
    catalogue.warm([document])
    levels = levels_of(document, catalogue)
    clean, faults = clean_values(values, levels)
    return clean, _and_resources(faults, values, levels, catalogue)


def _and_resources(faults: list[Fault], values: Document, levels: Levels, catalogue: DatabaseCatalogue) -> list[Fault]:
    known = {fault.path for fault in faults}
    return faults + [fault for fault in _unknown_resources(values, levels, catalogue) if fault.path not in known]


def _unknown_resources(values: Document, levels: Levels, catalogue: DatabaseCatalogue) -> list[Fault]:
    faults = []
    for path, place, given in given_in(values):
        declarations = (levels[path].declarations if path in levels else None) or {}
        for name, value in given.items():
            kind = declaration_type(declarations.get(name, {}))
            if kind not in ("service", "environment") or not isinstance(value, str) or "${{" in value:
                continue
            known = [slug for slug, other in catalogue.resources().items() if other == kind]
            if value not in known:
                cure = did_you_mean(value, known, "Apply the resource first.")
                faults.append(Fault(f"{place}.inputs.{name}", f"There is no {kind} '{value}'.", cure))
    return faults


def _valueless_secrets(values: Document, valueless: AbstractSet[str]) -> list[Fault]:
    given = {name: place for _, spot, inner in given_in(values) for place, name in _secrets(inner, f"{spot}.inputs")}
    cure = "Set it in the admin or with `manage.py set_secret`."
    return [Fault(given.get(name, "process"), f"The secret '{name}' has no value.", cure) for name in sorted(valueless)]


def _secrets(value: Any, place: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        if set(value) == {"secret"} and isinstance(value["secret"], str):
            yield place, value["secret"]
            return
        for key, inner in value.items():
            yield from _secrets(inner, f"{place}.{key}")
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _secrets(inner, f"{place}[{index}]")
