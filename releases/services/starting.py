"""Starting a release: what it would start with, and the start itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.auth.models import Group, User
from django.db import transaction
from processes.store import DatabaseCatalogue

from activities import secrets
from config.errors import Fault, InvalidInput
from config.trail import Actor
from processes.expansion import expand
from processes.models import ProcessRevision
from releases import assignees, policy, resolution
from releases.execution import lifecycle
from releases.execution.snapshots import snapshot_of
from releases.models import Participant, Release


@dataclass(slots=True)
class Preview:
    """What a release would start with: its revision, its tree, its values with their sources, and what stops it."""

    revision: ProcessRevision | None
    expanded: Mapping[str, Any]
    resolved: resolution.Resolved


def preview_start(release: Release, given_at_start: Mapping[str, Any], *, now: datetime) -> Preview:
    """Return what the release would start with now, with every fault that would stop it."""
    revision = release.revision or release.process.revisions.first()
    if revision is None:
        fault = Fault("process", f"{release.process} has not been published.", "Publish it first.")
        return Preview(None, {"nodes": []}, resolution.Resolved(faults=[fault]))
    try:
        expanded = expand(revision.document, revision.number, DatabaseCatalogue(), document_digest=revision.digest)
    except InvalidInput as error:
        return Preview(revision, {"nodes": []}, resolution.Resolved(faults=list(error.faults)))
    layers = resolution.layers_of(release, given_at_start)
    resolved = resolution.resolve(expanded, layers, release, now)
    resolved.faults += missing_secrets([resolved.inputs, resolved.values])
    return Preview(revision, expanded, resolved)


def missing_secrets(values: Any) -> list[Fault]:
    """Return a fault for every secret that `values` refer to and that has no value."""
    names = set(_secret_names(values))
    known = secrets.known_names(names)
    return [Fault("secret", f"The secret '{name}' has no value.", "Set it.") for name in sorted(names - known)]


def _secret_names(value: Any) -> list[str]:
    if isinstance(value, Mapping):
        if set(value) == {"secret"} and isinstance(value["secret"], str):
            return [value["secret"]]
        return [name for inner in value.values() for name in _secret_names(inner)]
    return [name for inner in value for name in _secret_names(inner)] if isinstance(value, list) else []


def start_release(actor: Actor, release: Release, *, now: datetime, given: Mapping[str, Any] | None = None) -> Release:
    """Start a release now: pin its tree and its values, and let the machine go on from there.

    Raises NotPermitted, InvalidInput with every fault, or Conflict if it has already started.
    """
    policy.require_start(actor, release.process, release.group)
    preview = preview_start(release, given or {}, now=now)
    if preview.resolved.faults or preview.revision is None:
        raise InvalidInput(preview.resolved.faults)
    with transaction.atomic():
        snapshot, _ = snapshot_of(preview.expanded)
        take_part(release, preview.expanded)
        lifecycle.begin(
            release.pk,
            actor=actor,
            now=now,
            snapshot=snapshot,
            columns={
                "revision": preview.revision,
                "given_at_start": dict(given or {}),
                "inputs": preview.resolved.inputs,
                "sources": preview.resolved.sources,
                "values": preview.resolved.values,
            },
        )
    release.refresh_from_db()
    return release


def take_part(release: Release, expanded: Mapping[str, Any]) -> None:
    """Note every group and person that owns, is assigned or approves something, so that they see the release."""
    groups, users = set(), set()
    for name in {name for node in expanded["nodes"] for name in names_in(node)}:
        kind, rest = assignees.split(name)
        {"group": groups, "user": users}.get(kind, set()).add(rest)
    rows = [Participant(release=release, group=group) for group in Group.objects.filter(name__in=groups)]
    rows += [Participant(release=release, user=user) for user in User.objects.filter(username__in=users)]
    rows += [Participant(release=release, user_id=pk) for pk in release.roles.values_list("user_id", flat=True)]
    Participant.objects.bulk_create(rows, ignore_conflicts=True)


def names_in(node: Mapping[str, Any]) -> list[str]:
    """Return every group, role and person that a node names, expressions left out."""
    spec = node["spec"] if node["kind"] == "manual" else {}
    approval = spec.get("approval") or {}
    names = [*node["owners"]]
    names += [group for task in spec.get("tasks") or [] for group in task["groups"]]
    names += [name for rule in approval.get("rules") or [] for name in assignees.names_of_rule(rule)]
    names += [approval["escalate_to"]] if approval.get("escalate_to") else []
    return [name for name in names if "${{" not in name]
