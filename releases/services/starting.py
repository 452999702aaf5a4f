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
from processes.models import ProcessRevision
from releases import assignees, bookings, mentions, policy, resolution
from releases.execution import lifecycle, taking_part
from releases.execution.snapshots import pinned
from releases.findings import Finding
from releases.models import Release, ReleaseGroup
from releases.services import break_glass as breaking
from releases.services import gates
from releases.services.given import document_faults
from releases.services.glancing import Glance, hold
from releases.touched import touched
from releases.trees import Expansion, expansion_of

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
    return preview_of(expansion_of(release), release, given_at_start, now=now)


def preview_of(
    expansion: Expansion | None, release: Release, given_at_start: Mapping[str, Any], *, now: datetime
) -> Preview:
    """The same with a tree at hand, or None where nothing is published."""
    preview = preview_without_secrets(expansion, release, given_at_start, now=now)
    preview.resolved.faults += missing_secrets([line["value"] for line in preview.resolved.shown])
    return preview


def preview_without_secrets(
    expansion: Expansion | None, release: Release, given_at_start: Mapping[str, Any], *, now: datetime
) -> Preview:
    """The same, but secrets are not asked whether they have a value. No query."""
    if expansion is None:
        fault = Fault("process", f"{release.process} has not been published.", "Publish it first.")
        return Preview(None, {"nodes": []}, resolution.Resolved(faults=[fault]))
    revision, expanded = expansion.revision, expansion.tree
    if expansion.faults:
        return Preview(revision, expanded, resolution.Resolved(faults=list(expansion.faults)))
    layers = resolution.layers_of(release, given_at_start)
    faults = depth_faults(expanded["nodes"])
    faults += [fault for source, document in layers for fault in document_faults(source, document)]
    if faults:
        return Preview(revision, expanded, resolution.Resolved(faults=faults))
    return Preview(revision, expanded, resolution.resolve(expanded, layers, release, now))


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
    known = secrets.known_names(names) if names else set()
    return [Fault("secret", f"The secret '{name}' has no value.", "Set it.") for name in sorted(names - known)]


def what_stands(release: Release, preview: Preview, *, now: datetime, holders: bool = True) -> list[Finding]:
    """Return what a start with `preview` would find in its way at a moment, its values left aside, and hold nothing.

    Without `holders`, not which running releases hold what only one may hold: they may be over by then.
    """
    whats = _touched(release, preview, now) if holders else None
    inputs = preview.resolved.inputs
    return gates.standing(release, expanded=preview.expanded, inputs=inputs, now=now, whats=whats)


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
    begin_release(actor, release, now=now, given={} if given is None else given, break_glass=break_glass)
    release.refresh_from_db()
    return release


def begin_release(
    actor: Actor,
    release: Release,
    *,
    now: datetime,
    given: Mapping[str, Any],
    break_glass: str | None = None,
    only_due: bool = False,
) -> None:
    """The same for those who need not see the release as it is then; `only_due` refuses one that was moved to later."""
    policy.require_start(actor, release.process, release.group)
    secrets.require_use(actor, given)
    with transaction.atomic():
        _hold_group(release)
        locked, seen = _lock(release, now)
        if only_due and (locked.planned_start_at is None or locked.planned_start_at > now):
            raise Conflict("The release has been moved to a later time.", code="not_due")
        locked.started_by_name = actor_name(actor)
        expansion = expansion_of(locked, seen.stamp)
        preview = preview_of(expansion, locked, given, now=now)
        if expansion is None or preview.resolved.faults:
            raise InvalidInput(preview.resolved.faults)
        whats = _touched(locked, preview, now)
        inputs, expanded = preview.resolved.inputs, preview.expanded
        found = gates.standing(locked, expanded=expanded, inputs=inputs, now=now, whats=whats, seen=seen, hold=True)
        stops = [finding for finding in found if finding.stops]
        if break_glass is not None:
            breaking.break_glass(actor, locked, stops, reason=break_glass, now=now)
        elif stops:
            raise gates.Stopped(mentions.masked(actor, stops))
        take_part(locked, expanded)
        if whats or seen.has_booked:
            bookings.book_started(locked, whats, now=now)
        lifecycle.begin(
            locked.pk,
            actor=actor,
            now=now,
            snapshot_id=pinned(expansion),
            columns={
                "revision": expansion.revision,
                "given_at_start": dict(given),
                "inputs": inputs,
                "sources": preview.resolved.sources,
                "values": preview.resolved.values,
            },
        )


def _touched(release: Release, preview: Preview, now: datetime) -> frozenset[str]:
    """Return what a release touches with just the values it starts with."""
    roles: dict[str, str] = {}
    if preview.expanded["roles"]:
        roles = dict(release.roles.values_list("role", "user__username"))
    around, resolved = resolution.known_of(release, now), preview.resolved
    return touched(preview.expanded["nodes"], resolved.inputs, around=around, given=resolved.values, roles=roles)


def _hold_group(release: Release) -> None:
    """Hold the row of a group whose releases wait for each other, so that two of them cannot start at once."""
    if gates.rules_of(release).get("overlap", "allow") != "allow":
        ReleaseGroup.objects.select_for_update(no_key=True, of=("self",)).get(releases=release)


def _lock(release: Release, now: datetime) -> tuple[Release, Glance]:
    """Return the release as it is now, held until it has started: what is pinned is what was last saved.

    Every edit of a plan counts, so one with the same count is read no second time. Raises Conflict if it has started
    already, or was called off.
    """
    seen = hold(release.pk, now=now)
    if seen.started_at is not None or seen.state not in ("draft", "scheduled"):
        message = f"The release is {seen.state.replace('_', ' ')}; only a draft or scheduled one starts."
        raise Conflict(message, code="not_startable")
    if seen.edits == release.edits:
        return release, seen
    return Release.objects.select_related("process", "group", "input_set").get(pk=release.pk), seen


def take_part(release: Release, expanded: Mapping[str, Any]) -> None:
    """Note every group and person that owns, is assigned or approves something, so that they see the release."""
    names = {name for node in expanded["nodes"] for name in names_in(node)}
    taking_part.take_part(release.pk, {*names, *(f"role:{role}" for role in expanded["roles"])})


def names_in(node: Mapping[str, Any]) -> list[str]:
    """Return every group, role and person that a node names, expressions left out."""
    spec = node["spec"] if node["kind"] == "manual" else {}
    approval = spec.get("approval") or {}
    names = [*node["owners"]]
    names += [group for task in spec.get("tasks") or [] for group in task["groups"]]
    names += [name for rule in approval.get("rules") or [] for name in assignees.names_of_rule(rule)]
    names += [approval["escalate_to"]] if approval.get("escalate_to") else []
    return [name for name in names if "${{" not in name]
