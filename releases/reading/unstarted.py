"""Why a release has not started: its plan, and what stood in its way when it was last looked at (`findings`)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.contrib.auth.models import Group, Permission, User
from django.db.models import Exists, OuterRef, Q, QuerySet
from guardian.utils import get_group_obj_perms_model, get_user_obj_perms_model

from config.trail import Actor
from releases import mentions
from releases.findings import Finding
from releases.models import Release
from releases.reading.links import MOST_NAMES, Link, full_names, listed, spoken

#: What lets somebody start a release (`policy.may_start`): app, permission, and the attribute of the release it is on.
_STARTS = (
    ("processes", "start_process", "process"),
    ("releases", "operate_releasegroup", "group"),
    ("releases", "add_release", None),
)

_CAUSES = {
    "conflict": "another release that holds the same",
    "debt": "a start that nobody has signed off",
    "frozen": "a freeze",
    "inputs": "its inputs",
    "overlap": "another release of its group",
}


def links_of(actor: Actor, release: Release, *, now: datetime) -> list[Link]:
    """Return what a release that has not started waits for, as `actor` may see it. It takes the same few queries
    whatever that is."""
    stored = mentions.masked(actor, (Finding.from_json(finding) for finding in release.findings))
    return links_with(release, stored, now=now)


def links_with(release: Release, findings: Iterable[Finding], *, now: datetime) -> list[Link]:
    """The same with what stands in its way looked up by the caller."""
    who = starters_of(release)
    by = listed(spoken(who)) or "somebody who may"
    links = [_link(finding) for finding in findings if finding.stops]
    told = {link.kind for link in links}
    if release.state == "draft" and "draft" not in told:
        links.insert(0, Link("draft", f"It is a draft until {by} schedules or starts it.", who=who))
    elif release.state in ("cancelled", "missed") and release.state not in told:
        why = f": {release.reason}" if release.reason else ""
        words = f"It was {release.state}{why}{'' if why.endswith(('.', '!', '?')) else '.'} Schedule it again to go on."
        links.insert(0, Link(release.state, words, who=who))
    elif release.state == "scheduled":
        links = [link for link in _planned(release, who, by, now) if link.kind not in told] + links
    return links


def _planned(release: Release, who: tuple[str, ...], by: str, now: datetime) -> list[Link]:
    links = []
    at = release.planned_start_at
    if at is not None and at > now:
        links.append(Link("planned_start", "Its planned start has not come.", until=at))
    if release.group is not None and release.group.body.get("auto_start", True) is False:
        words = f"Releases of {release.group.name} do not start by themselves: {by} starts it."
        links.append(Link("no_auto_start", words, who=who))
    again = release.next_try_at
    if not links and again is not None and again > now:
        links.append(Link("next_try", "The next try to start it has not come.", until=again))
    return links


def _link(finding: Finding) -> Link:
    """Return a finding as a link of the same kind."""
    return Link(
        kind=finding.code,
        words=f"{finding.message} {finding.cure}".strip(),
        path=finding.path,
        until=finding.until,
        who=full_names(finding.who),
    )


def earliest_of(links: list[Link], *, now: datetime) -> tuple[datetime | None, str]:
    """Return the earliest moment a release may start, or None with the words that say what it hangs on."""
    open_ended = [link for link in links if link.until is None]
    if not open_ended:
        return max([now, *(link.until for link in links if link.until is not None)]), ""
    kinds = {link.kind for link in open_ended}
    if kinds <= {"draft", "cancelled", "missed", "no_auto_start"}:
        who = listed(spoken(name for link in open_ended for name in link.who))
        return None, f"It hangs on {who or 'somebody who may start it'}."
    return None, f"It hangs on {listed([_cause(link) for link in open_ended], 'and')}."


def _cause(link: Link) -> str:
    who = listed(spoken(link.who))
    return _CAUSES.get(link.kind, link.kind.replace("_", " ")) + (f" ({who})" if who else "")


def starters_of(release: Release) -> tuple[str, ...]:
    """Return the groups and people that may start a release, groups first, at most MOST_NAMES; superusers left out."""
    groups = Group.objects.filter(_holds(release, "group")).order_by("name").distinct()
    people = User.objects.filter(_holds(release, "user"), is_active=True).order_by("username").distinct()
    names = [f"group:{name}" for name in groups.values_list("name", flat=True)[:MOST_NAMES]]
    names += [f"user:{name}" for name in people.values_list("username", flat=True)[:MOST_NAMES]]
    return tuple(names[:MOST_NAMES])


def _holds(release: Release, kind: str) -> Q:
    """Return the condition that a group or a person (by itself) may start the release, model-wide or on an object."""
    condition = Q(pk__in=[])
    for app, codename, attribute in _STARTS:
        target = getattr(release, attribute) if attribute else release
        if target is None:
            continue
        permission = Permission.objects.filter(content_type__app_label=app, codename=codename)
        condition |= Q(**{"permissions__in" if kind == "group" else "user_permissions__in": permission})
        if attribute:
            condition |= Q(Exists(_on_object(kind, target).filter(permission__in=permission)))
    return condition


def _on_object(kind: str, target: Any) -> QuerySet[Any]:
    model = get_group_obj_perms_model(target) if kind == "group" else get_user_obj_perms_model(target)
    found: QuerySet[Any] = model._default_manager.filter(content_object=target, **{kind: OuterRef("pk")})
    return found
