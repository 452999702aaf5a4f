"""Starting a release: what it would start with, and the start itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction

from activities import secrets
from activities.canonical import secret_names
from config.errors import Conflict, Fault, InvalidInput
from config.trail import Actor, actor_name
from processes.expansion import expand
from processes.models import ProcessRevision
from processes.store import catalogue_for
from releases import assignees, policy, resolution
from releases.execution import lifecycle, taking_part
from releases.execution.snapshots import snapshot_of
from releases.models import Participant, Release, ReleaseGroup
from releases.services import breaking, gates
from releases.services.given import document_faults

#: Characters of a path of ids, so that a run's path with the indexes of its items fits its column.
LONGEST_PATH = 520


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
        expanded = expand(revision.document, revision.number, catalogue_for(revision), document_digest=revision.digest)
    except InvalidInput as error:
        return Preview(revision, {"nodes": []}, resolution.Resolved(faults=list(error.faults)))
    if faults := depth_faults(expanded["nodes"]):
        return Preview(revision, expanded, resolution.Resolved(faults=faults))
    layers = resolution.layers_of(release, given_at_start)
    misshapen = [fault for source, document in layers for fault in document_faults(source, document)]
    if misshapen:
        return Preview(revision, expanded, resolution.Resolved(faults=misshapen))
    resolved = resolution.resolve(expanded, layers, release, now)
    resolved.faults += missing_secrets([line["value"] for line in resolved.shown])
    return Preview(revision, expanded, resolved)


def depth_faults(nodes: Iterable[Mapping[str, Any]], above: str = "") -> list[Fault]:
    """Return a fault for every node whose path, below `above`, is longer than a run's row takes."""
    return [
        Fault(node["path"], "It lies too deep in subprocesses with long ids.", "Shorten the ids on the way to it.")
        for node in nodes
        if len(above) + len(node["path"]) > LONGEST_PATH
    ]


def missing_secrets(values: Any) -> list[Fault]:
    """Return a fault for every secret that `values` refer to and that has no value."""
    names = secret_names(values)
    known = secrets.known_names(names)
    return [Fault("secret", f"The secret '{name}' has no value.", "Set it.") for name in sorted(names - known)]


def start_release(
    actor: Actor,
    release: Release,
    *,
    now: datetime,
    given: Mapping[str, Any] | None = None,
    break_glass: str | None = None,
) -> Release:
    """Start a release now: pin its tree and its values, and let the machine go on from there.

    `break_glass` is the reason why it must start in spite of a freeze, a debt or another release; it leaves a debt that
    somebody else must sign off. Raises NotPermitted, InvalidInput with every fault, Stopped if something stands in its
    way, or Conflict if it has already started.
    """
    policy.require_start(actor, release.process, release.group)
    given = {} if given is None else given
    secrets.require_use(actor, given)
    with transaction.atomic():
        _hold_group(release)
        locked = _lock(release)
        locked.started_by_name = actor_name(actor)
        preview = preview_start(locked, given, now=now)
        if preview.resolved.faults or preview.revision is None:
            raise InvalidInput(preview.resolved.faults)
        found = gates.standing(locked, expanded=preview.expanded, inputs=preview.resolved.inputs, now=now)
        stops = [finding for finding in found if finding.stops]
        if break_glass is not None:
            breaking.break_glass(actor, locked, stops, reason=break_glass, now=now)
        elif stops:
            raise gates.Stopped(stops)
        snapshot, _ = snapshot_of(preview.expanded)
        take_part(locked, preview.expanded)
        lifecycle.begin(
            locked.pk,
            actor=actor,
            now=now,
            snapshot=snapshot,
            columns={
                "revision": preview.revision,
                "given_at_start": dict(given),
                "inputs": preview.resolved.inputs,
                "sources": preview.resolved.sources,
                "values": preview.resolved.values,
            },
        )
    release.refresh_from_db()
    return release


def _hold_group(release: Release) -> None:
    """Hold the row of a group whose releases wait for each other, so that two of them cannot start at once."""
    if gates.rules_of(release).get("overlap", "allow") != "allow":
        ReleaseGroup.objects.select_for_update(no_key=True, of=("self",)).get(releases=release)


def _lock(release: Release) -> Release:
    """Return the release as it is now, held until it has started: what is pinned is what was last saved.

    Raises Conflict if it has started already, or was called off.
    """
    found = Release.objects.select_for_update(no_key=True, of=("self",))
    locked = found.select_related("process", "group", "input_set", "revision").get(pk=release.pk)
    if locked.started_at is not None or locked.state not in ("draft", "scheduled"):
        message = f"The release is {locked.state.replace('_', ' ')}; only a draft or scheduled one starts."
        raise Conflict(message, code="not_startable")
    return locked


def take_part(release: Release, expanded: Mapping[str, Any]) -> None:
    """Note every group and person that owns, is assigned or approves something, so that they see the release."""
    taking_part.take_part(release.pk, {name for node in expanded["nodes"] for name in names_in(node)})
    filled = release.roles.values_list("user_id", flat=True)
    Participant.objects.bulk_create([Participant(release=release, user_id=pk) for pk in filled], ignore_conflicts=True)


def names_in(node: Mapping[str, Any]) -> list[str]:
    """Return every group, role and person that a node names, expressions left out."""
    spec = node["spec"] if node["kind"] == "manual" else {}
    approval = spec.get("approval") or {}
    names = [*node["owners"]]
    names += [group for task in spec.get("tasks") or [] for group in task["groups"]]
    names += [name for rule in approval.get("rules") or [] for name in assignees.names_of_rule(rule)]
    names += [approval["escalate_to"]] if approval.get("escalate_to") else []
    return [name for name in names if "${{" not in name]
