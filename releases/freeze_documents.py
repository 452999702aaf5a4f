"""Freezes as documents: applied, given back, deleted; their windows follow."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction

from config.errors import Fault, InvalidInput
from config.permissions import require
from config.trail import Actor, record
from processes import kinds
from processes.checks_calendar import check_freeze
from processes.document import canonical
from processes.models import Process, Resource
from processes.schema_words import did_you_mean
from processes.services.saving import require_version
from releases.models import Freeze, Release, ReleaseGroup
from releases.services.exempting import void_exceptions
from releases.services.waking import look_ahead, wake
from releases.services.windows import plan_windows

Document = Mapping[str, Any]


@transaction.atomic
def save_freeze(
    actor: Actor, document: Document, *, now: datetime, expected_version: int | None = None, reason: str = ""
) -> tuple[Freeze, str]:
    """Makes the freeze what the document says, its windows from now on included. Answers created, changed, unchanged.

    `expected_version` is the version the caller has seen, 0 when there must be none yet. Raises NotPermitted,
    InvalidInput with every fault, Conflict (`stale`).
    """
    check_freeze(document).require()
    _require_scope(document["scope"])
    found = Freeze.objects.select_for_update(no_key=True).filter(slug=document["id"]).first()
    require(actor, "releases.change_freeze" if found else "releases.add_freeze", found)
    freeze = found or Freeze(slug=document["id"], version=0)
    require_version(freeze, expected_version)
    before = export_freeze(freeze) if found else None
    _take(freeze, document)
    after = export_freeze(freeze)
    if before is not None and canonical(before) == canonical(after):
        return freeze, kinds.UNCHANGED
    freeze.version += 1
    freeze.save()
    plan_windows(freeze, now=now)
    if before is not None and _means(before) != _means(after):
        void_exceptions(actor, freeze, now=now)
    verb = "freeze.changed" if found else "freeze.created"
    record(actor, verb, freeze, before=before, after=after, reason=reason, now=now)
    if found:
        wake(now=now)
    else:
        look_ahead(Release.objects.all(), now=now)
    return freeze, kinds.CHANGED if found else kinds.CREATED


def apply_freeze(actor: Actor, document: Document, *, now: datetime) -> str:
    """The same as `save_freeze`, for `kinds`."""
    return save_freeze(actor, document, now=now)[1]


def export_freeze(freeze: Freeze) -> dict[str, Any]:
    """The freeze's document."""
    document = {"kind": "Freeze", "id": freeze.slug, **freeze.body, "name": freeze.name}
    return {**document, "description": freeze.description} if freeze.description else document


@transaction.atomic
def delete_freeze(actor: Actor, freeze: Freeze, *, now: datetime) -> None:
    """Deletes a freeze with its windows and exceptions. Raises NotPermitted."""
    require(actor, "releases.delete_freeze", freeze)
    record(actor, "freeze.deleted", freeze, before=export_freeze(freeze), now=now)
    freeze.delete()
    wake(now=now)


def _means(document: Document) -> str:
    """What a freeze stops and when: what exceptions from it are asked for."""
    return canonical({key: document[key] for key in ("scope", "window")})


def _take(freeze: Freeze, document: Document) -> None:
    """Writes the columns; every other key, and an empty description, goes into the body."""
    freeze.name, freeze.description = document["name"], document.get("description", "")
    filled = {"kind", "id", "name"} | ({"description"} if freeze.description else set())
    freeze.body = {key: value for key, value in document.items() if key not in filled}


def _require_scope(scope: Mapping[str, Any]) -> None:
    """Refuses a freeze of what does not exist: it would not stop what its author means."""
    services = Resource.objects.filter(type=Resource.Type.SERVICE)
    environments = Resource.objects.filter(type=Resource.Type.ENVIRONMENT)
    tables: dict[str, tuple[str, Any]] = {
        "groups": ("release group", ReleaseGroup.objects.all()),
        "processes": ("process", Process.objects.all()),
        "resources": ("resource", Resource.objects.all()),
        "services": ("service", services),
        "environments": ("environment", environments),
    }
    faults: list[Fault] = []
    for key, (what, rows) in tables.items():
        known = set(rows.filter(slug__in=scope.get(key, ())).values_list("slug", flat=True))
        for index, slug in enumerate(scope.get(key, ())):
            if slug not in known:
                near = did_you_mean(slug, rows.values_list("slug", flat=True), f"Apply the {what} first.")
                faults.append(Fault(f"scope.{key}[{index}]", f"There is no {what} '{slug}'.", near))
    if faults:
        raise InvalidInput(faults)
