"""Store activities that come with Pilothouse: how each stands in the store, and adding them to it.

What was added is told in the trail by its digest, so that a newer one may take its place as long as nobody has changed
it by hand.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from typing import Any, Literal

from django.db import transaction

from activities.canonical import digest
from activities.models import Activity, ActivityRevision, Connection
from activities.services import visible_activities, visible_connections
from config.errors import Fault, InvalidInput, NotPermitted
from config.models import Event
from config.permissions import allowed, require
from config.trail import Actor, record
from processes.ready_made import Document, Shipped, fitted, shipped
from processes.services.applying import Applied, apply

#: Not in the store; there as it comes; there as an earlier one came; there, and changed since.
State = Literal["absent", "current", "outdated", "changed"]
Result = Literal["created", "changed", "unchanged", "left"]

ADDED = "activity.added"
MAY_LOOK = ("activities.view_activity", "activities.add_activity")
_PREFIX = re.compile(r"[a-z](?:[a-z0-9-]*[a-z0-9])?-?")


@dataclass(frozen=True, slots=True)
class Standing:
    """A document that ships and how it stands in the store: `on` is the connection it runs on there."""

    document: Document
    state: State = "absent"
    revision: int | None = None
    on: str = ""


@dataclass(frozen=True, slots=True)
class Added:
    """What became of one document; `why` says why it was left alone."""

    id: str
    result: Result
    revision: int | None = None
    why: str = ""


def require_look(actor: Actor) -> None:
    """Raises NotPermitted unless `actor` may look at store activities, or make some."""
    if not any(allowed(actor, permission) for permission in MAY_LOOK):
        raise NotPermitted("You need the permission 'activities.view_activity'.")


def standings(actor: Actor) -> dict[str, list[Standing]]:
    """How everything that ships stands in the store, by provider, as far as `actor` may see; each as it is there."""
    documents = {one["id"]: one for ships in shipped().values() for one in ships.documents}
    rows = list(visible_activities(actor).filter(slug__in=documents))
    on = {row.slug: _connection_of(row.draft) for row in rows}
    fit = [fitted(one, connection=on.get(slug) or _connection_of(one)) for slug, one in documents.items()]
    found = _standings(rows, fit)
    return {name: [found[one["id"]] for one in ships.documents] for name, ships in shipped().items()}


def standings_of(actor: Actor, ships: Shipped, *, connection: str, prefix: str = "") -> list[Standing]:
    """How the activities of one provider stand in the store for one connection, as far as `actor` may see."""
    documents = [fitted(one, connection=connection, prefix=prefix) for one in ships.documents]
    found = _standings(visible_activities(actor).filter(slug__in=[one["id"] for one in documents]), documents)
    return [found[one["id"]] for one in documents]


def connections_for(actor: Actor) -> dict[str, list[Connection]]:
    """The connections that `actor` may see, by provider."""
    found: dict[str, list[Connection]] = {}
    for one in visible_connections(actor).order_by("name", "slug"):
        found.setdefault(one.provider, []).append(one)
    return found


@transaction.atomic
def add_ready_made(
    actor: Actor,
    provider: str,
    *,
    now: datetime,
    connection: str = "",
    prefix: str = "",
    only: Collection[str] = (),
    replace: bool = False,
) -> list[Added]:
    """Adds what ships for a provider to the store and publishes it; added twice, the second time changes nothing.

    `connection` is the one they are to use (that of the provider's name if empty), `prefix` what their ids begin with,
    `only` the ids, as they come, of those that are wanted (all if empty). What somebody has changed since, or runs on
    another connection, is left alone unless `replace`. Raises InvalidInput with every fault, NotPermitted, Conflict.
    """
    require(actor, "activities.add_activity")
    ships = _checked(actor, provider, connection, prefix, only)
    connection = connection or ships.connection
    chosen = [one for one in ships.documents if not only or one["id"] in only]
    documents = [fitted(one, connection=connection, prefix=prefix) for one in chosen]
    rows = Activity.objects.select_for_update().filter(slug__in=[one["id"] for one in documents]).order_by("slug")
    found = _standings(rows, documents)
    left = {slug: _why(one, connection) for slug, one in found.items() if one.state == "changed" and not replace}
    wanted = [one for one in documents if one["id"] not in left]
    done = {one.id: one for one in apply(actor, wanted, now=now, publish=True)} if wanted else {}
    _note(actor, [one for one in wanted if done[one["id"]].result != "unchanged"], connection, now=now)
    kept = {slug: Added(slug, "left", found[slug].revision, why) for slug, why in left.items()}
    return [kept.get(slug) or _became(standing, done[slug]) for slug, standing in found.items()]


def _became(standing: Standing, done: Applied) -> Added:
    result: Result = "unchanged"
    if done.result == "created":
        result = "created"
    elif done.result == "changed" or done.revision != standing.revision:
        result = "changed"
    return Added(done.id, result, done.revision)


def _checked(actor: Actor, provider: str, connection: str, prefix: str, only: Collection[str]) -> Shipped:
    ships = shipped().get(provider)
    if ships is None:
        near = get_close_matches(provider, shipped(), 1)
        cure = f"Do you mean '{near[0]}'?" if near else f"Some come for {', '.join(shipped())}."
        raise InvalidInput([Fault("provider", f"No activities come for '{provider[:60]}'.", cure)])
    faults = list(_faults_of_connection(actor, ships, connection))
    if prefix and not _PREFIX.fullmatch(prefix):
        faults.append(Fault("prefix", "Ids begin with a lower-case letter; letters, digits and hyphens follow."))
    known = [one["id"] for one in ships.documents]
    unknown = sorted(set(only) - set(known))
    faults += [Fault("activities", f"There is no '{name[:80]}'.", f"There are {', '.join(known)}.") for name in unknown]
    if faults:
        raise InvalidInput(faults)
    return ships


def _faults_of_connection(actor: Actor, ships: Shipped, connection: str) -> Iterator[Fault]:
    found = visible_connections(actor).filter(slug=connection or ships.connection).first()
    if found is not None and found.provider == ships.provider:
        return
    fitting = [one.slug for one in connections_for(actor).get(ships.provider, [])]
    cure = f"Name one of {', '.join(fitting)}." if fitting else f"Make one with the provider {ships.provider} first."
    if found is None:
        yield Fault("connection", f"There is no connection '{(connection or ships.connection)[:80]}'.", cure)
    else:
        yield Fault("connection", f"'{found.slug}' is a connection of the provider {found.provider}.", cure)


def _standings(rows: Iterable[Activity], documents: Sequence[Document]) -> dict[str, Standing]:
    """How documents stand in `rows`, by id: three queries for any number."""
    known = {row.slug: row for row in rows}
    keys = [row.pk for row in known.values()]
    newest = ActivityRevision.objects.filter(activity__in=keys).order_by("activity", "-number").distinct("activity")
    latest = {row: (number, seen) for row, number, seen in newest.values_list("activity", "number", "digest")}
    told = Event.objects.filter(subject_type="activity", verb=ADDED, subject_id__in=keys).order_by("subject_id", "-id")
    added = dict(told.distinct("subject_id").values_list("subject_id", "after"))
    return {one["id"]: _standing(one, known.get(one["id"]), latest, added) for one in documents}


def _standing(
    document: Document,
    row: Activity | None,
    latest: Mapping[int, tuple[int, str]],
    added: Mapping[int | None, Any],
) -> Standing:
    if row is None:
        return Standing(document)
    number, published = latest.get(row.pk, (None, ""))
    now, on = digest(row.draft), _connection_of(row.draft)
    state: State = "changed"
    if now == digest(document):
        state = "current" if published == now else "outdated"
    elif now == (added.get(row.pk) or {}).get("digest") and on == _connection_of(document):
        state = "outdated"
    return Standing(document, state, number, on)


def _connection_of(document: Document) -> str:
    return str((document.get("automated") or {}).get("connection", ""))


def _why(standing: Standing, connection: str) -> str:
    if standing.on != connection:
        return f"It runs on the connection '{standing.on}': choose a prefix for another one, or replace it."
    return "It was changed since it was added."


def _note(actor: Actor, documents: Sequence[Document], connection: str, *, now: datetime) -> None:
    rows = {row.slug: row for row in Activity.objects.filter(slug__in=[one["id"] for one in documents])}
    for one in documents:
        after = {"digest": digest(one), "connection": connection}
        record(actor, ADDED, rows[one["id"]], after=after, now=now)
