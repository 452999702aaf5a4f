"""Saved views of the list of releases: kept, named anew, thrown away."""

from __future__ import annotations

from collections.abc import Callable

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST

from config.errors import Conflict, InvalidInput
from config.pages import once, page, person
from releases.models import SavedView
from releases.reading.search import Search
from releases.services import saved_views


def address_of(query: str) -> str:
    """Return the address of the list for a query as it was sent; what makes no sense in it is left out."""
    clean = Search.of(QueryDict(query[:4000]).dict()).query()
    return f"{reverse('releases:list')}{'?' if clean else ''}{clean}"


@page
@require_POST
def save(request: HttpRequest) -> HttpResponse:
    """Keep the search `query` under `name`, and go on to it."""
    query = request.POST.get("query", "")

    def do() -> str:
        name = request.POST.get("name", "")
        view = saved_views.save_view(person(request), name=name, query=query, now=timezone.now())
        return address_of(view.query)

    return _answer(request, do, address_of(query))


@page
@require_POST
def rename(request: HttpRequest, pk: int) -> HttpResponse:
    """Give one of one's own views another name."""
    view = _own(request, pk)

    def do() -> str:
        saved_views.rename_view(person(request), view, name=request.POST.get("name", ""), now=timezone.now())
        return address_of(view.query)

    return _answer(request, do, address_of(view.query))


@page
@require_POST
def delete(request: HttpRequest, pk: int) -> HttpResponse:
    """Throw one of one's own views away; what it showed stays on the page."""
    view = _own(request, pk)

    def do() -> str:
        saved_views.delete_view(person(request), view, now=timezone.now())
        return address_of(view.query)

    return _answer(request, do, address_of(view.query))


def _own(request: HttpRequest, pk: int) -> SavedView:
    return get_object_or_404(saved_views.views_of(person(request)), pk=pk)


def _answer(request: HttpRequest, do: Callable[[], str], back: str) -> HttpResponse:
    try:
        return redirect(once(request, do))
    except InvalidInput as error:
        messages.error(request, " ".join(f"{fault.message} {fault.cure}".strip() for fault in error.faults))
    except Conflict as error:
        messages.error(request, error.message)
    return redirect(back)
