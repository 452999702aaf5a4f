"""Searches of the list of releases that people name for themselves. Nobody sees another's."""

from __future__ import annotations

from datetime import datetime

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import QuerySet
from django.http import QueryDict

from config.errors import Conflict, Fault, InvalidInput
from config.trail import record
from releases.models import SavedView
from releases.reading.search import Search
from releases.services.given import text_faults

MOST = 50
MOST_LETTERS, MOST_QUERY = 60, 2000


def views_of(owner: User) -> QuerySet[SavedView]:
    """Return a person's saved views, by name."""
    return SavedView.objects.filter(owner=owner)


@transaction.atomic
def save_view(actor: User, *, name: str, query: str, now: datetime) -> SavedView:
    """Keep a search under a name; a name of the actor's own that is taken gets the new search.

    `query` is that of an address; what is no filter is left out. Raises InvalidInput for a name that is none, or
    Conflict (`too_many`) when the actor has MOST views.
    """
    User.objects.select_for_update(no_key=True).get(pk=actor.pk)
    name, kept = _clean(name), Search.of(QueryDict(query[:4000].lstrip("?")).dict()).query()
    if len(kept) > MOST_QUERY:
        raise InvalidInput([Fault("query", "This search is too long to be kept.", "Leave out some of its filters.")])
    view = views_of(actor).filter(name=name).first()
    if view is None and views_of(actor).count() >= MOST:
        raise Conflict(f"You have {MOST} saved views. Delete one that you do not use first.", code="too_many")
    before = {"query": view.query} if view else None
    view = view or SavedView(owner=actor, name=name, created_at=now)
    view.query = kept
    view.save()
    record(actor, "view.saved", view, before=before, after={"query": kept}, now=now)
    return view


@transaction.atomic
def rename_view(actor: User, view: SavedView, *, name: str, now: datetime) -> SavedView:
    """Give a view another name. Raises InvalidInput for one that is none, or that another view of theirs has."""
    User.objects.select_for_update(no_key=True).get(pk=actor.pk)
    before, view.name = view.name, _clean(name)
    if views_of(actor).filter(name=view.name).exclude(pk=view.pk).exists():
        raise InvalidInput([Fault("name", f"You have a view '{view.name}' already.")])
    view.save(update_fields=["name"])
    record(actor, "view.renamed", view, before={"name": before}, after={"name": view.name}, now=now)
    return view


@transaction.atomic
def delete_view(actor: User, view: SavedView, *, now: datetime) -> None:
    """Throw a view away."""
    record(actor, "view.deleted", view, before={"query": view.query}, now=now)
    view.delete()


def _clean(name: str) -> str:
    name = " ".join(name.split())
    faults = text_faults("name", name, most=MOST_LETTERS)
    if not name:
        faults = [Fault("name", "A view needs a name.")]
    if faults:
        raise InvalidInput(faults)
    return name
