"""What the preflight needs to know, read once for however many releases it looks at."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.contrib.auth.models import Group, User
from django.db.models import Q, prefetch_related_objects

from activities import secrets
from activities.canonical import secret_names
from activities.models import Connection
from config.errors import ExpressionFailed, Fault, InvalidInput
from processes import expressions
from processes.inputs import typed
from releases import assignees, bookings, freezes
from releases.cadence import WorkingDays, working_days
from releases.calendars import calendars_in, load_calendars
from releases.conflicts import Conflict, Stretch, end_of
from releases.freezes import Applies
from releases.models import Release, ReleaseRole
from releases.services.gates import starts_itself
from releases.services.starting import Preview, preview_without_secrets
from releases.trees import expansions_of


@dataclass(frozen=True, slots=True)
class Outlook:
    """One release with what it would start with, and when it would start and end as planned.

    `starter` is who would start it, as far as that is known: nobody when it starts by itself, else whoever made it.
    """

    release: Release
    preview: Preview
    window: Stretch
    starter: int | None
    missing_secrets: frozenset[str] = frozenset()

    @property
    def nodes(self) -> Sequence[Mapping[str, Any]]:
        """The tree's nodes, parents first; none when nothing fit to run is published."""
        return self.preview.expanded.get("nodes") or ()


@dataclass(slots=True)
class Around:
    """What is there beside the releases: active people by name, members by group, connections, freezes, days off."""

    people: dict[str, int] = field(default_factory=dict)
    members: dict[str, frozenset[int]] = field(default_factory=dict)
    roles: dict[int, dict[str, int]] = field(default_factory=dict)
    connections: dict[str, tuple[str, bool]] = field(default_factory=dict)
    windows: list[Applies] = field(default_factory=list)
    kinds: dict[str, str] = field(default_factory=dict)
    days: dict[str, WorkingDays] = field(default_factory=dict)
    conflicts: dict[int, list[Conflict]] = field(default_factory=dict)
    siblings: dict[int, list[Release]] = field(default_factory=dict)

    def eligible(self, release_id: int, names: Iterable[str]) -> frozenset[int]:
        """Return the ids of the active people that `names` stand for in a release."""
        found: set[int] = set()
        for name in names:
            kind, rest = assignees.split(name)
            if kind == "group":
                found |= self.members.get(rest, frozenset())
            else:
                known = self.people if kind == "user" else self.roles.get(release_id, {})
                found |= {known[rest]} & set(self.people.values()) if rest in known else set()
        return frozenset(found)


def outlooks_of(releases: Sequence[Release], *, now: datetime) -> list[Outlook]:
    """Return what each release would start with, in the same few queries for all of them."""
    prefetch_related_objects(list(releases), "group", "process", "input_set")
    expansions = zip(expansions_of(releases), releases, strict=True)
    previews = [preview_without_secrets(expansion, release, {}, now=now) for expansion, release in expansions]
    named = [secret_names([line["value"] for line in preview.resolved.shown]) for preview in previews]
    known = secrets.known_names({name for names in named for name in names})
    return [
        Outlook(release, preview, _window(release, now), _starter(release), frozenset(names - known))
        for release, preview, names in zip(releases, previews, named, strict=True)
    ]


def _window(release: Release, now: datetime) -> Stretch:
    """Return when a release would run: from its planned start, or now, for as long as planned."""
    start, end = release.planned_start_at, release.planned_end_at
    if start is None or start < now:
        return Stretch(now, None if start is None or end is None else max(end, now))
    return Stretch(start, end)


def _starter(release: Release) -> int | None:
    starts_alone = release.state == "scheduled" and starts_itself(release)
    return None if starts_alone else release.created_by_id


def read_around(outlooks: Sequence[Outlook]) -> Around:
    """Return everything the checks ask about the site, in the same few queries for all outlooks."""
    around, releases = Around(), [one.release for one in outlooks]
    _read_people(around, outlooks)
    slugs = {
        str(node["spec"].get("connection")) for one in outlooks for node in one.nodes if node["kind"] == "automated"
    }
    for slug, provider, enabled in Connection.objects.filter(slug__in=slugs).values_list("slug", "provider", "enabled"):
        around.connections[slug] = (provider, enabled)
    if outlooks:
        first, last = min(one.window.starts_at for one in outlooks), max(end_of(one.window) for one in outlooks)
        around.windows = freezes.windows_between(first, last)
    if around.windows:
        around.kinds = freezes.kinds_of_resources()
    around.days = _days_off(releases)
    around.conflicts = bookings.conflicts_of_many(releases)
    around.siblings = _siblings(releases)
    return around


def _read_people(around: Around, outlooks: Sequence[Outlook]) -> None:
    names = [assignees.split(name) for one in outlooks for node in one.nodes for name in names_of(one, node)]
    groups = {rest for kind, rest in names if kind == "group"}
    around.members = {
        name: frozenset() for name in Group.objects.filter(name__in=groups).values_list("name", flat=True)
    }
    roles = ReleaseRole.objects.filter(release__in=[one.release.pk for one in outlooks])
    filled = roles.values_list("release_id", "role", "user_id")
    for release_id, role, user_id in filled:
        around.roles.setdefault(release_id, {})[role] = user_id
    wanted = Q(groups__name__in=groups) | Q(username__in={rest for kind, rest in names if kind == "user"})
    wanted |= Q(pk__in={pk for people in around.roles.values() for pk in people.values()})
    for pk, username, group in User.objects.filter(wanted, is_active=True).values_list(
        "pk", "username", "groups__name"
    ):
        around.people[username] = pk
        if group in around.members:
            around.members[group] |= {pk}


def names_of(outlook: Outlook, node: Mapping[str, Any]) -> list[str]:
    """Return the owners of a node and those its approval names."""
    return [*node["owners"], *(name for rule in rules_of(outlook, node) for name in assignees.names_of_rule(rule))]


def rules_of(outlook: Outlook, node: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the approval rules of a manual node as far as they can be read before the start; none of any other."""
    rules = (node["spec"].get("approval") or {}).get("rules") or [] if node["kind"] == "manual" else []
    if not rules:
        return []
    above = outlook.nodes[node["parent"]]
    known = {"phase": {"owners": list(above["owners"])}}
    if node["scope"] == 0:
        known["inputs"] = typed(outlook.nodes[0]["inputs"], outlook.preview.resolved.inputs)
    return [read for rule in rules if (read := _read(rule, known)) is not None]


def _read(rule: Mapping[str, Any], known: Mapping[str, Any]) -> dict[str, Any] | None:
    try:
        return dict(expressions.evaluate(dict(rule), known))
    except ExpressionFailed:
        return None


def _days_off(releases: Sequence[Release]) -> dict[str, WorkingDays]:
    """Return the calendars that the releases' groups keep to, by name; one that is not known is left out."""
    cadences = [one.group.body.get("cadence") or {} for one in releases if one.group is not None]
    named = calendars_in(cadences)
    imported = load_calendars(named)
    found: dict[str, WorkingDays] = {}
    for name in named:
        try:
            found[name] = working_days(name, imported)
        except InvalidInput:  # the group's own page says so
            continue
    return found


def _siblings(releases: Sequence[Release]) -> dict[int, list[Release]]:
    """Return the unfinished releases with a plan of the groups that do not allow overlaps, by group."""
    strict = {
        one.group_id for one in releases if one.group is not None and one.group.body.get("overlap", "allow") != "allow"
    }
    found: dict[int, list[Release]] = {}
    if not strict:
        return found
    unfinished = Release.objects.filter(group__in=strict, state__in=(*bookings.RUNNING, "scheduled"))
    columns = ("name", "version", "state", "group_id", "planned_start_at", "planned_end_at", "started_at")
    for release in unfinished.only(*columns).order_by("planned_start_at", "pk"):
        found.setdefault(release.group_id or 0, []).append(release)
    return found


def fault_path(fault: Fault) -> str:
    """Return the place of a fault without the word that all inputs of the process share."""
    return fault.path.removeprefix("inputs.")
