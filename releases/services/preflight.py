"""Before a release starts: the complete list of what would stop it or disturb it.

What the start itself asks (late, frozen, a debt, other releases) comes from `gates.standing`, asked as of the planned
start; the rest is looked up here. What concerns other releases at a start that lies ahead is read from the plans, not
from who happens to run now. Codes are stable: `not_published`, `inputs`, `secret_missing`, `connection_missing`,
`connection_disabled`, `provider_off`, `frozen`, `activity_frozen`, `owners_missing`, `approvers_too_few`,
`role_unfilled`, `conflict`, `holiday`, `overlap`, `debt`, `no_start_by_itself`, `late`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from activities.runners import runner_for
from config.errors import RunnerError
from releases import freezes
from releases.conflicts import Conflict, Stretch, end_of, finding_of, overlaps
from releases.findings import Finding
from releases.freezes import Applies
from releases.models import Release
from releases.resolution import known_of
from releases.scopes import Subject, in_scope, subject_of_activity
from releases.services import gates, starting
from releases.services.outlook import Around, Outlook, fault_path, outlooks_of, read_around
from releases.services.preflight_people import approver_findings, owner_findings, role_findings
from releases.tree import CONTAINERS, Tree

#: Days of a planned window that are looked through for holidays.
MOST_DAYS = 366
MOST_NAMED = 5


def preflight(release: Release, *, now: datetime) -> list[Finding]:
    """Return everything that would stop a release (`stops`) or disturb it, the former first; nothing once started."""
    return preflight_many([release], now=now)[release.pk]


def preflight_many(releases: Sequence[Release], *, now: datetime) -> dict[int, list[Finding]]:
    """The same for many releases, by id; what they have in common is looked up once."""
    unstarted = [release for release in releases if release.started_at is None]
    outlooks = outlooks_of(unstarted, now=now)
    around = read_around(outlooks)
    found: dict[int, list[Finding]] = {release.pk: [] for release in releases}
    for outlook in outlooks:
        findings = list(_findings(outlook, around, now))
        found[outlook.release.pk] = sorted(findings, key=lambda finding: not finding.stops)
    return found


def _findings(outlook: Outlook, around: Around, now: datetime) -> Iterator[Finding]:
    yield from _published(outlook)
    if not outlook.nodes:
        return
    yield from _inputs(outlook)
    yield from _connections(outlook, around)
    yield from owner_findings(outlook, around)
    yield from role_findings(outlook, around)
    yield from approver_findings(outlook, around)
    yield from _standing(outlook, now)
    yield from _frozen_later(outlook, around)
    is_due = outlook.window.starts_at <= now
    conflicts = around.conflicts.get(outlook.release.pk, [])
    yield from _conflicts([one for one in conflicts if not (is_due and one.stops)])
    yield from _siblings(outlook, around, now)
    yield from _holidays(outlook, around)
    if outlook.release.state == "scheduled" and not gates.starts_itself(outlook.release):
        yield Finding("no_start_by_itself", "It does not start by itself.", "Somebody starts it.", stops=False)


def _published(outlook: Outlook) -> Iterator[Finding]:
    if outlook.preview.revision is None:
        message = f"{outlook.release.process} has not been published."
        yield Finding("not_published", message, "Publish it.", path=outlook.release.process.slug)
    elif not outlook.nodes:
        for fault in outlook.preview.resolved.faults:
            yield Finding("not_published", fault.message, fault.cure, path=fault.path)


def _inputs(outlook: Outlook) -> Iterator[Finding]:
    for fault in outlook.preview.resolved.faults:
        yield Finding("inputs", fault.message, fault.cure, path=fault_path(fault))
    for name in sorted(outlook.missing_secrets):
        yield Finding("secret_missing", f"The secret '{name}' has no value.", "Set it.", path=name)


def _connections(outlook: Outlook, around: Around) -> Iterator[Finding]:
    """Yield a finding for each connection that automated activities use and that would refuse their work."""
    users: dict[str, str] = {}
    required: set[str] = set()
    for node in outlook.nodes:
        slug = str(node["spec"].get("connection", "")) if node["kind"] == "automated" else ""
        if slug and "${{" not in slug:
            users.setdefault(slug, node["path"])
            required |= {slug} if node["required"] else set()
    for slug, path in users.items():
        stops = slug in required
        if slug not in around.connections:
            message = f"There is no connection '{slug}', which '{path}' uses."
            yield Finding("connection_missing", message, "Create it.", stops=stops, path=path)
            continue
        provider, enabled = around.connections[slug]
        if not enabled:
            message = f"The connection '{slug}', which '{path}' uses, is disabled."
            yield Finding("connection_disabled", message, "Enable it.", stops=stops, path=path)
        elif _is_off(provider):
            message = f"This installation does not run '{provider}', which the connection '{slug}' needs."
            yield Finding("provider_off", message, "An administrator switches it on.", stops=stops, path=path)


def _is_off(provider: str) -> bool:
    try:
        runner = runner_for(provider)
    except RunnerError:
        return True
    return not getattr(runner, "enabled", True)


def _standing(outlook: Outlook, now: datetime) -> Iterator[Finding]:
    """Yield what the start itself would ask at the planned start; of other releases only if that is due."""
    at = outlook.window.starts_at
    found = starting.what_stands(outlook.release, outlook.preview, now=at, holders=at <= now)
    yield from (finding for finding in found if at <= now or finding.code != "overlap")


def _frozen_later(outlook: Outlook, around: Around) -> Iterator[Finding]:
    """Yield which activities freezes within the planned window would hold, those at the very start left out.

    Of a release that is planned to no end, each freeze is told of once: when it comes next.
    """
    begins = outlook.window.starts_at
    windows = [one for one in around.windows if overlaps(one.block, outlook.window)]
    if not windows:
        return
    whole, subjects = _subjects(outlook, around)
    held = {
        id(one): [path for path, subject in subjects.items() if in_scope(one.scope, subject)]
        for one in windows
        if not (one.block.starts_at <= begins and in_scope(one.scope, whole))
    }
    asked = [Applies(one.block, {"everything": True}) for one in windows if held.get(id(one))]
    blocks = freezes.blocks_of(asked, whole, at=begins, release=outlook.release)
    left, told = {(block.freeze_id, block.ends_at): block for block in blocks}, set()
    for one in sorted(windows, key=lambda one: one.block.starts_at):
        paths, block = held.get(id(one)), left.get((one.block.freeze_id, one.block.ends_at))
        if paths and block is not None and (outlook.window.ends_at or block.freeze_id not in told):
            told.add(block.freeze_id)
            named = ", ".join(paths[:MOST_NAMED]) + (" …" if len(paths) > MOST_NAMED else "")
            count = "1 activity" if len(paths) == 1 else f"{len(paths)} activities"
            message = (
                f"The freeze '{block.name}' from {one.block.starts_at:%Y-%m-%d %H:%M} UTC may hold {count}: {named}."
            )
            cure = "Plan around it, or ask for an exception."
            yield Finding("activity_frozen", message, cure, stops=False, path=block.slug, until=block.ends_at)


def _subjects(outlook: Outlook, around: Around) -> tuple[Subject, dict[str, Subject]]:
    """Return what freezes see of a release, and of each of its activities by path."""
    release, resolved = outlook.release, outlook.preview.resolved
    known = known_of(release, outlook.window.starts_at)
    tree = Tree.from_snapshot(outlook.preview.expanded)
    whole = freezes.subject_of(release, outlook.nodes[0], resolved.inputs, kinds=around.kinds, known=known)
    leaves = [node for node in tree.nodes if node.kind not in CONTAINERS]
    return whole, {
        node.doc["path"]: subject_of_activity(
            tree,
            node.ordinal,
            release=whole,
            inputs={0: resolved.inputs},
            kinds=around.kinds,
            given=resolved.values,
            known=known,
        )
        for node in leaves
    }


def _conflicts(conflicts: Sequence[Conflict]) -> Iterator[Finding]:
    """Yield a finding for each conflict; those of one owning group become one, since groups do much at once."""
    groups = Counter(conflict.what for conflict in conflicts if conflict.kind == "group")
    told: set[str] = set()
    for conflict in conflicts:
        if conflict.kind != "group" or groups[conflict.what] == 1:
            yield finding_of(conflict)
        elif conflict.what not in told:
            told.add(conflict.what)
            words = f"The group '{conflict.bare}' owns work in {groups[conflict.what]} other releases at the same time."
            yield replace(finding_of(conflict), message=words, path="", until=None)


def _siblings(outlook: Outlook, around: Around, now: datetime) -> Iterator[Finding]:
    """Yield the releases of the same group that are planned across this one, where the group does not allow that."""
    release = outlook.release
    if outlook.window.starts_at <= now and release.state == "scheduled":
        return
    for other in around.siblings.get(release.group_id or 0, ()):
        start, end = other.started_at or other.planned_start_at, other.planned_end_at
        if other.pk == release.pk or start is None:
            continue
        planned = Stretch(start, end if other.started_at is None or (end is not None and end > now) else None)
        if start <= outlook.window.starts_at < end_of(planned):
            message = "Another release of the group is planned to run then."
            skips = release.group is not None and release.group.body.get("overlap") == "skip"
            cure = "It would be skipped." if skips else "It would wait until that one is over."
            yield Finding("overlap", message, cure, path=f"R-{other.pk}", until=planned.ends_at)


def _holidays(outlook: Outlook, around: Around) -> Iterator[Finding]:
    """Yield the days off, in the group's calendar and zone, that the planned window touches."""
    cadence = (outlook.release.group.body.get("cadence") or {}) if outlook.release.group is not None else {}
    calendar = (cadence.get("holidays") or {}).get("calendar")
    days = around.days.get(str(calendar))
    if days is None or outlook.release.planned_start_at is None:
        return
    zone = ZoneInfo(str(cadence.get("timezone", "UTC")))
    day = outlook.window.starts_at.astimezone(zone).date()
    end = outlook.window.ends_at or outlook.window.starts_at
    last = min(
        max(end - timedelta(microseconds=1), outlook.window.starts_at).astimezone(zone).date(),
        day + timedelta(days=MOST_DAYS),
    )
    while day <= last:
        name = days.holiday(day)
        if name is not None:
            yield Finding(
                "holiday", f"{day:%a %d %b} is a day off: {name} ({calendar}).", stops=False, path=day.isoformat()
            )
        day += timedelta(days=1)
