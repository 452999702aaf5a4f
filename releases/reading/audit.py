"""The trail, searched: which events somebody may see, which of them they ask for, and what each one changed.

Holders of `config.view_event` see every event; everybody else those of the releases they may see, as on a release's own
page.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.contrib.postgres.search import SearchQuery, SearchVector
from django.db import connection
from django.db.models import Q, QuerySet

from config.models import Event
from config.permissions import allowed
from config.trail import Actor
from processes.diff import diff
from releases import mentions, policy

SEE_ALL = "config.view_event"
#: With at most so many releases their ids are named to the database, which then goes straight to their events.
MOST_NAMED = 500
#: How many events are read at once for a file.
AT_ONCE = 1_000
_EVERY_VERB = """
WITH RECURSIVE known AS (
  (SELECT verb FROM config_event ORDER BY verb LIMIT 1)
  UNION ALL
  SELECT (SELECT verb FROM config_event WHERE verb > known.verb ORDER BY verb LIMIT 1) FROM known WHERE verb IS NOT NULL
) SELECT verb FROM known WHERE verb IS NOT NULL LIMIT 500
"""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which events: empty means any. `words` all occur in the reason; `since` and before `until` it happened."""

    actor: str = ""
    verb: str = ""
    subject: str = ""
    subject_id: int | None = None
    release: int | None = None
    since: datetime | None = None
    until: datetime | None = None
    words: str = ""
    request: str = ""

    @property
    def is_period(self) -> bool:
        """Whether a period is asked for."""
        return self.since is not None or self.until is not None


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that an event changed; None where there was, or is, nothing."""

    path: str
    before: Any
    after: Any


@dataclass(slots=True)
class Told:
    """An event with what it changed; `is_linked` when the reader may see its release."""

    event: Event
    differences: list[Difference] = field(default_factory=list)
    is_linked: bool = False


def sees_all(actor: Actor) -> bool:
    """Return whether `actor` may see every event."""
    return allowed(actor, SEE_ALL)


def visible_events(actor: Actor) -> QuerySet[Event]:
    """Return the events that `actor` may see."""
    if sees_all(actor):
        return Event.objects.all()
    releases = policy.visible_releases(actor).order_by()
    named = list(releases.values_list("pk", flat=True)[: MOST_NAMED + 1])
    if len(named) > MOST_NAMED:
        return Event.objects.filter(release_id__in=releases.values("pk"))
    return Event.objects.filter(release_id__in=named)


def search(events: QuerySet[Event], wanted: Wanted) -> QuerySet[Event]:
    """Return the events asked for, the latest first: in the order they were written, or of their moments for a period.

    Either order is that of an index, so that a page is read from where it begins.
    """
    exact = {
        "actor_name": wanted.actor,
        "verb": wanted.verb,
        "subject_type": wanted.subject,
        "subject_id": wanted.subject_id,
        "release_id": wanted.release,
        "at__gte": wanted.since,
        "at__lt": wanted.until,
        "request_id": wanted.request,
    }
    events = events.filter(**{name: value for name, value in exact.items() if value not in ("", None)})
    if wanted.request:
        events = events.exclude(request_id="")
    if wanted.words:
        query = SearchQuery(wanted.words, config="simple", search_type="websearch")
        events = events.exclude(reason="").alias(found=SearchVector("reason", config="simple")).filter(found=query)
    return events.order_by("-at", "-pk") if wanted.is_period else events.order_by("-pk")


def beyond(events: QuerySet[Event], wanted: Wanted, last: int) -> QuerySet[Event]:
    """Return those of the events found that come after the event `last` in their order; all if there is none."""
    if not wanted.is_period:
        return events.filter(pk__lt=last)
    at = Event.objects.filter(pk=last).values_list("at", flat=True).first()
    return events if at is None else events.filter(Q(at__lt=at) | Q(at=at, pk__lt=last), at__lte=at)


def shown_to(actor: Actor, events: list[Event]) -> list[Event]:
    """Return events without the releases they mention that `actor` may not see. At most one query."""
    return events if sees_all(actor) else mentions.masked_events(actor, events)


def told(actor: Actor, events: list[Event]) -> list[Told]:
    """Return a page of events with what each changed. At most two queries."""
    events = shown_to(actor, events)
    named = {event.release_id for event in events if event.release_id is not None}
    seen = policy.visible_ids(actor, named)
    return [Told(event, differences(event.before, event.after), event.release_id in seen) for event in events]


def differences(before: Any, after: Any) -> list[Difference]:
    """Return what differs between what was and what is, key by key."""
    if not isinstance(before or {}, Mapping) or not isinstance(after or {}, Mapping):
        return [] if before == after else [Difference("", before, after)]
    return [Difference(one.path, one.before, one.after) for one in diff(before or {}, after or {})]


def known_verbs() -> list[str]:
    """Return every verb in the trail, by skipping from one to the next in their index."""
    with connection.cursor() as cursor:
        cursor.execute(_EVERY_VERB)
        return [verb for (verb,) in cursor.fetchall()]


def in_chunks(actor: Actor, events: QuerySet[Event], wanted: Wanted, most: int) -> Iterator[Event]:
    """Yield at most `most` of the events found, in their order, without ever holding many."""
    last: int | None = None
    while most > 0:
        rows = list((events if last is None else beyond(events, wanted, last))[: min(AT_ONCE, most)])
        yield from shown_to(actor, rows)
        if len(rows) < AT_ONCE:
            return
        most, last = most - len(rows), rows[-1].pk
