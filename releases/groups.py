"""Release groups as documents: applied, given back, deleted; and what of this app uses a blueprint."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Model, QuerySet

from activities.fields import searchable
from config.errors import Fault, InvalidInput
from config.permissions import require
from config.trail import Actor, record
from processes import kinds
from processes.checks_calendar import check_release_group
from processes.document import canonical, digest
from processes.models import InputSet, Process, Resource
from processes.schema_words import did_you_mean
from processes.services.removing import delete_row, require_free
from processes.services.saving import require_version
from processes.uses import Use
from releases import policy
from releases.models import Freeze, Release, ReleaseGroup
from releases.services import trains
from releases.services.trains import Change

Document = Mapping[str, Any]
MOST_RELEASES = 20


@dataclass(frozen=True, slots=True)
class Saved:
    """A release group as saved: created, changed or unchanged, and what that did to its planned releases."""

    group: ReleaseGroup
    status: str
    changes: list[Change] = field(default_factory=list)


def save_group(
    actor: Actor, document: Document, *, now: datetime, expected_version: int | None = None
) -> tuple[ReleaseGroup, str]:
    """The same as `save_planned`, without what it did to planned releases."""
    saved = save_planned(actor, document, now=now, expected_version=expected_version)
    return saved.group, saved.status


def preview_group(actor: Actor, document: Document, *, now: datetime) -> Saved:
    """What saving the document would do to the group's planned releases; nothing of it stays. Raises the same."""
    with transaction.atomic():
        saved = save_planned(actor, document, now=now)
        transaction.set_rollback(True)
    return saved


@transaction.atomic
def save_planned(
    actor: Actor,
    document: Document,
    *,
    now: datetime,
    expected_version: int | None = None,
    ahead: timedelta = trains.HORIZON,
) -> Saved:
    """Makes the release group what the document says, and plans its releases anew, so far `ahead`.

    Who links it to a process must be allowed to start that process, since the group will. `expected_version` is the
    version the caller has seen, 0 when there must be none yet. Raises NotPermitted, InvalidInput with every fault,
    Conflict (`stale`).
    """
    check_release_group(document).require()
    found = ReleaseGroup.objects.select_for_update(no_key=True).filter(slug=document["id"]).first()
    require(actor, "releases.change_releasegroup" if found else "releases.add_releasegroup", found)
    group = found or ReleaseGroup(slug=document["id"], version=0)
    require_version(group, expected_version)
    before = export_group(group) if found else None
    process, input_set = _links(document)
    if group.process_id != process.pk:
        policy.require_start(actor, process)
    group.process, group.input_set = process, input_set
    _take(group, document, "name", "description", "color", without=("kind", "id", "process", "input_set"))
    after = export_group(group)
    if before is not None and canonical(before) == canonical(after):
        return Saved(group, kinds.UNCHANGED)
    group.version += 1
    group.save()
    seen = {"version": group.version - 1, "digest": digest(before)} if before else None
    verb = "release_group.changed" if found else "release_group.created"
    record(actor, verb, group, before=seen, after={"version": group.version, "digest": digest(after)}, now=now)
    changes = trains.plan_saved(actor, group, now=now, ahead=ahead)
    if before is not None and any(before.get(rule) != after.get(rule) for rule in trains.POLICIES):
        trains.look_anew(actor, group, now=now)
    return Saved(group, kinds.CHANGED if found else kinds.CREATED, changes)


def apply_group(actor: Actor, document: Document, *, now: datetime) -> str:
    """The same as `save_group`, for `kinds`."""
    return save_group(actor, document, now=now)[1]


def export_group(group: ReleaseGroup) -> dict[str, Any]:
    """The release group's document."""
    document = {"kind": "ReleaseGroup", "id": group.slug, **_keys(group, "name", "description", "color")}
    document["process"] = group.process.slug
    return {**document, "input_set": group.input_set.slug} if group.input_set is not None else document


@transaction.atomic
def delete_group(actor: Actor, group: ReleaseGroup, *, now: datetime) -> None:
    """Deletes a release group, with what its cadence has planned and nobody has touched.

    Raises NotPermitted, or Conflict naming every user of it, other releases among them.
    """
    require(actor, "releases.delete_releasegroup", group)
    ReleaseGroup.objects.select_for_update().filter(pk=group.pk).values_list("pk").first()
    trains.withdraw_untouched(actor, group, now=now)
    require_free(group)
    record(actor, "release_group.deleted", group, before={"version": group.version}, now=now)
    delete_row(group)


def find_uses(thing: Model) -> Iterator[Use]:
    """The release groups, freezes and (newest) releases that use a process, an input set, a resource or a group."""
    if isinstance(thing, (Process, InputSet)):
        for group in thing.release_groups.all():
            yield Use("ReleaseGroup", group.slug, group.name)
    if isinstance(thing, ReleaseGroup):
        for group in _groups_derived_from(thing):
            yield Use("ReleaseGroup", group.slug, group.name, ("cadence.derive",))
    if isinstance(thing, (Process, InputSet, ReleaseGroup)):
        releases = Release.objects.filter(**{_LINKS[type(thing)]: thing}).exclude(trains.UNTOUCHED)
        for release in releases[:MOST_RELEASES]:
            yield Use("Release", str(release.pk), str(release))
    for key in _scopes(thing):
        for freeze in _freezes_of(key, getattr(thing, "slug", "")):
            yield Use("Freeze", freeze.slug, freeze.name, (f"scope.{key}",))


def _groups_derived_from(group: ReleaseGroup) -> QuerySet[ReleaseGroup]:
    return ReleaseGroup.objects.alias(found=searchable("body")).filter(found__cadence__derive__group=group.slug)


def _freezes_of(key: str, slug: str) -> QuerySet[Freeze]:
    named: Any = {key: [slug]}
    return Freeze.objects.alias(found=searchable("body")).filter(found__scope__contains=named)


_LINKS: dict[type[Model], str] = {Process: "process", InputSet: "input_set", ReleaseGroup: "group"}


def _scopes(thing: Model) -> tuple[str, ...]:
    if isinstance(thing, Resource):
        return ("resources", "environments" if thing.type == Resource.Type.ENVIRONMENT else "services")
    return {Process: ("processes",), ReleaseGroup: ("groups",)}.get(type(thing), ())


def _links(document: Document) -> tuple[Process, InputSet | None]:
    process = Process.objects.filter(slug=document["process"]).first()
    input_set = InputSet.objects.filter(slug=document.get("input_set", "")).first()
    derived = document.get("cadence", {}).get("derive", {}).get("group")
    faults: list[Fault] = []
    if process is None:
        faults.append(_missing("process", "process", document["process"], Process))
    if input_set is None and "input_set" in document:
        faults.append(_missing("input_set", "input set", document["input_set"], InputSet))
    if process and input_set and input_set.process_id != process.pk:
        words = f"The input set '{input_set.slug}' belongs to another process."
        faults.append(Fault("input_set", words, f"Choose one of '{process.slug}'."))
    if derived == document["id"]:
        faults.append(Fault("cadence.derive.group", "The group derives from itself.", "Name another group."))
    elif derived and not ReleaseGroup.objects.filter(slug=derived).exists():
        faults.append(_missing("cadence.derive.group", "release group", derived, ReleaseGroup))
    if faults or process is None:
        raise InvalidInput(faults)
    return process, input_set


def _missing(path: str, what: str, slug: str, table: type[Model]) -> Fault:
    known = table._default_manager.values_list("slug", flat=True)
    return Fault(path, f"There is no {what} '{slug}'.", did_you_mean(slug, known, f"Apply the {what} first."))


def _take(row: ReleaseGroup, document: Document, *columns: str, without: tuple[str, ...]) -> None:
    """Writes the columns; every other key, and a column's empty value, goes into the body."""
    for name in columns:
        setattr(row, name, document.get(name, ""))
    filled = {name for name in columns if document.get(name)}
    row.body = {key: value for key, value in document.items() if key not in without and key not in filled}


def _keys(row: ReleaseGroup, *columns: str) -> dict[str, Any]:
    return {**row.body, **{name: getattr(row, name) for name in columns if getattr(row, name)}}
