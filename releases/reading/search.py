"""What somebody looks for among releases, as it stands in an address: words, filters, an order.

What is no filter or no value of one is left out, so that every address gives a list.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import date, datetime, timedelta
from typing import Self
from urllib.parse import urlencode

from django.contrib.auth.models import User
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from config.trail import Actor
from processes.models import Process
from releases import assignees, policy
from releases.health import HEALTH, UNDER_WAY, with_health
from releases.models import Booking, Participant, Release, ReleaseGroup
from releases.states import RELEASE_SETTLED, ReleaseState

MOST_LETTERS, MOST_WORDS = 200, 8
_FIRST_DAY, _LAST_DAY = date(1980, 1, 1), date(2200, 1, 1)
_OPEN = tuple(str(state) for state in ReleaseState if state not in RELEASE_SETTLED)
_STATES: dict[str, tuple[str, ...]] = {
    "open": _OPEN,
    "under_way": UNDER_WAY,
    "finished": tuple(sorted(RELEASE_SETTLED)),
    **{str(state): (str(state),) for state in ReleaseState},
}
#: The filters whose values are words of ours.
CHOICES: dict[str, tuple[str, ...]] = {
    "state": tuple(_STATES),
    "health": HEALTH,
    "kind": ("group", "ad_hoc"),
    "sort": ("planned", "-planned", "started", "-started", "finished", "-finished", "name", "-name"),
}


@dataclass(frozen=True, slots=True)
class Search:
    """A search: `who` is `me` or a name such as `group:qa` or `user:ann`; `since` and `until` are days of the plan."""

    q: str = ""
    state: str = ""
    health: str = ""
    group: str = ""
    process: str = ""
    kind: str = ""
    who: str = ""
    resource: str = ""
    since: str = ""
    until: str = ""
    sort: str = ""

    @classmethod
    def of(cls, data: Mapping[str, str]) -> Self:
        """Return the search of an address; what makes no sense in it is left out."""
        given = {one.name: " ".join(data.get(one.name, "").replace("\0", "").split()) for one in fields(cls)}
        return cls(**{name: text for name, text in given.items() if _makes_sense(name, text)})

    @property
    def filters(self) -> dict[str, str]:
        """What narrows the list, by name."""
        found = {one.name: str(getattr(self, one.name)) for one in fields(self)}
        return {name: text for name, text in found.items() if text and name != "sort"}

    def query(self, **instead: str) -> str:
        """Return it as an address's query, with some values replaced; the same search is always the same text."""
        found = {one.name: instead.get(one.name, str(getattr(self, one.name))) for one in fields(self)}
        return urlencode({name: text for name, text in found.items() if text})


def _makes_sense(name: str, text: str) -> bool:
    if name in CHOICES:
        return text in CHOICES[name]
    return bool(_day(text)) if name in ("since", "until") else len(text) <= MOST_LETTERS


def _day(text: str) -> date | None:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if _FIRST_DAY <= day <= _LAST_DAY else None


def found_by(actor: Actor, search: Search, releases: QuerySet[Release]) -> QuerySet[Release]:
    """Return the part of `releases` that a search finds; days are those of the current zone."""
    if search.state:
        releases = releases.filter(state__in=_STATES[search.state])
    if search.health:
        releases = with_health(releases.filter(state__in=UNDER_WAY)).filter(Q(health=search.health))
    if search.group:
        releases = releases.filter(group__slug=search.group)
    if search.process:
        releases = releases.filter(process__slug=search.process)
    if search.kind:
        releases = releases.filter(group__isnull=search.kind == "ad_hoc")
    if search.who:
        releases = releases.filter(_concerns(actor, search.who))
    if search.resource:
        held = Booking.objects.filter(release=OuterRef("pk"), what=f"resource:{search.resource}")
        releases = releases.filter(Exists(held))
    for name, text in (("gte", search.since), ("lt", search.until)):
        if day := _day(text):
            releases = releases.filter(**{f"planned_start_at__{name}": _midnight(day + timedelta(days=name == "lt"))})
    return _with_words(releases, search.q)


def _midnight(day: date) -> datetime:
    return timezone.make_aware(datetime(day.year, day.month, day.day))  # noqa: DTZ001 - made aware here


def _concerns(actor: Actor, who: str) -> Q:
    """Return the condition that a release has somebody taking part in it; `me` also made or started it."""
    if who == "me" and isinstance(actor, User):
        return policy.concerns(actor)
    part = Participant.objects.filter(release=OuterRef("pk"))
    kind, name = assignees.split(who)
    return Q(Exists(part.filter(**{"user__username" if kind == "user" else "group__name": name})))


def _with_words(releases: QuerySet[Release], text: str) -> QuerySet[Release]:
    """Return the releases that have every word in their own name or version, or their process's or group's name.

    The few processes and groups are looked up first, so that the many releases are not joined to find them.
    """
    for word in text.split()[:MOST_WORDS]:
        named = Q(name__icontains=word) | Q(slug__icontains=word)
        processes = list(Process.objects.filter(named).order_by().values_list("pk", flat=True))
        groups = list(ReleaseGroup.objects.filter(named).order_by().values_list("pk", flat=True))
        own = Q(name__icontains=word) | Q(version__icontains=word)
        releases = releases.filter(own | Q(process__in=processes) | Q(group__in=groups))
    return releases
