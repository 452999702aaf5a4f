"""What the library's pages have in common: a list that is searched, one thing with its revisions, a download."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse

from config.pages import person, whole
from config.permissions import allowed
from processes.diff import diff, shown
from processes.document import dump
from processes.models import Process

PAGE = 25
REVISIONS = 50
DRAFT = "draft"
Documents = Callable[[str], Mapping[str, Any]]


def searched(request: HttpRequest, rows: QuerySet[Any]) -> tuple[QuerySet[Any], dict[str, Any]]:
    """The rows that the address asks for (`q`, words that all occur; `after` an id), in order; and what it said."""
    query, after = _text(request, "q", 200).strip(), _text(request, "after", 64)
    for word in query.split():
        rows = rows.filter(Q(slug__icontains=word) | Q(name__icontains=word) | Q(description__icontains=word))
    if after:
        rows = rows.filter(slug__gt=after)
    return rows.order_by("slug"), {"query": query, "is_first": not after}


def one_page(found: list[Any]) -> dict[str, Any]:
    """What a list shows of one row more than a page has: the page, and the id after which the next one begins."""
    rows = found[:PAGE]
    return {"rows": rows, "more": rows[-1].thing.slug if len(found) > PAGE else ""}


def revisions_page(request: HttpRequest, revisions: QuerySet[Any]) -> dict[str, Any]:
    """A page of revisions, the newest first (`before` a number)."""
    before = revision_number(request.GET.get("before", ""))
    rows = revisions.defer("document").order_by("-number")
    found = list((rows if before is None else rows.filter(number__lt=before))[: REVISIONS + 1])
    older = found[REVISIONS - 1].number if len(found) > REVISIONS else None
    return {"revisions": found[:REVISIONS], "older": older, "is_first": before is None}


def comparison(request: HttpRequest, revisions: QuerySet[Any], document: Documents) -> dict[str, Any]:
    """What changed from `a` to `b`, each a revision's number or the draft; from the newest revision to the draft first.

    `document` gives the document of either. Raises NotFound for a revision that there is not.
    """
    numbers = [str(number) for number in revisions.order_by("-number").values_list("number", flat=True)[:200]]
    old, new = request.GET.get("a", numbers[0] if numbers else DRAFT), request.GET.get("b", DRAFT)
    for chosen in (old, new):
        if chosen != DRAFT and revision_number(chosen) is None:
            raise Http404("There is no such revision.")
    return {
        "choices": [DRAFT, *numbers],
        "old": old,
        "new": new,
        "has_revisions": bool(numbers),
        "changes": shown(diff(document(old), document(new))),
    }


def revision_number(text: str) -> int | None:
    """The number of a revision in an address, None for anything else."""
    return whole(text, digits=9)


def download(document: Mapping[str, Any], name: str) -> HttpResponse:
    """A document as a YAML file."""
    headers = {"Content-Disposition": f'attachment; filename="{name}.yaml"'}
    return HttpResponse(dump([document]), content_type="application/yaml; charset=utf-8", headers=headers)


def may_start(request: HttpRequest, process: Process) -> bool:
    """Whether the reader may create releases of a process."""
    user = person(request)
    return allowed(user, "processes.start_process", process) or allowed(user, "releases.add_release")


def _text(request: HttpRequest, name: str, longest: int) -> str:
    return request.GET.get(name, "")[:longest].replace("\x00", "")
