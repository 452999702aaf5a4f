"""Saying from outside what a release carries: commits, tickets, and artifacts with where they were put."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction

from config.errors import Conflict, Fault
from config.trail import Actor, actor_name, record
from releases import changes, policy
from releases.execution.artifacts import COLUMNS
from releases.execution.changes import OUTPUTS, keep_changes, told_of
from releases.models import Artifact, Change, Release
from releases.services.given import require, text_faults


def attach_changes(
    actor: Actor, release: Release, said: Mapping[str, Any], *, now: datetime
) -> tuple[list[Change], int]:
    """Attach the `commits` and `tickets` that `said` names; return all of them as kept, and how many are new.

    Raises NotPermitted, InvalidInput with every fault, or Conflict if the release is sealed.
    """
    policy.require_operate(actor, release)
    readings = [changes.read(kind, said.get(name), name) for name, kind in OUTPUTS.items()]
    found = [named for reading in readings for named in reading.found]
    faults = [fault for reading in readings for fault in reading.faults]
    if not found and not faults:
        faults.append(Fault("", "It names no commit and no ticket.", "Give `commits`, `tickets` or both."))
    require(faults)
    with transaction.atomic():
        locked = _lock(release)
        added = keep_changes(release.pk, found, now=now, by_name=actor_name(actor))
        if added:
            record(actor, "changes.recorded", locked, after=told_of(added), release_id=release.pk, now=now)
    wanted = {named.key for named in found}
    rows = Change.objects.filter(release=release, reference__in={named.reference for named in found})
    return [row for row in rows if (row.kind, row.repository, row.reference) in wanted], len(added)


def attach_artifact(
    actor: Actor, release: Release, columns: Mapping[str, str], *, now: datetime
) -> tuple[Artifact, bool]:
    """Attach an artifact; return it and whether it is new: what the release has put there last is not put again.

    Raises NotPermitted, InvalidInput with every fault, or Conflict if the release is sealed.
    """
    policy.require_operate(actor, release)
    given = {name: columns.get(name, "").strip() for name in COLUMNS}
    require(_artifact_faults(given))
    with transaction.atomic():
        locked = _lock(release)
        there = Artifact.objects.filter(release=release, name=given["name"], environment=given["environment"])
        last = there.order_by("-pk").first()
        if last is not None and all(getattr(last, name) == value for name, value in given.items()):
            return last, False
        artifact = Artifact.objects.create(release=release, at=now, **given)
        after = {name: given[name] for name in ("name", "version", "environment") if given[name]}
        record(actor, "artifact.recorded", locked, after=after, release_id=release.pk, now=now)
    return artifact, True


def _artifact_faults(given: Mapping[str, str]) -> list[Fault]:
    faults = [fault for name, most in COLUMNS.items() for fault in text_faults(name, given[name], most=most)]
    if not given["name"]:
        faults.append(Fault("name", "An artifact needs a name."))
    if given["link"] and not changes.is_web_page(given["link"]):
        faults.append(Fault("link", "The link leads to no web page.", "It starts with https:// or http://."))
    return faults


def _lock(release: Release) -> Release:
    """Return the release, locked. Raises Conflict if it was aborted."""
    locked = Release.objects.select_for_update(no_key=True).get(pk=release.pk)
    if locked.state == "aborted":
        raise Conflict("An aborted release is sealed.", code="sealed")
    return locked
