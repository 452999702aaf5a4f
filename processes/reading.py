"""Blueprints as pages show them: a list at a glance, one with what surrounds it, as far as the reader may see that."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Count, Model, QuerySet

from activities.canonical import digest as store_digest
from activities.models import Activity, ActivityRevision
from config.trail import Actor
from processes import drafts
from processes.document import digest
from processes.models import ActivityUse, PhaseActivity, Process, ProcessRevision
from processes.seeing import visible_processes, visible_things
from processes.uses import Use, used_by

UNDER_WAY = ("running", "paused")


@dataclass(slots=True)
class Overview:
    """A process or store activity at a glance; `latest` is its newest revision, without its document.

    `groups`, `running` and `users` count what the reader may see.
    """

    thing: Any
    latest: Any = None
    differs: bool = False
    groups: int = 0
    running: int = 0
    users: int = 0


def process_overviews(actor: Actor, processes: QuerySet[Process], *, most: int) -> list[Overview]:
    """The first `most` processes at a glance; the same few queries for any number."""
    found = [Overview(process) for process in drafts.with_rows(processes)[:most]]
    keys = [one.thing.pk for one in found]
    latest = _latest(ProcessRevision.objects.filter(process__in=keys), "process")
    groups = _counts(visible_things(actor, "ReleaseGroup").filter(process__in=keys))
    running = _counts(visible_things(actor, "Release").filter(process__in=keys, state__in=UNDER_WAY))
    for one in found:
        one.latest = latest.get(one.thing.pk)
        one.differs = one.latest is None or one.latest.digest != digest(drafts.compose(one.thing))
        one.groups, one.running = groups.get(one.thing.pk, 0), running.get(one.thing.pk, 0)
    return found


def activity_overviews(actor: Actor, activities: QuerySet[Activity], *, most: int) -> list[Overview]:
    """The first `most` store activities at a glance; the same few queries for any number."""
    found = [Overview(activity) for activity in activities[:most]]
    keys = [one.thing.pk for one in found]
    latest = _latest(ActivityRevision.objects.filter(activity__in=keys), "activity")
    users = _users(actor, keys)
    for one in found:
        one.latest = latest.get(one.thing.pk)
        one.differs = one.latest is None or one.latest.digest != store_digest(one.thing.draft)
        one.users = len(users.get(one.thing.pk, ()))
    return found


@dataclass(slots=True)
class Around:
    """What uses a thing: those that the reader may see, by kind, and how many more there are."""

    seen: list[Use] = field(default_factory=list)
    hidden: int = 0


def around(actor: Actor, thing: Model) -> Around:
    """Who uses a process or store activity, as far as `actor` may see them."""
    uses = used_by(thing)
    seen: list[Use] = []
    for kind in dict.fromkeys(use.kind for use in uses):
        seen += _seen(actor, kind, [use for use in uses if use.kind == kind])
    return Around(seen, len(uses) - len(seen))


def known_slugs(actor: Actor, kind: str, slugs: Iterable[str]) -> set[str]:
    """Which of these ids `actor` may see: pages link those only."""
    wanted = {slug for slug in slugs if slug}
    return set(visible_things(actor, kind).filter(slug__in=wanted).values_list("slug", flat=True)) if wanted else set()


def _seen(actor: Actor, kind: str, uses: Sequence[Use]) -> list[Use]:
    key = "pk" if kind == "Release" else "slug"
    rows = visible_things(actor, kind).filter(**{f"{key}__in": [use.id for use in uses]})
    known = {str(value) for value in rows.values_list(key, flat=True)}
    return [use for use in uses if use.id in known]


def _latest(revisions: QuerySet[Any], owner: str) -> Mapping[int, Any]:
    newest = revisions.defer("document").order_by(f"{owner}_id", "-number").distinct(f"{owner}_id")
    return {getattr(one, f"{owner}_id"): one for one in newest}


def _counts(rows: QuerySet[Any]) -> dict[int, int]:
    return dict(rows.order_by().values_list("process").annotate(Count("pk")))


def _users(actor: Actor, activities: Sequence[int]) -> dict[int, set[int]]:
    """The visible processes that use each store activity, in their drafts or in any revision."""
    processes = visible_processes(actor).values("pk")
    drafted = PhaseActivity.objects.filter(activity__in=activities, phase__process__in=processes)
    published = ActivityUse.objects.filter(activity__in=activities, revision__process__in=processes)
    found: dict[int, set[int]] = {}
    for rows in (
        drafted.order_by().values_list("activity", "phase__process").distinct(),
        published.order_by().values_list("activity", "revision__process").distinct(),
    ):
        for activity, process in rows:
            found.setdefault(activity or 0, set()).add(process)
    return found
